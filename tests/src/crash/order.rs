//! How many messages of a list came out of their place, in the recipients' mailboxes.

use std::collections::{BTreeMap, BTreeSet};

use crate::story::mailboxes::Message;

/// The messages without those that were in doubt, by recipient and step, and without the second ones that followed them:
/// when they left was not the list's to say.
pub(super) fn leave_out(messages: &[Message], doubted: &BTreeSet<(String, usize)>) -> Vec<Message> {
    let was_doubted = |message: &Message| {
        (1..=message.step).any(|step| doubted.contains(&(message.recipient.clone(), step)))
    };
    let kept = messages.iter().filter(|message| !was_doubted(message));
    kept.cloned().collect()
}

/// Which inbox wrote to whom.
pub(super) type Senders = BTreeMap<String, String>;

/// How many messages must be taken out so that the rest stands in order: in each campaign, and of each inbox, the first
/// steps by the list, and the second ones as their first ones came.
pub(super) fn count_displaced(messages: &[Message], senders: &Senders) -> u64 {
    let mut firsts: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    let mut seconds: BTreeMap<(&str, &str), Vec<u64>> = BTreeMap::new();
    let mut came: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen: BTreeSet<(&str, usize)> = BTreeSet::new();
    for message in messages {
        let recipient = message.recipient.as_str();
        if !seen.insert((recipient, message.step)) {
            continue;
        }
        let Some((list, place)) = place(recipient) else {
            continue;
        };
        let list = (list, sender_of(senders, recipient));
        if message.step == 1 {
            let n_before = came.len() as u64;
            came.insert(recipient, n_before);
            firsts.entry(list).or_default().push(place);
        } else if let Some(&place) = came.get(recipient) {
            seconds.entry(list).or_default().push(place);
        }
    }
    firsts
        .values()
        .chain(seconds.values())
        .map(|places| (places.len() - longest_rising(places)) as u64)
        .sum()
}

/// Where the order breaks, for people: a place that is less than the one in front of it.
pub(super) fn list_breaks(messages: &[Message], senders: &Senders) -> Vec<String> {
    let mut newest: BTreeMap<(&str, &str, usize), u64> = BTreeMap::new();
    let mut found = Vec::new();
    let mut counted: BTreeSet<(&str, usize)> = BTreeSet::new();
    for message in messages {
        let recipient = message.recipient.as_str();
        let Some((list, at)) = place(recipient) else {
            continue;
        };
        if !counted.insert((recipient, message.step)) {
            continue;
        }
        if let Some(before) = newest.insert((list, sender_of(senders, recipient), message.step), at)
            && before > at
        {
            found.push(format!(
                "{recipient}, step {}, came behind {list}{before}, at {:?}",
                message.step, message.at_ms
            ));
        }
    }
    found
}

fn sender_of<'a>(senders: &'a Senders, recipient: &str) -> &'a str {
    senders.get(recipient).map_or("", String::as_str)
}

/// The list and the place in it: `lead17@…` is the 17th of `lead`.
fn place(recipient: &str) -> Option<(&str, u64)> {
    let local = recipient.split('@').next()?;
    let at = local.find(|c: char| c.is_ascii_digit())?;
    let (list, number) = local.split_at_checked(at)?;
    Some((list, number.parse().ok()?))
}

/// The length of the longest rising part, whose members need not stand next to each other.
fn longest_rising(places: &[u64]) -> usize {
    // The least last member of a rising part of each length.
    let mut ends: Vec<u64> = Vec::new();
    for &place in places {
        let at = ends.partition_point(|&end| end < place);
        match ends.get_mut(at) {
            Some(end) => *end = place,
            None => ends.push(place),
        }
    }
    ends.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipient: &str, step: usize) -> Message {
        Message {
            recipient: format!("{recipient}@leads.example"),
            tag: String::new(),
            step,
            at_ms: None,
        }
    }

    #[test]
    fn what_came_out_of_its_place_is_counted_in_each_list_apart() {
        let all = |sent: &[(&str, usize)]| {
            let messages: Vec<_> = sent.iter().map(|(who, step)| message(who, *step)).collect();
            count_displaced(&messages, &Senders::new())
        };
        assert_eq!(
            all(&[("a1", 1), ("b1", 1), ("a2", 1), ("b2", 1), ("a1", 2)]),
            0
        );
        assert_eq!(all(&[("a1", 1), ("a3", 1), ("a4", 1), ("a2", 1)]), 1);
        assert_eq!(all(&[("a4", 1), ("a3", 1), ("a2", 1), ("a1", 1)]), 3);
        // The second step follows the first ones as they came.
        assert_eq!(all(&[("a2", 1), ("a1", 1), ("a2", 2), ("a1", 2)]), 1);
        assert_eq!(all(&[("a1", 1), ("a2", 1), ("a2", 2), ("a1", 2)]), 1);
        // Each inbox has an order of its own.
        let sent = [("a2", 1), ("a1", 1), ("a3", 1)].map(|(who, step)| message(who, step));
        let of = |who: &str, inbox: &str| (format!("{who}@leads.example"), inbox.to_owned());
        let two = Senders::from([of("a1", "x"), of("a2", "y"), of("a3", "x")]);
        assert_eq!(count_displaced(&sent, &two), 0);
        let one = Senders::from([of("a1", "x"), of("a2", "x"), of("a3", "y")]);
        assert_eq!(count_displaced(&sent, &one), 1);
        let none = Senders::new();
        // What was in doubt, and what followed it, is nobody's disorder; the rest is.
        let late = [("a2", 1), ("a1", 1), ("a3", 1), ("a2", 2), ("a1", 2)]
            .map(|(who, step)| message(who, step));
        let doubted = |who: &str| BTreeSet::from([(format!("{who}@leads.example"), 1)]);
        assert_eq!(count_displaced(&late, &none), 1);
        assert_eq!(count_displaced(&leave_out(&late, &doubted("a1")), &none), 0);
        assert_eq!(count_displaced(&leave_out(&late, &doubted("a3")), &none), 1);
        // A second copy is another matter.
        assert_eq!(all(&[("a1", 1), ("a2", 1), ("a1", 1)]), 0);
    }
}
