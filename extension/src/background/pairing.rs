//! The link that pairs: `unpause://pair?relay=…&code=…&key=…`, as `unpause pair` prints it. Pure; the calls that
//! follow are in [`super::relay`].

use std::net::Ipv4Addr;

use protocol::secret::Secret;
use protocol::signed::VerifyingKey;
use url::{Host, Url};

/// What a pairing link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The relay's address, without a slash at its end.
    pub relay: String,
    /// The code, which works once.
    pub code: Secret,
    /// The key by which the relay must sign.
    pub key: VerifyingKey,
}

/// Why pairing failed, in words for the person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// The text is no such link.
    #[error(
        "This is not a pairing link. Run `unpause pair` and paste the whole link, from unpause:// on."
    )]
    NotALink,
    /// The link lacks something.
    #[error("The link has no {part}. Run `unpause pair` again and paste the whole link.")]
    Incomplete {
        /// What.
        part: &'static str,
    },
    /// Anybody on the way could read along.
    #[error("{relay} is not encrypted. A relay on another computer must be reached by https://.")]
    NotEncrypted {
        /// The address.
        relay: String,
    },
    /// This computer by an address that the manifest's `connect-src` does not name.
    #[error(
        "{relay} is this computer, but the browser lets the extension reach it only as http://127.0.0.1 or \
         http://localhost. Start the relay there, and run `unpause pair` again."
    )]
    OtherLoopback {
        /// The address.
        relay: String,
    },
    /// Nobody answers.
    #[error(
        "No relay answers at {relay}. Is `unpause serve` running there?{}",
        doubt(relay)
    )]
    Unreachable {
        /// The address.
        relay: String,
    },
    /// The code was used, has run out, or never was.
    #[error(
        "This pairing link was used already, or its ten minutes are over. Nothing was paired. Make a new one: \
         on the dashboard under Settings, or with `unpause pair`."
    )]
    CodeOver,
    /// The relay said no.
    #[error("The relay said no: {words}")]
    Refused {
        /// Its words.
        words: String,
    },
    /// Somebody else answers.
    #[error(
        "What answers at {relay} has not the key that the link names. Nothing was paired, and the code was not told. \
         Compare the fingerprints before you try again."
    )]
    OtherKey {
        /// The address.
        relay: String,
    },
    /// The browser could not make or keep its key.
    #[error("This browser could not keep what pairing needs: {words}.")]
    NotKept {
        /// Why.
        words: String,
    },
}

/// What else it may be where nobody answers by https, which a browser says on the page itself alone.
fn doubt(relay: &str) -> String {
    if relay.starts_with("https:") {
        format!(
            " If it is, this browser may refuse its certificate: open {relay} in a tab, where the browser says why."
        )
    } else {
        String::new()
    }
}

/// Reads a link.
pub fn parse(text: &Secret) -> Result<Link, PairingError> {
    let url = Url::parse(text.expose().trim()).map_err(|_| PairingError::NotALink)?;
    if url.scheme() != "unpause" || url.host_str() != Some("pair") {
        return Err(PairingError::NotALink);
    }
    let find = |name: &'static str, part: &'static str| {
        url.query_pairs()
            .find(|(found, value)| found == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
            .ok_or(PairingError::Incomplete { part })
    };
    let relay = find("relay", "relay address")?;
    let code = Secret::new(find("code", "code")?);
    let key = find("key", "key")?;
    let key =
        VerifyingKey::try_from(key).map_err(|_| PairingError::Incomplete { part: "whole key" })?;
    let address = Url::parse(&relay).map_err(|_| PairingError::NotALink)?;
    match address.scheme() {
        "https" => {}
        "http" => match address.host() {
            Some(Host::Domain("localhost") | Host::Ipv4(Ipv4Addr::LOCALHOST)) => {}
            Some(Host::Ipv4(ip)) if ip.is_loopback() => {
                return Err(PairingError::OtherLoopback { relay });
            }
            Some(Host::Ipv6(ip)) if ip.is_loopback() => {
                return Err(PairingError::OtherLoopback { relay });
            }
            _ => return Err(PairingError::NotEncrypted { relay }),
        },
        _ => return Err(PairingError::NotALink),
    }
    Ok(Link {
        relay: relay.trim_end_matches('/').to_owned(),
        code,
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_and_anything_else_is_named() {
        let read = |text: &str| parse(&Secret::new(text)).map(|link| link.relay);
        let key = "A".repeat(43);
        let rest = format!("&code=abc&key={key}");
        for (relay, expected) in [
            ("http%3A%2F%2F127.0.0.1%3A7411", "http://127.0.0.1:7411"),
            ("http://localhost:7411/", "http://localhost:7411"),
            (
                "https%3A%2F%2Frelay.acme.example%2F",
                "https://relay.acme.example",
            ),
        ] {
            let text = format!(" unpause://pair?relay={relay}{rest}\n");
            assert_eq!(read(&text).as_deref(), Ok(expected));
        }
        for (text, words) in [
            ("", "not a pairing link"),
            ("abc", "not a pairing link"),
            (
                "https://acme.example/?relay=x&code=y&key=z",
                "not a pairing link",
            ),
            ("unpause://pair?code=abc&key={key}", "no relay address"),
            (
                "unpause://pair?relay=https://r.example&key={key}",
                "no code",
            ),
            ("unpause://pair?relay=https://r.example&code=abc", "no key"),
            (
                "unpause://pair?relay=http://relay.acme.example&code=abc&key={key}",
                "not encrypted",
            ),
            (
                "unpause://pair?relay=http://[::1]:7411&code=abc&key={key}",
                "only as http://127.0.0.1 or http://localhost",
            ),
            (
                "unpause://pair?relay=http://127.0.0.2:7411&code=abc&key={key}",
                "only as http://127.0.0.1 or http://localhost",
            ),
            (
                "unpause://pair?relay=http://127.0.0.1.evil.example&code=abc&key={key}",
                "not encrypted",
            ),
            (
                "unpause://pair?relay=javascript:alert(1)&code=abc&key={key}",
                "not a pairing link",
            ),
        ] {
            let text = text.replace("{key}", &key);
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(
                !error.contains("abc"),
                "the code is shown to nobody: {error}"
            );
        }
    }

    #[test]
    fn a_certificate_may_be_what_is_wrong_where_there_is_one() {
        let told = |relay: &str| {
            let relay = relay.to_owned();
            PairingError::Unreachable { relay }.to_string()
        };
        assert_eq!(
            told("https://relay.acme.example"),
            "No relay answers at https://relay.acme.example. Is `unpause serve` running there? If it is, this browser may \
             refuse its certificate: open https://relay.acme.example in a tab, where the browser says why."
        );
        assert_eq!(
            told("http://127.0.0.1:7411"),
            "No relay answers at http://127.0.0.1:7411. Is `unpause serve` running there?"
        );
    }
}
