//! How often something happened lately, counted by what anybody may make up: a count-min sketch (Cormode and
//! Muthukrishnan, "An Improved Data Stream Summary", 2005). It takes the same memory whatever is counted, and nothing
//! that is counted pushes anything else out: a count is never too low, and too high only where all of its cells are
//! shared with others, which nobody can choose, because the places of the cells are this process's secret.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::Duration;

use protocol::timestamp::Timestamp;

/// Cells of each key; what it counts is what the lowest of them says.
const ROWS: usize = 4;
/// A time is forgotten in so many parts, so it counts for nine tenths of its window at the least.
const SLICES: usize = 10;
/// Bits of the hash for the place in each row; the four rows take all 64.
const BITS_OF_ROW: usize = 16;

/// The counts of one window of time.
#[derive(Debug)]
pub(super) struct Sketch {
    places: RandomState,
    width: usize,
    slice_ms: i64,
    /// The slice that is written now.
    newest: Option<i64>,
    /// By slice, row and place. More than 255 say nothing more.
    counts: Vec<u8>,
}

impl Sketch {
    /// Of `2^bits` cells in each row, 16 bits at the most, which count for `window`.
    pub(super) fn new(bits: u32, window: Duration) -> Self {
        let width = 1_usize << bits.min(16);
        let slices = u32::try_from(SLICES).unwrap_or(u32::MAX);
        let slice_ms = i64::try_from((window / slices).as_millis()).unwrap_or(i64::MAX);
        Self {
            places: RandomState::new(),
            width,
            slice_ms: slice_ms.max(1),
            newest: None,
            counts: vec![0; SLICES * ROWS * width],
        }
    }

    /// Once more.
    pub(super) fn note(&mut self, key: &impl Hash, now: Timestamp) {
        let slice = self.turn(now);
        for cell in self.cells(key, slice) {
            if let Some(count) = self.counts.get_mut(cell) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// How often within the window; never too few.
    pub(super) fn count(&mut self, key: &impl Hash, now: Timestamp) -> u32 {
        self.turn(now);
        let mut rows = [0_u32; ROWS];
        for slice in 0..SLICES {
            for (row, cell) in rows.iter_mut().zip(self.cells(key, slice)) {
                *row += self.counts.get(cell).copied().map_or(0, u32::from);
            }
        }
        rows.into_iter().min().unwrap_or(0)
    }

    /// Forgets what is over, and says which slice is of now.
    fn turn(&mut self, now: Timestamp) -> usize {
        let number = now.as_ms().div_euclid(self.slice_ms);
        let all = i64::try_from(SLICES).unwrap_or(i64::MAX);
        let newest = self.newest.unwrap_or(number);
        if number > newest {
            for over in (newest + 1..=number).take(SLICES) {
                self.clear(index_of(over));
            }
            self.newest = Some(number);
        } else if self.newest.is_none() || newest - number >= all {
            // A clock that was set back by more than the window would keep everything for as long.
            self.counts.fill(0);
            self.newest = Some(number);
        }
        index_of(self.newest.unwrap_or(number))
    }

    fn clear(&mut self, slice: usize) {
        let length = ROWS * self.width;
        let cells = self.counts.iter_mut().skip(slice * length).take(length);
        cells.for_each(|count| *count = 0);
    }

    fn cells(&self, key: &impl Hash, slice: usize) -> [usize; ROWS] {
        let hash = self.places.hash_one(key);
        std::array::from_fn(|row| {
            let bits = (hash >> (BITS_OF_ROW * row)) & 0xffff;
            let place = usize::try_from(bits).unwrap_or(0) % self.width;
            (slice * ROWS + row) * self.width + place
        })
    }
}

fn index_of(number: i64) -> usize {
    let all = i64::try_from(SLICES).unwrap_or(i64::MAX);
    usize::try_from(number.rem_euclid(all)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(10);

    fn at(s: i64) -> Timestamp {
        Timestamp::from_ms(s * 1_000)
    }

    #[test]
    fn what_is_counted_is_never_too_low_whatever_else_is_and_memory_stays_the_same() {
        let mut sketch = Sketch::new(14, WINDOW);
        let n_cells = sketch.counts.len();
        for n in 0..7 {
            sketch.note(&"jane", at(n));
        }
        for n in 0..50_000_u32 {
            sketch.note(&n, at(10));
        }
        assert!(sketch.count(&"jane", at(10)) >= 7);
        assert_eq!(
            (sketch.counts.len(), sketch.counts.capacity()),
            (n_cells, n_cells)
        );
        assert_eq!(n_cells, 655_360);
    }

    #[test]
    fn of_who_did_nothing_next_to_nothing_is_counted() {
        let mut sketch = Sketch::new(14, WINDOW);
        // As many as two cores can compare in ten minutes, at once a name and an address.
        for n in 0..20_000_u32 {
            sketch.note(&("name", n), at(0));
            sketch.note(&("address", n), at(0));
        }
        let n_too_high = (0..1_000_u32)
            .filter(|n| sketch.count(&("innocent", n), at(1)) >= 10)
            .count();
        assert!(n_too_high < 10, "{n_too_high} of 1000");
    }

    #[test]
    fn a_time_counts_for_its_window_and_not_after_it_and_a_clock_set_back_keeps_nothing_for_ever() {
        let mut sketch = Sketch::new(10, WINDOW);
        sketch.note(&"jane", at(59));
        sketch.note(&"jane", at(60));
        assert_eq!(
            sketch.count(&"jane", at(598)),
            2,
            "nine tenths at the least"
        );
        assert_eq!(sketch.count(&"jane", at(600)), 1);
        assert_eq!(sketch.count(&"jane", at(660)), 0);
        sketch.note(&"jane", at(1_000_000));
        assert_eq!(sketch.count(&"jane", at(1_000_000)), 1);
        assert_eq!(sketch.count(&"jane", at(999_990)), 1, "by a moment");
        assert_eq!(sketch.count(&"jane", at(5_000)), 0, "by days");
        sketch.note(&"jane", at(5_000));
        assert_eq!(sketch.count(&"jane", at(9_000_000)), 0);
    }
}
