//! What a client says in AUTH and AUTHENTICATE. The verdict is the provider's.

use std::fmt;

use serde_json::json;

use crate::account::Refusal;

/// The credentials of one SASL exchange.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// PLAIN (RFC 4616), LOGIN, or the IMAP command LOGIN.
    Password { username: String, password: String },
    /// XOAUTH2 or OAUTHBEARER; no user name means the token alone says who.
    Token {
        mechanism: TokenMechanism,
        username: Option<String>,
        token: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { username, .. } => f
                .debug_struct("Password")
                .field("username", username)
                .finish_non_exhaustive(),
            Self::Token {
                mechanism,
                username,
                ..
            } => f
                .debug_struct("Token")
                .field("mechanism", mechanism)
                .field("username", username)
                .finish_non_exhaustive(),
        }
    }
}

impl Credentials {
    /// Whom the client claims to be; `None` where only the token says it.
    pub(crate) fn username(&self) -> Option<&str> {
        match self {
            Self::Password { username, .. } => Some(username),
            Self::Token { username, .. } => username.as_deref(),
        }
    }
}

/// How a token is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenMechanism {
    XOAuth2,
    OAuthBearer,
}

/// The message is not of the mechanism's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed credentials")]
pub(crate) struct Malformed;

/// `[authzid] NUL authcid NUL password` (RFC 4616 §2); acting for somebody else is refused.
pub(crate) fn parse_plain(message: &[u8]) -> Result<Credentials, Malformed> {
    let text = std::str::from_utf8(message).map_err(|_| Malformed)?;
    let mut parts = text.split('\0');
    let (Some(authzid), Some(username), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Malformed);
    };
    if username.is_empty() || (!authzid.is_empty() && authzid != username) {
        return Err(Malformed);
    }
    Ok(Credentials::Password {
        username: username.to_owned(),
        password: password.to_owned(),
    })
}

/// `user=… ^A auth=Bearer … ^A ^A`, the form that Google and Microsoft document.
pub(crate) fn parse_xoauth2(message: &[u8]) -> Result<Credentials, Malformed> {
    let text = std::str::from_utf8(message).map_err(|_| Malformed)?;
    let fields: Vec<_> = text
        .split('\u{1}')
        .filter(|field| !field.is_empty())
        .collect();
    let username = fields
        .iter()
        .find_map(|field| field.strip_prefix("user="))
        .ok_or(Malformed)?;
    let token = fields
        .iter()
        .find_map(|field| bearer(field))
        .ok_or(Malformed)?;
    Ok(Credentials::Token {
        mechanism: TokenMechanism::XOAuth2,
        username: Some(username.to_owned()),
        token: token.to_owned(),
    })
}

/// `n,a=user, ^A host=… ^A port=… ^A auth=Bearer … ^A ^A` (RFC 7628 §3.1).
pub(crate) fn parse_oauth_bearer(message: &[u8]) -> Result<Credentials, Malformed> {
    let text = std::str::from_utf8(message).map_err(|_| Malformed)?;
    let (gs2_header, pairs) = text.split_once('\u{1}').ok_or(Malformed)?;
    let mut gs2 = gs2_header.split(',');
    if !matches!(gs2.next(), Some("n" | "y")) {
        return Err(Malformed);
    }
    let username = gs2
        .find_map(|part| part.strip_prefix("a="))
        .map(|name| name.replace("=2C", ",").replace("=3D", "="));
    let token = pairs.split('\u{1}').find_map(bearer).ok_or(Malformed)?;
    Ok(Credentials::Token {
        mechanism: TokenMechanism::OAuthBearer,
        username,
        token: token.to_owned(),
    })
}

/// The challenge that tells why a token is refused: RFC 7628 §3.2.2, and for XOAUTH2 the form
/// that Google documents.
pub(crate) fn render_failure(
    mechanism: TokenMechanism,
    refusal: Refusal,
    (status, schemes): (&str, &str),
    scope: &str,
    issuer: &str,
) -> String {
    let missing_scope = refusal == Refusal::MissingScope;
    match mechanism {
        TokenMechanism::XOAuth2 => {
            let status = if missing_scope { "403" } else { status };
            json!({ "status": status, "schemes": schemes, "scope": scope })
        }
        TokenMechanism::OAuthBearer => {
            let status = if missing_scope {
                "insufficient_scope"
            } else {
                "invalid_token"
            };
            let discovery = format!("{issuer}/.well-known/openid-configuration");
            json!({ "status": status, "scope": scope, "openid-configuration": discovery })
        }
    }
    .to_string()
}

/// The scheme is written in any case (RFC 9110 §11.1).
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.strip_prefix("auth=")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(mechanism: TokenMechanism, username: Option<&str>) -> Credentials {
        Credentials::Token {
            mechanism,
            username: username.map(str::to_owned),
            token: "abc".to_owned(),
        }
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(
            parse_xoauth2(b"user=j@a.example\x01auth=Bearer abc\x01\x01"),
            Ok(token(TokenMechanism::XOAuth2, Some("j@a.example")))
        );
        assert_eq!(
            parse_oauth_bearer(
                b"n,a=j@a.example,\x01host=h\x01port=993\x01auth=bearer abc\x01\x01"
            ),
            Ok(token(TokenMechanism::OAuthBearer, Some("j@a.example")))
        );
        assert_eq!(
            parse_oauth_bearer(b"n,,\x01auth=Bearer abc\x01\x01"),
            Ok(token(TokenMechanism::OAuthBearer, None))
        );
        assert_eq!(
            parse_plain(b"\0j@a.example\0pass word"),
            Ok(Credentials::Password {
                username: "j@a.example".to_owned(),
                password: "pass word".to_owned()
            })
        );
    }

    #[test]
    fn other_forms_are_malformed() {
        assert_eq!(parse_plain(b"j@a.example\0x"), Err(Malformed));
        assert_eq!(parse_plain(b"somebody\0j@a.example\0x"), Err(Malformed));
        assert_eq!(parse_xoauth2(b"user=j@a.example\x01\x01"), Err(Malformed));
        assert_eq!(
            parse_oauth_bearer(b"p=tls-unique,,\x01auth=Bearer abc\x01\x01"),
            Err(Malformed)
        );
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = format!(
            "{:?} {:?}",
            token(TokenMechanism::XOAuth2, None),
            parse_plain(b"\0a\0abc")
        );
        assert!(!shown.contains("abc"), "{shown}");
    }
}
