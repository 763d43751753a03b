//! Two doubts shut an inbox. Where its server refuses what it writes to itself, it shows that it waits for as long as it
//! does, tries one message an hour, and goes on when one is accepted.

use std::time::Duration;

use protocol::delivery::NoEvidence;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use sandbox::{AccountDoes, AccountFault, SentCopyFault, Stage};

use super::stall::connection_of;
use crate::app::{Client, Ground, JANE, wait_for};

const LEADS: [&str; 12] = [
    "ann@a.example",
    "bob@b.example",
    "cy@c.example",
    "dan@d.example",
    "eve@e.example",
    "flo@f.example",
    "gus@g.example",
    "hal@h.example",
    "ida@i.example",
    "joe@j.example",
    "kim@k.example",
    "lea@l.example",
];
const STEP: Duration = Duration::from_mins(2);

#[tokio::test]
async fn an_inbox_that_doubts_shut_says_so_and_goes_on_although_its_own_mail_is_refused() {
    let (tried, unsettled) = stay_shut(true).await;
    assert!((3..=8).contains(&tried), "{tried} tried in six hours");
    assert!(unsettled >= 1, "{unsettled} are left to a person");
}

#[tokio::test]
async fn an_inbox_that_may_not_write_to_itself_says_that_it_waits_for_as_long_as_doubts_shut_it() {
    assert_eq!(stay_shut(false).await, (2, 0));
}

/// Six hours of a server that loses every connection after the message, then what follows once it takes mail again.
/// Answers how many were tried meanwhile, and of how many nobody will know.
async fn stay_shut(writes_to_itself: bool) -> (usize, usize) {
    let start = Timestamp::from_ms(1_795_417_920_000);
    let clock = Clock::manual(start);
    let access_for = Duration::from_hours(96);
    let ground = Ground::with(Client::Public, access_for, clock, "poll_ms = 600000").await;
    let mut config = ground.config();
    config.canary = writes_to_itself;
    let relay = ground.start_with(config).await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let control = ground.sandbox.control();
    control.set_sent_copy(Some(SentCopyFault::Never));
    control.refuse_recipient(JANE, "550 5.1.1 Nobody writes to himself here");
    let lost = AccountFault {
        stage: Stage::AfterData,
        after: 0,
        does: AccountDoes::Lose,
    };
    control.trouble_account(JANE, Some(lost));
    let campaign = relay.start_campaign(&inbox, &LEADS, 1).await;
    let count = async |state| relay.list(&campaign, Some(state)).await.len();
    let began = ground.clock.now();

    // Six hours: longer than anything that is not met again is remembered.
    let (mut n_at_most, mut waits) = (0, Vec::new());
    wait_for("six hours to pass", async || {
        let now = ground.clock.now();
        n_at_most = n_at_most.max(count("in_doubt").await);
        let shown = connection_of(&ground, &relay, &inbox).await;
        waits.push((now.since(began), shown["state"] == "waiting"));
        let is_over = now.since(began) >= Duration::from_hours(6);
        if !is_over {
            ground.clock.advance(STEP);
        }
        is_over.then_some(())
    })
    .await;
    assert!(n_at_most <= 2, "{n_at_most} in doubt at a time");
    let unsettled = relay.list(&campaign, Some("unsettled")).await;
    assert!(
        unsettled
            .iter()
            .all(|delivery| delivery.no_evidence == Some(NoEvidence::CanaryRefused)),
        "{unsettled:?}"
    );
    for (since, is_waiting) in waits {
        if since > Duration::from_mins(90) {
            assert!(is_waiting, "it does not say that it waits after {since:?}");
        } else if since < Duration::from_mins(55) {
            assert!(!is_waiting, "it says so after {since:?}");
        }
    }

    let n_unsettled = unsettled.len();
    let tried = count("in_doubt").await + n_unsettled;
    if writes_to_itself {
        control.trouble_account(JANE, None);
        let mended_at = ground.clock.now();
        wait_for("everything else to be sent", async || {
            ground.clock.advance(STEP);
            let left = count("planned").await + count("attempting").await;
            (left == 0).then_some(())
        })
        .await;
        let took = ground.clock.now().since(mended_at);
        assert!(took <= Duration::from_hours(12), "{took:?}");
        let shown = connection_of(&ground, &relay, &inbox).await;
        assert_eq!(shown["state"], "connected", "{shown}");
    }
    let mut recipients: Vec<_> = control
        .delivered()
        .into_iter()
        .map(|mail| mail.recipient)
        .collect();
    recipients.sort();
    let n = recipients.len();
    recipients.dedup();
    assert_eq!(recipients.len(), n, "somebody has it twice");
    relay.stop().await;
    (tried, n_unsettled)
}
