//! The forms in which a secret may stand somewhere. What is searched for and what is planted to prove the search
//! are two lists: the first holds digits and letters, the second whole texts as programs write them. Pure.

use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::{
    BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD,
};

/// The shortest text that is looked for: what is shorter stands by chance in a database.
pub const AT_LEAST_BYTES: usize = 8;

/// Bytes to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    /// What they are of the secret.
    pub form: String,
    /// Themselves.
    pub bytes: Vec<u8>,
}

/// Everything to look for, without regard to the case of letters.
pub fn needles(secret: &[u8]) -> Vec<Needle> {
    let mut texts: Vec<(&str, Vec<u8>)> = vec![
        ("raw", secret.to_vec()),
        ("hex", hex(secret).into_bytes()),
        ("percent-encoded", percent(secret, |_| false).into_bytes()),
        (
            "percent-encoded as in a path",
            percent(secret, is_unreserved).into_bytes(),
        ),
        (
            "percent-encoded as in a form",
            percent(secret, is_kept_in_forms)
                .replace("%20", "+")
                .into_bytes(),
        ),
        ("a list of bytes", list(secret).into_bytes()),
        (
            "escaped bytes",
            secret.escape_ascii().to_string().into_bytes(),
        ),
    ];
    if let Ok(text) = std::str::from_utf8(secret) {
        texts.extend([
            ("escaped as in JSON", json(text).into_bytes()),
            ("escaped twice as in JSON", json(&json(text)).into_bytes()),
            ("escaped as in JSON of ASCII", ascii_json(text).into_bytes()),
            (
                "escaped as in Rust",
                text.escape_debug().to_string().into_bytes(),
            ),
            (
                "escaped as in ASCII Rust",
                text.escape_default().to_string().into_bytes(),
            ),
            ("escaped as in HTML", html(text).into_bytes()),
        ]);
    }
    for before in 0..3 {
        texts.push(("base64", base64_core(&BASE64_STANDARD, before, secret)));
        texts.push(("base64url", base64_core(&BASE64_URL_SAFE, before, secret)));
    }
    let mut needles: Vec<Needle> = Vec::new();
    for (form, bytes) in texts {
        let wide = utf_16(&bytes);
        for (form, bytes) in [
            (form.to_owned(), bytes),
            (format!("{form}, in UTF-16"), wide),
        ] {
            let known = needles.iter().any(|needle| needle.bytes == bytes);
            if bytes.len() >= AT_LEAST_BYTES && !known {
                needles.push(Needle { form, bytes });
            }
        }
    }
    needles
}

/// Whole texts that hold the secret as programs write it, each with its name.
pub fn plants(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut plants = vec![
        ("raw", secret.to_vec()),
        ("hex", hex(secret).into_bytes()),
        ("hex in capitals", hex(secret).to_uppercase().into_bytes()),
        ("base64", BASE64_STANDARD.encode(secret).into_bytes()),
        (
            "base64 without padding",
            BASE64_STANDARD_NO_PAD.encode(secret).into_bytes(),
        ),
        ("base64url", BASE64_URL_SAFE.encode(secret).into_bytes()),
        (
            "base64url without padding",
            BASE64_URL_SAFE_NO_PAD.encode(secret).into_bytes(),
        ),
        ("percent-encoded", percent(secret, |_| false).into_bytes()),
        (
            "percent-encoded as in a form",
            percent(secret, is_kept_in_forms)
                .replace("%20", "+")
                .into_bytes(),
        ),
        ("bytes of a debugger", format!("{secret:?}").into_bytes()),
        ("UTF-16", utf_16(secret)),
    ];
    for before in ["a", "ab", "abc"] {
        let text = [before.as_bytes(), secret, b"z"].concat();
        plants.push(("base64 of more", BASE64_STANDARD.encode(&text).into_bytes()));
        plants.push((
            "base64url of more, in UTF-16",
            utf_16(BASE64_URL_SAFE_NO_PAD.encode(&text).as_bytes()),
        ));
    }
    for user in ["jane@acme.example", "john@acme.example", "a@b.cd"] {
        let token = [
            format!("user={user}\x01auth=Bearer ").as_bytes(),
            secret,
            b"\x01\x01",
        ]
        .concat();
        plants.push(("XOAUTH2", BASE64_STANDARD.encode(token).into_bytes()));
        let password = [b"\0", user.as_bytes(), b"\0", secret].concat();
        plants.push(("PLAIN", BASE64_STANDARD.encode(password).into_bytes()));
        let basic = [user.as_bytes(), b":", secret].concat();
        plants.push(("Basic", BASE64_STANDARD.encode(basic).into_bytes()));
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        plants.extend([
            ("JSON", format!("{{\"a\":\"{}\"}}", json(text)).into_bytes()),
            (
                "JSON in JSON",
                format!(
                    "{{\"a\":\"{}\"}}",
                    json(&format!("{{\"b\":\"{}\"}}", json(text)))
                )
                .into_bytes(),
            ),
            ("JSON in ASCII", ascii_json(text).into_bytes()),
            ("Debug", format!("{text:?}").into_bytes()),
            ("HTML", html(text).into_bytes()),
            ("in other case", text.to_ascii_uppercase().into_bytes()),
        ]);
    }
    plants
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn percent(bytes: &[u8], is_kept: fn(u8) -> bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if is_kept(*byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// WHATWG URL, application/x-www-form-urlencoded.
fn is_kept_in_forms(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"*-._".contains(&byte)
}

/// Without the brackets, as `{:?}` of bytes.
fn list(bytes: &[u8]) -> String {
    let numbers: Vec<String> = bytes.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// Without the quotes (RFC 8259 §7).
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let within = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    within.unwrap_or_default().to_owned()
}

fn ascii_json(text: &str) -> String {
    json(text)
        .encode_utf16()
        .fold(String::new(), |mut text, unit| {
            match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
                _ => {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
            text
        })
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn utf_16(bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// The digits that stand for these bytes alone, where so many bytes (mod 3) come before them.
fn base64_core(engine: &impl Engine, before: usize, bytes: &[u8]) -> Vec<u8> {
    let padded = [vec![0; before].as_slice(), bytes].concat();
    let digits = engine.encode(&padded).into_bytes();
    let (from, to) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    digits.get(from..to).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_base64_are_those_that_no_neighbour_changes() {
        for before in 0..3 {
            let core = base64_core(&BASE64_STANDARD, before, b"a secret");
            for (front, behind) in [("\0\0\0", "\0\0\0"), ("zzz", "zzz"), ("\u{7f}~}", "!!")] {
                let text = format!("{}a secret{behind}", &front[..before]);
                let encoded = BASE64_STANDARD.encode(text);
                let core = std::str::from_utf8(&core).unwrap();
                assert!(encoded.contains(core), "{encoded} does not hold {core}");
            }
            assert!(core.len() >= 10);
        }
    }

    #[test]
    fn each_form_stands_once() {
        let needles = needles(b"abcdefgh-plain");
        for needle in &needles {
            let same = needles.iter().filter(|other| other.bytes == needle.bytes);
            assert_eq!(same.count(), 1, "{}", needle.form);
        }
        let json = "say \"hi\" to Zoë";
        let forms: Vec<String> = super::needles(json.as_bytes())
            .into_iter()
            .filter_map(|needle| String::from_utf8(needle.bytes).ok())
            .collect();
        for expected in [
            r#"say \"hi\" to Zoë"#,
            r#"say \\\"hi\\\" to Zoë"#,
            r#"say \"hi\" to Zo\u00eb"#,
            "say &quot;hi&quot; to Zoë",
            "say+%22hi%22+to+Zo%C3%AB",
            "say%20%22hi%22%20to%20Zo%C3%AB",
            "73617920226869222074",
        ] {
            assert!(
                forms.iter().any(|form| form.starts_with(expected)),
                "{expected} is missing in {forms:#?}"
            );
        }
    }
}
