//! A relay with TLS of its own: what it says to who comes without, whom it waits for, and a certificate that is changed
//! under it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use relay::tls::Dialer;
use reqwest::StatusCode;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Clock, Relay, Timestamp};
use crate::app::wait_for;

/// A person does not wait longer for an answer that costs nothing.
const AT_ONCE: Duration = Duration::from_secs(3);

fn write_privately(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// An authority, and a relay with a certificate of it.
struct Encrypted {
    relay: Relay,
    files: TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// Writes a certificate for `localhost` until the end of that year, and its key.
fn certify(authority: &CertifiedIssuer<'static, KeyPair>, folder: &Path, until: i32) {
    let key = KeyPair::generate().unwrap();
    let mut asked = CertificateParams::new(["localhost".to_owned()]).unwrap();
    asked.not_before = date_time_ymd(2020, 1, 1);
    asked.not_after = date_time_ymd(until, 12, 31);
    let certificate = asked.signed_by(&key, authority).unwrap();
    // As programs that renew do it: one after the other, each moved into its place.
    for (name, text) in [
        ("certificate.pem", certificate.pem()),
        ("key.pem", key.serialize_pem()),
    ] {
        let new = folder.join(format!("{name}.new"));
        write_privately(&new, &text);
        std::fs::rename(new, folder.join(name)).unwrap();
    }
}

impl Encrypted {
    async fn start(until: i32) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        let files = tempfile::tempdir().unwrap();
        certify(&authority, files.path(), until);
        let settings = settings_of(files.path());
        let clock = Clock::manual(Timestamp::from_ms(1_000_000));
        let relay = Relay::open(tempfile::tempdir().unwrap(), clock, &settings).await;
        Self {
            relay,
            files,
            authority,
        }
    }

    /// A browser that keeps no connection.
    fn browser(&self) -> reqwest::Client {
        let pem = self.authority.pem();
        let tls = Dialer::new(Some(pem.as_bytes())).unwrap();
        let tls = tls.client_config().as_ref().clone();
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls);
        client.no_proxy().pool_max_idle_per_host(0).build().unwrap()
    }

    fn url(&self, path: &str) -> String {
        let port = self.relay.running.address().port();
        format!("https://localhost:{port}{path}")
    }

    async fn check_answers(&self) {
        let asked = self.browser().get(self.url("/healthz")).timeout(AT_ONCE);
        assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
    }

    /// What comes back to these bytes, until the other side closes.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.relay.running.address())
            .await
            .unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// The certificate that a newcomer is shown.
    async fn shown(&self) -> Vec<u8> {
        let pem = self.authority.pem();
        let config = Dialer::new(Some(pem.as_bytes())).unwrap().client_config();
        let stream = TcpStream::connect(self.relay.running.address())
            .await
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(config)
            .connect(name, stream)
            .await
            .unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }
}

fn settings_of(files: &Path) -> String {
    format!(
        "public_url = \"https://localhost\"\ntls.certificate = {:?}\ntls.key = {:?}\n",
        files.join("certificate.pem"),
        files.join("key.pem")
    )
}

#[tokio::test]
async fn who_speaks_http_where_tls_is_spoken_is_told_so() {
    let served = Encrypted::start(2100).await;
    served.check_answers().await;
    let heard = served
        .say(b"GET /login HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    assert!(
        heard.ends_with("This port speaks TLS: use https:// in front of its address\n"),
        "{heard}"
    );
    // What is neither is closed without a word.
    let heard = served.say(b"\x16\x03\x01\x00\x05hello").await;
    assert!(!heard.contains("HTTP/1.1"), "{heard}");
    served.check_answers().await;
}

#[tokio::test]
async fn handshakes_that_do_not_go_on_shut_nobody_out() {
    let served = Encrypted::start(2100).await;
    let mut held = Vec::new();
    // A record's head, and nothing of what it announces; and a connection that says nothing.
    for n in 0..400 {
        let mut stream = TcpStream::connect(served.relay.running.address())
            .await
            .unwrap();
        if n % 2 == 0 {
            stream.write_all(b"\x16\x03\x01\x01\x00\x01").await.unwrap();
        }
        held.push(stream);
    }
    for _ in 0..5 {
        served.check_answers().await;
    }
    drop(held);
}

#[tokio::test]
async fn a_certificate_is_renewed_while_requests_run_and_none_is_refused() {
    let served = Encrypted::start(2100).await;
    let before = served.shown().await;
    let (over, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let asking: Vec<_> = (0..8)
        .map(|n| {
            // Half of them keep their connection over the change.
            let pem = served.authority.pem();
            let tls = Dialer::new(Some(pem.as_bytes())).unwrap();
            let tls = tls.client_config().as_ref().clone();
            let client = reqwest::Client::builder()
                .tls_backend_preconfigured(tls)
                .no_proxy();
            let client = client.pool_max_idle_per_host(n % 2).build().unwrap();
            let (url, over, asked) = (
                served.url("/healthz"),
                Arc::clone(&over),
                Arc::clone(&asked),
            );
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let answer = client.get(&url).send().await;
                    assert_eq!(answer.unwrap().status(), StatusCode::OK);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    certify(&served.authority, served.files.path(), 2101);
    let renewed = wait_for("the new certificate", async || {
        let shown = served.shown().await;
        (shown != before).then_some(shown)
    })
    .await;
    // A pair that does not fit changes nothing.
    write_privately(
        &served.files.path().join("other.pem"),
        "-----BEGIN CERTIFICATE-----\n",
    );
    std::fs::rename(
        served.files.path().join("other.pem"),
        served.files.path().join("certificate.pem"),
    )
    .unwrap();
    let so_far = asked.load(Ordering::Relaxed);
    wait_for("a hundred requests more", async || {
        (asked.load(Ordering::Relaxed) > so_far + 100).then_some(())
    })
    .await;
    assert_eq!(served.shown().await, renewed);
    over.store(true, Ordering::Relaxed);
    for task in asking {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn one_that_has_run_out_is_shown_and_refused_by_who_checks() {
    let served = Encrypted::start(2021).await;
    let refused = served.browser().get(served.url("/healthz")).send().await;
    let told = format!("{:?}", refused.unwrap_err());
    assert!(told.contains("Expired"), "{told}");
}

/// Who had the port meanwhile has not the certificate's key.
#[tokio::test]
async fn with_tls_of_its_own_a_session_outlives_a_start() {
    let served = Encrypted::start(2100).await;
    let link = served
        .relay
        .operate("/v1/login-links", serde_json::json!({}))
        .await;
    let (_, code) = link["url"].as_str().unwrap().split_once("#code=").unwrap();
    let asked = served.browser().post(served.url("/v1/sessions"));
    let session = asked
        .json(&serde_json::json!({ "code": code }))
        .send()
        .await
        .unwrap();
    let session: serde_json::Value = session.json().await.unwrap();
    let token = session["token"].as_str().unwrap().to_owned();
    let Encrypted {
        relay,
        files,
        authority,
    } = served;
    let (folder, clock) = relay.stop().await;
    let relay = Relay::open(folder, clock, &settings_of(files.path())).await;
    let served = Encrypted {
        relay,
        files,
        authority,
    };
    let asked = served
        .browser()
        .get(served.url("/v1/status"))
        .bearer_auth(token);
    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
}
