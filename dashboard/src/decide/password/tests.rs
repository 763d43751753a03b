//! A password on the dashboard: from the form to the receipt, refused, and without a relay.

use protocol::card::Facts;
use protocol::cause::Cause;
use protocol::id::{ReceiptId, ReconnectId};
use protocol::problem::{Code, Problem};
use protocol::request::reconnect::ReconnectState;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::card::{Act, Stopped};

use super::*;
use crate::event::Event;
use crate::example;
use crate::model::Access;

fn jane() -> InboxId {
    InboxId::new("inb_1")
}

fn given() -> Given {
    Given {
        user: "jane@acme.example".to_owned(),
        password: Secret::new("hunter2"),
    }
}

fn reconnect(state: ReconnectState) -> Reconnect {
    let card = Cause::SignInRefused.card().render(&Facts {
        inbox: "jane@acme.example",
        provider: "your mail server",
    });
    Reconnect {
        id: ReconnectId::new("rec_1"),
        inbox: jane(),
        state,
        stage: None,
        expires_at: Timestamp::from_ms(600_000),
        signed_in_as: None,
        question: None,
        cause: None,
        card: (state == ReconnectState::Refused).then_some(card),
        evidence: None,
        receipt: (state == ReconnectState::Resumed).then(|| ReceiptId::new("rcp_1")),
    }
}

/// Signed in, and Jane's password was just given.
fn handing_over() -> Model {
    let mut model = Model {
        access: Access::In(Secret::new("t0ken")),
        status: Some(example::status()),
        ..Model::default()
    };
    let effects = model.decide(Event::Acted(jane(), Act::GivePassword(given())));
    assert_eq!(effects, [Effect::HandOver(jane(), given())]);
    model
}

fn progress(model: &Model) -> Option<&Progress> {
    model.reconnects.get(&jane()).map(|found| &found.progress)
}

fn answered(answer: Result<Reconnect, CallError>) -> Event {
    Event::HandedOver(jane(), Box::new(answer))
}

#[test]
fn a_password_is_handed_over_once_and_followed_to_its_receipt() {
    let mut model = handing_over();
    assert_eq!(progress(&model), Some(&Progress::HandingOver));
    assert!(!format!("{model:?}").contains("hunter2"));
    let twice = model.decide(Event::Acted(jane(), Act::GivePassword(given())));
    assert!(twice.is_empty(), "one at a time");
    let effects = model.decide(answered(Ok(reconnect(ReconnectState::Granted))));
    let proving = Progress::Proving {
        stage: None,
        signed_in_as: None,
    };
    assert_eq!(progress(&model), Some(&proving));
    let kept = Effect::KeepReconnects(vec![(jane(), ReconnectId::new("rec_1"))]);
    assert!(effects.contains(&kept), "{effects:?}");
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::TickAfter(_))),
        "it is asked about: {effects:?}"
    );
    let resumed = Event::Followed(jane(), Box::new(Ok(reconnect(ReconnectState::Resumed))));
    let effects = model.decide(resumed);
    assert!(effects.contains(&Effect::Prove(jane(), ReceiptId::new("rcp_1"))));
}

#[test]
fn a_refused_password_and_a_relay_that_is_gone_leave_the_way_open() {
    let mut model = handing_over();
    model.decide(answered(Ok(reconnect(ReconnectState::Refused))));
    assert!(matches!(progress(&model), Some(Progress::Refused { .. })));
    let named = Given {
        user: "jane.doe".to_owned(),
        ..given()
    };
    let again = model.decide(Event::Acted(jane(), Act::GivePassword(named.clone())));
    assert_eq!(again, [Effect::HandOver(jane(), named)]);
    assert_eq!(
        model.typed.users[&jane()],
        "jane.doe",
        "it is not typed again"
    );
    model.decide(answered(Err(CallError::Unreachable {
        url: "this address".to_owned(),
    })));
    assert!(matches!(
        progress(&model),
        Some(Progress::Stopped(Stopped::RelayUnreachable { .. }))
    ));
}

#[test]
fn a_session_that_has_ended_is_left() {
    let mut model = handing_over();
    let ended = Problem::new(Code::Unauthenticated, "it is so");
    model.decide(answered(Err(CallError::Refused(ended))));
    assert_eq!(model.access, Access::Out(Out::Ended));
}
