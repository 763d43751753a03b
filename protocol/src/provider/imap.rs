//! Any IMAP and submission server that takes passwords: nothing is assumed that the standards do not promise.

use std::time::Duration;

use super::{DATA_TERMINATION, Provider, SentCopy, Submission};
use crate::budget::{CAUTIOUS, Usual};

pub(super) static PROVIDER: Provider = Provider {
    id: "imap",
    name: "your mail server",
    webmail: None,
    oauth: None,
    app_passwords: None,
    submission: Submission {
        // RFC 6409 says nothing of a copy.
        sent_copy: SentCopy::Client,
        // RFC 6409 §8.3 lets a server add a missing id and says nothing of replacing one.
        keeps_ids: true,
        settles_within: DATA_TERMINATION,
    },
    usual: Usual {
        // Nothing is known of it, so it is treated as the least of them.
        budget: CAUTIOUS,
        least_distance: Duration::ZERO,
    },
};
