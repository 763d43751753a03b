//! Pages of somebody else's site, served on a free port of loopback with the headers that a test wants.
//! Deliberately absent: anything that a page does; that is in its HTML.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its HTML.
    pub html: String,
    /// Headers beside the content type.
    pub headers: Vec<(&'static str, String)>,
}

/// A server that ends with its value.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Site {
    pages: Arc<BTreeMap<String, Page>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl PageServer {
    /// Serves these pages, by path.
    pub async fn start(pages: BTreeMap<String, Page>) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let asked = Arc::default();
        let site = Site {
            pages: Arc::new(pages),
            asked: Arc::clone(&asked),
        };
        let router = Router::new().fallback(show).with_state(site);
        let serving = tokio::spawn(async move {
            // Its listener does not fail on loopback; a test that gets no answer says so.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            asked,
            serving,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a page.
    pub fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Everything that was asked for so far, by path and query.
    pub fn asked(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn show(State(site): State<Site>, uri: Uri) -> Response {
    site.asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(uri.to_string());
    let Some(page) = site.pages.get(uri.path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    for (name, value) in &page.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    (headers, page.html.clone()).into_response()
}
