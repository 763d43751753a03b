//! The lead answered.

use super::Reason;

pub(super) static REASON: Reason = Reason {
    words: "Not sent: answered",
    goes_back: false,
};
