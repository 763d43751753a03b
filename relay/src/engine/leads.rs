//! Reading a lead list from CSV (RFC 4180): every row or none. Storing them is the store's.

use std::collections::{BTreeMap, HashMap};

use protocol::inbox::Address;

use crate::record::NewLead;

/// The column that holds the address.
pub const ADDRESS_COLUMN: &str = "email";

/// What is wrong with a lead list. Rows count from 1, the header being row 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeadsError {
    /// No row with column names.
    #[error("the file is empty: expected a first row with column names, one of them \"email\"")]
    Empty,
    /// No address column.
    #[error("there is no column \"email\": found {}", .found.join(", "))]
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
    #[error("the file has column names and no leads")]
    NoLeads,
    /// A row with more or fewer cells than the header.
    #[error(
        "row {row} has {found} cells, the header has {expected}: is a quote or a comma missing?"
    )]
    BrokenRow {
        /// The row.
        row: u64,
        /// Cells in it.
        found: u64,
        /// Cells in the header.
        expected: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("row {row} is not UTF-8: save the file as \"CSV UTF-8\" and import it again")]
    NotUtf8 {
        /// The row.
        row: u64,
    },
    /// Not a mail address.
    #[error("row {row}: expected a mail address in column \"email\", found {found:?}")]
    Address {
        /// The row.
        row: u64,
        /// What stood there.
        found: String,
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
            | Self::NotUtf8 { row }
            | Self::Address { row, .. }
            | Self::Duplicate { row, .. } => Some(*row),
            Self::NoAddressColumn { .. } | Self::ColumnName { .. } => Some(1),
            Self::Empty | Self::NoLeads => None,
        }
    }
}

/// The columns and leads of a CSV file. Cells are trimmed; names are matched in any case and kept in lower case.
pub fn parse(bytes: &[u8]) -> Result<(Vec<String>, Vec<NewLead>), LeadsError> {
    // Spreadsheets write a byte order mark; it is no part of the first name.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
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
    for (row, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|error| refusal(&error, row))?;
        let fields: BTreeMap<String, String> = columns
            .iter()
            .cloned()
            .zip(record.iter().map(str::to_owned))
            .collect();
        let found = fields.get(ADDRESS_COLUMN).cloned().unwrap_or_default();
        let address: Address = found
            .parse()
            .map_err(|_| LeadsError::Address { row, found })?;
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

fn parse_columns(header: &csv::StringRecord) -> Result<Vec<String>, LeadsError> {
    let mut columns: Vec<String> = Vec::with_capacity(header.len());
    for (number, name) in (1..).zip(header) {
        let name = name.to_lowercase();
        if name.is_empty() {
            return Err(LeadsError::ColumnName {
                number,
                problem: "has no name".to_owned(),
            });
        }
        if columns.contains(&name) {
            return Err(LeadsError::ColumnName {
                number,
                problem: format!("is named {name:?} like an earlier one"),
            });
        }
        columns.push(name);
    }
    Ok(columns)
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
    fn what_is_wrong_is_named_with_its_row() {
        for (bytes, row, words) in [
            (&b""[..], None, "empty"),
            (b"email\n", None, "no leads"),
            (
                b"mail,name\na@b.example,x\n",
                Some(1),
                "no column \"email\": found mail, name",
            ),
            (
                b"email,email\na@b.example,x\n",
                Some(1),
                "column 2 is named \"email\"",
            ),
            (b"email,\na@b.example,x\n", Some(1), "column 2 has no name"),
            (
                b"email,name\na@b.example,x\nb@b.example\n",
                Some(3),
                "row 3 has 1 cells, the header has 2",
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
