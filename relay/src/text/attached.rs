//! The files of a message: their media types, and where the HTML shows them.

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Attachment as Builder, Body, SinglePart};
use protocol::campaign::Attachment;

/// The media type of a file.
#[derive(Debug)]
pub struct MediaType(ContentType);

/// It is none that a file can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a media type such as application/pdf, found {found:?}")]
pub struct NotAMediaType {
    /// What stood there.
    pub found: String,
}

impl MediaType {
    /// The one that is told, else the one that its name says; bytes where that says nothing.
    pub fn of(file: &Attachment) -> Result<Self, NotAMediaType> {
        let guessed = || {
            let guess = mime_guess::from_path(&file.name).first_raw();
            guess.unwrap_or("application/octet-stream").to_owned()
        };
        let told = file.media_type.clone().unwrap_or_else(guessed);
        let wrong = || NotAMediaType {
            found: told.clone(),
        };
        // What has parts, or is a message, would be read as a part of this one (RFC 2046 §5).
        let kind = told.split('/').next().unwrap_or_default();
        if kind.eq_ignore_ascii_case("multipart") || kind.eq_ignore_ascii_case("message") {
            return Err(wrong());
        }
        let is_printable = told.bytes().all(|byte| (b' '..0x7f).contains(&byte));
        let parsed = ContentType::parse(&told).ok().filter(|_| is_printable);
        parsed.map(Self).ok_or_else(wrong)
    }
}

/// The names under which HTML shows files (RFC 2392), in their order.
pub fn list_shown(html: &str) -> Vec<String> {
    let mut shown: Vec<String> = Vec::new();
    let small = html.to_ascii_lowercase();
    for (at, found) in small.match_indices("cid:") {
        let before = small
            .get(..at)
            .and_then(|before| before.chars().next_back());
        // In an attribute or in `url(…)`, and not a word that ends so.
        if !before.is_some_and(|c| matches!(c, '"' | '\'' | '=' | '(')) {
            continue;
        }
        let rest = html.get(at + found.len()..).unwrap_or_default();
        let is_end = |c: char| matches!(c, '"' | '\'' | ')' | '>' | '<') || c.is_whitespace();
        let name = rest.split(is_end).next().unwrap_or_default();
        if !shown.iter().any(|known| known == name) {
            shown.push(name.to_owned());
        }
    }
    shown
}

/// A file as a part of a message (RFC 2183, its name by RFC 2231). Base64 keeps every byte as it is.
pub(super) fn write_part(file: &Attachment, content: &[u8]) -> Option<SinglePart> {
    let MediaType(kind) = MediaType::of(file).ok()?;
    let body = Body::new_with_encoding(content.to_vec(), ContentTransferEncoding::Base64).ok()?;
    let builder = match &file.cid {
        Some(cid) => Builder::new_inline_with_name(cid.clone(), file.name.clone()),
        None => Builder::new(file.name.clone()),
    };
    Some(builder.body(body, kind))
}

/// No fewer bytes than a file will have as a part: four for three, in lines of 76, and its header.
pub(super) fn size_at_most(content: &[u8]) -> u64 {
    const HEADER_BYTES: usize = 2 * 1024;
    let encoded = content.len().div_ceil(3) * 4;
    (encoded + encoded.div_ceil(76) * 2 + HEADER_BYTES) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_html_shows_are_found() {
        let html = "<img src=\"cid:logo\"><IMG SRC='CID:b.c'><td style=\"background: url(cid:x_y)\"><a href=cid:z>\
                    <img src=\"cid:logo\"> the word acid: no, cid:no";
        assert_eq!(list_shown(html), ["logo", "b.c", "x_y", "z"]);
    }
}
