//! What a power cut takes: how it is drawn, and how it is counted.

use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::Serialize;

/// How much of what was not synced a cut leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// None of it: the cut came before anything was written back.
    Nothing,
    /// All of it, as when only the process ends.
    Everything,
    /// Some of it, each part by itself.
    Any,
}

impl Mood {
    /// The ends are drawn as often as they find the most: a name whose bytes are missing needs one of them.
    pub(super) fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..8) {
            0 | 1 => Self::Nothing,
            2 => Self::Everything,
            _ => Self::Any,
        }
    }

    /// How many of `n` changes, one after the other, have reached the disk.
    pub(super) fn choose(self, n: usize, rng: &mut StdRng) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Everything => n,
            Self::Any => rng.random_range(0..=n),
        }
    }
}

/// What cuts have left of what nobody had on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Pages that stand as they were written last.
    pub pages_kept: u64,
    /// Pages that stand as they did before.
    pub pages_lost: u64,
    /// Pages of which a part is new.
    pub pages_torn: u64,
    /// Names that were given, taken or moved, and stay so.
    pub names_kept: u64,
    /// Names that are again what they were.
    pub names_lost: u64,
}

impl Tally {
    /// Whether anything was taken.
    pub fn took_something(&self) -> bool {
        self.pages_lost + self.pages_torn + self.names_lost > 0
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.pages_kept += other.pages_kept;
        self.pages_lost += other.pages_lost;
        self.pages_torn += other.pages_torn;
        self.names_kept += other.names_kept;
        self.names_lost += other.names_lost;
    }
}
