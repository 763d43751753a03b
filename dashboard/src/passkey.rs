//! Why a passkey is not made or does not sign, and on which pages one can. The browser's part is in `app`.

use web::call::CallError;

use crate::model::Place;

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// The relay said no, or nothing.
    ByRelay(CallError),
    /// The person chose none, or took too long: browsers say which of the two to nobody (Web Authentication §14.5).
    ByPerson,
    /// The authenticator has one of this account.
    Known,
    /// Something else, in the browser's words.
    ByBrowser {
        /// Them.
        words: String,
    },
}

impl From<CallError> for Untaken {
    fn from(error: CallError) -> Self {
        Self::ByRelay(error)
    }
}

impl Untaken {
    /// By the name of what a browser threw (Web Authentication §5.1.3, §5.1.4), and its words.
    pub fn by_name(name: &str, words: String) -> Self {
        match name {
            "NotAllowedError" | "AbortError" => Self::ByPerson,
            "InvalidStateError" => Self::Known,
            _ => Self::ByBrowser { words },
        }
    }
}

impl Place {
    /// Of a page at this host and port, in a browser that has passkeys, or has none. A passkey is bound to a name; on this
    /// computer that is `localhost`, whichever of its addresses the relay was asked for at.
    pub fn of(hostname: &str, port: &str, has_browser: bool) -> Self {
        let bare = hostname.trim_matches(['[', ']']);
        match bare.parse::<std::net::IpAddr>() {
            Ok(address) if address.is_loopback() => {
                let port = if port.is_empty() {
                    String::new()
                } else {
                    format!(":{port}")
                };
                Self::At(format!("http://localhost{port}"))
            }
            Ok(_) => Self::Nameless,
            Err(_) if has_browser => Self::Here,
            Err(_) => Self::NoBrowser,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_used_where_the_page_has_a_name() {
        for (hostname, port, has_browser, expected) in [
            ("relay.acme.example", "", true, Place::Here),
            ("localhost", "7411", true, Place::Here),
            ("relay.acme.example", "", false, Place::NoBrowser),
            (
                "127.0.0.1",
                "7411",
                true,
                Place::At("http://localhost:7411".to_owned()),
            ),
            ("[::1]", "", true, Place::At("http://localhost".to_owned())),
            ("192.0.2.1", "8443", true, Place::Nameless),
            ("[2001:db8::1]", "", true, Place::Nameless),
        ] {
            assert_eq!(
                Place::of(hostname, port, has_browser),
                expected,
                "{hostname}"
            );
        }
    }
}
