//! Origins of sites: read from what a person types or a browser says, and written as browsers want permissions
//! asked for. Pure.

use std::fmt;

use url::Url;

/// The origin of a site where the extension may be allowed: HTTPS anywhere, HTTP on this computer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// The text does not name a site where the extension can be allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASite {
    /// Nothing stands there.
    #[error("paste or type the address of a site, such as https://app.example.com")]
    Empty,
    /// It is not an address.
    #[error(
        "expected the address of a site such as https://app.example.com, found \u{201c}{found}\u{201d}"
    )]
    NotAnAddress {
        /// What stood there.
        found: String,
    },
    /// It is not encrypted, and not on this computer.
    #[error(
        "only https:// is safe here: with http:// anybody on the way to {host} could show a false page"
    )]
    NotEncrypted {
        /// The host.
        host: String,
    },
    /// It is a page of the browser, a file or the like.
    #[error("pages that begin with {scheme}: cannot be allowed; only sites can")]
    NotAPage {
        /// The scheme.
        scheme: String,
    },
}

impl Origin {
    /// The origin that a person's text means, or that an address has; without a scheme, HTTPS is meant. Read here
    /// and not by the crate `url`, which would double the size of the pages.
    pub fn parse(text: &str) -> Result<Self, NotASite> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NotASite::Empty);
        }
        let not_an_address = || NotASite::NotAnAddress {
            found: text.to_owned(),
        };
        let (scheme, rest) = match (text.split_once("://"), text.split_once(':')) {
            (Some((scheme, rest)), _) => (Some(scheme), rest),
            // `host:8080` is no scheme.
            (None, Some((scheme, rest))) if !rest.starts_with(|c: char| c.is_ascii_digit()) => {
                (Some(scheme), rest)
            }
            (None, _) => (None, text),
        };
        let is_named = scheme.is_some();
        let scheme = scheme.unwrap_or("https").to_ascii_lowercase();
        if scheme.is_empty()
            || !scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(not_an_address());
        }
        if !matches!(scheme.as_str(), "http" | "https") {
            return Err(NotASite::NotAPage { scheme });
        }
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (
                host,
                Some(port.parse::<u16>().map_err(|_| not_an_address())?),
            ),
            None => (authority, None),
        };
        let host = host.to_ascii_lowercase();
        if !is_host(&host) {
            return Err(not_an_address());
        }
        let usual = if scheme == "https" { 443 } else { 80 };
        let origin = Self {
            scheme,
            host,
            port: port.filter(|port| *port != usual),
        };
        if origin.scheme == "http" && !origin.is_local() {
            return Err(NotASite::NotEncrypted { host: origin.host });
        }
        // A single word is a site only where somebody says so.
        if is_named || origin.is_local() || origin.host.contains('.') {
            Ok(origin)
        } else {
            Err(not_an_address())
        }
    }

    /// The origin of a page's address; `None` where the extension cannot be allowed there.
    pub fn of(url: &Url) -> Option<Self> {
        Self::parse(url.as_str()).ok()
    }

    /// What browsers want to be asked for. Match patterns have no port in Firefox, so every port of the host is
    /// meant.
    pub fn pattern(&self) -> String {
        format!("{}://{}/*", self.scheme, self.host)
    }

    /// The host, without the port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is this computer. The manifest asks for these two names alone.
    pub fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "127.0.0.1" | "localhost")
    }
}

/// Whether this is the name of a host as browsers write it: international names in their ASCII form (`xn--`),
/// and no address of IP version 6, which permissions cannot name.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.split('.').all(is_label)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_types_becomes_an_origin_or_a_clear_error() {
        for (typed, expected) in [
            (
                "https://mail.google.com/mail/u/0/#inbox",
                "https://mail.google.com",
            ),
            ("  app.acme.example ", "https://app.acme.example"),
            ("app.acme.example:8443/x", "https://app.acme.example:8443"),
            ("http://127.0.0.1:8787/campaigns", "http://127.0.0.1:8787"),
            ("http://localhost:80/", "http://localhost"),
            ("localhost:3000", "https://localhost:3000"),
            ("https://relay/campaigns?x#y", "https://relay"),
            ("HTTPS://App.ACME.example:443", "https://app.acme.example"),
            (
                "https://xn--bcher-kva.example/",
                "https://xn--bcher-kva.example",
            ),
        ] {
            let origin = Origin::parse(typed).map(|origin| origin.to_string());
            assert_eq!(origin.as_deref(), Ok(expected), "{typed}");
        }
        for (typed, words) in [
            ("", "paste or type"),
            ("acme", "found \u{201c}acme\u{201d}"),
            ("https://", "expected the address"),
            ("my campaign page", "expected the address"),
            ("http://acme.example", "https://"),
            ("http://192.168.1.4", "https://"),
            ("chrome://settings", "begin with chrome:"),
            ("file:///etc/passwd", "begin with file:"),
            ("about:blank", "begin with about:"),
            (
                "https://mail.google.com@evil.example",
                "expected the address",
            ),
            ("https://acme..example", "expected the address"),
            ("https://acme.example:99999", "expected the address"),
            ("https://[::1]/", "expected the address"),
        ] {
            let error = Origin::parse(typed).unwrap_err().to_string();
            assert!(error.contains(words), "{typed}: {error}");
        }
    }

    #[test]
    fn permissions_are_asked_for_without_a_port() {
        let pattern = |text: &str| Origin::parse(text).unwrap().pattern();
        assert_eq!(pattern("http://127.0.0.1:8787"), "http://127.0.0.1/*");
        assert_eq!(
            pattern("https://acme.example:8443"),
            "https://acme.example/*"
        );
    }
}
