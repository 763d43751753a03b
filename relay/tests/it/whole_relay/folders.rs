//! What becomes of a lost reply when the sent folder is not as it should be: unnamed, missing, late, or without the
//! copy that the server is said to make.

use std::time::Duration;

use protocol::delivery::NoEvidence;
use protocol::id::{CampaignId, InboxId};
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::store::inbox::CopiedBy;
use sandbox::profile::{FolderSpec, GENERIC, SentCopy};
use sandbox::{DropAfterData, Options, Point, Profile, SentCopyFault};

use crate::app::person::operator;
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
    let inbox = relay.connect(&ground, Duration::ZERO).await;
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
    let (ground, relay, _) = start(&NAMED, "openid", manual(), None).await;
    let control = ground.sandbox.control();
    ground
        .drive_until("the copy", async || {
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
    let (ground, relay, campaign) = start(&NO_COPY, "sandbox", manual(), Some(LOST_REPLY)).await;
    let unsettled = ground
        .drive_until("a person to be asked", async || {
            ground.clock.advance(Duration::from_mins(10));
            relay.list(&campaign, Some("unsettled")).await.pop()
        })
        .await;
    assert_eq!(unsettled.no_evidence, Some(NoEvidence::NoCanary));
    assert_eq!(sent_to(&ground, "ann@a.example"), 1);
    relay.stop().await;
}

/// Row: UIDVALIDITY changed between send and look | the sent folder is made anew before the connection is lost after the dot | unsettled | the person | Leave it, or send again
#[tokio::test]
async fn a_sent_folder_that_was_made_anew_meanwhile_proves_nothing() {
    for is_renumbered in [true, false] {
        let (ground, relay, inbox) = connect(&GENERIC, "sandbox", manual()).await;
        let control = ground.sandbox.control();
        // A server that has made a copy before: that says nothing of now.
        let first = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
        ground
            .drive_until("the first message", async || {
                let accepted = relay.list(&first, Some("accepted")).await;
                (accepted.len() == 1).then_some(())
            })
            .await;
        control.drop_after_data(LOST_MESSAGE);
        let held = control.hold(Point::SmtpDotReceived);
        let second = relay.start_campaign(&inbox, &["bob@b.example"], 1).await;
        held.reached().await;
        if is_renumbered {
            control.renumber(JANE, "Sent").unwrap();
        }
        held.release();
        ground
            .drive_until("the doubt to be open", async || {
                let open = relay.list(&second, Some("attempting")).await;
                open.is_empty().then_some(())
            })
            .await;
        control.drop_after_data(DropAfterData {
            chance: 0.0,
            ..LOST_MESSAGE
        });
        let wanted = if is_renumbered {
            "unsettled"
        } else {
            "accepted"
        };
        let settled = ground
            .drive_until("the doubt to be settled", async || {
                ground.clock.advance(Duration::from_secs(10));
                relay.list(&second, Some(wanted)).await.pop()
            })
            .await;
        if is_renumbered {
            assert_eq!(settled.no_evidence, Some(NoEvidence::FolderChanged));
            assert_eq!(sent_to(&ground, "bob@b.example"), 0);
        } else {
            // Refuted by the copy of what the inbox wrote to itself, and sent once more.
            assert_eq!((settled.attempts, sent_to(&ground, JANE)), (2, 1));
            assert_eq!(sent_to(&ground, "bob@b.example"), 1);
        }
        assert_eq!(sent_to(&ground, "ann@a.example"), 1);
        relay.stop().await;
    }
}

/// How many messages somebody got.
fn sent_to(ground: &Ground, recipient: &str) -> usize {
    let delivered = ground.sandbox.control().delivered();
    let theirs = delivered
        .iter()
        .filter(|message| message.recipient == recipient);
    theirs.count()
}

fn manual() -> Clock {
    Clock::manual(Timestamp::from_ms(1_795_417_920_000))
}

/// Row: Sent copy that comes twice | the server makes two copies, and the connection is lost after the dot | accepted | nobody | the message is accepted
#[tokio::test]
async fn a_copy_that_comes_twice_settles_it_once() {
    let (ground, relay, inbox) = connect(&GENERIC, "sandbox", Clock::system()).await;
    let control = ground.sandbox.control();
    control.set_sent_copy(Some(SentCopyFault::Twice));
    control.drop_after_data(LOST_REPLY);
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    let accepted = wait_for("the copies to be found", async || {
        relay.list(&campaign, Some("accepted")).await.pop()
    })
    .await;
    assert_eq!(accepted.attempts, 1);
    relay.stop().await;
}

#[tokio::test]
async fn what_an_inbox_writes_to_itself_is_switched_off_by_one_word() {
    let provider = "sandbox";
    let options = Options {
        profile: &NO_COPY,
        ..Options::default()
    };
    let timing = "poll_ms = 100";
    let ground = Ground::at(Client::Public, manual(), timing, provider, options).await;
    let mut config = ground.config();
    assert!(config.canary);
    config.canary = false;
    let relay = ground.start_with(config).await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    ground.sandbox.control().drop_after_data(LOST_REPLY);
    let campaign = relay.start_campaign(&inbox, &["ann@a.example"], 1).await;
    ground
        .drive_until("a person to be asked", async || {
            ground.clock.advance(Duration::from_mins(10));
            relay.list(&campaign, Some("unsettled")).await.pop()
        })
        .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}

/// A server that makes copies, which nobody has told the relay: its copy proves all the same.
#[tokio::test]
async fn a_copy_that_nobody_promised_settles_a_doubt() {
    let clock = Clock::system();
    let (ground, relay, campaign) = start(&LATE, "openid", clock, Some(LOST_REPLY)).await;
    wait_for("the copy to be found", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        (accepted.len() == 1).then_some(())
    })
    .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}

#[tokio::test]
async fn no_copy_in_ten_minutes_asks_a_person_where_copies_are_the_clients_and_an_answer_settles_it()
 {
    let (ground, relay, campaign) = start(&NO_COPY, "openid", manual(), Some(LOST_REPLY)).await;
    let began = ground.clock.now();
    let unsettled = ground
        .drive_until("a person to be asked", async || {
            ground.clock.advance(Duration::from_secs(9));
            relay.list(&campaign, Some("unsettled")).await.pop()
        })
        .await;
    assert_eq!(unsettled.no_evidence, Some(NoEvidence::CopiesAreTheClients));
    assert!(ground.clock.now().since(began) >= Duration::from_mins(10));
    let id = unsettled.message_id.unwrap();
    let answer = format!(
        "From: ann@a.example\r\nTo: {JANE}\r\nSubject: Re: Hello\r\nIn-Reply-To: <{id}>\r\n\r\nGladly.\r\n"
    );
    ground.sandbox.control().deliver(JANE, answer);
    ground
        .drive_until("the answer to prove it", async || {
            relay.list(&campaign, Some("accepted")).await.pop()
        })
        .await;
    assert_eq!(ground.sandbox.control().delivered().len(), 1);
    relay.stop().await;
}

/// Whoever asks for what is in doubt gets an answer that is as fresh as the server's.
#[tokio::test]
async fn what_is_in_doubt_is_looked_for_when_it_is_asked_for() {
    let (ground, relay, campaign) = start(&LATE, "openid", manual(), Some(LOST_REPLY)).await;
    wait_for("the doubt to be open", async || {
        relay.list(&campaign, Some("in_doubt")).await.pop()
    })
    .await;
    let operator = operator(&ground);
    let url = relay.url(&format!("/v1/campaigns/{campaign}/deliveries"));
    // The relay's clock stands: no look comes by itself.
    wait_for("the copy to be found", async || {
        operator.get(&url).send().await.unwrap();
        relay.list(&campaign, Some("accepted")).await.pop()
    })
    .await;
    relay.stop().await;
}

/// Who makes copies is learned from the first messages: no message stands in the folder twice, and none is missing.
#[tokio::test]
async fn copies_are_made_where_the_server_makes_none_and_only_there() {
    for profile in [&GENERIC, &NO_COPY] {
        let (ground, relay, inbox) = connect(profile, "openid", manual()).await;
        let control = ground.sandbox.control();
        let leads = [
            "ann@a.example",
            "bob@b.example",
            "cy@c.example",
            "di@d.example",
        ];
        let first = relay.start_campaign(&inbox, &leads, 1).await;
        let copies = || control.folder(JANE, "Sent").unwrap().messages.len();
        ground
            .drive_until("who makes copies to be known", async || {
                let known = relay.inbox(&inbox).await.copied_by() != CopiedBy::Unknown;
                (known && copies() == leads.len()).then_some(())
            })
            .await;
        assert_eq!(
            relay.list(&first, Some("accepted")).await.len(),
            leads.len()
        );
        relay.start_campaign(&inbox, &["ed@e.example"], 1).await;
        ground
            .drive_until("the next copy", async || {
                (copies() > leads.len()).then_some(())
            })
            .await;
        // Long enough for a second copy of anything.
        let until = ground.clock.now() + Duration::from_mins(5);
        ground
            .drive_until("five minutes to pass", async || {
                (ground.clock.now() > until).then_some(())
            })
            .await;
        assert_eq!(copies(), leads.len() + 1);
        relay.stop().await;
    }
}
