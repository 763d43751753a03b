//! Which delivery is the control: one whose acceptance says most.

use std::collections::HashMap;

/// A delivery that could be tried now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The recipient's domain, in lower case.
    pub domain: String,
    /// The domain took mail from this inbox lately.
    pub is_known: bool,
    /// It is the inbox's own domain, which shows nothing.
    pub is_own: bool,
    /// It was refused before.
    pub was_refused: bool,
}

/// The index of the best of `candidates`, which stand in the order of sending: one that was never refused before one
/// that was; to a domain that took mail lately, else to the commonest one, else from the far half. A domain of
/// `avoid` comes only where there is no other, and the own domain never.
pub fn choose_control(candidates: &[Candidate], avoid: &[String]) -> Option<usize> {
    let tiers: [&dyn Fn(&Candidate) -> bool; 4] = [
        &|candidate| !candidate.was_refused && !avoid.contains(&candidate.domain),
        &|candidate| !candidate.was_refused,
        &|candidate| !avoid.contains(&candidate.domain),
        &|_| true,
    ];
    tiers.iter().find_map(|is_fit| {
        let fit: Vec<(usize, &Candidate)> = candidates
            .iter()
            .enumerate()
            .filter(|(_, candidate)| !candidate.is_own && is_fit(candidate))
            .collect();
        choose_among(&fit)
    })
}

fn choose_among(fit: &[(usize, &Candidate)]) -> Option<usize> {
    if let Some((idx, _)) = fit.iter().find(|(_, candidate)| candidate.is_known) {
        return Some(*idx);
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (_, candidate) in fit {
        *counts.entry(candidate.domain.as_str()).or_default() += 1;
    }
    let count = |candidate: &Candidate| {
        counts
            .get(candidate.domain.as_str())
            .copied()
            .unwrap_or_default()
    };
    let commonest = fit.iter().map(|(_, candidate)| count(candidate)).max()?;
    let chosen = if commonest > 1 {
        fit.iter()
            .find(|(_, candidate)| count(candidate) == commonest)
    } else {
        fit.get(fit.len() / 2)
    };
    chosen.map(|(idx, _)| *idx)
}
