//! Stands before the relay and keeps every answer, so that what any caller got (the extension, the command line,
//! a page, a scripted device) can be searched. What a caller sends is not kept: it may hold secrets.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;
use url::Url;

use super::search::{Kind, Marker};
use crate::http_client::{http_client, http_client_at};

/// The largest body that a caller sends.
const BODY_AT_MOST_BYTES: usize = 16 * 1024 * 1024;

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The method.
    pub method: Method,
    /// The path without the query.
    pub path: String,
    /// The status.
    pub status: StatusCode,
    /// Headers and body.
    pub bytes: Vec<u8>,
    body: Vec<u8>,
}

/// A recording proxy; it ends with its value.
#[derive(Debug)]
pub struct Recorder {
    address: SocketAddr,
    kept: Arc<Kept>,
    serving: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Kept {
    relay: String,
    answers: Mutex<Vec<Answer>>,
}

/// One way to the relay that is recorded.
#[derive(Clone, Debug)]
struct Way {
    kept: Arc<Kept>,
    http: reqwest::Client,
}

impl Recorder {
    /// Stands before the relay at `relay`, as in `http://127.0.0.1:7411`.
    pub async fn start(relay: String) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let kept = Arc::new(Kept {
            relay,
            answers: Mutex::default(),
        });
        let mut recorder = Self {
            address,
            kept,
            serving: Vec::new(),
        };
        let router = recorder.router(http_client(&[])?);
        recorder.serving.push(tokio::spawn(async move {
            // Its listener does not fail on loopback; a caller that gets no answer says so.
            let _ended = axum::serve(listener, router).await;
        }));
        Ok(recorder)
    }

    /// Stands before the operator's socket `to` as well, at the socket `at`.
    pub fn stand_at(&mut self, at: &Path, to: &Path) -> Result<()> {
        let listener = UnixListener::bind(at)?;
        let router = self.router(http_client_at(to)?);
        self.serving.push(tokio::spawn(async move {
            let _ended = axum::serve(listener, router).await;
        }));
        Ok(())
    }

    fn router(&self, http: reqwest::Client) -> Router {
        let way = Way {
            kept: Arc::clone(&self.kept),
            http,
        };
        Router::new().fallback(pass).with_state(way)
    }

    /// Its address, as in `http://127.0.0.1:7411`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every answer so far, in order.
    pub fn answers(&self) -> Vec<Answer> {
        locked(&self.kept.answers).clone()
    }

    /// The secrets that the relay itself has handed out so far, each once and on purpose.
    pub fn handed_out(&self) -> Vec<Marker> {
        self.answers().iter().filter_map(Answer::secret).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for serving in &self.serving {
            serving.abort();
        }
    }
}

impl Answer {
    /// What kind of secret this answer is there to hand over.
    pub fn hands_out(&self) -> Option<Kind> {
        if self.method != Method::POST || !self.status.is_success() {
            return None;
        }
        match self.path.as_str() {
            "/v1/pairings" => Some(Kind::PairingCode),
            "/v1/login-links" => Some(Kind::LoginCode),
            "/v1/sessions" => Some(Kind::SessionToken),
            path if path.starts_with("/v1/reconnects/") && path.ends_with("/host") => {
                Some(Kind::Ticket)
            }
            _ => None,
        }
    }

    fn secret(&self) -> Option<Marker> {
        let kind = self.hands_out()?;
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let text = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
        let secret = match kind {
            Kind::PairingCode => text("code")?,
            Kind::LoginCode => {
                let url = Url::parse(&text("url")?).ok()?;
                url.fragment()?.strip_prefix("code=")?.to_owned()
            }
            Kind::Ticket => {
                let url = Url::parse(&text("url")?).ok()?;
                let (_, ticket) = url.query_pairs().find(|(name, _)| name == "ticket")?;
                ticket.into_owned()
            }
            _ => text("token")?,
        };
        Some(Marker::new(kind, &secret))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    match forward(&way, request).await {
        Ok(response) => response,
        // As where the relay is not there.
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

async fn forward(way: &Way, request: Request) -> Result<Response> {
    let kept = &way.kept;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_AT_MOST_BYTES).await?;
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    // The body is searched as it is, so it must not come compressed.
    headers.remove(header::ACCEPT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    // `Host` stays: the relay answers to every name of this machine.
    let answered = way
        .http
        .request(
            parts.method.clone(),
            format!("{}{path_and_query}", kept.relay),
        )
        .headers(headers)
        .body(body)
        .send()
        .await?;
    let status = answered.status();
    let mut headers = HeaderMap::new();
    let mut bytes = Vec::new();
    for (name, value) in answered.headers() {
        if !matches!(*name, header::TRANSFER_ENCODING | header::CONNECTION) {
            headers.append(name, value.clone());
        }
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    let body = answered.bytes().await?.to_vec();
    bytes.push(b'\n');
    bytes.extend_from_slice(&body);
    locked(&kept.answers).push(Answer {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        status,
        bytes,
        body: body.clone(),
    });
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
