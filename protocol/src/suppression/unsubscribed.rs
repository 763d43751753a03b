//! The lead asked not to be written to any more.

use super::Reason;

pub(super) static REASON: Reason = Reason {
    words: "Not sent: unsubscribed",
    goes_back: false,
};
