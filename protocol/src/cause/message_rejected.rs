//! This message is refused; the inbox is fine.

use super::concept::{ENCRYPTION, JUDGED, SIZE};
use super::{Claim, Definition};
use crate::card::{Acts, Card, Persistence, Remedy, Scope};
use crate::evidence::Stage;

pub(super) static CAUSE: Definition = Definition {
    card: Card {
        scope: Scope::Message,
        persistence: Persistence::Permanent,
        acts: Acts::Nobody,
        title: "A message was refused",
        explanation: "The server refused this message. It was set aside; the campaign goes on.",
        remedy: Remedy::Nothing,
    },
    claim: |evidence| {
        let reply = evidence.smtp()?;
        // The recipient's servers, not ours, lack what the sender's rules demand.
        let demanded = evidence.relates(
            ENCRYPTION,
            &["rcpt domain", "recipient domain", "recipients domain"],
        );
        if evidence.stage == Stage::Rcpt && demanded {
            return Some(Claim::Coded);
        }
        // RFC 3463 §3.6: x.5.3 too many recipients, of a message that says so.
        if evidence.has_enhanced(&[(5, 3)])
            && evidence.relates(&["message"], &["too many recipients"])
        {
            return Some(Claim::Coded);
        }
        if !reply.is_permanent() {
            return None;
        }
        let late = matches!(evidence.stage, Stage::Rcpt | Stage::Data | Stage::Body);
        match (evidence.enhanced(), evidence.stage) {
            // RFC 3463 §3.4: 5.3.4 is a message too big for the system.
            (Some((3, 4)), _) => Some(Claim::Coded),
            // RFC 7372 §3: the proofs that a message gives of its sender.
            (Some((7, 20..=27)), _) if late => Some(Claim::Coded),
            // RFC 3463 §3.7: what the message is made of.
            (Some((6, _)), _) if late => Some(Claim::Hinted),
            // "Email non-delivery reports and SMTP errors in Exchange Online": senders, domains and addresses of
            // origin that the recipient's side does not take.
            (Some((7, 504..=699)), _) if late => Some(Claim::Named),
            // RFC 1870 §6.1: 552 to MAIL FROM is the size.
            (_, Stage::Mail) if reply.code == 552 || evidence.says(SIZE) => Some(Claim::Worded),
            (_, Stage::Data | Stage::Body) if evidence.is_coded_for_sign_in() => None,
            (_, Stage::Data | Stage::Body) => Some(Claim::Usual),
            // Servers that know the recipient judge the sender at this stage already.
            (_, Stage::Rcpt) if evidence.says(JUDGED) => Some(Claim::Worded),
            _ => None,
        }
    },
};

#[cfg(test)]
pub(super) fn examples() -> Vec<crate::evidence::Evidence> {
    use super::said::example::*;

    vec![
        smtp(Stage::Body, 554, "5.6.0 Message looks malformed"),
        smtp(Stage::Mail, 552, "5.3.4 Message size exceeds fixed limit"),
        smtp(Stage::Data, 554, "no valid recipients"),
        smtp(Stage::Mail, 552, "Message size limit exceeded"),
        smtp(Stage::Body, 552, "Message size limit exceeded"),
        smtp(Stage::Rcpt, 550, "5.7.1 Fails DMARC"),
        smtp(Stage::Rcpt, 554, "5.7.1 Listed at an RBL"),
        smtp(Stage::Rcpt, 421, "4.7.0 No TLS for this recipient's domain"),
    ]
}
