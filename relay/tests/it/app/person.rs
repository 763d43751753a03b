//! A person at the sandbox's own pages: password, consent, and the code that comes back. What a real
//! browser does is played elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::reconnect::Grant;
use protocol::secret::Secret;
use relay::http::operator::SOCKET_FILE;
use relay::tls::Dialer;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Client, Ground, PASSWORD};

const REDIRECT: &str = "https://abcdefghijklmnopabcdefghijklmnop.chromiumapp.org/";
/// RFC 7636 §4.1: at least 43 characters.
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-as-asked";
/// Everything that an inbox needs.
pub(crate) const ALL: &str = "openid email offline_access mail.send mail.read";

impl Ground {
    /// Somebody signs in and allows this; the answer is what the browser hands to the relay.
    pub(crate) async fn sign_in(&self, address: &str, scope: &str) -> Grant {
        let code = self.obtain_code(address, scope).await;
        match self.client {
            Client::Confidential => Grant::Code {
                code: Secret::new(code),
                verifier: Secret::new(VERIFIER.to_owned()),
                redirect_uri: REDIRECT.to_owned(),
            },
            Client::Public => self.exchange(&code).await,
        }
    }

    async fn obtain_code(&self, address: &str, scope: &str) -> String {
        let browser = browser();
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let fields = [
            ("client_id", self.client.id()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", scope),
            ("state", "a state"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("login_hint", address),
            ("prompt", "consent"),
        ];
        let issuer = self.sandbox.issuer();
        let url = Url::parse_with_params(&format!("{issuer}/authorize"), fields).unwrap();
        let page = browser.get(url).send().await.unwrap().text().await.unwrap();
        let (_, rest) = page.split_once("name=\"transaction\" value=\"").unwrap();
        let transaction = rest.split('"').next().unwrap().to_owned();
        let post = |path: &str, name: &str, value: &str| {
            let fields = [("transaction", transaction.as_str()), (name, value)];
            let url = format!("{issuer}{path}");
            browser.post(url).form(&fields).send()
        };
        post("/authorize/password", "password", PASSWORD)
            .await
            .unwrap();
        let back = post("/authorize/consent", "decision", "allow")
            .await
            .unwrap();
        let back = Url::parse(back.headers()[LOCATION].to_str().unwrap()).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code");
        code.unwrap().1.into_owned()
    }

    async fn exchange(&self, code: &str) -> Grant {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", self.client.id()),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        let url = format!("{}/token", self.sandbox.issuer());
        let answer = browser().post(url).form(&fields).send().await.unwrap();
        let tokens: Value = answer.json().await.unwrap();
        let secret = |name: &str| tokens[name].as_str().map(Secret::new);
        Grant::Tokens {
            access_token: secret("access_token").unwrap(),
            refresh_token: secret("refresh_token"),
            expires_in_ms: Some(tokens["expires_in"].as_u64().unwrap() * 1_000),
            scope: Some(tokens["scope"].as_str().unwrap().to_owned()),
        }
    }
}

/// Keeps cookies, and shows redirects instead of following them.
pub(crate) fn browser() -> reqwest::Client {
    client().cookie_store(true).build().unwrap()
}

/// The operator, who comes by the socket in the data folder, whatever address he names.
pub(crate) fn operator(ground: &Ground) -> reqwest::Client {
    let socket = ground.path("data").join(SOCKET_FILE);
    client().unix_socket(socket).build().unwrap()
}

fn client() -> reqwest::ClientBuilder {
    let tls = Dialer::new(None).unwrap().client_config().as_ref().clone();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .no_proxy()
}
