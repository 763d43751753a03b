//! Which fault befalls which inbox, and in which order: chosen by the seed alone.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::kind::{Real, SignIn, TRANSIENTS, Transient};

/// One inbox in so many signs in with a password, beside those with a grant.
const PASSWORDS_SHARE: usize = 3;

/// What befalls one inbox.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Passing(&'static Transient),
    Real(Real),
}

impl Step {
    /// The name of its fault.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Passing(kind) => kind.name,
            Self::Real(kind) => kind.name(),
        }
    }
}

/// The faults of one inbox, in their order.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) sign_in: SignIn,
    pub(super) steps: Vec<Step>,
}

/// What is to be planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amounts {
    pub(super) inboxes: usize,
    pub(super) transient: usize,
    pub(super) real: usize,
    /// Whether servers may also be silent for as long as the relay waits.
    pub(super) with_long: bool,
    pub(super) seed: u64,
}

/// The lives of all inboxes. Every kind comes equally often, to within one, and every inbox gets its share.
pub(super) fn plan(amounts: Amounts) -> Vec<Life> {
    let Amounts {
        inboxes,
        transient,
        real,
        with_long,
        seed,
    } = amounts;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut lives: Vec<Life> = (0..inboxes)
        .map(|idx| Life {
            sign_in: if idx % PASSWORDS_SHARE == PASSWORDS_SHARE - 1 {
                SignIn::Password
            } else {
                SignIn::OAuth
            },
            steps: Vec::new(),
        })
        .collect();
    let kinds: Vec<&'static Transient> = TRANSIENTS
        .iter()
        .filter(|kind| with_long || !kind.is_long())
        .collect();
    let mut faults: Vec<&'static Transient> = Vec::new();
    while faults.len() < transient {
        let mut round = kinds.clone();
        shuffle(&mut round, &mut rng);
        round.truncate(transient - faults.len());
        faults.extend(round);
    }
    for kind in faults {
        give(
            &mut lives,
            &mut rng,
            |life| kind.befalls(life.sign_in),
            Step::Passing(kind),
        );
    }
    let mut order: Vec<usize> = (0..inboxes).collect();
    shuffle(&mut order, &mut rng);
    // Each kind of sign-in takes its own kinds in turn.
    let (mut grants, mut passwords) = (0_usize, 0_usize);
    for idx in order.iter().cycle().take(real).copied() {
        let Some(life) = lives.get_mut(idx) else {
            continue;
        };
        let kinds = Real::all(life.sign_in);
        let turn = match life.sign_in {
            SignIn::OAuth => &mut grants,
            SignIn::Password => &mut passwords,
        };
        let Some(kind) = kinds.get(*turn % kinds.len()) else {
            continue;
        };
        *turn += 1;
        let at = rng.random_range(0..=life.steps.len());
        life.steps.insert(at, Step::Real(*kind));
    }
    lives
}

/// To one of those that have the fewest of those that may have it.
fn give(lives: &mut [Life], rng: &mut StdRng, may: impl Fn(&Life) -> bool, step: Step) {
    let fewest = lives
        .iter()
        .filter(|life| may(life))
        .map(|life| life.steps.len())
        .min();
    let able = lives
        .iter_mut()
        .filter(|life| may(life) && Some(life.steps.len()) == fewest);
    let mut able: Vec<&mut Life> = able.collect();
    if able.is_empty() {
        return;
    }
    let chosen = rng.random_range(0..able.len());
    if let Some(life) = able.get_mut(chosen) {
        life.steps.push(step);
    }
}

fn shuffle<T>(items: &mut [T], rng: &mut StdRng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.random_range(0..=last));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const AMOUNTS: Amounts = Amounts {
        inboxes: 100,
        transient: 1_000,
        real: 100,
        with_long: true,
        seed: 7,
    };

    fn names(lives: &[Life]) -> Vec<Vec<&'static str>> {
        lives
            .iter()
            .map(|life| life.steps.iter().map(|step| step.name()).collect())
            .collect()
    }

    #[test]
    fn every_kind_comes_equally_often_and_every_inbox_has_its_share() {
        let lives = plan(AMOUNTS);
        let mut by_name: BTreeMap<_, usize> = BTreeMap::new();
        for name in names(&lives).into_iter().flatten() {
            *by_name.entry(name).or_default() += 1;
        }
        let counts = || TRANSIENTS.iter().map(|kind| by_name[kind.name]);
        assert_eq!(counts().sum::<usize>(), AMOUNTS.transient);
        assert!(counts().max().unwrap() - counts().min().unwrap() <= 1);
        for life in &lives {
            let real = life
                .steps
                .iter()
                .filter(|step| matches!(step, Step::Real(_)));
            assert_eq!(real.count(), 1);
            assert!((8..=15).contains(&life.steps.len()), "{}", life.steps.len());
        }
    }

    #[test]
    fn the_seed_alone_decides() {
        let again = Amounts { seed: 8, ..AMOUNTS };
        assert_eq!(names(&plan(AMOUNTS)), names(&plan(AMOUNTS)));
        assert_ne!(names(&plan(AMOUNTS)), names(&plan(again)));
    }
}
