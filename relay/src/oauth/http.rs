//! HTTP to an authorization server: no redirects, a time-out, a limit on the body, and every answer
//! that is not 200 made into evidence. What a success holds is read by [`super`].

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use ::http::header::WWW_AUTHENTICATE;
use ::http::{Response, StatusCode};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use protocol::evidence::{IoFault, Said};
use protocol::secret::Secret;
use reqwest::redirect::Policy;

use super::words::read_refusal;
use crate::tls::{Dialer, said_of, said_of_lookup, timed_out};

/// Time for a whole request. Ours: a token endpoint answers in one second or is in trouble, and a
/// person may be waiting.
const REQUEST_WITHIN: Duration = Duration::from_secs(20);

/// Most bytes of an answer. Metadata of large providers is about 4 KB, a token about 4 KB.
const BODY_AT_MOST_BYTES: usize = 256 * 1024;

/// Most bytes of a page that was made for people.
const PAGE_AT_MOST_BYTES: usize = 64 * 1024;

/// The HTTP client. It goes no other way than mail does, so no proxy of the environment is used.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
}

/// What came in place of a success.
#[derive(Debug)]
pub(super) struct Fault(pub(super) Said);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the authorization server did not answer with success")
    }
}

impl Error for Fault {}

/// The client as `oauth2` asks for it: a response that is 200, or a fault. `secrets` are taken out of the
/// server's words.
pub(super) struct Asking<'a> {
    pub(super) http: &'a Http,
    pub(super) secrets: Vec<&'a Secret>,
}

impl<'c> AsyncHttpClient<'c> for Asking<'_> {
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Fault>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async { self.http.fetch(request, &self.secrets).await.map_err(Fault) })
    }
}

impl Http {
    pub(super) fn new(dialer: &Dialer) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(dialer.client_config().as_ref().clone())
            .redirect(Policy::none())
            .timeout(REQUEST_WITHIN)
            .no_proxy()
            .user_agent(concat!("unpause/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    /// The body of a 200.
    pub(super) async fn get_body(
        &self,
        request: Result<HttpRequest, ::http::Error>,
        secrets: &[&Secret],
    ) -> Result<Vec<u8>, Said> {
        // The error would quote the header, and with it a token.
        let request = request.map_err(|_| Said::Garbage {
            detail: "the request cannot be written in HTTP".to_owned(),
        })?;
        Ok(self.fetch(request, secrets).await?.into_body())
    }

    /// Any answer as it comes, with the beginning of its body: of a page that is enough.
    pub(super) async fn look(&self, url: url::Url) -> Result<Response<Vec<u8>>, reqwest::Error> {
        let mut response = self.client.get(url).send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            let room = PAGE_AT_MOST_BYTES - body.len();
            body.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
            if body.len() == PAGE_AT_MOST_BYTES {
                break;
            }
        }
        let mut answer = Response::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }

    async fn fetch(&self, request: HttpRequest, secrets: &[&Secret]) -> Result<HttpResponse, Said> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let fail = |error: reqwest::Error| said_of_http(&host, &error.without_url());
        let request = reqwest::Request::try_from(request).map_err(fail)?;
        let mut response = self.client.execute(request).await.map_err(fail)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            let room = BODY_AT_MOST_BYTES - body.len();
            if chunk.len() > room && response.status() != StatusCode::OK {
                // A refusal is known by its status; of a page the beginning is enough.
                body.extend_from_slice(chunk.get(..room).unwrap_or_default());
                break;
            }
            if chunk.len() > room {
                let detail = format!(
                    "expected an answer of at most {BODY_AT_MOST_BYTES} bytes, found a longer one"
                );
                return Err(Said::Garbage { detail });
            }
            body.extend_from_slice(&chunk);
        }
        if response.status() != StatusCode::OK {
            let challenge = response
                .headers()
                .get(WWW_AUTHENTICATE)
                .and_then(|value| value.to_str().ok());
            let refusal = read_refusal(response.status().as_u16(), challenge, &body, secrets);
            return Err(Said::Oauth(refusal));
        }
        let mut answer = Response::new(body);
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

/// The deepest error that says what happened. `error` has no URL any more.
fn said_of_http(host: &str, error: &reqwest::Error) -> Said {
    if error.is_timeout() {
        return timed_out(&format!("the request to {host}"), REQUEST_WITHIN);
    }
    let mut is_lookup = false;
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        // hyper-util names the step in words only.
        is_lookup |= source.to_string().starts_with("dns error");
        if let Some(io) = source.downcast_ref::<io::Error>() {
            return if is_lookup {
                said_of_lookup(host, io)
            } else {
                said_of(io)
            };
        }
        deepest = source;
    }
    let detail = deepest.to_string();
    // hyper tells a connection that ended early from other trouble in words only.
    let fault = if detail.contains("closed") {
        IoFault::Closed
    } else {
        IoFault::Other
    };
    Said::Io { fault, detail }
}
