//! Markers that are known by where they stand: in a greeting, in parentheses, by a number instead of a name.

use super::words::{Style, Words, is_function, words_of};
use super::{Found, Kind, Scan};

/// A conversion of `printf` (ISO C §7.23.6.1): `%s`, `%d`, `%1$s`, and Apple's `%@`.
const CONVERSIONS: &[char] = &['s', 'd', '@'];

/// Signs before a name, alone or several.
const SIGNS: &[char] = &[
    '%', '&', '|', '^', '~', '#', '!', '+', '=', '*', '_', '$', '/', '\\', '{', '[', '<', '`',
];

/// Signs behind one.
const CLOSING: &[char] = &[
    '%', '|', '^', '~', '#', '!', '+', '=', '*', '_', '$', '/', '\\', '}', ']', '>', '`', ';',
];

/// Whether brackets hold a line to write on, or a word in its place: `[____]`, `[XX]`.
pub(super) fn is_gap(inner: &str) -> bool {
    let inner = inner.trim();
    inner.len() > 1 && (inner.chars().all(|c| c == '_') || inner.chars().all(|c| c == 'X'))
}

/// Whether brackets hold nothing: `[ ]`, `[...]`.
pub(super) fn is_open(inner: &str) -> bool {
    inner
        .chars()
        .all(|c| c.is_whitespace() || matches!(c, '.' | '…' | '-'))
}

/// Whether it is words of which one is to be chosen: `Hi/Hello`, `quick/short`. Units, pronouns and `and/or` are short
/// or large throughout, or words of sentences.
pub(super) fn are_slashed(inner: &str) -> bool {
    let parts: Vec<&str> = inner.split('/').map(str::trim).collect();
    let is_word = |part: &&str| {
        part.chars().count() > 1
            && part.starts_with(char::is_alphabetic)
            && part
                .chars()
                .all(|c| c.is_alphabetic() || " '’,!-".contains(c))
            && !words_of(part).iter().all(|word| is_function(word))
    };
    let begins = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(char::is_uppercase)
            && letters.next().is_some_and(char::is_lowercase)
    };
    let is_chosen = parts.iter().all(|part| begins(part))
        || parts.iter().all(|part| part.chars().count() > 3)
        || parts.iter().any(|part| part.contains(' '));
    let is_large = parts.iter().all(|part| !part.contains(char::is_lowercase));
    parts.len() > 1 && parts.iter().all(is_word) && is_chosen && !is_large
}

/// The same between bars in parentheses, where a pattern may stand too: `Hi|Hello`.
fn are_barred(inner: &str) -> bool {
    let is_word = |part: &str| {
        part.starts_with(char::is_uppercase)
            && part.chars().count() > 1
            && part
                .chars()
                .all(|c| c.is_alphabetic() || " '’,!-".contains(c))
    };
    inner.contains('|') && inner.split('|').map(str::trim).all(is_word)
}

impl Scan<'_> {
    /// Whether what stands here is whom a greeting names: at most three words before it on its line, and a comma or a
    /// like sign behind it.
    pub(super) fn is_salutation(&self, at: usize, end: usize) -> bool {
        let start = (0..at)
            .rev()
            .find(|at| self.get(*at) == Some('\n'))
            .map_or(0, |at| at + 1);
        let before = self.slice(start, at);
        let n_words = before.split_whitespace().count();
        let are_words = before
            .chars()
            .all(|c| c.is_alphabetic() || c == ' ' || c == '/');
        let is_closed = match self.get(end) {
            None | Some(',' | '!' | ':' | ';' | '\n') => true,
            Some('.') => self.get(end + 1) != Some('.'),
            _ => false,
        };
        before.starts_with(char::is_uppercase)
            && are_words
            && before.ends_with(' ')
            && (1..=3).contains(&n_words)
            && is_closed
    }

    /// Whether what stands here is whom a greeting names, and no word of a sentence: "The *company*, which".
    fn is_greeted(&self, at: usize, end: usize) -> bool {
        let start = (0..at)
            .rev()
            .find(|at| self.get(*at) == Some('\n'))
            .map_or(0, |at| at + 1);
        let before = self.slice(start, at).to_lowercase();
        // Two in a row: `Dear *FIRST* *LAST*,`.
        let is_followed = self.get(end) == Some(' ') && self.get(end + 1) == self.get(at);
        let is_named =
            self.is_salutation(at, end) || is_followed && self.is_salutation(at, self.text.len());
        is_named && !before.split_whitespace().any(is_function)
    }

    /// A name behind a sign or within signs that are no pair, escaped or left open: `%first_name,`, `&first_name;`,
    /// `\{first_name\}`, `[first_name,`; in a greeting `|name|`, `*FIRST*`.
    pub(super) fn signed(&self, at: usize) -> Found {
        let mark = self.get(at)?;
        let before = self.before(at);
        if !SIGNS.contains(&mark) || Self::is_letter(before) || before == Some(mark) {
            return None;
        }
        let is_sign = |at: &usize| self.get(*at).is_some_and(|c| SIGNS.contains(&c));
        let from = (at..=self.text.len()).find(|at| !is_sign(at))?;
        let n_signs = from - at;
        if n_signs > 4 || !self.get(from)?.is_alphabetic() {
            return None;
        }
        // Between brackets and bars a name may have several words.
        let may_be_loose = self.slice(at, from).contains(['|', '{', '[', '<']);
        let mut to = (from..=self.text.len()).find(|at| !Self::is_letter(self.get(*at)))?;
        if may_be_loose
            && self.get(to) == Some(' ')
            && let Some(end) = (to..self.text.len().min(from + 40)).find(is_sign)
        {
            to = end;
        }
        let written = self.slice(from, to);
        let end = (to..to + 4)
            .find(|at| !self.get(*at).is_some_and(|c| CLOSING.contains(&c)))
            .unwrap_or(to + 4);
        let end = end.min(self.text.len());
        let is_closed = end > to;
        let words = Words::parse(written.trim(), self.columns)?;
        let is_name = match words.style {
            Style::Snake => true,
            Style::Camel => written.to_lowercase().ends_with("name"),
            Style::Large | Style::Plain | Style::Loose => false,
        };
        let is_escaped = mark == '\\' && n_signs > 1 && is_closed;
        let is_one = match mark {
            '&' => is_closed && words.is_strong() && self.get(to) == Some(';'),
            '%' | '^' | '~' | '{' | '[' | '<' => words.is_strong() && is_name,
            '\\' if is_escaped => words.is_held,
            '\\' | '/' => {
                words.is_strong() && is_name && is_closed && before.is_none_or(char::is_whitespace)
            }
            _ => false,
        };
        let is_half = words.is_request && words_of(&written).len() == 1;
        let is_bracketed = matches!(mark, '{' | '[' | '<');
        let is_greeted = !is_bracketed && (words.is_held || is_half) && self.is_greeted(at, end);
        (is_one || is_greeted).then(|| (end, self.field(from, to)))
    }

    /// Whether it stands in an address of the web.
    pub(super) fn is_in_link(&self, at: usize) -> bool {
        let start = (0..at)
            .rev()
            .find(|at| self.get(*at).is_some_and(char::is_whitespace))
            .map_or(0, |at| at + 1);
        self.slice(start, at).contains("://")
    }

    /// A line to write on in a greeting: `Hi ____,`, `Hi XXX,`.
    pub(super) fn gap(&self, at: usize) -> Found {
        let mark = self.get(at).filter(|c| matches!(c, '_' | 'X'))?;
        if !self.before(at)?.is_whitespace() {
            return None;
        }
        let end = (at..=self.text.len()).find(|at| self.get(*at) != Some(mark))?;
        (end > at + 1 && self.is_salutation(at, end)).then_some((end, Kind::Blank))
    }

    /// `{0}`: the number of what is filled in, where no pattern and no formula has it.
    pub(super) fn is_position(&self, at: usize, inner: &str) -> bool {
        let is_apart = self
            .before(at)
            .is_none_or(|c| !c.is_alphanumeric() && !"\\^_)]}$".contains(c));
        (1..3).contains(&inner.len()) && inner.bytes().all(|byte| byte.is_ascii_digit()) && is_apart
    }

    /// `%s`, `%1$s`: apart from other letters, and no per cent of a figure.
    pub(super) fn conversion(&self, at: usize) -> Found {
        let before = (0..at)
            .rev()
            .find_map(|at| self.get(at).filter(|c| *c == '\n' || !c.is_whitespace()));
        if before.is_some_and(|c| c.is_ascii_digit() || c == '%')
            || self.before(at).is_some_and(char::is_alphanumeric)
        {
            return None;
        }
        let digits = (at + 1..=self.text.len())
            .find(|at| !self.get(*at).is_some_and(|c| c.is_ascii_digit()))?;
        let from = match self.get(digits) {
            Some('$') if digits > at + 1 => digits + 1,
            _ => at + 1,
        };
        let is_one = self.get(from).is_some_and(|c| CONVERSIONS.contains(&c))
            && !self
                .get(from + 1)
                .is_some_and(|c| c.is_alphanumeric() || "%_".contains(c));
        is_one.then_some((from + 1, Kind::Blank))
    }

    /// `if company`, `endif`.
    pub(super) fn statement(&self, inner: &str) -> Option<Kind> {
        let inner = inner.trim();
        let (word, rest) = inner.split_once(' ').unwrap_or((inner, ""));
        let is_one = match word.to_ascii_lowercase().as_str() {
            "endif" => rest.is_empty(),
            "if" | "elseif" | "elif" | "unless" | "ifdef" => {
                Words::parse(rest.trim(), self.columns)
                    .is_some_and(|words| words.is_held || words.style == Style::Snake)
            }
            _ => false,
        };
        is_one.then_some(Kind::Statement)
    }

    /// A name, and behind a sign what stands in place of an empty cell: `first_name:friend`,
    /// `First Name, fallback=there`.
    pub(super) fn with_default(&self, inner: &str) -> Option<Kind> {
        let (name, rest) = inner.split_at(inner.find([':', '=', ','])?);
        let words = Words::parse(name.trim(), self.columns)?;
        let told = rest.get(1..)?;
        let is_tight = !rest.starts_with(',') && told.starts_with(char::is_alphanumeric);
        let is_named = told
            .trim_start()
            .split_once(['=', ':'])
            .is_some_and(|(key, _)| {
                matches!(
                    key.trim().to_ascii_lowercase().as_str(),
                    "fallback" | "default"
                )
            });
        ((is_tight || is_named) && (words.is_held || words.style == Style::Snake))
            .then(|| self.named(name))
    }

    /// `(First Name)`, `(insert link)`, `(Hi|Hello)`; and in a greeting `(Name)`.
    pub(super) fn parentheses(&self, at: usize) -> Found {
        if self
            .before(at)
            .is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ']' | ')'))
        {
            return None;
        }
        let to = self.find(at + 1, ")")?;
        let inner = self.slice(at + 1, to);
        let end = to + 1;
        if are_barred(&inner) {
            return Some((end, Kind::Alternatives));
        }
        let words = Words::parse(&inner, self.columns)?;
        let is_written = match words.style {
            Style::Snake | Style::Camel | Style::Large => true,
            Style::Loose | Style::Plain => words.is_titled,
        };
        let is_one = words.is_strong() && is_written
            || words.is_command && words.is_held
            || words.is_held && is_written && self.is_salutation(at, end);
        is_one.then(|| (end, self.named(&inner)))
    }
}
