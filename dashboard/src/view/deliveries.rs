//! Deliveries of a campaign: those that a person must decide, and the first of all.

use protocol::delivery::Decision;
use protocol::request::campaign::Campaign;
use protocol::request::delivery::Delivery;
use web::when;
use yew::{Callback, Html, html};

use super::{SHOWN_AT_MOST, part, words};
use crate::event::{Deed, Event};
use crate::model::{Model, Slot};

/// The decisions, the careful one first.
const DECISIONS: [(Decision, &str); 3] = [
    (Decision::Leave, "Take it as sent"),
    (Decision::SendAgain, "Send it again"),
    (Decision::Cancel, "End it"),
];

pub(super) fn to_decide(model: &Model, send: &Callback<Event>) -> Html {
    let Slot::Here(unsettled) = &model.page.unsettled else {
        return html! {};
    };
    if unsettled.is_empty() || !model.may_work() {
        return html! {};
    }
    let row = |delivery: &Delivery| decide(delivery, model, send);
    html! {
        <section class="decide" aria-labelledby="decide">
            <h2 id="decide">{ "Needs your decision" }</h2>
            <p>
                { "The connection ended while these were handed over, and nothing can prove whether the server took them. \
                   Sent again, a message may arrive twice; until you decide, its lead gets nothing more." }
            </p>
            <ul>{ for unsettled.iter().map(row) }</ul>
        </section>
    }
}

fn decide(delivery: &Delivery, model: &Model, send: &Callback<Event>) -> Html {
    let disabled = model.doing.is_some();
    let button = |(decision, label): &(Decision, &'static str)| {
        let deed = Deed::Settle(delivery.id.clone(), *decision);
        let onclick = send.reform(move |_| Event::Asked(deed.clone()));
        let about = format!("{label}: step {} to {}", delivery.step, delivery.to);
        html! { <button type="button" {disabled} {onclick} aria-label={about}>{ *label }</button> }
    };
    html! {
        <li key={delivery.id.to_string()}>
            <span>{ format!("Step {} to {}", delivery.step, delivery.to) }</span>
            <span class="actions">{ for DECISIONS.iter().map(button) }</span>
        </li>
    }
}

pub(super) fn list(campaign: &Campaign, model: &Model, send: &Callback<Event>) -> Html {
    let draw = |deliveries: &Vec<Delivery>| {
        if deliveries.is_empty() && campaign.counts.leads > 0 {
            return part::empty(
                "Its leads get their messages when the campaign is started.",
                None,
            );
        }
        if deliveries.is_empty() {
            let words = "No lead yet. Import them on the machine of the relay:";
            let command = format!("unpause campaign import {} leads.csv", campaign.id);
            return part::empty(words, Some(&command));
        }
        let is_full = deliveries.len().is_multiple_of(SHOWN_AT_MOST as usize);
        let note = is_full.then(|| part::more(deliveries.len(), None, send));
        let rows = deliveries.iter().map(|delivery| row(delivery, model));
        html! {
            <>
                { part::table("Deliveries", &["To", "Step", "State", "When", "What the server said"], rows) }
                { note }
            </>
        }
    };
    html! {
        <section aria-labelledby="deliveries">
            <h2 id="deliveries">{ "Deliveries" }</h2>
            { part::slot(&model.page.deliveries, send, draw) }
        </section>
    }
}

fn row(delivery: &Delivery, model: &Model) -> Html {
    let (state, at) = words::delivery(delivery);
    html! {
        <tr key={delivery.id.to_string()}>
            <th scope="row">{ delivery.to.as_str() }</th>
            <td>{ delivery.step }</td>
            <td>{ state }</td>
            <td>{ at.map(|at| when::element(at, when::near(at, model.now))) }</td>
            <td class="quiet">{ delivery.words.clone().unwrap_or_default() }</td>
        </tr>
    }
}
