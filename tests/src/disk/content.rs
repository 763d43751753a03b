//! The bytes of one file: as programs see them, as they are on the disk, and what lies between the two.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rand::rngs::StdRng;

use super::cut::{Mood, Tally};

/// What a file system writes back at once (`st_blksize` of ext4, XFS and Btrfs on x86-64).
const PAGE: usize = 4096;
/// What a disk writes whole or not at all; the least there is (NVM Express Base Specification, *LBA Format*).
const SECTOR: usize = 512;
/// States of a page that are remembered. A page that is written more often between two looks at the disk forgets one
/// in the middle.
const STATES_AT_MOST: usize = 16;
/// One page in so many of those that were on their way is cut in the middle.
const TORN_SHARE: u32 = 3;

/// A page, with zeros behind the end of the file.
type Page = Box<[u8]>;

/// The bytes of a file.
#[derive(Debug, Default)]
pub(super) struct Content {
    now: Vec<u8>,
    /// What fsync(2) has promised.
    kept: Vec<u8>,
    /// How each page has stood since, oldest first. The file system may have written any of these back, or none.
    pages: BTreeMap<usize, Vec<Page>>,
    /// The lengths that the file has had since, oldest first.
    lengths: Vec<usize>,
}

impl Content {
    pub(super) fn len(&self) -> usize {
        self.now.len()
    }

    /// What stands from `offset` on, at most `n` bytes.
    pub(super) fn read(&self, offset: usize, n: usize) -> &[u8] {
        let end = offset.saturating_add(n).min(self.now.len());
        self.now.get(offset..end).unwrap_or_default()
    }

    pub(super) fn write(&mut self, offset: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = offset + data.len();
        let before = self.now.len();
        if end > before {
            self.now.resize(end, 0);
            self.lengths.push(end);
        }
        if let Some(place) = self.now.get_mut(offset..end) {
            place.copy_from_slice(data);
        }
        self.remember(offset.min(before)..end);
    }

    pub(super) fn resize(&mut self, length: usize) {
        let before = self.now.len();
        if length == before {
            return;
        }
        self.now.resize(length, 0);
        self.lengths.push(length);
        self.remember(length.min(before)..length.max(before));
    }

    fn remember(&mut self, range: std::ops::Range<usize>) {
        for number in range.start / PAGE..range.end.div_ceil(PAGE) {
            let states = self.pages.entry(number).or_default();
            states.push(page(&self.now, number));
            if states.len() > STATES_AT_MOST {
                states.remove(STATES_AT_MOST / 2);
            }
        }
    }

    /// fsync(2): all of it is on the disk.
    pub(super) fn sync(&mut self) {
        self.kept.resize(self.now.len(), 0);
        for number in std::mem::take(&mut self.pages).into_keys() {
            let range = number * PAGE..((number + 1) * PAGE).min(self.now.len());
            if let (Some(to), Some(from)) = (self.kept.get_mut(range.clone()), self.now.get(range))
            {
                to.copy_from_slice(from);
            }
        }
        self.lengths.clear();
    }

    /// What is there after a power cut is all there is.
    pub(super) fn cut(&mut self, mood: Mood, rng: &mut StdRng, tally: &mut Tally) {
        let length = match mood.choose(self.lengths.len(), rng) {
            0 => self.kept.len(),
            n => self.lengths.get(n - 1).copied().unwrap_or_default(),
        };
        let mut found = self.kept.clone();
        let furthest = self.pages.keys().next_back().map_or(0, |last| last + 1);
        found.resize(found.len().max(furthest * PAGE), 0);
        for (&number, states) in &self.pages {
            let chosen = mood.choose(states.len(), rng);
            let state = |n: usize| match n {
                0 => Some(page(&self.kept, number)),
                n => states.get(n - 1).cloned(),
            };
            let mut whole = state(chosen).unwrap_or_default();
            let is_torn = mood == Mood::Any && rng.random_range(0..TORN_SHARE) == 0;
            // A page is torn between two states that stood one after the other.
            let other = if chosen == 0 { 1 } else { chosen - 1 };
            if let Some(other) = state(other).filter(|other| is_torn && *other != whole) {
                for (to, from) in whole.chunks_mut(SECTOR).zip(other.chunks(SECTOR)) {
                    if rng.random() {
                        to.copy_from_slice(from);
                    }
                }
                tally.pages_torn += 1;
            } else if chosen == states.len() {
                tally.pages_kept += 1;
            } else {
                tally.pages_lost += 1;
            }
            if let Some(place) = found.get_mut(number * PAGE..(number + 1) * PAGE) {
                place.copy_from_slice(&whole);
            }
        }
        found.resize(length, 0);
        self.kept = found;
        self.now.clone_from(&self.kept);
        self.pages.clear();
        self.lengths.clear();
    }
}

fn page(bytes: &[u8], number: usize) -> Page {
    let end = ((number + 1) * PAGE).min(bytes.len());
    let mut page = vec![0; PAGE];
    if let Some(there) = bytes.get(number * PAGE..end)
        && let Some(place) = page.get_mut(..there.len())
    {
        place.copy_from_slice(there);
    }
    page.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn cut(content: &mut Content, mood: Mood, seed: u64) -> Tally {
        let mut tally = Tally::default();
        content.cut(mood, &mut StdRng::seed_from_u64(seed), &mut tally);
        tally
    }

    #[test]
    fn what_was_synced_is_there_after_every_cut() {
        for seed in 0..200 {
            let mut content = Content::default();
            content.write(0, b"promised");
            content.sync();
            content.write(8, b", and more");
            cut(&mut content, Mood::Any, seed);
            let found = content.read(0, 100);
            assert!(found.starts_with(b"promised"), "{found:?}");
        }
    }

    #[test]
    fn what_was_not_is_there_whole_in_part_or_not_at_all() {
        let (mut whole, mut gone, mut torn) = (0, 0, 0);
        for seed in 0..400 {
            let mut content = Content::default();
            content.write(0, &[1; PAGE]);
            content.sync();
            content.write(0, &[2; PAGE]);
            let tally = cut(&mut content, Mood::Any, seed);
            let found = content.read(0, PAGE);
            let n_new: usize = found.iter().map(|byte| usize::from(*byte == 2)).sum();
            assert!(found.iter().all(|byte| [1, 2].contains(byte)));
            // Not less than a sector is torn off.
            assert_eq!(n_new % SECTOR, 0);
            assert_eq!(
                tally.pages_kept + tally.pages_lost + tally.pages_torn,
                1,
                "{tally:?}"
            );
            match n_new {
                0 => gone += 1,
                PAGE => whole += 1,
                _ => torn += 1,
            }
        }
        assert!(
            whole > 80 && gone > 80 && torn > 80,
            "{whole} {gone} {torn}"
        );
    }

    #[test]
    fn each_page_has_a_fate_of_its_own() {
        let fates: std::collections::BTreeSet<Vec<u8>> = (0..100)
            .map(|seed| {
                let mut content = Content::default();
                content.write(0, &[1; 2 * PAGE]);
                content.sync();
                content.write(0, &[2; PAGE]);
                content.write(PAGE, &[3; PAGE]);
                cut(&mut content, Mood::Any, seed);
                vec![content.now[0], content.now[2 * PAGE - 1]]
            })
            .collect();
        for both in [[1, 1], [2, 1], [1, 3], [2, 3]] {
            assert!(fates.contains(&both[..]), "{both:?} of {fates:?}");
        }
    }

    #[test]
    fn a_file_that_was_cut_short_may_have_its_length_again() {
        let lengths: std::collections::BTreeSet<usize> = (0..100)
            .map(|seed| {
                let mut content = Content::default();
                content.write(0, &[1; 3 * PAGE]);
                content.sync();
                content.resize(10);
                content.write(10, &[2; PAGE]);
                cut(&mut content, Mood::Any, seed);
                content.len()
            })
            .collect();
        assert_eq!(Vec::from_iter(lengths), [10, 10 + PAGE, 3 * PAGE]);
    }

    #[test]
    fn in_the_moods_at_the_ends_all_is_there_or_nothing() {
        let write = || {
            let mut content = Content::default();
            content.write(0, b"old");
            content.sync();
            content.write(0, b"new and longer");
            content.write(9000, b"far");
            content
        };
        let mut content = write();
        cut(&mut content, Mood::Nothing, 1);
        assert_eq!(content.now, b"old");
        let mut content = write();
        cut(&mut content, Mood::Everything, 1);
        assert_eq!(content.now, write().now);
    }
}
