//! The certificate that the relay shows at its own address: where it comes from, that it is changed while connections go
//! on, and that its end is told beforehand. Connections are taken in `http`, and those that the relay opens itself are
//! `tls`'s.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use x509_parser::parse_x509_certificate;

use protocol::timestamp::Timestamp;

use crate::tls::words;

mod acme;
mod files;

pub use acme::{Answers, FailedRenewal, Keeper, ShownUntil};
pub use files::{Files, Followed};

/// What is spoken: nothing older (RFC 8996, RFC 9325 §3.1.1).
const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
/// What an authority asks for alone that looks for its proof (RFC 8737 §3).
const PROOF: &[u8] = b"acme-tls/1";
/// What is spoken within (RFC 7301).
const PROTOCOL: &[u8] = b"http/1.1";

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{setting} {path} cannot be read")]
    Unreadable {
        /// Its setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It holds nothing of that kind.
    #[error("{setting} {path} holds no {what}: expected PEM, as certificate authorities give it")]
    Empty {
        /// Its setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Others may read the key.
    #[error("tls.key {path} can be read by others (mode {mode:o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Certificate and key are not one another's, or of no kind that TLS takes.
    #[error("{certificate} and {key} cannot be used together: {why}")]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        why: String,
    },
    /// The TLS library cannot be set up.
    #[error("the TLS library refuses its settings")]
    Setup(#[from] rustls::Error),
}

/// A certificate with its key, and what it says of itself.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    /// From when it holds.
    begins_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl Certificate {
    /// Reads a chain and its key; what is wrong in words. `None` in place of words where there is no such thing in the
    /// text.
    fn parse(chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, Flaw> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<_, _>>()
            .map_err(|_| Flaw::NoCertificate)?;
        let first = chain.first().ok_or(Flaw::NoCertificate)?;
        let (begins_at, ends_at) = find_time(first).ok_or(Flaw::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| Flaw::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let key = key.map_err(|error| Flaw::Unfit(words::of_pair(&error)))?;
        Ok(Self {
            key: Arc::new(key),
            begins_at,
            ends_at,
        })
    }

    /// One that shows a proof, and its key (PKCS #8). It is not checked as others are: its extension is one that whoever
    /// does not look for the proof must refuse (RFC 8737 §3).
    fn of_proof(certificate: CertificateDer<'static>, key: Vec<u8>) -> Result<Self, rustls::Error> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
        let key = ring::default_provider()
            .key_provider
            .load_private_key(key)?;
        Ok(Self {
            key: Arc::new(CertifiedKey::new(vec![certificate], key)),
            begins_at: Timestamp::from_ms(0),
            ends_at: Timestamp::from_ms(0),
        })
    }

    /// When two thirds of its time are over.
    pub fn renew_at(&self) -> Timestamp {
        self.begins_at + self.ends_at.since(self.begins_at) * 2 / 3
    }

    /// Whether it is for this host, whoever vouches for it.
    pub fn is_for(&self, host: &str) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let certificate = self.key.end_entity_cert();
        let certificate = certificate.and_then(ParsedCertificate::try_from);
        match (certificate, ServerName::try_from(bare)) {
            (Ok(certificate), Ok(name)) => verify_server_name(&certificate, &name).is_ok(),
            _ => false,
        }
    }
}

/// What is wrong with a pair of texts.
enum Flaw {
    NoCertificate,
    NoKey,
    Unfit(String),
}

/// An error with all that lies below it.
fn words_of(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let _ = write!(words, ": {source}");
        below = source.source();
    }
    words
}

/// RFC 5280 §4.1.2.5.
fn find_time(certificate: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    let validity = parsed.validity();
    let [from, until] = [validity.not_before, validity.not_after]
        .map(|time| Timestamp::from_ms(time.timestamp().saturating_mul(1_000)));
    Some((from, until))
}

/// The certificate that is shown now, to be replaced at any time: whoever is connected stays so.
#[derive(Debug, Default)]
pub struct Shown(RwLock<Option<Certificate>>);

impl Shown {
    /// Shows this one from now on.
    pub fn replace(&self, certificate: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
    }

    /// Shows none any more.
    pub fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The one that is shown; `None` where there has not been one yet.
    pub fn current(&self) -> Option<Certificate> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current().map(|certificate| certificate.key)
    }
}

/// How the relay's own side of TLS is set up.
#[derive(Clone, Debug)]
pub struct Server {
    usual: Arc<ServerConfig>,
    /// For an authority that looks for its proof, and nobody else: nothing is said within.
    proving: Arc<ServerConfig>,
}

impl Server {
    /// One that shows what is there, and a proof to an authority that asks for one.
    pub fn new(shown: Arc<Shown>, proof: Arc<Shown>) -> Result<Self, CertificateError> {
        let set_up = |shown, protocol: &[u8]| {
            // The provider is named, so that nothing depends on which one a dependency installs.
            let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(VERSIONS)?
                .with_no_client_auth()
                .with_cert_resolver(shown);
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok::<_, CertificateError>(Arc::new(config))
        };
        Ok(Self {
            usual: set_up(shown, PROTOCOL)?,
            proving: set_up(proof, PROOF)?,
        })
    }

    /// How to go on with whoever begins so; `true` where it ends with the handshake.
    pub fn config_for(&self, hello: &ClientHello<'_>) -> (Arc<ServerConfig>, bool) {
        let asked = hello.alpn().map(Iterator::collect::<Vec<_>>);
        if asked.is_some_and(|asked| asked == [PROOF]) {
            (Arc::clone(&self.proving), true)
        } else {
            (Arc::clone(&self.usual), false)
        }
    }
}
