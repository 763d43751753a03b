//! Each page in each of its states, as text: its words, its buttons, and nothing that the page's policy refuses.

use protocol::account::Role;
use protocol::campaign::{PausedBy, State};
use protocol::id::{CampaignId, DeviceId, InboxId, PasskeyId, ReceiptId, ReconnectId};
use protocol::request::account::Account;
use protocol::request::alert::Alerts;
use protocol::request::inbox::{ConnectionState, SignsInBy};
use protocol::request::key::NewKey;
use protocol::request::passkey::Passkey;
use protocol::secret::Secret;
use protocol::standing::Shown;
use web::card::Progress;
use yew::{Callback, ServerRenderer};

use super::{Props, View};
use crate::event::Effect;
use crate::example;
use crate::model::{Access, Model, Out, Place, Proving, Reconnecting, Slot, Typed};
use crate::route::{Invited, Route};

async fn render(model: Model) -> String {
    let props = move || Props {
        model,
        send: Callback::noop(),
    };
    let html = ServerRenderer::<View>::with_props(props)
        .hydratable(false)
        .render()
        .await;
    for refused in ["style=", "<style", "<script", "onclick="] {
        assert!(!html.contains(refused), "{refused} in {html}");
    }
    assert_eq!(html.matches("<h1").count(), 1, "one heading: {html}");
    html
}

fn at(route: Route) -> Model {
    Model {
        route,
        access: Access::In(Secret::new("t0ken")),
        now: example::now(),
        status: Some(example::status()),
        ..Model::default()
    }
}

fn campaign_page() -> Model {
    let mut model = at(Route::Campaign(CampaignId::new("cmp_1")));
    model.page.deliveries = Slot::Here(example::deliveries());
    model.page.unsettled = Slot::Here(example::unsettled());
    model.page.steps = Slot::Here(example::steps());
    model
}

/// The text of a page without its marks.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for letter in html.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => is_tag = false,
            letter if !is_tag => text.push(letter),
            _ => {}
        }
    }
    text.replace("&quot;", "\"")
}

#[track_caller]
fn assert_says(html: &str, all: &[&str]) {
    let text = words(html);
    for expected in all {
        assert!(text.contains(expected), "{expected:?} in {text}");
    }
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_told_how_and_shown_nothing() {
    for (access, expected) in [
        (Access::Out(Out::Never), "Sign in"),
        (
            Access::Out(Out::Wrong),
            "The name or the password is wrong.",
        ),
        (
            Access::Out(Out::UsedInvitation),
            "This invitation no longer works",
        ),
        (
            Access::Out(Out::WrongPasskey),
            "This passkey is not known here",
        ),
        (
            Access::Out(Out::NoPasskey { words: None }),
            "No passkey was used.",
        ),
        (Access::Out(Out::UsedCode), "This link no longer works"),
        (Access::Out(Out::Ended), "Your session has ended"),
        (Access::Out(Out::Left), "You are signed out"),
        (Access::Out(Out::LeftUntold), "unpause session end --all"),
        (
            Access::Out(Out::NoAnswer {
                words: "No relay answers at this address.".to_owned(),
            }),
            "No relay answers at this address.",
        ),
    ] {
        let html = render(Model {
            access,
            ..campaign_page()
        })
        .await;
        assert_says(&html, &[expected, "unpause login"]);
        assert!(!html.contains("acme.example"), "{html}");
    }
    let html = render(Model {
        access: Access::Asked {
            code: Secret::new("c0de"),
            before: None,
        },
        ..Model::default()
    })
    .await;
    assert_says(&html, &["Sign in to this relay", "works once"]);
    assert!(!html.contains("c0de"), "{html}");
    let before = None;
    let html = render(Model {
        access: Access::Entering { before },
        ..Model::default()
    })
    .await;
    assert_says(&html, &["Signing in"]);
}

#[tokio::test]
async fn the_campaigns_are_listed_with_their_states_in_words() {
    let html = render(at(Route::Campaigns)).await;
    assert_says(
        &html,
        &[
            "Spring outreach",
            "Paused",
            "Sending",
            "Draft",
            "Unpause 0.1.0",
        ],
    );
    assert!(html.contains("href=\"/campaigns/cmp_1\""), "{html}");
    assert!(html.contains("aria-current=\"page\""), "{html}");
    assert!(html.contains("40 of 120 settled"), "{html}");
}

#[tokio::test]
async fn empty_pages_say_what_to_do_first() {
    for (route, expected) in [
        (Route::Campaigns, "unpause campaign create"),
        (Route::Inboxes, "unpause inbox add"),
        (Route::Receipts, "Each reconnect leaves one here"),
        (Route::Settings, "No browser is paired yet."),
    ] {
        let mut model = at(route);
        let status = model.status.as_mut().unwrap();
        status.inboxes.clear();
        status.campaigns.clear();
        model.page.receipts = Slot::Here(Vec::new());
        model.page.devices = Slot::Here(Vec::new());
        assert_says(&render(model).await, &[expected]);
    }
    let mut model = at(Route::Campaigns);
    model.status = None;
    assert_says(&render(model).await, &["Asking the relay"]);
}

#[tokio::test]
async fn a_paused_campaign_has_one_banner_and_the_card() {
    let html = render(campaign_page()).await;
    assert_eq!(html.matches("role=\"alert\"").count(), 1, "{html}");
    let banner = html.split("role=\"alert\"").nth(1).unwrap();
    let banner = words(banner.split("</div>").next().unwrap());
    assert!(
        banner.ends_with("Paused since 09:12: jane@acme.example is disconnected."),
        "{banner}"
    );
    assert_says(
        &html,
        &[
            "Reconnect with Google",
            "1 campaign has waited since 09:12; 25 messages are held, none is lost.",
            "Still to send80",
            "Needs your decision",
            "Step 1 to eve@lead.example",
            "Take it as sent",
            "Send it again",
            "End it",
            "A word, {{first_name}}?",
            "3 days after the one before",
            "Answers in the thread",
            "Not sent: answered",
        ],
    );
    assert!(!html.contains("Pause the campaign"), "{html}");
    // What waits is said by the card alone: the figure counts the steps after the next one too.
    assert!(!html.contains("Waiting"), "{html}");
}

#[tokio::test]
async fn a_reconnect_is_shown_on_the_page_it_was_begun_on() {
    let mut model = campaign_page();
    let reconnecting = Reconnecting {
        reconnect: Some(ReconnectId::new("rec_1")),
        progress: Progress::AtProvider { in_tab: true },
    };
    model.reconnects.insert(InboxId::new("inb_1"), reconnecting);
    assert_says(
        &render(model).await,
        &["Finish in the tab of Google.", "Cancel"],
    );

    let mut model = campaign_page();
    let receipt = Some(Box::new(example::receipt()));
    let reconnecting = Reconnecting {
        reconnect: Some(ReconnectId::new("rec_1")),
        progress: Progress::Resumed { receipt },
    };
    model.reconnects.insert(InboxId::new("inb_1"), reconnecting);
    let status = model.status.as_mut().unwrap();
    status.campaigns[0].status = State::Running;
    let html = render(model).await;
    assert_says(
        &html,
        &["Resumed.", "See the receipt", "Pause the campaign"],
    );
    assert!(!html.contains("role=\"alert\""), "{html}");
}

#[tokio::test]
async fn a_campaign_offers_what_its_state_allows() {
    let by_person = State::Paused {
        by: PausedBy::Person,
        since: example::now(),
    };
    for (state, expected) in [
        (State::Draft, "Start the campaign"),
        (State::Running, "Pause the campaign"),
        (by_person, "Resume the campaign"),
    ] {
        let mut model = campaign_page();
        model.status.as_mut().unwrap().campaigns[0].status = state;
        assert_says(&render(model).await, &[expected]);
    }
    let mut model = at(Route::Campaign(CampaignId::new("cmp_9")));
    assert_says(&render(model.clone()).await, &["There is no such campaign"]);
    model.route = Route::Missing;
    assert_says(&render(model).await, &["There is no such page"]);
}

#[tokio::test]
async fn lost_inboxes_are_cards_and_the_others_lines() {
    let html = render(at(Route::Inboxes)).await;
    assert_eq!(html.matches("<section").count(), 1, "{html}");
    assert_says(
        &html,
        &[
            "jane@acme.example is disconnected",
            "ann@acme.example",
            "Being checked",
            "li@acme.example",
            "Connected",
            "2 campaigns",
        ],
    );
}

#[tokio::test]
async fn a_receipt_has_its_totals_and_a_line_for_each_lead() {
    let mut model = at(Route::Receipts);
    model.page.receipts = Slot::Here(vec![example::receipt()]);
    let html = render(model).await;
    assert_says(
        &html,
        &["today at 09:10", "jane@acme.example", "4 hours 10 minutes"],
    );
    assert!(html.contains("href=\"/receipts/rcp_1\""), "{html}");

    let mut model = at(Route::Receipt(ReceiptId::new("rcp_1")));
    model.page.receipt = Slot::Here(example::receipt());
    for delivery in example::deliveries() {
        model.page.recipients.insert(delivery.id, delivery.to);
    }
    assert_says(
        &render(model).await,
        &[
            "jane@acme.example was lost today at 05:00 and worked again today at 09:10, after 4 hours 10 minutes.",
            "Waits were moved by 4 hours 10 minutes.",
            "Google ended the permission",
            "Spring outreach",
            "cem@lead.example",
            "Kept, to be sent",
            "dot@lead.example",
            "Not sent: answered",
        ],
    );
}

#[tokio::test]
async fn a_browser_is_paired_and_revoked_with_a_second_word() {
    let mut model = at(Route::Settings);
    model.page.devices = Slot::Here(example::devices());
    model.page.fingerprint = Slot::Here(example::pairing().fingerprint);
    model.page.sessions = Slot::Here(example::sessions());
    assert_says(
        &render(model.clone()).await,
        &[
            "Make a pairing link",
            "1a2b 3c4d 5e6f 7081 92a3 b4c5 d6e7 f809",
            "Firefox on the laptop",
            "Revoke …",
            "An old phone",
            "This one",
            "Sign out",
            "End all sessions",
        ],
    );
    model.page.pairing = Some(example::pairing());
    model.page.confirming = Some(DeviceId::new("dev_1"));
    let html = render(model.clone()).await;
    assert_says(
        &html,
        &[
            "Copy the link",
            "ends in 10 min",
            "compare the number below",
            "Revoke Firefox on the laptop",
            "Keep it",
        ],
    );
    assert!(html.contains("unpause://pair?relay="), "{html}");
    assert!(!words(&html).contains("Copied."), "{html}");
    model.page.copied = Some(example::pairing().link);
    assert_says(&render(model.clone()).await, &["Copied."]);
    model.now = example::instant("2026-11-23T09:41:00Z");
    let html = render(model).await;
    assert_says(&html, &["The link has run out"]);
    assert!(!html.contains("unpause://pair"), "{html}");
}

#[tokio::test]
async fn what_failed_is_said_with_a_way_on() {
    let mut model = at(Route::Receipts);
    model.page.receipts = Slot::Failed("No relay answers at this address.".to_owned());
    assert_says(&render(model).await, &["No relay answers", "Try again"]);

    let mut model = at(Route::Campaigns);
    model.trouble = Some("No relay answers at this address.".to_owned());
    model.answered_at = Some(example::instant("2026-11-23T09:20:00Z"));
    model.notice = Some("This campaign has no leads: import some first.".to_owned());
    assert_says(
        &render(model).await,
        &[
            "It did 10 min ago, and what you see is from then.",
            "Try again",
            "This campaign has no leads",
            "Spring outreach",
        ],
    );
}

#[tokio::test]
async fn an_inbox_whose_mail_is_refused_says_with_what_and_how_to_answer() {
    let mut model = at(Route::Inboxes);
    let Some(status) = &mut model.status else {
        panic!("no status")
    };
    let inbox = &mut status.inboxes[0];
    let address = inbox.address.to_string();
    inbox.refused = Some(Shown {
        since: example::now(),
        words: "550 5.7.705 no more today".to_owned(),
        alike: "rcpt-550-5.7.705".to_owned(),
        next_try_at: Some(example::now()),
        asks: true,
    });
    let html = render(model).await;
    let title = format!("The mail of {address} is refused");
    assert_says(
        &html,
        &[
            &title,
            "550 5.7.705 no more today",
            "It rests until",
            "unpause inbox answer",
        ],
    );
}

#[tokio::test]
async fn whoever_is_invited_sets_a_password_for_the_name_that_is_shown() {
    let invited = Invited {
        code: Secret::new("c0de"),
        name: "cleo@client.example".to_owned(),
    };
    let html = render(Model {
        access: Access::Invited {
            invited,
            before: None,
            is_waiting: false,
            problem: Some("Expected a password of at least 15 characters, found 9.".to_owned()),
        },
        ..Model::default()
    })
    .await;
    assert_says(
        &html,
        &[
            "Set your password",
            "found 9",
            "Set the password and sign in",
        ],
    );
    assert!(
        html.contains("cleo@client.example") && !html.contains("c0de"),
        "{html}"
    );
}

#[tokio::test]
async fn an_owner_says_who_signs_in_and_a_client_is_offered_nothing_that_he_may_not() {
    let [owner, client] = example::accounts().try_into().unwrap();
    let mut model = at(Route::Settings);
    model.account = Some(owner);
    model.page.accounts = Slot::Here(example::accounts());
    let html = render(model.clone()).await;
    assert_says(
        &html,
        &[
            "Your account",
            "Change the password",
            "People",
            "Inboxes that cleo@client.example sees",
            "Make a link",
        ],
    );
    model.account = Some(client.clone());
    let html = render(model).await;
    assert!(!words(&html).contains("Make a link"), "{html}");
    let page = |account| Model {
        account,
        ..campaign_page()
    };
    assert_says(&render(page(None)).await, &["Needs your decision"]);
    let html = render(page(Some(client))).await;
    for offer in [
        "Needs your decision",
        "Pause the campaign",
        "Resume the campaign",
    ] {
        assert!(!words(&html).contains(offer), "{offer}: {html}");
    }
}

#[tokio::test]
async fn alerts_are_listed_with_who_was_told_and_why_others_were_not() {
    let mut model = at(Route::Settings);
    model.page.alerts = Slot::Here(example::alerts());
    let html = render(model.clone()).await;
    assert_says(
        &html,
        &[
            "Alerts",
            "Another relay sends the same campaigns",
            "Spring outreach has finished",
            "Waits, tried 3 times",
            "answered 500 Internal Server Error",
            "Given up",
            "answered 404 Not Found",
            "1 waits, 1 was given up",
        ],
    );
    // A webhook's address may be its secret; where it leads is shown as the relay says it.
    assert!(
        html.contains("https://hooks.acme.example (1a2b3c4d)"),
        "{html}"
    );
    model.page.alerts = Slot::Here(Alerts {
        alerts: Vec::new(),
        channels: example::alerts().channels.into_iter().take(1).collect(),
    });
    let html = render(model.clone()).await;
    assert_says(&html, &["Nothing was told yet.", "The log alone is told."]);
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_with_what_it_may_and_when_it_was_used() {
    let mut model = at(Route::Settings);
    model.page.keys = Slot::Here(example::keys());
    let html = render(model.clone()).await;
    assert_says(
        &html,
        &[
            "Keys for programs",
            "read, never write to",
            "from 192.0.2.7",
            "Ended ",
            "Run campaigns",
            "Days until it ends",
        ],
    );
    model.page.key = Some(NewKey {
        key: Secret::new("upk_s3cret"),
        listed: example::keys().remove(0),
    });
    let html = render(model.clone()).await;
    assert_says(&html, &["It is shown this once."]);
    assert!(html.contains("upk_s3cret"));
    let plain = Model {
        is_encrypted: false,
        ..model.clone()
    };
    let html = render(plain).await;
    assert_says(&html, &["good over https alone", "unpause --json"]);
    assert!(!words(&html).contains("Make a key"), "{html}");
    // What a client could not do with it is not offered to him.
    model.account = example::accounts().pop();
    let html = render(model).await;
    assert_says(&html, &["Reconnect inboxes"]);
    assert!(!words(&html).contains("Run campaigns"), "{html}");
}

#[tokio::test]
async fn what_was_done_is_told_in_words_with_who_and_from_where() {
    let mut model = at(Route::Activity);
    model.page.activity = Slot::Here((example::activity(), true));
    let html = render(model).await;
    assert_says(
        &html,
        &[
            "jane@acme.exampleMake an account",
            "inboxes jane@acme.example, inb_9 · name joe",
            "Somebody as jane@acme.example",
            "Not let in, 12 times",
            "The command line",
            "Not known: the relay ended meanwhile",
            "This relay's machine",
            "Show more",
        ],
    );
}

#[tokio::test]
async fn passkeys_are_offered_where_there_can_be_some_and_elsewhere_it_is_said_why_not() {
    let [owner, _] = example::accounts().try_into().unwrap();
    for (place, signs_in, expected) in [
        (Place::Here, true, "Add a passkey"),
        (
            Place::At("http://localhost:7411".to_owned()),
            false,
            "Open http://localhost:7411, sign in there",
        ),
        (Place::Nameless, false, "public_url"),
        (Place::NoBrowser, false, "This browser has no passkeys."),
    ] {
        let mut model = at(Route::Settings);
        model.place = place.clone();
        model.account = Some(owner.clone());
        model.page.passkeys = Slot::Here(vec![Passkey {
            id: PasskeyId::new("psk_1"),
            name: "laptop".to_owned(),
            made_at: example::now(),
            used_at: None,
        }]);
        let html = render(model.clone()).await;
        assert_says(&html, &["Your passkeys", "laptop", "Never", expected]);
        assert_says(&html, &["Sign in by passkeys alone", "Sign out"]);
        model.page.removing_passkey = Some(PasskeyId::new("psk_1"));
        assert_says(&render(model).await, &["Remove laptop", "Keep it"]);
        let html = render(Model {
            place,
            ..Model::default()
        })
        .await;
        assert_eq!(html.contains("Sign in with a passkey"), signs_in, "{html}");
    }
}

#[tokio::test]
async fn whoever_is_asked_who_he_is_hears_how_he_can_show_it() {
    let [owner, _] = example::accounts().try_into().unwrap();
    for (has_password, passkeys, place, says, says_not) in [
        (true, 0, Place::Here, "Password of owner", "Use a passkey"),
        (false, 1, Place::Here, "Use a passkey", "Password of"),
        (
            true,
            1,
            Place::Nameless,
            "Password of owner",
            "Use a passkey",
        ),
        (false, 1, Place::Nameless, "unpause login", "Use a passkey"),
        (false, 0, Place::Here, "unpause login", "Use a passkey"),
    ] {
        let mut model = at(Route::Campaigns);
        model.place = place;
        model.account = Some(Account {
            has_password,
            passkeys,
            ..owner.clone()
        });
        model.proving = Some(Proving {
            then: Effect::Pair,
            is_waiting: false,
            problem: Some("It is wrong.".to_owned()),
        });
        let html = render(model).await;
        assert_says(
            &html,
            &["Is it still you?", "It is wrong.", "Do nothing", says],
        );
        assert!(!words(&html).contains(says_not), "{html}");
    }
}

/// The opening mark of the element with this id.
fn element<'a>(html: &'a str, id: &str) -> &'a str {
    let at = html.find(&format!("id=\"{id}\"")).unwrap();
    let from = html[..at].rfind('<').unwrap();
    let to = at + html[at..].find('>').unwrap();
    &html[from..to]
}

#[tokio::test]
async fn what_was_typed_stands_in_the_form_again_after_a_refusal() {
    let wrong = Model {
        access: Access::Out(Out::Wrong),
        typed: Typed {
            name: "jane".to_owned(),
            ..Typed::default()
        },
        ..Model::default()
    };
    let html = render(wrong).await;
    assert!(element(&html, "name").contains("value=\"jane\""), "{html}");
    assert!(!element(&html, "password").contains("value="), "{html}");

    let [owner, _] = example::accounts().try_into().unwrap();
    let mut model = at(Route::Settings);
    model.account = Some(owner);
    let html = render(model.clone()).await;
    assert!(
        element(&html, "invite-name").contains("value=\"\""),
        "{html}"
    );
    model.typed.invited = Some(("ann@acme.example".to_owned(), Role::Member));
    let html = render(model).await;
    let invited = element(&html, "invite-name");
    assert!(invited.contains("value=\"ann@acme.example\""), "{html}");

    let mut model = at(Route::Inboxes);
    let status = model.status.as_mut().unwrap();
    let lost = status
        .inboxes
        .iter_mut()
        .find(|inbox| inbox.connection.state == ConnectionState::Disconnected);
    let lost = lost.unwrap();
    lost.signs_in_by = SignsInBy::Password;
    let id = lost.id.clone();
    let html = render(model.clone()).await;
    assert!(!html.contains("value=\"jane.doe\""), "{html}");
    model.typed.users.insert(id, "jane.doe".to_owned());
    let html = render(model).await;
    assert_eq!(html.matches("value=\"jane.doe\"").count(), 1, "{html}");
}

#[tokio::test]
async fn every_page_offers_to_sign_out() {
    for route in [
        Route::Campaigns,
        Route::Campaign(CampaignId::new("cmp_1")),
        Route::Inboxes,
        Route::Receipts,
        Route::Receipt(ReceiptId::new("rcp_1")),
        Route::Settings,
        Route::Activity,
        Route::Missing,
    ] {
        let html = render(at(route.clone())).await;
        assert_eq!(html.matches("Sign out").count(), 1, "{route:?}: {html}");
    }
}
