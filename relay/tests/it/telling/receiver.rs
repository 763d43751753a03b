//! The other end of a webhook, which counts what it is told. It shares nothing with the relay: it reads HTTP by itself
//! and checks each signature by its own arithmetic.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use protocol::secret::Secret;
use relay::config::notify::Webhook;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::cli::Serving;

/// What posts are signed with; 32 bytes.
pub(crate) const SECRET: &str = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=";

/// What it does with a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers this head, as in `204 No Content`, with these further lines.
    Answer(&'static str, String),
    /// Says nothing, for as long as the other side waits.
    Silence,
    /// The relay is killed before its post is read.
    KillUnread,
    /// The relay is killed once its post is read, and nothing is answered.
    KillUnanswered,
    /// The relay is killed as soon as this is answered.
    KillAnswered(&'static str),
}

/// A post that was read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) body: Value,
    /// Whether it was answered with success.
    pub(crate) taken: bool,
}

/// A relay that may be running; taken and dropped it is killed and waited for. Whoever starts it holds this until it
/// listens.
pub(crate) type Process = Arc<tokio::sync::Mutex<Option<Serving>>>;

#[derive(Default)]
struct Kept {
    seen: Vec<Seen>,
    n_connections: usize,
    /// What is done next; afterwards everything is taken.
    acts: VecDeque<Act>,
    always: Option<Act>,
    process: Option<Process>,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::<Mutex<Kept>>::default();
        let shared = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().n_connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, kept }
    }

    /// The webhook of a configuration that leads here.
    pub(crate) fn webhook(&self) -> Webhook {
        Webhook {
            url: format!("http://{}/hook?key=s3cr3t", self.address)
                .parse()
                .unwrap(),
            secret: Secret::new(SECRET),
            private: true,
        }
    }

    pub(crate) fn next(&self, act: Act) {
        self.kept.lock().unwrap().acts.push_back(act);
    }

    pub(crate) fn always(&self, act: Option<Act>) {
        self.kept.lock().unwrap().always = act;
    }

    /// What the acts that kill are to end.
    pub(crate) fn may_kill(&self, process: &Process) {
        self.kept.lock().unwrap().process = Some(Arc::clone(process));
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.kept.lock().unwrap().seen.clone()
    }

    pub(crate) fn n_connections(&self) -> usize {
        self.kept.lock().unwrap().n_connections
    }

    /// Whether an act that kills is still to come.
    pub(crate) fn has_acts(&self) -> bool {
        !self.kept.lock().unwrap().acts.is_empty()
    }
}

async fn serve(mut stream: TcpStream, kept: Arc<Mutex<Kept>>) {
    let act = {
        let mut kept = kept.lock().unwrap();
        kept.acts.pop_front().or_else(|| kept.always.clone())
    };
    if matches!(act, Some(Act::KillUnread)) {
        return kill(&kept).await;
    }
    let Some((head, body)) = read(&mut stream).await else {
        return;
    };
    let id = check_signature(&head, &body);
    let (status, lines) = match &act {
        None => ("204 No Content", String::new()),
        Some(Act::Answer(status, lines)) => (*status, lines.clone()),
        Some(Act::KillAnswered(status)) => (*status, String::new()),
        Some(Act::Silence | Act::KillUnread | Act::KillUnanswered) => ("", String::new()),
    };
    kept.lock().unwrap().seen.push(Seen {
        id,
        body: serde_json::from_str(&body).unwrap(),
        taken: status.starts_with('2'),
    });
    match act {
        Some(Act::KillUnanswered) => return kill(&kept).await,
        Some(Act::Silence) => {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return;
        }
        _ => {}
    }
    let answer = format!("HTTP/1.1 {status}\r\n{lines}Content-Length: 0\r\n\r\n");
    let _ = stream.write_all(answer.as_bytes()).await;
    if matches!(act, Some(Act::KillAnswered(_))) {
        kill(&kept).await;
    }
}

/// Ends the relay.
async fn kill(kept: &Mutex<Kept>) {
    let process = kept.lock().unwrap().process.clone();
    let process = process.expect("something to kill");
    // Held until it has ended: whoever starts the next one waits for that.
    let mut serving = process.lock().await;
    drop(serving.take().expect("a relay that runs"));
}

/// The head and the body of a post; `None` where the other side ended before.
async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length: usize = field(head, "content-length")?.parse().ok()?;
            if body.len() >= length {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Checks a post as Standard Webhooks 1.0.0 asks its receivers to; answers its id.
fn check_signature(head: &str, body: &str) -> String {
    let of = |name| field(head, name).unwrap_or_else(|| panic!("{name} in {head}"));
    let (id, stamp) = (of("webhook-id"), of("webhook-timestamp"));
    let key = STANDARD
        .decode(SECRET.strip_prefix("whsec_").unwrap())
        .unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{stamp}.{body}").as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(of("webhook-signature"), expected);
    assert!(
        stamp.parse::<i64>().unwrap() > 1_600_000_000,
        "{stamp}: seconds"
    );
    assert!(
        !id.contains('.'),
        "{id}: what is signed has dots between its parts"
    );
    id.to_owned()
}
