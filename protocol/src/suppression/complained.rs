//! The lead reported a message as abuse (RFC 5965).

use super::Reason;

pub(super) static REASON: Reason = Reason {
    words: "Not sent: reported as abuse",
    goes_back: false,
};
