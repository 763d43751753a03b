//! A request as it stands on the wire, byte by byte, and what came back. An HTTP library would put right, or refuse to
//! send, what is to be tried here.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) method: Vec<u8>,
    /// Path and query.
    pub(super) target: Vec<u8>,
    /// Fields, in their order.
    pub(super) fields: Vec<(&'static str, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(super) struct Got {
    /// 0: the relay hung up without a word.
    pub(super) status: u16,
    /// By their names in small letters.
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Sent {
    /// The values of a field.
    pub(super) fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.fields.iter().filter(|(found, _)| *found == name);
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// Sends it to the relay, and reads all that comes back.
    pub(super) async fn exchange(&self, relay: SocketAddr) -> Result<Got> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\n"].concat();
        bytes.extend(format!("host: {relay}\r\nconnection: close\r\n").bytes());
        for (name, value) in &self.fields {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        let mut stream = TcpStream::connect(relay).await?;
        let mut answer = Vec::new();
        // The relay may hang up on what is no request while it is still written.
        if stream.write_all(&bytes).await.is_ok() {
            let _ = stream.read_to_end(&mut answer).await;
        }
        if answer.is_empty() {
            return Ok(Got::default());
        }
        read(&answer).context("the relay's answer is not HTTP")
    }
}

impl Got {
    /// A field's value.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the relay did what it was asked.
    pub(super) fn is_done(&self) -> bool {
        let is_ours = || {
            self.field("content-type")
                .is_some_and(|kind| kind.starts_with("application/json"))
        };
        self.status == 304 || ((200..300).contains(&self.status) && is_ours())
    }
}

fn read(answer: &[u8]) -> Option<Got> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at_checked(end)?;
    let mut lines = str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    Some(Got {
        status,
        fields: fields.collect(),
        body: rest.get(4..)?.to_vec(),
    })
}
