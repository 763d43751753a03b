//! Firefox by geckodriver.
//!
//! The profile is a folder of ours, so that it survives a restart; geckodriver writes no preference into such a
//! one, therefore all of them stand here. The add-on is a temporary one and is installed anew at each start, on the
//! storage that it had.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Extension, Settings, program};
use crate::free_port::{TRIES, free_address};
use crate::webdriver::WebDriverError;
use crate::webdriver::driver::Driver;
use crate::webdriver::session::Session;

/// The host of the extension's pages, which Firefox would make up for each profile.
pub(super) const UUID: &str = "6f1d3c2e-5a4b-4c8d-9e7f-0a1b2c3d4e5f";

/// Starts it on the profile in `folder`.
///
/// Firefox waits five seconds for its port and ends with status 0 when another process has taken it meanwhile.
/// Observed with Firefox ESR 153 on 2026-11-27.
pub(super) async fn open(
    settings: &Settings,
    extension: &Extension,
    folder: &Path,
) -> Result<(Driver, Session)> {
    let mut tries_left = TRIES;
    loop {
        tries_left -= 1;
        match open_once(settings, extension, folder).await {
            Err(error) if tries_left > 0 && has_ended_at_start(&error) => {}
            outcome => return outcome,
        }
    }
}

fn has_ended_at_start(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(WebDriverError::Refused { message, .. })
            if message.contains("unexpectedly closed with status 0")
    )
}

async fn open_once(
    settings: &Settings,
    extension: &Extension,
    folder: &Path,
) -> Result<(Driver, Session)> {
    let profile = folder.join("profile");
    std::fs::create_dir_all(&profile)?;
    let port = free_address()?.port();
    std::fs::write(
        profile.join("user.js"),
        preferences(settings, extension, port)?,
    )?;
    let marionette = format!("--marionette-port={port}");
    let arguments = [
        "--allow-system-access",
        "--websocket-port=0",
        marionette.as_str(),
    ];
    let driver = Driver::start(&program("geckodriver")?, &arguments, folder).await?;
    let mut arguments = vec!["-profile".to_owned(), profile.display().to_string()];
    if settings.headless {
        arguments.push("-headless".to_owned());
    }
    let capabilities = json!({
        "browserName": "firefox",
        "unhandledPromptBehavior": "ignore",
        "moz:firefoxOptions": { "binary": program("firefox-esr")?, "args": arguments },
    });
    let session = driver.open(capabilities).await?;
    if let Some(trust) = &settings.trusts {
        add_authority(&session, &trust.ca_pem).await?;
    }
    session.install_addon(&extension.folder, true).await?;
    session.resize(1200, 900).await?;
    Ok((driver, session))
}

/// Puts an authority on the profile's own list.
async fn add_authority(session: &Session, pem: &str) -> Result<()> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let der: String = lines.collect();
    session.set_context("chrome").await?;
    let script = "
        const known = Cc['@mozilla.org/security/x509certdb;1'].getService(Ci.nsIX509CertDB);
        known.addCertFromBase64(arguments[0], 'C,,');
        return true;";
    let added = session.execute(script, json!([der])).await;
    session.set_context("content").await?;
    added?;
    Ok(())
}

/// Ends the event page, as its idle time-out does.
pub(super) async fn stop_background(session: &Session, extension: &Extension) -> Result<()> {
    session.set_context("chrome").await?;
    let script = "
        const { extension } = WebExtensionPolicy.getByID(arguments[0]);
        return extension.terminateBackground({ ignoreDevToolsAttached: true }).then(() => true);";
    let stopped = session.execute(script, json!([extension.firefox_id])).await;
    session.set_context("content").await?;
    stopped?;
    Ok(())
}

/// What the profile says before the first start. Marionette sets those that every automated Firefox needs.
fn preferences(settings: &Settings, extension: &Extension, port: u16) -> Result<String> {
    let uuids = serde_json::to_string(&json!({ (extension.firefox_id.as_str()): UUID }))?;
    let public: Vec<_> = settings
        .public
        .iter()
        .map(std::net::SocketAddr::to_string)
        .collect();
    let mut rows: Vec<(&str, Value)> = vec![
        ("marionette.port", port.into()),
        ("extensions.webextensions.uuids", uuids.into()),
        // The storage of a temporary add-on outlives a restart with these.
        (
            "extensions.webextensions.keepStorageOnUninstall",
            true.into(),
        ),
        ("extensions.webextensions.keepUuidOnUninstall", true.into()),
        ("browser.shell.checkDefaultBrowser", false.into()),
        // Authenticators of the driver's, and none of this machine's.
        ("security.webauth.webauthn_enable_softtoken", true.into()),
        ("security.webauth.webauthn_enable_usbtoken", false.into()),
        ("browser.startup.page", 0.into()),
        ("browser.startup.homepage_override.mstone", "ignore".into()),
        ("startup.homepage_welcome_url", "about:blank".into()),
        ("datareporting.policy.dataSubmissionEnabled", false.into()),
        ("datareporting.healthreport.uploadEnabled", false.into()),
        ("termsofuse.bypassNotification", true.into()),
        ("app.update.disabledForTesting", true.into()),
        ("network.captive-portal-service.enabled", false.into()),
        ("network.connectivity-service.enabled", false.into()),
        // 0 is dark, 1 is light.
        (
            "layout.css.prefers-color-scheme.content-override",
            i32::from(!settings.dark).into(),
        ),
        ("ui.systemUsesDarkTheme", i32::from(settings.dark).into()),
    ];
    if settings.grants_at_click {
        rows.push(("extensions.webextOptionalPermissionPrompts", false.into()));
    }
    if !public.is_empty() {
        rows.push((
            "network.lna.address_space.public.override",
            public.join(",").into(),
        ));
    }
    let mut text = String::new();
    for (name, value) in rows {
        writeln!(text, "user_pref(\"{name}\", {value});")?;
    }
    Ok(text)
}
