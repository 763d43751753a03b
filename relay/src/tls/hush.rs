//! Takes our own secrets out of what a server says. Servers quote the command or the parameters that
//! they refuse, and their words go into evidence, logs and cards. Secrets that a server makes up
//! itself are not known here.

/// What stands in the place of a secret.
const PLACEHOLDER: &str = "[secret]";

/// From this length on a piece of a secret is taken for it; shorter pieces are words such as `user`.
const PIECE_AT_LEAST: usize = 12;

/// `text` without any of `secrets`: neither whole nor, cut off by the server, as a piece of at least
/// twelve characters.
pub fn hush(text: &str, secrets: &[&str]) -> String {
    let mut quiet = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        quiet = quiet.replace(secret, PLACEHOLDER);
    }
    let mut hushed = String::with_capacity(quiet.len());
    let mut rest = quiet.as_str();
    while let Some(start) = rest.find(is_of_a_secret) {
        let (before, tail) = rest.split_at(start);
        let (run, after) = tail.split_at(tail.find(|c| !is_of_a_secret(c)).unwrap_or(tail.len()));
        hushed.push_str(before);
        let is_piece = run.len() >= PIECE_AT_LEAST && secrets.iter().any(|s| s.contains(run));
        hushed.push_str(if is_piece { PLACEHOLDER } else { run });
        rest = after;
    }
    hushed.push_str(rest);
    hushed
}

/// Characters of base64, of URLs and of tokens (RFC 6750 §2.1), but for the dot: servers end with dots
/// what they cut off, and the parts of a token between its dots are long.
fn is_of_a_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/=-_~%".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_secret_is_taken_out_whole_or_cut_off() {
        let token = "dXNlcj1qYW5lAWF1dGg9QmVhcmVyIHlhMjkuQTBBZlMB";
        for (text, expected) in [
            (
                format!("unknown: AUTH XOAUTH2 {token}"),
                "unknown: AUTH XOAUTH2 [secret]",
            ),
            (
                format!("too long: {}...", &token[..20]),
                "too long: [secret]...",
            ),
            (
                "see https://support.acme.example/p=BadCredentials".to_owned(),
                "see https://support.acme.example/p=BadCredentials",
            ),
            ("user unknown".to_owned(), "user unknown"),
            (
                "hunter two is wrong, größer".to_owned(),
                "[secret] is wrong, größer",
            ),
        ] {
            assert_eq!(hush(&text, &[token, "hunter two", ""]), expected, "{text}");
        }
    }
}
