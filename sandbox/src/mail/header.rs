//! Header fields of a message as bytes (RFC 5322 §2.2). No MIME, no decoding.

/// The first field of that name, unfolded and trimmed.
pub(crate) fn find_field(raw: &[u8], name: &str) -> Option<String> {
    fields(raw)
        .find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, whole)| value_of(whole))
}

/// Every field, unfolded, in order.
pub(crate) fn unfolded_fields(raw: &[u8]) -> Vec<(String, String)> {
    fields(raw)
        .map(|(name, whole)| (String::from_utf8_lossy(name).into_owned(), value_of(whole)))
        .collect()
}

/// The message without its fields of that name and with `fields` (whole lines) in front.
pub(crate) fn replace_field(raw: &[u8], name: &str, in_front: &str) -> Vec<u8> {
    let mut replaced = in_front.as_bytes().to_vec();
    for (field, whole) in fields(raw) {
        if !field.eq_ignore_ascii_case(name.as_bytes()) {
            replaced.extend_from_slice(whole);
        }
    }
    replaced.extend_from_slice(raw.get(fields_end(raw)..).unwrap_or_default());
    replaced
}

/// The length of the header with the empty line that ends it.
pub(crate) fn header_end(raw: &[u8]) -> usize {
    let end = fields_end(raw);
    match raw.get(end..) {
        Some([b'\r', b'\n', ..]) => end + 2,
        Some([b'\n', ..]) => end + 1,
        _ => end,
    }
}

/// The fields: name, and the whole field with its folded lines and line ends.
pub(crate) fn fields(raw: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = raw.get(..fields_end(raw)).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = line_end(rest);
        while matches!(rest.get(end), Some(b' ' | b'\t')) {
            end += line_end(rest.get(end..).unwrap_or_default());
        }
        let (whole, after) = rest.split_at(end);
        rest = after;
        let name = whole.split(|byte| *byte == b':').next().unwrap_or_default();
        Some((name.trim_ascii_end(), whole))
    })
}

/// Where the fields end: before the empty line, or at the end of the message.
fn fields_end(raw: &[u8]) -> usize {
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(b"\r\n") || rest.starts_with(b"\n") {
            break;
        }
        at += line_end(rest);
    }
    at
}

/// The length of the first line with its line end.
fn line_end(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |at| at + 1)
}

fn value_of(whole: &[u8]) -> String {
    let value = whole
        .iter()
        .position(|byte| *byte == b':')
        .map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(whole.get(value..).unwrap_or_default());
    text.replace(['\r', '\n'], "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &[u8] =
        b"From: a@b.example\r\nSubject: one\r\n two\r\nMessage-ID:<1@x>\r\n\r\nX: body\r\n";

    #[test]
    fn folded_fields_are_read_as_one() {
        assert_eq!(find_field(RAW, "subject").as_deref(), Some("one two"));
        assert_eq!(find_field(RAW, "MESSAGE-ID").as_deref(), Some("<1@x>"));
        assert_eq!(find_field(RAW, "X"), None, "the body is not the header");
        assert_eq!(&RAW[header_end(RAW)..], b"X: body\r\n");
    }

    #[test]
    fn a_replaced_field_goes_with_its_folded_lines() {
        let replaced = replace_field(RAW, "Subject", "Subject: three\r\n");
        let text = String::from_utf8(replaced).unwrap();
        assert_eq!(
            text,
            "Subject: three\r\nFrom: a@b.example\r\nMessage-ID:<1@x>\r\n\r\nX: body\r\n"
        );
    }
}
