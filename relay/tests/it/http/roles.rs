//! Every endpoint by role, made by calling each as each. What is expected stands here apart from what the relay decides
//! by; an endpoint without a line fails, and `docs/roles.md` is what came of the calls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use protocol::request::Body;
use relay::http::{Mount, Serve, mount_endpoints};
use reqwest::header::{CONTENT_TYPE, ORIGIN};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::devices::Paired;
use super::reach::BEHIND_US;
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
    /// By the relay's own socket alone.
    Operator,
}
use Least::{Anybody, Client, Member, Operator, Owner};

/// Each endpoint, the least role, whether a device of that role may call it too, and with which scope an API key.
const EXPECTED: &[(&str, Least, bool, &str)] = &[
    ("signIn", Anybody, true, "any"),
    ("acceptInvitation", Anybody, true, "any"),
    ("createSession", Anybody, true, "any"),
    ("createDevice", Anybody, true, "any"),
    ("getAccount", Client, false, ""),
    ("setPassword", Client, false, ""),
    ("deletePassword", Client, false, ""),
    ("beginSignIn", Anybody, true, "any"),
    ("signInByPasskey", Anybody, true, "any"),
    ("beginProof", Client, false, ""),
    ("prove", Client, false, ""),
    ("getPasskeyCreation", Client, false, ""),
    ("createPasskey", Client, false, ""),
    ("listPasskeys", Client, false, ""),
    ("deletePasskey", Client, false, ""),
    ("createAccount", Owner, false, ""),
    ("listAccounts", Owner, false, ""),
    ("createInvitation", Owner, false, ""),
    ("updateAccount", Owner, false, ""),
    ("deleteAccount", Owner, false, ""),
    ("createLoginLink", Owner, false, ""),
    ("listSessions", Client, false, ""),
    ("deleteSession", Client, false, ""),
    ("deleteSessions", Client, false, ""),
    ("createPairing", Client, false, ""),
    ("listDevices", Client, false, ""),
    ("deleteDevice", Client, false, ""),
    ("getRelayKey", Client, true, "reconnect"),
    ("getRelayKeys", Operator, false, ""),
    ("renewRelayKeys", Operator, false, ""),
    ("createInbox", Member, false, "inboxes"),
    ("listInboxes", Client, true, "read"),
    ("getInbox", Client, true, "read"),
    ("updateInbox", Member, false, "inboxes"),
    ("deleteInbox", Member, false, "inboxes"),
    ("listChanges", Client, true, "read"),
    ("answerInbox", Member, false, "campaigns"),
    ("startReconnect", Client, true, "reconnect"),
    ("grantReconnect", Client, true, "reconnect"),
    ("refuseReconnect", Client, true, "reconnect"),
    ("confirmReconnect", Client, true, "reconnect"),
    ("hostReconnect", Client, true, "reconnect"),
    ("getReconnect", Client, true, "read"),
    ("getReceipt", Client, true, "read"),
    ("listReceipts", Client, true, "read"),
    ("listReceiptLines", Client, true, "read"),
    ("getReceiptDocument", Client, false, "read"),
    ("createCampaign", Member, false, "campaigns"),
    ("listCampaigns", Client, false, "read"),
    ("getCampaign", Client, false, "read"),
    ("updateCampaign", Member, false, "campaigns"),
    ("duplicateCampaign", Member, false, "campaigns"),
    ("deleteCampaign", Member, false, "campaigns"),
    ("importLeads", Member, false, "campaigns"),
    ("listLeads", Client, false, "read"),
    ("getLead", Client, false, "read"),
    ("updateLead", Member, false, "campaigns"),
    ("pauseLead", Member, false, "campaigns"),
    ("resumeLead", Member, false, "campaigns"),
    ("stopLead", Member, false, "campaigns"),
    ("deleteLead", Member, false, "campaigns"),
    ("listReplies", Client, false, "read"),
    ("showReply", Client, false, "read"),
    ("markReply", Member, false, "campaigns"),
    ("startCampaign", Member, false, "campaigns"),
    ("pauseCampaign", Member, false, "campaigns"),
    ("resumeCampaign", Member, false, "campaigns"),
    ("listDeliveries", Client, true, "read"),
    ("settleDelivery", Member, false, "campaigns"),
    ("settleDeliveries", Member, false, "campaigns"),
    ("putBackDeliveries", Member, false, "campaigns"),
    ("createFile", Member, false, "campaigns"),
    ("previewMessage", Member, false, "campaigns"),
    ("checkCampaign", Member, false, "campaigns"),
    ("getSender", Client, false, "read"),
    ("updateSender", Member, false, "inboxes"),
    ("listPaces", Client, false, "read"),
    ("getPace", Client, false, "read"),
    ("updatePace", Member, false, "campaigns"),
    ("getSending", Client, false, "read"),
    ("updateSending", Member, false, "campaigns"),
    ("whyCampaign", Client, false, "read"),
    ("planCampaign", Client, false, "read"),
    ("getCatchUp", Client, false, "read"),
    ("setCatchUp", Member, false, "campaigns"),
    ("getLedger", Owner, false, ""),
    ("keepRelay", Owner, false, ""),
    ("createSuppression", Member, false, "suppressions"),
    ("importSuppressions", Member, false, "suppressions"),
    ("listSuppressions", Member, false, "read"),
    ("deleteSuppression", Member, false, "suppressions"),
    ("getStatus", Client, true, "read"),
    ("createKey", Client, false, ""),
    ("listKeys", Client, false, ""),
    ("deleteKey", Client, false, ""),
    ("listAudit", Owner, false, ""),
    ("listAlerts", Member, false, "read"),
    ("testAlerts", Owner, false, ""),
];

/// Those that ask a session for a proof of the last ten minutes, whatever they are asked for. What sets the first password
/// and what ends another session ask for it too, and no other case of theirs does.
const ANEW: &[&str] = &[
    "createAccount",
    "createInvitation",
    "createKey",
    "createLoginLink",
    "createPairing",
    "createPasskey",
    "deleteAccount",
    "deleteKey",
    "deletePasskey",
    "deletePassword",
    "deleteSessions",
    "getPasskeyCreation",
    "updateAccount",
];

/// Every scope that a key can have.
const SCOPES: [&str; 5] = ["read", "reconnect", "campaigns", "inboxes", "suppressions"];

/// By what somebody with an account comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Session,
    Device,
    Key,
}

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
    Key(String),
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
            Self::Session(token) | Self::Key(token) => answer(asked().bearer_auth(token)).await,
            Self::Device(device) => device.answer(asked().header(ORIGIN, EXTENSION)).await,
            Self::Operator => answer(fill(relay.by_operator(endpoint.method.clone(), &path))).await,
        }
    }
}

/// What a call came to: let in, forbidden, or not known.
fn came_to(answer: &Answer, name: &str) -> &'static str {
    match answer.status.as_u16() {
        401 if answer.body["code"] == "proof_needed" => "anew",
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
    let relay = Relay::start_as(BEHIND_US).await;
    let mut callers = vec![("nobody", None, Caller::Nobody)];
    let mut single = Vec::new();
    for (role, least) in [("client", Client), ("member", Member), ("owner", Owner)] {
        let somebody = relay
            .join(&format!("jo, {role}"), role, json!([]))
            .await
            .token;
        let pairing = answer(relay.post("/v1/pairings", &somebody, &json!({}))).await;
        let device = Paired::by(&relay, &pairing.body, Some(EXTENSION)).await;
        let key = relay.make_key(&somebody, &SCOPES).await;
        for scope in SCOPES {
            single.push((scope, least, relay.make_key(&somebody, &[scope]).await));
        }
        callers.push((
            role,
            Some((least, Door::Session)),
            Caller::Session(somebody),
        ));
        callers.push((
            "device",
            Some((least, Door::Device)),
            Caller::Device(Box::new(device)),
        ));
        callers.push(("key", Some((least, Door::Key)), Caller::Key(key)));
    }
    callers.push(("operator", None, Caller::Operator));
    let expected: BTreeMap<_, _> = (EXPECTED.iter())
        .map(|(name, least, by_device, scope)| (*name, (*least, *by_device, *scope)))
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
        let (least, by_device, scope) = *expected
            .get(name)
            .unwrap_or_else(|| panic!("no line: {name}"));
        let mut cells = Vec::new();
        for (who, role, caller) in &callers {
            let found = came_to(&caller.call(&relay, endpoint).await, name);
            let may = match (least, role, caller) {
                (Anybody, _, _) | (_, _, Caller::Operator) => "yes",
                (_, None, _) => "who?",
                (_, Some((role, door)), _) => {
                    let high_enough = *role as u8 >= least as u8;
                    let by_this = match door {
                        Door::Session => true,
                        Door::Device => by_device,
                        Door::Key => !scope.is_empty(),
                    };
                    if high_enough && by_this { "yes" } else { "no" }
                }
            };
            assert_eq!(found, may, "{name} as {who} {role:?}");
            cells.push(found);
        }
        let mut scopes = BTreeSet::new();
        for (only, role, key) in &single {
            let found = came_to(&Caller::Key(key.clone()).call(&relay, endpoint).await, name);
            let fits = scope == *only && *role as u8 >= least as u8;
            let may = if least == Anybody || fits {
                "yes"
            } else {
                "no"
            };
            assert_eq!(found, may, "{name} with a key of {only} of {role:?}");
            if found == "yes" {
                scopes.insert(*only);
            }
        }
        let scope = match scopes.len() {
            0 => "none".to_owned(),
            5 => "any".to_owned(),
            _ => scopes.into_iter().collect::<Vec<_>>().join(", "),
        };
        rows.push((
            name,
            format!("{} {}", endpoint.method, endpoint.path),
            cells,
            scope,
        ));
    }
    relay.clock.advance(Duration::from_mins(10));
    for (who, _, caller) in &callers {
        let Caller::Session(_) = caller else { continue };
        for (endpoint, (_, _, cells, _)) in endpoints.iter().zip(&mut rows) {
            let found = came_to(&caller.call(&relay, endpoint).await, endpoint.name);
            let is_let_in = EXPECTED
                .iter()
                .any(|(name, least, ..)| *name == endpoint.name && *least as u8 <= level(who));
            let expected = match (is_let_in, ANEW.contains(&endpoint.name)) {
                (false, _) => "no",
                (true, false) => "yes",
                (true, true) => "anew",
            };
            assert_eq!(found, expected, "{} as {who}, later", endpoint.name);
            if found == "anew" {
                let column = 1 + 3 * (usize::from(level(who)) - 1);
                cells[column] = found;
            }
        }
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

fn level(who: &str) -> u8 {
    match who {
        "client" => Client as u8,
        "member" => Member as u8,
        _ => Owner as u8,
    }
}

fn render(rows: &[(&str, String, Vec<&str>, String)]) -> String {
    let mut page = "# Who may call what\n\n\
        Made by calling every endpoint as every caller (`relay/tests/it/http/roles.rs`); do not edit.\n\
        *yes*: let in. *anew*: let in, and a session must have proved within ten minutes whose it is, else 401 \
        `proof_needed`; so must one that sets the first password of its account (`setPassword`) or ends another session \
        (`deleteSession`). *no*: 403 `forbidden`. *who?*: 401 `unauthenticated`.\n\
        A device has the rights of the account that paired it, and may do less than a session.\n\
        An API key has the rights of the account that made it, as far as its scopes go; here it has all of them, and the \
        last column says which one is asked for.\n\
        The operator is who comes by the socket in the relay's data folder.\n\
        A client meets only the inboxes that were given to him, and what belongs to them: everything else is \
        answered as if it were not there.\n\
        Sessions, devices and keys that are listed or ended are the caller's own; an owner's and the operator's are \
        everybody's.\n\n\
        | endpoint | call | nobody | client | client's device | client's key | member | member's device | member's key | \
        owner | owner's device | owner's key | operator | scope |\n\
        | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (name, call, cells, scope) in rows {
        let _ = writeln!(
            page,
            "| `{name}` | `{call}` | {} | {scope} |",
            cells.join(" | ")
        );
    }
    page
}
