//! Certificates by ACME, as the operator sets them. Who gets the certificates is
//! `certificate::acme`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::inbox::Address;
use protocol::secret::Secret;
use url::Url;
use zeroize::Zeroizing;

use super::setting::{Apply, Draft, Kind, Setting, put, put_path, put_some, put_switch, read_text};
use super::{ConfigError, Place, PublicUrl};

/// Let's Encrypt's directories (letsencrypt.org, "Getting started" and "Staging environment").
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
/// What switches it on.
const AGREED: &str = "tls.acme.terms_agreed";
/// What the directory is.
const DIRECTORY: &str = "an https URL, or staging for Let's Encrypt's tests";
/// What the contact of an account is.
const CONTACT: &str = "an e-mail address";
/// What the key of an external account is.
const BINDING_KEY: &str = "base64url without padding, as the authority gives it";
/// How the name can be proved.
const CHALLENGE: &str = "tls-alpn-01 or http-01";

/// The settings, in the order of the table.
pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        key: "tls.acme.terms_agreed",
        kind: Kind::YesNo,
        default: "false",
        meaning: "Whether you agree to the terms of service of a certificate authority that speaks ACME. With `true` the relay gets the certificate for the host of `public_url` there itself, and renews it.",
        apply: Apply::Relay(|draft, text| put_switch(&mut draft.tls.acme.is_agreed, text)),
    },
    Setting {
        key: "tls.acme.directory",
        kind: Kind::Text,
        default: "`https://acme-v02.api.letsencrypt.org/directory`",
        meaning: "Directory of the authority; `staging` is Let's Encrypt's for trying things out, whose certificates no browser trusts.",
        apply: Apply::Relay(|draft, text| {
            put_some(
                &mut draft.tls.acme.directory,
                read_directory(text),
                DIRECTORY,
            )
        }),
    },
    Setting {
        key: "tls.acme.challenge",
        kind: Kind::Text,
        default: "`tls-alpn-01`",
        meaning: "How the authority sees that the name is yours: `tls-alpn-01` on port 443, or `http-01` on port 80 (`http_listen`).",
        apply: Apply::Relay(|draft, text| {
            put(
                &mut draft.tls.acme.challenge,
                AcmeChallenge::parse(text),
                CHALLENGE,
            )
        }),
    },
    Setting {
        key: "tls.acme.contact",
        kind: Kind::Text,
        default: "none",
        meaning: "E-mail address that the authority may write to.",
        apply: Apply::Relay(|draft, text| {
            put_some(&mut draft.tls.acme.contact, read_contact(text), CONTACT)
        }),
    },
    Setting {
        key: "tls.acme.roots",
        kind: Kind::Path,
        default: "none",
        meaning: "PEM file of root certificates to trust when the authority is asked, beside those of the binary: for one of your own.",
        apply: Apply::Relay(|draft, text| put_path(draft, |draft| &mut draft.tls.acme.roots, text)),
    },
    Setting {
        key: "tls.acme.eab_key_id",
        kind: Kind::Text,
        default: "none",
        meaning: "Your account at an authority that takes nobody without one (external account binding); needs `tls.acme.eab_key`.",
        apply: Apply::Relay(|draft, text| {
            put_some(&mut draft.tls.acme.binding_id, read_text(text), "text")
        }),
    },
    Setting {
        key: "tls.acme.eab_key",
        kind: Kind::Secret,
        default: "none",
        meaning: "The key of that account, base64url. A file that holds one must be its owner's alone (mode 600).",
        apply: Apply::Relay(|draft, text| {
            put_some(
                &mut draft.tls.acme.binding_key,
                read_binding_key(text),
                BINDING_KEY,
            )
        }),
    },
];

/// How certificates are got by ACME (RFC 8555). That there is one says that its operator agrees to the authority's
/// terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The address that the authority may write to; `None` for none.
    pub contact: Option<String>,
    /// Its directory (RFC 8555 §7.1.1).
    pub directory: String,
    /// Root certificates to trust there beside those of the binary, PEM.
    pub roots: Option<PathBuf>,
    /// How the name is proved to be ours.
    pub challenge: AcmeChallenge,
    /// The operator's account at an authority that takes nobody else; `None` where anybody may come.
    pub binding: Option<Binding>,
}

/// An account that the operator has at the authority outside of ACME (RFC 8555 §7.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its name there.
    pub id: String,
    /// The key that proves it, base64url.
    key: Secret,
}

impl Binding {
    /// The bytes of the key.
    pub fn key(&self) -> Zeroizing<Vec<u8>> {
        decode(self.key.expose()).unwrap_or_default()
    }
}

/// How a name is proved to be ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// Within TLS, on port 443 (RFC 8737).
    #[default]
    TlsAlpn01,
    /// On port 80 (RFC 8555 §8.3).
    Http01,
}

impl AcmeChallenge {
    /// Its name there and in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Http01 => "http-01",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let known = [Self::TlsAlpn01, Self::Http01];
        known.into_iter().find(|way| way.name() == text)
    }
}

/// What is to be got by ACME.
#[derive(Default, PartialEq, Eq)]
pub(super) struct AcmeDraft {
    pub(super) is_agreed: bool,
    pub(super) contact: Option<String>,
    pub(super) directory: Option<String>,
    pub(super) roots: Option<PathBuf>,
    pub(super) challenge: AcmeChallenge,
    pub(super) binding_id: Option<String>,
    pub(super) binding_key: Option<Secret>,
}

fn read_directory(text: &str) -> Option<String> {
    if text == "staging" {
        return Some(STAGING.to_owned());
    }
    let url: Url = text.parse().ok()?;
    (url.scheme() == "https").then(|| url.into())
}

fn read_contact(text: &str) -> Option<String> {
    let address: Address = text.parse().ok()?;
    Some(address.as_str().to_owned())
}

fn read_binding_key(text: &str) -> Option<Secret> {
    let bytes = decode(text)?;
    (!bytes.is_empty()).then(|| Secret::new(text.to_owned()))
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)
}

/// That what is set can be got; that the address is encrypted is looked at before.
pub(super) fn check_acme(
    draft: &Draft,
    place_of: impl Fn(&str) -> Place,
) -> Result<(), ConfigError> {
    let acme = &draft.tls.acme;
    let missing = |key: &str, expected: &str| ConfigError::Missing {
        key: key.to_owned(),
        expected: expected.to_owned(),
    };
    let wrong = |key: &str, expected: &str, found: &str| ConfigError::Value {
        place: place_of(key),
        key: key.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    if !acme.is_agreed {
        return if *acme == AcmeDraft::default() {
            Ok(())
        } else {
            let expected = "true, which says that you agree to the authority's terms of service; without it no \
                            certificate is got by ACME";
            Err(missing(AGREED, expected))
        };
    }
    if draft.tls.certificate.is_some() {
        let expected =
            "none beside tls.certificate: a certificate is got by ACME, or is in files of yours";
        return Err(wrong(AGREED, expected, "both"));
    }
    if acme.challenge == AcmeChallenge::Http01 && draft.http_listen.is_none() {
        let expected =
            "an address and a port, as a rule 0.0.0.0:80: with http-01 the authority asks there";
        return Err(missing("http_listen", expected));
    }
    let url = draft.public_url.as_ref();
    if !url.is_some_and(PublicUrl::has_host_name) {
        let expected = "a host with a name: no certificate for an address is got by ACME";
        let found = url.map_or("none", PublicUrl::origin);
        return Err(wrong("public_url", expected, found));
    }
    match (&acme.binding_id, &acme.binding_key) {
        (Some(_), None) => Err(missing("tls.acme.eab_key", BINDING_KEY)),
        (None, Some(_)) => Err(missing("tls.acme.eab_key_id", "text")),
        _ => Ok(()),
    }
}

/// What was set; `None` where nothing is to be got.
pub(super) fn finish_acme(draft: AcmeDraft) -> Option<Acme> {
    let binding = draft.binding_id.zip(draft.binding_key);
    draft.is_agreed.then(|| Acme {
        contact: draft.contact,
        directory: draft.directory.unwrap_or_else(|| LETS_ENCRYPT.to_owned()),
        roots: draft.roots,
        challenge: draft.challenge,
        binding: binding.map(|(id, key)| Binding { id, key }),
    })
}
