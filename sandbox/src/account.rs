//! The people of the sandbox: passwords, locks, and the sessions that end with a revocation.
//! Their mail and their grants live elsewhere.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use crate::profile::{PasswordRule, Profile};
use crate::{Person, locked};

/// Nobody of that address has an account here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nobody here has the address {address}")]
pub struct UnknownPerson {
    /// The address that was asked for.
    pub address: String,
}

/// Why a sign-in over SMTP, IMAP or the password page is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    WrongPassword,
    AppPasswordDemanded,
    PasswordsOff,
    Locked,
    /// Unknown, expired or revoked.
    BadToken,
    /// The token is good for something else.
    MissingScope,
    /// The token belongs to somebody else than the name beside it.
    SomebodyElse,
    /// The person has as many IMAP connections as are allowed.
    TooManyConnections,
}

/// What a page shows of a person.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) address: String,
    pub(crate) name: String,
    /// The stable identifier (`sub`) at this provider, never the address.
    pub(crate) subject: String,
}

/// All accounts by address.
#[derive(Debug)]
pub(crate) struct Accounts {
    profile: &'static Profile,
    by_address: Mutex<HashMap<String, Account>>,
    /// In the order they were given, for the account chooser.
    order: Vec<String>,
}

#[derive(Debug)]
struct Account {
    person: Person,
    app_password: Option<String>,
    app_password_demanded: bool,
    locked: bool,
    /// How often the sessions of this person were ended; a session ends when it changes.
    ended: watch::Sender<u64>,
    /// How many more messages are accepted before everything is revoked.
    revoke_after: Option<u32>,
    /// How many more messages are accepted before the rate limit.
    messages_left: Option<u32>,
    /// Sessions signed in over IMAP.
    n_imap: usize,
    /// IMAP connections that somebody else's program holds.
    n_imap_elsewhere: usize,
    /// Who else may open this mailbox, in lower case.
    shared_with: HashSet<String>,
}

/// What became of a message that is ready to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may be stored.
    Admitted,
    /// It may be stored and was the last one: revoke now.
    AdmittedAsLast,
    /// The session was ended in the meantime.
    SessionEnded,
}

impl Accounts {
    pub(crate) fn new(people: Vec<Person>, profile: &'static Profile) -> Self {
        let order = people
            .iter()
            .map(|person| person.address.to_lowercase())
            .collect();
        let by_address = people
            .into_iter()
            .map(|person| {
                let account = Account {
                    person,
                    app_password: None,
                    app_password_demanded: false,
                    locked: false,
                    ended: watch::Sender::new(0),
                    revoke_after: None,
                    messages_left: None,
                    n_imap: 0,
                    n_imap_elsewhere: 0,
                    shared_with: HashSet::new(),
                };
                (account.person.address.to_lowercase(), account)
            })
            .collect();
        Self {
            profile,
            by_address: Mutex::new(by_address),
            order,
        }
    }

    /// The first people, in the order they were given.
    pub(crate) fn first(&self, n: usize) -> Vec<Shown> {
        self.order
            .iter()
            .take(n)
            .filter_map(|address| self.find(address))
            .collect()
    }

    pub(crate) fn find(&self, address: &str) -> Option<Shown> {
        self.with(address, |account| Shown {
            address: account.person.address.to_lowercase(),
            name: account.person.name.clone(),
            subject: subject(&account.person.address),
        })
        .ok()
    }

    /// Checks a password typed into the sign-in page.
    pub(crate) fn check_page_password(&self, address: &str, password: &str) -> Result<(), Refusal> {
        self.with(address, |account| {
            if !same(&account.person.password, password) {
                return Err(Refusal::WrongPassword);
            }
            if account.locked {
                Err(Refusal::Locked)
            } else {
                Ok(())
            }
        })
        .unwrap_or(Err(Refusal::WrongPassword))
    }

    /// Checks a password sent over SMTP or IMAP.
    pub(crate) fn check_mail_password(&self, address: &str, password: &str) -> Result<(), Refusal> {
        self.with(address, |account| {
            if self.profile.passwords == PasswordRule::Never {
                return Err(Refusal::PasswordsOff);
            }
            if account
                .app_password
                .as_deref()
                .is_some_and(|app| same(app, password))
            {
                return if account.locked {
                    Err(Refusal::Locked)
                } else {
                    Ok(())
                };
            }
            if !same(&account.person.password, password) {
                return Err(Refusal::WrongPassword);
            }
            if account.app_password_demanded || self.profile.passwords == PasswordRule::AppOnly {
                return Err(Refusal::AppPasswordDemanded);
            }
            if account.locked {
                Err(Refusal::Locked)
            } else {
                Ok(())
            }
        })
        .unwrap_or(Err(Refusal::WrongPassword))
    }

    pub(crate) fn is_locked(&self, address: &str) -> bool {
        self.with(address, |account| account.locked).unwrap_or(true)
    }

    /// Tells a session when it is ended: the value changes.
    pub(crate) fn ended(&self, address: &str) -> Option<watch::Receiver<u64>> {
        self.with(address, |account| account.ended.subscribe()).ok()
    }

    pub(crate) fn end_sessions(&self, address: &str) -> Result<(), UnknownPerson> {
        self.with(address, |account| {
            account.ended.send_modify(|count| *count += 1);
        })
    }

    pub(crate) fn set_password(&self, address: &str, password: &str) -> Result<(), UnknownPerson> {
        self.with(address, |account| {
            password.clone_into(&mut account.person.password);
            if self.profile.password_change_ends_app_passwords {
                account.app_password = None;
            }
            account.ended.send_modify(|count| *count += 1);
        })
    }

    /// From now on only this app password is good over SMTP and IMAP.
    pub(crate) fn demand_app_password(
        &self,
        address: &str,
        app_password: String,
    ) -> Result<(), UnknownPerson> {
        self.with(address, |account| {
            account.app_password = Some(app_password);
            account.app_password_demanded = true;
            account.ended.send_modify(|count| *count += 1);
        })
    }

    /// The person makes an app password; an earlier one ends, and so do its sessions.
    pub(crate) fn set_app_password(
        &self,
        address: &str,
        app_password: Option<String>,
    ) -> Result<(), UnknownPerson> {
        self.with(address, |account| {
            if account.app_password.is_some() {
                account.ended.send_modify(|count| *count += 1);
            }
            account.app_password = app_password;
        })
    }

    pub(crate) fn has_app_password(&self, address: &str) -> bool {
        self.with(address, |account| account.app_password.is_some())
            .unwrap_or(false)
    }

    /// Counts an IMAP session in, unless the person has as many as are allowed.
    pub(crate) fn enter_imap(&self, address: &str) -> Result<(), Refusal> {
        let most = self.profile.max_imap_connections;
        self.with(address, |account| {
            let n = account.n_imap + account.n_imap_elsewhere;
            if most.is_some_and(|most| n >= most) {
                return Err(Refusal::TooManyConnections);
            }
            account.n_imap += 1;
            Ok(())
        })
        .unwrap_or(Err(Refusal::WrongPassword))
    }

    pub(crate) fn leave_imap(&self, address: &str) {
        // Whoever signed in has an account.
        let _ = self.with(address, |account| {
            account.n_imap = account.n_imap.saturating_sub(1);
        });
    }

    pub(crate) fn set_imap_elsewhere(&self, address: &str, n: usize) -> Result<(), UnknownPerson> {
        self.with(address, |account| account.n_imap_elsewhere = n)
    }

    pub(crate) fn set_locked(&self, address: &str, locked: bool) -> Result<(), UnknownPerson> {
        self.with(address, |account| {
            account.locked = locked;
            if locked {
                account.ended.send_modify(|count| *count += 1);
            }
        })
    }

    /// From now on somebody else may open this mailbox with a permission of their own.
    pub(crate) fn share(&self, address: &str, with: &str) -> Result<(), UnknownPerson> {
        let with = self.with(with, |account| account.person.address.to_lowercase())?;
        self.with(address, |account| {
            account.shared_with.insert(with);
        })
    }

    /// Whether a person may open this mailbox: their own, or one that is shared with them.
    pub(crate) fn may_open(&self, address: &str, person: &str) -> bool {
        let is_shared = self.with(address, |account| account.shared_with.contains(person));
        address.eq_ignore_ascii_case(person) || is_shared.unwrap_or(false)
    }

    pub(crate) fn set_revoke_after(&self, address: &str, n: u32) -> Result<(), UnknownPerson> {
        self.with(address, |account| account.revoke_after = Some(n))
    }

    pub(crate) fn set_rate_limit(&self, address: &str, n: u32) -> Result<(), UnknownPerson> {
        self.with(address, |account| account.messages_left = Some(n))
    }

    pub(crate) fn is_over_rate_limit(&self, address: &str) -> bool {
        self.with(address, |account| account.messages_left == Some(0))
            .unwrap_or(false)
    }

    /// Counts a message that is about to be stored for a session that began at `epoch`
    /// (`None`: it comes from no session any more). Counting, the decision and the end of the
    /// sessions are one step, so that never more messages are admitted than were allowed.
    pub(crate) fn admit(&self, address: &str, epoch: Option<u64>) -> Admission {
        self.with(address, |account| {
            if epoch.is_some_and(|epoch| epoch != *account.ended.borrow()) {
                return Admission::SessionEnded;
            }
            if let Some(left) = account.messages_left.as_mut() {
                *left = left.saturating_sub(1);
            }
            let Some(left) = account.revoke_after.as_mut() else {
                return Admission::Admitted;
            };
            *left = left.saturating_sub(1);
            if *left > 0 {
                return Admission::Admitted;
            }
            account.revoke_after = None;
            account.ended.send_modify(|count| *count += 1);
            Admission::AdmittedAsLast
        })
        .unwrap_or(Admission::SessionEnded)
    }

    pub(crate) fn reset_faults(&self) {
        for account in locked(&self.by_address).values_mut() {
            account.app_password_demanded = false;
            account.locked = false;
            account.revoke_after = None;
            account.messages_left = None;
            account.n_imap_elsewhere = 0;
        }
    }

    fn with<T>(
        &self,
        address: &str,
        change: impl FnOnce(&mut Account) -> T,
    ) -> Result<T, UnknownPerson> {
        locked(&self.by_address)
            .get_mut(&address.to_lowercase())
            .map(change)
            .ok_or_else(|| UnknownPerson {
                address: address.to_owned(),
            })
    }
}

/// A stable identifier that is not the address (OpenID Connect Core §5.7).
fn subject(address: &str) -> String {
    let digest = Sha256::digest(address.to_lowercase().as_bytes());
    digest
        .iter()
        .take(12)
        .fold(String::from("person-"), |text, byte| {
            format!("{text}{byte:02x}")
        })
}

fn same(expected: &str, given: &str) -> bool {
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}
