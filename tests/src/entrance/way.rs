//! Each way onto a server with all that stands on it, and what a browser must know to come by it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{
    Entrance, Name, READY_WITHIN, chain_at, files_in, settings_behind_a_proxy, settings_by_acme,
    settings_of_its_own,
};
use crate::authority::Authority;
use crate::certificate::TestAuthority;
use crate::story::relay::{Relay, write_privately};
use crate::wait::wait_for;

/// How browsers come to a relay on a server: the ways of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Caddy ends TLS before it.
    Caddy,
    /// nginx does.
    Nginx,
    /// It has a certificate in two files.
    Own,
    /// It gets one by ACME.
    Acme,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Caddy, Self::Nginx, Self::Own, Self::Acme];
}

/// A way that is laid; what stands on it goes with it.
pub struct Front {
    way: Way,
    name: Name,
    ca_pem: String,
    entrance: Option<Entrance>,
    authority: Option<Authority>,
    /// Who signed the files of [`Way::Own`].
    signer: Option<TestAuthority>,
    folder: TempDir,
}

/// What a browser finds wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its time is over.
    Ended,
    /// It is for another name.
    OtherName,
    /// Nobody knows who signed it.
    Unknown,
}

/// What makes a browser trust a server of a test, and nothing else.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The authority, for a browser that has a list of its own.
    pub ca_pem: String,
    /// The keys of the certificates that are shown, for one that is told them: SHA-256 of each one's
    /// `SubjectPublicKeyInfo` (RFC 5280 §4.1), base64.
    pub keys: Vec<String>,
}

impl Front {
    /// Lays it as far as it goes without the relay, and says what the relay must be set to.
    pub async fn prepare(way: Way) -> Result<(Self, Vec<(&'static str, String)>)> {
        let name = Name::new()?;
        let folder = tempfile::tempdir()?;
        let (mut ca_pem, mut authority, mut signer) = (String::new(), None, None);
        let settings = match way {
            Way::Caddy | Way::Nginx => settings_behind_a_proxy(name)?,
            Way::Own => {
                let made = TestAuthority::new()?;
                write_pair(folder.path(), &made.certify(&["localhost"], None)?)?;
                ca_pem = made.ca_pem();
                signer = Some(made);
                settings_of_its_own(name, folder.path())?
            }
            Way::Acme => {
                let plain = Name::new()?.address();
                let lasts_for = Duration::from_hours(1);
                let made = Authority::start(name.address().port(), plain.port(), lasts_for).await?;
                let roots = folder.path().join("roots.pem");
                std::fs::write(&roots, made.ca_pem())?;
                ca_pem = made.root_pem().await?;
                let mut settings = settings_by_acme(name)?;
                settings.extend([
                    ("UNPAUSE_HTTP_LISTEN", plain.to_string()),
                    ("UNPAUSE_TLS__ACME__DIRECTORY", made.directory()),
                    ("UNPAUSE_TLS__ACME__ROOTS", roots.display().to_string()),
                ]);
                authority = Some(made);
                settings
            }
        };
        let front = Self {
            way,
            name,
            ca_pem,
            entrance: None,
            authority,
            signer,
            folder,
        };
        Ok((front, settings))
    }

    /// Lays the rest to a relay that runs, and waits until it can be gone.
    pub async fn open(&mut self, relay: &Relay) -> Result<()> {
        let entrance = match self.way {
            Way::Caddy => Some(Entrance::caddy(self.name, relay.address()).await?),
            Way::Nginx => Some(Entrance::nginx(self.name, relay.address()).await?),
            Way::Own | Way::Acme => None,
        };
        if let Some(entrance) = entrance {
            entrance.ca_pem().clone_into(&mut self.ca_pem);
            self.entrance = Some(entrance);
        }
        let look = async || chain_at(self.name, &self.ca_pem).await.ok();
        let shown = wait_for("the relay's certificate", look, READY_WITHIN).await;
        let said = self.authority.as_ref().map(Authority::said);
        shown.with_context(|| format!("{:?}: {said:?}", self.way))?;
        Ok(())
    }

    /// The address as browsers have it.
    pub fn url(&self) -> String {
        self.name.url()
    }

    /// The authority to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Puts a certificate with this flaw into the two files of [`Way::Own`], for a relay that is started again.
    pub fn spoil(&self, flaw: Flaw) -> Result<()> {
        let signer = self.signer.as_ref().context("it has no files")?;
        let pair = match flaw {
            Flaw::Ended => signer.certify(&["localhost"], Some(2025))?,
            Flaw::OtherName => signer.certify(&["other.acme.example"], None)?,
            Flaw::Unknown => TestAuthority::named("nobody known")?.certify(&["localhost"], None)?,
        };
        write_pair(self.folder.path(), &pair)
    }

    /// What a browser must know.
    pub async fn trust(&self) -> Result<Trust> {
        let chain = chain_at(self.name, &self.ca_pem).await?;
        let keys = chain.iter().map(|certificate| {
            let certificate = CertificateDer::from(certificate.as_slice());
            let parsed = ParsedCertificate::try_from(&certificate)?;
            Ok(STANDARD.encode(Sha256::digest(parsed.subject_public_key_info())))
        });
        Ok(Trust {
            ca_pem: self.ca_pem.clone(),
            keys: keys.collect::<Result<_>>()?,
        })
    }
}

/// A certificate and its key, in place of what stands there.
fn write_pair(folder: &Path, (certificate_pem, key_pem): &(String, String)) -> Result<()> {
    let (certificate, key) = files_in(folder);
    for (path, text) in [(certificate, certificate_pem), (key, key_pem)] {
        let new = path.with_extension("new");
        write_privately(&new, text)?;
        std::fs::rename(new, path)?;
    }
    Ok(())
}
