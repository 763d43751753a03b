//! What the TLS library met, in words that say what to mend. Its own names stand behind them in parentheses where they
//! say more, for whoever looks for them.

use protocol::timestamp::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, InconsistentKeys, PeerIncompatible};

/// How many names of a certificate are told.
const NAMES_TOLD: usize = 5;

/// What a server met us with, or was met with. An expired certificate and one for another name are told in the terms
/// that are shown on cards.
pub(crate) fn of_server(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(certificate) => of_certificate(certificate),
        rustls::Error::InvalidMessage(_) => {
            format!("the server does not speak TLS at this port ({error})")
        }
        rustls::Error::AlertReceived(alert) => {
            let why = match alert {
                AlertDescription::ProtocolVersion => {
                    "the server takes another version of TLS than 1.2 and 1.3"
                }
                AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                    "the server and the relay have no encryption in common"
                }
                AlertDescription::UnrecognisedName => "the server does not know its name",
                AlertDescription::CertificateRequired => {
                    "the server takes only clients with a certificate of their own"
                }
                _ => "the server ended the connection while it was being encrypted",
            };
            format!("{why} ({alert:?})")
        }
        rustls::Error::PeerIncompatible(why) => {
            let words = match why {
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
                    "the server takes no version of TLS from 1.2 on"
                }
                _ => "the server and the relay have no encryption in common",
            };
            format!("{words} ({why:?})")
        }
        rustls::Error::PeerMisbehaved(why) => {
            format!("the server breaks the rules of TLS ({why:?})")
        }
        rustls::Error::NoCertificatesPresented => "the server showed no certificate".to_owned(),
        other => format!("the connection could not be encrypted ({other})"),
    }
}

fn of_certificate(certificate: &CertificateError) -> String {
    let at = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        Timestamp::from_ms(seconds.saturating_mul(1_000))
    };
    match certificate {
        CertificateError::Expired => "the server's certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the server's certificate expired at {}", at(not_after))
        }
        CertificateError::NotValidYet => {
            "the server's certificate is not valid yet; the clock of this machine may be wrong"
                .to_owned()
        }
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "the server's certificate is not valid before {}; the clock of this machine may be wrong",
            at(not_before)
        ),
        CertificateError::NotValidForName => {
            "the server's certificate is for another name".to_owned()
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "the server's certificate is not for {} but for {}",
            expected.to_str(),
            render_names(presented)
        ),
        CertificateError::UnknownIssuer => {
            "nobody whom the relay trusts vouches for the server's certificate (unknown issuer)"
                .to_owned()
        }
        other => format!(
            "the server's certificate is not accepted: {}",
            flaw_of(other)
        ),
    }
}

/// What is wrong with a certificate, whoever shows it: what follows *it*.
pub(crate) fn flaw_of(certificate: &CertificateError) -> String {
    let words = match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name"
        }
        CertificateError::UnknownIssuer => "nobody who is trusted vouches for it",
        CertificateError::BadEncoding => "it cannot be read as a certificate",
        CertificateError::Revoked => "whoever gave it took it back",
        CertificateError::BadSignature => "it was not signed by whom it names",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not one for servers"
        }
        CertificateError::UnhandledCriticalExtension => {
            "it demands something that nobody here knows (a critical extension)"
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not taken"
        }
        CertificateError::Other(inner) => return of_path(&inner.to_string()),
        other => return format!("it does not hold ({other:?})"),
    };
    words.to_owned()
}

/// What the library that checks certificates calls by a name of its own alone (rustls-webpki, `Error`).
fn of_path(named: &str) -> String {
    let known = [
        (
            "CaUsedAsEndEntity",
            "it is the certificate of an authority, where the one of the server itself is expected",
        ),
        (
            "EndEntityUsedAsCa",
            "it was signed with the certificate of a server, where an authority's is expected",
        ),
        (
            "UnsupportedCertVersion",
            "it is of an old form; expected version 3, as `openssl req -x509` makes it with -addext subjectAltName=…",
        ),
        (
            "PathLenConstraintViolated",
            "an authority above it may not vouch for others",
        ),
        (
            "NameConstraintViolation",
            "an authority above it may not vouch for its name",
        ),
    ];
    let words = known.iter().find(|(name, _)| named.starts_with(name));
    let words = words.map_or("it does not hold", |(_, words)| words);
    format!("{words} ({named})")
}

/// Why a certificate cannot be a root.
pub(crate) fn of_root(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(certificate) => flaw_of(certificate),
        other => other.to_string(),
    }
}

/// Why a certificate and a key are no pair.
pub(crate) fn of_pair(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the key is not the one of this certificate".to_owned()
        }
        rustls::Error::InvalidCertificate(certificate) => {
            format!("of the certificate: {}", flaw_of(certificate))
        }
        rustls::Error::General(words) => {
            format!(
                "the key is of no kind that TLS takes: expected ECDSA (P-256, P-384), Ed25519 or RSA with 2048 bits or more ({words})"
            )
        }
        other => format!("TLS does not take them ({other})"),
    }
}

/// The library writes each as `DnsName("smtp.acme.example")`.
fn render_names(presented: &[String]) -> String {
    let mut names: Vec<&str> = presented
        .iter()
        .take(NAMES_TOLD)
        .map(|name| name.split('"').nth(1).unwrap_or(name))
        .collect();
    if names.is_empty() {
        names.push("no name at all");
    } else if presented.len() > NAMES_TOLD {
        names.push("others");
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[derive(Debug)]
    struct Named(&'static str);

    impl std::fmt::Display for Named {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Named {}

    #[test]
    fn what_the_library_names_is_said_in_words() {
        let of_path = |name| CertificateError::Other(OtherError(Arc::new(Named(name)))).into();
        for (error, expected) in [
            (
                of_path("CaUsedAsEndEntity"),
                "the server's certificate is not accepted: it is the certificate of an authority, where the one of the \
                 server itself is expected (CaUsedAsEndEntity)",
            ),
            (
                of_path("SomethingNew"),
                "the server's certificate is not accepted: it does not hold (SomethingNew)",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::InvalidPurpose),
                "the server's certificate is not accepted: it is not one for servers",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
                "the server and the relay have no encryption in common (HandshakeFailure)",
            ),
            (
                rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                "the server takes no version of TLS from 1.2 on (ServerDoesNotSupportTls12Or13)",
            ),
            (
                rustls::Error::General("x".to_owned()),
                "the connection could not be encrypted (unexpected error: x)",
            ),
        ] {
            assert_eq!(of_server(&error), expected);
        }
        let pair = of_pair(&rustls::Error::InconsistentKeys(
            InconsistentKeys::KeyMismatch,
        ));
        assert_eq!(pair, "the key is not the one of this certificate");
    }
}
