//! The sign-in that the relay runs in a tab, with a browser that keeps cookies and the sandbox as provider:
//! whose answer is believed, and whose is not.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::{Grant, State};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};

use super::confirming::wait_unconfirmed;
use crate::app::person::{browser, operator};
use crate::app::{Client, Ground, JANE, JOHN, PASSWORD, Relay};

/// What a tab shows.
struct Shown {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Shown {
    fn location(&self) -> Url {
        let location = self.headers[LOCATION].to_str().unwrap();
        Url::parse(location).unwrap()
    }

    /// Checks that this is a page of ours, which nothing keeps, frames or learns of.
    fn expect_page(&self, status: u16, title: &str) {
        let is_there = self.text.contains(&format!("<h1>{title}</h1>"));
        assert!(
            is_there && self.status == status,
            "{} {}",
            self.status,
            self.text
        );
        assert_eq!(self.headers["cache-control"], "no-store");
        assert_eq!(self.headers["referrer-policy"], "no-referrer");
        let policy = self.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

async fn open(browser: &reqwest::Client, url: impl reqwest::IntoUrl) -> Shown {
    let answer = browser.get(url).send().await.unwrap();
    Shown {
        status: answer.status(),
        headers: answer.headers().clone(),
        text: answer.text().await.unwrap(),
    }
}

async fn operate(ground: &Ground, relay: &Relay, path: &str) -> (StatusCode, Value) {
    let asked = operator(ground).post(relay.url(path));
    let answer = asked.json(&json!({})).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Starts a reconnect and has the relay host it; answers with the one-time address.
async fn host(ground: &Ground, relay: &Relay, inbox: &InboxId) -> (ReconnectId, String) {
    let path = format!("/v1/inboxes/{inbox}/reconnects");
    let (_, started) = operate(ground, relay, &path).await;
    let id = started["reconnect"]["id"].as_str().unwrap();
    let (status, hosted) = operate(ground, relay, &format!("/v1/reconnects/{id}/host")).await;
    assert_eq!(status, StatusCode::OK, "{hosted}");
    let url = hosted["url"].as_str().unwrap();
    assert!(url.starts_with(&relay.url("/oauth/start?ticket=")), "{url}");
    (ReconnectId::new(id), url.to_owned())
}

/// Jane at the provider's pages; answers with the address that the provider sends the tab to.
async fn decide(browser: &reqwest::Client, at_provider: &Url, decision: &str) -> Url {
    let page = open(browser, at_provider.clone()).await.text;
    let (_, rest) = page.split_once("name=\"transaction\" value=\"").unwrap();
    let transaction = rest.split('"').next().unwrap();
    let post = |path: &str, name: &str, value: &str| {
        let fields = [("transaction", transaction), (name, value)];
        browser
            .post(at_provider.join(path).unwrap())
            .form(&fields)
            .send()
    };
    post("/authorize/password", "password", PASSWORD)
        .await
        .unwrap();
    let back = post("/authorize/consent", "decision", decision)
        .await
        .unwrap();
    Url::parse(back.headers()[LOCATION].to_str().unwrap()).unwrap()
}

/// As [`decide`], from the one-time address on.
async fn sign_in(browser: &reqwest::Client, ticket: &str) -> Url {
    let sent_on = open(browser, ticket).await;
    assert_eq!(sent_on.status, StatusCode::FOUND, "{}", sent_on.text);
    decide(browser, &sent_on.location(), "allow").await
}

/// The address with one parameter changed.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let mut pairs: Vec<_> = url.query_pairs().into_owned().collect();
    pairs.retain(|(found, _)| found != name);
    pairs.push((name.to_owned(), value.to_owned()));
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(pairs);
    changed
}

async fn state_of(relay: &Relay, id: &ReconnectId) -> State {
    relay.app().store.load_reconnect(id).await.unwrap().state
}

async fn expect_waiting(relay: &Relay, id: &ReconnectId) {
    let state = state_of(relay, id).await;
    assert!(matches!(state, State::Started { .. }), "{state:?}");
}

async fn expect_resumed(relay: &Relay, inbox: &InboxId, id: &ReconnectId) {
    let outcome = relay.outcome(id).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    let connection = relay.inbox(inbox).await.connection;
    assert!(matches!(connection, Connection::Connected { .. }));
}

#[tokio::test]
async fn another_account_on_the_page_of_an_inbox_with_a_password_is_asked_about_with_both_named() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let grant = Grant::Password {
        user: JANE.to_owned(),
        password: Secret::new(PASSWORD),
    };
    let by_password = relay.grant(&inbox, &grant).await;
    expect_resumed(&relay, &inbox, &by_password).await;
    ground.sandbox.control().share(JANE, JOHN).unwrap();
    let (id, ticket) = host(&ground, &relay, &inbox).await;
    let browser = browser();
    let sent_on = open(&browser, &ticket).await;
    let as_john = with(&sent_on.location(), "login_hint", JOHN);
    let back = decide(&browser, &as_john, "allow").await;
    open(&browser, back).await.expect_page(200, "Signed in");
    wait_unconfirmed(&relay, &id).await;
    let url = relay.url(&format!("/v1/reconnects/{id}"));
    let shown = operator(&ground).get(url).send().await.unwrap();
    let shown: Value = shown.json().await.unwrap();
    assert_eq!(
        shown["question"],
        json!({
            "inbox": JANE,
            "given": { "kind": "account", "name": JOHN },
            "replaces": { "kind": "password", "user": JANE },
        })
    );
    let after = relay.inbox(&inbox).await;
    assert_eq!(after.password_user.as_deref(), Some(JANE));
    relay.stop().await;
}

/// Row: not signed in here | the link of the sign-in is opened in another browser | resumed | the person | Signed in. You can close this tab.
#[tokio::test]
async fn a_sign_in_in_a_tab_reconnects_with_either_kind_of_client() {
    for client in [Client::Public, Client::Confidential] {
        let ground = Ground::new(client).await;
        let relay = ground.start().await;
        let inbox = relay.add_inbox(Duration::ZERO).await;
        let (id, ticket) = host(&ground, &relay, &inbox).await;
        let tab = browser();
        let sent_on = open(&tab, &ticket).await;
        assert_eq!(sent_on.status, StatusCode::FOUND);
        assert_eq!(sent_on.headers["cache-control"], "no-store");
        assert_eq!(sent_on.headers["referrer-policy"], "no-referrer");
        let cookie = sent_on.headers[SET_COOKIE].to_str().unwrap();
        for part in ["; Path=/oauth;", "; HttpOnly", "; SameSite=Lax"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let asked = sent_on.location();
        let find = |name: &str| {
            let found = asked.query_pairs().find(|(found, _)| found == name);
            found.map(|(_, value)| value.into_owned())
        };
        let redirect_uri = relay.url("/oauth/callback/sandbox");
        assert_eq!(find("redirect_uri"), Some(redirect_uri));
        assert_eq!(find("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(find("login_hint").as_deref(), Some(JANE));
        assert_eq!(find("prompt").as_deref(), Some("consent"));

        let back = decide(&tab, &asked, "allow").await;
        let shown = open(&tab, back.clone()).await;
        shown.expect_page(200, "Signed in");
        let url = relay.url("/v1/audit?action=answerHostedSignIn");
        let on_record = operator(&ground).get(url).send().await.unwrap();
        let on_record: Value = on_record.json().await.unwrap();
        let entry = &on_record["entries"][0];
        assert_eq!(
            (&entry["way"], &entry["outcome"], &entry["fields"]),
            (
                &json!("link"),
                &json!("done"),
                &json!({ "reconnect_id": id.as_str() })
            )
        );
        assert!(shown.text.contains(JANE), "{}", shown.text);
        let cleared = shown.headers[SET_COOKIE].to_str().unwrap();
        assert!(cleared.contains("Max-Age=0"), "{cleared}");
        expect_resumed(&relay, &inbox, &id).await;

        open(&tab, back)
            .await
            .expect_page(400, "No sign-in waits for this page");
        let (status, again) = operate(&ground, &relay, &format!("/v1/reconnects/{id}/host")).await;
        assert_eq!(
            (status, &again["code"]),
            (StatusCode::CONFLICT, &json!("conflict"))
        );
        relay.stop().await;
    }
}

/// Row: link that a newer one replaced | another link is made before it is opened | HTTP 410 | the person | This link no longer works. It works once, and for a few minutes.
#[tokio::test]
async fn a_new_ticket_ends_the_one_before_it_and_no_visit() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let (id, first) = host(&ground, &relay, &inbox).await;
    let (_, second) = host(&ground, &relay, &inbox).await;
    let used = "This link no longer works";
    open(&browser(), first).await.expect_page(410, used);
    // Whoever is at the provider already goes on.
    let tab = browser();
    let at_provider = open(&tab, &second).await;
    let (_, third) = host(&ground, &relay, &inbox).await;
    let back = decide(&tab, &at_provider.location(), "allow").await;
    open(&tab, back).await;
    let outcome = relay.outcome(&id).await;
    assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
    let over = open(&browser(), third).await;
    assert_ne!(over.status, StatusCode::FOUND, "{}", over.text);
    relay.stop().await;
}

/// Row: link used twice | the link of a sign-in is opened again | HTTP 410 | the person | This link no longer works. It works once, and for a few minutes.
#[tokio::test]
async fn a_ticket_works_once() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let (id, ticket) = host(&ground, &relay, &inbox).await;
    let tab = browser();
    let first = open(&tab, &ticket).await;
    let used = "This link no longer works";
    for url in [
        ticket.clone(),
        relay.url("/oauth/start?ticket=guess"),
        relay.url("/oauth/start"),
    ] {
        open(&browser(), url).await.expect_page(410, used);
    }
    // A state is no ticket, and a ticket is no state.
    let state = first.location();
    let state = state
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let url = format!("{}{state}", relay.url("/oauth/start?ticket="));
    open(&browser(), url).await.expect_page(410, used);
    let (_, second) = host(&ground, &relay, &inbox).await;
    let (_, as_state) = second.split_once("ticket=").unwrap();
    let callback = relay.url("/oauth/callback/sandbox?code=c&state=");
    let url = format!("{callback}{as_state}");
    open(&tab, url)
        .await
        .expect_page(400, "No sign-in waits for this page");
    // The tab that used the first one can still finish, beside the second.
    let back = decide(&tab, &first.location(), "allow").await;
    open(&tab, back).await.expect_page(200, "Signed in");
    expect_resumed(&relay, &inbox, &id).await;
    open(&tab, second)
        .await
        .expect_page(409, "This sign-in is over");
    relay.stop().await;
}

/// Row: `state` wrong or missing, or another browser | the answer in a tab is changed on its way | HTTP 400, 403 | the person | No sign-in waits for this page. Another browser began this sign-in.
#[tokio::test]
async fn an_answer_is_believed_in_its_browser_with_its_state_and_from_its_issuer_only() {
    let ground = Ground::new(Client::Confidential).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let (id, ticket) = host(&ground, &relay, &inbox).await;
    let tab = browser();
    let back = sign_in(&tab, &ticket).await;
    let unknown = "No sign-in waits for this page";
    let mut without_code = back.clone();
    without_code.set_query(None);
    let state = back
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap()
        .1
        .into_owned();
    let issuer = ground.sandbox.issuer().to_owned();
    without_code
        .query_pairs_mut()
        .append_pair("state", &state)
        .append_pair("iss", &issuer);
    for wrong in [
        with(&back, "state", "guess"),
        with(&back, "state", ""),
        without_code,
    ] {
        open(&tab, wrong).await.expect_page(400, unknown);
    }
    // Another visit of the same browser has a cookie too, and it is not this one's.
    let stranger = browser();
    let (_, other_ticket) = host(&ground, &relay, &inbox).await;
    open(&stranger, other_ticket).await;
    let foreign = open(&stranger, back.clone()).await;
    foreign.expect_page(403, "Another browser began this sign-in");
    // And one that never was here has none.
    let foreign = open(&browser(), back.clone()).await;
    foreign.expect_page(403, "Another browser began this sign-in");
    expect_waiting(&relay, &id).await;
    open(&tab, back).await.expect_page(200, "Signed in");
    expect_resumed(&relay, &inbox, &id).await;
    relay.stop().await;
}

/// Row: `iss` of another provider, or an answer at another's address | the answer in a tab is changed on its way | `mixed_up`
#[tokio::test]
async fn an_answer_of_another_provider_ends_the_reconnect_and_nothing_of_it_is_used() {
    let ground = Ground::new(Client::Confidential).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let tab = browser();
    let in_its_name: fn(&Url) -> Url = |back| with(back, "iss", "https://other.example");
    // As from a provider that promises no issuer, or lies about it: the path tells (RFC 9700 §4.4.2.2).
    let at_its_path: fn(&Url) -> Url = |back| {
        let mut changed = back.clone();
        changed.set_path("/oauth/callback/google");
        changed
    };
    for mix_up in [in_its_name, at_its_path] {
        let (id, ticket) = host(&ground, &relay, &inbox).await;
        let back = sign_in(&tab, &ticket).await;
        open(&tab, mix_up(&back))
            .await
            .expect_page(400, "Another provider answered");
        open(&tab, back)
            .await
            .expect_page(400, "No sign-in waits for this page");
        // The card offers Reconnect at once.
        let outcome = relay.outcome(&id).await;
        let cause = Cause::MixedUp;
        assert!(matches!(outcome, State::Refused { cause: found, .. } if found == cause));
    }
    assert!(
        ground.sandbox.control().grants(JANE).is_empty(),
        "no code was exchanged"
    );

    let (id, ticket) = host(&ground, &relay, &inbox).await;
    let back = sign_in(&tab, &ticket).await;
    open(&tab, back).await.expect_page(200, "Signed in");
    expect_resumed(&relay, &inbox, &id).await;
    relay.stop().await;
}

/// Row: consent refused | Cancel on the provider's page | `consent_refused`
#[tokio::test]
async fn a_no_at_the_provider_ends_the_reconnect_in_the_words_of_its_card() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let (id, ticket) = host(&ground, &relay, &inbox).await;
    let tab = browser();
    let at_provider = open(&tab, &ticket).await.location();
    let back = decide(&tab, &at_provider, "deny").await;
    let shown = open(&tab, back).await;
    shown.expect_page(200, "The permission was not given");
    assert!(shown.text.contains(JANE), "{}", shown.text);
    let outcome = relay.outcome(&id).await;
    let cause = Cause::ConsentRefused;
    assert!(matches!(outcome, State::Refused { cause: found, .. } if found == cause));
    relay.stop().await;
}

#[tokio::test]
async fn a_restart_while_the_person_is_at_the_provider_costs_nothing() {
    let ground = Ground::new(Client::Confidential).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let (id, ticket) = host(&ground, &relay, &inbox).await;
    relay.kill();

    // The port is another one, as it is not in the field; the browser's cookies know no ports.
    let relay = ground.start().await;
    let (_, ticket) = ticket.split_once("/oauth").unwrap();
    let tab = browser();
    let back = sign_in(&tab, &relay.url(&format!("/oauth{ticket}"))).await;
    relay.kill();

    let relay = ground.start().await;
    let query = back.query().unwrap();
    let back = relay.url(&format!("/oauth/callback/sandbox?{query}"));
    open(&tab, back).await.expect_page(200, "Signed in");
    expect_resumed(&relay, &inbox, &id).await;
    relay.stop().await;
}

/// Row: reconnect expired | the answer comes after ten minutes | expired
#[tokio::test]
async fn an_answer_that_comes_too_late_is_not_used() {
    let clock = Clock::manual(Timestamp::from_ms(1_000_000));
    let hour = Duration::from_hours(1);
    let ground = Ground::with(Client::Confidential, hour, clock, "").await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let (id, ticket) = host(&ground, &relay, &inbox).await;
    let tab = browser();
    let back = sign_in(&tab, &ticket).await;
    let (_, unused) = host(&ground, &relay, &inbox).await;
    ground
        .clock
        .advance(relay.app().config.timing.reconnect_for);
    for url in [back.as_str(), unused.as_str()] {
        open(&tab, url)
            .await
            .expect_page(409, "This sign-in is over");
    }
    let outcome = relay.outcome(&id).await;
    assert!(
        matches!(
            outcome,
            State::Refused {
                cause: Cause::Expired,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert!(
        ground.sandbox.control().grants(JANE).is_empty(),
        "no code was exchanged"
    );
    relay.stop().await;
}

/// Row: provider that does not answer | a sign-in is begun while it is down | 503 unavailable | nobody | the provider at … does not answer as it should: …
#[tokio::test]
async fn a_provider_that_does_not_answer_is_told_before_a_tab_is_opened() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let app = relay.app();
    let now = app.clock.now();
    let until = now + app.config.timing.reconnect_for;
    let (reconnect, _) = app.store.start_reconnect(&inbox, now, until).await.unwrap();
    ground.sandbox.control().down(true);
    let path = format!("/v1/reconnects/{}/host", reconnect.id);
    let (status, problem) = operate(&ground, &relay, &path).await;
    let expected = (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable"));
    assert_eq!((status, &problem["code"]), expected, "{problem}");
    relay.stop().await;
}

#[tokio::test]
async fn whoever_looks_whether_a_link_is_alive_does_not_use_it_up() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.add_inbox(Duration::ZERO).await;
    let (_, url) = host(&ground, &relay, &inbox).await;
    let previewer = browser();
    let looked = previewer.head(&url).send().await.unwrap();
    assert_eq!(looked.status(), StatusCode::METHOD_NOT_ALLOWED);
    for purpose in ["prefetch", "prefetch;prerender"] {
        let fetched = previewer.get(&url).header("sec-purpose", purpose);
        let fetched = fetched.send().await.unwrap();
        assert_eq!(fetched.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    let opened = open(&browser(), url.as_str()).await;
    assert_eq!(opened.status, StatusCode::FOUND, "{}", opened.text);
    relay.stop().await;
}
