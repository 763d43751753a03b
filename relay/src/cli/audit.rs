//! `unpause audit`: who did what, when and from where.

use std::str::FromStr;

use clap::{Subcommand, ValueEnum};
use protocol::account::AccountName;
use protocol::id::AccountId;
use protocol::request::audit::{AuditEntry, AuditLog, ListAudit, Way};
use protocol::timestamp::Timestamp;
use serde_json::{Map, Value};

use super::CliError;
use super::account::find;
use super::print::{Printer, columns, parse_number, write_row};
use crate::api::Client;

/// Entries that an export asks for at once.
const PAGE: u32 = 1_000;
/// The columns of an export for tables.
const HEAD: [&str; 13] = [
    "at",
    "action",
    "way",
    "by",
    "account_id",
    "account",
    "peer",
    "browser",
    "request_id",
    "fields",
    "outcome",
    "times",
    "ended_at",
];

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what was done, newest first
    List {
        /// Only what this account did
        #[arg(long, value_name = "NAME")]
        account: Option<AccountName>,
        /// Only what is not older: a date, or an instant as 2026-11-30T08:00:00Z
        #[arg(long, value_name = "WHEN", value_parser = parse_since)]
        since: Option<Timestamp>,
        /// At most so many, 1 to 1000
        #[arg(long, value_parser = parse_number)]
        limit: Option<u32>,
    },
    /// Print all of it, newest first, for another program to keep
    Export {
        /// A line of JSON for each entry, or a table
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
        /// Only what is not older: a date, or an instant as 2026-11-30T08:00:00Z
        #[arg(long, value_name = "WHEN", value_parser = parse_since)]
        since: Option<Timestamp>,
    },
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A line of JSON for each entry.
    Jsonl,
    /// A table (RFC 4180) with a line of names.
    Csv,
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::List {
                account,
                since,
                limit,
            } => {
                let account_id: Option<AccountId> = match account {
                    Some(name) => Some(find(client, &name).await?.id),
                    None => None,
                };
                let list = ListAudit {
                    account_id,
                    since,
                    limit,
                    ..ListAudit::default()
                };
                printer.answer(&client.call(&list).await?, describe)?;
            }
            Self::Export { format, since } => export(client, printer, format, since).await?,
        }
        Ok(())
    }
}

/// A date is its first instant, in UTC as all instants here.
pub(super) fn parse_since(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    let whole = if text.len() == "2026-11-30".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    Timestamp::from_str(&whole).map_err(|_| {
        format!(
            "expected a date as 2026-11-30, or an instant as 2026-11-30T08:00:00Z, found {text:?}"
        )
    })
}

async fn export(
    client: &Client,
    printer: &Printer,
    format: Format,
    since: Option<Timestamp>,
) -> Result<(), CliError> {
    let mut before = None;
    if format == Format::Csv {
        printer.text(&write_row(HEAD.map(str::to_owned)))?;
    }
    loop {
        let list = ListAudit {
            since,
            before,
            limit: Some(PAGE),
            ..ListAudit::default()
        };
        let page = client.call(&list).await?;
        for entry in &page.entries {
            match format {
                Format::Jsonl => printer.line_of_json(entry)?,
                Format::Csv => printer.text(&write_row(cells(entry)))?,
            }
        }
        before = page.next;
        if before.is_none() {
            return Ok(());
        }
    }
}

fn describe(log: &AuditLog) -> String {
    if log.entries.is_empty() {
        return "Nothing is on record.".to_owned();
    }
    columns(&log.entries.iter().map(row).collect::<Vec<_>>())
}

fn row(entry: &AuditEntry) -> Vec<String> {
    let who = match (&entry.account, entry.way) {
        (Some(account), Way::Nobody) => format!("as {account}"),
        (Some(account), _) => account.to_string(),
        (None, way) => way.code().to_owned(),
    };
    let by = match (&entry.by, &entry.peer) {
        (Some(by), Some(peer)) => format!("by {by} from {peer}"),
        (None, Some(peer)) => format!("from {peer}"),
        (Some(by), None) => format!("by {by}"),
        (None, None) => String::new(),
    };
    let outcome = match &entry.outcome {
        None => "not known: the relay ended meanwhile".to_owned(),
        Some(outcome) if entry.times > 1 => format!("{outcome}, {} times", entry.times),
        Some(outcome) => outcome.clone(),
    };
    vec![
        entry.at.to_string(),
        who,
        entry.action.clone(),
        tell_fields(&entry.fields),
        outcome,
        by,
    ]
}

fn tell_fields(fields: &Map<String, Value>) -> String {
    let told = fields.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        value => format!("{name}={value}"),
    });
    told.collect::<Vec<_>>().join(" ")
}

fn cells(entry: &AuditEntry) -> [String; 13] {
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    [
        entry.at.to_string(),
        entry.action.clone(),
        entry.way.code().to_owned(),
        or_empty(entry.by.clone()),
        or_empty(entry.account_id.as_ref().map(ToString::to_string)),
        or_empty(entry.account.as_ref().map(ToString::to_string)),
        or_empty(entry.peer.clone()),
        or_empty(entry.browser.clone()),
        entry.request_id.to_string(),
        Value::from(entry.fields.clone()).to_string(),
        or_empty(entry.outcome.clone()),
        entry.times.to_string(),
        or_empty(entry.ended_at.map(|at| at.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use protocol::id::RequestId;
    use serde_json::json;

    use super::*;

    fn entry() -> AuditEntry {
        let Value::Object(fields) = json!({ "account_id": "acc_2", "role": "client" }) else {
            panic!("no object")
        };
        AuditEntry {
            at: Timestamp::from_ms(0),
            action: "updateAccount".to_owned(),
            way: Way::Session,
            by: Some("ses_1".to_owned()),
            account_id: Some(AccountId::new("acc_1")),
            account: Some("jane".parse().unwrap()),
            peer: Some("192.0.2.7".to_owned()),
            browser: Some("=HYPERLINK(\"x\")".to_owned()),
            request_id: RequestId::new("req_1"),
            fields,
            outcome: Some("done".to_owned()),
            times: 1,
            ended_at: Some(Timestamp::from_ms(5)),
        }
    }

    #[test]
    fn a_since_is_a_date_or_an_instant() {
        let day = Timestamp::from_str("2026-11-30T00:00:00Z").unwrap();
        for text in ["2026-11-30", " 2026-11-30T00:00:00Z "] {
            assert_eq!(parse_since(text), Ok(day), "{text}");
        }
        for text in ["yesterday", "2026-13-01", ""] {
            let error = parse_since(text).unwrap_err();
            assert!(error.contains("expected a date"), "{error}");
        }
    }

    #[test]
    fn an_entry_is_told_in_a_line_and_in_a_table() {
        let line = row(&entry()).join(" | ");
        assert_eq!(
            line,
            "1970-01-01T00:00:00.000Z | jane | updateAccount | account_id=acc_2 role=client | done | \
             by ses_1 from 192.0.2.7"
        );
        let open = AuditEntry {
            outcome: None,
            ..entry()
        };
        assert!(row(&open)[4].starts_with("not known"));
        // Another program reads it.
        let table = write_row(cells(&entry()));
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(table.as_bytes());
        let read = reader.records().next().unwrap().unwrap();
        assert_eq!(read.len(), HEAD.len());
        assert_eq!(&read[7], "'=HYPERLINK(\"x\")");
        assert_eq!(&read[9], "{\"account_id\":\"acc_2\",\"role\":\"client\"}");
    }
}
