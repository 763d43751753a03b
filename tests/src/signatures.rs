//! The run of changed signatures: a device's requests and the relay's answers are changed on their way, one thing each
//! time, and whoever gets them must believe none of them and every one that was left as it was.
//!
//! The relay is the built program, asked over TCP. Answers are those that it gave, read by what the extension reads them
//! with (`protocol::signed`). Each is judged a second time by `sandbox::device`, which was written from the standards
//! alone: where the two differ the run has failed, whichever is right.

mod answer;
mod asking;
mod input;
mod request;
mod wire;

use std::collections::BTreeMap;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;

use self::asking::Asking;
use crate::story::telling::Telling;

/// After so many changed ones, one is left as it is.
const UNTOUCHED_EVERY: usize = 10;
/// Of what went wrong, so much is told.
const TOLD_AT_MOST: usize = 20;

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Changed requests, and as many changed answers.
    pub mutations: usize,
    /// What decides which, where and in which order.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Requests at the relay.
    pub requests: Count,
    /// Answers at the extension's reader.
    pub answers: Count,
    /// What decided it.
    pub seed: u64,
    /// How long it took, in seconds.
    pub seconds: u64,
}

/// One direction.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Count {
    /// Changed ones, by what was changed.
    pub changed: BTreeMap<&'static str, usize>,
    /// Those of them that were refused.
    pub refused: usize,
    /// Those that were left as they were.
    pub untouched: usize,
    /// Those of them that were believed.
    pub believed: usize,
    /// What was not as it must be: changed and believed, left and refused, or judged otherwise apart.
    pub wrong: Vec<String>,
}

impl Count {
    /// Of all that was changed, how many.
    pub fn changes(&self) -> usize {
        self.changed.values().sum()
    }

    fn is_clean(&self) -> bool {
        self.wrong.is_empty()
            && self.refused == self.changes()
            && self.believed == self.untouched
            && self.untouched > 0
    }

    /// `is_judged`: believed by the judge.
    fn note(
        &mut self,
        change: Option<&'static str>,
        is_believed: bool,
        is_judged: bool,
        what: impl Fn() -> String,
    ) {
        if let Some(change) = change {
            *self.changed.entry(change).or_default() += 1;
            self.refused += usize::from(!is_believed);
        } else {
            self.untouched += 1;
            self.believed += usize::from(is_believed);
        }
        let must = change.is_none();
        if (is_believed, is_judged) != (must, must) && self.wrong.len() < TOLD_AT_MOST {
            self.wrong.push(format!(
                "{}: believed {is_believed}, by the judge {is_judged}: {}",
                change.unwrap_or("untouched"),
                what()
            ));
        }
    }
}

impl Summary {
    /// Whether nothing that was changed was believed, and everything else was.
    pub fn is_clean(&self) -> bool {
        self.requests.is_clean() && self.answers.is_clean()
    }
}

/// Plays it.
pub async fn run(script: Script, telling: Telling) -> Result<Summary> {
    let mut asking = Asking::begin(&telling).await?;
    let mut rng = StdRng::seed_from_u64(script.seed);
    let mut summary = Summary {
        seed: script.seed,
        ..Summary::default()
    };
    for n in 0..script.mutations {
        if n % UNTOUCHED_EVERY == 0 {
            request::play_untouched(&mut asking, &mut rng, &mut summary.requests).await?;
        }
        request::play_changed(&mut asking, &mut rng, &mut summary.requests).await?;
        if n % 1_000 == 999 {
            telling.say(&format!("{} requests were changed", n + 1));
        }
    }
    let mut heard = asking.hear().await?;
    for n in 0..script.mutations {
        if n % 500 == 499 {
            heard = asking.hear().await?;
        }
        if n % UNTOUCHED_EVERY == 0 {
            answer::play_untouched(&asking, &heard, &mut rng, &mut summary.answers);
        }
        answer::play_changed(&asking, &heard, &mut rng, &mut summary.answers);
    }
    summary.seconds = telling.ms() / 1_000;
    Ok(summary)
}

/// One of these.
fn pick<T: Clone>(of: &[T], rng: &mut StdRng) -> T {
    let at = rng.random_range(0..of.len());
    #[expect(clippy::expect_used, reason = "it is within the list")]
    of.get(at).cloned().expect("a list with something in it")
}

/// The same with one byte another one; `None` where there is none.
fn change_byte(bytes: &[u8], rng: &mut StdRng) -> Option<Vec<u8>> {
    if bytes.is_empty() {
        return None;
    }
    let mut changed = bytes.to_vec();
    let at = rng.random_range(0..changed.len());
    let byte = changed.get_mut(at)?;
    *byte ^= rng.random_range(1..=u8::MAX);
    Some(changed)
}
