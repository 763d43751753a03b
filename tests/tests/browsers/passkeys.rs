//! Passkeys at the dashboard: one is made, signs in without a name, and proves who sits there before he changes who comes
//! in. The authenticator is the driver's.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use protocol::request::session::CreateLoginLink;
use sqlx::Connection as _;
use tests::browsers::{Browser, Kind, Settings};
use tests::story::desk::Desk;
use tests::story::relay::Relay;
use tests::story::screens::Screens;
use tests::story::servers::{Plays, Servers};
use tests::wait::wait_for;
use tests::webdriver::seek::{find_named, wait_named, wait_words};

use super::in_both;
use super::stage::{EXTENSION, SOON};

const PASSWORD: &str = "tall ships sail at noon";

in_both!(
    a_passkey_is_made_signs_in_and_proves_who_asks_in_chromium,
    a_passkey_is_made_signs_in_and_proves_who_asks_in_firefox,
    passkeys
);

async fn passkeys(kind: Kind) -> Result<()> {
    let servers = Servers::start_sandbox_as(Plays::verified(&sandbox::profile::GENERIC), 1).await?;
    let relay = Relay::start(&servers, None).await?;
    let operator = relay.operator()?;
    let mut settings = Settings::headless(kind, PathBuf::from(EXTENSION));
    settings.dark = kind == Kind::Firefox;
    let screens = std::env::var_os("UNPAUSE_SCREENSHOTS").map(PathBuf::from);
    let desk = Desk::new(Browser::start(settings).await?, Screens::into(screens)?);
    let session = desk.session();
    let authenticator = session.add_authenticator().await?;
    let press = async |role: &str, name: &str| {
        let pressed = desk.press_while_setting_up(role, name).await;
        pressed.with_context(|| format!("{role} {name}")).map(drop)
    };
    let write = async |name: &str, text: &str| -> Result<()> {
        let field = wait_named(session, "textbox", name, SOON).await?;
        Ok(field.write(text).await?)
    };
    // Browsers give a field for a password different roles.
    let write_password = async |css: &str, text: &str| -> Result<()> {
        let look = async || session.find(css).await.ok().flatten();
        let field = wait_for("the field for a password", look, SOON).await?;
        Ok(field.write(text).await?)
    };

    // At a number there is no passkey, and the page says where there is one.
    let link = operator.call(&CreateLoginLink {}).await?.url;
    desk.sign_in_at_dashboard_by(link.expose()).await?;
    press("link", "Settings").await?;
    let named = relay.base().replace("127.0.0.1", "localhost");
    wait_words(session, &format!("Open {named}, sign in there"), SOON).await?;
    ensure!(
        find_named(session, "button", "Add a passkey")
            .await?
            .is_none(),
        "a passkey is offered where none can be made"
    );

    let link = operator.call(&CreateLoginLink {}).await?.url;
    let link = link.expose().replace("127.0.0.1", "localhost");
    desk.sign_in_at_dashboard_by(&link).await?;
    press("link", "Settings").await?;
    write("What you call the device", "the laptop").await?;
    press("button", "Add a passkey").await?;
    wait_words(session, "the laptop is added.", SOON).await?;
    let kept = session.credentials(&authenticator).await?;
    let kept = kept.as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(kept.len() == 1, "the authenticator keeps {}", kept.len());
    ensure!(
        kept.iter()
            .all(|one| one["rpId"] == "localhost" && one["isResidentCredential"] == true),
        "it is bound to another place: {kept:?}"
    );
    write_password("#new-password", PASSWORD).await?;
    press("button", "Set the password").await?;
    wait_words(session, "The password is set.", SOON).await?;
    desk.screens.take(session, "passkeys-settings").await?;

    // From any page.
    press("link", "Campaigns").await?;
    press("button", "Sign out").await?;
    wait_words(session, "You are signed out", SOON).await?;
    desk.screens.take(session, "passkeys-sign-in").await?;
    press("button", "Sign in with a passkey").await?;
    wait_named(session, "link", "Campaigns", SOON).await?;

    // What was typed waits for the proof and is done then.
    press("link", "Settings").await?;
    write("Mail address or name", "cleo@client.example").await?;
    age_proofs(&relay).await?;
    press("button", "Make a link").await?;
    wait_words(session, "Is it still you?", SOON).await?;
    desk.screens.take(session, "passkeys-dialog").await?;
    press("button", "Use a passkey").await?;
    wait_named(session, "textbox", "Link for cleo@client.example", SOON).await?;

    age_proofs(&relay).await?;
    press("button", "Sign in by passkeys alone").await?;
    write_password("#proof-password", "tall ships sail at nine").await?;
    press("button", "Go on").await?;
    wait_words(session, "found another", SOON).await?;
    write_password("#proof-password", PASSWORD).await?;
    press("button", "Go on").await?;
    wait_words(session, "your passkeys alone sign you in", SOON).await?;

    // The last way in stays.
    press("button", "Remove the laptop …").await?;
    press("button", "Remove the laptop").await?;
    wait_words(session, "nothing else signs it in", SOON).await?;

    // Whom the authenticator does not verify, it signs nothing for.
    press("button", "Sign out").await?;
    session.verify_person(&authenticator, false).await?;
    press("button", "Sign in with a passkey").await?;
    wait_words(session, "No passkey was used.", SOON).await?;
    session.verify_person(&authenticator, true).await?;
    press("button", "Sign in with a passkey").await?;
    wait_named(session, "link", "Campaigns", SOON).await?;
    desk.browser.close().await
}

/// Ten minutes pass for the proofs of all sessions.
async fn age_proofs(relay: &Relay) -> Result<()> {
    let path = relay.data().join("unpause.db");
    let url = format!("sqlite://{}", path.display());
    let mut book = sqlx::SqliteConnection::connect(&url).await?;
    sqlx::query("UPDATE sessions SET proved_at_ms = 0")
        .execute(&mut book)
        .await?;
    book.close().await?;
    Ok(())
}
