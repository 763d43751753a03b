//! What the relay's statements cost on a list of 1,000, 10,000 and 100,000 leads, on the real store and its real
//! file: nothing may grow with the list, and what goes over the list may grow with it alone. Times are compared
//! within one run only.

mod ground;

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

/// Measures on lists of these sizes, one after the other.
pub async fn measure(sizes: &[u32]) -> Result<Measured> {
    let mut rows: Vec<Row> = Vec::new();
    for n_leads in sizes {
        for (name, is_per_lead, cost) in measure_one(*n_leads).await? {
            let cost_us = cost.as_secs_f64() * 1e6;
            match rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row.costs_us.push(cost_us),
                None => rows.push(Row {
                    name,
                    costs_us: vec![cost_us],
                    is_per_lead,
                }),
            }
        }
    }
    Ok(Measured {
        sizes: sizes.to_vec(),
        rows,
    })
}

async fn measure_one(n_leads: u32) -> Result<Vec<(&'static str, bool, Duration)>> {
    let mut costs = Vec::new();
    let per_lead = |whole: Duration| whole.div_f64(f64::from(n_leads));
    let mut ground = Ground::new().await?;
    let began = Stopwatch::begin();
    ground.import(n_leads).await?;
    costs.push(("import", true, per_lead(began.elapsed())));
    let began = Stopwatch::begin();
    ground.start().await?;
    costs.push(("start", true, per_lead(began.elapsed())));

    let began = Stopwatch::begin();
    ground.page_through().await?;
    costs.push(("pages of deliveries", true, per_lead(began.elapsed())));

    let mut claims = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..ROUNDS {
        ground.pass_distance();
        let began = Stopwatch::begin();
        let job = ground.claim().await?;
        claims.push(began.elapsed());
        let began = Stopwatch::begin();
        ground.accept(&job).await?;
        ends.push(began.elapsed());
    }
    costs.push(("claim", false, typical(claims)));
    costs.push(("accepted", false, typical(ends)));

    let mut controls = Vec::new();
    for _ in 0..ROUNDS / 5 {
        controls.push(ground.time_control().await?);
    }
    costs.push(("claim of a control", false, typical(controls)));

    for (name, what) in [
        ("arrival", ground::Arrival::Ours),
        ("arrival of a stranger's", ground::Arrival::Strange),
    ] {
        let mut arrivals = Vec::new();
        for nth in 0..ROUNDS / 2 {
            let began = Stopwatch::begin();
            ground.arrive(what, nth).await?;
            arrivals.push(began.elapsed());
        }
        costs.push((name, false, typical(arrivals)));
    }
    let mut looks = Vec::new();
    let mut pages = Vec::new();
    let mut lasts = Vec::new();
    for _ in 0..ROUNDS {
        let began = Stopwatch::begin();
        ground.look().await?;
        looks.push(began.elapsed());
        let began = Stopwatch::begin();
        ground.open_campaign().await?;
        pages.push(began.elapsed());
        let began = Stopwatch::begin();
        ground.open_last_deliveries().await?;
        lasts.push(began.elapsed());
    }
    costs.push(("status", false, typical(looks)));
    costs.push(("campaign page", false, typical(pages)));
    costs.push(("its last deliveries", false, typical(lasts)));

    let mut resumes = Vec::new();
    let mut lost_looks = Vec::new();
    let mut receipts = Vec::new();
    let mut receipt_lists = Vec::new();
    for _ in 0..ROUNDS / 5 {
        ground.lose().await?;
        let began = Stopwatch::begin();
        ground.look().await?;
        lost_looks.push(began.elapsed());
        ground.adopt().await?;
        let began = Stopwatch::begin();
        let receipt = ground.resume().await?;
        resumes.push(began.elapsed());
        let (n_lines, took) = ground.read_receipt(&receipt).await?;
        receipts.push(took.div_f64(f64::from(n_lines.max(1))));
        let began = Stopwatch::begin();
        ground.list_receipts().await?;
        receipt_lists.push(began.elapsed());
    }
    costs.push(("status in an outage", false, typical(lost_looks)));
    costs.push(("resume", false, typical(resumes)));
    costs.push(("receipt's pages", true, typical(receipts)));
    costs.push(("list of receipts", false, typical(receipt_lists)));
    Ok(costs)
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
