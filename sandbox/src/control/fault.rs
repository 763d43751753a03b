//! The faults that are switched on now. What they do stands where they are read.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::flood::Flood;
use super::trouble::Troubles;
use crate::clock;

/// Where a scripted reply takes the place of the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The verdict on AUTH.
    Auth,
    /// The reply to MAIL.
    Mail,
    /// The reply to RCPT.
    Rcpt,
    /// The reply to DATA, before the body.
    Data,
    /// The reply after the final dot.
    AfterData,
}

/// How often the connection is lost right after the final dot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DropAfterData {
    /// The probability, for each message.
    pub chance: f64,
    /// In which share of these the message was stored, delivered and copied first.
    pub stored_share: f64,
}

/// What becomes of the copies in the sent folder, in place of what the profile says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "copy")]
pub enum SentCopyFault {
    /// None is made.
    Never,
    /// Two are made.
    Twice,
    /// It is made this long after the message was accepted.
    Late {
        /// Milliseconds.
        ms: u64,
    },
}

/// What a server does to all mail of one account that leaves the account's own domain, from some message on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountFault {
    /// Where. [`Stage::Auth`] is never met.
    pub stage: Stage,
    /// After so many messages that left the own domain were accepted.
    pub after: usize,
    /// What happens.
    pub does: AccountDoes,
}

/// What happens to a message of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountDoes {
    /// This reply line is said in place of the true one, and nothing is stored.
    Say(Vec<u8>),
    /// The connection is lost; after the body as the seed decides whether the message is stored first.
    Lose,
}

/// An account's fault, and what has become of it.
#[derive(Debug)]
struct Account {
    fault: AccountFault,
    n_left: usize,
    /// When it was met, in milliseconds since 1970 UTC.
    met_at_ms: Vec<u64>,
}

/// The faults of accounts, by address.
#[derive(Debug, Default)]
pub(crate) struct Accounts(HashMap<String, Account>);

impl Accounts {
    pub(crate) fn set(&mut self, address: &str, fault: Option<AccountFault>) {
        let address = address.to_lowercase();
        let Some(fault) = fault else {
            self.0.remove(&address);
            return;
        };
        let account = Account {
            fault,
            n_left: 0,
            met_at_ms: Vec::new(),
        };
        self.0.insert(address, account);
    }

    pub(crate) fn met_at_ms(&self, address: &str) -> Vec<u64> {
        self.0
            .get(&address.to_lowercase())
            .map_or_else(Vec::new, |account| account.met_at_ms.clone())
    }

    /// What this stage does to a message of the person; `to` is nobody while no recipient is known.
    pub(crate) fn meet(
        &mut self,
        stage: Stage,
        person: &str,
        to: &[String],
    ) -> Option<AccountDoes> {
        let account = self.0.get_mut(person)?;
        let leaves = to.is_empty() || to.iter().any(|to| !is_of_domain(to, person));
        let is_met =
            account.fault.stage == stage && leaves && account.n_left >= account.fault.after;
        is_met.then(|| {
            account.met_at_ms.push(clock::now_ms());
            account.fault.does.clone()
        })
    }

    /// A message was accepted.
    pub(crate) fn note_accepted(&mut self, person: &str, to: &[String]) {
        if let Some(account) = self.0.get_mut(person)
            && to.iter().any(|to| !is_of_domain(to, person))
        {
            account.n_left += 1;
        }
    }
}

fn is_of_domain(to: &str, person: &str) -> bool {
    let domain = |address: &str| {
        address
            .rsplit_once('@')
            .map(|(_, domain)| domain.to_lowercase())
    };
    domain(to) == domain(person)
}

/// Every fault that is on.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fault of its own, not a state"
)]
pub(crate) struct Faults {
    pub(crate) drop_after_data: Option<DropAfterData>,
    /// By recipient, the reply line in place of 250.
    pub(crate) refused_recipients: HashMap<String, Vec<u8>>,
    pub(crate) next_replies: HashMap<Stage, VecDeque<Vec<u8>>>,
    pub(crate) down: bool,
    pub(crate) smtp_auth_off: bool,
    /// Whose sign-ins over SMTP are switched off.
    pub(crate) smtp_off: HashSet<String>,
    /// Whose sign-ins over IMAP are switched off.
    pub(crate) imap_off: HashSet<String>,
    pub(crate) troubles: Troubles,
    pub(crate) accounts: Accounts,
    /// Messages that hold this text are given to nobody.
    pub(crate) unreadable: Option<Vec<u8>>,
    /// Folders of these names are opened for nobody.
    pub(crate) shut_folders: HashSet<String>,
    pub(crate) garbage: bool,
    /// What the next request to the token endpoint is answered with.
    pub(crate) flood: Option<Flood>,
    pub(crate) echo: bool,
    /// IMAP offers no IDLE.
    pub(crate) hides_idle: bool,
    pub(crate) slow: Duration,
    pub(crate) sent_copy: Option<SentCopyFault>,
    /// The reply after the data does not name the id that the message got.
    pub(crate) hides_ids: bool,
    /// Whoever has to be asked for consent needs an administrator first.
    pub(crate) wants_admin: bool,
    /// No client's redirect address is known.
    pub(crate) redirects_forgotten: bool,
    /// No client's secret is good.
    pub(crate) secrets_over: bool,
    /// Somebody else uses every code before its client comes with it.
    pub(crate) codes_stolen: bool,
    /// No permission outlives its access token, whatever was asked for.
    pub(crate) permissions_end: bool,
    /// Answers to visits name another issuer.
    pub(crate) other_issuer: bool,
    /// The `error` and `error_description` that the next visit is sent back with.
    pub(crate) next_visit_refused: Option<(String, String)>,
}

impl Faults {
    /// Whether SMTP refuses every sign-in of this person.
    pub(crate) fn refuses_smtp(&self, person: Option<&str>) -> bool {
        self.smtp_auth_off || person.is_some_and(|person| self.smtp_off.contains(person))
    }

    /// Whether IMAP refuses every sign-in of this person.
    pub(crate) fn refuses_imap(&self, person: Option<&str>) -> bool {
        person.is_some_and(|person| self.imap_off.contains(person))
    }

    pub(crate) fn take_reply(&mut self, stage: Stage) -> Option<Vec<u8>> {
        self.next_replies.get_mut(&stage)?.pop_front()
    }
}
