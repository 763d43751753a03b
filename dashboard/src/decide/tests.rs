//! Events against effects: signing in, looking, loading, and a reconnect from the click to the receipt.

use protocol::account::{AccountName, Role};
use protocol::id::{CampaignId, DeviceId, InboxId, ReceiptId, ReconnectId, SessionId};
use protocol::problem::{Code, Problem};
use protocol::reconnect::{GivenSignIn, Question, Replaces, Stage};
use protocol::request::inbox::ConnectionState;
use protocol::request::reconnect::{Reconnect, ReconnectState};
use protocol::request::session::Session;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::call::{CallError, Tagged};
use web::card::{Act, Progress, Stopped};

use crate::event::{Begun, CallingOff, Deed, Effect, Event, Loaded, Opening, Wanted};
use crate::example;
use crate::model::{Access, Model, Out, Place, Reconnecting, Slot, Typed};
use crate::route::{Invited, Route};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn opened(route: Route, code: Option<&str>, session: Option<&str>) -> (Model, Vec<Effect>) {
    let mut model = Model::default();
    let opening = Opening {
        route,
        code: code.map(Secret::new),
        invited: None,
        session: session.map(Secret::new),
        reconnects: Vec::new(),
        is_visible: true,
        is_encrypted: true,
        place: Place::Here,
        at: at(0),
    };
    let effects = model.decide(Event::Opened(Box::new(opening)));
    (model, effects)
}

/// Signed in, on this page, and the relay has answered.
fn signed_in(route: Route) -> Model {
    let (mut model, _) = opened(route, None, Some("t0ken"));
    model.decide(looked(example::status()));
    model
}

fn looked(status: protocol::request::status::Status) -> Event {
    Event::Looked(Ok(Some(Tagged {
        answer: status,
        tag: Some("\"1\"".to_owned()),
    })))
}

fn refused(code: Code) -> CallError {
    CallError::Refused(Problem::new(code, "it is so"))
}

fn unreachable() -> CallError {
    CallError::Unreachable {
        url: "this address".to_owned(),
    }
}

fn reconnect(state: ReconnectState) -> Reconnect {
    Reconnect {
        id: ReconnectId::new("rec_1"),
        inbox: InboxId::new("inb_1"),
        state,
        stage: None,
        expires_at: at(600_000),
        signed_in_as: None,
        question: None,
        cause: None,
        card: None,
        evidence: None,
        receipt: None,
    }
}

fn jane() -> InboxId {
    InboxId::new("inb_1")
}

fn progress(model: &Model) -> Option<&Progress> {
    model
        .reconnects
        .get(&jane())
        .map(|reconnecting| &reconnecting.progress)
}

fn followed(reconnect: Reconnect) -> Event {
    Event::Followed(jane(), Box::new(Ok(reconnect)))
}

#[test]
fn a_one_time_link_leaves_the_address_and_is_exchanged_when_a_person_says_so() {
    let (mut model, effects) = opened(Route::Login, Some("c0de"), None);
    assert_eq!(effects, [Effect::Become(Route::Login)]);
    assert_eq!(model.pace(), None);
    assert_eq!(
        model.decide(Event::EnterPressed),
        [Effect::Enter(Secret::new("c0de"))]
    );
    assert_eq!(model.decide(Event::EnterPressed), [], "once");
    let session = Session {
        token: Secret::new("t0ken"),
        expires_at: at(1),
    };
    assert_eq!(
        model.decide(Event::Entered(Ok(session))),
        [
            Effect::KeepSession(Secret::new("t0ken")),
            Effect::Become(Route::Campaigns),
            Effect::Load(Wanted::Account),
            Effect::Look
        ]
    );
    assert_eq!(model.token(), Some(&Secret::new("t0ken")));
}

#[test]
fn a_used_link_says_so_unless_somebody_is_signed_in() {
    let (mut model, _) = opened(Route::Login, Some("c0de"), None);
    model.decide(Event::EnterPressed);
    assert_eq!(
        model.decide(Event::Entered(Err(refused(Code::Invalid)))),
        []
    );
    assert_eq!(model.access, Access::Out(Out::UsedCode));

    let (mut model, _) = opened(Route::Login, Some("c0de"), Some("t0ken"));
    model.decide(Event::EnterPressed);
    model.decide(Event::Entered(Err(refused(Code::Invalid))));
    assert_eq!(model.token(), Some(&Secret::new("t0ken")));
    assert_eq!(model.route, Route::Campaigns);

    let (mut model, _) = opened(Route::Login, Some("c0de"), None);
    model.decide(Event::EnterPressed);
    model.decide(Event::Entered(Err(unreachable())));
    let words = "No relay answers at this address.".to_owned();
    assert_eq!(model.access, Access::Out(Out::NoAnswer { words }));
}

#[test]
fn signing_out_ends_the_session_at_the_relay_and_says_where_it_could_not() {
    let mut model = signed_in(Route::Settings);
    let effects = model.decide(Event::Left);
    assert!(effects.contains(&Effect::ForgetSession), "{effects:?}");
    let ended = Effect::SignOut(Secret::new("t0ken"));
    assert!(effects.contains(&ended), "{effects:?}");
    assert_eq!(model.token(), None);
    for (answer, out) in [
        (Ok(()), Out::Left),
        (Err(refused(Code::Unauthenticated)), Out::Left),
        (Err(unreachable()), Out::LeftUntold),
    ] {
        let mut model = model.clone();
        assert_eq!(model.decide(Event::SignedOut(answer)), []);
        assert_eq!(model.access, Access::Out(out));
    }

    // Whoever signs in anew has ended the session before.
    let (mut model, _) = opened(Route::Login, Some("c0de"), Some("old"));
    model.decide(Event::EnterPressed);
    let session = Session {
        token: Secret::new("t0ken"),
        expires_at: at(1),
    };
    let effects = model.decide(Event::Entered(Ok(session)));
    let ended = Effect::SignOut(Secret::new("old"));
    assert!(effects.contains(&ended), "{effects:?}");
    model.decide(Event::SignedOut(Err(unreachable())));
    assert_eq!(model.token(), Some(&Secret::new("t0ken")));
}

#[test]
fn sessions_are_listed_and_ended_in_the_settings() {
    let mut model = signed_in(Route::Settings);
    model.decide(Event::Loaded(Loaded::Sessions(Ok(example::sessions()))));
    assert_eq!(model.page.sessions, Slot::Here(example::sessions()));
    let end = Deed::EndSession(SessionId::new("ses_2"));
    assert_eq!(
        model.decide(Event::Asked(end.clone())),
        [Effect::Do(end.clone())]
    );
    let effects = model.decide(Event::Did(end, Ok(())));
    assert!(
        effects.contains(&Effect::Load(Wanted::Sessions)),
        "{effects:?}"
    );
    model.decide(Event::Asked(Deed::EndSessions));
    model.decide(Event::Did(Deed::EndSessions, Ok(())));
    // This one was among them.
    model.decide(Event::Looked(Err(refused(Code::Unauthenticated))));
    assert_eq!(model.access, Access::Out(Out::Ended));
}

#[test]
fn nobody_signed_in_asks_the_relay_nothing() {
    let (mut model, effects) = opened(Route::Campaigns, None, None);
    assert_eq!(effects, []);
    assert_eq!(model.decide(Event::Tick(at(5_000))), []);
    assert_eq!(model.pace(), None);
}

#[test]
fn a_session_that_ended_is_forgotten_with_all_that_was_shown() {
    let mut model = signed_in(Route::Settings);
    let effects = model.decide(Event::Looked(Err(refused(Code::Unauthenticated))));
    assert!(effects.contains(&Effect::ForgetSession), "{effects:?}");
    assert_eq!(model.access, Access::Out(Out::Ended));
    assert_eq!(model.status, None);
}

#[test]
fn it_looks_often_where_somebody_watches_and_never_where_nobody_does() {
    let mut model = signed_in(Route::Inboxes);
    assert_eq!(model.pace(), Some(2_000));
    model.decide(Event::Acted(jane(), Act::Reconnect));
    assert_eq!(model.pace(), Some(500));

    let mut model = signed_in(Route::Campaign(CampaignId::new("cmp_1")));
    assert_eq!(model.pace(), Some(500));
    let hidden = Event::Shown {
        is_visible: false,
        at: at(0),
    };
    assert_eq!(model.decide(hidden), [Effect::Rest]);
    assert_eq!(model.decide(Event::Looked(Ok(None))), []);
    let shown = Event::Shown {
        is_visible: true,
        at: at(0),
    };
    assert_eq!(model.decide(shown), [Effect::Look]);
}

#[test]
fn one_question_is_asked_at_a_time() {
    let mut model = signed_in(Route::Inboxes);
    assert_eq!(model.decide(Event::Tick(at(1))), [Effect::Look]);
    assert_eq!(model.decide(Event::Tick(at(2))), []);
    assert_eq!(
        model.decide(Event::Looked(Err(unreachable()))),
        [Effect::TickAfter(2_000)]
    );
    assert_eq!(
        model.trouble.as_deref(),
        Some("No relay answers at this address.")
    );
    assert!(model.status.is_some(), "what was shown stays");
    model.decide(Event::Tick(at(3)));
    model.decide(Event::Looked(Ok(None)));
    assert_eq!(model.trouble, None);
}

#[test]
fn deliveries_are_read_again_when_their_counts_change() {
    let id = CampaignId::new("cmp_1");
    let mut model = signed_in(Route::Campaign(id.clone()));
    let mut status = example::status();
    assert_eq!(
        model.decide(looked(status.clone())),
        [Effect::TickAfter(500)]
    );
    status.campaigns[0].counts.accepted += 1;
    assert_eq!(
        model.decide(looked(status.clone())),
        [
            Effect::Load(Wanted::Deliveries(id.clone(), 1)),
            Effect::Load(Wanted::Unsettled(id.clone())),
            Effect::Load(Wanted::Steps(id.clone())),
            Effect::TickAfter(500)
        ]
    );
    // The steps are read once.
    let steps = Ok(example::steps());
    model.decide(Event::Loaded(Loaded::Steps(id.clone(), steps)));
    assert_eq!(model.page.steps, Slot::Here(example::steps()));
    model.decide(Event::Tick(at(1)));
    status.campaigns[0].counts.accepted += 1;
    assert_eq!(
        model.decide(looked(status)),
        [
            Effect::Load(Wanted::Deliveries(id.clone(), 1)),
            Effect::Load(Wanted::Unsettled(id)),
            Effect::TickAfter(500)
        ]
    );
}

#[test]
fn what_came_for_a_page_that_was_left_is_not_shown() {
    let mut model = signed_in(Route::Campaign(CampaignId::new("cmp_1")));
    let other = Loaded::Deliveries(CampaignId::new("cmp_2"), Ok(example::deliveries()));
    model.decide(Event::Loaded(other));
    assert_eq!(model.page.deliveries, Slot::Awaited);
    let own = |answer| Event::Loaded(Loaded::Deliveries(CampaignId::new("cmp_1"), answer));
    model.decide(own(Err(unreachable())));
    assert!(matches!(model.page.deliveries, Slot::Failed(_)));
    model.decide(own(Ok(example::deliveries())));
    model.decide(own(Err(unreachable())));
    assert!(
        matches!(model.page.deliveries, Slot::Here(_)),
        "what is here stays"
    );
}

#[test]
fn one_thing_is_done_at_a_time_and_a_no_is_told() {
    let mut model = signed_in(Route::Campaigns);
    let pause = Deed::Pause(CampaignId::new("cmp_1"));
    assert_eq!(
        model.decide(Event::Asked(pause.clone())),
        [Effect::Do(pause.clone())]
    );
    let revoke = Deed::Revoke(DeviceId::new("dev_1"));
    assert_eq!(model.decide(Event::Asked(revoke)), []);
    model.decide(Event::Did(pause, Err(refused(Code::Conflict))));
    assert_eq!(model.notice.as_deref(), Some("It is so."));
    assert_eq!(model.doing, None);
}

#[test]
fn a_browser_that_was_paired_takes_the_place_of_the_link() {
    let mut model = signed_in(Route::Settings);
    let devices = |devices| Event::Loaded(Loaded::Devices(Ok(devices)));
    model.decide(devices(Vec::new()));
    model.decide(Event::Paired(Ok(example::pairing())));
    assert_eq!(
        model.decide(Event::Looked(Ok(None))),
        [Effect::Load(Wanted::Devices), Effect::TickAfter(2_000)]
    );
    model.decide(devices(Vec::new()));
    assert!(model.page.pairing.is_some(), "nobody has used it yet");
    model.decide(devices(example::devices()));
    assert_eq!(model.page.pairing, None);
    assert_eq!(model.page.paired.as_deref(), Some("Firefox on the laptop"));
}

#[test]
fn a_reconnect_goes_from_the_click_to_the_receipt() {
    let mut model = signed_in(Route::Campaign(CampaignId::new("cmp_1")));
    assert_eq!(
        model.decide(Event::Acted(jane(), Act::Reconnect)),
        [Effect::OpenTab(jane()), Effect::Begin(jane())],
        "the tab is opened while the click counts"
    );
    assert_eq!(
        model.decide(Event::Acted(jane(), Act::Reconnect)),
        [],
        "one reconnect of an inbox"
    );

    let url = Secret::new("https://relay.example/oauth/start?ticket=t");
    let begun = Begun {
        reconnect: reconnect(ReconnectState::Started),
        url: Some(url.clone()),
    };
    let kept = vec![(jane(), ReconnectId::new("rec_1"))];
    assert_eq!(
        model.decide(Event::Begun(jane(), Box::new(Ok(begun)))),
        [
            Effect::ShowInTab(jane(), url),
            Effect::KeepReconnects(kept),
            Effect::TickAfter(500)
        ]
    );
    assert_eq!(
        progress(&model),
        Some(&Progress::AtProvider { in_tab: true })
    );

    let follow = Effect::Follow(jane(), ReconnectId::new("rec_1"));
    assert_eq!(
        model.decide(Event::Tick(at(1))),
        [Effect::Look, follow.clone()]
    );
    assert_eq!(
        model.decide(followed(reconnect(ReconnectState::Granted))),
        []
    );
    assert_eq!(progress(&model), Some(&proving(None)));
    let verifying = Reconnect {
        stage: Some(Stage::Refreshed),
        ..reconnect(ReconnectState::Verifying)
    };
    model.decide(followed(verifying));
    assert_eq!(progress(&model), Some(&proving(Some(Stage::Refreshed))));

    model.decide(Event::Looked(Ok(None)));
    let resumed = Reconnect {
        receipt: Some(ReceiptId::new("rcp_1")),
        ..reconnect(ReconnectState::Resumed)
    };
    assert_eq!(
        model.decide(followed(resumed)),
        [
            Effect::KeepReconnects(Vec::new()),
            Effect::Prove(jane(), ReceiptId::new("rcp_1")),
            Effect::Look
        ]
    );
    let receipt = example::receipt();
    model.decide(Event::Proved(jane(), Box::new(Ok(receipt.clone()))));
    let proved = Progress::Resumed {
        receipt: Some(Box::new(receipt)),
    };
    assert_eq!(progress(&model), Some(&proved));

    model.decide(Event::Acted(jane(), Act::Close));
    assert_eq!(progress(&model), None);
}

#[test]
fn a_reconnect_is_called_off_at_the_relay() {
    let mut model = signed_in(Route::Inboxes);
    model.decide(Event::Acted(jane(), Act::Reconnect));
    assert_eq!(
        model.decide(Event::Acted(jane(), Act::Cancel)),
        [Effect::CloseTab(jane())]
    );
    assert_eq!(
        progress(&model),
        Some(&Progress::Stopped(Stopped::Cancelled))
    );
    let begun = Begun {
        reconnect: reconnect(ReconnectState::Started),
        url: Some(Secret::new("https://relay.example")),
    };
    let call_off = |why| {
        [
            Effect::CloseTab(jane()),
            Effect::CallOff(jane(), ReconnectId::new("rec_1"), why),
        ]
    };
    assert_eq!(
        model.decide(Event::Begun(jane(), Box::new(Ok(begun.clone())))),
        call_off(CallingOff::Cancelled),
        "it had no name when it was called off"
    );

    let mut model = signed_in(Route::Inboxes);
    model.decide(Event::Acted(jane(), Act::Reconnect));
    model.decide(Event::Begun(jane(), Box::new(Ok(begun))));
    // The provider's page may have been an error: the relay finds out.
    assert_eq!(
        model.decide(Event::Acted(jane(), Act::Cancel)),
        call_off(CallingOff::Closed)
    );
}

fn proving(stage: Option<Stage>) -> Progress {
    Progress::Proving {
        stage,
        signed_in_as: None,
    }
}

/// Row: not signed in here, on the dashboard | Make a link, and open it in another browser | resumed | the person | Open this link in the browser where you are signed in at …. It works once, for a few minutes.
#[test]
fn a_link_for_another_browser_is_shown_and_its_sign_in_followed() {
    let mut model = signed_in(Route::Inboxes);
    let effects = model.decide(Event::Acted(jane(), Act::MakeLink));
    assert_eq!(effects, [Effect::MakeLink(jane())]);
    let link = Secret::new("https://relay.example/oauth/start?ticket=t");
    let begun = Begun {
        reconnect: reconnect(ReconnectState::Started),
        url: Some(link.clone()),
    };
    model.decide(Event::LinkMade(jane(), Box::new(Ok(begun))));
    let shown = Progress::Elsewhere {
        link: Some(link.clone()),
    };
    assert_eq!(progress(&model), Some(&shown));
    let started = reconnect(ReconnectState::Started);
    model.decide(Event::Followed(jane(), Box::new(Ok(started))));
    assert_eq!(progress(&model), Some(&shown), "it still waits");
    let copy = model.decide(Event::Acted(jane(), Act::CopyLink(link.clone())));
    assert_eq!(copy, [Effect::Copy(link)]);
    let granted = reconnect(ReconnectState::Granted);
    model.decide(Event::Followed(jane(), Box::new(Ok(granted))));
    assert_eq!(progress(&model), Some(&proving(None)));
}

#[test]
fn another_account_that_works_is_confirmed_or_denied() {
    let question = || Question {
        inbox: "jane@acme.example".parse().unwrap(),
        given: GivenSignIn::Password {
            user: "john@acme.example".to_owned(),
        },
        replaces: Some(Replaces::Account {
            provider: "Google".to_owned(),
        }),
    };
    let asked = || {
        let mut model = signed_in(Route::Inboxes);
        model.decide(Event::Acted(jane(), Act::Reconnect));
        let begun = Begun {
            reconnect: reconnect(ReconnectState::Started),
            url: Some(Secret::new("https://relay.example")),
        };
        model.decide(Event::Begun(jane(), Box::new(Ok(begun))));
        let john = Reconnect {
            signed_in_as: Some("john@acme.example".to_owned()),
            question: Some(question()),
            ..reconnect(ReconnectState::Unconfirmed)
        };
        model.decide(Event::Followed(jane(), Box::new(Ok(john))));
        model
    };
    let unconfirmed = Progress::Unconfirmed {
        question: question().words(),
    };
    assert_eq!(progress(&asked()), Some(&unconfirmed));
    let id = ReconnectId::new("rec_1");
    let mut meant = asked();
    assert_eq!(
        meant.decide(Event::Acted(jane(), Act::Confirm)),
        [Effect::Confirm(jane(), id.clone())]
    );
    let going_on = Reconnect {
        stage: Some(Stage::Identified),
        signed_in_as: Some("john@acme.example".to_owned()),
        ..reconnect(ReconnectState::Verifying)
    };
    meant.decide(Event::Followed(jane(), Box::new(Ok(going_on))));
    let named = Progress::Proving {
        stage: Some(Stage::Identified),
        signed_in_as: Some("john@acme.example".to_owned()),
    };
    assert_eq!(progress(&meant), Some(&named));
    assert_eq!(
        asked().decide(Event::Acted(jane(), Act::Deny)),
        [Effect::CallOff(jane(), id, CallingOff::Cancelled)]
    );
    let mut model = signed_in(Route::Inboxes);
    assert_eq!(model.decide(Event::Acted(jane(), Act::Confirm)), []);
}

#[test]
fn a_late_answer_to_the_first_click_does_not_end_the_second() {
    let begun = |ticket: &str| Begun {
        reconnect: reconnect(ReconnectState::Started),
        url: Some(Secret::new(ticket)),
    };
    let answer = |answer| Event::Begun(jane(), Box::new(answer));
    let at_provider = Some(&Progress::AtProvider { in_tab: true });
    for late in [Ok(begun("second")), Err(unreachable())] {
        let mut model = signed_in(Route::Inboxes);
        for act in [Act::Reconnect, Act::Cancel, Act::Reconnect] {
            model.decide(Event::Acted(jane(), act));
        }
        let effects = model.decide(answer(Ok(begun("first"))));
        let shown = Effect::ShowInTab(jane(), Secret::new("first"));
        assert_eq!(
            effects.first(),
            Some(&shown),
            "the relay joined both clicks to one reconnect"
        );
        assert_eq!(progress(&model), at_provider);
        assert_eq!(
            model.decide(answer(late)),
            [],
            "the tab of the first answer goes on"
        );
        assert_eq!(progress(&model), at_provider);
    }

    let mut model = signed_in(Route::Inboxes);
    for act in [Act::Reconnect, Act::Cancel, Act::Close] {
        model.decide(Event::Acted(jane(), act));
    }
    assert_eq!(
        model.decide(answer(Ok(begun("first")))).last(),
        Some(&Effect::CallOff(
            jane(),
            ReconnectId::new("rec_1"),
            CallingOff::Cancelled
        )),
        "nobody waits for it"
    );
}

#[test]
fn a_reconnect_that_cannot_begin_says_why() {
    for (error, stopped) in [
        (
            unreachable(),
            Stopped::RelayUnreachable {
                url: "this address".to_owned(),
            },
        ),
        (
            refused(Code::Conflict),
            Stopped::RelayRefused {
                words: "It is so.".to_owned(),
            },
        ),
    ] {
        let mut model = signed_in(Route::Inboxes);
        model.decide(Event::Acted(jane(), Act::Reconnect));
        let effects = model.decide(Event::Begun(jane(), Box::new(Err(error))));
        assert_eq!(effects, [Effect::CloseTab(jane())]);
        assert_eq!(progress(&model), Some(&Progress::Stopped(stopped)));
    }
}

#[test]
fn somebody_elses_sign_in_is_followed_without_another() {
    let mut model = signed_in(Route::Inboxes);
    model.decide(Event::Acted(jane(), Act::Reconnect));
    let begun = Begun {
        reconnect: reconnect(ReconnectState::Verifying),
        url: None,
    };
    let effects = model.decide(Event::Begun(jane(), Box::new(Ok(begun))));
    assert_eq!(effects, [Effect::CloseTab(jane()), Effect::TickAfter(500)]);
    assert_eq!(progress(&model), Some(&proving(None)));
}

#[test]
fn a_tab_that_was_loaded_again_goes_on_with_its_reconnect() {
    let mut model = Model::default();
    let opening = Opening {
        route: Route::Inboxes,
        code: None,
        invited: None,
        session: Some(Secret::new("t0ken")),
        reconnects: vec![(jane(), ReconnectId::new("rec_1"))],
        is_visible: true,
        is_encrypted: true,
        place: Place::Here,
        at: at(0),
    };
    model.decide(Event::Opened(Box::new(opening)));
    model.decide(looked(example::status()));
    let follow = Effect::Follow(jane(), ReconnectId::new("rec_1"));
    assert_eq!(model.decide(Event::Tick(at(1))), [Effect::Look, follow]);
    let gone = Event::Followed(jane(), Box::new(Err(refused(Code::NotFound))));
    assert_eq!(
        model.decide(gone),
        [Effect::KeepReconnects(Vec::new())],
        "one that the relay does not know is let go"
    );
    assert_eq!(progress(&model), None);
}

#[test]
fn a_card_that_says_resumed_goes_when_the_inbox_is_lost_again() {
    let receipt = example::receipt();
    let resumed_at = receipt.resumed_at;
    let id = InboxId::new("inb_1");
    for (lost_after_ms, is_kept) in [(-1_000, true), (1_000, false)] {
        let mut model = signed_in(Route::Inboxes);
        model.reconnects.insert(
            id.clone(),
            Reconnecting {
                reconnect: None,
                progress: Progress::Resumed {
                    receipt: Some(Box::new(receipt.clone())),
                },
            },
        );
        let mut status = example::status();
        let inbox = status
            .inboxes
            .iter_mut()
            .find(|inbox| inbox.id == id)
            .unwrap();
        inbox.connection.state = ConnectionState::Disconnected;
        inbox.connection.since = Timestamp::from_ms(resumed_at.as_ms() + lost_after_ms);
        model.decide(looked(status));
        assert_eq!(
            model.reconnects.contains_key(&id),
            is_kept,
            "{lost_after_ms}"
        );
    }
}

#[test]
fn a_name_and_a_password_sign_in_and_wrong_ones_are_told_on_the_page_to_sign_in_on() {
    let mut model = Model::default();
    let password = Secret::new("tall ships sail at noon");
    let asked = Event::SignInAsked("jane".to_owned(), password.clone());
    let effects = model.decide(asked.clone());
    assert_eq!(effects, [Effect::SignIn("jane".to_owned(), password)]);
    let wrong = refused(Code::Unauthenticated);
    assert_eq!(model.decide(Event::Entered(Err(wrong))), []);
    assert_eq!(model.access, Access::Out(Out::Wrong));
    assert_eq!(model.typed.name, "jane", "it is not typed again");
    model.decide(asked);
    let session = Session {
        token: Secret::new("t0ken"),
        expires_at: example::now(),
    };
    model.decide(Event::Entered(Ok(session)));
    assert_eq!(model.access, Access::In(Secret::new("t0ken")));
    assert_eq!(model.typed, Typed::default(), "it may be somebody else now");
}

#[test]
fn who_was_to_be_invited_is_kept_until_there_is_a_link() {
    let mut model = signed_in(Route::Settings);
    let name: AccountName = "jane@acme.example".to_owned().try_into().unwrap();
    model.decide(Event::InviteAsked(name, Role::Member));
    let conflict = refused(Code::Conflict);
    model.decide(Event::InvitationMade(Box::new(Err(conflict))));
    let kept = Some(("jane@acme.example".to_owned(), Role::Member));
    assert_eq!(model.typed.invited, kept);
    assert!(model.notice.is_some());
}

#[test]
fn an_invitation_is_taken_with_a_password_that_is_judged_before_it_is_sent() {
    let invited = Invited {
        code: Secret::new("c0de"),
        name: "cleo@client.example".to_owned(),
    };
    let mut model = Model::default();
    model.decide(Event::Invited(invited));
    let problem = |model: &Model| match &model.access {
        Access::Invited {
            problem,
            is_waiting,
            ..
        } => (problem.clone(), *is_waiting),
        other => panic!("{other:?}"),
    };
    assert_eq!(model.decide(Event::Accepting(Secret::new("too short"))), []);
    let (words, is_waiting) = problem(&model);
    assert!(words.unwrap().contains("at least 15 characters, found 9"));
    assert!(!is_waiting);
    let password = Secret::new("tall ships sail at noon");
    let accept = Effect::Accept(Secret::new("c0de"), password.clone());
    assert_eq!(model.decide(Event::Accepting(password.clone())), [accept]);
    assert_eq!(problem(&model), (None, true));
    assert_eq!(model.decide(Event::Accepting(password)), [], "once");
    let lost = refused(Code::Unavailable);
    model.decide(Event::Accepted(Err(lost)));
    let (words, is_waiting) = problem(&model);
    assert!(words.is_some() && !is_waiting);
    let used = CallError::Refused(Problem::new(Code::Invalid, "used").at_field("code"));
    model.decide(Event::Accepted(Err(used)));
    assert_eq!(model.access, Access::Out(Out::UsedInvitation));
}

#[test]
fn an_owner_sees_who_signs_in_and_no_client_asks_for_it_or_for_alerts() {
    let [owner, client] = example::accounts().try_into().unwrap();
    for (account, expected) in [
        (
            owner,
            vec![Effect::Load(Wanted::Accounts), Effect::Load(Wanted::Alerts)],
        ),
        (client, Vec::new()),
    ] {
        let mut model = Model {
            access: Access::In(Secret::new("t0ken")),
            route: Route::Settings,
            ..Model::default()
        };
        let loaded = Loaded::Account(Box::new(Ok(account.clone())));
        assert_eq!(model.decide(Event::Loaded(loaded)), expected);
        assert_eq!(model.may_work(), account.role > Role::Client);
    }
}
