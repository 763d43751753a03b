//! How an inbox stands with its submission server: whose a refusal is, the lead's or the inbox's. It is fed with
//! the ends of attempts and with bounces, over all messages of one inbox, and answers what may be tried next.
//! Keeping it, choosing the deliveries and waiting are the relay's. Deliberately absent: any look at the words of
//! a server; a refusal is *alike* another by stage, code and enhanced code alone.
//!
//! ```text
//! open ─ refused ─ refused ─ control ─┬ taken: the two are tried once more; refused again, and another taken
//!   ↑                                 │ after them, they are set aside
//!   │                                 └ refused alike: all are put back, and the inbox rests
//!   └── control taken, at half pace ── resting ─ three controls refused: a person is asked
//! ```

mod control;
mod question;
mod report;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::evidence::{Evidence, Said, Stage};
use crate::id::DeliveryId;
use crate::reply::EnhancedCode;
use crate::timestamp::Timestamp;

pub use control::{Candidate, choose_control};
pub use question::{Answer, Question, Shown};
pub use report::{Remote, Report};

/// Tries that are remembered.
const RECENT: usize = 20;
/// So many alike, over as many domains, among the remembered tries are the inbox's, whatever is accepted between.
const ALIKE_AMONG_RECENT: usize = 10;
/// A refusal after so many without an acceptance: the third try is the control.
const RUN_BEFORE_CONTROL: usize = 2;
/// So many refusals in a row are the inbox's although no two need be alike.
const RUN_AT_MOST: usize = 5;
/// Transient refusals alike, over as many domains, in a row that are the server's.
const DEFERRED_IN_A_ROW: usize = 3;
/// Controls that are refused before a person is asked.
const CONTROLS_BEFORE_ASKING: u32 = 3;
/// Controls within the first rest where what was met speaks of an address.
const CONTROLS_IN_FIRST_REST: u32 = 3;
/// Rests for the server before a person is asked: the first two take 20 minutes, the others an hour each.
const SERVER_RESTS_BEFORE_ASKING: u32 = 26;
/// Leads alike in a row that a person's "it is these addresses" covers before they are asked again.
const ANSWERED_IN_A_ROW: u32 = 20;
/// How long an acceptance shows that the inbox can send, how long it sends at half pace after it was the inbox's,
/// and how long a person's word holds.
pub const DAY: Duration = Duration::from_hours(24);

/// What makes refusals alike: never their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alike {
    /// Where in the conversation; [`Stage::Body`] for a bounce.
    pub stage: Stage,
    /// The reply's code; `None` for a bounce that names none.
    pub code: Option<u16>,
    /// The enhanced code, where there is one (RFC 3463).
    pub enhanced: Option<EnhancedCode>,
}

impl Alike {
    /// Of a server's reply; `None` where no SMTP server replied.
    pub fn of(evidence: &Evidence) -> Option<Self> {
        match &evidence.said {
            Said::Smtp(reply) => Some(Self {
                stage: evidence.stage,
                code: Some(reply.code),
                enhanced: reply.enhanced,
            }),
            _ => None,
        }
    }

    /// Whether it speaks of the recipient's address: RFC 3463 §3.2, x.1.1 to x.1.3, x.1.6, x.1.10 (RFC 7505 §4.2), and
    /// x.2.1, a mailbox that is switched off; without such a code 550 and 551 at RCPT (RFC 5321 §4.2.2). A server may
    /// say so of what is the account's, so nothing more follows from it than how soon another address is tried.
    fn speaks_of_an_address(&self) -> bool {
        let enhanced = self.enhanced.map(|enhanced| enhanced.to_string());
        match enhanced.as_deref() {
            Some("5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1") => true,
            Some(_) => false,
            None => self.stage == Stage::Rcpt && matches!(self.code, Some(550 | 551)),
        }
    }

    /// As it stands in a row and in a request, as in `rcpt-550-5.1.1`.
    pub fn key(&self) -> String {
        let stage = format!("{:?}", self.stage).to_lowercase();
        let code = self
            .code
            .map_or_else(String::new, |code| format!("-{code}"));
        let enhanced = self
            .enhanced
            .map_or_else(String::new, |enhanced| format!("-{enhanced}"));
        format!("{stage}{code}{enhanced}")
    }
}

/// One attempt that a server answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The recipient's domain, in lower case.
    pub domain: String,
    /// It is the inbox's own domain: an acceptance there says nothing of mail that leaves.
    pub is_own: bool,
    /// How it ended.
    pub end: End,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// 2yz to the final dot.
    Accepted,
    /// A permanent refusal.
    Refused(Refusal),
    /// A transient refusal of the recipient or the message; `is_last` where patience with the lead is over.
    Deferred {
        /// What it was.
        refusal: Refusal,
        /// Another one sets the lead aside.
        is_last: bool,
    },
    /// The reply to the final dot was not seen.
    Doubted,
}

/// What a server refused with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What makes it like others.
    pub alike: Alike,
    /// What its words and codes would mean for one lead.
    pub cause: Cause,
    /// Its words say that it is the whole inbox's.
    pub is_inbox_wide: bool,
    /// The server's words, for people.
    pub words: String,
}

/// How long an inbox rests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rests {
    /// Before each control; the last one repeats. As shipped 15 minutes, then an hour.
    pub control: Vec<Duration>,
    /// After transient refusals of the server's; the last one repeats. As shipped 5, 15, 60 minutes.
    pub server: Vec<Duration>,
    /// After each doubt in a row; the last one repeats. As shipped 1, 5, 15, 60 minutes.
    pub doubt: Vec<Duration>,
}

/// What is done with deliveries, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It waits with its due and its place, and is not claimed before it is asked for.
    Hold(DeliveryId),
    /// It is due again with its due and its place; what it met is no attempt of the lead's.
    PutBack(DeliveryId),
    /// It is the lead's own: set aside.
    SetAside {
        /// The delivery.
        delivery: DeliveryId,
        /// What it met.
        refusal: Refusal,
    },
    /// The lead rests.
    Defer(DeliveryId),
    /// A bounce of this delivery is the lead's own.
    Bounce(DeliveryId),
    /// Every bounce alike of the last day is the inbox's: its leads are to be sent again.
    SendAgain(Alike),
    /// A person says that everything put back that met this is the leads' own.
    SetAsideAlike(Refusal),
    /// Two leads of two domains met what is said to be the inbox's: it is suspect.
    Suspect,
}

/// What may be tried next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing before this instant; `None`: before a person answers.
    Nothing {
        /// When to ask again.
        until: Option<Timestamp>,
    },
    /// What is due.
    Next,
    /// This held delivery once more.
    Again(DeliveryId),
    /// A delivery that shows whether anybody's mail is taken: to none of these domains where there is a choice.
    Control {
        /// The domains that were refused.
        avoid: Vec<String>,
    },
}

/// How an inbox stands with its server. All instants are readings of one clock, the caller's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Deliveries that are held, oldest first.
    suspects: Vec<Suspect>,
    /// Permanent refusals since the last acceptance outside the own domain.
    run: Vec<Met>,
    /// Transient ones since then, each delivery once; those before a rest for the server's sake stay.
    deferred: Vec<Met>,
    /// The last tries, newest last.
    recent: VecDeque<Met>,
    /// Set aside when nothing was left that could prove it; put back when the next test says that it was the inbox's.
    unproved: Vec<DeliveryId>,
    /// Domains that refused so although mail to others was accepted before and after: a company's gateway.
    gateways: VecDeque<(String, Alike)>,
    /// The last acceptance outside the own domain.
    accepted_at: Option<Timestamp>,
    /// How many messages were accepted ever.
    n_sent: u64,
    /// Nothing is tried before it is over.
    rest: Option<Rest>,
    /// What is the inbox's, until a control is taken.
    judged: Option<Judged>,
    /// Rests for the server's sake since the last acceptance.
    server_rests: u32,
    /// What it put everybody off with, and since when; `None` while it does not.
    put_off: Option<(Refusal, Timestamp)>,
    /// Doubts since the last acceptance.
    doubts: u32,
    /// It sends at half its pace.
    half_pace_until: Option<Timestamp>,
    /// What a person is asked.
    question: Option<Question>,
    /// What a person said to be the leads' own.
    answered: Option<Answered>,
    /// Bounces, newest last.
    reports: VecDeque<Report>,
}

/// A delivery that was refused, and it is not known whose that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Suspect {
    delivery: DeliveryId,
    domain: String,
    refusal: Refusal,
    stands: Stands,
}

/// What is known of a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    /// Refused once; nothing was accepted since.
    Refused,
    /// Something was accepted since: it is tried once more.
    Retry,
    /// Refused again; set aside with the next acceptance.
    Again,
}

/// A try; `alike` is `None` where it was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Met {
    delivery: DeliveryId,
    domain: String,
    alike: Option<Alike>,
}

/// Refusals that are the inbox's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Judged {
    refusal: Refusal,
    since: Timestamp,
    /// Controls that were refused since.
    n_controls: u32,
    /// The domains that were tried last.
    domains: Vec<String>,
}

impl Judged {
    /// How long the inbox rests before the next control. Where what it met speaks of an address it may be the leads'
    /// all the same, and the first rest has several controls, from other places of the list each.
    fn rest(&self, rests: &Rests) -> Duration {
        let first = nth(&rests.control, 0);
        if !self.refusal.alike.speaks_of_an_address() {
            return nth(&rests.control, self.n_controls);
        }
        match self.n_controls.checked_sub(CONTROLS_IN_FIRST_REST) {
            None => first / CONTROLS_IN_FIRST_REST,
            Some(n) => nth(&rests.control, n.saturating_add(1)),
        }
    }
}

/// A rest of the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rest {
    until: Timestamp,
    lasts: Duration,
}

impl Rest {
    fn begin(lasts: Duration, now: Timestamp) -> Self {
        let until = now + lasts;
        Self { until, lasts }
    }
}

/// A person's "it is these addresses".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answered {
    alike: Alike,
    until: Timestamp,
    /// How many in a row it has covered.
    n: u32,
}

impl Standing {
    /// What may be tried at `now`.
    pub fn wish(&self, now: Timestamp) -> Wish {
        if self.question.as_ref().is_some_and(Question::is_of_reports) {
            return Wish::Nothing { until: None };
        }
        if let Some(until) = self.rest_until(now) {
            return Wish::Nothing { until: Some(until) };
        }
        if let Some(judged) = &self.judged {
            let avoid = judged.domains.clone();
            return Wish::Control { avoid };
        }
        let inbox_wide = self
            .suspects
            .iter()
            .any(|suspect| suspect.refusal.is_inbox_wide);
        if self.run.len() >= RUN_BEFORE_CONTROL || inbox_wide && !self.run.is_empty() {
            return Wish::Control {
                avoid: self.refused_domains(),
            };
        }
        let retry = |suspect: &&Suspect| suspect.stands == Stands::Retry;
        if let Some(suspect) = self.suspects.iter().find(retry) {
            return Wish::Again(suspect.delivery.clone());
        }
        // Whether it is the server that puts everybody off shows another domain soonest.
        if self.server_rests > 0 || !self.deferred.is_empty() {
            return Wish::Control {
                avoid: self.refused_domains(),
            };
        }
        Wish::Next
    }

    /// When the rest is over; one that lies farther off than it lasts was begun by a clock that was set back since.
    fn rest_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.rest
            .filter(|rest| rest.until > now && rest.until.since(now) <= rest.lasts)
            .map(|rest| rest.until)
    }

    /// Whether the inbox sends at half its pace.
    pub fn is_at_half_pace(&self, now: Timestamp) -> bool {
        self.half_pace_until
            .is_some_and(|until| until > now && until.since(now) <= DAY)
    }

    /// The number of the last message that was accepted, from 1; 0 before.
    pub fn n_sent(&self) -> u64 {
        self.n_sent
    }

    /// Whether deliveries are held.
    pub fn holds(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// An attempt ended.
    pub fn note(&mut self, tried: &Tried, rests: &Rests, now: Timestamp) -> Vec<Effect> {
        match tried.end.clone() {
            End::Accepted => self.note_accepted(tried, now),
            End::Refused(refusal) => self.note_refused(tried, refusal, rests, now),
            End::Deferred { refusal, is_last } => {
                self.note_deferred(tried, refusal, is_last, rests, now)
            }
            End::Doubted => {
                self.drop_suspect(&tried.delivery);
                self.rest = Some(Rest::begin(nth(&rests.doubt, self.doubts), now));
                self.doubts = self.doubts.saturating_add(1);
                Vec::new()
            }
        }
    }

    /// A held delivery that was asked for can no longer be tried: its lead was stopped, or its campaign is over.
    pub fn forget(&mut self, delivery: &DeliveryId) {
        self.drop_suspect(delivery);
        self.run.retain(|met| met.delivery != *delivery);
    }

    /// Nothing is due, and nothing will be, that could show whose the held refusals are. Where the inbox could send
    /// within the last day, two at most are taken for the leads' own until the next test; otherwise they are the
    /// inbox's.
    pub fn note_nothing_left(&mut self, rests: &Rests, now: Timestamp) -> Vec<Effect> {
        let Some(last) = self.suspects.last() else {
            return Vec::new();
        };
        let could_send = self.accepted_at.is_some_and(|at| now.since(at) < DAY);
        let fits = self.suspects.len() <= RUN_BEFORE_CONTROL && self.unproved.is_empty();
        let proved = |suspect: &Suspect| {
            suspect.stands != Stands::Refused
                || self.is_gateway(&suspect.domain, suspect.refusal.alike)
        };
        if could_send && (fits || self.suspects.iter().all(proved)) {
            let suspects = std::mem::take(&mut self.suspects);
            self.unproved = suspects
                .iter()
                .map(|suspect| suspect.delivery.clone())
                .collect();
            return suspects.into_iter().map(Suspect::set_aside).collect();
        }
        let refusal = last.refusal.clone();
        self.judge(refusal, rests, now)
    }

    /// The inbox was reconnected: what was refused before says nothing of it any more.
    pub fn renew(&mut self) -> Vec<Effect> {
        let suspects = std::mem::take(&mut self.suspects);
        let n_sent = self.n_sent;
        let accepted_at = self.accepted_at;
        *self = Self {
            accepted_at,
            n_sent,
            ..Self::default()
        };
        suspects
            .into_iter()
            .map(|suspect| Effect::PutBack(suspect.delivery))
            .collect()
    }

    fn note_accepted(&mut self, tried: &Tried, now: Timestamp) -> Vec<Effect> {
        self.n_sent = self.n_sent.saturating_add(1);
        self.drop_suspect(&tried.delivery);
        self.remember(tried, None);
        if tried.is_own {
            return Vec::new();
        }
        self.accepted_at = Some(now);
        self.run.clear();
        self.deferred.clear();
        self.unproved.clear();
        self.server_rests = 0;
        self.put_off = None;
        self.doubts = 0;
        self.rest = None;
        if let Some(answered) = &mut self.answered {
            answered.n = 0;
        }
        if !self.question.as_ref().is_some_and(Question::is_of_reports) {
            self.question = None;
        }
        if self.judged.take().is_some() {
            self.half_pace_until = Some(now + DAY);
        }
        let mut effects = Vec::new();
        for mut suspect in std::mem::take(&mut self.suspects) {
            if suspect.stands == Stands::Again {
                self.note_gateway(&suspect);
                effects.push(suspect.set_aside());
            } else {
                suspect.stands = Stands::Retry;
                self.suspects.push(suspect);
            }
        }
        effects
    }

    fn note_refused(
        &mut self,
        tried: &Tried,
        refusal: Refusal,
        rests: &Rests,
        now: Timestamp,
    ) -> Vec<Effect> {
        if self.judged.is_some() {
            return self.note_control_refused(tried, rests, now);
        }
        if let Some(effects) = self.note_answered(tried, &refusal, now) {
            return effects;
        }
        let alike = refusal.alike;
        let met = self.remember(tried, Some(alike));
        self.run.push(met);
        let known = self
            .suspects
            .iter_mut()
            .find(|suspect| suspect.delivery == tried.delivery);
        if let Some(suspect) = known {
            suspect.refusal = refusal.clone();
            if suspect.stands == Stands::Retry {
                suspect.stands = Stands::Again;
            }
        } else {
            self.suspects.push(Suspect {
                delivery: tried.delivery.clone(),
                domain: tried.domain.clone(),
                refusal: refusal.clone(),
                stands: Stands::Refused,
            });
        }
        if refusal.is_inbox_wide && self.is_said_of_two_domains() {
            let mut effects = self.put_all_back();
            effects.push(Effect::Suspect);
            return effects;
        }
        let recent = |met: &&Met| met.alike == Some(alike);
        if count_domains(self.recent.iter().filter(recent)) >= ALIKE_AMONG_RECENT {
            let again: Vec<DeliveryId> = self
                .recent
                .iter()
                .filter(recent)
                .map(|met| met.delivery.clone())
                .collect();
            self.unproved.extend(again);
            self.recent.clear();
            let effects = self.judge(refusal.clone(), rests, now);
            self.question = Some(Question::new(refusal, false, now));
            return effects;
        }
        let run_alike = self
            .run
            .iter()
            .filter(|met| met.alike == Some(alike))
            .count();
        let is_control = self.run.len() > RUN_BEFORE_CONTROL && run_alike > 1;
        let is_gateways = self.run.iter().all(|met| {
            met.alike
                .is_some_and(|alike| self.is_gateway(&met.domain, alike))
        });
        if (is_control || self.run.len() >= RUN_AT_MOST) && !is_gateways {
            return self.judge(refusal, rests, now);
        }
        vec![Effect::Hold(tried.delivery.clone())]
    }

    fn note_deferred(
        &mut self,
        tried: &Tried,
        refusal: Refusal,
        is_last: bool,
        rests: &Rests,
        now: Timestamp,
    ) -> Vec<Effect> {
        if self.judged.is_some() {
            return self.note_control_refused(tried, rests, now);
        }
        self.drop_suspect(&tried.delivery);
        self.remember(tried, Some(refusal.alike));
        // Refused twice without an acceptance between: that says nothing of the lead.
        let is_again = self
            .deferred
            .iter()
            .any(|met| met.delivery == tried.delivery);
        if !is_again {
            self.deferred.push(Met {
                delivery: tried.delivery.clone(),
                domain: tried.domain.clone(),
                alike: Some(refusal.alike),
            });
        }
        let alike = |met: &&Met| met.alike == Some(refusal.alike);
        let is_servers = count_domains(self.deferred.iter().filter(alike)) >= DEFERRED_IN_A_ROW;
        if is_servers || self.server_rests > 0 {
            let mut effects: Vec<Effect> = self
                .deferred
                .iter()
                .map(|met| Effect::PutBack(met.delivery.clone()))
                .collect();
            if is_again {
                effects.push(Effect::PutBack(tried.delivery.clone()));
            }
            let surplus = self.deferred.len().saturating_sub(DEFERRED_IN_A_ROW);
            self.deferred.drain(..surplus);
            self.rest = Some(Rest::begin(nth(&rests.server, self.server_rests), now));
            self.server_rests = self.server_rests.saturating_add(1);
            self.put_off.get_or_insert((refusal.clone(), now));
            if self.server_rests == SERVER_RESTS_BEFORE_ASKING {
                self.question = Some(Question::new(refusal, false, now));
            }
            return effects;
        }
        if is_last && !is_again {
            return vec![Effect::SetAside {
                delivery: tried.delivery.clone(),
                refusal,
            }];
        }
        vec![Effect::Defer(tried.delivery.clone())]
    }

    /// It is the inbox's: everything is put back, and it rests.
    fn judge(&mut self, refusal: Refusal, rests: &Rests, now: Timestamp) -> Vec<Effect> {
        let mut domains = domains_of(&self.run);
        domains.truncate(RUN_AT_MOST);
        let effects = self.put_all_back();
        let judged = Judged {
            refusal,
            since: now,
            n_controls: 0,
            domains,
        };
        self.rest = Some(Rest::begin(judged.rest(rests), now));
        self.judged = Some(judged);
        effects
    }

    fn note_control_refused(
        &mut self,
        tried: &Tried,
        rests: &Rests,
        now: Timestamp,
    ) -> Vec<Effect> {
        if let Some(judged) = &mut self.judged {
            judged.n_controls = judged.n_controls.saturating_add(1);
            judged.domains.push(tried.domain.clone());
            let surplus = judged.domains.len().saturating_sub(RUN_AT_MOST);
            judged.domains.drain(..surplus);
            self.rest = Some(Rest::begin(judged.rest(rests), now));
            if judged.n_controls >= CONTROLS_BEFORE_ASKING && self.question.is_none() {
                self.question = Some(Question::new(judged.refusal.clone(), false, now));
            }
        }
        vec![Effect::PutBack(tried.delivery.clone())]
    }

    fn put_all_back(&mut self) -> Vec<Effect> {
        self.run.clear();
        let suspects = std::mem::take(&mut self.suspects);
        let mut all: Vec<DeliveryId> = std::mem::take(&mut self.unproved);
        all.extend(suspects.into_iter().map(|suspect| suspect.delivery));
        let mut effects: Vec<Effect> = Vec::new();
        for delivery in all {
            let effect = Effect::PutBack(delivery);
            if !effects.contains(&effect) {
                effects.push(effect);
            }
        }
        effects
    }

    fn is_said_of_two_domains(&self) -> bool {
        let wide = self
            .suspects
            .iter()
            .filter(|suspect| suspect.refusal.is_inbox_wide)
            .filter(|suspect| self.run.iter().any(|met| met.delivery == suspect.delivery));
        let mut domains: Vec<&str> = wide.map(|suspect| suspect.domain.as_str()).collect();
        domains.sort_unstable();
        domains.dedup();
        domains.len() > 1
    }

    fn remember(&mut self, tried: &Tried, alike: Option<Alike>) -> Met {
        let met = Met {
            delivery: tried.delivery.clone(),
            domain: tried.domain.clone(),
            alike,
        };
        self.recent.push_back(met.clone());
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        met
    }

    /// The domains that were refused since the last acceptance, for good or for now.
    fn refused_domains(&self) -> Vec<String> {
        let mut domains = domains_of(&self.run);
        domains.extend(domains_of(&self.deferred));
        domains
    }

    fn is_gateway(&self, domain: &str, alike: Alike) -> bool {
        self.gateways
            .iter()
            .any(|(known, refusal)| known == domain && *refusal == alike)
    }

    fn note_gateway(&mut self, suspect: &Suspect) {
        if self.is_gateway(&suspect.domain, suspect.refusal.alike) {
            return;
        }
        self.gateways
            .push_back((suspect.domain.clone(), suspect.refusal.alike));
        if self.gateways.len() > RECENT {
            self.gateways.pop_front();
        }
    }

    fn drop_suspect(&mut self, delivery: &DeliveryId) {
        self.suspects
            .retain(|suspect| suspect.delivery != *delivery);
    }
}

impl Suspect {
    fn set_aside(self) -> Effect {
        Effect::SetAside {
            delivery: self.delivery,
            refusal: self.refusal,
        }
    }
}

impl Rests {
    /// As the relay is shipped: `minute` is one. Tests have shorter ones.
    pub fn of(minute: Duration) -> Self {
        let minutes = |all: &[u32]| all.iter().map(|n| minute.saturating_mul(*n)).collect();
        Self {
            control: minutes(&[15, 60]),
            server: minutes(&[5, 15, 60]),
            doubt: minutes(&[1, 5, 15, 60]),
        }
    }

    /// The longest rest: what is not due before it does not come soon.
    pub fn longest(&self) -> Duration {
        let all = [&self.control, &self.server, &self.doubt];
        all.into_iter().flatten().max().copied().unwrap_or_default()
    }

    /// The rest after a single doubt.
    pub fn first_doubt(&self) -> Duration {
        nth(&self.doubt, 0)
    }
}

/// The `n`-th, or the last.
fn nth(all: &[Duration], n: u32) -> Duration {
    usize::try_from(n)
        .ok()
        .and_then(|n| all.get(n))
        .or(all.last())
        .copied()
        .unwrap_or_default()
}

fn domains_of(all: &[Met]) -> Vec<String> {
    let mut domains: Vec<String> = all.iter().map(|met| met.domain.clone()).collect();
    domains.sort_unstable();
    domains.dedup();
    domains
}

fn count_domains<'a>(all: impl Iterator<Item = &'a Met>) -> usize {
    let mut domains: Vec<&str> = all.map(|met| met.domain.as_str()).collect();
    domains.sort_unstable();
    domains.dedup();
    domains.len()
}
