//! Every inbox: the lost ones as cards, the others as lines.

use protocol::request::inbox::{ConnectionState, Inbox};
use web::icon::Icon;
use web::when;
use yew::{Callback, Html, html};

use super::{pace, part, words};
use crate::event::Event;
use crate::model::Model;

const FIRST: &str = "unpause inbox add jane@acme.example --provider google\nunpause reconnect start jane@acme.example";

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    html! {
        <>
            { part::heading("Inboxes") }
            if model.status.is_none() {
                { part::waiting(model) }
            } else if model.inboxes().is_empty() {
                { part::empty("No inbox yet. Add one on the machine of the relay, and sign in once:", Some(FIRST)) }
            } else {
                { list(model, send) }
            }
        </>
    }
}

fn list(model: &Model, send: &Callback<Event>) -> Html {
    let cards = model
        .inboxes()
        .iter()
        .filter_map(|inbox| model.find_card(inbox))
        .map(|card| part::card(&card, model, send));
    let quiet: Vec<_> = model
        .inboxes()
        .iter()
        .filter(|inbox| model.find_card(inbox).is_none())
        .collect();
    let columns = ["Inbox", "Provider", "State", "Since", "Sends", "#Held"];
    let rows = quiet.iter().map(|inbox| row(inbox, model));
    html! {
        <>
            <div class="cards">{ for cards }</div>
            { for model.inboxes().iter().filter_map(|inbox| refused(inbox, model)) }
            { for model.inboxes().iter().filter_map(|inbox| waiting(inbox, model)) }
            if !quiet.is_empty() {
                { part::table("Inboxes that need nothing", &columns, rows) }
            }
            { pace::view(model, send) }
        </>
    }
}

/// What its server refuses to everybody although the inbox is connected, and how to answer where a person is asked.
pub(super) fn refused(inbox: &Inbox, model: &Model) -> Option<Html> {
    let refused = inbox.refused.as_ref()?;
    let next = if refused.asks {
        format!(
            "Is it the account, or is it these addresses? Answer on the machine of the relay: unpause inbox answer {} \
             account, or addresses.",
            inbox.address
        )
    } else {
        "What it refused waits in its place; the relay tries again by itself.".to_owned()
    };
    let until = refused.next_try_at.map(|at| {
        let until = when::element(at, when::at(at, model.now));
        html! { <p>{ "It rests until " }{ until }{ ", then one message is tried." }</p> }
    });
    Some(html! {
        <section key={inbox.id.to_string()}>
            <h2>{ format!("The mail of {} is refused", inbox.address) }</h2>
            <p>{ format!("Its server said: {}", refused.words) }</p>
            { until }
            <p>{ next }</p>
        </section>
    })
}

/// What an inbox that lets nothing through waits for, since when, and what can be done.
fn waiting(inbox: &Inbox, model: &Model) -> Option<Html> {
    let connection = &inbox.connection;
    if connection.state != ConnectionState::Waiting {
        return None;
    }
    let words = connection.card.as_ref()?;
    let since = when::element(connection.since, when::near(connection.since, model.now));
    Some(html! {
        <section key={inbox.id.to_string()}>
            <h2>{ words.title.clone() }</h2>
            <p>{ "Waiting since " }{ since }{ ". " }{ words.explanation.clone() }</p>
            if let Some(said) = &connection.evidence {
                <p>{ format!("Its server said: {said}") }</p>
            }
        </section>
    })
}

fn row(inbox: &Inbox, model: &Model) -> Html {
    let (class, mark, state) = match inbox.connection.state {
        ConnectionState::Connected => ("good", Icon::Tick, "Connected"),
        ConnectionState::Checking => ("quiet", Icon::Turning, "Being checked"),
        ConnectionState::Disconnected => ("bad", Icon::Broken, "Disconnected"),
        ConnectionState::Waiting => ("bad", Icon::Turning, "Waiting"),
    };
    let since = inbox.connection.since;
    html! {
        <tr key={inbox.id.to_string()}>
            <th scope="row">{ inbox.address.as_str() }</th>
            <td>{ words::provider(&inbox.provider) }</td>
            <td>{ part::state(class, mark, state) }</td>
            <td>{ when::element(since, when::near(since, model.now)) }</td>
            <td>{ words::campaigns_of(inbox, model.campaigns()) }</td>
            <td class="number">{ inbox.held }</td>
        </tr>
    }
}
