//! What servers are and are not: those that somebody names over the API are not reached inside the operator's
//! network and get no token of a provider that they are not of, and one message that a server cannot take holds up no
//! other.

use std::time::Duration;

use protocol::budget::Budget;
use protocol::cause::Cause;
use protocol::connection::Connection;
use protocol::delivery::State;
use protocol::id::InboxId;
use protocol::inbox::MailServer;
use protocol::provider::ProviderId;
use protocol::reconnect::{Grant, State as Outcome};
use protocol::secret::Secret;
use relay::clock::Clock;
use relay::config::{Config, Provider};
use relay::store::inbox::NewInbox;
use reqwest::Method;
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::corrections::ask;
use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, PASSWORD, Relay, wait_for};

#[tokio::test]
async fn a_server_named_over_the_api_is_not_reached_inside_the_operators_network() {
    // The servers of the configuration are on loopback as well, and they are the operator's own word.
    let ground = Ground::at(
        Client::Public,
        Clock::system(),
        "poll_ms = 100",
        "imap",
        Options::default(),
    )
    .await;
    let relay = ground.start().await;
    let inside = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let server = serde_json::json!({ "host": "localhost", "port": port, "tls": "implicit" });
    let body = serde_json::json!({
        "address": JANE, "provider": "imap", "smtp": server, "imap": server
    });
    let answer = operator(&ground)
        .post(relay.url("/v1/inboxes"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let inbox = relay.app().store.list_inboxes().await.unwrap()[0]
        .id
        .clone();

    let grant = Grant::Password {
        user: JANE.to_owned(),
        password: Secret::new(PASSWORD),
    };
    relay.grant(&inbox, &grant).await;
    let knocked = tokio::time::timeout(Duration::from_millis(300), inside.accept()).await;
    assert!(knocked.is_err(), "somebody knocked");
    relay.stop().await;
}

/// Row: server of an inbox that signs in by OAuth | `unpause inbox add` or `update` with a server that the configuration does not name for the provider | 422 `invalid` | the operator | expected smtp.gmail.com:465, which the configuration names for google, found smtp.other.example:465: whoever signs in by OAuth would show this server a permission for the mailbox; …
#[tokio::test]
async fn an_inbox_that_signs_in_by_oauth_is_on_the_servers_of_its_provider_alone() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let named = relay.app().config.providers[&ProviderId::new("sandbox")].clone();
    let (other, port) = ("mail.other.example", named.imap.port.wrapping_add(1));
    let at = |server: &MailServer| server.to_string();
    let host = json!({ "host": other, "port": named.smtp.port, "tls": "implicit" });
    let other_port = json!({ "host": named.imap.host, "port": port, "tls": "implicit" });
    let refused = [
        (json!({ "smtp": host }), "smtp.host", at(&named.smtp)),
        (json!({ "imap": host }), "imap.host", at(&named.imap)),
        (json!({ "imap": other_port }), "imap.port", at(&named.imap)),
        (
            json!({ "smtp": named.smtp, "imap": host }),
            "imap.host",
            at(&named.imap),
        ),
    ];
    let check = |(status, problem): (u16, Value), field: &str, expected: &str| {
        let told = (status, problem["field"].as_str());
        assert_eq!(told, (422, Some(field)), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        for part in [expected, "found", "providers.sandbox"] {
            assert!(detail.contains(part), "{part}: {detail}");
        }
    };
    for (servers, field, expected) in &refused {
        let mut body = servers.clone();
        body["address"] = json!(JANE);
        body["provider"] = json!("sandbox");
        let answer = ask(&ground, &relay, Method::POST, "/v1/inboxes", body).await;
        check(answer, field, expected);
        let listed = relay.app().store.list_inboxes().await.unwrap();
        assert!(listed.is_empty(), "nothing half done");
    }

    let own = json!({
        "address": JANE, "provider": "sandbox", "smtp": named.smtp, "imap": named.imap
    });
    let (status, shown) = ask(&ground, &relay, Method::POST, "/v1/inboxes", own).await;
    assert_eq!(status, 200, "{shown}");
    let path = format!("/v1/inboxes/{}/servers", shown["id"].as_str().unwrap());
    for (servers, field, expected) in refused {
        let answer = ask(&ground, &relay, Method::POST, &path, servers).await;
        check(answer, field, &expected);
    }
    let same = json!({ "smtp": named.smtp });
    let (status, shown) = ask(&ground, &relay, Method::POST, &path, same).await;
    assert_eq!((status, &shown["imap"]), (200, &json!(named.imap)));
    relay.stop().await;
}

/// Servers that a relay on this ground may reach and whose certificates it believes, and that are not its provider's.
async fn counterfeit(ground: &Ground) -> (Sandbox, Config, MailServer, MailServer) {
    let counterfeit = Sandbox::start(Options::default()).await.unwrap();
    let roots = [ground.sandbox.ca_pem(), counterfeit.ca_pem()].concat();
    std::fs::write(ground.path("ca.pem"), roots).unwrap();
    let mut config = ground.config();
    let own = config.providers[&ProviderId::new("sandbox")].clone();
    let at = |port| MailServer {
        port,
        ..own.smtp.clone()
    };
    let smtp = at(counterfeit.smtps().port());
    let imap = at(counterfeit.imaps().port());
    let another = Provider {
        client: None,
        smtp: smtp.clone(),
        imap: imap.clone(),
        ..own
    };
    config.providers.insert(ProviderId::new("imap"), another);
    (counterfeit, config, smtp, imap)
}

/// An inbox as an earlier version, or another configuration, let it be.
async fn put_on_record(relay: &Relay, smtp: &MailServer, imap: &MailServer) -> InboxId {
    let app = relay.app();
    let new = NewInbox {
        address: JANE.parse().unwrap(),
        provider: ProviderId::new("sandbox"),
        smtp: smtp.clone(),
        imap: imap.clone(),
        budget: Budget {
            distance: Duration::ZERO,
            daily_cap: None,
        },
    };
    let now = app.clock.now();
    let connection = Connection::Disconnected {
        cause: Cause::NeverConnected,
        evidence: None,
        since: now,
    };
    let inbox = app.store.create_inbox(new, &connection, now).await.unwrap();
    relay.nudge(&inbox.id);
    inbox.id
}

fn assert_met_nobody<T: Clone + std::fmt::Debug>(met: &mut Receiver<T>) {
    let next = met.try_recv();
    assert!(matches!(next, Err(TryRecvError::Empty)), "{next:?}");
}

#[tokio::test]
async fn a_token_that_somebody_signs_in_for_is_not_shown_to_a_server_that_is_not_its_providers() {
    let ground = Ground::new(Client::Public).await;
    let (counterfeit, config, smtp, imap) = counterfeit(&ground).await;
    let own = config.providers[&ProviderId::new("sandbox")].clone();
    let mut met = counterfeit.control().events();
    let relay = ground.start_with(config).await;
    for (smtp, imap, expected) in [
        (&smtp, &imap, &own.smtp),
        (&own.smtp, &imap, &own.imap),
        (&smtp, &own.imap, &own.smtp),
    ] {
        let inbox = put_on_record(&relay, smtp, imap).await;
        let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
        let outcome = relay.outcome(&reconnect).await;
        let Outcome::Refused {
            cause, evidence, ..
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(cause, Cause::SettingsWrong);
        let words = evidence.server_words().unwrap();
        assert!(words.contains(&format!("expected {expected}")), "{words}");
        let grants = ground.sandbox.control().grants(JANE);
        assert!(grants.iter().all(|grant| !grant.live), "given back");
        assert_met_nobody(&mut met);
        relay.app().store.delete_inbox(&inbox).await.unwrap();
    }
    relay.stop().await;
    assert_met_nobody(&mut met);
}

#[tokio::test]
async fn a_token_on_record_is_not_shown_to_a_server_that_the_configuration_does_not_name_any_more()
{
    let ground = Ground::new(Client::Public).await;
    let (_counterfeit, mut config, smtp, imap) = counterfeit(&ground).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    relay.stop().await;

    let mut met = ground.sandbox.control().events();
    // The inbox stays where it was put, and these are its provider's servers.
    let named = config
        .providers
        .get_mut(&ProviderId::new("sandbox"))
        .unwrap();
    (named.smtp, named.imap) = (smtp.clone(), imap);
    let relay = ground.start_with(config).await;
    let evidence = wait_for("the inbox to be lost", async || {
        let inbox = relay.inbox(&inbox).await;
        match inbox.connection {
            Connection::Disconnected {
                cause: Cause::SettingsWrong,
                evidence,
                ..
            } => evidence,
            _ => None,
        }
    })
    .await;
    let words = evidence.server_words().unwrap();
    assert!(words.contains(&format!("expected {smtp}")), "{words}");
    relay.stop().await;
    assert_met_nobody(&mut met);
}

#[tokio::test]
async fn a_lead_that_the_server_cannot_reach_holds_up_no_other() {
    // This server takes no addresses beyond ASCII.
    let ground = Ground::at(
        Client::Public,
        Clock::system(),
        "poll_ms = 100",
        "sandbox",
        Options::default(),
    )
    .await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    let leads = ["ann@a.example", "jörg@b.example", "cy@c.example"];
    let campaign = relay.start_campaign(&inbox, &leads, 1).await;
    let rejected = wait_for("the others to be accepted", async || {
        let accepted = relay.list(&campaign, Some("accepted")).await;
        let rejected = relay.list(&campaign, Some("rejected")).await;
        (accepted.len() == 2).then_some(rejected)
    })
    .await;
    let [rejected] = rejected.as_slice() else {
        panic!("{rejected:?}")
    };
    assert_eq!(rejected.to.as_str(), "jörg@b.example");
    let cause = Cause::RecipientRejected;
    assert_eq!(rejected.status, State::Rejected { cause });
    let words = rejected.words.as_deref().unwrap();
    assert!(words.contains("SMTPUTF8"), "{words}");
    assert_eq!(rejected.attempts, 1);
    relay.stop().await;
}
