//! Two clients of one relay: what each gets is compared byte by byte while the other's things come, change and go, and what
//! is another's is answered as what is not there.

use std::collections::BTreeMap;

use protocol::id::{CampaignId, InboxId};
use protocol::timestamp::Timestamp;
use relay::http::mount_endpoints;
use reqwest::header::{ETAG, ORIGIN};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _};

use super::accounts::Somebody;
use super::devices::Paired;
use super::roles::Endpoints;
use super::{Answer, EXTENSION, Relay, answer};

/// An inbox with what belongs to it.
struct Things {
    inbox: String,
    campaign: String,
    reconnect: String,
    receipt: String,
}

impl Relay {
    async fn add_inbox(&self, address: &str) -> String {
        let asked = json!({ "address": address, "provider": "sandbox" });
        let inbox = self.operate("/v1/inboxes", asked).await;
        inbox["id"].as_str().unwrap().to_owned()
    }

    /// A campaign with so many leads that runs.
    async fn run_campaign(&self, name: &str, inboxes: Value, n_leads: usize) -> String {
        let steps = json!([{ "subject": "Hi", "body": "Hello" }]);
        let draft = json!({ "name": name, "inboxes": inboxes, "steps": steps });
        let campaign = self.operate("/v1/campaigns", draft).await;
        let id = campaign["id"].as_str().unwrap().to_owned();
        let lead = |n| format!("{}{n}@lead.example", name.to_lowercase());
        let leads = (0..n_leads).map(lead).collect::<Vec<_>>().join("\n");
        let import = self.by_operator(Method::POST, &format!("/v1/campaigns/{id}/leads"));
        let imported = answer(import.body(format!("email\n{leads}"))).await;
        assert_eq!(imported.body["added"], n_leads, "{}", imported.body);
        // Without mail servers no inbox is connected, so nobody but the database starts it.
        let app = self.running.app();
        let campaign = CampaignId::new(id.as_str());
        app.store
            .start_campaign(&campaign, app.clock.now())
            .await
            .unwrap();
        id
    }

    /// A receipt of an inbox, as a resume leaves it.
    async fn put_receipt(&self, id: &str, inbox: &str, campaigns: Value) {
        let at = "2026-01-01T00:00:00Z";
        let body = json!({
            "id": id, "reconnect": format!("rec_of_{id}"), "inbox": inbox, "campaigns": campaigns,
            "cause": "permission_ended", "lost_at": at, "resumed_at": at, "shifted_by_ms": 5,
            "held": 1, "to_send": 1, "skipped": 0, "in_doubt": 0, "lines": [],
        });
        let path = self.folder.path().join("data/unpause.db");
        let mut database = AnyConnection::connect(&format!("sqlite://{}", path.display()))
            .await
            .unwrap();
        let row = sqlx::query(
            "INSERT INTO receipts (id, inbox_id, body, n_lines, created_at_ms) VALUES ($1, $2, $3, 1, 7)",
        );
        let row = row.bind(id.to_owned()).bind(inbox.to_owned());
        row.bind(body.to_string())
            .execute(&mut database)
            .await
            .unwrap();
        // A line of each campaign.
        for (n, campaign) in (1_i64..).zip(body["campaigns"].as_array().unwrap()) {
            let line = sqlx::query(
                "INSERT INTO receipt_lines (receipt_id, line_no, delivery_id, lead_id, step, fate) \
                 SELECT $1, $2, id, lead_id, 1, 'in_doubt' FROM deliveries WHERE campaign_id = $3 ORDER BY id LIMIT 1",
            );
            let line = line.bind(id.to_owned()).bind(n);
            let put = line.bind(campaign.as_str().unwrap().to_owned());
            put.execute(&mut database).await.unwrap();
        }
        database.close().await.unwrap();
    }

    async fn fill(&self, name: &str, n_leads: usize) -> Things {
        let inbox = self.add_inbox(&format!("{name}@mail.example")).await;
        let campaign = self.run_campaign(name, json!([inbox]), n_leads).await;
        let app = self.running.app();
        let now = app.clock.now();
        let until = now + std::time::Duration::from_hours(1);
        let id = InboxId::new(inbox.as_str());
        let begun = app.store.start_reconnect(&id, now, until).await.unwrap();
        let reconnect = begun.0.id.to_string();
        let receipt = format!("rcp_{name}");
        self.put_receipt(&receipt, &inbox, json!([campaign])).await;
        Things {
            inbox,
            campaign,
            reconnect,
            receipt,
        }
    }

    /// What a caller gets from every endpoint that reads, by its name: status, tag and text.
    async fn read_all(&self, by: &By<'_>, things: &Things) -> BTreeMap<String, String> {
        let mut read = BTreeMap::new();
        for endpoint in mount_endpoints(Endpoints(Vec::new())).0 {
            if endpoint.method != Method::GET {
                continue;
            }
            let path = things.fill_in(endpoint.path);
            let got = by.ask(self, Method::GET, &path, None).await;
            read.insert(endpoint.name.to_owned(), shown(&got));
        }
        read
    }
}

impl Things {
    fn fill_in(&self, path: &str) -> String {
        path.replace("{inbox_id}", &self.inbox)
            .replace("{campaign_id}", &self.campaign)
            .replace("{reconnect_id}", &self.reconnect)
            .replace("{receipt_id}", &self.receipt)
    }

    fn ids(&self) -> [&str; 4] {
        [&self.inbox, &self.campaign, &self.reconnect, &self.receipt]
    }
}

/// An answer without what is of the request alone.
fn shown(answer: &Answer) -> String {
    let mut body = answer.body.clone();
    // What a passkey is to sign is never the same twice, and so is its tag.
    let mut is_once = false;
    for place in ["/challenge", "/asked/challenge", "/begun"] {
        if let Some(once) = body.pointer_mut(place) {
            *once = Value::Null;
            is_once = true;
        }
    }
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    let tag = answer.headers.get(ETAG).filter(|_| !is_once);
    let tag = tag.map(|tag| tag.to_str().unwrap());
    format!("{} {tag:?} {body}", answer.status)
}

/// By what a client comes.
enum By<'a> {
    Session(&'a str),
    Device(&'a Paired),
}

impl By<'_> {
    async fn ask(&self, relay: &Relay, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut asked = relay.ask(method, path);
        if let Some(body) = body {
            asked = asked.json(body);
        }
        match self {
            Self::Session(token) => answer(asked.bearer_auth(token)).await,
            Self::Device(device) => device.answer(asked.header(ORIGIN, EXTENSION)).await,
        }
    }
}

async fn pair_as(relay: &Relay, somebody: &Somebody) -> Paired {
    let pairing = answer(relay.post("/v1/pairings", &somebody.token, &json!({}))).await;
    Paired::by(relay, &pairing.body, Some(EXTENSION)).await
}

#[tokio::test]
async fn what_a_client_gets_is_the_same_byte_by_byte_whatever_another_client_has() {
    let relay = Relay::start().await;
    let own = relay.fill("ada", 3).await;
    let unowned = relay.add_inbox("agency@mail.example").await;
    // His inbox in a campaign that another one sends too: seen by him as little as by the other.
    let shared = relay
        .run_campaign("Shared", json!([own.inbox, unowned]), 4)
        .await;
    relay
        .put_receipt("rcp_shared", &own.inbox, json!([own.campaign, shared]))
        .await;
    let ada = relay.join("ada", "client", json!([own.inbox])).await;
    // Of a receipt of his inbox he gets the lines of his campaigns, and no other.
    for path in ["/v1/receipts/rcp_shared", "/v1/receipts/rcp_shared/lines"] {
        let got = answer(relay.get(path, &ada.token)).await;
        let lines = got.body["lines"].as_array().unwrap();
        assert_eq!(lines.len(), 1, "{path}: {}", got.body);
        let all = answer(relay.by_operator(Method::GET, path)).await;
        assert_eq!(all.body["lines"].as_array().unwrap().len(), 2);
        let his = format!("/v1/campaigns/{}/deliveries", own.campaign);
        let his = answer(relay.by_operator(Method::GET, &his)).await;
        let mut his = his.body["deliveries"].as_array().unwrap().iter();
        assert!(his.any(|one| one["id"] == lines[0]["delivery"]), "{path}");
    }
    let device = pair_as(&relay, &ada).await;
    let by = [By::Session(&ada.token), By::Device(&device)];
    let read = async || {
        let mut all = Vec::new();
        for by in &by {
            all.push(relay.read_all(by, &own).await);
        }
        all
    };
    let before = read().await;
    // It is no comparison of nothing with nothing.
    for (name, part) in [
        ("getStatus", "ada@mail.example"),
        ("getStatus", &own.campaign),
        ("listInboxes", &own.inbox),
        ("getInbox", "never_connected"),
        ("listDeliveries", "ada0@lead.example"),
        ("getReconnect", &own.reconnect),
        ("listReceipts", "rcp_shared"),
        ("getReceipt", &own.receipt),
        ("listReceiptLines", "dlv_"),
    ] {
        for read in &before {
            assert!(
                read[name].starts_with("200") && read[name].contains(part),
                "{}",
                read[name]
            );
        }
    }
    assert!(before[0]["listPaces"].contains("ada@mail.example"));
    assert!(before[0]["listCampaigns"].contains("\"leads\":3"));
    for read in &before {
        for (name, text) in read {
            for foreign in [&unowned, "agency@", &shared, "Shared"] {
                assert!(!text.contains(foreign), "{name}: {text}");
            }
        }
    }

    let told = async |what: &str| {
        for (now, before) in read().await.iter().zip(&before) {
            for (name, text) in now {
                assert_eq!(text, &before[name], "{name}, after {what}");
            }
        }
    };
    let bob_has = relay.fill("bob", 5).await;
    told("another's inbox, campaign, reconnect and receipt").await;
    let bob = relay
        .join("bob", "client", json!([bob_has.inbox, unowned]))
        .await;
    let bobs_device = pair_as(&relay, &bob).await;
    told("another client with a session and a device").await;
    relay
        .operate("/v1/suppressions", json!({ "whom": "bob0@lead.example" }))
        .await;
    told("a suppression of another's lead").await;
    let pause = format!("/v1/campaigns/{}/pause", bob_has.campaign);
    relay.operate(&pause, json!({})).await;
    let pace = format!("/v1/inboxes/{}/pace", bob_has.inbox);
    relay.operate(&pace, json!({ "daily_cap": 7 })).await;
    let refuse = format!("/v1/reconnects/{}/refuse", bob_has.reconnect);
    let cancelled = json!({ "why": { "kind": "cancelled" } });
    relay.operate(&refuse, cancelled).await;
    told("another's campaign paused, his pace and his reconnect changed").await;
    let path = format!("/v1/accounts/{}", bob.id);
    relay
        .operate(&path, json!({ "name": "robert", "inboxes": [] }))
        .await;
    answer(relay.by_operator(Method::DELETE, &format!("/v1/devices/{}", bobs_device.id))).await;
    told("another client with another name, no inboxes and no device").await;
    let removed = relay.add_inbox("gone@mail.example").await;
    let removed = format!("/v1/inboxes/{removed}");
    let gone = answer(relay.by_operator(Method::DELETE, &removed)).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.body);
    let gone = answer(relay.by_operator(Method::DELETE, &path)).await;
    assert_eq!(gone.status, StatusCode::OK, "{}", gone.body);
    told("another client and an inbox removed").await;
}

/// Whatever a client may call about one thing, with another's id and with one that nobody has.
#[tokio::test]
async fn what_is_another_clients_is_answered_exactly_as_what_is_not_there() {
    let relay = Relay::start().await;
    let (own, other) = (relay.fill("ada", 2).await, relay.fill("bob", 2).await);
    let shared = relay
        .run_campaign("Shared", json!([own.inbox, other.inbox]), 2)
        .await;
    let ada = relay.join("ada", "client", json!([own.inbox])).await;
    relay.join("bob", "client", json!([other.inbox])).await;
    let device = pair_as(&relay, &ada).await;
    let nobodys = Things {
        inbox: "inb_nobodys".to_owned(),
        campaign: "cmp_nobodys".to_owned(),
        reconnect: "rec_nobodys".to_owned(),
        receipt: "rcp_nobodys".to_owned(),
    };
    let in_shared = Things {
        campaign: shared,
        inbox: other.inbox.clone(),
        reconnect: other.reconnect.clone(),
        receipt: other.receipt.clone(),
    };
    let masked = |text: String, things: &Things| {
        let ids = things.ids().into_iter().zip(["inb", "cmp", "rec", "rcp"]);
        ids.fold(text, |text, (id, mask)| text.replace(id, mask))
    };
    let mut n_compared = 0;
    for by in [By::Session(&ada.token), By::Device(&device)] {
        for endpoint in mount_endpoints(Endpoints(Vec::new())).0 {
            if !endpoint.path.contains("{inbox_id}")
                && !endpoint.path.contains("{campaign_id}")
                && !endpoint.path.contains("{reconnect_id}")
                && !endpoint.path.contains("{receipt_id}")
            {
                continue;
            }
            let body = match endpoint.name {
                "grantReconnect" => json!({ "sealed": "AAAA" }),
                "refuseReconnect" => json!({ "why": { "kind": "cancelled" } }),
                _ => json!({}),
            };
            let posts = endpoint.method == Method::POST;
            let mut told = Vec::new();
            for things in [&nobodys, &other, &in_shared] {
                let path = things.fill_in(endpoint.path);
                let body = posts.then_some(&body);
                let got = by.ask(&relay, endpoint.method.clone(), &path, body).await;
                assert!(
                    got.status.is_client_error(),
                    "{}: {}",
                    endpoint.name,
                    got.body
                );
                told.push(masked(shown(&got), things));
            }
            assert_eq!(told[0], told[1], "{}", endpoint.name);
            assert_eq!(told[0], told[2], "{}", endpoint.name);
            n_compared += usize::from(told[0].starts_with("404"));
        }
        // Behind which page a list goes on says nothing either.
        let mut told = Vec::new();
        for things in [&nobodys, &other] {
            let path = format!("/v1/receipts?after={}", things.receipt);
            let got = by.ask(&relay, Method::GET, &path, None).await;
            got.expect_problem(422, "invalid");
            told.push(masked(shown(&got), things));
        }
        assert_eq!(told[0], told[1]);
        let campaign = &own.campaign;
        let mut told = Vec::new();
        for delivery in [
            first_delivery(&relay, &other.campaign).await,
            "dlv_nobodys".to_owned(),
        ] {
            let path = format!("/v1/campaigns/{campaign}/deliveries?after={delivery}");
            let got = by.ask(&relay, Method::GET, &path, None).await;
            told.push(shown(&got).replace(&delivery, "dlv"));
        }
        assert_eq!(told[0], told[1]);
    }
    assert!(
        n_compared >= 20,
        "only {n_compared} were answered as not there"
    );
    // Nothing of it was done.
    let state =
        answer(relay.by_operator(Method::GET, &format!("/v1/reconnects/{}", other.reconnect)));
    assert_eq!(state.await.body["state"], "started");
    assert!(relay.clock.now() > Timestamp::from_ms(0));
}

async fn first_delivery(relay: &Relay, campaign: &str) -> String {
    let path = format!("/v1/campaigns/{campaign}/deliveries");
    let listed = answer(relay.by_operator(Method::GET, &path)).await;
    listed.body["deliveries"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}
