//! How fast each inbox sends, and a form that changes it, also while campaigns run.

use protocol::budget::{DAILY_CAP_AT_MOST, DISTANCE_AT_MOST, HeldBy};
use protocol::request::pace::{Pace, UpdatePace};
use protocol::timestamp::Timestamp;
use web::when;
use yew::{
    Callback, Html, InputEvent, NodeRef, Properties, SubmitEvent, UseStateHandle, component, html,
    use_effect_with, use_node_ref, use_state_eq,
};

use super::part;
use crate::event::{Deed, Event};
use crate::model::{Model, Slot};

/// The section of the inboxes' page.
pub(super) fn view(model: &Model, send: &Callback<Event>) -> Html {
    // Whoever may not change it has nothing to do here.
    let (Slot::Here(paces), true) = (&model.page.paces, model.may_work()) else {
        return html! {};
    };
    let columns = ["Inbox", "Seconds apart", "A day", "#Last 24 h", "Next"];
    let rows = paces.iter().map(|pace| {
        html! {
            <Row
                key={pace.inbox_id.to_string()}
                pace={pace.clone()}
                now={model.now}
                send={send.clone()}
            />
        }
    });
    part::table("How fast inboxes send", &columns, rows)
}

#[derive(Clone, PartialEq, Properties)]
struct Props {
    pace: Pace,
    now: Timestamp,
    send: Callback<Event>,
}

#[component]
fn Row(props: &Props) -> Html {
    let Props { pace, now, send } = props;
    let (distance, cap) = (use_node_ref(), use_node_ref());
    let problem = use_state_eq(|| None);
    // What is being typed stays, however often the page is drawn anew, until the pace is another one.
    let (typed_distance, typed_cap) = (use_state_eq(|| None), use_state_eq(|| None));
    {
        let typed = [typed_distance.clone(), typed_cap.clone()];
        use_effect_with((pace.distance_ms, pace.daily_cap), move |_| {
            for typed in typed {
                typed.set(None);
            }
        });
    }
    let form = format!("pace-{}", pace.inbox_id);
    let onsubmit = {
        let (distance, cap) = (distance.clone(), cap.clone());
        let (problem, send, inbox_id) = (problem.clone(), send.clone(), pace.inbox_id.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match read(&part::typed(&distance), &part::typed(&cap)) {
                Ok((distance_ms, daily_cap)) => {
                    problem.set(None);
                    send.emit(Event::Asked(Deed::Pace(UpdatePace {
                        inbox_id: inbox_id.clone(),
                        distance_ms: Some(distance_ms),
                        daily_cap: Some(daily_cap),
                        ramp: None,
                        no_ramp: false,
                        organisation_daily_cap: None,
                    })));
                }
                Err(words) => problem.set(Some(words)),
            }
        })
    };
    let next = match (pace.not_before, pace.held_by) {
        (Some(at), Some(HeldBy::DailyCap | HeldBy::OrganisationCap)) => html! {
            <>{ "The day is used up until " }{ when::element(at, when::near(at, *now)) }</>
        },
        (Some(at), Some(HeldBy::Copies)) => html! {
            <>{ "Copies of earlier messages may still come until " }{ when::element(at, when::near(at, *now)) }</>
        },
        (Some(at), _) => when::element(at, when::near(at, *now)),
        (None, _) => html! { "When something is due" },
    };
    let field =
        |field: NodeRef, typed: UseStateHandle<Option<String>>, label: String, now: String| {
            let value = (*typed).clone().unwrap_or(now);
            let input = field.clone();
            let oninput = Callback::from(move |_: InputEvent| typed.set(Some(part::typed(&input))));
            html! {
                <input
                    ref={field}
                    form={form.clone()}
                    type="text"
                    inputmode="decimal"
                    size="6"
                    aria-label={label}
                    {value}
                    {oninput}
                />
            }
        };
    let address = pace.address.as_str();
    let cap_now = pace
        .daily_cap
        .map_or_else(String::new, |cap| cap.to_string());
    html! {
        <tr>
            <th scope="row">{ address }</th>
            <td>{ field(distance, typed_distance, format!("Seconds between two messages of {address}"), seconds(pace.distance_ms)) }</td>
            <td>{ field(cap, typed_cap, format!("Messages of {address} a day; empty for as many as there are"), cap_now) }</td>
            <td class="number">{ pace.tried }</td>
            <td>
                { next }
                <form id={form.clone()} {onsubmit}>
                    <button type="submit">{ "Set" }<span class="unseen">{ format!(" the pace of {address}") }</span></button>
                </form>
                <p role="alert">{ *problem }</p>
            </td>
        </tr>
    }
}

/// Milliseconds as seconds, without zeros that say nothing.
fn seconds(ms: u64) -> String {
    let (whole, rest) = (ms / 1_000, ms % 1_000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:03}")
        .trim_end_matches('0')
        .to_owned()
}

/// What was typed, as milliseconds and as a cap; 0 messages are no cap.
fn read(distance: &str, cap: &str) -> Result<(u64, u32), &'static str> {
    let most = DISTANCE_AT_MOST.as_millis();
    let distance_ms = milliseconds(distance.trim())
        .filter(|ms| u128::from(*ms) <= most)
        .ok_or("Seconds are a number from 0 to 86400, as in 90.")?;
    let cap = match cap.trim() {
        "" => 0,
        text => text
            .parse()
            .ok()
            .filter(|cap| (1..=DAILY_CAP_AT_MOST).contains(cap))
            .ok_or("Messages a day are a number from 1, or nothing for as many as there are.")?,
    };
    Ok((distance_ms, cap))
}

fn milliseconds(text: &str) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let rest: u64 = format!("{rest:0<3}").parse().ok()?;
    whole.checked_mul(1_000)?.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_a_pace_or_is_told_to_be_none() {
        for (distance, cap, expected) in [
            ("90", "50", Some((90_000, 50))),
            (" 0 ", "", Some((0, 0))),
            ("1.5", " 7 ", Some((1_500, 7))),
            ("86400", "100000", Some((86_400_000, 100_000))),
            ("86400.001", "1", None),
            ("", "1", None),
            ("soon", "1", None),
            ("-1", "1", None),
            ("1.2345", "1", None),
            ("1", "0", None),
            ("1", "many", None),
            ("1", "100001", None),
        ] {
            assert_eq!(read(distance, cap).ok(), expected, "{distance:?} {cap:?}");
        }
        for ms in [0, 90_000, 1_500, 250, 1_001] {
            assert_eq!(milliseconds(&seconds(ms)), Some(ms));
        }
    }
}
