//! Reads what an authorization server says when it refuses: an OAuth error in JSON (RFC 6749 §5.2), a
//! challenge in a header (RFC 6750 §3), or any other page, of which a short excerpt is kept. Pure; no
//! secret of ours and nothing that looks like a token gets through.

use protocol::hush::Hush;
use protocol::reply::OAuthReply;
use protocol::secret::Secret;
use protocol::shown;
use serde_json::Value;

/// Longest description kept, in characters.
const DESCRIPTION_AT_MOST: usize = 400;

/// Longest `error` code kept; the registered ones have at most 25 characters.
const CODE_AT_MOST: usize = 60;

/// Longest excerpt of a page, in characters.
const EXCERPT_AT_MOST: usize = 200;

/// How much of the words is gone through, in bytes: many times what is kept.
const START_BYTES: usize = 8 * 1024;

/// In a page a word of this length may be a token that we do not know.
const TOKEN_AT_LEAST: usize = 24;

/// The refusal in an answer whose status is not 200.
pub(super) fn read_refusal(
    status: u16,
    challenge: Option<&str>,
    body: &[u8],
    secrets: &[&Secret],
) -> OAuthReply {
    let hush = Hush::new(secrets.iter().map(|secret| secret.expose()));
    let clean = |text: &str, at_most| shorten(&hush.text(start_of(text)), at_most);

    let found = find_json_error(body).or_else(|| challenge.and_then(find_challenge_error));
    let (error, description) = match found {
        Some((code, description)) => (
            Some(clean(&code, CODE_AT_MOST)),
            clean(&description, DESCRIPTION_AT_MOST),
        ),
        None if (300..400).contains(&status) => {
            (None, "a redirect, which is not followed".to_owned())
        }
        None => {
            let page = strip_tags(&String::from_utf8_lossy(body));
            let page = hush.text(start_of(&page));
            (None, shorten(&drop_long_words(&page), EXCERPT_AT_MOST))
        }
    };
    OAuthReply {
        http_status: Some(status),
        error,
        description,
    }
}

/// `error` and `error_description`; Google's APIs nest them (`{"error":{"status":…,"message":…}}`).
fn find_json_error(body: &[u8]) -> Option<(String, String)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |value: Option<&Value>| Some(value?.as_str()?.to_owned());
    let error = value.get("error")?;
    if let Some(code) = error.as_str() {
        let description = text(value.get("error_description")).unwrap_or_default();
        return Some((code.to_owned(), description));
    }
    Some((
        text(error.get("status"))?,
        text(error.get("message")).unwrap_or_default(),
    ))
}

/// `Bearer …, error="invalid_token", error_description="…"`.
fn find_challenge_error(challenge: &str) -> Option<(String, String)> {
    let parameter = |name: &str| {
        let (_, quoted) = challenge.split_once(&format!("{name}=\""))?;
        Some(quoted.split_once('"')?.0.to_owned())
    };
    Some((
        parameter("error")?,
        parameter("error_description").unwrap_or_default(),
    ))
}

/// As much as is gone through for our secrets.
fn start_of(text: &str) -> &str {
    let end = text.floor_char_boundary(START_BYTES);
    text.get(..end).unwrap_or_default()
}

/// Text without `<…>`.
fn strip_tags(page: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for c in page.chars() {
        match c {
            '<' => is_tag = true,
            '>' if is_tag => {
                is_tag = false;
                text.push(' ');
            }
            _ if !is_tag => text.push(c),
            _ => {}
        }
    }
    text
}

fn drop_long_words(text: &str) -> String {
    let short = |word: &&str| word.chars().count() < TOKEN_AT_LEAST;
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| Some(word).filter(short).unwrap_or("[…]"))
        .collect();
    words.join(" ")
}

/// One line in which nothing acts, at most that long.
pub(super) fn shorten(text: &str, at_most: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line = shown::line(&line);
    let mut short: String = line.chars().take(at_most).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_in_each_of_its_forms() {
        let invalid_grant = br#"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#;
        let nested = br#"{"error":{"code":401,"message":"Request had invalid credentials.","status":"UNAUTHENTICATED"}}"#;
        for (challenge, body, error, description) in [
            (
                None,
                &invalid_grant[..],
                Some("invalid_grant"),
                "Token has been expired or revoked.",
            ),
            (
                None,
                br#"{"error":"invalid_client"}"#,
                Some("invalid_client"),
                "",
            ),
            (
                None,
                nested,
                Some("UNAUTHENTICATED"),
                "Request had invalid credentials.",
            ),
            (
                Some(
                    r#"Bearer realm="x", error="invalid_token", error_description="The token expired""#,
                ),
                b"",
                Some("invalid_token"),
                "The token expired",
            ),
            (Some("Basic realm=\"x\""), b"no", None, "no"),
            (
                None,
                b"<html><title>502</title>\n<b>Bad\x00Gateway</b></html>",
                None,
                "502 Bad␀Gateway",
            ),
            (None, b"[1]", None, "[1]"),
            (None, b"", None, ""),
        ] {
            let reply = read_refusal(400, challenge, body, &[]);
            assert_eq!(
                (reply.error.as_deref(), reply.description.as_str()),
                (error, description)
            );
        }
    }

    #[test]
    fn no_token_gets_through() {
        let token = Secret::new("1//0gQ/secret-refresh-token");
        let fresh = "ya29.a0AfB_byNobodyKnowsThisOne";
        for body in [
            format!("<p>refresh_token={}&x</p>", token.expose()),
            "<p>refresh_token=1%2F%2F0gQ%2Fsecret-refresh-token</p>".to_owned(),
            "cut off: secret-refresh-to".to_owned(),
            format!("here: {fresh}"),
            format!(
                r#"{{"error":"x","error_description":"bad {}"}}"#,
                token.expose()
            ),
            format!(r#"{{"error":"{}"}}"#, token.expose()),
        ] {
            let reply = read_refusal(500, None, body.as_bytes(), &[&token]);
            let shown = format!("{reply:?} {reply}");
            assert!(
                !shown.contains("secret-refresh") && !shown.contains(fresh),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_page_is_shortened_and_a_redirect_named() {
        let page = "word ".repeat(1000);
        let reply = read_refusal(500, None, page.as_bytes(), &[]);
        assert_eq!(reply.description.chars().count(), EXCERPT_AT_MOST + 1);
        assert_eq!(
            read_refusal(302, None, b"", &[]).description,
            "a redirect, which is not followed"
        );
    }
}
