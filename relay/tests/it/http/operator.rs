//! The operator's way in: his socket, and nothing that is said on another one.

use reqwest::header::{AUTHORIZATION, FORWARDED, HOST, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Relay, STRANGER, answer};

/// What the last version kept in the data folder, and took as the operator's.
const OLD_TOKEN: &str = "Qk1vT2xkT3BlcmF0b3JUb2tlbjAwMDAw";

#[tokio::test]
async fn no_token_is_the_operators_and_the_last_versions_file_is_gone() {
    let relay = Relay::start().await;
    let data = relay.folder.path().join("data");
    let (folder, clock) = relay.stop().await;
    for name in ["operator.token", "relay.url"] {
        std::fs::write(data.join(name), OLD_TOKEN).unwrap();
    }
    let relay = Relay::start_in(folder, clock).await;
    for name in ["operator.token", "relay.url"] {
        assert!(!data.join(name).exists(), "{name}");
    }
    let tokens = [
        OLD_TOKEN,
        "",
        "operator",
        "socket",
        "0",
        "root",
        "localhost",
    ];
    for token in tokens {
        for path in ["/v1/devices", "/v1/status"] {
            answer(relay.get(path, token))
                .await
                .expect_problem(401, "unauthenticated");
        }
        answer(relay.post("/v1/pairings", token, &json!({})))
            .await
            .expect_problem(401, "unauthenticated");
    }
    // What others might believe about who asks; a device stays a device.
    let device = relay.pair().await;
    for (name, value) in [
        (FORWARDED.as_str(), "for=unix:/data/operator.sock"),
        ("x-forwarded-for", "unix:"),
        ("x-real-ip", "127.0.0.1"),
        ("x-operator", "1"),
        ("x-unpause-operator", "true"),
        ("by-socket", "1"),
        (HOST.as_str(), "localhost"),
    ] {
        let asked = relay.ask(Method::POST, "/v1/pairings").json(&json!({}));
        answer(asked.header(name, value))
            .await
            .expect_problem(401, "unauthenticated");
        let asked = relay.ask(Method::POST, "/v1/pairings").json(&json!({}));
        device
            .answer(asked.header(ORIGIN, super::EXTENSION).header(name, value))
            .await
            .expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn who_comes_by_the_socket_is_the_operator_whatever_he_says() {
    let relay = Relay::start().await;
    for (name, value) in [
        (HOST, "attacker.example"),
        (ORIGIN, STRANGER),
        (AUTHORIZATION, "Bearer guess"),
    ] {
        for asked in [
            relay.by_operator(Method::GET, "/v1/devices"),
            relay
                .by_operator(Method::POST, "/v1/pairings")
                .json(&json!({})),
        ] {
            let answered = answer(asked.header(&name, value)).await;
            assert_eq!(answered.status, StatusCode::OK, "{name} {}", answered.body);
        }
    }
}

#[tokio::test]
async fn the_socket_goes_with_the_relay_and_what_a_killed_one_left_stops_nobody() {
    let relay = Relay::start().await;
    let socket = relay.folder.path().join("data/operator.sock");
    assert!(socket.exists());
    let (folder, clock) = relay.stop().await;
    assert!(!socket.exists(), "it ended in order");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let relay = Relay::start_in(folder, clock).await;
    relay.operate("/v1/pairings", json!({})).await;
}
