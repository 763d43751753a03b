//! What arrives at the inbox of a run: answers of leads, and failures of what was sent to them. Whoever is heard of so
//! must be written to no more.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::{Control, Delivered};

use super::mailboxes::{MARKS, Message};

/// What arrived of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It answered.
    Answered,
    /// Its message came back.
    Bounced,
    /// It asked to be let out, by the address that every message names for that (RFC 2369 §3.2).
    Unsubscribed,
}

/// Who was heard of, and how.
#[derive(Debug, Default)]
pub struct Hearing {
    of: BTreeMap<String, Heard>,
}

/// The oldest of those that wait may be on the wire.
const NEXT: usize = 3;

impl Hearing {
    /// Lets one lead for each of these be heard of by the inbox `of`, of those that it wrote to and whose second step has
    /// not left: the newest ones, so that none of them is on the wire. Answers who they are.
    pub fn let_some(&mut self, control: &Control, of: &str, heard: &[Heard]) -> Vec<String> {
        let delivered = control.delivered();
        let mut open: BTreeMap<&str, (usize, &Delivered)> = BTreeMap::new();
        for (place, one) in delivered.iter().enumerate() {
            let text = String::from_utf8_lossy(&one.raw);
            let is_first = MARKS.first().is_some_and(|mark| text.contains(mark));
            if is_first && one.envelope_from.eq_ignore_ascii_case(of) {
                open.insert(&one.recipient, (place, one));
            } else {
                open.remove(one.recipient.as_str());
            }
        }
        open.retain(|recipient, _| !self.of.contains_key(*recipient));
        let mut newest: Vec<_> = open.into_iter().collect();
        newest.sort_by_key(|(_, (place, _))| std::cmp::Reverse(*place));
        newest.truncate(newest.len().saturating_sub(NEXT));
        let mut some = Vec::new();
        for ((recipient, (_, message)), heard) in newest.into_iter().zip(heard) {
            let raw = match heard {
                Heard::Answered => answer(recipient, message),
                Heard::Bounced => failure(recipient, message),
                Heard::Unsubscribed => match request(recipient, message) {
                    Some(raw) => raw,
                    None => continue,
                },
            };
            control.deliver(of, raw);
            self.of.insert(recipient.to_owned(), *heard);
            some.push(recipient.to_owned());
        }
        some
    }

    /// Whoever got the second step before the relay could know is not meant.
    pub fn leave_out(&mut self, recipient: &str) {
        self.of.remove(recipient);
    }

    /// How many were heard of.
    pub fn n_leads(&self) -> u64 {
        self.of.len() as u64
    }

    /// How many were heard of so.
    pub fn count(&self, wanted: Heard) -> u64 {
        self.of.values().filter(|heard| **heard == wanted).count() as u64
    }

    /// The second steps that reached somebody who had been heard of before, with how that was. What was in doubt had been
    /// handed over earlier, and its server took its time.
    pub fn list_written_on(
        &self,
        messages: &[Message],
        doubted: &BTreeSet<(String, usize)>,
    ) -> Vec<String> {
        let seconds = messages.iter().filter(|message| message.step > 1);
        seconds
            .filter(|message| !doubted.contains(&(message.recipient.clone(), message.step)))
            .filter_map(|message| {
                let heard = self.of.get(&message.recipient)?;
                Some(format!("{} {heard:?}: written on", message.recipient))
            })
            .collect()
    }
}

/// As mail programs answer: the subject, and the id as the recipient sees it.
fn answer(from: &str, to: &Delivered) -> String {
    let id = to.message_id.as_deref().unwrap_or_default();
    let subject = to.header("Subject").unwrap_or_default();
    format!(
        "From: {from}\nTo: {}\nSubject: Re: {subject}\nMessage-ID: <answer.{from}>\n\
         In-Reply-To: {id}\nReferences: {id}\n\nThank you, not now.\n",
        to.envelope_from
    )
}

/// As a mail program lets somebody out where a message names an address for it; `None` where this one names none.
fn request(from: &str, of: &Delivered) -> Option<String> {
    let ways = of.header("List-Unsubscribe")?;
    let (_, way) = ways.split_once("<mailto:")?;
    let (to, fields) = way.split('>').next()?.split_once('?')?;
    let subject = fields
        .split('&')
        .find_map(|one| one.strip_prefix("subject="))?;
    let subject = subject.replace("%20", " ");
    Some(format!(
        "From: {from}\nTo: {to}\nSubject: {subject}\nMessage-ID: <out.{from}>\n\n\n"
    ))
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
        of.envelope_from
    )
}
