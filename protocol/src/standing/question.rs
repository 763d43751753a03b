//! What a person is asked about an inbox whose refusals nobody else can judge, and what follows from the answer.

use serde::{Deserialize, Serialize};

use super::{ANSWERED_IN_A_ROW, Answered, DAY, Effect, Refusal, Standing, Tried};
use crate::timestamp::Timestamp;

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    refusal: Refusal,
    since: Timestamp,
    /// It is about bounces: nothing is sent before it is answered.
    of_reports: bool,
}

/// A person's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is the account, and it was seen to: what was put back stays, and one message is tried now.
    Account,
    /// It is these addresses: what was put back is set aside, and the others are sent.
    Addresses,
}

/// How an inbox stands, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shown {
    /// Since when its mail is refused.
    pub since: Timestamp,
    /// The server's own words.
    pub words: String,
    /// What the refusals have in common, as in `rcpt-550-5.7.1`.
    pub alike: String,
    /// When the next message is tried; `None`: not before a person answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<Timestamp>,
    /// A person is asked whether it is the account or the addresses.
    pub asks: bool,
}

impl Question {
    pub(super) fn new(refusal: Refusal, of_reports: bool, since: Timestamp) -> Self {
        Self {
            refusal,
            since,
            of_reports,
        }
    }

    pub(super) fn is_of_reports(&self) -> bool {
        self.of_reports
    }

    pub(super) fn refusal(&self) -> &Refusal {
        &self.refusal
    }
}

impl Standing {
    /// How it stands, for people; `None` where nothing is the inbox's.
    pub fn show(&self, now: Timestamp) -> Option<Shown> {
        let judged = self
            .judged
            .as_ref()
            .map(|judged| (&judged.refusal, judged.since));
        let asked = self
            .question
            .as_ref()
            .map(|question| (&question.refusal, question.since));
        let put_off = self.put_off.as_ref();
        let put_off = put_off.map(|(refusal, since)| (refusal, *since));
        let (refusal, since) = judged.or(asked).or(put_off)?;
        let waits = self.question.as_ref().is_some_and(Question::is_of_reports);
        Some(Shown {
            since,
            words: refusal.words.clone(),
            alike: refusal.alike.key(),
            next_try_at: self.rest_until(now).filter(|_| !waits),
            asks: self.question.is_some(),
        })
    }

    /// Whether a person is asked.
    pub fn asks(&self) -> bool {
        self.question.is_some()
    }

    /// A person answered; nothing where nobody was asked.
    pub fn answer(&mut self, answer: Answer, now: Timestamp) -> Vec<Effect> {
        let Some(question) = self.question.take() else {
            return Vec::new();
        };
        self.rest = None;
        self.server_rests = 0;
        self.put_off = None;
        if question.of_reports {
            self.reports.clear();
            self.half_pace_until = Some(now + DAY);
        }
        if answer == Answer::Account {
            if let Some(judged) = &mut self.judged {
                judged.n_controls = 0;
            }
            return Vec::new();
        }
        self.judged = None;
        let mut effects = self.put_all_back();
        self.answered = Some(Answered {
            alike: question.refusal.alike,
            until: now + DAY,
            n: 0,
        });
        effects.push(Effect::SetAsideAlike(question.refusal));
        effects
    }

    /// What a person said to be the leads' own, while that holds.
    pub(super) fn note_answered(
        &mut self,
        tried: &Tried,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Option<Vec<Effect>> {
        let answered = self.answered.as_mut()?;
        if answered.alike != refusal.alike || answered.until <= now {
            return None;
        }
        if answered.n >= ANSWERED_IN_A_ROW {
            self.answered = None;
            return None;
        }
        answered.n += 1;
        self.drop_suspect(&tried.delivery);
        Some(vec![Effect::SetAside {
            delivery: tried.delivery.clone(),
            refusal: refusal.clone(),
        }])
    }
}
