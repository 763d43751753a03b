//! Chromium by chromedriver.
//!
//! A prompt of Chromium's own cannot be answered by a driver, so an optional permission is granted beforehand, in
//! the profile, as if the person had once said yes: `permissions.request` at a click then answers at once, and until
//! that click the extension does not have it. Observed with Chromium 156 on 2026-11-24: what counts is
//! `runtime_granted_permissions`; with `granted_permissions` alone it asks.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Extension, Settings, program};
use crate::wait::wait_for;
use crate::webdriver::driver::Driver;
use crate::webdriver::session::Session;

/// What a click may ask for: every server of this machine.
const GRANTS: [&str; 3] = [
    "http://127.0.0.1/*",
    "http://localhost/*",
    "https://localhost/*",
];
/// Chromium writes its profile when it closes; the rest is for a busy machine.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// Starts it on the profile in `folder`.
pub(super) async fn open(settings: &Settings, folder: &Path) -> Result<(Driver, Session)> {
    let driver = Driver::start(&program("chromedriver")?, &[], folder).await?;
    let mut arguments = vec![
        format!("--user-data-dir={}", folder.join("profile").display()),
        format!(
            "--load-extension={}",
            settings.extension.canonicalize()?.display()
        ),
        "--no-first-run".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-search-engine-choice-screen".to_owned(),
        "--window-size=1200,900".to_owned(),
    ];
    if rustix::process::geteuid().is_root() {
        // Chromium refuses to run as root otherwise.
        arguments.push("--no-sandbox".to_owned());
    }
    if settings.headless {
        arguments.push("--headless=new".to_owned());
    }
    if settings.dark {
        arguments.push("--force-dark-mode".to_owned());
    }
    if !settings.public.is_empty() {
        let public: Vec<_> = settings
            .public
            .iter()
            .map(|address| format!("{address}=public"))
            .collect();
        arguments.push(format!("--ip-address-space-overrides={}", public.join(",")));
    }
    if let Some(trust) = &settings.trusts {
        // Of these keys it says nothing; it has no list of authorities that a driver could add to.
        arguments.push(format!(
            "--ignore-certificate-errors-spki-list={}",
            trust.keys.join(",")
        ));
    }
    let capabilities = json!({
        "browserName": "chrome",
        // A person at a window reads a prompt of the browser for themselves.
        "unhandledPromptBehavior": "ignore",
        "goog:chromeOptions": {
            "binary": program("chromium")?,
            "args": arguments,
            "excludeSwitches": ["disable-extensions"],
        },
    });
    let session = driver.open(capabilities).await?;
    Ok((driver, session))
}

/// Starts it once, so that there is a profile, and writes the grants into it.
pub(super) async fn seed_grants(
    settings: &Settings,
    extension: &Extension,
    folder: &Path,
) -> Result<()> {
    let headless = Settings {
        headless: true,
        ..settings.clone()
    };
    let (mut driver, session) = open(&headless, folder).await?;
    session.close().await?;
    driver.end()?;
    let path = folder.join("profile/Default/Preferences");
    let read = async || -> Option<Value> {
        let preferences = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        Some(preferences)
    };
    let mut preferences = wait_for("Chromium's profile", read, WRITTEN_WITHIN).await?;
    let pointer = format!("/extensions/settings/{}", extension.chromium_id);
    let known = preferences
        .pointer_mut(&pointer)
        .and_then(Value::as_object_mut)
        .context("Chromium's profile does not know the extension")?;
    known.insert(
        "runtime_granted_permissions".to_owned(),
        json!({ "api": [], "explicit_host": GRANTS, "manifest_permissions": [], "scriptable_host": [] }),
    );
    std::fs::write(&path, serde_json::to_vec(&preferences)?)?;
    Ok(())
}

/// Ends every service worker.
pub(super) async fn stop_background(session: &Session) -> Result<()> {
    session.devtools("ServiceWorker.enable", json!({})).await?;
    session
        .devtools("ServiceWorker.stopAllWorkers", json!({}))
        .await?;
    Ok(())
}

/// Chromium's list of what it finds wrong, as its page of extensions would show it to a developer.
pub(super) async fn manifest_warnings(
    session: &Session,
    extension: &Extension,
    at_least: usize,
) -> Result<Vec<Value>> {
    session.goto("chrome://extensions").await?;
    let script = "
        const [id, atLeast] = arguments;
        const api = chrome.developerPrivate;
        await api.updateProfileConfiguration({ inDeveloperMode: true });
        const told = new Promise((resolve) => {
            api.onItemStateChanged.addListener((event) => {
                if (event.item_id === id && event.event_type === 'LOADED') resolve();
            });
        });
        await api.reload(id, { failQuietly: true });
        await told;
        const read = async () => {
            const info = await api.getExtensionInfo(id);
            return info.manifestErrors.concat(info.runtimeErrors).map((error) => error.message);
        };
        // What Chromium has to say reaches its list after the extension is loaded.
        const until = performance.now() + 10000;
        let found = await read();
        while (found.length < atLeast && performance.now() < until) {
            await new Promise((resolve) => setTimeout(resolve, 50));
            found = await read();
        }
        return found;";
    let found = session
        .execute(
            &format!("return (async (...arguments) => {{ {script} }})(...arguments);"),
            json!([extension.chromium_id, at_least]),
        )
        .await?;
    serde_json::from_value(found).context("Chromium's list of warnings is no list")
}
