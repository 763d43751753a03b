//! The faults that are switched on now. What they do stands where they are read.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a scripted reply takes the place of the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The verdict on AUTH.
    Auth,
    /// The reply to MAIL.
    Mail,
    /// The reply to RCPT.
    Rcpt,
    /// The reply to DATA, before the body.
    Data,
    /// The reply after the final dot.
    AfterData,
}

/// How often the connection is lost right after the final dot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DropAfterData {
    /// The probability, for each message.
    pub chance: f64,
    /// In which share of these the message was stored, delivered and copied first.
    pub stored_share: f64,
}

/// Every fault that is on.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) drop_after_data: Option<DropAfterData>,
    /// By recipient, the reply line in place of 250.
    pub(crate) refused_recipients: HashMap<String, Vec<u8>>,
    pub(crate) next_replies: HashMap<Stage, VecDeque<Vec<u8>>>,
    pub(crate) down: bool,
    pub(crate) smtp_auth_off: bool,
    pub(crate) garbage: bool,
    pub(crate) slow: Duration,
    /// No client's redirect address is known.
    pub(crate) redirects_forgotten: bool,
    /// No client's secret is good.
    pub(crate) secrets_over: bool,
    /// Answers to visits name another issuer.
    pub(crate) other_issuer: bool,
    /// The `error` and `error_description` that the next visit is sent back with.
    pub(crate) next_visit_refused: Option<(String, String)>,
}

impl Faults {
    pub(crate) fn take_reply(&mut self, stage: Stage) -> Option<Vec<u8>> {
        self.next_replies.get_mut(&stage)?.pop_front()
    }
}
