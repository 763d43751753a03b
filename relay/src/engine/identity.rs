//! Whether the person who signed in is the inbox's own.

use protocol::inbox::Address;

/// Who signed in, as the provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed<'a> {
    /// The issuer and the subject: the pair that names a person.
    pub pair: (&'a str, &'a str),
    /// The address, where the provider has verified it.
    pub verified_address: Option<&'a str>,
}

/// Whether the person may give this inbox credentials: the pair that connected it first, whatever the
/// address says; or, with another pair or none, the person whose verified address is the inbox's.
pub fn is_owner(stored: Option<(&str, &str)>, claimed: &Claimed<'_>, inbox: &Address) -> bool {
    if stored == Some(claimed.pair) {
        return true;
    }
    // RFC 5321 §2.4 lets a host tell local parts apart by case; no provider that signs people in does.
    claimed
        .verified_address
        .is_some_and(|address| address.eq_ignore_ascii_case(inbox.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_decides_and_the_verified_address_only_without_it() {
        let inbox: Address = "jane@acme.example".parse().unwrap();
        let jane = ("https://id.example", "1");
        for (name, stored, pair, address, right) in [
            (
                "first time, her address",
                None,
                jane,
                Some("Jane@acme.example"),
                true,
            ),
            ("first time, no verified address", None, jane, None, false),
            (
                "first time, another address",
                None,
                jane,
                Some("john@acme.example"),
                false,
            ),
            (
                "the same person, renamed",
                Some(jane),
                jane,
                Some("jane.doe@acme.example"),
                true,
            ),
            (
                "another person",
                Some(jane),
                ("https://id.example", "2"),
                Some("john@acme.example"),
                false,
            ),
            (
                "the same subject elsewhere",
                Some(jane),
                ("https://evil.example", "1"),
                None,
                false,
            ),
            (
                "a new account of her address",
                Some(jane),
                ("https://id.example", "3"),
                Some("jane@acme.example"),
                true,
            ),
        ] {
            let claimed = Claimed {
                pair,
                verified_address: address,
            };
            assert_eq!(is_owner(stored, &claimed, &inbox), right, "{name}");
        }
    }
}
