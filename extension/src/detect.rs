//! What to do about a page that the eyes have read: nothing, keep an eye on it, or show the prompt. Pure; what is
//! known of each kind of site is a rule in [`crate::site`], how banners are worded is in [`wording`].

use protocol::id::InboxId;
use protocol::request::campaign::Campaign;
use protocol::request::inbox::{ConnectionState, Inbox};
use protocol::request::status::Site;

use crate::message::Page;
use crate::origin::Origin;
use crate::site::RULES;

pub mod wording;

/// What the relay said last, and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The relay's own origin, which is its dashboard's.
    pub relay_origin: String,
    /// Every inbox.
    pub inboxes: Vec<Inbox>,
    /// Every campaign.
    pub campaigns: Vec<Campaign>,
    /// The webmail of each configured provider.
    pub sites: Vec<Site>,
}

/// What to do about a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing here concerns us.
    Nothing,
    /// This page would tell of a pause; there is none now.
    Watch,
    /// Show the card of an inbox.
    Show {
        /// The inbox.
        inbox: InboxId,
        /// The candidate to stand beside, by its index in the page; `None` for the corner.
        beside: Option<usize>,
    },
}

/// What to do about `page`: the first rule that knows its site decides.
pub fn decide(page: &Page, known: &Known) -> Verdict {
    let Some((origin, path)) = split(&page.url) else {
        return Verdict::Nothing;
    };
    let place = Place { origin, path };
    RULES
        .iter()
        .find(|rule| (rule.knows)(&place, known))
        .map_or(Verdict::Nothing, |rule| (rule.decide)(&place, page, known))
}

/// Where a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its origin.
    pub origin: Origin,
    /// Its path, beginning with a slash.
    pub path: String,
}

/// Whether somebody must act for this inbox.
pub fn is_lost(inbox: &Inbox) -> bool {
    inbox.connection.state == ConnectionState::Disconnected
}

/// Of those that are lost the one that has been so the longest.
pub fn longest_lost<'a>(inboxes: impl IntoIterator<Item = &'a Inbox>) -> Option<&'a Inbox> {
    inboxes
        .into_iter()
        .filter(|inbox| is_lost(inbox))
        .min_by_key(|inbox| inbox.connection.since)
}

/// The candidate to stand beside: one that speaks of a pause and names the inbox, else one that speaks of a pause.
pub fn find_banner(page: &Page, inbox: &Inbox) -> Option<usize> {
    let speaks = |idx: &usize| {
        page.candidates
            .get(*idx)
            .is_some_and(|candidate| wording::speaks_of_pause(&candidate.words))
    };
    let names = |idx: &usize| {
        page.candidates
            .get(*idx)
            .is_some_and(|candidate| wording::names(&candidate.words, inbox.address.as_str()))
    };
    let all = 0..page.candidates.len();
    all.clone()
        .find(|idx| speaks(idx) && names(idx))
        .or_else(|| all.clone().find(speaks))
}

/// Origin and path of an address; `None` where it is not one of a page.
fn split(url: &str) -> Option<(Origin, String)> {
    let url = url::Url::parse(url).ok()?;
    let path = url.path().to_owned();
    Origin::of(&url).map(|origin| (origin, path))
}
