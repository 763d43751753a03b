//! Asking the provider whether it knows the issuer. Setting up needs no network, so silence changes nothing.

use protocol::evidence::Said;
use serde::Serialize;
use url::Url;

use super::SetupError;
use crate::config::Config;
use crate::oauth;
use crate::tls::Dialer;

/// What the provider said to the issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reached {
    /// Its metadata is there and names it.
    Known,
    /// It did not answer, or not as it should.
    Silent {
        /// What came in place of the metadata.
        said: String,
    },
    /// It was not asked.
    NotAsked,
}

impl Reached {
    /// One sentence.
    pub(super) fn words(&self, issuer: &str) -> String {
        match self {
            Self::Known => format!("✓ {issuer} answers and knows itself by that name."),
            Self::Silent { said } => format!(
                "{issuer} could not be asked ({said}). Setting up goes on without; the relay asks it at the first sign-in."
            ),
            Self::NotAsked => format!("{issuer} was not asked."),
        }
    }
}

/// Asks `issuer` for its metadata. Only a refusal of the provider itself is an error.
pub(super) async fn ask(issuer: &Url, config: &Config) -> Result<Reached, SetupError> {
    let roots = match &config.extra_roots_file {
        Some(path) => Some(std::fs::read(path).map_err(|source| SetupError::Roots {
            path: path.clone(),
            source,
        })?),
        None => None,
    };
    let client = oauth::Client::new(&Dialer::new(roots.as_deref())?)?;
    match client
        .load_metadata(issuer)
        .await
        .map_err(|failure| failure.said)
    {
        Ok(_) => Ok(Reached::Known),
        // A tenant that nobody has: 400 and a JSON error. Other statuses may come from anything on the way.
        Err(Said::Oauth(reply)) if reply.http_status == Some(400) => {
            Err(SetupError::UnknownIssuer {
                issuer: issuer.to_string(),
                said: Said::Oauth(reply),
            })
        }
        Err(said) => Ok(Reached::Silent {
            said: said.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use axum::Router;
    use axum::http::StatusCode;
    use sandbox::{Options, Sandbox};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Environment;

    async fn ask_at(issuer: &str) -> Result<Reached, SetupError> {
        let text = "data = \"d\"\nkey_file = \"k\"";
        let config = Config::parse(text, Path::new("unpause.toml"), &Environment::default());
        ask(&Url::parse(issuer).unwrap(), &config.unwrap()).await
    }

    #[tokio::test]
    async fn an_issuer_that_answers_is_known() {
        let sandbox = Sandbox::start(Options::default()).await.unwrap();
        assert_eq!(ask_at(sandbox.issuer()).await.unwrap(), Reached::Known);
    }

    #[tokio::test]
    async fn silence_is_told_and_is_no_refusal() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let reached = ask_at(&issuer).await.unwrap();
        let words = reached.words(&issuer);
        assert!(matches!(reached, Reached::Silent { .. }), "{words}");
        assert!(
            words.contains("could not be asked") && words.contains("goes on without"),
            "{words}"
        );
    }

    #[tokio::test]
    async fn a_tenant_that_the_provider_does_not_know_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/tenant/v2.0", listener.local_addr().unwrap());
        // As Microsoft's endpoint answers, by its list of error codes.
        let body =
            r#"{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant not found."}"#;
        let app = Router::new().fallback(move || async move { (StatusCode::BAD_REQUEST, body) });
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let words = ask_at(&issuer).await.unwrap_err().to_string();
        server.abort();
        assert!(
            words.contains("AADSTS90002") && words.contains("check the tenant"),
            "{words}"
        );
    }
}
