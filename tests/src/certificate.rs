//! A certificate authority made for one server of one test.
//! Deliberately absent: trusting it; who connects is given its PEM and decides.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A server certificate for `localhost` and `127.0.0.1`, and the authority that signed it.
pub struct TestCertificate {
    /// What a client must trust.
    pub ca_pem: String,
    /// What the server shows.
    pub certificate_pem: String,
    /// The server's private key.
    pub key_pem: String,
}

impl TestCertificate {
    /// A new authority and a certificate of it. Two, because a client that checks well refuses an
    /// authority's own certificate as a server's (RFC 5280 §4.2.1.9).
    pub fn generate() -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority
            .distinguished_name
            .push(DnType::CommonName, "authority of one test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        Ok(Self {
            ca_pem: authority.pem(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}
