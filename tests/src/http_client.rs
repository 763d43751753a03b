//! The HTTP client of the scripted person: cookies as a browser keeps them, redirects left to the
//! caller, loopback only (no proxy of the environment).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// No server of a test takes longer to answer one request.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The text is not the PEM of certificates.
    #[error("the test's authority is not a PEM certificate")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The TLS library refuses the certificate or the settings.
    #[error("the test's authority is refused")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refuses the settings.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
}

/// An HTTP client with an empty cookie jar that trusts exactly these authorities.
pub fn http_client(ca_pems: &[&str]) -> Result<reqwest::Client, ClientError> {
    Ok(prepare(ca_pems, ANSWER_WITHIN)?.build()?)
}

/// An HTTP client for a server without TLS that may take this long to answer: the one that listens on `socket`,
/// whatever address is named, or the one at the address.
pub fn http_client_within(
    within: Duration,
    socket: Option<&Path>,
) -> Result<reqwest::Client, ClientError> {
    let mut client = prepare(&[], within)?;
    if let Some(socket) = socket {
        client = client.unix_socket(socket);
    }
    Ok(client.build()?)
}

/// An HTTP client of the server that listens on a Unix socket, whatever address is named.
pub fn http_client_at(socket: &Path) -> Result<reqwest::Client, ClientError> {
    http_client_within(ANSWER_WITHIN, Some(socket))
}

fn prepare(ca_pems: &[&str], within: Duration) -> Result<reqwest::ClientBuilder, ClientError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls_config(ca_pems)?)
        .redirect(reqwest::redirect::Policy::none())
        .cookie_store(true)
        .no_proxy()
        .timeout(within))
}

/// TLS that trusts exactly these authorities.
pub(crate) fn tls_config(ca_pems: &[&str]) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    for pem in ca_pems {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate?)?;
        }
    }
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
