//! A certificate authority made for one server of one test.
//! Deliberately absent: trusting it; who connects is given its PEM and decides.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A server certificate for `localhost` and `127.0.0.1`, and the authority that signed it.
#[derive(Debug)]
pub struct TestCertificate {
    /// What a client must trust.
    pub ca_pem: String,
    /// What the server shows.
    pub certificate_pem: String,
    /// The server's private key.
    pub key_pem: String,
}

impl TestCertificate {
    /// A new authority and a certificate of it.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let authority = TestAuthority::new()?;
        let (certificate_pem, key_pem) = authority.certify(&["localhost", "127.0.0.1"], None)?;
        Ok(Self {
            ca_pem: authority.ca_pem(),
            certificate_pem,
            key_pem,
        })
    }
}

/// An authority that signs what it is asked to. Apart from what it signs, because a client that checks well refuses an
/// authority's own certificate as a server's (RFC 5280 §4.2.1.9).
pub struct TestAuthority(CertifiedIssuer<'static, KeyPair>);

impl TestAuthority {
    /// A new one.
    pub fn new() -> Result<Self, rcgen::Error> {
        Self::named("authority of one test")
    }

    /// A new one of this name, by which a browser would look for it among those that it knows.
    pub fn named(name: &str) -> Result<Self, rcgen::Error> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        CertifiedIssuer::self_signed(authority, KeyPair::generate()?).map(Self)
    }

    /// What a client must trust.
    pub fn ca_pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names and its key, PEM; one that ended with this year where one is named.
    pub fn certify(
        &self,
        names: &[&str],
        ended: Option<i32>,
    ) -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate()?;
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut asked = CertificateParams::new(names)?;
        if let Some(year) = ended {
            asked.not_after = rcgen::date_time_ymd(year, 12, 31);
        }
        let certificate = asked.signed_by(&key, &self.0)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}
