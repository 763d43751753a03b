//! A reconnect whose credentials open one of the two servers: the pair decides what the refusal of the other one means.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::reconnect::State;
use sandbox::{Gate, Trouble};

use crate::app::person::ALL;
use crate::app::{Client, Ground, JANE};

const SMTP_NO: &[u8] = b"535 5.7.8 Error: authentication failed";
const IMAP_NO: &[u8] = b"NO [AUTHENTICATIONFAILED] Authentication failed.";

#[tokio::test]
async fn credentials_that_open_one_door_are_not_called_wrong_at_a_reconnect() {
    for (troubles, expected) in [
        (vec![(Gate::SmtpAuth, SMTP_NO)], Cause::SmtpOff),
        (vec![(Gate::ImapAuth, IMAP_NO)], Cause::ImapOff),
        (
            vec![(Gate::SmtpAuth, SMTP_NO), (Gate::ImapAuth, IMAP_NO)],
            Cause::SignInRefused,
        ),
    ] {
        let ground = Ground::new(Client::Public).await;
        let control = ground.sandbox.control();
        let relay = ground.start().await;
        let inbox = relay.add_inbox(Duration::ZERO).await;
        let grant = ground.sign_in(JANE, ALL).await;
        for (gate, words) in troubles {
            let _ = control.trouble(gate, Some(JANE), Trouble::Say(words.to_vec()));
        }
        let reconnect = relay.grant(&inbox, &grant).await;
        match relay.outcome(&reconnect).await {
            State::Refused {
                cause, evidence, ..
            } => {
                assert_eq!(cause, expected, "{evidence:?}");
                let words = evidence.server_words().unwrap();
                assert!(
                    words.to_lowercase().contains("authentication failed"),
                    "{words}"
                );
            }
            state => panic!("{expected:?}: {state:?}"),
        }
        // The same credentials, and nothing in their way.
        let grant = ground.sign_in(JANE, ALL).await;
        let again = relay.grant(&inbox, &grant).await;
        let outcome = relay.outcome(&again).await;
        assert!(matches!(outcome, State::Resumed { .. }), "{outcome:?}");
        relay.stop().await;
    }
}
