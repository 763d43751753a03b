//! Pages of somebody else's site, served on a free port of loopback with the headers that a test wants.
//! Deliberately absent: anything that a page does; that is in its HTML.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
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

/// A request, by what a browser says of who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Its `Origin`.
    pub origin: Option<String>,
}

/// A server that ends with its value.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Site {
    pages: Arc<BTreeMap<String, Page>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl PageServer {
    /// Serves these pages, by path.
    pub async fn start(pages: BTreeMap<String, Page>) -> std::io::Result<Self> {
        Self::serve(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?, pages)
    }

    /// The same where its address had to be known before its pages.
    pub fn serve(listener: TcpListener, pages: BTreeMap<String, Page>) -> std::io::Result<Self> {
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

    /// Serves this page alone, at `/`.
    pub async fn start_page(
        html: &str,
        headers: Vec<(&'static str, String)>,
    ) -> std::io::Result<Self> {
        let html = html.to_owned();
        Self::start(BTreeMap::from([("/".to_owned(), Page { html, headers })])).await
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
        self.named().into_iter().map(|asked| asked.path).collect()
    }

    /// The same with method and origin.
    pub fn named(&self) -> Vec<Asked> {
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

async fn show(State(site): State<Site>, method: Method, uri: Uri, asking: HeaderMap) -> Response {
    let origin = asking.get(header::ORIGIN);
    let asked = Asked {
        method: method.to_string(),
        path: uri.to_string(),
        origin: origin.map(|origin| String::from_utf8_lossy(origin.as_bytes()).into_owned()),
    };
    site.asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(asked);
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
