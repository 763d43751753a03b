//! One receipt: the totals, then a line for each lead.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::receipt::{Fate, Line, Receipt};
use web::when;
use yew::{Callback, Html, html};

use super::{part, words};
use crate::event::Event;
use crate::model::Model;
use crate::route::Route;

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    html! {
        <>
            { part::heading("Receipt") }
            { part::slot(&model.page.receipt, send, |receipt| show(receipt, model, send)) }
        </>
    }
}

fn show(receipt: &Receipt, model: &Model, send: &Callback<Event>) -> Html {
    let address = model.address_of(&receipt.inbox);
    let lost_for = when::length(receipt.resumed_at.since(receipt.lost_at));
    let at = |at| when::element(at, when::at(at, model.now));
    let campaigns = receipt.campaigns.iter().map(|id| {
        let name = model
            .find_campaign(id)
            .map_or_else(|| id.to_string(), |campaign| campaign.name.clone());
        html! { <li>{ part::link(&Route::Campaign(id.clone()), &name, send) }</li> }
    });
    let told = if receipt.cause == Cause::NeverConnected {
        html! { <>{ format!("{address} was connected for the first time ") }{ at(receipt.resumed_at) }{ "." }</> }
    } else {
        html! {
            <>
                { format!("{address} was lost ") }{ at(receipt.lost_at) }{ " and worked again " }
                { at(receipt.resumed_at) }{ format!(", after {lost_for}.") }
            </>
        }
    };
    let why = (receipt.cause != Cause::NeverConnected)
        .then(|| words::cause(receipt.cause, model.find_inbox(&receipt.inbox)))
        .map(|why| html! { <p class="quiet">{ why }</p> });
    let shifted = Duration::from_millis(receipt.shifted_by_ms);
    let shifted = (shifted >= Duration::from_mins(1))
        .then(|| format!(" Waits were moved by {}.", when::length(shifted)));
    html! {
        <>
            <p>{ told }{ shifted }</p>
            { why }
            { part::figures(&[
                ("Held", receipt.held),
                ("To send", receipt.to_send),
                ("Not sent", receipt.skipped),
                ("In doubt", receipt.in_doubt),
            ]) }
            if !receipt.campaigns.is_empty() {
                <section aria-labelledby="resumed">
                    <h2 id="resumed">{ "Campaigns that went on" }</h2>
                    <ul>{ for campaigns }</ul>
                </section>
            }
            { lines(receipt, model, send) }
        </>
    }
}

fn lines(receipt: &Receipt, model: &Model, send: &Callback<Event>) -> Html {
    if receipt.lines.is_empty() {
        return part::empty("No message had waited.", None);
    }
    let rows = receipt.lines.iter();
    let cut = (receipt.held > receipt.lines.len() as u64)
        .then(|| part::more(receipt.lines.len(), Some(receipt.held), send));
    html! {
        <section aria-labelledby="lines">
            <h2 id="lines">{ "Each message that was held" }</h2>
            { part::table("Each message that was held", &["To", "Step", "At the resume", "Was due", "Due then"], rows.map(|line| row(line, model))) }
            { cut }
        </section>
    }
}

fn row(line: &Line, model: &Model) -> Html {
    let to = model
        .page
        .recipients
        .get(&line.delivery)
        .map_or_else(|| line.lead.to_string(), ToString::to_string);
    let at = |at| when::element(at, when::near(at, model.now));
    let (fate, was_due, due) = match line.fate {
        Fate::Shifted { was_due_at, due_at } => {
            ("Kept, to be sent", Some(at(was_due_at)), Some(at(due_at)))
        }
        Fate::Skipped { why } => (why.words(), None, None),
        Fate::InDoubt => ("In doubt, being settled", None, None),
    };
    html! {
        <tr key={line.delivery.to_string()}>
            <th scope="row">{ to }</th>
            <td>{ line.step }</td>
            <td>{ fate }</td>
            <td>{ was_due }</td>
            <td>{ due }</td>
        </tr>
    }
}
