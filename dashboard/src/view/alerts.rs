//! Alerts: the last of them, and whom each reached. What is told and through what is the configuration's.

use protocol::request::alert::{Alerts, Channel, Listed, Telling};
use protocol::telling::State;
use web::when;
use yew::{Callback, Html, html};

use super::part;
use crate::event::Event;
use crate::model::Model;

/// The section of the settings; none for a client, whom they are not for.
pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    if !model.may_work() {
        return html! {};
    }
    html! {
        <section aria-labelledby="alerts">
            <h2 id="alerts">{ "Alerts" }</h2>
            { part::slot(&model.page.alerts, send, |alerts| list(alerts, model)) }
        </section>
    }
}

fn list(alerts: &Alerts, model: &Model) -> Html {
    let is_log_alone = alerts.channels.iter().all(|channel| channel.name == "log");
    html! {
        <>
            if is_log_alone {
                <p>{ "The log alone is told. Add mail or a webhook to " }<code>{ "unpause.toml" }</code>{ ", and a lost inbox reaches somebody; docs/alerts.md says how." }</p>
            } else {
                { part::table("Channels", &["Channel", "Leads to", "Stands"], alerts.channels.iter().map(channel)) }
            }
            if alerts.alerts.is_empty() {
                <p class="quiet">{ "Nothing was told yet." }</p>
            } else {
                { part::table("Alerts", &["What", "When", "Told"], alerts.alerts.iter().map(|one| row(one, model))) }
            }
        </>
    }
}

fn channel(channel: &Channel) -> Html {
    html! {
        <tr key={channel.name.clone()}>
            <th scope="row">{ &channel.name }</th>
            <td class="quiet">{ &channel.target }</td>
            <td>{ stands(channel) }</td>
        </tr>
    }
}

fn stands(channel: &Channel) -> String {
    if channel.off_since.is_some() {
        let words = channel.off_words.as_deref().unwrap_or("it wants no more");
        return format!("Switched off: {words}");
    }
    let waits = match channel.waiting {
        0 => None,
        1 => Some("1 waits".to_owned()),
        n => Some(format!("{n} wait")),
    };
    let given_up = match channel.given_up {
        0 => None,
        1 => Some("1 was given up".to_owned()),
        n => Some(format!("{n} were given up")),
    };
    let parts: Vec<_> = [waits, given_up].into_iter().flatten().collect();
    if parts.is_empty() {
        return "All told".to_owned();
    }
    parts.join(", ")
}

fn row(listed: &Listed, model: &Model) -> Html {
    let time = when::element(listed.alert.at, when::near(listed.alert.at, model.now));
    html! {
        <tr key={listed.alert.key.clone()}>
            <th scope="row">{ &listed.title }</th>
            <td>{ time }</td>
            <td>{ for listed.tellings.iter().map(|telling| told(telling, model)) }</td>
        </tr>
    }
}

/// Where it stands at one channel, with the other side's words where it was not told.
fn told(telling: &Telling, model: &Model) -> Html {
    let time = |at| when::element(at, when::near(at, model.now));
    let words = telling.words.as_deref().unwrap_or_default();
    let state = match telling.status {
        State::Told { at } => html! { <>{ "Told " }{ time(at) }</> },
        State::Pending { tries: 0, .. } => html! { "Is about to be told" },
        State::Pending { tries, next_at } => {
            let times = if tries == 1 {
                "once".to_owned()
            } else {
                format!("{tries} times")
            };
            html! { <>{ format!("Waits, tried {times}, next ") }{ time(next_at) }{ format!(": {words}") }</> }
        }
        State::GivenUp { at } => {
            html! { <>{ "Given up " }{ time(at) }{ format!(": {words}") }</> }
        }
        State::Moot { .. } => html! { "Was over before it was told" },
    };
    html! { <p><span class="quiet">{ format!("{} ", telling.channel) }</span>{ state }</p> }
}
