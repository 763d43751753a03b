//! What is the same for every endpoint: who calls, what was asked, and the answer with its `ETag`.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::body::Body as HttpBody;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{ConnectInfo, RawPathParams, Request as HttpRequest, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, ORIGIN, SET_COOKIE, USER_AGENT,
};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use protocol::account::Role;
use protocol::id::RequestId;
use protocol::key::{self, Scope, write_scopes};
use protocol::problem::{Code, Problem};
use protocol::request::passkey::PROOF_FOR;
use protocol::request::{Body, Caller, Request};
use protocol::secret::Secret;
use protocol::signed::VerifyingKey;
use protocol::timestamp::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::budget::Share;
use super::decoding::parse_request;
use super::key::NEEDS_HTTPS;
use super::session::IDLE_FOR;
use super::signatures::{self, Signed};
use super::trail::{self, Meant};
use super::{
    Api, Context, Left, Serve, ServeError, Who, body, browser, guard, operator, problem, serving,
};
use crate::store::account::{Holder, Sees};

/// Answers one request to the endpoint `R`.
pub(super) async fn answer<R: Serve>(
    State(api): State<Arc<Api>>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: HttpRequest,
) -> Response {
    let request_id = problem::request_id_of(&request);
    let (parts, body) = request.into_parts();
    let id = request_id.clone();
    // Dropped with the connection: what only waits need not go on.
    let (_here, left) = oneshot::channel();
    let running = async move {
        let asked = Asked {
            parameters: parameters.ok(),
            parts,
            body,
            left,
        };
        run::<R>(&api, asked, &id).await
    };
    // Whoever leaves breaks off what he reads. What changes something goes on to its end, and into the audit log: else a
    // device could be paired by somebody who hangs up, and nobody would know.
    let ended = if trail::is_recorded::<R>() {
        let task = tokio::spawn(running);
        task.await
            .unwrap_or_else(|error| Err(ServeError::internal(error)))
    } else {
        running.await
    };
    ended.unwrap_or_else(|error| error.render(&request_id))
}

/// A request as it came.
struct Asked {
    parameters: Option<RawPathParams>,
    parts: Parts,
    body: HttpBody,
    /// Whether whoever asked has left.
    left: Left,
}

async fn run<R: Serve>(
    api: &Arc<Api>,
    asked: Asked,
    request_id: &RequestId,
) -> Result<Response, ServeError> {
    let Asked {
        parameters,
        parts,
        body,
        left,
    } = asked;
    let (parameters, parts) = (parameters.as_ref(), &parts);
    let signed = signatures::of(parts)?;
    let signed = signed.as_deref();
    let admitted = admit::<R>(api, parts, signed, request_id).await?;
    if admitted.who != Who::Anyone {
        let account = admitted.account.as_ref().map(|holder| &holder.account);
        serving::note_known(parts, account)?;
    } else if let Some(signed) = signed {
        signed.check_challenge(&api.challenges)?;
    }
    let named = |name| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let Admitted {
        who,
        account,
        proved_at,
        sees,
        relay_key,
    } = admitted;
    let (caller_who, holder) = (who.clone(), account.clone());
    let (meant, cookie) = (Arc::new(Meant::default()), Arc::new(OnceLock::new()));
    let mut context = Context {
        api: Arc::clone(api),
        who,
        account,
        proved_at,
        sees,
        key: signed.map(|signed| signed.key().clone()),
        csv: Bytes::new(),
        request_id: request_id.clone(),
        origin: named(ORIGIN),
        peer: peer_of(&parts.extensions),
        browser: named(USER_AGENT),
        relay_key,
        meant: Arc::clone(&meant),
        cookies: browser::read(&parts.headers),
        new_cookie: Arc::clone(&cookie),
        left,
        turn: None,
    };
    let caller = caller_of(&caller_who, holder.as_ref(), parts, request_id);
    let share = api
        .lists
        .share(holder.as_ref().map(|holder| holder.account.clone()));
    let coming = Coming {
        parameters,
        parts,
        signed,
        caller: &caller,
    };
    // What the list takes is given back when all is done.
    let (request, _share) = coming.take::<R>(&mut context, body, share).await?;
    serving::note_read(parts);
    let mut caller = caller;
    let response = if R::CALLER == Caller::Anyone {
        let (peer, now) = (peer_of(&parts.extensions), api.app.clock.now());
        let fields = trail::fields_of(&request);
        let served = request.serve(context).await;
        caller.account = meant.get();
        match served {
            Ok(response) => {
                if trail::is_recorded::<R>() {
                    let (fields, made) = (meant.with_notes(fields), trail::made_of(&response));
                    caller.note_done(api, R::NAME, fields, made).await?;
                }
                response
            }
            Err(refused) => {
                let fields = meant.with_notes(fields);
                let refused = api.guesses.judge(peer, refused, now);
                let code = trail::code_told(&refused);
                // Who guesses on and on is on record already.
                if code != Code::TooManyRequests {
                    caller.note_refused(api, R::NAME, &fields, code).await;
                }
                return Err(refused);
            }
        }
    } else if trail::is_recorded::<R>() {
        let begun = caller
            .begin(api, R::NAME, trail::fields_of(&request))
            .await?;
        let served = request.serve(context).await;
        let ended = match &served {
            Ok(response) => Ok(trail::made_of(response)),
            Err(refused) => Err(trail::code_told(refused)),
        };
        let begun = begun.with_notes(&meant);
        caller.end(api, begun, ended).await;
        served?
    } else {
        request.serve(context).await?
    };
    let body = serde_json::to_vec(&response).map_err(ServeError::internal)?;
    let mut response = render(&R::METHOD, &parts.headers, body);
    if let Some(cookie) = cookie.get() {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    Ok(response)
}

/// A request that is let in and on its way.
struct Coming<'a> {
    parameters: Option<&'a RawPathParams>,
    parts: &'a Parts,
    signed: Option<&'a Signed>,
    caller: &'a trail::Caller<'a>,
}

impl Coming<'_> {
    /// Reads what is asked, and prepares it. A list is read last, when all else that can refuse it has not.
    async fn take<R: Serve>(
        &self,
        context: &mut Context,
        body: HttpBody,
        mut share: Share,
    ) -> Result<(R, Share), ServeError> {
        let Body::Csv { at_most_bytes } = R::BODY else {
            // A device sends no body that cannot be read.
            let raw = body::read_raw(self.parts, body, R::FIELDS_AT_MOST_BYTES)
                .await
                .inspect_err(|_| self.signed.into_iter().for_each(Signed::note_altered))?;
            // Nothing is said of a body that somebody changed.
            self.check_body(&raw)?;
            let fields = body::fields_of(self.parts, &raw)?;
            return Ok((self.prepare(context, &fields).await?, share));
        };
        let fields = body::query_of(self.parts);
        let request = match self.prepare(context, &fields).await {
            Ok(request) => request,
            Err(refused) => {
                body::pass_over(self.parts, body, at_most_bytes).await;
                return Err(refused);
            }
        };
        context.csv = body::read_list(self.parts, body, at_most_bytes, &mut share).await?;
        self.check_body(&context.csv)?;
        Ok((request, share))
    }

    fn check_body(&self, raw: &[u8]) -> Result<(), Problem> {
        self.signed.map_or(Ok(()), |signed| signed.check_body(raw))
    }

    async fn prepare<R: Serve>(
        &self,
        context: &mut Context,
        fields: &Map<String, Value>,
    ) -> Result<R, ServeError> {
        let request: R = parse(self.parameters, fields)?;
        if let Err(refused) = request.prepare(context).await {
            let code = trail::code_told(&refused);
            // Who was only put off was told so, and nothing of his was looked at.
            if !matches!(code, Code::TooManyRequests | Code::Unavailable)
                && trail::is_recorded::<R>()
            {
                let fields = trail::fields_of(&request);
                (self
                    .caller
                    .note_refused(&context.api, R::NAME, &fields, code))
                .await;
            }
            return Err(refused);
        }
        Ok(request)
    }
}

/// Who calls, as the audit log names him.
fn caller_of<'a>(
    who: &Who,
    holder: Option<&'a Holder>,
    request: &Parts,
    request_id: &'a RequestId,
) -> trail::Caller<'a> {
    let peer = peer_of(&request.extensions).to_string();
    trail::Caller::new(who, holder, peer, &request.headers, request_id)
}

/// Who calls, and what he may see.
struct Admitted {
    who: Who,
    account: Option<Holder>,
    /// When whoever has the session last proved that it is his; `None` for what is no session.
    proved_at: Option<Timestamp>,
    sees: Sees,
    /// The key by which a device knows the relay.
    relay_key: Option<VerifyingKey>,
}

/// Who calls, if that caller may: the one place where roles and scopes are asked for.
async fn admit<R: Request>(
    api: &Api,
    request: &Parts,
    signed: Option<&Signed>,
    request_id: &RequestId,
) -> Result<Admitted, ServeError> {
    let least = match R::CALLER {
        Caller::Anyone => {
            return Ok(Admitted {
                who: Who::Anyone,
                account: None,
                proved_at: None,
                sees: Sees::Nothing,
                relay_key: None,
            });
        }
        Caller::Device(least) => Least::DeviceOr(least),
        Caller::Session(least) => Least::Session(least),
        Caller::Operator => Least::Operator,
    };
    if operator::is_by_socket(&request.extensions) {
        return Ok(Admitted {
            who: Who::Operator,
            account: None,
            proved_at: None,
            sees: Sees::Everything,
            relay_key: None,
        });
    }
    let Known {
        who,
        holder,
        proved_at,
        scopes,
        relay_key,
    } = identify(api, request, signed).await?;
    let may = check_scope(R::SCOPE, scopes.as_ref())
        .and_then(|()| check_role(&who, &holder, least))
        .and_then(|()| check_proof(R::ANEW, proved_at, api.app.clock.now()));
    if let Err(refused) = may {
        let caller = caller_of(&who, Some(&holder), request, request_id);
        let nothing = Map::new();
        caller
            .note_refused(api, R::NAME, &nothing, refused.code)
            .await;
        return Err(refused.into());
    }
    let sees = api.app.store.doors().load_sees(&holder).await?;
    Ok(Admitted {
        who,
        account: Some(holder),
        proved_at,
        sees,
        relay_key,
    })
}

/// Who of those with an account may call.
#[derive(Clone, Copy, Debug)]
enum Least {
    /// Also a device.
    DeviceOr(Role),
    Session(Role),
    /// Nobody of them.
    Operator,
}

/// Whether a session was proved lately, where that is asked for. Whoever comes by something else than a session and got so
/// far is the operator.
pub(super) fn check_proof(
    is_needed: bool,
    proved_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Problem> {
    match proved_at {
        Some(proved_at) if is_needed && now.since(proved_at) >= PROOF_FOR => {
            let detail = "this changes who comes in, and the last proof of who you are is older than ten minutes: prove it by \
                          the password or a passkey (POST /v1/account/proof), or sign in anew, and ask again";
            Err(Problem::new(Code::ProofNeeded, detail))
        }
        _ => Ok(()),
    }
}

fn check_role(who: &Who, holder: &Holder, least: Least) -> Result<(), Problem> {
    let (least, by_device) = match least {
        Least::DeviceOr(least) => (least, true),
        Least::Session(least) => (least, false),
        Least::Operator => {
            let detail =
                "nobody may do this over the network: use the command line on the relay's machine";
            return Err(Problem::new(Code::Forbidden, detail));
        }
    };
    if matches!(who, Who::Device(_)) && !by_device {
        let detail = "a device may not do this: use the command line on the relay's machine, or the dashboard";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    if holder.role < least {
        let detail = format!(
            "this is for the role {least} or a higher one, and your account is a {}: ask an owner",
            holder.role
        );
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// What a key is for; whoever comes by something else has no scopes, and needs none.
fn check_scope(needed: Option<Scope>, had: Option<&BTreeSet<Scope>>) -> Result<(), Problem> {
    let (Some(had), needed) = (had, needed) else {
        return Ok(());
    };
    let detail = match needed {
        Some(needed) if had.contains(&needed) => return Ok(()),
        Some(needed) => format!(
            "this is for API keys with the scope {needed}, and this one has {}: make another key for it",
            write_scopes(had)
        ),
        None => "no API key may do this: sign in to the dashboard".to_owned(),
    };
    Err(Problem::new(Code::Forbidden, detail))
}

/// Somebody who proved who he is.
struct Known {
    who: Who,
    holder: Holder,
    /// Of a session.
    proved_at: Option<Timestamp>,
    /// Of an API key.
    scopes: Option<BTreeSet<Scope>>,
    /// By which a device knows the relay.
    relay_key: Option<VerifyingKey>,
}

/// Who it is, by a signature, a session's token or an API key.
async fn identify(
    api: &Api,
    request: &Parts,
    signed: Option<&Signed>,
) -> Result<Known, ServeError> {
    if let Some(signed) = signed {
        return find_device(api, request, signed).await;
    }
    let Some(token) = find_token(&request.headers) else {
        let detail = "expected a request that a paired device has signed (RFC 9421), or the header Authorization: \
                      Bearer with the token of a session or an API key";
        return Err(Problem::new(Code::Unauthenticated, detail).into());
    };
    check_page(request)?;
    if token.expose().starts_with(key::PREFIX) {
        return find_key(api, request, &token).await;
    }
    let (doors, now) = (api.app.store.doors(), api.app.clock.now());
    let Some(found) = doors.find_session(&token, now, IDLE_FOR).await? else {
        let detail =
            "the token is not known here: the session is over, or the relay was started again";
        return Err(Problem::new(Code::Unauthenticated, detail).into());
    };
    Ok(Known {
        who: Who::Session(found.id),
        holder: found.holder,
        proved_at: Some(found.proved_at),
        scopes: None,
        relay_key: None,
    })
}

/// The program that has this API key.
async fn find_key(api: &Api, request: &Parts, key: &Secret) -> Result<Known, ServeError> {
    if !api.address.is_encrypted() {
        return Err(Problem::new(Code::Forbidden, NEEDS_HTTPS).into());
    }
    let (doors, now) = (api.app.store.doors(), api.app.clock.now());
    let peer = peer_of(&request.extensions).to_string();
    let Some(found) = doors.find_key(key, &peer, now).await? else {
        let detail = "this API key is not known here: it was deleted, or is another relay's";
        return Err(Problem::new(Code::Unauthenticated, detail).into());
    };
    if found.ends_at <= now {
        let detail = format!(
            "this API key ended at {}: make another one in the dashboard or with `unpause key add`",
            found.ends_at
        );
        return Err(Problem::new(Code::Unauthenticated, detail).into());
    }
    Ok(Known {
        who: Who::Key(found.id),
        holder: found.holder,
        proved_at: None,
        scopes: Some(found.scopes),
        relay_key: None,
    })
}

/// The device whose key signed, if it is one of ours and was not heard before, and who paired it.
async fn find_device(api: &Api, request: &Parts, signed: &Signed) -> Result<Known, ServeError> {
    let (doors, keys) = (api.app.store.doors(), &api.app.keys);
    let Some(found) = doors.find_device(signed.key()).await? else {
        let detail =
            "the key that signed this is not known here: the device was revoked, or never paired";
        return Err(Problem::new(Code::Unauthenticated, detail).into());
    };
    let device = found.device;
    check_origin(device.origin.as_deref(), request)?;
    signed.take_nonce(&api.challenges)?;
    let named = signed.relay_key();
    let relay_key = named.cloned().unwrap_or(found.relay_key);
    if relay_key != found.known_key && keys.was_known_by(&relay_key) {
        doors.note_known_key(&device.id, &relay_key).await?;
    }
    Ok(Known {
        who: Who::Device(device.id),
        holder: found.holder,
        proved_at: None,
        scopes: None,
        relay_key: Some(relay_key),
    })
}

/// A device's key is good only where it was paired: `bound` is the origin of its extension, `None` for what is no
/// browser. A browser names the origin with every change (Fetch §3.2) and with whatever a page reads of another
/// site; it leaves it out where an extension reads what it was allowed to, so a read without one passes. *Observed with
/// Chromium 156 and Firefox 153 on 2026-11-27.*
fn check_origin(bound: Option<&str>, request: &Parts) -> Result<(), Problem> {
    let Some(bound) = bound else {
        return Ok(());
    };
    let found = request.headers.get(ORIGIN);
    let is_its = match found {
        Some(found) => found.as_bytes() == bound.as_bytes(),
        None => matches!(request.method, Method::GET | Method::HEAD),
    };
    if is_its {
        return Ok(());
    }
    let found = found.map_or_else(
        || "none".to_owned(),
        |found| format!("{:?}", found.to_str().unwrap_or_default()),
    );
    let detail = format!(
        "the key is another's: expected the origin of the extension that was paired with it, found {found}; \
         pair this browser by itself, and revoke the device if you do not know why"
    );
    Err(Problem::new(Code::Forbidden, detail))
}

/// A token is the relay's own pages' or a program's: an extension signs.
fn check_page(request: &Parts) -> Result<(), Problem> {
    let origin = request.headers.get(ORIGIN);
    let origin = origin.and_then(|origin| origin.to_str().ok());
    if !origin.is_some_and(guard::is_extension) {
        return Ok(());
    }
    let detail = "an extension shows no token: expected a request that a paired device has signed";
    Err(Problem::new(Code::Forbidden, detail))
}

/// RFC 6750 §2.1; the scheme in any case (RFC 9110 §11.1).
fn find_token(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Secret::new(token.trim()))
}

/// The address of the other side.
pub(super) fn peer_of(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| {
        peer.ip()
    })
}

fn parse<R: Request>(
    parameters: Option<&RawPathParams>,
    fields: &Map<String, Value>,
) -> Result<R, ServeError> {
    let Some(parameters) = parameters else {
        return Err(Problem::new(Code::NotFound, "the path is not UTF-8").into());
    };
    let parameters: Vec<(&str, &str)> = parameters.iter().collect();
    Ok(parse_request(&parameters, fields)?)
}

/// No answer is kept by a browser. Whoever asks again keeps the tag and what it stands for himself, in memory (the
/// dashboard, an extension's background), and asks with `If-None-Match`: that needs no cache (Fetch, "HTTP-network-or-cache
/// fetch": such a request has the mode `no-store`, and its 304 is handed on).
fn render(method: &Method, asked: &HeaderMap, body: Vec<u8>) -> Response {
    let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let unkept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if method != Method::GET {
        return ([json, unkept], body).into_response();
    }
    let tag = tag_of(&body);
    let known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let is_known = known
        .flat_map(|value| value.split(','))
        .any(|known| is_match(known, &tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([json], body).into_response()
    };
    let headers = response.headers_mut();
    let (name, value) = unkept;
    headers.insert(name, value);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// A strong tag (RFC 9110 §8.8.3): half of the SHA-256 of the body.
fn tag_of(body: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(body);
    let hex = digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("\"{hex}\"")
}

/// RFC 9110 §13.1.2: `*` matches anything, and the comparison is weak.
fn is_match(known: &str, tag: &str) -> bool {
    let known = known.trim();
    known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_answer_is_not_sent_again_and_none_is_kept() {
        let body = br#"{"inboxes":[]}"#.to_vec();
        let first = render(&Method::GET, &HeaderMap::new(), body.clone());
        let tag = first.headers()[ETAG].clone();
        for (known, status) in [
            (tag.to_str().unwrap().to_owned(), 304),
            (format!("\"other\", W/{}", tag.to_str().unwrap()), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(IF_NONE_MATCH, known.parse().unwrap());
            let response = render(&Method::GET, &asked, body.clone());
            assert_eq!(response.status(), status, "{known}");
            assert_eq!(response.headers()[ETAG], tag);
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        }
        let changed = render(&Method::POST, &HeaderMap::new(), body);
        assert!(!changed.headers().contains_key(ETAG));
        assert_eq!(changed.headers()[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn a_bearer_token_is_taken_in_any_case_and_nothing_else_is() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(find_token(&headers), expected.map(Secret::new), "{value}");
        }
    }
}
