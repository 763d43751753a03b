//! The audit log: that nothing changes without an entry, what one says, and what none says.

use std::time::Duration;

use protocol::request::Request;
use relay::http::{Mount, Serve, mount_endpoints, render_openapi};
use reqwest::header::{HOST, USER_AGENT};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::accounts::PASSWORD;
use super::reach::BEHIND_US;
use super::{Relay, answer};

impl Relay {
    pub(super) async fn on_record(&self, query: &str) -> Vec<Value> {
        let path = format!("/v1/audit?limit=1000&{query}");
        let listed = answer(self.by_operator(Method::GET, &path)).await;
        assert_eq!(listed.status, StatusCode::OK, "{}", listed.body);
        listed.body["entries"].as_array().unwrap().clone()
    }

    /// The last entry of this action.
    pub(super) async fn last(&self, action: &str) -> Value {
        let found = self.on_record(&format!("action={action}")).await;
        found.first().cloned().unwrap_or(Value::Null)
    }

    /// Does this to the database from outside.
    pub(super) async fn meddle(&self, statement: &'static str) {
        let path = self.folder.path().join("data").join("unpause.db");
        let url = format!("sqlite://{}", path.display());
        let mut database = AnyConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_entry_says_who_did_what_when_and_from_where() {
    let relay = Relay::start_as(BEHIND_US).await;
    let jane = relay.join("jane", "owner", json!([])).await;
    let listed = answer(relay.get("/v1/sessions", &jane.token)).await.body;
    let session = (listed["sessions"].as_array().unwrap().iter())
        .find(|one| one["is_current"] == true)
        .unwrap()["id"]
        .clone();
    relay.clock.advance(Duration::from_secs(5));
    let asked = json!({ "name": "joe", "role": "client" });
    let asked = relay.post("/v1/accounts", &jane.token, &asked);
    let asked = asked.header("x-forwarded-for", "198.51.100.7");
    let made = answer(asked.header(USER_AGENT, "her browser")).await;
    let joe = made.body["account"]["id"].clone();
    let entry = relay.last("createAccount").await;
    let id = entry["request_id"].clone();
    assert_eq!(id, made.headers["x-request-id"].to_str().unwrap());
    assert_eq!(
        entry,
        json!({
            "at": "1970-01-01T00:16:45.000Z", "action": "createAccount", "way": "session", "by": session,
            "account_id": jane.id, "account": "jane", "peer": "198.51.100.7", "browser": "her browser",
            "request_id": id, "fields": { "name": "joe", "role": "client", "id": joe }, "outcome": "done",
            "times": 1, "ended_at": "1970-01-01T00:16:45.000Z",
        })
    );
    // It outlives whom it names.
    let path = format!("/v1/accounts/{}", jane.id);
    answer(relay.by_operator(Method::DELETE, &path)).await;
    assert_eq!(relay.last("createAccount").await["account"], "jane");
    let removed = relay.last("deleteAccount").await;
    assert_eq!(
        (&removed["way"], &removed["fields"], removed.get("peer")),
        (&json!("operator"), &json!({ "account_id": jane.id }), None)
    );
}

#[tokio::test]
async fn whoever_comes_in_and_whoever_does_not_is_on_record() {
    let relay = Relay::start().await;
    let jane = relay.join("jane", "member", json!([])).await;
    let taken = relay.last("acceptInvitation").await;
    assert_eq!(
        (&taken["account"], &taken["outcome"], &taken["way"]),
        (&json!("jane"), &json!("done"), &json!("nobody"))
    );
    for password in ["tall ships sail at nine", PASSWORD] {
        relay.sign_in_as("jane", password).await;
    }
    // Whoever types his password where the name goes leaves it nowhere.
    relay.sign_in_as(PASSWORD, "jane").await;
    let signed_in: Vec<_> = (relay.on_record("action=signIn").await.iter())
        .map(|entry| (entry["account_id"].clone(), entry["outcome"].clone()))
        .collect();
    let jane_id = json!(jane.id);
    assert_eq!(
        signed_in,
        [
            (Value::Null, json!("unauthenticated")),
            (jane_id.clone(), json!("done")),
            (jane_id.clone(), json!("unauthenticated")),
        ]
    );
    let code = relay.last("createSession").await;
    assert_eq!(code["account"], "owner");
    let device = relay.pair().await;
    let paired = relay.last("createDevice").await;
    assert_eq!(paired["account"], "owner");
    assert!(paired["fields"]["name"].is_string() && paired["fields"]["id"].is_string());
    // A role that does not do, and a device that may not.
    let refused = relay.post("/v1/ledger/keep", &jane.token, &json!({}));
    answer(refused).await.expect_problem(403, "forbidden");
    let kept = relay.last("keepRelay").await;
    assert_eq!(
        (&kept["account_id"], &kept["outcome"]),
        (&jane_id, &json!("forbidden"))
    );
    device
        .answer(relay.ask(Method::GET, "/v1/accounts"))
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(relay.last("listAccounts").await["way"], "device");
    // What was looked at is not.
    answer(relay.get("/v1/status", &jane.token)).await;
    assert_eq!(relay.last("getStatus").await, Value::Null);
}

/// Row: the audit log cannot be written | a change is asked for | 500 internal | the operator | the relay's log says more
#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_done() {
    let relay = Relay::start().await;
    relay
        .meddle(
            "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
        )
        .await;
    let asked = json!({ "whom": "acme.example" });
    let refused = answer(relay.post("/v1/suppressions", &relay.session, &asked)).await;
    refused.expect_problem(500, "internal");
    let listed = || relay.by_operator(Method::GET, "/v1/suppressions");
    assert_eq!(answer(listed()).await.body["suppressions"], json!([]));
    relay.meddle("DROP TRIGGER no_audit").await;
    let done = answer(relay.post("/v1/suppressions", &relay.session, &asked)).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert_eq!(relay.last("createSuppression").await["outcome"], "done");
}

/// As the relay leaves it that is killed while it does something.
#[tokio::test]
async fn what_was_begun_and_not_ended_stays_on_record_without_an_outcome() {
    let relay = Relay::start().await;
    relay
        .meddle(
            "CREATE TRIGGER no_end BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'killed'); END",
        )
        .await;
    let asked = json!({ "whom": "acme.example" });
    let done = answer(relay.post("/v1/suppressions", &relay.session, &asked)).await;
    assert_eq!(done.status, StatusCode::OK, "it was done all the same");
    let entry = relay.last("createSuppression").await;
    assert_eq!(entry["fields"], json!({ "whom": "acme.example" }));
    assert_eq!((entry.get("outcome"), entry.get("ended_at")), (None, None));
}

/// He is gone while his password is hashed.
#[tokio::test]
async fn what_somebody_asked_for_who_hung_up_is_done_and_on_record() {
    let relay = Relay::start().await;
    let asked = json!({ "name": "jane", "role": "member" });
    let invitation = relay.operate("/v1/accounts", asked).await;
    let url = invitation["url"].as_str().unwrap();
    let (_, code) = url.split_once("#invitation=").unwrap();
    let (code, _) = code.split_once('&').unwrap();
    let body = json!({ "code": code, "password": PASSWORD }).to_string();
    let address = relay.running.address();
    let request = format!(
        "POST /v1/invitations/accept HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    drop(stream);
    let entry = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let entry = relay.last("acceptInvitation").await;
            if !entry.is_null() {
                return entry;
            }
        }
    });
    assert_eq!(entry.await.unwrap()["outcome"], "done");
    let signed_in = relay.sign_in_as("jane", PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.body);
}

#[tokio::test]
async fn whoever_knocks_a_thousand_times_from_everywhere_fills_no_log_and_is_counted() {
    let relay = Relay::start_as(BEHIND_US).await;
    let before = relay.on_record("action=createSession").await.len();
    for n in 0..1_000 {
        let from = format!("198.51.{}.{}", n % 250 / 100, n % 100);
        let asked = relay.ask(Method::POST, "/v1/sessions");
        let asked = asked.header("x-forwarded-for", from);
        let refused = answer(asked.json(&json!({ "code": "guess" }))).await;
        refused.expect_problem(422, "invalid");
    }
    let after = relay.on_record("action=createSession").await;
    let n_new = after.len() - before;
    assert!((60..=61).contains(&n_new), "{n_new}");
    let times = |entry: &Value| entry["times"].as_u64().unwrap();
    let refused = after.iter().filter(|entry| entry["outcome"] == "invalid");
    assert_eq!(refused.map(times).sum::<u64>(), 1_000);
    // An hour later they are written down again, and after a month they are forgotten; what was done is not.
    relay.clock.advance(Duration::from_hours(24 * 31));
    let asked = relay
        .ask(Method::POST, "/v1/sessions")
        .header(HOST, "relay.acme.example");
    answer(asked.json(&json!({ "code": "guess" }))).await;
    let left = relay.on_record("action=createSession").await;
    let n_refused = left.iter().filter(|entry| entry["outcome"] == "invalid");
    assert_eq!(n_refused.count(), 1);
    assert!(left.iter().any(|entry| entry["outcome"] == "done"));
    relay.clock.advance(Duration::from_hours(24 * 400));
    relay.operate("/v1/login-links", json!({})).await;
    assert_eq!(relay.on_record("").await.len(), 1);
}

#[tokio::test]
async fn an_account_that_is_guessed_at_is_named_however_many_knock_elsewhere() {
    let relay = Relay::start_as(BEHIND_US).await;
    let somebody = relay.join("jane", "member", json!([])).await;
    let guess = async |name: &str, from: String| {
        let asked = relay.ask(Method::POST, "/v1/sign-ins");
        let body = json!({ "name": name, "password": "wrong and long enough" });
        answer(asked.header("x-forwarded-for", from).json(&body)).await
    };
    for n in 0..65 {
        guess(&format!("nobody{n}"), format!("198.51.{n}.7")).await;
    }
    for n in 0..3 {
        guess("jane", format!("203.0.{n}.9")).await;
    }
    let entries = relay.on_record("action=signIn").await;
    let named = entries
        .iter()
        .filter(|entry| entry["account_id"] == somebody.id.as_str() && entry["outcome"] != "done");
    let times: u64 = named.map(|entry| entry["times"].as_u64().unwrap()).sum();
    assert_eq!(times, 3, "{entries:?}");
}

#[tokio::test]
async fn what_is_refused_again_and_again_is_one_entry_that_says_how_often() {
    let relay = Relay::start().await;
    let client = relay.join("ada", "client", json!([])).await;
    let said = json!({});
    for n in 0..40 {
        let path = format!("/v1/reconnects/rec_{n}/confirm");
        let refused = answer(relay.post(&path, &client.token, &said)).await;
        refused.expect_problem(404, "not_found");
    }
    let entries = relay.on_record("action=confirmReconnect").await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["times"], 40);
    assert_eq!(entries[0]["outcome"], "not_found");
    assert_eq!(entries[0]["account_id"], client.id.as_str());
    // Another one's are his own, and so are those of the next hour.
    let other = relay.join("bob", "client", json!([])).await;
    let path = "/v1/reconnects/rec_0/confirm";
    answer(relay.post(path, &other.token, &said)).await;
    relay.clock.advance(Duration::from_mins(61));
    answer(relay.post(path, &client.token, &said)).await;
    let entries = relay.on_record("action=confirmReconnect").await;
    assert_eq!(entries.len(), 3, "{entries:?}");
}

#[tokio::test]
async fn pages_of_the_log_join_without_a_gap() {
    let relay = Relay::start().await;
    for n in 0..25 {
        relay
            .operate(
                "/v1/suppressions",
                json!({ "whom": format!("d{n}.example") }),
            )
            .await;
        relay.clock.advance(Duration::from_mins(1));
    }
    let mut names = Vec::new();
    let mut before = String::new();
    loop {
        let path = format!("/v1/audit?action=createSuppression&limit=10{before}");
        let page = answer(relay.by_operator(Method::GET, &path)).await.body;
        for entry in page["entries"].as_array().unwrap() {
            names.push(entry["fields"]["whom"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        before = format!("&before={next}");
    }
    let expected: Vec<_> = (0..25).rev().map(|n| format!("d{n}.example")).collect();
    assert_eq!(names, expected);
    let since = relay
        .on_record("action=createSuppression&since=1970-01-01T00:36:40Z")
        .await;
    assert_eq!(since.len(), 5);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("before=x", "before"),
    ] {
        let refused = answer(relay.by_operator(Method::GET, &format!("/v1/audit?{query}"))).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(refused.body["field"], field);
    }
}

/// What each endpoint keeps of its request.
struct Recorded(Vec<(&'static str, &'static str, &'static [&'static str])>);

impl Mount for Recorded {
    fn mount<R: Serve>(mut self) -> Self {
        self.0.push((R::PATH, method_of::<R>(), R::RECORDED));
        self
    }
}

fn method_of<R: Request>() -> &'static str {
    match R::METHOD.as_str() {
        "GET" => "get",
        "DELETE" => "delete",
        _ => "post",
    }
}

/// Judged by the document that callers go by: a field that is kept is there, and is no secret.
#[test]
fn no_field_that_is_kept_holds_a_secret() {
    let document: Value = serde_json::from_str(&render_openapi()).unwrap();
    let mut n_kept = 0;
    for (path, method, recorded) in mount_endpoints(Recorded(Vec::new())).0 {
        let operation = &document["paths"][path][method];
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["properties"];
        let parameters = operation["parameters"].as_array();
        for field in recorded {
            let in_query = parameters.into_iter().flatten();
            let in_query = in_query.filter(|one| one["name"] == *field);
            let schema = in_query
                .map(|one| &one["schema"])
                .next()
                .unwrap_or(&body[field]);
            assert!(schema.is_object(), "{path}: no {field}");
            let text = schema.to_string();
            assert!(
                !text.contains("Secret") && !text.contains("writeOnly"),
                "{path}: {field}"
            );
            n_kept += 1;
        }
    }
    assert!(n_kept >= 15, "{n_kept}");
}
