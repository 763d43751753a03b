//! How much a template may be. minijinja counts its instructions (fuel), and neither what it reads nor what one
//! instruction does to a list: reading goes down a level for each part of an expression and each branch, and two lists
//! that are added become one that is as long as both, at no cost until somebody goes through it. So a template has so
//! many parts, and lists stay where they are written: none is kept in a variable, added to or repeated.

use super::TemplateError;

/// The longest source of a template, in bytes. Gmail shows 102 KB of a message.
const SOURCE_BYTES_MAX: usize = 256 * 1024;
/// Fields and statements of one.
const TAGS_MAX: usize = 1_000;
/// Words and signs between the braces; a text in quotes is one.
const WORDS_MAX: usize = 400;
/// Conditions and loops within each other.
const DEPTH_MAX: usize = 12;
/// Further conditions of all conditions: each is read within the one before.
const BRANCHES_MAX: usize = 100;

/// Filters of which a text, a number or a truth comes, whatever they are given.
const PLAIN: &[&str] = &[
    "abs",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "e",
    "escape",
    "float",
    "format",
    "indent",
    "int",
    "join",
    "length",
    "lower",
    "replace",
    "round",
    "string",
    "title",
    "trim",
    "upper",
    "urlencode",
];
/// Filters of which one of its parts comes where they are given a list.
const PARTS: &[&str] = &["first", "last", "max", "min"];
/// Filters of which a list of texts comes where they are given a text.
const FLAT: &[&str] = &["lines", "list", "reverse", "sort", "split", "unique"];

/// What there was so far of a template.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    n_tags: usize,
    n_branches: usize,
    depth: usize,
    /// Where two things are added or multiplied, by its line.
    reckons: Option<usize>,
    /// Where a loop goes through lists of lists, by its line.
    nests: Option<usize>,
}

impl Bounds {
    /// Whether a source is short enough to be looked at.
    pub(super) fn check_length(source: &str) -> Result<(), TemplateError> {
        if source.len() <= SOURCE_BYTES_MAX {
            return Ok(());
        }
        let found = source.len();
        wrong(
            1,
            format!("expected a text of at most {SOURCE_BYTES_MAX} bytes, found {found}"),
        )
    }

    /// Another field or statement begins.
    pub(super) fn tag(&mut self, line: usize) -> Result<(), TemplateError> {
        self.n_tags += 1;
        if self.n_tags <= TAGS_MAX {
            return Ok(());
        }
        wrong(
            line,
            format!("expected at most {TAGS_MAX} fields and statements, and this is one more"),
        )
    }

    /// What stands in a field that is an expression, or behind the word of a statement.
    pub(super) fn expression(
        &mut self,
        word: Option<&str>,
        words: &[&str],
        line: usize,
    ) -> Result<(), TemplateError> {
        if words.len() > WORDS_MAX {
            let found = words.len();
            return wrong(
                line,
                format!(
                    "expected at most {WORDS_MAX} words and signs between the braces, found {found}"
                ),
            );
        }
        let lists = Lists::of(words);
        let reckons = words.iter().any(|word| matches!(*word, "+" | "*"));
        if reckons && lists.has_any {
            return wrong(
                line,
                "lists are neither added nor repeated: write out what stands in them".to_owned(),
            );
        }
        if word == Some("set") && lists.is_kept {
            return wrong(
                line,
                "a list is not kept: expected a text or a number behind set, or the list where it is gone through, \
                 as in {% for day in [\"Monday\", \"Tuesday\"] %}"
                    .to_owned(),
            );
        }
        self.reckons = self.reckons.or(reckons.then_some(line));
        self.nests = self.nests.or(lists.nests.then_some(line));
        match (self.reckons, self.nests) {
            (Some(reckons), Some(nests)) => wrong(
                reckons.max(nests),
                "a list of lists and + or * do not stand in one template".to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// A statement of this word.
    pub(super) fn statement(&mut self, word: &str, line: usize) -> Result<(), TemplateError> {
        match word {
            "if" | "for" => self.depth += 1,
            "endif" | "endfor" => self.depth = self.depth.saturating_sub(1),
            "elif" => self.n_branches += 1,
            _ => {}
        }
        if self.depth > DEPTH_MAX {
            return wrong(
                line,
                format!("expected at most {DEPTH_MAX} conditions and loops within each other"),
            );
        }
        if self.n_branches > BRANCHES_MAX {
            return wrong(line, format!("expected at most {BRANCHES_MAX} elif"));
        }
        Ok(())
    }
}

fn wrong(line: usize, words: String) -> Result<(), TemplateError> {
    Err(TemplateError::Wrong { line, words })
}

/// The lists of an expression, by its form.
#[derive(Debug, Default)]
struct Lists {
    /// There is one, wherever.
    has_any: bool,
    /// It may be what the expression comes to.
    is_kept: bool,
    /// One of its elements may be one.
    nests: bool,
}

impl Lists {
    fn of(words: &[&str]) -> Self {
        let mut lists = Self::default();
        let mut open: Vec<Open> = Vec::new();
        // Whether it is one value and its filters, and the last of those.
        let mut is_pipe = true;
        let mut filter = "";
        for (idx, word) in words.iter().enumerate() {
            let before = idx.checked_sub(1).and_then(|idx| words.get(idx)).copied();
            let is_value = before.is_some_and(is_value);
            match *word {
                // A subscript, as in a[0].
                "[" if is_value => open.push(Open::Call),
                "[" | "{" => {
                    lists.found(&open, before);
                    open.push(if before == Some("in") {
                        Open::Among
                    } else {
                        Open::List
                    });
                }
                "(" if before == Some(super::choose::NAME) => open.push(Open::Choice),
                "(" if is_value => open.push(Open::Call),
                "(" => open.push(if before == Some("in") {
                    Open::Among
                } else {
                    Open::Group
                }),
                ")" | "]" | "}" => {
                    open.pop();
                }
                // A tuple.
                "," if matches!(open.last(), None | Some(Open::Group)) => {
                    lists.found(open.split_last().map_or(&[], |(_, rest)| rest), None);
                }
                "range" | "dict" | "namespace" => lists.found(&open, before),
                word if before == Some("|") => {
                    if open.is_empty() {
                        filter = word;
                    }
                    if !PLAIN.contains(&word) && !PARTS.contains(&word) {
                        lists.found(&open, None);
                        lists.nests |= !FLAT.contains(&word);
                    }
                }
                "|" | "." => {}
                word => is_pipe &= !open.is_empty() || !is_operator(word),
            }
        }
        let is_plain = PLAIN.contains(&filter) && !matches!(filter, "d" | "default");
        if is_pipe && (is_plain || PARTS.contains(&filter) && !lists.nests) {
            lists.is_kept = false;
        }
        lists
    }

    fn found(&mut self, open: &[Open], before: Option<&str>) {
        self.has_any = true;
        // A choice comes to one of its texts, and whether something is among others is true or false.
        let is_used = open.contains(&Open::Choice) || open.contains(&Open::Among);
        self.is_kept |= !is_used && before != Some("in");
        self.nests |= !open.contains(&Open::Choice) && open.contains(&Open::List);
    }
}

/// Whether it joins values, as a word or a sign.
fn is_operator(word: &str) -> bool {
    super::translate::KEYWORDS.contains(&word)
        || !word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '\''))
}

/// What brackets are around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    List,
    /// What something is looked for in.
    Among,
    Group,
    Choice,
    Call,
}

/// Whether a bracket behind this word belongs to it.
fn is_value(word: &str) -> bool {
    let is_word = word.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '\''));
    (is_word && !super::translate::KEYWORDS.contains(&word)) || matches!(word, ")" | "]" | "}")
}
