//! A person with a browser, as a script: walks a provider's sign-in and consent pages from an
//! authorization URL to the redirect, as a browser without JavaScript would.
//!
//! Deliberately absent: anything that knows a provider's pages; `decide` reads them as a person
//! does. The OAuth client's own part (PKCE, state, exchange) is in [`flow`].

mod decide;
pub mod flow;
mod page;

use std::fmt;

use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, StatusCode};
use url::Url;

pub use self::decide::Consent;
use self::decide::{Action, NoAction, decide};
use self::page::Page;
use crate::http_client::{ClientError, http_client};
use crate::person::Person;

/// More pages and redirects than any provider takes: beyond it, they go in a circle.
const MAX_REQUESTS: usize = 40;

/// A person's browser: its cookies stay from one walk to the next, as they do for a person who is
/// still signed in.
#[derive(Debug, Clone)]
pub struct Browser {
    client: Client,
}

/// A walk that reached the redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// What the provider told the client.
    pub answer: Answer,
    /// Every page that was seen, in order, with what was done there.
    pub steps: Vec<Step>,
}

/// A page and what the person did on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The page's title.
    pub page_title: String,
    /// In words, without what was typed.
    pub action: String,
}

/// The query of the redirect (RFC 6749 §4.1.2).
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// Access is granted.
    Granted {
        /// The authorization code.
        code: String,
        /// What the client sent as `state`.
        state: Option<String>,
        /// Who answers (RFC 9207).
        iss: Option<String>,
    },
    /// It is not.
    Refused {
        /// `access_denied` and others (RFC 6749 §4.1.2.1).
        error: String,
        /// For developers.
        error_description: Option<String>,
        /// What the client sent as `state`.
        state: Option<String>,
        /// Who answers (RFC 9207).
        iss: Option<String>,
    },
}

/// Why a walk did not reach the redirect.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The authorization URL names no redirect URI.
    #[error("the authorization URL names no redirect_uri")]
    NoRedirectUri,
    /// No HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A request failed.
    #[error("the provider did not answer")]
    Http(#[from] reqwest::Error),
    /// A redirect without a readable address.
    #[error("the provider redirects to nowhere from {from}")]
    BadRedirect {
        /// The page's address, without its query.
        from: String,
    },
    /// The page asked for the password again.
    #[error("the sign-in was refused on \"{page_title}\": {text}")]
    SignInRefused {
        /// The page's title.
        page_title: String,
        /// What the page says.
        text: String,
    },
    /// A page that offers nothing to press, such as the provider's own error page.
    #[error("nothing to press on \"{page_title}\" ({status}): {text}")]
    Stuck {
        /// The page's title.
        page_title: String,
        /// How the page was answered.
        status: StatusCode,
        /// What the page says.
        text: String,
    },
    /// Too many pages.
    #[error("still not back after {MAX_REQUESTS} requests; last seen: {last_titles:?}")]
    Circle {
        /// The titles of the pages.
        last_titles: Vec<String>,
    },
    /// The redirect carries neither a code nor an error.
    #[error("the redirect carries neither a code nor an error")]
    EmptyAnswer,
}

impl Browser {
    /// A fresh browser without cookies that trusts exactly these authorities.
    pub fn new(ca_pems: &[&str]) -> Result<Self, ClientError> {
        Ok(Self {
            client: http_client(ca_pems)?,
        })
    }

    /// Walks from the authorization URL to its `redirect_uri`, which is not requested.
    pub async fn walk(
        &self,
        authorization_url: &Url,
        person: &Person,
        consent: Consent,
    ) -> Result<Walk, WalkError> {
        let redirect_uri = query_value(authorization_url, "redirect_uri")
            .and_then(|text| Url::parse(&text).ok())
            .ok_or(WalkError::NoRedirectUri)?;
        let mut steps: Vec<Step> = Vec::new();
        let mut has_signed_in = false;
        let mut request = self.client.get(authorization_url.clone());
        for _ in 0..MAX_REQUESTS {
            let response = request.send().await?;
            let at = response.url().clone();
            if response.status().is_redirection() {
                let to = response
                    .headers()
                    .get(LOCATION)
                    .and_then(|location| location.to_str().ok())
                    .and_then(|location| at.join(location).ok())
                    .ok_or_else(|| WalkError::BadRedirect {
                        from: without_query(&at),
                    })?;
                if is_same_place(&to, &redirect_uri) {
                    return Ok(Walk {
                        answer: Answer::parse(&to)?,
                        steps,
                    });
                }
                request = self.client.get(to);
                continue;
            }
            let status = response.status();
            let page = Page::parse(&response.text().await?, &at);
            let action = match decide(&page, person, consent, has_signed_in) {
                Ok(action) => action,
                Err(NoAction::SignInRefused) => {
                    let Page {
                        title: page_title,
                        text,
                        ..
                    } = page;
                    return Err(WalkError::SignInRefused { page_title, text });
                }
                Err(NoAction::NothingToPress) => {
                    let Page {
                        title: page_title,
                        text,
                        ..
                    } = page;
                    return Err(WalkError::Stuck {
                        page_title,
                        status,
                        text,
                    });
                }
            };
            let said = match action {
                Action::Follow { to, said } => {
                    if is_same_place(&to, &redirect_uri) {
                        steps.push(Step {
                            page_title: page.title,
                            action: said,
                        });
                        return Ok(Walk {
                            answer: Answer::parse(&to)?,
                            steps,
                        });
                    }
                    request = self.client.get(to);
                    said
                }
                Action::Submit {
                    to,
                    is_post,
                    fields,
                    said,
                    is_sign_in,
                } => {
                    has_signed_in |= is_sign_in;
                    request = self.submit(to, is_post, &fields);
                    said
                }
            };
            steps.push(Step {
                page_title: page.title,
                action: said,
            });
        }
        Err(WalkError::Circle {
            last_titles: steps.into_iter().map(|step| step.page_title).collect(),
        })
    }

    fn submit(
        &self,
        mut to: Url,
        is_post: bool,
        fields: &[(String, String)],
    ) -> reqwest::RequestBuilder {
        // `query_pairs_mut` is the form encoding itself, on a URL that is thrown away after.
        let mut encoded = to.clone();
        encoded.set_query(None);
        encoded.query_pairs_mut().extend_pairs(fields);
        let encoded = encoded.query().unwrap_or_default().to_owned();
        if is_post {
            self.client
                .post(to)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(encoded)
        } else {
            to.set_query(Some(&encoded));
            self.client.get(to)
        }
    }
}

impl Answer {
    /// Reads the query of a redirect.
    fn parse(redirect: &Url) -> Result<Self, WalkError> {
        let state = query_value(redirect, "state");
        let iss = query_value(redirect, "iss");
        if let Some(error) = query_value(redirect, "error") {
            let error_description = query_value(redirect, "error_description");
            return Ok(Self::Refused {
                error,
                error_description,
                state,
                iss,
            });
        }
        let code = query_value(redirect, "code").ok_or(WalkError::EmptyAnswer)?;
        Ok(Self::Granted { code, state, iss })
    }
}

impl fmt::Debug for Answer {
    /// Without the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted { state, iss, .. } => f
                .debug_struct("Granted")
                .field("state", state)
                .field("iss", iss)
                .finish_non_exhaustive(),
            Self::Refused {
                error,
                error_description,
                state,
                iss,
            } => f
                .debug_struct("Refused")
                .field("error", error)
                .field("error_description", error_description)
                .field("state", state)
                .field("iss", iss)
                .finish(),
        }
    }
}

fn query_value(url: &Url, name: &str) -> Option<String> {
    url.query_pairs()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
}

/// Whether both are the same address but for the query (RFC 6749 §3.1.2).
fn is_same_place(one: &Url, other: &Url) -> bool {
    (
        one.scheme(),
        one.host(),
        one.port_or_known_default(),
        one.path(),
    ) == (
        other.scheme(),
        other.host(),
        other.port_or_known_default(),
        other.path(),
    )
}

fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.into()
}
