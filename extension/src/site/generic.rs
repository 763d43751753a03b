//! Any other site that the person has allowed: what a banner says decides, and the relay must agree. A banner
//! alone shows nothing: words are cheap, and a page may say what it likes.

use protocol::request::inbox::Inbox;

use super::Rule;
use crate::detect::{self, Known, Place, Verdict, wording};
use crate::message::{Candidate, Page};

pub(super) const RULE: Rule = Rule {
    name: "generic",
    knows: |_, _| true,
    decide,
};

fn decide(_: &Place, page: &Page, known: &Known) -> Verdict {
    let mut about_us = false;
    for (idx, candidate) in page.candidates.iter().enumerate() {
        if !wording::speaks_of_pause(&candidate.words) {
            continue;
        }
        let meant = inboxes_meant(candidate, page, known);
        about_us = about_us || !meant.is_empty();
        if let Some(inbox) = detect::longest_lost(meant) {
            return Verdict::Show {
                inbox: inbox.id.clone(),
                beside: Some(idx),
            };
        }
    }
    if about_us {
        Verdict::Watch
    } else {
        Verdict::Nothing
    }
}

/// The inboxes that a banner is about: those it names; else those of the campaign it names, or that the page is
/// headed by.
fn inboxes_meant<'a>(banner: &Candidate, page: &Page, known: &'a Known) -> Vec<&'a Inbox> {
    let named: Vec<&Inbox> = known
        .inboxes
        .iter()
        .filter(|inbox| wording::names(&banner.words, inbox.address.as_str()))
        .collect();
    if !named.is_empty() {
        return named;
    }
    let heads = page
        .candidates
        .iter()
        .filter(|candidate| candidate.role == "heading")
        .map(|candidate| candidate.words.as_str());
    let places: Vec<&str> = heads
        .chain([banner.words.as_str(), page.title.as_str()])
        .collect();
    let campaigns: Vec<_> = known
        .campaigns
        .iter()
        .filter(|campaign| {
            places
                .iter()
                .any(|words| wording::names(words, &campaign.name))
        })
        .collect();
    known
        .inboxes
        .iter()
        .filter(|inbox| {
            campaigns
                .iter()
                .any(|campaign| campaign.inboxes.contains(&inbox.id))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;

    const URL: &str = "https://crm.example/outreach/42";

    #[test]
    fn a_banner_that_names_a_lost_inbox_shows_it() {
        let known = known_with(&[JANE_LOST, JOHN_WELL], &[AUTUMN_PAUSED]);
        let named = page(URL).heading("Outreach").banner(
            "Your campaign is paused: jane@acme.example was disconnected. Reconnect to resume.",
        );
        check(&named, &known, &show("inb_jane", Some(1)));
    }

    #[test]
    fn a_banner_under_the_name_of_a_campaign_shows_its_lost_inbox() {
        let known = known_with(&[JANE_LOST, JOHN_WELL], &[AUTUMN_PAUSED]);
        let said = "The connection with your mailbox was lost. Sending is paused.";
        let headed = page(URL).heading("Autumn outreach").banner(said);
        check(&headed, &known, &show("inb_jane", Some(1)));
        let titled = page(URL).title("Autumn outreach – CRM").banner(said);
        check(&titled, &known, &show("inb_jane", Some(0)));
    }

    #[test]
    fn a_pause_without_a_name_we_know_is_nothing() {
        let known = known_with(&[JANE_LOST], &[AUTUMN_PAUSED]);
        for words in [
            "Your campaign is paused. Reconnect your inbox to resume.",
            "mary@other.example was disconnected. Reconnect it to resume sending.",
            "xjane@acme.example was disconnected. Reconnect it to resume sending.",
            "jane@acme.example.evil.example was disconnected. Reconnect to resume sending.",
        ] {
            check(&page(URL).banner(words), &known, &NOTHING);
        }
    }

    #[test]
    fn a_name_without_a_pause_is_nothing() {
        let known = known_with(&[JANE_LOST], &[AUTUMN_PAUSED]);
        for words in [
            "Welcome, jane@acme.example",
            "Autumn outreach was sent to 40 leads.",
        ] {
            check(
                &page(URL).heading("Autumn outreach").banner(words),
                &known,
                &NOTHING,
            );
        }
    }

    #[test]
    fn what_the_relay_does_not_confirm_is_watched_and_not_shown() {
        let known = known_with(&[JANE_WELL], &[]);
        let said =
            page(URL).banner("jane@acme.example is disconnected. Reconnect to resume sending.");
        check(&said, &known, &WATCH);
    }
}
