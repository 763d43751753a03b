//! `unpause campaign plan`: the days on which messages are expected to leave, as a calendar.

use protocol::plan::{Day, Plan};

use super::super::print::{columns, span};

/// A calendar for people.
pub(super) fn describe(plan: &Plan) -> String {
    let mut parts = Vec::new();
    if plan.days.is_empty() {
        parts.push("Nothing is expected to leave.".to_owned());
    } else {
        parts.push(columns(&list_rows(plan)));
    }
    if plan.later > 0 {
        parts.push(format!("{} more leave on later days.", plan.later));
    }
    match (plan.done_at, plan.never) {
        (Some(at), _) => parts.push(format!("The last one leaves at {at}.")),
        (None, 0) => {}
        (None, n) => parts.push(format!(
            "{n} do not leave as things stand: the schedule is over before, or it takes longer than a year."
        )),
    }
    if plan.unknown > 0 {
        parts.push(format!(
            "{} are on their way, in doubt, or for a person to decide: they and what follows them are not in it.",
            plan.unknown
        ));
    }
    let whole: u64 = plan.held_back.iter().map(|held| held.for_ms).sum();
    let held: Vec<_> = plan
        .held_back
        .iter()
        .filter(|held| held.for_ms.saturating_mul(100) >= whole)
        .map(|held| format!("{} ({})", held.by.words(), span(held.for_ms)))
        .collect();
    if !held.is_empty() {
        parts.push(format!("What is due is held back by {}.", held.join(", ")));
    }
    let assumes: Vec<_> = plan
        .assumes
        .iter()
        .map(|one| format!("  {}", one.words()))
        .collect();
    if !assumes.is_empty() {
        parts.push(format!("As if:\n{}", assumes.join("\n")));
    }
    parts.join("\n")
}

fn list_rows(plan: &Plan) -> Vec<Vec<String>> {
    let n_steps = plan
        .days
        .iter()
        .map(|day| day.steps.len())
        .max()
        .unwrap_or(0);
    let mut head = vec![format!("day ({})", plan.zone), "messages".to_owned()];
    head.extend((1..=n_steps).map(|step| format!("step {step}")));
    head.extend(["overdue".to_owned(), "the rest is held by".to_owned()]);
    let row = |day: &Day| {
        let weekday = day.date.weekday().name();
        let short: String = weekday
            .chars()
            .take(3)
            .enumerate()
            .map(|(idx, letter)| {
                if idx == 0 {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            })
            .collect();
        let mut row = vec![format!("{short} {}", day.date), day.total().to_string()];
        row.extend((0..n_steps).map(|idx| day.steps.get(idx).copied().unwrap_or(0).to_string()));
        let reasons: Vec<_> = day.held_by.iter().map(|by| by.words()).collect();
        row.extend([day.backlog.to_string(), reasons.join(", ")]);
        row
    };
    std::iter::once(head)
        .chain(plan.days.iter().map(row))
        .collect()
}
