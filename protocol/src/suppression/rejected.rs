//! An earlier step was refused.

use super::Reason;

pub(super) static REASON: Reason = Reason {
    words: "Not sent: an earlier message was refused",
    goes_back: true,
};
