//! A person at the provider: a browser without a screen that reads the sandbox's pages.

use relay::tls::Dialer;
use reqwest::redirect::Policy;
use reqwest::{Response, Url};

use super::PASSWORD;

/// A browser without a screen: it keeps cookies and shows each redirect.
pub(super) struct Browser(reqwest::Client);

impl Browser {
    pub(super) fn open() -> Self {
        let trust = Dialer::new(None).unwrap().client_config();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust.as_ref().clone())
            .cookie_store(true)
            .redirect(Policy::none())
            .no_proxy()
            .build();
        Self(client.unwrap())
    }

    pub(super) async fn get(&self, url: Url) -> Response {
        self.try_get(url).await.unwrap()
    }

    pub(super) async fn try_get(&self, url: Url) -> reqwest::Result<Response> {
        self.0.get(url).send().await
    }

    /// Signs in as Jane and answers the consent page; the last page is that of the redirect URI.
    pub(super) async fn sign_in(&self, url: Url, decision: &str) -> Response {
        let mut response = self.get(url).await;
        for _ in 0..8 {
            let at = response.url().clone();
            if response.status().is_redirection() {
                let to = response.headers()["location"].to_str().unwrap();
                response = self.get(at.join(to).unwrap()).await;
                continue;
            }
            if at.path() == "/unpause/callback" || at.path().starts_with("/oauth/callback/") {
                return response;
            }
            let page = response.text().await.unwrap();
            let transaction = between(&page, "name=\"transaction\" value=\"", "\"");
            let (action, field) = if page.contains("/authorize/consent") {
                ("/authorize/consent", ("decision", decision))
            } else {
                ("/authorize/password", ("password", PASSWORD))
            };
            let form = self.0.post(at.join(action).unwrap());
            let fields = [("transaction", transaction), field];
            response = form.form(&fields).send().await.unwrap();
        }
        panic!("it never came back from the provider");
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split_once(after).unwrap().0
}

pub(super) fn query_value(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(found, _)| found == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {url}"))
        .1
        .into_owned()
}

/// The address of the terminal's listener with another query.
pub(super) fn callback(url: &Url, query: &str) -> Url {
    let mut callback: Url = query_value(url, "redirect_uri").parse().unwrap();
    callback.set_query(Some(query));
    callback
}
