//! A client at Google: type "Web application".

use protocol::inbox::TlsMode;

use super::{Expected, Field, Form, Server, is_visible};

/// What every client id of Google ends with.
const ENDING: &str = ".apps.googleusercontent.com";
/// What a client secret of Google begins with today; older ones do not, so it is not demanded.
const SECRET_BEGINNING: &str = "GOCSPX-";

pub(super) static FORM: Form = Form {
    id: "google",
    guide: "docs/providers/google.md",
    issuer: "https://accounts.google.com",
    tenant: None,
    client_id: Field {
        name: "Client ID",
        check: check_client_id,
    },
    client_secret: Field {
        name: "Client secret",
        check: check_client_secret,
    },
    // "IMAP, POP, and SMTP" of Google's Gmail documents.
    smtp: Server {
        host: "smtp.gmail.com",
        port: 465,
        tls: TlsMode::Implicit,
    },
    imap: Server {
        host: "imap.gmail.com",
        port: 993,
        tls: TlsMode::Implicit,
    },
    own_address: None,
    missing: None,
};

fn check_client_id(text: &str) -> Result<(), Expected> {
    if text.starts_with(SECRET_BEGINNING) {
        return Err(Expected(
            "the client id, which ends with .apps.googleusercontent.com; this looks like the client secret",
        ));
    }
    let before = text.strip_suffix(ENDING).unwrap_or_default();
    if is_visible(before) && before.starts_with(|letter: char| letter.is_ascii_digit()) {
        return Ok(());
    }
    Err(Expected(
        "a number and letters that end with .apps.googleusercontent.com, as in 1234-abcd.apps.googleusercontent.com",
    ))
}

fn check_client_secret(text: &str) -> Result<(), Expected> {
    if text.ends_with(ENDING) {
        return Err(Expected(
            "the client secret, as in GOCSPX-…; this looks like the client id",
        ));
    }
    if is_visible(text) {
        return Ok(());
    }
    Err(Expected("the client secret without spaces, as in GOCSPX-…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_and_a_secret_are_told_apart() {
        for (text, is_id, is_secret) in [
            ("1234-abc9.apps.googleusercontent.com", true, false),
            ("GOCSPX-abc_9", false, true),
            ("abcdefghij0123456789_-ab", false, true),
            (".apps.googleusercontent.com", false, false),
            ("Unpause.apps.googleusercontent.com", false, false),
            ("1234-a b.apps.googleusercontent.com", false, false),
            ("my project", false, false),
            ("", false, false),
        ] {
            assert_eq!(check_client_id(text).is_ok(), is_id, "{text:?}");
            assert_eq!(check_client_secret(text).is_ok(), is_secret, "{text:?}");
        }
    }
}
