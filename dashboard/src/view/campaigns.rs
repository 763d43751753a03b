//! Every campaign, with what became of its messages.

use protocol::request::campaign::Campaign;
use yew::{Callback, Html, html};

use super::{part, words};
use crate::event::Event;
use crate::model::Model;
use crate::route::Route;

const FIRST: &str = "unpause campaign create --name \"Spring outreach\" --inbox jane@acme.example --steps steps.toml\nunpause campaign import cmp_… leads.csv\nunpause campaign start cmp_…";

pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    html! {
        <>
            { part::heading("Campaigns") }
            if model.status.is_none() {
                { part::waiting(model) }
            } else if model.campaigns().is_empty() {
                { part::empty("No campaign yet. Create one on the machine of the relay:", Some(FIRST)) }
            } else {
                { list(model, send) }
            }
        </>
    }
}

fn list(model: &Model, send: &Callback<Event>) -> Html {
    let columns = [
        "Campaign",
        "State",
        "Progress",
        "#Accepted",
        "#Still to send",
        "#To decide",
    ];
    let rows = model.campaigns().iter().map(|campaign| row(campaign, send));
    part::table("Campaigns", &columns, rows)
}

fn row(campaign: &Campaign, send: &Callback<Event>) -> Html {
    let (class, mark, state) = words::campaign(campaign);
    let counts = &campaign.counts;
    let n_done = counts
        .planned
        .saturating_sub(counts.waiting + counts.attempting);
    let progress = format!("{n_done} of {} settled", counts.planned);
    html! {
        <tr key={campaign.id.to_string()}>
            <th scope="row">
                { part::link(&Route::Campaign(campaign.id.clone()), &campaign.name, send) }
            </th>
            <td>{ part::state(class, mark, state) }</td>
            <td>
                if counts.planned > 0 {
                    <progress
                        value={n_done.to_string()}
                        max={counts.planned.to_string()}
                        aria-label={progress.clone()}
                        title={progress}
                    />
                } else {
                    <span class="quiet">{ "No leads yet" }</span>
                }
            </td>
            <td class="number">{ counts.accepted }</td>
            <td class="number">{ counts.waiting + counts.attempting }</td>
            <td class="number">{ counts.unsettled }</td>
        </tr>
    }
}
