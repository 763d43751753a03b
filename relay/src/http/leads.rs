//! A campaign's leads: what is wrong with a list is told at once, and either all of it is added or what can be used.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use protocol::campaign::Step;
use protocol::inbox::Address;
use protocol::problem::{Code, ListProblem, Problem, Unusable as Rows, UnusableRow};
use protocol::request::campaign::{ImportLeads, ImportedLeads, UnusableRows};

use super::campaign::check_markers;
use super::{Context, Serve, ServeError};
use crate::record::NewLead;
use crate::store::lead::ImportError;
use crate::text::field;
use crate::text::leads::{
    ADDRESS_COLUMN, Fault, LeadList, LeadsError, Unusable, find_garbled, key_of, parse,
};
use crate::text::message::check_subject;
use crate::text::template::{Field, TemplateError, parse_fields, render};

/// How many rows are told with all that is known of them.
const TOLD_ROWS_MAX: usize = 100;

/// How many of them the words name.
const NAMED_ROWS_MAX: usize = 20;

/// How much of a cell is told.
const SHOWN_CHARS_MAX: usize = 80;

impl Serve for ImportLeads {
    async fn serve(self, context: Context) -> Result<ImportedLeads, ServeError> {
        let store = &context.app().store;
        let campaign = store.load_campaign(&self.campaign_id).await?;
        let known = store.list_addresses(&self.campaign_id).await?;
        let csv = context.csv.clone();
        // Reading a long list would keep other requests waiting.
        let read = tokio::task::spawn_blocking(move || read(&csv, &campaign.steps, &known));
        let list = read.await.map_err(ServeError::internal)??;
        let rows = tell_rows(&list);
        let is_refused = self.unusable_rows == UnusableRows::Refuse || list.leads.is_empty();
        if !rows.is_none() && is_refused {
            return Err(refuse(&list, rows));
        }
        let added = match store.import_leads(&self.campaign_id, &list.leads).await {
            Ok(added) => added,
            // Somebody else added it a moment ago.
            Err(error @ ImportError::Known { row, .. }) => {
                let detail = format!("row {row}: {error}");
                let problem = Problem::new(Code::Invalid, detail).at_field(ADDRESS_COLUMN);
                return Err(problem.at_row(row).into());
            }
            Err(ImportError::Store(error)) => return Err(error.into()),
        };
        Ok(ImportedLeads {
            added,
            columns: list.columns,
            address_column: list.form.address_column,
            encoding: list.form.encoding.to_owned(),
            delimiter: list.form.delimiter.to_string(),
            header_row: list.form.header_row,
            passed_over: list.form.n_passed_over,
            skipped: rows,
        })
    }
}

/// The list, every row of it that a message cannot be made for among the unusable ones.
fn read(csv: &[u8], steps: &[Step], known: &[String]) -> Result<LeadList, ServeError> {
    let mut list = parse(csv).map_err(|error| told(&error))?;
    check_columns(steps, &list)?;
    check_markers(steps, &list.columns)?;
    let named = named_columns(steps, &list.columns);
    let keys: HashSet<String> = known
        .iter()
        .filter_map(|address| address.parse::<Address>().ok())
        .map(|address| key_of(&address))
        .collect();
    let address_column = list.form.address_column.clone();
    let leads = std::mem::take(&mut list.leads);
    for lead in leads {
        let fault = if keys.contains(&key_of(&lead.address)) {
            Some((
                Some(address_column.clone()),
                Fault::Known {
                    address: lead.address.clone(),
                },
            ))
        } else {
            find_fault(steps, &named, &lead)
        };
        match fault {
            None => list.leads.push(lead),
            Some((column, fault)) => {
                list.n_unusable += 1;
                list.unusable.push(Unusable {
                    row: lead.row,
                    column,
                    fault,
                });
            }
        }
    }
    list.unusable.sort_by_key(|unusable| unusable.row);
    Ok(list)
}

/// The fields that the messages name, at their place.
fn fields_of(steps: &[Step]) -> impl Iterator<Item = Field<'_>> {
    let templates = steps.iter().flat_map(|step| [&step.subject, &step.body]);
    // What cannot be read was refused when the campaign was made.
    templates.flat_map(|template| parse_fields(template).unwrap_or_default())
}

/// Every field is one column.
fn check_columns(steps: &[Step], list: &LeadList) -> Result<(), ServeError> {
    let columns = empty_fields(&list.columns);
    let row = list.form.header_row.unwrap_or(1);
    for Field { name, .. } in fields_of(steps) {
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
fn named_columns(steps: &[Step], columns: &[String]) -> Vec<String> {
    let columns = empty_fields(columns);
    let mut named: Vec<String> = fields_of(steps)
        .filter_map(|field| field::find(&columns, field.name))
        .map(|(column, _)| column.to_owned())
        .collect();
    named.sort();
    named.dedup();
    named
}

/// Every message must be one for every lead: found now, not at the hundredth.
fn find_fault(steps: &[Step], named: &[String], lead: &NewLead) -> Option<(Option<String>, Fault)> {
    for column in named {
        if let Some(found) = lead.fields.get(column).and_then(|cell| find_garbled(cell)) {
            let found = found.chars().take(SHOWN_CHARS_MAX).collect();
            return Some((Some(column.clone()), Fault::Garbled { found }));
        }
    }
    for step in steps {
        let subject = match render(&step.subject, &lead.fields) {
            Ok(subject) => subject,
            Err(error) => return Some(lacking(&error, lead)),
        };
        if let Err(error) = check_subject(&subject) {
            let words = format!("{error} once its cells stand in it");
            return Some((None, Fault::Subject { words }));
        }
        if let Err(error) = render(&step.body, &lead.fields) {
            return Some(lacking(&error, lead));
        }
    }
    None
}

fn lacking(error: &TemplateError, lead: &NewLead) -> (Option<String>, Fault) {
    let field = match error {
        TemplateError::Missing { field } => field.clone(),
        // Refused when the campaign was made.
        TemplateError::Unclosed { near } => near.clone(),
        TemplateError::NoField { found, .. } => found.clone(),
    };
    let cell = field::find(&lead.fields, &field);
    let column = cell.map(|(column, _)| column.to_owned());
    let found = cell.map_or("", |(_, found)| found.trim());
    let found = found.chars().take(SHOWN_CHARS_MAX).collect();
    (column, Fault::Empty { field, found })
}

/// What is told of the rows that cannot be used.
fn tell_rows(list: &LeadList) -> Rows {
    let rows = list.unusable.iter().take(TOLD_ROWS_MAX).map(|unusable| {
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
        total: list.n_unusable,
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
    use super::*;

    fn step(subject: &str, body: &str) -> Step {
        Step {
            subject: subject.to_owned(),
            body: body.to_owned(),
            wait_ms: 0,
            literal: false,
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
        let list = read(csv.as_bytes(), &steps, &known).unwrap();
        assert_eq!(list.leads.len(), 1);
        assert_eq!(list.n_unusable, 6);
        let rows: Vec<(u64, Option<&str>)> = faults(&list)
            .into_iter()
            .map(|(row, column, _)| (row, column))
            .collect();
        assert_eq!(
            rows,
            [
                (3, Some("name")),
                (4, Some("email")),
                (5, Some("email")),
                (6, Some("name")),
                (7, None),
                (8, Some("email"))
            ]
        );
        let ServeError::List(refusal) = refuse(&list, tell_rows(&list)) else {
            panic!("no list")
        };
        let detail = &refusal.problem.detail;
        for row in 3..=8 {
            assert!(detail.contains(&format!("row {row}: ")), "{detail}");
        }
        assert!(
            !detail.contains("row 2: ") && detail.contains("--skip-unusable"),
            "{detail}"
        );
        assert_eq!(
            (refusal.unusable.total, refusal.unusable.rows.len()),
            (6, 6)
        );
        assert_eq!(refusal.problem.row, Some(3));
    }

    #[test]
    fn an_address_of_the_campaign_is_known_in_every_form_of_its_domain() {
        let csv = "email\ninfo@müller.example\nann@a.example\n".as_bytes();
        for known in ["info@xn--mller-kva.example", "INFO@MÜLLER.example"] {
            let list = read(csv, &[step("Hi", "x")], &[known.to_owned()]).unwrap();
            let rows: Vec<u64> = faults(&list).into_iter().map(|(row, ..)| row).collect();
            assert_eq!((rows, list.leads.len()), (vec![2], 1), "{known}");
        }
    }

    #[test]
    fn a_field_without_a_column_or_with_two_is_refused_with_the_columns() {
        let read = |body: &str, csv: &str| read(csv.as_bytes(), &[step("Hi", body)], &[]);
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
