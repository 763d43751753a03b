//! Trouble for the next conversation of one person, or of whoever comes next: what a server says or does in
//! place of its true answer, once. Where a conversation meets it is the business of the servers.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::sync::watch;

/// Where trouble meets a conversation. At the first two of each protocol nobody has said who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    /// The connection is accepted, TLS has not begun.
    SmtpConnect,
    /// In place of the greeting.
    SmtpGreeting,
    /// In place of the reply to EHLO; a person is known by the domain that it names.
    SmtpHello,
    /// The credentials are there, no verdict yet.
    SmtpAuth,
    /// In place of the reply to MAIL.
    SmtpMail,
    /// In place of the reply to RCPT.
    SmtpRcpt,
    /// In place of the reply to DATA.
    SmtpData,
    /// The body is complete, nothing is stored.
    SmtpBody,
    /// The connection is accepted, TLS has not begun.
    ImapConnect,
    /// In place of the greeting.
    ImapGreeting,
    /// The credentials are there, no verdict yet.
    ImapAuth,
    /// In place of the answer to SELECT and EXAMINE.
    ImapFolder,
    /// A refresh token was sent to the token endpoint; nothing has changed yet.
    Token,
}

/// What happens there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// These bytes and a line end are said. Over IMAP what begins with `NO` or `BAD` gets the command's tag.
    /// A greeting that is not the true one ends the connection, as 421 and `* BYE` do anywhere.
    Say(Vec<u8>),
    /// The token endpoint answers this.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body, as JSON where it is.
        body: &'static str,
    },
    /// The connection is lost; at the token endpoint in the middle of an answer.
    Lose,
    /// At [`Gate::SmtpBody`]: the message is stored, delivered and copied, then the connection is lost.
    StoreAndLose,
    /// The true answer comes this much later.
    Wait(Duration),
    /// Nothing is said until the peer gives up.
    Silence,
}

/// Tells whether a trouble was met.
#[derive(Debug, Clone)]
pub struct Met(watch::Receiver<bool>);

impl Met {
    /// Whether a conversation has met it.
    pub fn is_met(&self) -> bool {
        *self.0.borrow()
    }
}

#[derive(Debug)]
struct Waiting {
    trouble: Trouble,
    met: watch::Sender<bool>,
}

/// Every trouble that nobody has met yet, and who was truly refused first and when.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    waiting: HashMap<(Gate, Option<String>), VecDeque<Waiting>>,
    first_refused: HashMap<String, u64>,
}

impl Troubles {
    /// Puts trouble behind what waits at that gate for this person; for anybody where it is `None`.
    pub(crate) fn add(&mut self, gate: Gate, whom: Option<&str>, trouble: Trouble) -> Met {
        let (met, receiver) = watch::channel(false);
        self.waiting
            .entry((gate, whom.map(str::to_lowercase)))
            .or_default()
            .push_back(Waiting { trouble, met });
        Met(receiver)
    }

    /// Takes the next trouble of this person, else of anybody.
    pub(crate) fn take(&mut self, gate: Gate, whom: Option<&str>) -> Option<Trouble> {
        let own = whom.map(str::to_lowercase);
        let own = own.and_then(|own| self.pop(&(gate, Some(own))));
        own.or_else(|| self.pop(&(gate, None)))
    }

    /// Takes the next trouble of somebody whose address is in this domain, else of anybody.
    pub(crate) fn take_in_domain(&mut self, gate: Gate, domain: &str) -> Option<Trouble> {
        let end = format!("@{}", domain.to_lowercase());
        let place = self.waiting.iter().find_map(|(place, waiting)| {
            let own = place.1.as_ref()?.ends_with(&end);
            (place.0 == gate && own && !waiting.is_empty()).then(|| place.clone())
        });
        let own = place.and_then(|place| self.pop(&place));
        own.or_else(|| self.pop(&(gate, None)))
    }

    /// A sign-in or a refresh of this person was truly refused.
    pub(crate) fn note_refused(&mut self, person: &str, at_ms: u64) {
        self.first_refused
            .entry(person.to_lowercase())
            .or_insert(at_ms);
    }

    pub(crate) fn first_refused(&self, person: &str) -> Option<u64> {
        self.first_refused.get(&person.to_lowercase()).copied()
    }

    pub(crate) fn forget_refused(&mut self, person: &str) {
        self.first_refused.remove(&person.to_lowercase());
    }

    fn pop(&mut self, place: &(Gate, Option<String>)) -> Option<Trouble> {
        let next = self.waiting.get_mut(place)?.pop_front()?;
        next.met.send_replace(true);
        Some(next.trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_met_once_by_whom_it_is_for() {
        let mut troubles = Troubles::default();
        let own = troubles.add(Gate::SmtpHello, Some("Jane@acme.example"), Trouble::Lose);
        let any = troubles.add(Gate::SmtpHello, None, Trouble::Silence);
        let other = troubles.take_in_domain(Gate::SmtpHello, "other.example");
        assert_eq!(other, Some(Trouble::Silence));
        assert!(any.is_met() && !own.is_met());
        assert_eq!(
            troubles.take(Gate::SmtpAuth, Some("jane@acme.example")),
            None
        );
        let found = troubles.take_in_domain(Gate::SmtpHello, "ACME.example");
        assert_eq!(found, Some(Trouble::Lose));
        assert!(own.is_met());
        assert_eq!(
            troubles.take(Gate::SmtpHello, Some("jane@acme.example")),
            None
        );
    }
}
