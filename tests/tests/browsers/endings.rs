//! Every end of a reconnect that has a screen, as a person meets it in the popup: what the card says, what it offers,
//! and that the way on from it works.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use protocol::request::device::{DeleteDevice, ListDevices};
use sandbox::Point;
use sandbox::profile::GOOGLE;
use tests::browsers::Kind;
use tests::story::desk::{Desk, Surface};
use tests::story::reconnecting::Device;
use tests::story::servers::{jane, john};
use tests::wait::wait_for;
use tests::webdriver::seek::{find_named, wait_named, wait_words};
use tests::webdriver::session::Window;

use super::in_both;
use super::link::make_link;
use super::stage::{SOON, Set, Stage};

/// Far more than the buffers between two programs and within a browser, and far less than a browser takes in the 20
/// seconds that the extension waits for an answer.
const BUFFERED_AT_MOST: u64 = 64 * 1024 * 1024;

/// Time enough for a first connection on a busy machine, and little to wait for.
const UNFINISHED_FOR: Duration = Duration::from_secs(12);

in_both!(
    every_end_of_a_reconnect_says_what_happened_and_how_to_go_on_in_chromium,
    every_end_of_a_reconnect_says_what_happened_and_how_to_go_on_in_firefox,
    ends
);

/// One after the other in one browser: light in the one, dark in the other, for the pictures.
async fn ends(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.confidential = true;
    set.browser.dark = kind == Kind::Firefox;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let control = stage
        .servers
        .sandbox()
        .context("these are the sandbox's")?
        .control();
    stage.lose().await?;
    let story = Story::open(desk).await?;

    story.begin("Reconnect").await?;
    desk.press_while_setting_up("button", "Cancel").await?;
    story
        .ends("consent-refused", "The permission was not given")
        .await?;

    story.begin("Reconnect").await?;
    session.close_window().await?;
    story
        .ends("window-closed", "The sign-in window was closed")
        .await?;
    ensure!(story.offers("Use a tab instead").await?, "no other way");

    control.name_other_issuer(true);
    story.begin("Reconnect").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    story
        .ends("mixed-up", "The answer belongs to another sign-in")
        .await?;
    control.name_other_issuer(false);

    control.end_secrets(true);
    story.begin("Reconnect").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    story
        .ends("secret-over", "refuses what the relay sends")
        .await?;
    control.end_secrets(false);
    story.tells_the_operator_only().await?;

    control.refuse_next_visit("access_denied", "AADSTS65004: the user declined");
    story.press("Reconnect").await?;
    story
        .ends("admin-approval", "Your administrator must agree first")
        .await?;
    ensure!(
        story.offers("Copy the request for your admin").await?,
        "nothing to copy"
    );

    control.forget_redirects(true);
    story.press("It is allowed: reconnect").await?;
    story.switch_to_provider().await?;
    wait_words(session, "redirect_uri", SOON).await?;
    session.close_window().await?;
    story
        .ends("redirect-unknown", "refuses what the relay sends")
        .await?;
    control.forget_redirects(false);
    story.tells_the_operator_only().await?;

    // John signs in, who is somebody else; then he is somebody with whom the inbox is shared.
    session.goto(&stage.servers.issuer()).await?;
    desk.press_while_setting_up("button", "Sign out").await?;
    wait_named(session, "button", "Sign in", SOON).await?;
    session.goto(&desk.browser.page("popup.html")).await?;
    story.begin("Reconnect").await?;
    story.sign_in_as_john(true).await?;
    story
        .ends("wrong-identity", "You signed in with another account")
        .await?;
    ensure!(
        story.words().await?.contains(&john().address),
        "the card does not say who signed in"
    );
    control.share(&jane().address, &john().address)?;
    story.begin("Choose jane@acme.example").await?;
    story.sign_in_as_john(false).await?;
    story.ends("confirm", "Is this the right account?").await?;
    let words = story.words().await?;
    for address in [jane().address, john().address] {
        ensure!(words.contains(&address), "{address} is not named: {words}");
    }
    story.press("Do not use it").await?;
    story
        .ends("denied", "You signed in with another account")
        .await?;
    story.begin("Choose jane@acme.example").await?;
    story.sign_in_as_john(false).await?;
    story.ends("confirm", "Is this the right account?").await?;
    // While it is proved, the card names him and not the inbox.
    let held = control.hold(Point::ImapAuthenticating);
    story.press("Use this sign-in").await?;
    let named = format!("Signed in as {}", john().address);
    desk.wait_card_words("popup", Surface::Page, &named).await?;
    desk.screens.take(session, "confirmed").await?;
    held.release();
    desk.wait_resumed("popup", Surface::Page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

in_both!(
    a_permission_that_lacks_something_says_what_in_chromium,
    a_permission_that_lacks_something_says_what_in_firefox,
    lacking
);

/// At Google, where a person may leave out a part of what is asked for.
async fn lacking(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.profile = &GOOGLE;
    set.confidential = true;
    set.browser.dark = kind == Kind::Firefox;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let sandbox = stage.servers.sandbox().context("these are the sandbox's")?;
    let control = sandbox.control();
    stage.lose().await?;
    let story = Story::open(desk).await?;

    story.begin("Reconnect").await?;
    // Reading, composing and sending are one permission there.
    desk.press_while_setting_up("checkbox", "").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    story
        .ends("scope-unticked", "Part of the permission was not given")
        .await?;

    control.give_passing_permissions(true);
    story.begin("Reconnect").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    story
        .ends("no-refresh-token", "Google gave no lasting permission")
        .await?;
    control.give_passing_permissions(false);

    control.steal_codes(true);
    story.begin("Reconnect").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    story
        .ends("code-used", "The sign-in was not accepted")
        .await?;
    control.steal_codes(false);

    story.press("Reconnect").await?;
    desk.finish_at_provider(&story.known).await?;
    session.show(&story.popup).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

in_both!(
    a_sign_in_that_nobody_finishes_ends_and_closes_its_window_in_chromium,
    a_sign_in_that_nobody_finishes_ends_and_closes_its_window_in_firefox,
    late
);

async fn late(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.confidential = true;
    set.reconnect_for = Some(UNFINISHED_FOR);
    set.browser.dark = kind == Kind::Firefox;
    let stage = Stage::set(set).await?;
    let desk = &stage.desk;
    let session = desk.session();
    stage.lose().await?;
    let story = Story::open(desk).await?;

    story.begin("Reconnect").await?;
    let provider = session.window().await?;
    let title = "The sign-in was not finished in time";
    story.ends("expired", title).await?;
    // A window that leads nowhere any more is not left behind.
    let closed = async || (!session.windows().await.ok()?.contains(&provider)).then_some(());
    wait_for("the provider's window to be closed", closed, SOON).await?;
    // Nor does a link for another browser wait for ever.
    make_link(desk).await?;
    story.ends("link-expired", title).await?;
    ensure!(
        stage.reconnects().await?.get("resumed") == Some(&1),
        "something was resumed that nobody finished"
    );
    story.begin("Reconnect").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    session.show(&story.popup).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    stage.end().await
}

in_both!(
    a_browser_without_its_relay_or_its_place_there_says_so_in_chromium,
    a_browser_without_its_relay_or_its_place_there_says_so_in_firefox,
    relay_lost
);

async fn relay_lost(kind: Kind) -> Result<()> {
    let mut set = Set::of(kind);
    set.browser.dark = kind == Kind::Firefox;
    let mut stage = Stage::set(set).await?;
    stage.lose().await?;
    let session = stage.desk.session();
    session.goto(&stage.desk.browser.page("popup.html")).await?;
    stage.desk.wait_card("popup", Surface::Page).await?;
    stage.relay.kill()?;
    let desk = &stage.desk;
    desk.press_on_card("popup", Surface::Page, "Reconnect")
        .await?;
    let words = "The relay does not answer";
    desk.wait_card_words("popup", Surface::Page, words).await?;
    desk.screens
        .take(desk.session(), "relay-unreachable")
        .await?;
    stage.relay.start_again().await?;
    let operator = stage.relay.operator()?;
    let desk = &stage.desk;
    let session = desk.session();

    for device in operator.call(&ListDevices {}).await?.devices {
        let device_id = device.id;
        operator.call(&DeleteDevice { device_id }).await?;
    }
    session.goto(&desk.browser.page("popup.html")).await?;
    wait_words(session, "does not know this browser any more", SOON).await?;
    ensure!(
        find_named(session, "button", "Pair again").await?.is_some(),
        "no way to pair again"
    );
    desk.screens.take(session, "device-revoked").await?;

    // A link that somebody has used.
    let output = stage.relay.command(&["pair"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let link = text.lines().next().context("no pairing link")?;
    Device::pair_by(link).await?;
    session.goto(&desk.browser.page("options.html")).await?;
    let field = wait_named(session, "textbox", "Pairing link", SOON).await?;
    field.write(link).await?;
    desk.press_while_setting_up("button", "Pair this browser")
        .await?;
    wait_words(session, "This pairing link was used already", SOON).await?;
    desk.screens.take(session, "pairing-code-over").await?;
    desk.pair(&stage.relay).await?;
    stage.end().await
}

in_both!(
    a_token_endpoint_that_answers_without_end_is_left_in_chromium,
    a_token_endpoint_that_answers_without_end_is_left_in_firefox,
    flooded
);

/// The code is exchanged by the extension itself, where there is no secret: what it reads of an answer has an end.
async fn flooded(kind: Kind) -> Result<()> {
    let stage = Stage::set(Set::of(kind)).await?;
    let desk = &stage.desk;
    let session = desk.session();
    let sandbox = stage.servers.sandbox().context("these are the sandbox's")?;
    stage.lose().await?;
    let story = Story::open(desk).await?;

    let flood = sandbox.control().flood_next_token();
    story.begin("Reconnect").await?;
    desk.press_while_setting_up("button", "Allow").await?;
    story
        .ends("flooded", "The sign-in was not accepted")
        .await?;
    let turned_away = async || flood.is_over().then_some(());
    wait_for("the answer to be left", turned_away, SOON).await?;
    ensure!(
        (1..BUFFERED_AT_MOST).contains(&flood.taken()),
        "{} bytes were taken",
        flood.taken()
    );
    desk.press_on_card("popup", Surface::Page, "Reconnect")
        .await?;
    desk.finish_at_provider(&story.known).await?;
    session.show(&story.popup).await?;
    desk.wait_resumed("popup", Surface::Page).await?;
    stage.check_goes_on(2).await?;
    stage.end().await
}

/// A popup, and what is done from it.
struct Story<'a> {
    desk: &'a Desk,
    popup: Window,
    /// The windows that are not the provider's.
    known: Vec<Window>,
}

impl<'a> Story<'a> {
    /// Opens the popup in a tab of its own.
    async fn open(desk: &'a Desk) -> Result<Self> {
        let session = desk.session();
        let popup = session.open_tab().await?;
        session.goto(&desk.browser.page("popup.html")).await?;
        let known = session.windows().await?;
        Ok(Self { desk, popup, known })
    }

    /// Presses a button of the card.
    async fn press(&self, name: &str) -> Result<()> {
        self.desk
            .press_on_card("popup", Surface::Page, name)
            .await?;
        Ok(())
    }

    /// Presses a button that leads to the provider, and goes there.
    async fn begin(&self, name: &str) -> Result<()> {
        self.press(name).await?;
        self.switch_to_provider().await
    }

    async fn switch_to_provider(&self) -> Result<()> {
        let session = self.desk.session();
        let opened = async || {
            let mut windows = session.windows().await.ok()?.into_iter();
            windows.find(|window| !self.known.contains(window))
        };
        let opened = wait_for("the provider's window", opened, SOON).await?;
        session.switch_to(&opened).await?;
        let there = async || {
            let title = session.title().await.ok()?;
            title.ends_with("sandbox").then_some(())
        };
        wait_for("the provider's page", there, SOON).await?;
        Ok(())
    }

    /// Waits until the card says this, and takes its picture.
    async fn ends(&self, name: &str, title: &str) -> Result<()> {
        let session = self.desk.session();
        session.show(&self.popup).await?;
        self.desk
            .wait_card_words("popup", Surface::Page, title)
            .await
            .with_context(|| name.to_owned())?;
        self.desk.screens.take(session, name).await
    }

    async fn words(&self) -> Result<String> {
        Ok(self.desk.session().words().await?)
    }

    async fn offers(&self, button: &str) -> Result<bool> {
        let session = self.desk.session();
        Ok(find_named(session, "button", button).await?.is_some())
    }

    /// The card offers a report and no sign-in; closed, the inbox waits as before.
    async fn tells_the_operator_only(&self) -> Result<()> {
        self.press("Copy the report for the operator").await?;
        wait_named(self.desk.session(), "button", "Copied", SOON).await?;
        ensure!(
            !self.offers("Reconnect").await?,
            "a sign-in is offered that cannot help"
        );
        self.press("Close").await?;
        let words = "jane@acme.example is disconnected";
        self.desk
            .wait_card_words("popup", Surface::Page, words)
            .await?;
        Ok(())
    }

    /// Chooses John on the provider's pages, where Jane was meant, and allows what is asked.
    async fn sign_in_as_john(&self, with_password: bool) -> Result<()> {
        let (session, john) = (self.desk.session(), john());
        self.desk
            .press_while_setting_up("button", "Use another account")
            .await?;
        let field = async || session.find("input[type=email]").await.ok()?;
        let field = wait_for("the field for an address", field, SOON).await?;
        field.write(&john.address).await?;
        self.desk.press_while_setting_up("button", "Next").await?;
        if with_password {
            let field = async || session.find("input[type=password]").await.ok()?;
            let field = wait_for("the password field", field, SOON).await?;
            field.write(&john.password).await?;
            self.desk
                .press_while_setting_up("button", "Sign in")
                .await?;
        }
        self.desk.press_while_setting_up("button", "Allow").await?;
        Ok(())
    }
}
