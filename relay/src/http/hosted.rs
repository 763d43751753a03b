//! Sign-ins that the relay runs itself, in an ordinary tab: a ticket opens `/oauth/start`, which sends the tab
//! to the provider; the provider sends it back to a path of its own below `/oauth/callback`. What comes back is
//! believed only with a state that waits (RFC 6749 §10.12), in the browser that began (RFC 9700 §4.7.1), at the
//! path of the provider that was asked (RFC 9700 §4.4.2.2) and from its issuer (RFC 9207 §2.4). From there on
//! everything is as if an extension had handed it over.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request as HttpRequest, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use protocol::evidence::{Finding, Party, Said, Stage};
use protocol::id::ReconnectId;
use protocol::problem::Code;
use protocol::reconnect::Grant;
use protocol::request::reconnect::{HostReconnect, HostedSignIn};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use protocol::visit::{Answer, find_state};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use subtle::ConstantTimeEq as _;
use url::{Url, form_urlencoded};

use super::answer::peer_of;
use super::page::Page;
use super::reconnect::{load_authorization, load_waiting, refuse, said_of, take};
use super::trail::{Caller, code_told};
use super::{Api, Context, Serve, ServeError, problem};
use crate::app::App;
use crate::credentials::visit_context;
use crate::oauth::visit;
use crate::secret::{hash, random_secret};
use crate::store::hosted::HostedVisit;

const START_PATH: &str = "/oauth/start";
/// Each provider's answers come to a path of its own below this one.
const CALLBACK_PATH: &str = "/oauth/callback";
/// What an answer is called in the audit log: it comes to no endpoint of the API.
const RECORDED_AS: &str = "answerHostedSignIn";
/// The cookies are sent to nothing else, where they can be kept to a path.
const COOKIE_PATH: &str = "/oauth";

/// Where a paragraph of a page is to say how one goes on. A card that waits offers Cancel; one that no longer does
/// offers Reconnect.
const WAY_ON: &str = "Close this tab. If the inbox's card still waits for the sign-in, press Cancel there, then \
     Reconnect.";

/// What the answer needs, sealed at rest until it comes.
#[derive(Serialize, Deserialize)]
struct Awaited {
    verifier: Secret,
    redirect_uri: String,
    /// The issuer that the answer must name; `None` where the provider does not promise that.
    issuer: Option<String>,
}

/// Both ends of the visit.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        // Whoever looks whether a link is alive does not use it up.
        .route(START_PATH, get(show_start).head(problem::no_such_method))
        .route(&format!("{CALLBACK_PATH}/{{provider}}"), get(show_callback))
}

/// The redirect URI of a provider, as it stands in the client's registration there. One for each provider, so that
/// an answer to one cannot pass for another's where no issuer is promised (RFC 9700 §4.4.2.2).
pub(super) fn callback_address(relay: &str, provider: &str) -> String {
    format!("{relay}{CALLBACK_PATH}/{provider}")
}

impl Serve for HostReconnect {
    async fn serve(self, context: Context) -> Result<HostedSignIn, ServeError> {
        let seen = context.sight().reconnect(&self.reconnect_id).await?;
        let app = seen.app();
        let reconnect = load_waiting(app, &seen.id).await?;
        let inbox = app.store.load_inbox(&reconnect.inbox).await?;
        // Now, so that no tab is opened on a provider that does not answer.
        load_authorization(app, &inbox).await?;
        let (now, ticket) = (app.clock.now(), random_secret());
        app.store
            .create_ticket(&ticket, &reconnect.id, now, reconnect.expires_at)
            .await?;
        let url = format!(
            "{}{START_PATH}?ticket={}",
            context.relay_url(),
            ticket.expose()
        );
        Ok(HostedSignIn {
            url: Secret::new(url),
        })
    }
}

async fn show_start(State(api): State<Arc<Api>>, request: HttpRequest) -> Response {
    // A browser that fetches what its person may open next (Fetch, `Sec-Purpose`).
    let purpose = request.headers().get("sec-purpose");
    if purpose.is_some_and(|purpose| purpose.as_bytes().starts_with(b"prefetch")) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let query = request.uri().query().unwrap_or_default();
    start(&api, query)
        .await
        .unwrap_or_else(|error| show_failure(error, &request))
}

async fn show_callback(State(api): State<Arc<Api>>, request: HttpRequest) -> Response {
    let id = problem::request_id_of(&request);
    let peer = peer_of(request.extensions()).to_string();
    let caller = Caller::by_link(peer, request.headers(), &id);
    receive(&api, request.uri(), request.headers(), &caller)
        .await
        .unwrap_or_else(|error| show_failure(error, &request))
}

fn show_failure(error: ServeError, request: &HttpRequest) -> Response {
    let problem = error.tell(&problem::request_id_of(request));
    if problem.code == Code::Conflict {
        return over().render();
    }
    let mut page = Page::of_problem(&problem);
    page.words = format!("{}\n{WAY_ON}", page.words);
    page.render()
}

/// Uses the ticket up and sends the tab to the provider.
async fn start(api: &Api, query: &str) -> Result<Response, ServeError> {
    let app = &*api.app;
    let Some(ticket) = find_ticket(query) else {
        return Ok(used_up().render());
    };
    let Some(id) = app.store.find_ticket(&ticket).await? else {
        return Ok(used_up().render());
    };
    let reconnect = load_waiting(app, &id).await?;
    let inbox = app.store.load_inbox(&reconnect.inbox).await?;
    let authorization = load_authorization(app, &inbox).await?;
    let redirect_uri = api.address.callback(inbox.provider.as_str());
    let visit = visit::begin(&authorization, &redirect_uri).map_err(ServeError::internal)?;
    let awaited = Awaited {
        verifier: visit.verifier,
        redirect_uri,
        issuer: visit.issuer,
    };
    let cookie = random_secret();
    let sealed = app.keys.seal(&visit_context(&id), &awaited);
    let sealed = sealed.map_err(ServeError::internal)?;
    let begun = HostedVisit {
        reconnect: id,
        cookie_hash: hash(&cookie),
        payload: sealed.to_string(),
    };
    if !app.store.begin_visit(&ticket, &visit.state, &begun).await? {
        return Ok(used_up().render());
    }
    let lasts_s = seconds_until(reconnect.expires_at, app.clock.now());
    let cookie = Jar::of(api).write(&visit.state, cookie.expose(), lasts_s);
    let header = |text: &str| HeaderValue::from_str(text).map_err(ServeError::internal);
    Ok((
        StatusCode::FOUND,
        [
            (LOCATION, header(visit.url.as_str())?),
            (SET_COOKIE, header(&cookie)?),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ],
    )
        .into_response())
}

/// Takes the provider's answer, if it is one that a visit waits for.
async fn receive(
    api: &Api,
    uri: &Uri,
    headers: &HeaderMap,
    caller: &Caller<'_>,
) -> Result<Response, ServeError> {
    let (app, jar) = (&*api.app, Jar::of(api));
    let query = uri.query().unwrap_or_default();
    let Some(state) = find_state(query) else {
        return Ok(not_awaited().render());
    };
    let Some(visit) = app.store.find_visit(&state).await? else {
        return Ok(not_awaited().render());
    };
    // Where another browser brings the answer, somebody may have been lured into finishing a stranger's
    // sign-in; the visit goes on waiting for its own.
    let is_its_browser: bool = jar.find(headers, &state).is_some_and(|cookie| {
        let (found, expected) = (hash(&cookie), visit.cookie_hash.as_bytes());
        found.as_bytes().ct_eq(expected).into()
    });
    if !is_its_browser {
        return Ok(other_browser().render());
    }
    let awaited: Awaited = app
        .keys
        .open(&visit_context(&visit.reconnect), &visit.payload)
        .map_err(ServeError::internal)?;
    let answer = if came_to(&awaited.redirect_uri, uri) {
        Answer::read(query, awaited.issuer.as_deref())
    } else {
        Some(Answer::OtherIssuer { found: None })
    };
    let Some(answer) = answer else {
        return Ok(not_awaited().render());
    };
    if !app.store.end_visit(&state).await? {
        return Ok(not_awaited().render());
    }
    let fields = [("reconnect_id".to_owned(), visit.reconnect.as_str().into())];
    let begun = caller
        .begin(api, RECORDED_AS, Map::from_iter(fields))
        .await?;
    let finished = finish(app, &visit.reconnect, awaited, answer).await;
    let ended = match &finished {
        Ok(_) => Ok(None),
        Err(error) => Err(code_told(error)),
    };
    caller.end(api, begun, ended).await;
    let mut response = finished?.render();
    let ended = HeaderValue::from_str(&jar.write(&state, "", 0));
    response
        .headers_mut()
        .insert(SET_COOKIE, ended.map_err(ServeError::internal)?);
    Ok(response)
}

/// Does what the answer asks for, and says what the tab shows.
async fn finish(
    app: &App,
    id: &ReconnectId,
    awaited: Awaited,
    answer: Answer,
) -> Result<Page, ServeError> {
    let reconnect = load_waiting(app, id).await?;
    let inbox = app.store.load_inbox(&reconnect.inbox).await?;
    match answer {
        Answer::Granted { code } => {
            let grant = Grant::Code {
                code,
                verifier: awaited.verifier,
                redirect_uri: awaited.redirect_uri,
            };
            take(app, id, &grant).await?;
            Ok(signed_in(inbox.address.as_str()))
        }
        Answer::Refused { error, description } => {
            let said = said_of(&error, description.as_deref().unwrap_or_default());
            let refused = refuse(app, &inbox, id, Party::Oauth, Stage::Authorize, said).await?;
            Ok(refused.card.map_or_else(over, |card| {
                Page::new(StatusCode::OK, &card.title, &card.explanation)
            }))
        }
        Answer::OtherIssuer { .. } => {
            // The visit is over, so nothing can come for the reconnect: it is not left waiting in vain.
            let said = Said::Found(Finding::MixedUp);
            refuse(app, &inbox, id, Party::Relay, Stage::Authorize, said).await?;
            Ok(other_issuer())
        }
    }
}

/// Whether an answer came to the redirect URI that was sent. The port may be another one since a restart; the
/// provider's name is in the path.
fn came_to(redirect_uri: &str, uri: &Uri) -> bool {
    Url::parse(redirect_uri).is_ok_and(|sent| sent.path() == uri.path())
}

fn find_ticket(query: &str) -> Option<Secret> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "ticket")
        .map(|(_, ticket)| Secret::new(ticket))
}

fn seconds_until(end: Timestamp, now: Timestamp) -> u64 {
    end.since(now).as_secs()
}

/// The cookies of the visits, one for each, so that two tabs do not take each other's.
#[derive(Clone, Copy, Debug)]
struct Jar {
    /// Whether browsers come by TLS. Then a cookie is sent by nothing else, and no other host of the domain can set one
    /// of its name (RFC 6265 §4.1, in its revision §4.1.3.2: `__Host-`, which asks for the path `/`).
    is_encrypted: bool,
}

impl Jar {
    fn of(api: &Api) -> Self {
        Self {
            is_encrypted: api.address.is_encrypted(),
        }
    }

    fn name(self, state: &Secret) -> String {
        /// Enough to tell visits apart; the value proves.
        const DIGITS: usize = 16;
        let digits: String = hash(state).chars().take(DIGITS).collect();
        let prefix = if self.is_encrypted { "__Host-" } else { "" };
        format!("{prefix}unpause_visit_{digits}")
    }

    /// `Lax`: sent with the provider's redirect, a navigation of the tab, and with nothing that a page embeds.
    fn write(self, state: &Secret, value: &str, lasts_s: u64) -> String {
        let (path, secure) = if self.is_encrypted {
            ("/", "; Secure")
        } else {
            (COOKIE_PATH, "")
        };
        let name = self.name(state);
        format!("{name}={value}; Path={path}; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}")
    }

    fn find(self, headers: &HeaderMap, state: &Secret) -> Option<Secret> {
        let name = self.name(state);
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(found, _)| *found == name)
            .map(|(_, value)| Secret::new(value))
    }
}

fn signed_in(address: &str) -> Page {
    let words = format!(
        "You can close this tab. Unpause now tests that {address} sends and reads, and goes on with its \
         campaigns by itself."
    );
    Page::new(StatusCode::OK, "Signed in", &words)
}

fn used_up() -> Page {
    Page::new(
        StatusCode::GONE,
        "This link no longer works",
        &format!("It works once, and for a few minutes.\n{WAY_ON}"),
    )
}

fn not_awaited() -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "No sign-in waits for this page",
        &format!(
            "It was answered already, or was not begun here. Nothing was changed by opening it again.\n{WAY_ON}"
        ),
    )
}

fn other_browser() -> Page {
    Page::new(
        StatusCode::FORBIDDEN,
        "Another browser began this sign-in",
        &format!(
            "It can be finished only where it began, and with cookies allowed for this address. Nothing was \
             changed. If somebody sent you a link to this sign-in, do not go on with it.\n{WAY_ON}"
        ),
    )
}

fn other_issuer() -> Page {
    Page::new(
        StatusCode::BAD_REQUEST,
        "Another provider answered",
        "The answer came from another provider than the one that was asked. Nothing of it was used, and the \
         sign-in was ended.\nClose this tab, press Reconnect on the inbox's card, and mind which page you sign \
         in on.",
    )
}

fn over() -> Page {
    Page::new(
        StatusCode::CONFLICT,
        "This sign-in is over",
        "It took too long, was ended, or another one was quicker. Nothing of this one was used.\nClose this \
         tab. If the inbox is still disconnected, press Reconnect on its card.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_one_provider_is_not_anothers() {
        let sent = callback_address("http://127.0.0.1:7411", "google");
        assert_eq!(sent, "http://127.0.0.1:7411/oauth/callback/google");
        for (path, is_its) in [
            ("/oauth/callback/google?code=c", true),
            ("/oauth/callback/microsoft?code=c", false),
            ("/oauth/callback/google/?code=c", false),
            ("/oauth/callback?code=c", false),
        ] {
            assert_eq!(came_to(&sent, &path.parse().unwrap()), is_its, "{path}");
        }
    }

    #[test]
    fn a_cookie_belongs_to_its_visit() {
        let (ours, theirs) = (Secret::new("one state"), Secret::new("another"));
        for (is_encrypted, begins, ends) in [
            (
                false,
                "unpause_visit_",
                "=value; Path=/oauth; Max-Age=600; HttpOnly; SameSite=Lax",
            ),
            (
                true,
                "__Host-unpause_visit_",
                "=value; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure",
            ),
        ] {
            let jar = Jar { is_encrypted };
            let cookie = jar.write(&ours, "value", 600);
            assert!(cookie.starts_with(begins), "{cookie}");
            assert!(cookie.ends_with(ends), "{cookie}");
            let pair = cookie.split(';').next().unwrap();
            let mut headers = HeaderMap::new();
            let sent = format!("theme=dark; {pair}; other=1");
            headers.insert(COOKIE, HeaderValue::from_str(&sent).unwrap());
            assert_eq!(jar.find(&headers, &ours), Some(Secret::new("value")));
            assert_eq!(jar.find(&headers, &theirs), None);
            let other = Jar {
                is_encrypted: !is_encrypted,
            };
            assert_eq!(other.find(&headers, &ours), None, "of the other kind");
            assert!(!cookie.contains("one state"), "{cookie}");
        }
    }
}
