//! What people are told when nobody looks at a page: the facts of an alert and its words. How an alert is told through a
//! channel, and when that is given up, is [`crate::telling`]'s; who writes one and who carries it is the relay's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::account::AccountName;
use crate::card::{Acts, Facts};
use crate::cause::Cause;
use crate::id::{CampaignId, InboxId, KeyId};
use crate::provider::{Provider, ProviderId};
use crate::stall::{Obstacle, Stall};
use crate::timestamp::Timestamp;

/// How long after a loss it is told once more, where nobody has acted.
pub const REMINDED_AFTER: Duration = Duration::from_hours(24);
/// Losses of one inbox that are told at once, within [`FLAPS_WITHIN`].
pub const TOLD_AT_ONCE: u64 = 3;
/// The time in which they are counted.
pub const FLAPS_WITHIN: Duration = Duration::from_hours(24);
/// How long a further one has to last before it is told.
pub const HELD_OFF_FOR: Duration = Duration::from_hours(6);

/// Something that people are told, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Alert {
    /// Names it for good, against repetition: letters, digits, `_` and `-`.
    pub key: String,
    /// When it happened.
    pub at: Timestamp,
    /// The inbox that it is about; `None` where it is about the relay or a campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<About>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// The inbox of an alert, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct About {
    /// Its id.
    pub id: InboxId,
    /// Its address.
    pub address: String,
    /// Its provider.
    pub provider: ProviderId,
}

/// What happened. Facts only: no secret, no word of a server, nothing of a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// The inbox was lost.
    Disconnected {
        /// Why.
        cause: Cause,
        /// When the first failure was met.
        since: Timestamp,
        /// Campaigns that stand because of it.
        paused: u64,
    },
    /// The same, once more, because nobody has acted.
    StillDisconnected {
        /// Why.
        cause: Cause,
        /// When the first failure was met.
        since: Timestamp,
    },
    /// It lets nothing through for an hour.
    Waiting {
        /// What it meets.
        #[serde(flatten)]
        obstacle: Obstacle,
        /// When the first failure was met.
        since: Timestamp,
    },
    /// It lets nothing through for a day: somebody has to look.
    Asks {
        /// What it meets.
        #[serde(flatten)]
        obstacle: Obstacle,
        /// When the first failure was met.
        since: Timestamp,
    },
    /// An inbox whose loss was told can sign in again.
    Reconnected {
        /// When the first failure was met.
        since: Timestamp,
    },
    /// What arrived meanwhile was read, and its campaigns go on.
    Resumed {
        /// When the first failure was met.
        since: Timestamp,
        /// Messages that would have left meanwhile.
        held: u64,
        /// Of these, those that will be sent.
        to_send: u64,
        /// Those whose people answered, bounced or were stopped.
        skipped: u64,
        /// Those that may have been sent before.
        in_doubt: u64,
    },
    /// A message may have been sent, and only a person can say whether. Told for the first one of a campaign, and again
    /// for the first one after all were decided.
    Unsettled {
        /// The campaign.
        campaign: CampaignId,
        /// Its name.
        name: String,
    },
    /// A campaign has nothing left to send.
    Finished {
        /// The campaign.
        campaign: CampaignId,
        /// Its name.
        name: String,
        /// Its leads.
        leads: u64,
        /// Messages that were accepted.
        accepted: u64,
    },
    /// Another relay sends the same campaigns, or writes the mark of this one: nothing is sent.
    AnotherRelay {},
    /// The database was put back, and messages that may have been sent since are held for a person.
    Restored {},
    /// There is no new certificate of the relay's own address: none is got by ACME, or nobody renewed the one in the
    /// operator's files. Told once a day while that is so.
    CertificateNotRenewed {
        /// When the one that is shown ends; `None` where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at: Option<Timestamp>,
        /// Tries that failed in a row, since the relay was started; 0 where it is in the operator's files.
        failed: u32,
    },
    /// An API key is about to end.
    KeyEnds {
        /// The key.
        key_id: KeyId,
        /// What it is for.
        name: String,
        /// Whose it is.
        account: AccountName,
        /// When it ends.
        ends_at: Timestamp,
    },
    /// Nothing has happened: somebody tries whether alerts arrive.
    Test {},
}

/// An alert in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// One sentence, without a full stop.
    pub title: String,
    /// Why, and what is safe.
    pub explanation: String,
    /// The one thing to do; `None` where there is nothing.
    pub remedy: Option<String>,
    /// The page of the dashboard where that is done.
    pub page: &'static str,
}

/// How long a loss has to last before it is told, where so many of this inbox were told within [`FLAPS_WITHIN`]: what
/// comes and goes is not told a hundred times, and what stays is told.
pub fn hold_off(n_told: u64) -> Duration {
    if n_told < TOLD_AT_ONCE {
        Duration::ZERO
    } else {
        HELD_OFF_FOR
    }
}

impl What {
    /// Its name in rows and on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disconnected { .. } => "disconnected",
            Self::StillDisconnected { .. } => "still_disconnected",
            Self::Waiting { .. } => "waiting",
            Self::Asks { .. } => "asks",
            Self::Reconnected { .. } => "reconnected",
            Self::Resumed { .. } => "resumed",
            Self::Unsettled { .. } => "unsettled",
            Self::Finished { .. } => "finished",
            Self::AnotherRelay {} => "another_relay",
            Self::Restored {} => "restored",
            Self::CertificateNotRenewed { .. } => "certificate_not_renewed",
            Self::KeyEnds { .. } => "key_ends",
            Self::Test {} => "test",
        }
    }

    /// Why; `None` where that is no question.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Disconnected { cause, .. } | Self::StillDisconnected { cause, .. } => {
                Some(*cause)
            }
            Self::Waiting { obstacle, .. } | Self::Asks { obstacle, .. } => Some(obstacle.cause),
            _ => None,
        }
    }

    /// Whether it is about somebody who has to act.
    pub fn is_bad(&self) -> bool {
        !matches!(
            self,
            Self::Reconnected { .. } | Self::Resumed { .. } | Self::Finished { .. } | Self::Test {}
        )
    }
}

impl Alert {
    /// The key of what happened to `subject` (an id) at `at`. The row that holds it is written once, so kills and
    /// restarts do not change it.
    pub fn key_of(what: &What, subject: &str, at: Timestamp) -> String {
        format!("{}_{subject}_{}", what.name(), at.as_ms())
    }

    /// What may be told in one message: the same, for the same cause, of the same provider.
    pub fn kind(&self) -> String {
        let name = self.what.name();
        match (self.what.cause(), &self.inbox) {
            (Some(cause), Some(inbox)) => format!("{name} {} {}", cause.code(), inbox.provider),
            _ => name.to_owned(),
        }
    }

    /// The inbox's address; a word for the relay where there is none.
    pub fn subject(&self) -> &str {
        self.inbox
            .as_ref()
            .map_or("this relay", |inbox| inbox.address.as_str())
    }

    /// The alert in words.
    pub fn words(&self) -> Words {
        let inbox = self.subject();
        let provider = self.inbox.as_ref().map_or("", |about| {
            Provider::find(&about.provider).map_or(about.provider.as_str(), |known| known.name)
        });
        let facts = Facts { inbox, provider };
        let of_card = |cause: Cause, still: bool, paused: u64| {
            let words = cause.card().render(&facts);
            let title = if still {
                format!("{inbox} is still disconnected")
            } else {
                words.title
            };
            let waits = match paused {
                0 => "What was to leave through it is held; none of it is lost.".to_owned(),
                1 => "One campaign waits; nothing is lost.".to_owned(),
                n => format!("{n} campaigns wait; nothing is lost."),
            };
            Words {
                title,
                explanation: format!("{} {waits}", words.explanation),
                remedy: remedy(words.acts, words.button),
                page: "/inboxes",
            }
        };
        let of_stall = |obstacle: &Obstacle, stall: Stall| {
            let words = obstacle.words(stall, &facts);
            Words {
                title: words.title,
                explanation: words.explanation,
                remedy: remedy(words.acts, words.button),
                page: "/inboxes",
            }
        };
        let plain = |title: String, explanation: &str, remedy: Option<&str>, page| Words {
            title,
            explanation: explanation.to_owned(),
            remedy: remedy.map(str::to_owned),
            page,
        };
        match &self.what {
            What::Disconnected { cause, paused, .. } => of_card(*cause, false, *paused),
            What::StillDisconnected { cause, .. } => of_card(*cause, true, 0),
            What::Waiting { obstacle, .. } => of_stall(obstacle, Stall::Waits),
            What::Asks { obstacle, .. } => of_stall(obstacle, Stall::Asks),
            What::Reconnected { .. } => plain(
                format!("{inbox} is connected again"),
                "What arrived meanwhile is read, then its campaigns go on.",
                None,
                "/inboxes",
            ),
            What::Resumed {
                held,
                to_send,
                skipped,
                in_doubt,
                ..
            } => plain(
                format!("The campaigns of {inbox} go on"),
                &format!(
                    "Held meanwhile: {held}. To be sent: {to_send}. Left out because their people answered, bounced or were stopped: \
                     {skipped}. May have been sent before: {in_doubt}."
                ),
                None,
                "/receipts",
            ),
            What::Unsettled { name, .. } => plain(
                format!("{name} has a message that may have been sent"),
                "The server's answer was lost, and no copy shows what became of it. It is not sent again by itself.",
                Some("Look into the sent folder, and say whether it was sent."),
                "/campaigns",
            ),
            What::Finished {
                name,
                leads,
                accepted,
                ..
            } => plain(
                format!("{name} has finished"),
                &format!("{accepted} messages to {leads} leads were accepted."),
                None,
                "/campaigns",
            ),
            What::AnotherRelay {} => plain(
                "Another relay sends the same campaigns".to_owned(),
                "Nothing is sent from here before a person says which of the two stays.",
                Some("End the other relay, then run `unpause ledger keep` on this one."),
                "/",
            ),
            What::Restored {} => plain(
                format!("The database was put back, and messages of {inbox} are held"),
                "They may have been sent after the backup was made, and nothing shows whether they were.",
                Some("Say of them whether they were sent."),
                "/campaigns",
            ),
            What::CertificateNotRenewed { ends_at, failed } => plain(
                "The certificate of this relay is not renewed".to_owned(),
                &match ends_at {
                    Some(ends_at) if *ends_at > self.at => format!(
                        "The one before is shown until {ends_at}. After that browsers and the extension refuse it."
                    ),
                    Some(ends_at) => format!(
                        "The one before ended at {ends_at}: browsers and the extension refuse it."
                    ),
                    None => "There is none: nobody can come by https.".to_owned(),
                },
                Some(if *failed == 0 {
                    "Renew it in the files of tls.certificate and tls.key; the relay shows it within seconds."
                } else {
                    "Run `unpause doctor`; why it failed stands in the relay's log."
                }),
                "/settings",
            ),
            What::KeyEnds {
                name,
                account,
                ends_at,
                ..
            } => plain(
                format!("The API key {name} is about to end"),
                &format!("It is {account}'s. From {ends_at} on its program is refused."),
                Some("Make a new key, and give it to the program."),
                "/settings",
            ),
            What::Test {} => plain(
                "This is a test".to_owned(),
                "Nothing has happened. Alerts of this relay arrive here.",
                None,
                "/settings",
            ),
        }
    }
}

/// The one thing to do, as a sentence, by who has to act.
fn remedy(acts: Acts, button: Option<String>) -> Option<String> {
    match (acts, button) {
        (Acts::Nobody, _) => None,
        (Acts::Operator, _) => Some("See to it as whoever runs the relay.".to_owned()),
        (_, Some(button)) => Some(format!("{button}.")),
        (_, None) => Some("Open the inbox, and see what it needs.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{IoFault, Party, Said, Stage};

    fn about() -> About {
        About {
            id: InboxId::new("inb_1"),
            address: "jane@acme.example".to_owned(),
            provider: ProviderId::new("google"),
        }
    }

    fn obstacle() -> Obstacle {
        let evidence = crate::evidence::Evidence {
            party: Party::Smtp,
            stage: Stage::Connect,
            said: Said::Io {
                fault: IoFault::Refused,
                detail: "no".to_owned(),
            },
            provider: ProviderId::new("google"),
            seen_at: Timestamp::from_ms(1),
        };
        Obstacle::of(&evidence)
    }

    fn all() -> Vec<What> {
        let (cause, since) = (Cause::PermissionEnded, Timestamp::from_ms(7));
        let (campaign, name) = (CampaignId::new("cmp_1"), "Warm-up".to_owned());
        vec![
            What::Disconnected {
                cause,
                since,
                paused: 2,
            },
            What::StillDisconnected { cause, since },
            What::Waiting {
                obstacle: obstacle(),
                since,
            },
            What::Asks {
                obstacle: obstacle(),
                since,
            },
            What::Reconnected { since },
            What::Resumed {
                since,
                held: 3,
                to_send: 2,
                skipped: 1,
                in_doubt: 0,
            },
            What::Unsettled {
                campaign: campaign.clone(),
                name: name.clone(),
            },
            What::Finished {
                campaign,
                name,
                leads: 5,
                accepted: 9,
            },
            What::AnotherRelay {},
            What::Restored {},
            What::CertificateNotRenewed {
                ends_at: Some(since),
                failed: 3,
            },
            What::CertificateNotRenewed {
                ends_at: None,
                failed: 3,
            },
            What::KeyEnds {
                key_id: KeyId::new("key_1"),
                name: "Reports".to_owned(),
                account: "jane".parse().unwrap(),
                ends_at: since,
            },
            What::Test {},
        ]
    }

    #[test]
    fn every_alert_survives_its_json_and_has_words_without_gaps() {
        for what in all() {
            let alert = Alert {
                key: Alert::key_of(&what, "inb_1", Timestamp::from_ms(7)),
                at: Timestamp::from_ms(7),
                inbox: Some(about()),
                what,
            };
            let text = serde_json::to_string(&alert).unwrap();
            assert_eq!(
                serde_json::from_str::<Alert>(&text).unwrap(),
                alert,
                "{text}"
            );
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["type"], alert.what.name());
            let words = alert.words();
            for text in [&words.title, &words.explanation] {
                assert!(!text.is_empty() && !text.contains('{'), "{text}");
            }
            assert!(
                alert
                    .key
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
                "{}",
                alert.key
            );
        }
    }

    #[test]
    fn a_key_names_one_event_and_no_other() {
        let (what, other) = (What::AnotherRelay {}, What::Restored {});
        let at = Timestamp::from_ms(7);
        let keys = [
            Alert::key_of(&what, "inb_1", at),
            Alert::key_of(&what, "inb_2", at),
            Alert::key_of(&what, "inb_1", Timestamp::from_ms(8)),
            Alert::key_of(&other, "inb_1", at),
        ];
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(keys[0], Alert::key_of(&what, "inb_1", at));
    }

    #[test]
    fn what_comes_and_goes_is_told_three_times_a_day_and_what_stays_after_six_hours() {
        let held: Vec<bool> = (0..5).map(|n| !hold_off(n).is_zero()).collect();
        assert_eq!(held, [false, false, false, true, true]);
        assert_eq!(hold_off(99), Duration::from_hours(6));
    }
}
