//! What may stand where, each with its reason. Everything else is a leak.

use super::gather::{Place, Sort};
use super::search::Kind;

/// One kind of secret that one place may hold.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    /// The secret.
    pub kind: Kind,
    /// The sort of the place.
    pub sort: Sort,
    /// How the name of the place begins.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// What works once and stands in an address that a tab has visited.
const VISITED: &str = "the browser notes where its tabs were; by then the code is used, and a provider's is bound \
    to a verifier that is kept nowhere";

/// Parts of a profile that are the extension's: what works once may not be there either.
const OF_THE_EXTENSION: [&str; 4] = [
    "Extension",
    "chrome-extension",
    "moz-extension",
    "storage-sync",
];

/// Everything that is allowed.
pub const ALLOWED: &[Allowed] = &[
    Allowed {
        kind: Kind::SealingKey,
        sort: Sort::KeyFile,
        name: "",
        reason: "the key file is where the key lives",
    },
    Allowed {
        kind: Kind::PairingCode,
        sort: Sort::Answer,
        name: "POST /v1/pairings ",
        reason: "the operator asks for the code",
    },
    Allowed {
        kind: Kind::PairingCode,
        sort: Sort::Output,
        name: "stdout of unpause pair",
        reason: "the command is there to print the link",
    },
    Allowed {
        kind: Kind::LoginCode,
        sort: Sort::Answer,
        name: "POST /v1/login-links ",
        reason: "the operator asks for the link",
    },
    Allowed {
        kind: Kind::LoginCode,
        sort: Sort::Output,
        name: "stdout of unpause login",
        reason: "the command is there to print the link",
    },
    Allowed {
        kind: Kind::SessionToken,
        sort: Sort::Answer,
        name: "POST /v1/sessions ",
        reason: "a token is told once, to the page that signs in",
    },
    Allowed {
        kind: Kind::SessionToken,
        sort: Sort::Profile,
        name: "the profile: Default/Local Storage/",
        reason: "the dashboard's session lives in its origin's local storage (docs/decisions/0010)",
    },
    Allowed {
        kind: Kind::SessionToken,
        sort: Sort::Profile,
        name: "the profile: storage/default/http+++127.0.0.1",
        reason: "the same in Firefox",
    },
    Allowed {
        kind: Kind::Code,
        sort: Sort::Profile,
        name: "the profile: ",
        reason: VISITED,
    },
    Allowed {
        kind: Kind::LoginCode,
        sort: Sort::Profile,
        name: "the profile: ",
        reason: VISITED,
    },
    Allowed {
        kind: Kind::Ticket,
        sort: Sort::Profile,
        name: "the profile: ",
        reason: VISITED,
    },
    Allowed {
        kind: Kind::Ticket,
        sort: Sort::Answer,
        name: "POST /v1/reconnects/",
        reason: "the extension opens the tab with it; it works once",
    },
    Allowed {
        kind: Kind::ApiKey,
        sort: Sort::Output,
        name: "stdout of unpause key add",
        reason: "the command is there to print the key, once",
    },
    Allowed {
        kind: Kind::InvitationCode,
        sort: Sort::Output,
        name: "stdout of unpause account",
        reason: "the command is there to print the link",
    },
    Allowed {
        kind: Kind::SessionToken,
        sort: Sort::Answer,
        name: "POST /v1/sign-ins ",
        reason: "a token is told once, to the page that signs in",
    },
    Allowed {
        kind: Kind::SessionToken,
        sort: Sort::Answer,
        name: "POST /v1/invitations/accept ",
        reason: "a token is told once, to the page that signs in",
    },
];

/// Why this place may hold that kind; `None` where it may not.
pub fn reason(kind: Kind, place: &Place) -> Option<&'static str> {
    let allows = |one: &&Allowed| {
        one.kind == kind && one.sort == place.sort && place.name.starts_with(one.name)
    };
    let is_of_the_extension = place.sort == Sort::Profile
        && OF_THE_EXTENSION
            .iter()
            .any(|part| place.name.contains(part));
    let mut allowed = ALLOWED.iter().filter(|_| !is_of_the_extension);
    allowed.find(allows).map(|one| one.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_may_hold_its_own_secret_and_no_other() {
        let place = |sort, name: &str| Place::new(sort, name, "");
        let pair = place(Sort::Output, "stdout of unpause pair");
        assert!(reason(Kind::PairingCode, &pair).is_some());
        for kind in [Kind::AccessToken, Kind::SessionToken, Kind::LoginCode] {
            assert_eq!(reason(kind, &pair), None);
        }
        let log = place(Sort::Output, "stderr of unpause pair");
        assert_eq!(reason(Kind::PairingCode, &log), None);
        let list = place(Sort::Answer, "GET /v1/devices 200");
        assert_eq!(reason(Kind::PairingCode, &list), None);
    }

    #[test]
    fn a_profile_may_hold_used_codes_but_not_among_what_the_extension_keeps() {
        let history = Place::new(Sort::Profile, "the profile: Default/History", "");
        assert!(reason(Kind::Code, &history).is_some());
        assert_eq!(reason(Kind::SessionToken, &history), None);
        for own in [
            "the profile: Default/Local Extension Settings/abc/000003.log",
            "the profile: storage/default/moz-extension+++6f1d3c2e/idb/1.sqlite",
        ] {
            assert_eq!(
                reason(Kind::Code, &Place::new(Sort::Profile, own, "")),
                None
            );
        }
    }

    #[test]
    fn tokens_passwords_and_verifiers_may_be_nowhere() {
        for kind in [
            Kind::AccessToken,
            Kind::RefreshToken,
            Kind::Password,
            Kind::Verifier,
            Kind::ClientSecret,
        ] {
            assert!(ALLOWED.iter().all(|one| one.kind != kind));
        }
    }
}
