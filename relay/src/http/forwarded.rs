//! From whose address a request comes where proxies stand in front. What a proxy says is believed of the proxies that
//! the operator has named, of nobody else, and in the one field that he says they write: whatever else stands in a
//! request, whoever asked may have written himself.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};

use crate::config::{ForwardedBy, Proxies};

/// The field that proxies agree on without a standard; each adds at the end whom it heard.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// By which scheme the proxy was asked.
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// The address of whoever asked.
    pub(super) client: IpAddr,
    /// Whether a proxy that is named brought it.
    pub(super) is_by_proxy: bool,
    /// Whether that proxy does not say for whom it asks, in the field in which it should.
    pub(super) is_for_nobody: bool,
    /// Whether that proxy says that it was asked without TLS.
    pub(super) is_plain: bool,
}

impl Arrival {
    /// Of a request with these headers, on a connection of `peer`.
    pub(super) fn read(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> Self {
        let peer = peer.to_canonical();
        if !proxies.contain(peer) {
            return Self {
                client: peer,
                is_by_proxy: false,
                is_for_nobody: false,
                is_plain: false,
            };
        }
        let (hops, schemes) = match proxies.written {
            ForwardedBy::XForwardedFor => (
                elements(headers, &X_FORWARDED_FOR),
                elements(headers, &X_FORWARDED_PROTO),
            ),
            ForwardedBy::Forwarded => {
                let elements = elements(headers, &http::header::FORWARDED);
                let find = |name| elements.iter().map(|element| find(element, name)).collect();
                (find("for"), find("proto"))
            }
        };
        let mut client = peer;
        // Each proxy adds at the end; what stands before the first one that is not ours, a stranger wrote.
        for hop in hops.iter().rev() {
            let Some(address) = read_address(hop) else {
                break;
            };
            client = address;
            if !proxies.contain(client) {
                break;
            }
        }
        let is_plain = schemes
            .last()
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
        Self {
            client,
            is_by_proxy: true,
            is_for_nobody: hops.iter().all(String::is_empty),
            is_plain,
        }
    }
}

/// The elements of a list (RFC 9110 §5.6.1), in order; a comma within quotes does not part them.
fn elements(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| split(line.to_str().unwrap_or_default(), ','))
        .collect()
}

/// The value of a parameter of one element of `Forwarded` (RFC 7239 §4); empty where it has none.
fn find(element: &str, wanted: &str) -> String {
    let mut pairs = split(element, ';').into_iter().filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"').to_owned();
        name.trim().eq_ignore_ascii_case(wanted).then_some(value)
    });
    pairs.next().unwrap_or_default()
}

fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut is_quoted) = (vec![String::new()], false);
    for letter in text.chars() {
        is_quoted ^= letter == '"';
        if letter == at && !is_quoted {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// An address, with a port or without (RFC 7239 §6); `None` for names and words.
fn read_address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse::<IpAddr>().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    address
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::FORWARDED;

    use super::*;

    fn arrive(
        written: ForwardedBy,
        peer: &str,
        headers: &[(HeaderName, &'static str)],
    ) -> (String, bool, bool) {
        let proxies = Proxies {
            trusted: ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
                .iter()
                .map(|network| network.parse().unwrap())
                .collect(),
            written,
        };
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        let came = Arrival::read(peer.parse().unwrap(), &headers, &proxies);
        (came.client.to_string(), came.is_by_proxy, came.is_plain)
    }

    #[test]
    fn a_stranger_is_where_he_is_whatever_he_says() {
        for field in [X_FORWARDED_FOR, FORWARDED] {
            for written in [ForwardedBy::XForwardedFor, ForwardedBy::Forwarded] {
                let said = [(field.clone(), "198.51.100.7")];
                let came = arrive(written, "192.0.2.1", &said);
                assert_eq!(came, ("192.0.2.1".to_owned(), false, false));
            }
        }
    }

    #[test]
    fn a_proxy_is_read_from_the_right_up_to_the_first_stranger() {
        for (said, client) in [
            ("198.51.100.7", "198.51.100.7"),
            // What the stranger wrote himself stands on the left.
            ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("127.0.0.1, 198.51.100.7", "198.51.100.7"),
            ("203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("[2001:db9::1]:4711", "2001:db9::1"),
            ("2001:db9::1", "2001:db9::1"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            // Where it does not say whom it heard, it is the one who asks.
            ("", "127.0.0.1"),
            ("unknown", "127.0.0.1"),
            ("198.51.100.7, unknown", "127.0.0.1"),
            ("198.51.100.7, unknown, 10.1.2.3", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.3"),
        ] {
            let came = arrive(
                ForwardedBy::XForwardedFor,
                "127.0.0.1",
                &[(X_FORWARDED_FOR, said)],
            );
            assert_eq!(came, (client.to_owned(), true, false), "{said}");
        }
        let lines = [
            (X_FORWARDED_FOR, "203.0.113.9"),
            (X_FORWARDED_FOR, "198.51.100.7"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(
            elements(&headers, &X_FORWARDED_FOR),
            ["203.0.113.9", "198.51.100.7"],
            "two lines are one list"
        );
    }

    #[test]
    fn only_the_field_that_the_proxy_writes_is_read() {
        let said = [
            (FORWARDED, "for=203.0.113.9"),
            (X_FORWARDED_FOR, "198.51.100.7"),
        ];
        for (written, client) in [
            (ForwardedBy::XForwardedFor, "198.51.100.7"),
            (ForwardedBy::Forwarded, "203.0.113.9"),
        ] {
            let came = arrive(written, "127.0.0.1", &said);
            assert_eq!(came.0, client);
        }
    }

    #[test]
    fn the_standard_field_is_read_as_its_examples_are_written() {
        for (said, client, is_plain) in [
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                "192.0.2.60",
                true,
            ),
            (
                "for=\"[2001:db9:cafe::17]:4711\"",
                "2001:db9:cafe::17",
                false,
            ),
            (
                "For=\"[2001:db9:cafe::17]\";Proto=https",
                "2001:db9:cafe::17",
                false,
            ),
            ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17", false),
            (
                "for=\"_mystery, for=9.9.9.9\", for=198.51.100.17",
                "198.51.100.17",
                false,
            ),
            ("for=_hidden", "127.0.0.1", false),
            ("by=203.0.113.43", "127.0.0.1", false),
        ] {
            let came = arrive(ForwardedBy::Forwarded, "127.0.0.1", &[(FORWARDED, said)]);
            assert_eq!(came, (client.to_owned(), true, is_plain), "{said}");
        }
    }

    #[test]
    fn a_proxy_that_says_nobody_is_told_from_one_that_says_somebody() {
        let network = "127.0.0.1/32".parse().unwrap();
        for (written, field, said, is_for_nobody) in [
            (
                ForwardedBy::XForwardedFor,
                X_FORWARDED_FOR,
                "198.51.100.7",
                false,
            ),
            (
                ForwardedBy::XForwardedFor,
                X_FORWARDED_FOR,
                "unknown",
                false,
            ),
            (ForwardedBy::XForwardedFor, X_FORWARDED_FOR, "", true),
            (
                ForwardedBy::XForwardedFor,
                FORWARDED,
                "for=198.51.100.7",
                true,
            ),
            (ForwardedBy::Forwarded, FORWARDED, "for=_hidden", false),
            (ForwardedBy::Forwarded, FORWARDED, "proto=https", true),
            (
                ForwardedBy::Forwarded,
                X_FORWARDED_FOR,
                "198.51.100.7",
                true,
            ),
        ] {
            let proxies = Proxies {
                trusted: vec![network],
                written,
            };
            let mut headers = HeaderMap::new();
            headers.insert(field, HeaderValue::from_static(said));
            let of_proxy = Arrival::read("127.0.0.1".parse().unwrap(), &headers, &proxies);
            assert_eq!(of_proxy.is_for_nobody, is_for_nobody, "{said}");
            let of_other = Arrival::read("192.0.2.1".parse().unwrap(), &headers, &proxies);
            assert!(!of_other.is_for_nobody, "{said}");
        }
    }

    #[test]
    fn a_proxy_says_whether_it_was_asked_without_tls() {
        for (said, is_plain) in [
            ("http", true),
            ("HTTP", true),
            ("https", false),
            ("https, http", true),
        ] {
            let said = [(X_FORWARDED_PROTO, said)];
            let came = arrive(ForwardedBy::XForwardedFor, "10.0.0.1", &said);
            assert_eq!(came.2, is_plain);
        }
    }
}
