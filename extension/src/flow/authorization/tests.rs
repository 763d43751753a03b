//! Addresses, answers and exchanges, beside `flow/authorization.rs`.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::ready;

use protocol::reconnect::VisitPlan;

use super::*;

const REDIRECT: &str = "https://abc.chromiumapp.org/oauth/sandbox";

fn authorization(names_issuer: bool, exchange: Exchange) -> Authorization {
    Authorization {
        authorization_endpoint: "https://id.acme.example/authorize".to_owned(),
        token_endpoint: "https://id.acme.example/token".to_owned(),
        issuer: "https://id.acme.example".to_owned(),
        names_issuer,
        client_id: "unpause".to_owned(),
        scopes: vec!["openid".to_owned(), "mail.send".to_owned()],
        login_hint: "jane@acme.example".to_owned(),
        visits: vec![VisitPlan {
            interactive: true,
            parameters: vec![("prompt".to_owned(), "consent".to_owned())],
        }],
        exchange,
    }
}

fn visit(names_issuer: bool) -> Visit {
    let chance = Chance {
        state: Secret::new("the state"),
        // RFC 7636 appendix B.
        verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    };
    let authorization = authorization(names_issuer, Exchange::Public);
    Visit::begin(&authorization, 0, REDIRECT, chance).unwrap()
}

#[test]
fn the_address_holds_what_the_provider_needs_and_no_verifier() {
    let visit = visit(true);
    let mut pairs: Vec<(String, String)> = visit.0.url.query_pairs().into_owned().collect();
    pairs.sort();
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        pairs,
        [
            ("client_id", "unpause"),
            (
                "code_challenge",
                "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
            ),
            ("code_challenge_method", "S256"),
            ("login_hint", "jane@acme.example"),
            ("prompt", "consent"),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", "openid mail.send"),
            ("state", "the state"),
        ]
    );
    assert!(!visit.url().contains("dBjftJeZ4CVP"));
    assert!(!format!("{visit:?}").contains("the state"));
}

#[test]
fn only_an_answer_to_this_very_visit_is_one() {
    let ours = "https%3A%2F%2Fid.acme.example";
    for (names_issuer, redirect, is_ours) in [
        (false, format!("{REDIRECT}?code=c&state=the+state"), true),
        (
            false,
            format!("{REDIRECT}?code=c&state=the+state&iss=https://evil.example"),
            true,
        ),
        (false, format!("{REDIRECT}?code=c&state=the+stat"), false),
        (false, format!("{REDIRECT}?code=c&state="), false),
        (false, format!("{REDIRECT}?code=c"), false),
        (false, format!("{REDIRECT}?error=access_denied"), false),
        (false, format!("{REDIRECT}?state=the+state"), false),
        (false, format!("{REDIRECT}?code=&state=the+state"), false),
        (false, REDIRECT.to_owned(), false),
        (false, "nonsense".to_owned(), false),
        (
            false,
            "https://abc.chromiumapp.org/oauth/google?code=c&state=the+state".to_owned(),
            false,
        ),
        (
            false,
            "https://abd.chromiumapp.org/oauth/sandbox?code=c&state=the+state".to_owned(),
            false,
        ),
        (true, format!("{REDIRECT}?code=c&state=the+state"), false),
        (
            true,
            format!("{REDIRECT}?code=c&state=the+state&iss=https://evil.example"),
            false,
        ),
        (
            true,
            format!("{REDIRECT}?error=access_denied&state=the+state&iss=https://evil.example"),
            false,
        ),
        (
            true,
            format!("{REDIRECT}?code=c&state=the+state&iss={ours}"),
            true,
        ),
    ] {
        let answer = visit(names_issuer).read(&redirect);
        assert_eq!(
            matches!(answer, Answer::Granted { .. }),
            is_ours,
            "{redirect}: {answer:?}"
        );
        assert_eq!(
            matches!(answer, Answer::NotOurs { .. }),
            !is_ours,
            "{redirect}"
        );
    }
    assert_eq!(
        visit(false).read(&format!(
            "{REDIRECT}?error=access_denied&error_description=not+now&state=the%20state"
        )),
        Answer::Refused {
            error: "access_denied".to_owned(),
            description: Some("not now".to_owned()),
        }
    );
}

#[test]
fn each_provider_has_an_address_of_its_own_in_each_browser() {
    let allizom = "https://4cb974a1.extensions.allizom.org/";
    for (base, provider, expected) in [
        (
            "https://abc.chromiumapp.org/",
            "sandbox",
            "https://abc.chromiumapp.org/oauth/sandbox",
        ),
        (
            "https://abc.chromiumapp.org/",
            "google",
            "https://abc.chromiumapp.org/oauth/google",
        ),
        (
            allizom,
            "sandbox",
            "https://4cb974a1.extensions.allizom.org/oauth/sandbox",
        ),
        (
            allizom,
            "google",
            "http://127.0.0.1/mozoauth2/4cb974a1/oauth/google",
        ),
    ] {
        assert_eq!(redirect_uri(base, &ProviderId::new(provider)), expected);
    }
}

#[tokio::test]
async fn the_relays_exchange_gets_the_code_and_nobody_is_asked() {
    let authorization = authorization(false, Exchange::Confidential);
    let grant = visit(false)
        .obtain(&authorization, Secret::new("c"), |_| async {
            Err::<HttpResponse, _>(std::io::Error::other("asked"))
        })
        .await
        .unwrap();
    assert_eq!(
        grant,
        Grant::Code {
            code: Secret::new("c"),
            verifier: Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            redirect_uri: REDIRECT.to_owned(),
        }
    );
}

/// Exchanges a code at an endpoint that answers this; also what it was sent.
async fn exchange(status: u16, body: &str) -> (Result<Grant, String>, String) {
    let sent = RefCell::new(String::new());
    let authorization = authorization(false, Exchange::Public);
    let obtained = visit(false)
        .obtain(&authorization, Secret::new("the code"), |request| {
            assert_eq!(*request.uri(), "https://id.acme.example/token");
            assert!(!request.headers().contains_key("authorization"));
            *sent.borrow_mut() = String::from_utf8(request.into_body()).unwrap();
            let answer = oauth2::http::Response::builder()
                .status(status)
                .header("content-type", "application/json")
                .body(body.as_bytes().to_vec())
                .unwrap();
            ready(Ok::<_, Infallible>(answer))
        })
        .await
        .map_err(|error| error.to_string());
    (obtained, sent.into_inner())
}

#[tokio::test]
async fn a_public_client_exchanges_the_code_with_its_verifier() {
    let body = r#"{"access_token":"at","token_type":"Bearer","expires_in":3600,"refresh_token":"rt",
        "scope":"openid mail.send"}"#;
    let (obtained, sent) = exchange(200, body).await;
    let mut fields: Vec<_> = url::form_urlencoded::parse(sent.as_bytes())
        .into_owned()
        .collect();
    fields.sort();
    let fields: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        fields,
        [
            ("client_id", "unpause"),
            ("code", "the code"),
            (
                "code_verifier",
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
            ),
            ("grant_type", "authorization_code"),
            ("redirect_uri", REDIRECT),
        ]
    );
    assert_eq!(
        obtained,
        Ok(Grant::Tokens {
            access_token: Secret::new("at"),
            refresh_token: Some(Secret::new("rt")),
            expires_in_ms: Some(3_600_000),
            scope: Some("openid mail.send".to_owned()),
        })
    );
}

#[tokio::test]
async fn a_refusal_keeps_the_endpoints_words_and_shows_no_token() {
    let refused = r#"{"error":"invalid_grant","error_description":"used before"}"#;
    let (obtained, _) = exchange(400, refused).await;
    assert_eq!(obtained, Err("invalid_grant: used before".to_owned()));
    let repeated = r#"{"error":"invalid_grant","error_description":"no: code=the+code&code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}"#;
    let (obtained, _) = exchange(400, repeated).await;
    assert_eq!(
        obtained,
        Err("invalid_grant: no: code=[secret]&code_verifier=[secret]".to_owned())
    );
    let (obtained, _) = exchange(200, r#"{"access_token":"s3cret","token_type":7}"#).await;
    let words = obtained.unwrap_err();
    assert!(
        words.contains("token endpoint") && !words.contains("s3cret"),
        "{words}"
    );
}
