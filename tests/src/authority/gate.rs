//! What stands between a relay and its certificate authority: it passes on, counts what is asked, refuses as an authority
//! does, and holds an answer back. Nothing that passes is changed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Authority;
use crate::certificate::TestCertificate;
use crate::clock::now_ms;
use crate::http_client::http_client;

/// More than anything that passes.
const BODY_AT_MOST: usize = 1024 * 1024;

/// One of the requests that passed, or were refused.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What.
    pub path: String,
    /// How it was answered.
    pub status: StatusCode,
}

/// A gate at an address of its own, until it is dropped.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    ca_pem: String,
    seen: Arc<Mutex<Seen>>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    asked: Vec<Asked>,
    /// Below which path the next request is refused, and when it may come again, in seconds.
    refuses: Option<(&'static str, u64)>,
    /// Below which path, and how many more times, a nonce is called bad.
    calls_bad: Option<(&'static str, u32)>,
    /// Below which path answers are held back.
    holds: Option<&'static str>,
    has_held: bool,
}

#[derive(Clone)]
struct Way {
    authority: SocketAddr,
    http: reqwest::Client,
    seen: Arc<Mutex<Seen>>,
}

impl Gate {
    /// One that listens there, before this authority.
    pub fn open(listener: TcpListener, authority: &Authority) -> Result<Self> {
        let seen = Arc::default();
        let address = listener.local_addr()?;
        let listener = Encrypted {
            listener,
            acceptor: acceptor(authority.certificate())?,
        };
        let way = Way {
            authority: authority.address(),
            http: http_client(&[authority.ca_pem()])?,
            seen: Arc::clone(&seen),
        };
        let router = Router::new().fallback(pass_on).with_state(way);
        let serving = tokio::spawn(async move {
            // Its listener does not fail on loopback; a test that gets no answer says so.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            ca_pem: authority.ca_pem().to_owned(),
            seen,
            serving,
        })
    }

    /// The authority's directory, as it is found behind the gate.
    pub fn directory(&self) -> String {
        directory_at(self.address)
    }

    /// Whom to trust when it is asked.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What was asked below this path and answered so.
    pub fn asked(&self, path: &str, status: StatusCode) -> Vec<Asked> {
        let seen = lock(&self.seen);
        let of_it = seen
            .asked
            .iter()
            .filter(|asked| asked.path.starts_with(path) && asked.status == status);
        of_it.cloned().collect()
    }

    /// Refuses the next request below this path, as an authority does that is asked too often.
    pub fn refuse_once(&self, path: &'static str, again_in_s: u64) {
        lock(&self.seen).refuses = Some((path, again_in_s));
    }

    /// Calls the nonces of the next requests below this path bad, as an authority of several servers does.
    pub fn call_bad(&self, path: &'static str, times: u32) {
        lock(&self.seen).calls_bad = Some((path, times));
    }

    /// Whether every nonce that was to be called bad was.
    pub fn has_called_bad(&self) -> bool {
        lock(&self.seen).calls_bad.is_none()
    }

    /// Holds back what the authority answers below this path from now on; nothing any more for `None`.
    pub fn hold(&self, path: Option<&'static str>) {
        let mut seen = lock(&self.seen);
        seen.holds = path;
        seen.has_held = false;
    }

    /// Whether an answer is held back.
    pub fn has_held(&self) -> bool {
        lock(&self.seen).has_held
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The directory of an authority, or of a gate, at this address.
pub fn directory_at(address: SocketAddr) -> String {
    format!("https://localhost:{}/dir", address.port())
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn pass_on(State(way): State<Way>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = match refusal(&way, &method, &path) {
        Some(refusal) => refusal,
        None => match ask(&way, request).await {
            Ok(answer) => answer,
            Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
        },
    };
    let is_held = {
        let mut seen = lock(&way.seen);
        seen.asked.push(Asked {
            at_ms: now_ms(),
            path: path.clone(),
            status: answer.status(),
        });
        let is_held =
            answer.status().is_success() && seen.holds.is_some_and(|below| path.starts_with(below));
        seen.has_held |= is_held;
        is_held
    };
    if is_held {
        std::future::pending::<()>().await;
    }
    answer
}

/// As Let's Encrypt refuses (RFC 8555 §6.5, §6.6).
fn refusal(way: &Way, method: &Method, path: &str) -> Option<Response> {
    let mut seen = lock(&way.seen);
    let is_at = |below: &str| method == Method::POST && path.starts_with(below);
    if let Some((_, left)) = seen.calls_bad.as_mut().filter(|(below, _)| is_at(below)) {
        *left -= 1;
        if *left == 0 {
            seen.calls_bad = None;
        }
        let problem = serde_json::json!({
            "type": "urn:ietf:params:acme:error:badNonce",
            "detail": "JWS has an invalid anti-replay nonce",
            "status": 400,
        });
        return Some(refuse(StatusCode::BAD_REQUEST, &problem, None));
    }
    let (_, again_in_s) = seen.refuses.take_if(|(below, _)| is_at(below))?;
    let problem = serde_json::json!({
        "type": "urn:ietf:params:acme:error:rateLimited",
        "detail": "too many certificates (5) already issued for this exact set of identifiers",
        "status": 429,
    });
    Some(refuse(
        StatusCode::TOO_MANY_REQUESTS,
        &problem,
        Some(again_in_s),
    ))
}

fn refuse(status: StatusCode, problem: &serde_json::Value, again_in_s: Option<u64>) -> Response {
    let kind = [(CONTENT_TYPE, "application/problem+json")];
    let mut response = (status, kind, problem.to_string()).into_response();
    if let Some(wish) = again_in_s {
        response.headers_mut().insert(RETRY_AFTER, wish.into());
    }
    response
}

async fn ask(way: &Way, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    headers.remove(CONTENT_LENGTH);
    // The name by which it was asked stays: what is signed has it, and what is found elsewhere is named by it.
    let url = format!("https://localhost:{}{}", way.authority.port(), parts.uri);
    let asked = way.http.request(parts.method, url).headers(headers);
    let answer = asked
        .body(to_bytes(body, BODY_AT_MOST).await?)
        .send()
        .await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        response.headers_mut().remove(name);
    }
    *response.body_mut() = Body::from(answer.bytes().await?);
    Ok(response)
}

fn acceptor(certificate: &TestCertificate) -> Result<TlsAcceptor> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes())?;
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A listener whose connections are encrypted.
struct Encrypted {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            // Who does not shake hands is not served; a test's own relay does.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        TcpListener::local_addr(&self.listener)
    }
}
