//! The address at which browsers reach the relay: its name and its certificate.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::inbox::{MailServer, TlsMode};
use protocol::shown;
use protocol::timestamp::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, RootCertStore};
use x509_parser::parse_x509_certificate;

use super::dns::{Answer, Dns};
use super::finding::Finding;
use crate::config::{Config, PublicUrl, Tls};
use crate::tls::{Dialer, words};

/// How long before its end a certificate is told of, unless its whole life is short.
const AHEAD: Duration = Duration::from_hours(14 * 24);

/// The name in the DNS; nothing is said of an address.
pub(super) async fn look_at_name(dns: &Dns, host: &str) -> Option<Finding> {
    let check = "address";
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() || host == "localhost" {
        return None;
    }
    Some(match dns.addresses(host).await {
        Answer::Found(addresses) => {
            let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            Finding::ok(check, host, words.join(", "))
        }
        Answer::Nothing | Answer::NoName => Finding::broken(
            check,
            host,
            "the name has no address, so no browser finds the relay",
            "publish an A or AAAA record of this machine, or correct public_url",
        ),
        Answer::Silent(words) => Finding::warning(
            check,
            host,
            format!("not known: the DNS server gave no answer that can be used ({words})"),
            "run this again; if it stays so, look at the DNS server of this machine (`dns_server`)",
        ),
    })
}

/// The certificate that browsers are shown: the relay's own, or its proxy's.
pub(super) async fn look_at_certificate(
    config: &Config,
    public: &PublicUrl,
    dialer: &Dialer,
    extra_roots: Option<&[u8]>,
    now: Timestamp,
) -> Finding {
    let host = public.host();
    if let Some(Tls::Files { certificate, .. }) = &config.tls {
        return look_at_file(certificate, host, extra_roots, now);
    }
    let server = MailServer {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: public.port(),
        tls: TlsMode::Implicit,
    };
    let tcp = match dialer.reach(&server, true).await {
        Ok(tcp) => tcp,
        Err(said) => {
            return Finding::warning(
                "certificate",
                server.to_string(),
                format!(
                    "nobody answers there from this machine: {}",
                    shown::line(&said.to_string())
                ),
                "see that the proxy runs; many networks do not let a machine reach its own public address, so try from elsewhere too",
            );
        }
    };
    match dialer.secure(&server, tcp).await {
        Ok(stream) => {
            let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
            judge_time(&server.to_string(), shown.first(), now)
        }
        Err(said) => Finding::broken(
            "certificate",
            server.to_string(),
            format!("a browser refuses it: {}", shown::line(&said.to_string())),
            "let the proxy show a certificate for this name, with all that stand between it and its root",
        ),
    }
}

fn look_at_file(path: &Path, host: &str, extra_roots: Option<&[u8]>, now: Timestamp) -> Finding {
    let about = path.display().to_string();
    let broken =
        |found: String, action: &str| Finding::broken("certificate", about.clone(), found, action);
    let again = "renew it, and let the file have the certificate first and then those between it and its root";
    let pem = match std::fs::read(path) {
        Ok(pem) => pem,
        Err(error) => return broken(format!("it cannot be read: {error}"), again),
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let Some((first, between)) = chain.as_ref().ok().and_then(|chain| chain.split_first()) else {
        return broken("there is no certificate in it".to_owned(), again);
    };
    match verify(first, between, host, extra_roots, now) {
        Ok(()) => judge_time(&about, Some(first), now),
        Err(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => broken("it has ended".to_owned(), "renew it"),
        Err(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => broken(
            format!("it is not for {host}"),
            "get one for the host of public_url",
        ),
        Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => broken(
            "browsers cannot follow it to a root: those between it and its root are missing, or its root is no public one"
                .to_owned(),
            "put the whole chain into the file (often `fullchain.pem`); name a root of your own as extra_roots_file",
        ),
        Err(error) => broken(format!("browsers refuse it: {}", words::of_root(&error)), again),
    }
}

fn verify(
    first: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    host: &str,
    extra_roots: Option<&[u8]>,
    now: Timestamp,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let extra = extra_roots.unwrap_or_default();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(extra).flatten());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let name =
        ServerName::try_from(host).map_err(|error| rustls::Error::General(error.to_string()))?;
    let seconds = u64::try_from(now.as_ms() / 1_000).unwrap_or(0);
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier
        .verify_server_cert(first, between, &name, &[], now)
        .map(drop)
}

/// A certificate that browsers take today.
fn judge_time(about: &str, certificate: Option<&CertificateDer<'_>>, now: Timestamp) -> Finding {
    let check = "certificate";
    let parsed = certificate.and_then(|der| Some(parse_x509_certificate(der).ok()?.1));
    let Some(parsed) = parsed else {
        return Finding::ok(check, about, "browsers take it; its end cannot be read");
    };
    let at = |seconds: i64| Timestamp::from_ms(seconds.saturating_mul(1_000));
    let validity = parsed.validity();
    let (from, until) = (
        at(validity.not_before.timestamp()),
        at(validity.not_after.timestamp()),
    );
    let found = format!("browsers take it, until {until}");
    let ahead = AHEAD.min(until.since(from) / 5);
    if until.since(now) < ahead {
        Finding::warning(
            check,
            about,
            found,
            "see that what renews it runs: it should have been renewed by now",
        )
    } else {
        Finding::ok(check, about, found)
    }
}
