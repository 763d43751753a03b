//! A campaign's leads: what is wrong with a list is told at once, and either all of it is added or what can be used.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use encoding_rs::Encoding;
use protocol::campaign::Step;
use protocol::id::LeadId;
use protocol::inbox::Address;
use protocol::problem::{Code, ListProblem, Problem, Unusable as Rows, UnusableRow};
use protocol::request::campaign::{ImportLeads, ImportedLeads, UnusableRows};
use protocol::sender::Sender;

use super::campaign::check_markers;
use super::{Context, Serve, ServeError};
use crate::record::NewLead;
use crate::store::lead::{ImportError, List};
use crate::store::person::Suppressions;
use crate::text::field;
use crate::text::leads::{
    ADDRESS_COLUMN, Fault, LeadList, LeadsError, Unusable, find_encoding, find_garbled, key_of,
    parse, show_hidden,
};
use crate::text::message::MessageError;
use crate::text::sequence::{Recipient, Sequence};
use crate::text::template::TemplateError;

/// How many rows are told with all that is known of them.
const TOLD_ROWS_MAX: usize = 100;

/// How many of them the words name.
const NAMED_ROWS_MAX: usize = 20;

/// How much of a cell is told.
const SHOWN_CHARS_MAX: usize = 80;

impl Serve for ImportLeads {
    async fn prepare(&self, context: &mut Context) -> Result<(), ServeError> {
        // Nobody sends a list for a campaign that is not there.
        context
            .app()?
            .store
            .load_campaign(&self.campaign_id)
            .await?;
        Ok(())
    }

    async fn serve(self, context: Context) -> Result<ImportedLeads, ServeError> {
        let app = context.app()?;
        let store = &app.store;
        // A long list may have been on its way for hours.
        let campaign = store.load_campaign(&self.campaign_id).await?;
        let encoding = self.encoding.as_deref().map(find_told).transpose()?;
        let given = Given {
            known: store.list_addresses(&self.campaign_id).await?,
            suppressed: store.load_suppressions().await?,
            encoding,
        };
        let csv = context.csv.clone();
        // Reading a long list would keep other requests waiting.
        let read = tokio::task::spawn_blocking(move || {
            let list = read(&csv, &campaign.steps, &given)?;
            let takes_out = given.keys().any(|key| list.refused.contains_key(&key));
            Ok::<_, ServeError>((list, takes_out))
        });
        let (mut list, takes_out) = read.await.map_err(ServeError::internal)??;
        let is_known = list.n_already > 0;
        if list.leads.is_empty() && list.n_left_out > 0 && !takes_out && !is_known {
            list.n_unusable += std::mem::take(&mut list.n_left_out);
            list.unusable.append(&mut list.left_out);
            list.unusable.sort_by_key(|unusable| unusable.row);
        }
        let rows = tell_rows(list.n_unusable, &list.unusable);
        let is_refused = self.unusable_rows == UnusableRows::Refuse
            || list.leads.is_empty() && !takes_out && !is_known;
        if !rows.is_none() && is_refused {
            return Err(refuse(&list, rows));
        }
        let given = List {
            leads: &list.leads,
            refused: Some(&list.refused),
        };
        let imported = store.import_leads(&self.campaign_id, given);
        let imported = match imported.await {
            Ok(imported) => imported,
            // Somebody else added it a moment ago.
            Err(error @ ImportError::Known { row, .. }) => {
                let detail = format!("row {row}: {error}");
                let problem = Problem::new(Code::Invalid, detail).at_field(ADDRESS_COLUMN);
                return Err(problem.at_row(row).into());
            }
            Err(ImportError::Store(error)) => return Err(error.into()),
        };
        if imported.is_started {
            for inbox in &campaign.inboxes {
                app.bell.wake_inbox(inbox);
            }
            // Everybody in it may have been left out.
            app.bell.tell();
        }
        Ok(ImportedLeads {
            added: imported.n_added,
            already: list.n_already,
            started: imported.is_started,
            columns: list.columns,
            address_column: list.form.address_column,
            encoding: list.form.encoding.to_owned(),
            delimiter: list.form.delimiter.to_string(),
            header_row: list.form.header_row,
            passed_over: list.form.n_passed_over,
            skipped: rows,
            left_out: tell_rows(list.n_left_out, &list.left_out),
            taken_out: imported.n_taken_out,
        })
    }
}

/// What is known before a list is read.
#[derive(Debug, Default)]
struct Given {
    /// The addresses of the campaign's leads.
    known: Vec<String>,
    /// Who is not written to, and why.
    suppressed: Suppressions,
    /// The encoding, where it was told.
    encoding: Option<&'static Encoding>,
}

impl Given {
    /// The people whom the campaign has.
    fn keys(&self) -> impl Iterator<Item = String> {
        let addresses = self.known.iter();
        let addresses = addresses.filter_map(|address| address.parse::<Address>().ok());
        addresses.map(|address| key_of(&address))
    }
}

/// The encoding that a person told.
fn find_told(label: &str) -> Result<&'static Encoding, ServeError> {
    find_encoding(label).ok_or_else(|| {
        let detail = format!(
            "expected the name of an encoding, as in utf-8, windows-1251, windows-1254, gbk or iso-8859-2, found {label:?}"
        );
        Problem::new(Code::Invalid, detail).at_field("encoding").into()
    })
}

/// The steps of a campaign; what cannot be read was refused when it was made.
pub(super) fn read_steps(steps: &[Step]) -> Result<Sequence, ServeError> {
    let read = Sequence::parse(steps);
    Ok(read.map_err(|error| Problem::new(Code::Conflict, error.to_string()))?)
}

/// The list, every row of it that a message cannot be made for among the unusable ones.
fn read(csv: &[u8], steps: &[Step], given: &Given) -> Result<LeadList, ServeError> {
    let mut list = parse(csv, given.encoding).map_err(|error| told(&error))?;
    let sequence = read_steps(steps)?;
    check_columns(&sequence, &list)?;
    check_markers(steps, &list.columns)?;
    let named = named_columns(&sequence, &list.columns);
    let keys: HashSet<String> = given.keys().collect();
    let column = Some(list.form.address_column.clone());
    list.judge(|lead| {
        let address = || lead.address.clone();
        if let Some(why) = given.suppressed.find(&lead.address) {
            let address = address();
            return Some((column.clone(), Fault::Suppressed { address, why }));
        }
        if keys.contains(&key_of(&lead.address)) {
            let address = address();
            return Some((column.clone(), Fault::Known { address }));
        }
        find_fault(&sequence, &named, lead)
    });
    Ok(list)
}

/// Every field is one column.
fn check_columns(sequence: &Sequence, list: &LeadList) -> Result<(), ServeError> {
    let columns = empty_fields(&list.columns);
    let row = list.form.header_row.unwrap_or(1);
    for name in sequence.names() {
        let Some((column, _)) = field::find(&columns, name) else {
            let found = list.columns.join(", ");
            let mut detail = format!(
                "the messages name {{{{{name}}}}}, and the file has no such column: found {found}"
            );
            if list.form.header_row.is_none() {
                detail.push_str(
                    "; the first row is a lead: put a row with the names of the columns above it",
                );
            }
            return Err(Problem::new(Code::Invalid, detail)
                .at_field(name)
                .at_row(row)
                .into());
        };
        if list.doubled.iter().any(|doubled| doubled == column) {
            let detail = format!(
                "the messages name {{{{{name}}}}}, and several columns are named {column:?}: give each a name of its own"
            );
            return Err(Problem::new(Code::Invalid, detail)
                .at_field(name)
                .at_row(row)
                .into());
        }
    }
    Ok(())
}

fn empty_fields(columns: &[String]) -> BTreeMap<String, String> {
    columns
        .iter()
        .map(|name| (name.clone(), String::new()))
        .collect()
}

/// The columns that messages name.
pub(super) fn named_columns(sequence: &Sequence, columns: &[String]) -> Vec<String> {
    let columns = empty_fields(columns);
    let mut named: Vec<String> = sequence
        .names()
        .into_iter()
        .filter_map(|name| field::find(&columns, name))
        .map(|(column, _)| column.to_owned())
        .collect();
    named.sort();
    named.dedup();
    named
}

/// Every message must be one for every lead: found now, not at the hundredth.
pub(super) fn find_fault(
    sequence: &Sequence,
    named: &[String],
    lead: &NewLead,
) -> Option<(Option<String>, Fault)> {
    for column in named {
        let cell = lead.fields.get(column).map(String::as_str);
        if let Some(cell) = cell.filter(|cell| field::find_hidden(cell).is_some()) {
            let found = show_hidden(cell);
            return Some((Some(column.clone()), Fault::Hidden { found }));
        }
        if let Some(found) = lead.fields.get(column).and_then(|cell| find_garbled(cell)) {
            let found = found.chars().take(SHOWN_CHARS_MAX).collect();
            return Some((Some(column.clone()), Fault::Garbled { found }));
        }
    }
    let fields = Arc::new(lead.fields.clone());
    // It has no id yet, so alternatives may be others; every one of them is filled.
    let id = LeadId::new("");
    for step_idx in 0..sequence.len() {
        let to = Recipient {
            id: &id,
            fields: &fields,
        };
        let filled = sequence.check_subject(step_idx, to);
        match filled.and_then(|()| sequence.fill(step_idx, to, &Sender::default())) {
            Ok(_) => {}
            Err(MessageError::Template(TemplateError::Missing { field })) => {
                return Some(lacking(field, lead));
            }
            Err(MessageError::Template(error)) => {
                let words = format!("step {}: {error}", step_idx + 1);
                return Some((None, Fault::Unfit { words }));
            }
            Err(error) => {
                let words = format!("{error} once its cells stand in it");
                return Some((None, Fault::Subject { words }));
            }
        }
    }
    None
}

fn lacking(field: String, lead: &NewLead) -> (Option<String>, Fault) {
    let cell = field::find(&lead.fields, &field);
    let column = cell.map(|(column, _)| column.to_owned());
    let found = cell.map_or("", |(_, found)| found.trim());
    let found = found.chars().take(SHOWN_CHARS_MAX).collect();
    (column, Fault::Empty { field, found })
}

/// What is told of rows of which no leads are made, `total` of them.
fn tell_rows(total: u64, unusable: &[Unusable]) -> Rows {
    let rows = unusable.iter().take(TOLD_ROWS_MAX).map(|unusable| {
        let (expected, found, remedy) = unusable.tell();
        UnusableRow {
            row: unusable.row,
            column: unusable.column.clone(),
            expected,
            found,
            remedy,
        }
    });
    Rows {
        total,
        rows: rows.collect(),
    }
}

/// The refusal of a list for its rows, all of them at once.
fn refuse(list: &LeadList, rows: Rows) -> ServeError {
    let named: Vec<String> = list
        .unusable
        .iter()
        .take(NAMED_ROWS_MAX)
        .map(ToString::to_string)
        .collect();
    let first = list.unusable.first();
    let detail = if let [only] = named.as_slice() {
        only.clone()
    } else {
        let total = rows.total;
        let mut detail = format!("{total} rows cannot be used: {}. ", named.join(". "));
        let more = total.saturating_sub(named.len() as u64);
        if more > 0 {
            let _ = write!(detail, "And {more} more. ");
        }
        detail
    };
    let detail = match list.leads.len() {
        0 => detail,
        n if detail.ends_with(' ') => format!(
            "{detail}Nothing was added; to add the other {n} leave these out (--skip-unusable)"
        ),
        _ => format!("{detail}, or leave it out (--skip-unusable)"),
    };
    let mut problem = Problem::new(Code::Invalid, detail.trim_end());
    problem.row = first.map(|unusable| unusable.row);
    problem.field = first.and_then(|unusable| unusable.column.clone());
    ServeError::List(Box::new(ListProblem {
        problem,
        unusable: rows,
    }))
}

fn told(error: &LeadsError) -> ServeError {
    let mut problem = Problem::new(Code::Invalid, error.to_string());
    problem.row = error.row();
    if matches!(
        error,
        LeadsError::NoAddressColumn { .. }
            | LeadsError::NotTheLeads { .. }
            | LeadsError::Ambiguous { .. }
    ) {
        problem.field = Some(ADDRESS_COLUMN.to_owned());
    }
    problem.into()
}

#[cfg(test)]
mod tests {
    use protocol::delivery::Suppression;

    use super::*;

    fn step(subject: &str, body: &str) -> Step {
        Step {
            subject: subject.to_owned(),
            body: body.to_owned(),
            wait_ms: 0,
            ..Step::default()
        }
    }

    fn given(known: &[String]) -> Given {
        Given {
            known: known.to_vec(),
            ..Given::default()
        }
    }

    fn refused<T: std::fmt::Debug>(result: Result<T, ServeError>) -> Problem {
        match result {
            Err(ServeError::Refused(problem)) => *problem,
            other => panic!("{other:?}"),
        }
    }

    /// What is wrong with each row.
    fn faults(list: &LeadList) -> Vec<(u64, Option<&str>, &Fault)> {
        let faults = list.unusable.iter();
        faults
            .map(|unusable| (unusable.row, unusable.column.as_deref(), &unusable.fault))
            .collect()
    }

    #[test]
    fn all_rows_for_which_there_is_no_message_are_found_at_once() {
        let steps = [
            step("Hi {{Name}}", "x"),
            step("", "{{city | default: \"here\"}} {{Name}}"),
        ];
        let long = "x".repeat(1_000);
        let csv = format!(
            "email,name,city\na@a.example,Ann,\nb@b.example,,Ulm\nnobody,Cy,Ulm\nKnown@k.example,Di,Ulm\ne@e.example,J\u{FFFD}rg,Ulm\nf@f.example,{long},Ulm\na@A.example,Ann,\n"
        );
        let known = ["known@k.example".to_owned()];
        let list = read(csv.as_bytes(), &steps, &given(&known)).unwrap();
        assert_eq!(list.leads.len(), 1);
        // Whom the campaign has already is no fault of the list's.
        assert_eq!((list.n_unusable, list.n_already), (5, 1));
        let rows: Vec<(u64, Option<&str>)> = faults(&list)
            .into_iter()
            .map(|(row, column, _)| (row, column))
            .collect();
        assert_eq!(
            rows,
            [
                (3, Some("name")),
                (4, Some("email")),
                (6, Some("name")),
                (7, None),
                (8, Some("email"))
            ]
        );
        let ServeError::List(refusal) = refuse(&list, tell_rows(list.n_unusable, &list.unusable))
        else {
            panic!("no list")
        };
        let detail = &refusal.problem.detail;
        for row in [3, 4, 6, 7, 8] {
            assert!(detail.contains(&format!("row {row}: ")), "{detail}");
        }
        assert!(
            !detail.contains("row 2: ") && detail.contains("--skip-unusable"),
            "{detail}"
        );
        assert_eq!(
            (refusal.unusable.total, refusal.unusable.rows.len()),
            (5, 5)
        );
        assert_eq!(refusal.problem.row, Some(3));
    }

    #[test]
    fn a_row_that_cannot_be_used_takes_no_address_from_one_that_can() {
        let csv = "email,name\nann@a.example,none\nann@a.example,Ann\nann@a.example,An\n";
        let list = read(
            csv.as_bytes(),
            &[step("Hi {{name}}", "x")],
            &Given::default(),
        )
        .unwrap();
        let kept: Vec<u64> = list.leads.iter().map(|lead| lead.row).collect();
        assert_eq!(kept, [3]);
        assert!(
            matches!(faults(&list).as_slice(), [
                (2, Some("name"), Fault::Empty { found, .. }),
                (4, Some("email"), Fault::Duplicate { first: 3, .. }),
            ] if found == "none"),
            "{:?}",
            list.unusable
        );
    }

    #[test]
    fn what_nobody_sees_is_refused_with_row_and_column_in_fields_subjects_and_addresses() {
        let csv = "email,name,note\nann@a.example,A\u{202E}nn,x\nb\u{2066}ob@b.example,Bob,x\ncy@c.example,C\u{7}y,x\ndi@d.example,Di,\u{202E}x\n\u{202A}eve@e.example\u{202C},\u{202A}Eve\u{202C},x\nfay@f.example,\"Fay\nB\",x\n";
        let list = read(
            csv.as_bytes(),
            &[step("Hi {{name}}", "x")],
            &Given::default(),
        )
        .unwrap();
        let kept: Vec<&str> = list
            .leads
            .iter()
            .map(|lead| lead.address.as_str())
            .collect();
        assert_eq!(kept, ["di@d.example", "eve@e.example"]);
        let told: Vec<String> = list.unusable.iter().map(ToString::to_string).collect();
        let columns: Vec<_> = faults(&list)
            .into_iter()
            .map(|(row, column, _)| (row, column))
            .collect();
        assert_eq!(
            columns,
            [
                (2, Some("name")),
                (3, Some("email")),
                (4, Some("name")),
                (7, None)
            ],
            "{told:?}"
        );
        assert!(
            told[0].contains("A\\u{202e}nn")
                && told[1].contains("b\\u{2066}ob")
                && told[3].contains("\\u{a}"),
            "{told:?}"
        );
    }

    #[test]
    fn who_is_on_the_list_of_those_not_written_to_is_left_out() {
        let csv = "email\nann@a.example\nBob@b.example\ncy@c.example\n".as_bytes();
        let suppressed = Suppressions::of([
            ("bob@b.example", Suppression::Complained),
            ("c.example", Suppression::Person),
        ]);
        let given = Given {
            suppressed,
            ..Given::default()
        };
        let list = read(csv, &[step("Hi", "x")], &given).unwrap();
        let rows: Vec<u64> = list.left_out.iter().map(|row| row.row).collect();
        assert_eq!(
            (rows, list.leads.len(), list.n_left_out, list.n_unusable),
            (vec![3, 4], 1, 2, 0)
        );
        assert!(list.left_out[0].to_string().contains("(complained)"));
    }

    #[test]
    fn an_address_of_the_campaign_is_known_in_every_form_of_its_domain() {
        let csv = "email\ninfo@müller.example\nann@a.example\n".as_bytes();
        for known in ["info@xn--mller-kva.example", "INFO@MÜLLER.example"] {
            let list = read(csv, &[step("Hi", "x")], &given(&[known.to_owned()])).unwrap();
            assert_eq!((list.n_already, list.leads.len()), (1, 1), "{known}");
            assert!(list.unusable.is_empty(), "{known}");
        }
    }

    #[test]
    fn a_field_without_a_column_or_with_two_is_refused_with_the_columns() {
        let read =
            |body: &str, csv: &str| read(csv.as_bytes(), &[step("Hi", body)], &Given::default());
        let problem = refused(read(
            "{{city | default: \"here\"}}",
            "\nemail,name\na@a.example,Ann\n",
        ));
        assert_eq!(
            (problem.field.as_deref(), problem.row),
            (Some("city"), Some(2))
        );
        assert!(
            problem.detail.ends_with("found email, name"),
            "{}",
            problem.detail
        );
        let problem = refused(read("{{name}}", "email,Name,Name\na@a.example,Ann,A\n"));
        assert!(
            problem
                .detail
                .contains("several columns are named \"name\""),
            "{}",
            problem.detail
        );
        assert!(read("x", "email,Name,Name\na@a.example,Ann,A\n").is_ok());
        let problem = refused(read("{{name}}", "a@a.example,Ann\n"));
        assert!(
            problem.detail.contains("the first row is a lead"),
            "{}",
            problem.detail
        );
        let problem = refused(read("about [Topic]", "email,topic\na@a.example,Ann\n"));
        assert_eq!(problem.field.as_deref(), Some("steps[0].body"));
        assert!(
            problem.detail.contains("write {{topic}}"),
            "{}",
            problem.detail
        );
    }
}
