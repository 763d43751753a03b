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
/// What every path of the API begins with.
const API: &str = "/v1/";

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
        "the relay that runs answers in a way that this command does not know (HTTP {status}), so it is of another version: restart it with the `unpause` that you call, or call the one that it was started with"
    )]
    NotOurs {
        /// The status.
        status: u16,
    },
    /// A text that cannot be an id stands where one belongs.
    #[error("expected an id, as the command's list shows them, found {found:?}")]
    NoId {
        /// The text.
        found: String,
    },
    /// The connection failed. The library's words are of no help to whoever did not write it.
    #[error(
        "the relay ended the connection before it answered, so what was asked may be done or not: look with `unpause status`, and at what the relay logged"
    )]
    Connection(reqwest::Error),
    /// The client could not be set up.
    #[error("the connection to the relay cannot be set up")]
    SetUp(#[source] reqwest::Error),
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
            .build()
            .map_err(ApiError::SetUp)?;
        Ok(Self { http, door })
    }

    /// Calls an endpoint.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, ApiError> {
        let encoded = check_ids(encode(request)?)?;
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
        let encoded = check_ids(encode(request)?)?;
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
        let body = answer
            .bytes()
            .await
            .map_err(|error| ApiError::Connection(error.without_url()))?;
        let not_ours = || ApiError::NotOurs {
            status: status.as_u16(),
        };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| not_ours());
        }
        let problem: Problem = serde_json::from_slice(&body).map_err(|_| not_ours())?;
        // A relay that has no such endpoint says so by its path, which nobody typed here.
        if problem.detail.contains(API) && matches!(problem.status, 404 | 405) {
            return Err(not_ours());
        }
        Err(ApiError::Refused(Box::new(problem)))
    }
}

/// A part of a path that is empty, or that addresses give another meaning (RFC 3986 §5.2.4), would ask for something else.
fn check_ids(encoded: Encoded) -> Result<Encoded, ApiError> {
    let mut parts = encoded.path.split('/').skip(1);
    match parts.find(|part| matches!(*part, "" | "." | "..")) {
        Some(part) => Err(ApiError::NoId {
            found: part.to_owned(),
        }),
        None => Ok(encoded),
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
    fn what_cannot_be_an_id_is_not_asked_for() {
        let path = |path: &str| Encoded {
            path: path.to_owned(),
            fields: serde_json::Map::new(),
        };
        for good in ["/v1/campaigns", "/v1/leads/lea_1/pause", "/v1/leads/..a"] {
            assert!(check_ids(path(good)).is_ok(), "{good}");
        }
        for bad in [
            "/v1/leads/",
            "/v1/leads//pause",
            "/v1/leads/..",
            "/v1/leads/./pause",
        ] {
            let words = check_ids(path(bad)).unwrap_err().to_string();
            assert!(words.starts_with("expected an id"), "{words}");
        }
    }

    #[test]
    fn a_problem_says_where_it_is() {
        let problem = Problem::new(Code::Invalid, "expected a mail address")
            .at_field("email")
            .at_row(3);
        let words = ApiError::Refused(Box::new(problem)).to_string();
        assert_eq!(words, "expected a mail address (field email, row 3)");
    }
}
