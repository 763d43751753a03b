//! The card as Yew draws it: the same on a page, in the popup and on the dashboard. Its look is `look/card.css`.

use protocol::card::Remedy;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use yew::{
    Callback, Html, NodeRef, Properties, classes, component, html, use_effect_with, use_mut_ref,
    use_node_ref, use_state_eq,
};

use super::password::PasswordView;
use super::sentence::{self, Timed};
use super::{Act, Broken, Card, Done, Face, Held, Line, LineState, Link, PasswordForm};
use crate::icon::{self, Icon};
use crate::when;

/// A card and what to do with what is pressed on it.
#[derive(Clone, PartialEq, Properties)]
pub struct Props {
    /// The card.
    pub card: Card,
    /// What was pressed.
    pub on_act: Callback<Act>,
    /// Whether it can be put aside: the prompt on a page can, the card on a campaign's page cannot.
    #[prop_or_default]
    pub can_dismiss: bool,
    /// Whether whoever shows it can make a link for another browser.
    #[prop_or_default]
    pub can_link: bool,
    /// Whether it stands in a frame on somebody's page, where nobody should type a password or confirm an account.
    #[prop_or_default]
    pub decides_elsewhere: bool,
    /// The time that its words are true at; the browser's when absent.
    #[prop_or_else(when::now)]
    pub now: Timestamp,
}

/// A card.
#[component]
pub fn CardView(props: &Props) -> Html {
    let Props {
        card,
        on_act,
        can_dismiss,
        can_link,
        decides_elsewhere,
        now,
    } = props;
    let section = use_node_ref();
    use_kept_focus(&section, kind(&card.face));
    // A link is as good as the sign-in that it leads to.
    let copied = use_state_eq(|| None::<Secret>);
    let on_copied = {
        let copied = copied.clone();
        Callback::from(move |text: Secret| copied.set(Some(text)))
    };
    let drawn = Drawing {
        card,
        on_act,
        can_dismiss: *can_dismiss,
        can_link: *can_link,
        decides_elsewhere: *decides_elsewhere,
        now: *now,
        heading: format!("card-{}", card.inbox),
        copied: copied.as_ref(),
        on_copied,
    };
    let (body, live) = match &card.face {
        Face::Well { since } => (drawn.well(*since), html! {}),
        Face::Checking { since } => (drawn.checking(*since), html! {}),
        Face::Broken(broken) => {
            let live = copied.is_some().then_some(match broken.remedy {
                Remedy::AskAdmin | Remedy::AskConsent => "The request was copied.",
                _ => "The report was copied.",
            });
            (
                drawn.broken(broken),
                html! { <p class="unseen">{ live }</p> },
            )
        }
        Face::Confirm { question, held } => (drawn.confirm(question, held.as_ref()), html! {}),
        Face::Working {
            lines,
            hint,
            link,
            can_cancel,
        } => (
            drawn.working(link.as_ref(), *can_cancel),
            html! {
                <>
                    { self::lines(lines, hint.as_deref()) }
                    if copied.is_some() {
                        <p class="unseen">{ "The link was copied." }</p>
                    }
                </>
            },
        ),
        Face::Done(done) => (drawn.done_actions(done), drawn.done(done)),
    };
    let kind = kind(&card.face);
    let head = drawn.head();
    // The region is there from the start, or what is put into it would not be read out.
    html! {
        <section
            ref={section}
            class={classes!("card", format!("card-{kind}"))}
            aria-labelledby={drawn.heading.clone()}
            tabindex="-1"
        >
            { head }
            <div class="card-live" role="status" aria-live="polite" aria-atomic="false">{ live }</div>
            { body }
        </section>
    }
}

fn kind(face: &Face) -> &'static str {
    match face {
        Face::Well { .. } => "well",
        Face::Checking { .. } => "checking",
        Face::Broken(_) => "broken",
        Face::Confirm { .. } => "confirm",
        Face::Working { .. } => "working",
        Face::Done(_) => "done",
    }
}

/// When the face changes, the button that was pressed is gone; whoever works by keyboard stays on the card.
#[yew::hook]
fn use_kept_focus(section: &NodeRef, kind: &'static str) {
    let before = use_mut_ref(|| kind);
    let section = section.clone();
    use_effect_with(kind, move |kind| {
        let changed = before.replace(kind) != *kind;
        let section = section.cast::<web_sys::HtmlElement>();
        if let Some(section) = section.filter(|_| changed && is_focus_lost()) {
            // An element that has left the page takes no focus, and that is all there is to it.
            let _ = section.focus();
        }
    });
}

fn is_focus_lost() -> bool {
    let document = web_sys::window().and_then(|window| window.document());
    document.is_some_and(|document| {
        // A prompt never takes the focus from the page that it stands on.
        document.has_focus().unwrap_or(false)
            && document
                .active_element()
                .is_none_or(|focused| focused.tag_name() == "BODY")
    })
}

struct Drawing<'a> {
    card: &'a Card,
    on_act: &'a Callback<Act>,
    can_dismiss: bool,
    can_link: bool,
    decides_elsewhere: bool,
    now: Timestamp,
    heading: String,
    copied: Option<&'a Secret>,
    on_copied: Callback<Secret>,
}

impl Drawing<'_> {
    fn head(&self) -> Html {
        let address = &self.card.address;
        let (mark, title) = match &self.card.face {
            Face::Well { .. } => (Icon::Tick, format!("{address} is connected")),
            Face::Checking { .. } => (Icon::Turning, format!("{address} is being checked")),
            Face::Broken(broken) => (Icon::Broken, broken.title.clone()),
            Face::Confirm { .. } => (Icon::Going, "Is this the right account?".to_owned()),
            Face::Working { .. } => (Icon::Going, format!("Reconnecting {address}")),
            Face::Done(done) => (Icon::Tick, sentence::ended(address, done)),
        };
        let names_inbox = title.contains(address.as_str());
        html! {
            <header class="card-head">
                <span class="card-mark">{ icon::view(mark) }</span>
                <div>
                    <h2 id={self.heading.clone()}>{ &title }</h2>
                    if !names_inbox {
                        <p class="card-inbox">{ address }</p>
                    }
                </div>
            </header>
        }
    }

    fn well(&self, since: Timestamp) -> Html {
        html! {
            <p class="quiet">{ "It sends and reads " }{ self.since(since) }{ "." }</p>
        }
    }

    fn checking(&self, since: Timestamp) -> Html {
        html! {
            <p class="quiet">
                { "The relay met a failure and makes sure of it, " }{ self.since(since) }
                { ". There is nothing to do; nothing is lost." }
            </p>
        }
    }

    fn confirm(&self, question: &str, held: Option<&Held>) -> Html {
        html! {
            <>
                <p>{ question }{ " Use it?" }</p>
                { self.held(held) }
                if self.decides_elsewhere {
                    <p class="card-expects">
                        { "A window of Unpause opens for the answer: no page can cover it." }
                    </p>
                }
                <div class="actions">
                    if self.decides_elsewhere {
                        { self.button("primary", "Answer in a window", Act::OpenForm) }
                    } else {
                        { self.button("primary", "Use this sign-in", Act::Confirm) }
                        { self.button("", "Do not use it", Act::Deny) }
                    }
                </div>
            </>
        }
    }

    fn held(&self, held: Option<&Held>) -> Option<Html> {
        held.map(|held| {
            let timed = sentence::held(held, self.now);
            html! { <p class="card-held">{ timed_html(&timed, held.since) }</p> }
        })
    }

    fn broken(&self, broken: &Broken) -> Html {
        let held = self.held(broken.held.as_ref());
        let since = (broken.held.is_none() && !broken.is_refusal).then(|| {
            html! { <p class="card-held">{ "No message waits; it is like this " }{ self.since(broken.since) }{ "." }</p> }
        });
        let expects = broken
            .expects
            .as_ref()
            .map(|expects| html! { <p class="card-expects">{ expects }</p> });
        // Who signed in instead, or which address was refused, is half of what there is to know.
        let is_open = broken.remedy == Remedy::ReconnectAsInbox;
        html! {
            <>
                <p>{ &broken.explanation }</p>
                { held }
                { since }
                { expects }
                if let Some(form) = &broken.password {
                    { self.password(form, broken) }
                } else {
                    <div class="actions">
                        { self.remedy(broken) }
                        if broken.other_way {
                            { self.button("", "Use a tab instead", Act::ReconnectInTab) }
                        }
                        { self.not_now() }
                    </div>
                }
                if self.can_link && broken.expects.is_some() {
                    <details>
                        <summary>{ "Not signed in here?" }</summary>
                        <p>{ "A link does the sign-in in another browser: the one where you are signed in at the provider." }</p>
                        <div class="actions">{ self.button("", "Make a link", Act::MakeLink) }</div>
                    </details>
                }
                if broken.remedy == Remedy::TellOperator && !broken.is_refusal {
                    <details>
                        <summary>{ "When it is corrected" }</summary>
                        <p>{ "The campaigns go on by themselves: when the relay is started again, or within the hour. If they do not, sign in once more." }</p>
                        <div class="actions">{ self.button("", "Sign in again", Act::Reconnect) }</div>
                    </details>
                }
                if let Some(evidence) = &broken.evidence {
                    <details open={is_open}>
                        <summary>{ "What the server said" }</summary>
                        <pre tabindex="0">{ evidence }</pre>
                    </details>
                }
            </>
        }
    }

    /// The form in the place of the button, or the way to it. What is another person's to do stands above it.
    fn password(&self, form: &PasswordForm, broken: &Broken) -> Html {
        let is_others = matches!(
            broken.remedy,
            Remedy::TellOperator | Remedy::CorrectServers | Remedy::AskAdmin | Remedy::AskConsent
        );
        let report = is_others.then(|| self.report(broken));
        let report = report.map(|report| html! { <div class="actions">{ report }</div> });
        if self.decides_elsewhere {
            let label = format!("Enter the {}", lowered(&form.label));
            return html! {
                <>
                    { report }
                    <p class="card-expects">
                        { "A window of Unpause opens for it: there no page can read along." }
                    </p>
                    <div class="actions">
                        { self.button("primary", &label, Act::OpenForm) }
                        { self.not_now() }
                    </div>
                </>
            };
        }
        let id = format!("card-{}", self.card.inbox);
        let on_given = self.on_act.reform(Act::GivePassword);
        html! {
            <>
                { report }
                <PasswordView form={form.clone()} {id} {on_given}>{ self.not_now() }</PasswordView>
            </>
        }
    }

    fn not_now(&self) -> Html {
        html! {
            if self.can_dismiss {
                { self.button("plain", "Not now", Act::NotNow) }
            }
        }
    }

    /// The one thing to do. Where that is another person's, the way on afterwards stands beside it.
    fn remedy(&self, broken: &Broken) -> Html {
        let label = broken.button.clone();
        match broken.remedy {
            Remedy::Reconnect
            | Remedy::ReconnectAsInbox
            | Remedy::NewAppPassword
            | Remedy::SignInInstead => label.map_or_else(
                || self.button("primary", "Try again", Act::Reconnect),
                |label| self.button("primary", &label, Act::Reconnect),
            ),
            // The servers stand in the relay's configuration, so both are the operator's to correct.
            Remedy::TellOperator
            | Remedy::CorrectServers
            | Remedy::AskAdmin
            | Remedy::AskConsent => {
                // A sign-in cannot help before it is corrected; after that, the way on is below.
                let again = match broken.remedy {
                    Remedy::AskAdmin | Remedy::AskConsent => {
                        self.button("", "It is allowed: reconnect", Act::Reconnect)
                    }
                    Remedy::CorrectServers => {
                        self.button("", "It is corrected: reconnect", Act::Reconnect)
                    }
                    _ if broken.is_refusal => self.button("plain", "Close", Act::Close),
                    _ => html! {},
                };
                html! {
                    <>
                        { self.report(broken) }
                        { again }
                    </>
                }
            }
            Remedy::Wait | Remedy::Nothing => self.button("", "Try now", Act::Reconnect),
        }
    }

    /// The button that copies what another person needs to know.
    fn report(&self, broken: &Broken) -> Html {
        let report = match broken.remedy {
            Remedy::AskAdmin | Remedy::AskConsent => sentence::request(self.card, broken),
            _ => sentence::report(self.card, broken),
        };
        let label = broken.remedy.button().unwrap_or_default();
        self.copy(label, Secret::new(report.clone()), Act::CopyReport(report))
    }

    /// A button that copies this text by that act, and says when it has.
    fn copy(&self, label: &'static str, text: Secret, act: Act) -> Html {
        let is_copied = self.copied == Some(&text);
        let (on_act, on_copied) = (self.on_act.clone(), self.on_copied.clone());
        let onclick = Callback::from(move |_| {
            on_act.emit(act.clone());
            on_copied.emit(text.clone());
        });
        let (icon, label) = if is_copied {
            (Icon::Tick, "Copied")
        } else {
            (Icon::Copy, label)
        };
        html! {
            <button type="button" class="primary" {onclick}>{ icon::view(icon) }{ label }</button>
        }
    }

    fn working(&self, link: Option<&Link>, can_cancel: bool) -> Html {
        let button = match link {
            Some(Link::Here(link)) => {
                self.copy("Copy the link", link.clone(), Act::CopyLink(link.clone()))
            }
            Some(Link::Gone) if self.can_link => self.button("", "Make a new link", Act::MakeLink),
            _ => Html::default(),
        };
        html! {
            <>
                if let Some(Link::Here(link)) = link {
                    <pre tabindex="0">{ link.expose() }</pre>
                }
                if can_cancel {
                    <div class="actions">
                        { button }
                        { self.button("", "Cancel", Act::Cancel) }
                    </div>
                }
            </>
        }
    }

    fn done(&self, done: &Done) -> Html {
        let next = done
            .next_at
            .zip(sentence::next(done, self.now))
            .map(|(at, timed)| html! { <p class="card-next">{ timed_html(&timed, at) }</p> });
        html! {
            <>
                { next }
                if let Some(fates) = sentence::fates(done) {
                    <p>{ fates }</p>
                }
                if let Some(shifted) = sentence::shifted(done) {
                    <p class="quiet">{ shifted }</p>
                }
            </>
        }
    }

    fn done_actions(&self, done: &Done) -> Html {
        html! {
            <div class="actions">
                if let Some(receipt) = &done.receipt {
                    { self.button("", "See the receipt", Act::ShowReceipt(receipt.clone())) }
                }
                { self.button("plain", "Close", Act::Close) }
            </div>
        }
    }

    fn button(&self, class: &'static str, label: &str, act: Act) -> Html {
        let onclick = self.on_act.reform(move |_| act.clone());
        html! { <button type="button" {class} {onclick}>{ label }</button> }
    }

    fn since(&self, at: Timestamp) -> Html {
        when::element(at, when::since(at, self.now))
    }
}

/// A label in the middle of a sentence.
fn lowered(label: &str) -> String {
    let mut letters = label.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_lowercase(), letters.as_str())
    })
}

fn lines(lines: &[Line], hint: Option<&str>) -> Html {
    let line = |line: &Line| {
        let (mark, state, said) = match line.state {
            LineState::Done => (Icon::Tick, "done", "Done: "),
            LineState::Now => (Icon::Turning, "now", "Now: "),
            LineState::Next => (Icon::Dot, "next", "To come: "),
        };
        let server = line
            .server
            .as_ref()
            .map(|server| html! { <span class="line-server">{ server }</span> });
        html! {
            <li class={format!("line-{state}")}>
                { icon::view(mark) }
                <span class="unseen">{ said }</span>
                <span class="line-text">{ &line.text }</span>
                { server }
            </li>
        }
    };
    html! {
        <>
            <ol class="card-lines">{ for lines.iter().map(line) }</ol>
            if let Some(hint) = hint {
                <p class="card-hint">{ hint }</p>
            }
        </>
    }
}

fn timed_html(timed: &Timed, at: Timestamp) -> Html {
    html! {
        <>{ &timed.before }{ when::element(at, timed.time.clone()) }{ &timed.after }</>
    }
}

#[cfg(test)]
mod tests;
