//! What the operator decides: a TOML file, and `UNPAUSE_*` variables over it. Every setting stands once
//! in [`setting::list_settings`], with its default and its meaning; nothing here opens what a setting names.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::inbox::MailServer;
use protocol::provider::{self, ProviderId, SentCopy, Submission};
use protocol::secret::Secret;
use url::Url;

use crate::ownership;

mod acme;
mod found;
pub(crate) mod nearest;
pub mod notify;
mod proxies;
mod public;
mod reading;
pub mod setting;

pub use acme::{Acme, AcmeChallenge, Binding};
use acme::{check_acme, finish_acme};
use found::describe_text;
use notify::{Notify, finish_notify};
pub use proxies::{ForwardedBy, Proxies};
pub use public::PublicUrl;
use reading::Entry;
use setting::{Apply, Draft, ProviderDraft, TlsDraft};

/// The file that is read where nothing else is said, if it is there.
const DEFAULT_FILE: &str = "unpause.toml";
/// The file of the machine's own relay, as packages install it; read where nothing is named and the current folder has
/// none.
pub(crate) const SYSTEM_FILE: &str = "/etc/unpause/unpause.toml";
/// The variable that names the file.
const FILE_VARIABLE: &str = "UNPAUSE_CONFIG";

/// Variables of the process, by name. An argument, so that tests need no process of their own.
pub type Environment = BTreeMap<String, String>;

/// The configuration of one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the API listens: a loopback address, unless nobody comes there without TLS but a proxy that is named.
    pub listen: SocketAddr,
    /// Where browsers reach it, if not there.
    pub public_url: Option<PublicUrl>,
    /// The proxies in front of it.
    pub proxies: Proxies,
    /// TLS of its own; `None` where a proxy speaks it, or nobody.
    pub tls: Option<Tls>,
    /// Where whoever comes without TLS is sent to the public address, if anywhere.
    pub http_listen: Option<SocketAddr>,
    /// The folder of the database and of what the operator's commands need.
    pub data: PathBuf,
    /// The file with the keys that seal credentials; not in `data` unless told so.
    pub key_file: PathBuf,
    /// The file that says how far the relay has come; outside of what is put back from backups.
    pub mark_file: PathBuf,
    /// Root certificates to trust beside those that the binary brings, PEM.
    pub extra_roots_file: Option<PathBuf>,
    /// The DNS server that domains are looked up at by `unpause doctor`; `None` is the system's.
    pub dns_server: Option<SocketAddr>,
    /// Which log lines are written, in the words of `tracing`.
    pub log: String,
    /// Whether a log line is a JSON object.
    pub log_json: bool,
    /// Whether an inbox may write to itself to learn whether its server keeps copies.
    pub canary: bool,
    /// For how many days the words of what arrives are kept; 0: they are not.
    pub reply_text_days: u32,
    /// How long things wait.
    pub timing: Timing,
    /// Who is told of what happens, and through what.
    pub notify: Notify,
    /// The providers that inboxes may use.
    pub providers: BTreeMap<ProviderId, Provider>,
}

/// Where the certificate of the relay's own address comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// From two files of the operator's.
    Files {
        /// The certificate, then those between it and its root, PEM.
        certificate: PathBuf,
        /// Its key, PEM.
        key: PathBuf,
    },
    /// From a certificate authority, by ACME.
    Acme(Acme),
}

/// How long things wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between the two rounds of probes that confirm a lost connection.
    pub slow_retry_after: Duration,
    /// Before the first retry of what failed and may pass; it doubles from here.
    pub first_retry_after: Duration,
    /// Between two retries at the most.
    pub retry_at_most: Duration,
    /// Between two looks at an inbox.
    pub poll_every: Duration,
    /// From the click to the end of a reconnect that nobody finishes.
    pub reconnect_for: Duration,
    /// How long an attempt belongs to its sender alone.
    pub lease_for: Duration,
    /// How long before its end an access token is refreshed.
    pub refresh_ahead: Duration,
    /// The minute in which the rests after refusals and doubts are counted.
    pub rest_minute: Duration,
}

/// A provider as this relay is registered there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The registration at its authorization server; `None` where it has none.
    pub client: Option<Client>,
    /// What its submission server does with a message it has accepted: as its file says, or as the operator
    /// knows better.
    pub submission: Submission,
    /// Where its inboxes send.
    pub smtp: MailServer,
    /// Where its inboxes read.
    pub imap: MailServer,
}

/// This relay as a client of an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The issuer; its OAuth endpoints are discovered from it.
    pub issuer: Url,
    /// The client id of the registration.
    pub id: String,
    /// The client's secret; `None` makes it a public client.
    pub secret: Option<Secret>,
    /// The provider has not verified the registration, and warns people of it.
    pub unverified: bool,
}

/// Who can speak TLS for the relay.
const ENCRYPTED_BY: &str = "tls.acme.terms_agreed, or tls.certificate and tls.key, or proxy.trusted to the address of the proxy in front that speaks TLS";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named cannot be read.
    #[error("the configuration {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{place}: not valid TOML: {found}")]
    NotToml {
        /// File and line.
        place: Place,
        /// What the parser met.
        found: String,
    },
    /// A key or variable that no setting has.
    #[error("{place}: there is no setting {key:?}{}", suggest(.nearest.as_deref()))]
    Unknown {
        /// File and line, or the variable.
        place: Place,
        /// The key.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A value that the setting cannot have.
    #[error("{place}: {key} is not valid: expected {expected}, found {found}")]
    Value {
        /// File and line, or the variable.
        place: Place,
        /// The key.
        key: String,
        /// What it can be.
        expected: String,
        /// What it is, in words; nothing of what may be a secret.
        found: String,
    },
    /// A setting without which its table means nothing.
    #[error("{key} is missing: expected {expected}")]
    Missing {
        /// The key.
        key: String,
        /// What it can be.
        expected: String,
    },
    /// It would listen where others reach it.
    #[error(
        "{place}: the relay cannot listen on {listen}, which others reach: set public_url to its https address and {}; or use 127.0.0.1 or [::1]",
        ENCRYPTED_BY
    )]
    NotLoopback {
        /// File and line, or the variable.
        place: Place,
        /// The address.
        listen: SocketAddr,
    },
    /// It is told to be reached by https, and nothing does that.
    #[error(
        "{place}: public_url is https, and nothing here speaks TLS: set {}",
        ENCRYPTED_BY
    )]
    NotEncrypted {
        /// File and line, or the variable.
        place: Place,
    },
    /// It has TLS of its own, and no https address.
    #[error(
        "{key} is set, and public_url is not an https address: set public_url to the one at which browsers reach this relay"
    )]
    NoPublicUrl {
        /// The key of what needs one.
        key: &'static str,
    },
    /// It holds a secret, and others may read it.
    #[error(
        "the configuration {path} holds a secret ({key}) and can be read by others (mode {mode:o}): run `chmod 600 {path}`"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// The key of the secret.
        key: String,
        /// Its permission bits.
        mode: u32,
    },
    /// It was found and not named, and is another user's: he may have put it there to be found.
    #[error(
        "the configuration {path} that was found here belongs to the user with the id {owner}: name it with --config if it is meant"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// It is the one of the machine's own relay, which another user runs.
    #[error(
        "this machine's relay has its configuration in {path}, which you may not read: run the command with sudo, or name the configuration of a relay of your own with --config"
    )]
    System {
        /// The file.
        path: PathBuf,
    },
    /// There is no home folder to put things into.
    #[error(
        "{key} has no default because neither {variable} nor HOME names a folder from the root: set {key}"
    )]
    NoHome {
        /// The key.
        key: &'static str,
        /// The variable of the XDG base directories.
        variable: &'static str,
    },
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of the file, from 1.
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// A variable.
    Variable(String),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
        }
    }
}

impl Config {
    /// The configuration of the file `named`, else of the one that `UNPAUSE_CONFIG` names, else of
    /// `unpause.toml` in the current folder if it is there, else of the machine's own relay if this machine has one;
    /// `UNPAUSE_*` variables win over the file.
    pub fn load(named: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        let found = find_file(named, environment, Path::new(SYSTEM_FILE));
        let path = found.path().to_owned();
        let (text, metadata) = match read(&path) {
            Ok(read) => read,
            Err(error)
                if matches!(found, Found::Here(_)) && error.kind() == ErrorKind::NotFound =>
            {
                return Self::parse("", &path, environment);
            }
            Err(source)
                if matches!(found, Found::System(_))
                    && source.kind() == ErrorKind::PermissionDenied =>
            {
                return Err(ConfigError::System { path });
            }
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        let owner = metadata.uid();
        if matches!(found, Found::Here(_)) && !ownership::is_ours(owner) {
            return Err(ConfigError::Foreign { path, owner });
        }
        let config = Self::parse(&text, &path, environment)?;
        // What a pipe gives is nobody else's to read.
        let exposed = ownership::exposure(&metadata).filter(|_| metadata.is_file());
        if let Some(mode) = exposed
            && let Some(key) = reading::find_secret(&reading::read_file(&text, &path)?)
        {
            return Err(ConfigError::Exposed { path, key, mode });
        }
        Ok(config)
    }

    /// The configuration in `text`, which stands in the file `path`, with the variables over it.
    pub fn parse(text: &str, path: &Path, environment: &Environment) -> Result<Self, ConfigError> {
        let mut entries = reading::read_file(text, path)?;
        let variables = reading::read_variables(environment, FILE_VARIABLE)?;
        let mut draft = Draft {
            read_from: folder_of(path),
            ..Draft::default()
        };
        for entry in &entries {
            apply(&mut draft, entry)?;
        }
        draft.read_from = from_root(Path::new("."));
        for entry in &variables {
            apply(&mut draft, entry)?;
        }
        entries.extend(variables);
        check_way(&draft, |key| {
            let mut found = entries.iter().rev().filter(|entry| entry.key == key);
            found.next().map_or_else(
                || Place::Line {
                    path: path.to_owned(),
                    line: 1,
                },
                |entry| entry.place.clone(),
            )
        })?;
        finish(draft, environment)
    }
}

/// Where the configuration is, by who said so.
pub(crate) enum Found {
    /// Somebody named it.
    Named(PathBuf),
    /// It is looked for in the current folder, where anybody may have put it, and need not be there.
    Here(PathBuf),
    /// It is the one of the machine's own relay, in a folder that is root's.
    System(PathBuf),
}

impl Found {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Named(path) | Self::Here(path) | Self::System(path) => path,
        }
    }
}

/// Which file is read: the one that is named or that the variable names, else the one of the current folder, else
/// `system`; of the last two the first that is there.
pub(crate) fn find_file(named: Option<&Path>, environment: &Environment, system: &Path) -> Found {
    let named = named
        .map(Path::to_owned)
        .or_else(|| environment.get(FILE_VARIABLE).map(PathBuf::from));
    if let Some(path) = named {
        return Found::Named(path);
    }
    let here = PathBuf::from(DEFAULT_FILE);
    // Also where it may not be read: then that is what is said.
    if std::fs::symlink_metadata(&here).is_err() && std::fs::symlink_metadata(system).is_ok() {
        return Found::System(system.to_owned());
    }
    Found::Here(here)
}

/// That nobody is to come to it without TLS but from this computer.
fn check_way(draft: &Draft, place_of: impl Fn(&str) -> Place) -> Result<(), ConfigError> {
    let is_encrypted = draft
        .public_url
        .as_ref()
        .is_some_and(PublicUrl::is_encrypted);
    let TlsDraft {
        certificate,
        key,
        acme,
    } = &draft.tls;
    let halves = [
        ("tls.certificate", certificate.is_some()),
        ("tls.key", key.is_some()),
    ];
    if let (Some((given, _)), Some((missing, _))) = (
        halves.iter().find(|(_, is_set)| *is_set),
        halves.iter().find(|(_, is_set)| !*is_set),
    ) {
        return Err(ConfigError::Missing {
            key: (*missing).to_owned(),
            expected: format!("a path: {given} is set, and neither is of use alone"),
        });
    }
    let has_own = certificate.is_some() || acme.is_agreed;
    if has_own && !is_encrypted {
        let key = if acme.is_agreed {
            "tls.acme.terms_agreed"
        } else {
            "tls.certificate"
        };
        return Err(ConfigError::NoPublicUrl { key });
    }
    check_acme(draft, &place_of)?;
    if draft.http_listen.is_some() && !has_own {
        return Err(ConfigError::Missing {
            key: "tls.certificate".to_owned(),
            expected: "a path: http_listen only sends people on to the relay's own TLS; behind a proxy, that one does"
                .to_owned(),
        });
    }
    if is_encrypted && !has_own && draft.proxies.trusted.is_empty() {
        let place = place_of("public_url");
        return Err(ConfigError::NotEncrypted { place });
    }
    if !draft.listen.ip().is_loopback() && !is_encrypted {
        return Err(ConfigError::NotLoopback {
            place: place_of("listen"),
            listen: draft.listen,
        });
    }
    Ok(())
}

/// The folder from which the paths of a configuration are read: the one that it was named in. What came through a
/// descriptor of this process, as from a pipe, lies in no folder but the current one.
fn folder_of(file: &Path) -> PathBuf {
    let is_descriptor = file.starts_with("/dev") || file.starts_with("/proc");
    let folder = file.parent().filter(|_| !is_descriptor);
    from_root(folder.unwrap_or(Path::new(".")))
}

/// A folder as it is named from the root. Where there is no current folder any more it stays as it is: whoever opens
/// something in it is told so.
fn from_root(folder: &Path) -> PathBuf {
    let named = Path::new(".").join(folder);
    std::path::absolute(&named).unwrap_or(named)
}

/// The text of a file, and what the system says of that very file.
fn read(path: &Path) -> std::io::Result<(String, Metadata)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok((text, metadata))
}

fn apply(draft: &mut Draft, entry: &Entry) -> Result<(), ConfigError> {
    let value = &entry.value;
    let expected = match entry.setting.apply {
        Apply::Relay(set) => set(draft, value),
        Apply::Provider(set) => {
            let id = ProviderId::new(entry.named.clone().unwrap_or_default());
            set(draft.providers.entry(id).or_default(), value)
        }
        Apply::Webhook(set) => {
            let name = entry.named.clone().unwrap_or_default();
            set(draft.notify.webhooks.entry(name).or_default(), value)
        }
    };
    expected.map_err(|expected| ConfigError::Value {
        place: entry.place.clone(),
        key: entry.key.clone(),
        found: describe_text(
            entry.setting.kind,
            expected.part.as_ref().unwrap_or(&entry.value),
        ),
        expected: expected.words,
    })
}

fn finish(draft: Draft, environment: &Environment) -> Result<Config, ConfigError> {
    let data = match draft.data {
        Some(data) => data,
        None => base_folder(environment, "data", "XDG_DATA_HOME", ".local/share")?.join("unpause"),
    };
    let key_file = match draft.key_file {
        Some(path) => path,
        None => base_folder(environment, "key_file", "XDG_CONFIG_HOME", ".config")?
            .join("unpause/unpause.key"),
    };
    let mark_file = draft
        .mark_file
        .unwrap_or_else(|| key_file.with_extension("mark"));
    let providers = draft.providers.into_iter().map(|(id, draft)| {
        let provider = finish_provider(&id, draft)?;
        Ok((id, provider))
    });
    let TlsDraft {
        certificate,
        key,
        acme,
    } = draft.tls;
    let files = certificate.zip(key);
    let files = files.map(|(certificate, key)| Tls::Files { certificate, key });
    let tls = finish_acme(acme).map(Tls::Acme).or(files);
    Ok(Config {
        tls,
        http_listen: draft.http_listen,
        dns_server: draft.dns_server,
        listen: draft.listen,
        public_url: draft.public_url,
        proxies: draft.proxies,
        data,
        key_file,
        mark_file,
        extra_roots_file: draft.extra_roots_file,
        log: draft.log,
        log_json: draft.log_json,
        canary: draft.canary,
        reply_text_days: draft.reply_text_days,
        timing: draft.timing,
        notify: finish_notify(draft.notify)?,
        providers: providers.collect::<Result<_, _>>()?,
    })
}

fn finish_provider(id: &ProviderId, draft: ProviderDraft) -> Result<Provider, ConfigError> {
    let missing = |field: &str, expected: &str| ConfigError::Missing {
        key: format!("providers.{id}.{field}"),
        expected: expected.to_owned(),
    };
    let host = "the host name of the server";
    let Some(known) = provider::Provider::find(id) else {
        return Err(missing("issuer", "one of the known providers"));
    };
    let client = match &known.oauth {
        None => None,
        Some(_) => Some(Client {
            issuer: draft
                .issuer
                .ok_or_else(|| missing("issuer", setting::ISSUER))?,
            id: draft
                .client_id
                .ok_or_else(|| missing("client_id", "the client id of the registration"))?,
            secret: draft.client_secret,
            unverified: draft.unverified,
        }),
    };
    let mut submission = known.submission;
    if let Some(within) = draft.sent_copy_within {
        submission.sent_copy = SentCopy::Server { within };
    }
    if let Some(within) = draft.settles_within {
        submission.settles_within = within;
    }
    Ok(Provider {
        client,
        submission,
        smtp: draft
            .smtp
            .server(setting::SMTP_PORT)
            .ok_or_else(|| missing("smtp.host", host))?,
        imap: draft
            .imap
            .server(setting::IMAP_PORT)
            .ok_or_else(|| missing("imap.host", host))?,
    })
}

/// A base folder of the XDG Base Directory Specification.
fn base_folder(
    environment: &Environment,
    key: &'static str,
    variable: &'static str,
    below_home: &str,
) -> Result<PathBuf, ConfigError> {
    let folder = |name: &str| {
        environment
            .get(name)
            .map(PathBuf::from)
            // Another one is not valid, and not looked at ("Basics").
            .filter(|folder| folder.is_absolute())
    };
    folder(variable)
        .or_else(|| folder("HOME").map(|home| home.join(below_home)))
        .ok_or(ConfigError::NoHome { key, variable })
}

fn suggest(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!("; did you mean {nearest:?}?")
    })
}

#[cfg(test)]
mod tests;
