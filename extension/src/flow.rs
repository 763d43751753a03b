//! The reconnect of one inbox, as this browser goes through it: a pure decision over a state that may be written
//! down at any moment. No secret is in the state: code, verifier and tokens are in the memory of whoever performs
//! (`background::reconnect`), and what waits for the relay is sealed.
//!
//! ```text
//! Idle → Starting → AtProvider → Exchanging → HandingOver → Proving → Over
//!   │        │ (window, tab, other browser)       ↑ ↑        ↓↑
//!   │        │                                    │ │    Unconfirmed
//!   │        └───── the relay is further already ─┘ │   any of them → Over (cancelled, failed, out of time)
//!   └──→ Giving (a password) ───────────────────────┘
//! ```

use std::time::Duration;

use protocol::card::Words;
use protocol::id::{ReceiptId, ReconnectId};
use protocol::receipt::Receipt;
use protocol::reconnect::{Authorization, Stage};
use protocol::request::inbox::ConnectionState;
use protocol::request::reconnect::{Reconnect, StartedReconnect};
use protocol::sealed::Sealed;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use web::card::{Given, Progress, Stopped};

pub mod authorization;
mod ending;
mod password;
mod provider;
mod relay;
pub mod window;

use authorization::Answer;
use ending::{keep, stop};
use window::WindowEnd;

#[cfg(test)]
mod tests;

/// How long a person has at the provider, and the relay for its proof: as the relay's own default.
pub const AT_MOST: Duration = Duration::from_mins(10);
/// How often the relay is asked how far it is. It also keeps the background awake.
pub const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// How far the reconnect of an inbox has come here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is none.
    #[default]
    Idle,
    /// The relay is asked to start or join one.
    Starting {
        /// How.
        wish: Wish,
        /// When to give up.
        deadline: Timestamp,
    },
    /// The relay is asked to start or join one for a password that the person gave. Only whoever performs has it.
    Giving {
        /// When to give up.
        deadline: Timestamp,
    },
    /// The person signs in.
    AtProvider {
        /// The reconnect.
        reconnect: ReconnectId,
        /// Where.
        way: Way,
        /// What the visits are made of; nothing in it is secret.
        authorization: Box<Authorization>,
        /// When to give up.
        deadline: Timestamp,
    },
    /// The code came back, and is being made into something sealed.
    Exchanging {
        /// The reconnect.
        reconnect: ReconnectId,
        /// When to give up.
        deadline: Timestamp,
    },
    /// Something is on its way to the relay, again and again until it says that it has it.
    HandingOver {
        /// The reconnect.
        reconnect: ReconnectId,
        /// What.
        what: Handover,
        /// When to give up.
        deadline: Timestamp,
    },
    /// The relay proves it.
    Proving {
        /// The reconnect.
        reconnect: ReconnectId,
        /// The last stage that the relay has on record.
        stage: Option<Stage>,
        /// Who signed in, once that is known and where the provider told a name.
        signed_in_as: Option<String>,
        /// When to give up.
        deadline: Timestamp,
    },
    /// A sign-in works that the inbox does not know: the person says whether it is meant.
    Unconfirmed {
        /// The reconnect.
        reconnect: ReconnectId,
        /// What is asked, in words.
        question: String,
        /// When to give up.
        deadline: Timestamp,
    },
    /// It ended.
    Over {
        /// How.
        ending: Ending,
    },
}

/// How the person wants to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Where.
    pub place: Place,
    /// Without the visits that ask nobody: the press may not have been meant.
    pub skip_silent: bool,
}

/// Where the person wants to sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the window that the browser has for it.
    #[default]
    Window,
    /// In a tab.
    Tab,
    /// In another browser, by a link.
    Elsewhere,
}

/// Where the person signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// In a window that the browser opens for it.
    Window {
        /// Which of the authorization's visits, from 0.
        visit: usize,
        /// The window, once it is open; a visit that is answered at once has none.
        window: Option<i32>,
    },
    /// In a tab, where the relay runs the sign-in itself.
    Tab {
        /// The tab, once it is open.
        tab: Option<i32>,
        /// Whether the person has closed it.
        is_closed: bool,
    },
    /// In another browser, by a link to where the relay runs the sign-in. Only whoever performs has the link.
    Elsewhere {
        /// Whether it was made.
        is_made: bool,
    },
}

/// What the relay is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handover {
    /// What the person obtained.
    Grant {
        /// Sealed to the relay's key.
        sealed: Sealed,
    },
    /// That the provider said no, or the person did there.
    Refusal {
        /// The `error` of the redirect.
        error: String,
        /// The `error_description`.
        description: Option<String>,
    },
    /// That the person called it off.
    Cancellation {
        /// Whether the person already wants it again, and then how.
        again: Option<Wish>,
    },
    /// That the provider's page was closed: the relay finds out whether it could have answered at all.
    Closing {
        /// Whether it was in a tab and not in a window.
        in_tab: bool,
        /// Whether the person already wants it again, and then how.
        again: Option<Wish>,
    },
    /// That what came back was no answer to this sign-in.
    MixUp {
        /// What did not match.
        words: String,
    },
    /// That the account that signed in is meant.
    Confirmation,
    /// That it is not.
    Denial,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The inbox works again.
    Resumed {
        /// The proof's name.
        id: ReceiptId,
        /// The proof, once it was read; of its lines only the next to go out.
        receipt: Option<Box<Receipt>>,
    },
    /// The relay or the provider said no.
    Refused {
        /// The words for people.
        words: Words,
        /// The server's own words.
        evidence: Option<String>,
    },
    /// It ended on this side.
    Stopped {
        /// Why.
        why: Stopped,
    },
}

/// What happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// The person wants it.
    Clicked(Wish),
    /// The person says that the account that signed in is meant.
    Confirmed,
    /// The person says that it is not.
    Denied,
    /// The person gives a password.
    PasswordGiven(Given),
    /// The relay started or joined one, and the password is sealed for it.
    PasswordSealed {
        /// What it started or joined.
        started: Box<StartedReconnect>,
        /// The password; `None` where the pinned key is no key, or nothing waits for it.
        sealed: Option<Sealed>,
    },
    /// The person calls it off.
    Cancelled,
    /// The person has read how it ended.
    Closed,
    /// The relay started or joined one.
    Started(Box<StartedReconnect>),
    /// The relay's key is not the one that was pinned.
    OtherKey,
    /// What the relay names for the sign-in is not the provider's.
    OtherProvider {
        /// What.
        words: String,
    },
    /// The window's answer came.
    Answered(Answer),
    /// The window ended without an answer.
    WindowEnded(WindowEnd),
    /// The browser opened a window for the visit.
    WindowOpened {
        /// Its number.
        window: i32,
    },
    /// The tab is open.
    TabOpened {
        /// Its number.
        tab: i32,
    },
    /// No tab could be opened.
    TabFailed {
        /// The browser's words.
        words: String,
    },
    /// The link for another browser is made.
    LinkMade,
    /// A tab was closed.
    TabClosed {
        /// Its number.
        tab: i32,
    },
    /// What was obtained is sealed.
    Sealed(Sealed),
    /// The token endpoint refused the code.
    ExchangeFailed {
        /// Its `error` (RFC 6749 §5.2); `None` where it said none.
        error: Option<String>,
        /// Its words.
        words: String,
    },
    /// The relay has what was handed over.
    Acknowledged(Reconnect),
    /// The relay says where the reconnect stands.
    Polled(Reconnect),
    /// It could not be asked; the next look may find it.
    PollFailed,
    /// A call that the state waits for failed.
    CallFailed(CallFailure),
    /// The receipt was read.
    ReceiptRead(Box<Receipt>),
    /// The background was ended, and has just been woken.
    Woke,
    /// Some time has passed.
    Ticked,
    /// The relay says how the inbox is.
    Seen {
        /// Its connection.
        connection: ConnectionState,
        /// Since when.
        since: Timestamp,
    },
}

/// Why a call of the relay failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// It does not answer.
    Unreachable {
        /// Where it was looked for.
        url: String,
    },
    /// Something else answers in its place.
    NotTheRelay,
    /// What was asked does not fit the state of things any more.
    Conflict {
        /// Its words.
        words: String,
    },
    /// It cannot now, and may later.
    Busy {
        /// Its words.
        words: String,
    },
    /// It said no.
    Refused {
        /// Its words.
        words: String,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Compare the relay's key, then start or join. Comes back as `Started`, `OtherKey` or `CallFailed`.
    Start,
    /// Compare the relay's key, start or join, and seal this at once. Comes back as `PasswordSealed`, `OtherKey` or
    /// `CallFailed`.
    Give(Given),
    /// Visit the provider in a window; the visit before it counts no more. Comes back as `Answered` or
    /// `WindowEnded`.
    Visit {
        /// The reconnect.
        reconnect: ReconnectId,
        /// Which visit, from 0.
        visit: usize,
        /// How it is made.
        authorization: Box<Authorization>,
    },
    /// Let the relay run the sign-in, in a tab. Comes back as `TabOpened`, `TabFailed` or `CallFailed`.
    Host(ReconnectId),
    /// Make a link to where the relay runs the sign-in, and keep it in memory. Comes back as `LinkMade` or
    /// `CallFailed`.
    MakeLink(ReconnectId),
    /// Close the window of a visit.
    CloseWindow(i32),
    /// Close a tab.
    CloseTab(i32),
    /// Make the code into something sealed. Comes back as `Sealed`, `ExchangeFailed` or `OtherKey`.
    Obtain {
        /// The reconnect that it is sealed for.
        reconnect: ReconnectId,
        /// How the code is exchanged, and where.
        authorization: Box<Authorization>,
        /// The code.
        code: Secret,
    },
    /// Tell the relay. Comes back as `Acknowledged` or `CallFailed`.
    HandOver {
        /// The reconnect.
        reconnect: ReconnectId,
        /// What.
        what: Handover,
        /// After this delay.
        after: Duration,
    },
    /// Ask the relay where it stands, unless it is being asked. Comes back as `Polled` or `PollFailed`.
    Poll {
        /// The reconnect.
        reconnect: ReconnectId,
        /// After this delay.
        after: Duration,
    },
    /// Read the receipt. Comes back as `ReceiptRead`.
    ReadReceipt(ReceiptId),
    /// Forget the visit in memory, whose answer counts no more, and the link.
    Forget,
    /// Ask the relay how its inboxes are.
    Look,
}

/// The next state and what to do.
pub fn decide(state: State, event: Event, now: Timestamp) -> (State, Vec<Effect>) {
    match event {
        Event::Clicked(wish) => provider::click(state, wish, now),
        Event::Confirmed => relay::judge(state, Handover::Confirmation),
        Event::Denied => relay::judge(state, Handover::Denial),
        Event::PasswordGiven(given) => password::give(state, given, now),
        Event::PasswordSealed { started, sealed } => password::sealed(state, *started, sealed, now),
        Event::Cancelled => relay::cancel(state, now),
        Event::Closed => match state {
            State::Over { .. } => (State::Idle, Vec::new()),
            other => keep(other),
        },
        Event::Started(started) => provider::begin(state, *started, now),
        Event::OtherKey => match state {
            State::Starting { .. } | State::Giving { .. } | State::Exchanging { .. } => {
                stop(&state, Stopped::OtherKey)
            }
            other => keep(other),
        },
        Event::OtherProvider { words } => match state {
            State::AtProvider { .. } => stop(&state, Stopped::OtherProvider { words }),
            other => keep(other),
        },
        Event::Answered(answer) => provider::answered(state, answer, now),
        Event::WindowEnded(end) => provider::window_ended(state, &end, now),
        Event::WindowOpened { window } => provider::window_opened(state, window),
        Event::TabOpened { tab } => provider::tab_opened(state, tab),
        Event::TabFailed { words } => match state {
            State::AtProvider {
                way: Way::Tab { tab: None, .. },
                ..
            } => stop(&state, Stopped::WindowFailed { words }),
            other => keep(other),
        },
        Event::LinkMade => provider::link_made(state),
        Event::TabClosed { tab } => provider::tab_closed(state, tab),
        Event::Sealed(sealed) => match state {
            State::Exchanging {
                reconnect,
                deadline,
            } => relay::hand_over(reconnect, Handover::Grant { sealed }, deadline),
            other => keep(other),
        },
        Event::ExchangeFailed { error, words } => match (state, error) {
            // What it means is the relay's to say, as where the relay exchanges.
            (
                State::Exchanging {
                    reconnect,
                    deadline,
                },
                Some(error),
            ) => {
                let description = Some(words);
                relay::hand_over(
                    reconnect,
                    Handover::Refusal { error, description },
                    deadline,
                )
            }
            (state @ State::Exchanging { .. }, None) => {
                stop(&state, Stopped::ExchangeFailed { words })
            }
            (other, _) => keep(other),
        },
        Event::Acknowledged(reconnect) => relay::acknowledged(state, reconnect, now),
        Event::Polled(reconnect) => relay::polled(state, reconnect, now),
        Event::PollFailed => relay::poll_again(state, now),
        Event::CallFailed(failure) => relay::call_failed(state, &failure, now),
        Event::ReceiptRead(receipt) => ending::receipt_read(state, *receipt),
        Event::Woke => ending::wake(state, now),
        Event::Ticked => ending::tick(state, now),
        Event::Seen { connection, since } => (ending::seen(state, connection, since), Vec::new()),
    }
}

impl State {
    /// What a card shows of it; `None` where there is nothing to show.
    pub fn progress(&self) -> Option<Progress> {
        Some(match self {
            Self::Idle => return None,
            Self::Starting { .. }
            | Self::Giving { .. }
            | Self::AtProvider {
                way: Way::Elsewhere { is_made: false },
                ..
            } => Progress::Starting,
            // The link itself is in memory alone; whoever may show it puts it in.
            Self::AtProvider {
                way: Way::Elsewhere { is_made: true },
                ..
            } => Progress::Elsewhere { link: None },
            Self::AtProvider { way, .. } => Progress::AtProvider {
                in_tab: matches!(way, Way::Tab { .. }),
            },
            Self::HandingOver {
                what: Handover::Cancellation { again },
                ..
            } => match again {
                None => Progress::Stopped(Stopped::Cancelled),
                Some(_) => Progress::Starting,
            },
            Self::HandingOver {
                what: Handover::Closing { again, .. },
                ..
            } => match again {
                None => Progress::Stopped(Stopped::WindowClosed),
                Some(_) => Progress::Starting,
            },
            Self::HandingOver {
                what: Handover::MixUp { words },
                ..
            } => Progress::Stopped(Stopped::NotOurAnswer {
                words: words.clone(),
            }),
            Self::HandingOver {
                what: Handover::Confirmation,
                ..
            } => Progress::Proving {
                stage: Some(Stage::Identified),
                signed_in_as: None,
            },
            Self::Exchanging { .. } | Self::HandingOver { .. } => Progress::HandingOver,
            Self::Proving {
                stage,
                signed_in_as,
                ..
            } => Progress::Proving {
                stage: *stage,
                signed_in_as: signed_in_as.clone(),
            },
            Self::Unconfirmed { question, .. } => Progress::Unconfirmed {
                question: question.clone(),
            },
            Self::Over { ending } => match ending {
                Ending::Resumed { receipt, .. } => Progress::Resumed {
                    receipt: receipt.clone(),
                },
                Ending::Refused { words, evidence } => Progress::Refused {
                    words: words.clone(),
                    evidence: evidence.clone(),
                },
                Ending::Stopped { why } => Progress::Stopped(why.clone()),
            },
        })
    }

    /// Whether something is under way.
    pub fn is_running(&self) -> bool {
        !matches!(self, Self::Idle | Self::Over { .. })
    }

    /// Whether the person is to make this visit now.
    pub fn is_at_visit(&self, id: &ReconnectId, number: usize) -> bool {
        matches!(
            self,
            Self::AtProvider { reconnect, way: Way::Window { visit, .. }, .. }
                if reconnect == id && *visit == number
        )
    }

    /// Whether a link is being made for this reconnect.
    pub fn is_making_link(&self, id: &ReconnectId) -> bool {
        matches!(
            self,
            Self::AtProvider { reconnect, way: Way::Elsewhere { is_made: false }, .. }
                if reconnect == id
        )
    }

    /// When to give up, while something is under way.
    fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Idle | Self::Over { .. } => None,
            Self::Starting { deadline, .. }
            | Self::Giving { deadline }
            | Self::AtProvider { deadline, .. }
            | Self::Exchanging { deadline, .. }
            | Self::HandingOver { deadline, .. }
            | Self::Proving { deadline, .. }
            | Self::Unconfirmed { deadline, .. } => Some(*deadline),
        }
    }
}
