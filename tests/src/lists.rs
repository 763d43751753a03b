//! What the relay's statements cost on a list of 1,000, 10,000 and 100,000 leads, on the real store and its real
//! file: nothing may grow with the list, and what goes over the list may grow with it alone. Times are compared
//! within one run only.

mod ground;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use ground::Ground;

use crate::clock::Stopwatch;

/// Leads of the lists, the first of which the others are compared with.
pub const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// By how much a larger list may cost more than the first.
const AT_MOST: f64 = 1.3;
/// How often what is short is measured; the lower decile counts.
const ROUNDS: usize = 101;
/// How often a list is begun; the shortest counts.
const BEGINNINGS: usize = 3;
const RECEIPT_PAGES: &str = "receipt's pages";
/// What goes over the list.
const PER_LEAD: [&str; 4] = ["import", "start", "pages of deliveries", RECEIPT_PAGES];

/// What something costs on a list of each size.
#[derive(Clone, Debug)]
struct Row {
    name: &'static str,
    /// Microseconds: of one, or of one lead.
    costs_us: Vec<f64>,
    is_per_lead: bool,
}

/// Everything that was measured.
#[derive(Debug)]
pub struct Measured {
    sizes: Vec<u32>,
    rows: Vec<Row>,
}

/// Measures on lists of these sizes, in turns: what else the machine does meanwhile it does to all of them.
pub async fn measure(sizes: &[u32]) -> Result<Measured> {
    let mut times = Times::default();
    let mut grounds = Vec::new();
    for _ in 0..BEGINNINGS {
        grounds.clear();
        for n_leads in sizes {
            grounds.push(begin(*n_leads, &mut times).await?);
        }
    }
    for _ in 0..ROUNDS {
        for ground in &mut grounds {
            send(ground, &mut times).await?;
        }
    }
    for _ in 0..ROUNDS / 2 {
        for (n_leads, ground) in &mut grounds {
            let took = ground.time_control().await?;
            times.note("claim of a control", *n_leads, took);
        }
    }
    for nth in 0..ROUNDS / 2 {
        for ground in &mut grounds {
            arrive(ground, nth, &mut times).await?;
        }
    }
    for _ in 0..ROUNDS {
        for ground in &mut grounds {
            look(ground, &mut times).await?;
        }
    }
    for _ in 0..ROUNDS / 2 {
        for ground in &mut grounds {
            resume(ground, &mut times).await?;
        }
    }
    Ok(times.into_measured(sizes))
}

/// A list of so many leads and what stands on it.
type Place = (u32, Ground);

/// What was measured, by what it was and by the length of the list, in the order of the first times.
#[derive(Debug, Default)]
struct Times(Vec<(&'static str, BTreeMap<u32, Vec<Duration>>)>);

impl Times {
    fn note(&mut self, name: &'static str, n_leads: u32, took: Duration) {
        let at = self.0.iter().position(|(found, _)| *found == name);
        let at = at.unwrap_or_else(|| {
            self.0.push((name, BTreeMap::new()));
            self.0.len() - 1
        });
        if let Some((_, row)) = self.0.get_mut(at) {
            row.entry(n_leads).or_default().push(took);
        }
    }

    fn into_measured(self, sizes: &[u32]) -> Measured {
        let rows = self.0.into_iter().map(|(name, mut row)| Row {
            name,
            costs_us: sizes
                .iter()
                .map(|n_leads| row.remove(n_leads).unwrap_or_default())
                .map(|times| typical(times).as_secs_f64() * 1e6)
                .collect(),
            is_per_lead: PER_LEAD.contains(&name),
        });
        Measured {
            sizes: sizes.to_vec(),
            rows: rows.collect(),
        }
    }
}

async fn begin(n_leads: u32, times: &mut Times) -> Result<Place> {
    let per_lead = |whole: Duration| whole.div_f64(f64::from(n_leads));
    let mut ground = Ground::new().await?;
    let began = Stopwatch::begin();
    ground.import(n_leads).await?;
    times.note("import", n_leads, per_lead(began.elapsed()));
    let began = Stopwatch::begin();
    ground.start().await?;
    times.note("start", n_leads, per_lead(began.elapsed()));
    let began = Stopwatch::begin();
    ground.page_through().await?;
    times.note("pages of deliveries", n_leads, per_lead(began.elapsed()));
    Ok((n_leads, ground))
}

async fn send((n_leads, ground): &mut Place, times: &mut Times) -> Result<()> {
    ground.pass_distance();
    let began = Stopwatch::begin();
    let job = ground.claim().await?;
    times.note("claim", *n_leads, began.elapsed());
    let began = Stopwatch::begin();
    ground.accept(&job).await?;
    times.note("accepted", *n_leads, began.elapsed());
    Ok(())
}

async fn arrive((n_leads, ground): &mut Place, nth: usize, times: &mut Times) -> Result<()> {
    for (name, what) in [
        ("arrival", ground::Arrival::Ours),
        ("arrival of a stranger's", ground::Arrival::Strange),
    ] {
        let began = Stopwatch::begin();
        ground.arrive(what, nth).await?;
        times.note(name, *n_leads, began.elapsed());
    }
    Ok(())
}

async fn look((n_leads, ground): &mut Place, times: &mut Times) -> Result<()> {
    let began = Stopwatch::begin();
    ground.look().await?;
    times.note("status", *n_leads, began.elapsed());
    let began = Stopwatch::begin();
    ground.open_campaign().await?;
    times.note("campaign page", *n_leads, began.elapsed());
    let began = Stopwatch::begin();
    ground.open_last_deliveries().await?;
    times.note("its last deliveries", *n_leads, began.elapsed());
    Ok(())
}

async fn resume((n_leads, ground): &mut Place, times: &mut Times) -> Result<()> {
    ground.lose().await?;
    let began = Stopwatch::begin();
    ground.look().await?;
    times.note("status in an outage", *n_leads, began.elapsed());
    ground.adopt().await?;
    let began = Stopwatch::begin();
    let receipt = ground.resume().await?;
    times.note("resume", *n_leads, began.elapsed());
    let (n_lines, took) = ground.read_receipt(&receipt).await?;
    let per_line = took.div_f64(f64::from(n_lines.max(1)));
    times.note(RECEIPT_PAGES, *n_leads, per_line);
    let began = Stopwatch::begin();
    ground.list_receipts().await?;
    times.note("list of receipts", *n_leads, began.elapsed());
    Ok(())
}

/// The lower decile: what else the machine does is not measured.
fn typical(mut costs: Vec<Duration>) -> Duration {
    costs.sort();
    costs.get(costs.len() / 10).copied().unwrap_or_default()
}

impl Row {
    /// The highest cost beside the first list's.
    fn ratio(&self) -> f64 {
        let first = self.costs_us.first().copied().unwrap_or(1.0).max(0.1);
        self.costs_us.iter().copied().fold(0.0, f64::max) / first
    }
}

impl Measured {
    /// A line for each, for people.
    pub fn table(&self) -> String {
        let mut text = format!("{:<26}", "microseconds");
        for n_leads in &self.sizes {
            let _ = write!(text, "{n_leads:>12}");
        }
        text.push_str("   ratio\n");
        for row in &self.rows {
            let _ = write!(text, "{:<26}", row.name);
            for cost_us in &row.costs_us {
                let _ = write!(text, "{cost_us:>12.1}");
            }
            let ratio = row.ratio();
            let word = if ratio <= AT_MOST { "" } else { "  OVER" };
            let unit = if row.is_per_lead { "  per lead" } else { "" };
            let _ = writeln!(text, "  {ratio:>6.2}{unit}{word}");
        }
        text
    }

    /// All of it in one line, for programs.
    pub fn json(&self) -> serde_json::Value {
        let figures: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.name,
                    "value": (row.ratio() * 100.0).round() / 100.0,
                    "unit": "ratio",
                    "budget": AT_MOST,
                    "within": row.ratio() <= AT_MOST,
                    "per_lead": row.is_per_lead,
                    "us": row.costs_us.iter().map(|us| us.round()).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({ "bench": "lists", "leads": self.sizes, "figures": figures })
    }
}
