//! A caller of the relay's API, as the extension or the command line is one. It knows the wire from
//! `protocol` and nothing of the relay.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::Method;
use protocol::problem::{Code, Problem};
use protocol::request::session::{CreateLoginLink, CreateSession};
use protocol::request::{Request, encode};
use protocol::secret::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use url::Url;

use crate::http_client::{http_client, http_client_at, http_client_within};

/// How often a patient caller asks: the relay itself waits for half a minute before it says that it cannot now.
const PATIENT_TRIES: u32 = 6;

/// A caller with a token, or one who comes by the operator's socket.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    socket: Option<PathBuf>,
    /// How often it asks where the relay says that it cannot answer now.
    tries: u32,
}

impl Api {
    /// A caller of the relay at `base`, as in `http://127.0.0.1:7411`.
    pub fn new(base: &str, token: Option<String>) -> Result<Self> {
        let http = http_client(&[])?;
        Ok(Self {
            http,
            base: base.to_owned(),
            token,
            socket: None,
            tries: 1,
        })
    }

    /// A caller by this socket: the operator.
    pub fn at(socket: PathBuf) -> Result<Self> {
        Ok(Self {
            http: http_client_at(&socket)?,
            base: "http://localhost".to_owned(),
            token: None,
            socket: Some(socket),
            tries: 1,
        })
    }

    /// The same caller, who waits this long for an answer, and asks again where the relay cannot answer now.
    pub fn patient(self, within: Duration) -> Result<Self> {
        Ok(Self {
            http: http_client_within(within, self.socket.as_deref())?,
            tries: PATIENT_TRIES,
            ..self
        })
    }

    /// Signs in to the dashboard of the relay at `base`, as its operator does: the token of the session.
    pub async fn sign_in(&self, base: &str) -> Result<String> {
        let link = self.call(&CreateLoginLink {}).await?;
        let url = Url::parse(link.url.expose())?;
        let code = url.fragment().and_then(|code| code.strip_prefix("code="));
        let code = Secret::new(code.context("the link has no code")?);
        let session = Self::new(base, None)?.call(&CreateSession { code }).await?;
        Ok(session.token.expose().to_owned())
    }

    /// Calls an endpoint; a problem is an error that downcasts to [`Problem`].
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response> {
        self.send(request, None).await
    }

    /// Calls an endpoint that takes a CSV file.
    pub async fn call_with_csv<R: Request>(
        &self,
        request: &R,
        csv: Vec<u8>,
    ) -> Result<R::Response> {
        self.send(request, Some(csv)).await
    }

    async fn send<R: Request>(&self, request: &R, csv: Option<Vec<u8>>) -> Result<R::Response> {
        for _ in 1..self.tries {
            match self.ask(request, csv.clone()).await {
                Err(error) if is_unavailable(&error) => {}
                answer => return answer,
            }
        }
        self.ask(request, csv).await
    }

    async fn ask<R: Request>(&self, request: &R, csv: Option<Vec<u8>>) -> Result<R::Response> {
        let encoded = encode(request)?;
        let mut url = Url::parse(&format!("{}{}", self.base, encoded.path))?;
        if R::METHOD != Method::POST && !encoded.fields.is_empty() {
            let pairs = encoded
                .fields
                .iter()
                .map(|(name, value)| (name, plain(value)));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        let mut call = self.http.request(R::METHOD, url);
        if let Some(token) = &self.token {
            call = call.bearer_auth(token);
        }
        call = match (csv, R::METHOD) {
            (Some(csv), _) => call
                .header(CONTENT_TYPE, HeaderValue::from_static("text/csv"))
                .body(csv),
            (None, Method::POST) => call.json(&encoded.fields),
            (None, _) => call,
        };
        let answer = call
            .send()
            .await
            .with_context(|| format!("{} was not answered", R::NAME))?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .with_context(|| format!("{} was answered strangely", R::NAME));
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(problem.into()),
            Err(_) => bail!(
                "{} was answered {status}: {}",
                R::NAME,
                String::from_utf8_lossy(&body)
            ),
        }
    }
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Problem>()
        .is_some_and(|problem| problem.code == Code::Unavailable)
}

/// A value as it stands in a query.
fn plain(value: &serde_json::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
