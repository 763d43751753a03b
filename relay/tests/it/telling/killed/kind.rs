//! What happens and is told: one kind of alert, and what else is told on its way.

use std::time::Duration;

use relay::clock::Clock;

/// A kind of alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Disconnected,
    StillDisconnected,
    Waiting,
    Reconnected,
    Resumed,
    Unsettled,
    Finished,
}

pub(super) const KINDS: [Kind; 7] = [
    Kind::Disconnected,
    Kind::StillDisconnected,
    Kind::Waiting,
    Kind::Reconnected,
    Kind::Resumed,
    Kind::Unsettled,
    Kind::Finished,
];

impl Kind {
    /// Its name in what is posted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::StillDisconnected => "still_disconnected",
            Self::Waiting => "waiting",
            Self::Reconnected => "reconnected",
            Self::Resumed => "resumed",
            Self::Unsettled => "unsettled",
            Self::Finished => "finished",
        }
    }

    /// All that happens once to each of its inboxes, in this order.
    pub(super) fn tells(self) -> &'static [&'static str] {
        match self {
            Self::Disconnected => &["disconnected"],
            Self::StillDisconnected => &["disconnected", "still_disconnected"],
            Self::Waiting => &["waiting"],
            Self::Reconnected | Self::Resumed => &["disconnected", "reconnected", "resumed"],
            Self::Unsettled => &["unsettled"],
            Self::Finished => &["finished"],
        }
    }

    /// How many others are told between what lets it happen and itself.
    pub(super) fn told_before(self) -> usize {
        usize::from(self == Self::Resumed)
    }

    /// Whether a command of a person lets it happen.
    pub(super) fn begins_by_command(self) -> bool {
        matches!(self, Self::Reconnected | Self::Resumed)
    }

    /// How long that takes about until the relay is asked.
    pub(super) fn begins_after(self) -> Duration {
        Duration::from_millis(if self.begins_by_command() { 100 } else { 0 })
    }

    /// Its inbox number `n`.
    pub(super) fn address(self, n: usize) -> String {
        format!("{}{n}@acme.example", self.name())
    }

    /// The time at which its inboxes are prepared: what is told after an hour began more than an hour ago.
    pub(super) fn prepared_at(self) -> Clock {
        match self {
            Self::Waiting => Clock::manual(Clock::system().now() - Duration::from_mins(70)),
            _ => Clock::system(),
        }
    }
}
