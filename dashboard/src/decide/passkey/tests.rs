//! Events against effects: what waits for a proof goes on as it was asked, and passkeys sign in or say why not.

use protocol::account::{AccountName, Role};
use protocol::id::{PasskeyId, SessionId};
use protocol::problem::{Code, Problem};
use protocol::request::passkey::Passkey;
use protocol::request::session::Session;
use protocol::secret::Secret;
use web::call::CallError;

use crate::event::{Deed, Effect, Event, Wanted};
use crate::example;
use crate::model::{Access, Model, Out, Place};
use crate::passkey::Untaken;
use crate::route::Route;

fn signed_in() -> Model {
    Model {
        access: Access::In(Secret::new("t0ken")),
        route: Route::Settings,
        ..Model::default()
    }
}

fn refused(code: Code) -> CallError {
    CallError::Refused(Problem::new(code, "it is so"))
}

fn passkey() -> Passkey {
    Passkey {
        id: PasskeyId::new("psk_1"),
        name: "laptop".to_owned(),
        made_at: example::now(),
        used_at: None,
    }
}

#[test]
fn what_wants_a_proof_waits_for_it_and_goes_on_as_it_was_asked() {
    let name: AccountName = "cleo".parse().unwrap();
    let end = Deed::EndSession(SessionId::new("ses_1"));
    let wanted = || refused(Code::ProofNeeded);
    for (asked, effect, answer) in [
        (
            Event::Asked(end.clone()),
            Effect::Do(end.clone()),
            Event::Did(end, Err(wanted())),
        ),
        (
            Event::InviteAsked(name.clone(), Role::Member),
            Effect::Invite(name, Role::Member),
            Event::InvitationMade(Box::new(Err(wanted()))),
        ),
        (
            Event::PairingAsked,
            Effect::Pair,
            Event::Paired(Err(wanted())),
        ),
        (
            Event::PasskeyAdding("laptop".to_owned()),
            Effect::MakePasskey("laptop".to_owned()),
            Event::PasskeyMade(Err(Untaken::ByRelay(wanted()))),
        ),
    ] {
        let mut model = signed_in();
        assert_eq!(model.decide(asked.clone()), std::slice::from_ref(&effect));
        assert_eq!(model.decide(answer.clone()), []);
        assert_eq!((&model.doing, &model.notice), (&None, &None));
        assert_eq!(model.proving.as_ref().unwrap().then, effect);
        assert!(!model.page.is_making_passkey);
        // A wrong password is told there, and what waits goes on to wait.
        let typed = Event::ProofTyped(Secret::new("typed"));
        let prove = Effect::ProveByPassword(Secret::new("typed"));
        assert_eq!(model.decide(typed.clone()), std::slice::from_ref(&prove));
        assert_eq!(model.decide(typed.clone()), [], "once");
        let wrong = Event::Proven(Err(Untaken::ByRelay(refused(Code::Invalid))));
        assert_eq!(model.decide(wrong), []);
        let problem = model.proving.as_ref().unwrap().problem.clone();
        assert_eq!(problem.as_deref(), Some("It is so."));
        assert_eq!(
            model.decide(Event::ProofByPasskeyAsked),
            [Effect::ProveByPasskey]
        );
        assert_eq!(model.decide(Event::Proven(Err(Untaken::ByPerson))), []);
        assert_eq!(model.decide(typed), [prove]);
        assert_eq!(model.decide(Event::Proven(Ok(()))), [effect]);
        assert_eq!(model.proving, None);

        let mut model = signed_in();
        model.decide(asked);
        model.decide(answer);
        model.decide(Event::ProofDropped);
        assert_eq!(model.proving, None);
        assert_eq!(model.decide(Event::Proven(Ok(()))), [], "too late");
    }
}

#[test]
fn a_session_that_ends_meanwhile_proves_nothing() {
    let mut model = signed_in();
    model.decide(Event::PairingAsked);
    model.decide(Event::Paired(Err(refused(Code::ProofNeeded))));
    let over = Untaken::ByRelay(refused(Code::Unauthenticated));
    model.decide(Event::Proven(Err(over)));
    assert_eq!(model.access, Access::Out(Out::Ended));
    assert_eq!(model.proving, None);
}

#[test]
fn a_passkey_signs_in_or_the_page_says_why_not() {
    let unused = |words: Option<&str>| Out::NoPasskey {
        words: words.map(str::to_owned),
    };
    let mut model = Model {
        place: Place::Here,
        ..Model::default()
    };
    for (untaken, expected) in [
        (Untaken::ByPerson, unused(None)),
        (
            Untaken::ByRelay(refused(Code::Unauthenticated)),
            Out::WrongPasskey,
        ),
        (
            Untaken::ByRelay(refused(Code::Forbidden)),
            unused(Some("It is so.")),
        ),
        (
            Untaken::by_name("SecurityError", "no".to_owned()),
            unused(Some("The browser gave no passkey: no")),
        ),
    ] {
        assert_eq!(model.decide(Event::PasskeyAsked), [Effect::SignInByPasskey]);
        assert_eq!(model.decide(Event::PasskeyEntered(Err(untaken))), []);
        assert_eq!(model.access, Access::Out(expected));
    }
    model.decide(Event::PasskeyAsked);
    let session = Session {
        token: Secret::new("t0ken"),
        expires_at: example::now(),
    };
    model.decide(Event::PasskeyEntered(Ok(session)));
    assert_eq!(model.access, Access::In(Secret::new("t0ken")));
}

#[test]
fn a_passkey_that_was_made_is_listed_and_one_that_was_not_says_why() {
    let mut model = signed_in();
    let adding = Event::PasskeyAdding("laptop".to_owned());
    let make = Effect::MakePasskey("laptop".to_owned());
    assert_eq!(model.decide(adding.clone()), std::slice::from_ref(&make));
    assert_eq!(model.decide(adding.clone()), [], "once");
    model.decide(Event::PasskeyMade(Err(Untaken::Known)));
    assert!(model.notice.as_ref().unwrap().contains("already"));
    assert_eq!(model.decide(adding), [make]);
    let effects = model.decide(Event::PasskeyMade(Ok(passkey())));
    assert!(
        effects.contains(&Effect::Load(Wanted::Passkeys)),
        "{effects:?}"
    );
    assert_eq!(model.page.passkey_made.as_deref(), Some("laptop"));
    assert_eq!(model.notice, None);
}
