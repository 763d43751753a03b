//! The address at which browsers and people reach the relay, where that is not the one that it listens on. What follows
//! from it is `http`'s.

use url::{Host, Url};

/// What it can be.
pub(super) const PUBLIC_URL: &str = "an https URL with a host and nothing after it, as in https://relay.acme.example (http \
     on this computer alone)";

/// Scheme, host and port, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    url: Url,
    origin: String,
}

impl PublicUrl {
    /// Reads one; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let url: Url = text.trim().parse().ok()?;
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && url.port() != Some(0);
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let origin = url.origin().ascii_serialization();
        (is_bare && is_safe).then_some(Self { url, origin })
    }

    /// The address without a slash at its end: what browsers send as `Origin` (RFC 6454 §6.2).
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it is https.
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Its host: a name, an address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether its host is a name and no address.
    pub fn has_host_name(&self) -> bool {
        matches!(self.url.host(), Some(Host::Domain(_)))
    }

    /// Its port, that of the scheme where none is written.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// Whether its host is a name that other servers of other computers can have too: no address, and not this
    /// computer's own name.
    pub fn has_name_of_its_own(&self) -> bool {
        matches!(self.url.host(), Some(Host::Domain(_))) && !is_loopback(&self.url)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_scheme_a_host_and_a_port() {
        for (text, origin) in [
            ("https://relay.acme.example", "https://relay.acme.example"),
            ("https://relay.acme.example/", "https://relay.acme.example"),
            (
                "https://Relay.ACME.example:443",
                "https://relay.acme.example",
            ),
            (
                "https://relay.acme.example:8443",
                "https://relay.acme.example:8443",
            ),
            ("https://192.0.2.1:8443", "https://192.0.2.1:8443"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
        ] {
            let read = PublicUrl::parse(text);
            assert_eq!(read.as_ref().map(PublicUrl::origin), Some(origin), "{text}");
        }
        for text in [
            "",
            "relay.acme.example",
            "http://relay.acme.example",
            "http://192.0.2.1",
            "http://localhost.acme.example",
            "https://relay.acme.example/unpause",
            "https://relay.acme.example/?a=b",
            "https://relay.acme.example/#a",
            "https://jane@relay.acme.example",
            "https://jane:secret@relay.acme.example",
            "https://:443",
            "https://relay.acme.example:0",
            "ftp://relay.acme.example",
            "javascript:alert(1)",
        ] {
            assert_eq!(PublicUrl::parse(text), None, "{text}");
        }
    }
}
