//! Whether a sign-in that a relay names is its provider's, by what the provider's file knows of it. Whoever trusts the
//! name on a card is to sign in nowhere else, whatever has signed the answer.

use url::{Host, Url};

use crate::provider::OAuth;
use crate::reconnect::Authorization;

/// What a relay names is not the provider's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTheProviders {
    /// An endpoint is where the provider has none.
    #[error("the relay names {found} for this sign-in; expected {expected}")]
    Endpoint {
        /// The endpoint, its beginning where it is long.
        found: String,
        /// The origins that the provider has, or what any address of a sign-in must be.
        expected: String,
    },
    /// Its client ids are others.
    #[error("the relay names the client id {found}; those of this provider end in {expected}")]
    ClientId {
        /// The client id, its beginning where it is long.
        found: String,
        /// How they end.
        expected: &'static str,
    },
}

/// What an address of a sign-in must be whose provider's file names no origins.
const ANY_ADDRESS: &str = "an https address without a user name in it, or one of this computer";

/// So much of what a relay names is shown.
const SHOWN_CHARACTERS: usize = 200;

/// Whether issuer, endpoints and client id that a relay names may be this provider's; `None`: a provider without a
/// file. Where a file names no origins, the operator's configuration decides whose they are, and only that they can be
/// protected is checked (RFC 9700 §2.6; RFC 8252 §8.3). A provider that is played on this computer, every endpoint of
/// it by its number, is taken for any from a relay that is on this computer too.
pub fn check_provider(
    oauth: Option<&OAuth>,
    named: &Authorization,
    relay: &str,
) -> Result<(), NotTheProviders> {
    let endpoints = [
        &named.issuer,
        &named.authorization_endpoint,
        &named.token_endpoint,
    ];
    let is_played = || is_here(relay) && endpoints.iter().all(|endpoint| is_loopback(endpoint));
    let its_own = oauth.filter(|oauth| !oauth.origins.is_empty() && !is_played());
    let fits = |endpoint: &str| match its_own {
        Some(oauth) => is_of(endpoint, oauth.origins),
        None => is_protected(endpoint),
    };
    if let Some(other) = endpoints.iter().find(|endpoint| !fits(endpoint)) {
        return Err(NotTheProviders::Endpoint {
            found: shorten(other),
            expected: its_own.map_or_else(
                || ANY_ADDRESS.to_owned(),
                |oauth| format!("one at {}", oauth.origins.join(" or ")),
            ),
        });
    }
    let expected = its_own.map_or("", |oauth| oauth.client_ids_end);
    if named.client_id.ends_with(expected) {
        Ok(())
    } else {
        Err(NotTheProviders::ClientId {
            found: shorten(&named.client_id),
            expected,
        })
    }
}

/// Whether an address is at one of these origins, and names nobody.
fn is_of(address: &str, origins: &[&str]) -> bool {
    parse(address).is_some_and(|url| {
        let origin = url.origin().ascii_serialization();
        origins.contains(&origin.as_str())
    })
}

/// https, or http that does not leave this computer.
fn is_protected(address: &str) -> bool {
    parse(address).is_some_and(|url| url.scheme() == "https") || is_here(address)
}

/// Whether an address is of this computer. Browsers ask no server for the name `localhost`.
fn is_here(address: &str) -> bool {
    is_loopback(address)
        || parse(address).is_some_and(|url| url.host() == Some(Host::Domain("localhost")))
}

/// Whether an address is of this computer, by a number and not by a name.
fn is_loopback(address: &str) -> bool {
    parse(address).is_some_and(|url| match url.host() {
        Some(Host::Ipv4(host)) => host.is_loopback(),
        Some(Host::Ipv6(host)) => host.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    })
}

/// A web address that names nobody before its host.
fn parse(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let is_web = matches!(url.scheme(), "https" | "http");
    (is_web && url.username().is_empty() && url.password().is_none()).then_some(url)
}

fn shorten(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{Provider, ProviderId};
    use crate::reconnect::Exchange;

    const FAR: &str = "https://relay.acme.example";
    const HERE: [&str; 3] = [
        "http://127.0.0.1:7411",
        "http://[::1]:7411",
        "http://localhost:7411",
    ];
    const CLIENT: &str = "1-abc.apps.googleusercontent.com";
    const ISSUER: &str = "https://accounts.google.com";
    const PAGE: &str = "https://accounts.google.com/o/oauth2/v2/auth";
    const TOKEN: &str = "https://oauth2.googleapis.com/token";

    fn named([issuer, authorization, token]: [&str; 3], client_id: &str) -> Authorization {
        Authorization {
            authorization_endpoint: authorization.to_owned(),
            token_endpoint: token.to_owned(),
            issuer: issuer.to_owned(),
            names_issuer: false,
            client_id: client_id.to_owned(),
            scopes: Vec::new(),
            login_hint: "jane@acme.example".to_owned(),
            visits: Vec::new(),
            exchange: Exchange::Public,
        }
    }

    fn check_by(relay: &str, provider: &str, named: &Authorization) -> Result<(), String> {
        let known = Provider::find(&ProviderId::new(provider));
        let oauth = known.and_then(|known| known.oauth.as_ref());
        check_provider(oauth, named, relay).map_err(|error| error.to_string())
    }

    fn check(provider: &str, named: &Authorization) -> Result<(), String> {
        check_by(FAR, provider, named)
    }

    /// Each place of an endpoint in turn.
    fn at_each_place(other: &str) -> [[&str; 3]; 3] {
        [
            [other, PAGE, TOKEN],
            [ISSUER, other, TOKEN],
            [ISSUER, PAGE, other],
        ]
    }

    /// What `https://accounts.google.com/.well-known/openid-configuration` and Microsoft's of a tenant name.
    #[test]
    fn what_google_and_microsoft_name_themselves_is_theirs() {
        for relay in [FAR, HERE[0]] {
            let google = named([ISSUER, PAGE, TOKEN], CLIENT);
            assert_eq!(check_by(relay, "google", &google), Ok(()));
        }
        for cloud in [
            "login.microsoftonline.com",
            "login.microsoftonline.us",
            "login.partner.microsoftonline.cn",
        ] {
            let tenant = format!("https://{cloud}/8eaef023-2b34-4da1-9baa-8bc8c9d6a490");
            let microsoft = named(
                [
                    &format!("{tenant}/v2.0"),
                    &format!("{tenant}/oauth2/v2.0/authorize"),
                    &format!("{tenant}/oauth2/v2.0/token"),
                ],
                "2d4d3d8e-2be3-4bef-9f87-7875a61c29de",
            );
            assert_eq!(check("microsoft", &microsoft), Ok(()));
            assert!(check("google", &microsoft).is_err(), "another's");
        }
    }

    #[test]
    fn another_way_to_write_the_same_address_is_the_same_address() {
        for same in [
            "https://accounts.google.com",
            "https://accounts.google.com/",
            "https://accounts.google.com:443/o/oauth2/v2/auth",
            "HTTPS://ACCOUNTS.GOOGLE.COM/o/oauth2/v2/auth",
            "https://accounts.google.com/?next=https://evil.example",
            // The backslash is a slash in a web address (URL Standard, "path start"), for browsers too.
            "https://accounts.google.com\\@evil.example/",
        ] {
            for endpoints in at_each_place(same) {
                assert_eq!(check("google", &named(endpoints, CLIENT)), Ok(()), "{same}");
            }
        }
    }

    #[test]
    fn one_other_address_is_not_the_providers() {
        for other in [
            "https://evil.example/token",
            "https://accounts.google.com.evil.example/",
            "https://accounts.google.com.",
            "https://accounts.google.com./o/oauth2/v2/auth",
            "https://evil.accounts.google.com/",
            "https://xaccounts.google.com/",
            "https://google.com/",
            "https://accounts.google.com@evil.example/",
            "https://accounts.google.com:443@evil.example/",
            "https://jane@accounts.google.com/",
            "https://:x@accounts.google.com/",
            "https://accounts.google.com:8443/",
            "https://accounts.google.com:80/",
            "http://accounts.google.com/",
            "http://accounts.google.com:443/",
            "ws://accounts.google.com/",
            "blob:https://accounts.google.com/1",
            "view-source:https://accounts.google.com/",
            "javascript:https://accounts.google.com/",
            "data:text/html,https://accounts.google.com/",
            // A Cyrillic letter, and what it is in the name system.
            "https://\u{430}ccounts.google.com/",
            "https://xn--ccounts-8fg.google.com/",
            "https://evil.example/https://accounts.google.com/",
            "https://evil.example#https://accounts.google.com",
            "http://127.0.0.1:7411/token",
            "http://[::1]:7411/token",
            "http://localhost:7411/token",
            "//accounts.google.com/",
            "accounts.google.com",
            "no address",
            "",
        ] {
            for (place, endpoints) in at_each_place(other).into_iter().enumerate() {
                // Whether or not the relay is on this computer.
                for relay in [FAR, HERE[0]] {
                    let told = check_by(relay, "google", &named(endpoints, CLIENT)).unwrap_err();
                    assert!(told.contains(other), "{place}: {told}");
                    assert!(told.contains("https://oauth2.googleapis.com"), "{told}");
                }
            }
        }
    }

    #[test]
    fn another_client_is_not_the_providers() {
        let check = |client| check("google", &named([ISSUER, PAGE, TOKEN], client));
        for other in [
            "",
            "another",
            "1-abc.apps.googleusercontent.com.evil.example",
            "1-abc.apps.googleusercontent.com ",
            "1-abc.apps.GOOGLEUSERCONTENT.com",
        ] {
            let told = check(other).unwrap_err();
            assert!(told.contains(other), "{told}");
        }
        assert_eq!(check(CLIENT), Ok(()));
    }

    #[test]
    fn a_provider_of_the_operators_own_is_protected_on_its_way() {
        let at = |endpoint: &str| named([endpoint; 3], "any");
        // `googel` has no file, and a password alone opens `imap`: what is named beside them is the operator's own.
        for provider in ["openid", "sandbox", "googel", "imap"] {
            for its in [
                "https://id.acme.example",
                "https://id.acme.example:8443/realms/acme/auth?x=1",
                "https://10.0.0.7/authorize",
                "http://127.0.0.1:9000/authorize",
                "http://[::1]:9000/authorize",
                "http://localhost:9000/authorize",
            ] {
                assert_eq!(check(provider, &at(its)), Ok(()), "{provider}: {its}");
            }
            for other in [
                "http://id.acme.example/authorize",
                "http://10.0.0.7/authorize",
                "http://localhost.acme.example/authorize",
                "http://127.0.0.1.acme.example/authorize",
                "https://id.acme.example@evil.example/authorize",
                "https://:x@id.acme.example/authorize",
                "ftp://127.0.0.1/authorize",
                "javascript:alert(1)",
                "file:///etc/passwd",
                "/authorize",
                "",
            ] {
                let its = "https://id.acme.example";
                for endpoints in [[other, its, its], [its, other, its], [its, its, other]] {
                    let told = check(provider, &named(endpoints, "any")).unwrap_err();
                    assert!(told.contains(other), "{provider}: {told}");
                }
            }
        }
    }

    #[test]
    fn a_provider_that_is_played_on_this_computer_is_taken_for_any_from_a_relay_here() {
        for played in ["http://127.0.0.1:9000", "http://[::1]:9000"] {
            let all = named([played; 3], "sandbox-client");
            for relay in HERE {
                assert_eq!(check_by(relay, "google", &all), Ok(()));
            }
            for relay in [
                FAR,
                "http://relay.acme.example",
                "http://127.0.0.1@evil.example",
                "",
            ] {
                assert!(check_by(relay, "google", &all).is_err(), "{relay}");
            }
        }
        let by_name = named(["http://localhost:9000"; 3], CLIENT);
        assert!(check_by(HERE[0], "google", &by_name).is_err());
    }

    #[test]
    fn what_is_told_of_it_is_short() {
        let long = format!("https://evil.example/{}", "x".repeat(100_000));
        for named in [
            named([ISSUER, &long, TOKEN], CLIENT),
            named([ISSUER, PAGE, TOKEN], &long),
        ] {
            let told = check("google", &named).unwrap_err();
            assert!(told.len() < 400, "{}", told.len());
            assert!(told.contains("https://evil.example/xxx"), "{told}");
        }
    }
}
