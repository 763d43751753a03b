//! Every endpoint by role, made by calling each as each. What is expected stands here apart from what the relay decides
//! by; an endpoint without a line fails, and `docs/roles.md` is what came of the calls.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use protocol::request::Body;
use relay::http::{Mount, Serve, mount_endpoints};
use reqwest::header::{CONTENT_TYPE, ORIGIN};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::devices::Paired;
use super::{Answer, EXTENSION, Relay, answer};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/roles.md");
const WRITE: &str = "UNPAUSE_WRITE_DOCS";

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Least {
    Anybody,
    Client,
    Member,
    Owner,
}
use Least::{Anybody, Client, Member, Owner};

/// Each endpoint, the least role, and whether a device of that role may call it too.
const EXPECTED: &[(&str, Least, bool)] = &[
    ("signIn", Anybody, true),
    ("acceptInvitation", Anybody, true),
    ("createSession", Anybody, true),
    ("createDevice", Anybody, true),
    ("getAccount", Client, false),
    ("setPassword", Client, false),
    ("createAccount", Owner, false),
    ("listAccounts", Owner, false),
    ("createInvitation", Owner, false),
    ("updateAccount", Owner, false),
    ("deleteAccount", Owner, false),
    ("createLoginLink", Owner, false),
    ("listSessions", Client, false),
    ("deleteSession", Client, false),
    ("deleteSessions", Client, false),
    ("createPairing", Client, false),
    ("listDevices", Client, false),
    ("deleteDevice", Client, false),
    ("getRelayKey", Client, true),
    ("createInbox", Member, false),
    ("listInboxes", Client, true),
    ("getInbox", Client, true),
    ("updateInbox", Member, false),
    ("deleteInbox", Member, false),
    ("listChanges", Client, true),
    ("answerInbox", Member, false),
    ("startReconnect", Client, true),
    ("grantReconnect", Client, true),
    ("refuseReconnect", Client, true),
    ("confirmReconnect", Client, true),
    ("hostReconnect", Client, true),
    ("getReconnect", Client, true),
    ("getReceipt", Client, true),
    ("listReceipts", Client, true),
    ("listReceiptLines", Client, true),
    ("createCampaign", Member, false),
    ("listCampaigns", Client, false),
    ("getCampaign", Client, false),
    ("importLeads", Member, false),
    ("startCampaign", Member, false),
    ("pauseCampaign", Member, false),
    ("resumeCampaign", Member, false),
    ("listDeliveries", Client, true),
    ("settleDelivery", Member, false),
    ("settleDeliveries", Member, false),
    ("putBackDeliveries", Member, false),
    ("listPaces", Client, false),
    ("getPace", Client, false),
    ("updatePace", Member, false),
    ("getLedger", Owner, false),
    ("keepRelay", Owner, false),
    ("createSuppression", Member, false),
    ("listSuppressions", Member, false),
    ("deleteSuppression", Member, false),
    ("getStatus", Client, true),
    ("listAlerts", Member, false),
    ("testAlerts", Owner, false),
];

/// What a test needs to call an endpoint.
pub(super) struct Endpoint {
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) path: &'static str,
    is_csv: bool,
}

/// Every endpoint that the relay mounts.
pub(super) struct Endpoints(pub(super) Vec<Endpoint>);

impl Mount for Endpoints {
    fn mount<R: Serve>(mut self) -> Self {
        self.0.push(Endpoint {
            name: R::NAME,
            method: R::METHOD,
            path: R::PATH,
            is_csv: matches!(R::BODY, Body::Csv { .. }),
        });
        self
    }
}

/// Who calls.
enum Caller {
    Nobody,
    Session(String),
    Device(Box<Paired>),
    Operator,
}

impl Caller {
    /// Asks for something that no endpoint takes: whoever is let in hears that, and nothing is done.
    async fn call(&self, relay: &Relay, endpoint: &Endpoint) -> Answer {
        let path = endpoint.path.replace(['{', '}'], "");
        let asks = matches!(endpoint.method, Method::GET | Method::DELETE) || endpoint.is_csv;
        let path = if asks {
            format!("{path}?nonsense=1")
        } else {
            path
        };
        let fill = |asked: RequestBuilder| match (asks, endpoint.is_csv) {
            (false, _) => asked.json(&json!({ "nonsense": 1 })),
            (true, true) => asked.header(CONTENT_TYPE, "text/csv").body("email\n"),
            (true, false) => asked,
        };
        let asked = || fill(relay.ask(endpoint.method.clone(), &path));
        match self {
            Self::Nobody => answer(asked()).await,
            Self::Session(token) => answer(asked().bearer_auth(token)).await,
            Self::Device(device) => device.answer(asked().header(ORIGIN, EXTENSION)).await,
            Self::Operator => answer(fill(relay.by_operator(endpoint.method.clone(), &path))).await,
        }
    }
}

/// What a call came to: let in, forbidden, or not known.
fn came_to(answer: &Answer, name: &str) -> &'static str {
    match answer.status.as_u16() {
        401 => "who?",
        403 => "no",
        422 => {
            let detail = answer.body["detail"].as_str().unwrap();
            assert!(detail.contains("nonsense"), "{name}: {detail}");
            "yes"
        }
        _ => panic!("{name}: {} {}", answer.status, answer.body),
    }
}

#[tokio::test]
async fn every_endpoint_lets_in_whom_it_is_for_and_nobody_else() {
    let relay = Relay::start().await;
    let mut callers = vec![("nobody", None, Caller::Nobody)];
    for (role, least) in [("client", Client), ("member", Member), ("owner", Owner)] {
        let somebody = relay
            .join(&format!("jo, {role}"), role, json!([]))
            .await
            .token;
        let pairing = answer(relay.post("/v1/pairings", &somebody, &json!({}))).await;
        let device = Paired::by(&relay, &pairing.body, Some(EXTENSION)).await;
        callers.push((role, Some((least, false)), Caller::Session(somebody)));
        callers.push((
            "device",
            Some((least, true)),
            Caller::Device(Box::new(device)),
        ));
    }
    callers.push(("operator", None, Caller::Operator));
    let expected: BTreeMap<_, _> = (EXPECTED.iter())
        .map(|(name, least, by_device)| (*name, (*least, *by_device)))
        .collect();
    let endpoints = mount_endpoints(Endpoints(Vec::new())).0;
    assert_eq!(
        endpoints.len(),
        expected.len(),
        "an endpoint without a line, or a line without one"
    );
    let mut rows = Vec::new();
    for endpoint in &endpoints {
        let name = endpoint.name;
        let (least, by_device) = *expected
            .get(name)
            .unwrap_or_else(|| panic!("no line: {name}"));
        let mut cells = Vec::new();
        for (who, role, caller) in &callers {
            let found = came_to(&caller.call(&relay, endpoint).await, name);
            let may = match (least, role, caller) {
                (Anybody, _, _) | (_, _, Caller::Operator) => "yes",
                (_, None, _) => "who?",
                (_, Some((role, is_device)), _) => {
                    let high_enough = *role as u8 >= least as u8;
                    if high_enough && (by_device || !is_device) {
                        "yes"
                    } else {
                        "no"
                    }
                }
            };
            assert_eq!(found, may, "{name} as {who} {role:?}");
            cells.push(found);
        }
        rows.push((
            name,
            format!("{} {}", endpoint.method, endpoint.path),
            cells,
        ));
    }
    let page = render(&rows);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PAGE, page).unwrap();
    } else {
        let kept = std::fs::read_to_string(PAGE).unwrap_or_default();
        assert!(
            kept == page,
            "docs/roles.md is not what was found; write it with {WRITE}=1"
        );
    }
}

fn render(rows: &[(&str, String, Vec<&str>)]) -> String {
    let mut page = "# Who may call what\n\n\
        Made by calling every endpoint as every caller (`relay/tests/it/http/roles.rs`); do not edit.\n\
        *yes*: let in. *no*: 403 `forbidden`. *who?*: 401 `unauthenticated`.\n\
        A device has the rights of the account that paired it, and may do less than a session.\n\
        The operator is who comes by the socket in the relay's data folder.\n\
        A client meets only the inboxes that were given to him, and what belongs to them: everything else is \
        answered as if it were not there.\n\
        Sessions and devices that are listed or ended are the caller's own; an owner's and the operator's are \
        everybody's.\n\n\
        | endpoint | call | nobody | client | client's device | member | member's device | owner | owner's device | operator |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (name, call, cells) in rows {
        let _ = writeln!(page, "| `{name}` | `{call}` | {} |", cells.join(" | "));
    }
    page
}
