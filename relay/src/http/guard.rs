//! What every request passes before its endpoint: it gets a name; its `Host` must be ours, so that a
//! foreign name that resolves to this machine does not reach us (DNS rebinding); where a proxy alone may
//! speak plain HTTP with us, it must come from there; and a browser's `Origin` must be an extension's, or it
//! reads nothing and changes nothing.

use std::sync::Arc;

use axum::extract::{Request as HttpRequest, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    CONNECTION, HOST, ORIGIN, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use protocol::id::RequestId;
use protocol::problem::{Code, Problem};

use super::forwarded::Arrival;
use super::{Api, ServeError, operator};
use crate::secret::random_text;
use crate::text::way_out;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Asked and answered in a preflight from a page on the public network (Private Network Access draft).
const PRIVATE_NETWORK_ASKED: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const PRIVATE_NETWORK_ALLOWED: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");
/// The schemes of an extension's origin: Chrome's and Firefox's.
const EXTENSION_SCHEMES: [&str; 2] = ["chrome-extension://", "moz-extension://"];

/// Names the request, checks where it comes from, and answers preflights.
pub(super) async fn guard(
    State(api): State<Arc<Api>>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let id = RequestId::new(format!("{}{}", RequestId::PREFIX, random_text()));
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(id.clone());
    let has_chunks = parts.headers.contains_key(TRANSFER_ENCODING);
    let origin = parts.headers.get(ORIGIN).cloned();
    let judged = admit(&api, &parts);
    let is_trusted = matches!(judged, Ok(Standing::Trusted));
    let mut response = match judged {
        Ok(_) if is_preflight(&parts) => answer_preflight(&parts, is_trusted),
        Ok(_) => next.run(HttpRequest::from_parts(parts, body)).await,
        Err(refused) => refused.render(&id),
    };
    let headers = response.headers_mut();
    if has_chunks {
        // A length beside the chunks is dropped by the HTTP library before we see it, and what follows on the connection
        // may be what somebody before us took for the end of this body: it is the last one (RFC 9112 §6.1).
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(origin) = origin.filter(|_| is_trusted) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(
            "content-digest, etag, signature, signature-input, unpause-challenge, x-request-id",
        );
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    headers.append(VARY, HeaderValue::from_static("origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(strict) = api.address.strict() {
        headers.insert(STRICT_TRANSPORT_SECURITY, strict);
    }
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Whether `origin` is an extension's.
pub(super) fn is_extension(origin: &str) -> bool {
    let id = EXTENSION_SCHEMES
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    id.is_some_and(|id| {
        !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// How far a request's origin is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// No browser, or a page of our own: nothing to allow.
    Ours,
    /// An extension: it may read the answer, which says nothing to whom no paired key signed.
    Trusted,
    /// A page that may neither read nor change anything.
    Unknown,
}

fn admit(api: &Api, request: &Parts) -> Result<Standing, ServeError> {
    // No browser comes by it, and no name points there.
    if operator::is_by_socket(&request.extensions) {
        return Ok(Standing::Ours);
    }
    let named = request
        .headers
        .get_all(HOST)
        .iter()
        .map(|value| value.to_str().unwrap_or_default());
    let hosts: Vec<&str> = named
        .chain(request.uri.authority().map(http::uri::Authority::as_str))
        .collect();
    let address = &api.address;
    if hosts.is_empty() || !hosts.iter().all(|host| address.has_host(host)) {
        let detail = format!(
            "this relay answers to {}, found the host {:?}",
            address.hosts(),
            hosts.join(", ")
        );
        return Err(Problem::new(Code::Forbidden, detail).into());
    }
    check_way(api, request)?;
    let Some(origin) = request.headers.get(ORIGIN) else {
        return Ok(Standing::Ours);
    };
    let origin = origin.to_str().unwrap_or_default();
    let standing = if address.has_origin(origin, &hosts) {
        Standing::Ours
    } else if is_extension(origin) {
        Standing::Trusted
    } else {
        Standing::Unknown
    };
    let changes_nothing =
        matches!(request.method, Method::GET | Method::HEAD) || is_preflight(request);
    // A mail program that runs in a browser posts from wherever it is (RFC 8058 §3.2); what it may do is in the address.
    let is_way_out = request.uri.path().starts_with(way_out::PATH);
    if standing == Standing::Unknown && !changes_nothing && !is_way_out {
        let detail =
            format!("the origin {origin:?} is neither this relay's own nor an extension's");
        return Err(Problem::new(Code::Forbidden, detail).into());
    }
    Ok(standing)
}

/// Where people come by https and the relay speaks plain HTTP, what comes from anybody but its proxy, or came to that
/// one without TLS, was readable on its way.
fn check_way(api: &Api, request: &Parts) -> Result<(), Problem> {
    if !api.address.is_encrypted() {
        return Ok(());
    }
    let url = api.address.url();
    let detail = match request.extensions.get::<Arrival>() {
        Some(arrival) if !arrival.is_by_proxy && api.app.config.tls.is_none() => format!(
            "this relay is reached at {url}, and {} is not its proxy: use that address, or name the proxy in \
             proxy.trusted",
            arrival.client
        ),
        Some(arrival) if arrival.is_plain => {
            format!(
                "this relay is reached at {url}, and the proxy was asked without TLS: let it redirect to there"
            )
        }
        Some(_) => return Ok(()),
        None => "from where this came is not known".to_owned(),
    };
    Err(Problem::new(Code::Forbidden, detail))
}

fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Without the headers that allow, the browser gives up: that is the answer to an unknown origin.
fn answer_preflight(request: &Parts, is_trusted: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if is_trusted {
        let headers = response.headers_mut();
        headers.insert(
            ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, DELETE"),
        );
        let allowed = HeaderValue::from_static(
            "content-digest, content-type, if-none-match, signature, signature-input, unpause-relay-key",
        );
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        // A revoked device is refused by its key at once, so the browser may remember this.
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        if request.headers.contains_key(PRIVATE_NETWORK_ASKED) {
            headers.insert(PRIVATE_NETWORK_ALLOWED, HeaderValue::from_static("true"));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_origin_of_an_extension_is_one() {
        for (origin, expected) in [
            ("chrome-extension://abcdefghijklmnop", true),
            ("moz-extension://0a1b2c3d-0000-4000-8000-000000000000", true),
            ("chrome-extension://", false),
            ("chrome-extension://abc/page.html", false),
            ("https://chrome-extension.example", false),
            ("null", false),
        ] {
            assert_eq!(is_extension(origin), expected, "{origin}");
        }
    }
}
