//! Conversations with an authorization server: what is asked, and what is made of the answers.

#![cfg(test)]

use std::time::Duration;

use protocol::evidence::{IoFault, Party, Said, Stage};
use protocol::reply::OAuthReply;
use protocol::secret::Secret;
use relay::failure::Failure;
use relay::oauth::{Client, Identity, Metadata, Registration, Tokens};
use relay::tls::Dialer;

use crate::peer::Peer;

mod hostile;

const REFRESH_TOKEN: &str = "1//0g-very-secret-refresh-token";
const CLIENT_SECRET: &str = "GOCSPX-very-secret-client-secret";

fn client() -> Client {
    Client::new(&Dialer::new(None).unwrap()).unwrap()
}

fn metadata(origin: &str) -> Metadata {
    let url = |path: &str| format!("{origin}{path}").parse().unwrap();
    Metadata {
        issuer: origin.to_owned(),
        authorization_endpoint: url("/authorize"),
        token_endpoint: url("/token"),
        userinfo_endpoint: Some(url("/userinfo")),
        revocation_endpoint: Some(url("/revoke")),
        iss_parameter_supported: false,
        takes_secret_in_form: false,
    }
}

fn public() -> Registration {
    Registration {
        client_id: "unpause".to_owned(),
        client_secret: None,
    }
}

fn confidential() -> Registration {
    Registration {
        client_secret: Some(Secret::new(CLIENT_SECRET)),
        ..public()
    }
}

/// A script line that answers with `body`.
fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "S! HTTP/1.1 {status}\\r\\ncontent-type: {kind}\\r\\ncontent-length: {length}\\r\\n\\r\\n{body}"
    )
}

fn json(body: &str) -> String {
    answer("200 OK", "application/json", body)
}

/// Uses the refresh token against a token endpoint that answers so; no secret is in a failure.
async fn refresh(registration: &Registration, answer: &str) -> (Result<Tokens, Failure>, String) {
    let peer = Peer::start(&format!("C HTTP POST /token\n{answer}")).await;
    let metadata = metadata(&peer.origin());
    let refreshed = client()
        .refresh(&metadata, registration, &Secret::new(REFRESH_TOKEN))
        .await;
    let shown = match &refreshed {
        Ok(tokens) => format!("{tokens:?}"),
        Err(failure) => format!("{failure:?} {failure} {}", failure.said),
    };
    assert!(!shown.contains("very-secret"), "{shown}");
    (refreshed, peer.finish().await)
}

async fn refused(answer: &str) -> Said {
    let failure = refresh(&confidential(), answer).await.0.unwrap_err();
    assert_eq!(
        (failure.party, failure.stage),
        (Party::Oauth, Stage::Refresh)
    );
    failure.said
}

fn garbage(said: &Said) -> &str {
    let Said::Garbage { detail } = said else {
        panic!("{said:?}")
    };
    detail
}

#[tokio::test]
async fn a_refresh_brings_tokens_and_a_rotated_refresh_token() {
    let body = r#"{"access_token":"very-secret-1","token_type":"Bearer","expires_in":3599,"refresh_token":"very-secret-2","scope":"openid email"}"#;
    let (refreshed, transcript) = refresh(&public(), &json(body)).await;
    let expected = Tokens {
        access_token: Secret::new("very-secret-1"),
        refresh_token: Some(Secret::new("very-secret-2")),
        expires_in: Some(Duration::from_secs(3599)),
        scopes: Some(vec!["openid".to_owned(), "email".to_owned()]),
        id_token: None,
    };
    assert_eq!(refreshed, Ok(expected));
    let form = transcript
        .lines()
        .find(|line| line.contains("grant_type"))
        .unwrap();
    for part in [
        "grant_type=refresh_token",
        "refresh_token=1%2F%2F0g-very-secret-refresh-token",
        "client_id=unpause",
    ] {
        assert!(form.contains(part), "{form}");
    }
}

#[tokio::test]
async fn an_exchange_proves_the_verifier_and_the_secret_in_the_way_the_server_takes_it() {
    for takes_secret_in_form in [false, true] {
        let body = r#"{"access_token":"a","token_type":"bearer"}"#;
        let peer = Peer::start(&format!("C HTTP POST /token\n{}", json(body))).await;
        let metadata = Metadata {
            takes_secret_in_form,
            ..metadata(&peer.origin())
        };
        let (code, verifier) = (Secret::new("the-code"), Secret::new("the-verifier"));
        let redirect = "https://relay.example/v1/oauth/redirect";
        let exchanged = client()
            .exchange(&metadata, &confidential(), &code, &verifier, redirect)
            .await;
        let tokens = exchanged.unwrap();
        assert_eq!(
            (tokens.refresh_token, tokens.expires_in, tokens.scopes),
            (None, None, None)
        );
        let transcript = peer.finish().await;
        for part in [
            "grant_type=authorization_code",
            "code=the-code",
            "code_verifier=the-verifier",
            "redirect_uri=https%3A%2F%2Frelay.example%2Fv1%2Foauth%2Fredirect",
        ] {
            assert!(transcript.contains(part), "{transcript}");
        }
        assert_eq!(
            transcript.contains("client_secret=GOCSPX"),
            takes_secret_in_form
        );
        assert_eq!(
            transcript.contains("authorization: Basic "),
            !takes_secret_in_form
        );
    }
}

#[tokio::test]
async fn a_refusal_keeps_the_oauth_error() {
    let body = r#"{"error":"invalid_grant","error_description":"Token 1//0g-very-secret-refresh-token has been revoked."}"#;
    let said = refused(&answer("400 Bad Request", "application/json", body)).await;
    let expected = OAuthReply {
        http_status: Some(400),
        error: Some("invalid_grant".to_owned()),
        description: "Token [secret] has been revoked.".to_owned(),
    };
    assert_eq!(said, Said::Oauth(expected));
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_kept_short_and_without_secrets() {
    let page =
        "<html><h1>Server error</h1>refresh_token=1%2F%2F0g-very-secret-refresh-token</html>";
    let Said::Oauth(reply) = refused(&answer("500 Oops", "text/html", page)).await else {
        panic!("no HTTP answer")
    };
    assert_eq!((reply.http_status, reply.error), (Some(500), None));
    assert!(
        reply.description.starts_with("Server error"),
        "{}",
        reply.description
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let said = refused(
        "S! HTTP/1.1 307 Elsewhere\\r\\nlocation: /elsewhere?very-secret\\r\\ncontent-length: 0\\r\\n\\r\\n",
    )
    .await;
    let Said::Oauth(reply) = said else {
        panic!("{said:?}")
    };
    assert_eq!(reply.http_status, Some(307));
}

#[tokio::test]
async fn a_success_with_nonsense_is_garbage() {
    for (response, expected) in [
        (json("not JSON, very-secret"), "expected tokens, found"),
        (
            json(r#"{"access_token":["very-secret"],"token_type":"bearer"}"#),
            "expected tokens, found",
        ),
        (
            json(r#"{"access_token":"a","token_type":"bearer","expires_in":"very-secret"}"#),
            "expected tokens, found",
        ),
        (json(""), "expected tokens, found"),
        (
            answer("200 OK", "text/html", "<p>very-secret</p>"),
            "expected tokens, found",
        ),
    ] {
        let said = refused(&response).await;
        assert!(garbage(&said).starts_with(expected), "{said:?}");
    }
}

/// Asks each endpoint that answers something, and gives what was said.
async fn said_by_each(answer: &str) -> Vec<Said> {
    let mut said = vec![refused(answer).await];
    let peer = Peer::start(&format!("C HTTP POST /token\n{answer}")).await;
    let (code, verifier) = (Secret::new("the-code"), Secret::new("the-verifier"));
    let exchanged = client()
        .exchange(
            &metadata(&peer.origin()),
            &public(),
            &code,
            &verifier,
            "https://relay.example/v1/oauth/redirect",
        )
        .await;
    said.push(exchanged.unwrap_err().said);
    peer.finish().await;
    let peer = Peer::start(&format!(
        "C HTTP GET /.well-known/openid-configuration\n{answer}"
    ))
    .await;
    let issuer = peer.origin().parse().unwrap();
    said.push(client().load_metadata(&issuer).await.unwrap_err().said);
    peer.finish().await;
    let peer = Peer::start(&format!("C HTTP GET /userinfo\n{answer}")).await;
    let identified = client()
        .load_identity(&metadata(&peer.origin()), &Secret::new("the-token"))
        .await;
    said.push(identified.unwrap_err().said);
    peer.finish().await;
    said
}

#[tokio::test]
async fn an_endless_answer_ends_at_every_endpoint() {
    let success = "S! HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\n";
    for rest in [
        "\\r\\n\nS* {very-secret",
        "content-length: 10000000\\r\\n\\r\\n\nS* {very-secret",
        "content-length: 10000000\\r\\n\\r\\n\nS* {\"a\":",
    ] {
        for said in said_by_each(&format!("{success}{rest}")).await {
            assert!(garbage(&said).contains("at most 262144 bytes"), "{said:?}");
        }
    }
    // Headers without end are the HTTP library's to refuse.
    for said in said_by_each("S! HTTP/1.1 200 OK\\r\\n\nS* x: y\\r\\n\n").await {
        assert!(matches!(said, Said::Io { .. }), "{said:?}");
    }
}

#[tokio::test]
async fn a_refusal_with_an_endless_page_is_still_that_refusal() {
    for said in said_by_each("S! HTTP/1.1 503 Busy\\r\\n\\r\\n\nS* <p>busy</p>").await {
        let Said::Oauth(reply) = said else {
            panic!("{said:?}")
        };
        assert_eq!((reply.http_status, reply.error), (Some(503), None));
        assert!(reply.description.len() < 500, "{}", reply.description);
    }
}

#[tokio::test]
async fn json_that_is_nested_without_end_is_garbage_and_ends_nobody() {
    let deep = |open: &str, n_bytes: usize| open.repeat(n_bytes / open.len());
    for body in [
        deep("[", 200_000),
        deep("{\"a\":", 200_000),
        format!("{{\"access_token\":{}", deep("[", 200_000)),
        format!("{{\"issuer\":{}", deep("{\"issuer\":", 200_000)),
        format!("{{\"sub\":\"1\",\"email_verified\":{}", deep("[", 200_000)),
        format!("{{\"other\":{}}}", deep("[[],", 200_000)),
    ] {
        for said in said_by_each(&json(&body)).await {
            let detail = garbage(&said);
            assert!(
                detail.starts_with("expected ") && detail.len() < 300,
                "{detail}"
            );
        }
        let answer = answer("400 Bad Request", "application/json", &body);
        for said in said_by_each(&answer).await {
            let Said::Oauth(reply) = said else {
                panic!("{said:?}")
            };
            assert_eq!(reply.http_status, Some(400));
            assert!(reply.description.len() < 1_000);
        }
    }
}

#[tokio::test]
async fn an_answer_of_one_byte_a_second_is_not_waited_for() {
    let head = "S! HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\n\\r\\n";
    for answer in [
        "S~".to_owned(),
        "S~ HTTP/1.1 200 OK and more and more".to_owned(),
        format!("{head}\nS~"),
        format!("{head}\nS~ {{\"a\": "),
    ] {
        for said in said_by_each(&answer).await {
            let Said::Io { fault, detail } = said else {
                panic!("{said:?}")
            };
            assert_eq!(fault, IoFault::TimedOut);
            let expected = "no end of the request to 127.0.0.1 within 20 seconds";
            assert_eq!(detail, expected);
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_or_is_not_answered_is_told_apart() {
    let said = refused("close").await;
    assert!(
        matches!(
            said,
            Said::Io {
                fault: IoFault::Closed,
                ..
            }
        ),
        "{said:?}"
    );

    // Port 1 on loopback (tcpmux, RFC 1078) is served by nobody.
    let nobody = metadata("http://127.0.0.1:1");
    let token = Secret::new(REFRESH_TOKEN);
    let failure = client()
        .refresh(&nobody, &public(), &token)
        .await
        .unwrap_err();
    assert!(
        matches!(
            failure.said,
            Said::Io {
                fault: IoFault::Refused,
                ..
            }
        ),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let peer = Peer::start("TLS refused").await;
    let metadata = metadata(&peer.origin().replace("http:", "https:"));
    let token = Secret::new(REFRESH_TOKEN);
    let failure = client()
        .refresh(&metadata, &public(), &token)
        .await
        .unwrap_err();
    assert!(matches!(failure.said, Said::Tls { .. }), "{failure:?}");
    peer.finish().await;
}

#[tokio::test]
async fn metadata_is_that_of_the_issuer_asked() {
    let script = |origin: &str| {
        json(&format!(
            r#"{{"issuer":"{origin}","authorization_endpoint":"https://a.example/auth","token_endpoint":"https://a.example/token","authorization_response_iss_parameter_supported":true,"token_endpoint_auth_methods_supported":["client_secret_post"]}}"#
        ))
    };
    let peer = Peer::start(&format!(
        "C HTTP GET /.well-known/openid-configuration\n{}",
        script("http://127.0.0.1:1")
    ))
    .await;
    let issuer = peer.origin().parse().unwrap();
    let failure = client().load_metadata(&issuer).await.unwrap_err();
    assert_eq!(
        (failure.party, failure.stage),
        (Party::Oauth, Stage::Metadata)
    );
    assert!(
        garbage(&failure.said).contains("found that of \"http://127.0.0.1:1\""),
        "{failure:?}"
    );
    peer.finish().await;

    let peer = Peer::start_with(|server| {
        let body = script(&format!("http://{server}/tenant"));
        format!("C HTTP GET /tenant/.well-known/openid-configuration\n{body}")
    })
    .await;
    let issuer = format!("{}/tenant", peer.origin()).parse().unwrap();
    let found = client().load_metadata(&issuer).await.unwrap();
    assert_eq!(found.issuer, format!("{}/tenant", peer.origin()));
    assert_eq!(found.token_endpoint.as_str(), "https://a.example/token");
    assert_eq!(
        (found.userinfo_endpoint, found.revocation_endpoint),
        (None, None)
    );
    assert!(found.iss_parameter_supported && found.takes_secret_in_form);
    peer.finish().await;
}

#[tokio::test]
async fn metadata_without_https_or_without_an_endpoint_is_refused() {
    for (endpoints, expected) in [
        (
            r#""authorization_endpoint":"https://a.example/auth","token_endpoint":"http://a.example/token""#,
            "expected https in token_endpoint",
        ),
        (
            r#""authorization_endpoint":"https://a.example/auth""#,
            "expected metadata, found JSON that lacks",
        ),
    ] {
        let peer = Peer::start_with(|server| {
            let body = json(&format!(r#"{{"issuer":"http://{server}",{endpoints}}}"#));
            format!("C HTTP GET /.well-known/openid-configuration\n{body}")
        })
        .await;
        let failure = client()
            .load_metadata(&peer.origin().parse().unwrap())
            .await
            .unwrap_err();
        assert!(garbage(&failure.said).starts_with(expected), "{failure:?}");
        peer.finish().await;
    }
}

#[tokio::test]
async fn the_person_who_signed_in_is_told() {
    for (body, email, email_verified) in [
        (
            r#"{"sub":"1","email":"jane@acme.example","email_verified":true}"#,
            Some("jane@acme.example"),
            true,
        ),
        (
            r#"{"sub":"1","email":"jane@acme.example","email_verified":"true"}"#,
            Some("jane@acme.example"),
            true,
        ),
        (
            r#"{"sub":"1","email":"jane@acme.example"}"#,
            Some("jane@acme.example"),
            false,
        ),
        (r#"{"sub":"1"}"#, None, false),
    ] {
        let peer = Peer::start(&format!("C HTTP GET /userinfo\n{}", json(body))).await;
        let metadata = metadata(&peer.origin());
        let identity = client()
            .load_identity(&metadata, &Secret::new("the-token"))
            .await
            .unwrap();
        let expected = Identity {
            iss: peer.origin(),
            sub: "1".to_owned(),
            email: email.map(str::to_owned),
            email_verified,
        };
        assert_eq!(identity, expected);
        assert!(
            peer.finish()
                .await
                .contains("authorization: Bearer the-token")
        );
    }
}

#[tokio::test]
async fn a_refused_access_token_is_read_from_the_challenge() {
    let peer = Peer::start(
        "C HTTP GET /userinfo\nS! HTTP/1.1 401 No\\r\\nwww-authenticate: Bearer error=\"invalid_token\", error_description=\"expired\"\\r\\ncontent-length: 0\\r\\n\\r\\n",
    )
    .await;
    let metadata = metadata(&peer.origin());
    let failure = client()
        .load_identity(&metadata, &Secret::new("the-token"))
        .await
        .unwrap_err();
    let expected = OAuthReply {
        http_status: Some(401),
        error: Some("invalid_token".to_owned()),
        description: "expired".to_owned(),
    };
    assert_eq!(
        failure,
        Failure::new(Party::Oauth, Stage::Identity, Said::Oauth(expected))
    );
    peer.finish().await;
}

#[tokio::test]
async fn a_token_that_cannot_stand_in_a_header_is_not_told() {
    let metadata = metadata("http://127.0.0.1:1");
    let failure = client()
        .load_identity(&metadata, &Secret::new("very\nsecret"))
        .await
        .unwrap_err();
    assert_eq!(
        garbage(&failure.said),
        "the request cannot be written in HTTP"
    );
}

#[tokio::test]
async fn a_token_is_revoked_where_that_exists() {
    let token = Secret::new(REFRESH_TOKEN);
    for (registration, expected) in [
        (confidential(), "authorization: Basic "),
        (
            public(),
            "token=1%2F%2F0g-very-secret-refresh-token&client_id=unpause",
        ),
    ] {
        let peer = Peer::start(&format!("C HTTP POST /revoke\n{}", json(""))).await;
        let metadata = metadata(&peer.origin());
        client()
            .revoke(&metadata, &registration, &token)
            .await
            .unwrap();
        let transcript = peer.finish().await;
        assert!(transcript.contains(expected), "{transcript}");
    }
    let nowhere = Metadata {
        revocation_endpoint: None,
        ..metadata("http://127.0.0.1:1")
    };
    assert_eq!(client().revoke(&nowhere, &public(), &token).await, Ok(()));
}
