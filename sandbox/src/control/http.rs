//! [`Control`] over HTTP; `control.rs` lists the calls.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::{Control, DropAfterData, Held, Point, SentCopyFault, Stage};
use crate::account::UnknownPerson;
use crate::locked;

/// The longest a caller may wait in one request; it may ask again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Everything below `/control/`.
pub(crate) fn router(control: Control) -> Router {
    let calls = Router::new()
        .route("/control/revoke", post(revoke))
        .route("/control/revoke-after", post(revoke_after))
        .route("/control/change-password", post(change_password))
        .route("/control/demand-app-password", post(demand_app_password))
        .route("/control/make-app-password", post(make_app_password))
        .route("/control/delete-app-password", post(delete_app_password))
        .route("/control/hide-ids", post(hide_ids))
        .route("/control/want-admin", post(want_admin))
        .route(
            "/control/hold-imap-connections",
            post(hold_imap_connections),
        )
        .route("/control/sent-copy", post(sent_copy))
        .route("/control/renumber", post(renumber))
        .route("/control/lock", post(lock))
        .route("/control/share", post(share))
        .route("/control/rate-limit", post(rate_limit))
        .route("/control/smtp-auth-off", post(smtp_auth_off))
        .route("/control/garbage", post(garbage))
        .route("/control/echo", post(echo))
        .route("/control/down", post(down))
        .route("/control/redirects-forgotten", post(redirects_forgotten))
        .route("/control/secrets-over", post(secrets_over))
        .route("/control/codes-stolen", post(codes_stolen))
        .route("/control/permissions-end", post(permissions_end))
        .route("/control/other-issuer", post(other_issuer))
        .route("/control/refuse-visit", post(refuse_visit))
        .route("/control/slow", post(slow))
        .route("/control/drop-after-data", post(drop_after_data))
        .route("/control/refuse-recipient", post(refuse_recipient))
        .route("/control/next-reply", post(next_reply))
        .route("/control/reset-faults", post(reset_faults))
        .route("/control/deliver", post(deliver))
        .route("/control/hold", post(hold))
        .route(
            "/control/hold/{hold}",
            get(wait_for_hold).delete(release_hold),
        )
        .route("/control/events", get(events))
        .route("/control/delivered", get(delivered))
        .route("/control/folder", get(folder))
        .route("/control/grants", get(grants));
    calls
        .layer(middleware::from_fn(only_this_machine))
        .with_state(Arc::new(Remote {
            control,
            holds: Mutex::default(),
            next: AtomicU64::new(0),
        }))
}

struct Remote {
    control: Control,
    holds: Mutex<HashMap<u64, Arc<Held>>>,
    next: AtomicU64,
}

type Remoted = State<Arc<Remote>>;

/// An address that nobody has is 404; everything else was done.
struct Done(Result<(), UnknownPerson>);

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        match self.0 {
            Ok(()) => Json(json!({})).into_response(),
            Err(unknown) => not_found(&unknown.to_string()),
        }
    }
}

fn not_found(error: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response()
}

/// Neither another machine, nor a web page (its `Origin`), nor a name that was made to lead here
/// (its `Host`, DNS rebinding) may drive the provider.
async fn only_this_machine(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let named = matches!(name, "127.0.0.1" | "localhost" | "[::1]");
    if !peer.ip().is_loopback() || !named || headers.contains_key(header::ORIGIN) {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    address: String,
    messages: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    address: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefusedVisit {
    error: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shared {
    address: String,
    with: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressSwitch {
    address: String,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connections {
    address: String,
    n: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfFolder {
    address: String,
    folder: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    address: String,
    reply: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripted {
    stage: Stage,
    reply: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mail {
    to: String,
    raw: String,
}

#[derive(Deserialize)]
struct WaitFor {
    #[serde(default)]
    wait_ms: u64,
}

#[derive(Deserialize)]
struct DeliveredQuery {
    #[serde(default)]
    from: usize,
    #[serde(default)]
    raw: bool,
}

#[derive(Deserialize)]
struct FolderQuery {
    address: String,
    name: String,
}

async fn revoke(State(remote): Remoted, Json(body): Json<Address>) -> Done {
    Done(remote.control.revoke(&body.address))
}

async fn revoke_after(State(remote): Remoted, Json(body): Json<Messages>) -> Done {
    Done(remote.control.revoke_after(&body.address, body.messages))
}

async fn change_password(State(remote): Remoted, Json(body): Json<Password>) -> Done {
    Done(
        remote
            .control
            .change_password(&body.address, &body.password),
    )
}

async fn demand_app_password(State(remote): Remoted, Json(body): Json<Address>) -> Response {
    say_app_password(remote.control.demand_app_password(&body.address))
}

async fn make_app_password(State(remote): Remoted, Json(body): Json<Address>) -> Response {
    say_app_password(remote.control.make_app_password(&body.address))
}

fn say_app_password(made: Result<String, UnknownPerson>) -> Response {
    match made {
        Ok(app_password) => Json(json!({ "app_password": app_password })).into_response(),
        Err(unknown) => not_found(&unknown.to_string()),
    }
}

async fn delete_app_password(State(remote): Remoted, Json(body): Json<Address>) -> Done {
    Done(remote.control.delete_app_password(&body.address))
}

async fn hide_ids(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.hide_ids(body.on);
    Done(Ok(()))
}

async fn want_admin(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.want_admin(body.on);
    Done(Ok(()))
}

async fn hold_imap_connections(State(remote): Remoted, Json(body): Json<Connections>) -> Done {
    Done(remote.control.hold_imap_connections(&body.address, body.n))
}

async fn sent_copy(State(remote): Remoted, Json(body): Json<Option<SentCopyFault>>) -> Done {
    remote.control.set_sent_copy(body);
    Done(Ok(()))
}

async fn renumber(State(remote): Remoted, Json(body): Json<OfFolder>) -> Response {
    match remote.control.renumber(&body.address, &body.folder) {
        Ok(()) => Json(json!({})).into_response(),
        Err(unknown) => not_found(&unknown.to_string()),
    }
}

async fn lock(State(remote): Remoted, Json(body): Json<AddressSwitch>) -> Done {
    Done(remote.control.lock(&body.address, body.on))
}

async fn redirects_forgotten(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.forget_redirects(body.on);
    Done(Ok(()))
}

async fn secrets_over(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.end_secrets(body.on);
    Done(Ok(()))
}

async fn codes_stolen(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.steal_codes(body.on);
    Done(Ok(()))
}

async fn permissions_end(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.give_passing_permissions(body.on);
    Done(Ok(()))
}

async fn other_issuer(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.name_other_issuer(body.on);
    Done(Ok(()))
}

async fn refuse_visit(State(remote): Remoted, Json(body): Json<RefusedVisit>) -> Done {
    let RefusedVisit { error, description } = body;
    remote.control.refuse_next_visit(&error, &description);
    Done(Ok(()))
}

async fn share(State(remote): Remoted, Json(body): Json<Shared>) -> Done {
    Done(remote.control.share(&body.address, &body.with))
}

async fn rate_limit(State(remote): Remoted, Json(body): Json<Messages>) -> Done {
    Done(remote.control.rate_limit(&body.address, body.messages))
}

async fn smtp_auth_off(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.switch_smtp_auth_off(body.on);
    Done(Ok(()))
}

async fn garbage(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.answer_garbage(body.on);
    Done(Ok(()))
}

async fn echo(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.echo_secrets(body.on);
    Done(Ok(()))
}

async fn down(State(remote): Remoted, Json(body): Json<Switch>) -> Done {
    remote.control.down(body.on);
    Done(Ok(()))
}

async fn slow(State(remote): Remoted, Json(body): Json<Slow>) -> Done {
    remote.control.answer_slowly(Duration::from_millis(body.ms));
    Done(Ok(()))
}

async fn drop_after_data(State(remote): Remoted, Json(body): Json<DropAfterData>) -> Done {
    remote.control.drop_after_data(body);
    Done(Ok(()))
}

async fn refuse_recipient(State(remote): Remoted, Json(body): Json<Refused>) -> Done {
    remote.control.refuse_recipient(&body.address, body.reply);
    Done(Ok(()))
}

async fn next_reply(State(remote): Remoted, Json(body): Json<Scripted>) -> Done {
    remote.control.next_reply(body.stage, body.reply);
    Done(Ok(()))
}

async fn reset_faults(State(remote): Remoted) -> Done {
    remote.control.reset_faults();
    locked(&remote.holds).clear();
    Done(Ok(()))
}

async fn deliver(State(remote): Remoted, Json(body): Json<Mail>) -> Done {
    remote.control.deliver(&body.to, body.raw);
    Done(Ok(()))
}

async fn hold(State(remote): Remoted, Json(point): Json<Point>) -> Json<Value> {
    let id = remote.next.fetch_add(1, Ordering::Relaxed) + 1;
    locked(&remote.holds).insert(id, Arc::new(remote.control.hold(point)));
    Json(json!({ "hold": id }))
}

async fn wait_for_hold(
    State(remote): Remoted,
    Path(id): Path<u64>,
    Query(query): Query<WaitFor>,
) -> Response {
    let Some(held) = locked(&remote.holds).get(&id).cloned() else {
        return not_found("no such hold");
    };
    let wait = Duration::from_millis(query.wait_ms).min(LONGEST_WAIT);
    let reached = tokio::time::timeout(wait, held.reached()).await.ok();
    Json(json!({ "reached": reached })).into_response()
}

async fn release_hold(State(remote): Remoted, Path(id): Path<u64>) -> Response {
    match locked(&remote.holds).remove(&id) {
        Some(_) => Json(json!({})).into_response(),
        None => not_found("no such hold"),
    }
}

async fn events(State(remote): Remoted) -> Response {
    let lines = stream::unfold(remote.control.events(), |mut events| async move {
        loop {
            match events.recv().await {
                Ok(event) => {
                    let line = serde_json::to_string(&event).map(|json| Bytes::from(json + "\n"));
                    return Some((line, events));
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (kind, Body::from_stream(lines)).into_response()
}

async fn delivered(State(remote): Remoted, Query(query): Query<DeliveredQuery>) -> Json<Value> {
    let delivered: Vec<_> = remote
        .control
        .delivered()
        .iter()
        .skip(query.from)
        .map(|delivered| {
            json!({
                "recipient": delivered.recipient,
                "envelope_from": delivered.envelope_from,
                "message_id": delivered.message_id,
                "at_ms": delivered.at_ms,
                "session": delivered.session,
                "headers": delivered.headers(),
                "raw": query.raw.then(|| String::from_utf8_lossy(&delivered.raw)),
            })
        })
        .collect();
    Json(json!({ "delivered": delivered }))
}

async fn folder(State(remote): Remoted, Query(query): Query<FolderQuery>) -> Response {
    let Some(folder) = remote.control.folder(&query.address, &query.name) else {
        return not_found("no such folder");
    };
    let messages: Vec<_> = folder
        .messages
        .iter()
        .map(|stored| {
            json!({
                "uid": stored.uid,
                "flags": stored.flags,
                "received_at_ms": stored.received_at_ms,
                "raw": String::from_utf8_lossy(&stored.raw),
            })
        })
        .collect();
    Json(json!({
        "name": folder.name,
        "special_use": folder.special_use,
        "uid_validity": folder.uid_validity,
        "uid_next": folder.uid_next,
        "messages": messages,
    }))
    .into_response()
}

async fn grants(State(remote): Remoted, Query(query): Query<Address>) -> Json<Value> {
    Json(json!({ "grants": remote.control.grants(&query.address) }))
}
