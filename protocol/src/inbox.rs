//! An inbox as people and the relay speak of it. Its connection is in [`crate::connection`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::evidence::may_be_host;

/// A mail address, syntax checked (RFC 5321 §4.1.2), domain in lower case. Its local part is never quoted: nobody's
/// inbox is called so, and what writes our messages would refuse it only when it is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// The address as it is written on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// The text is not a mail address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a mail address such as jane@acme.example, found {found:?}")]
pub struct NotAnAddress {
    /// What stood there.
    pub found: String,
}

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let error = || NotAnAddress {
            found: text.to_owned(),
        };
        let plain = email_address::Options::default()
            .without_display_text()
            .without_domain_literal();
        email_address::EmailAddress::parse_with_options(text, plain).map_err(|_| error())?;
        let (local, domain) = text.rsplit_once('@').ok_or_else(error)?;
        if local.contains('"') {
            return Err(error());
        }
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // In serde's words, so that the relay knows what in them is the caller's.
        text.parse().map_err(|_| {
            let expected = "a mail address such as jane@acme.example";
            de::Error::invalid_value(de::Unexpected::Str(&text), &expected)
        })
    }
}

/// Where a mail server listens, and how TLS begins there. There is no way to say "no TLS".
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MailServer {
    /// Host name or IP address; the certificate must be for it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How TLS begins.
    #[serde(default)]
    pub tls: TlsMode,
}

/// What a mail server cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAServer {
    /// Its host is no name and no address.
    #[error("expected a host name such as mail.acme.example, or an IP address, found {found:?}")]
    Host {
        /// What stood there.
        found: String,
    },
    /// Nothing listens at port 0.
    #[error("expected a port, 1 to 65535, found 0")]
    Port,
}

impl MailServer {
    /// Refuses what no server can be reached by: a host that is neither a name nor an IP address
    /// ([`may_be_host`]), and port 0.
    pub fn check(&self) -> Result<(), NotAServer> {
        if !may_be_host(&self.host) {
            return Err(NotAServer::Host {
                found: self.host.clone(),
            });
        }
        if self.port == 0 {
            return Err(NotAServer::Port);
        }
        Ok(())
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Implicit => "TLS from the start",
            Self::StartTls => "STARTTLS",
        })
    }
}

/// How TLS begins (RFC 8314).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// With the first byte.
    #[default]
    Implicit,
    /// After STARTTLS; a server that does not offer it is refused.
    StartTls,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_that_can_be_and_a_port_above_0() {
        for (host, port, fits) in [
            ("mail.acme.example", 465, true),
            ("mail.acme.example.", 465, true),
            ("localhost", 1, true),
            ("127.0.0.1", 993, true),
            ("::1", 993, true),
            ("post.bücher.example", 465, true),
            ("my_host", 465, true),
            ("x y", 465, false),
            ("", 465, false),
            (".", 465, false),
            ("mail..example", 465, false),
            ("-mail.example", 465, false),
            ("https://mail.example", 465, false),
            ("mail.example:465", 465, false),
            ("mail.example/", 465, false),
            ("mail\n.example", 465, false),
            ("mail.acme.example", 0, false),
        ] {
            let server = MailServer {
                host: host.to_owned(),
                port,
                tls: TlsMode::Implicit,
            };
            assert_eq!(server.check().is_ok(), fits, "{host}:{port}");
        }
        let long = format!("{}.example", "a".repeat(64));
        assert!(!may_be_host(&long));
    }

    #[test]
    fn addresses_are_checked_and_their_domain_lowered() {
        for (text, expected) in [
            ("jane@acme.example", Some("jane@acme.example")),
            ("Jane.Doe+x@ACME.example", Some("Jane.Doe+x@acme.example")),
            ("jane@localhost", Some("jane@localhost")),
            ("Jane <jane@acme.example>", None),
            ("jane@", None),
            ("@acme.example", None),
            ("jane acme.example", None),
            ("\"jane doe\"@acme.example", None),
            ("\"jane\"@acme.example", None),
            ("jane@acme.example\r\nBcc: all@acme.example", None),
            ("", None),
        ] {
            let parsed = text.parse::<Address>();
            assert_eq!(
                parsed.as_ref().map(Address::as_str).ok(),
                expected,
                "{text}"
            );
        }
    }
}
