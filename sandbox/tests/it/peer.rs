//! A scripted client of SMTP and IMAP: a conversation is a list of `C:` and `S:` lines.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::SOON;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A client with everything that was said so far.
pub(crate) struct Peer {
    wire: Box<dyn Wire>,
    read: Vec<u8>,
    transcript: String,
}

impl Peer {
    pub(crate) async fn connect_tls(at: SocketAddr, ca_pem: &str) -> Self {
        let mut peer = Self::connect_plain(at).await;
        peer.start_tls(ca_pem).await;
        peer
    }

    pub(crate) async fn connect_plain(at: SocketAddr) -> Self {
        let wire = TcpStream::connect(at).await.expect("the port is open");
        Self {
            wire: Box::new(wire),
            read: Vec::new(),
            transcript: String::new(),
        }
    }

    pub(crate) async fn start_tls(&mut self, ca_pem: &str) {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let plain = std::mem::replace(&mut self.wire, Box::new(tokio::io::empty()));
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let tls = TlsConnector::from(Arc::new(config))
            .connect(name, plain)
            .await;
        self.wire = Box::new(tls.expect("the certificate is good for 127.0.0.1"));
    }

    /// Plays the lines. `C:` is sent, `S:` must come; `…` in it stands for anything.
    /// `S: <closed>` is the end of the connection. Lines without either are no lines.
    pub(crate) async fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim) {
            if let Some(send) = line.strip_prefix("C:") {
                self.send(send.strip_prefix(' ').unwrap_or(send)).await;
            } else if let Some(expect) = line.strip_prefix("S:") {
                let expect = expect.strip_prefix(' ').unwrap_or(expect);
                let came = self.read_line().await;
                let came = came.as_deref().unwrap_or("<closed>");
                assert!(
                    matches(expect, came),
                    "expected {expect:?}\n{}",
                    self.transcript
                );
            } else {
                assert!(line.is_empty(), "neither C: nor S:, {line:?}");
            }
        }
    }

    pub(crate) async fn send(&mut self, line: &str) {
        let _ = writeln!(self.transcript, "C: {line}");
        let bytes = [line.as_bytes(), b"\r\n"].concat();
        self.wire.write_all(&bytes).await.expect(&self.transcript);
        self.wire.flush().await.expect(&self.transcript);
    }

    /// The next line without its end, as UTF-8 or with what is not replaced; `None` at the end.
    pub(crate) async fn read_line(&mut self) -> Option<String> {
        let line = self.read_line_bytes().await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        Some(line)
    }

    pub(crate) async fn read_line_bytes(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.read.drain(..=end).collect();
                line.truncate(line.trim_ascii_end().len());
                let _ = writeln!(self.transcript, "S: {}", String::from_utf8_lossy(&line));
                return Some(line);
            }
            let read = tokio::time::timeout(SOON, self.wire.read_buf(&mut self.read)).await;
            match read.unwrap_or_else(|_| panic!("nothing comes\n{}", self.transcript)) {
                Ok(0) | Err(_) => {
                    self.transcript.push_str("S: <closed>\n");
                    return None;
                }
                Ok(_) => {}
            }
        }
    }
}

/// True where `came` is `expect`, with anything in the place of each `…`.
fn matches(expect: &str, came: &str) -> bool {
    let mut parts = expect.split('…');
    let Some(mut rest) = came.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
