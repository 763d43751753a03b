//! What a message that came back says of its inbox's standing: what was met, and by whose word.

use protocol::evidence::{Evidence, Party, Said, Stage};
use protocol::reply::SmtpReply;
use protocol::standing::{Refusal, Remote};
use protocol::timestamp::Timestamp;

use crate::engine::outcome::refusal_of_bounce;
use crate::store::doubt::Bounced;
use crate::store::inbox::Inbox;
use crate::text::arrival::{Diagnostic, Failure};

/// What a failure says, as the inbox's standing learns it. It is evidence like a reply after the body: the diagnostic
/// where it is a reply, else the status; whose it is, is not decided here.
pub(super) fn read_failure(inbox: &Inbox, failure: &Failure, now: Timestamp) -> Bounced {
    let mut reply = match &failure.diagnostic {
        Some(Diagnostic::Reply(reply)) => reply.clone(),
        Some(Diagnostic::Words(words)) => SmtpReply::parse(550, [words.as_str()]),
        None => SmtpReply::parse(550, [""]),
    };
    reply.enhanced = reply.enhanced.or(failure.status);
    let evidence = Evidence {
        party: Party::Smtp,
        stage: Stage::Body,
        said: Said::Smtp(reply),
        provider: inbox.provider.clone(),
        seen_at: now,
    };
    let own = [
        inbox.smtp.host.as_str(),
        inbox.imap.host.as_str(),
        inbox.address.domain(),
    ];
    Bounced {
        refusal: Refusal {
            words: failure.words(),
            ..refusal_of_bounce(&evidence)
        },
        remote: said_by(failure.remote_mta.as_deref(), &own),
    }
}

/// Who said it: `own` are the names of the provider's servers and the inbox's domain.
fn said_by(remote_mta: Option<&str>, own: &[&str]) -> Remote {
    let domain = organisation(remote_mta.unwrap_or_default());
    if domain.is_empty() || own.iter().any(|own| organisation(own) == domain) {
        Remote::Own
    } else {
        Remote::Other(domain)
    }
}

/// Second labels below which countries register.
const REGISTRIES: [&str; 8] = ["ac", "co", "com", "edu", "gov", "ne", "net", "org"];

/// The last two labels of a host name, three where a country registers below the second.
fn organisation(host: &str) -> String {
    let host = host.split_whitespace().next().unwrap_or_default();
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').filter(|label| !label.is_empty()).collect();
    let second = labels.len().checked_sub(2).and_then(|idx| labels.get(idx));
    let is_country = labels.last().is_some_and(|label| label.len() == 2);
    let is_registry = second.is_some_and(|label| REGISTRIES.contains(label));
    let n = if is_country && is_registry { 3 } else { 2 };
    let from = labels.len().saturating_sub(n);
    labels.get(from..).unwrap_or_default().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_by_whom_it_was_met() {
        let other = Remote::Other("a.example".to_owned());
        for (remote, own, expected) in [
            (Some("mx1.a.example"), "smtp.acme.example", other),
            (Some("MX1.a.example"), "smtp.a.example", Remote::Own),
            (Some(""), "acme.example", Remote::Own),
            (None, "acme.example", Remote::Own),
        ] {
            assert_eq!(said_by(remote, &[own]), expected, "{remote:?}");
        }
    }

    #[test]
    fn hosts_of_one_organisation_are_one() {
        for (host, expected) in [
            ("mx1.mail.a.example", "a.example"),
            ("a.example.", "a.example"),
            ("mx.a.co.uk", "a.co.uk"),
            ("mx.uk", "mx.uk"),
            ("localhost (10.0.0.1)", "localhost"),
            ("", ""),
        ] {
            assert_eq!(organisation(host), expected, "{host}");
        }
    }
}
