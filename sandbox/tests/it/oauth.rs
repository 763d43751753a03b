//! Sign-in, consent, codes and tokens, as a browser and a client meet them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, LOCATION, ORIGIN};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use sandbox::{CONFIDENTIAL_CLIENT, PUBLIC_CLIENT, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{JANE, PASSWORD, start, start_with};

const REDIRECT: &str = "https://abcdefghijklmnopabcdefghijklmnop.chromiumapp.org/";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-as-asked";
const SCOPE: &str = "openid email offline_access mail.send mail.read";

/// A browser: keeps cookies, and shows redirects instead of following them.
pub(crate) fn browser() -> Client {
    // A second install is refused and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .cookie_store(true)
        .redirect(Policy::none())
        .build()
        .unwrap()
}

fn authorize_url(sandbox: &Sandbox, change: impl FnOnce(&mut Vec<(&str, String)>)) -> Url {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut fields = vec![
        ("client_id", PUBLIC_CLIENT.to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("response_type", "code".to_owned()),
        ("scope", SCOPE.to_owned()),
        ("state", "a state".to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
        ("login_hint", JANE.to_owned()),
        ("prompt", "consent".to_owned()),
    ];
    change(&mut fields);
    Url::parse_with_params(&format!("{}/authorize", sandbox.issuer()), fields).unwrap()
}

fn set(fields: &mut Vec<(&str, String)>, name: &'static str, value: &str) {
    fields.retain(|(other, _)| *other != name);
    if !value.is_empty() {
        fields.push((name, value.to_owned()));
    }
}

/// The hidden field of the page's first form.
fn transaction_of(page: &str) -> String {
    let (_, rest) = page
        .split_once("name=\"transaction\" value=\"")
        .expect(page);
    rest.split('"').next().unwrap().to_owned()
}

async fn post(
    browser: &Client,
    sandbox: &Sandbox,
    path: &str,
    fields: &[(&str, &str)],
) -> Response {
    browser
        .post(format!("{}{path}", sandbox.issuer()))
        .form(fields)
        .send()
        .await
        .unwrap()
}

/// The fields of the redirect to the client.
fn redirected(response: &Response) -> Vec<(String, String)> {
    let location = response.headers()[LOCATION].to_str().unwrap();
    assert!(location.starts_with(REDIRECT), "{location}");
    Url::parse(location)
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect()
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.as_str())
}

/// Walks password and consent, and says what came back to the client.
async fn walk(browser: &Client, sandbox: &Sandbox, url: Url) -> Vec<(String, String)> {
    let page = browser.get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<title>Sign in · sandbox</title>"), "{page}");
    let transaction = transaction_of(&page);
    let fields = [
        ("transaction", transaction.as_str()),
        ("password", PASSWORD),
    ];
    let page = post(browser, sandbox, "/authorize/password", &fields)
        .await
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("<title>Allow access · sandbox</title>"),
        "{page}"
    );
    assert!(page.contains("Send mail in your name"), "{page}");
    let fields = [("transaction", transaction.as_str()), ("decision", "allow")];
    let answer = post(browser, sandbox, "/authorize/consent", &fields).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    redirected(&answer)
}

async fn exchange(sandbox: &Sandbox, fields: &[(&str, &str)]) -> (StatusCode, Value) {
    let answer = post(&browser(), sandbox, "/token", fields).await;
    (answer.status(), answer.json().await.unwrap())
}

fn code_fields(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", PUBLIC_CLIENT),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ]
}

fn refresh_fields(token: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", PUBLIC_CLIENT),
        ("refresh_token", token),
    ]
}

/// A whole sign-in of Jane at the public client: access and refresh token.
pub(crate) async fn sign_in(sandbox: &Sandbox) -> (String, String) {
    let back = walk(&browser(), sandbox, authorize_url(sandbox, |_| {})).await;
    let (status, tokens) = exchange(sandbox, &code_fields(field(&back, "code").unwrap())).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

async fn userinfo(sandbox: &Sandbox, token: &str) -> (StatusCode, Value) {
    let answer = browser()
        .get(format!("{}/userinfo", sandbox.issuer()))
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .send()
        .await
        .unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_public_client_signs_jane_in() {
    let sandbox = start().await;
    let discovery: Value = browser()
        .get(format!(
            "{}/.well-known/openid-configuration",
            sandbox.issuer()
        ))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(discovery["issuer"], sandbox.issuer());
    assert_eq!(
        discovery["authorization_response_iss_parameter_supported"],
        true
    );

    let back = walk(&browser(), &sandbox, authorize_url(&sandbox, |_| {})).await;
    assert_eq!(field(&back, "state"), Some("a state"));
    assert_eq!(field(&back, "iss"), Some(sandbox.issuer()));
    let (status, tokens) = exchange(&sandbox, &code_fields(field(&back, "code").unwrap())).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], SCOPE);
    assert_eq!(tokens["token_type"], "Bearer");

    let (status, who) = userinfo(&sandbox, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(who["email"], JANE);
    assert_eq!(who["email_verified"], true);
    assert!(
        !who["sub"].as_str().unwrap().contains("jane"),
        "sub is not the address: {who}"
    );
}

#[tokio::test]
async fn a_confidential_client_proves_itself_both_ways() {
    let sandbox = start().await;
    for basic in [false, true] {
        let url = authorize_url(&sandbox, |fields| {
            set(fields, "client_id", CONFIDENTIAL_CLIENT);
        });
        let back = walk(&browser(), &sandbox, url).await;
        let code = field(&back, "code").unwrap();
        let mut fields = code_fields(code);
        fields[1].1 = CONFIDENTIAL_CLIENT;
        let (status, refused) = exchange(&sandbox, &fields).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused["error"], "invalid_client");
        let request = browser().post(format!("{}/token", sandbox.issuer()));
        let request = if basic {
            request
                .basic_auth(CONFIDENTIAL_CLIENT, Some("the+secret"))
                .form(&fields)
        } else {
            fields.push(("client_secret", sandbox.client_secret()));
            request.form(&fields)
        };
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::OK,
            "basic: {basic}"
        );
    }
}

#[tokio::test]
async fn a_code_is_good_once_for_its_client_address_and_verifier() {
    let sandbox = start().await;
    for (name, value) in [
        (
            "code_verifier",
            "another-verifier-of-at-least-forty-three-characters",
        ),
        ("redirect_uri", "http://127.0.0.1:1/"),
        ("code", "unknown"),
    ] {
        let back = walk(&browser(), &sandbox, authorize_url(&sandbox, |_| {})).await;
        let mut fields = code_fields(field(&back, "code").unwrap());
        fields.retain(|(other, _)| *other != name);
        fields.push((name, value));
        let (status, refused) = exchange(&sandbox, &fields).await;
        assert_eq!(
            (status, &refused["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_grant"))
        );
    }
}

#[tokio::test]
async fn a_code_used_twice_ends_what_it_gave() {
    let sandbox = start().await;
    let back = walk(&browser(), &sandbox, authorize_url(&sandbox, |_| {})).await;
    let fields = code_fields(field(&back, "code").unwrap());
    let (_, tokens) = exchange(&sandbox, &fields).await;
    let (status, refused) = exchange(&sandbox, &fields).await;
    assert_eq!(
        (status, &refused["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_grant"))
    );
    let (status, _) = userinfo(&sandbox, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, refused) = exchange(
        &sandbox,
        &refresh_fields(tokens["refresh_token"].as_str().unwrap()),
    )
    .await;
    assert_eq!(refused["error"], "invalid_grant");
}

#[tokio::test]
async fn a_refresh_rotates_and_reuse_ends_the_grant() {
    let sandbox = start().await;
    let (_, first) = sign_in(&sandbox).await;
    let (status, tokens) = exchange(&sandbox, &refresh_fields(&first)).await;
    assert_eq!(status, StatusCode::OK);
    let second = tokens["refresh_token"].as_str().unwrap();
    assert_ne!(first, second);
    assert_eq!(sandbox.control().grants(JANE)[0].n_refreshes, 1);
    let (_, refused) = exchange(&sandbox, &refresh_fields(&first)).await;
    assert_eq!(refused["error"], "invalid_grant");
    let (_, refused) = exchange(&sandbox, &refresh_fields(second)).await;
    assert_eq!(
        refused["error"], "invalid_grant",
        "the fresh one is ended with it"
    );
    assert!(!sandbox.control().grants(JANE)[0].live);
}

#[tokio::test]
async fn revocation_ends_a_grant_from_either_side() {
    let sandbox = start().await;
    let (access, refresh) = sign_in(&sandbox).await;
    let fields = [("token", refresh.as_str()), ("client_id", PUBLIC_CLIENT)];
    assert_eq!(
        post(&browser(), &sandbox, "/revoke", &fields)
            .await
            .status(),
        StatusCode::OK
    );
    assert_eq!(
        userinfo(&sandbox, &access).await.0,
        StatusCode::UNAUTHORIZED
    );

    let (access, refresh) = sign_in(&sandbox).await;
    sandbox.control().revoke("Jane@ACME.example").unwrap();
    assert_eq!(
        userinfo(&sandbox, &access).await.0,
        StatusCode::UNAUTHORIZED
    );
    let (_, refused) = exchange(&sandbox, &refresh_fields(&refresh)).await;
    assert_eq!(refused["error"], "invalid_grant");
    assert!(sandbox.control().revoke("nobody@acme.example").is_err());
}

#[tokio::test]
async fn access_tokens_end_after_their_time() {
    let sandbox = start_with(|options| options.access_token_for = std::time::Duration::ZERO).await;
    let (access, refresh) = sign_in(&sandbox).await;
    assert_eq!(
        userinfo(&sandbox, &access).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        exchange(&sandbox, &refresh_fields(&refresh)).await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn no_refresh_token_without_offline_access() {
    let sandbox = start().await;
    let url = authorize_url(&sandbox, |fields| set(fields, "scope", "openid mail.send"));
    let back = walk(&browser(), &sandbox, url).await;
    let (_, tokens) = exchange(&sandbox, &code_fields(field(&back, "code").unwrap())).await;
    assert_eq!(tokens["refresh_token"], Value::Null);
    let (_, who) = userinfo(&sandbox, tokens["access_token"].as_str().unwrap()).await;
    assert_eq!(
        who["email"],
        Value::Null,
        "the scope email was not asked for"
    );
}

#[tokio::test]
async fn a_wrong_client_or_address_is_told_to_the_person_and_never_redirected() {
    let sandbox = start().await;
    for (name, value) in [
        ("redirect_uri", "https://evil.example/"),
        ("client_id", "nobody"),
        ("client_id", ""),
    ] {
        let url = authorize_url(&sandbox, |fields| set(fields, name, value));
        let answer = browser().get(url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{name}={value}");
        assert!(answer.headers().get(LOCATION).is_none());
    }
}

#[tokio::test]
async fn a_registration_that_is_over_is_told_as_servers_tell_it() {
    let sandbox = start().await;
    let control = sandbox.control();
    control.forget_redirects(true);
    let visit = || browser().get(authorize_url(&sandbox, |_| {})).send();
    let answer = visit().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.text().await.unwrap().contains("redirect_uri"));
    control.forget_redirects(false);

    control.refuse_next_visit("access_denied", "not here");
    control.name_other_issuer(true);
    let back = redirected(&visit().await.unwrap());
    assert_eq!(field(&back, "error"), Some("access_denied"));
    assert_eq!(field(&back, "error_description"), Some("not here"));
    assert_eq!(field(&back, "iss"), Some("https://other.example"));
    // Once only.
    assert_eq!(visit().await.unwrap().status(), StatusCode::OK);

    control.end_secrets(true);
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", sandbox::CONFIDENTIAL_CLIENT),
        ("client_secret", sandbox.client_secret()),
    ];
    let url = format!("{}/token", sandbox.issuer());
    let answer = browser().post(url).form(&fields).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.text().await.unwrap().contains("invalid_client"));
}

#[tokio::test]
async fn other_mistakes_go_back_to_the_client() {
    let sandbox = start().await;
    for (name, value, error) in [
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "openid everything", "invalid_scope"),
        ("prompt", "none", "login_required"),
    ] {
        let url = authorize_url(&sandbox, |fields| set(fields, name, value));
        let back = redirected(&browser().get(url).send().await.unwrap());
        assert_eq!(field(&back, "error"), Some(error), "{name}={value}");
        assert_eq!(field(&back, "state"), Some("a state"));
        assert_eq!(field(&back, "iss"), Some(sandbox.issuer()));
    }
}

#[tokio::test]
async fn who_is_signed_in_and_has_allowed_it_is_not_asked_again() {
    let sandbox = start().await;
    let browser = browser();
    walk(&browser, &sandbox, authorize_url(&sandbox, |_| {})).await;
    for prompt in ["none", ""] {
        let url = authorize_url(&sandbox, |fields| set(fields, "prompt", prompt));
        let back = redirected(&browser.get(url).send().await.unwrap());
        assert!(field(&back, "code").is_some(), "prompt={prompt}");
    }
    let url = authorize_url(&sandbox, |fields| set(fields, "prompt", "consent"));
    let page = browser.get(url).send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains("<title>Allow access · sandbox</title>"),
        "{page}"
    );
    sandbox.control().revoke(JANE).unwrap();
    let url = authorize_url(&sandbox, |fields| set(fields, "prompt", "none"));
    let back = redirected(&browser.get(url).send().await.unwrap());
    assert_eq!(field(&back, "error"), Some("consent_required"));
}

#[tokio::test]
async fn a_person_may_choose_mistype_and_say_no() {
    let sandbox = start().await;
    let browser = browser();
    let url = authorize_url(&sandbox, |fields| set(fields, "login_hint", ""));
    let page = browser.get(url).send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains("Choose an account") && page.contains("John Roe"),
        "{page}"
    );
    let transaction = transaction_of(&page);
    let with = |name: &'static str, value: &'static str| {
        [
            ("transaction", transaction.clone()),
            (name, value.to_owned()),
        ]
    };
    let ask = async |path: &str, fields: [(&str, String); 2]| {
        browser
            .post(format!("{}{path}", sandbox.issuer()))
            .form(&fields)
            .send()
            .await
            .unwrap()
    };
    let page = ask("/authorize/account", with("email", "who@acme.example")).await;
    assert!(page.text().await.unwrap().contains("No account here"));
    let page = ask("/authorize/account", with("email", "john@acme.example")).await;
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("Signing in as <b>john@acme.example</b>")
    );
    let page = ask("/authorize/password", with("password", "wrong")).await;
    assert!(
        page.text()
            .await
            .unwrap()
            .contains("The password is wrong.")
    );
    let page = ask("/authorize/password", with("password", PASSWORD)).await;
    assert!(page.text().await.unwrap().contains("Allow access"));
    let back = redirected(&ask("/authorize/consent", with("decision", "deny")).await);
    assert_eq!(field(&back, "error"), Some("access_denied"));
    let again = ask("/authorize/consent", with("decision", "allow")).await;
    assert_eq!(
        again.status(),
        StatusCode::BAD_REQUEST,
        "a sign-in ends once"
    );
}

#[tokio::test]
async fn a_form_is_good_only_in_the_browser_that_began_it() {
    let sandbox = start().await;
    let url = authorize_url(&sandbox, |_| {});
    let page = browser()
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let transaction = transaction_of(&page);
    let fields = [
        ("transaction", transaction.as_str()),
        ("password", PASSWORD),
    ];
    let other = post(&browser(), &sandbox, "/authorize/password", &fields).await;
    assert_eq!(other.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn only_the_endpoints_of_programs_answer_other_origins() {
    let sandbox = start().await;
    for (path, open) in [("/token", true), ("/userinfo", true), ("/authorize", false)] {
        let answer = browser()
            .get(format!("{}{path}", sandbox.issuer()))
            .header(ORIGIN, "chrome-extension://abc")
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN),
            open,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_webmail_page_says_what_it_is_and_shows_the_mail() {
    let sandbox = start().await;
    sandbox
        .control()
        .deliver(JANE, "From: <b>x</b>@y.example\nSubject: A & B\n\nHello\n");
    let browser = browser();
    let front = format!("{}/", sandbox.issuer());
    let page = browser
        .get(&front)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("sandbox</title>") && page.contains("Nobody is signed in"),
        "{page}"
    );
    walk(&browser, &sandbox, authorize_url(&sandbox, |_| {})).await;
    let page = browser
        .get(&front)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        page.contains("Signed in as <b>jane@acme.example</b>"),
        "{page}"
    );
    assert!(
        page.contains("INBOX (1)") && page.contains("A &amp; B"),
        "{page}"
    );
    assert!(
        !page.contains("<b>x</b>@"),
        "what came by mail is text, not HTML: {page}"
    );
}

#[tokio::test]
async fn the_webmail_page_says_which_apps_may_use_the_account_and_takes_it_back() {
    let sandbox = start().await;
    let browser = browser();
    let status = async || {
        let asked = browser.get(format!("{}/", sandbox.issuer()));
        let page = asked.send().await.unwrap().text().await.unwrap();
        let (_, rest) = page.split_once("<p role=\"status\">").expect(&page);
        rest.split("</p>").next().unwrap().to_owned()
    };
    let back = walk(&browser, &sandbox, authorize_url(&sandbox, |_| {})).await;
    let none = "No app may use this account.";
    assert_eq!(status().await, none, "a code is no permission yet");
    exchange(&sandbox, &code_fields(field(&back, "code").unwrap())).await;
    assert_eq!(status().await, "May use this account: <b>Unpause</b>.");
    let remove = format!("{}/apps/remove", sandbox.issuer());
    let stranger = reqwest::Client::new();
    stranger.post(&remove).send().await.unwrap();
    assert_eq!(status().await, "May use this account: <b>Unpause</b>.");
    browser.post(&remove).send().await.unwrap();
    assert_eq!(status().await, none);
    sandbox.control().lock(JANE, true).unwrap();
    let locked = status().await;
    assert!(locked.starts_with("This account is locked"), "{locked}");
}
