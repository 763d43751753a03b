//! Who takes all connections shuts nobody out. The relay is a process of its own, with as many descriptors as a process
//! has by default.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::app::wait_for;
use crate::cli::{Serving, folder_with};

/// How many connections come; a process has 1024 descriptors by default.
const MANY: usize = 1_200;
/// A person does not wait longer for an answer that costs nothing.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A relay with 1024 descriptors.
struct Narrow {
    serving: Serving,
    address: SocketAddr,
}

impl Narrow {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", "ulimit -n 1024 && exec \"$0\" serve"])
            .arg(env!("CARGO_BIN_EXE_unpause"))
            .env_clear()
            .env("HOME", folder)
            .current_dir(folder);
        let serving = Serving::start_by(command);
        let log = serving.log();
        let (_, named) = log.rsplit_once("address=").unwrap();
        let address = named.trim().parse().unwrap();
        Self { serving, address }
    }

    /// Half a request from this address; `None` where there is no connection.
    async fn say_half(&self, last: u8, words: &str) -> Option<TcpStream> {
        let socket = TcpSocket::new_v4().unwrap();
        let peer = Ipv4Addr::new(127, 0, 0, last);
        socket.bind(SocketAddr::from((peer, 0))).unwrap();
        let connecting = tokio::time::timeout(AT_ONCE, socket.connect(self.address));
        let mut stream = connecting.await.ok()?.ok()?;
        stream.write_all(words.as_bytes()).await.ok()?;
        Some(stream)
    }

    /// The first line of an answer to somebody on this machine.
    async fn ask(&self, request: &str) -> String {
        let answering = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            String::from_utf8_lossy(&heard).into_owned()
        };
        let heard = tokio::time::timeout(AT_ONCE, answering).await;
        let heard = heard.unwrap_or_else(|_| panic!("no answer within {AT_ONCE:?}"));
        heard.lines().next().unwrap_or_default().to_owned()
    }

    /// Both the API and the dashboard answer.
    async fn check_answers(&self) {
        let head = format!("host: {}\r\nconnection: close\r\n", self.address);
        let body = r#"{"code":"wrong"}"#;
        let api = format!(
            "POST /v1/sessions HTTP/1.1\r\n{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let said = self.ask(&api).await;
        assert!(said.contains(" 422 ") || said.contains(" 429 "), "{said}");
        let page = self.ask(&format!("GET / HTTP/1.1\r\n{head}\r\n")).await;
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    }
}

/// This process holds the other ends.
fn allow_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum;
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
}

async fn check_that_nobody_is_shut_out(peer: u8, words: &str) {
    allow_descriptors();
    let folder = folder_with("listen = \"127.0.0.1:0\"\n");
    let relay = Narrow::start(folder.path());
    relay.check_answers().await;
    let mut held = Vec::new();
    for _ in 0..MANY {
        held.extend(relay.say_half(peer, words).await);
    }
    for _ in 0..5 {
        relay.check_answers().await;
    }
    // And while they go on coming.
    for _ in 0..20 {
        held.extend(relay.say_half(peer, words).await);
        relay.check_answers().await;
    }
    let told = wait_for("a line in the log", async || {
        let log = relay.serving.log();
        log.contains("connections were closed").then_some(log)
    })
    .await;
    assert_eq!(
        told.matches("connections were closed").count(),
        1,
        "a line a minute: {told}"
    );
}

#[tokio::test]
async fn half_requests_of_another_address_shut_nobody_out() {
    check_that_nobody_is_shut_out(2, "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n").await;
}

#[tokio::test]
async fn half_requests_of_the_persons_own_address_do_not_shut_her_out() {
    check_that_nobody_is_shut_out(1, "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n").await;
}

#[tokio::test]
async fn requests_whose_body_does_not_come_do_not_shut_her_out_either() {
    let words = "POST /v1/sessions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
                 content-length: 60000\r\n\r\n{";
    check_that_nobody_is_shut_out(1, words).await;
}
