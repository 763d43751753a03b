//! Reading a lead list: the text that spreadsheets and other programs export as CSV (RFC 4180), whatever encoding,
//! delimiter and column names they choose. Every row is a lead or is named as one that cannot be; what is done about
//! those is the caller's, and storing the leads the store's.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use encoding_rs::Encoding;

use self::cell::{NoAddress, clean, parse_address};
use self::encoding::Decoded;
use self::refusal::Asks;
use self::rows::{Dialect, OpenQuote, Rows};
use self::table::{SampleRow, Table};
use super::field::fold;
use crate::record::NewLead;

mod cell;
mod encoding;
mod fault;
mod refusal;
mod rows;
mod table;

pub use cell::key_of;
pub use encoding::{find_encoding, find_garbled};
pub use fault::{Fault, LeadsError, Unusable, show_hidden};

/// The name under which a message can always name the address, whatever its column is called.
pub const ADDRESS_COLUMN: &str = "email";

/// What the leads of one list may hold in all: 16 times the largest file. 300,000 leads of ten columns hold half
/// of it; what goes beyond repeats very long column names, or has very many empty cells.
const HELD_BYTES_MAX: usize = 512 * 1024 * 1024;

/// What a cell costs beside its words: two strings and a place in a map.
const CELL_BYTES: usize = 80;

/// How many rows that cannot be used are kept; the others are counted.
const UNUSABLE_MAX: usize = 10_000;

/// A lead list.
#[derive(Clone, Debug)]
pub struct LeadList {
    /// The names that messages may use.
    pub columns: Vec<String>,
    /// The leads, in their order.
    pub leads: Vec<NewLead>,
    /// The rows that are none, in their order; the first 10,000.
    pub unusable: Vec<Unusable>,
    /// How many they are.
    pub n_unusable: u64,
    /// People who must not be written to, in the order of their rows; the first 10,000.
    pub left_out: Vec<Unusable>,
    /// How many they are.
    pub n_left_out: u64,
    /// Rows of people whom the campaign has already.
    pub n_already: u64,
    /// The people whom a row of the list itself refuses, by [key](key_of), and the first such row.
    pub refused: HashMap<String, u64>,
    /// The names that several columns have; all but the first of these have a number.
    pub doubled: Vec<String>,
    /// As what it was read.
    pub form: Form,
}

/// The form of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The encoding's name (WHATWG Encoding).
    pub encoding: &'static str,
    /// What stands between cells.
    pub delimiter: char,
    /// The row with the column names; `None` where the list begins with a lead.
    pub header_row: Option<u64>,
    /// The name of the column with the addresses.
    pub address_column: String,
    /// Rows below the names that are no leads and say so: a footer, repeated names, a ruled line.
    pub n_passed_over: u64,
}

impl LeadList {
    /// Keeps the leads with which nothing is wrong, each address once: the first row of it that can be used. `judge`
    /// tells what is wrong with a row, and in which column. Whom one row refuses is left out of all.
    pub fn judge(&mut self, judge: impl Fn(&NewLead) -> Option<(Option<String>, Fault)>) {
        let mut rows_by_address: HashMap<String, u64> = HashMap::new();
        for lead in std::mem::take(&mut self.leads) {
            let row = lead.row;
            let key = key_of(&lead.address);
            if let Some(by_row) = self.refused.get(&key).copied() {
                let column = Some(self.form.address_column.clone());
                let address = lead.address;
                let fault = Fault::RefusedElsewhere { by_row, address };
                self.leave_out(Unusable { row, column, fault });
                continue;
            }
            let fault = judge(&lead).or_else(|| {
                let first = *rows_by_address.entry(key).or_insert(row);
                let address = lead.address.clone();
                (first != row).then(|| {
                    let column = Some(self.form.address_column.clone());
                    (column, Fault::Duplicate { first, address })
                })
            });
            match fault {
                None => self.leads.push(lead),
                Some((column, fault @ Fault::Suppressed { .. })) => {
                    self.leave_out(Unusable { row, column, fault });
                }
                // A list that is imported again changes nothing.
                Some((_, Fault::Known { .. })) => self.n_already += 1,
                Some((column, fault)) => self.complain(Unusable { row, column, fault }),
            }
        }
        for rows in [&mut self.unusable, &mut self.left_out] {
            rows.sort_by_key(|unusable| unusable.row);
            rows.truncate(UNUSABLE_MAX);
        }
    }

    /// Leaves a person out who must not be written to.
    fn leave_out(&mut self, unusable: Unusable) {
        self.n_left_out += 1;
        if self.left_out.len() < 2 * UNUSABLE_MAX {
            self.left_out.push(unusable);
        }
    }

    fn complain(&mut self, unusable: Unusable) {
        self.n_unusable += 1;
        // Twice as many as are kept: those of a judgement stand between those of the reading.
        if self.unusable.len() < 2 * UNUSABLE_MAX {
            self.unusable.push(unusable);
        }
    }
}

/// The leads of a list. Rows count from 1 as a spreadsheet counts them; cells are trimmed, names kept in small
/// letters. An address may stand in several of them until they are [judged](LeadList::judge). `told` is the encoding,
/// where a person said it.
pub fn parse(bytes: &[u8], told: Option<&'static Encoding>) -> Result<LeadList, LeadsError> {
    parse_within(bytes, told, HELD_BYTES_MAX)
}

fn parse_within(
    bytes: &[u8],
    told_encoding: Option<&'static Encoding>,
    held_bytes_max: usize,
) -> Result<LeadList, LeadsError> {
    if let Some(what) = find_other_format(bytes) {
        return Err(LeadsError::OtherFormat { what });
    }
    let decoded = match told_encoding {
        Some(told) => encoding::decode_told(told, bytes),
        None => encoding::decode(bytes),
    };
    // Programs that put a mark before what has one already leave two.
    let text = decoded.text.trim_start_matches('\u{FEFF}');
    let (told, text) = rows::split_told(text);
    if !text.contains(char::is_alphanumeric) {
        return Err(LeadsError::Empty);
    }
    let mut dialect = rows::find_dialect(text, told);
    let unwrapped = rows::unwrap(text, dialect);
    let text = unwrapped.as_deref().unwrap_or(text);
    if unwrapped.is_some() {
        dialect = rows::find_dialect(text, None);
    }
    if !decoded.fits {
        return Err(find_letters(text, dialect, decoded.encoding));
    }
    if !decoded.others.is_empty() {
        return Err(find_difference(&decoded, text, dialect));
    }
    let sample = read_sample(text, dialect)?;
    if sample.is_empty() {
        return Err(LeadsError::Empty);
    }
    let mut table = table::find_table(&sample)?;
    drop(sample);
    name_unnamed(text, dialect, &mut table)?;
    let form = Form {
        encoding: decoded.encoding,
        delimiter: char::from(dialect.delimiter),
        header_row: table.header_row,
        address_column: table.address_name().to_owned(),
        n_passed_over: 0,
    };
    let reader = Reader::new(table, form, held_bytes_max);
    reader.read(Rows::new(text, dialect))
}

/// What a file is that is no text of rows.
fn find_other_format(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(bytes)
        .trim_ascii_start();
    let starts = |start: &[u8]| {
        text.get(..start.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    let is_any = |all: &[&[u8]]| all.iter().any(|start| starts(start));
    if is_any(&[b"PK\x03\x04", b"\xD0\xCF\x11\xE0"]) {
        Some("a spreadsheet in its own format")
    } else if is_any(&[
        b"<html",
        b"<!doctype",
        b"<table",
        b"<?xml",
        b"<meta",
        b"<div",
        b"<style",
    ]) {
        Some("a web page or XML")
    } else if is_any(&[b"%PDF-", b"{\\rtf", b"\x1F\x8B"]) {
        Some("a document or an archive")
    } else if is_any(&[b"BEGIN:VCARD"]) {
        Some("a list of contact cards")
    } else if is_any(&[
        b"{\"", b"[{", b"{\n", b"{\r", b"[\n", b"[\r", b"{ \"", b"[ {",
    ]) {
        Some("JSON")
    } else if is_binary(bytes) {
        Some("no text: a picture, a program or another file of bytes")
    } else {
        None
    }
}

/// How much of a file is looked at for bytes that no text has.
const BINARY_BYTES: usize = 4_096;

/// So many strange bytes a text may have, as at its end where DOS marks it.
const STRANGE_BYTES: usize = 3;

/// Whether a file is none of text: a thirtieth of its beginning are controls that no text has in any encoding. Text of
/// two bytes a letter (UTF-16) has a zero in every other place and nowhere else.
fn is_binary(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(BINARY_BYTES)).unwrap_or(bytes);
    let is_control = |byte: &u8| matches!(byte, 1..=8 | 0x0E..=0x1A | 0x1C | 0x7F);
    let n_controls = start.iter().filter(|byte| is_control(byte)).count();
    let n_zeros = |first: usize| {
        let places = start.iter().skip(first).step_by(2);
        places.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (n_zeros(0), n_zeros(1));
    let is_wide = even.max(odd) > start.len() / 8 && even.min(odd) <= start.len() / 64;
    let n_strange = n_controls + if is_wide { 0 } else { even + odd };
    n_strange > STRANGE_BYTES && n_strange * 30 > start.len()
}

/// The first cell whose letters are wrong.
fn find_letters(text: &str, dialect: Dialect, encoding: &'static str) -> LeadsError {
    let mut rows = Rows::new(text, dialect);
    let mut cells = Vec::new();
    while let Some(Ok(row)) = rows.next_into(&mut cells) {
        for (column, cell) in (1..).zip(&cells) {
            if let Some(found) = encoding::find_wrong(cell) {
                return LeadsError::Letters {
                    row,
                    column,
                    found: fault::shorten(found),
                    encoding,
                    delimiter: char::from(dialect.delimiter),
                };
            }
        }
    }
    LeadsError::Letters {
        row: 1,
        column: 1,
        found: String::new(),
        encoding,
        delimiter: char::from(dialect.delimiter),
    }
}

/// The first cell that reads differently in the encodings that fit.
fn find_difference(decoded: &Decoded<'_>, text: &str, dialect: Dialect) -> LeadsError {
    let first_words = |text: &str| -> Vec<(u64, usize, String)> {
        let mut rows = Rows::new(text, dialect);
        let mut cells = Vec::new();
        let mut words = Vec::new();
        while let Some(Ok(row)) = rows.next_into(&mut cells) {
            for (column, cell) in (1..).zip(&cells) {
                if !cell.is_ascii() {
                    words.push((row, column, fault::shorten(clean(cell))));
                }
            }
        }
        words
    };
    let ours = first_words(text);
    let others: Vec<Vec<(u64, usize, String)>> = decoded
        .others
        .iter()
        .map(|other| {
            let (_, text) = rows::split_told(other.text.trim_start_matches('\u{FEFF}'));
            first_words(text)
        })
        .collect();
    let differs = |at: usize| others.iter().any(|other| other.get(at) != ours.get(at));
    let at = (0..ours.len()).find(|at| differs(*at)).unwrap_or(0);
    let (row, column, word) = ours.get(at).cloned().unwrap_or((1, 1, String::new()));
    let mut readings = vec![(decoded.encoding, word)];
    for (other, words) in decoded.others.iter().zip(&others) {
        if let Some((_, _, word)) = words.get(at) {
            readings.push((other.encoding, word.clone()));
        }
    }
    LeadsError::Encoding {
        row,
        column,
        readings,
    }
}

fn read_sample(text: &str, dialect: Dialect) -> Result<Vec<SampleRow>, LeadsError> {
    let mut rows = Rows::new(text, dialect);
    let mut cells = Vec::new();
    let mut sample = Vec::new();
    while sample.len() < rows::SAMPLE_ROWS
        && let Some(read) = rows.next_into(&mut cells)
    {
        let row = read?;
        let cleaned: Vec<String> = cells.iter().map(|cell| clean(cell).to_owned()).collect();
        if !is_blank(&cells) {
            sample.push((row, cleaned));
        }
    }
    Ok(sample)
}

/// Whether a row says nothing: empty cells, or a line that is drawn below the names.
fn is_blank(cells: &[Cow<'_, str>]) -> bool {
    let mut filled = cells
        .iter()
        .map(|cell| clean(cell))
        .filter(|cell| !cell.is_empty());
    let mut is_ruled = false;
    let all = filled.all(|cell| {
        is_ruled |= cell.len() > 2;
        cell.bytes().all(|byte| b"-=:+ ".contains(&byte))
    });
    all && (is_ruled || cells.iter().all(|cell| clean(cell).is_empty()))
}

/// Gives a number to each column without a name in which something stands. Those that stay without one are empty.
fn name_unnamed(text: &str, dialect: Dialect, table: &mut Table) -> Result<(), LeadsError> {
    let has_header = table.header_row.is_some();
    if has_header && table.names.iter().all(Option::is_some) {
        return Ok(());
    }
    let mut is_used = vec![false; table.names.len()];
    let mut rows = Rows::new(text, dialect);
    let mut cells = Vec::new();
    while let Some(read) = rows.next_into(&mut cells) {
        let row = read?;
        if table.header_row.is_some_and(|header| row <= header) {
            continue;
        }
        for (idx, cell) in cells.iter().enumerate() {
            if clean(cell).is_empty() {
                continue;
            }
            if idx >= is_used.len() && !has_header {
                is_used.resize(idx + 1, false);
            }
            if let Some(is_used) = is_used.get_mut(idx) {
                *is_used = true;
            }
        }
    }
    table.number(&is_used);
    Ok(())
}

/// A row that is no lead, and what tells a footer from it.
#[derive(Clone, Debug)]
struct Suspect {
    unusable: Unusable,
    /// Whether a footer may begin here: behind a blank row, or with one cell where the table has several.
    may_begin: bool,
    /// Whether it may be a row of a footer: few cells, and no address among them.
    may_follow: bool,
}

struct Reader {
    table: Table,
    /// Columns that say whether a person may be written to.
    questions: Vec<(usize, Asks, HashMap<String, bool>)>,
    list: LeadList,
    /// Whether the address needs a field of its own.
    needs_alias: bool,
    /// Rows without an address since the last one that had one.
    tail: Vec<Suspect>,
    /// Whether a blank row stands between here and the last address.
    is_apart: bool,
    held_bytes: usize,
    held_bytes_max: usize,
    names_bytes: usize,
}

impl Reader {
    fn new(table: Table, form: Form, held_bytes_max: usize) -> Self {
        let mut columns: Vec<String> = table.names.iter().flatten().cloned().collect();
        let needs_alias = !columns.iter().any(|name| name == ADDRESS_COLUMN)
            && fold(table.address_name()) != ADDRESS_COLUMN;
        if needs_alias {
            columns.push(ADDRESS_COLUMN.to_owned());
        }
        let names_bytes = columns.iter().map(|name| name.len() + CELL_BYTES).sum();
        let list = LeadList {
            columns,
            leads: Vec::new(),
            unusable: Vec::new(),
            n_unusable: 0,
            left_out: Vec::new(),
            n_left_out: 0,
            n_already: 0,
            refused: HashMap::new(),
            doubled: table.doubled.clone(),
            form,
        };
        let questions = (0..)
            .zip(&table.names)
            .filter(|(idx, _)| *idx != table.address_idx)
            .filter_map(|(idx, name)| {
                Some((
                    idx,
                    refusal::find_question(name.as_deref()?)?,
                    HashMap::new(),
                ))
            })
            .collect();
        Self {
            table,
            questions,
            list,
            needs_alias,
            tail: Vec::new(),
            is_apart: false,
            held_bytes: 0,
            held_bytes_max,
            names_bytes,
        }
    }

    fn read(mut self, mut rows: Rows<'_>) -> Result<LeadList, LeadsError> {
        let mut cells = Vec::new();
        while let Some(read) = rows.next_into(&mut cells) {
            let row = read?;
            if self.table.header_row.is_some_and(|header| row <= header) {
                continue;
            }
            if is_blank(&cells) {
                self.is_apart = true;
                continue;
            }
            let n_bytes: usize = cells.iter().map(|cell| cell.len()).sum();
            self.held_bytes = self.held_bytes.saturating_add(self.names_bytes + n_bytes);
            if self.held_bytes > self.held_bytes_max {
                return Err(LeadsError::TooLarge { row });
            }
            let cells: Vec<&str> = cells.iter().map(|cell| clean(cell)).collect();
            self.read_row(row, &cells);
        }
        self.end_tail();
        if self.list.leads.is_empty() && self.list.n_unusable + self.list.n_left_out == 0 {
            return Err(LeadsError::NoLeads);
        }
        Ok(self.list)
    }

    fn read_row(&mut self, row: u64, cells: &[&str]) {
        let idx = self.table.address_idx;
        let found = cells.get(idx).copied().unwrap_or_default();
        let column = Some(self.table.address_name().to_owned());
        let address = match parse_address(found) {
            Ok(address) => address,
            Err(why) => {
                let is_header = is_header(cells, &self.table.names);
                if self.table.header_row.is_some() && is_header {
                    // Lists that were put together repeat their names.
                    self.list.form.n_passed_over += 1;
                    return;
                }
                let fault = match why {
                    NoAddress::Several => Fault::Several {
                        found: fault::shorten(found),
                    },
                    NoAddress::Hidden => Fault::Hidden {
                        found: show_hidden(found),
                    },
                    NoAddress::Other => Fault::Address {
                        found: fault::shorten(found),
                    },
                };
                let n_filled = cells.iter().filter(|cell| !cell.is_empty()).count();
                let n_names = self.table.names.len();
                self.suspect(Suspect {
                    unusable: Unusable { row, column, fault },
                    may_begin: self.is_apart || n_names > 1 && cells.len() == 1,
                    may_follow: n_filled < n_names && is_footer(found, cells, n_filled),
                });
                return;
            }
        };
        self.keep_tail();
        let refused = self.questions.iter_mut().find_map(|(at, asks, seen)| {
            let cell = cells.get(*at).copied().unwrap_or_default();
            is_refusal(*asks, cell, seen).then_some((*at, cell))
        });
        // Before what else is wrong with the row: no other row of this person is a lead.
        if let Some((at, cell)) = refused {
            self.list.refused.entry(key_of(&address)).or_insert(row);
            let found = fault::shorten(cell);
            self.list.leave_out(Unusable {
                row,
                column: self.table.names.get(at).cloned().flatten(),
                fault: Fault::NotToWrite { found },
            });
            return;
        }
        let n_names = self.table.names.len();
        let last = cells
            .iter()
            .rposition(|cell| !cell.is_empty())
            .map_or(0, |last| last + 1);
        if last > n_names {
            let fault = Fault::Excess {
                expected: n_names,
                found: last,
            };
            self.complain(Unusable {
                row,
                column: None,
                fault,
            });
            return;
        }
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for (at, name) in self.table.names.iter().enumerate() {
            let Some(name) = name else { continue };
            let cell = cells.get(at).copied().unwrap_or_default();
            let value = if at == idx {
                address.to_string()
            } else {
                cell.to_owned()
            };
            fields.insert(name.clone(), value);
        }
        if self.needs_alias {
            fields.insert(ADDRESS_COLUMN.to_owned(), address.to_string());
        }
        self.list.leads.push(NewLead {
            row,
            address,
            fields,
        });
    }

    fn complain(&mut self, unusable: Unusable) {
        self.list.complain(unusable);
    }

    fn suspect(&mut self, suspect: Suspect) {
        self.tail.push(suspect);
        if self.tail.len() > UNUSABLE_MAX {
            self.keep_tail();
        }
    }

    /// A row with an address stands below: what is above it was no footer.
    fn keep_tail(&mut self) {
        for suspect in std::mem::take(&mut self.tail) {
            self.complain(suspect.unusable);
        }
        self.is_apart = false;
    }

    /// The list ends. What stands apart at its end, narrower than the table, and names no address, is a footer:
    /// totals, who made the report, whose it is.
    fn end_tail(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        let starts = tail.iter().position(|suspect| suspect.may_begin);
        let starts = starts
            .filter(|_| !self.list.leads.is_empty())
            .unwrap_or(tail.len());
        let is_footer = tail.iter().skip(starts).all(|suspect| suspect.may_follow);
        for (at, suspect) in tail.into_iter().enumerate() {
            if is_footer && at >= starts {
                self.list.form.n_passed_over += 1;
            } else {
                self.complain(suspect.unusable);
            }
        }
    }
}

/// So many cells of a column are kept in mind: most say what others said.
const SEEN_MAX: usize = 4_096;

fn is_refusal(asks: Asks, cell: &str, seen: &mut HashMap<String, bool>) -> bool {
    if cell.is_empty() {
        return false;
    }
    if let Some(known) = seen.get(cell) {
        return *known;
    }
    let is_refusal = refusal::is_refusal(asks, cell);
    if seen.len() < SEEN_MAX {
        seen.insert(cell.to_owned(), is_refusal);
    }
    is_refusal
}

/// Whether a row at the end may be a footer: words alone, or words with a figure. One word with a dot in it, where an
/// address is due, is an address that was mistyped.
fn is_footer(address: &str, cells: &[&str], n_filled: usize) -> bool {
    let is_mistyped = address.contains('.')
        && !address.contains(char::is_whitespace)
        && !address.contains("://")
        && !address.starts_with("www.");
    let has_figure = || {
        cells
            .iter()
            .any(|cell| cell.contains(|c: char| c.is_ascii_digit()))
    };
    !is_mistyped
        && !cells.iter().any(|cell| cell.contains('@'))
        && (n_filled <= 1 || n_filled == 2 && has_figure())
}

/// Whether a row says the names of the columns again, each in its place. A doubled name was numbered.
fn is_header(cells: &[&str], names: &[Option<String>]) -> bool {
    let is_said = |(cell, name): (&&str, &Option<String>)| match name {
        None => cell.is_empty(),
        Some(name) => {
            let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
            is_name(cell, name) || is_name(cell, bare)
        }
    };
    cells.len() == names.len() && cells.iter().zip(names).all(is_said)
}

fn is_name(cell: &str, name: &str) -> bool {
    !cell.is_empty() && fold(cell) == fold(name)
}

impl From<OpenQuote> for LeadsError {
    fn from(open: OpenQuote) -> Self {
        Self::OpenQuote { row: open.row }
    }
}

#[cfg(test)]
mod tests;
