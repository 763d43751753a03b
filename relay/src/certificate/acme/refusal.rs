//! Why there is no certificate this time: who refused what, what a person can do about it, and how long the authority is
//! left alone. Decided on values alone; who asks is [`super`].

use std::path::PathBuf;
use std::time::Duration;

use instant_acme::{Error, Problem};
use protocol::shown;

use crate::config::AcmeChallenge;

/// The first rest after a refusal; each further one in a row is twice as long. Let's Encrypt lets a name fail five times
/// an hour (letsencrypt.org, "Rate Limits").
const REST: Duration = Duration::from_mins(2);
/// The same where the authority was not reached, and has counted nothing.
const SHORT_REST: Duration = Duration::from_secs(5);
const REST_AT_MOST: Duration = Duration::from_hours(6);
/// How long an authority may wish to be left alone.
const WISH_AT_MOST: Duration = Duration::from_hours(24);

/// Why there is no certificate this time.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// It was not reached, or speaks something else.
    #[error(
        "the certificate authority {authority} cannot be asked: look whether this server reaches it (DNS, firewall), and at tls.acme.directory and tls.acme.roots"
    )]
    Unreachable {
        /// Its host.
        authority: String,
        /// Why.
        source: Error,
    },
    /// It said no.
    #[error("the certificate authority {authority} refused {what}: {said}; {advice}")]
    Refused {
        /// Its host.
        authority: String,
        /// What was asked.
        what: &'static str,
        /// The last word of the problem's type (RFC 8555 §6.7).
        kind: String,
        /// Its words.
        said: String,
        /// What a person can do.
        advice: &'static str,
    },
    /// It did not see that the name is ours.
    #[error(
        "the certificate authority {authority} did not find this relay at {host}: {said}; {advice}"
    )]
    Unproved {
        /// Its host.
        authority: String,
        /// The name.
        host: String,
        /// Its words.
        said: String,
        /// What a person can do.
        advice: &'static str,
    },
    /// It does not offer this way to prove it.
    #[error(
        "the certificate authority {authority} offers no {challenge}: set tls.acme.challenge to the other one"
    )]
    NotOffered {
        /// Its host.
        authority: String,
        /// The way.
        challenge: &'static str,
    },
    /// What it gave cannot be used.
    #[error("the certificate of the authority cannot be used: {0}")]
    Unfit(String),
    /// What was got cannot be kept.
    #[error("{path} cannot be written")]
    Storage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl AcmeError {
    /// What an authority's answer to something means.
    pub(super) fn read(
        authority: &str,
        what: &'static str,
        challenge: AcmeChallenge,
        error: Error,
    ) -> Self {
        let authority = authority.to_owned();
        match error {
            Error::Api(problem) => Self::Refused {
                authority,
                what,
                advice: advice_on(&kind_of(&problem), challenge),
                said: words_of(&problem),
                kind: kind_of(&problem),
            },
            source => Self::Unreachable { authority, source },
        }
    }

    /// What its looking at a name came to.
    pub(super) fn unproved(
        authority: &str,
        host: &str,
        challenge: AcmeChallenge,
        problems: &[Problem],
    ) -> Self {
        let said: Vec<_> = problems.iter().map(words_of).collect();
        let kind = problems.first().map(kind_of).unwrap_or_default();
        Self::Unproved {
            authority: authority.to_owned(),
            host: host.to_owned(),
            said: said.join("; "),
            advice: advice_on(&kind, challenge),
        }
    }

    /// Whether the account that was used is none there.
    pub(super) fn is_of_account(&self) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == "accountDoesNotExist")
    }

    /// Whether it would have been taken with a fresher nonce (RFC 8555 §6.5).
    pub(super) fn is_of_nonce(&self) -> bool {
        matches!(self, Self::Refused { kind, .. } if kind == "badNonce")
    }

    /// Whether the authority, asked for an order, has none.
    pub(super) fn has_no_order(&self) -> bool {
        let for_now = ["rateLimited", "serverInternal", "badNonce"];
        matches!(self, Self::Refused { kind, .. } if !for_now.contains(&kind.as_str()))
    }

    /// Whether the order that it came to can be gone on with.
    pub(super) fn leaves_order(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Storage { .. } => true,
            Self::Refused { kind, .. } => {
                ["rateLimited", "serverInternal", "badNonce", ""].contains(&kind.as_str())
            }
            Self::Unproved { .. } | Self::NotOffered { .. } | Self::Unfit(_) => false,
        }
    }
}

/// How long the authority is left alone after this error, the `in_row`th without a certificate (from 1), where it
/// wished for some time or for none.
pub(super) fn rest_after(error: &AcmeError, in_row: u32, wish: Option<Duration>) -> Duration {
    let first = match error {
        AcmeError::Unreachable { .. } if wish.is_none() => SHORT_REST,
        _ => REST,
    };
    let doubled = 2_u32.saturating_pow(in_row.saturating_sub(1));
    let rest = first.saturating_mul(doubled).min(REST_AT_MOST);
    match wish.map(|wish| wish.min(WISH_AT_MOST)) {
        // What it says is believed once: one that says a second each time is not asked each second.
        Some(wish) if in_row <= 1 => wish,
        Some(wish) => wish.max(rest),
        None => rest,
    }
}

fn kind_of(problem: &Problem) -> String {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.rsplit(':').next().unwrap_or_default().to_owned()
}

/// Its words, which are a stranger's, in one line.
fn words_of(problem: &Problem) -> String {
    let words = problem.detail.as_deref().or(problem.r#type.as_deref());
    let words = words.unwrap_or("it does not say why");
    shown::line(words).trim_end_matches('.').to_owned()
}

/// What a person can do about a problem of this type (RFC 8555 §6.7).
fn advice_on(kind: &str, challenge: AcmeChallenge) -> &'static str {
    use AcmeChallenge::{Http01, TlsAlpn01};
    match (kind, challenge) {
        ("dns", _) => {
            "the name needs DNS records (A, AAAA) with this server's addresses; a new one may take a while to be seen"
        }
        // Which of these it is differs between authorities.
        ("connection" | "unauthorized" | "incorrectResponse" | "tls", TlsAlpn01) => {
            "port 443 of the name must lead from the internet to this relay and nothing else: look at its DNS records, at firewalls and port forwarding, and for a program that ends TLS before it (behind one, set tls.acme.challenge to http-01)"
        }
        ("connection" | "unauthorized" | "incorrectResponse" | "tls", Http01) => {
            "port 80 of the name must lead from the internet to http_listen of this relay and nothing else: look at its DNS records, at firewalls and at port forwarding"
        }
        ("caa", _) => "the CAA record of the domain must name this authority, or be taken away",
        ("rateLimited", _) => {
            "it is asked again when it wishes; for trying things out, set tls.acme.directory to staging"
        }
        ("externalAccountRequired", _) => {
            "set tls.acme.eab_key_id and tls.acme.eab_key to what the authority gives you"
        }
        ("userActionRequired", _) => "it wants something of you first, as it says",
        ("rejectedIdentifier" | "unsupportedIdentifier", _) => {
            "public_url needs a name that this authority gives certificates for: one in public DNS"
        }
        ("invalidContact" | "unsupportedContact", _) => {
            "set tls.acme.contact to an address that takes mail, or leave it out"
        }
        _ => "it is asked again by itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str) -> Problem {
        serde_json::from_value(serde_json::json!({
            "type": format!("urn:ietf:params:acme:error:{kind}"),
            "detail": "words\u{1b}[31m of its own.",
        }))
        .unwrap()
    }

    fn refused(kind: &str) -> AcmeError {
        let error = Error::Api(problem(kind));
        AcmeError::read("ca.example", "an order", AcmeChallenge::Http01, error)
    }

    fn unreachable() -> AcmeError {
        let error = Error::Str("nothing");
        AcmeError::read("ca.example", "an order", AcmeChallenge::Http01, error)
    }

    #[test]
    fn a_refusal_says_what_was_refused_by_whom_and_what_to_do() {
        let told = refused("rateLimited").to_string();
        assert_eq!(
            told,
            "the certificate authority ca.example refused an order: words␛[31m of its own; it is asked again when \
             it wishes; for trying things out, set tls.acme.directory to staging"
        );
        for (kind, challenge, words) in [
            ("dns", AcmeChallenge::TlsAlpn01, "needs DNS records"),
            (
                "connection",
                AcmeChallenge::TlsAlpn01,
                "port 443 of the name must lead",
            ),
            (
                "connection",
                AcmeChallenge::Http01,
                "to http_listen of this relay",
            ),
            (
                "unauthorized",
                AcmeChallenge::TlsAlpn01,
                "a program that ends TLS before it",
            ),
            (
                "tls",
                AcmeChallenge::Http01,
                "port 80 of the name must lead",
            ),
            ("caa", AcmeChallenge::Http01, "CAA record"),
            (
                "somethingNew",
                AcmeChallenge::Http01,
                "asked again by itself",
            ),
        ] {
            let error =
                AcmeError::unproved("ca.example", "relay.example", challenge, &[problem(kind)]);
            let told = error.to_string();
            let start = "the certificate authority ca.example did not find this relay at relay.example: words";
            assert!(
                told.starts_with(start) && told.contains(words),
                "{kind}: {told}"
            );
        }
    }

    #[test]
    fn an_authority_is_left_alone_longer_each_time_and_as_long_as_it_wishes() {
        let seconds = |error: &AcmeError, in_row, wish: Option<u64>| {
            rest_after(error, in_row, wish.map(Duration::from_secs)).as_secs()
        };
        let limited = refused("rateLimited");
        for (in_row, wish, expected) in [
            (1, None, 120),
            (2, None, 240),
            (3, None, 480),
            (9, None, 21_600),
            (u32::MAX, None, 21_600),
            (1, Some(3), 3),
            (2, Some(3), 240),
            (1, Some(3_600), 3_600),
            (2, Some(3_600), 3_600),
            (1, Some(1_000_000), 86_400),
            (1, Some(0), 0),
            (2, Some(0), 240),
        ] {
            assert_eq!(
                seconds(&limited, in_row, wish),
                expected,
                "{in_row} {wish:?}"
            );
        }
        assert_eq!(seconds(&unreachable(), 1, None), 5);
        assert_eq!(seconds(&unreachable(), 2, None), 10);
        assert_eq!(seconds(&unreachable(), 30, None), 21_600);
        assert_eq!(seconds(&unreachable(), 2, Some(60)), 240);
    }

    #[test]
    fn an_order_is_gone_on_with_unless_it_was_the_one_refused() {
        assert!(unreachable().leaves_order());
        assert!(refused("rateLimited").leaves_order());
        assert!(!refused("malformed").leaves_order());
        assert!(!refused("unauthorized").leaves_order());
        assert!(refused("malformed").has_no_order());
        assert!(!refused("badNonce").has_no_order());
        assert!(!unreachable().has_no_order());
        assert!(refused("badNonce").is_of_nonce());
        assert!(refused("accountDoesNotExist").is_of_account());
        assert!(!refused("unauthorized").is_of_account());
    }
}
