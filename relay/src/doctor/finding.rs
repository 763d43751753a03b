//! What was found: a line each, how bad it is, and the one thing to do. And the table of all that is looked at, from
//! which `docs/doctor.md` is made.

use std::fmt::Write as _;

use serde::Serialize;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and will not for long, or not for everybody; or it could not be found out.
    Warning,
    /// It does not work.
    Broken,
}

impl Level {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Broken => "broken",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check, as in the table of the checks.
    pub check: &'static str,
    /// What was looked at: a domain, an address, a path.
    pub about: String,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// The one thing to do; `None` where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

impl Finding {
    /// Something is as it should be.
    pub fn ok(check: &'static str, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            check,
            about: about.into(),
            level: Level::Ok,
            found: found.into(),
            action: None,
        }
    }

    /// Something works and needs to be looked after.
    pub fn warning(
        check: &'static str,
        about: impl Into<String>,
        found: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            action: Some(action.into()),
            ..Self::ok(check, about, found)
        }
    }

    /// Something does not work.
    pub fn broken(
        check: &'static str,
        about: impl Into<String>,
        found: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Broken,
            ..Self::warning(check, about, found, action)
        }
    }
}

/// The worst of them: [`Level::Ok`] of none.
pub fn worst(findings: &[Finding]) -> Level {
    let levels = findings.iter().map(|finding| finding.level);
    levels.max().unwrap_or(Level::Ok)
}

/// A check, for people.
#[derive(Clone, Copy, Debug)]
struct Check {
    /// Its name.
    name: &'static str,
    /// What it looks at.
    looks_at: &'static str,
    /// When it warns; empty where it never does.
    warns: &'static str,
    /// When it says broken; empty where it never does.
    breaks: &'static str,
}

/// Every check, in the order in which they are told.
const CHECKS: &[Check] = &[
    Check {
        name: "relay",
        looks_at: "whether a relay runs on the data folder and answers at the operator's socket, and how its inboxes are",
        warns: "none runs; an inbox is disconnected or waits",
        breaks: "what is there does not answer as a relay does",
    },
    Check {
        name: "clock",
        looks_at: "the clock on the wall beside the `Date` of the providers' answers, and beside the last sign of life in the database",
        warns: "more than a minute off; the last sign of life lies ahead",
        breaks: "more than five minutes off: tokens and certificates are refused then",
    },
    Check {
        name: "disk",
        looks_at: "what is free where the data folder is",
        warns: "less than 500 MB, or less than twice the database",
        breaks: "less than 50 MB, or no file can be made any more",
    },
    Check {
        name: "database",
        looks_at: "`integrity_check`, the version, the size, the `-wal` file, outcomes that it did not take",
        warns: "a `-wal` of more than 256 MB; outcomes beside it; this user may not read it",
        breaks: "damaged, something else, or of a newer version",
    },
    Check {
        name: "files",
        looks_at: "owner and mode of the data folder, its files, the key file and its folder, and whether the key is this database's",
        warns: "the mark is not there although the relay has run; this user may not read them",
        breaks: "others can read or replace them; the key is missing or another one",
    },
    Check {
        name: "certificate",
        looks_at: "the relay's own certificate, or the one that is shown at `public_url`: its end, its names, its chain",
        warns: "it ends within 14 days (or a fifth of its life, where that is less); nobody answers there from this machine",
        breaks: "it has ended, is for another name, or a browser cannot follow it to a root",
    },
    Check {
        name: "address",
        looks_at: "the DNS of `public_url`",
        warns: "the DNS server does not answer",
        breaks: "the name has no address",
    },
    Check {
        name: "provider",
        looks_at: "the discovery document of every provider in the configuration",
        warns: "",
        breaks: "it cannot be had, or is another issuer's",
    },
    Check {
        name: "server",
        looks_at: "the submission and the IMAP server of every inbox, up to its greeting over TLS; nobody is signed in",
        warns: "",
        breaks: "it cannot be reached, or its certificate is refused",
    },
    Check {
        name: "domain",
        looks_at: "whether the domain of an inbox's address exists and takes mail, so that answers arrive",
        warns: "the DNS server does not answer",
        breaks: "there is no such domain, or it takes no mail",
    },
    Check {
        name: "spf",
        looks_at: "the domain's SPF record (RFC 7208), followed to its end as a receiver does",
        warns: "it ends without `-all` or `~all`; the DNS server does not answer",
        breaks: "there is none, more than one, or one that receivers give up on (an error, or more than 10 look-ups); everybody may send",
    },
    Check {
        name: "dkim",
        looks_at: "DKIM keys (RFC 6376) at the domain itself, under the selectors that `--selector` names and those of well-known providers",
        warns: "none is found under the selectors that were looked at",
        breaks: "a selector that was named has no key, one that was withdrawn, or one that cannot be read",
    },
    Check {
        name: "dmarc",
        looks_at: "the domain's DMARC record (RFC 7489), or that of the domain above it",
        warns: "there is none; or it asks for nothing (`p=none`)",
        breaks: "more than one, or one that cannot be read: receivers act as if there were none",
    },
];

/// The table of the checks, in Markdown.
pub fn render_checks() -> String {
    let mut text = "| check | looks at | warns | broken |\n| --- | --- | --- | --- |\n".to_owned();
    for check in CHECKS {
        let or_never = |words: &'static str| if words.is_empty() { "never" } else { words };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            check.name,
            check.looks_at,
            or_never(check.warns),
            or_never(check.breaks)
        );
    }
    text
}
