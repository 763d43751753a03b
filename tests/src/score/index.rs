//! The table of a folder of inputs: a file a row, and what is expected of it.

use anyhow::Context as _;

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Its name.
    pub(super) file: String,
    /// What is to come of it, in the table's words.
    pub(super) expected: String,
}

/// Reads the rows of the first table that has the columns `file` and `expected`.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut lines = text.lines().map(cells);
    let (file, expected) = lines
        .find_map(|cells| {
            let place = |name: &str| cells.iter().position(|cell| cell == name);
            Some((place("file")?, place("expected")?))
        })
        .context("the table has no columns \"file\" and \"expected\"")?;
    let rows = lines
        .take_while(|cells| !cells.is_empty())
        .filter_map(|cells| {
            let file = cells.get(file)?.trim_matches('`').to_owned();
            let expected = cells.get(expected)?.clone();
            file.contains('.').then_some(Row { file, expected })
        });
    Ok(rows.collect())
}

/// The cells of a line; none where it is no row. A bar behind a backslash is the cell's own.
fn cells(line: &str) -> Vec<String> {
    let Some(row) = line.trim().strip_prefix('|') else {
        return Vec::new();
    };
    let row = row.replace("\\|", "\u{0}");
    row.split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_the_names_of_their_columns() {
        let text = "# Inputs\n\n| kind | file | expected |\n|---|---|---|\n| a\\|b | x.eml | bounce |\n\nwords\n";
        let row = Row {
            file: "x.eml".to_owned(),
            expected: "bounce".to_owned(),
        };
        assert_eq!(read(text).unwrap(), [row]);
        assert!(read("| file |\n").is_err());
    }
}
