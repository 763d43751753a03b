//! Our templates as minijinja reads them. A column is named between two braces as people write it (`{{First Name}}`,
//! `{{Price (EUR)}}`), and a default as Liquid has it (`{{company | default: "you"}}`): both become a cell of a table.
//! What is an expression or a statement of Jinja stays one; a statement alone on its line takes the line with it. Lines
//! stay where they were, so that errors name those of the writer.

use minijinja::{Environment, ErrorKind};

use super::bounds::Bounds;
use super::{Field, Form, TemplateError};

/// How the variables begin that stand for the cells of the table.
pub(super) const CELL: &str = "__cell_";

/// The longest name of a field that is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A template in minijinja's language.
pub(super) struct Translated {
    pub(super) text: String,
    /// What [`CELL`]`0`, [`CELL`]`1` stand for.
    pub(super) cells: Vec<Field>,
}

/// Translates a template, or says at which line it is none.
pub(super) fn translate(
    source: &str,
    form: Form,
    environment: &Environment<'_>,
) -> Result<Translated, TemplateError> {
    Bounds::check_length(source)?;
    let mut translating = Translating {
        source,
        environment,
        bounds: Bounds::default(),
        line: (0, 1),
        text: String::with_capacity(source.len()),
        cells: Vec::new(),
        bound: Vec::new(),
    };
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(next) = find_open(rest) else {
            translating.text.push_str(rest);
            break;
        };
        let (before, tail) = rest.split_at(next);
        translating.text.push_str(before);
        at += next;
        at += match tail.get(..2) {
            Some("{{") => translating.field(at)?,
            Some("{%") if form != Form::Literal => translating.statement(at)?,
            // A comment of Jinja is a text of ours.
            plain => {
                let plain = plain.unwrap_or("{");
                translating.text.push_str("{{ \"");
                translating.text.push_str(plain);
                translating.text.push_str("\" }}");
                plain.len()
            }
        };
    }
    Ok(Translated {
        text: translating.text,
        cells: translating.cells,
    })
}

/// Where something begins that minijinja does not take for text.
fn find_open(text: &str) -> Option<usize> {
    text.as_bytes()
        .windows(2)
        .position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

struct Translating<'a> {
    source: &'a str,
    environment: &'a Environment<'a>,
    bounds: Bounds,
    /// A place that was looked at, and its line from 1.
    line: (usize, usize),
    text: String,
    cells: Vec<Field>,
    /// What `set` and `for` have named so far: no columns.
    bound: Vec<String>,
}

impl Translating<'_> {
    /// The line of a place behind the one that was asked for last.
    fn line_at(&mut self, at: usize) -> usize {
        let (seen, line) = self.line;
        let between = self.source.get(seen..at).unwrap_or_default();
        self.line = (at, line + between.matches('\n').count());
        self.line.1
    }

    /// `{{…}}` at `at`; how long it is.
    fn field(&mut self, at: usize) -> Result<usize, TemplateError> {
        let line = self.line_at(at);
        self.bounds.tag(line)?;
        let after = self.source.get(at + 2..).unwrap_or_default();
        let named = after
            .split_once("}}")
            .map(|(inner, _)| inner)
            .filter(|inner| !inner.contains('\n'));
        let no_field = match named.map(|inner| parse_field(inner, line)) {
            Some(Ok(field)) if self.is_bound(&field.name) => None,
            Some(Ok(field)) => {
                let name = self.cell(field);
                self.text.push_str("{{ ");
                self.text.push_str(&name);
                self.text.push_str(" }}");
                return Ok(named.map_or(0, str::len) + 4);
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        let Some(len) = find_close(after, "}}") else {
            return Err(no_field.unwrap_or_else(|| TemplateError::Unclosed {
                line,
                near: after.chars().take(20).collect(),
            }));
        };
        let inner = after.get(..len).unwrap_or_default();
        let is_choice = inner
            .trim_start_matches('-')
            .trim_start()
            .starts_with("choose");
        let expression = inner.trim_matches('-').trim();
        self.bounds
            .expression(None, &list_words(expression), line)?;
        let checked = self.check_expression(expression, line);
        match (checked, no_field) {
            (Ok(()), _) => {
                self.text.push_str("{{");
                self.text.push_str(inner);
                self.text.push_str("}}");
                Ok(len + 4)
            }
            (Err(_), Some(no_field)) if !is_choice => Err(no_field),
            (Err(error), _) => Err(error),
        }
    }

    /// `{%…%}` at `at`; how long it is.
    fn statement(&mut self, at: usize) -> Result<usize, TemplateError> {
        let line = self.line_at(at);
        self.bounds.tag(line)?;
        let after = self.source.get(at + 2..).unwrap_or_default();
        let len = find_close(after, "%}").ok_or_else(|| TemplateError::Wrong {
            line,
            words: "a statement is opened with {% and not closed with %}".to_owned(),
        })?;
        let whole = after.get(..len).unwrap_or_default();
        let inner = whole.trim_matches('-').trim();
        let (word, rest) = inner
            .split_once(char::is_whitespace)
            .map_or((inner, ""), |(word, rest)| (word, rest.trim()));
        let no_statement = || TemplateError::NoStatement {
            line,
            found: inner.chars().take(SHOWN_CHARS_MAX).collect(),
        };
        match word {
            "if" | "elif" | "for" | "set" if !rest.is_empty() => {}
            "else" | "endif" | "endfor" | "endset" if rest.is_empty() => {}
            _ => return Err(no_statement()),
        }
        self.bounds.statement(word, line)?;
        let words = list_words(rest);
        // What a loop names stands before what it goes through.
        let idx = words
            .iter()
            .position(|part| matches!((word, *part), ("for", "in") | ("set", "=")));
        let value = idx.and_then(|idx| words.get(idx + 1..)).unwrap_or(&words);
        self.bounds.expression(Some(word), value, line)?;
        let is_condition = matches!(word, "if" | "elif");
        let is_column = is_condition && is_name(rest) && !self.is_bound(rest);
        if is_condition && !is_column {
            self.check_expression(rest, line)?;
        } else if !is_column {
            check_words(self.environment, rest, line)?;
            self.bind(word, rest);
        }
        let rest = if is_column {
            self.cell(Field {
                name: rest.to_owned(),
                default: None,
            })
        } else {
            rest.to_owned()
        };
        let start = if whole.starts_with('-') {
            "{%- "
        } else {
            "{% "
        };
        self.text.push_str(start);
        self.text.push_str(word);
        self.text.push(' ');
        self.text.push_str(&rest);
        let n_breaks = whole.matches('\n').count() - rest.matches('\n').count();
        self.text.push_str(&"\n".repeat(n_breaks));
        let taken = len + 4;
        let more = self.take_line(at, taken);
        self.text
            .push_str(if whole.ends_with('-') { " -%}" } else { " %}" });
        Ok(taken + more)
    }

    /// Where a statement has its line for itself, or shares it with other ones alone, the line goes with it: answers how
    /// much of what follows it. The break stays inside of the statement.
    fn take_line(&mut self, at: usize, len: usize) -> usize {
        let before = self.source.get(..at).unwrap_or_default();
        let begun = before.rsplit('\n').next().unwrap_or_default();
        let after = self.source.get(at + len..).unwrap_or_default();
        let ended = after.split('\n').next().unwrap_or_default();
        if !are_statements(begun) || !are_statements(ended) {
            return 0;
        }
        if begun.trim().is_empty() && !begun.is_empty() {
            // The spaces in front of it have been written.
            let opened = self.text.rfind("{%").unwrap_or(self.text.len());
            let kept = self.text.get(..opened).unwrap_or_default();
            let indent = kept.len() - kept.trim_end_matches([' ', '\t']).len();
            self.text.replace_range(opened - indent..opened, "");
        }
        if !ended.trim().is_empty() {
            return 0;
        }
        if after.len() > ended.len() {
            self.text.push('\n');
            ended.len() + 1
        } else {
            ended.len()
        }
    }

    /// The variable that stands for a field.
    fn cell(&mut self, field: Field) -> String {
        let known = self.cells.iter().position(|known| *known == field);
        let idx = known.unwrap_or_else(|| {
            self.cells.push(field);
            self.cells.len() - 1
        });
        format!("{CELL}{idx}")
    }

    /// Notes what a statement names: `set x = …`, `for a, b in …`, which has `loop` too.
    fn bind(&mut self, word: &str, rest: &str) {
        let before = list_words(rest).into_iter();
        let before = before.take_while(|part| !matches!(*part, "=" | "in"));
        let variables = before.filter(|part| part.starts_with(char::is_alphabetic));
        let loops = (word == "for").then_some("loop");
        self.bound.extend(variables.chain(loops).map(str::to_owned));
    }

    /// Whether it begins with what a statement has named.
    fn is_bound(&self, text: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let first = text.split(|c| !is_part(c)).next().unwrap_or_default();
        self.bound.iter().any(|bound| bound == first)
    }

    /// Whether it is an expression of Jinja with filters and functions that there are.
    fn check_expression(&self, text: &str, line: usize) -> Result<(), TemplateError> {
        self.environment
            .compile_expression_owned(text.to_owned())
            .map_err(|error| TemplateError::Wrong {
                line: line + error.line().unwrap_or(1).saturating_sub(1),
                words: error.detail().map_or_else(
                    || error.kind().to_string(),
                    |detail| format!("{}: {detail}", error.kind()),
                ),
            })?;
        check_words(self.environment, text, line)
    }
}

/// The filters and functions of an expression are such as there are; found before anybody is written to, also where no
/// lead comes by.
fn check_words(
    environment: &Environment<'_>,
    text: &str,
    line: usize,
) -> Result<(), TemplateError> {
    let wrong = |words: String| Err(TemplateError::Wrong { line, words });
    let words = list_words(text);
    for (idx, word) in words.iter().enumerate() {
        let before = idx.checked_sub(1).and_then(|idx| words.get(idx)).copied();
        let is_called = words.get(idx + 1) == Some(&"(");
        let is_text = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if word.starts_with("__") {
            return wrong(format!("{word} is no field: expected the name of a column"));
        }
        if !is_text || before == Some(".") {
            continue;
        }
        if before == Some("|") {
            let known = environment.empty_state().apply_filter(word, &[]);
            if known.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter) {
                return wrong(format!(
                    "there is no filter {word}: expected one as in {{{{first_name | default(\"there\")}}}}"
                ));
            }
            if matches!(*word, "default" | "d") && !is_called {
                return wrong(format!(
                    "{word} says what stands in place of an empty cell: expected {word}(\"there\")"
                ));
            }
        } else if is_called && before != Some("is") {
            let is_function = *word == super::choose::NAME
                || environment.globals().any(|(known, _)| known == *word)
                || KEYWORDS.contains(word);
            if !is_function {
                return wrong(format!(
                    "there is no function {word}: expected choose, as in {{{{choose(\"Hi\", \"Hello\")}}}}"
                ));
            }
        }
    }
    Ok(())
}

/// Words of the language that are no names.
pub(super) const KEYWORDS: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None",
];

/// The words and signs of an expression, without its texts in quotes.
fn list_words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = if matches!(first, '"' | '\'') {
            quoted_len(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            rest.find(|c| !is_part(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(len);
        words.push(word);
        rest = after.trim_start();
    }
    words
}

/// How long the text in quotes is that begins here, with its quotes.
fn quoted_len(text: &str) -> usize {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, quote)| quote);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if Some(c) == quote {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// Where an expression or a statement ends, whatever stands in quotes.
fn find_close(text: &str, close: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(close) {
            return Some(at);
        }
        let first = rest.chars().next()?;
        at += if matches!(first, '"' | '\'') {
            quoted_len(rest)
        } else {
            first.len_utf8()
        };
    }
    None
}

/// Whether a part of a line has statements and spaces alone.
fn are_statements(part: &str) -> bool {
    let mut rest = part.trim();
    while let Some(after) = rest.strip_prefix("{%") {
        let Some(len) = find_close(after, "%}") else {
            return false;
        };
        rest = after.get(len + 2..).unwrap_or_default().trim_start();
    }
    rest.is_empty()
}

/// Whether a condition is the name of one column, however its words are separated.
fn is_name(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_alphabetic())
            && word
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
            && !KEYWORDS.contains(&word)
    };
    text.split_whitespace().all(is_word)
}

/// A name, and behind a bar what stands in place of an empty cell: `name | default: "text"`.
fn parse_field(inner: &str, line: usize) -> Result<Field, TemplateError> {
    let (name, filter) = match inner.split_once('|') {
        Some((name, filter)) => (name.trim(), Some(filter.trim())),
        None => (inner.trim(), None),
    };
    let no_field = |instead: String| TemplateError::NoField {
        line,
        found: inner.chars().take(SHOWN_CHARS_MAX).collect(),
        instead,
    };
    let has_sigil = name.starts_with(['#', '/', '^', '!', '>', '&', '=', '$', '@', '%', '?', '~'])
        && name.chars().nth(1).is_some_and(char::is_alphanumeric);
    if name.is_empty()
        || has_sigil
        || name.contains(['{', '}', '"', '“', '”', '<', '>', '(', ')', '='])
            && filter.is_none()
            && !is_column(name)
    {
        return Err(no_field("{{first_name}}".to_owned()));
    }
    let Some(filter) = filter else {
        return Ok(Field {
            name: name.to_owned(),
            default: None,
        });
    };
    let default = filter
        .get(..7)
        .filter(|word| word.eq_ignore_ascii_case("default"))
        .and_then(|_| filter.get(7..))
        .map(str::trim_start)
        .and_then(|rest| {
            let bracketed = || rest.strip_prefix('(')?.strip_suffix(')');
            rest.strip_prefix(':').or_else(bracketed)
        })
        .and_then(|text| unquote(text.trim()));
    if let Some(default) = default {
        return Ok(Field {
            name: name.to_owned(),
            default: Some(default.to_owned()),
        });
    }
    let text = filter.rsplit(['|', ':']).next().unwrap_or_default();
    let text = text.trim_matches(|c: char| c.is_whitespace() || QUOTES.contains(c));
    let text = if text.is_empty() { "there" } else { text };
    let text: String = text
        .chars()
        .filter(|c| *c != '"')
        .take(SHOWN_CHARS_MAX)
        .collect();
    Err(no_field(format!("{{{{{name} | default: \"{text}\"}}}}")))
}

/// Names of columns have brackets around a unit or a remark, and then a letter before them.
fn is_column(name: &str) -> bool {
    !name.contains(['{', '}', '"', '“', '”', '=']) && name.contains(" (") && name.ends_with(')')
}

const QUOTES: &str = "\"'“”„‘’«»";

/// The text in quotes of any kind.
fn unquote(text: &str) -> Option<&str> {
    let mut inner = text.chars();
    let (first, last) = (inner.next()?, inner.next_back()?);
    let is_quoted = QUOTES.contains(first) && QUOTES.contains(last);
    let inner = inner.as_str();
    let straight = first == '"' && inner.contains('"');
    Some(inner).filter(|_| is_quoted && !straight)
}
