//! The proxies in front of the relay: which are ours, and in which field they say for whom they ask. How a request is
//! read by that is `http`'s.

use std::net::IpAddr;

use ipnet::IpNet;

/// What one of `proxy.trusted` can be.
pub(super) const NETWORKS: &str = "addresses and networks, as in [\"127.0.0.1\", \"10.0.0.0/8\"]";
/// What `proxy.header` can be.
pub(super) const FIELDS: &str = "\"X-Forwarded-For\" or \"Forwarded\"";

/// The proxies that are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Where they ask from; empty where there is none.
    pub trusted: Vec<IpNet>,
    /// What they write.
    pub written: ForwardedBy,
}

/// The field in which a proxy says for whom it asks. One alone: a proxy passes on the other one as its client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedBy {
    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }
}

impl Proxies {
    /// Whether one of them has this address.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// A network; an address is a network of one.
pub(super) fn read_network(text: &str) -> Option<IpNet> {
    let one = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
    text.parse().ok().or_else(one)
}

pub(super) fn read_field(text: &str) -> Option<ForwardedBy> {
    [ForwardedBy::XForwardedFor, ForwardedBy::Forwarded]
        .into_iter()
        .find(|field| field.name().eq_ignore_ascii_case(text.trim()))
}
