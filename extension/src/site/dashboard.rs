//! The relay's own dashboard. The relay's answer alone decides here; the page only says which campaign it shows.

use protocol::campaign::{PausedBy, State};
use protocol::request::campaign::Campaign;
use protocol::request::inbox::Inbox;

use super::Rule;
use crate::detect::{self, Known, Place, Verdict};
use crate::message::Page;

pub(super) const RULE: Rule = Rule {
    name: "dashboard",
    knows: |place, known| place.origin.to_string() == known.relay_origin,
    decide,
};

fn decide(place: &Place, page: &Page, known: &Known) -> Verdict {
    let mut parts = place.path.split('/').filter(|part| !part.is_empty());
    let lost = match (parts.next(), parts.next()) {
        (Some("campaigns"), Some(id)) => known
            .campaigns
            .iter()
            .find(|campaign| campaign.id.as_str() == id)
            .and_then(|campaign| lost_by(campaign, known)),
        (Some("inboxes"), Some(id)) => known
            .inboxes
            .iter()
            .find(|inbox| inbox.id.as_str() == id && detect::is_lost(inbox)),
        (Some("inboxes"), None) => detect::longest_lost(&known.inboxes),
        _ => None,
    };
    lost.map_or(Verdict::Watch, |inbox| Verdict::Show {
        inbox: inbox.id.clone(),
        beside: detect::find_banner(page, inbox),
    })
}

/// The inbox that a campaign waits for: the one that paused it, else one of several through which it cannot send.
fn lost_by<'a>(campaign: &Campaign, known: &'a Known) -> Option<&'a Inbox> {
    let paused_by = match &campaign.status {
        State::Paused {
            by: PausedBy::Cause { inbox, .. },
            ..
        } => Some(inbox),
        State::Running => None,
        _ => return None,
    };
    known
        .inboxes
        .iter()
        .find(|inbox| Some(&inbox.id) == paused_by && detect::is_lost(inbox))
        .or_else(|| {
            detect::longest_lost(
                known
                    .inboxes
                    .iter()
                    .filter(|inbox| campaign.inboxes.contains(&inbox.id)),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;

    #[test]
    fn a_campaign_that_is_paused_for_a_cause_shows_the_inbox_that_was_lost() {
        let known = known_with(&[JANE_LOST, JOHN_WELL], &[AUTUMN_PAUSED, SPRING_RUNNING]);
        let banner = page("https://relay.acme.example/campaigns/cmp_autumn")
            .heading("Autumn outreach")
            .banner("Paused since 09:12. jane@acme.example is disconnected.");
        check(&banner, &known, &show("inb_jane", Some(1)));
        check(
            &page("https://relay.acme.example/campaigns/cmp_autumn"),
            &known,
            &show("inb_jane", None),
        );
    }

    #[test]
    fn every_other_page_of_it_is_watched() {
        let known = known_with(&[JANE_LOST, JOHN_WELL], &[AUTUMN_PAUSED, SPRING_RUNNING]);
        for path in [
            "/campaigns/cmp_spring",
            "/campaigns",
            "/",
            "/campaigns/cmp_gone",
            "/inboxes/inb_john",
        ] {
            check(
                &page(&format!("https://relay.acme.example{path}")),
                &known,
                &WATCH,
            );
        }
    }

    #[test]
    fn the_list_of_inboxes_shows_the_one_lost_first() {
        let url = "https://relay.acme.example/inboxes";
        let both = known_with(&[JANE_LOST, JOHN_LOST_BEFORE], &[]);
        check(&page(url), &both, &show("inb_john", None));
        check(
            &page("https://relay.acme.example/inboxes/inb_jane"),
            &both,
            &show("inb_jane", None),
        );
        check(&page(url), &known_with(&[JOHN_WELL], &[]), &WATCH);
    }

    #[test]
    fn a_campaign_that_a_person_paused_is_left_alone() {
        let known = known_with(&[JANE_LOST], &[AUTUMN_PAUSED_BY_PERSON]);
        check(
            &page("https://relay.acme.example/campaigns/cmp_autumn"),
            &known,
            &WATCH,
        );
    }

    #[test]
    fn another_port_of_the_same_host_is_another_site() {
        let known = known_with(&[JANE_LOST], &[AUTUMN_PAUSED]);
        check(
            &page("https://relay.acme.example:8443/campaigns/cmp_autumn"),
            &known,
            &NOTHING,
        );
    }
}
