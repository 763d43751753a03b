//! What the parts of the extension say to one another, over ports that the background listens on. The eyes, which are
//! a script, speak JSON; the views, which load the code that reads it at every click on the toolbar, speak
//! [`compact`]. A view shows what it was told last and asks; only the background decides and keeps anything.

pub mod compact;

use protocol::id::InboxId;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use web::card::Card;

/// The name of a view's port.
pub const VIEW_PORT: &str = "view";
/// The name of the eyes' port (`extension/eyes/eyes.js` says the same).
pub const EYES_PORT: &str = "eyes";

/// What a view asks of the background. The first word on a port is `Open`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// What kind of view this is.
    Open {
        /// Which.
        view: View,
    },
    /// Begin, or go on with, the reconnect of an inbox.
    Reconnect {
        /// The inbox.
        inbox: InboxId,
        /// In a tab and not in a window.
        in_tab: bool,
        /// Nothing is to happen that the person does not see: set by a prompt that cannot tell whether something
        /// covers it.
        #[serde(default)]
        skip_silent: bool,
    },
    /// Make a link with which the sign-in is done in another browser. A prompt in a page may not ask this.
    MakeLink {
        /// The inbox.
        inbox: InboxId,
    },
    /// The account that signed in is meant. A prompt in a page may not ask this.
    Confirm {
        /// The inbox.
        inbox: InboxId,
    },
    /// The account that signed in is not meant. A prompt in a page may not ask this.
    Deny {
        /// The inbox.
        inbox: InboxId,
    },
    /// Reconnect an inbox by this password. A prompt in a page may not ask this.
    GivePassword {
        /// The inbox.
        inbox: InboxId,
        /// What was typed.
        user: String,
        /// What was typed, cleaned.
        password: Secret,
    },
    /// Show the card of an inbox in a window of ours, to type or to confirm there.
    OpenForm {
        /// The inbox.
        inbox: InboxId,
    },
    /// Call it off.
    Cancel {
        /// The inbox.
        inbox: InboxId,
    },
    /// The end of a reconnect has been read.
    Close {
        /// The inbox.
        inbox: InboxId,
    },
    /// No prompt on pages for this inbox until its connection changes.
    NotNow {
        /// The inbox.
        inbox: InboxId,
    },
    /// Pair with the relay of this link.
    Pair {
        /// What `unpause pair` printed.
        link: Secret,
        /// What the person calls this browser.
        name: String,
    },
    /// Forget the relay.
    Unpair,
    /// Ask the relay now.
    Look,
    /// The prompt's frame needs this much room; the eyes that show it are told.
    Size {
        /// In pixels.
        height: u32,
    },
    /// Open the receipt on the dashboard.
    ShowReceipt {
        /// The inbox whose reconnect just ended.
        inbox: InboxId,
    },
}

/// The kinds of views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// The popup of the toolbar, or the same page in a tab.
    Popup,
    /// The options page.
    Options,
    /// The prompt on a page. Without the number that the background gave the eyes of that tab it is shown nothing.
    Prompt {
        /// That number.
        nonce: String,
    },
}

/// Everything that a view shows, told whole each time something changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The relay.
    pub relay: Relay,
    /// What needs attention, longest first; for a prompt its one card, or none once it is to go.
    pub cards: Vec<Card>,
    /// Inboxes that need no attention, by address; empty for a prompt.
    pub working: Vec<Quiet>,
    /// That all is well, in one line; empty where it is not.
    pub well: String,
    /// Sites where the extension may help; for the options page.
    pub sites: Vec<Site>,
    /// Why the last pairing failed, in words; gone with the next try.
    pub pairing_problem: Option<String>,
    /// The redirect addresses of this browser, one for each configured provider.
    pub redirects: Vec<String>,
}

/// What is known of the relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relay {
    /// None is paired.
    NotPaired,
    /// It is being asked for the first time.
    Asking {
        /// Its address.
        url: String,
        /// Its key, for people to compare.
        fingerprint: String,
    },
    /// It answers.
    Here {
        /// Its address.
        url: String,
        /// Its key, for people to compare.
        fingerprint: String,
    },
    /// It does not answer; what is shown is from before.
    Gone {
        /// Its address.
        url: String,
        /// Its key, for people to compare.
        fingerprint: String,
        /// When it answered last.
        last_at: Option<Timestamp>,
        /// Something else answers at its address.
        is_other: bool,
    },
    /// It no longer knows this device.
    Revoked {
        /// Its address.
        url: String,
    },
}

/// An inbox that needs no attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// Its address.
    pub address: String,
    /// What it does, in words: the campaigns that send through it, or that it waits.
    pub doing: String,
}

/// A site where the extension may help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// What a person calls it.
    pub name: String,
    /// Its origin, as in `https://mail.google.com`.
    pub origin: String,
    /// Whether the person has allowed it.
    pub allowed: bool,
    /// Whether the relay or a provider names it; else the person added it.
    pub suggested: bool,
}

/// What the eyes say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum Seen {
    /// What stands on the page now.
    Page(Page),
    /// The page is still looked at.
    Still,
}

impl Seen {
    /// What the eyes said. The page around them is a stranger's, so no more is taken than they would say.
    pub fn parse(text: &str) -> Result<Self, NotSeen> {
        let found = text.len();
        if found > SEEN_AT_MOST_BYTES {
            return Err(NotSeen::TooLong { found });
        }
        let seen = serde_json::from_str(text).map_err(|_| NotSeen::NotOurs)?;
        if let Self::Page(page) = &seen
            && (page.candidates.len() > CANDIDATES_AT_MOST
                || page.accounts.len() > ACCOUNTS_AT_MOST)
        {
            return Err(NotSeen::TooMuch {
                candidates: page.candidates.len(),
                accounts: page.accounts.len(),
            });
        }
        Ok(seen)
    }
}

/// The longest text of the eyes: 24 candidates of 600 characters with 8 buttons of 60 each are 26,000 characters,
/// of at most 4 bytes each.
pub const SEEN_AT_MOST_BYTES: usize = 128 * 1024;
/// The most candidates (`MOST` in `extension/eyes/eyes.js`).
const CANDIDATES_AT_MOST: usize = 24;
/// The most accounts (the same file).
const ACCOUNTS_AT_MOST: usize = 8;

/// The eyes do not say this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSeen {
    /// It is longer than anything they say.
    #[error("expected at most {SEEN_AT_MOST_BYTES} bytes from the eyes, found {found}")]
    TooLong {
        /// Its bytes.
        found: usize,
    },
    /// It is none of their messages.
    #[error("expected a message of the eyes, found something else")]
    NotOurs,
    /// It names more than they look for.
    #[error(
        "expected at most {CANDIDATES_AT_MOST} candidates and {ACCOUNTS_AT_MOST} accounts, found {candidates} and {accounts}"
    )]
    TooMuch {
        /// Candidates in it.
        candidates: usize,
        /// Accounts in it.
        accounts: usize,
    },
}

/// The words of a page that may be about a pause. Nothing that a person typed is among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The address without query and fragment.
    pub url: String,
    /// The title.
    pub title: String,
    /// Elements that may be a banner, outermost first.
    pub candidates: Vec<Candidate>,
    /// Mail addresses that stand where pages name the account.
    pub accounts: Vec<String>,
}

/// One element that may be a banner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its role, explicit or by its tag, as in `alert`; empty where it has none.
    pub role: String,
    /// Its words, at most 600 characters.
    pub words: String,
    /// The labels of the buttons and links in it.
    pub buttons: Vec<String>,
}

/// What the eyes are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "snake_case")]
pub enum Told {
    /// Nothing here concerns us; the port may close.
    Nothing,
    /// A page that a rule knows; nothing to show now.
    Watch,
    /// Show the prompt.
    Show {
        /// For the prompt's frame, and nobody else.
        nonce: String,
        /// The candidate to stand beside, from 0; `None` for the corner.
        beside: Option<usize>,
    },
    /// How high the prompt's frame is to be, as the prompt said.
    Size {
        /// In pixels.
        height: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(n_candidates: usize, words: &str) -> String {
        let candidate = Candidate {
            words: words.to_owned(),
            ..Candidate::default()
        };
        let page = Page {
            candidates: vec![candidate; n_candidates],
            ..Page::default()
        };
        serde_json::to_string(&Seen::Page(page)).unwrap()
    }

    #[test]
    fn the_eyes_are_believed_no_more_than_they_would_say() {
        assert_eq!(Seen::parse(r#"{"say":"still"}"#), Ok(Seen::Still));
        assert!(Seen::parse(&page(24, &"ä".repeat(600))).is_ok());
        assert_eq!(
            Seen::parse(&page(25, "Campaign paused")),
            Err(NotSeen::TooMuch {
                candidates: 25,
                accounts: 0
            })
        );
        let long = page(1, &"x".repeat(SEEN_AT_MOST_BYTES));
        assert_eq!(
            Seen::parse(&long),
            Err(NotSeen::TooLong { found: long.len() })
        );
        assert_eq!(Seen::parse(r#"{"say":"pause"}"#), Err(NotSeen::NotOurs));
    }
}
