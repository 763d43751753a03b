//! The registered clients and their redirect addresses, as data.

use subtle::ConstantTimeEq as _;
use url::Url;

/// The client without a secret.
pub(crate) const PUBLIC: &str = crate::PUBLIC_CLIENT;
/// The client with a secret.
pub(crate) const CONFIDENTIAL: &str = crate::CONFIDENTIAL_CLIENT;

/// A registered client.
pub(crate) struct Client {
    pub(crate) id: &'static str,
    /// The name on the consent page.
    pub(crate) name: &'static str,
    /// The provider has looked at it, where it does that.
    pub(crate) is_verified: bool,
    secret: Option<String>,
    redirects: &'static [Redirect],
}

/// A redirect address, or a family of them.
enum Redirect {
    /// `https://<one label>.<this domain>/…`
    Below(&'static str),
    /// Plain http on this machine, any port and path (RFC 8252 §7.3).
    Loopback,
}

/// Where browsers send the answer of `identity.launchWebAuthFlow`, and programs on this machine.
const REDIRECTS: &[Redirect] = &[
    // Chrome: chrome.identity.getRedirectURL
    Redirect::Below("chromiumapp.org"),
    // Firefox: browser.identity.getRedirectURL
    Redirect::Below("extensions.allizom.org"),
    Redirect::Loopback,
];

/// All registered clients.
pub(crate) struct Clients(Vec<Client>);

impl Clients {
    pub(crate) fn new(secret: String, is_verified: bool) -> Self {
        Self(vec![
            Client {
                id: PUBLIC,
                name: "Unpause",
                is_verified,
                secret: None,
                redirects: REDIRECTS,
            },
            Client {
                id: CONFIDENTIAL,
                name: "Unpause relay",
                is_verified,
                secret: Some(secret),
                redirects: REDIRECTS,
            },
        ])
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Client> {
        self.0.iter().find(|client| client.id == id)
    }
}

impl Client {
    pub(crate) fn is_public(&self) -> bool {
        self.secret.is_none()
    }

    /// True where the secret is right, and where neither side has one.
    pub(crate) fn accepts(&self, given: Option<&str>) -> bool {
        match (&self.secret, given) {
            (None, None) => true,
            (Some(secret), Some(given)) => secret.as_bytes().ct_eq(given.as_bytes()).into(),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    pub(crate) fn may_redirect_to(&self, address: &str) -> bool {
        // RFC 6749 §3.1.2: absolute and without a fragment.
        let Ok(url) = Url::parse(address) else {
            return false;
        };
        url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && self.redirects.iter().any(|redirect| redirect.covers(&url))
    }
}

impl Redirect {
    fn covers(&self, url: &Url) -> bool {
        match self {
            Self::Below(domain) => {
                url.scheme() == "https"
                    && url.port().is_none()
                    && url
                        .host_str()
                        .and_then(|host| host.strip_suffix(domain)?.strip_suffix('.'))
                        .is_some_and(|label| !label.is_empty() && !label.contains('.'))
            }
            Self::Loopback => {
                url.scheme() == "http"
                    && matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_addresses_get_an_answer() {
        let clients = Clients::new("secret".to_owned(), true);
        let client = clients.find(PUBLIC).unwrap();
        for address in [
            "https://abcdefghijklmnopabcdefghijklmnop.chromiumapp.org/",
            "https://0123.extensions.allizom.org/reconnect",
            "http://127.0.0.1:49152/callback?x=1",
            "http://[::1]:8080/",
            "http://localhost/callback",
            // Firefox's other address (MDN, identity.getRedirectURL).
            "http://127.0.0.1/mozoauth2/0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(client.may_redirect_to(address), "{address}");
        }
        for address in [
            "https://chromiumapp.org/",
            "https://a.b.chromiumapp.org/",
            "https://evilchromiumapp.org/",
            "http://abc.chromiumapp.org/",
            "https://abc.chromiumapp.org:444/",
            "https://abc.chromiumapp.org/#x",
            "https://me@abc.chromiumapp.org/",
            "http://127.0.0.1.evil.example/",
            "https://127.0.0.1/",
            "/callback",
        ] {
            assert!(!client.may_redirect_to(address), "{address}");
        }
    }

    #[test]
    fn a_secret_is_wanted_exactly_where_there_is_one() {
        let clients = Clients::new("secret".to_owned(), true);
        assert!(clients.find(PUBLIC).unwrap().accepts(None));
        assert!(!clients.find(PUBLIC).unwrap().accepts(Some("secret")));
        assert!(clients.find(CONFIDENTIAL).unwrap().accepts(Some("secret")));
        assert!(!clients.find(CONFIDENTIAL).unwrap().accepts(Some("other")));
        assert!(!clients.find(CONFIDENTIAL).unwrap().accepts(None));
    }
}
