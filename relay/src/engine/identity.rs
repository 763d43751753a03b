//! Whether the person who signed in is the inbox's own.
//!
//! An account proves who it is, so its owner may always come back. A password proves that its user name may use the
//! servers, and nothing about the inbox; it takes the place of itself alone.

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

/// How an inbox signs in today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'a> {
    /// It never did.
    None,
    /// With an account.
    Account,
    /// With this user name and a password.
    Password(&'a str),
}

/// Whether a password for this user name takes an inbox over without a question: where it has one of that name, or
/// none at all, and the name is its address.
pub fn is_own_password(today: Way<'_>, user: &str, inbox: &Address) -> bool {
    let is_address = user.eq_ignore_ascii_case(inbox.as_str());
    match today {
        Way::None => is_address,
        Way::Account => false,
        Way::Password(known) => is_address || user == known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_takes_the_place_of_itself_alone() {
        let inbox: Address = "jane@acme.example".parse().unwrap();
        let mallory = "mallory@acme.example";
        for (today, user, own) in [
            (Way::None, "Jane@acme.example", true),
            (Way::None, "jane", false),
            (Way::Account, "jane@acme.example", false),
            (Way::Account, mallory, false),
            (Way::Password("jdoe"), "jdoe", true),
            (Way::Password("jdoe"), "jane@acme.example", true),
            (Way::Password("jdoe"), "JDoe", false),
            (Way::Password("jdoe"), mallory, false),
            (Way::Password("jane@acme.example"), mallory, false),
            // Once confirmed it is the inbox's.
            (Way::Password(mallory), mallory, true),
        ] {
            assert_eq!(
                is_own_password(today, user, &inbox),
                own,
                "{today:?} {user}"
            );
        }
    }

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
