//! A certificate authority that speaks ACME: Let's Encrypt's own for tests (pebble), which checks names as the real one
//! does, with a name server that sends every name to this computer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::certificate::TestCertificate;
use crate::child::Child;
use crate::free_port::{accepts, free_address};
use crate::http_client::http_client;
use crate::programs::find_program;

mod gate;

pub use gate::{Asked, Gate, directory_at};

/// Long enough for a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// An authority that runs.
#[derive(Debug)]
pub struct Authority {
    address: SocketAddr,
    management: SocketAddr,
    /// What it shows, and whom to trust when it is asked.
    certificate: TestCertificate,
    child: Child,
    _names: Child,
    _folder: TempDir,
}

impl Authority {
    /// One that looks for proofs at these ports, and whose certificates last so long.
    pub async fn start(tls_port: u16, http_port: u16, lasts_for: Duration) -> Result<Self> {
        Self::start_for(tls_port, http_port, lasts_for, None).await
    }

    /// The same for those alone who have this account, by its name and its key (base64url), where one is named.
    pub async fn start_for(
        tls_port: u16,
        http_port: u16,
        lasts_for: Duration,
        account: Option<(&str, &str)>,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let made = TestCertificate::generate()?;
        let path = |file: &str| folder.path().join(file);
        std::fs::write(path("certificate.pem"), &made.certificate_pem)?;
        std::fs::write(path("key.pem"), &made.key_pem)?;
        let [listen, management, resolver, names] = [
            free_address()?,
            free_address()?,
            free_address()?,
            free_address()?,
        ];
        let config = serde_json::json!({ "pebble": {
            "listenAddress": listen,
            "managementListenAddress": management,
            "certificate": path("certificate.pem"),
            "privateKey": path("key.pem"),
            "httpPort": http_port,
            "tlsPort": tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": account.is_some(),
            "externalAccountMACKeys": BTreeMap::from_iter(account),
            "certificateValidityPeriod": lasts_for.as_secs(),
        }});
        std::fs::write(path("pebble.json"), config.to_string())?;
        let program = find_program("pebble-challtestsrv").context("pebble is not installed")?;
        let mut command = Command::new(program);
        command
            .args([
                "-dns01",
                &resolver.to_string(),
                "-management",
                &names.to_string(),
            ])
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""]);
        let mut served = Child::start("names", command, folder.path())?;
        let look = async || accepts(names).await.then_some(());
        served
            .wait_until("the name server to listen", look, READY_WITHIN)
            .await?;
        let program = find_program("pebble").context("pebble is not installed")?;
        let mut command = Command::new(program);
        command
            .arg("-config")
            .arg(path("pebble.json"))
            .args(["-dnsserver", &resolver.to_string()])
            // It waits up to 15 s before it looks, as a real one may.
            .env("PEBBLE_VA_NOSLEEP", "1")
            // Each order is proved.
            .env("PEBBLE_AUTHZREUSE", "0");
        let mut child = Child::start("pebble", command, folder.path())?;
        let look = async || (accepts(listen).await && accepts(management).await).then_some(());
        child
            .wait_until("pebble to listen", look, READY_WITHIN)
            .await?;
        Ok(Self {
            address: listen,
            management,
            certificate: made,
            child,
            _names: served,
            _folder: folder,
        })
    }

    /// Its directory.
    pub fn directory(&self) -> String {
        directory_at(self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn certificate(&self) -> &TestCertificate {
        &self.certificate
    }

    /// Whom to trust when it is asked.
    pub fn ca_pem(&self) -> &str {
        &self.certificate.ca_pem
    }

    /// The root of what it signs, made anew at each of its starts.
    pub async fn root_pem(&self) -> Result<String> {
        let url = format!("https://localhost:{}/roots/0", self.management.port());
        let answer = http_client(&[self.ca_pem()])?.get(url).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    /// What it has said.
    pub fn said(&self) -> String {
        self.child.stdout() + &self.child.stderr()
    }
}
