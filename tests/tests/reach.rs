//! A relay on a server, reached as people reach it: over Caddy, over nginx, and by TLS of its own, with a
//! certificate in files or by ACME, each as `docs/server.md` sets it up.
#![cfg(test)]

#[path = "reach/acme.rs"]
mod acme;

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HOST;
use tests::certificate::TestCertificate;
use tests::entrance::{Entrance, Name, files_in, settings_behind_a_proxy, settings_of_its_own};
use tests::http_client::http_client;
use tests::story::api::Api;
use tests::story::play::{Ending, Script, play_at};
use tests::story::relay::{Relay, write_privately};
use tests::story::servers::Servers;
use tests::story::telling::Telling;

const SCRIPT: Script = Script {
    confidential: true,
    leads: 20,
    gap: Duration::from_millis(20),
};

fn check(ending: &Ending) {
    assert_eq!(ending.outcome, "resumed", "{ending:?}");
    assert_eq!(
        (ending.lost, ending.duplicated, ending.unsettled),
        (0, 0, 0),
        "{ending:?}"
    );
    assert_eq!(
        (ending.accepted_step_1, ending.accepted_step_2),
        (20, 20),
        "{ending:?}"
    );
}

async fn behind_a_proxy(name: Name) -> (Servers, Relay) {
    let servers = Servers::start_sandbox(1).await.unwrap();
    let settings = settings_behind_a_proxy(name).unwrap();
    let relay = Relay::start_with(&servers, Some(servers.client_secret()), settings).await;
    (servers, relay.unwrap())
}

/// What strangers try at the front, and past it.
async fn attack(entrance: &Entrance, relay: &Relay) {
    let client = http_client(&[entrance.ca_pem()]).unwrap();
    // By another name: the relay refuses, or the proxy knows no such site and says nothing of ours.
    for host in [
        "attacker.example",
        "127.0.0.1",
        "localhost.attacker.example",
    ] {
        let asked = client
            .get(format!("{}/healthz", entrance.url()))
            .header(HOST, host);
        let answer = asked.send().await.unwrap();
        let is_refused = answer.status() == StatusCode::FORBIDDEN;
        let is_unknown = !answer.headers().contains_key("x-request-id");
        assert!(is_refused || is_unknown, "{host}: {answer:?}");
        let said = answer.text().await.unwrap();
        assert_ne!(said.trim(), "ok", "{host}");
    }
    let fine = client
        .get(format!("{}/healthz", entrance.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(fine.status(), StatusCode::OK);
    // Who guesses says each time that he is somebody else; he stays who he is.
    for n in 0..11 {
        let asked = client.post(format!("{}/v1/sessions", entrance.url()));
        let asked = asked.header("x-forwarded-for", format!("198.51.100.{n}"));
        let asked = asked.header("forwarded", format!("for=198.51.100.{n}"));
        let answer = asked
            .json(&serde_json::json!({ "code": "guess" }))
            .send()
            .await
            .unwrap();
        let expected = if n < 10 { 422 } else { 429 };
        assert_eq!(answer.status().as_u16(), expected, "{n}");
    }
    // Past the proxy, by the name of this computer.
    let direct = http_client(&[]).unwrap();
    let answer = direct
        .get(format!("{}/v1/status", relay.base()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

/// From where the dashboard's session came, as the relay has it.
async fn check_session(entrance: &Entrance, relay: &Relay) {
    let operator = relay.operator().unwrap();
    let caller = Api::new(&entrance.url(), None)
        .unwrap()
        .trusting(entrance.ca_pem())
        .unwrap();
    operator.sign_in_by(&caller).await.unwrap();
    let listed = operator
        .call(&protocol::request::session::ListSessions {})
        .await
        .unwrap();
    let peers: Vec<_> = listed
        .sessions
        .iter()
        .map(|session| session.peer.as_str())
        .collect();
    assert_eq!(peers, ["127.0.0.1"]);
}

/// The story by this front, after what strangers try there and past it.
async fn check_front(entrance: &Entrance, servers: &Servers, relay: &Relay) {
    attack(entrance, relay).await;
    check_session(entrance, relay).await;
    let ending = play_at(
        relay,
        entrance.ca_pem(),
        servers,
        SCRIPT,
        &Telling::begin(true),
    )
    .await;
    check(&ending.unwrap_or_else(|error| panic!("{error:#}\n{}", entrance.said())));
}

#[tokio::test(flavor = "multi_thread")]
async fn over_caddy_the_story_goes_on_and_strangers_get_nowhere() {
    let name = Name::new().unwrap();
    let (servers, relay) = behind_a_proxy(name).await;
    let entrance = Entrance::caddy(name, relay.address()).await.unwrap();
    check_front(&entrance, &servers, &relay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_nginx_the_story_goes_on_and_strangers_get_nowhere() {
    let name = Name::new().unwrap();
    let (servers, relay) = behind_a_proxy(name).await;
    let entrance = Entrance::nginx(name, relay.address()).await.unwrap();
    check_front(&entrance, &servers, &relay).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tls_of_its_own_the_story_goes_on_and_port_80_leads_there() {
    let name = Name::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let made = TestCertificate::generate().unwrap();
    let (certificate, key) = files_in(folder.path());
    write_privately(&certificate, &made.certificate_pem).unwrap();
    write_privately(&key, &made.key_pem).unwrap();
    let servers = Servers::start_sandbox(1).await.unwrap();
    let settings = settings_of_its_own(name, folder.path()).unwrap();
    let plain = settings
        .iter()
        .find(|(name, _)| *name == "UNPAUSE_HTTP_LISTEN");
    let plain = format!("http://{}", plain.unwrap().1);
    let relay = Relay::start_with(&servers, Some(servers.client_secret()), settings)
        .await
        .unwrap();
    let client = http_client(&[&made.ca_pem]).unwrap();
    let sent = client
        .get(format!("{plain}/login?a=b"))
        .header(HOST, "attacker.example");
    let sent = sent.send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(
        sent.headers()["location"],
        format!("{}/login?a=b", name.url())
    );
    for host in ["attacker.example", "127.0.0.1"] {
        let asked = client
            .get(format!("{}/healthz", name.url()))
            .header(HOST, host);
        assert_eq!(
            asked.send().await.unwrap().status(),
            StatusCode::FORBIDDEN,
            "{host}"
        );
    }
    let ending = play_at(
        &relay,
        &made.ca_pem,
        &servers,
        SCRIPT,
        &Telling::begin(true),
    )
    .await;
    check(&ending.unwrap());
}
