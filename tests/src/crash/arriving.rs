//! What arrives at the inbox while the relay cannot read it: answers of leads, and failures of what it sent. Whoever
//! is heard of so must be written to no more.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::{Control, Delivered};

use super::Run;
use crate::story::mailboxes::{MARKS, Message};
use crate::story::servers::jane;

/// What arrived of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Answered,
    Bounced,
}

/// The oldest of those that wait may be on the wire.
const NEXT: usize = 3;

impl Run<'_> {
    /// Lets `n` leads answer, and one more message come back, of those whose second step has not left: the newest
    /// ones, so that none of them is on the wire.
    pub(super) fn let_some_be_heard_of(&mut self, control: &Control, n: usize) {
        let delivered = control.delivered();
        let mut open: BTreeMap<&str, (usize, &Delivered)> = BTreeMap::new();
        for (place, one) in delivered.iter().enumerate() {
            let text = String::from_utf8_lossy(&one.raw);
            let is_first = MARKS.first().is_some_and(|mark| text.contains(mark));
            if is_first {
                open.insert(&one.recipient, (place, one));
            } else {
                open.remove(one.recipient.as_str());
            }
        }
        open.retain(|recipient, _| !self.heard.contains_key(*recipient));
        let mut newest: Vec<_> = open.into_iter().collect();
        newest.sort_by_key(|(_, (place, _))| std::cmp::Reverse(*place));
        newest.truncate(newest.len().saturating_sub(NEXT));
        for (number, (recipient, (_, of))) in newest.into_iter().take(n + 1).enumerate() {
            let (heard, raw) = if number == n {
                (Heard::Bounced, failure(recipient, of))
            } else {
                (Heard::Answered, answer(recipient, of))
            };
            control.deliver(&jane().address, raw);
            self.heard.insert(recipient.to_owned(), heard);
        }
    }

    /// The second steps that reached somebody who had been heard of before, with how that was. What was in doubt had been
    /// handed over earlier, and its server took its time.
    pub(super) fn list_written_on(
        &self,
        messages: &[Message],
        doubted: &BTreeSet<(String, usize)>,
    ) -> Vec<String> {
        let seconds = messages.iter().filter(|message| message.step > 1);
        seconds
            .filter(|message| !doubted.contains(&(message.recipient.clone(), message.step)))
            .filter_map(|message| {
                let heard = self.heard.get(&message.recipient)?;
                Some(format!("{} {heard:?}: written on", message.recipient))
            })
            .collect()
    }
}

/// How many were heard of so.
pub(super) fn count_heard(heard: &BTreeMap<String, Heard>, wanted: Heard) -> u64 {
    heard.values().filter(|heard| **heard == wanted).count() as u64
}

/// As mail programs answer: the subject, and the id as the recipient sees it.
fn answer(from: &str, to: &Delivered) -> String {
    let id = to.message_id.as_deref().unwrap_or_default();
    let subject = to.header("Subject").unwrap_or_default();
    format!(
        "From: {from}\nTo: {}\nSubject: Re: {subject}\nMessage-ID: <answer.{from}>\n\
         In-Reply-To: {id}\nReferences: {id}\n\nThank you, not now.\n",
        jane().address
    )
}

/// A DSN (RFC 3464) of the recipient's own server.
fn failure(recipient: &str, of: &Delivered) -> String {
    let id = of.message_id.as_deref().unwrap_or_default();
    format!(
        "From: MAILER-DAEMON@leads.example\nTo: {}\nSubject: Undelivered\nMessage-ID: <failure.{recipient}>\n\
         MIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"edge\"\n\n\
         --edge\nContent-Type: text/plain\n\nNobody of that name is here any more.\n\
         --edge\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.leads.example\n\n\
         Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: 5.1.1\n\
         Remote-MTA: dns; mx.leads.example\n\
         Diagnostic-Code: smtp; 550 5.1.1 nobody of that name\n\n\
         --edge\nContent-Type: text/rfc822-headers\n\nMessage-ID: {id}\n\n--edge--\n",
        jane().address
    )
}
