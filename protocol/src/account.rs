//! Accounts: what somebody who signs in is called, what he may do, and which passwords are taken. Hashing a password, and
//! slowing down who guesses, are the relay's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The longest name of an account, in characters: an address is no longer (RFC 5321 §4.5.3.1).
const NAME_AT_MOST: usize = 254;
/// The shortest password, in code points (NIST SP 800-63B-4 §3.1.1.2: 15 where nothing else is asked for).
pub const PASSWORD_AT_LEAST: usize = 15;
/// The longest password, in code points; the same section asks for at least 64.
pub const PASSWORD_AT_MOST: usize = 256;
/// Fewer letters than these, over and over, are no password.
const LETTERS_AT_LEAST: usize = 5;

/// What an account may do; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees the inboxes that were given to him and the campaigns that send by these alone, and reconnects them.
    Client,
    /// Works with every inbox and campaign.
    Member,
    /// Decides who else has an account, and what the relay does with its ledger.
    Owner,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Client, Self::Member, Self::Owner];

    /// As it stands in rows and on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// It is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected owner, member or client, found {found:?}")]
pub struct NoRole {
    /// What was found.
    pub found: String,
}

impl FromStr for Role {
    type Err = NoRole;

    fn from_str(text: &str) -> Result<Self, NoRole> {
        let found = Self::ALL.into_iter().find(|role| role.code() == text);
        found.ok_or_else(|| NoRole {
            found: text.chars().take(80).collect(),
        })
    }
}

/// What an account is called: a mail address or any name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

/// It is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a mail address or a name of 1 to {NAME_AT_MOST} characters that can be shown, found {found}"
)]
pub struct NoName {
    /// What was found, shortened.
    pub found: String,
}

impl AccountName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// By what two spellings are one name: without capitals.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl TryFrom<String> for AccountName {
    type Error = NoName;

    fn try_from(text: String) -> Result<Self, NoName> {
        let name = text.trim();
        let n_chars = name.chars().count();
        if n_chars == 0 || n_chars > NAME_AT_MOST || name.chars().any(char::is_control) {
            let found = format!("{:?}", text.chars().take(80).collect::<String>());
            return Err(NoName { found });
        }
        Ok(Self(name.to_owned()))
    }
}

impl FromStr for AccountName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        text.to_owned().try_into()
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a password is not taken. Nothing of the password is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// It is too short.
    #[error(
        "expected a password of at least {PASSWORD_AT_LEAST} characters, found {found}: some words in a row are good"
    )]
    Short {
        /// Its characters.
        found: usize,
    },
    /// It is too long.
    #[error("expected a password of at most {PASSWORD_AT_MOST} characters, found {found}")]
    Long {
        /// Its characters.
        found: usize,
    },
    /// It is among the first that anybody tries.
    #[error("expected a password that is not easily guessed, found {what}")]
    Guessable {
        /// What it is.
        what: &'static str,
    },
}

/// Whether a password is taken for the account of this name, by NIST SP 800-63B-4 §3.1.1.2: its length, and that it is not
/// among the first that are tried; no rule says which characters it has.
pub fn check_password(password: &Secret, name: &str) -> Result<(), PasswordFault> {
    let found = password.expose().chars().count();
    if found < PASSWORD_AT_LEAST {
        return Err(PasswordFault::Short { found });
    }
    if found > PASSWORD_AT_MOST {
        return Err(PasswordFault::Long { found });
    }
    let guessable = |what| Err(PasswordFault::Guessable { what });
    let letters: Vec<char> = password.expose().to_lowercase().chars().collect();
    let mut different = letters.clone();
    different.sort_unstable();
    different.dedup();
    if different.len() < LETTERS_AT_LEAST {
        return guessable("a few characters over and over");
    }
    if (1..=letters.len() / 2).any(|period| {
        let again = letters.iter().skip(period);
        again.zip(&letters).all(|(one, other)| one == other)
    }) {
        return guessable("a text that is repeated");
    }
    if is_run(&letters) {
        return guessable("keys or letters in their order");
    }
    let text: String = letters.iter().filter(|one| one.is_alphanumeric()).collect();
    let name: String = name
        .to_lowercase()
        .chars()
        .filter(|one| one.is_alphanumeric())
        .collect();
    let rest = |known: &str| text.len().saturating_sub(known.len());
    if !name.is_empty() && text.contains(&name) && rest(&name) < PASSWORD_AT_LEAST / 2 {
        return guessable("little more than the account's name");
    }
    if KNOWN
        .iter()
        .any(|known| text.contains(known) && rest(known) < PASSWORD_AT_LEAST / 2)
    {
        return guessable("one of the passwords that are tried first");
    }
    Ok(())
}

/// Letters, digits and rows of keys in their order, forwards or backwards.
fn is_run(letters: &[char]) -> bool {
    const ROWS: [&str; 5] = [
        "01234567890123456789012345678901234567890",
        "abcdefghijklmnopqrstuvwxyz",
        "1234567890qwertyuiopasdfghjklzxcvbnm",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
        "1q2w3e4r5t6y7u8i9o0p",
    ];
    let forwards: String = letters.iter().collect();
    let backwards: String = letters.iter().rev().collect();
    ROWS.iter()
        .any(|row| row.contains(&forwards) || row.contains(&backwards))
}

/// What a password of this length is often made from: the service, and the long ones of lists of stolen passwords.
const KNOWN: [&str; 12] = [
    "unpause",
    "passwordpassword",
    "password123",
    "correcthorsebatterystaple",
    "letmein",
    "iloveyou",
    "administrator",
    "qwertyuiop",
    "1234567890",
    "changeme",
    "welcome",
    "trustno1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_do_what_the_ones_before_it_may() {
        assert!(Role::Client < Role::Member && Role::Member < Role::Owner);
        for role in Role::ALL {
            assert_eq!(role.code().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.code());
        }
        let error = "admin".parse::<Role>().unwrap_err().to_string();
        assert_eq!(error, "expected owner, member or client, found \"admin\"");
    }

    #[test]
    fn a_name_is_an_address_or_what_can_be_shown() {
        for (text, name) in [
            ("Jane@Acme.example", "jane@acme.example"),
            (" Jané ", "jané"),
        ] {
            assert_eq!(text.parse::<AccountName>().unwrap().key(), name);
        }
        for text in ["", "  ", "a\nb", &"x".repeat(255)] {
            assert!(text.parse::<AccountName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_long_password_of_any_characters_is_taken_and_what_is_tried_first_is_not() {
        let judge = |password: &str| check_password(&Secret::new(password), "jane@acme.example");
        for good in [
            "tall ships sail at noon",
            "ünïcödé wörds gehen auch",
            "mnbvcx!qpwoeirut",
            "        a b c d e f g",
            "unpause the old grey heron",
        ] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
        assert_eq!(
            judge(&"ä".repeat(14)),
            Err(PasswordFault::Short { found: 14 })
        );
        assert_eq!(
            judge(&"ab c".repeat(65)),
            Err(PasswordFault::Long { found: 260 })
        );
        for bad in [
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "passwordpassword",
            "1234567890123456",
            "qwertyuiopasdfgh",
            "hgfdsapoiuytrewq",
            "jane@acme.example1",
            "Unpause2026!!!??",
            "CorrectHorseBatteryStaple",
        ] {
            let judged = judge(bad);
            assert!(
                matches!(judged, Err(PasswordFault::Guessable { .. })),
                "{bad}: {judged:?}"
            );
            let words = judged.unwrap_err().to_string();
            assert!(!words.contains(bad), "{words}");
        }
    }
}
