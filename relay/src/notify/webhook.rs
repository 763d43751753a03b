//! Alerts by webhook, as Standard Webhooks 1.0.0 says. A connection of its own for each post, opened as mail's are: the
//! name is looked up once, what is checked is what is connected to, and no redirect is followed. So nobody who may name
//! a webhook, and nobody who answers for its name, makes the relay knock at a door inside its own network.

use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use protocol::alert::Alert;
use protocol::inbox::{MailServer, TlsMode};
use protocol::timestamp::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use url::{Host, Url};

use super::{Answer, Channel, Way};
use crate::config::notify::{self, Notify};
use crate::tls::Dialer;
use crate::wish;

/// Time for one post, from the look-up of the name to the answer's head (Standard Webhooks 1.0.0 names 15 to 30 s).
const POST_WITHIN: Duration = Duration::from_secs(15);
/// What is read of an answer at the most, its head; its body is not read.
const ANSWER_BYTES: usize = 16 * 1024;

/// One webhook.
#[derive(Debug)]
pub(super) struct Webhook(notify::Webhook);

pub(super) fn list_channels(config: &Notify) -> Vec<Channel> {
    let channel = |(name, webhook): (&String, &notify::Webhook)| Channel {
        name: format!("webhook.{name}"),
        target: show(&webhook.url),
        gathers: None,
        way: Way::Webhook(Box::new(Webhook(webhook.clone()))),
    };
    config.webhooks.iter().map(channel).collect()
}

/// Where a webhook leads. Its path and query may be its secret: that they are others shows in a few letters.
fn show(url: &Url) -> String {
    let digest = Sha256::digest(url.as_str().as_bytes());
    let mark = match digest.as_slice() {
        [a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]),
        _ => 0,
    };
    format!("{} ({mark:08x})", url.origin().ascii_serialization())
}

impl Webhook {
    /// Posts each; the first that is not taken ends it.
    pub(super) async fn tell(
        &self,
        dialer: &Dialer,
        alerts: &[Alert],
        relay: &str,
        now: Timestamp,
    ) -> Answer {
        let mut answer = Answer::Taken {
            words: "nothing to tell".to_owned(),
        };
        for alert in alerts {
            let posting = Box::pin(self.post(dialer, alert, relay, now));
            answer = match dialer.ending().within(POST_WITHIN, posting).await {
                Ok(Ok(response)) => read(&response, now),
                Ok(Err(words)) => not_taken(words),
                Err(cut) => not_taken(cut.said("the post", POST_WITHIN).to_string()),
            };
            if !matches!(answer, Answer::Taken { .. }) {
                break;
            }
        }
        answer
    }

    async fn post(
        &self,
        dialer: &Dialer,
        alert: &Alert,
        relay: &str,
        now: Timestamp,
    ) -> Result<Response<()>, String> {
        let Self(webhook) = self;
        let url = &webhook.url;
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err("its url names no host".to_owned()),
        };
        let server = MailServer {
            host,
            port: url.port_or_known_default().unwrap_or(443),
            tls: TlsMode::Implicit,
        };
        let body = payload(alert, relay).to_string();
        let stamp = now.as_ms() / 1_000;
        let signature = sign(&webhook.key(), &alert.key, stamp, &body);
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
            None => url.host_str().unwrap_or_default().to_owned(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        // The error would quote the address, and with it what may be a secret.
        let request = Request::post(path)
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("unpause/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", &alert.key)
            .header("webhook-timestamp", stamp.to_string())
            .header("webhook-signature", signature)
            .body(Body::from(body))
            .map_err(|_| "the post cannot be written in HTTP".to_owned())?;
        let stream = dialer
            .reach(&server, webhook.private)
            .await
            .map_err(|said| said.to_string())?;
        let response = if url.scheme() == "https" {
            let stream = dialer.secure(&server, stream).await;
            send(stream.map_err(|said| said.to_string())?, request).await
        } else {
            send(stream, request).await
        };
        let response = response.map_err(|error| format!("no answer: {error}"))?;
        // Nothing depends on its body, so nothing of it is read.
        Ok(response.map(drop))
    }
}

/// Sends one request over one connection, which ends with it.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Body>,
) -> Result<Response<Incoming>, hyper::Error> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(ANSWER_BYTES)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::select! {
        answered = sender.send_request(request) => answered,
        // It ends by itself only where the other side ends it: then the request says why.
        Err(error) = connection => Err(error),
    }
}

/// What an answer's head says.
fn read<T>(response: &Response<T>, now: Timestamp) -> Answer {
    let status = response.status();
    let words = format!("answered {status}");
    if status.is_success() {
        return Answer::Taken { words };
    }
    if status == StatusCode::GONE {
        return Answer::Gone { words };
    }
    if status.is_redirection() {
        return not_taken(format!(
            "{words}: redirects are not followed, so write the new address into the configuration"
        ));
    }
    let is_asked = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    );
    let wish = response.headers().get(RETRY_AFTER);
    let wish = wish.and_then(|wish| wish::parse(wish.to_str().ok()?, now));
    Answer::NotTaken {
        words,
        retry_after: wish.filter(|_| is_asked),
    }
}

fn not_taken(words: String) -> Answer {
    Answer::NotTaken {
        words,
        retry_after: None,
    }
}

/// The signature of a post (Standard Webhooks 1.0.0, "Signature scheme").
fn sign(key: &[u8], id: &str, stamp: i64, body: &str) -> String {
    // A key of any length makes one (RFC 2104 §3).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(format!("{id}.{stamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What is posted: what happened, when, the facts, and the words that people are shown elsewhere.
fn payload(alert: &Alert, relay: &str) -> Value {
    let mut facts = match serde_json::to_value(alert) {
        Ok(Value::Object(facts)) => facts,
        _ => Map::new(),
    };
    for name in ["key", "at", "type"] {
        facts.remove(name);
    }
    let words = alert.words();
    facts.insert("title".to_owned(), words.title.into());
    facts.insert("explanation".to_owned(), words.explanation.into());
    facts.insert("remedy".to_owned(), words.remedy.into());
    facts.insert("link".to_owned(), format!("{relay}{}", words.page).into());
    json!({ "type": alert.what.name(), "timestamp": alert.at, "data": facts })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "Signature scheme" of Standard Webhooks 1.0.0: the example with which its reference libraries are tested.
    #[test]
    fn the_reference_libraries_example_is_signed_as_they_sign_it() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn an_answer_says_whether_to_go_on() {
        let now = Timestamp::from_ms(784_111_777_000);
        let answer = |status: u16, wish: Option<&str>| {
            let mut response = Response::builder().status(status);
            if let Some(wish) = wish {
                response = response.header(RETRY_AFTER, wish);
            }
            read(&response.body(()).unwrap(), now)
        };
        for (status, wish, seconds) in [
            (500, Some("60"), None),
            (429, Some("60"), Some(60)),
            (503, Some("120"), Some(120)),
            (503, None, None),
            (503, Some("soon"), None),
            (503, Some("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60)),
            (503, Some("Sun, 06 Nov 1994 08:40:37 GMT"), Some(0)),
            (404, None, None),
            (301, Some("5"), None),
        ] {
            let Answer::NotTaken { retry_after, .. } = answer(status, wish) else {
                panic!("{status} is not taken");
            };
            assert_eq!(
                retry_after,
                seconds.map(Duration::from_secs),
                "{status} {wish:?}"
            );
        }
        assert!(matches!(answer(204, None), Answer::Taken { .. }));
        assert!(matches!(answer(410, None), Answer::Gone { .. }));
    }

    #[test]
    fn where_it_leads_is_shown_without_what_may_be_secret() {
        let url = "https://hooks.acme.example/services/T0/B1/s3cr3t?token=s3cr3t";
        let shown = show(&url.parse().unwrap());
        assert!(shown.starts_with("https://hooks.acme.example ("), "{shown}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
