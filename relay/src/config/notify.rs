//! Who is told of what happens: the mail and the webhooks of the configuration. Their settings stand here too.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::alert::REMINDED_AFTER;
use protocol::inbox::{Address, MailServer};
use protocol::secret::Secret;
use url::Url;
use zeroize::Zeroizing;

use super::ConfigError;
use super::setting::{
    Apply, HOST, Kind, PORT, SMTP_PORT, ServerDraft, Setting, TLS, put, put_list, put_ms, put_some,
    put_switch, read_host, read_port, read_text, read_tls,
};

/// Who is told of what happens, and through what. The log is always told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// How long after a loss it is told once more; `None` means never.
    pub remind_after: Option<Duration>,
    /// By mail; `None` where nobody is.
    pub mail: Option<Mail>,
    /// By webhooks, by name.
    pub webhooks: BTreeMap<String, Webhook>,
}

/// Alerts by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: Vec<Address>,
    /// From whom.
    pub from: Address,
    /// The submission server.
    pub server: MailServer,
    /// The user name there.
    pub user: String,
    /// The password there.
    pub password: Secret,
    /// How long one waits for more of the same kind.
    pub gather: Duration,
}

/// Alerts by a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where they are posted to. Its path may be what keeps others out, so it is shown nowhere.
    pub url: Url,
    /// What they are signed with, as it is written: `whsec_` and base64.
    pub secret: Secret,
    /// Whether it may stand at a private address.
    pub private: bool,
}

impl Webhook {
    /// The bytes that posts are signed with.
    pub fn key(&self) -> Zeroizing<Vec<u8>> {
        decode(self.secret.expose()).unwrap_or_default()
    }
}

/// The settings, in the order of the table.
pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "notify.remind_after_ms",
        kind: Kind::Number,
        default: "`86400000`",
        meaning: "How long after a lost inbox was told it is told once more, where nobody has acted; 0 means never.",
        apply: Apply::Relay(|draft, text| put_ms(&mut draft.notify.remind_after, text)),
    },
    Setting {
        key: "notify.mail.to",
        kind: Kind::List,
        default: "none: no mail",
        meaning: "Whom alerts are mailed to, 10 addresses at the most. In a variable: with commas between them.",
        apply: Apply::Relay(|draft, text| {
            put_list(
                &mut draft.notify.mail.to,
                text,
                ADDRESSES,
                read_address,
                1..=RECIPIENTS_AT_MOST,
            )
        }),
    },
    Setting {
        key: "notify.mail.from",
        kind: Kind::Text,
        default: "none; must be set for mail",
        meaning: "Whom alerts are mailed from. Not an inbox of this relay: the one that is lost mails nothing.",
        apply: Apply::Relay(|draft, text| {
            put_some(&mut draft.notify.mail.from, text.parse().ok(), "an address")
        }),
    },
    Setting {
        key: "notify.mail.server",
        kind: Kind::Text,
        default: "none; must be set for mail",
        meaning: "Host of the submission server for alerts; its certificate must be for it.",
        apply: Apply::Relay(|draft, text| {
            put_some(&mut draft.notify.mail.server.host, read_host(text), HOST)
        }),
    },
    Setting {
        key: "notify.mail.port",
        kind: Kind::Number,
        default: "`465`",
        meaning: "Port of that server.",
        apply: Apply::Relay(|draft, text| {
            put_some(&mut draft.notify.mail.server.port, read_port(text), PORT)
        }),
    },
    Setting {
        key: "notify.mail.tls",
        kind: Kind::Text,
        default: "`implicit`",
        meaning: "How TLS begins there: `implicit` or `starttls`.",
        apply: Apply::Relay(|draft, text| {
            put(&mut draft.notify.mail.server.tls, read_tls(text), TLS)
        }),
    },
    Setting {
        key: "notify.mail.user",
        kind: Kind::Text,
        default: "none; must be set for mail",
        meaning: "User name at that server.",
        apply: Apply::Relay(|draft, text| {
            put_some(&mut draft.notify.mail.user, read_text(text), "text")
        }),
    },
    Setting {
        key: "notify.mail.password",
        kind: Kind::Secret,
        default: "none; must be set for mail",
        meaning: "Password there. A file that holds one must be its owner's alone (mode 600).",
        apply: Apply::Relay(|draft, text| {
            let secret = read_text(text).map(Secret::new);
            put_some(&mut draft.notify.mail.password, secret, "text")
        }),
    },
    Setting {
        key: "notify.mail.gather_ms",
        kind: Kind::Number,
        default: "`30000`",
        meaning: "How long a mail waits for more alerts of the same kind and cause, which are told in the same one.",
        apply: Apply::Relay(|draft, text| put_ms(&mut draft.notify.mail.gather, text)),
    },
    Setting {
        key: "notify.webhook.<name>.url",
        kind: Kind::Hidden,
        default: "none; must be set for a webhook",
        meaning: "Where alerts are posted to (docs/alerts.md): https, or http with `private`.",
        apply: Apply::Webhook(|draft, text| put_some(&mut draft.url, read_hook(text), HOOK)),
    },
    Setting {
        key: "notify.webhook.<name>.secret",
        kind: Kind::Secret,
        default: "none; must be set for a webhook",
        meaning: "What posts are signed with (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64. A file that holds one must be its owner's alone (mode 600).",
        apply: Apply::Webhook(|draft, text| {
            put_some(&mut draft.secret, read_hook_secret(text), HOOK_SECRET)
        }),
    },
    Setting {
        key: "notify.webhook.<name>.private",
        kind: Kind::YesNo,
        default: "`false`",
        meaning: "Whether it may stand at a private address, such as one of this machine or of its network.",
        apply: Apply::Webhook(|draft, text| put_switch(&mut draft.private, text)),
    },
];

/// What [`Notify`] is made of.
pub(super) struct NotifyDraft {
    pub(super) remind_after: Duration,
    pub(super) mail: MailDraft,
    pub(super) webhooks: BTreeMap<String, WebhookDraft>,
}

impl Default for NotifyDraft {
    fn default() -> Self {
        Self {
            remind_after: REMINDED_AFTER,
            mail: MailDraft::default(),
            webhooks: BTreeMap::new(),
        }
    }
}

/// Alerts by mail that are being put together.
pub(super) struct MailDraft {
    pub(super) to: Vec<Address>,
    pub(super) from: Option<Address>,
    pub(super) server: ServerDraft,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) gather: Duration,
}

impl Default for MailDraft {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            from: None,
            server: ServerDraft::default(),
            user: None,
            password: None,
            gather: Duration::from_secs(30),
        }
    }
}

/// A webhook that is being put together.
#[derive(Default)]
pub(super) struct WebhookDraft {
    pub(super) url: Option<Url>,
    pub(super) secret: Option<Secret>,
    pub(super) private: bool,
}

/// What recipients can be.
const ADDRESSES: &str = "1 to 10 addresses, as in [\"ops@acme.example\"]";
/// What a webhook's address can be.
const HOOK: &str = "an https URL, or an http URL with private = true; without a user";
/// What a webhook's secret can be.
const HOOK_SECRET: &str = "whsec_ and 24 to 64 bytes in base64";
/// Recipients at the most.
const RECIPIENTS_AT_MOST: usize = 10;
/// Sizes of a webhook's secret, in bytes (Standard Webhooks 1.0.0, "Signature scheme").
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(super) fn finish_notify(draft: NotifyDraft) -> Result<Notify, ConfigError> {
    let webhooks = draft.webhooks.into_iter().map(|(name, draft)| {
        let missing = |field: &str, expected: &str| ConfigError::Missing {
            key: format!("notify.webhook.{name}.{field}"),
            expected: expected.to_owned(),
        };
        let url = draft.url.ok_or_else(|| missing("url", HOOK))?;
        if url.scheme() != "https" && !draft.private {
            return Err(missing("private", "true, because its url is not https"));
        }
        let webhook = Webhook {
            url,
            secret: draft.secret.ok_or_else(|| missing("secret", HOOK_SECRET))?,
            private: draft.private,
        };
        Ok((name, webhook))
    });
    Ok(Notify {
        remind_after: Some(draft.remind_after).filter(|after| !after.is_zero()),
        webhooks: webhooks.collect::<Result<_, _>>()?,
        mail: finish_mail(draft.mail)?,
    })
}

/// All of it, or nothing of it.
fn finish_mail(draft: MailDraft) -> Result<Option<Mail>, ConfigError> {
    let missing = |field: &str, expected: &str| ConfigError::Missing {
        key: format!("notify.mail.{field}"),
        expected: expected.to_owned(),
    };
    let server = draft.server.server(SMTP_PORT);
    if draft.to.is_empty() {
        let is_begun = draft.from.is_some()
            || server.is_some()
            || draft.user.is_some()
            || draft.password.is_some();
        return if is_begun {
            Err(missing("to", ADDRESSES))
        } else {
            Ok(None)
        };
    }
    Ok(Some(Mail {
        to: draft.to,
        from: draft.from.ok_or_else(|| missing("from", "an address"))?,
        server: server.ok_or_else(|| missing("server", "the host name of the server"))?,
        user: draft.user.ok_or_else(|| missing("user", "text"))?,
        password: draft.password.ok_or_else(|| missing("password", "text"))?,
        gather: draft.gather,
    }))
}

/// Whether a webhook may be called so.
pub(super) fn may_be_name(name: &str) -> bool {
    let is_usual =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=40).contains(&name.len()) && name.bytes().all(is_usual)
}

fn read_address(text: &str) -> Option<Address> {
    text.parse().ok()
}

fn read_hook(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    (matches!(url.scheme(), "https" | "http") && url.host().is_some() && is_plain).then_some(url)
}

fn read_hook_secret(text: &str) -> Option<Secret> {
    let bytes = decode(text)?;
    SECRET_BYTES
        .contains(&bytes.len())
        .then(|| Secret::new(text))
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let encoded = text.strip_prefix("whsec_")?;
    STANDARD.decode(encoded).ok().map(Zeroizing::new)
}
