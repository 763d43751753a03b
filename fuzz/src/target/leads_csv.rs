//! Lead lists: what is taken is unique and written down with its rows, and can stand in a message.

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::campaign::Step;
use protocol::id::{DeliveryId, LeadId};
use protocol::sender::Sender;
use protocol::timestamp::Timestamp;
use relay::record::NewLead;
use relay::text::field;
use relay::text::leads::{ADDRESS_COLUMN, LeadsError, key_of, parse};
use relay::text::message::{Files, MessageError, Parts, compose, to_wire};
use relay::text::template::{Form, Template};

use crate::cost;

pub(super) fn run(bytes: &[u8]) {
    // Every lead keeps every column by its name, so each row costs the header again.
    let n_rows = 1 + bytes.iter().filter(|byte| b"\r\n".contains(byte)).count();
    let header: usize = bytes
        .split(|byte| b"\r\n".contains(byte))
        .map(|line| line.len() + 256 * line.split(|byte| *byte == b',').count())
        .max()
        .unwrap_or_default();
    let rows = n_rows.saturating_mul(2 * header);
    let parsed = cost::bounded(bytes, rows.saturating_add(256 * 1024), 1024, || {
        parse(bytes, None).map(|mut list| {
            list.judge(|_| None);
            list
        })
    });
    let list = match parsed {
        Ok(list) => list,
        Err(error) => {
            let last = u64::try_from(n_rows).unwrap_or(u64::MAX);
            assert!(
                error.row().is_none_or(|row| (1..=last).contains(&row)),
                "{error:?}"
            );
            check_refusal(&error);
            return;
        }
    };
    let (columns, leads) = (&list.columns, &list.leads);
    let names: BTreeSet<&String> = columns.iter().collect();
    assert_eq!(names.len(), columns.len(), "{columns:?}");
    for unusable in &list.unusable {
        let words = unusable.to_string();
        assert!(words.contains(&format!("row {}", unusable.row)), "{words}");
        assert!(words.chars().count() < 1_000, "{words}");
        assert!(!words.contains(char::is_control), "{words:?}");
    }
    let mut addresses = BTreeSet::new();
    let mut above = 0;
    for lead in leads {
        assert!(
            lead.row > above,
            "row {} stands below row {above}",
            lead.row
        );
        above = lead.row;
        assert!(
            addresses.insert(key_of(&lead.address)),
            "{} twice",
            lead.address
        );
        assert_eq!(lead.fields.keys().collect::<BTreeSet<_>>(), names);
        let address_field = field::find(&lead.fields, ADDRESS_COLUMN);
        assert!(
            address_field.is_some(),
            "no message can name {}",
            lead.address
        );
        assert_eq!(
            lead.address.as_str().parse().as_ref(),
            Ok(&lead.address),
            "an address that is none when it is read again"
        );
    }
    for lead in leads.iter().take(5) {
        check_message(columns, lead);
    }
}

/// It names the row, or the column of the header, and shows no more than a person reads.
fn check_refusal(error: &LeadsError) {
    let words = error.to_string();
    let names_it = match error.row() {
        Some(row) => words.contains(&format!("row {row}")),
        None => words.starts_with("the file "),
    };
    assert!(names_it, "{words}");
    assert!(words.chars().count() < 4_000, "{words}");
    assert!(!words.contains(char::is_control), "{words:?}");
}

/// A lead's cells in a subject and a body make a message with our headers and no others.
fn check_message(columns: &[String], lead: &NewLead) {
    let words: Vec<String> = columns
        .iter()
        .filter(|column| {
            let marker = format!("{{{{{column}}}}}");
            Template::parse(&marker, Form::Text)
                .is_ok_and(|template| template.names().iter().all(|name| name == column.as_str()))
        })
        .filter(|column| {
            lead.fields
                .get(*column)
                .is_some_and(|cell| !cell.trim().is_empty())
        })
        .map(|column| format!("{{{{{column}}}}}"))
        .collect();
    let template = words.join(" ");
    let Ok(from) = "jane@acme.example".parse() else {
        return;
    };
    let steps = [Step {
        subject: format!("To {template}"),
        body: template,
        wait_ms: 0,
        ..Step::default()
    }];
    let message = compose(&Parts {
        from: &from,
        sender: &Sender::default(),
        to: &lead.address,
        lead: &LeadId::new("lea_1"),
        fields: &Arc::new(lead.fields.clone()),
        steps: &steps,
        step_idx: 0,
        delivery: &DeliveryId::new("dlv_1"),
        message_id: "one@acme.example",
        thread: &[],
        files: &Files::new(),
        date: Timestamp::from_ms(0),
        way_out: None,
    });
    let message = match message {
        Ok(message) => message,
        // Cells may be long, and the import looks at them in the campaign's own templates.
        Err(MessageError::Subject { .. }) => return,
        Err(error) => unreachable!("{} was taken and has no message: {error}", lead.address),
    };
    // An address beyond ASCII stands as servers are told it (RFC 6532); nothing else does.
    let told = to_wire(&lead.address);
    let addresses_only = String::from_utf8_lossy(&message).replace(told.as_str(), "");
    assert!(addresses_only.is_ascii(), "{addresses_only}");
    let text = String::from_utf8_lossy(&message);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let names: Vec<&str> = head
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap_or_default())
        .collect();
    let expected = [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "X-Unpause-Delivery",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];
    for name in &names {
        assert!(expected.contains(name), "{name:?} in {head}");
    }
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{head}");
    for line in text.split("\r\n") {
        // RFC 5322 §2.1.1.
        assert!(
            line.len() <= 998 && !line.contains(['\r', '\n']),
            "{line:?}"
        );
    }
}
