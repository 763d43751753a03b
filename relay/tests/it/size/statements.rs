//! The statements that the store gives to the database, as sqlx tells them, and what SQLite makes of each.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use sqlx::{AnyConnection, Connection as _, Row as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// Tables with a row for each lead, each message, each try or each of its kind in the past.
const LARGE: &[&str] = &[
    "accepting_domains",
    "attempts",
    "canaries",
    "deliveries",
    "leads",
    "receipt_lines",
    "receipts",
    "reconnects",
    "transitions",
];

/// Partial indexes that hold what is under way, what was put off, or what was never carried over, and nothing else: going
/// through one of them goes through that alone.
const SMALL: &[&str] = &[
    "deliveries_attempting",
    "deliveries_attempting_to",
    "deliveries_resting",
    "deliveries_resting_by_life",
    "receipts_old",
    "reconnects_one_open",
];

/// Indexes of which only an end is read, or that hold what is open and nothing else: with them it is no matter that
/// only the inbox is asked for.
const BOUNDED: &[&str] = &[
    "deliveries_attempting",
    "deliveries_claims",
    "deliveries_in_doubt",
    "deliveries_open_doubts",
    "deliveries_resting",
    "deliveries_resting_by_life",
];

/// Every statement since the last look, in order; those that are no statement of the store's are not told by sqlx.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statements(Arc<Mutex<Vec<String>>>);

/// The one collection of this process.
static ALL: OnceLock<Statements> = OnceLock::new();

impl Statements {
    /// Collects from here on.
    pub(crate) fn collect() -> Self {
        let all = ALL.get_or_init(|| {
            let statements = Self::default();
            let layer = statements.clone().with_filter(LevelFilter::DEBUG);
            let subscriber = tracing_subscriber::registry().with(layer);
            tracing::subscriber::set_global_default(subscriber).unwrap();
            statements
        });
        all.take();
        all.clone()
    }

    /// Those since the last look.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != "sqlx::query" {
            return;
        }
        let mut told = Told::default();
        event.record(&mut told);
        let text = if told.statement.trim().is_empty() {
            told.summary
        } else {
            told.statement
        };
        self.0.lock().unwrap().push(text.trim().to_owned());
    }
}

#[derive(Default)]
struct Told {
    summary: String,
    statement: String,
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.statement),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// What is wrong with the plan of a statement, as SQLite's planner tells it; nothing where it is only searched.
pub(crate) async fn find_faults(database: &Path, statements: &[String]) -> Vec<String> {
    let url = format!("sqlite://{}", database.display());
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let mut faults = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for statement in statements {
        let is_of_data = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"]
            .iter()
            .any(|word| statement.starts_with(word));
        if !is_of_data || !seen.insert(statement) {
            continue;
        }
        let names = list_names(statement);
        let is_large = names.values().any(|table| LARGE.contains(&table.as_str()));
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(explain))
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{error}: {statement}"));
        for row in rows {
            let step: String = row.get("detail");
            let scanned = step
                .strip_prefix("SCAN ")
                .map(|rest| rest.split(' ').next().unwrap_or_default());
            let is_small = SMALL.iter().any(|index| step.ends_with(index));
            let scans = scanned
                .filter(|_| !is_small)
                .and_then(|name| names.get(name))
                .is_some_and(|table| LARGE.contains(&table.as_str()));
            // All that an inbox sent, or all of a campaign, is as much as the list.
            let goes_through_all = (step.ends_with("(inbox_id=?)")
                || step.ends_with("(campaign_id=?)"))
                && step
                    .split(' ')
                    .nth(1)
                    .and_then(|name| names.get(name))
                    .is_some_and(|table| matches!(table.as_str(), "deliveries" | "leads"))
                && !BOUNDED
                    .iter()
                    .any(|index| step.contains(&format!("{index} ")));
            if scans || goes_through_all || (is_large && step.starts_with("USE TEMP B-TREE")) {
                faults.push(format!("{step}\n    in {statement}"));
            }
        }
    }
    connection.close().await.unwrap();
    faults
}

/// The tables of a statement, by the names that stand for them.
fn list_names(statement: &str) -> BTreeMap<String, String> {
    let words: Vec<_> = statement
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','))
        .filter(|word| !word.is_empty())
        .collect();
    let mut names = BTreeMap::new();
    for (idx, word) in words.iter().enumerate() {
        if !matches!(*word, "FROM" | "JOIN" | "UPDATE" | "INTO") {
            continue;
        }
        let Some(table) = words.get(idx + 1) else {
            continue;
        };
        names.insert((*table).to_owned(), (*table).to_owned());
        if let Some(alias) = words.get(idx + 2)
            && alias.chars().all(|c| c.is_ascii_lowercase())
        {
            names.insert((*alias).to_owned(), (*table).to_owned());
        }
    }
    names
}
