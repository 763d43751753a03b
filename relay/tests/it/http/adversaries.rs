//! Callers who mean harm: with a token that is another's, a code that was seen, a name that points here, a request
//! that has no end. Each is told no in words, and the relay goes on.

use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HOST, ORIGIN};
use reqwest::{Method, StatusCode};
use sandbox::device::Device;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Answer, EXTENSION, Relay, STRANGER, answer, devices};
use crate::app::SOON;

#[tokio::test]
async fn guessing_codes_shuts_the_door_to_nobody_who_has_the_right_one() {
    let relay = Relay::start().await;
    let pairing = relay.operate("/v1/pairings", json!({})).await;
    let guess = json!({ "code": "guess", "link": pairing["link"] });
    let device = Device::new().unwrap();
    let pair = |made: &Value, origin: &'static str| {
        let (made, relay, device) = (made.clone(), &relay, &device);
        async move { devices::pair(relay, device, &made, Some(origin)).await }
    };
    // A page of somebody else is refused before it is counted, or it could keep a person out.
    for _ in 0..20 {
        pair(&guess, STRANGER)
            .await
            .expect_problem(403, "forbidden");
    }
    for _ in 0..10 {
        pair(&guess, EXTENSION).await.expect_problem(422, "invalid");
    }
    let waits = pair(&guess, EXTENSION).await;
    waits.expect_problem(429, "too_many_requests");
    assert_eq!(
        waits.body["detail"],
        "10 codes were wrong within a minute, and this one is wrong too: a right one is taken at once, for another \
         wrong one wait a minute"
    );
    // Nobody shuts the door to the person who has the right one; she comes from the same address.
    assert_eq!(pair(&pairing, EXTENSION).await.status, StatusCode::OK);
    let link = relay.operate("/v1/login-links", json!({})).await;
    let code = link["url"].as_str().unwrap().split_once("code=").unwrap().1;
    let body = json!({ "code": code });
    let session = answer(relay.ask(Method::POST, "/v1/sessions").json(&body)).await;
    assert_eq!(session.status, StatusCode::OK, "{}", session.body);
}

#[tokio::test]
async fn of_codes_that_come_twice_at_once_one_is_used() {
    let relay = Relay::start().await;
    let statuses = |answers: (Answer, Answer, Answer, Answer)| {
        let mut statuses =
            [answers.0, answers.1, answers.2, answers.3].map(|answer| answer.status.as_u16());
        statuses.sort_unstable();
        statuses
    };
    let made = relay.operate("/v1/login-links", json!({})).await;
    let url = made["url"].as_str().unwrap();
    let body = json!({ "code": url.split_once("#code=").unwrap().1 });
    let ask = || answer(relay.ask(Method::POST, "/v1/sessions").json(&body));
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    assert_eq!(statuses(answers), [200, 422, 422, 422]);

    let made = relay.operate("/v1/pairings", json!({})).await;
    let device = Device::new().unwrap();
    let ask = || devices::pair(&relay, &device, &made, None);
    let answers = tokio::join!(ask(), ask(), ask(), ask());
    assert_eq!(statuses(answers), [200, 422, 422, 422]);
}

#[tokio::test]
async fn a_name_that_points_here_reaches_nothing_even_with_a_token() {
    let relay = Relay::start().await;
    let port = relay.running.address().port();
    for host in [
        "attacker.example".to_owned(),
        // As a page sees it whose name was pointed here after it was loaded.
        format!("attacker.example:{port}"),
        format!("127.0.0.1.attacker.example:{port}"),
        format!("localhost.attacker.example:{port}"),
        format!("169.254.169.254:{port}"),
    ] {
        // To itself such a page is of the same origin: no preflight, and no Origin where it reads.
        for origin in [None, Some(format!("http://{host}"))] {
            for token in [&relay.session] {
                for mut asked in [
                    relay.get("/v1/status", token),
                    relay.post("/v1/pairings", token, &json!({})),
                ] {
                    asked = asked.header(HOST, &host);
                    if let Some(origin) = &origin {
                        asked = asked.header(ORIGIN, origin);
                    }
                    let refused = answer(asked).await;
                    refused.expect_problem(403, "forbidden");
                    assert_eq!(refused.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
                }
            }
        }
    }
}

/// Writes what is no request of an HTTP library, and reads what comes back until the relay closes.
async fn say(relay: &Relay, parts: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(relay.running.address()).await.unwrap();
    for part in parts {
        // The relay may have closed on us by then; what it said is still there to be read.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    let mut heard = Vec::new();
    let mut chunk = [0; 4096];
    let reading = async {
        while let Ok(n) = stream.read(&mut chunk).await {
            if n == 0 {
                break;
            }
            heard.extend_from_slice(&chunk[..n]);
        }
    };
    timeout(SOON, reading)
        .await
        .expect("the relay does not close");
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn headers_without_measure_are_refused_and_cost_nobody_anything() {
    let relay = Relay::start().await;
    let host = format!("Host: {}\r\n", relay.running.address());
    let long = format!("X-Long: {}\r\n", "x".repeat(1_000_000));
    let many = "X-Many: x\r\n".repeat(10_000);
    let line = format!("GET /v1/status?{} HTTP/1.1\r\n", "x".repeat(1_000_000));
    let asked = "GET /v1/status HTTP/1.1\r\n".to_owned();
    for (line, headers) in [(&asked, &long), (&asked, &many), (&line, &String::new())] {
        let parts = [line, &host, headers, "\r\n"].map(str::as_bytes);
        let heard = say(&relay, &parts).await;
        // Where it closed while we still wrote, the system may drop what it said.
        let is_refusal = ["HTTP/1.1 431 ", "HTTP/1.1 414 ", "HTTP/1.1 400 "]
            .iter()
            .any(|status| heard.starts_with(status));
        assert!(is_refusal || heard.is_empty(), "{heard}");
    }
    let goes_on = answer(relay.get("/v1/status", &relay.session)).await;
    assert_eq!(goes_on.status, StatusCode::OK);
}

#[tokio::test]
async fn two_hosts_and_two_lengths_are_no_request() {
    let relay = Relay::start().await;
    let host = format!("Host: {}\r\n", relay.running.address());
    let bearer = format!("Authorization: Bearer {}\r\n", relay.session);
    let json = "Content-Type: application/json\r\n";
    let close = "Connection: close\r\n";
    for (headers, body, status) in [
        // The second one could be what something before us believed.
        (
            format!("{host}Host: attacker.example\r\n{bearer}{close}"),
            "",
            "403",
        ),
        (format!("{bearer}{close}"), "", "403"),
        // Request smuggling (RFC 9112 §11.2): lengths that contradict each other are refused.
        (
            format!("{host}{bearer}{json}{close}Content-Length: 2\r\nContent-Length: 40\r\n"),
            "{}",
            "400",
        ),
    ] {
        let asked = format!("POST /v1/pairings HTTP/1.1\r\n{headers}\r\n{body}");
        let heard = say(&relay, &[asked.as_bytes()]).await;
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
    }
    // Chunks count and a length beside them does not (RFC 9112 §6.3), and what stands behind is nobody's request.
    let (length, chunks) = ("Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n");
    for lengths in [
        format!("{length}{chunks}"),
        format!("{chunks}{length}"),
        chunks.to_owned(),
    ] {
        let behind = format!("GET /healthz HTTP/1.1\r\n{host}\r\n");
        let asked = format!(
            "POST /v1/pairings HTTP/1.1\r\n{host}{bearer}{json}{lengths}\r\n2\r\n{{}}\r\n0\r\n\r\n{behind}"
        );
        let heard = say(&relay, &[asked.as_bytes()]).await;
        assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{heard}");
        assert!(heard.contains("connection: close\r\n"), "{heard}");
    }
}

#[tokio::test]
async fn a_body_without_end_or_without_bottom_is_refused() {
    let relay = Relay::start().await;
    let nested = "[".repeat(60_000);
    let many = format!("{{{}\"x\":0}}", "\"x\":0,".repeat(10_000));
    for (body, words) in [
        (nested.clone(), "the body is not an object of JSON"),
        (
            format!("{{\"code\":{nested}"),
            "the body is not an object of JSON: recursion limit",
        ),
        (many, "unknown field `x`"),
    ] {
        let asked = relay.ask(Method::POST, "/v1/sessions");
        let refused = answer(asked.header("content-type", "application/json").body(body)).await;
        refused.expect_problem(422, "invalid");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.starts_with(words), "{detail}");
        assert!(detail.len() < 300, "{detail}");
    }
    // 64 KiB are taken, eight times as much is read so that the answer is heard, and then no more.
    let host = format!("Host: {}\r\n", relay.running.address());
    let head = format!(
        "POST /v1/inboxes HTTP/1.1\r\n{host}Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        relay.session
    );
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "x".repeat(64 * 1024));
    let mut parts = vec![head.as_bytes()];
    parts.extend(std::iter::repeat_n(chunk.as_bytes(), 1_000));
    let told = say(&relay, &parts).await;
    let is_refusal = told.starts_with("HTTP/1.1 422 ") && told.contains("the body is too large");
    assert!(is_refusal || told.is_empty(), "{told}");
    let inboxes = answer(relay.get("/v1/inboxes", &relay.session)).await;
    assert_eq!(inboxes.body, json!({ "inboxes": [] }), "nothing half done");
}
