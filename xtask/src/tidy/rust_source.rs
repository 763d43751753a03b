//! A Rust file with its comments and the text of its literals blanked, so that a check sees code
//! only; the string literals stand beside it. Not a parser: it knows where words are, not what
//! they mean.

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

/// A file, taken apart.
#[derive(Debug, Default)]
pub(crate) struct RustSource {
    /// The text with comments and literals replaced by spaces; lines stay where they were.
    pub(crate) code: String,
    pub(crate) literals: Vec<Literal>,
}

/// One string literal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// From 1; the line on which it begins.
    pub(crate) line: usize,
    /// As written, without its quotes; escapes are not resolved.
    pub(crate) text: String,
}

/// Takes a Rust file apart.
pub(crate) fn read(text: &str) -> RustSource {
    let mut source = RustSource::default();
    let mut rest = text;
    let mut line = 1;
    let mut before = ' ';
    while !rest.is_empty() {
        let (kind, length) = next(rest, before);
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        match kind {
            Kind::Code => source.code.push_str(token),
            Kind::Blank => blank(token, &mut source.code),
            Kind::Text { opening, closing } => {
                blank(token, &mut source.code);
                let end = token.len().saturating_sub(closing);
                let text = token.get(opening..end).unwrap_or_default().to_owned();
                source.literals.push(Literal { line, text });
            }
        }
        line += token.matches('\n').count();
        before = token.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    source
}

/// The line, from 1, of a byte position.
pub(crate) fn line_at(text: &str, position: usize) -> usize {
    text.get(..position)
        .map_or(1, |before| before.matches('\n').count() + 1)
}

/// Whether the character can be part of a name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The name that stands at the start of the text; empty when none does.
pub(crate) fn first_word(text: &str) -> &str {
    text.split(|c| !is_word(c)).next().unwrap_or_default()
}

/// The items below `#[cfg(test)]`, each from its attribute on, with where it begins.
pub(crate) fn test_items(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices(TEST_ATTRIBUTE)
        .map(|(at, _)| (at, item(code.get(at..).unwrap_or_default())))
}

/// The text as far as the brace that closes the item at its start, or as far as its semicolon.
pub(crate) fn item(code: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(c, ';' | '}') {
            return code.get(..=at).unwrap_or(code);
        }
    }
    code
}

enum Kind {
    Code,
    Blank,
    /// A string, with the lengths of what opens and closes it.
    Text {
        opening: usize,
        closing: usize,
    },
}

/// What stands at the start of `rest`, and its length in bytes.
fn next(rest: &str, before: char) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Blank, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Blank, block_comment(rest));
    }
    if !is_word(before)
        && let Some((opening, closing, length)) = raw_string(rest)
    {
        return (Kind::Text { opening, closing }, length);
    }
    if rest.starts_with('"') {
        return (
            Kind::Text {
                opening: 1,
                closing: 1,
            },
            quoted(rest, '"'),
        );
    }
    if rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'') && rest.starts_with('\'') {
        return (Kind::Blank, quoted(rest, '\''));
    }
    (Kind::Code, rest.chars().next().map_or(1, char::len_utf8))
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut skip = false;
    for (at, _) in rest.char_indices() {
        if std::mem::take(&mut skip) {
            continue;
        }
        let tail = rest.get(at..).unwrap_or_default();
        if tail.starts_with("/*") {
            depth += 1;
            skip = true;
        } else if tail.starts_with("*/") {
            depth -= 1;
            skip = true;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, and the same with `b` or `c` before.
fn raw_string(rest: &str) -> Option<(usize, usize, usize)> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix)
            .is_some_and(|tail| tail.starts_with(['#', '"']))
    })?;
    let tail = rest.strip_prefix(prefix)?;
    let hashes = tail.len() - tail.trim_start_matches('#').len();
    let body = tail.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opening = prefix.len() + hashes + 1;
    let length = body
        .find(&end)
        .map_or(rest.len(), |at| opening + at + end.len());
    Some((opening, end.len(), length))
}

/// The length of a literal in quotes, its escapes skipped.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

fn blank(token: &str, code: &mut String) {
    code.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        read(text)
            .code
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn literals(text: &str) -> Vec<String> {
        read(text)
            .literals
            .into_iter()
            .map(|literal| literal.text)
            .collect()
    }

    #[test]
    fn comments_are_blanked_and_lines_stay() {
        let source = read("a // todo!()\n/* b /* c */ d */ e\n");
        assert_eq!(source.code.lines().count(), 2);
        assert_eq!(
            source.code.split_whitespace().collect::<Vec<_>>(),
            ["a", "e"]
        );
    }

    #[test]
    fn strings_are_taken_out_whatever_their_quotes() {
        let text = r##"f("a \" // b", r#"c " d"#, br"e", b"g");"##;
        assert_eq!(literals(text), [r#"a \" // b"#, r#"c " d"#, "e", "g"]);
        assert_eq!(code(text), "f( , , , b );");
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        assert_eq!(
            code("fn f<'a>(x: &'a str) { g('\"', '\\'', 'x') }"),
            "fn f<'a>(x: &'a str) { g( , , ) }"
        );
    }

    #[test]
    fn a_literal_knows_its_line() {
        assert_eq!(
            read("\n\nlet a = \"b\nc\"; \"d\"").literals,
            [
                Literal {
                    line: 3,
                    text: "b\nc".to_owned()
                },
                Literal {
                    line: 4,
                    text: "d".to_owned()
                }
            ]
        );
    }

    #[test]
    fn an_unfinished_file_does_not_break_it() {
        for text in ["\"a", "r#\"a", "/* a", "'\\", "'", "r#", "\"a\\"] {
            let _ = read(text);
        }
    }
}
