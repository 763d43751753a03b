//! A relay on a server, behind a proxy that is named: what it calls itself, whom it answers, and whom it takes the other
//! side for.

use reqwest::header::{HOST, ORIGIN, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, EXTENSION, Relay, answer};

const URL: &str = "https://relay.acme.example";
const NAME: &str = "relay.acme.example";
/// The test itself is the proxy.
pub(super) const BEHIND_US: &str =
    "public_url = \"https://relay.acme.example\"\nproxy.trusted = [\"127.0.0.1\"]\n";

async fn behind_us() -> Relay {
    Relay::start_as(BEHIND_US).await
}

/// Asks as the proxy does for this client.
async fn forwarded(relay: &Relay, method: Method, path: &str, client: &str) -> Answer {
    let asked = relay.ask(method, path).header(HOST, NAME);
    answer(asked.header("x-forwarded-for", client)).await
}

#[tokio::test]
async fn everything_that_names_the_relay_names_its_public_address() {
    let relay = behind_us().await;
    let link = relay.operate("/v1/login-links", json!({})).await;
    let login = format!("{URL}/login#code=");
    assert!(link["url"].as_str().unwrap().starts_with(&login), "{link}");
    let pairing = relay.operate("/v1/pairings", json!({})).await;
    let named = "unpause://pair?relay=https%3A%2F%2Frelay.acme.example&code=";
    assert!(pairing["link"].as_str().unwrap().starts_with(named));
    let page = forwarded(&relay, Method::GET, "/login", "198.51.100.7").await;
    assert_eq!(
        page.headers["strict-transport-security"],
        "max-age=31536000"
    );
}

/// Row: relay asked for by another name | a request for 127.0.0.1 at a relay that has a public address | 403 forbidden | the operator | this relay answers to relay.acme.example alone, found the host "127.0.0.1"
#[tokio::test]
async fn any_other_host_than_the_public_one_reaches_nothing() {
    let relay = behind_us().await;
    let own = relay.running.address().to_string();
    for host in [
        own.as_str(),
        "127.0.0.1",
        "localhost",
        "[::1]",
        "attacker.example",
        "relay.acme.example.attacker.example",
        "acme.example",
        "10.0.0.1",
    ] {
        for path in [
            "/healthz",
            "/v1/status",
            "/",
            "/login",
            "/oauth/start?ticket=t",
        ] {
            let asked = relay.get(path, &relay.session).header(HOST, host);
            answer(asked).await.expect_problem(403, "forbidden");
        }
    }
    for host in [NAME, "RELAY.acme.example:443"] {
        let asked = relay.get("/v1/status", &relay.session).header(HOST, host);
        assert_eq!(answer(asked).await.status, StatusCode::OK, "{host}");
    }
    // What a proxy says of the host that it was asked for is not read.
    let asked = relay.get("/v1/status", &relay.session);
    let asked = asked.header(HOST, "attacker.example");
    let asked = asked.header("x-forwarded-host", NAME);
    answer(asked).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn only_pages_of_the_public_address_change_something() {
    let relay = behind_us().await;
    for (origin, is_ours) in [
        (URL, true),
        ("http://relay.acme.example", false),
        ("https://relay.acme.example:8443", false),
        ("https://acme.example", false),
        ("http://127.0.0.1:7411", false),
        ("null", false),
    ] {
        let asked = relay.post("/v1/pairings", &relay.session, &json!({}));
        let asked = asked.header(HOST, NAME).header(ORIGIN, origin);
        let status = answer(asked).await.status;
        let expected = if is_ours {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(status, expected, "{origin}");
    }
    let allowed = relay.ask(Method::OPTIONS, "/v1/status").header(HOST, NAME);
    let allowed = allowed.header(ORIGIN, EXTENSION);
    let allowed = answer(allowed.header("access-control-request-method", "GET")).await;
    assert_eq!(allowed.headers["access-control-allow-origin"], EXTENSION);
}

/// Row: relay asked past its proxy | a request on plain http that the proxy of a relay with an https address did not bring | 403 forbidden | the operator | `this relay is reached at https://relay.acme.example, and 127.0.0.1 is not its proxy: use that address, or name the proxy in proxy.trusted`
#[tokio::test]
async fn on_plain_http_only_the_proxy_is_answered_and_only_for_who_came_by_tls() {
    let other = "public_url = \"https://relay.acme.example\"\nproxy.trusted = [\"192.0.2.1\"]\n";
    let relay = Relay::start_as_without_session(other).await;
    for client in ["192.0.2.1", "127.0.0.1"] {
        let refused = forwarded(&relay, Method::GET, "/healthz", client).await;
        refused.expect_problem(403, "forbidden");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("127.0.0.1 is not its proxy"), "{detail}");
    }
    let relay = behind_us().await;
    for (scheme, status) in [("http", 403), ("https", 200)] {
        let asked = relay.ask(Method::GET, "/healthz").header(HOST, NAME);
        let answered = answer(asked.header("x-forwarded-proto", scheme)).await;
        assert_eq!(answered.status.as_u16(), status, "{scheme}");
    }
}

#[tokio::test]
async fn a_proxys_client_counts_and_what_a_client_says_of_himself_does_not() {
    let relay = behind_us().await;
    let guess = |said: &'static str| {
        let asked = relay.ask(Method::POST, "/v1/sessions").header(HOST, NAME);
        answer(
            asked
                .header("x-forwarded-for", said)
                .header("forwarded", "for=203.0.113.1")
                .json(&json!({ "code": "guess" })),
        )
    };
    for n in 0..10 {
        // Whoever guesses writes another address on the left each time.
        let said = ["203.0.113.9, 198.51.100.7", "198.51.100.7"][n % 2];
        guess(said).await.expect_problem(422, "invalid");
    }
    guess("1.2.3.4, 198.51.100.7")
        .await
        .expect_problem(429, "too_many_requests");
    guess("198.51.100.8").await.expect_problem(422, "invalid");
    let link = relay.operate("/v1/login-links", json!({})).await;
    let (_, code) = link["url"].as_str().unwrap().split_once("#code=").unwrap();
    let asked = relay.ask(Method::POST, "/v1/sessions").header(HOST, NAME);
    let asked = asked.header("x-forwarded-for", "10.0.0.1, 198.51.100.9");
    let asked = asked.header(USER_AGENT, "her browser");
    let session = answer(asked.json(&json!({ "code": code }))).await;
    assert_eq!(session.status, StatusCode::OK);
    let listed = answer(relay.by_operator(Method::GET, "/v1/sessions")).await;
    let hers = listed.body["sessions"].as_array().unwrap().iter();
    let peers: Vec<&Value> = hers
        .filter(|session| session["browser"] == "her browser")
        .map(|session| &session["peer"])
        .collect();
    assert_eq!(peers, ["198.51.100.9"]);
}

#[tokio::test]
async fn without_a_proxy_nobody_is_believed_about_where_he_is() {
    let relay = Relay::start().await;
    for n in 0..10 {
        let asked = relay.ask(Method::POST, "/v1/sessions");
        let asked = asked.header("x-forwarded-for", format!("198.51.100.{n}"));
        let asked = asked.header("forwarded", format!("for=198.51.100.{n}"));
        let guess = answer(asked.json(&json!({ "code": "guess" }))).await;
        guess.expect_problem(422, "invalid");
    }
    let asked = relay.ask(Method::POST, "/v1/sessions");
    let asked = asked.header("x-forwarded-for", "198.51.100.99");
    let guess = answer(asked.json(&json!({ "code": "guess" }))).await;
    guess.expect_problem(429, "too_many_requests");
}
