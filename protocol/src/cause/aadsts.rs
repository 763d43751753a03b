//! Microsoft's numbers, as in `AADSTS700082` ("Microsoft Entra authentication and authorization error codes"), by
//! what they ask for. Which cause that is stands in the causes.

use crate::reply::OAuthReply;

/// What a number asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The client, its secret, its redirect address or the form of its request must be corrected.
    Registration,
    /// An administrator's consent.
    AdminConsent,
    /// Somebody's consent: 65001 is said where there is none yet.
    Consent,
    /// Consent that was declined, or that the person met a page for and came back from.
    Declined,
    /// A step in a browser: second factor, sign-in frequency, password that is over, terms, a proof of the device.
    Browser,
    /// A new permission: expired, unused too long, revoked, password changed.
    Permission,
    /// A new authorization code.
    Code,
    /// A rule of the organisation: conditional access, device rules, users that are not assigned, applications and
    /// services that are switched off.
    Rule,
    /// An account that is locked, disabled or not there.
    Unlock,
    /// Another account: this one is not known there.
    OtherAccount,
    /// The right user name or password.
    Password,
    /// Another try.
    Time,
    /// Fewer tries.
    Slower,
}

/// What the reply's number asks for; `None` where it bears none that is known. 70002 and 70000 wrap another number
/// where there is one, and the inner number decides.
pub(super) fn asks(reply: &OAuthReply) -> Option<Asks> {
    let all = numbers(&reply.description);
    // How little a number says beside another one.
    let wraps = |number: &&u32| match **number {
        70_002 => 2,
        70_000 => 1,
        _ => 0,
    };
    let known = all.iter().filter(|number| of(**number).is_some());
    of(*known.min_by_key(wraps)?)
}

/// The numbers in the text: behind `AADSTS`, or as the value of `error_codes` where a whole body is quoted.
fn numbers(text: &str) -> Vec<u32> {
    let marks = ["AADSTS", "error_codes", "errorCode"];
    let mut found = Vec::new();
    for mark in marks {
        for rest in text.split(mark).skip(1) {
            let skipped = if mark == "AADSTS" {
                rest
            } else {
                rest.trim_start_matches(|c: char| c.is_whitespace() || "\":[\\n".contains(c))
            };
            let end = skipped.find(|c: char| !c.is_ascii_digit());
            let digits = end.and_then(|end| skipped.get(..end)).unwrap_or(skipped);
            found.extend(digits.parse::<u32>().ok());
        }
    }
    found
}

#[expect(
    clippy::match_same_arms,
    reason = "each arm is a group of the published list"
)]
fn of(number: u32) -> Option<Asks> {
    Some(match number {
        // A session or an account must be chosen anew.
        16_000..=16_003 | 160_021 => Asks::Browser,
        // Federation partners that are unreachable, or answer nonsense.
        40_008 | 40_010 => Asks::Time,
        40_009 | 40_015 => Asks::Browser,
        50_000 | 50_033 | 50_086 | 50_087 | 50_088 => Asks::Time,
        50_001 => Asks::Registration,
        50_002 | 50_005 | 500_021 | 500_022 => Asks::Rule,
        50_014 | 50_053 | 50_057 | 500_341 | 500_571 => Asks::Unlock,
        50_020 | 50_034 | 50_177 | 50_178 | 51_004 | 90_072 => Asks::OtherAccount,
        50_055 | 50_058 | 50_072 | 50_074 | 50_076 | 50_078 | 50_079 | 50_085 | 50_097 | 50_099 => {
            Asks::Browser
        }
        50_056 | 50_064 | 50_126 => Asks::Password,
        50_089 | 50_132 | 50_133 | 50_173 => Asks::Permission,
        50_105 | 50_131 => Asks::Rule,
        50_125 | 50_127 | 50_129 | 50_135 | 50_139 | 50_140 | 50_143 | 50_144 | 50_155 | 50_158
        | 50_169 | 50_187 | 50_199 | 500_121 => Asks::Browser,
        50_194 | 500_011 | 500_113 => Asks::Registration,
        50_196 => Asks::Slower,
        // The verifier does not fit the code (RFC 7636 §4.6).
        50_147..=50_149 | 501_481 | 501_491 | 54_005 => Asks::Code,
        // The rest of this thousand is about requests, keys and certificates of the client.
        50_003..=50_199 => Asks::Registration,
        51_005 => Asks::Time,
        51_006 => Asks::Browser,
        53_004 | 54_008 => Asks::Browser,
        500_014 | 53_000..=53_999 | 530_000..=530_999 | 54_000..=54_004 => Asks::Rule,
        65_001 => Asks::Consent,
        65_004 => Asks::Declined,
        650_051 | 650_052 => Asks::Rule,
        65_000..=65_999 | 650_000..=650_999 => Asks::Registration,
        70_000 => Asks::Permission,
        70_008 => Asks::Permission,
        70_043 | 70_044 => Asks::Browser,
        700_003 | 700_081..=700_084 => Asks::Permission,
        70_012 => Asks::Time,
        70_001..=70_999 | 700_000..=700_999 => Asks::Registration,
        75_000..=75_999 => Asks::Registration,
        // The organisation's own directory, behind its agents, cannot be reached.
        80_012 => Asks::Rule,
        80_000..=80_999 => Asks::Time,
        81_000..=81_999 => Asks::Browser,
        90_006 | 90_012 | 90_020 | 90_024 | 90_025 | 90_033 | 90_036 | 90_041 | 90_090 | 90_091 => {
            Asks::Time
        }
        90_055 => Asks::Slower,
        90_093..=90_095 => Asks::AdminConsent,
        90_000..=90_999 | 900_000..=900_999 => Asks::Registration,
        // Passwords that must be changed.
        120_000..=120_999 => Asks::Browser,
        135_011 => Asks::Rule,
        7_000_112 | 7_000_114 => Asks::Rule,
        7_000_000..=7_999_999 | 9_000_000..=9_999_999 => Asks::Registration,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks_in(description: &str) -> Option<Asks> {
        asks(&OAuthReply {
            http_status: Some(400),
            error: Some("invalid_grant".to_owned()),
            description: description.to_owned(),
        })
    }

    #[test]
    fn a_number_is_read_whole_and_an_inner_one_decides() {
        for (description, expected) in [
            ("AADSTS50076: more is needed", Some(Asks::Browser)),
            ("AADSTS500761: not known", None),
            (
                "AADSTS70002: cannot. AADSTS50173: the grant is over",
                Some(Asks::Permission),
            ),
            ("AADSTS70002: the client", Some(Asks::Registration)),
            (
                "AADSTS70002: cannot. AADSTS70000: malformed",
                Some(Asks::Permission),
            ),
            ("AADSTS70000: cannot. AADSTS90033: later", Some(Asks::Time)),
            (
                "\"error_codes\": [50078], \"error_description\"",
                Some(Asks::Browser),
            ),
            ("50076", None),
            ("AADSTS", None),
        ] {
            assert_eq!(asks_in(description), expected, "{description}");
        }
    }

    #[test]
    fn each_group_of_the_published_list_asks_for_its_own() {
        for (number, expected) in [
            (50_011, Asks::Registration),
            (7_000_222, Asks::Registration),
            (90_094, Asks::AdminConsent),
            (65_001, Asks::Consent),
            (65_004, Asks::Declined),
            (50_079, Asks::Browser),
            (700_082, Asks::Permission),
            (70_008, Asks::Permission),
            (70_044, Asks::Browser),
            (501_481, Asks::Code),
            (53_003, Asks::Rule),
            (530_035, Asks::Rule),
            (50_057, Asks::Unlock),
            (50_020, Asks::OtherAccount),
            (50_126, Asks::Password),
            (80_002, Asks::Time),
            (90_033, Asks::Time),
            (50_196, Asks::Slower),
        ] {
            assert_eq!(
                asks_in(&format!("AADSTS{number}: no")),
                Some(expected),
                "{number}"
            );
        }
    }
}
