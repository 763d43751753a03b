//! A crowd keeps nobody out: neither guesses that hang up or stay, nor an account that takes places and memory. What a
//! crowd does is written byte by byte, as no library of ours would.

use std::time::Duration;

use reqwest::header::{COOKIE, RETRY_AFTER, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::accounts::PASSWORD;
use super::reach::BEHIND_US;
use super::{Answer, Relay, answer};
use crate::app::{SOON, wait_for};

/// The largest list.
const LIST_BYTES: usize = 32 * 1024 * 1024;

impl Relay {
    /// A connection on which this was said.
    async fn say(&self, head: &str, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.running.address()).await.unwrap();
        let host = self.running.address();
        let head = format!("{head}\r\nhost: {host}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        stream
    }

    /// A guess at this name.
    async fn guess(&self, name: &str) -> TcpStream {
        let body = json!({ "name": name, "password": "a guess of many letters" }).to_string();
        let head = format!(
            "POST /v1/sign-ins HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}",
            body.len()
        );
        self.say(&head, body.as_bytes()).await
    }

    /// The beginning of a list, of as many bytes as are taken, by a client that waits to be told to send it.
    async fn announce(&self, campaign: &str, token: &str, expects: &str) -> TcpStream {
        let head = format!(
            "POST /v1/campaigns/{campaign}/leads HTTP/1.1\r\nauthorization: Bearer {token}\r\ncontent-type: text/csv\r\n\
             content-length: {LIST_BYTES}{expects}"
        );
        self.say(&head, b"").await
    }

    async fn create_campaign(&self) -> String {
        let inbox = json!({ "address": "jane@acme.example", "provider": "sandbox" });
        let inbox = self.operate("/v1/inboxes", inbox).await["id"].clone();
        let draft = json!({
            "name": "Spring", "inboxes": [inbox], "steps": [{ "subject": "Hello", "body": "Hello." }],
        });
        let made = self.operate("/v1/campaigns", draft).await;
        made["id"].as_str().unwrap().to_owned()
    }

    async fn sign_in_from(&self, browser: Option<&str>, name: &str) -> Answer {
        let asked = self.ask(Method::POST, "/v1/sign-ins");
        let asked = match browser {
            Some(cookie) => asked.header(COOKIE, cookie),
            None => asked,
        };
        answer(asked.json(&json!({ "name": name, "password": PASSWORD }))).await
    }
}

/// What comes first, until the end of a head.
async fn hear(stream: &mut TcpStream) -> String {
    let (mut heard, mut chunk) = (Vec::new(), [0; 1024]);
    let hearing = async {
        while !heard.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(n) => heard.extend_from_slice(&chunk[..n]),
            }
        }
    };
    timeout(SOON, hearing).await.expect("no answer");
    String::from_utf8(heard).unwrap()
}

async fn hear_status(stream: &mut TcpStream) -> String {
    let heard = hear(stream).await;
    heard.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn guesses_that_hang_up_keep_nobody_out_who_has_the_right_password() {
    let relay = Relay::start().await;
    let jane = relay.join("jane", "member", json!([])).await;
    for n in 0..10 {
        let wrong = relay
            .sign_in_as("jane", &format!("guess number {n}, or so"))
            .await;
        wrong.expect_problem(401, "unauthenticated");
    }
    for _ in 0..300 {
        drop(relay.guess("jane").await);
    }
    let began = Instant::now();
    let proof = json!({ "password": PASSWORD });
    let proved = answer(relay.post("/v1/account/proof", &jane.token, &proof)).await;
    assert_eq!(proved.status, StatusCode::OK, "{}", proved.body);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "her session waits for nobody"
    );
    // Whoever hung up a moment ago may be in the queue for that moment still.
    let came_in = wait_for("her to come in", async || {
        let answer = relay.sign_in_as("jane", PASSWORD).await;
        assert!(
            [200, 429].contains(&answer.status.as_u16()),
            "{}",
            answer.body
        );
        (answer.status == StatusCode::OK).then(|| began.elapsed())
    });
    let came_in = came_in.await;
    assert!(came_in < Duration::from_secs(15), "{came_in:?}");
    let counted: u64 = (relay.on_record("action=signIn").await.iter())
        .filter(|entry| entry["outcome"] == "unauthenticated")
        .map(|entry| entry["times"].as_u64().unwrap())
        .sum();
    assert!((10..30).contains(&counted), "{counted} were looked at");
}

/// Row: many guesses at a name wait for their turn | signing in by name and password, from where nobody has signed in with it | 429 `too_many_requests` | the person, or a program | too many passwords were wrong for this name, or from this address, and N guesses wait for their turn already, …
#[tokio::test]
async fn a_browser_that_signed_in_before_waits_for_no_crowd_and_another_is_told_when_to_come() {
    let relay = Relay::start().await;
    for name in ["jane", "cleo"] {
        relay.join(name, "member", json!([])).await;
    }
    let first = relay.sign_in_from(None, "jane").await;
    let cookie = first.headers[SET_COOKIE].to_str().unwrap().to_owned();
    let (cookie, attributes) = cookie.split_once("; ").unwrap();
    assert!(cookie.starts_with("unpause_browser="), "{cookie}");
    assert_eq!(
        attributes,
        "Path=/v1/sign-ins; Max-Age=34560000; HttpOnly; SameSite=Strict"
    );
    assert!(!cookie.contains("jane"), "{cookie}");
    for _ in 0..10 {
        assert_eq!(hear_status(&mut relay.guess("jane").await).await, "401");
    }
    // Eight wait from where everybody on this machine comes from.
    let mut crowd = Vec::new();
    let told = wait_for("the crowd to wait", async || {
        for _ in 0..12 {
            crowd.push(relay.guess("jane").await);
        }
        let answer = relay.sign_in_from(None, "jane").await;
        (answer.status == StatusCode::TOO_MANY_REQUESTS).then_some(answer)
    })
    .await;
    told.expect_problem(429, "too_many_requests");
    assert_eq!(told.headers[RETRY_AFTER], "8");
    let began = Instant::now();
    let again = relay.sign_in_from(Some(cookie), "jane").await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    let after = began.elapsed();
    // It is good for her name alone, and what was made up for none.
    for (shown, name) in [(cookie, "cleo"), ("unpause_browser=jane", "jane")] {
        let stranger = relay.sign_in_from(Some(shown), name).await;
        stranger.expect_problem(429, "too_many_requests");
    }
    assert!(after < Duration::from_millis(900), "{after:?}: no turn");
}

#[tokio::test]
async fn one_account_takes_so_many_connections_and_every_other_caller_is_answered() {
    let relay = Relay::start().await;
    let mallory = relay.join("mallory", "client", json!([])).await;
    let proof = format!(
        "POST /v1/account/proof HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 60000",
        mallory.token
    );
    let mut held = Vec::new();
    for _ in 0..140 {
        held.push(relay.say(&proof, b"{\"password\":\"").await);
    }
    for _ in 0..20 {
        let health = timeout(
            Duration::from_secs(2),
            answer(relay.ask(Method::GET, "/healthz")),
        );
        assert_eq!(health.await.unwrap().status, StatusCode::OK);
        held.push(relay.say(&proof, b"{\"password\":\"").await);
    }
    // Those that are open still take what is sent to them.
    let n_open = wait_for("most to be closed", async || {
        let mut n_open = 0;
        for stream in &mut held {
            let mut byte = [0];
            let closed = timeout(Duration::from_millis(1), stream.read(&mut byte)).await;
            n_open += usize::from(closed.is_err());
        }
        (n_open <= 64).then_some(n_open)
    })
    .await;
    assert!(n_open >= 32, "{n_open}: it is served as well");
}

#[tokio::test]
async fn a_list_is_refused_before_it_is_read_where_there_is_nothing_to_take_it() {
    let relay = Relay::start().await;
    let member = relay.join("jane", "member", json!([])).await;
    let client = relay.join("joe", "client", json!([])).await;
    let draft = relay.create_campaign().await;
    let expects = "\r\nexpect: 100-continue";
    for (campaign, token, status) in [
        ("cmp_x", &member.token, "404"),
        (&draft, &client.token, "403"),
        (&draft, &member.token, "100"),
    ] {
        let mut asked = relay.announce(campaign, token, expects).await;
        assert_eq!(hear_status(&mut asked).await, status, "{campaign}");
    }
    let refused = relay.last("importLeads").await;
    assert_eq!(
        (&refused["outcome"], &refused["account"]),
        (&json!("forbidden"), &json!("joe"))
    );
    // Whoever sends it all the same hears why.
    let mut sent = relay
        .announce("cmp_x", &member.token, "\r\nconnection: close")
        .await;
    let sending = async {
        for _ in 0..32 {
            sent.write_all(&vec![b'x'; LIST_BYTES / 32]).await.unwrap();
        }
    };
    timeout(SOON, sending).await.unwrap();
    assert_eq!(hear_status(&mut sent).await, "404");
}

/// Row: lists are on their way that take the room for them | sending a list | 503 `unavailable` | a program | lists of this account are on their way and take the room that there is for lists: nothing of this one was taken, send it again in 30 seconds
#[tokio::test]
async fn lists_that_are_on_their_way_take_no_more_memory_than_there_is_for_them() {
    let relay = Relay::start().await;
    let draft = relay.create_campaign().await;
    let expects = "\r\nexpect: 100-continue";
    let mut tokens = Vec::new();
    for name in ["jane", "joe", "cleo"] {
        tokens.push(relay.join(name, "member", json!([])).await.token);
    }
    let mut first = relay.announce(&draft, &tokens[0], expects).await;
    assert_eq!(hear_status(&mut first).await, "100");
    let mut second = relay.announce(&draft, &tokens[0], expects).await;
    let told = hear(&mut second).await;
    assert!(told.starts_with("HTTP/1.1 503 "), "{told}");
    assert!(told.contains("retry-after: 30\r\n"), "{told}");
    let mut others = relay.announce(&draft, &tokens[1], expects).await;
    assert_eq!(hear_status(&mut others).await, "100");
    let mut third = relay.announce(&draft, &tokens[2], expects).await;
    assert_eq!(hear_status(&mut third).await, "503", "64 MiB in all");
    drop(first);
    wait_for("the room to be given back", async || {
        let mut again = relay.announce(&draft, &tokens[2], expects).await;
        (hear_status(&mut again).await == "100").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_site_of_many_addresses_is_one_place_in_the_audit_log() {
    let relay = Relay::start_as(BEHIND_US).await;
    for n in 0..30 {
        let asked = relay.ask(Method::POST, "/v1/sessions");
        let asked = asked.header("x-forwarded-for", format!("2001:db8:1:2::{n:x}"));
        let refused = answer(asked.json(&json!({ "code": "guess" }))).await;
        let expected = if n < 10 { 422 } else { 429 };
        assert_eq!(refused.status.as_u16(), expected, "{n}");
    }
    let refused: Vec<Value> = (relay.on_record("action=createSession").await.into_iter())
        .filter(|entry| entry["outcome"] == "invalid")
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(
        (&refused[0]["peer"], &refused[0]["times"]),
        (&json!("2001:db8:1:2::/64"), &json!(10))
    );
}
