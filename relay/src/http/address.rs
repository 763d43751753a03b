//! Where the relay is reached: at its public address where it has one, else where it listens. Everything that names
//! the relay to a browser or a person names it so, and what names it otherwise is not meant for us.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;

use super::hosted;
use crate::config::{Config, PublicUrl};
use crate::passkey::RelyingParty;

/// For how long a browser asks by https alone once it has (RFC 6797 §6.1.1): a year, as its lists of sites ask for.
const STRICT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The address of a relay.
#[derive(Clone, Debug)]
pub struct Address {
    listen: SocketAddr,
    public: Option<PublicUrl>,
}

impl Address {
    /// Of a relay that listens there: the real port, also where the configuration says 0.
    pub fn new(listen: SocketAddr, config: &Config) -> Self {
        Self {
            listen,
            public: config.public_url.clone(),
        }
    }

    /// The address without a slash at its end.
    pub fn url(&self) -> String {
        match &self.public {
            Some(public) => public.origin().to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    /// The redirect URI of the sign-ins that the relay runs itself.
    pub fn callback(&self, provider: &str) -> String {
        hosted::callback_address(&self.url(), provider)
    }

    /// Whether whoever reaches it does so by TLS, the relay's or its proxy's.
    pub fn is_encrypted(&self) -> bool {
        self.public.as_ref().is_some_and(PublicUrl::is_encrypted)
    }

    /// Whether its port is known before it listens.
    pub fn is_fixed(&self) -> bool {
        self.public.is_some() || self.listen.port() != 0
    }

    /// Whether a `Host` is ours, whatever its port: the public name, or, where there is none, the names of this
    /// machine that nobody else can point here.
    pub(super) fn has_host(&self, host: &str) -> bool {
        let name = match host.find(']') {
            Some(end) if host.starts_with('[') => host.get(..=end).unwrap_or_default(),
            _ => host.split(':').next().unwrap_or_default(),
        };
        if let Some(public) = &self.public {
            return name.eq_ignore_ascii_case(public.host());
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || (bare.parse())
                .is_ok_and(|address: IpAddr| address.is_loopback() || address == self.listen.ip())
    }

    /// Whether an `Origin` is that of the relay's own pages, asked for at these hosts.
    pub(super) fn has_origin(&self, origin: &str, hosts: &[&str]) -> bool {
        match &self.public {
            Some(public) => origin == public.origin(),
            None => hosts.iter().any(|host| origin == format!("http://{host}")),
        }
    }

    /// Where passkeys are made and used; `None` where that is a bare address, which no passkey is bound to (Web
    /// Authentication §5.1.3 asks for a domain). Without a public address that is this computer's own name.
    pub(super) fn relying_party(&self) -> Option<RelyingParty> {
        let Some(public) = &self.public else {
            let local = format!("http://localhost:{}", self.listen.port());
            let local = PublicUrl::parse(&local)?;
            return Some(RelyingParty {
                id: local.host().to_owned(),
                origin: local.origin().to_owned(),
            });
        };
        public.has_host_name().then(|| RelyingParty {
            id: public.host().to_owned(),
            origin: public.origin().to_owned(),
        })
    }

    /// The hosts that it answers to, in words.
    pub(super) fn hosts(&self) -> String {
        match &self.public {
            Some(public) => format!("{} alone", public.host()),
            None => format!("127.0.0.1, [::1], localhost and {}", self.listen),
        }
    }

    /// `Strict-Transport-Security`, where its host is a name of its own: this computer's own names and bare addresses
    /// are others' too, or are not bound by it (RFC 6797 §8.1.1).
    pub(super) fn strict(&self) -> Option<HeaderValue> {
        let public = self.public.as_ref()?;
        (public.is_encrypted() && public.has_name_of_its_own()).then_some(STRICT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(public: Option<&str>) -> Address {
        Address {
            listen: "127.0.0.1:7411".parse().unwrap(),
            public: public.map(|text| PublicUrl::parse(text).unwrap()),
        }
    }

    #[test]
    fn only_names_that_nobody_else_can_point_here_are_ours() {
        let address = address(None);
        assert_eq!(address.url(), "http://127.0.0.1:7411");
        assert!(!address.is_encrypted());
        assert_eq!(address.strict(), None);
        for (host, is_ours) in [
            ("127.0.0.1:7411", true),
            ("127.0.0.1", true),
            ("127.8.9.10:1", true),
            ("localhost:7411", true),
            ("LOCALHOST", true),
            ("[::1]:7411", true),
            ("", false),
            ("attacker.example:7411", false),
            ("127.0.0.1.attacker.example", false),
            ("localhost.attacker.example", false),
            ("192.0.2.1:7411", false),
            ("[2001:db8::1]:7411", false),
            ("user@127.0.0.1", false),
        ] {
            assert_eq!(address.has_host(host), is_ours, "{host}");
        }
        assert!(address.has_origin("http://localhost:7411", &["localhost:7411"]));
        assert!(!address.has_origin("https://localhost:7411", &["localhost:7411"]));
    }

    #[test]
    fn a_public_name_is_the_only_one() {
        let named = address(Some("https://relay.acme.example"));
        assert_eq!(named.url(), "https://relay.acme.example");
        assert!(named.is_encrypted());
        assert_eq!(
            named.callback("google"),
            "https://relay.acme.example/oauth/callback/google"
        );
        for (host, is_ours) in [
            ("relay.acme.example", true),
            ("Relay.Acme.Example:443", true),
            ("relay.acme.example:8443", true),
            ("127.0.0.1:7411", false),
            ("localhost", false),
            ("[::1]", false),
            ("acme.example", false),
            ("relay.acme.example.attacker.example", false),
            ("relay.acme.example.", false),
            ("user@relay.acme.example", false),
            ("", false),
        ] {
            assert_eq!(named.has_host(host), is_ours, "{host}");
        }
        for (origin, is_ours) in [
            ("https://relay.acme.example", true),
            ("http://relay.acme.example", false),
            ("https://relay.acme.example:8443", false),
            ("https://acme.example", false),
            ("http://127.0.0.1:7411", false),
            ("null", false),
        ] {
            let hosts = ["relay.acme.example", "relay.acme.example:8443"];
            assert_eq!(named.has_origin(origin, &hosts), is_ours, "{origin}");
        }
        let numbered = address(Some("https://[2001:db8::1]:8443"));
        assert!(numbered.has_host("[2001:db8::1]:8443"));
        assert!(!numbered.has_host("[2001:db8::2]:8443"));
        assert!(!numbered.has_host("2001"));
    }

    #[test]
    fn passkeys_are_bound_to_a_name_and_one_origin() {
        for (public, expected) in [
            (None, Some(("localhost", "http://localhost:7411"))),
            (
                Some("https://relay.acme.example"),
                Some(("relay.acme.example", "https://relay.acme.example")),
            ),
            (
                Some("https://Relay.Acme.example:8443"),
                Some(("relay.acme.example", "https://relay.acme.example:8443")),
            ),
            (
                Some("http://localhost:7411"),
                Some(("localhost", "http://localhost:7411")),
            ),
            (Some("https://192.0.2.1:8443"), None),
            (Some("https://[2001:db8::1]"), None),
            (Some("http://127.0.0.1:7411"), None),
        ] {
            let found = address(public).relying_party();
            let found = found
                .as_ref()
                .map(|party| (party.id.as_str(), party.origin.as_str()));
            assert_eq!(found, expected, "{public:?}");
        }
    }

    #[test]
    fn browsers_are_bound_to_https_at_a_name_of_its_own_alone() {
        for (public, is_bound) in [
            ("https://relay.acme.example", true),
            ("https://relay.acme.example:8443", true),
            ("https://192.0.2.1", false),
            ("https://localhost:8443", false),
            ("http://localhost:7411", false),
        ] {
            assert_eq!(
                address(Some(public)).strict().is_some(),
                is_bound,
                "{public}"
            );
        }
    }
}
