//! Calling the relay's own API, as the command line does: every command asks what everybody else asks, by the socket in
//! the relay's data folder, and nothing is said before that folder is proved.

use std::path::{Path, PathBuf};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use protocol::problem::Problem;
use protocol::request::{Body, EncodeError, Encoded, Request, encode};
use reqwest::redirect::Policy;
use serde_json::Value;
use url::form_urlencoded;

use crate::config::Config;
use crate::http::operator::{Door, DoorError};
use crate::tls::{Dialer, DialerError};

/// What stands before a path: the socket is where it goes, whatever the name.
const BASE: &str = "http://localhost";

/// A client of one running relay.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Its folder stays open: every connection goes through it.
    door: Door,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The relay was not found, or the operator is somebody else.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The relay says no.
    #[error("{}{}", .0.detail, place(.0))]
    Refused(Box<Problem>),
    /// An answer that is none of this API's.
    #[error(
        "expected an answer that this command knows, found HTTP {status}: is the relay of another version than this command?"
    )]
    NotOurs {
        /// The status.
        status: u16,
    },
    /// The connection failed.
    #[error("the connection to the relay failed")]
    Connection(#[from] reqwest::Error),
    /// The file that was to be sent cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no file.
    #[error("{path} is {found}: expected a file")]
    NoFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// The file is larger than the endpoint takes.
    #[error("{path} is too large: expected at most {at_most_bytes} bytes, found {found}; split it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        at_most_bytes: u64,
        /// The file's size.
        found: u64,
    },
    /// The request cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] DialerError),
}

impl Client {
    /// A client of the relay that runs with this configuration.
    pub fn new(config: &Config) -> Result<Self, ApiError> {
        let door = Door::find(&config.data)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(Dialer::new(None)?.client_config().as_ref().clone())
            .unix_socket(door.address())
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, door })
    }

    /// Calls an endpoint.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, ApiError> {
        let encoded = encode(request)?;
        let url = format!("{BASE}{}", encoded.path);
        let asked = if matches!(R::METHOD, http::Method::GET | http::Method::DELETE) {
            let url = format!("{url}?{}", query_of(&encoded));
            self.http.request(R::METHOD, url)
        } else {
            self.http.request(R::METHOD, url).json(&encoded.fields)
        };
        self.read::<R>(asked).await
    }

    /// Calls an endpoint whose body is a file, sent as it is.
    pub async fn call_with_file<R: Request>(
        &self,
        request: &R,
        path: &Path,
    ) -> Result<R::Response, ApiError> {
        let unreadable = |source| ApiError::File {
            path: path.to_owned(),
            source,
        };
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let metadata = file.metadata().await.map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(ApiError::NoFile {
                path: path.to_owned(),
                found: if metadata.is_dir() {
                    "a folder"
                } else {
                    "a device or a pipe"
                },
            });
        }
        let found = metadata.len();
        if let Body::Csv { at_most_bytes } = R::BODY
            && found > at_most_bytes
        {
            return Err(ApiError::TooLarge {
                path: path.to_owned(),
                at_most_bytes,
                found,
            });
        }
        let encoded = encode(request)?;
        let url = format!("{BASE}{}?{}", encoded.path, query_of(&encoded));
        let asked = self
            .http
            .request(R::METHOD, url)
            .header(CONTENT_TYPE, "text/csv")
            .header(CONTENT_LENGTH, found)
            .body(file);
        self.read::<R>(asked).await
    }

    async fn read<R: Request>(
        &self,
        asked: reqwest::RequestBuilder,
    ) -> Result<R::Response, ApiError> {
        let answer = asked.send().await.map_err(|error| {
            if error.is_connect() {
                ApiError::Door(self.door.not_started())
            } else {
                ApiError::Connection(error.without_url())
            }
        })?;
        let status = answer.status();
        let body = answer.bytes().await?;
        let not_ours = || ApiError::NotOurs {
            status: status.as_u16(),
        };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| not_ours());
        }
        Err(serde_json::from_slice(&body).map_or_else(
            |_| not_ours(),
            |problem| ApiError::Refused(Box::new(problem)),
        ))
    }
}

fn query_of(encoded: &Encoded) -> String {
    let texts = encoded
        .fields
        .iter()
        .map(|(name, value)| (name, text_of(value)));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(texts)
        .finish()
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Where a problem is, for people.
fn place(problem: &Problem) -> String {
    match (&problem.field, problem.row) {
        (Some(field), Some(row)) => format!(" (field {field}, row {row})"),
        (Some(field), None) => format!(" (field {field})"),
        (None, Some(row)) => format!(" (row {row})"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::problem::Code;

    use super::*;

    #[test]
    fn a_problem_says_where_it_is() {
        let problem = Problem::new(Code::Invalid, "expected a mail address")
            .at_field("email")
            .at_row(3);
        let words = ApiError::Refused(Box::new(problem)).to_string();
        assert_eq!(words, "expected a mail address (field email, row 3)");
    }
}
