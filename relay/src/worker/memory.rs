//! What the task of an inbox remembers between two looks. Nothing of it is on record.

use std::collections::HashMap;
use std::time::Duration;

use protocol::id::{DeliveryId, InboxId};
use protocol::timestamp::Timestamp;

use super::copying::Copied;
use super::listening::Listening;
use super::mailbox::Mailbox;
use crate::app::App;
use crate::bell::Rest;
use crate::clock::Mark;
use crate::config::Timing;
use crate::engine::jitter::jittered;
use crate::store::inbox::Inbox;

/// How late a reading may be before the time since the last one counts as a gap.
const JUMP: Duration = Duration::from_mins(1);

/// What the task remembers between two looks. All of it may be lost: a restart begins with nothing.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) mailbox: Mailbox,
    /// Nothing is tried before this instant, after a fault that passes.
    pub(super) resting_until: Option<Timestamp>,
    /// Since when it rests, and what was met last.
    pub(super) rested: Option<(Timestamp, String)>,
    /// Whether the ledger knows that the inbox rests.
    pub(super) is_resting_on_record: bool,
    /// Whether a failure is on record that nothing has ended yet.
    pub(super) is_failing: bool,
    /// Faults in a row.
    pub(super) faults: u32,
    /// When the next round of probes is due.
    pub(super) probe_at: Option<Timestamp>,
    /// When it is tried whether the operator has corrected what only they can. A process that was started since tries
    /// at once: it was started for a reason.
    pub(super) corrected_at: Option<Timestamp>,
    /// What is known of listening between two readings.
    pub(super) listening: Listening,
    /// When INBOX is read next.
    pub(super) read_at: Option<Timestamp>,
    /// When the sent folder is looked at next; `None` when nothing was in doubt at the last look. Each look
    /// asks the ledger then, because a lease may have run out meanwhile.
    pub(super) look_at: Option<Timestamp>,
    /// At which uptime each doubt was first seen.
    pub(super) watched_since: HashMap<DeliveryId, Duration>,
    /// Accepted messages that owe their copies, as the ledger knows too.
    pub(super) copied: Vec<Copied>,
    /// Whether those are among them that owe their copies since an earlier sign-in.
    pub(super) knows_owed: bool,
    /// What the clock showed at the last look.
    last_look: Option<Mark>,
    /// What worked since both sign-ins passed last.
    pub(super) worked: Worked,
}

impl Memory {
    /// The inbox is disconnected: all that is left is when it is tried whether the operator has corrected it.
    pub(super) fn forget_what_was_connected(&mut self) {
        *self = Self {
            corrected_at: self.corrected_at,
            is_resting_on_record: self.is_resting_on_record,
            ..Self::default()
        };
    }

    /// Where the clock was set back since the last look, every instant that was planned by it is farther off
    /// than it should be: what is planned here comes now.
    pub(super) fn notice_the_clock(&mut self, app: &App) {
        let set_back = self
            .last_look
            .is_some_and(|mark| app.clock.is_set_back_since(mark));
        self.last_look = Some(app.clock.mark());
        if set_back {
            self.resting_until = None;
            self.probe_at = None;
            self.corrected_at = None;
            self.read_at = None;
            self.look_at = None;
            self.mailbox.doubt_token();
        }
    }

    /// Reading is long overdue: the clock jumped since the look began, as it does when a machine wakes up.
    /// What may have arrived meanwhile counts before anything more is sent.
    pub(super) fn has_gap(&self, now: Timestamp) -> bool {
        self.read_at.is_none_or(|at| at + JUMP <= now)
    }

    /// A delivery is in doubt: the sent folder is to be looked at.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        self.look_at = Some(now);
    }

    /// Something came to the sent folder: what is open is looked at again now. Where nothing is open, it is not.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        if self.look_at.is_some() {
            self.look_at = Some(now);
        }
    }

    /// Nothing is tried for `delay`, and for twice as long each time the fault goes on, a fifth more or less.
    pub(super) fn rest(&mut self, app: &App, inbox: &Inbox, delay: Duration, words: String) {
        let delay = grown(&app.config.timing, delay, self.faults);
        self.faults = self.faults.saturating_add(1);
        let now = app.clock.now();
        let until = now + spread(app, &inbox.id, "rest", delay);
        tracing::info!(inbox = %inbox.address, %until, %words, "the inbox rests");
        let since = self.rested.as_ref().map_or(now, |(since, _)| *since);
        self.rested = Some((since, words));
        self.resting_until = Some(until);
    }

    /// Until when it rests, as it is told.
    pub(super) fn find_rest(&self) -> Option<Rest> {
        let (since, words) = self.rested.clone()?;
        let until = self.resting_until?;
        Some(Rest {
            since,
            until,
            words,
        })
    }
}

/// A delay of an inbox from now, a fifth more or less, in a way of its own each time, so that what failed together is
/// not tried again together.
pub(super) fn spread(app: &App, inbox: &InboxId, purpose: &str, delay: Duration) -> Duration {
    let count = u64::try_from(app.clock.now().as_ms()).unwrap_or(0);
    jittered(delay, inbox, purpose, count)
}

/// A delay that doubles with each of the faults before this one.
pub(super) fn grown(timing: &Timing, delay: Duration, faults: u32) -> Duration {
    delay
        .saturating_mul(1 << faults.min(20))
        .min(timing.retry_at_most)
}

/// What an inbox does, and whether it worked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Worked {
    pub(super) read: bool,
    pub(super) sent: bool,
}

impl Worked {
    pub(super) fn both(self) -> bool {
        self.read && self.sent
    }
}
