//! Bounces: whether what came back after an acceptance is the lead's or the inbox's.

use serde::{Deserialize, Serialize};

use super::{Effect, Question, Refusal, Standing};
use crate::id::DeliveryId;
use crate::reply::EnhancedCode;
use crate::timestamp::Timestamp;

/// Bounces that are remembered.
const KEPT: usize = 60;
/// Bounces count together where their messages left within so many.
const AMONG_SENT: u64 = 20;
/// Alike, from as many domains of other servers: the inbox's.
const FROM_OTHERS: usize = 3;
/// Alike, from the provider itself: the inbox's.
const FROM_OWN: usize = 2;
/// The same where the code speaks of an address or a mailbox, which is a lead's as a rule.
const OF_ADDRESSES: usize = 10;

/// A bounce (RFC 3464) of a message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The number of its message among those of the inbox that were accepted; see [`Standing::n_sent`].
    pub sent_no: u64,
    /// What it says.
    pub refusal: Refusal,
    /// Who said it.
    pub remote: Remote,
}

/// Who refused a message that had been accepted (RFC 3464 §2.3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remote {
    /// A server of this domain.
    Other(String),
    /// The provider's own, or nobody is named.
    Own,
}

impl Report {
    /// Whether the code speaks of the recipient's address or mailbox (RFC 3463 §3.2, §3.3).
    fn is_of_an_address(&self) -> bool {
        let is_one = |code: EnhancedCode| {
            [(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1), (2, 2)]
                .iter()
                .any(|(subject, detail)| code.is_about(*subject, *detail))
        };
        self.refusal.alike.enhanced.is_some_and(is_one)
    }
}

impl Standing {
    /// A bounce arrived. Acceptances meanwhile say nothing: every one of these was accepted too.
    pub fn note_report(&mut self, report: Report, now: Timestamp) -> Vec<Effect> {
        let alike = report.refusal.alike;
        let is_asked = self
            .question
            .as_ref()
            .is_some_and(|question| question.is_of_reports() && question.refusal().alike == alike);
        if is_asked {
            return vec![Effect::Bounce(report.delivery), Effect::SendAgain(alike)];
        }
        let delivery = report.delivery.clone();
        let is_answered = self
            .answered
            .as_ref()
            .is_some_and(|answered| answered.alike == alike && answered.until > now);
        let is_known = self.reports.iter().any(|known| known.delivery == delivery);
        if is_answered || is_known {
            return vec![Effect::Bounce(delivery)];
        }
        let is_inboxes = self.is_inboxes(&report);
        let refusal = report.refusal.clone();
        self.reports.push_back(report);
        if self.reports.len() > KEPT {
            self.reports.pop_front();
        }
        let mut effects = vec![Effect::Bounce(delivery)];
        if is_inboxes {
            self.reports.clear();
            self.question = Some(Question::new(refusal, true, now));
            effects.push(Effect::SendAgain(alike));
        }
        effects
    }

    fn is_inboxes(&self, report: &Report) -> bool {
        let near = |known: &&Report| {
            known.refusal.alike == report.refusal.alike
                && known.sent_no.abs_diff(report.sent_no) < AMONG_SENT
        };
        let mut own = 0;
        let mut others: Vec<&str> = Vec::new();
        for known in self.reports.iter().filter(near).chain([report]) {
            match &known.remote {
                Remote::Own => own += 1,
                Remote::Other(domain) => others.push(domain),
            }
        }
        others.sort_unstable();
        others.dedup();
        let (from_own, from_others) = if report.is_of_an_address() {
            (OF_ADDRESSES, OF_ADDRESSES)
        } else {
            (FROM_OWN, FROM_OTHERS)
        };
        own >= from_own || others.len() >= from_others
    }
}
