//! How every outgoing connection is opened: TCP, then TLS, in one place. There is no way to go on
//! without TLS, and no protocol is spoken here: STARTTLS belongs to the protocol that has it. What a
//! failure is called is here too; which addresses may be reached is in `reach`.

mod ending;
mod mode;
mod reach;
pub(crate) mod words;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::evidence::{IoFault, Party, Said, Stage, may_be_host};
use protocol::inbox::MailServer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failure::Failure;
pub use ending::{Cut, Ending};
use reach::Reach;

/// Time for name and TCP together. Ours: RFC 5321 §4.5.3.2 starts counting at the greeting, and a
/// person may be waiting for the answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Least time for one address, however many there are: two retransmissions of a SYN (RFC 6298 §2:
/// 1 s, then 2 s) fit in.
const ADDRESS_WITHIN_AT_LEAST: Duration = Duration::from_secs(4);

/// Time for the TLS handshake. Ours, for the same reason.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(30);

/// When a mail server at a private address is reached.
const UNLESS_WRITTEN: &str =
    "the relay connects to such a server only where the operator wrote it into the configuration";
/// When another one is.
const UNLESS_ALLOWED: &str =
    "the relay connects there only with `private = true` in the configuration";

/// Opens connections. Cheap to clone; all clones share one set of roots and one session cache.
#[derive(Clone, Debug)]
pub struct Dialer {
    config: Arc<ClientConfig>,
    reach: Reach,
    ending: Ending,
}

/// The extra root certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DialerError {
    /// The text is not PEM.
    #[error("the extra root certificates are not PEM")]
    NotPem(#[source] rustls::pki_types::pem::Error),
    /// There is PEM, and no certificate in it.
    #[error("the extra root certificates hold no certificate")]
    NoCertificate,
    /// A certificate cannot serve as a root.
    #[error("certificate {number} of the extra root certificates cannot be a root: {why}")]
    NotARoot {
        /// Which one, from 1.
        number: usize,
        /// Why.
        why: String,
    },
    /// The TLS library cannot be set up.
    #[error("the TLS library refuses its settings")]
    Setup(#[source] rustls::Error),
}

impl Dialer {
    /// A dialer that trusts the roots it ships with and those of `extra_roots_pem`, and that reaches mail
    /// servers at public addresses only.
    pub fn new(extra_roots_pem: Option<&[u8]>) -> Result<Self, DialerError> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(pem) = extra_roots_pem {
            let mut n_added = 0;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(DialerError::NotPem)?;
                n_added += 1;
                roots
                    .add(certificate)
                    .map_err(|error| DialerError::NotARoot {
                        number: n_added,
                        why: words::of_root(&error),
                    })?;
            }
            if n_added == 0 {
                return Err(DialerError::NoCertificate);
            }
        }
        // The provider is named, so that nothing depends on which one a dependency installs.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(DialerError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
            reach: Reach::default(),
            ending: Ending::default(),
        })
    }

    /// The same dialer, which reaches these servers at private addresses too: those that the operator wrote
    /// down.
    #[must_use]
    pub fn reaching<'a>(self, servers: impl IntoIterator<Item = &'a MailServer>) -> Self {
        Self {
            reach: Reach::written(servers),
            ..self
        }
    }

    /// The same dialer, whose conversations are given up when the process ends.
    #[must_use]
    pub fn until(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    /// The end of the process.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    /// The same trust for the HTTP client.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// A TCP connection to the first address of `server` that may be reached and answers.
    pub async fn tcp(&self, party: Party, server: &MailServer) -> Result<TcpStream, Failure> {
        let fail = |said| Failure::new(party, Stage::Connect, said);
        let connecting = connect(server, &self.reach, UNLESS_WRITTEN);
        match self.ending.within(CONNECT_WITHIN, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(said)) => Err(fail(said)),
            Err(cut) => Err(fail(
                cut.said(&format!("connecting to {server}"), CONNECT_WITHIN),
            )),
        }
    }

    /// A TCP connection to the first address of `server` that may be reached and answers: a private one where the
    /// operator allows that for this one.
    pub async fn reach(
        &self,
        server: &MailServer,
        may_be_private: bool,
    ) -> Result<TcpStream, Said> {
        let reach = if may_be_private {
            Reach::written([server])
        } else {
            Reach::default()
        };
        connect(server, &reach, UNLESS_ALLOWED).await
    }

    /// TLS over `tcp`, for what is no mail server.
    pub async fn secure(
        &self,
        server: &MailServer,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Said> {
        let handshake = self.shake_hands(server, tcp).await;
        handshake.map_err(|error| said_of(&error))
    }

    /// TLS over `tcp`; the certificate must be for the host of `server`.
    pub async fn tls(
        &self,
        party: Party,
        server: &MailServer,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let fail = |said| Failure::new(party, Stage::Tls, said);
        if ServerName::try_from(server.host.clone()).is_err() {
            let detail = format!("no certificate can be for {:?}", server.host);
            return Err(fail(Said::Tls { detail }));
        }
        let handshake = self.shake_hands(server, tcp);
        match self.ending.within(HANDSHAKE_WITHIN, handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => {
                let clear = if is_no_tls(&error) {
                    Box::pin(self.find_clear(party, server)).await
                } else {
                    None
                };
                Err(clear.unwrap_or_else(|| fail(said_of(&error))))
            }
            Err(cut) => Err(fail(cut.said(
                &format!("the TLS handshake with {server}"),
                HANDSHAKE_WITHIN,
            ))),
        }
    }

    async fn shake_hands(
        &self,
        server: &MailServer,
        tcp: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(server.host.clone()).map_err(io::Error::other)?;
        TlsConnector::from(self.client_config())
            .connect(name, tcp)
            .await
    }
}

/// Whether a handshake failed because what came is not TLS, or because nothing came.
fn is_no_tls(error: &io::Error) -> bool {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(tls) => matches!(tls, rustls::Error::InvalidMessage(_)),
        None => matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
        ),
    }
}

/// An error of a socket or of the TLS stream over it, as evidence.
pub fn said_of(error: &io::Error) -> Said {
    if let Some(inner) = error.get_ref() {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Said::Tls {
                detail: words::of_server(tls),
            };
        }
        if let Some(wrapped) = inner.downcast_ref::<io::Error>() {
            return said_of(wrapped);
        }
    }
    let fault = match error.kind() {
        io::ErrorKind::ConnectionRefused => IoFault::Refused,
        io::ErrorKind::TimedOut => IoFault::TimedOut,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => IoFault::Closed,
        _ => IoFault::Other,
    };
    if error.kind() == io::ErrorKind::UnexpectedEof {
        // The TLS library's words are a manual's address.
        return Said::Io {
            fault,
            detail: "the server closed the connection".to_owned(),
        };
    }
    Said::Io {
        fault,
        detail: error.to_string(),
    }
}

/// A failed look-up, as evidence. A resolver that cannot be asked says nothing about the name: with glibc and musl
/// that is `EAI_AGAIN`, which the standard library passes on as text only.
pub fn said_of_lookup(host: &str, error: &io::Error) -> Said {
    let text = error.to_string();
    let not_asked = ["Temporary failure", "Try again"]
        .iter()
        .any(|words| text.contains(words));
    let fault = if not_asked {
        IoFault::Other
    } else if !may_be_host(host) {
        IoFault::ImpossibleName
    } else {
        IoFault::UnknownHost
    };
    Said::Io {
        fault,
        detail: format!("{host}: {text}"),
    }
}

/// `what` took longer than `within`, as evidence.
pub fn timed_out(what: &str, within: Duration) -> Said {
    let detail = format!("no end of {what} within {} seconds", within.as_secs());
    Said::Io {
        fault: IoFault::TimedOut,
        detail,
    }
}

/// Tries every address of `server` that may be reached, each for its fair share of the time. Looked up
/// once: what is checked is what is connected to.
async fn connect(server: &MailServer, reach: &Reach, unless: &str) -> Result<TcpStream, Said> {
    let found = lookup_host((server.host.as_str(), server.port)).await;
    let found = found.map_err(|error| said_of_lookup(&server.host, &error))?;
    connect_to(found.collect(), server, reach, unless).await
}

/// The same where the addresses are known: its name is not looked up again, since whoever answers for it may say
/// something else by then.
async fn connect_to(
    found: Vec<SocketAddr>,
    server: &MailServer,
    reach: &Reach,
    unless: &str,
) -> Result<TcpStream, Said> {
    let (addresses, kept_away): (Vec<SocketAddr>, Vec<SocketAddr>) = found
        .into_iter()
        .partition(|address| reach.allows(server, address.ip()));
    let share = u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let address_within = (CONNECT_WITHIN / share).max(ADDRESS_WITHIN_AT_LEAST);
    let mut last = match kept_away.first() {
        Some(private) => Said::Io {
            fault: IoFault::Other,
            detail: format!(
                "{} stands at {}, an address of a private network: {}",
                server.host,
                private.ip(),
                unless
            ),
        },
        None => Said::Io {
            fault: IoFault::UnknownHost,
            detail: format!("{} has no address", server.host),
        },
    };
    for address in addresses {
        last = match timeout(address_within, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Commands are short and each waits for its reply: nothing gains from collecting.
                stream.set_nodelay(true).map_err(|error| said_of(&error))?;
                return Ok(stream);
            }
            Ok(Err(error)) => match said_of(&error) {
                Said::Io { fault, detail } => Said::Io {
                    fault,
                    detail: format!("{address}: {detail}"),
                },
                other => other,
            },
            Err(_) => timed_out(&format!("connecting to {address}"), address_within),
        };
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use protocol::inbox::TlsMode;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn extra_roots_that_are_none_are_told_apart() {
        assert!(Dialer::new(None).is_ok());
        assert!(matches!(
            Dialer::new(Some(b"")),
            Err(DialerError::NoCertificate)
        ));
        let not_base64 = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            Dialer::new(Some(not_base64)),
            Err(DialerError::NotPem(_))
        ));
        let no_der = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            Dialer::new(Some(no_der)),
            Err(DialerError::NotARoot { number: 1, .. })
        ));
    }

    /// DNS rebinding: whoever answers for the name says another address once the first was checked.
    #[tokio::test]
    async fn what_is_connected_to_is_the_address_that_was_checked_whatever_the_name_says_by_then() {
        // The name stands for the first of them; what was looked up before is the second, at the same port.
        let (now, checked) = loop {
            let now = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = now.local_addr().unwrap().port();
            if let Ok(checked) = TcpListener::bind(("127.0.0.2", port)).await {
                break (now, checked);
            }
        };
        let address = checked.local_addr().unwrap();
        let server = MailServer {
            host: "localhost".to_owned(),
            port: address.port(),
            tls: TlsMode::Implicit,
        };
        let found = vec![address];
        let reach = Reach::written([&server]);
        let stream = connect_to(found.clone(), &server, &reach, UNLESS_ALLOWED).await;
        assert_eq!(stream.unwrap().peer_addr().unwrap(), address);
        checked.accept().await.unwrap();
        // And an address that may not be reached is not, whatever the name.
        let refused = connect_to(found, &server, &Reach::default(), UNLESS_ALLOWED).await;
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("localhost stands at 127.0.0.2"), "{said}");
        for listener in [now, checked] {
            let knock = timeout(Duration::from_millis(1), listener.accept()).await;
            assert!(knock.is_err(), "{:?} was reached", listener.local_addr());
        }
    }

    #[test]
    fn a_resolver_that_cannot_be_asked_does_not_make_the_host_unknown() {
        for (text, expected) in [
            (
                "failed to lookup address information: Name or service not known",
                IoFault::UnknownHost,
            ),
            (
                "failed to lookup address information: Name does not resolve",
                IoFault::UnknownHost,
            ),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                IoFault::Other,
            ),
            (
                "failed to lookup address information: Try again",
                IoFault::Other,
            ),
        ] {
            let said = said_of_lookup("smtp.acme.example", &io::Error::other(text));
            assert!(
                matches!(said, Said::Io { fault, .. } if fault == expected),
                "{text}: {said:?}"
            );
        }
    }
}
