//! The redirect addresses to register at a provider: where the browsers take the answer, and where this relay does.

use protocol::provider::{FirefoxRedirect, Provider};
use serde::Serialize;

use crate::http::Address;

/// The extension's id in Chromium: the SHA-256 of the public key in `manifest.json`, its first 32 hexadecimal
/// digits written as letters from a to p ("Manifest - key", Chrome's documents for extensions).
const CHROMIUM_ID: &str = "nnaomeocfpblkcabnbnljebpfnedgmgh";
/// The extension's label in Firefox: the SHA-1 of the add-on's id in `manifest.json` (MDN,
/// `identity.getRedirectURL`).
const FIREFOX_LABEL: &str = "782559bbd68ddfa4865f120d1d2c4d073b491db3";

/// An address to register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Redirect {
    /// Who takes the answer there.
    pub(super) taken_by: &'static str,
    /// The address, to be registered exactly so.
    pub(super) address: String,
}

/// The addresses of a relay that is reached there.
pub(super) fn list(provider: &Provider, relay: &Address) -> Vec<Redirect> {
    let id = provider.id;
    let Some(oauth) = &provider.oauth else {
        return Vec::new();
    };
    let firefox = match oauth.firefox_redirect {
        FirefoxRedirect::Allizom => {
            format!("https://{FIREFOX_LABEL}.extensions.allizom.org/oauth/{id}")
        }
        FirefoxRedirect::Loopback => {
            format!("http://127.0.0.1/mozoauth2/{FIREFOX_LABEL}/oauth/{id}")
        }
    };
    [
        (
            "Chrome",
            format!("https://{CHROMIUM_ID}.chromiumapp.org/oauth/{id}"),
        ),
        ("Firefox", firefox),
        ("dashboard", relay.callback(id)),
    ]
    .map(|(taken_by, address)| Redirect { taken_by, address })
    .into()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::Value;
    use sha1::{Digest as _, Sha1};
    use sha2::Sha256;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        let mut text = String::new();
        for byte in bytes {
            write!(text, "{byte:02x}").unwrap();
        }
        text
    }

    #[test]
    fn the_ids_are_those_of_the_manifest() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifest.json");
        let manifest: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let key = STANDARD.decode(manifest["key"].as_str().unwrap()).unwrap();
        let letters: String = hex(&Sha256::digest(key))
            .chars()
            .take(32)
            .map(|digit| char::from(b'a' + u8::try_from(digit.to_digit(16).unwrap()).unwrap()))
            .collect();
        assert_eq!(CHROMIUM_ID, letters);
        let add_on = manifest["browser_specific_settings"]["gecko"]["id"]
            .as_str()
            .unwrap();
        assert_eq!(FIREFOX_LABEL, hex(&Sha1::digest(add_on)));
    }
}
