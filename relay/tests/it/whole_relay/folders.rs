//! What becomes of a lost reply when the sent folder is not as it should be: unnamed, missing, late, or without the
//! copy that the server is said to make.

use std::time::Duration;

use protocol::id::{CampaignId, InboxId};
use protocol::reconnect::State as ReconnectState;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::profile::{FolderSpec, GENERIC, SentCopy};
use sandbox::{DropAfterData, Options, Point, Profile};

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE, Relay, wait_for};

const fn folder(name: &'static str) -> FolderSpec {
    FolderSpec {
        name,
        special_use: None,
    }
}

static NAMED: Profile = Profile {
    folders: &[
        folder("INBOX"),
        folder("Projects/Sent"),
        folder("Gesendete Objekte"),
        folder("Sent to the printer"),
    ],
    sent_copy: SentCopy::ByClient,
    ..GENERIC
};

static NAMELESS: Profile = Profile {
    folders: &[folder("INBOX"), folder("Projects/Sent"), folder("Kept")],
    sent_copy: SentCopy::ByClient,
    ..GENERIC
};

/// The copy comes long after the look that follows the lost reply.
static LATE: Profile = Profile {
    sent_copy: SentCopy::ByServer {
        late_by: Duration::from_millis(700),
    },
    ..GENERIC
};

static NO_COPY: Profile = Profile {
    sent_copy: SentCopy::ByClient,
    ..GENERIC
};

/// The server has the message, and the relay never hears of it.
const LOST_REPLY: DropAfterData = DropAfterData {
    chance: 1.0,
    stored_share: 1.0,
};

/// The server has nothing, and the relay never hears of it.
const LOST_MESSAGE: DropAfterData = DropAfterData {
    chance: 1.0,
    stored_share: 0.0,
};

async fn connect(
    profile: &'static Profile,
    provider: &'static str,
    clock: Clock,
) -> (Ground, Relay, InboxId) {
    let timing = "slow_retry_ms = 50\nfirst_retry_ms = 50\nretry_at_most_ms = 200\npoll_ms = 100\nrest_minute_ms = 20";
    let options = Options {
        profile,
        ..Options::default()
    };
    let ground = Ground::at(Client::Public, clock, timing, provider, options).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    let outcome = relay.outcome(&reconnect).await;
    assert!(
        matches!(outcome, ReconnectState::Resumed { .. }),
        "{outcome:?}"
    );
    (ground, relay, inbox)
}

async fn start(
    profile: &'static Profile,
    provider: &'static str,
    clock: Clock,
    fault: Option<DropAfterData>,
) -> (Ground, Relay, CampaignId) {
    let (ground, relay, inbox) = connect(profile, provider, clock).await;
    if let Some(fault) = fault {
        ground.sandbox.control().drop_after_data(fault);
    }
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    (ground, relay, campaign)
}

/// Row: folder names without special use | the server tells no \Sent | accepted | nobody | the message is accepted
#[tokio::test]
async fn a_copy_goes_into_a_sent_folder_that_only_its_name_tells() {
    let (ground, relay, _) = start(&NAMED, "openid", Clock::system(), None).await;
    let control = ground.sandbox.control();
    wait_for("the copy", async || {
        let folder = control.folder(JANE, "Gesendete Objekte")?;
        (folder.messages.len() == 1).then_some(())
    })
    .await;
    for other in ["Projects/Sent", "Sent to the printer"] {
        assert!(control.folder(JANE, other).unwrap().messages.is_empty());
    }
    relay.stop().await;
}

/// Row: no sent folder at all | the connection is lost after the dot | unsettled | the person | Leave it, or send again
#[tokio::test]
async fn without_a_sent_folder_a_person_is_asked_and_nothing_is_sent_again() {
    let clock = Clock::system();
    let (ground, relay, campaign) = start(&NAMELESS, "sandbox", clock, Some(LOST_REPLY)).await;
    wait_for("a person to be asked", async || {
        let unsettled = relay.list(&campaign, Some("unsettled")).await;
        (unsettled.len() == 1).then_some(())
    })
    .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}

/// Row: Sent copy that comes late | the connection is lost after the dot, the copy comes later | accepted | nobody | the message is accepted
#[tokio::test]
async fn a_copy_that_comes_late_settles_what_an_earlier_look_could_not() {
    let clock = Clock::system();
    let (ground, relay, campaign) = start(&LATE, "sandbox", clock, Some(LOST_REPLY)).await;
    wait_for("the copy to be found", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == 1).then_some(())
    })
    .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}

/// Row: Sent copy that never comes, and a SEARCH that answers nothing | the connection is lost after the dot; no copy is made | unsettled | the person | Leave it, or send again
#[tokio::test]
async fn a_copy_that_never_comes_leaves_the_word_to_a_person() {
    let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
    let (ground, relay, campaign) = start(&NO_COPY, "sandbox", clock, Some(LOST_REPLY)).await;
    ground
        .drive_until("a person to be asked", async || {
            ground.clock.advance(Duration::from_secs(10));
            let unsettled = relay.list(&campaign, Some("unsettled")).await;
            (unsettled.len() == 1).then_some(())
        })
        .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}

/// Row: UIDVALIDITY changed between send and look | the sent folder is made anew before the connection is lost after the dot | unsettled | the person | Leave it, or send again
#[tokio::test]
async fn a_sent_folder_that_was_made_anew_meanwhile_proves_nothing() {
    for is_renumbered in [true, false] {
        let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
        let (ground, relay, inbox) = connect(&GENERIC, "sandbox", clock).await;
        let control = ground.sandbox.control();
        // A server that has made a copy before: where none is found now, none was made.
        let first = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
        ground
            .drive_until("the first copy to be seen", async || {
                ground.clock.advance(Duration::from_secs(1));
                let accepted = relay.list(&first, Some("accepted")).await;
                let seen = relay.inbox(&inbox).await.copy_seen_at;
                (accepted.len() == 1 && seen.is_some()).then_some(())
            })
            .await;
        control.drop_after_data(LOST_MESSAGE);
        let held = control.hold(Point::SmtpDotReceived);
        let second = relay.start_campaign(&inbox, &["bob@b.example"], 1).await;
        held.reached().await;
        if is_renumbered {
            control.renumber(JANE, "Sent").unwrap();
        }
        let again = control.hold(Point::SmtpMail);
        held.release();
        ground
            .drive_until("the doubt to be settled", async || {
                ground.clock.advance(Duration::from_secs(10));
                if is_renumbered {
                    let unsettled = relay.list(&second, Some("unsettled")).await;
                    return (unsettled.len() == 1).then_some(());
                }
                // Refuted: it is being sent again.
                let sending = tokio::time::timeout(Duration::ZERO, again.reached()).await;
                sending.is_ok().then_some(())
            })
            .await;
        assert_eq!(control.delivered().len(), 1);
        again.release();
        relay.stop().await;
    }
}
