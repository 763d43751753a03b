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

/// Everything that is allowed.
pub const ALLOWED: &[Allowed] = &[
    Allowed {
        kind: Kind::SealingKey,
        sort: Sort::KeyFile,
        name: "",
        reason: "the key file is where the key lives",
    },
    Allowed {
        kind: Kind::OperatorToken,
        sort: Sort::File,
        name: "the relay: data/operator.token",
        reason: "the operator's commands read it there; mode 0600, new at each start",
    },
    Allowed {
        kind: Kind::OperatorToken,
        sort: Sort::Killed,
        name: "the killed relay: data/operator.token",
        reason: "the same file, until the next start replaces it",
    },
    Allowed {
        kind: Kind::DeviceToken,
        sort: Sort::Answer,
        name: "POST /v1/devices ",
        reason: "a token is told once, to the device that pairs",
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
        kind: Kind::Ticket,
        sort: Sort::Answer,
        name: "POST /v1/reconnects/",
        reason: "the extension opens the tab with it; it works once",
    },
];

/// Why this place may hold that kind; `None` where it may not.
pub fn reason(kind: Kind, place: &Place) -> Option<&'static str> {
    let allows = |one: &&Allowed| {
        one.kind == kind && one.sort == place.sort && place.name.starts_with(one.name)
    };
    ALLOWED.iter().find(allows).map(|one| one.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_may_hold_its_own_secret_and_no_other() {
        let place = |sort, name: &str| Place::new(sort, name, "");
        let pair = place(Sort::Output, "stdout of unpause pair");
        assert!(reason(Kind::PairingCode, &pair).is_some());
        for kind in [Kind::AccessToken, Kind::DeviceToken, Kind::LoginCode] {
            assert_eq!(reason(kind, &pair), None);
        }
        let log = place(Sort::Output, "stderr of unpause pair");
        assert_eq!(reason(Kind::PairingCode, &log), None);
        let list = place(Sort::Answer, "GET /v1/devices 200");
        assert_eq!(reason(Kind::DeviceToken, &list), None);
    }

    #[test]
    fn tokens_passwords_codes_and_verifiers_may_be_nowhere() {
        for kind in [
            Kind::AccessToken,
            Kind::RefreshToken,
            Kind::Password,
            Kind::Code,
            Kind::Verifier,
            Kind::ClientSecret,
        ] {
            assert!(ALLOWED.iter().all(|one| one.kind != kind));
        }
    }
}
