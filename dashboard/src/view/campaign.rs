//! One campaign: why it is paused and the card that ends it, its steps, its deliveries.

use std::time::Duration;

use protocol::campaign::{PausedBy, State, Step};
use protocol::id::CampaignId;
use protocol::request::campaign::Campaign;
use protocol::timestamp::Timestamp;
use web::icon::{self, Icon};
use web::when;
use yew::{Callback, Html, html};

use super::{deliveries, part, words};
use crate::event::{Deed, Event};
use crate::model::Model;
use crate::route::Route;

pub(super) fn view(model: &Model, send: &Callback<Event>, id: &CampaignId) -> Html {
    let Some(campaign) = model.find_campaign(id) else {
        return missing(model, send);
    };
    let cards = campaign.inboxes.iter().filter_map(|inbox| {
        let card = model.find_card(model.find_inbox(inbox)?)?;
        Some(part::card(&card, model, send))
    });
    let refused = campaign.inboxes.iter().filter_map(|inbox| {
        let inbox = model.find_inbox(inbox)?;
        super::inboxes::refused(inbox, model)
    });
    html! {
        <>
            { head(campaign, model, send) }
            <div class="paused">
                { banner(campaign, model) }
                { for cards }
            </div>
            { for refused }
            { deliveries::to_decide(model, send) }
            { part::figures(&words::counts(&campaign.counts)) }
            { steps(model, send) }
            { deliveries::list(campaign, model, send) }
        </>
    }
}

fn missing(model: &Model, send: &Callback<Event>) -> Html {
    if model.status.is_none() {
        return html! { <>{ part::heading("Campaign") }{ part::waiting(model) }</> };
    }
    html! {
        <>
            { part::heading("There is no such campaign") }
            <p>{ part::link(&Route::Campaigns, "See all campaigns", send) }</p>
        </>
    }
}

fn head(campaign: &Campaign, model: &Model, send: &Callback<Event>) -> Html {
    let (class, mark, state) = words::campaign(campaign);
    let id = || campaign.id.clone();
    let (label, kind, deed) = match &campaign.status {
        State::Draft => ("Start the campaign", "primary", Some(Deed::Start(id()))),
        State::Running => ("Pause the campaign", "", Some(Deed::Pause(id()))),
        State::Paused {
            by: PausedBy::Person,
            ..
        } => ("Resume the campaign", "primary", Some(Deed::Resume(id()))),
        State::Paused { .. } | State::Finished { .. } => ("", "", None),
    };
    // Of a pause the banner says more.
    let is_paused = matches!(campaign.status, State::Paused { .. });
    let disabled = model.doing.is_some();
    let action = deed.filter(|_| model.may_work()).map(|deed| {
        let onclick = send.reform(move |_| Event::Asked(deed.clone()));
        html! { <button type="button" class={kind} {disabled} {onclick}>{ label }</button> }
    });
    html! {
        <div class="page-head">
            <div>
                { part::heading(&campaign.name) }
                if !is_paused {
                    { part::state(class, mark, state) }
                }
            </div>
            { action }
        </div>
    }
}

/// Why it does not send. The extension reads this: once, with the word and the inbox's address.
fn banner(campaign: &Campaign, model: &Model) -> Html {
    let State::Paused { by, since } = &campaign.status else {
        return html! {};
    };
    match by {
        PausedBy::Cause { inbox, .. } => html! {
            <div class="banner" role="alert">
                { icon::view(Icon::Paused) }
                <p>
                    <strong>{ "Paused" }</strong>{ " " }{ since_when(*since, model) }
                    { format!(": {} is disconnected.", model.address_of(inbox)) }
                </p>
            </div>
        },
        PausedBy::Person => html! {
            <div class="banner banner-quiet">
                { icon::view(Icon::Paused) }
                <p><strong>{ "Paused by a person" }</strong>{ " " }{ since_when(*since, model) }{ ". Nothing is sent until it is resumed." }</p>
            </div>
        },
    }
}

fn since_when(at: Timestamp, model: &Model) -> Html {
    when::element(at, when::since(at, model.now))
}

fn steps(model: &Model, send: &Callback<Event>) -> Html {
    html! {
        <section aria-labelledby="steps">
            <h2 id="steps">{ "Steps" }</h2>
            { part::slot(&model.page.steps, send, |steps| steps_table(steps)) }
        </section>
    }
}

fn steps_table(steps: &[Step]) -> Html {
    let row = |(idx, step): (usize, &Step)| {
        let subject = if step.subject.is_empty() {
            html! { <span class="quiet">{ "Answers in the thread" }</span> }
        } else {
            html! { &step.subject }
        };
        let wait = if idx == 0 {
            "At the start".to_owned()
        } else {
            let wait = when::length(Duration::from_millis(step.wait_ms));
            words::capitalised(&format!("{wait} after the one before"))
        };
        html! {
            <tr>
                <th scope="row">{ idx + 1 }</th>
                <td>{ subject }</td>
                <td>{ wait }</td>
            </tr>
        }
    };
    part::table(
        "Steps",
        &["Step", "Subject", "When"],
        steps.iter().enumerate().map(row),
    )
}
