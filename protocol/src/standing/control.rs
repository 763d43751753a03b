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
/// `avoid` comes only where there is no other, and the own domain never. The addresses of a domain that come next may
/// be dead like those before them, so it is one of their far half, anywhere in it: `draw` is any number, another one
/// each time.
pub fn choose_control(candidates: &[Candidate], avoid: &[String], draw: u64) -> Option<usize> {
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
        let domain = &choose_among(&fit)?.domain;
        let of_domain: Vec<usize> = fit
            .iter()
            .filter(|(_, candidate)| candidate.domain == *domain)
            .map(|(idx, _)| *idx)
            .collect();
        draw_from_far_half(&of_domain, draw)
    })
}

fn draw_from_far_half(all: &[usize], draw: u64) -> Option<usize> {
    let far = all.get(all.len() / 2..).unwrap_or_default();
    // Numbers that follow one another, as instants do, come far apart (Knuth, TAOCP 3, §6.4: Fibonacci hashing).
    let spread = draw.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let n = u64::try_from(far.len()).ok()?;
    let idx = spread.checked_rem(n)?;
    far.get(usize::try_from(idx).ok()?).copied()
}

/// A candidate of the domain whose acceptance says most.
fn choose_among<'a>(fit: &[(usize, &'a Candidate)]) -> Option<&'a Candidate> {
    if let Some((_, candidate)) = fit.iter().find(|(_, candidate)| candidate.is_known) {
        return Some(candidate);
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
    chosen.map(|(_, candidate)| *candidate)
}
