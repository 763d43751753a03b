//! Which addresses a mail server may have. A server that somebody names over the API must not make the
//! relay knock at doors inside the operator's own network; one that the operator wrote down may stand
//! there. Looking names up and connecting are [`super`]'s work: it checks what it then connects to, so
//! that a name that changes its address in between (DNS rebinding) gains nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use protocol::inbox::MailServer;

/// What may be reached. Public addresses always may.
#[derive(Clone, Debug, Default)]
pub(super) enum Reach {
    /// No private address at all.
    #[default]
    Public,
    /// Private addresses of these servers, by host and port.
    Written(Arc<BTreeSet<(String, u16)>>),
}

impl Reach {
    /// Private addresses of these servers only.
    pub(super) fn written<'a>(servers: impl IntoIterator<Item = &'a MailServer>) -> Self {
        let named = servers
            .into_iter()
            .map(|server| (server.host.to_ascii_lowercase(), server.port));
        Self::Written(Arc::new(named.collect()))
    }

    /// Whether `server` may be reached at `address`.
    pub(super) fn allows(&self, server: &MailServer, address: IpAddr) -> bool {
        is_public(address)
            || match self {
                Self::Public => false,
                Self::Written(servers) => {
                    servers.contains(&(server.host.to_ascii_lowercase(), server.port))
                }
            }
    }
}

/// Whether an address belongs to everybody's internet: no loopback, no private or link-local network, none
/// of the other blocks that the IANA Special-Purpose Address Registries (RFC 6890 §2.2) keep from it.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        // "This network"; the address 0.0.0.0 is this machine to most systems.
        || a == 0
        // Shared by a carrier's customers.
        || (a == 100 && b & 0xc0 == 64)
        // Protocol assignments.
        || (a == 192 && b == 0 && c == 0)
        // Benchmarks.
        || (a == 198 && b & 0xfe == 18)
        // Multicast, reserved, broadcast.
        || a >= 224;
    !special
}

/// All public addresses lie in `2000::/3` (IANA, "Internet Protocol Version 6 Address Space"); an address
/// that carries another one of version 4 is as public as that one.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let carried = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped (RFC 4291 §2.5.5.2), and translated (RFC 6052 §2.1).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            carried(high, low)
        }
        // 6to4 (RFC 3056 §2).
        [0x2002, high, low, ..] => carried(high, low),
        // Protocol assignments, Teredo among them; documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::inbox::TlsMode;

    fn server(host: &str, port: u16) -> MailServer {
        MailServer {
            host: host.to_owned(),
            port,
            tls: TlsMode::Implicit,
        }
    }

    #[test]
    fn what_is_not_everybodys_is_not_public() {
        for (address, expected) in [
            ("142.250.102.108", true),
            ("52.98.152.242", true),
            ("100.63.255.255", true),
            ("100.128.0.0", true),
            ("172.15.0.1", true),
            ("172.32.0.1", true),
            ("198.17.0.1", true),
            ("2a00:1450:4013:c1a::6c", true),
            ("2603:1026:c0b::2", true),
            ("::ffff:142.250.102.108", true),
            ("64:ff9b::8efa:666c", true),
            ("2002:8efa:666c::1", true),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.127.255.255", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("198.18.0.1", false),
            ("198.19.255.255", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::7f00:1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("64:ff9b::a00:1", false),
            ("64:ff9b:1::1", false),
            ("2002:7f00:1::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("3fff::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(is_public(parsed), expected, "{address}");
        }
    }

    #[test]
    fn a_private_address_needs_the_operators_own_word_for_that_server() {
        let written = Reach::written([&server("Mail.Acme.example", 993)]);
        let (private, public) = ("10.0.0.1".parse().unwrap(), "9.9.9.9".parse().unwrap());
        for (reach, host, port, expected) in [
            (&Reach::Public, "mail.acme.example", 993, false),
            (&written, "mail.acme.example", 993, true),
            (&written, "mail.acme.example", 22, false),
            (&written, "mail.other.example", 993, false),
        ] {
            let server = server(host, port);
            assert_eq!(reach.allows(&server, private), expected, "{server}");
            assert!(reach.allows(&server, public), "{server}");
        }
    }
}
