//! The authorization endpoint and the pages of a sign-in.
//!
//! ```text
//! /authorize ─→ choose account ─→ password ─→ (warning) ─→ consent ─→ redirect to the client
//!       └ login_hint ────────────────↑              ↑  │
//!       └ signed in in this browser ────────────────┘  └ needs an administrator: back to the client
//! ```
//! Consent that was given before shows no page. `prompt=none` shows none at all and answers with an error
//! instead. The warning of unverified apps and the need of an administrator are the profile's.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use url::Url;

use super::browser::{AuthorizationRequest, Purpose, Transaction, find_cookie, set_cookie};
use super::grant::CodeTerms;
use super::page;
use crate::account::Refusal;
use crate::locked;
use crate::profile::{IssuerInAnswer, OAuth, OAuthError, Offline, Scope};
use crate::provider::Provider;

/// How many people the account chooser offers; a sandbox may hold thousands.
const OFFERED: usize = 8;

/// Whom answers name while that fault is on.
const OTHER_ISSUER: &str = "https://other.example";

type Fields = HashMap<String, String>;

/// `GET /authorize` (RFC 6749 §4.1.1).
pub(super) async fn start(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Query(query): Query<Fields>,
) -> Response {
    let Some(habits) = provider.oauth() else {
        return page::dead_end("No sign-in for apps", "This provider has no OAuth.");
    };
    // RFC 6749 §4.1.2.1: with a wrong client or address the person is told, nobody is redirected.
    let get = |name: &str| {
        query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    };
    let Some(client) = get("client_id").and_then(|id| provider.clients.find(id)) else {
        return page::dead_end(
            "Unknown app",
            "This app (client_id) is not registered here.",
        );
    };
    let Some(redirect_uri) = get("redirect_uri")
        .filter(|uri| client.may_redirect_to(uri) && !locked(&provider.faults).redirects_forgotten)
    else {
        return page::dead_end(
            "Unknown address",
            "This app's redirect address (redirect_uri) is not registered here.",
        );
    };
    let state = get("state").map(str::to_owned);
    let say = |said: OAuthError| answer(&provider, redirect_uri, state.as_deref(), said);
    let refuse = |error, description| say(OAuthError::new(error, description));
    let refused = locked(&provider.faults).next_visit_refused.take();
    if let Some((error, description)) = refused {
        let fields = [
            ("error", error.as_str()),
            ("error_description", description.as_str()),
        ];
        return redirect(&provider, redirect_uri, state.as_deref(), &fields);
    }
    if get("response_type") != Some("code") {
        return refuse(
            "unsupported_response_type",
            "only response_type=code is offered",
        );
    }
    let challenge = match (get("code_challenge"), get("code_challenge_method")) {
        (Some(challenge), Some("S256")) => challenge.to_owned(),
        _ => {
            return refuse(
                "invalid_request",
                "PKCE with code_challenge_method=S256 is required",
            );
        }
    };
    let scopes: Vec<_> = get("scope")
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() || scopes.iter().any(|scope| habits.scope(scope).is_none()) {
        return refuse("invalid_scope", "scope is missing or not known here");
    }
    let prompts: Vec<_> = get("prompt")
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let asks = |prompt: &str| prompts.contains(&prompt);
    let ask_offline = match habits.offline {
        Offline::WithScope(wanted) => scopes.iter().any(|scope| scope == wanted),
        Offline::WithParameterAndConsent => get("access_type") == Some("offline"),
    };
    let request = AuthorizationRequest {
        client_id: client.id,
        redirect_uri: redirect_uri.to_owned(),
        state: state.clone(),
        challenge,
        scopes,
        ask_consent: asks("consent"),
        ask_offline,
        nonce: get("nonce").map(str::to_owned),
    };
    let cookie = find_cookie(&headers);
    let signed_in = cookie
        .as_deref()
        .map(|cookie| provider.browsers.signed_in(cookie));
    let signed_in = signed_in.unwrap_or_default();
    let hint = get("login_hint").and_then(|hint| provider.accounts.find(hint));
    let hinted = hint.as_ref().map(|shown| shown.address.clone());
    let already = match &hinted {
        Some(hinted) => signed_in.iter().find(|address| *address == hinted).cloned(),
        None if signed_in.len() == 1 => signed_in.first().cloned(),
        None => None,
    };
    if asks("none") {
        // OpenID Connect Core §3.1.2.6
        let Some(person) = already.filter(|_| habits.silent_sign_in) else {
            return say(habits.words.nobody_signed_in);
        };
        if !provider
            .grants
            .has_consent(&person, request.client_id, &request.scopes)
        {
            return say(habits.words.not_consented);
        }
        return grant(&provider, &request, person, false);
    }
    let proved = already.filter(|_| !asks("login") && !asks("select_account"));
    let transaction = Transaction {
        purpose: Purpose::Authorization(request),
        address: hinted.filter(|_| !asks("select_account")),
        signed_in: proved,
        is_warned: false,
    };
    begin(&provider, cookie, transaction)
}

/// `GET /sign-in`: a sign-in for the webmail page.
pub(super) async fn start_webmail(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
) -> Response {
    let transaction = Transaction {
        purpose: Purpose::Webmail,
        address: None,
        signed_in: None,
        is_warned: false,
    };
    begin(&provider, find_cookie(&headers), transaction)
}

/// `POST /sign-out`.
pub(super) async fn sign_out(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
) -> Response {
    if let Some(cookie) = find_cookie(&headers) {
        provider.browsers.sign_out(&cookie);
    }
    Redirect::to("/").into_response()
}

/// `POST /authorize/account`: an empty address leads back to the chooser.
pub(super) async fn choose_account(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let Some((cookie, id)) = find_transaction(&provider, &headers, &fields) else {
        return expired();
    };
    let typed = fields
        .get("email")
        .map(|email| email.trim())
        .unwrap_or_default();
    if typed.is_empty() {
        provider.browsers.update(&cookie, &id, |transaction| {
            transaction.address = None;
            transaction.signed_in = None;
        });
        return next_page(&provider, &cookie, &id, None);
    }
    let Some(shown) = provider.accounts.find(typed) else {
        return next_page(
            &provider,
            &cookie,
            &id,
            Some("No account here has this address."),
        );
    };
    let known = provider
        .browsers
        .signed_in(&cookie)
        .contains(&shown.address);
    provider.browsers.update(&cookie, &id, |transaction| {
        transaction.signed_in = known.then(|| shown.address.clone());
        transaction.address = Some(shown.address);
    });
    next_page(&provider, &cookie, &id, None)
}

/// `POST /authorize/password`.
pub(super) async fn enter_password(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let Some((cookie, id)) = find_transaction(&provider, &headers, &fields) else {
        return expired();
    };
    let Some(address) = provider
        .browsers
        .find(&cookie, &id)
        .and_then(|transaction| transaction.address)
    else {
        return next_page(&provider, &cookie, &id, None);
    };
    let password = fields
        .get("password")
        .map(String::as_str)
        .unwrap_or_default();
    match provider.accounts.check_page_password(&address, password) {
        Ok(()) => {
            provider.browsers.sign_in(&cookie, &address);
            provider.browsers.update(&cookie, &id, |transaction| {
                transaction.signed_in = Some(address);
            });
            next_page(&provider, &cookie, &id, None)
        }
        Err(Refusal::Locked) => next_page(&provider, &cookie, &id, Some("This account is locked.")),
        Err(_) => next_page(&provider, &cookie, &id, Some("The password is wrong.")),
    }
}

/// `POST /authorize/warning`: past the warning of an unverified app, or back.
pub(super) async fn heed_warning(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let Some((cookie, id)) = find_transaction(&provider, &headers, &fields) else {
        return expired();
    };
    if decides(&fields, "proceed") {
        provider
            .browsers
            .update(&cookie, &id, |transaction| transaction.is_warned = true);
        return next_page(&provider, &cookie, &id, None);
    }
    let said = provider.oauth().map(|habits| habits.words.declined);
    match (provider.browsers.end(&cookie, &id), said) {
        (
            Some(Transaction {
                purpose: Purpose::Authorization(request),
                ..
            }),
            Some(said),
        ) => answer_request(&provider, &request, said),
        _ => expired(),
    }
}

/// `POST /authorize/consent`.
pub(super) async fn decide_consent(
    State(provider): State<Arc<Provider>>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let Some((cookie, id)) = find_transaction(&provider, &headers, &fields) else {
        return expired();
    };
    let (
        Some(habits),
        Some(Transaction {
            purpose: Purpose::Authorization(mut request),
            signed_in: Some(person),
            ..
        }),
    ) = (provider.oauth(), provider.browsers.end(&cookie, &id))
    else {
        return expired();
    };
    // Whoever needs an administrator has no way to agree, whatever is posted.
    if decides(&fields, "unapproved") || wants_admin(&provider, habits, &request) {
        return answer_request(&provider, &request, habits.words.not_approved);
    }
    if !decides(&fields, "allow") {
        return answer_request(&provider, &request, habits.words.declined);
    }
    if habits.granular_consent {
        request.scopes.retain(|name| {
            let is_mail = habits.scope(name).is_some_and(Scope::is_mail);
            !is_mail || fields.contains_key(&format!("{}{name}", page::SCOPE_FIELD))
        });
    }
    grant(&provider, &request, person, true)
}

fn decides(fields: &Fields, decision: &str) -> bool {
    fields
        .get("decision")
        .is_some_and(|given| given == decision)
}

/// Whether the person may not agree for themselves.
fn wants_admin(provider: &Provider, habits: &OAuth, request: &AuthorizationRequest) -> bool {
    (habits.consent_prompt_wants_admin && request.ask_consent)
        || locked(&provider.faults).wants_admin
}

/// `GET` of the page of an administrator, who needs no sign-in here.
pub(super) async fn ask_admin(
    State(provider): State<Arc<Provider>>,
    Query(query): Query<Fields>,
) -> Response {
    show_admin(&provider, &query, false)
}

/// `POST` of the same.
pub(super) async fn allow_as_admin(
    State(provider): State<Arc<Provider>>,
    Query(query): Query<Fields>,
) -> Response {
    locked(&provider.faults).wants_admin = false;
    show_admin(&provider, &query, true)
}

fn show_admin(provider: &Provider, query: &Fields, is_allowed: bool) -> Response {
    match query
        .get("client_id")
        .and_then(|id| provider.clients.find(id))
    {
        Some(client) => page::ask_admin(client, is_allowed),
        None => page::dead_end(
            "Unknown app",
            "This app (client_id) is not registered here.",
        ),
    }
}

/// Starts the transaction, in a new browser with a new cookie.
fn begin(provider: &Provider, cookie: Option<String>, transaction: Transaction) -> Response {
    let (cookie, is_new) = match cookie {
        Some(cookie) => (cookie, false),
        None => (provider.chance.token(), true),
    };
    let id = provider
        .browsers
        .begin(&cookie, transaction, &provider.chance);
    let mut response = next_page(provider, &cookie, &id, None);
    if let Some(value) = set_cookie(&cookie).filter(|_| is_new) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// The page that the transaction needs now, or its end.
fn next_page(provider: &Provider, cookie: &str, id: &str, problem: Option<&str>) -> Response {
    let Some(transaction) = provider.browsers.find(cookie, id) else {
        return expired();
    };
    let Some(person) = transaction.signed_in else {
        return match transaction.address {
            Some(address) => page::enter_password(id, &address, problem),
            None => page::choose_account(id, &offered(provider, cookie), problem),
        };
    };
    match transaction.purpose {
        Purpose::Webmail => {
            provider.browsers.end(cookie, id);
            Redirect::to("/").into_response()
        }
        Purpose::Authorization(request) => {
            let (Some(habits), Some(client)) =
                (provider.oauth(), provider.clients.find(request.client_id))
            else {
                return expired();
            };
            let known = provider
                .grants
                .has_consent(&person, request.client_id, &request.scopes);
            if known && !request.ask_consent {
                provider.browsers.end(cookie, id);
                return grant(provider, &request, person, false);
            }
            if wants_admin(provider, habits, &request) {
                return page::need_admin_approval(id, client, &person);
            }
            if habits.warns_of_unverified && !client.is_verified && !transaction.is_warned {
                return page::warn_of_unverified(id, client);
            }
            page::ask_consent(id, client, &person, habits, &request.scopes)
        }
    }
}

/// Who the chooser offers: first who is signed in in this browser.
fn offered(provider: &Provider, cookie: &str) -> Vec<crate::account::Shown> {
    let signed_in = provider.browsers.signed_in(cookie);
    let mut offered: Vec<_> = signed_in
        .iter()
        .filter_map(|address| provider.accounts.find(address))
        .collect();
    for person in provider.accounts.first(OFFERED) {
        if !signed_in.contains(&person.address) {
            offered.push(person);
        }
    }
    offered.truncate(OFFERED);
    offered
}

/// Sends the code. `is_asked`: the person has just seen the consent page.
fn grant(
    provider: &Provider,
    request: &AuthorizationRequest,
    person: String,
    is_asked: bool,
) -> Response {
    let passing = locked(&provider.faults).permissions_end;
    let offline = match provider.oauth().map(|habits| habits.offline) {
        _ if passing => false,
        Some(Offline::WithParameterAndConsent) => request.ask_offline && is_asked,
        Some(Offline::WithScope(_)) => request.ask_offline,
        None => false,
    };
    let terms = CodeTerms {
        person,
        client_id: request.client_id.to_owned(),
        redirect_uri: request.redirect_uri.clone(),
        challenge: request.challenge.clone(),
        scopes: request.scopes.clone(),
        offline,
        nonce: request.nonce.clone(),
    };
    let code = provider.grants.create_code(terms, &provider.chance);
    redirect(
        provider,
        &request.redirect_uri,
        request.state.as_deref(),
        &[("code", &code)],
    )
}

fn answer_request(
    provider: &Provider,
    request: &AuthorizationRequest,
    said: OAuthError,
) -> Response {
    answer(
        provider,
        &request.redirect_uri,
        request.state.as_deref(),
        said,
    )
}

/// RFC 6749 §4.1.2.1; a description that is empty is left out.
fn answer(
    provider: &Provider,
    redirect_uri: &str,
    state: Option<&str>,
    said: OAuthError,
) -> Response {
    let mut fields = vec![("error", said.error)];
    if !said.description.is_empty() {
        fields.push(("error_description", said.description));
    }
    if let Some(subcode) = said.subcode {
        fields.push(("error_subcode", subcode));
    }
    redirect(provider, redirect_uri, state, &fields)
}

/// RFC 6749 §4.1.2, with `iss` (RFC 9207 §2) where the profile has it.
fn redirect(
    provider: &Provider,
    redirect_uri: &str,
    state: Option<&str>,
    fields: &[(&str, &str)],
) -> Response {
    let Ok(mut url) = Url::parse(redirect_uri) else {
        return expired();
    };
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(fields);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        let names_issuer = provider
            .oauth()
            .is_some_and(|habits| habits.issuer_in_answer != IssuerInAnswer::Absent);
        if locked(&provider.faults).other_issuer {
            query.append_pair("iss", OTHER_ISSUER);
        } else if names_issuer {
            query.append_pair("iss", &provider.issuer);
        }
    }
    // The address bears the code: no browser is to keep it (RFC 9700 §4.3.1).
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    (no_store, Redirect::to(url.as_str())).into_response()
}

fn find_transaction(
    provider: &Provider,
    headers: &HeaderMap,
    fields: &Fields,
) -> Option<(String, String)> {
    let cookie = find_cookie(headers)?;
    let id = fields.get("transaction")?;
    provider.browsers.find(&cookie, id)?;
    Some((cookie, id.clone()))
}

fn expired() -> Response {
    page::dead_end(
        "This page is no longer good",
        "The sign-in was finished, or begun in another browser. Start again from the app.",
    )
}
