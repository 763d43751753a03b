//! The API of a whole relay in process, over real sockets and with a clock that the test moves: who gets
//! in, from where, and what is told to those who do not.

#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::config::{Config, Environment};
use relay::http::operator::SOCKET_FILE;
use relay::running::RunningApp;
use relay::tls::Dialer;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_METHOD, ETAG, HOST, HeaderMap,
    IF_NONE_MATCH, ORIGIN,
};
use reqwest::{Method, RequestBuilder, StatusCode};
use sandbox::device::Device;
use serde_json::{Value, json};
use tempfile::TempDir;

mod accounts;
mod adversaries;
mod audit;
mod clients;
mod crowds;
mod devices;
mod encrypted;
mod keys;
mod operator;
mod passkeys;
mod proofs;
mod reach;
mod renewals;
mod roles;
mod sessions;
mod shut_out;

use devices::Paired;

const EXTENSION: &str = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
const STRANGER: &str = "https://attacker.example";

/// A relay that runs, and a browser beside it.
struct Relay {
    folder: TempDir,
    clock: Clock,
    running: RunningApp,
    http: reqwest::Client,
    /// The operator's client, which comes by the socket.
    by_socket: reqwest::Client,
    /// The token of a session of the dashboard.
    session: String,
}

impl Relay {
    async fn start() -> Self {
        Self::start_as("").await
    }

    /// With these settings beside the usual ones.
    async fn start_as(settings: &str) -> Self {
        let mut relay = Self::start_as_without_session(settings).await;
        relay.session = relay.sign_in().await;
        relay
    }

    async fn start_as_without_session(settings: &str) -> Self {
        let clock = Clock::manual(Timestamp::from_ms(1_000_000));
        Self::open(tempfile::tempdir().unwrap(), clock, settings).await
    }

    async fn start_in(folder: TempDir, clock: Clock) -> Self {
        let mut relay = Self::open(folder, clock, "").await;
        relay.session = relay.sign_in().await;
        relay
    }

    async fn open(folder: TempDir, clock: Clock, settings: &str) -> Self {
        let path = |name: &str| folder.path().join(name).display().to_string();
        let text = format!(
            "listen = \"127.0.0.1:0\"\n{settings}data = {:?}\nkey_file = {:?}\n[providers.sandbox]\n\
             issuer = \"http://127.0.0.1:9\"\nclient_id = \"c\"\nsmtp.host = \"127.0.0.1\"\nimap.host = \"127.0.0.1\"",
            path("data"),
            path("unpause.key")
        );
        let config = Config::parse(&text, Path::new("test.toml"), &Environment::default()).unwrap();
        let running = RunningApp::start(config, clock.clone()).await.unwrap();
        let tls = Dialer::new(None).unwrap().client_config().as_ref().clone();
        let relay_host = running.app().config.public_url.clone();
        let client = || {
            let tls = reqwest::Client::builder().tls_backend_preconfigured(tls.clone());
            tls.no_proxy()
        };
        // A request that names another host says so.
        let mut usual = HeaderMap::new();
        if let Some(url) = &relay_host {
            usual.insert(HOST, url.host().parse().unwrap());
        }
        let socket = folder.path().join("data").join(SOCKET_FILE);
        Self {
            folder,
            clock,
            running,
            http: client().default_headers(usual).build().unwrap(),
            by_socket: client().unix_socket(socket).build().unwrap(),
            session: String::new(),
        }
    }

    /// Signs in to the dashboard, as its operator does.
    async fn sign_in(&self) -> String {
        let link = self.operate("/v1/login-links", json!({})).await;
        let (_, code) = link["url"].as_str().unwrap().split_once("#code=").unwrap();
        let asked = self.ask(Method::POST, "/v1/sessions");
        let session = answer(asked.json(&json!({ "code": code }))).await;
        session.body["token"].as_str().unwrap().to_owned()
    }

    async fn restart(self) -> Self {
        let (folder, clock) = self.stop().await;
        Self::start_in(folder, clock).await
    }

    /// Ends it and leaves what it kept.
    async fn stop(self) -> (TempDir, Clock) {
        self.running.stop().await;
        (self.folder, self.clock)
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.running.address()))
    }

    fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.ask(Method::GET, path).bearer_auth(token)
    }

    fn post(&self, path: &str, token: &str, body: &Value) -> RequestBuilder {
        self.ask(Method::POST, path).bearer_auth(token).json(body)
    }

    /// The operator asks, by his socket.
    fn by_operator(&self, method: Method, path: &str) -> RequestBuilder {
        self.by_socket
            .request(method, format!("http://localhost{path}"))
    }

    /// The operator does this, and it works.
    async fn operate(&self, path: &str, body: Value) -> Value {
        let answer = answer(self.by_operator(Method::POST, path).json(&body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    /// Pairs an extension.
    async fn pair(&self) -> Paired {
        Paired::at(self, Some(EXTENSION)).await
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// Checks that this is a problem of that code, complete, and that it shows nothing of the inside.
    fn expect_problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), &self.body["code"]),
            (status, &json!(code)),
            "{}",
            self.body
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(
            self.body["request_id"],
            self.headers["x-request-id"].to_str().unwrap()
        );
        assert!(!self.body["detail"].as_str().unwrap().is_empty());
    }
}

async fn answer(asked: RequestBuilder) -> Answer {
    let answer = asked.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

#[tokio::test]
async fn a_login_link_makes_one_session_that_ends() {
    let relay = Relay::start().await;
    let link = relay.operate("/v1/login-links", json!({})).await;
    let (_, code) = link["url"]
        .as_str()
        .unwrap()
        .split_once("/login#code=")
        .unwrap();
    let sign_in = || {
        relay
            .ask(Method::POST, "/v1/sessions")
            .json(&json!({ "code": code }))
    };
    let session = answer(sign_in()).await;
    assert_eq!(session.status, StatusCode::OK);
    answer(sign_in()).await.expect_problem(422, "invalid");
    let token = session.body["token"].as_str().unwrap();
    assert_eq!(
        answer(relay.get("/v1/devices", token)).await.status,
        StatusCode::OK
    );
    relay.clock.advance(Duration::from_hours(30 * 24));
    answer(relay.get("/v1/devices", token))
        .await
        .expect_problem(401, "unauthenticated");
}

/// Row: pairing code expired | the link is used after ten minutes | 422 invalid | the person | this code is unknown, was used, or ran out: make a new one with `unpause pair`
#[tokio::test]
async fn a_code_ends_after_ten_minutes_and_is_good_for_its_purpose_only() {
    let relay = Relay::start().await;
    let pairing = relay.operate("/v1/pairings", json!({})).await;
    let as_login = relay
        .ask(Method::POST, "/v1/sessions")
        .json(&json!({ "code": pairing["code"] }));
    answer(as_login).await.expect_problem(422, "invalid");
    relay.clock.advance(Duration::from_mins(10));
    let late = devices::pair(&relay, &Device::new().unwrap(), &pairing, None).await;
    late.expect_problem(422, "invalid");
    assert_eq!(late.body["field"], "proof");
}

/// Row: codes that are guessed | many wrong codes in a row | 429 `too_many_requests` | nobody | …
#[tokio::test]
async fn guessing_codes_is_slowed_down() {
    let relay = Relay::start().await;
    let guess = || {
        relay
            .ask(Method::POST, "/v1/sessions")
            .json(&json!({ "code": "guess" }))
    };
    for _ in 0..10 {
        answer(guess()).await.expect_problem(422, "invalid");
    }
    answer(guess())
        .await
        .expect_problem(429, "too_many_requests");
    relay.clock.advance(Duration::from_mins(1));
    answer(guess()).await.expect_problem(422, "invalid");
}

#[tokio::test]
async fn a_foreign_host_reaches_nothing() {
    let relay = Relay::start().await;
    for path in [
        "/healthz",
        "/openapi.json",
        "/v1/status",
        "/",
        "/login",
        "/relay.css",
        "/oauth/start?ticket=t",
        "/oauth/callback/sandbox?state=s&code=c",
    ] {
        let asked = relay
            .get(path, &relay.session)
            .header(HOST, "attacker.example");
        answer(asked).await.expect_problem(403, "forbidden");
    }
    let port = relay.running.address().port();
    for host in [format!("localhost:{port}"), format!("[::1]:{port}")] {
        assert_eq!(
            answer(relay.get("/v1/status", &relay.session).header(HOST, host))
                .await
                .status,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_page_reads_and_changes_nothing_and_an_extension_hears_its_answer() {
    let relay = Relay::start().await;
    let preflight = |origin: &'static str, path: &str| {
        relay
            .ask(Method::OPTIONS, path)
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, "GET")
    };
    let allows = |answer: &Answer| answer.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).cloned();

    // An extension may hear what is said of it: whether it is paired, its key shows.
    let allowed = answer(preflight(EXTENSION, "/v1/status")).await;
    assert_eq!(
        (allowed.status, allows(&allowed).unwrap().to_str().unwrap()),
        (StatusCode::NO_CONTENT, EXTENSION)
    );
    assert_eq!(
        allowed.headers["access-control-allow-headers"],
        "content-digest, content-type, if-none-match, signature, signature-input, unpause-relay-key"
    );

    for origin in [
        STRANGER,
        "null",
        "http://127.0.0.1:1",
        "chrome-extension://another.example",
    ] {
        assert_eq!(
            allows(&answer(preflight(origin, "/v1/status")).await),
            None,
            "{origin}"
        );
        let read = answer(
            relay
                .get("/v1/status", &relay.session)
                .header(ORIGIN, origin),
        )
        .await;
        assert_eq!(allows(&read), None, "{origin}");
        let change = relay
            .post("/v1/pairings", &relay.session, &json!({}))
            .header(ORIGIN, origin);
        answer(change).await.expect_problem(403, "forbidden");
    }
    let own = format!("http://{}", relay.running.address());
    let change = relay
        .post("/v1/pairings", &relay.session, &json!({}))
        .header(ORIGIN, own);
    assert_eq!(
        answer(change).await.status,
        StatusCode::OK,
        "the relay's own page"
    );
}

/// Whether the dashboard was built before the relay decides what the pages are, and nothing else.
#[tokio::test]
async fn every_page_of_the_dashboard_is_served_as_strictly_and_nothing_else_is() {
    let relay = Relay::start().await;
    let first = answer(relay.ask(Method::GET, "/")).await;
    let is_built = first.status == StatusCode::OK;
    for path in [
        "/",
        "/login",
        "/campaigns/cmp_1",
        "/inboxes",
        "/inboxes/inb_1",
        "/receipts",
        "/receipts/rcp_1",
        "/settings",
        "/pair",
    ] {
        let page = answer(relay.ask(Method::GET, path)).await;
        assert_eq!((page.status, &page.body), (first.status, &first.body));
        let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "text/html; charset=utf-8");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe-inline"), "{policy}");
        if is_built {
            assert_eq!(header("cache-control"), "no-cache");
            let again = relay
                .ask(Method::GET, path)
                .header(IF_NONE_MATCH, header("etag"));
            assert_eq!(answer(again).await.status, StatusCode::NOT_MODIFIED);
            assert!(
                page.headers
                    .get_all("vary")
                    .iter()
                    .any(|vary| vary == "accept-encoding")
            );
        } else {
            let words = page.body.as_str().unwrap();
            assert!(words.contains("cargo xtask start"), "{words}");
        }
        let changed = relay.ask(Method::POST, path);
        answer(changed).await.expect_problem(405, "not_found");
    }
    for path in [
        "/nothing",
        "/login/x",
        "/v1",
        "/v1/nothing",
        "/look/",
        "/../Cargo.toml",
    ] {
        let missing = answer(relay.ask(Method::GET, path)).await;
        missing.expect_problem(404, "not_found");
    }
    // Whoever opened it in a tab gets a page, whose words are never markup.
    let opened = relay.ask(Method::GET, "/nothing/<b>");
    let opened = answer(opened.header("accept", "text/html,*/*;q=0.8")).await;
    assert_eq!(opened.status, StatusCode::NOT_FOUND);
    let page = opened.body.as_str().unwrap();
    assert!(page.contains("There is no such page"), "{page}");
    assert!(!page.contains("<b>"), "{page}");
    let style = answer(relay.ask(Method::GET, "/relay.css")).await;
    assert_eq!(style.headers["content-type"], "text/css; charset=utf-8");
}

/// A page elsewhere may send a tab here, and reads nothing of what it shows.
#[tokio::test]
async fn a_sign_in_page_is_read_by_no_other_page() {
    let relay = Relay::start().await;
    for (path, status) in [
        ("/oauth/start?ticket=guess", StatusCode::GONE),
        (
            "/oauth/callback/sandbox?state=guess&code=c",
            StatusCode::BAD_REQUEST,
        ),
    ] {
        // The tab's own navigation bears no origin.
        assert_eq!(answer(relay.ask(Method::GET, path)).await.status, status);
        let read = answer(relay.ask(Method::GET, path).header(ORIGIN, STRANGER)).await;
        assert_eq!(read.headers.get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
        let posted = relay.ask(Method::POST, path).header(ORIGIN, STRANGER);
        answer(posted).await.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn the_status_names_the_site_of_each_provider() {
    let relay = Relay::start().await;
    let status = answer(relay.get("/v1/status", &relay.session)).await;
    let site =
        json!({ "provider": "sandbox", "name": "the sandbox", "origin": "http://127.0.0.1:9" });
    assert_eq!(status.body["sites"], json!([site]));
}

#[tokio::test]
async fn an_unchanged_answer_is_not_sent_again() {
    let relay = Relay::start().await;
    let first = answer(relay.get("/v1/status", &relay.session)).await;
    let tag = first.headers[ETAG].clone();
    let again = || {
        relay
            .get("/v1/status", &relay.session)
            .header(IF_NONE_MATCH, tag.clone())
    };
    let same = answer(again()).await;
    assert_eq!(
        (same.status, same.body, &same.headers[ETAG]),
        (StatusCode::NOT_MODIFIED, json!(""), &tag)
    );
    relay
        .operate(
            "/v1/inboxes",
            json!({ "address": "jane@acme.example", "provider": "sandbox" }),
        )
        .await;
    let changed = answer(again()).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(
        changed.body["inboxes"][0]["connection"]["cause"],
        "never_connected"
    );
}

/// Calls every operation of the OpenAPI document: each is mounted, each needs a caller unless the document
/// says otherwise, and a device may do exactly what the document says.
#[tokio::test]
async fn the_openapi_document_is_what_is_served() {
    let relay = Relay::start().await;
    let device = relay.pair().await;
    let document = answer(relay.ask(Method::GET, "/openapi.json")).await.body;
    assert_eq!(
        document,
        serde_json::from_str::<Value>(&relay::http::render_openapi()).unwrap()
    );
    assert_eq!(document["openapi"], "3.1.0");
    let (mut names, mut open) = (Vec::new(), Vec::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        let filled = path.replace(['{', '}'], "");
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            names.push(name.to_owned());
            let ask = || relay.ask(method.to_uppercase().parse().unwrap(), &filled);
            let n_parameters = path.matches('{').count();
            let parameters = operation["parameters"].as_array().map_or(0, |all| {
                all.iter().filter(|one| one["in"] == "path").count()
            });
            assert_eq!(parameters, n_parameters, "{name}");
            if operation["security"] == json!([]) {
                open.push(name.to_owned());
                let answered = answer(ask()).await;
                // It asks for nothing, and gives everybody the same kind of answer.
                if name == "beginSignIn" {
                    assert_eq!(answered.status, StatusCode::OK);
                } else {
                    answered.expect_problem(422, "invalid");
                }
                continue;
            }
            answer(ask()).await.expect_problem(401, "unauthenticated");
            let as_device = ask().header(ORIGIN, EXTENSION);
            let is_forbidden = device.answer(as_device).await.status == StatusCode::FORBIDDEN;
            let words = operation["description"].as_str().unwrap();
            let is_operators = words.contains("by no device");
            assert_eq!(is_forbidden, is_operators, "{name}");
        }
    }
    assert!(names.contains(&"getStatus".to_owned()), "{names:?}");
    assert_eq!(
        open,
        [
            "createDevice",
            "acceptInvitation",
            "createSession",
            "signIn",
            "beginSignIn",
            "signInByPasskey"
        ]
    );
    for (method, path, status) in [
        (Method::GET, "/v1/nothing", 404),
        (Method::PUT, "/v1/status", 405),
    ] {
        answer(relay.ask(method, path))
            .await
            .expect_problem(status, "not_found");
    }
}

#[tokio::test]
async fn a_bad_request_is_told_which_field_is_at_fault() {
    let relay = Relay::start().await;
    let good = json!({ "address": "jane@acme.example", "provider": "sandbox" });
    for (field, value, words) in [
        ("colour", json!("red"), "unknown field `colour`"),
        ("address", json!("jane"), "expected a mail address"),
        ("address", json!(null), "expected a text, found nothing"),
        ("provider", json!(5), "expected a text, found the number 5"),
        (
            "provider",
            json!("openid"),
            "expected a provider of the configuration (sandbox), found openid",
        ),
        (
            "smtp",
            json!({ "host": "mail.example" }),
            "missing field `port`",
        ),
        (
            "smtp",
            json!({ "host": "x y", "port": 465 }),
            "expected a host name such as mail.acme.example, or an IP address, found \"x y\"",
        ),
        (
            "imap",
            json!({ "host": "", "port": 993 }),
            "expected a host name such as mail.acme.example, or an IP address, found \"\"",
        ),
        (
            "smtp",
            json!({ "host": "mail.example", "port": 0 }),
            "expected a port, 1 to 65535, found 0",
        ),
        (
            "distance_ms",
            json!("soon"),
            "expected a whole number, 0 or more",
        ),
        (
            "distance_ms",
            json!(86_400_001),
            "expected at most 86400000 milliseconds, which is a day, found 86400001",
        ),
        (
            "daily_cap",
            json!(100_001),
            "expected at most 100000, or 0 for as many as there are, found 100001",
        ),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = answer(relay.post("/v1/inboxes", &relay.session, &body)).await;
        refused.expect_problem(422, "invalid");
        assert!(
            refused.body["detail"].as_str().unwrap().contains(words),
            "{}",
            refused.body
        );
        let named = refused.body["field"].as_str().unwrap();
        assert_eq!(named.split('.').next(), Some(field), "{named}");
    }
    let missing = answer(relay.post(
        "/v1/inboxes",
        &relay.session,
        &json!({ "provider": "sandbox" }),
    ))
    .await;
    assert_eq!(missing.body["field"], "address");
    let form = relay
        .ask(Method::POST, "/v1/inboxes")
        .bearer_auth(&relay.session)
        .body(good.to_string());
    answer(form).await.expect_problem(422, "invalid");
    let inboxes = answer(relay.get("/v1/inboxes", &relay.session)).await;
    assert_eq!(inboxes.body, json!({ "inboxes": [] }), "nothing half done");
}

#[tokio::test]
async fn a_lead_list_is_taken_whole_or_not_at_all() {
    let relay = Relay::start().await;
    let inbox = relay
        .operate(
            "/v1/inboxes",
            json!({ "address": "jane@acme.example", "provider": "sandbox" }),
        )
        .await;
    let steps = json!([{ "subject": "Hi {{name}}", "body": "Hello" }]);
    let draft = json!({ "name": "Spring", "inboxes": [inbox["id"]], "steps": steps });
    let campaign = relay.operate("/v1/campaigns", draft).await;
    let path = format!("/v1/campaigns/{}", campaign["id"].as_str().unwrap());
    let import = |csv: Vec<u8>| {
        relay
            .ask(Method::POST, &format!("{path}/leads"))
            .bearer_auth(&relay.session)
            .body(csv)
    };
    let at_most = usize::try_from(protocol::request::campaign::LEADS_AT_MOST_BYTES).unwrap();
    let too_large = answer(import(vec![b'x'; at_most + 1])).await;
    too_large.expect_problem(422, "invalid");
    let detail = too_large.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("33554432") && detail.contains("33554433"),
        "{detail}"
    );
    for (csv, row, field) in [
        ("kind,name\na,Ann\n", json!(1), json!("email")),
        (
            "email,name\na@a.example,Ann\nb@b.example,Bob,x\n",
            json!(3),
            json!(null),
        ),
        (
            "email,name\na@a.example,Ann\na@a.example,Bob\n",
            json!(3),
            json!("email"),
        ),
        (
            "email,name\na@a.example,Ann\nb@b.example,\n",
            json!(3),
            json!("name"),
        ),
        ("email\na@a.example\n", json!(1), json!("name")),
    ] {
        let refused = answer(import(csv.as_bytes().to_vec())).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(
            (&refused.body["row"], &refused.body["field"]),
            (&row, &field),
            "{csv:?} {}",
            refused.body
        );
    }
    let counts = answer(relay.get(&path, &relay.session)).await.body["counts"].clone();
    assert_eq!(counts["leads"], 0, "nothing half done");
    relay
        .operate("/v1/suppressions", json!({ "whom": "d.example" }))
        .await;
    let list = "Mail;Name\na@a.example;Ann\n;Bob\nnobody;Cy\ndi@d.example;Di\n";
    let refused = answer(import(list.into())).await;
    refused.expect_problem(422, "invalid");
    assert_eq!(refused.body["unusable"]["total"], 2, "{}", refused.body);
    assert_eq!(refused.body["unusable"]["rows"][1]["row"], 4);
    assert_eq!(refused.body["unusable"]["rows"][1]["found"], "\"nobody\"");
    let skipping = relay
        .ask(Method::POST, &format!("{path}/leads?unusable_rows=skip"))
        .bearer_auth(&relay.session)
        .body(list);
    let mut imported = answer(skipping).await.body;
    let skipped = imported["skipped"].take();
    assert_eq!(skipped, refused.body["unusable"]);
    let left_out = imported["left_out"].take();
    assert_eq!(
        (&left_out["total"], &left_out["rows"][0]["row"]),
        (&json!(1), &json!(5)),
        "{left_out}"
    );
    assert_eq!(
        imported,
        json!({
            "added": 1, "columns": ["mail", "name", "email"], "address_column": "mail", "encoding": "UTF-8",
            "delimiter": ";", "header_row": 1, "passed_over": 0, "skipped": null,
            "left_out": null, "taken_out": 0, "already": 0, "started": false,
        })
    );
    // A later list refuses the lead of this one, in another spelling, and has no other.
    let import = |list: &'static str| {
        relay
            .ask(Method::POST, &format!("{path}/leads"))
            .bearer_auth(&relay.session)
            .body(list)
    };
    let list = "mail;name;Unsubscribed\nA@A.Example;Ann;yes\n";
    let refusing = answer(import(list)).await.body;
    assert_eq!(
        (
            &refusing["added"],
            &refusing["taken_out"],
            &refusing["left_out"]["total"]
        ),
        (&json!(0), &json!(1), &json!(1)),
        "{refusing}"
    );
    answer(import(list)).await.expect_problem(422, "invalid");
    let counts = answer(relay.get(&path, &relay.session)).await.body["counts"].clone();
    assert_eq!(counts["leads"], 0);
    let start = answer(relay.post(&format!("{path}/start"), &relay.session, &json!({}))).await;
    start.expect_problem(409, "conflict");
}

#[tokio::test]
async fn after_a_restart_devices_and_the_operator_are_known() {
    let relay = Relay::start().await;
    let device = relay.pair().await;
    let relay = relay.restart().await;
    // The challenge of before is over: it is told the next one, and signs again.
    let status = || relay.ask(Method::GET, "/v1/status");
    device
        .answer(status())
        .await
        .expect_problem(401, "unauthenticated");
    assert_eq!(device.answer(status()).await.status, StatusCode::OK);
    let asked = relay.by_operator(Method::GET, "/v1/status");
    assert_eq!(answer(asked).await.status, StatusCode::OK);
    for (path, words) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        assert_eq!(
            answer(relay.ask(Method::GET, path)).await.body,
            json!(words)
        );
    }
}
