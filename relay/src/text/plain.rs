//! The text part of a message that has HTML alone: what a person would read there, with the address of each link
//! behind it. Every program can show it, and servers that judge mail expect it beside HTML.

use html2text::render::TextDecorator;

/// Columns of a line: paragraphs stay whole, as every program breaks them where it shows them.
const WIDTH: usize = 1_000;

/// What stands for a line across; as wide as the text, it would be far longer than what it parts.
const RULE: &str = "<p>--------------------</p>";

/// Elements within each other, in HTML that is laid out; what takes more of them costs more than the square of it. Tables
/// within tables of letters that programs make are some thirty.
const DEPTH_MAX: usize = 200;

/// Elements that others of their kind end, or that have no end (HTML Living Standard §13.1.2, §13.1.2.4).
const NEVER_DEEP: &[&str] = &[
    "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta",
    "option", "p", "source", "td", "th", "tr", "track", "wbr",
];

/// The HTML as text; what is too deep to be laid out has its words alone.
pub fn from_html(html: &str) -> String {
    if is_deep(html) {
        return strip(html).trim().to_owned();
    }
    let config = html2text::config::with_decorator(Plain::default());
    let config = config.raw_mode(true).allow_width_overflow();
    let text = config.string_from_read(rule(html).as_bytes(), WIDTH);
    // Nothing is too narrow where overflow is allowed; what cannot be laid out still has its words.
    let text = text.unwrap_or_else(|_| strip(html));
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The HTML with its lines across as text.
fn rule(html: &str) -> String {
    let mut ruled = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        ruled.push_str(before);
        let name = tag.get(..2).unwrap_or_default();
        let is_rule = name.eq_ignore_ascii_case("hr")
            && tag
                .get(2..)
                .is_some_and(|rest| rest.starts_with(['>', '/', ' ', '\n']));
        rest = if let Some((_, after)) = tag.split_once('>').filter(|_| is_rule) {
            ruled.push_str(RULE);
            after
        } else {
            ruled.push('<');
            tag
        };
    }
    ruled.push_str(rest);
    ruled
}

/// Whether more elements are within each other than are laid out.
fn is_deep(html: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1) {
        let (is_end, tag) = tag
            .strip_prefix('/')
            .map_or((false, tag), |tag| (true, tag));
        let len = tag
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(tag.len());
        let name = tag.get(..len).unwrap_or_default();
        let is_same = |other: &&str| other.eq_ignore_ascii_case(name);
        if name.is_empty() || NEVER_DEEP.iter().any(is_same) {
            continue;
        }
        if !is_end {
            open.push(name);
        } else if let Some(at) = open.iter().rposition(is_same) {
            open.truncate(at);
        }
        if open.len() > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// The words between tags.
fn strip(html: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => in_tag = false,
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    text
}

/// No marks but what a person would write.
#[derive(Clone, Debug, Default)]
struct Plain {
    /// The links that are open.
    links: Vec<String>,
}

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        self.links.push(url.to_owned());
        (String::new(), ())
    }

    fn decorate_link_end(&mut self) -> String {
        match self.links.pop() {
            Some(url) if !url.starts_with('#') && !url.is_empty() => format!(" <{url}>"),
            _ => String::new(),
        }
    }

    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_em_end(&self) -> String {
        String::new()
    }

    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strong_end(&self) -> String {
        String::new()
    }

    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }

    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_code_end(&self) -> String {
        String::new()
    }

    fn decorate_preformat_first(&self) {}

    fn decorate_preformat_cont(&self) {}

    fn decorate_image(&mut self, _: &str, title: &str) -> (String, ()) {
        (title.to_owned(), ())
    }

    fn header_prefix(&self, _: usize) -> String {
        String::new()
    }

    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }

    fn unordered_item_prefix(&self) -> String {
        "* ".to_owned()
    }

    fn ordered_item_prefix(&self, number: i64) -> String {
        format!("{number}. ")
    }

    fn make_subblock_decorator(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_the_html_shows() {
        for (html, expected) in [
            (
                "<p>Hi Ann,</p><p>how are you?</p>",
                "Hi Ann,\n\nhow are you?",
            ),
            ("Hi<br>Ann", "Hi\nAnn"),
            (
                "<p>See <a href=\"https://acme.example/a?b=1&amp;c=2\">our page</a>.</p>",
                "See our page <https://acme.example/a?b=1&c=2>.",
            ),
            ("<ul><li>one</li><li><b>two</b></li></ul>", "* one\n* two"),
            (
                "<style>p { color: red }</style><p>5 &lt; 6 &amp; 7</p>",
                "5 < 6 & 7",
            ),
            (
                "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>",
                "a\nb",
            ),
            ("<img src=\"cid:logo\" alt=\"Acme\">", "Acme"),
            (
                "<p>a</p><hr><p>b</p><HR class=\"x\"/>",
                "a\n\n--------------------\n\nb\n\n--------------------",
            ),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(from_html(html), expected, "{html}");
        }
        // What nobody wrote costs no more than its length.
        let deep = format!("{}a{}", "<div>".repeat(100_000), "</b>".repeat(10));
        assert_eq!(from_html(&deep), "a");
        let flat = "<p>a<br><div>b</div>".repeat(1_000);
        assert_eq!(from_html(&flat).matches('b').count(), 1_000);
        let long = format!("https://acme.example/{}", "x".repeat(200));
        let text = from_html(&format!("<p>Look <a href=\"{long}\">here</a></p>"));
        assert!(text.contains(&long), "{text}");
    }
}
