//! Every inbox: the lost ones as cards, the others as lines.

use protocol::request::inbox::{ConnectionState, Inbox};
use web::icon::Icon;
use web::when;
use yew::{Callback, Html, html};

use super::{part, words};
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
            { for model.inboxes().iter().filter_map(refused) }
            if !quiet.is_empty() {
                { part::table("Inboxes that need nothing", &columns, rows) }
            }
        </>
    }
}

/// What its server refuses to everybody although the inbox is connected, and how to answer where a person is asked.
fn refused(inbox: &Inbox) -> Option<Html> {
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
    Some(html! {
        <section key={inbox.id.to_string()}>
            <h2>{ format!("The mail of {} is refused", inbox.address) }</h2>
            <p>{ format!("Its server said: {}", refused.words) }</p>
            <p>{ next }</p>
        </section>
    })
}

fn row(inbox: &Inbox, model: &Model) -> Html {
    let (class, mark, state) = match inbox.connection.state {
        ConnectionState::Connected => ("good", Icon::Tick, "Connected"),
        ConnectionState::Checking => ("quiet", Icon::Turning, "Being checked"),
        ConnectionState::Disconnected => ("bad", Icon::Broken, "Disconnected"),
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
