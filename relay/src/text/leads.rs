//! Reading a lead list from CSV (RFC 4180): every row or none. Storing them is the store's.

use std::collections::{BTreeMap, HashMap, HashSet};

use protocol::inbox::Address;

use crate::record::NewLead;

/// The column that holds the address.
pub const ADDRESS_COLUMN: &str = "email";

/// What the leads of one list may hold in all: 16 times the largest file. 300,000 leads of ten columns hold half
/// of it; what goes beyond repeats very long column names, or has very many empty cells.
const HELD_BYTES_MAX: usize = 512 * 1024 * 1024;

/// What a cell costs beside its words: two strings and a place in a map.
const CELL_BYTES: usize = 80;

/// How much of a cell or a name is shown in an error, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// How many column names are shown in an error.
const SHOWN_COLUMNS_MAX: usize = 30;

/// What is wrong with a lead list. Rows count from 1, the header being row 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeadsError {
    /// No row with column names.
    #[error("the file is empty: expected a first row with column names, one of them \"email\"")]
    Empty,
    /// No address column.
    #[error(
        "there is no column \"email\": expected it among the column names in row 1, found {}",
        show_columns(.found)
    )]
    NoAddressColumn {
        /// The columns that are there.
        found: Vec<String>,
    },
    /// Two columns of one name, or one without.
    #[error("column {number} {problem}: every column needs a name of its own")]
    ColumnName {
        /// The column, from 1.
        number: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody to write to.
    #[error("the file has column names and no leads: expected a row for each lead below them")]
    NoLeads,
    /// A row with more or fewer cells than the header.
    #[error(
        "row {row}: expected {expected} cells as in the header, found {found}: is a quote or a comma missing?"
    )]
    BrokenRow {
        /// The row.
        row: u64,
        /// Cells in it.
        found: u64,
        /// Cells in the header.
        expected: u64,
    },
    /// A quoted cell without its end (RFC 4180 §2, rule 5); what follows would be read as part of it.
    #[error(
        "row {row} has a cell that begins with a quote and does not end with one: add the missing quote, and write a quote inside a cell twice"
    )]
    OpenQuote {
        /// The row in which the cell begins.
        row: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("row {row} is not UTF-8: save the file as \"CSV UTF-8\" and import it again")]
    NotUtf8 {
        /// The row.
        row: u64,
    },
    /// Not a mail address.
    #[error(
        "row {row}: expected a mail address such as jane@acme.example in column \"email\", found {found:?}"
    )]
    Address {
        /// The row.
        row: u64,
        /// What stood there.
        found: String,
    },
    /// Every lead keeps each of its columns by its name; here that is too much.
    #[error(
        "row {row}: the list is too large up to here, its column names counted for every row: remove the columns that no message names, or import it in parts"
    )]
    TooLarge {
        /// The first row that is too much.
        row: u64,
    },
    /// One address twice.
    #[error("row {row}: {address} stands in row {first} already; remove one of them")]
    Duplicate {
        /// The second row.
        row: u64,
        /// The first row.
        first: u64,
        /// The address.
        address: Address,
    },
}

impl LeadsError {
    /// The row at fault, where it is one.
    pub fn row(&self) -> Option<u64> {
        match self {
            Self::BrokenRow { row, .. }
            | Self::OpenQuote { row }
            | Self::NotUtf8 { row }
            | Self::Address { row, .. }
            | Self::TooLarge { row }
            | Self::Duplicate { row, .. } => Some(*row),
            Self::NoAddressColumn { .. } | Self::ColumnName { .. } => Some(1),
            Self::Empty | Self::NoLeads => None,
        }
    }
}

/// The columns and leads of a CSV file. Cells are trimmed; names are matched in any case and kept in lower case.
pub fn parse(bytes: &[u8]) -> Result<(Vec<String>, Vec<NewLead>), LeadsError> {
    parse_within(bytes, HELD_BYTES_MAX)
}

fn parse_within(
    bytes: &[u8],
    held_bytes_max: usize,
) -> Result<(Vec<String>, Vec<NewLead>), LeadsError> {
    // Spreadsheets write a byte order mark; it is no part of the first name.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut rows = number_rows(bytes)?.into_iter().skip(1);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader
        .headers()
        .map_err(|error| refusal(&error, 1))?
        .clone();
    if header.iter().all(str::is_empty) {
        return Err(LeadsError::Empty);
    }
    let columns = parse_columns(&header)?;
    if !columns.iter().any(|column| column == ADDRESS_COLUMN) {
        return Err(LeadsError::NoAddressColumn { found: columns });
    }
    let mut leads = Vec::new();
    let mut rows_by_address: HashMap<String, u64> = HashMap::new();
    let mut row = 1;
    let mut held_bytes = 0;
    let names_bytes: usize = columns.iter().map(|name| name.len() + CELL_BYTES).sum();
    for record in reader.records() {
        row = rows.next().unwrap_or(row + 1);
        let record = record.map_err(|error| refusal(&error, row))?;
        held_bytes += names_bytes + record.as_slice().len();
        if held_bytes > held_bytes_max {
            return Err(LeadsError::TooLarge { row });
        }
        let fields: BTreeMap<String, String> = columns
            .iter()
            .cloned()
            .zip(record.iter().map(str::to_owned))
            .collect();
        let found = fields.get(ADDRESS_COLUMN).cloned().unwrap_or_default();
        let address: Address = found.parse().map_err(|_| LeadsError::Address {
            row,
            found: shorten(&found),
        })?;
        // Local parts may be told apart by case in theory (RFC 5321 §2.4); nobody's mailbox is.
        if let Some(first) = rows_by_address.insert(address.as_str().to_lowercase(), row) {
            return Err(LeadsError::Duplicate {
                row,
                first,
                address,
            });
        }
        leads.push(NewLead {
            row,
            address,
            fields,
        });
    }
    if leads.is_empty() {
        Err(LeadsError::NoLeads)
    } else {
        Ok((columns, leads))
    }
}

/// Where a byte of the file stands.
enum At {
    /// At the beginning of a row.
    Row,
    /// At the beginning of a later cell.
    Cell,
    /// In a cell without quotes.
    Plain,
    /// In a cell that began with a quote.
    Quoted,
    /// Behind the quote that ends such a cell.
    Ended,
}

/// The number of each row that is not blank, as a spreadsheet counts them: the reader leaves blank rows out.
/// It also takes a quoted cell without its end for as long as the file is, which would swallow leads; that
/// is refused here.
fn number_rows(bytes: &[u8]) -> Result<Vec<u64>, LeadsError> {
    let mut rows = Vec::new();
    let (mut row, mut at) = (1, At::Row);
    let mut bytes = bytes.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if matches!(at, At::Row) && !matches!(byte, b'\r' | b'\n') {
            rows.push(row);
        }
        at = match (at, byte) {
            // A doubled quote is one quote of the cell (RFC 4180 §2, rule 7).
            (At::Quoted, b'"') if bytes.peek() == Some(&b'"') => {
                bytes.next();
                At::Quoted
            }
            (At::Quoted, b'"') | (At::Ended, b' ' | b'\t') => At::Ended,
            (At::Quoted, _) | (At::Row | At::Cell, b'"') => At::Quoted,
            (_, b'\r' | b'\n') => {
                // CR LF is one row end, counted at its LF.
                row += u64::from(byte == b'\n' || bytes.peek() != Some(&b'\n'));
                At::Row
            }
            (_, b',') => At::Cell,
            (At::Ended, _) => return Err(LeadsError::OpenQuote { row }),
            _ => At::Plain,
        };
    }
    match at {
        At::Quoted => Err(LeadsError::OpenQuote { row }),
        _ => Ok(rows),
    }
}

fn parse_columns(header: &csv::StringRecord) -> Result<Vec<String>, LeadsError> {
    let mut columns: Vec<String> = Vec::with_capacity(header.len());
    let mut seen = HashSet::new();
    for (number, name) in (1..).zip(header) {
        let name = name.to_lowercase();
        if name.is_empty() {
            return Err(LeadsError::ColumnName {
                number,
                problem: "has no name".to_owned(),
            });
        }
        if !seen.insert(name.clone()) {
            return Err(LeadsError::ColumnName {
                number,
                problem: format!("is named {:?} like an earlier one", shorten(&name)),
            });
        }
        columns.push(name);
    }
    Ok(columns)
}

/// The start of what stood there, fit to be shown also at a terminal.
fn shorten(text: &str) -> String {
    let (start, dots) = match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), "…"),
        None => (text, ""),
    };
    format!("{}{dots}", start.replace(char::is_control, " "))
}

fn show_columns(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN_COLUMNS_MAX);
    let mut shown: Vec<String> = shown.map(|name| shorten(name)).collect();
    if names.len() > SHOWN_COLUMNS_MAX {
        shown.push(format!("and {} more", names.len() - SHOWN_COLUMNS_MAX));
    }
    shown.join(", ")
}

fn refusal(error: &csv::Error, row: u64) -> LeadsError {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => LeadsError::BrokenRow {
            row,
            found: *len,
            expected: *expected_len,
        },
        // From a slice of bytes, nothing else can go wrong.
        _ => LeadsError::NotUtf8 { row },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_its_columns_trimmed() {
        let (columns, leads) =
            parse(b"\xEF\xBB\xBFEmail,First_Name\r\n ann@a.example , Ann \r\nbob@b.example,\"Bob, jr\"\r\n").unwrap();
        assert_eq!(columns, ["email", "first_name"]);
        assert_eq!(leads.len(), 2);
        assert_eq!(leads[1].fields["first_name"], "Bob, jr");
        assert_eq!(leads[1].row, 3);
        assert_eq!(leads[0].address.as_str(), "ann@a.example");
    }

    #[test]
    fn a_list_that_grows_beyond_its_file_is_refused_at_its_row() {
        let list = |n_rows: usize| {
            let name = "x".repeat(10_000);
            let rows: Vec<String> = (0..n_rows).map(|n| format!("{n}@a.example,")).collect();
            format!("email,{name}\n{}\n", rows.join("\n"))
        };
        assert_eq!(
            parse_within(list(9).as_bytes(), 100_000).unwrap().1.len(),
            9
        );
        let error = parse_within(list(10_000).as_bytes(), 100_000).unwrap_err();
        assert_eq!(error, LeadsError::TooLarge { row: 11 });
    }

    #[test]
    fn an_error_shows_no_more_than_a_person_reads() {
        let wide: Vec<String> = (0..5_000).map(|n| format!("column{n}")).collect();
        let long = format!("email\n{}\n", "x".repeat(100_000));
        let steering = "na\u{1b}[2Jme\nJane\n".to_owned();
        for list in [wide.join(","), long, steering] {
            let error = parse(list.as_bytes()).unwrap_err().to_string();
            assert!(error.len() < 1_000, "{} bytes", error.len());
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_row() {
        for (bytes, row, words) in [
            (&b""[..], None, "empty"),
            (b"email\n", None, "no leads"),
            (
                b"email,name\na@b.example,\"x\nb@b.example,y\n",
                Some(2),
                "row 2 has a cell that begins with a quote",
            ),
            (
                b"email,name\na@b.example,x\nb@b.example,\"y\nc@c.example,\"z\"\n",
                Some(3),
                "row 3 has a cell that begins with a quote",
            ),
            (
                b"\r\nemail,name\r\n\r\na@b.example,\"x\r\n\"\"y\"\"\"\r\n\r\nnobody,z\r\n",
                Some(6),
                "row 6: expected a mail address",
            ),
            (b"mail,name\na@b.example,x\n", Some(1), "found mail, name"),
            (
                b"email,email\na@b.example,x\n",
                Some(1),
                "column 2 is named \"email\"",
            ),
            (b"email,\na@b.example,x\n", Some(1), "column 2 has no name"),
            (
                b"email,name\na@b.example,x\nb@b.example\n",
                Some(3),
                "row 3: expected 2 cells as in the header, found 1",
            ),
            (
                b"email,name\na@b.example,x\nb@b.example,\xE4\n",
                Some(3),
                "row 3 is not UTF-8",
            ),
            (b"email\na@b.example\nnobody\n", Some(3), "found \"nobody\""),
            (
                b"email\na@b.example\nA@B.example\n",
                Some(3),
                "stands in row 2 already",
            ),
        ] {
            let error = parse(bytes).unwrap_err();
            assert_eq!(error.row(), row, "{error}");
            assert!(
                error.to_string().contains(words),
                "{error} should say {words}"
            );
        }
    }
}
