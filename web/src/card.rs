//! What one card shows: a pure picture of an inbox, its campaigns and the reconnect under way. [`draw`] makes it; how
//! it looks is in [`view`]; who may press what is decided by whoever shows it.

use protocol::card::{Remedy, Words};
use protocol::id::{InboxId, ReceiptId};
use protocol::receipt::Receipt;
use protocol::reconnect::Stage;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

mod draw;
#[cfg(test)]
mod examples;
pub mod password;
mod sentence;
pub mod view;

pub use draw::draw;
pub use password::{Given, PasswordForm, asks_password};

/// A card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The inbox.
    pub inbox: InboxId,
    /// Its address.
    pub address: String,
    /// What it shows.
    pub face: Face,
}

/// What a card shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// The inbox works.
    Well {
        /// Since when.
        since: Timestamp,
    },
    /// The relay is finding out; nothing to do.
    Checking {
        /// Since when.
        since: Timestamp,
    },
    /// Something is wrong, and there is one thing to do.
    Broken(Box<Broken>),
    /// A sign-in works that the inbox does not know: somebody must say whether it is meant.
    Confirm {
        /// What is asked, in words.
        question: String,
        /// What waits; `None` where nothing does.
        held: Option<Held>,
    },
    /// A reconnect is under way.
    Working {
        /// The stages that have begun, and those that follow.
        lines: Vec<Line>,
        /// What the person does now, as in "Finish in the window of Google."
        hint: Option<String>,
        /// The address to open in another browser; `None` where it is done in this one.
        link: Option<Link>,
        /// Whether it can still be called off.
        can_cancel: bool,
    },
    /// It works again, and this is what happened to the messages.
    Done(Done),
}

/// What is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// One sentence.
    pub title: String,
    /// Why.
    pub explanation: String,
    /// Since when the inbox is lost.
    pub since: Timestamp,
    /// What waits; `None` where nothing does.
    pub held: Option<Held>,
    /// What follows at the provider after the click; `None` where the button does not lead there.
    pub expects: Option<String>,
    /// The one button; `None` where there is nothing to press.
    pub button: Option<String>,
    /// What it does.
    pub remedy: Remedy,
    /// The form that stands in the button's place where a password is asked for.
    pub password: Option<PasswordForm>,
    /// Whether the sign-in may also be done in a tab: after the window failed or was closed.
    pub other_way: bool,
    /// The server's own words.
    pub evidence: Option<String>,
    /// The page where an administrator can allow it; `None` where that is not what is asked for.
    pub admin_consent: Option<String>,
    /// The title and explanation are of a reconnect that just ended; nothing was changed by it.
    pub is_refusal: bool,
}

/// What waits for an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Campaigns that are paused because of it.
    pub campaigns: u64,
    /// Messages that wait.
    pub messages: u64,
    /// Since when.
    pub since: Timestamp,
}

/// The address with which the sign-in is done in another browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// It is known here; whoever has it can sign in once.
    Here(Secret),
    /// It was made, and is not known here any more.
    Gone,
}

/// One line of a reconnect under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// How it stands.
    pub state: LineState,
    /// What.
    pub text: String,
    /// The server, where it is about one.
    pub server: Option<String>,
}

/// How a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// Proved.
    Done,
    /// Being done.
    Now,
    /// To come.
    Next,
}

/// What happened to the messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The receipt; `None` until it was read.
    pub receipt: Option<ReceiptId>,
    /// Messages that waited.
    pub held: u64,
    /// Of those, to be sent.
    pub to_send: u64,
    /// Of those, answered, bounced or stopped meanwhile.
    pub skipped: u64,
    /// Of those, in doubt.
    pub in_doubt: u64,
    /// When the next of them goes out; `None` where none does.
    pub next_at: Option<Timestamp>,
    /// Milliseconds by which waits were shifted.
    pub shifted_by_ms: u64,
    /// Campaigns that go on.
    pub campaigns: u64,
}

/// How far a reconnect has come, as the one who shows it knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// The relay is being asked.
    Starting,
    /// The person is at the provider.
    AtProvider {
        /// Whether in a tab of the browser and not in a window of its own.
        in_tab: bool,
    },
    /// Somebody is to open this address in another browser.
    Elsewhere {
        /// The address; it works once. `None` where it is not known any more.
        link: Option<Secret>,
    },
    /// What was obtained is on its way to the relay.
    HandingOver,
    /// The relay proves it.
    Proving {
        /// The last stage that is on record.
        stage: Option<Stage>,
        /// Who signed in, once that is known and where the provider told a name.
        signed_in_as: Option<String>,
    },
    /// A sign-in works that the inbox does not know: it goes on when somebody says that it is meant.
    Unconfirmed {
        /// What is asked, in words: which account or user name, and what it would replace.
        question: String,
    },
    /// The inbox works again.
    Resumed {
        /// The proof, once it was read.
        receipt: Option<Box<Receipt>>,
    },
    /// The relay or the provider said no.
    Refused {
        /// The words for people.
        words: Words,
        /// The server's own words.
        evidence: Option<String>,
    },
    /// It ended on this side, before anything was handed over.
    Stopped(Stopped),
}

/// Why a reconnect ended on this side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// The person closed the window.
    WindowClosed,
    /// The person pressed Cancel.
    Cancelled,
    /// The browser ended the extension's worker, or was closed, in the middle.
    Interrupted,
    /// The window could not be opened or did not load.
    WindowFailed {
        /// The browser's words.
        words: String,
    },
    /// Nobody finished in time.
    TookTooLong,
    /// The answer was not one to the question that was asked (`state`, `iss`).
    NotOurAnswer {
        /// What did not match.
        words: String,
    },
    /// The token endpoint refused the code.
    ExchangeFailed {
        /// Its words.
        words: String,
    },
    /// The relay does not answer.
    RelayUnreachable {
        /// Where it was looked for.
        url: String,
    },
    /// The relay said no to the request itself.
    RelayRefused {
        /// Its words.
        words: String,
    },
    /// The relay's key is not the one that was pinned at pairing.
    OtherKey,
    /// What the relay names for the sign-in is not the provider's.
    OtherProvider {
        /// What.
        words: String,
    },
}

/// What a person does on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Presses the one button of a broken card that leads to a sign-in.
    Reconnect,
    /// Chooses the tab instead of the window.
    ReconnectInTab,
    /// Wants an address with which the sign-in is done in another browser.
    MakeLink,
    /// Copies that address.
    CopyLink(Secret),
    /// Says that the account that signed in is meant.
    Confirm,
    /// Says that it is not.
    Deny,
    /// Gives the password that the form asks for.
    GivePassword(Given),
    /// Wants the form in a place where it is safe to type.
    OpenForm,
    /// Calls the reconnect under way off.
    Cancel,
    /// "Not now".
    NotNow,
    /// Closes a card that has said what it had to say.
    Close,
    /// Opens the receipt.
    ShowReceipt(ReceiptId),
    /// Copies the report for the operator, or the request for the administrator.
    CopyReport(String),
}
