//! An earlier step bounced.

use super::Reason;

pub(super) static REASON: Reason = Reason {
    words: "Not sent: an earlier message bounced",
    goes_back: true,
};
