//! The rows and cells of a list, by its delimiter, quotes and line ends (RFC 4180, and what programs make of it).

use std::borrow::Cow;
use std::collections::HashSet;

use super::cell::{clean, parse_address};

/// How much of a list decides about its form.
pub(super) const SAMPLE_ROWS: usize = 500;
const SAMPLE_BYTES: usize = 256 * 1024;

/// The delimiters that programs write.
const USUAL: [u8; 4] = *b",;\t|";
/// Those that people choose: taken only where no usual one makes columns.
const UNUSUAL: [u8; 4] = *b"^~:\x1F";

/// How cells are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Whether a quote within a cell is written behind a backslash, not twice.
    pub(super) escapes: bool,
}

/// A quoted cell that does not end where a cell may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenQuote {
    pub(super) row: u64,
}

/// The rows of a list, from the first on.
#[derive(Clone, Debug)]
pub(super) struct Rows<'a> {
    text: &'a str,
    at: usize,
    row: u64,
    dialect: Dialect,
}

impl<'a> Rows<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self {
            text,
            at: 0,
            row: 0,
            dialect,
        }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Reads the next row into `cells`; its number, as a spreadsheet counts: a break within quotes begins none, a
    /// blank line is one.
    pub(super) fn next_into(
        &mut self,
        cells: &mut Vec<Cow<'a, str>>,
    ) -> Option<Result<u64, OpenQuote>> {
        cells.clear();
        if self.at >= self.text.len() {
            return None;
        }
        self.row += 1;
        loop {
            match self.read_cell() {
                Ok(cell) => cells.push(cell),
                Err(error) => return Some(Err(error)),
            }
            let end = self.peek();
            self.at += usize::from(end.is_some());
            if end != Some(self.dialect.delimiter) {
                if end == Some(b'\r') && self.peek() == Some(b'\n') {
                    self.at += 1;
                }
                return Some(Ok(self.row));
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.peek()
            && self.peek() != Some(self.dialect.delimiter)
        {
            self.at += 1;
        }
    }

    /// Reads up to the delimiter or line end behind a cell.
    fn read_cell(&mut self) -> Result<Cow<'a, str>, OpenQuote> {
        let start = self.at;
        self.skip_blanks();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return self.read_quoted();
        }
        let is_end = |byte: &u8| *byte == self.dialect.delimiter || matches!(byte, b'\r' | b'\n');
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(is_end).unwrap_or(rest.len());
        Ok(Cow::Borrowed(
            self.text.get(start..self.at).unwrap_or_default(),
        ))
    }

    fn read_quoted(&mut self) -> Result<Cow<'a, str>, OpenQuote> {
        let open = OpenQuote { row: self.row };
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let marks: &[u8] = if self.dialect.escapes { b"\"\\" } else { b"\"" };
            let found = rest.bytes().position(|byte| marks.contains(&byte));
            let found = found.ok_or(open)?;
            append(&mut text, rest.get(..found).unwrap_or_default());
            self.at += found;
            let mark = self.peek();
            self.at += 1;
            let next = self.peek();
            // A doubled quote is one quote of the cell (RFC 4180 §2, rule 7).
            if (mark, next) == (Some(b'"'), Some(b'"')) {
                append(&mut text, "\"");
                self.at += 1;
            } else if mark == Some(b'\\') {
                // What stands behind it stands for itself.
                let rest = self.text.get(self.at..).unwrap_or_default();
                let next = rest.chars().next().map_or(0, char::len_utf8);
                append(&mut text, rest.get(..next).unwrap_or_default());
                self.at += next;
            } else {
                break;
            }
        }
        self.skip_blanks();
        match self.peek() {
            None | Some(b'\r' | b'\n') => Ok(text),
            Some(byte) if byte == self.dialect.delimiter => Ok(text),
            Some(_) => Err(open),
        }
    }
}

fn append<'a>(text: &mut Cow<'a, str>, more: &'a str) {
    if text.is_empty() {
        *text = Cow::Borrowed(more);
    } else {
        text.to_mut().push_str(more);
    }
}

/// The first line where it says the delimiter, as Excel reads it (`sep=;`), and the text below it. A spreadsheet
/// shows no such row.
pub(super) fn split_told(text: &str) -> (Option<u8>, &str) {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    let (line, rest) = text.split_at(end);
    let line = line.trim_matches(|c| c == '"' || c == ' ');
    let Some(told) = line
        .get(..4)
        .filter(|start| start.eq_ignore_ascii_case("sep="))
        .and_then(|_| line.get(4..))
    else {
        return (None, text);
    };
    let delimiter = match told.as_bytes() {
        [] => Some(b'\t').filter(|_| line.ends_with('\t')),
        // Programs that pad every row pad this one too.
        [first, rest @ ..] if rest.iter().all(|byte| byte == first) => Some(*first),
        b"\\t" => Some(b'\t'),
        [first, ..] => Some(*first)
            .filter(|_| told.eq_ignore_ascii_case("tab"))
            .map(|_| b'\t'),
    };
    let Some(delimiter) = delimiter.filter(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric())
    else {
        return (None, text);
    };
    let rest = rest
        .strip_prefix("\r\n")
        .or_else(|| rest.strip_prefix(['\r', '\n']))
        .unwrap_or(rest);
    (Some(delimiter), rest)
}

/// How the cells of this text are told apart: the delimiter that makes a column of addresses, below a name, in rows
/// of one length.
pub(super) fn find_dialect(text: &str, told: Option<u8>) -> Dialect {
    let try_all = |delimiters: &[u8]| {
        let trials = delimiters.iter().flat_map(|delimiter| {
            // Escapes last: the first of the best is taken.
            [false, true].map(|escapes| {
                Trial::of(
                    text,
                    Dialect {
                        delimiter: *delimiter,
                        escapes,
                    },
                )
            })
        });
        trials.reduce(|best, next| {
            if next.rank() > best.rank() {
                next
            } else {
                best
            }
        })
    };
    let plain = Dialect {
        delimiter: told.unwrap_or(b','),
        escapes: false,
    };
    if let Some(told) = told
        && let Some(trial) = try_all(&[told])
        && (trial.n_addresses > 0 || !text.contains('@'))
    {
        return trial.dialect;
    }
    let Some(usual) = try_all(&USUAL) else {
        return plain;
    };
    if usual.width > 1 {
        return usual.dialect;
    }
    match try_all(&UNUSUAL) {
        Some(other)
            if other.width > 1 && other.is_even && other.n_addresses >= usual.n_addresses =>
        {
            other.dialect
        }
        _ => usual.dialect,
    }
}

/// The text of a list whose rows were each put in quotes as a whole, as a spreadsheet does that took a row for one
/// cell; `None` where they were not.
pub(super) fn unwrap(text: &str, dialect: Dialect) -> Option<String> {
    let is_wrapped =
        text.starts_with('"') && text.contains('@') && Trial::of(text, dialect).n_addresses == 0;
    if !is_wrapped {
        return None;
    }
    let comma = Dialect {
        delimiter: b',',
        escapes: false,
    };
    let mut rows = Rows::new(text, comma);
    let mut cells = Vec::new();
    let mut unwrapped = String::with_capacity(text.len());
    while let Some(Ok(_)) = rows.next_into(&mut cells) {
        let (first, rest) = cells.split_first()?;
        if rest.iter().any(|cell| !clean(cell).is_empty()) {
            return None;
        }
        unwrapped.push_str(first);
        unwrapped.push('\n');
    }
    let has_addresses = Trial::of(&unwrapped, find_dialect(&unwrapped, None)).n_addresses > 0;
    (has_addresses && rows.at() == text.len()).then_some(unwrapped)
}

/// What a dialect makes of the first rows.
struct Trial {
    dialect: Dialect,
    is_whole: bool,
    /// Addresses in the column that has the most of them.
    n_addresses: usize,
    /// Whether the row above the first address has a cell above that column.
    is_named: bool,
    /// Whether it, and all rows with an address, have equally many cells.
    is_even: bool,
    /// Cells of the first row with an address, or of the first row where there is none.
    width: usize,
}

impl Trial {
    fn rank(&self) -> (usize, bool, bool, usize, bool) {
        let Self {
            n_addresses,
            is_named,
            is_even,
            is_whole,
            width,
            ..
        } = self;
        (*n_addresses, *is_named, *is_even, *width, *is_whole)
    }

    fn of(text: &str, dialect: Dialect) -> Self {
        let mut rows = Rows::new(text, dialect);
        let mut cells = Vec::new();
        let mut trial = Self {
            dialect,
            is_whole: true,
            n_addresses: 0,
            is_named: true,
            is_even: true,
            width: 0,
        };
        let mut columns: Vec<HashSet<String>> = Vec::new();
        let (mut above, mut first_idx) = (None, None);
        for _ in 0..SAMPLE_ROWS {
            if rows.at() > SAMPLE_BYTES {
                break;
            }
            let Some(read) = rows.next_into(&mut cells).filter(|_| trial.is_whole) else {
                break;
            };
            // The cells before an open quote still speak.
            trial.is_whole = read.is_ok();
            if cells.iter().all(|cell| clean(cell).is_empty()) {
                continue;
            }
            let mut has_address = false;
            for (idx, cell) in cells
                .iter()
                .enumerate()
                .filter(|(_, cell)| cell.contains('@'))
            {
                if let Ok(address) = parse_address(cell) {
                    has_address = true;
                    first_idx = first_idx.or(Some(idx));
                    if columns.len() <= idx {
                        columns.resize_with(idx + 1, HashSet::new);
                    }
                    if let Some(column) = columns.get_mut(idx) {
                        column.insert(address.as_str().to_owned());
                    }
                }
            }
            if !has_address {
                if first_idx.is_none() {
                    above = Some(cells.len());
                }
                continue;
            }
            if trial.width == 0 {
                trial.width = cells.len();
                trial.is_named = above.is_none_or(|above| first_idx < Some(above));
                trial.is_even = above.is_none_or(|above| above == cells.len());
            }
            trial.is_even &= cells.len() == trial.width;
        }
        trial.n_addresses = columns.iter().map(HashSet::len).max().unwrap_or(0);
        if trial.width == 0 {
            trial.width = above.unwrap_or(0);
        }
        trial
    }
}
