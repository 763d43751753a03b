//! How well `classify` names the causes of recorded failures: each record becomes the evidence that the relay's
//! adapters would have made of it, and the answer is compared with the record's own.
//!
//! Deliberately absent: any rule about causes, and any record. What a class means stands with the records.

mod recorded;
mod score;

use anyhow::Context as _;
use protocol::card::{Persistence, Scope};
use protocol::cause::{Cause, classify};
use protocol::evidence::{Evidence, Stage};
use serde::Deserialize;

pub use score::Measured;
use score::Outcome;

/// One recorded failure.
#[derive(Debug, Deserialize)]
struct Record {
    id: String,
    protocol: String,
    provider: String,
    phase: String,
    text: String,
    class: String,
    action: String,
    #[serde(default)]
    also_possible: Vec<String>,
}

/// Classifies every record of the text, JSON Lines.
pub fn measure(text: &str) -> anyhow::Result<Measured> {
    let mut outcomes = Vec::new();
    for (line_idx, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let record: Record =
            serde_json::from_str(line).with_context(|| format!("line {}", line_idx + 1))?;
        let evidence = recorded::evidence(
            &record.protocol,
            &record.phase,
            &record.provider,
            &record.text,
        );
        let cause = classify(&evidence);
        outcomes.push(Outcome {
            cause,
            classes: classes(cause),
            actions: actions(cause, &evidence),
            words: evidence.words(),
            expected_class: record.class,
            also_possible: record.also_possible,
            expected_action: record.action,
            id: record.id,
        });
    }
    Ok(Measured { outcomes })
}

/// The classes of the records that a cause stands for.
fn classes(cause: Cause) -> &'static [&'static str] {
    match cause {
        Cause::Unrecognised => &["unknown"],
        Cause::AccountLocked => &["account_locked_or_suspended"],
        Cause::AdminApproval | Cause::PolicyBlocked => &["admin_policy_blocked"],
        Cause::AppMisconfigured => &["app_misconfigured"],
        Cause::AppPasswordRequired => &["app_password_required"],
        Cause::BrowserDemanded => &["interactive_signin_required"],
        Cause::CodeRefused | Cause::NoRefreshToken | Cause::PermissionEnded => {
            &["token_expired_or_revoked"]
        }
        Cause::ConsentRefused | Cause::ScopeMissing => &["consent_or_scope_missing"],
        Cause::DailyLimit => &["daily_limit"],
        Cause::ImapOff => &["imap_disabled"],
        Cause::MailboxDenied | Cause::SenderRefused | Cause::WrongIdentity => &["wrong_account"],
        Cause::MailboxFull => &["mailbox_full"],
        Cause::MessageRejected => &["message_rejected"],
        Cause::Network => &["network"],
        Cause::PasswordsOff => &["basic_auth_disabled"],
        Cause::RateLimited => &["rate_limited"],
        // It waits and concerns nobody else: the records call that one thing or the other.
        Cause::RecipientDeferred => &["temporary_outage", "recipient_rejected"],
        Cause::TemporaryOutage => &["temporary_outage"],
        Cause::RecipientRejected => &["recipient_rejected"],
        Cause::RelayListed | Cause::SendingBlocked => &["sending_blocked"],
        Cause::SettingsWrong => &["settings_wrong"],
        Cause::SignInBlocked => &["suspicious_login_blocked"],
        Cause::SignInRefused => &["bad_credentials"],
        Cause::SmtpOff => &["smtp_auth_disabled"],
        Cause::TlsFailed => &["tls"],
        // What only the relay finds is in no record.
        Cause::Cancelled
        | Cause::Expired
        | Cause::Interrupted
        | Cause::MixedUp
        | Cause::NeverConnected
        | Cause::Unsealable => &[],
    }
}

/// What the relay does in the end, in the records' words. It follows from scope and persistence, as in the engine:
/// what passes by itself at the inbox is waited for longer than what passes at its server, and evidence that is
/// not known is waited for as well; it never pauses anything.
fn actions(cause: Cause, evidence: &Evidence) -> &'static [&'static str] {
    let card = cause.card();
    let is_visit = matches!(
        evidence.stage,
        Stage::Authorize | Stage::Exchange | Stage::Identity
    );
    match (card.scope, card.persistence) {
        (Scope::Recipient | Scope::Message, Persistence::Permanent) => &["message"],
        // This recipient alone is tried again later; the inbox goes on.
        (Scope::Recipient | Scope::Message, Persistence::Transient) => &["retry", "message"],
        (Scope::Inbox | Scope::Relay, Persistence::Permanent) => &["pause"],
        // A reconnect that is refused leaves the inbox waiting for its person.
        (Scope::Reconnect, Persistence::Permanent) if is_visit => &["pause"],
        (Scope::Inbox | Scope::Relay, Persistence::Transient) => &["slow"],
        (Scope::Server | Scope::Reconnect, _) => &["retry"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_near_and_wrong_answers_are_told_apart() {
        let records = [
            r#"{"id":"a","protocol":"smtp","provider":"x","phase":"auth","text":"535 5.7.8 no","class":"bad_credentials","action":"pause"}"#,
            r#"{"id":"b","protocol":"smtp","provider":"x","phase":"auth","text":"535 5.7.8 no","class":"imap_disabled","action":"pause","also_possible":["bad_credentials"]}"#,
            r#"{"id":"c","protocol":"smtp","provider":"x","phase":"rcpt","text":"550 5.1.1 no","class":"network","action":"retry"}"#,
        ];
        let measured = measure(&records.join("\n")).unwrap();
        let figures = measured.json();
        let values: Vec<_> = figures["figures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|figure| {
                (
                    figure["name"].as_str().unwrap(),
                    figure["value"].as_f64().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            values,
            [
                ("failures", 3.0),
                ("class", 33.3),
                ("class or one that the words mean too", 66.7),
                ("action", 66.7),
            ]
        );
        let table = measured.table();
        assert!(table.contains("c ") && !table.contains("a  "), "{table}");
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        let error = measure("\n{}").unwrap_err();
        assert_eq!(error.to_string(), "line 2");
    }
}
