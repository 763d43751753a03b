//! An inbox that is connected and lets nothing through: what it fails with, since when, and when that is told. What
//! passes is waited for in silence, and nothing that is waited for stays silent for good.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::card::{Acts, Facts, Persistence, Remedy, Scope, Words};
use crate::cause::{Cause, classify};
use crate::evidence::{Evidence, Party, Stage};
use crate::timestamp::Timestamp;

/// How long nothing may work before it is said that the inbox waits.
pub const TOLD_AFTER: Duration = Duration::from_hours(1);
/// How long before a person is asked.
pub const ASKED_AFTER: Duration = Duration::from_hours(24);
/// A failure that was not met again for so long is over: three of the longest rests.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(3);

/// What an inbox fails with, from the first failure until something of the kind works again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    /// What was met last of the party that fails longest.
    pub evidence: Evidence,
    /// When anything was met last; `None` where it is when that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
    /// When the first failure was met.
    pub since: Timestamp,
    /// What people were told of it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Stall>,
}

/// How long an inbox that is connected has let nothing through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stall {
    /// More than an hour: it is said.
    Waits,
    /// More than a day: a person is asked.
    Asks,
}

/// What worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// Its folders were read.
    Read,
    /// The submission server took the sign-in.
    SignedIn,
    /// A message was accepted.
    Sent,
}

impl Failing {
    /// What is known after one more failure at `now`; `something_waits`: a message would leave if it worked. Answers
    /// also what people are told now, each once. While one party fails, what another one meets in passing hides
    /// nothing of it; what has not failed for an hour gives way to what has.
    pub fn note(
        before: Option<Self>,
        evidence: Evidence,
        something_waits: bool,
        now: Timestamp,
    ) -> (Self, Option<Stall>) {
        let before = before.filter(|before| !before.is_forgotten(now));
        let evidence = match &before {
            Some(before)
                if before.evidence.party != evidence.party
                    && now.since(before.evidence.seen_at) <= TOLD_AFTER =>
            {
                before.evidence.clone()
            }
            _ => evidence,
        };
        let mut failing = Self {
            since: before.as_ref().map_or(now, |before| before.since),
            told: before.and_then(|before| before.told),
            evidence,
            met_at: Some(now),
        };
        let stall = failing.stall(something_waits, now);
        let is_news = stall > failing.told;
        if is_news {
            failing.told = stall;
        }
        (failing, stall.filter(|_| is_news))
    }

    /// The same failure, which still lasts at `now` although nothing met it again.
    #[must_use]
    pub fn seen_again(mut self, now: Timestamp) -> Self {
        self.met_at = Some(now);
        self
    }

    /// Whether it is over because this worked. What a message was refused with is over when one is accepted; what
    /// hindered a sign-in or the reading, when that passes.
    pub fn is_over(&self, worked: Worked) -> bool {
        let met_at_message = matches!(
            self.evidence.stage,
            Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body
        );
        match worked {
            Worked::Sent => true,
            Worked::SignedIn => match self.evidence.party {
                Party::Smtp => !met_at_message,
                party => party == Party::Oauth,
            },
            Worked::Read => matches!(self.evidence.party, Party::Imap | Party::Oauth),
        }
    }

    /// How long nothing has come through; `None` where it has not been long, nothing waits, or it was not tried lately.
    pub fn stall(&self, something_waits: bool, now: Timestamp) -> Option<Stall> {
        if !something_waits || self.is_forgotten(now) {
            return None;
        }
        match now.since(self.since) {
            lasting if lasting >= ASKED_AFTER => Some(Stall::Asks),
            lasting if lasting >= TOLD_AFTER => Some(Stall::Waits),
            _ => None,
        }
    }

    fn is_forgotten(&self, now: Timestamp) -> bool {
        let met_at = self.met_at.max(Some(self.evidence.seen_at));
        met_at.is_none_or(|met_at| now.since(met_at) > FORGOTTEN_AFTER)
    }

    /// What people are told of it.
    pub fn words(&self, stall: Stall, facts: &Facts<'_>) -> Words {
        Obstacle::of(&self.evidence).words(stall, facts)
    }
}

/// What lets nothing through, as far as words need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Obstacle {
    /// The likely cause.
    pub cause: Cause,
    /// Whether it is met before the server says anything.
    pub at_connect: bool,
}

impl Obstacle {
    /// What this evidence shows.
    pub fn of(evidence: &Evidence) -> Self {
        Self {
            cause: classify(evidence),
            at_connect: matches!(evidence.stage, Stage::Connect),
        }
    }

    /// What people are told of it, with the likely cause. After an hour nobody has to act; after a day somebody has to
    /// look.
    pub fn words(self, stall: Stall, facts: &Facts<'_>) -> Words {
        let card = self.cause.card();
        let likely = card.render(facts);
        let is_servers = card.scope == Scope::Server || self.at_connect;
        match stall {
            Stall::Waits => Words {
                title: format!("{} waits for its server", facts.inbox),
                explanation: format!(
                    "Nothing has gone through for more than an hour, and the relay goes on trying. {}",
                    likely.explanation
                ),
                button: None,
                acts: Acts::Nobody,
                remedy: Remedy::Wait,
            },
            Stall::Asks => {
                let (acts, remedy, advice) = if card.acts == Acts::Operator || is_servers {
                    (
                        Acts::Operator,
                        Remedy::TellOperator,
                        "Look whether the server's name and port are right and whether it can be reached; whoever \
                         runs the relay or the server can correct them.",
                    )
                } else {
                    (
                        Acts::Person,
                        Remedy::Reconnect,
                        "Read the server's words. If they speak of the account, see to it there; if they do not, sign \
                         in again, which tries everything anew.",
                    )
                };
                let explanation = if card.persistence == Persistence::Transient {
                    format!(
                        "Nothing has gone through for more than a day, so it may not pass by itself. {advice}"
                    )
                } else {
                    format!(
                        "Nothing has gone through for more than a day. {} {advice}",
                        likely.explanation
                    )
                };
                Words {
                    title: format!("{} has waited for a day", facts.inbox),
                    explanation,
                    button: remedy.button().map(|button| {
                        button
                            .replace("{provider}", facts.provider)
                            .replace("{inbox}", facts.inbox)
                    }),
                    acts,
                    remedy,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
