//! What holds for every cause, and the rules of form that hold whatever the words are.

use super::said::example::{imap, oauth, smtp};
use super::*;
use crate::card::{Acts, Persistence, Remedy, Scope};
use crate::evidence::{Party, Said, Stage};
use crate::provider::ProviderId;
use crate::reply::ImapStatus;
use crate::timestamp::Timestamp;

#[test]
fn every_example_is_claimed_by_its_cause_and_by_no_other_as_surely() {
    let examples = examples();
    let mut wrong = Vec::new();
    for (cause, evidence) in &examples {
        let found = classify(evidence);
        if found != *cause {
            wrong.push(format!("{cause:?} is {found:?}: {}", evidence.words()));
        }
        let reading = Reading::new(evidence);
        let own = (cause.definition().claim)(&reading);
        for other in CAUSES.iter().filter(|other| *other != cause) {
            if (other.definition().claim)(&reading) >= own {
                wrong.push(format!("{cause:?} and {other:?}: {}", evidence.words()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for cause in CAUSES.iter().filter(|cause| **cause != Cause::Unrecognised) {
        assert!(
            examples.iter().any(|(owner, _)| owner == cause),
            "{cause:?} has no example"
        );
    }
}

#[test]
fn a_cause_keeps_its_code_on_the_wire() {
    for cause in CAUSES {
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.code());
    }
}

#[test]
fn a_cause_means_in_the_api_what_its_file_says() {
    for (meaning, file) in MEANINGS {
        let first = file.lines().next().unwrap_or_default();
        assert_eq!(first.strip_prefix("//! "), Some(*meaning));
    }
    assert_eq!(MEANINGS.len() + 1, CAUSES.len());
}

#[test]
fn a_card_offers_a_reconnect_only_where_a_person_can_help() {
    for cause in CAUSES {
        let card = cause.card();
        match card.acts {
            Acts::Person => {
                assert_eq!(card.persistence, Persistence::Permanent, "{cause:?}");
                let asks = matches!(card.remedy, Remedy::AskAdmin | Remedy::AskConsent);
                assert!(!asks, "{cause:?}");
            }
            Acts::Admin => {
                assert_eq!(card.persistence, Persistence::Permanent, "{cause:?}");
                let asks = matches!(card.remedy, Remedy::AskAdmin | Remedy::AskConsent);
                assert!(asks, "{cause:?}");
            }
            Acts::Operator => assert_eq!(card.remedy, Remedy::TellOperator, "{cause:?}"),
            Acts::Nobody => assert!(
                matches!(card.remedy, Remedy::Wait | Remedy::Nothing),
                "{cause:?}"
            ),
        }
    }
}

const SUBMITTING: [Stage; 4] = [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Body];

#[test]
fn whom_a_reply_names_is_whom_it_refuses() {
    for (code, text, cause) in [
        (
            554,
            "5.7.1 <relay.example[192.0.2.1]>: Client host rejected: Access denied",
            Cause::SettingsWrong,
        ),
        (
            554,
            "5.7.1 <relay.example[192.0.2.1]>: Client host rejected: blocked using a list",
            Cause::RelayListed,
        ),
        (
            504,
            "5.5.2 <relay>: Helo command rejected: need fully-qualified hostname",
            Cause::AppMisconfigured,
        ),
        (
            553,
            "5.7.1 <jane@acme.example>: Sender address rejected: Access denied",
            Cause::SenderRefused,
        ),
        (
            554,
            "5.7.1 <jane@acme.example>: SASL login name rejected: Access denied",
            Cause::SendingBlocked,
        ),
        (
            554,
            "5.7.1 <bob@example.org>: Recipient address rejected: Access denied",
            Cause::RecipientRejected,
        ),
    ] {
        assert_eq!(classify(&smtp(Stage::Rcpt, code, text)), cause, "{text}");
    }
}

#[test]
fn codes_of_the_sign_in_are_about_the_sign_in_at_every_stage() {
    for stage in SUBMITTING {
        for (code, text) in [
            (530, "no"),
            (535, "no"),
            (538, "no"),
            (550, "5.7.8 no"),
            (550, "5.7.57 no"),
            (550, "5.7.0 Sign in first"),
            (554, "5.7.0 Authentication is needed here"),
        ] {
            let card = classify(&smtp(stage, code, text)).card();
            let found = (card.scope, card.persistence);
            assert_eq!(
                found,
                (Scope::Inbox, Persistence::Permanent),
                "{stage:?} {code} {text}"
            );
        }
    }
    for stage in SUBMITTING.into_iter().chain([Stage::Auth]) {
        let off = smtp(stage, 550, "5.7.30 no");
        assert_eq!(classify(&off), Cause::PasswordsOff, "{stage:?}");
    }
    // The same codes of what a message is and proves.
    for (code, text) in [
        (
            552,
            "5.7.0 Blocked, its content is a potential security issue",
        ),
        (550, "5.7.30 The message bears no valid DKIM"),
        (550, "5.7.26 unproved"),
    ] {
        assert_eq!(
            classify(&smtp(Stage::Body, code, text)),
            Cause::MessageRejected,
            "{text}"
        );
    }
}

#[test]
fn a_refused_sign_in_that_tells_of_the_servers_own_trouble_passes() {
    for text in [
        "5.7.8 authentication failed: Connection lost to authentication server",
        "5.7.8 The backend timed out",
        "The directory (LDAP) is down for maintenance",
        "5.7.0 Service unavailable for the moment, come back in an hour",
    ] {
        let cause = classify(&smtp(Stage::Auth, 535, text));
        assert_eq!(cause, Cause::TemporaryOutage, "{text}");
        let cause = classify(&imap(Stage::Auth, ImapStatus::No, None, text));
        assert_eq!(cause, Cause::TemporaryOutage, "{text}");
    }
    // A guess among guesses.
    for text in [
        "Login failed: the password is incorrect, or the system is busy",
        "Wrong user name; try again later",
        "The system is busy, or the password was changed",
        "5.7.8 authentication failed: (reason unavailable)",
    ] {
        let cause = classify(&smtp(Stage::Auth, 535, text));
        assert_eq!(cause, Cause::SignInRefused, "{text}");
    }
}

#[test]
fn what_somebody_must_do_does_not_pass_by_a_first_digit() {
    for (stage, code, text, cause) in [
        (
            Stage::Mail,
            451,
            "4.0.0 the sender address is not owned by user 7",
            Cause::SenderRefused,
        ),
        (
            Stage::Rcpt,
            454,
            "4.7.1 Relaying denied",
            Cause::SettingsWrong,
        ),
        (
            Stage::Body,
            421,
            "You are not allowed to send: please activate your plan",
            Cause::SendingBlocked,
        ),
        (
            Stage::Auth,
            451,
            "The user name is unknown",
            Cause::SignInRefused,
        ),
        (Stage::Auth, 451, "Credits exceeded", Cause::DailyLimit),
        (
            Stage::Body,
            421,
            "Your account is temporarily disabled, please contact support",
            Cause::SendingBlocked,
        ),
        // It is said to pass.
        (
            Stage::Auth,
            454,
            "Temporary failure: the password database is away",
            Cause::TemporaryOutage,
        ),
    ] {
        assert_eq!(classify(&smtp(stage, code, text)), cause, "{text}");
    }
}

#[test]
fn an_error_that_nobody_knows_ends_the_permission_where_the_token_was_refused() {
    for (status, expected) in [
        (400, Cause::PermissionEnded),
        (401, Cause::PermissionEnded),
        (404, Cause::Unrecognised),
        (429, Cause::RateLimited),
        (500, Cause::TemporaryOutage),
    ] {
        let evidence = oauth(Stage::Refresh, Some(status), "blue");
        assert_eq!(classify(&evidence), expected, "{status}");
    }
    let visit = oauth(Stage::Authorize, None, "blue");
    assert_eq!(classify(&visit), Cause::Unrecognised);
}

#[test]
fn no_words_of_a_peer_that_speaks_no_protocol_choose_a_cause() {
    for party in [Party::Smtp, Party::Imap, Party::Oauth] {
        for stage in [Stage::Greeting, Stage::Auth, Stage::Refresh] {
            for detail in [
                "expected an offer of AUTH PLAIN, found \"Special offers today\"",
                "Special deals today",
                "535 5.7.8 account locked, token expired, too many connections",
            ] {
                let evidence = Evidence {
                    party,
                    stage,
                    said: Said::Garbage {
                        detail: detail.to_owned(),
                    },
                    provider: ProviderId::new("imap"),
                    seen_at: Timestamp::from_ms(0),
                };
                assert_eq!(classify(&evidence), Cause::Unrecognised, "{detail}");
            }
        }
    }
    // Nor does it matter what a server says in between.
    for text in ["Special offers today", "Special deals today"] {
        assert_eq!(
            classify(&smtp(Stage::Auth, 535, text)),
            Cause::SignInRefused,
            "{text}"
        );
    }
}

#[test]
fn googles_own_pages_name_the_cause_in_every_language() {
    for (page, cause) in [
        ("?p=InvalidSecondFactor", Cause::AppPasswordRequired),
        ("?p=WebLoginRequired", Cause::BrowserDemanded),
        ("?p=BadCredentials", Cause::SignInRefused),
    ] {
        let text = format!("5.7.9 xxx https://support.google.com/mail/{page} abc-1 - gsmtp");
        assert_eq!(classify(&smtp(Stage::Auth, 534, &text)), cause, "{page}");
        // Another's page is another's.
        let text = text.replace("google.com", "google.example");
        assert_eq!(
            classify(&smtp(Stage::Auth, 534, &text)),
            Cause::SignInRefused,
            "{page}"
        );
    }
}
