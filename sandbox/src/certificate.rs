//! The test CA and the server's certificate, made at start; the CA may be kept in a folder.

use std::fs;
use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The names of this machine.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// `::1`
const LOOPBACK_V6: [u8; 16] = Ipv6Addr::LOCALHOST.octets();

/// What the certificate of the test CA is called in the folder that keeps it.
pub const CA_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The CA's files cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key is damaged, or no certificate could be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// rustls does not take what was made.
    #[error("cannot use the certificate")]
    Use(#[from] rustls::Error),
}

/// What the TLS servers need, and what clients must trust.
pub(crate) struct Certificate {
    pub(crate) ca_pem: String,
    pub(crate) server: Arc<ServerConfig>,
}

/// Makes the server's certificate by the CA of `folder`, or by one that nobody keeps.
pub(crate) fn create_certificate(folder: Option<&Path>) -> Result<Certificate, CertificateError> {
    let (ca_pem, key) = match folder {
        Some(folder) => load_or_create(folder)?,
        None => create_ca()?,
    };
    let issuer = Issuer::new(ca_params(), key);
    let server_key = KeyPair::generate()?;
    let mut params = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
    params.distinguished_name = name("Unpause sandbox");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&server_key, &issuer)?;
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(Certificate {
        ca_pem,
        server: Arc::new(server),
    })
}

fn load_or_create(folder: &Path) -> Result<(String, KeyPair), CertificateError> {
    let (ca_path, key_path) = (folder.join(CA_FILE), folder.join(KEY_FILE));
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |source| CertificateError::File { path, source }
    };
    if ca_path.exists() && key_path.exists() {
        let ca_pem = fs::read_to_string(&ca_path).map_err(at(&ca_path))?;
        let key = fs::read_to_string(&key_path).map_err(at(&key_path))?;
        return Ok((ca_pem, KeyPair::from_pem(&key)?));
    }
    fs::create_dir_all(folder).map_err(at(folder))?;
    let (ca_pem, key) = create_ca()?;
    write_secret(&key_path, &key.serialize_pem()).map_err(at(&key_path))?;
    fs::write(&ca_path, &ca_pem).map_err(at(&ca_path))?;
    Ok((ca_pem, key))
}

fn create_ca() -> Result<(String, KeyPair), CertificateError> {
    let key = KeyPair::generate()?;
    let pem = ca_params().self_signed(&key)?.pem();
    Ok((pem, key))
}

/// The same for every run, so that a kept key and a kept certificate fit together.
fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name("Unpause sandbox test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // RFC 5280 §4.2.1.10: whoever trusts this CA trusts it for this machine only.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(LOOPBACK_V6, 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Readable by the owner only, from its first byte on.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(text.as_bytes())
}
