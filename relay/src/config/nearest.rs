//! The known word that a mistyped one is most like.

/// The word of `known` that is most like `found`; `None` where none is like it.
pub(super) fn find_nearest<'a>(
    found: &str,
    known: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let (distance, nearest) = known.map(|word| (count_edits(found, word), word)).min()?;
    // A third of the letters may differ; beyond that a suggestion misleads.
    (distance
        <= found
            .chars()
            .count()
            .max(nearest.chars().count())
            .div_ceil(3))
    .then_some(nearest)
}

/// The Levenshtein distance, one row at a time.
pub(crate) fn count_edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, letter) in left.chars().enumerate() {
        let mut next = vec![above + 1];
        for ((other, replaced), dropped) in right.iter().zip(&row).zip(row.iter().skip(1)) {
            let added = next.last().copied().unwrap_or(0) + 1;
            next.push(
                (replaced + usize::from(letter != *other))
                    .min(dropped + 1)
                    .min(added),
            );
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["listen", "data", "log", "timing.poll_ms"];
        for (found, expected) in [
            ("lisen", Some("listen")),
            ("Data", Some("data")),
            ("timing.pol_ms", Some("timing.poll_ms")),
            ("colour_of_the_sky", None),
        ] {
            assert_eq!(find_nearest(found, known.into_iter()), expected, "{found}");
        }
    }

    #[test]
    fn edits_are_counted() {
        for (left, right, edits) in [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3)] {
            assert_eq!(count_edits(left, right), edits, "{left} {right}");
        }
    }
}
