//! By what a browser is known again that has signed in with a name before: a cookie with that name, sealed under the relay's
//! key. It opens nothing. Its guesses at that name wait for nobody else's (`slowing`), and are slowed by themselves.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::slowing::{By, normalize};
use super::{Context, ServeError};
use crate::secret::hash_text;

/// What the name is sealed for.
const SEALED_FOR: &str = "browser";
/// 400 days, the most that a browser keeps one (RFC 6265 in its revision, §5.5).
const LASTS_S: u64 = 400 * 24 * 60 * 60;
/// Where guesses go.
const COOKIE_PATH: &str = "/v1/sign-ins";

/// Who guesses at this name, by what his browser shows.
pub(super) fn find(context: &Context, subject: &str) -> By {
    let name = name_of(context);
    let subject = normalize(subject);
    let shown = context.cookies.iter().find(|(found, value)| {
        *found == name
            && (context.keys().open::<String>(SEALED_FOR, value))
                .is_ok_and(|sealed| sealed == subject)
    });
    match shown {
        Some((_, value)) => By::Browser(hash_text(value)),
        None => By::Stranger,
    }
}

/// The cookie for a browser that has signed in with this name. `Strict`: sent with what the relay's own pages ask.
pub(super) fn write(context: &Context, subject: &str) -> Result<HeaderValue, ServeError> {
    let sealed = context.keys().seal(SEALED_FOR, &normalize(subject));
    let sealed = sealed.map_err(ServeError::internal)?;
    let (name, sealed): (_, &str) = (name_of(context), &sealed);
    let (path, secure) = if context.is_encrypted() {
        ("/", "; Secure")
    } else {
        (COOKIE_PATH, "")
    };
    let cookie = format!(
        "{name}={sealed}; Path={path}; Max-Age={LASTS_S}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::from_str(&cookie).map_err(ServeError::internal)
}

/// The cookies of a request, by name.
pub(super) fn read(headers: &HeaderMap) -> Vec<(String, String)> {
    let values = headers.get_all(COOKIE).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// By TLS no other host of the domain can set one of this name (`__Host-`, which asks for the path `/`).
fn name_of(context: &Context) -> String {
    let prefix = if context.is_encrypted() {
        "__Host-"
    } else {
        ""
    };
    format!("{prefix}unpause_browser")
}
