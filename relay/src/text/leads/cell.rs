//! What a cell says: without what nobody sees, and the address in it.

use std::borrow::Cow;

use protocol::inbox::Address;

use crate::text::field::find_hidden;
use crate::text::message::to_listed;

/// Why a cell is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAddress {
    /// It is something else.
    Other,
    /// It is several of them.
    Several,
    /// A character in it that nobody sees.
    Hidden,
}

/// The longest address: 64 bytes before the sign, 255 behind it (RFC 5321 §4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 320;

/// What is not seen and is no space: marks of direction and joining, soft hyphens, byte order marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// The cell without spaces of any kind and marks that nobody sees around it, and without the form `="…"`, by which
/// programs keep a spreadsheet from reading a number.
pub(super) fn clean(cell: &str) -> &str {
    let trim = |text| {
        str::trim_matches(text, |c: char| {
            c.is_whitespace() || c.is_control() || is_invisible(c)
        })
    };
    let cell = trim(cell);
    let told = cell
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|inner| !inner.contains('"'));
    told.map_or(cell, trim)
}

/// The address in a cell: alone, in brackets behind a name (RFC 5322 §3.4), or as a link (RFC 6068).
pub(super) fn parse_address(cell: &str) -> Result<Address, NoAddress> {
    // Around it they are trimmed; within it another address is shown than is written to.
    if find_hidden(clean(cell)).is_some() {
        return Err(NoAddress::Hidden);
    }
    let seen: Cow<'_, str> = if cell.is_ascii() {
        Cow::Borrowed(cell)
    } else {
        Cow::Owned(
            cell.chars()
                .filter(|c| !is_invisible(*c))
                .map(narrow)
                .collect(),
        )
    };
    let text = clean(&seen).trim_end_matches([',', ';', ' ']);
    if let Some(address) = parse_one(text) {
        return Ok(address);
    }
    let parts = text.split(|c: char| c.is_whitespace() || ",;/|<>()[]&+".contains(c));
    let n_addresses = parts
        .filter(|part| parse_one(part.trim()).is_some())
        .count();
    Err(if n_addresses > 1 {
        NoAddress::Several
    } else {
        NoAddress::Other
    })
}

fn parse_one(text: &str) -> Option<Address> {
    let text = unwrap(text);
    // `Name <address>`; in the name of a link (`[a](mailto:a)`) stands the address once more.
    let inner = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>')?,
        None => match text
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]("))
        {
            Some((_, rest)) => rest.strip_suffix(')')?,
            None => text,
        },
    };
    let inner = unwrap(inner);
    let is_link = |start: &&str| start.eq_ignore_ascii_case("mailto:");
    let inner = match inner.get(..7).filter(is_link) {
        Some(_) => inner.get(7..)?.split('?').next()?.trim(),
        None => inner,
    };
    if inner.len() > ADDRESS_BYTES_MAX || !inner.contains('@') {
        return None;
    }
    let address: Address = inner.parse().ok()?;
    Some(canonical(&address))
}

/// Without quotes around it.
fn unwrap(text: &str) -> &str {
    let text = text.trim();
    for (open, close) in [
        ('"', '"'),
        ('\'', '\''),
        ('“', '”'),
        ('„', '“'),
        ('‘', '’'),
        ('`', '`'),
    ] {
        let inner = text
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close));
        if let Some(inner) = inner {
            return inner.trim();
        }
    }
    text
}

/// The ASCII form of what a keyboard for Chinese or Japanese writes wide (Unicode, Halfwidth and Fullwidth Forms).
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        c => c,
    }
}

/// What two forms of one address have in common. Local parts may be told apart by case in theory (RFC 5321 §2.4);
/// nobody's mailbox is.
pub fn key_of(address: &Address) -> String {
    to_listed(address.as_str())
}

/// One domain has one form: that in Unicode, in small letters (UTS 46).
fn canonical(address: &Address) -> Address {
    let Some((local, domain)) = address.as_str().rsplit_once('@') else {
        return address.clone();
    };
    let is_plain = domain.is_ascii() && !domain.contains("xn--");
    if is_plain {
        return address.clone();
    }
    let (domain, told) = idna::domain_to_unicode(domain);
    if told.is_err() {
        return address.clone();
    }
    format!("{local}@{domain}")
        .parse()
        .unwrap_or_else(|_| address.clone())
}
