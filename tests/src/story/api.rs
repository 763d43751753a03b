//! A caller of the relay's API, as the extension or the command line is one. It knows the wire from
//! `protocol` and nothing of the relay.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::{Method, StatusCode};
use protocol::problem::{Code, Problem};
use protocol::request::session::{CreateLoginLink, CreateSession};
use protocol::request::{Request, encode};
use protocol::secret::Secret;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN};
use sandbox::device::{Device, Proof, Question, Said};
use url::Url;

use crate::http_client::{http_client, http_client_at, http_client_within};

/// How often a patient caller asks: the relay itself waits for half a minute before it says that it cannot now.
const PATIENT_TRIES: u32 = 6;

/// What a caller shows.
#[derive(Clone, Debug)]
enum Pass {
    Nothing,
    Token(String),
    /// It signs, and takes nothing that this relay has not signed.
    Key {
        device: Arc<Device>,
        relay_key: String,
    },
}

/// A caller with a token or a key, or one who comes by the operator's socket.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    pass: Pass,
    /// The `Origin` that it names.
    origin: Option<String>,
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
            pass: token.map_or(Pass::Nothing, Pass::Token),
            origin: None,
            socket: None,
            tries: 1,
        })
    }

    /// A caller by this socket: the operator.
    pub fn at(socket: PathBuf) -> Result<Self> {
        Ok(Self {
            http: http_client_at(&socket)?,
            base: "http://localhost".to_owned(),
            pass: Pass::Nothing,
            origin: None,
            socket: Some(socket),
            tries: 1,
        })
    }

    /// A device that signs, for the relay of this key.
    pub fn of_device(base: &str, device: Arc<Device>, relay_key: String) -> Result<Self> {
        let pass = Pass::Key { device, relay_key };
        Ok(Self {
            pass,
            ..Self::new(base, None)?
        })
    }

    /// The same caller, who trusts this authority and no other.
    pub fn trusting(self, ca_pem: &str) -> Result<Self> {
        let http = http_client(&[ca_pem])?;
        Ok(Self { http, ..self })
    }

    /// The same caller, in a browser at this origin.
    #[must_use]
    pub fn from_origin(self, origin: Option<&str>) -> Self {
        Self {
            origin: origin.map(str::to_owned),
            ..self
        }
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
        self.sign_in_by(&Self::new(base, None)?).await
    }

    /// The same with a browser that asks as this caller does.
    pub async fn sign_in_by(&self, browser: &Self) -> Result<String> {
        let link = self.call(&CreateLoginLink {}).await?;
        let url = Url::parse(link.url.expose())?;
        let code = url.fragment().and_then(|code| code.strip_prefix("code="));
        let code = Secret::new(code.context("the link has no code")?);
        let session = browser.call(&CreateSession { code }).await?;
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
        let (kind, body) = match (csv, R::METHOD) {
            (Some(csv), _) => (Some("text/csv"), csv),
            (None, Method::POST) => (
                Some("application/json"),
                serde_json::to_vec(&encoded.fields)?,
            ),
            (None, _) => (None, Vec::new()),
        };
        let mut said = self.ask_once(R::METHOD, &url, kind, &body).await;
        if matches!(&self.pass, Pass::Key { .. }) && matches!(&said, Ok((401, _))) {
            // Too much time has passed, or the relay was started again.
            said = self.ask_once(R::METHOD, &url, kind, &body).await;
        }
        let (status, body) = said.with_context(|| format!("{} was not answered", R::NAME))?;
        let status = StatusCode::from_u16(status)?;
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

impl Api {
    /// The device's key and the relay's (base64url); `None` of another caller.
    pub fn key(&self) -> Option<(&Arc<Device>, &str)> {
        match &self.pass {
            Pass::Key { device, relay_key } => Some((device, relay_key)),
            Pass::Nothing | Pass::Token(_) => None,
        }
    }

    /// The fields by which a device signs such a request, for tests that send it themselves; none of another caller.
    pub fn sign(
        &self,
        method: &str,
        url: &Url,
        kind: Option<&str>,
        body: &[u8],
    ) -> Vec<(&'static str, String)> {
        let Pass::Key { device, .. } = &self.pass else {
            return Vec::new();
        };
        let proof = device.sign(&Question {
            method,
            path: url.path(),
            query: url.query(),
            content_type: kind,
            if_none_match: None,
            relay_key: None,
            body,
        });
        let fields = proof.fields();
        fields.map(|(name, value)| (name, value.to_owned())).into()
    }

    /// The status and the body of one answer.
    async fn ask_once(
        &self,
        method: Method,
        url: &Url,
        kind: Option<&'static str>,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>)> {
        let mut call = self.http.request(method.clone(), url.clone());
        if let Some(origin) = &self.origin {
            call = call.header(ORIGIN, origin);
        }
        if let Some(kind) = kind {
            call = call
                .header(CONTENT_TYPE, HeaderValue::from_static(kind))
                .body(body.to_vec());
        }
        let proof = match &self.pass {
            Pass::Nothing => None,
            Pass::Token(token) => {
                call = call.bearer_auth(token);
                None
            }
            Pass::Key { device, relay_key } => {
                let question = Question {
                    method: method.as_str(),
                    path: url.path(),
                    query: url.query(),
                    content_type: kind,
                    if_none_match: None,
                    relay_key: None,
                    body,
                };
                let proof = device.sign(&question);
                for (name, value) in proof.fields() {
                    call = call.header(name, value);
                }
                Some((device, relay_key, proof))
            }
        };
        let answer = call.send().await?;
        let (status, fields) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await?;
        if let Some((device, relay_key, proof)) = proof
            && !is_said(device, relay_key, &proof, status, &fields, &body)
        {
            bail!("an answer that the relay has not signed: {status}");
        }
        Ok((status, body.to_vec()))
    }
}

fn is_said(
    device: &Device,
    relay_key: &str,
    proof: &Proof,
    status: u16,
    fields: &HeaderMap,
    body: &[u8],
) -> bool {
    let field = |name: &str| fields.get(name).and_then(|value| value.to_str().ok());
    let said = Said {
        status,
        content_digest: field("content-digest").unwrap_or_default(),
        challenge: field("unpause-challenge").unwrap_or_default(),
        etag: field("etag"),
        signature_input: field("signature-input").unwrap_or_default(),
        signature: field("signature").unwrap_or_default(),
        body,
    };
    device.is_said(relay_key, proof, &said)
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
