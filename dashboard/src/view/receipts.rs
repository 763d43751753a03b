//! The receipts: one for each outage that ended.

use protocol::receipt::Receipt;
use web::when;
use yew::{Callback, Html, html};

use super::part;
use crate::event::Event;
use crate::model::Model;
use crate::route::Route;

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    let draw = |receipts: &Vec<Receipt>| {
        if receipts.is_empty() {
            let words = "No receipt yet. Each reconnect leaves one here: what was held, and what became of it.";
            return part::empty(words, None);
        }
        let columns = [
            "Resumed",
            "Inbox",
            "Lost for",
            "#Held",
            "#To send",
            "#Not sent",
            "#In doubt",
        ];
        let rows = receipts.iter().map(|receipt| row(receipt, model, send));
        part::table("Receipts", &columns, rows)
    };
    html! {
        <>
            { part::heading("Receipts") }
            { part::slot(&model.page.receipts, send, draw) }
        </>
    }
}

fn row(receipt: &Receipt, model: &Model, send: &Callback<Event>) -> Html {
    let at = when::at(receipt.resumed_at, model.now);
    let to = Route::Receipt(receipt.id.clone());
    html! {
        <tr key={receipt.id.to_string()}>
            <th scope="row">
                { part::link_as(&to, when::element(receipt.resumed_at, at), None, send) }
            </th>
            <td>{ model.address_of(&receipt.inbox) }</td>
            <td>{ when::length(receipt.resumed_at.since(receipt.lost_at)) }</td>
            <td class="number">{ receipt.held }</td>
            <td class="number">{ receipt.to_send }</td>
            <td class="number">{ receipt.skipped }</td>
            <td class="number">{ receipt.in_doubt }</td>
        </tr>
    }
}
