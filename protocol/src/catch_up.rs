//! What a campaign does once an outage of an inbox of its is over.

use serde::{Deserialize, Serialize};

/// How a campaign goes on after an outage that has held something of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "then", rename_all = "snake_case", deny_unknown_fields)]
pub enum AfterOutage {
    /// As fast as ever.
    #[default]
    GoOn,
    /// With fewer messages a day, for as long as the outage took.
    Slowly {
        /// Messages of it that are tried in 24 hours meanwhile.
        daily_cap: u32,
    },
    /// Not before a person lets it.
    Wait,
}
