//! What the toolbar's button says: nothing while all is well. Pure.

use protocol::request::inbox::ConnectionState;

use super::record::{Reach, Record};

/// The accent of the look (`web/look/tokens.css`), for what needs the person.
const ATTENTION: &str = "#b3261e";
/// For what is only not so.
const QUIET: &str = "#6b7280";

/// The toolbar's button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Badge {
    /// On the icon; empty for none.
    pub text: String,
    /// Behind it.
    pub color: &'static str,
    /// The same in words.
    pub title: String,
}

/// What the button says now.
pub fn draw(record: &Record) -> Badge {
    let badge = |text: String, color, title: String| Badge { text, color, title };
    if record.kept.paired.is_none() {
        return badge(String::new(), QUIET, "Unpause: not paired yet".to_owned());
    }
    if record.passing.reach == Reach::Revoked {
        let title = "Unpause: the relay no longer knows this browser. Pair it again.";
        return badge("!".to_owned(), QUIET, title.to_owned());
    }
    let mut lost = record
        .inboxes()
        .iter()
        .filter(|inbox| inbox.connection.state == ConnectionState::Disconnected);
    let n_lost = lost.clone().count();
    let title = match (lost.next(), n_lost) {
        (None, _) if record.passing.reach == Reach::Gone => {
            "Unpause: the relay does not answer".to_owned()
        }
        (None, _) if record.passing.reach == Reach::Other => {
            "Unpause: something that is not your relay answers in its place".to_owned()
        }
        (None, _) => "Unpause: all inboxes are connected".to_owned(),
        (Some(inbox), 1) => format!("Unpause: {} is disconnected", inbox.address),
        (Some(_), n_lost) => format!("Unpause: {n_lost} inboxes are disconnected"),
    };
    let text = match n_lost {
        0 => String::new(),
        n_lost => n_lost.to_string(),
    };
    badge(text, ATTENTION, title)
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_button_is_quiet_until_somebody_is_needed() {
        let text = |record: &Record| draw(record).text;
        assert_eq!(text(&Record::default()), "");
        let mut record = example::record(ConnectionState::Connected, 1);
        assert_eq!(text(&record), "");
        record.passing.reach = Reach::Gone;
        assert_eq!(text(&record), "", "waiting needs nobody");
        record.passing.reach = Reach::Revoked;
        assert_eq!(text(&record), "!");
        let lost = example::record(ConnectionState::Disconnected, 1);
        assert_eq!(text(&lost), "1");
        assert!(draw(&lost).title.contains("jane@acme.example"));
        assert_eq!(text(&example::record(ConnectionState::Checking, 1)), "");
    }
}
