//! The prompt: the card alone, in a frame on somebody's page. The page around it may be hostile, so what begins
//! something counts only if [`guard`] finds that a person saw it and pressed it. Nothing is ever typed here: a page can
//! take the keyboard from a frame between two letters, in every browser, and no frame can tell. And no account is
//! confirmed here: not every browser can tell whether the question was covered. Both are done in a window of ours.

use std::cell::Cell;
use std::rc::Rc;

use protocol::timestamp::Timestamp;
use web::card::view::CardView;
use web::card::{Act, Card, Face};
use web::when;
use yew::{
    Callback, Html, KeyboardEvent, NodeRef, Properties, component, html, use_effect_with,
    use_node_ref, use_state_eq,
};

use super::{ask_of, clipboard, line};
use crate::message::{Ask, View};

pub mod guard;
mod sight;

use guard::{Allowed, Ignored};

/// The prompt, with its line to the background.
#[component]
pub fn Prompt() -> Html {
    let told = line::use_line(View::Prompt {
        nonce: sight::nonce(),
    });
    let (frame, content) = (use_node_ref(), use_node_ref());
    let click = sight::use_last_click(&frame);
    let ignored = use_state_eq(|| None);
    {
        let ask = told.ask.clone();
        use_effect_with(content.clone(), move |content| {
            sight::on_height(content, move |height| {
                ask.emit(Ask::Size { height });
            })
        });
    }
    let card = told
        .snapshot
        .as_ref()
        .and_then(|snapshot| snapshot.cards.first().cloned());
    let on_act = {
        let (ask, ignored, card) = (told.ask.clone(), ignored.clone(), card.clone());
        Callback::from(move |act: Act| {
            let Some(card) = &card else { return };
            if let Act::CopyReport(report) = &act {
                clipboard::copy(report);
            }
            let verdict = if begins_something(&act) {
                judge(&click)
            } else {
                Ok(Allowed::Anything)
            };
            ignored.set(verdict.err());
            if let (Ok(allowed), Some(wish)) = (verdict, ask_of(card.inbox.clone(), &act)) {
                ask.emit(within(wish, allowed));
            }
        })
    };
    html! { <PromptView {card} ignored={*ignored} {on_act} {frame} {content} /> }
}

/// Whether an act leads to a sign-in or ends one. The others only put the prompt aside, or copy words.
fn begins_something(act: &Act) -> bool {
    matches!(
        act,
        Act::Reconnect | Act::ReconnectInTab | Act::OpenForm | Act::Cancel
    )
}

fn judge(click: &Rc<Cell<Option<guard::Click>>>) -> Result<Allowed, Ignored> {
    // Each press counts once.
    click
        .take()
        .ok_or(Ignored::NotPressed)
        .and_then(|click| guard::judge(&click))
}

/// What is asked of the background for a press that may begin this.
fn within(wish: Ask, allowed: Allowed) -> Ask {
    match wish {
        Ask::Reconnect { inbox, in_tab, .. } => Ask::Reconnect {
            inbox,
            in_tab,
            skip_silent: allowed == Allowed::InSight,
        },
        other => other,
    }
}

/// What the prompt shows.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The card; `None` before the background said which, and once the prompt is to go.
    pub card: Option<Card>,
    /// Why the last press did not count.
    #[prop_or_default]
    pub ignored: Option<Ignored>,
    /// What was pressed.
    #[prop_or_default]
    pub on_act: Callback<Act>,
    /// The element that fills the frame.
    #[prop_or_default]
    pub frame: NodeRef,
    /// The element that is as high as its content.
    #[prop_or_default]
    pub content: NodeRef,
    /// The time that the words are true at; the browser's when absent.
    #[prop_or_else(when::now)]
    pub now: Timestamp,
}

/// The prompt as a picture.
#[component]
pub fn PromptView(props: &Props) -> Html {
    let onkeydown = {
        let (card, on_act) = (props.card.clone(), props.on_act.clone());
        Callback::from(move |event: KeyboardEvent| {
            if let Some(act) = card
                .as_ref()
                .and_then(put_aside)
                .filter(|_| event.key() == "Escape")
            {
                on_act.emit(act);
            }
        })
    };
    html! {
        <main class="prompt" ref={props.frame.clone()} {onkeydown}>
            <div ref={props.content.clone()}>
                if let Some(card) = &props.card {
                    <h1 class="brand"><img src="icons/16.png" width="16" height="16" alt="" />{ "Unpause" }</h1>
                    <CardView
                        card={card.clone()}
                        on_act={props.on_act.clone()}
                        can_dismiss={true}
                        decides_elsewhere={true}
                        now={props.now}
                    />
                    <p class="ignored" role="status">{ props.ignored.map(Ignored::words) }</p>
                }
            </div>
        </main>
    }
}

/// What the key Escape does: puts the card aside, unless a reconnect is under way on it.
fn put_aside(card: &Card) -> Option<Act> {
    match card.face {
        Face::Working { .. } | Face::Confirm { .. } => None,
        Face::Done(_) => Some(Act::Close),
        Face::Broken(_) | Face::Checking { .. } | Face::Well { .. } => Some(Act::NotNow),
    }
}

#[cfg(test)]
mod tests {
    use protocol::id::InboxId;

    use super::*;

    #[test]
    fn a_press_that_may_have_been_covered_begins_nothing_silently() {
        for (allowed, expected) in [(Allowed::InSight, true), (Allowed::Anything, false)] {
            for act in [Act::Reconnect, Act::ReconnectInTab] {
                let wish = ask_of(InboxId::new("inb_jane"), &act).unwrap();
                let Ask::Reconnect { skip_silent, .. } = within(wish, allowed) else {
                    panic!("{act:?} asks for something else");
                };
                assert_eq!(skip_silent, expected, "{act:?}");
            }
        }
        assert!(
            begins_something(&Act::OpenForm),
            "a covered press opens no window either"
        );
        let cancel = ask_of(InboxId::new("inb_jane"), &Act::Cancel).unwrap();
        assert_eq!(within(cancel.clone(), Allowed::InSight), cancel);
    }
}
