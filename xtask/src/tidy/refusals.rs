//! Every cause and every code of the API has a row in `docs/refusals.md`, and the test that a row names exists. That
//! the page is what the tests declare is checked by the tests.

use super::Finding;
use super::rust_source::is_word;
use super::tree::Tree;

const TABLE: &str = "docs/refusals.md";
/// The list of causes.
const CAUSES: &str = "protocol/src/cause.rs";
/// The list of codes.
const CODES: &str = "protocol/src/problem.rs";

/// Finds causes and codes without a row, and rows whose test is gone.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let rows: Vec<(usize, Vec<String>)> = tree
        .text(TABLE)
        .unwrap_or_default()
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| "))
        .map(|(at, line)| (at + 1, cells(line)))
        .collect();
    let has_row = |name: &str| {
        rows.iter().any(|(_, cells)| {
            let code = cells.get(2).map(String::as_str).unwrap_or_default();
            code.split(|c| !is_word(c)).any(|word| word == name)
        })
    };
    let missing = |path, line, name: &str| {
        let says = format!(
            "give `{name}` a row in {TABLE}: write `/// Row: case | how it is provoked | {name}` above the test that \
             plays it, and renew the page"
        );
        Finding::line(path, line, says)
    };
    let listed = tree.text(CAUSES).map(causes).unwrap_or_default();
    let coded = tree.text(CODES).map(codes).unwrap_or_default();
    let mut findings: Vec<Finding> = [(CAUSES, listed), (CODES, coded)]
        .into_iter()
        .flat_map(|(path, names)| {
            names
                .into_iter()
                .map(move |(line, name)| (path, line, name))
        })
        .filter(|(_, _, name)| !has_row(name))
        .map(|(path, line, name)| missing(path, line, &name))
        .collect();
    for (line, cells) in &rows {
        let Some((path, test)) = cells.get(5).and_then(|cell| named_test(cell)) else {
            continue;
        };
        // The name of a story that is a test in each browser is what `in_both!` is given.
        let is_there = tree.text(path).is_some_and(|text| {
            text.contains(&format!("fn {test}("))
                || text.contains(&format!("in_both!(\n    {test},"))
        });
        if !is_there {
            let says = format!("there is no test {test} in {path}: renew the page");
            findings.push(Finding::line(TABLE, *line, says));
        }
    }
    findings
}

/// The cells of a row; `\|` within one is no border.
fn cells(row: &str) -> Vec<String> {
    row.trim_matches(['|', ' '])
        .replace("\\|", "\u{0}")
        .split(" | ")
        .map(|cell| cell.replace('\u{0}', "|"))
        .collect()
}

/// The names in `causes! { name => Name, … }`, each with its line, and the one that no list holds.
fn causes(text: &str) -> Vec<(usize, String)> {
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let lines = text.lines().enumerate();
    let listed = lines.filter_map(|(at, line)| {
        let (name, variant) = line.trim().split_once(" => ")?;
        let variant = variant.strip_suffix(',')?;
        (is_name(name) && variant.chars().all(is_word)).then(|| (at + 1, name.to_owned()))
    });
    let mut names: Vec<_> = listed.collect();
    if let Some(at) = text.lines().position(|line| line.trim() == "Unrecognised,") {
        names.push((at + 1, "unrecognised".to_owned()));
    }
    names
}

/// The variants of `enum Code`, as they stand on the wire, each with its line.
fn codes(text: &str) -> Vec<(usize, String)> {
    text.lines()
        .enumerate()
        .skip_while(|(_, line)| !line.starts_with("pub enum Code {"))
        .take_while(|(_, line)| *line != "}")
        .filter_map(|(at, line)| {
            let variant = line.trim().strip_suffix(',')?;
            variant
                .chars()
                .all(is_word)
                .then(|| (at + 1, snake_case(variant)))
        })
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// "`path` test".
fn named_test(cell: &str) -> Option<(&str, &str)> {
    cell.strip_prefix('`')?.split_once("` ")
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::check;

    const LIST: &str = "pub enum Cause {\n    Unrecognised,\n}\ncauses! {\n    expired => Expired,\n    mixed_up => MixedUp,\n}\nlet a => b\n";
    const PROBLEM: &str =
        "pub enum Code {\n    /// Too often.\n    TooManyRequests,\n    /// No.\n    Invalid,\n}\n";
    const TEST: &str = "async fn it_ends() {}\nin_both!(\n    it_shows_in_chromium,\n";

    fn checked(page: &str) -> Vec<String> {
        found(
            check,
            &[
                ("docs/refusals.md", page),
                ("protocol/src/cause.rs", LIST),
                ("protocol/src/problem.rs", PROBLEM),
                ("relay/tests/it/ends.rs", TEST),
            ],
        )
    }

    #[test]
    fn a_page_with_every_cause_and_code_is_good() {
        let page = "| late | wait | expired | the person | Late. | `relay/tests/it/ends.rs` it_ends |\n\
                    | odd \\| even | say so | unrecognised, mixed_up | nobody | Odd. | `relay/tests/it/ends.rs` it_ends |\n\
                    | seen | look | refused | the person | Seen. | `relay/tests/it/ends.rs` it_shows_in_chromium |\n\
                    | often | ask | 429 too_many_requests | | slowly |\n| bad | ask | 422 invalid | | no |\n";
        assert_eq!(checked(page), [""; 0]);
    }

    #[test]
    fn a_cause_and_a_code_without_a_row_are_found() {
        let found = checked(
            "| expired | unrecognised | expired_not | invalid |\n| bad | ask | 422 invalid | |\n",
        );
        let places: Vec<&str> = found
            .iter()
            .filter_map(|finding| finding.split(" a row").next())
            .collect();
        assert_eq!(
            places,
            [
                "protocol/src/cause.rs:5: give `expired`",
                "protocol/src/cause.rs:6: give `mixed_up`",
                "protocol/src/cause.rs:2: give `unrecognised`",
                "protocol/src/problem.rs:3: give `too_many_requests`",
            ]
        );
    }

    #[test]
    fn a_row_whose_test_is_gone_is_found() {
        let rest = "| a | b | unrecognised mixed_up too_many_requests invalid | c | d |\n";
        let page = format!(
            "| late | wait | expired | x | Late. | `relay/tests/it/ends.rs` it_ended |\n{rest}"
        );
        assert_eq!(
            checked(&page),
            [
                "docs/refusals.md:1: there is no test it_ended in relay/tests/it/ends.rs: renew the page"
            ]
        );
    }
}
