//! A recorded failure made into the evidence that the relay's adapters would have made of it. Reports quote
//! servers in their own ways; what stands around the server's words is cut away where it can be told.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use protocol::evidence::{Evidence, Finding, IoFault, Party, Said, Stage, may_be_host};
use protocol::provider::ProviderId;
use protocol::reply::{EnhancedCode, ImapReply, ImapStatus, OAuthReply, SmtpReply};
use protocol::timestamp::Timestamp;
use serde_json::Value;

/// The evidence of a failure that was met in `phase` of `protocol`.
pub(super) fn evidence(protocol: &str, phase: &str, provider: &str, text: &str) -> Evidence {
    let (party, said) = match protocol {
        "smtp" => (Party::Smtp, smtp(phase, text)),
        // POP refuses a sign-in as IMAP does.
        "imap" | "pop" => (Party::Imap, imap(text)),
        // An API of a provider is spoken to as its identity endpoint is.
        "oauth" | "api" => (Party::Oauth, Said::Oauth(oauth(phase, text))),
        "tls" => {
            let detail = text.to_owned();
            (Party::Imap, Said::Tls { detail })
        }
        _ => (Party::Smtp, io(text)),
    };
    Evidence {
        party,
        stage: stage(protocol, phase),
        said,
        provider: ProviderId::new(provider_id(provider)),
        seen_at: Timestamp::from_ms(0),
    }
}

fn stage(protocol: &str, phase: &str) -> Stage {
    match (protocol, phase) {
        // A server that speaks has been connected to.
        ("smtp" | "imap" | "pop", "connect") => Stage::Greeting,
        (_, "connect" | "dns") => Stage::Connect,
        (_, "tls") => Stage::Tls,
        (_, "mail") => Stage::Mail,
        (_, "rcpt") => Stage::Rcpt,
        // What is quoted as an answer to DATA came behind the body.
        (_, "data") => Stage::Body,
        (_, "authorize") => Stage::Authorize,
        (_, "token") => Stage::Exchange,
        (_, "token_refresh") => Stage::Refresh,
        ("imap" | "pop", "mailbox") => Stage::Folder,
        ("api", _) => Stage::Identity,
        _ => Stage::Auth,
    }
}

fn provider_id(provider: &str) -> &'static str {
    match provider {
        "gmail" | "google" | "google_workspace" => "google",
        "microsoft" | "microsoft365" | "microsoft_graph" | "outlook.com" => "microsoft",
        _ => "openid",
    }
}

/// The reply in the text. Where a report leaves the code out, it follows from the enhanced code, and else from
/// what is refused: 535 for a sign-in (RFC 4954 §6), 550 for anything else (RFC 5321 §4.2.3).
fn smtp(phase: &str, text: &str) -> Said {
    if let Some(words) = challenge(text) {
        return Said::Smtp(SmtpReply::parse(535, [words.as_str()]));
    }
    let plain = text.replace(['"', '“', '”'], "").replace(", ", " ");
    if let Some((code, at)) = find_code(&plain) {
        let separators = [' ', '-', '\t'];
        let rest = plain.get(at + 3..).unwrap_or_default();
        let rest = rest.trim_start_matches(separators);
        // Further lines repeat the code, in reports often without their line ends.
        let lines = rest
            .replace(&format!("{code}-"), "\n")
            .replace(&format!("\n{code} "), "\n");
        return Said::Smtp(SmtpReply::parse(code, lines.lines().map(str::trim)));
    }
    let is_cut = ["timed out", "refused", "unreachable", "no route"]
        .iter()
        .any(|words| plain.contains(words));
    if phase == "connect" && is_cut {
        return io(text);
    }
    let enhanced = plain
        .split_whitespace()
        .enumerate()
        .find_map(|(word_idx, word)| {
            let code = EnhancedCode::parse(word.trim_matches([':', ',', '#']).split('-').next()?)?;
            Some((word_idx, code))
        });
    let (code, line) = match enhanced {
        Some((word_idx, enhanced)) => {
            let code = match (enhanced.class, phase) {
                (4, _) => 450,
                (_, "auth") => 535,
                _ => 550,
            };
            let words: Vec<&str> = plain.split_whitespace().skip(word_idx + 1).collect();
            // A range of codes is read as its first.
            (code, format!("{enhanced} {}", words.join(" ")))
        }
        None => (if phase == "auth" { 535 } else { 550 }, plain),
    };
    Said::Smtp(SmtpReply::parse(code, [line.as_str()]))
}

/// Where a reply's code stands: at the start of a line, or within one, where no other number is meant.
fn find_code(text: &str) -> Option<(u16, usize)> {
    let mut offset = 0;
    let mut inside = None;
    for line in text.split_inclusive('\n') {
        let start = line.len() - line.trim_start().len();
        if let Some(code) = reply_code(line.trim_start()) {
            return Some((code, offset + start));
        }
        for (at, _) in line.match_indices([' ', ':', '(', '\'']) {
            let rest = line.get(at + 1..).unwrap_or_default();
            let next = rest.get(4..).unwrap_or_default().split_whitespace().next();
            let is_enhanced = next.is_some_and(|word| EnhancedCode::parse(word).is_some());
            let is_usual =
                |code: &u16| is_enhanced || matches!(code, 421 | 450..=455 | 530..=538 | 550..=556);
            if let Some(code) = reply_code(rest).filter(is_usual) {
                inside = inside.or(Some((code, offset + at + 1)));
            }
        }
        offset += line.len();
    }
    inside
}

/// The refusing code that opens the text (RFC 5321 §4.2).
fn reply_code(text: &str) -> Option<u16> {
    let (digits, rest) = text.split_at_checked(3)?;
    let ends = rest.is_empty() || rest.starts_with([' ', '-', ':', ',', '\n', '\r']);
    let code: u16 = digits.parse().ok()?;
    (ends && (400..600).contains(&code)).then_some(code)
}

/// The words that the relay makes of a 334 which explains why a token is refused.
fn challenge(text: &str) -> Option<String> {
    let encoded = text
        .strip_prefix("334 ")
        .or_else(|| text.strip_prefix("+ "))?;
    let json = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let value: Value = serde_json::from_slice(&json).ok()?;
    let parts: Vec<String> = ["status", "schemes", "scope"]
        .into_iter()
        .filter_map(|name| Some(format!("{name} {}", value.get(name)?.as_str()?)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The last response in the text that refuses. Where a report leaves the status out, it was a NO.
fn imap(text: &str) -> Said {
    // The relay sends no LOGIN where the server forbids it.
    if text.contains("LOGINDISABLED") {
        return Said::Found(Finding::NoSignInOffered {
            needed: "AUTH=PLAIN or LOGIN".to_owned(),
            offered: "LOGINDISABLED".to_owned(),
        });
    }
    let mut found: Option<(ImapStatus, String)> = None;
    for line in text.lines() {
        let line = line.trim_start_matches(['<', '>', '=', '\'', ' ']);
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (second, words) = rest.split_once(' ').unwrap_or((rest, ""));
        let Some(refusal) = refusal(first, rest).or_else(|| refusal(second, words)) else {
            continue;
        };
        // The answer to a command says more than the goodbye behind it.
        let is_goodbye = refusal.0 == ImapStatus::Bye;
        if !is_goodbye || found.is_none() {
            found = Some(refusal);
        }
    }
    let is_cut = ["onnection closed", "onnection reset", "roken pipe"]
        .iter()
        .any(|words| text.contains(words));
    if found.is_none() && is_cut {
        return io(text);
    }
    let (status, words) = found.unwrap_or_else(|| (ImapStatus::No, text.to_owned()));
    let (code, words) = split_code(&words);
    Said::Imap(ImapReply {
        status,
        code,
        text: words,
    })
}

fn refusal(word: &str, rest: &str) -> Option<(ImapStatus, String)> {
    let status = match word {
        "NO" | "-ERR" => ImapStatus::No,
        "BAD" => ImapStatus::Bad,
        "BYE" => ImapStatus::Bye,
        _ => return None,
    };
    Some((status, rest.to_owned()))
}

/// `[CODE argument] text` (RFC 9051 §7.1), wherever a report lets it begin.
fn split_code(text: &str) -> (Option<String>, String) {
    let found = text.find('[').and_then(|open| {
        let (inside, rest) = text.get(open + 1..)?.split_once(']')?;
        let name = inside.split(' ').next()?;
        let is_code = name.len() > 2 && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        is_code.then(|| (Some(name.to_owned()), rest.trim_start().to_owned()))
    });
    found.unwrap_or_else(|| (None, text.to_owned()))
}

/// The answer of an endpoint: an OAuth error in JSON (RFC 6749 §5.2) or, where a report quotes it through a
/// library, the error code and the words in it.
fn oauth(phase: &str, text: &str) -> OAuthReply {
    let status_named = find_status(text);
    let in_redirect = phase == "authorize" && status_named.is_none_or(|status| status < 500);
    let value = text
        .find('{')
        .and_then(|at| text.get(at..))
        .and_then(|json| {
            serde_json::Deserializer::from_str(json)
                .into_iter::<Value>()
                .next()
        })
        .and_then(Result::ok);
    let field = |name: &str| Some(value.as_ref()?.get(name)?.as_str()?.to_owned());
    let nested = |name: &str| Some(value.as_ref()?.get("error")?.get(name)?.to_owned());
    let error = field("error")
        .or_else(|| field("errorCode"))
        .or_else(|| nested("status")?.as_str().map(str::to_owned))
        .or_else(|| find_error(text));
    let description = field("error_description")
        .or_else(|| field("errorMessage"))
        .unwrap_or_else(|| text.to_owned());
    let http_status = nested("code")
        .and_then(|code| u16::try_from(code.as_u64()?).ok())
        .or(status_named)
        .unwrap_or(400);
    OAuthReply {
        http_status: (!in_redirect).then_some(http_status),
        error,
        description,
    }
}

/// An error code among the words: lower case with an underscore, as all of them have (RFC 6749 §5.2).
fn find_error(text: &str) -> Option<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_code = |word: &&str| {
        word.contains('_')
            && !word.starts_with("error")
            && word.len() > 8
            && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    words.into_iter().find(is_code).map(str::to_owned)
}

/// The HTTP status of an answer that a library describes.
fn find_status(text: &str) -> Option<u16> {
    let lower = text.to_lowercase();
    let (_, rest) = lower
        .split_once("http error: ")
        .or_else(|| lower.split_once("http error "))?;
    rest.get(..3)?.parse().ok()
}

fn io(text: &str) -> Said {
    let fault = [
        (
            ["ENOTFOUND", "getaddrinfo", "not known"],
            IoFault::UnknownHost,
        ),
        (["ECONNREFUSED", "refused", "Refused"], IoFault::Refused),
        (["ETIMEDOUT", "timed out", "timeout"], IoFault::TimedOut),
        (["ECONNRESET", "onnection reset", "closed"], IoFault::Closed),
    ]
    .into_iter()
    .find(|(words, _)| words.iter().any(|word| text.contains(word)))
    .map_or(IoFault::Other, |(_, fault)| fault);
    // Node.js names the host behind its word for it.
    let host = text
        .split_once("ENOTFOUND ")
        .and_then(|(_, after)| after.split_whitespace().next());
    let fault = match host {
        Some(host) if !may_be_host(host) => IoFault::ImpossibleName,
        _ => fault,
    };
    Said::Io {
        fault,
        detail: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(protocol: &str, phase: &str, text: &str) -> String {
        evidence(protocol, phase, "x", text).words()
    }

    #[test]
    fn a_reply_is_found_in_what_a_report_quotes() {
        for (protocol, phase, text, words) in [
            ("smtp", "auth", "535 5.7.8 no", "535 5.7.8 no"),
            (
                "smtp",
                "rcpt",
                "550-5.1.1 not 550-5.1.1 here 550 5.1.1 at all",
                "550 5.1.1 not here 550 5.1.1 at all",
            ),
            ("smtp", "connect", "421, \"4.7.0\", no", "421 4.7.0 no"),
            (
                "smtp",
                "mail",
                "it failed: 552 5.3.4 too big",
                "552 5.3.4 too big",
            ),
            ("smtp", "data", "5.7.1 no", "550 5.7.1 no"),
            ("smtp", "data", "4.7.1 no", "450 4.7.1 no"),
            ("smtp", "auth", "it failed", "535 it failed"),
            ("imap", "auth", "A1 NO [ALERT] no", "NO [ALERT] no"),
            ("imap", "auth", "* BYE no", "BYE no"),
            (
                "imap",
                "auth",
                "b'[UNAVAILABLE] no'",
                "NO [UNAVAILABLE] no'",
            ),
            ("imap", "mailbox", "no words", "NO no words"),
            ("pop", "auth", "-ERR no", "NO no"),
            (
                "oauth",
                "token_refresh",
                r#"{"error":"invalid_grant","error_description":"no"}"#,
                "400 invalid_grant: no",
            ),
            (
                "oauth",
                "authorize",
                "Failure: access_denied",
                "access_denied: Failure: access_denied",
            ),
            ("oauth", "token", "http error: 503", "503 http error: 503"),
            (
                "api",
                "send",
                r#"{"error":{"code":403,"status":"X","message":"no"}}"#,
                "403 X: {\"error\":{\"code\":403,\"status\":\"X\",\"message\":\"no\"}}",
            ),
        ] {
            assert_eq!(words_of(protocol, phase, text), words, "{text}");
        }
    }

    #[test]
    fn a_challenge_is_told_as_the_relay_tells_it() {
        let encoded = BASE64_STANDARD.encode(r#"{"status":"401","schemes":"bearer"}"#);
        let words = words_of("smtp", "auth", &format!("334 {encoded}"));
        assert_eq!(words, "535 status 401, schemes bearer");
    }
}
