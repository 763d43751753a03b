//! A scripted server: says and hears the lines of a conversation, in the language of the relay's own tests. Where
//! the script is over and the relay goes on asking, it answers as the script has shown.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use protocol::inbox::{MailServer, TlsMode};
use relay::tls::Dialer;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificate::TestCertificate;

/// Nobody on this computer is slower.
const STEP_WITHIN: Duration = Duration::from_secs(20);

/// A running server.
pub(super) struct Player {
    pub(super) server: MailServer,
    /// Whether the script has a message handed over.
    pub(super) hears_data: bool,
    root_pem: String,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Player {
    /// Listens; the script is that of one connection.
    pub(super) async fn start(script: &str) -> anyhow::Result<Self> {
        let steps: Vec<String> = script
            .lines()
            .map(|line| line.trim_end_matches('\r').to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        anyhow::ensure!(
            steps.first().is_some_and(|step| step == "TLS"),
            "the script does not begin with TLS"
        );
        let made = TestCertificate::generate()?;
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(
                    vec![CertificateDer::from_pem_slice(
                        made.certificate_pem.as_bytes(),
                    )?],
                    PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes())?,
                )?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let server = MailServer {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr()?.port(),
            tls: TlsMode::Implicit,
        };
        let task = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await?;
            let tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
            let mut conversation = Conversation {
                stream: BufReader::new(tls),
                tag: String::new(),
            };
            conversation.play(steps.get(1..).unwrap_or_default()).await
        });
        Ok(Self {
            hears_data: script.lines().any(|line| line.starts_with("C DATA")),
            server,
            root_pem: made.ca_pem,
            task,
        })
    }

    /// A dialer that trusts it and may reach it.
    pub(super) fn dialer(&self) -> anyhow::Result<Dialer> {
        Ok(Dialer::new(Some(self.root_pem.as_bytes()))?.reaching([&self.server]))
    }

    /// Waits for the end, which is the relay's hanging up; an error where it said something else than the script.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        tokio::time::timeout(STEP_WITHIN, self.task)
            .await
            .context("the conversation does not end")??
    }
}

struct Conversation {
    stream: BufReader<TlsStream<TcpStream>>,
    tag: String,
}

impl Conversation {
    async fn play(&mut self, steps: &[String]) -> anyhow::Result<()> {
        for step in steps {
            let done = tokio::time::timeout(STEP_WITHIN, self.step(step)).await;
            done.with_context(|| format!("nothing happened at {step:?}"))?
                .with_context(|| format!("at {step:?}"))?;
            if step == "close" {
                return Ok(());
            }
        }
        // What was shown is shown again, as long as somebody asks.
        while let Ok(line) = self.hear().await {
            let answer = answer(steps, &line);
            self.say(&answer).await?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &str) -> anyhow::Result<()> {
        if step == "close" {
            self.stream.get_mut().shutdown().await?;
            return Ok(());
        }
        if step == "C DATA" {
            while self.hear().await? != "." {}
            return Ok(());
        }
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        match verb {
            "S:" => {
                let line = rest.replace("$tag", &self.tag);
                self.say(format!("{line}\r\n").as_bytes()).await
            }
            "S!" => self.say(&unescape(rest)).await,
            "C:" => {
                let line = self.hear().await?;
                let pattern = match rest.strip_prefix("$tag ") {
                    Some(pattern) => {
                        line.split(' ')
                            .next()
                            .unwrap_or_default()
                            .clone_into(&mut self.tag);
                        format!("{} {pattern}", self.tag)
                    }
                    None => rest.to_owned(),
                };
                anyhow::ensure!(matches(&pattern, &line), "heard {line:?}");
                Ok(())
            }
            _ => bail!("there is no such step"),
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(bytes).await?;
        Ok(stream.flush().await?)
    }

    async fn hear(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let n_read = self.stream.read_line(&mut line).await?;
        anyhow::ensure!(n_read > 0, "the relay hung up");
        Ok(line.trim_end().to_owned())
    }
}

/// What the server of the script says to a further line: the messages that the script has shown, those it has not
/// shown refused, and consent to everything else.
fn answer(steps: &[String], line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    let word = |idx: usize| words.get(idx).copied().unwrap_or_default();
    let speaks_smtp = steps.iter().any(|step| step.starts_with("S: 220"));
    if speaks_smtp {
        return if word(0).eq_ignore_ascii_case("QUIT") {
            "221 bye\r\n"
        } else {
            "250 ok\r\n"
        }
        .into();
    }
    let tag = word(0);
    if !(word(1).eq_ignore_ascii_case("UID") && word(2).eq_ignore_ascii_case("FETCH")) {
        return format!("{tag} OK done\r\n").into_bytes();
    }
    if line.ends_with("(UID)") {
        return format!("* 1 FETCH (UID 101)\r\n* 2 FETCH (UID 102)\r\n{tag} OK done\r\n")
            .into_bytes();
    }
    let mut said = Vec::new();
    let mut is_missing = false;
    // A script that shows no message at all is not about messages: they are ordinary ones.
    let shows_some = steps.iter().any(|step| step.starts_with("S!"));
    for uid in uids(word(3)) {
        if !shows_some {
            said.extend(ordinary(uid).into_bytes());
            continue;
        }
        let shown = steps
            .iter()
            .find(|step| step.starts_with("S!") && step.contains(&format!("(UID {uid} ")));
        match shown.and_then(|step| step.strip_prefix("S! ")) {
            Some(bytes) => said.extend(unescape(bytes)),
            None => is_missing = true,
        }
    }
    let status = if is_missing {
        "NO [SERVERBUG] not this one"
    } else {
        "OK done"
    };
    said.extend(format!("{tag} {status}\r\n").into_bytes());
    said
}

/// The header of an ordinary message.
fn ordinary(uid: u32) -> String {
    let header = format!("Message-ID: <{uid}@a.example>\r\nSubject: Hello\r\n\r\n");
    format!(
        "* {} FETCH (UID {uid} INTERNALDATE \"23-Nov-2026 10:00:00 +0000\" RFC822.SIZE {} BODY[HEADER]<0> {{{}}}\r\n{header})\r\n",
        uid - 100,
        header.len(),
        header.len()
    )
}

/// The numbers of a sequence set, of the two messages that there are.
fn uids(set: &str) -> Vec<u32> {
    let ends = |range: &str| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        Some((
            from.parse::<u32>().ok()?,
            to.parse::<u32>().unwrap_or(u32::MAX),
        ))
    };
    let ranges: Vec<(u32, u32)> = set.split(',').filter_map(ends).collect();
    let is_asked = |uid: &u32| ranges.iter().any(|(from, to)| (from..=to).contains(&uid));
    [101, 102].into_iter().filter(is_asked).collect()
}

fn matches(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(behind) = rest.strip_prefix(first) else {
        return false;
    };
    rest = behind;
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    pattern.ends_with('*') || rest.is_empty()
}

/// `\r`, `\n`, `\t`, `\\` and `\xNN` as bytes.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend(plain.as_bytes());
        let hex = escaped.strip_prefix('x').and_then(|digits| {
            Some((
                u8::from_str_radix(digits.get(..2)?, 16).ok()?,
                digits.get(2..)?,
            ))
        });
        let (byte, behind) = match (hex, escaped.chars().next()) {
            (Some(found), _) => found,
            (None, Some('r')) => (b'\r', escaped.get(1..).unwrap_or_default()),
            (None, Some('n')) => (b'\n', escaped.get(1..).unwrap_or_default()),
            (None, Some('t')) => (b'\t', escaped.get(1..).unwrap_or_default()),
            _ => (b'\\', escaped.strip_prefix('\\').unwrap_or(escaped)),
        };
        bytes.push(byte);
        rest = behind;
    }
    bytes.extend(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_matched_and_bytes_unescaped() {
        assert!(matches("U1 *", "U1 NOOP") && matches("a", "a") && matches("a*c", "abc"));
        assert!(!matches("a", "ab") && !matches("a*d", "abc"));
        assert_eq!(unescape(r"a\r\n\x41\\"), b"a\r\nA\\");
        assert_eq!(uids("101:*"), [101, 102]);
        assert_eq!(uids("102"), [102]);
    }
}
