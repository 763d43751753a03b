//! Counting what arrived, in the recipients' mailboxes: the only judge of what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The header that names a delivery.
const DELIVERY_HEADER: &str = "X-Unpause-Delivery";
/// What the body of each step of a story contains, first to last.
pub const MARKS: [&str; 2] = ["This is the first note.", "This is the second note."];

/// A message in a recipient's mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The recipient.
    pub recipient: String,
    /// The delivery that its header names.
    pub delivery: String,
    /// The step, from 1, by the words of its body.
    pub step: usize,
    /// When it arrived, by the server's clock; `None` where the server does not tell.
    pub at_ms: Option<i64>,
}

impl Message {
    /// A message of a story; `None` for any other.
    pub fn of(
        recipient: &str,
        delivery: Option<&str>,
        body: &str,
        at_ms: Option<i64>,
    ) -> Option<Self> {
        let step = MARKS.iter().position(|mark| body.contains(mark))? + 1;
        Some(Self {
            recipient: recipient.to_owned(),
            delivery: delivery?.to_owned(),
            step,
            at_ms,
        })
    }

    /// The same from its bytes.
    pub fn parse(recipient: &str, raw: &[u8], at_ms: Option<i64>) -> Option<Self> {
        let text = String::from_utf8_lossy(raw);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let delivery = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(DELIVERY_HEADER)
                .then(|| value.trim().to_owned())
        });
        Self::of(recipient, delivery.as_deref(), body, at_ms)
    }
}

/// What the mailboxes hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Recipients that have each step, by step.
    pub accepted: [u64; 2],
    /// Messages beyond the first of a delivery, and deliveries beyond the first of a recipient's step.
    pub duplicated: u64,
    /// Recipients whose second step came before their first.
    pub disordered: u64,
    /// Recipients whose second step came sooner after the first than the wait.
    pub hurried: u64,
}

/// Counts messages; `wait` is what the second step waits after the first.
pub fn count(messages: &[Message], wait: Duration) -> Count {
    let mut by_place: BTreeMap<(&str, usize), Vec<&Message>> = BTreeMap::new();
    for message in messages {
        by_place
            .entry((&message.recipient, message.step))
            .or_default()
            .push(message);
    }
    let mut count = Count::default();
    for ((_, step), copies) in &by_place {
        if let Some(accepted) = count.accepted.get_mut(step - 1) {
            *accepted += 1;
        }
        count.duplicated += copies.len() as u64 - 1;
    }
    let recipients: BTreeSet<&str> = messages
        .iter()
        .map(|message| message.recipient.as_str())
        .collect();
    for recipient in recipients {
        let at = |step| {
            by_place
                .get(&(recipient, step))
                .and_then(|copies| copies.first())
                .and_then(|one| one.at_ms)
        };
        let has = |step| by_place.contains_key(&(recipient, step));
        if has(2) && !has(1) {
            count.disordered += 1;
        }
        if let (Some(first), Some(second)) = (at(1), at(2)) {
            count.disordered += u64::from(second < first);
            count.hurried +=
                u64::from(second - first < i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        }
    }
    count
}

/// The second steps that [`count`] finds disordered or hurried, for people.
pub fn list_hurried(messages: &[Message], wait: Duration) -> Vec<String> {
    let mut firsts: BTreeMap<&str, i64> = BTreeMap::new();
    for message in messages.iter().filter(|message| message.step == 1) {
        if let Some(at_ms) = message.at_ms {
            firsts.entry(&message.recipient).or_insert(at_ms);
        }
    }
    let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for message in messages.iter().filter(|message| message.step == 2) {
        let (to, at_ms) = (&message.recipient, message.at_ms.unwrap_or_default());
        match firsts.get(to.as_str()) {
            Some(first) if at_ms - first >= wait_ms => {}
            Some(first) => found.push(format!(
                "{to}: the second step came {} ms after the first, wanted {wait_ms}",
                at_ms - first
            )),
            None => found.push(format!("{to}: the second step came without the first")),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipient: &str, delivery: &str, step: usize, at_ms: i64) -> Message {
        Message {
            recipient: recipient.to_owned(),
            delivery: delivery.to_owned(),
            step,
            at_ms: Some(at_ms),
        }
    }

    #[test]
    fn what_is_wrong_in_the_mailboxes_is_counted() {
        let wait = Duration::from_millis(100);
        let good = [
            message("a", "1", 1, 0),
            message("a", "2", 2, 100),
            message("b", "3", 1, 5),
        ];
        assert_eq!(
            count(&good, wait),
            Count {
                accepted: [2, 1],
                ..Count::default()
            }
        );
        let twice = [message("a", "1", 1, 0), message("a", "1", 1, 9)];
        assert_eq!(count(&twice, wait).duplicated, 1);
        let again = [message("a", "1", 1, 0), message("a", "7", 1, 9)];
        assert_eq!(count(&again, wait).duplicated, 1);
        let hurried = [message("a", "1", 1, 0), message("a", "2", 2, 99)];
        assert_eq!(count(&hurried, wait).hurried, 1);
        assert_eq!(count(&[message("a", "2", 2, 99)], wait).disordered, 1);
        assert_eq!(
            count(&[message("a", "2", 2, 9), message("a", "1", 1, 99)], wait).disordered,
            1
        );
    }
}
