//! How fast an inbox may send. When its next message may leave is the relay's to compute from it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest distance between two messages that can be asked for.
pub const DISTANCE_AT_MOST: Duration = Duration::from_hours(24);
/// The greatest daily cap that can be asked for: ten times what Microsoft 365, the largest of the providers' published
/// limits, lets a mailbox send in a day.
pub const DAILY_CAP_AT_MOST: u32 = 100_000;

/// How fast an inbox sends at the most, whatever its campaigns have to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// From one message to the next, a fifth more or less; zero: as fast as the server takes them.
    pub distance: Duration,
    /// Messages that are tried in 24 hours; `None`: as many as there are.
    pub daily_cap: Option<u32>,
}

/// What a provider's inboxes begin with, and what they are never to undercut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The budget of an inbox whose owner asked for none.
    pub budget: Budget,
    /// The shortest distance that the provider's own rate limit allows; no jitter goes below it. Zero where it states
    /// none.
    pub least_distance: Duration,
}

/// What an inbox waits for that could send otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// Its distance to the last message.
    Distance,
    /// Its daily cap is used up.
    DailyCap,
    /// The relay was started a moment ago, or its database was put back: copies of what was sent before may still come
    /// to the sent folder, and what has one is not sent again.
    Copies,
}

/// What an inbox of a provider begins with that is known for nothing else: 50 messages a day, 90 seconds apart.
///
/// Published limits (500 messages a day for a personal Gmail account, 2,000 in Google Workspace, 10,000 recipients in
/// Microsoft 365) are where an account is suspended. What strangers' servers think of a mailbox is lost much earlier:
/// those who write to strangers keep to 30 to 50 a day for each mailbox. At 90 seconds such a day's messages take an
/// hour and a quarter, and an hour's share is 40, below the 50 to 100 an hour at which small hosts cut off.
pub const CAUTIOUS: Budget = Budget {
    distance: Duration::from_secs(90),
    daily_cap: Some(50),
};
