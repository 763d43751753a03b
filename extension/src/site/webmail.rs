//! The webmail of a configured provider: the account that the page names decides.

use protocol::request::inbox::Inbox;

use super::Rule;
use crate::detect::{self, Known, Place, Verdict};
use crate::message::Page;

pub(super) const RULE: Rule = Rule {
    name: "webmail",
    knows: |place, known| {
        let origin = place.origin.to_string();
        known.sites.iter().any(|site| site.origin == origin)
    },
    decide,
};

fn decide(_: &Place, page: &Page, known: &Known) -> Verdict {
    let named: Vec<&Inbox> = known
        .inboxes
        .iter()
        .filter(|inbox| {
            let is_it = |account: &String| account.eq_ignore_ascii_case(inbox.address.as_str());
            page.accounts.iter().any(is_it)
        })
        .collect();
    match detect::longest_lost(named.iter().copied()) {
        Some(inbox) => Verdict::Show {
            inbox: inbox.id.clone(),
            beside: detect::find_banner(page, inbox),
        },
        None if named.is_empty() => Verdict::Nothing,
        None => Verdict::Watch,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;

    const URL: &str = "https://mail.provider.example/";

    #[test]
    fn the_account_on_the_page_decides() {
        let known = known_with(&[JANE_LOST, JOHN_WELL], &[AUTUMN_PAUSED]);
        check(
            &page(URL).account("jane@acme.example"),
            &known,
            &show("inb_jane", None),
        );
        check(
            &page(URL).account("Jane@Acme.Example"),
            &known,
            &show("inb_jane", None),
        );
        check(&page(URL).account("john@acme.example"), &known, &WATCH);
        check(&page(URL).account("mary@acme.example"), &known, &NOTHING);
        check(&page(URL), &known, &NOTHING);
    }

    #[test]
    fn of_several_accounts_the_lost_one_is_shown() {
        let known = known_with(&[JOHN_WELL, JANE_LOST], &[]);
        let both = page(URL)
            .account("john@acme.example")
            .account("jane@acme.example");
        check(&both, &known, &show("inb_jane", None));
    }

    #[test]
    fn a_letter_that_speaks_of_a_pause_shows_nothing_of_an_inbox_that_works() {
        let known = known_with(&[JANE_LOST, JOHN_WELL], &[]);
        let letter = page(URL)
            .account("john@acme.example")
            .heading("Campaign paused: jane@acme.example was disconnected, reconnect now");
        check(&letter, &known, &WATCH);
    }
}
