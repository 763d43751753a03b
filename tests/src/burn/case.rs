//! Who the leads of an inbox are, and what its server does to them.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use sandbox::{AccountDoes, AccountFault, Stage};

use super::made_up;

/// A list of leads, and those whose own servers refuse them, with the reply.
pub(super) struct List {
    pub(super) leads: Vec<String>,
    pub(super) refused: BTreeMap<String, String>,
}

impl List {
    /// A list over many domains, some of them often, with leads of the inbox's own domain in between.
    pub(super) fn over_many_domains(random: &mut StdRng, n: usize, own: &str) -> Self {
        let leads = (0..n)
            .map(|idx| match random.random_range(0..10) {
                0 => format!("lead{idx}@{own}"),
                1 | 2 => format!("lead{idx}@big.example"),
                3 => format!("lead{idx}@large.example"),
                _ => format!("lead{idx}@company{idx}.example"),
            })
            .collect();
        Self {
            leads,
            refused: BTreeMap::new(),
        }
    }

    /// The same with recipients that are refused: dead domains at the head, one company's gateway, or some anywhere.
    pub(super) fn with_refused(random: &mut StdRng, n: usize, own: &str, kind: usize) -> Self {
        let mut list = Self::over_many_domains(random, n, own);
        let reply = made_up::refusal(random, 5);
        let chosen: Vec<usize> = match kind % 3 {
            0 => (0..random.random_range(n / 10..=n * 3 / 10)).collect(),
            1 => {
                let mut all: Vec<usize> = (0..n).collect();
                all.shuffle(random);
                all.truncate(n / 8);
                all
            }
            _ => (0..n).filter(|_| random.random_bool(0.04)).collect(),
        };
        for idx in chosen {
            let domain = if kind % 3 == 1 {
                "gateway.example".to_owned()
            } else {
                format!("dead{idx}.example")
            };
            let lead = format!("lead{idx}@{domain}");
            list.refused.insert(lead.clone(), reply.clone());
            if let Some(place) = list.leads.get_mut(idx) {
                *place = lead;
            }
        }
        list
    }

    /// As a file.
    pub(super) fn csv(&self) -> Vec<u8> {
        let mut text = "email\n".to_owned();
        for lead in &self.leads {
            text.push_str(lead);
            text.push('\n');
        }
        text.into_bytes()
    }
}

/// A refusal of the whole account from some message on: every stage in turn, and every second time for now.
pub(super) fn account_fault(random: &mut StdRng, idx: usize, n_leads: usize) -> AccountFault {
    let stage = match idx % 4 {
        0 => Stage::Mail,
        1 => Stage::Rcpt,
        2 => Stage::Data,
        _ => Stage::AfterData,
    };
    let class = if (idx / 4).is_multiple_of(2) { 5 } else { 4 };
    AccountFault {
        stage,
        after: random.random_range(0..n_leads / 2),
        does: AccountDoes::Say(made_up::refusal(random, class).into_bytes()),
    }
}

/// A connection that is lost after every message from some one on.
pub(super) fn broken_after_dot(random: &mut StdRng, n_leads: usize) -> AccountFault {
    AccountFault {
        stage: Stage::AfterData,
        after: random.random_range(0..n_leads / 4),
        does: AccountDoes::Lose,
    }
}

/// Who says in an inbox's bounces that its mail is refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum Speaker {
    /// Nobody is named.
    Nobody,
    /// The provider.
    Provider,
    /// Each recipient's own server.
    EachRecipient,
}

/// A DSN (RFC 3464) for a message that was accepted.
pub(super) fn bounce(
    own: &str,
    recipient: &str,
    message_id: &str,
    speaker: Speaker,
    status: &str,
    words: &str,
) -> String {
    let domain = recipient.rsplit_once('@').map_or("", |(_, domain)| domain);
    let remote = match speaker {
        Speaker::Nobody => String::new(),
        Speaker::Provider => format!("Remote-MTA: dns; out.{own}\n"),
        Speaker::EachRecipient => format!("Remote-MTA: dns; mx.{domain}\n"),
    };
    format!(
        "From: MAILER-DAEMON@{own}\nTo: jane@{own}\nSubject: Undelivered\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"edge\"\n\n\
         --edge\nContent-Type: text/plain\n\n{words}\n\
         --edge\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; out.{own}\n\n\
         Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: {status}\n{remote}\
         Diagnostic-Code: smtp; 550 {status} {words}\n\n\
         --edge\nContent-Type: text/rfc822-headers\n\nMessage-ID: {message_id}\n\n--edge--\n"
    )
}
