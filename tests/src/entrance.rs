//! What stands between a browser and a relay on a server: Caddy, nginx, or nothing. They are set up as `docs/server.md`
//! says, with the test's own names, ports and files in place of those of the text.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certificate::TestCertificate;
use crate::child::Child;
use crate::free_port::{accepts, free_address};
use crate::http_client::{http_client, tls_config};
use crate::programs::find_program;

mod way;

pub use way::{Flaw, Front, Trust, Way};

/// The text that people follow.
const GUIDE: &str = include_str!("../../docs/server.md");
/// Long enough for a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// An address that people use, kept free for whoever is to listen there.
#[derive(Clone, Copy, Debug)]
pub struct Name(SocketAddr);

impl Name {
    /// One that nobody uses.
    pub fn new() -> Result<Self> {
        Ok(Self(free_address()?))
    }

    /// The address as browsers have it.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.0.port())
    }

    /// Where it is listened.
    pub fn address(&self) -> SocketAddr {
        self.0
    }
}

/// A program in front of a relay.
#[derive(Debug)]
pub struct Entrance {
    name: Name,
    ca_pem: String,
    child: Child,
    _folder: TempDir,
}

impl Entrance {
    /// Caddy, with an authority of its own.
    pub async fn caddy(name: Name, relay: SocketAddr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let stored = folder.path().join("stored");
        let site = block("Behind Caddy", "caddyfile")?
            .replace("relay.acme.example", &name.url())
            .replace("127.0.0.1:7411", &relay.to_string());
        // No port but ours, nothing outside of the folder, and no authority of the world.
        let own = format!(
            "{{\n admin off\n local_certs\n skip_install_trust\n auto_https disable_redirects\n storage file_system {}\n}}\n",
            stored.display()
        );
        let file = folder.path().join("Caddyfile");
        std::fs::write(&file, format!("{own}{site}"))?;
        let program = find_program("caddy").context("caddy is not installed")?;
        let mut command = Command::new(program);
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file)
            .env("HOME", folder.path());
        let root = stored.join("pki/authorities/local/root.crt");
        let mut child = Child::start("caddy", command, folder.path())?;
        // It listens before its own authority has signed its certificate.
        let look = async || {
            let pem = std::fs::read_to_string(&root).ok()?;
            let client = http_client(&[pem.as_str()]).ok()?;
            client.get(name.url()).send().await.ok().map(|_| pem)
        };
        let ca_pem = child
            .wait_until("caddy to answer", look, READY_WITHIN)
            .await?;
        Ok(Self {
            name,
            ca_pem,
            child,
            _folder: folder,
        })
    }

    /// nginx, with a certificate of ours.
    pub async fn nginx(name: Name, relay: SocketAddr) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let TestCertificate {
            ca_pem,
            certificate_pem,
            key_pem,
        } = TestCertificate::generate()?;
        let path = |file: &str| folder.path().join(file).display().to_string();
        std::fs::write(path("certificate.pem"), certificate_pem)?;
        std::fs::write(path("key.pem"), key_pem)?;
        let site = block("Behind nginx", "nginx")?
            .replace(
                "/etc/ssl/relay.acme.example/fullchain.pem",
                &path("certificate.pem"),
            )
            .replace("/etc/ssl/relay.acme.example/privkey.pem", &path("key.pem"))
            .replace("https://relay.acme.example", &name.url())
            .replace("relay.acme.example", "localhost")
            .replace("listen 443", &format!("listen {}", name.0))
            .replace("listen 80", &format!("listen {}", free_address()?))
            .replace("127.0.0.1:7411", &relay.to_string());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!(" {kind}_temp_path {};\n", path(kind)))
            .concat();
        let whole = format!(
            "daemon off;\npid {};\nevents {{}}\nhttp {{\n access_log off;\n{temporary}{site}\n}}\n",
            path("nginx.pid")
        );
        std::fs::write(path("nginx.conf"), whole)?;
        let program = find_program("nginx").context("nginx is not installed")?;
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-p", &path(""), "-c", &path("nginx.conf")]);
        let mut child = Child::start("nginx", command, folder.path())?;
        let look = async || accepts(name.0).await.then_some(());
        child
            .wait_until("nginx to listen", look, READY_WITHIN)
            .await?;
        Ok(Self {
            name,
            ca_pem,
            child,
            _folder: folder,
        })
    }

    /// Its address, as browsers have it.
    pub fn url(&self) -> String {
        self.name.url()
    }

    /// The authority to trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What it has said.
    pub fn said(&self) -> String {
        self.child.stderr()
    }
}

/// The settings of a relay behind a proxy, as the guide has them and as variables.
pub fn settings_behind_a_proxy(name: Name) -> Result<Vec<(&'static str, String)>> {
    for heading in ["Behind Caddy", "Behind nginx"] {
        let text = block(heading, "toml")?;
        let expected = "listen = \"127.0.0.1:7411\"\npublic_url = \"https://relay.acme.example\"\n\
             proxy.trusted = [\"127.0.0.1\"]\n";
        anyhow::ensure!(
            text == expected,
            "the guide says something else now: {text}"
        );
    }
    Ok(vec![
        ("UNPAUSE_PUBLIC_URL", name.url()),
        ("UNPAUSE_PROXY__TRUSTED", "127.0.0.1".to_owned()),
    ])
}

/// The settings of a relay that speaks TLS itself, as the guide has them and as variables, and the files in `folder`.
pub fn settings_of_its_own(name: Name, folder: &Path) -> Result<Vec<(&'static str, String)>> {
    let (certificate, key) = files_in(folder);
    let text = block("TLS of its own", "toml")?;
    let lines = text.lines().map(|line| {
        let (key, value) = line.split_once(" = ")?;
        Some((key, value.trim_matches('"')))
    });
    let mut settings = Vec::new();
    for line in lines {
        let (setting, value) = line.context("a line of the guide is no setting")?;
        settings.push(match setting {
            "listen" => (
                "UNPAUSE_LISTEN",
                value.replace("0.0.0.0:443", &name.0.to_string()),
            ),
            "http_listen" => {
                let address = free_address()?.to_string();
                ("UNPAUSE_HTTP_LISTEN", value.replace("0.0.0.0:80", &address))
            }
            "public_url" => {
                let url = value.replace("https://relay.acme.example", &name.url());
                ("UNPAUSE_PUBLIC_URL", url)
            }
            "tls.certificate" => (
                "UNPAUSE_TLS__CERTIFICATE",
                certificate.display().to_string(),
            ),
            "tls.key" => ("UNPAUSE_TLS__KEY", key.display().to_string()),
            other => anyhow::bail!("the guide has the setting {other}, and the test does not"),
        });
    }
    Ok(settings)
}

/// The settings of a relay that gets its certificate itself, as the guide has them and as variables.
pub fn settings_by_acme(name: Name) -> Result<Vec<(&'static str, String)>> {
    let text = block("A certificate by ACME", "toml")?;
    let expected = "listen = \"0.0.0.0:443\"\nhttp_listen = \"0.0.0.0:80\"\n\
         public_url = \"https://relay.acme.example\"\ntls.acme.terms_agreed = true\n";
    anyhow::ensure!(
        text == expected,
        "the guide says something else now: {text}"
    );
    Ok(vec![
        ("UNPAUSE_LISTEN", name.0.to_string()),
        ("UNPAUSE_PUBLIC_URL", name.url()),
        ("UNPAUSE_TLS__ACME__TERMS_AGREED", "true".to_owned()),
    ])
}

/// What is shown there to whoever trusts this authority, DER: the server's own first.
pub async fn chain_at(name: Name, ca_pem: &str) -> Result<Vec<Vec<u8>>> {
    let connector = TlsConnector::from(Arc::new(tls_config(&[ca_pem])?));
    let stream = TcpStream::connect(name.0).await?;
    let host = ServerName::try_from("localhost")?;
    let stream = connector.connect(host, stream).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let shown = shown.context("nothing is shown")?;
    Ok(shown
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}

/// The two files of a certificate.
pub fn files_in(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("fullchain.pem"), folder.join("privkey.pem"))
}

/// The text of that kind below a heading of the guide.
fn block(heading: &str, kind: &str) -> Result<String> {
    let (_, below) = GUIDE
        .split_once(&format!("## {heading}\n"))
        .context("the guide lacks this heading")?;
    let below = below.split("\n## ").next().unwrap_or_default();
    let (_, text) = below
        .split_once(&format!("```{kind}\n"))
        .context("the guide lacks this file")?;
    let (text, _) = text.split_once("```").context("a file without an end")?;
    Ok(text.to_owned())
}
