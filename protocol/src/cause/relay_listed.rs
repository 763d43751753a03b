//! The network address that the relay comes from is on somebody's list: no inbox's sign-in is at fault.

use super::concept::LISTED;
use super::said::Refused;
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;
use crate::reply::SmtpReply;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Relay,
        persistence: Persistence::Permanent,
        acts: Acts::Operator,
        title: "{provider} takes no mail from the relay's address",
        explanation: "{provider} turns the relay's own network address away, before any sign-in. Whoever runs the relay must have it taken off the list that the words below name, or let the relay send from another network; signing in again would not help.",
        remedy: Remedy::TellOperator,
    },
    claim: |evidence| {
        if !evidence.smtp().is_some_and(SmtpReply::is_permanent) || !evidence.says(LISTED) {
            return None;
        }
        // Before the sign-in the server knows nothing but the address.
        if evidence.stage == Stage::Greeting {
            Some(Claim::Worded)
        } else {
            (evidence.submits() && evidence.names_refused() == Some(Refused::Client))
                .then_some(Claim::Named)
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::smtp;
    vec![
        smtp(Stage::Greeting, 554, "5.7.1 Your address is on a blocklist"),
        smtp(
            Stage::Rcpt,
            554,
            "5.7.1 <unknown[192.0.2.1]>: Client host rejected: listed",
        ),
    ]
}
