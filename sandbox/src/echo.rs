//! The words of a careless server: it repeats what it was shown, in the forms in which servers do that. For the
//! search for secrets, which wants the worst of servers.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::sasl::{Credentials, TokenMechanism};

/// The text itself and what becomes of it in a command, a form, a quoted string and a dump.
pub(crate) fn forms_of(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02X}");
        hex
    });
    vec![
        format!("got {secret}"),
        format!("in base64 {}", STANDARD.encode(secret)),
        format!(
            "in base64url x{}",
            URL_SAFE_NO_PAD.encode(format!("x{secret}"))
        ),
        format!(
            "in a form secret={}&more",
            form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>()
        ),
        format!("quoted {secret:?}"),
        format!("in hex {hex}"),
        // Cut off, as servers with short lines do.
        format!("cut off {}...", secret.chars().take(20).collect::<String>()),
    ]
}

impl Credentials {
    /// What a careless server says of them, a line each.
    pub(crate) fn forms(&self) -> Vec<String> {
        let (secret, message) = match self {
            Self::Password { username, password } => {
                (password, format!("\0{username}\0{password}"))
            }
            Self::Token {
                mechanism,
                username,
                token,
            } => {
                let user = username.as_deref().unwrap_or_default();
                let message = match mechanism {
                    TokenMechanism::XOAuth2 => {
                        format!("user={user}\x01auth=Bearer {token}\x01\x01")
                    }
                    TokenMechanism::OAuthBearer => {
                        format!("n,a={user},\x01auth=Bearer {token}\x01\x01")
                    }
                };
                (token, message)
            }
        };
        let mut forms = forms_of(secret);
        forms.push(format!("unknown: AUTH {}", STANDARD.encode(message)));
        forms
    }
}
