//! Reading a list of people and domains who must not be written to: a line for each, as text or as CSV, as this and other
//! programs export it.

use protocol::delivery::Suppression;
use protocol::request::suppression::Whom;

use super::message::to_listed;

/// How much of a line is shown.
const SHOWN_CHARS_MAX: usize = 80;

/// Why a list is none. Rows count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuppressionsError {
    /// Nobody in it.
    #[error("there is nobody in the list: expected a line for each person or domain")]
    Nobody,
    /// Another encoding.
    #[error(
        "row {row}: expected the encoding UTF-8, and this is not: save the list as \"CSV UTF-8\""
    )]
    Letters {
        /// The row.
        row: u64,
    },
    /// Neither a person nor a domain.
    #[error(
        "row {row}: expected an address as in jane@acme.example or a domain as in acme.example or @acme.example in its first cell, or one address in another cell, found {found:?}"
    )]
    Nothing {
        /// The row.
        row: u64,
        /// Its beginning.
        found: String,
    },
    /// Several people in a row.
    #[error(
        "row {row}: expected one address in a row, found {first} and {second}: put each into a row of its own"
    )]
    Several {
        /// The row.
        row: u64,
        /// One.
        first: String,
        /// Another one.
        second: String,
    },
}

impl SuppressionsError {
    /// The row at fault.
    pub fn row(&self) -> Option<u64> {
        match self {
            Self::Nobody => None,
            Self::Letters { row } | Self::Nothing { row, .. } | Self::Several { row, .. } => {
                Some(*row)
            }
        }
    }
}

/// Who is on the list, and why; where it does not say, a person said so. Empty lines and what stands behind `#` at the
/// beginning of one are nobody; nor is the first row where it names columns.
pub fn parse(bytes: &[u8]) -> Result<Vec<(Whom, Suppression)>, SuppressionsError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut found = Vec::new();
    let mut is_first = true;
    for (row, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = std::str::from_utf8(line).map_err(|_| SuppressionsError::Letters { row })?;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = line
            .split([',', ';', '\t'])
            .map(|cell| {
                cell.trim()
                    .trim_matches('"')
                    .trim_start_matches('\'')
                    .trim()
            })
            .collect();
        match find_whom(row, &cells)? {
            Some(whom) => found.push((whom, find_why(&cells))),
            // A row of names, in which nobody can be meant.
            None if is_first && !line.contains(['@', '\u{FF20}', '*']) => {}
            None => {
                let found = line.chars().take(SHOWN_CHARS_MAX).collect();
                return Err(SuppressionsError::Nothing { row, found });
            }
        }
        is_first = false;
    }
    if found.is_empty() {
        return Err(SuppressionsError::Nobody);
    }
    Ok(found)
}

/// An address in whatever cell; a domain in the first one alone, for many lists name the company's beside the person.
fn find_whom(row: u64, cells: &[&str]) -> Result<Option<Whom>, SuppressionsError> {
    let listed = |cell: &str| to_listed(cell).parse::<Whom>().ok();
    let mut people = cells
        .iter()
        .filter(|cell| cell.contains('@') && !cell.starts_with(['@', '*']))
        .filter_map(|cell| listed(cell));
    if let Some(first) = people.next() {
        return match people.find(|other| *other != first) {
            Some(second) => Err(SuppressionsError::Several {
                row,
                first: first.to_string(),
                second: second.to_string(),
            }),
            None => Ok(Some(first)),
        };
    }
    let first = cells.first().copied().unwrap_or_default();
    let domain = first.strip_prefix('*').unwrap_or(first);
    let domain = domain.strip_prefix('@').unwrap_or(domain);
    Ok(listed(domain).filter(|whom| !whom.as_str().contains('@')))
}

fn find_why(cells: &[&str]) -> Suppression {
    let told = cells.iter().find_map(|cell| Suppression::parse(cell));
    // What stands for one message of one campaign is no reason of a list's.
    told.filter(|why| *why != Suppression::Rejected && *why != Suppression::Replied)
        .unwrap_or(Suppression::Person)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, &'static str)> {
        let found = parse(text.as_bytes()).unwrap();
        found
            .into_iter()
            .map(|(whom, why)| (whom.to_string(), why.code()))
            .collect()
    }

    #[test]
    fn people_and_domains_are_read_as_programs_export_them() {
        let text = "\u{feff}email,reason\n\"Ann@A.example\",unsubscribed\n\n# a note\n@b.example\r\n*@c.example\n\
                    bücher.example\n7;Bob Low;acme.example;bob@bücher.example\n\"'=x@d.example\",bounced,2026-11-30\n";
        let wanted = [
            ("ann@a.example", "unsubscribed"),
            ("b.example", "person"),
            ("c.example", "person"),
            ("xn--bcher-kva.example", "person"),
            ("bob@xn--bcher-kva.example", "person"),
            ("=x@d.example", "bounced"),
        ];
        assert_eq!(read(text), wanted.map(|(whom, why)| (whom.to_owned(), why)));
    }

    #[test]
    fn a_line_that_is_nobody_is_named_and_nothing_is_guessed() {
        for (text, row) in [
            ("ann@a.example\nnobody\n", 2),
            ("email\nann@a.example\nBob;acme.example\n", 3),
            ("ann@a.example,bob@b.example\n", 1),
        ] {
            assert_eq!(
                parse(text.as_bytes()).unwrap_err().row(),
                Some(row),
                "{text}"
            );
        }
        let latin = parse(b"ann@a.example\nj\xFCrg@a.example\n").unwrap_err();
        assert_eq!(latin, SuppressionsError::Letters { row: 2 });
        // In the first row too, who is meant and cannot be read is named, not taken for the name of a column.
        for first in [
            "Ann <ann@a.example>",
            "mailto:ann@a.example",
            "ann\u{FF20}a.example",
            "ann@a.example bob@b.example",
            "*.a.example",
        ] {
            let found = parse(format!("{first}\nbob@b.example\n").as_bytes());
            assert!(
                matches!(&found, Err(SuppressionsError::Nothing { row: 1, .. })),
                "{first}: {found:?}"
            );
        }
        for text in ["", "email\n", "# nobody\n"] {
            assert_eq!(parse(text.as_bytes()), Err(SuppressionsError::Nobody));
        }
    }
}
