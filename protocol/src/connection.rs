//! The state of an inbox's connection and the decision that moves it. Probing itself is the relay's.
//!
//! ```text
//! Connected ─permanent failure→ Suspect ─confirmed twice→ Disconnected
//!     ↑                            │ passing                   │
//!     ├────────────────────────────┴──── reconnect verified ───┤
//!     └──── both sign in again with what is on record ─────────┘
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::card::{Acts, Persistence, Scope};
use crate::cause::{Cause, classify};
use crate::evidence::{Evidence, Party, Stage};
use crate::timestamp::Timestamp;

/// Whether the relay can send and read through an inbox now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Connection {
    /// It can.
    Connected {
        /// Since when.
        since: Timestamp,
        /// What made it suspect last, where it came after both sign-ins and they passed all the same: met
        /// again soon at such a stage, it is confirmed. `None` otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dismissed: Option<Cause>,
    },
    /// Something permanent was met and is being confirmed. No new attempt starts meanwhile.
    Suspect {
        /// What was met first.
        evidence: Evidence,
        /// When that was.
        since: Timestamp,
        /// How many rounds of probes confirmed what is suspected now.
        confirmed: u32,
        /// How many rounds ended with nothing but transient failures, in a row.
        passing: u32,
        /// Who refused last, and at which stage: in the failure that was met first, or in a round since.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        alarmed: Vec<(Party, Stage)>,
    },
    /// It cannot, and somebody must act.
    Disconnected {
        /// Why.
        cause: Cause,
        /// The failure that showed it; `None` for an inbox that was never connected.
        evidence: Option<Evidence>,
        /// When the first failure was met.
        since: Timestamp,
    },
}

/// What one round of probes found. `None`: that party signed in. The token is `None` for passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// The failure of the token refresh.
    pub token: Option<Evidence>,
    /// The failure of the SMTP sign-in.
    pub smtp: Option<Evidence>,
    /// The failure of the IMAP sign-in.
    pub imap: Option<Evidence>,
}

impl Probes {
    /// The failure that says most, and the cause that the round shows by it: credentials that open one door are good.
    /// `None` where nothing failed.
    pub fn judge(&self) -> Option<(&Evidence, Cause)> {
        find_most_telling(self).map(|worst| (worst, name_cause(self, worst)))
    }

    /// The failure that says most, where it is alarming.
    pub fn find_alarming(&self) -> Option<&Evidence> {
        find_most_telling(self).filter(|evidence| is_alarming(evidence))
    }
}

/// What the connection learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Sending, reading or refreshing failed.
    Failed(Evidence),
    /// A round of probes ended.
    Probed(Box<Probes>),
    /// Folders were read and a message was accepted, all since the connection last became what it is.
    Worked,
    /// A reconnect was verified.
    Verified,
    /// Another server was put on record: what the old one showed says nothing of it, and somebody signs in anew.
    Moved,
    /// A reconnect was verified, and in all the time it has what arrived meanwhile could not be read.
    Unread {
        /// What was met last.
        evidence: Evidence,
        /// When the outage began that it was to end.
        since: Timestamp,
    },
}

/// What must be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Run a round of probes after this delay.
    ProbeAfter(Duration),
    /// Pause what cannot go on without this inbox, and tell once.
    Disconnect(Cause),
    /// The inbox works after all: go on.
    GoOn,
    /// Both sign-ins pass, but what was refused comes after them: try that once more after this delay.
    GoOnAfter(Duration),
    /// The credentials on record work again: nobody has to sign in, and everything resumes as after a reconnect.
    Revive,
}

/// How long to wait between the two rounds that confirm, and at most between rounds while a fault passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The one slow retry.
    pub slow_retry_after: Duration,
    /// The longest delay between rounds that only met transient failures.
    pub at_most: Duration,
}

/// Rounds of probes that must confirm a permanent failure: one at once and one slow.
pub const CONFIRMATIONS: u32 = 2;

/// How long a dismissed suspicion is remembered.
const REMEMBERED_FOR: Duration = Duration::from_hours(1);

/// Whether evidence says by itself that the inbox may be lost: a permanent cause of the inbox or of our
/// own registration.
pub fn is_alarming(evidence: &Evidence) -> bool {
    let card = classify(evidence).card();
    card.persistence == Persistence::Permanent && matches!(card.scope, Scope::Inbox | Scope::Relay)
}

impl Connection {
    /// Whether it is tried now and then if what is on record works again. What is refused after both sign-ins they
    /// cannot tell; and a password that was called wrong is not shown again and again (`by_password`), or the server
    /// locks the account.
    pub fn may_revive(&self, by_password: bool) -> bool {
        let Self::Disconnected {
            cause, evidence, ..
        } = self
        else {
            return false;
        };
        let is_wrong_password = by_password && *cause == Cause::SignInRefused;
        let is_seen_at_sign_in = evidence
            .as_ref()
            .is_none_or(|evidence| !is_after_sign_in(evidence));
        *cause != Cause::NeverConnected && !is_wrong_password && is_seen_at_sign_in
    }

    /// When the present state began.
    pub fn since(&self) -> Timestamp {
        match self {
            Self::Connected { since, .. }
            | Self::Suspect { since, .. }
            | Self::Disconnected { since, .. } => *since,
        }
    }

    /// The next state, and what to do. Transient evidence never ends a connection on which anything was read.
    pub fn decide(self, event: Event, now: Timestamp, patience: Patience) -> (Self, Vec<Effect>) {
        match (self, event) {
            (
                Self::Connected {
                    since,
                    dismissed: Some(dismissed),
                },
                Event::Failed(evidence),
            ) if classify(&evidence) == dismissed
                && is_after_sign_in(&evidence)
                && now.since(since) < REMEMBERED_FOR =>
            {
                let state = Self::Disconnected {
                    cause: dismissed,
                    evidence: Some(evidence),
                    since,
                };
                (state, vec![Effect::Disconnect(dismissed)])
            }
            (Self::Connected { .. }, Event::Failed(evidence)) if is_alarming(&evidence) => {
                let alarmed = vec![(evidence.party, evidence.stage)];
                let state = Self::Suspect {
                    evidence,
                    since: now,
                    confirmed: 0,
                    passing: 0,
                    alarmed,
                };
                (state, vec![Effect::ProbeAfter(Duration::ZERO)])
            }
            (
                Self::Suspect {
                    evidence,
                    since,
                    confirmed,
                    passing,
                    alarmed,
                },
                Event::Probed(probes),
            ) => decide_probed(
                Suspicion {
                    evidence,
                    since,
                    confirmed,
                    passing,
                    alarmed,
                },
                &probes,
                now,
                patience,
            ),
            (
                Self::Disconnected {
                    cause,
                    evidence,
                    since,
                },
                Event::Probed(probes),
            ) => decide_probed_again(cause, evidence, since, &probes),
            // What was refused once works again: the next refusal is a new one.
            (Self::Connected { since, .. }, Event::Worked) => {
                let state = Self::Connected {
                    since,
                    dismissed: None,
                };
                (state, Vec::new())
            }
            (_, Event::Verified) => {
                let state = Self::Connected {
                    since: now,
                    dismissed: None,
                };
                (state, vec![Effect::GoOn])
            }
            (Self::Disconnected { since, .. }, Event::Moved) => {
                let state = Self::Disconnected {
                    cause: Cause::NeverConnected,
                    evidence: None,
                    since,
                };
                (state, Vec::new())
            }
            // It has not worked since the sign-in: what it is still without is told, and somebody decides.
            (Self::Connected { .. }, Event::Unread { evidence, since }) => {
                let cause = classify(&evidence);
                let state = Self::Disconnected {
                    cause,
                    evidence: Some(evidence),
                    since,
                };
                (state, vec![Effect::Disconnect(cause)])
            }
            (
                state,
                Event::Failed(_)
                | Event::Probed(_)
                | Event::Worked
                | Event::Unread { .. }
                | Event::Moved,
            ) => (state, Vec::new()),
        }
    }
}

struct Suspicion {
    evidence: Evidence,
    since: Timestamp,
    confirmed: u32,
    passing: u32,
    alarmed: Vec<(Party, Stage)>,
}

fn decide_probed(
    suspicion: Suspicion,
    probes: &Probes,
    now: Timestamp,
    patience: Patience,
) -> (Connection, Vec<Effect>) {
    let Suspicion {
        evidence,
        since,
        confirmed,
        passing,
        alarmed,
    } = suspicion;
    let Some(worst) = find_most_telling(probes) else {
        return decide_passed(&evidence, now, patience);
    };
    if !is_alarming(worst) {
        let after = patience
            .slow_retry_after
            .saturating_mul(1 << passing.min(16))
            .min(patience.at_most);
        let state = Connection::Suspect {
            evidence,
            since,
            confirmed,
            passing: passing.saturating_add(1),
            alarmed,
        };
        return (state, vec![Effect::ProbeAfter(after)]);
    }
    let now_alarmed = list_alarmed(probes);
    let no_round_yet = confirmed == 0 && alarmed == [(evidence.party, evidence.stage)];
    // A refusal at another place confirms nothing: it is seen for the first time, and what was refused before is
    // not refused again.
    let confirmed = if is_seen_again(&now_alarmed, &alarmed, no_round_yet) {
        confirmed.saturating_add(1)
    } else {
        0
    };
    if confirmed < CONFIRMATIONS {
        let state = Connection::Suspect {
            evidence,
            since,
            confirmed,
            passing: 0,
            alarmed: now_alarmed,
        };
        return (state, vec![Effect::ProbeAfter(patience.slow_retry_after)]);
    }
    let cause = name_cause(probes, worst);
    let state = Connection::Disconnected {
        cause,
        evidence: Some(worst.clone()),
        since,
    };
    (state, vec![Effect::Disconnect(cause)])
}

/// The cause that the round shows, of its most telling failure. Credentials that open one door are good: whatever the
/// other one says of them, it is switched off or set wrong.
fn name_cause(probes: &Probes, worst: &Evidence) -> Cause {
    let cause = classify(worst);
    let speaks_of_credentials = cause == Cause::SignInRefused && worst.stage == Stage::Auth;
    match (worst.party, &probes.smtp, &probes.imap) {
        (Party::Smtp, _, None) if speaks_of_credentials => Cause::SmtpOff,
        (Party::Imap, None, _) if speaks_of_credentials => Cause::ImapOff,
        _ => cause,
    }
}

/// Whether what is on record works again. Where only the operator could correct it, and now the registration is taken
/// and the permission is not, that is a person's to mend, and is told.
fn decide_probed_again(
    cause: Cause,
    evidence: Option<Evidence>,
    since: Timestamp,
    probes: &Probes,
) -> (Connection, Vec<Effect>) {
    // Without a new token the servers were asked with the old one, which says nothing.
    let worst = probes.token.as_ref().or_else(|| find_most_telling(probes));
    let Some(worst) = worst else {
        let state = Connection::Disconnected {
            cause,
            evidence,
            since,
        };
        return (state, vec![Effect::Revive]);
    };
    let now = classify(worst);
    let is_anothers = cause.card().acts == Acts::Operator
        && is_alarming(worst)
        && now.card().acts != Acts::Operator;
    let (cause, evidence, effects) = if is_anothers {
        (now, Some(worst.clone()), vec![Effect::Disconnect(now)])
    } else {
        (cause, evidence, Vec::new())
    };
    let state = Connection::Disconnected {
        cause,
        evidence,
        since,
    };
    (state, effects)
}

/// Both sign-ins passed. What was refused at a sign-in is thereby refuted; what was refused after it has to
/// be tried once more, slowly.
fn decide_passed(
    evidence: &Evidence,
    now: Timestamp,
    patience: Patience,
) -> (Connection, Vec<Effect>) {
    let after_sign_in = is_after_sign_in(evidence);
    let state = Connection::Connected {
        since: now,
        dismissed: after_sign_in.then(|| classify(evidence)),
    };
    let effect = if after_sign_in {
        Effect::GoOnAfter(patience.slow_retry_after)
    } else {
        Effect::GoOn
    };
    (state, vec![effect])
}

/// Whether it was met where probes do not come. What is met before, they can ask again.
fn is_after_sign_in(evidence: &Evidence) -> bool {
    matches!(
        evidence.stage,
        Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Body | Stage::Folder
    )
}

/// Who failed alarmingly in this round, and at which stage.
fn list_alarmed(probes: &Probes) -> Vec<(Party, Stage)> {
    [&probes.token, &probes.smtp, &probes.imap]
        .into_iter()
        .flatten()
        .filter(|evidence| is_alarming(evidence))
        .map(|evidence| (evidence.party, evidence.stage))
        .collect()
}

/// Whether one of these refused before. A dead grant may show itself first where its access token is refused; where
/// a round renewed the token since (not `no_round_yet`), the grant was good then, and its refusal is a new one.
fn is_seen_again(now: &[(Party, Stage)], before: &[(Party, Stage)], no_round_yet: bool) -> bool {
    let signs_in = |place: &(Party, Stage)| place.1 == Stage::Auth;
    now.iter().any(|place| {
        let is_same_grant =
            || no_round_yet && place.0 == Party::Oauth && before.iter().any(signs_in);
        before.contains(place) || is_same_grant()
    })
}

/// The failure that says most: an alarming one before a passing one, the token's before a server's,
/// because a refused access token is only what follows from a dead grant.
fn find_most_telling(probes: &Probes) -> Option<&Evidence> {
    let all = [&probes.token, &probes.smtp, &probes.imap];
    let failures = || all.into_iter().flatten();
    failures()
        .find(|evidence| is_alarming(evidence))
        .or_else(|| {
            failures().min_by_key(|evidence| match evidence.party {
                Party::Oauth => 0,
                Party::Smtp => 1,
                Party::Imap | Party::Relay => 2,
            })
        })
}

#[cfg(test)]
mod tests;
