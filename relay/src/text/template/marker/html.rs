//! HTML in a text that is sent as plain text.

/// Elements that people write in messages (HTML Living Standard §4).
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "button",
    "center",
    "cite",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "figure",
    "font",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "img",
    "input",
    "ins",
    "label",
    "li",
    "link",
    "meta",
    "nav",
    "ol",
    "p",
    "pre",
    "s",
    "script",
    "section",
    "small",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "u",
    "ul",
    "video",
];

/// Elements that have no end tag (§13.1.2).
const VOID: &[&str] = &["br", "hr", "img", "wbr"];

/// Named references that programs write for what a keyboard has not (§13.5).
const ENTITIES: &[&str] = &[
    "nbsp", "amp", "lt", "gt", "quot", "apos", "copy", "reg", "trade", "euro", "pound", "mdash",
    "ndash", "hellip", "rsquo", "lsquo", "ldquo", "rdquo", "laquo", "raquo", "bull", "middot",
    "szlig", "zwnj", "shy", "times", "rarr", "larr", "ensp", "emsp",
];

/// Endings of those for letters with a mark.
const MARKED: &[&str] = &[
    "uml", "acute", "grave", "circ", "tilde", "cedil", "ring", "slash", "lig", "caron",
];

/// Whether it is the name of an element, as it is written where one is spoken about.
pub(super) fn is_element(name: &str) -> bool {
    ELEMENTS.contains(&name)
}

/// The end of a tag that begins here and is meant as one: it ends an element, has attributes, or stands alone. A tag
/// that only opens may be spoken about, unless it begins a line or text follows it at once.
pub(super) fn tag(text: &[char], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let len = rest.iter().take(2_000).position(|c| *c == '>')? + 1;
    let tag: String = rest.get(..len)?.iter().collect();
    let inner = tag.strip_prefix('<')?.strip_suffix('>')?;
    let is_one = if let Some(rest) = inner.strip_prefix('!') {
        let is_doctype = |word: &str| word.eq_ignore_ascii_case("doctype");
        rest.starts_with("--") || rest.get(..7).is_some_and(is_doctype)
    } else {
        let (is_end, name) = inner
            .strip_prefix('/')
            .map_or((false, inner), |name| (true, name));
        let end = name
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(name.len());
        let (name, attributes) = name.split_at(end);
        let name = name.to_ascii_lowercase();
        let attributes = attributes.trim();
        let stands_alone = is_end || VOID.contains(&name.as_str());
        let is_bare = attributes.is_empty() || attributes == "/";
        let begins = at == 0 || text.get(at - 1) == Some(&'\n');
        let is_joined = text.get(at + len).is_some_and(|c| c.is_alphanumeric());
        let is_apart = begins
            || at
                .checked_sub(1)
                .and_then(|at| text.get(at))
                .is_some_and(|c| !c.is_alphanumeric());
        let is_meant = stands_alone || begins || is_joined && is_apart;
        ELEMENTS.contains(&name.as_str()) && (attributes.contains('=') || is_meant && is_bare)
    };
    is_one.then_some(at + len)
}

/// The end of a character reference that begins here.
pub(super) fn entity(text: &[char], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let len = rest.iter().take(12).position(|c| *c == ';')? + 1;
    let name: String = rest.get(1..len - 1)?.iter().collect();
    let is_number = name.strip_prefix('#').is_some_and(|number| {
        let digits = number.strip_prefix(['x', 'X']).unwrap_or(number);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let is_marked = MARKED.iter().any(|mark| {
        let letter = name.strip_suffix(mark).unwrap_or_default();
        (1..3).contains(&letter.len())
    });
    (is_number || is_marked || ENTITIES.contains(&name.as_str())).then_some(at + len)
}
