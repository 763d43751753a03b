//! Every setting: its key, its default, its meaning, and how its text becomes a value. The loader and
//! the settings table of the README are both made from this one list; those of ACME and of alerts stand with what they
//! set.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use protocol::evidence::may_be_host;
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::{PROVIDERS, ProviderId};
use protocol::secret::Secret;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as ValueError, StrDeserializer};
use url::{Host, Url};

use super::Timing;
use super::acme::{self, AcmeDraft};
use super::notify::{self, NotifyDraft, WebhookDraft};
use super::proxies::{self, Proxies};
use super::public::{PUBLIC_URL, PublicUrl};

/// Submission over implicit TLS (RFC 8314 §7.3).
pub(super) const SMTP_PORT: u16 = 465;
/// IMAP over implicit TLS (RFC 8314 §7.2).
pub(super) const IMAP_PORT: u16 = 993;
/// What an issuer can be.
pub(super) const ISSUER: &str = "an https URL, or an http URL on loopback";
/// What stands in a key where a provider's id goes.
pub(super) const ID: &str = "<id>";
/// What stands in a key where a webhook's name goes.
pub(super) const NAME: &str = "<name>";

/// One setting.
pub struct Setting {
    /// Its key, parts joined by dots; `<id>` stands for a provider's id, `<name>` for a webhook's name.
    pub key: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What holds where it is not set, in words.
    pub default: &'static str,
    /// What it is for.
    pub meaning: &'static str,
    pub(super) apply: Apply,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Text that names a file or a folder. Where it does not begin at the root, it is read from the folder of the file
    /// that it stands in; in a variable, from the current folder.
    Path,
    /// Text that is shown nowhere, in a file that nobody else may read.
    Secret,
    /// Text that is shown nowhere, since it may hold a secret.
    Hidden,
    /// A whole number, not below 0.
    Number,
    /// `true` or `false`.
    YesNo,
    /// Texts in brackets; in a variable with commas between them.
    List,
}

impl Kind {
    /// The kind in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Text | Self::Secret | Self::Hidden => "text",
            Self::Path => "path",
            Self::Number => "number",
            Self::YesNo => "true or false",
            Self::List => "list of texts",
        }
    }
}

/// How the text of a value gets into the draft.
#[derive(Clone, Copy)]
pub(super) enum Apply {
    Relay(fn(&mut Draft, &str) -> Result<(), Expected>),
    Provider(fn(&mut ProviderDraft, &str) -> Result<(), Expected>),
    Webhook(fn(&mut WebhookDraft, &str) -> Result<(), Expected>),
}

/// What was expected in place of a value that was refused.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) words: String,
    /// The part of the value that is not so, where it is a list.
    pub(super) part: Option<String>,
}

/// Every setting, in the order of the table.
pub fn list_settings() -> impl Iterator<Item = &'static Setting> {
    [ADDRESS, acme::SETTINGS, WORK, notify::SETTINGS, PROVIDER]
        .into_iter()
        .flatten()
}

/// Where it listens and what it shows there.
static ADDRESS: &[Setting] = &[
    Setting {
        key: "listen",
        kind: Kind::Text,
        default: "`127.0.0.1:7411`",
        meaning: "Address and port of the API; port 0 takes a free one. Another one than loopback needs `public_url`, and TLS or a proxy that is named.",
        apply: Apply::Relay(|draft, text| {
            put(
                &mut draft.listen,
                text.parse().ok(),
                "an address and a port, as in 127.0.0.1:7411",
            )
        }),
    },
    Setting {
        key: "public_url",
        kind: Kind::Text,
        default: "`http://` and where it listens",
        meaning: "Address at which browsers reach the relay: https, a host, a port where it is not 443, and nothing after it. Links, pairing and redirect addresses name it, and requests for another host are refused.",
        apply: Apply::Relay(|draft, text| {
            put_some(&mut draft.public_url, PublicUrl::parse(text), PUBLIC_URL)
        }),
    },
    Setting {
        key: "tls.certificate",
        kind: Kind::Path,
        default: "none",
        meaning: "PEM file with the certificate for the host of `public_url`, then those between it and its root. Read again when it changes; needs `tls.key`.",
        apply: Apply::Relay(|draft, text| {
            put_path(draft, |draft| &mut draft.tls.certificate, text)
        }),
    },
    Setting {
        key: "tls.key",
        kind: Kind::Path,
        default: "none",
        meaning: "PEM file with the certificate's key. It must be its owner's alone (mode 600).",
        apply: Apply::Relay(|draft, text| put_path(draft, |draft| &mut draft.tls.key, text)),
    },
];

/// How the relay is reached and what it keeps, and how long it waits.
static WORK: &[Setting] = &[
    Setting {
        key: "http_listen",
        kind: Kind::Text,
        default: "none",
        meaning: "Address and port, as a rule `0.0.0.0:80`, at which whoever comes without TLS is sent to `public_url`. Only where the relay speaks TLS itself.",
        apply: Apply::Relay(|draft, text| {
            put_some(
                &mut draft.http_listen,
                text.parse().ok(),
                "an address and a port, as in 0.0.0.0:80",
            )
        }),
    },
    Setting {
        key: "proxy.trusted",
        kind: Kind::List,
        default: "none",
        meaning: "Addresses and networks of the proxies in front of the relay, as in `[\"127.0.0.1\", \"10.0.0.0/8\"]`. They alone are believed about whom they ask for, and where `public_url` is https and the relay has no TLS of its own, they alone are answered.",
        apply: Apply::Relay(|draft, text| {
            let (field, read) = (&mut draft.proxies.trusted, proxies::read_network);
            put_list(field, text, proxies::NETWORKS, read, 1..=usize::MAX)
        }),
    },
    Setting {
        key: "proxy.header",
        kind: Kind::Text,
        default: "`X-Forwarded-For`",
        meaning: "Field in which the proxy says whom it asks for, read from its right end: `X-Forwarded-For` or `Forwarded`. The other one is not read: a proxy passes it on as strangers write it.",
        apply: Apply::Relay(|draft, text| {
            put(
                &mut draft.proxies.written,
                proxies::read_field(text),
                proxies::FIELDS,
            )
        }),
    },
    Setting {
        key: "data",
        kind: Kind::Path,
        default: "`$XDG_DATA_HOME/unpause`, else `~/.local/share/unpause`",
        meaning: "Folder of the database. One relay uses it at a time.",
        apply: Apply::Relay(|draft, text| put_path(draft, |draft| &mut draft.data, text)),
    },
    Setting {
        key: "key_file",
        kind: Kind::Path,
        default: "`$XDG_CONFIG_HOME/unpause/unpause.key`, else `~/.config/unpause/unpause.key`",
        meaning: "File with the keys that seal credentials; made at the first start. Back it up apart from the database.",
        apply: Apply::Relay(|draft, text| put_path(draft, |draft| &mut draft.key_file, text)),
    },
    Setting {
        key: "mark_file",
        kind: Kind::Path,
        default: "`key_file` with the ending `.mark`",
        meaning: "File that says how far the relay has come, so that a database that was put back is recognised. Leave it out of backups, and keep it apart from `data`.",
        apply: Apply::Relay(|draft, text| put_path(draft, |draft| &mut draft.mark_file, text)),
    },
    Setting {
        key: "dns_server",
        kind: Kind::Text,
        default: "the system's",
        meaning: "Address and port of the DNS server that `unpause doctor` asks about domains, as in `9.9.9.9:53`. The relay itself asks the system.",
        apply: Apply::Relay(|draft, text| {
            put_some(
                &mut draft.dns_server,
                text.parse().ok(),
                "an address and a port, as in 9.9.9.9:53",
            )
        }),
    },
    Setting {
        key: "extra_roots_file",
        kind: Kind::Path,
        default: "none",
        meaning: "PEM file of root certificates to trust beside those of the binary, for mail servers with a certificate authority of their own.",
        apply: Apply::Relay(|draft, text| {
            put_path(draft, |draft| &mut draft.extra_roots_file, text)
        }),
    },
    Setting {
        key: "log",
        kind: Kind::Text,
        default: "`info`",
        meaning: "Which log lines are written: `error`, `warn`, `info`, `debug`, `trace`, also by module as in `info,relay::smtp=debug`.",
        apply: Apply::Relay(|draft, text| put(&mut draft.log, read_log(text), LOG)),
    },
    Setting {
        key: "log_json",
        kind: Kind::YesNo,
        default: "`false`",
        meaning: "Whether each log line is a JSON object.",
        apply: Apply::Relay(|draft, text| put_switch(&mut draft.log_json, text)),
    },
    Setting {
        key: "canary",
        kind: Kind::YesNo,
        default: "`true`",
        meaning: "Whether an inbox may write to itself, at most hourly, where a lost reply can be settled in no other way: the copy of that message shows whether the server makes copies.",
        apply: Apply::Relay(|draft, text| put_switch(&mut draft.canary, text)),
    },
    Setting {
        key: "reply_text_days",
        kind: Kind::Number,
        default: "`365`",
        meaning: "For how many days the words of replies are kept, from when they were read; 0: they are never kept. Who wrote, when and about what stays.",
        apply: Apply::Relay(|draft, text| {
            let days = text.parse().ok().filter(|days| *days <= 36_500);
            put(
                &mut draft.reply_text_days,
                days,
                &format!("a number of days, 0 to 36500, found {text}"),
            )
        }),
    },
    Setting {
        key: "timing.slow_retry_ms",
        kind: Kind::Number,
        default: "`20000`",
        meaning: "Between the two rounds of checks that confirm a lost connection.",
        apply: Apply::Relay(|draft, text| put_ms_from(&mut draft.timing.slow_retry_after, 1, text)),
    },
    Setting {
        key: "timing.first_retry_ms",
        kind: Kind::Number,
        default: "`1000`",
        meaning: "Before the first retry of what failed and may pass; every further wait is twice as long.",
        apply: Apply::Relay(|draft, text| {
            put_ms_from(&mut draft.timing.first_retry_after, 1, text)
        }),
    },
    Setting {
        key: "timing.retry_at_most_ms",
        kind: Kind::Number,
        default: "`600000`",
        meaning: "Between two retries at the most.",
        apply: Apply::Relay(|draft, text| put_ms_from(&mut draft.timing.retry_at_most, 1, text)),
    },
    Setting {
        key: "timing.poll_ms",
        kind: Kind::Number,
        default: "`60000`",
        meaning: "Between two readings of an inbox for replies and bounces.",
        apply: Apply::Relay(|draft, text| {
            put_ms_from(&mut draft.timing.poll_every, POLL_AT_LEAST_MS, text)
        }),
    },
    Setting {
        key: "timing.reconnect_for_ms",
        kind: Kind::Number,
        default: "`600000`",
        meaning: "How long a reconnect waits for the person at the provider.",
        apply: Apply::Relay(|draft, text| put_ms_from(&mut draft.timing.reconnect_for, 1, text)),
    },
    Setting {
        key: "timing.lease_ms",
        kind: Kind::Number,
        default: "`1800000`",
        meaning: "How long an attempt belongs to its sender alone; longer than the longest SMTP conversation.",
        apply: Apply::Relay(|draft, text| {
            put_ms_from(&mut draft.timing.lease_for, LEASE_AT_LEAST_MS, text)
        }),
    },
    Setting {
        key: "timing.rest_minute_ms",
        kind: Kind::Number,
        default: "`60000`",
        meaning: "What counts as a minute where an inbox rests: 15 and then 60 of them between two tries of an inbox \
                  whose mail is refused, 5, 15 and 60 where its server puts everybody off, 1, 5, 15 and 60 after \
                  messages whose outcome is not known, 60 between two messages of an inbox to itself.",
        apply: Apply::Relay(|draft, text| put_ms_from(&mut draft.timing.rest_minute, 1, text)),
    },
    Setting {
        key: "timing.refresh_ahead_ms",
        kind: Kind::Number,
        default: "`300000`",
        meaning: "How long before its end an access token is refreshed.",
        apply: Apply::Relay(|draft, text| put_ms(&mut draft.timing.refresh_ahead, text)),
    },
];

/// Of each provider.
static PROVIDER: &[Setting] = &[
    Setting {
        key: "providers.<id>.issuer",
        kind: Kind::Text,
        default: "none; must be set where the provider has a sign-in page",
        meaning: "Issuer of the provider's OAuth server: https, or http on loopback. Its endpoints are discovered from it.",
        apply: Apply::Provider(|draft, text| {
            put_some(&mut draft.issuer, read_issuer(text), ISSUER)
        }),
    },
    Setting {
        key: "providers.<id>.client_id",
        kind: Kind::Text,
        default: "none; must be set where the provider has a sign-in page",
        meaning: "Client id of your registration at the provider.",
        apply: Apply::Provider(|draft, text| {
            put_some(&mut draft.client_id, read_text(text), "text")
        }),
    },
    Setting {
        key: "providers.<id>.client_secret",
        kind: Kind::Secret,
        default: "none: a public client",
        meaning: "Client secret of your registration. With it the relay exchanges the code; without it the browser does. A file that holds one must be its owner's alone (mode 600).",
        apply: Apply::Provider(|draft, text| {
            put_some(
                &mut draft.client_secret,
                read_text(text).map(Secret::new),
                "text",
            )
        }),
    },
    Setting {
        key: "providers.<id>.unverified",
        kind: Kind::YesNo,
        default: "false",
        meaning: "Whether the provider has not verified your registration: then people are told beforehand that it will warn them.",
        apply: Apply::Provider(|draft, text| put_switch(&mut draft.unverified, text)),
    },
    Setting {
        key: "providers.<id>.sent_copy_within_ms",
        kind: Kind::Number,
        default: "what the provider's file says",
        meaning: "The server itself puts a copy of each message it accepts into the sent folder, at the latest after this time. Set it only where that is sure: a message whose copy does not come in time is sent once more.",
        apply: Apply::Provider(|draft, text| {
            put_some(&mut draft.sent_copy_within, read_ms(text), MILLISECONDS)
        }),
    },
    Setting {
        key: "providers.<id>.settles_within_ms",
        kind: Kind::Number,
        default: "what the provider's file says; 10 minutes where it says nothing",
        meaning: "How long the server may go on with a message after the connection ended. Shorten it only where that is sure, for the same reason.",
        apply: Apply::Provider(|draft, text| {
            put_some(&mut draft.settles_within, read_ms(text), MILLISECONDS)
        }),
    },
    Setting {
        key: "providers.<id>.smtp.host",
        kind: Kind::Text,
        default: "none; must be set",
        meaning: "Host of the submission server; its certificate must be for it.",
        apply: Apply::Provider(|draft, text| put_some(&mut draft.smtp.host, read_host(text), HOST)),
    },
    Setting {
        key: "providers.<id>.smtp.port",
        kind: Kind::Number,
        default: "`465`",
        meaning: "Port of the submission server.",
        apply: Apply::Provider(|draft, text| put_some(&mut draft.smtp.port, read_port(text), PORT)),
    },
    Setting {
        key: "providers.<id>.smtp.tls",
        kind: Kind::Text,
        default: "`implicit`",
        meaning: "How TLS begins there: `implicit` or `starttls`.",
        apply: Apply::Provider(|draft, text| put(&mut draft.smtp.tls, read_tls(text), TLS)),
    },
    Setting {
        key: "providers.<id>.imap.host",
        kind: Kind::Text,
        default: "none; must be set",
        meaning: "Host of the IMAP server; its certificate must be for it.",
        apply: Apply::Provider(|draft, text| put_some(&mut draft.imap.host, read_host(text), HOST)),
    },
    Setting {
        key: "providers.<id>.imap.port",
        kind: Kind::Number,
        default: "`993`",
        meaning: "Port of the IMAP server.",
        apply: Apply::Provider(|draft, text| put_some(&mut draft.imap.port, read_port(text), PORT)),
    },
    Setting {
        key: "providers.<id>.imap.tls",
        kind: Kind::Text,
        default: "`implicit`",
        meaning: "How TLS begins there: `implicit` or `starttls`.",
        apply: Apply::Provider(|draft, text| put(&mut draft.imap.tls, read_tls(text), TLS)),
    },
];

/// What a filter of log lines is.
const LOG: &str = "error, warn, info, debug or trace, also by module as in info,relay::smtp=debug";
/// A server is read ten times a second at the most.
const POLL_AT_LEAST_MS: u64 = 100;
/// A lease is renewed each third of it while a message is being sent; one that is over while its sender still waits for
/// the database makes every message doubtful.
const LEASE_AT_LEAST_MS: u64 = 3_000;
const MILLISECONDS: &str = "a number of milliseconds";
pub(super) const HOST: &str = "a host name such as mail.acme.example, or an IP address";
pub(super) const PORT: &str = "a port, 1 to 65535";
pub(super) const TLS: &str = "\"implicit\" or \"starttls\"";

/// The settings as a Markdown table.
pub fn render_reference() -> String {
    let mut table = String::from("| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for Setting {
        key,
        kind,
        default,
        meaning,
        ..
    } in list_settings()
    {
        let _ = writeln!(
            table,
            "| `{key}` | {} | {default} | {meaning} |",
            kind.words()
        );
    }
    let ids: Vec<_> = PROVIDERS
        .iter()
        .map(|provider| format!("`{}`", provider.id))
        .collect();
    let _ = writeln!(
        table,
        "\n`<id>` is one of {}. `<name>` is yours to choose: small letters, digits, `-` and `_`.\n\nA path that does not begin with `/` \
         is read from the folder of the configuration file that it stands in; in a variable, from the current folder. \
         `unpause config --check` prints what each comes to.",
        ids.join(", ")
    );
    table
}

/// A configuration that is being put together.
pub(super) struct Draft {
    /// The folder from which the paths are read that are set next; from the root.
    pub(super) read_from: PathBuf,
    pub(super) listen: SocketAddr,
    pub(super) public_url: Option<PublicUrl>,
    pub(super) proxies: Proxies,
    pub(super) tls: TlsDraft,
    pub(super) http_listen: Option<SocketAddr>,
    pub(super) dns_server: Option<SocketAddr>,
    pub(super) data: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) mark_file: Option<PathBuf>,
    pub(super) extra_roots_file: Option<PathBuf>,
    pub(super) log: String,
    pub(super) log_json: bool,
    pub(super) canary: bool,
    pub(super) reply_text_days: u32,
    pub(super) timing: Timing,
    pub(super) notify: NotifyDraft,
    pub(super) providers: BTreeMap<ProviderId, ProviderDraft>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            read_from: PathBuf::new(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7411)),
            public_url: None,
            proxies: Proxies::default(),
            tls: TlsDraft::default(),
            http_listen: None,
            dns_server: None,
            data: None,
            key_file: None,
            mark_file: None,
            extra_roots_file: None,
            log: "info".to_owned(),
            log_json: false,
            canary: true,
            reply_text_days: 365,
            timing: Timing::default(),
            notify: NotifyDraft::default(),
            providers: BTreeMap::new(),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            slow_retry_after: Duration::from_secs(20),
            first_retry_after: Duration::from_secs(1),
            retry_at_most: Duration::from_mins(10),
            poll_every: Duration::from_mins(1),
            reconnect_for: Duration::from_mins(10),
            // Longer than the patience of RFC 5321 §4.5.3.2 for one message: 5 + 5 + 2 + 3 + 10 minutes.
            lease_for: Duration::from_mins(30),
            refresh_ahead: Duration::from_mins(5),
            rest_minute: Duration::from_mins(1),
        }
    }
}

/// TLS of the relay's own that is being put together.
#[derive(Default)]
pub(super) struct TlsDraft {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) acme: AcmeDraft,
}

/// A provider that is being put together.
#[derive(Default)]
pub(super) struct ProviderDraft {
    pub(super) issuer: Option<Url>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) sent_copy_within: Option<Duration>,
    pub(super) settles_within: Option<Duration>,
    pub(super) unverified: bool,
    pub(super) smtp: ServerDraft,
    pub(super) imap: ServerDraft,
}

/// A mail server that is being put together.
#[derive(Default)]
pub(super) struct ServerDraft {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) tls: TlsMode,
}

impl ServerDraft {
    pub(super) fn server(self, default_port: u16) -> Option<MailServer> {
        let port = self.port.unwrap_or(default_port);
        self.host.map(|host| MailServer {
            host,
            port,
            tls: self.tls,
        })
    }
}

pub(super) fn put<T>(field: &mut T, value: Option<T>, expected: &str) -> Result<(), Expected> {
    *field = value.ok_or_else(|| Expected {
        words: expected.to_owned(),
        part: None,
    })?;
    Ok(())
}

/// Texts with commas between them, each of which `read` reads, and so many of them.
pub(super) fn put_list<T>(
    field: &mut Vec<T>,
    text: &str,
    expected: &str,
    read: fn(&str) -> Option<T>,
    how_many: RangeInclusive<usize>,
) -> Result<(), Expected> {
    let refused = |part: Option<&str>| Expected {
        words: expected.to_owned(),
        part: part.map(str::to_owned),
    };
    let parts = text.split(',').map(str::trim);
    let found = parts.map(|part| read(part).ok_or_else(|| refused(Some(part))));
    let found: Vec<T> = found.collect::<Result<_, _>>()?;
    if !how_many.contains(&found.len()) {
        return Err(refused(None));
    }
    *field = found;
    Ok(())
}

pub(super) fn put_some<T>(
    field: &mut Option<T>,
    value: Option<T>,
    expected: &str,
) -> Result<(), Expected> {
    put(field, value.map(Some), expected)
}

/// A path, from the root.
pub(super) fn put_path(
    draft: &mut Draft,
    field: fn(&mut Draft) -> &mut Option<PathBuf>,
    text: &str,
) -> Result<(), Expected> {
    let from = &draft.read_from;
    // Its parts again, so that no `./` stays within.
    let path = read_path(text).map(|path| from.join(path).components().collect());
    put_some(field(draft), path, PATH)
}

pub(super) fn put_switch(field: &mut bool, text: &str) -> Result<(), Expected> {
    put(field, text.parse().ok(), "true or false")
}

pub(super) fn put_ms(field: &mut Duration, text: &str) -> Result<(), Expected> {
    put(field, read_ms(text), MILLISECONDS)
}

/// A time that must not be shorter than this: 0 would keep the relay busy with itself.
fn put_ms_from(field: &mut Duration, at_least_ms: u64, text: &str) -> Result<(), Expected> {
    let at_least = Duration::from_millis(at_least_ms);
    put(
        field,
        read_ms(text).filter(|time| *time >= at_least),
        &format!("{MILLISECONDS}, {at_least_ms} or more"),
    )
}

pub(super) fn read_ms(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

/// A word without `=` would be taken for a module's name, and nothing else would be written any more.
fn read_log(text: &str) -> Option<String> {
    let is_level = |word: &str| {
        let words = ["off", "error", "warn", "info", "debug", "trace"];
        words.iter().any(|known| word.eq_ignore_ascii_case(known))
    };
    let is_meant = |part: &str| is_level(part.trim()) || part.contains('=');
    let is_filter = tracing_subscriber::EnvFilter::try_new(text).is_ok();
    (is_filter && text.split(',').all(is_meant)).then(|| text.to_owned())
}

pub(super) fn read_text(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

pub(super) fn read_host(text: &str) -> Option<String> {
    may_be_host(text).then(|| text.to_owned())
}

/// What a path is.
const PATH: &str = "a path, written out (no `~` and no `$`, which only a shell fills in)";

fn read_path(text: &str) -> Option<PathBuf> {
    // No shell reads it: a folder named `~` is nobody's wish.
    let is_of_a_shell = text.starts_with('~') || text.contains('$');
    read_text(text)
        .filter(|_| !is_of_a_shell)
        .map(PathBuf::from)
}

pub(super) fn read_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

pub(super) fn read_tls(text: &str) -> Option<TlsMode> {
    let words: StrDeserializer<'_, ValueError> = text.into_deserializer();
    TlsMode::deserialize(words).ok()
}

fn read_issuer(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (url.scheme() == "https" || (url.scheme() == "http" && is_loopback)).then_some(url)
}
