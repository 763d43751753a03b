//! Takes our own secrets out of what a server says. Servers quote the command or the parameters that they
//! refuse, and their words go into evidence, logs and cards. Secrets that a server makes up itself are not
//! known here. Pure; both the relay and the extension use it.

use std::collections::HashSet;
use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use zeroize::Zeroizing;

use crate::evidence::{Finding, Said};
use crate::reply::{ImapReply, OAuthReply, SmtpReply};

/// What stands in the place of a secret.
const PLACEHOLDER: &str = "[secret]";

/// From this length on a piece of a secret is taken for it; shorter pieces are words such as `user`.
const PIECE_AT_LEAST: usize = 12;

/// Below this length an encoded form says too little to be told from other words.
const FORM_AT_LEAST: usize = 6;

/// What must not be shown: some secrets in every form in which a server may repeat them.
pub struct Hush {
    /// In lower case, because servers change the case of what they quote.
    forms: Vec<Zeroizing<String>>,
}

impl Hush {
    /// Keeps these quiet; empty ones are none.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<Zeroizing<String>> = Vec::new();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            for form in forms_of(secret) {
                if !forms.iter().any(|known| **known == *form) {
                    forms.push(form);
                }
            }
        }
        Self { forms }
    }

    /// `text` without any of them: neither whole nor, cut off by the server, as a piece of at least twelve
    /// characters.
    pub fn text(&self, text: &str) -> String {
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let mut is_secret = vec![false; text.len()];
        let mut mark = |from: usize, n_bytes: usize| {
            for one in is_secret.iter_mut().skip(from).take(n_bytes) {
                *one = true;
            }
        };
        for form in &self.forms {
            for (at, found) in lower.match_indices(form.as_str()) {
                mark(at, found.len());
            }
        }
        let pieces: HashSet<&[u8]> = self
            .forms
            .iter()
            .flat_map(|form| form.as_bytes().windows(PIECE_AT_LEAST))
            .collect();
        for (at, piece) in lower.as_bytes().windows(PIECE_AT_LEAST).enumerate() {
            if pieces.contains(piece) {
                mark(at, PIECE_AT_LEAST);
            }
        }
        let mut hushed = String::with_capacity(text.len());
        let mut was_secret = false;
        for (letter, is_secret) in text
            .char_indices()
            .map(|(at, letter)| (letter, is_secret.get(at) == Some(&true)))
        {
            match (was_secret, is_secret) {
                (false, true) => hushed.push_str(PLACEHOLDER),
                (true, true) => {}
                (_, false) => hushed.push(letter),
            }
            was_secret = is_secret;
        }
        hushed
    }

    /// The same words without any of them.
    pub fn said(&self, said: Said) -> Said {
        match said {
            Said::Smtp(reply) => Said::Smtp(self.smtp(reply)),
            Said::Imap(ImapReply { status, code, text }) => Said::Imap(ImapReply {
                status,
                code: code.map(|code| self.text(&code)),
                text: self.text(&text),
            }),
            Said::Oauth(OAuthReply {
                http_status,
                error,
                description,
            }) => Said::Oauth(OAuthReply {
                http_status,
                error: error.map(|error| self.text(&error)),
                description: self.text(&description),
            }),
            Said::Io { fault, detail } => Said::Io {
                fault,
                detail: self.text(&detail),
            },
            Said::Tls { detail } => Said::Tls {
                detail: self.text(&detail),
            },
            Said::Garbage { detail } => Said::Garbage {
                detail: self.text(&detail),
            },
            Said::Found(Finding::NoSignInOffered { needed, offered }) => {
                Said::Found(Finding::NoSignInOffered {
                    needed,
                    offered: self.text(&offered),
                })
            }
            Said::Found(Finding::OtherService { words }) => Said::Found(Finding::OtherService {
                words: self.text(&words),
            }),
            Said::Found(finding) => Said::Found(finding),
        }
    }

    /// The same reply without any of them.
    pub fn smtp(&self, mut reply: SmtpReply) -> SmtpReply {
        reply.text = self.text(&reply.text);
        reply
    }
}

impl std::fmt::Debug for Hush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hush({} forms)", self.forms.len())
    }
}

/// The secret itself, and what becomes of it in a command, a form, JSON and a debugger's words.
fn forms_of(secret: &str) -> Vec<Zeroizing<String>> {
    let bytes = secret.as_bytes();
    let mut percent = Zeroizing::new(String::new());
    let mut unreserved = Zeroizing::new(String::new());
    let mut hex = Zeroizing::new(String::new());
    for byte in bytes {
        let _ = write!(percent, "%{byte:02x}");
        let _ = write!(hex, "{byte:02x}");
        // RFC 3986 §2.3.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            unreserved.push(char::from(*byte));
        } else {
            let _ = write!(unreserved, "%{byte:02x}");
        }
    }
    let form: String = form_urlencoded::byte_serialize(bytes).collect();
    // RFC 9051 §4.3: in a quoted string.
    let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let escaped: String = secret.escape_default().collect();
    let mut forms = vec![
        percent,
        hex,
        unreserved,
        Zeroizing::new(form),
        Zeroizing::new(quoted),
        Zeroizing::new(escaped),
    ];
    for before in 0..3 {
        forms.push(in_base64(&BASE64_STANDARD, before, bytes));
        forms.push(in_base64(&BASE64_URL_SAFE, before, bytes));
    }
    forms.retain(|form| form.len() >= FORM_AT_LEAST);
    forms.push(Zeroizing::new(secret.to_owned()));
    for form in &mut forms {
        form.make_ascii_lowercase();
    }
    forms
}

/// The digits that stand for these bytes alone, whatever stands around them, where so many bytes (mod 3) come
/// before them (RFC 4648 §4: three bytes are four digits).
fn in_base64(engine: &impl Engine, before: usize, bytes: &[u8]) -> Zeroizing<String> {
    let padded = Zeroizing::new([vec![0; before].as_slice(), bytes].concat());
    let digits = Zeroizing::new(engine.encode(&*padded));
    // A digit that shares its six bits with a neighbour is not theirs.
    let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    Zeroizing::new(digits.get(from..to).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::IoFault;
    use crate::reply::ImapStatus;

    #[test]
    fn a_quoted_secret_is_taken_out_whole_or_cut_off() {
        let token = "dXNlcj1qYW5lAWF1dGg9QmVhcmVyIHlhMjkuQTBBZlMB";
        let hush = Hush::new([token, "hunter two", ""]);
        for (text, expected) in [
            (
                format!("unknown: AUTH XOAUTH2 {token}"),
                "unknown: AUTH XOAUTH2 [secret]",
            ),
            (
                format!("too long: {}...", &token[..20]),
                "too long: [secret]...",
            ),
            (format!("bad token={}", &token[3..20]), "bad token=[secret]"),
            (
                format!("unknown: {}", token.to_uppercase()),
                "unknown: [secret]",
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
            assert_eq!(hush.text(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_is_known_in_every_form_in_which_a_server_may_repeat_it() {
        let password = "Pass \"wörd\" 7+/";
        let hush = Hush::new([password]);
        for (repeated, expected) in [
            (
                "LOGIN jane \"Pass \\\"wörd\\\" 7+/\"",
                "LOGIN jane \"[secret]\"",
            ),
            (
                "password=Pass+%22w%C3%B6rd%22+7%2B%2F&x",
                "password=[secret]&x",
            ),
            (
                "password=Pass%20%22w%c3%b6rd%22%207%2b%2f",
                "password=[secret]",
            ),
            (
                "%50%61%73%73%20%22%77%C3%B6%72%64%22%20%37%2B%2F",
                "[secret]",
            ),
            ("<50617373202277C3B672642220372B2F>", "<[secret]>"),
            (
                r#"{"password":"Pass \"w\u{f6}rd\" 7+/"}"#,
                r#"{"password":"[secret]"}"#,
            ),
        ] {
            assert_eq!(hush.text(repeated), expected, "{repeated}");
        }
        for user in ["", "j", "ja", "jan"] {
            let plain = BASE64_STANDARD.encode(format!("\0{user}\0{password}"));
            let url =
                BASE64_URL_SAFE.encode(format!("user={user}\x01auth=Bearer {password}\x01\x01"));
            for encoded in [plain, url] {
                let hushed = hush.text(&format!("unknown: {encoded}"));
                let left = hushed.replace("unknown: ", "").replace(PLACEHOLDER, "");
                assert!(
                    hushed.contains(PLACEHOLDER) && left.len() + 20 <= encoded.len(),
                    "{encoded} is {hushed}"
                );
            }
        }
    }

    #[test]
    fn every_kind_of_words_is_gone_through() {
        let hush = Hush::new(["s3cret-token"]);
        let text = || "no: s3cret-token".to_owned();
        for said in [
            Said::Smtp(SmtpReply::parse(535, ["no: s3cret-token"])),
            Said::Imap(ImapReply {
                status: ImapStatus::No,
                code: Some("X-S3CRET-TOKEN".to_owned()),
                text: text(),
            }),
            Said::Oauth(OAuthReply {
                http_status: Some(400),
                error: Some(text()),
                description: text(),
            }),
            Said::Io {
                fault: IoFault::Other,
                detail: text(),
            },
            Said::Tls { detail: text() },
            Said::Garbage { detail: text() },
        ] {
            let shown = format!("{:?}", hush.said(said)).to_lowercase();
            assert!(
                shown.contains(PLACEHOLDER) && !shown.contains("s3cret"),
                "{shown}"
            );
        }
        assert!(!format!("{hush:?}").contains("s3cret"));
    }
}
