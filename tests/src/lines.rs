//! A mail conversation line by line over TLS, so that a test states exactly what a server said.
//! Deliberately absent: any mail client of ours or of a library; this is what they are held against.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http_client::{ClientError, tls_config};

/// No server of a test thinks longer about one line.
const LINE_WITHIN: Duration = Duration::from_secs(30);

/// Why a conversation broke.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The authority's certificate cannot be used.
    #[error("no TLS settings")]
    Tls(#[from] ClientError),
    /// The connection failed.
    #[error("the connection broke")]
    Io(#[from] std::io::Error),
    /// Nothing came for 30 seconds.
    #[error("the server said nothing for {LINE_WITHIN:?}")]
    Silent,
    /// The server closed the connection.
    #[error("the server ended the connection")]
    Closed,
    /// What came is not what the protocol allows.
    #[error("not a reply: {line:?}")]
    Unreadable {
        /// The line.
        line: String,
    },
}

/// One line-based conversation over implicit TLS (RFC 8314 §3).
#[derive(Debug)]
pub struct Lines {
    stream: BufStream<TlsStream<TcpStream>>,
}

impl Lines {
    /// Connects to `localhost` at this address, trusting this authority.
    pub async fn connect(address: SocketAddr, ca_pem: &str) -> Result<Self, LinesError> {
        let connector = TlsConnector::from(Arc::new(tls_config(&[ca_pem])?));
        let name = ServerName::IpAddress(address.ip().into());
        let stream = connector
            .connect(name, TcpStream::connect(address).await?)
            .await?;
        Ok(Self {
            stream: BufStream::new(stream),
        })
    }

    /// Sends one line; the line end is added.
    pub async fn send(&mut self, line: &str) -> Result<(), LinesError> {
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        Ok(self.stream.flush().await?)
    }

    /// The next line without its end.
    pub async fn line(&mut self) -> Result<String, LinesError> {
        let mut bytes = Vec::new();
        let read = self.stream.read_until(b'\n', &mut bytes);
        if tokio::time::timeout(LINE_WITHIN, read)
            .await
            .map_err(|_| LinesError::Silent)??
            == 0
        {
            return Err(LinesError::Closed);
        }
        Ok(String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\r', '\n'])
            .to_owned())
    }

    /// The next SMTP reply, all its lines (RFC 5321 §4.2.1: the last one has a space after the code).
    pub async fn smtp_reply(&mut self) -> Result<Vec<String>, LinesError> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let after_code = line.as_bytes().get(3).copied();
            lines.push(line);
            if after_code != Some(b'-') {
                return Ok(lines);
            }
        }
    }

    /// Sends an SMTP command and gives the last line of its reply.
    pub async fn smtp(&mut self, command: &str) -> Result<String, LinesError> {
        self.send(command).await?;
        let lines = self.smtp_reply().await?;
        lines.into_iter().next_back().ok_or(LinesError::Closed)
    }

    /// Every IMAP line up to and with the one that answers `tag`, or asks to go on (RFC 9051 §7).
    pub async fn imap_until(&mut self, tag: &str) -> Result<Vec<String>, LinesError> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let last = line.starts_with('+') || line.split(' ').next() == Some(tag);
            lines.push(line);
            if last {
                return Ok(lines);
            }
        }
    }

    /// Sends an IMAP command under `tag` and gives everything up to its answer.
    pub async fn imap(&mut self, tag: &str, command: &str) -> Result<Vec<String>, LinesError> {
        self.send(&format!("{tag} {command}")).await?;
        self.imap_until(tag).await
    }
}

/// The initial response of XOAUTH2, as Google and Microsoft document it: the same for SMTP and IMAP.
pub fn xoauth2(address: &str, access_token: &str) -> String {
    BASE64_STANDARD.encode(format!(
        "user={address}\x01auth=Bearer {access_token}\x01\x01"
    ))
}

/// The text behind a server's base64 challenge (SMTP `334 …`, IMAP `+ …`).
pub fn challenge_text(line: &str) -> Result<String, LinesError> {
    let unreadable = || LinesError::Unreadable {
        line: line.to_owned(),
    };
    let (_, encoded) = line.split_once(' ').ok_or_else(unreadable)?;
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| unreadable())?;
    String::from_utf8(bytes).map_err(|_| unreadable())
}
