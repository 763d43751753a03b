//! Asking a DNS server, and what can come of it: whether something is not there and whether nobody answered are two
//! things.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::net::NetError;
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::hickory_resolver::proto::rr::{RData, Record, RecordType};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{Error, MessageAuthenticator, SpfResult};

/// How long one question may take, and how often it is asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const TRIES: usize = 2;
/// Nobody's address (TEST-NET-1, RFC 5737 §3): no record that is meant for anybody lets it send.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer<T> {
    /// These, one at least.
    Found(Vec<T>),
    /// The name is there, and nothing of that kind.
    Nothing,
    /// There is no such name.
    NoName,
    /// Nobody answered, or not so that it can be used.
    Silent(String),
}

/// A DNS server.
pub(super) struct Dns(MessageAuthenticator);

impl Dns {
    /// The one at this address, else the system's. What is wrong with that, in words.
    pub(super) fn at(server: Option<SocketAddr>) -> Result<Self, String> {
        let (config, mut options) = match server {
            Some(server) => {
                let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
                udp.port = server.port();
                tcp.port = server.port();
                let server = NameServerConfig::new(server.ip(), true, vec![udp, tcp]);
                let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
                (config, ResolverOpts::default())
            }
            None => read_system_conf().map_err(|error| error.to_string())?,
        };
        options.timeout = ANSWER_WITHIN;
        options.attempts = TRIES;
        MessageAuthenticator::new(config, options)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    /// The TXT records of a name, each put together from its parts (RFC 7208 §3.3).
    pub(super) async fn txt(&self, name: &str) -> Answer<String> {
        self.ask(name, RecordType::TXT, |record| match &record.data {
            RData::TXT(txt) => {
                let bytes: Vec<u8> = txt.txt_data.iter().flatten().copied().collect();
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => None,
        })
        .await
    }

    /// The mail servers of a name; `.` of a domain that takes no mail (RFC 7505).
    pub(super) async fn mx(&self, name: &str) -> Answer<String> {
        self.ask(name, RecordType::MX, |record| match &record.data {
            RData::MX(mx) => Some(mx.exchange.to_string()),
            _ => None,
        })
        .await
    }

    /// The addresses of a name.
    pub(super) async fn addresses(&self, name: &str) -> Answer<IpAddr> {
        let (four, six) = futures_util::join!(
            self.ask(name, RecordType::A, address_of),
            self.ask(name, RecordType::AAAA, address_of)
        );
        match (four, six) {
            (Answer::Found(mut four), six) => {
                if let Answer::Found(six) = six {
                    four.extend(six);
                }
                Answer::Found(four)
            }
            (_, Answer::Found(six)) => Answer::Found(six),
            (Answer::Silent(words), _) | (_, Answer::Silent(words)) => Answer::Silent(words),
            (Answer::NoName, _) | (_, Answer::NoName) => Answer::NoName,
            (Answer::Nothing, Answer::Nothing) => Answer::Nothing,
        }
    }

    /// What a receiver makes of a message from nobody's address with an envelope of this domain (RFC 7208 §4): the
    /// record is followed to its end. `None` where the reader of records gave up on one with a panic.
    pub(super) async fn follow_spf(&self, domain: &str) -> Option<SpfResult> {
        let (asking, domain) = (self.0.clone(), domain.to_owned());
        let followed = tokio::spawn(async move {
            let sender = format!("postmaster@{domain}");
            let asked = SpfParameters::verify_mail_from(NOBODY, &domain, &domain, &sender);
            asking.check_host(asked.into()).await.result()
        });
        followed.await.ok()
    }

    async fn ask<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&Record) -> Option<T>,
    ) -> Answer<T> {
        // With its last dot, so that nothing of the system's own is put behind it.
        let asked = self.0.resolver().lookup(format!("{name}."), kind).await;
        match asked {
            Ok(found) => {
                let found: Vec<T> = found.answers().iter().filter_map(read).collect();
                if found.is_empty() {
                    Answer::Nothing
                } else {
                    Answer::Found(found)
                }
            }
            Err(error) => judge(error),
        }
    }
}

fn address_of(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

fn judge<T>(error: NetError) -> Answer<T> {
    let words = error.to_string();
    match Error::from(error) {
        Error::DnsRecordNotFound(ResponseCode::NXDomain) => Answer::NoName,
        Error::DnsRecordNotFound(ResponseCode::NoError) => Answer::Nothing,
        Error::DnsRecordNotFound(code) => Answer::Silent(format!("the DNS server says {code}")),
        _ => Answer::Silent(words),
    }
}
