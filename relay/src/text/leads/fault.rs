//! What is wrong with a lead list, or with one row of it, in words that say what to do.

use std::fmt;

use protocol::delivery::Suppression;
use protocol::inbox::Address;

use crate::text::field::find_hidden;

/// How much of a cell or a name is shown in an error, in characters.
const SHOWN_CHARS_MAX: usize = 80;

/// How many column names are shown in an error.
const SHOWN_COLUMNS_MAX: usize = 30;

/// Why a file is no lead list. Rows count from 1, as a spreadsheet counts them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeadsError {
    /// Nothing in it.
    #[error(
        "the file is empty: expected a row with column names, and below it a row for each lead with its mail address"
    )]
    Empty,
    /// Another kind of file.
    #[error(
        "the file is {what}: expected a table as text; open it in a spreadsheet, save it as \"CSV UTF-8\" and import that"
    )]
    OtherFormat {
        /// What it is.
        what: &'static str,
    },
    /// Letters that cannot be right: the encoding is not known.
    #[error(
        "row {row}, column {column}: the letters of {found:?} cannot be right: expected the encoding UTF-8, and this is not (read as {encoding}, delimiter {delimiter:?}); save the file as \"CSV UTF-8\" and import it again, or say its encoding, as in --encoding windows-1251 (encoding=windows-1251 in the API)"
    )]
    Letters {
        /// The row.
        row: u64,
        /// The column, from 1.
        column: usize,
        /// The word.
        found: String,
        /// As what it was read for want of another.
        encoding: &'static str,
        /// What stands between cells.
        delimiter: char,
    },
    /// Letters that may be others: several encodings fit, and nothing decides.
    #[error(
        "row {row}, column {column}: this may be {}: which encoding is it? Say it, as in --encoding {} (encoding={} in the API), or save the file as \"CSV UTF-8\" and import it again",
        show_readings(.readings),
        first_encoding(.readings),
        first_encoding(.readings)
    )]
    Encoding {
        /// The row.
        row: u64,
        /// The column, from 1.
        column: usize,
        /// What stands there in each encoding.
        readings: Vec<(&'static str, String)>,
    },
    /// No address in it.
    #[error(
        "there is no column \"email\", and none with mail addresses: expected one, with its name in the row of the header; found in row {row}: {}",
        show_columns(.found)
    )]
    NoAddressColumn {
        /// The row that looks most like a header.
        row: u64,
        /// Its cells.
        found: Vec<String>,
    },
    /// The column with addresses is somebody else's by its name.
    #[error(
        "row {row}: the only column with mail addresses is {name:?}, which by its name is not the lead's: add the column with the leads' addresses, or name this one \"email\" if they are in it"
    )]
    NotTheLeads {
        /// The row of the header.
        row: u64,
        /// The column.
        name: String,
    },
    /// Several columns hold addresses, and no name says which one is the lead's.
    #[error(
        "row {row}: several columns hold mail addresses: {}; name the one to write to \"email\"",
        show_columns(.names)
    )]
    Ambiguous {
        /// The row of the header.
        row: u64,
        /// The columns.
        names: Vec<String>,
    },
    /// Nobody to write to.
    #[error("the file has column names and no leads: expected a row for each lead below them")]
    NoLeads,
    /// A quoted cell without its end (RFC 4180 §2, rule 5); what follows would be read as part of it.
    #[error(
        "row {row} has a cell that begins with a quote and does not end with one: add the missing quote, and write a quote inside a cell twice"
    )]
    OpenQuote {
        /// The row in which the cell begins.
        row: u64,
    },
    /// Every lead keeps each of its columns by its name; here that is too much.
    #[error(
        "row {row}: the list is too large up to here, its column names counted for every row: remove the columns that no message names, or import it in parts"
    )]
    TooLarge {
        /// The first row that is too much.
        row: u64,
    },
}

impl LeadsError {
    /// The row at fault, where it is one.
    pub fn row(&self) -> Option<u64> {
        match self {
            Self::OpenQuote { row }
            | Self::Letters { row, .. }
            | Self::Encoding { row, .. }
            | Self::TooLarge { row }
            | Self::NoAddressColumn { row, .. }
            | Self::NotTheLeads { row, .. }
            | Self::Ambiguous { row, .. } => Some(*row),
            Self::Empty | Self::NoLeads | Self::OtherFormat { .. } => None,
        }
    }
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The row, as a spreadsheet counts.
    pub row: u64,
    /// The column at fault, where it is one.
    pub column: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No mail address.
    Address {
        /// What stands there.
        found: String,
    },
    /// Several addresses in one cell.
    Several {
        /// What stands there.
        found: String,
    },
    /// More cells than there are columns.
    Excess {
        /// Columns.
        expected: usize,
        /// Cells.
        found: usize,
    },
    /// The address of a row above.
    Duplicate {
        /// That row.
        first: u64,
        /// The address.
        address: Address,
    },
    /// The address of a lead that is in the campaign already.
    Known {
        /// The address.
        address: Address,
    },
    /// The list itself says that this person must not be written to.
    NotToWrite {
        /// What stands there.
        found: String,
    },
    /// Another row says that this person must not be written to.
    RefusedElsewhere {
        /// The row that says so.
        by_row: u64,
        /// The address.
        address: Address,
    },
    /// The address or its domain stands on the list of who is not written to.
    Suppressed {
        /// The address.
        address: Address,
        /// Why it stands there.
        why: Suppression,
    },
    /// Nothing in a cell that a message names without a default.
    Empty {
        /// The field, as the message names it.
        field: String,
        /// What a program wrote there for no value, as `#N/A`; nothing where the cell is empty.
        found: String,
    },
    /// Letters that were lost or read wrongly before the file was saved.
    Garbled {
        /// The word.
        found: String,
    },
    /// A character that nobody sees and that changes what is seen.
    Hidden {
        /// The cell, such characters by their numbers.
        found: String,
    },
    /// Cells with which a message cannot be filled.
    Unfit {
        /// What is wrong, in words.
        words: String,
    },
    /// A cell with which the subject does not fit into a line.
    Subject {
        /// What is wrong, in words.
        words: String,
    },
}

impl Unusable {
    /// What was expected, found, and what to do.
    pub fn tell(&self) -> (String, String, String) {
        let column = self.column.as_deref().unwrap_or_default();
        let (expected, found, remedy) = match &self.fault {
            Fault::Address { found } => (
                format!(
                    "a mail address such as jane@acme.example in column {:?}",
                    shorten(column)
                ),
                format!("{found:?}"),
                "correct it or remove the row",
            ),
            Fault::Several { found } => (
                format!("one mail address in column {:?}", shorten(column)),
                format!("{found:?}"),
                "give each address a row of its own",
            ),
            Fault::Excess { expected, found } => (
                format!("at most {expected} cells, as in the row of the header"),
                format!("{found}"),
                "put quotes around a cell that holds the delimiter",
            ),
            Fault::Duplicate { first, address } => (
                "each address once".to_owned(),
                format!("{address}, which stands in row {first} already"),
                "remove one of them",
            ),
            Fault::Known { address } => (
                "new addresses".to_owned(),
                format!("{address}, which is in this campaign already"),
                "remove the row",
            ),
            Fault::NotToWrite { found } => (
                format!(
                    "nothing in column {:?} that says not to write to this person",
                    shorten(column)
                ),
                format!("{found:?}"),
                "leave the row out; where the column means something else, rename it",
            ),
            Fault::RefusedElsewhere { by_row, address } => (
                "a person whom no row of the list refuses".to_owned(),
                format!("{address}, whom row {by_row} says not to write to"),
                "leave the row out; where this row is right, correct the other",
            ),
            Fault::Suppressed { address, why } => (
                "a person who may be written to".to_owned(),
                format!(
                    "{address}, who is on the list of those who are not ({})",
                    why.code()
                ),
                "leave the row out; `unpause suppression list` shows why",
            ),
            Fault::Empty { field, found } => (
                format!(
                    "something for {{{{{}}}}}, which the messages name",
                    shorten(field)
                ),
                match found.as_str() {
                    "" => "an empty cell".to_owned(),
                    found => format!("{found:?}, which programs write for no value"),
                },
                "fill it, or give the message a default: {{name | default: \"there\"}}",
            ),
            Fault::Garbled { found } => (
                format!("readable letters in column {:?}", shorten(column)),
                format!("{found:?}"),
                "correct it, or export the list again as \"CSV UTF-8\"",
            ),
            Fault::Hidden { found } => (
                format!(
                    "characters that are seen in column {:?}, none that controls or turns them",
                    shorten(column)
                ),
                format!("\"{found}\""),
                "write the cell anew",
            ),
            Fault::Unfit { words } => (
                "cells with which every message can be filled".to_owned(),
                words.clone(),
                "correct or shorten them",
            ),
            Fault::Subject { words } => (
                "a cell that fits into the subject".to_owned(),
                words.clone(),
                "shorten it",
            ),
        };
        (expected, found, remedy.to_owned())
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (expected, found, remedy) = self.tell();
        write!(
            f,
            "row {}: expected {expected}, found {found}; {remedy}",
            self.row
        )
    }
}

/// The start of what stood there, fit to be shown also at a terminal.
pub(super) fn shorten(text: &str) -> String {
    let (start, dots) = match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), "…"),
        None => (text, ""),
    };
    format!("{}{dots}", start.replace(char::is_control, " "))
}

/// What stood there, with what nobody sees by its number.
pub fn show_hidden(text: &str) -> String {
    let shown: String = shorten_to(text, SHOWN_CHARS_MAX)
        .chars()
        .map(|c| match find_hidden(c.encode_utf8(&mut [0; 4])) {
            Some(hidden) => hidden.escape_unicode().to_string(),
            None => c.to_string(),
        })
        .collect();
    shown.replace(char::is_control, " ")
}

fn shorten_to(text: &str, chars_max: usize) -> &str {
    let end = text.char_indices().nth(chars_max);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

fn show_readings(readings: &[(&'static str, String)]) -> String {
    let shown: Vec<String> = readings
        .iter()
        .map(|(encoding, word)| format!("{word:?} ({encoding})"))
        .collect();
    shown.join(" or ")
}

fn first_encoding(readings: &[(&'static str, String)]) -> &'static str {
    readings
        .last()
        .map_or("windows-1252", |(encoding, _)| encoding)
}

fn show_columns(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN_COLUMNS_MAX);
    let mut shown: Vec<String> = shown.map(|name| shorten(name)).collect();
    if names.len() > SHOWN_COLUMNS_MAX {
        shown.push(format!("and {} more", names.len() - SHOWN_COLUMNS_MAX));
    }
    shown.join(", ")
}
