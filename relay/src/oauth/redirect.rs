//! Whether a provider knows a redirect URI. RFC 6749 §4.1.2.1: with one that it does not know, it tells the person
//! and sends nobody back, so nothing of it reaches whoever asked. Here the same is asked without a person, once, at
//! the provider's own endpoint, and what it answers is not followed.

use std::time::Duration;

use ::http::header::LOCATION;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use protocol::reply::OAuthReply;
use url::Url;

use super::Client;
use super::words::{read_refusal, shorten};

/// Time for the question. Ours: a person waits for what comes of it.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Longest redirect URI that is asked about, in bytes. Ours; those of browsers and of the relay have about 80.
const ADDRESS_AT_MOST: usize = 2_000;
/// Longest description, in characters.
const WORDS_AT_MOST: usize = 400;
/// The name of the error, as Google writes it.
const NAME: &str = "redirect_uri_mismatch";

/// Names of the error that are said of nothing else. Microsoft's numbers are of "Microsoft Entra authentication and
/// authorization error codes".
const NAMES: &[&str] = &[NAME, "invalid_redirect_uri", "aadsts50011", "aadsts500113"];

/// Words for it on a page that is an error.
const WORDS: &[&str] = &[
    "redirect_uri",
    "redirect uri",
    "redirect url",
    "redirection uri",
    "redirect address",
];

impl Client {
    /// What the provider says against the redirect URI of the visit `url`; `None` where it sends people back there,
    /// and where it does not say.
    pub async fn find_redirect_fault(&self, url: Url, redirect_uri: &str) -> Option<OAuthReply> {
        if redirect_uri.len() > ADDRESS_AT_MOST {
            return None;
        }
        let answer = tokio::time::timeout(ANSWERED_WITHIN, self.http.look(silent(url)))
            .await
            .ok()?
            .ok()?;
        let location = answer.headers().get(LOCATION);
        read(
            answer.status().as_u16(),
            location.and_then(|location| location.to_str().ok()),
            answer.body(),
            redirect_uri,
        )
    }
}

/// OpenID Connect Core §3.1.2.1: nobody is to be asked. Where the redirect URI is known, the answer goes there.
fn silent(mut url: Url) -> Url {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "prompt")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(kept)
        .append_pair("prompt", "none");
    url
}

fn read(
    status: u16,
    location: Option<&str>,
    body: &[u8],
    redirect_uri: &str,
) -> Option<OAuthReply> {
    if location.is_some_and(|location| location.starts_with(redirect_uri)) {
        return None;
    }
    let text = String::from_utf8_lossy(body).to_lowercase();
    let elsewhere = location.map(decode).unwrap_or_default().to_lowercase();
    let is_named = NAMES
        .iter()
        .any(|name| text.contains(name) || elsewhere.contains(name));
    // A page to sign in on may hold the address in a link, so words count on an error alone.
    let is_told = (400..500).contains(&status) && WORDS.iter().any(|words| text.contains(words));
    if !is_named && !is_told {
        return None;
    }
    let page = read_refusal(status, None, body, &[]).description;
    let told = if (300..400).contains(&status) {
        String::new()
    } else {
        format!(": {page}")
    };
    let words = format!("the redirect address {redirect_uri} is not registered{told}");
    Some(OAuthReply {
        http_status: Some(status),
        error: Some(NAME.to_owned()),
        description: shorten(&words, WORDS_AT_MOST),
    })
}

/// An address, and what the values of its query are in base64: Google redirects to a page of its own whose
/// `authError` is the base64 of bytes that hold the name of the error. Seen in public reports of that error, 2022 to
/// 2026.
fn decode(location: &str) -> String {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabets = [&alphabet::URL_SAFE, &alphabet::STANDARD];
    let (_, query) = location.split_once('?').unwrap_or((location, ""));
    let mut text = location.to_owned();
    for (_, value) in url::form_urlencoded::parse(query.as_bytes()) {
        for alphabet in alphabets {
            if let Ok(bytes) = GeneralPurpose::new(alphabet, lenient).decode(value.as_bytes()) {
                text.push(' ');
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://abc.chromiumapp.org/oauth/google";

    #[test]
    fn an_error_that_names_the_redirect_address_is_a_fault_and_nothing_else_is() {
        // The value of the reports, cut short.
        let google = "https://accounts.google.com/signin/oauth/error?authError=ChVyZWRpcmVjdF91cmlfbWlzbWF0Y2gSsAEKWW91&flowName=GeneralOAuthFlow";
        let sign_in =
            "https://accounts.google.com/v3/signin/identifier?redirect_uri=https%3A%2F%2Fabc";
        let back = format!("{OURS}?error=login_required&x=redirect_uri_mismatch");
        for (status, location, body, is_fault) in [
            // Known: sent back, whatever is said there.
            (302, Some(back.as_str()), "", false),
            (302, Some(google), "", true),
            (302, Some(sign_in), "", false),
            // Microsoft's, whatever its status.
            (
                200,
                None,
                "<p>AADSTS50011: The redirect URI specified does not match</p>",
                true,
            ),
            // The sandbox's, and oidc-provider's.
            (
                400,
                None,
                "<p>This app's redirect address (redirect_uri) is not registered here.</p>",
                true,
            ),
            (
                400,
                None,
                "<p>redirect_uri did not match any of the client's registered redirect_uris</p>",
                true,
            ),
            // A page to sign in on.
            (
                200,
                None,
                "<a href=\"/register?redirect_uri=https%3A%2F%2Fabc\">Register</a>",
                false,
            ),
            (400, None, "<p>This app is not registered here.</p>", false),
            (503, None, "try the redirect_uri later", false),
        ] {
            let found = read(status, location, body.as_bytes(), OURS);
            assert_eq!(found.is_some(), is_fault, "{status} {location:?} {body}");
            if let Some(reply) = found {
                assert_eq!(reply.error.as_deref(), Some(NAME));
                assert!(reply.description.contains(OURS), "{reply:?}");
            }
        }
    }

    #[test]
    fn the_question_asks_nobody() {
        let visit = "https://id.example/authorize?client_id=c&prompt=consent&state=s";
        let asked = silent(visit.parse().unwrap());
        assert_eq!(
            asked.as_str(),
            "https://id.example/authorize?client_id=c&state=s&prompt=none"
        );
    }
}
