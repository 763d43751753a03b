//! A message before it is sent, and whether there is one for every lead, for people.

use std::fmt::Write as _;

use protocol::request::message::{Checked, Preview};
use protocol::shown;

use super::super::print::columns;

/// The message as it will leave: its header, its text, its HTML, how large it is.
pub(super) fn describe(preview: &Preview) -> String {
    let mut told = String::new();
    for field in &preview.headers {
        let _ = writeln!(told, "{}: {}", field.name, shown::line(&field.value));
    }
    let _ = writeln!(
        told,
        "\nSubject as it is read: {}",
        shown::line(&preview.subject)
    );
    let _ = writeln!(told, "\n{}", shown::lines(&preview.text));
    if let Some(html) = &preview.html {
        let _ = writeln!(told, "\nHTML:\n{}", shown::lines(html));
    }
    let limit = match preview.at_most_bytes {
        Some(at_most) if preview.bytes > at_most => {
            format!("; its server takes at most {at_most}: it would be refused")
        }
        Some(at_most) => format!("; its server takes {at_most}"),
        None => String::new(),
    };
    let _ = write!(
        told,
        "\nStep {} to {}, from {}: {} bytes as it leaves{limit}.",
        preview.step, preview.address, preview.from, preview.bytes
    );
    told
}

/// Who has no message, and why.
pub(super) fn describe_check(checked: &Checked) -> String {
    if checked.unfit == 0 {
        return format!(
            "Every message can be written for {} leads; the largest has {} bytes at most.",
            checked.leads, checked.largest_bytes
        );
    }
    let rows: Vec<Vec<String>> = checked
        .faults
        .iter()
        .map(|fault| {
            vec![
                fault.address.to_string(),
                format!("step {}", fault.step),
                shown::line(&fault.words).into_owned(),
            ]
        })
        .collect();
    let mut told = columns(&rows);
    let _ = write!(
        told,
        "{} of {} leads have no message: correct their cells, or the messages.",
        checked.unfit, checked.leads
    );
    if let Some(next) = &checked.next {
        let _ = write!(told, "\nThere are more: --after {next}");
    }
    told
}
