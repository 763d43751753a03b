//! A scripted server on loopback. A test is the list of lines that the two sides say; the peer fails
//! with the transcript when the relay says anything else. It knows no protocol.
//!
//! ```text
//! TLS               the TLS handshake; as the first line it makes the server one of implicit TLS
//! TLS refused       the relay must refuse the handshake
//! S: text           say a line
//! S! text           say exactly this; \r \n \t \\ and \xNN stand for bytes
//! S* text           say this, escaped as above, until the relay hangs up
//! S~ text           say this, escaped as above, over and over, one byte a second, until the relay hangs up;
//!                   nothing but seconds passing where there is no text. Time runs as fast as it can
//! C: text           hear a line; `*` stands for anything
//! C: $tag text      hear a line and keep its first word; later `S: $tag …` says it
//! C# 12             hear that many bytes, whatever they are
//! C DATA            hear lines up to the one with the dot alone
//! C HTTP text       hear an HTTP request whose first line is this, with its body
//! C hangs up        the relay closes the connection
//! close             close the connection
//! ```
//! After its last line the peer waits for the relay to hang up, and fails if it says more.

#![cfg(test)]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use protocol::inbox::{MailServer, TlsMode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use relay::tls::Dialer;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Nobody on loopback is slower; a test that waits longer has failed.
const STEP_WITHIN: Duration = Duration::from_secs(20);

/// The year in which a good certificate ends; the tests are older by then.
const VALID_UNTIL: i32 = 2200;

/// A running peer.
pub(crate) struct Peer {
    /// Where it listens, as the relay's settings would say it.
    pub(crate) server: MailServer,
    root_pem: String,
    task: JoinHandle<(String, Option<String>)>,
}

impl Peer {
    /// Starts a peer with a certificate for 127.0.0.1.
    pub(crate) async fn start(script: &str) -> Self {
        Self::start_named("127.0.0.1", script).await
    }

    /// Starts a peer with a certificate for `certified_name`; it listens on 127.0.0.1 all the same.
    pub(crate) async fn start_named(certified_name: &str, script: &str) -> Self {
        let certificate = make_certificate(certified_name, VALID_UNTIL);
        Self::listen(certificate, |_| script.to_owned()).await
    }

    /// Starts a peer whose certificate for 127.0.0.1 expired at the beginning of 2020.
    pub(crate) async fn start_expired(script: &str) -> Self {
        let certificate = make_certificate("127.0.0.1", 2020);
        Self::listen(certificate, |_| script.to_owned()).await
    }

    /// Starts a peer whose script names its own address (`host:port`).
    pub(crate) async fn start_with(script: impl FnOnce(&str) -> String) -> Self {
        Self::listen(make_certificate("127.0.0.1", VALID_UNTIL), script).await
    }

    async fn listen(
        (config, root_pem): (Arc<ServerConfig>, String),
        script: impl FnOnce(&str) -> String,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let steps: Vec<String> = script(&address.to_string())
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        let is_implicit = steps.first().is_some_and(|step| step.starts_with("TLS"));
        let server = MailServer {
            host: "127.0.0.1".to_owned(),
            port: address.port(),
            tls: if is_implicit {
                TlsMode::Implicit
            } else {
                TlsMode::StartTls
            },
        };
        let task = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let mut conversation = Conversation {
                stream: Stream::Plain(tcp),
                received: Vec::new(),
                tag: String::new(),
                transcript: String::new(),
                acceptor: TlsAcceptor::from(config),
            };
            let problem = conversation.play(&steps).await.err();
            (conversation.transcript, problem)
        });
        Self {
            server,
            root_pem,
            task,
        }
    }

    /// A dialer that trusts the peer's certificate, and that may reach it.
    pub(crate) fn dialer(&self) -> Dialer {
        let trusting = Dialer::new(Some(self.root_pem.as_bytes())).unwrap();
        trusting.reaching([&self.server])
    }

    /// Where it listens, for HTTP.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.server)
    }

    /// Waits for the end of the script and returns the transcript; fails with it if the relay said
    /// anything else than the script.
    pub(crate) async fn finish(self) -> String {
        let (transcript, problem) = timeout(STEP_WITHIN, self.task).await.unwrap().unwrap();
        if let Some(problem) = problem {
            panic!("{problem}\n--- transcript\n{transcript}");
        }
        transcript
    }
}

fn make_certificate(name: &str, until_year: i32) -> (Arc<ServerConfig>, String) {
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    leaf.not_before = rcgen::date_time_ymd(2019, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(until_year, 1, 1);
    let leaf = leaf.signed_by(&key, &root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    (Arc::new(config), root.pem())
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Closed,
}

struct Conversation {
    stream: Stream,
    received: Vec<u8>,
    tag: String,
    transcript: String,
    acceptor: TlsAcceptor,
}

impl Conversation {
    async fn play(&mut self, steps: &[String]) -> Result<(), String> {
        for step in steps {
            // In a drip time means nothing.
            let outcome = match step.strip_prefix("S~") {
                Some(text) => {
                    self.drip(&unescape(text.trim_start())).await;
                    Ok(())
                }
                None => match timeout(STEP_WITHIN, self.step(step)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err("nothing happened".to_owned()),
                },
            };
            outcome.map_err(|problem| format!("at {step:?}: {problem}"))?;
        }
        match timeout(STEP_WITHIN, self.hear_hang_up()).await {
            Ok(outcome) => outcome.map_err(|problem| format!("after the script: {problem}")),
            Err(_) => Err("after the script: the relay does not hang up".to_owned()),
        }
    }

    async fn step(&mut self, step: &str) -> Result<(), String> {
        let (verb, rest) = step.split_at_checked(2).ok_or("what?")?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match verb {
            "S:" => {
                let line = rest.replace("$tag", &self.tag);
                self.note("S", line.as_bytes());
                self.say(format!("{line}\r\n").as_bytes())
                    .await
                    .map_err(|error| error.to_string())
            }
            "S!" => {
                let bytes = unescape(rest);
                self.note("S", &bytes);
                self.say(&bytes).await.map_err(|error| error.to_string())
            }
            "S*" => {
                let bytes = unescape(rest).repeat(100);
                self.note("S, again and again", &unescape(rest));
                while self.say(&bytes).await.is_ok() {}
                self.stream = Stream::Closed;
                Ok(())
            }
            "C:" => {
                let line = self.hear_line().await?;
                let pattern = match rest.strip_prefix("$tag ") {
                    Some(pattern) => {
                        self.tag = line.split(' ').next().unwrap_or_default().to_owned();
                        format!("{} {pattern}", self.tag)
                    }
                    None => rest.to_owned(),
                };
                if matches(&pattern, &line) {
                    Ok(())
                } else {
                    Err(format!("heard {line:?}"))
                }
            }
            "C#" => self
                .hear_bytes(rest.parse().map_err(|_| "how many?")?)
                .await
                .map(drop),
            _ => match step {
                "TLS" => self.start_tls().await,
                "TLS refused" => match self.start_tls().await {
                    Ok(()) => self.hear_hang_up().await,
                    Err(_) => Ok(()),
                },
                "C DATA" => {
                    while self.hear_line().await? != "." {}
                    Ok(())
                }
                "C hangs up" => self.hear_hang_up().await,
                "close" => {
                    self.note("S", b"(closes)");
                    self.shut().await;
                    Ok(())
                }
                http => match http.strip_prefix("C HTTP ") {
                    Some(first_line) => self.hear_http(first_line).await,
                    None => Err("what?".to_owned()),
                },
            },
        }
    }

    /// From here on the runtime's clock moves whenever nobody has anything else to do.
    async fn drip(&mut self, bytes: &[u8]) {
        self.note("S, one byte a second", bytes);
        tokio::time::pause();
        let mut bytes = bytes.iter().cycle();
        loop {
            let can_speak = match bytes.next() {
                Some(byte) => self.say(&[*byte]).await.is_ok(),
                None => true,
            };
            let hears = timeout(Duration::from_secs(1), self.receive()).await;
            if !can_speak || hears == Ok(false) {
                break;
            }
        }
        tokio::time::resume();
        self.received.clear();
        self.stream = Stream::Closed;
    }

    async fn start_tls(&mut self) -> Result<(), String> {
        if !self.received.is_empty() {
            return Err("there is plain text before TLS".to_owned());
        }
        let Stream::Plain(tcp) = std::mem::replace(&mut self.stream, Stream::Closed) else {
            return Err("there is no plain connection".to_owned());
        };
        let tls = self
            .acceptor
            .accept(tcp)
            .await
            .map_err(|error| format!("no TLS: {error}"))?;
        self.note("-", b"TLS");
        self.stream = Stream::Tls(Box::new(tls));
        Ok(())
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).await,
            Stream::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Reads more; false at the end of the stream. TLS that ends without its alert has ended.
    async fn receive(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let n_received = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut bytes).await,
            Stream::Tls(stream) => stream.read(&mut bytes).await,
            Stream::Closed => Ok(0),
        };
        let n_received = n_received.unwrap_or(0);
        self.received.extend_from_slice(&bytes[..n_received]);
        n_received > 0
    }

    async fn hear_line(&mut self) -> Result<String, String> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                self.note("C", &line);
                let line = line.strip_suffix(b"\r\n").ok_or("heard a bare line feed")?;
                return String::from_utf8(line.to_vec()).map_err(|_| "not UTF-8".to_owned());
            }
            if !self.receive().await {
                let rest = self.received.escape_ascii();
                return Err(format!("the relay hung up after {:?}", rest.to_string()));
            }
        }
    }

    async fn hear_bytes(&mut self, n_bytes: usize) -> Result<Vec<u8>, String> {
        while self.received.len() < n_bytes {
            if !self.receive().await {
                return Err("the relay hung up".to_owned());
            }
        }
        let bytes: Vec<u8> = self.received.drain(..n_bytes).collect();
        self.note("C", &bytes);
        Ok(bytes)
    }

    async fn hear_http(&mut self, first_line: &str) -> Result<(), String> {
        let heard = self.hear_line().await?;
        if heard != format!("{first_line} HTTP/1.1") {
            return Err(format!("heard {heard:?}"));
        }
        let mut n_bytes = 0;
        loop {
            let header = self.hear_line().await?.to_ascii_lowercase();
            if let Some(length) = header.strip_prefix("content-length: ") {
                n_bytes = length.parse().map_err(|_| "how long?")?;
            }
            if header.is_empty() {
                return self.hear_bytes(n_bytes).await.map(drop);
            }
        }
    }

    async fn hear_hang_up(&mut self) -> Result<(), String> {
        while self.receive().await {}
        self.stream = Stream::Closed;
        if self.received.is_empty() {
            return Ok(());
        }
        Err(format!("heard \"{}\"", self.received.escape_ascii()))
    }

    async fn shut(&mut self) {
        // The relay may have gone first.
        let _ = match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
            Stream::Closed => Ok(()),
        };
        self.stream = Stream::Closed;
        self.received.clear();
    }

    fn note(&mut self, who: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for part in [who, ": ", &text.trim_end().replace('\r', ""), "\n"] {
            self.transcript.push_str(part);
        }
    }
}

/// `*` in `pattern` stands for anything, nothing included.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| matches(rest, &tail[at..]))
        }),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        let (kind, after) = rest.split_first().unwrap();
        rest = after;
        bytes.push(match kind {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'x' => {
                let (digits, after) = rest.split_at(2);
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap()
            }
            other => *other,
        });
    }
    bytes
}
