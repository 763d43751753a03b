//! What happened, before anybody judges it. Adapters make evidence; [`crate::cause::classify`] is the
//! only reader that draws a conclusion from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::provider::ProviderId;
use crate::reply::{ImapReply, OAuthReply, SmtpReply};
use crate::shown;
use crate::timestamp::Timestamp;

/// One failure as it was met: who spoke, at which stage, and the words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// Whom the relay was talking to.
    pub party: Party,
    /// What it was doing. The same words mean different things at different stages.
    pub stage: Stage,
    /// What it was told, or what it met.
    pub said: Said,
    /// Whose servers these are.
    pub provider: ProviderId,
    /// When the relay met it, by the relay's clock.
    pub seen_at: Timestamp,
}

impl Evidence {
    /// The server's own words, or the relay's where no server spoke; one line for each line met.
    pub fn words(&self) -> String {
        shown::line(&self.said.to_string()).into_owned()
    }

    /// The words that a card shows as the server's; `None` where no server spoke and the card says all that was found.
    pub fn server_words(&self) -> Option<String> {
        match &self.said {
            Said::Found(
                Finding::ScopeMissing { .. }
                | Finding::NoSignInOffered { .. }
                | Finding::UnnamedServer { .. }
                | Finding::OtherService { .. }
                | Finding::OtherIdentity {
                    signed_in_as: Some(_),
                },
            ) => Some(self.words()),
            Said::Found(_) => None,
            _ => Some(self.words()),
        }
    }
}

/// Whom the relay was talking to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The submission server.
    Smtp,
    /// The IMAP server.
    Imap,
    /// The authorization server.
    Oauth,
    /// Nobody else: the relay found it in its own records.
    Relay,
}

/// What the relay was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Opening the connection: name, TCP.
    Connect,
    /// The TLS handshake, at once or after STARTTLS.
    Tls,
    /// The server's greeting and the hello.
    Greeting,
    /// Signing in to SMTP or IMAP.
    Auth,
    /// `MAIL FROM`.
    Mail,
    /// `RCPT TO`.
    Rcpt,
    /// `DATA`, up to and including its first reply (354).
    Data,
    /// The body, and the reply to its final dot.
    Body,
    /// Listing, selecting or reading IMAP folders.
    Folder,
    /// Reading the provider's OpenID metadata.
    Metadata,
    /// The person's visit at the authorization endpoint.
    Authorize,
    /// Exchanging the authorization code.
    Exchange,
    /// Using the refresh token.
    Refresh,
    /// Asking who signed in.
    Identity,
}

/// What was said or met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Said {
    /// An SMTP reply. Only this may be read as an SMTP verdict.
    Smtp(SmtpReply),
    /// An IMAP response.
    Imap(ImapReply),
    /// An answer of the authorization server.
    Oauth(OAuthReply),
    /// The network failed.
    Io {
        /// How.
        fault: IoFault,
        /// The operating system's words.
        detail: String,
    },
    /// TLS failed.
    Tls {
        /// The TLS library's words.
        detail: String,
    },
    /// The peer spoke something that is not its protocol.
    Garbage {
        /// What was expected and what came, shortened, control characters escaped.
        detail: String,
    },
    /// The relay found it itself.
    Found(Finding),
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(reply) => reply.fmt(f),
            Self::Imap(reply) => reply.fmt(f),
            Self::Oauth(reply) => reply.fmt(f),
            Self::Io { detail, .. } | Self::Tls { detail } | Self::Garbage { detail } => {
                f.write_str(detail)
            }
            Self::Found(finding) => finding.fmt(f),
        }
    }
}

/// How the network failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum IoFault {
    /// The name of the server has no address.
    UnknownHost,
    /// No server can bear this name ([`may_be_host`]), whatever the name service says.
    ImpossibleName,
    /// Nothing listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The peer ended the connection.
    Closed,
    /// Anything else.
    Other,
}

/// Whether a server can bear this name: labels of letters, digits, hyphens and underscores with dots between them, the
/// last one not of digits alone (RFC 1123 §2.1, RFC 3696 §2; letters of other scripts too, RFC 5890 §2.3.2.1), or an
/// address. A name of one label is one of a local
/// network.
pub fn may_be_host(name: &str) -> bool {
    if name.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    let numeric = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    name.len() <= 253
        && name.split('.').all(is_label)
        && !name.rsplit('.').next().is_some_and(numeric)
}

/// What the relay found without being told by a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// Somebody else signed in.
    OtherIdentity {
        /// The address of the person who signed in, where the provider told it.
        signed_in_as: Option<String>,
    },
    /// The provider gave no refresh token.
    NoRefreshToken,
    /// The grant lacks scopes that the inbox needs.
    ScopeMissing {
        /// Those that are missing.
        missing: Vec<String>,
    },
    /// A restart fell between the provider's answer and our commit.
    Interrupted,
    /// Nobody finished the reconnect in time.
    Expired,
    /// The person ended it.
    Cancelled,
    /// There are no credentials to use.
    NoCredentials,
    /// The server offers no way to sign in that these credentials have. No server refused anything.
    NoSignInOffered {
        /// The ways that would do, as the protocol names them.
        needed: String,
        /// What the server offers instead, as it names it.
        offered: String,
    },
    /// The sealed payload could not be opened.
    Unsealable,
    /// The answer came from another provider, or bears another state (RFC 6749 §10.12, RFC 9207 §2.4).
    MixedUp,
    /// The configuration does not name this server for the provider whose token it would be shown.
    UnnamedServer {
        /// Which server was expected and which one the inbox has.
        words: String,
    },
    /// A server of another protocol answers at the port.
    OtherService {
        /// What was expected and what answers, with the first words of its greeting, shortened and escaped.
        words: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherIdentity {
                signed_in_as: Some(address),
            } => write!(f, "signed in as {address}"),
            Self::OtherIdentity { signed_in_as: None } => f.write_str("somebody else signed in"),
            Self::NoRefreshToken => f.write_str("the provider gave no refresh token"),
            Self::ScopeMissing { missing } => write!(f, "not granted: {}", missing.join(" ")),
            Self::Interrupted => f.write_str(
                "the relay was restarted between the provider's answer and its own record of it",
            ),
            Self::Expired => f.write_str("nobody finished the sign-in in time"),
            Self::Cancelled => f.write_str("the sign-in was ended"),
            Self::NoCredentials => f.write_str("the inbox has no credentials"),
            Self::NoSignInOffered { needed, offered } => {
                write!(f, "expected an offer of {needed}, found {offered}")
            }
            Self::Unsealable => f.write_str("the sealed hand-over could not be opened"),
            Self::MixedUp => f.write_str("the answer does not belong to this sign-in"),
            Self::UnnamedServer { words } | Self::OtherService { words } => f.write_str(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_server_can_bear_is_told_from_one_that_is_not_found() {
        for name in [
            "mail.example.com",
            "mail.example.com.",
            "mail",
            "mx-1.example",
            "_dc.example",
            "bücher.example",
            "192.0.2.7",
            "2001:db8::1",
            "4chan.example",
        ] {
            assert!(may_be_host(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in [
            "",
            ".",
            "1234",
            "mail.1234",
            "mail..example",
            "-mail.example",
            "mail-.example",
            "ma il.example",
            "https://mail.example",
            "mail.example:993",
            "192.0.2.300",
            long.as_str(),
        ] {
            assert!(!may_be_host(name), "{name}");
        }
    }

    #[test]
    fn what_the_relay_found_by_itself_is_nobodys_words() {
        let told = |said| {
            let evidence = Evidence {
                party: Party::Relay,
                stage: Stage::Exchange,
                said,
                provider: ProviderId::new("openid"),
                seen_at: Timestamp::from_ms(0),
            };
            evidence.server_words()
        };
        let words = |words: &str| Some(words.to_owned());
        let detail = "connection reset".to_owned();
        let missing = vec!["mail.read".to_owned()];
        let other = "expected an IMAP server, found an SMTP server";
        for (said, found) in [
            (Said::Found(Finding::Expired), None),
            (
                Said::Found(Finding::OtherIdentity { signed_in_as: None }),
                None,
            ),
            (
                Said::Found(Finding::ScopeMissing { missing }),
                words("not granted: mail.read"),
            ),
            (Said::Garbage { detail }, words("connection reset")),
            (
                Said::Found(Finding::OtherService {
                    words: other.to_owned(),
                }),
                words(other),
            ),
        ] {
            assert_eq!(told(said.clone()), found, "{said:?}");
        }
    }
}
