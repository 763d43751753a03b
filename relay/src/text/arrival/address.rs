//! Mail addresses in running text and in the fields of reports. Whether one is valid is `protocol`'s to say.

/// The longest address (RFC 5321 §4.5.3.1.3).
const ADDRESS_BYTES_MAX: usize = 254;

/// Every address in a text, each once, in small letters and in the order of the text.
pub(super) fn find_all(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, address) in places(text) {
        if !found.contains(&address) {
            found.push(address);
        }
        if found.len() == super::ADDRESSES_MAX {
            break;
        }
    }
    found
}

/// Every address with the byte at which it begins.
pub(super) fn places(text: &str) -> impl Iterator<Item = (usize, String)> {
    let is_part = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    text.match_indices('@').filter_map(move |(at, _)| {
        let (before, after) = (text.get(..at)?, text.get(at + 1..)?);
        let local = before
            .char_indices()
            .rev()
            .take(ADDRESS_BYTES_MAX)
            .take_while(|(_, c)| is_part(*c))
            .last()
            .map_or(at, |(from, _)| from);
        let domain_len: usize = after
            .chars()
            .take(ADDRESS_BYTES_MAX)
            .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
            .map(char::len_utf8)
            .sum();
        let domain = after.get(..domain_len)?.trim_end_matches(['.', '-']);
        let local_part = text
            .get(local..at)?
            .trim_start_matches(['\'', '`', '=', '.']);
        let is_whole = !local_part.is_empty() && domain.contains('.');
        is_whole.then(|| (local, format!("{local_part}@{domain}").to_lowercase()))
    })
}

/// The address of a report's field (RFC 3464 §2.3.1, RFC 6533 §3), whose type stands before a semicolon or is
/// left out; `+40` is the `@` of an address that was told as xtext (RFC 3461 §4).
pub(super) fn of_field(value: &str) -> Option<String> {
    let address = value.split_once(';').map_or(value, |(_, address)| address);
    let address = if address.contains('@') {
        address.to_owned()
    } else {
        address.replace("+40", "@")
    };
    places(&address).next().map(|(_, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_text_and_in_fields() {
        let text = "<Ann@A.example>: 550; 'bob@b.example', cy@c.example.\nx@ @y a@localhost";
        assert_eq!(
            find_all(text),
            ["ann@a.example", "bob@b.example", "cy@c.example"]
        );
        for (value, expected) in [
            ("rfc822; ann@a.example", Some("ann@a.example")),
            ("RFC822;<Ann@a.example>", Some("ann@a.example")),
            ("utf-8; ann@a.example", Some("ann@a.example")),
            ("ann@a.example", Some("ann@a.example")),
            ("rfc822;ann+40a.example", Some("ann@a.example")),
            ("x-unknown; nobody", None),
        ] {
            assert_eq!(of_field(value).as_deref(), expected, "{value}");
        }
    }
}
