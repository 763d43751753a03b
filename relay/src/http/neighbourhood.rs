//! What counts as one place on the network, wherever something is counted by where it comes from.

use std::net::{IpAddr, Ipv6Addr};

/// One address, or of IPv6 the 64 bits that belong to one site (RFC 4291 §2.5.4): whoever has one address there has all
/// the others.
pub(super) fn neighbourhood(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let site = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(site))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// The same as a text: an address, or a prefix as in `2001:db8:1:2::/64`. What is no address stays as it is.
pub(super) fn name_of(peer: &str) -> String {
    match peer.parse().map(neighbourhood) {
        Ok(site @ IpAddr::V6(_)) => format!("{site}/64"),
        Ok(address) => address.to_string(),
        Err(_) => peer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_counts_as_one_address() {
        let [one, two, other] = ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"]
            .map(|text| neighbourhood(text.parse().unwrap()));
        assert_eq!(one, two);
        assert_ne!(one, other);
        let mapped = neighbourhood("::ffff:127.0.0.1".parse().unwrap());
        assert_eq!(mapped, IpAddr::from([127, 0, 0, 1]));
        for (peer, name) in [
            ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("", ""),
        ] {
            assert_eq!(name_of(peer), name);
        }
    }
}
