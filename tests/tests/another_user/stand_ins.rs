//! Whoever takes the port of a relay that was killed, and says whatever helps him, the relay's true public key
//! included. The operator's commands never come to him.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::{Result, ensure};
use protocol::request::device::GetRelayKey;
use protocol::request::inbox::ListInboxes;
use tests::story::relay::Relay;
use tests::story::servers::{Servers, jane};

/// Every kind of command that speaks to the relay.
const COMMANDS: &[&[&str]] = &[
    &["login"],
    &["pair"],
    &["status"],
    &["inbox", "list"],
    &["inbox", "add", "jane@acme.example", "--provider", "sandbox"],
    &["campaign", "list"],
    &["reconnect", "start", "jane@acme.example", "--password"],
    &["reconnect", "start", "jane@acme.example"],
    &["reconnect", "show", "rec_1"],
    &["ledger", "show"],
    &["device", "list"],
    &["suppression", "list"],
];

/// Somebody at a relay's port.
struct StandIn {
    address: SocketAddr,
    n_bytes: Arc<AtomicUsize>,
    n_callers: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Answers everything with this body.
    fn listen(address: SocketAddr, body: String) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let [n_bytes, n_callers] = [Arc::default(), Arc::default()];
        let is_over: Arc<AtomicBool> = Arc::default();
        let (bytes, callers, over) = (
            Arc::<AtomicUsize>::clone(&n_bytes),
            Arc::<AtomicUsize>::clone(&n_callers),
            Arc::clone(&is_over),
        );
        let serving = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                callers.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = stream else { continue };
                let mut chunk = [0; 8_192];
                let n = stream.read(&mut chunk).unwrap_or_default();
                bytes.fetch_add(n, Ordering::SeqCst);
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Ok(Self {
            address,
            n_bytes,
            n_callers,
            is_over,
            serving: Some(serving),
        })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // It looks when somebody comes.
        let _ = std::net::TcpStream::connect(self.address);
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_port_of_a_killed_relay_sees_no_byte_of_a_command() -> Result<()> {
    let servers = Servers::start_sandbox(1).await?;
    let mut relay = Relay::start(&servers, None).await?;
    let key = relay.operator()?.call(&GetRelayKey {}).await?;
    // What each of the commands would take for an answer.
    let mut body = serde_json::to_value(&key)?;
    body["inboxes"] = serde_json::json!([]);
    body["url"] = "http://127.0.0.1:9/login#code=x".into();
    relay.kill()?;
    ensure!(relay.socket().exists(), "a killed relay leaves its socket");
    let stand_in = StandIn::listen(relay.address(), body.to_string())?;
    for arguments in COMMANDS {
        let mut child = relay
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that has ended already reads no more.
            let _ = writeln!(stdin, "{}", jane().password);
        }
        let output = child.wait_with_output()?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(1) && words.contains("no relay runs on the data folder"),
            "{arguments:?}: {:?}, {words}",
            output.status
        );
        ensure!(output.stdout.is_empty(), "{arguments:?} printed something");
    }
    let seen = [&stand_in.n_callers, &stand_in.n_bytes].map(|n| n.load(Ordering::SeqCst));
    ensure!(seen == [0, 0], "{} callers, {} bytes", seen[0], seen[1]);
    drop(stand_in);
    // What the killed one left does not keep the next from its place.
    relay.start_again().await?;
    relay.operator()?.call(&ListInboxes {}).await?;
    Ok(())
}
