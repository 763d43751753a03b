//! What is told of a reconnect while it goes on: each stage once, when it is reached. Asking for it and
//! printing it are the caller's.

use protocol::receipt::Receipt;
use protocol::reconnect::Stage;
use protocol::request::reconnect::{Reconnect, ReconnectState};

/// How the person signs in, as far as this terminal knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// On the provider's page.
    Page,
    /// With a password, or elsewhere: nothing is renewed that this terminal could tell of.
    Other,
}

/// How far the telling has come.
#[derive(Debug)]
pub(super) struct Progress {
    lines: Vec<(Reached, &'static str)>,
}

/// When a line is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    /// This stage is on record.
    Stage(Stage),
    /// Everything is.
    Resumed,
}

impl Progress {
    /// Nothing is told yet.
    pub(super) fn new(method: Method) -> Self {
        let mut lines = Vec::new();
        if method == Method::Page {
            lines.push((Reached::Stage(Stage::Identified), "✓ Signed in"));
            lines.push((
                Reached::Stage(Stage::Refreshed),
                "✓ Permission renewed and tested",
            ));
        }
        lines.push((
            Reached::Stage(Stage::SignedIn),
            "✓ Sending and reading work",
        ));
        lines.push((Reached::Resumed, "✓ Read what arrived meanwhile"));
        Self { lines }
    }

    /// The lines that have become true since the last time, first to last.
    pub(super) fn advance(&mut self, reconnect: &Reconnect) -> Vec<String> {
        let n_true = self
            .lines
            .iter()
            .take_while(|(reached, _)| reached.is_true_of(reconnect))
            .count();
        let told = self.lines.drain(..n_true);
        told.map(|(reached, line)| match &reconnect.signed_in_as {
            Some(name) if reached == Reached::Stage(Stage::Identified) => {
                format!("{line} as {name}")
            }
            _ => line.to_owned(),
        })
        .collect()
    }
}

impl Reached {
    fn is_true_of(self, reconnect: &Reconnect) -> bool {
        if reconnect.state == ReconnectState::Resumed {
            return true;
        }
        match self {
            Self::Stage(stage) => reconnect.stage.is_some_and(|reached| reached >= stage),
            Self::Resumed => false,
        }
    }
}

/// A receipt in a few words.
pub(super) fn summarise(receipt: &Receipt, address: &str) -> String {
    let held = match receipt.held {
        0 => "No message was waiting.".to_owned(),
        held => format!(
            "{held} held → {} will be sent, {} answered, bounced or were stopped meanwhile, {} in doubt.",
            receipt.to_send, receipt.skipped, receipt.in_doubt
        ),
    };
    format!(
        "✓ {address} works. {held}\nThe receipt: unpause reconnect receipt {}",
        receipt.id
    )
}

#[cfg(test)]
mod tests {
    use protocol::id::{InboxId, ReconnectId};
    use protocol::timestamp::Timestamp;

    use super::*;

    fn seen(state: ReconnectState, reached: Option<Stage>) -> Reconnect {
        Reconnect {
            id: ReconnectId::new("rec_1"),
            inbox: InboxId::new("inb_1"),
            state,
            stage: reached,
            expires_at: Timestamp::from_ms(0),
            signed_in_as: None,
            question: None,
            cause: None,
            card: None,
            evidence: None,
            receipt: None,
        }
    }

    #[test]
    fn each_stage_is_told_once_also_when_one_is_passed_unseen() {
        let mut progress = Progress::new(Method::Page);
        let verifying = |reached| Reconnect {
            signed_in_as: Some("john@acme.example".to_owned()),
            ..seen(ReconnectState::Verifying, Some(reached))
        };
        assert_eq!(
            progress.advance(&seen(ReconnectState::Granted, None)),
            [""; 0]
        );
        assert_eq!(progress.advance(&verifying(Stage::Exchanged)), [""; 0]);
        assert_eq!(
            progress.advance(&verifying(Stage::Refreshing)),
            ["✓ Signed in as john@acme.example"]
        );
        assert_eq!(progress.advance(&verifying(Stage::Refreshing)), [""; 0]);
        assert_eq!(
            progress.advance(&verifying(Stage::Adopted)),
            [
                "✓ Permission renewed and tested",
                "✓ Sending and reading work"
            ]
        );
        assert_eq!(
            progress.advance(&seen(ReconnectState::Resumed, None)),
            ["✓ Read what arrived meanwhile"]
        );
    }

    #[test]
    fn a_password_renews_no_permission_and_a_refusal_tells_nothing() {
        let mut progress = Progress::new(Method::Other);
        assert_eq!(
            progress.advance(&seen(ReconnectState::Refused, None)),
            [""; 0]
        );
        assert_eq!(
            progress.advance(&seen(ReconnectState::Resumed, None)),
            [
                "✓ Sending and reading work",
                "✓ Read what arrived meanwhile"
            ]
        );
    }
}
