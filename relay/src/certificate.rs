//! The certificate that the relay shows at its own address: where it comes from, that it is changed while connections go
//! on, and that its end is told beforehand. Connections are taken in `http`, and those that the relay opens itself are
//! `tls`'s.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use x509_parser::parse_x509_certificate;

use protocol::timestamp::Timestamp;

mod files;

pub use files::{Files, Followed};

/// What is spoken: nothing older (RFC 8996, RFC 9325 §3.1.1).
const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
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
        let ends_at = find_end(first).ok_or(Flaw::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| Flaw::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let key = key.map_err(|error| Flaw::Unfit(error.to_string()))?;
        Ok(Self {
            key: Arc::new(key),
            ends_at,
        })
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

/// RFC 5280 §4.1.2.5.
fn find_end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    let seconds = parsed.validity().not_after.timestamp();
    Some(Timestamp::from_ms(seconds.saturating_mul(1_000)))
}

/// The certificate that is shown now, to be replaced at any time: whoever is connected stays so.
#[derive(Debug, Default)]
pub struct Shown(RwLock<Option<Certificate>>);

impl Shown {
    /// Shows this one from now on.
    pub fn replace(&self, certificate: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(certificate);
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
}

impl Server {
    /// One that shows what is there.
    pub fn new(shown: Arc<Shown>) -> Result<Self, CertificateError> {
        // The provider is named, so that nothing depends on which one a dependency installs.
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let mut usual = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)?
            .with_no_client_auth()
            .with_cert_resolver(shown);
        usual.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self {
            usual: Arc::new(usual),
        })
    }

    /// How to go on with whoever begins so.
    pub fn config_for(&self, _hello: &ClientHello<'_>) -> Arc<ServerConfig> {
        Arc::clone(&self.usual)
    }
}
