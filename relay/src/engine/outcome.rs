//! What an attempt's end means for the delivery and for the inbox. It follows from the cause's scope and
//! persistence, in one table, never from the cause itself.

use std::time::Duration;

use protocol::card::{Persistence, Scope};
use protocol::cause::{Cause, classify};
use protocol::delivery::Event;
use protocol::evidence::{Evidence, Said, Stage};
use protocol::standing::{Alike, End, Refusal};
use protocol::timestamp::Timestamp;

/// First delay after a transient refusal; it doubles with every further attempt.
const FIRST_DELAY: Duration = Duration::from_mins(1);
/// Longest delay after transient refusals (RFC 5321 §4.5.4.1 asks for at least 30 minutes in the long run).
pub const LONGEST_DELAY: Duration = Duration::from_hours(1);
/// Transient refusals of one recipient or message before it is set aside.
/// RFC 5321 §4.5.4.1 gives up after 4 to 5 days; with an hour between attempts that is about this many.
const ATTEMPTS_AT_MOST: u32 = 100;

/// What to do after an attempt that was refused, or that never reached the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// What the delivery is told.
    pub delivery: Event,
    /// What the inbox does.
    pub inbox: InboxDoes,
}

/// What the inbox does after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxDoes {
    /// It goes on with the next delivery.
    GoOn,
    /// It waits before it sends anything.
    WaitFor(Duration),
    /// It is suspect: nothing is sent before it was probed.
    BeProbed,
}

/// The consequence of evidence at `now`; `attempt` counts the transient refusals of this recipient or message,
/// this one included. Nothing was handed over.
pub fn decide_refused(evidence: &Evidence, attempt: u32, now: Timestamp) -> Consequence {
    let cause = classify(evidence);
    let card = cause.card();
    let later = delay(attempt);
    match (card.scope, card.persistence) {
        (Scope::Recipient | Scope::Message, Persistence::Permanent) => Consequence {
            delivery: Event::Rejected { cause },
            inbox: InboxDoes::GoOn,
        },
        (Scope::Recipient | Scope::Message, Persistence::Transient)
            if attempt >= ATTEMPTS_AT_MOST =>
        {
            Consequence {
                delivery: Event::Rejected { cause },
                inbox: InboxDoes::GoOn,
            }
        }
        (Scope::Recipient | Scope::Message, Persistence::Transient) => Consequence {
            delivery: Event::Deferred {
                cause,
                rest_until: now + later,
            },
            inbox: InboxDoes::GoOn,
        },
        (Scope::Inbox | Scope::Relay, Persistence::Permanent) => put_back(InboxDoes::BeProbed),
        (Scope::Inbox | Scope::Relay, Persistence::Transient)
        | (Scope::Server | Scope::Reconnect, _) => put_back(InboxDoes::WaitFor(pause(cause))),
    }
}

/// What a server's reply says of the inbox's standing, with what the delivery and the inbox do where the standing has
/// nothing else in mind; `None` where the reply names no recipient and is dealt with by [`decide_refused`] alone: one
/// to `MAIL FROM` that is the inbox's, and a server that closes (RFC 5321 §3.8).
pub fn find_end(evidence: &Evidence, attempt: u32, now: Timestamp) -> Option<(End, Consequence)> {
    let Said::Smtp(reply) = &evidence.said else {
        return None;
    };
    let cause = classify(evidence);
    let card = cause.card();
    let is_leads = matches!(card.scope, Scope::Recipient | Scope::Message);
    let names_a_lead = matches!(evidence.stage, Stage::Rcpt | Stage::Data | Stage::Body);
    if reply.code == 421 || !is_leads && !names_a_lead {
        return None;
    }
    let refusal = Refusal {
        alike: Alike::of(evidence)?,
        cause,
        is_inbox_wide: !is_leads,
        words: evidence.words(),
    };
    if reply.is_permanent() && card.persistence == Persistence::Permanent {
        let consequence = Consequence {
            delivery: Event::Rejected { cause },
            inbox: InboxDoes::GoOn,
        };
        return Some((End::Refused(refusal), consequence));
    }
    if !reply.is_transient() {
        return None;
    }
    let delivery = Event::Deferred {
        cause,
        rest_until: now + delay(attempt),
    };
    let inbox = match card.scope {
        Scope::Inbox | Scope::Relay => InboxDoes::WaitFor(pause(cause)),
        _ => InboxDoes::GoOn,
    };
    let is_last = attempt >= ATTEMPTS_AT_MOST;
    let end = End::Deferred { refusal, is_last };
    Some((end, Consequence { delivery, inbox }))
}

/// What a bounce was returned with; it is always a lead's or the inbox's by who says it, and by no word.
pub fn refusal_of_bounce(evidence: &Evidence) -> Refusal {
    let reply = match &evidence.said {
        Said::Smtp(reply) => Some(reply),
        _ => None,
    };
    let cause = classify(evidence);
    let is_leads = matches!(cause.card().scope, Scope::Recipient | Scope::Message);
    Refusal {
        alike: Alike {
            stage: evidence.stage,
            code: None,
            enhanced: reply.and_then(|reply| reply.enhanced),
        },
        cause: if is_leads {
            cause
        } else {
            Cause::MessageRejected
        },
        is_inbox_wide: !is_leads,
        words: evidence.words(),
    }
}

/// The fault was not the delivery's: it keeps its place.
fn put_back(inbox: InboxDoes) -> Consequence {
    Consequence {
        delivery: Event::PutBack,
        inbox,
    }
}

/// How long an inbox waits after a fault that passes; the worker doubles it while the fault goes on.
fn pause(cause: Cause) -> Duration {
    match cause.card().scope {
        Scope::Inbox => Duration::from_secs(30),
        _ => Duration::from_secs(1),
    }
}

fn delay(attempt: u32) -> Duration {
    FIRST_DELAY
        .saturating_mul(1 << attempt.saturating_sub(1).min(10))
        .min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::evidence::{IoFault, Party, Said, Stage};
    use protocol::provider::ProviderId;
    use protocol::reply::SmtpReply;

    fn refused(stage: Stage, code: u16, text: &str) -> Evidence {
        met(stage, Said::Smtp(SmtpReply::parse(code, [text])))
    }

    fn met(stage: Stage, said: Said) -> Evidence {
        let seen_at = Timestamp::from_ms(0);
        Evidence {
            party: Party::Smtp,
            stage,
            said,
            provider: ProviderId::new("openid"),
            seen_at,
        }
    }

    #[test]
    fn the_consequence_follows_from_scope_and_persistence() {
        let now = Timestamp::from_ms(5);
        for (evidence, delivery, inbox) in [
            (
                refused(Stage::Rcpt, 550, "5.1.1 no such user"),
                "rejected",
                InboxDoes::GoOn,
            ),
            (
                refused(Stage::Rcpt, 451, "4.7.1 greylisted"),
                "deferred",
                InboxDoes::GoOn,
            ),
            (
                refused(Stage::Body, 554, "5.6.0 no"),
                "rejected",
                InboxDoes::GoOn,
            ),
            (
                refused(Stage::Mail, 530, "5.7.0 sign in"),
                "put_back",
                InboxDoes::BeProbed,
            ),
            (
                refused(Stage::Mail, 421, "4.7.0 closing"),
                "put_back",
                InboxDoes::WaitFor(Duration::from_secs(1)),
            ),
            (
                refused(Stage::Mail, 452, "4.5.3 too many messages"),
                "put_back",
                InboxDoes::WaitFor(Duration::from_secs(30)),
            ),
            (
                met(
                    Stage::Connect,
                    Said::Io {
                        fault: IoFault::Refused,
                        detail: String::new(),
                    },
                ),
                "put_back",
                InboxDoes::WaitFor(Duration::from_secs(1)),
            ),
        ] {
            let consequence = decide_refused(&evidence, 1, now);
            assert_eq!(
                (consequence.delivery.name(), consequence.inbox),
                (delivery, inbox),
                "{evidence:?}"
            );
        }
    }

    #[test]
    fn a_recipient_that_never_becomes_available_is_set_aside_in_the_end() {
        let evidence = refused(Stage::Rcpt, 451, "4.7.1 greylisted");
        let now = Timestamp::from_ms(0);
        let mut last = Duration::ZERO;
        for attempt in 1..ATTEMPTS_AT_MOST {
            let Event::Deferred { rest_until, .. } =
                decide_refused(&evidence, attempt, now).delivery
            else {
                panic!()
            };
            let after = rest_until.since(now);
            assert!(after >= last && after <= LONGEST_DELAY);
            last = after;
        }
        assert_eq!(
            decide_refused(&evidence, ATTEMPTS_AT_MOST, now)
                .delivery
                .name(),
            "rejected"
        );
    }
}
