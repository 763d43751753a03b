//! The fields of a delivery status (RFC 3464 §2), read as servers write them: with comments, without `Action`,
//! without the empty line between what is said of the message and of a recipient.

use protocol::reply::EnhancedCode;

use super::bounce::{Diagnostic, Failure, find_reply, recipient};
use super::head::Head;

/// What the status parts of a report say.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Whether there is any.
    pub(super) is_told: bool,
    /// Recipients that failed.
    pub(super) failed: Vec<Failure>,
    /// Recipients of whom neither action nor code says what became of them.
    pub(super) undecided: Vec<Failure>,
    /// Addresses whose delivery is delayed or done.
    pub(super) spared: Vec<String>,
    /// RFC 3464 §2.2.2.
    pub(super) reporting_mta: Option<String>,
    /// Ids that a field of the report itself names.
    pub(super) ids: Vec<String>,
}

/// Recipients that are read; ours is the only one of its message.
const RECIPIENTS_MAX: usize = 50;

/// What became of a recipient.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Failed,
    NotFailed,
    Undecided,
}

/// Reads the texts of the status parts.
pub(super) fn read(statuses: &[String]) -> Report {
    let mut report = Report::default();
    for text in statuses {
        let mut group: Vec<(String, String)> = Vec::new();
        for (name, value) in fields(text) {
            let begins = match name.as_str() {
                // An empty line.
                "" => true,
                "final-recipient" => group.iter().any(|(known, _)| known == "final-recipient"),
                _ => false,
            };
            // The action may stand behind a stray empty line.
            let is_whole = group
                .iter()
                .any(|(known, _)| known == "action" || known == "status");
            let names_nobody = !group.iter().any(|(known, _)| known.ends_with("recipient"));
            if begins && (is_whole || names_nobody || !name.is_empty()) {
                close(&mut report, &mut group);
            }
            if !name.is_empty() {
                group.push((name, value));
            }
        }
        close(&mut report, &mut group);
    }
    report
}

/// The fields with their names in small letters, unfolded line by line; an empty line is a field without a name.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.trim().is_empty() {
            all.push((String::new(), String::new()));
        } else if line.starts_with([' ', '\t']) {
            if let Some((name, value)) = all.last_mut()
                && !name.is_empty()
            {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            all.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    all
}

fn close(report: &mut Report, group: &mut Vec<(String, String)>) {
    let value = |name: &str| {
        let found = group.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    if let Some(mta) = value("reporting-mta") {
        report.reporting_mta = report.reporting_mta.take().or(Some(host(mta)));
    }
    for name in ["original-message-id", "x-original-message-id"] {
        if let Some(id) = value(name) {
            let field = format!("Message-ID: {id}\r\n\r\n");
            let ids = Head::parse(field.as_bytes()).map(|head| head.ids("Message-ID"));
            report.ids.extend(ids.unwrap_or_default());
        }
    }
    let told = [
        "final-recipient",
        "original-recipient",
        "x-actual-recipient",
    ]
    .into_iter()
    .filter_map(value)
    .filter_map(recipient);
    let mut told = told.collect::<Vec<_>>().into_iter();
    let diagnostic = value("diagnostic-code").and_then(diagnostic);
    let status = value("status");
    let speaks = value("action").is_some() || status.is_some() || diagnostic.is_some();
    let first = told.next();
    if (first.is_some() || speaks)
        && report.failed.len() + report.undecided.len() + report.spared.len() < RECIPIENTS_MAX
    {
        report.is_told = true;
        let failure = Failure {
            original_recipient: value("original-recipient").and_then(recipient),
            status: status.and_then(enhanced),
            remote_mta: value("remote-mta").map(host),
            recipient: first,
            diagnostic,
        };
        match fate(value("action"), status, &failure) {
            Fate::Failed => report.failed.push(failure),
            Fate::Undecided => report.undecided.push(failure),
            Fate::NotFailed => {
                report.spared.extend(failure.recipient);
                report.spared.extend(failure.original_recipient);
            }
        }
    }
    group.clear();
}

/// RFC 3464 §2.3.3: the action decides, whatever comment stands behind it. Without one the status does, then the
/// reply: permanent is failed, transient is not.
fn fate(action: Option<&str>, status: Option<&str>, failure: &Failure) -> Fate {
    let word: String = action
        .unwrap_or_default()
        .trim()
        .to_lowercase()
        .chars()
        .take_while(|c| c.is_alphabetic())
        .collect();
    if word.starts_with("fail") {
        return Fate::Failed;
    }
    if ["delay", "deliver", "relay", "expand"]
        .iter()
        .any(|known| word.starts_with(known))
    {
        return Fate::NotFailed;
    }
    let class = status
        .and_then(|status| status.trim().chars().next())
        .and_then(|digit| digit.to_digit(10))
        .or(match &failure.diagnostic {
            Some(Diagnostic::Reply(reply)) => Some(u32::from(reply.code / 100)),
            _ => None,
        });
    match class {
        Some(5) => Fate::Failed,
        Some(2 | 4) => Fate::NotFailed,
        _ => Fate::Undecided,
    }
}

/// `type; name`, of which the name; a comment behind it aside.
fn host(value: &str) -> String {
    let name = value.split_once(';').map_or(value, |(_, name)| name);
    let name = name.trim().replace('\n', " ");
    name.split_once(" (")
        .map_or(name.as_str(), |(name, _)| name)
        .to_owned()
}

fn enhanced(status: &str) -> Option<EnhancedCode> {
    let word = status
        .split(|c: char| c.is_whitespace() || c == '(')
        .next()?;
    EnhancedCode::parse(word.trim_end_matches(['.', ',', ';']))
}

/// `type; words`: the reply that opens them or stands in them, whatever the type is called.
fn diagnostic(value: &str) -> Option<Diagnostic> {
    let words = value
        .split_once(';')
        .map_or(value, |(_, words)| words)
        .trim();
    if words.is_empty() {
        return None;
    }
    // An enhanced code that opens the words stands for a reply without its own.
    Some(find_reply(words).map_or_else(
        || Diagnostic::Words(words.replace('\n', " ")),
        Diagnostic::Reply,
    ))
}

/// Where the code of a refusing reply stands in a text: three digits, the first 4 or 5, that are no part of a
/// number or an address.
pub(super) fn find_code(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_inside = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.')
    };
    let is_code = |at: usize| {
        let digits = bytes.get(at..at + 3)?;
        let refuses = matches!(digits, [b'4' | b'5', b'0'..=b'7', b'0'..=b'9']);
        let followed = match bytes.get(at + 3) {
            None => true,
            // A full stop ends a sentence, and begins the next part of a number.
            Some(b'.') => !bytes.get(at + 4).is_some_and(u8::is_ascii_alphanumeric),
            Some(byte) => !byte.is_ascii_alphanumeric() && !matches!(byte, b'@' | b'%' | b'/'),
        };
        (refuses && followed && !is_inside(at.checked_sub(1))).then_some(at)
    };
    text.match_indices(['4', '5'])
        .find_map(|(at, _)| is_code(at))
}

/// The enhanced code that stands in a text and refuses, being no part of an address.
pub(super) fn find_enhanced(text: &str) -> Option<EnhancedCode> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter_map(|word| EnhancedCode::parse(word.trim_matches('.')))
        .find(|code| code.class != 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_numbers_and_addresses() {
        for (text, expected) in [
            ("550 5.1.1 no", Some(0)),
            ("said: 421-busy", Some(6)),
            ("203.0.113.550 4551 55 x550 5500", None),
            ("error 550.", Some(6)),
            ("550@a.example", None),
            ("(#5.1.1)", None),
        ] {
            assert_eq!(find_code(text), expected, "{text}");
        }
        assert_eq!(find_enhanced("(#5.1.1)"), Some(EnhancedCode::new(5, 1, 1)));
        assert_eq!(find_enhanced("at 5.1.1.9 and 5.1"), None);
        assert_eq!(find_enhanced("2.0.0 ok"), None);
    }

    #[test]
    fn the_action_decides_before_the_status_and_the_reply() {
        for (lines, failed, spared) in [
            ("Action: failed (bad address)\nStatus: 4.4.7", 1, 0),
            ("Action: FAILURE\nStatus: 550", 1, 0),
            ("Action: delayed\nStatus: 5.1.1", 0, 1),
            ("Action: delivered (to a program)\nStatus: 2.0.0", 0, 1),
            ("Status: 5.3.0", 1, 0),
            ("Status: 4.2.2", 0, 1),
            ("Diagnostic-Code: smtp; 550 no", 1, 0),
            ("Diagnostic-Code: smtp; 450 later", 0, 1),
            ("\nAction: failed", 1, 0),
        ] {
            let text = format!("Final-Recipient: rfc822; ann@a.example\n{lines}\n");
            let report = read(&[text]);
            assert_eq!(
                (report.failed.len(), report.spared.len()),
                (failed, spared),
                "{lines}"
            );
        }
    }

    #[test]
    fn a_report_is_read_group_by_group() {
        let text = "Reporting-MTA: dns; mail.example (a comment)\n\n\
            Original-Recipient: rfc822; ann@a.example\nFinal-Recipient: RFC822; <ann@elsewhere.example>\n\
            Action: failed\nStatus: 5.1.1 (no mailbox)\nRemote-MTA: dns; mx.a.example\n\
            Diagnostic-Code: smtp; 550-5.1.1 There is no\n 550 5.1.1 such mailbox\n\n\
            Final-Recipient: rfc822; zoe@z.example\nAction: relayed\nStatus: 2.0.0\n";
        let report = read(&[text.to_owned()]);
        assert_eq!(report.reporting_mta.as_deref(), Some("mail.example"));
        assert_eq!(report.spared, ["zoe@z.example"]);
        let [failure] = report.failed.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(failure.recipient.as_deref(), Some("ann@elsewhere.example"));
        assert_eq!(failure.original_recipient.as_deref(), Some("ann@a.example"));
        assert_eq!(failure.status, Some(EnhancedCode::new(5, 1, 1)));
        assert_eq!(failure.remote_mta.as_deref(), Some("mx.a.example"));
        assert_eq!(failure.words(), "550 5.1.1 There is no such mailbox");
    }
}
