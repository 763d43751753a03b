//! The dashboard's files, as they were built into this binary, and the addresses of its pages. What the pages
//! show is the `dashboard` crate's; what they read and change goes through the API like everything else.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Api;
use super::page::Page;

/// Every file of the dashboard; none where it was not built before the relay.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));
/// The one document; its script shows the page of the address.
const INDEX: &str = "index.html";
/// The addresses of its pages.
const PAGES: &[&str] = &[
    "/",
    "/login",
    "/campaigns",
    "/campaigns/{*rest}",
    "/inboxes",
    "/inboxes/{*rest}",
    "/receipts",
    "/receipts/{*rest}",
    "/settings",
    "/activity",
    "/pair",
];
/// Nothing from elsewhere, nothing inline; WebAssembly may be compiled. A page of ours is in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// What the files are, by the ending of their names. Browsers compile WebAssembly as it arrives only where it
/// has its type (WebAssembly Web API §5), and `nosniff` makes the others matter.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("json", "application/json"),
];

/// One file.
struct File {
    /// Its path below the root, parts joined by slashes.
    path: &'static str,
    /// Changes with its bytes.
    tag: &'static str,
    bytes: &'static [u8],
    /// The same, compressed (RFC 1952), where the build made that.
    gzip: Option<&'static [u8]>,
}

/// A route for each file and each page.
pub(super) fn routes() -> Router<Arc<Api>> {
    let mut router = Router::new();
    for file in FILES {
        let path = format!("/{}", file.path);
        router = router.route(
            &path,
            get(move |headers: HeaderMap| async move { show(file, &headers) }),
        );
    }
    let index = FILES.iter().find(|file| file.path == INDEX);
    for page in PAGES {
        router = router.route(
            page,
            get(move |headers: HeaderMap| async move {
                index.map_or_else(not_built, |index| show(index, &headers))
            }),
        );
    }
    router
}

fn show(file: &File, asked: &HeaderMap) -> Response {
    let (bytes, tag) = match file.gzip.filter(|_| takes_gzip(asked)) {
        Some(gzip) => (gzip, format!("\"{}-gzip\"", file.tag)),
        None => (file.bytes, format!("\"{}\"", file.tag)),
    };
    let is_known = asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|known| known.trim() == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = bytes.into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(type_of(file.path)));
        if tag.ends_with("-gzip\"") {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    for (name, value) in [
        // The next relay brings other files under the same names: each is asked for again, by its tag.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (VARY, "accept-encoding"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Whether `gzip` is named and not ruled out (RFC 9110 §12.5.3).
fn takes_gzip(asked: &HeaderMap) -> bool {
    asked
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_gzip = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            is_gzip && weight.is_none_or(|weight| weight > 0.0)
        })
}

fn type_of(path: &str) -> &'static str {
    let ending = path.rsplit('.').next().unwrap_or_default();
    TYPES
        .iter()
        .find(|(known, _)| *known == ending)
        .map_or("application/octet-stream", |(_, kind)| kind)
}

fn not_built() -> Response {
    let page = Page {
        leads_back: false,
        ..Page::new(
            StatusCode::NOT_IMPLEMENTED,
            "This relay has no dashboard",
            "It was built before its dashboard. In its checkout, run “cargo xtask start”: that builds both \
             and starts it.\nEverything else works: “unpause --help” lists the commands.",
        )
    };
    page.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: File = File {
        path: "dashboard_bg.wasm",
        tag: "0123456789abcdef",
        bytes: b"\0asm",
        gzip: Some(b"\x1f\x8b"),
    };

    fn asked(headers: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_file_comes_with_its_type_its_tag_and_the_policy() {
        let response = show(&FILE, &HeaderMap::new());
        assert_eq!(response.status(), StatusCode::OK);
        for (name, value) in [
            (CONTENT_TYPE, "application/wasm"),
            (ETAG, "\"0123456789abcdef\""),
            (CACHE_CONTROL, "no-cache"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, "no-referrer"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (VARY, "accept-encoding"),
        ] {
            assert_eq!(response.headers()[&name], value, "{name}");
        }
        assert!(!response.headers().contains_key(CONTENT_ENCODING));
        assert!(!POLICY.contains("  "), "{POLICY}");
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        for (sent, status) in [
            ("\"0123456789abcdef\"", StatusCode::NOT_MODIFIED),
            ("\"old\", \"0123456789abcdef\"", StatusCode::NOT_MODIFIED),
            ("\"0123456789abcdef-gzip\"", StatusCode::OK),
            ("\"old\"", StatusCode::OK),
        ] {
            let response = show(&FILE, &asked(&[(IF_NONE_MATCH, sent)]));
            assert_eq!(response.status(), status, "{sent}");
        }
    }

    #[test]
    fn who_takes_gzip_gets_it_under_a_tag_of_its_own() {
        for (accepted, is_taken) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, br", false),
            ("identity", false),
            ("", false),
        ] {
            let response = show(&FILE, &asked(&[(ACCEPT_ENCODING, accepted)]));
            let encoding = response.headers().get(CONTENT_ENCODING);
            assert_eq!(encoding.is_some(), is_taken, "{accepted}");
            let tag = response.headers()[ETAG].to_str().unwrap().to_owned();
            assert_eq!(tag.ends_with("-gzip\""), is_taken, "{accepted}");
        }
        let plain = File { gzip: None, ..FILE };
        let response = show(&plain, &asked(&[(ACCEPT_ENCODING, "gzip")]));
        assert!(!response.headers().contains_key(CONTENT_ENCODING));
    }

    #[test]
    fn every_kind_of_file_has_its_type() {
        for (path, kind) in [
            ("index.html", "text/html; charset=utf-8"),
            ("look/base.css", "text/css; charset=utf-8"),
            ("dashboard.js", "text/javascript; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
            ("LICENSE", "application/octet-stream"),
        ] {
            assert_eq!(type_of(path), kind, "{path}");
        }
    }
}
