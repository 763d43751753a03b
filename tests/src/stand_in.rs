//! Somebody who took a relay's address: all that is asked goes to the relay, and every answer that names the relay's
//! key names another one. Deliberately absent: any change beside that.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use protocol::request::device::GetRelayKey;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::free_port::free_address;
use crate::http_client::http_client;
use crate::story::relay::Relay;

/// More than any request or answer of these stories.
const BODY_AT_MOST: usize = 16 * 1024 * 1024;

/// Stands where the relay stood, until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Behind {
    relay: SocketAddr,
    http: reqwest::Client,
    key: String,
    shown: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    /// Moves the relay to another address, and stands at the one that it had.
    pub async fn replace(relay: &mut Relay) -> Result<Self> {
        let key = relay.operator()?.call(&GetRelayKey {}).await?.relay_key;
        let key = key.to_string();
        let listed = relay.address();
        let behind = Behind {
            relay: free_address()?,
            http: http_client(&[])?,
            shown: other_key(&key)?,
            key,
            asked: Arc::default(),
        };
        relay.kill()?;
        let listener = TcpListener::bind(listed).await?;
        let router = Router::new().fallback(pass_on).with_state(behind.clone());
        let serving = tokio::spawn(async move {
            // Its listener does not fail on loopback; a test that gets no answer says so.
            let _ended = axum::serve(listener, router).await;
        });
        let standing = Self {
            asked: Arc::clone(&behind.asked),
            serving,
        };
        let elsewhere = ("UNPAUSE_LISTEN", behind.relay.to_string());
        relay.start_again_with(Some(elsewhere)).await?;
        Ok(standing)
    }

    /// Everything that was asked so far: method and path.
    pub fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A key as good as this one, and not it.
fn other_key(key: &str) -> Result<String> {
    let first = key.chars().next().context("the relay's key is empty")?;
    let other = if first == 'A' { 'B' } else { 'A' };
    Ok(key.replacen(first, &other.to_string(), 1))
}

async fn pass_on(State(behind): State<Behind>, request: Request) -> Response {
    match try_pass_on(&behind, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn try_pass_on(behind: &Behind, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    behind
        .asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(format!("{} {}", parts.method, parts.uri.path()));
    let mut headers = parts.headers;
    for name in [
        header::HOST,
        header::CONTENT_LENGTH,
        header::ACCEPT_ENCODING,
    ] {
        headers.remove(name);
    }
    let url = format!("http://{}{}", behind.relay, parts.uri);
    let answer = behind
        .http
        .request(parts.method, url)
        .headers(headers)
        .body(to_bytes(body, BODY_AT_MOST).await?)
        .send()
        .await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        response.headers_mut().remove(name);
    }
    let said = answer.bytes().await?;
    let changed = match std::str::from_utf8(&said) {
        Ok(text) => text.replace(&behind.key, &behind.shown).into(),
        Err(_) => said,
    };
    *response.body_mut() = Body::from(changed);
    Ok(response)
}
