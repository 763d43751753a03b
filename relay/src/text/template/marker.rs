//! What another tool would replace and we would send as it stands: its fields, its alternatives, its conditions,
//! HTML. Known by its form, and where that is ordinary writing too, by words for what is known of a person.

use super::super::field::fold;
use words::{Style, Words, is_placeholder, words_of};

mod forms;
mod html;
mod words;

/// The longest marker that is looked for, in characters; alternatives may be whole paragraphs.
const CHARS_MAX: usize = 2_000;

/// How much of one is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A part of a template that would be sent as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {found:?} would be sent as it stands: {}; where that is meant, set literal = true for this step",
    .kind.advice()
)]
pub struct Marker {
    /// Its line, from 1.
    pub line: usize,
    /// What stands there, shortened.
    pub found: String,
    /// What it is.
    pub kind: Kind,
}

/// What a marker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A field; what to write for it.
    Field(String),
    /// A place to be filled that says not with what: `{0}`, `%s`, `[____]`.
    Blank,
    /// Alternatives of which one is to be chosen.
    Alternatives,
    /// A condition or another statement.
    Statement,
    /// HTML.
    Html,
}

impl Kind {
    fn advice(&self) -> String {
        match self {
            Self::Field(name) => format!("write {{{{{name}}}}} for the cell of that column"),
            Self::Blank => {
                "nothing fills it: write the name of a column there, as in {{first_name}}"
                    .to_owned()
            }
            Self::Alternatives => {
                "write {{choose(\"Hi\", \"Hello\")}} for one of several".to_owned()
            }
            Self::Statement => {
                "write {% if company %}at {{company}}{% endif %} for what depends on a cell"
                    .to_owned()
            }
            Self::Html => {
                "this part is plain text: write HTML as html, and this without tags and entities"
                    .to_owned()
            }
        }
    }
}

/// The first marker of another tool. `columns` are the names of the list, where there is one already.
pub fn find(template: &str, columns: &[String]) -> Option<Marker> {
    let text = mask(template);
    let columns: Vec<(String, &str)> = columns
        .iter()
        .map(|name| (fold(name), name.as_str()))
        .collect();
    let scan = Scan {
        text: &text,
        columns: &columns,
    };
    let (at, end, kind) =
        (0..text.len()).find_map(|at| scan.at(at).map(|(end, kind)| (at, end, kind)))?;
    let written: Vec<char> = template.chars().collect();
    let line = written.iter().take(at).filter(|c| **c == '\n').count() + 1;
    let found = written
        .get(at..end.min(at + SHOWN_CHARS_MAX))
        .unwrap_or_default();
    let found: String = found
        .iter()
        .map(|c| if c.is_control() { ' ' } else { *c })
        .collect();
    Some(Marker { line, found, kind })
}

/// What stands in the place of our own fields.
const OURS: char = '\u{1}';

/// The HTML with spaces in place of its tags, its character references and what is no text, so that what is left can
/// be looked through as text is: as many characters and lines as before.
pub fn mask_html(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    let blank = |text: &mut String, part: &str| {
        text.extend(part.chars().map(|c| if c == '\n' { c } else { ' ' }));
    };
    while let Some(first) = rest.chars().next() {
        let end_of = |end: &str| {
            let mut windows = rest.as_bytes().windows(end.len());
            let found = windows.position(|part| part.eq_ignore_ascii_case(end.as_bytes()));
            found.map_or(rest.len(), |at| at + end.len())
        };
        let is = |start: &str| {
            rest.get(..start.len())
                .is_some_and(|begun| begun.eq_ignore_ascii_case(start))
        };
        let len = match first {
            '<' if is("<!--") => end_of("-->"),
            '<' if is("<style") => end_of("</style>"),
            '<' if is("<script") => end_of("</script>"),
            '<' if is("<title") => end_of("</title>"),
            '<' => rest.find('>').map_or(1, |at| at + 1),
            '&' => match rest.find(';') {
                Some(at) if at <= 12 => at + 1,
                _ => 1,
            },
            // Ours, whatever stands in it.
            '{' if is("{{") || is("{%") => {
                let end = if is("{{") { "}}" } else { "%}" };
                let len = end_of(end);
                let (ours, after) = rest.split_at(len);
                text.push_str(ours);
                rest = after;
                continue;
            }
            c => {
                text.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            }
        };
        let (part, after) = rest.split_at(len);
        blank(&mut text, part);
        rest = after;
    }
    text
}

/// The text with our own fields and statements out of the way, and wide forms narrow; as many characters as before.
fn mask(template: &str) -> Vec<char> {
    let mut text: Vec<char> = Vec::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let (before, opened) = rest.split_at(at);
        let close = if opened.starts_with("{{") { "}}" } else { "%}" };
        let Some(len) = opened.find(close).map(|at| at + close.len()) else {
            break;
        };
        let (ours, after) = opened.split_at(len);
        text.extend(before.chars());
        text.extend(std::iter::repeat_n(OURS, ours.chars().count()));
        rest = after;
    }
    text.extend(rest.chars());
    for c in &mut text {
        *c = match *c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(*c) - 0xFEE0).unwrap_or(*c),
            '【' | '〔' => '[',
            '】' | '〕' => ']',
            c => c,
        };
    }
    text
}

struct Scan<'a> {
    text: &'a [char],
    columns: &'a [(String, &'a str)],
}

type Found = Option<(usize, Kind)>;

impl Scan<'_> {
    /// The marker that begins here; where it ends.
    fn at(&self, at: usize) -> Found {
        self.closed(at).or_else(|| self.signed(at))
    }

    /// One that has its end.
    fn closed(&self, at: usize) -> Found {
        match self.get(at)? {
            '{' => self.braces(at),
            '[' => self.brackets(at),
            '<' => self.angles(at),
            '«' => self.enclosed(at, "«", "»", Words::is_strong),
            '‹' => self.enclosed(at, "‹", "›", Words::is_strong),
            '(' => self
                .enclosed(at, "((", "))", |words| words.is_held)
                .or_else(|| self.parentheses(at)),
            '*' if self.starts(at, "*|") => {
                let end = self.find(at + 2, "|*")?;
                Some((end + 2, self.field(at + 2, end)))
            }
            '%' => self.conversion(at).or_else(|| self.percent(at)),
            '$' => self.dollar(at),
            '&' => html::entity(self.text, at).map(|end| (end, Kind::Html)),
            '@' => self
                .doubled(at, |words| words.is_held)
                .or_else(|| self.property(at)),
            '#' => self.doubled(at, |words| words.is_held || words.style == Style::Large),
            '*' | '_' => self
                .doubled(at, |words| {
                    words.is_strong() || words.is_held && words.style == Style::Large
                })
                .or_else(|| self.gap(at)),
            '|' => self.doubled(at, |words| {
                words.is_strong() || words.is_held && words.style == Style::Large
            }),
            '-' | '~' | '^' | '!' | '=' | ':' | '+' | '§' | '¤' => {
                self.doubled(at, |words| words.is_held)
            }
            c if c.is_alphabetic() => self.bare(at).or_else(|| self.gap(at)),
            _ => None,
        }
    }

    fn get(&self, at: usize) -> Option<char> {
        self.text.get(at).copied()
    }

    fn before(&self, at: usize) -> Option<char> {
        at.checked_sub(1).and_then(|at| self.get(at))
    }

    fn starts(&self, at: usize, start: &str) -> bool {
        (at..)
            .zip(start.chars())
            .all(|(at, c)| self.get(at) == Some(c))
    }

    fn slice(&self, from: usize, to: usize) -> String {
        self.text.get(from..to).unwrap_or_default().iter().collect()
    }

    /// Where `end` begins, on the same line.
    fn find(&self, from: usize, end: &str) -> Option<usize> {
        (from..self.text.len().min(from + CHARS_MAX))
            .take_while(|at| self.get(*at) != Some('\n'))
            .find(|at| self.starts(*at, end))
    }

    fn words(&self, from: usize, to: usize) -> Option<Words> {
        Words::parse(&self.slice(from, to), self.columns)
    }

    /// What to write for the field that is named here.
    fn field(&self, from: usize, to: usize) -> Kind {
        self.named(&self.slice(from, to))
    }

    fn named(&self, written: &str) -> Kind {
        let name = written.trim_matches(|c: char| !c.is_alphanumeric());
        // `contact.first_name`, `name:there`
        let name = name
            .split([':', '|', ',', '?', '=', '"'])
            .next()
            .unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or_default();
        let known = self
            .columns
            .iter()
            .find(|(folded, _)| *folded == fold(name));
        let words = words_of(name);
        let told: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .filter(|word| !is_placeholder(word))
            .collect();
        let name = known.map_or_else(|| told.join("_"), |(_, name)| (*name).to_owned());
        Kind::Field(if name.is_empty() {
            "first_name".to_owned()
        } else {
            name
        })
    }

    fn is_letter(c: Option<char>) -> bool {
        c.is_some_and(|c| c.is_alphanumeric() || c == '_')
    }

    /// `open` and `close` around the name of a field.
    fn enclosed(
        &self,
        at: usize,
        open: &str,
        close: &str,
        is_one: impl Fn(Words) -> bool,
    ) -> Found {
        let from = at + open.chars().count();
        let to = self.find(from, close).filter(|_| self.starts(at, open))?;
        let words = self.words(from, to)?;
        is_one(words).then(|| (to + close.chars().count(), self.field(from, to)))
    }

    /// `{name}`, `${name}`, `{a|b}`, `{% if %}`.
    fn braces(&self, at: usize) -> Found {
        if self.starts(at, "{%") {
            let end = self.find(at, "%}").map_or(at + 2, |end| end + 2);
            return Some((end, Kind::Statement));
        }
        let to = self.closing(at)?;
        let inner = self.slice(at + 1, to);
        let end = to + 1;
        if inner.contains('|') {
            let start = inner.trim_start();
            let is_code = start.starts_with(['"', '\''])
                || ["||", ";", "=>", "==", " > ", " < "]
                    .iter()
                    .any(|code| inner.contains(code));
            return (!is_code).then_some((end, Kind::Alternatives));
        }
        if inner.contains(['\n', OURS]) {
            return None;
        }
        if let Some(kind) = self.statement(&inner) {
            return Some((end, kind));
        }
        if self.is_position(at, &inner) || inner.trim().is_empty() && self.is_salutation(at, end) {
            return Some((end, Kind::Blank));
        }
        if self.before(at) == Some('$')
            && to > at + 2
            && self.get(at + 1).is_some_and(char::is_alphabetic)
        {
            return Some((end, self.named(&inner)));
        }
        let is_command = self.text.get(..at).is_some_and(|before| {
            // LaTeX: `\textbf{word}`
            let mut word = before.iter().rev().skip_while(|c| c.is_alphabetic());
            word.next() == Some(&'\\')
        });
        let before = self.before(at);
        let is_padded = inner.starts_with(' ') && inner.ends_with(' ');
        let bare = inner.trim_matches(|c: char| " $#@!~^%?/:*-_=+&".contains(c));
        if let Some(words) = Words::parse(bare, self.columns) {
            let has_sigil = bare != inner.trim() || matches!(before, Some('$' | '#' | '@' | '!'));
            let is_apart = !Self::is_letter(before) && !matches!(before, Some(')' | '\\' | ']'));
            let is_long = bare.chars().count() > 1;
            // In an address of the web, as templates of such addresses have them.
            let is_own = !self.is_in_link(at)
                && ((words.style == Style::Snake)
                    || (is_long && !words.is_prose && (has_sigil || (is_apart && !is_padded))));
            let is_one = !is_command && (words.is_held || is_own);
            return is_one.then(|| (end, self.named(&inner)));
        }
        // `{name:there}`
        let (name, rest) = bare.split_at(bare.find([':', ',', '?', '='])?);
        let is_told =
            !rest.contains(['"', '\'', '`', '{']) && rest.chars().nth(1).is_some_and(|c| c != ' ');
        let words = Words::parse(name, self.columns)?;
        (is_told && !is_padded && (words.is_held || (words.style == Style::Snake)))
            .then(|| (end, self.named(name)))
    }

    /// Where the brace that opens here is closed.
    fn closing(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (at..self.text.len().min(at + CHARS_MAX)).find(|at| {
            match self.get(*at) {
                Some('{') => depth += 1,
                Some('}') => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    /// `[First Name]`, `[[name]]`, `[% name %]`, `[your company]`.
    fn brackets(&self, at: usize) -> Found {
        if self.starts(at, "[%") {
            let end = self.find(at, "%]")?;
            return Some((end + 2, Kind::Statement));
        }
        if self.starts(at, "[[") {
            let to = self.find(at + 2, "]]")?;
            let inner = self.slice(at + 2, to);
            let words = Words::parse(inner.trim(), self.columns)?;
            return (words.is_held || inner.trim() == inner).then(|| (to + 2, self.named(&inner)));
        }
        let to = self.find(at + 1, "]")?;
        let inner = self.slice(at + 1, to);
        let end = to + 1;
        if inner
            .strip_prefix('/')
            .is_some_and(|name| !name.is_empty() && name.chars().all(char::is_alphabetic))
        {
            return Some((end, Kind::Statement));
        }
        if self.get(end) == Some('(') {
            return None;
        }
        if let Some(kind) = self.statement(&inner) {
            return Some((end, kind));
        }
        if forms::is_gap(&inner) || forms::is_open(&inner) && self.is_salutation(at, end) {
            return Some((end, Kind::Blank));
        }
        if forms::are_slashed(&inner) && !Self::is_letter(self.before(at)) {
            return Some((end, Kind::Alternatives));
        }
        if let Some(kind) = self.with_default(&inner) {
            return Some((end, kind));
        }
        let bare = inner.trim_matches(|c: char| " $#@!~^%:*-_=+|".contains(c));
        if bare.contains('|') {
            let mut parts = bare.split('|');
            let first = Words::parse(parts.next()?.trim(), self.columns);
            if first.is_some_and(|words| words.is_held || (words.style == Style::Snake)) {
                return Some((end, self.named(bare)));
            }
            // Alternatives: words, and not a set of letters.
            let are_words = bare.split('|').all(|part| {
                part.trim_start().starts_with(char::is_alphabetic)
                    && part.trim().chars().count() > 1
            });
            return (are_words && !Self::is_letter(self.before(at)))
                .then_some((end, Kind::Alternatives));
        }
        let words = Words::parse(bare, self.columns)?;
        let is_index = Self::is_letter(self.before(at)) && !words.is_strong();
        // "[The company] grows" is what a writer puts into somebody's words.
        let is_inserted = ["The ", "the ", "A ", "a "]
            .iter()
            .any(|article| bare.starts_with(article));
        let is_held = words.is_held && !is_inserted;
        (!is_index
            && (is_held || words.is_noun || (words.style == Style::Snake) || words.is_request))
            .then(|| (end, self.named(&inner)))
    }

    /// `<<name>>`, `<First Name>`, `<%= name %>`, tags.
    fn angles(&self, at: usize) -> Found {
        if ["<%", "<?php", "<?="]
            .iter()
            .any(|start| self.starts(at, start))
        {
            let end = self.find(at, ">").map_or(at + 2, |end| end + 1);
            return Some((end, Kind::Statement));
        }
        if let Some(end) = html::tag(self.text, at) {
            return Some((end, Kind::Html));
        }
        if self.starts(at, "<<") {
            let to = self.find(at + 2, ">>")?;
            let words = Words::parse(self.slice(at + 2, to).trim(), self.columns)?;
            let is_tight = self.slice(at + 2, to).trim() == self.slice(at + 2, to);
            return (is_tight || words.is_held).then(|| (to + 2, self.field(at + 2, to)));
        }
        let to = self.find(at + 1, ">")?;
        let inner = self.slice(at + 1, to);
        let bare = inner.trim_matches(|c: char| "$#@!%*-_=+ ".contains(c));
        if html::is_element(&inner) {
            return None;
        }
        if inner.starts_with('#') && inner.chars().nth(1).is_some_and(char::is_alphabetic) {
            return Some((to + 1, Kind::Statement));
        }
        let words = Words::parse(bare, self.columns)?;
        let is_generic = Self::is_letter(self.before(at)) && !words.is_strong();
        (!is_generic
            && inner.trim() == inner
            && (words.is_held || (words.style == Style::Snake) || words.is_request))
            .then(|| (to + 1, self.named(&inner)))
    }

    /// `%NAME%`, `%%First Name%%`, `%(name)s`.
    fn percent(&self, at: usize) -> Found {
        if self.starts(at, "%(") {
            let to = self.find(at + 2, ")s")?;
            self.words(at + 2, to)?;
            return Some((to + 2, self.field(at + 2, to)));
        }
        let (from, mark) = if self.starts(at, "%%") {
            (at + 2, "%%")
        } else {
            (at + 1, "%")
        };
        if self.starts(at, "%%=") {
            let end = self.find(at + 3, "%%").map_or(at + 3, |end| end + 2);
            return Some((end, Kind::Statement));
        }
        let to = self.find(from, mark)?;
        let inner = self.slice(from, to);
        let bare = inner.split('|').next().unwrap_or_default();
        let bare = bare.trim_matches(|c: char| "$#@!*-_=+[]{}<>".contains(c));
        let words = Words::parse(bare, self.columns)?;
        // `%C3%A4` in an address of the web.
        let is_escape = inner.len() == 2 && inner.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_joined = self
            .before(at)
            .is_some_and(|c| c.is_alphanumeric() || c == '%');
        let is_one = words.is_held
            || (!inner.contains(' ') && inner.chars().count() > 1 && !is_joined && !is_escape);
        (is_one && inner.trim() == inner).then(|| (to + mark.len(), self.named(&inner)))
    }

    /// `$name$`, `$first_name`.
    fn dollar(&self, at: usize) -> Found {
        if Self::is_letter(self.before(at)) {
            return None;
        }
        let from = (at..=self.text.len()).find(|at| !matches!(self.get(*at), Some('$' | '!')))?;
        let to = (from..=self.text.len()).find(|at| {
            !(Self::is_letter(self.get(*at))
                || self.get(*at) == Some('.') && Self::is_letter(self.get(at + 1)))
        })?;
        let words = self.words(from, to);
        if self.get(to) == Some('$') && to > from + 1 && words.is_some() {
            return Some((to + 1, self.field(from, to)));
        }
        if let Some(found) = self.enclosed(at, "$", "$", |words| {
            words.is_held && words.style != Style::Loose
        }) {
            return Some(found);
        }
        let words = words?;
        (words.is_held || (words.style == Style::Snake)).then(|| (to, self.field(from, to)))
    }

    /// `@Model.FirstName`: a property of a person.
    fn property(&self, at: usize) -> Found {
        if Self::is_letter(self.before(at)) || self.before(at) == Some('.') {
            return None;
        }
        let to = (at + 1..=self.text.len()).find(|at| {
            !(Self::is_letter(self.get(*at))
                || self.get(*at) == Some('.') && Self::is_letter(self.get(at + 1)))
        })?;
        let inner = self.slice(at + 1, to);
        let words = Words::parse(inner.rsplit('.').next()?, self.columns)?;
        // `@TheCompany` is whom people follow.
        let is_name = words.style == Style::Camel && inner.to_lowercase().ends_with("name");
        (words.is_strong() && (inner.contains(['.', '_']) || is_name))
            .then(|| (to, self.field(at + 1, to)))
    }

    /// The same sign, once or more, on both sides of a name: `#NAME#`, `-name-`, `__first_name__`.
    fn doubled(&self, at: usize, is_one: impl Fn(Words) -> bool) -> Found {
        let mark = self.get(at)?;
        let before = self.before(at);
        if Self::is_letter(before) || before == Some(mark) {
            return None;
        }
        let from = (at..=self.text.len()).find(|at| self.get(*at) != Some(mark))?;
        let marks: String = std::iter::repeat_n(mark, from - at).collect();
        if from - at > 3 || !self.get(from)?.is_alphabetic() {
            return None;
        }
        let close = |from: usize| self.find(from, &marks);
        // The sign may be one of the name's own.
        let mut to = close(from)?;
        while mark == '_' && Self::is_letter(self.get(to + (from - at))) {
            to = close(to + 1)?;
        }
        if to > from + 60 || Self::is_letter(self.get(to + (from - at))) {
            return None;
        }
        let words = self.words(from, to)?;
        let is_tight = !self.slice(from, to).ends_with(' ');
        (is_tight && is_one(words)).then(|| (to + (from - at), self.field(from, to)))
    }

    /// `FIRST_NAME`, `FirstName` without anything around it.
    fn bare(&self, at: usize) -> Found {
        if self
            .before(at)
            .is_some_and(|c| !c.is_whitespace() && !",.;:!?(\"'’“".contains(c))
        {
            return None;
        }
        let to = (at..=self.text.len()).find(|at| !Self::is_letter(self.get(*at)))?;
        if self.get(to).is_some_and(|c| "/=@&?#[{(<-".contains(c)) || self.starts(to, "://") {
            return None;
        }
        if self.get(to) == Some('.') && Self::is_letter(self.get(to + 1)) {
            return None;
        }
        // A key of JSON.
        if self.starts(to, "\":") || self.starts(to, "\" :") {
            return None;
        }
        let written = self.slice(at, to);
        let words = Words::parse(&written, &[])?;
        let is_name = written.to_lowercase().ends_with("name");
        let is_one = match words.style {
            Style::Snake | Style::Large => words.is_strong(),
            Style::Camel => words.is_strong() && is_name,
            Style::Loose | Style::Plain => false,
        };
        is_one.then(|| (to, self.named(&written)))
    }
}

#[cfg(test)]
mod tests;
