//! Somebody who took the relay's address while the relay is down. He knows everything about it that is public: its
//! address, both of its public keys, what it answered to others. He answers as it would, in a way that helps him: an
//! inbox that is lost, a sign-in that ends at himself. Everything that he is told is kept.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use protocol::request::device::PublicKey;
use protocol::request::status::Status;
use protocol::signed;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// More than any request of these stories.
const BODY_AT_MOST: usize = 1024 * 1024;

/// What he knows.
#[derive(Clone, Debug)]
pub struct Known {
    /// What the relay said of itself when it was asked last.
    pub status: Status,
    /// The key to which others seal.
    pub sealing: PublicKey,
    /// The key by which it signs, base64url.
    pub signing: String,
}

/// One request that he got.
#[derive(Clone, Debug)]
pub struct Told {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// Every field.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Told {
    /// All of it as text, to be searched.
    pub fn text(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{} {} {:?} {body}", self.method, self.path, self.headers)
    }
}

/// Stands there until it is dropped.
#[derive(Debug)]
pub struct Impostor {
    told: Arc<Mutex<Vec<Told>>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Desk {
    at: SocketAddr,
    known: Known,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Impostor {
    /// Takes an address that is free.
    pub async fn stand(at: SocketAddr, known: Known) -> Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let told = Arc::default();
        let desk = Desk {
            at,
            known,
            told: Arc::clone(&told),
        };
        let router = Router::new().fallback(answer).with_state(desk);
        let serving = tokio::spawn(async move {
            // Its listener does not fail on loopback; a test that gets no answer says so.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { told, serving })
    }

    /// Everything that he was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Leaves the address, and returns once it is free.
    pub async fn leave(mut self) {
        self.serving.abort();
        let _ended = (&mut self.serving).await;
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(desk): State<Desk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_AT_MOST).await.unwrap_or_default();
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let path = parts.uri.path().to_owned();
    let is_preflight = parts.method == Method::OPTIONS;
    desk.told
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Told {
            method: parts.method,
            path: parts.uri.to_string(),
            headers: parts.headers,
            body: body.to_vec(),
        });
    let mut response = if is_preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let said = say(&desk, &path).to_string().into_bytes();
        let mut response = said.clone().into_response();
        pretend(&desk, &said, response.headers_mut());
        response
    };
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    for (name, value) in [
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-digest, content-type, if-none-match, signature, signature-input, unpause-relay-key",
        ),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "content-digest, etag, signature, signature-input, unpause-challenge",
        ),
        (header::CONTENT_TYPE, "application/json"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What the relay would say, and what would help him.
fn say(desk: &Desk, path: &str) -> Value {
    let base = format!("http://{}", desk.at);
    match path {
        "/v1/status" => json!(desk.known.status),
        "/v1/relay-key" => json!(desk.known.sealing),
        "/v1/devices" => json!({
            "id": "dev_his",
            "relay_key": desk.known.sealing.relay_key,
        }),
        path if path.ends_with("/reconnects") => json!({
            "reconnect": { "id": "rec_his", "state": "started" },
            "joined": false,
            "authorization": {
                "authorization_endpoint": format!("{base}/authorize"),
                "token_endpoint": format!("{base}/token"),
                "issuer": base,
                "names_issuer": false,
                "client_id": "his",
                "scopes": [],
                "login_hint": "jane@acme.example",
                "visits": [{ "prompt": null, "interactive": true }],
                "exchange": { "kind": "public" },
            },
        }),
        _ => json!({}),
    }
}

/// Everything of a signed answer that he can make: the digest of what he says, the name of the relay's key, and bytes
/// where the signature stands.
fn pretend(desk: &Desk, said: &[u8], headers: &mut HeaderMap) {
    let input = format!(
        "relay=(\"@status\" \"content-digest\" \"unpause-challenge\" \"signature\";req;key=\"device\");\
         created=1800000000;keyid=\"{}\";alg=\"ed25519\";tag=\"unpause-relay\"",
        desk.known.signing
    );
    for (name, value) in [
        (signed::CONTENT_DIGEST, signed::digest(said)),
        (signed::CHALLENGE, "his".to_owned()),
        (signed::SIGNATURE_INPUT, input),
        (
            signed::SIGNATURE,
            format!("relay=:{}:", STANDARD.encode([7; 64])),
        ),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
