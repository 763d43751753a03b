//! A person ended the lead.

use super::Reason;

pub(super) static REASON: Reason = Reason {
    words: "Not sent: ended by a person",
    goes_back: false,
};
