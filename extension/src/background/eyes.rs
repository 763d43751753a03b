//! The eyes in pages: what they have read is judged by [`crate::detect`], and they are told what to do. A prompt
//! that was shown stays until its reconnect has been read to its end.

use std::time::Duration;

use protocol::id::InboxId;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;
use wasm_bindgen_futures::spawn_local;

use super::record::{Reach, Record};
use super::{Background, chance, clock, render, report};
use crate::browser::port::Port;
use crate::detect::{self, Verdict};
use crate::flow::State;
use crate::message::{Page, Seen, Told};

/// How often the relay is asked while a page that would tell of a pause is looked at: a prompt within a second.
const BETWEEN_LOOKS: Duration = Duration::from_millis(750);
/// And while the relay does not answer, at least: as often as the alarm.
const BETWEEN_VAIN_LOOKS: Duration = Duration::from_secs(30);
/// Eyes that are open say so every 20 s; those that do not are on a page that nobody looks at.
const STILL_WITHIN: Duration = Duration::from_secs(30);

/// A pair of eyes.
pub(super) struct Open {
    n: u32,
    port: Port,
    tab: i32,
    page: Option<Page>,
    heard_at: Timestamp,
    told: Option<Told>,
}

/// A prompt in a tab. It is written down, so that it outlives the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Whose card it shows.
    pub inbox: InboxId,
    /// What its frame must know.
    pub nonce: String,
    /// The origin of the page.
    pub origin: String,
    /// The candidate that it stands beside.
    pub beside: Option<usize>,
}

impl Background {
    pub(super) fn welcome_eyes(&self, n: u32, port: Port) {
        let sender = port.sender();
        // Only a page itself is looked at, not the frames in it.
        let (Some(tab), Some(0)) = (sender.tab, sender.frame_id) else {
            return report(port.disconnect());
        };
        let this = self.clone();
        report(port.on_text(move |text| {
            let Ok(seen) = Seen::parse(&text) else {
                return;
            };
            this.when_ready(async move |this| this.hear(n, seen).await);
        }));
        let this = self.clone();
        report(port.on_disconnect(move || {
            this.0.eyes.borrow_mut().retain(|open| open.n != n);
        }));
        self.0.eyes.borrow_mut().push(Open {
            n,
            port,
            tab: tab.id,
            page: None,
            heard_at: clock::now(),
            told: None,
        });
    }

    /// Tells every pair of eyes what has changed for it.
    pub(super) fn show_eyes(&self) {
        let mut record = self.0.record.borrow_mut();
        for open in self.0.eyes.borrow_mut().iter_mut() {
            let Some(page) = &open.page else {
                continue;
            };
            let shown = record.passing.shown.remove(&open.tab);
            let (told, shown) = judge(&record, page, shown, chance::text);
            if let Some(shown) = shown {
                record.passing.shown.insert(open.tab, shown);
            }
            if open.told.as_ref() != Some(&told) {
                // Eyes that are just being closed are told nothing more.
                let _ = open.port.post(&render(&told));
                open.told = Some(told);
            }
        }
    }

    /// Tells the eyes of a tab something in passing.
    pub(super) fn tell_eyes(&self, tab: i32, told: &Told) {
        for open in self.0.eyes.borrow().iter().filter(|open| open.tab == tab) {
            // Eyes that are just being closed are told nothing more.
            let _ = open.port.post(&render(told));
        }
    }

    /// A tab was closed.
    pub(super) fn forget_tab(&self, tab: i32) {
        self.0.record.borrow_mut().passing.shown.remove(&tab);
    }

    async fn hear(&self, n: u32, seen: Seen) {
        if let Some(open) = self.0.eyes.borrow_mut().iter_mut().find(|open| open.n == n) {
            open.heard_at = clock::now();
            if let Seen::Page(page) = seen {
                open.page = Some(page);
            }
        }
        self.changed().await;
        self.watch();
    }

    /// Asks the relay again and again while somebody looks at the popup, or at a page that would tell of a pause.
    pub(super) fn watch(&self) {
        if !self.is_watched() || self.0.is_watching.replace(true) {
            return;
        }
        let this = self.clone();
        spawn_local(async move {
            let mut between = Duration::ZERO;
            while this.is_watched() {
                this.look().await;
                between = lengthen(between, this.reach());
                let until = clock::now() + between;
                clock::pause(BETWEEN_LOOKS).await;
                // Whatever else has found the relay again ends the long wait.
                while clock::now() < until && this.is_watched() && this.reach() != Reach::Here {
                    clock::pause(BETWEEN_LOOKS).await;
                }
            }
            this.0.is_watching.set(false);
        });
    }

    fn reach(&self) -> Reach {
        self.0.record.borrow().passing.reach
    }

    fn is_watched(&self) -> bool {
        let now = clock::now();
        self.has_popup()
            || self.0.eyes.borrow().iter().any(|open| {
                now.since(open.heard_at) < STILL_WITHIN
                    && matches!(open.told, Some(Told::Watch | Told::Show { .. }))
            })
    }
}

/// How long to wait after a look, where the wait before it was so long.
fn lengthen(before: Duration, reach: Reach) -> Duration {
    match reach {
        Reach::Here => BETWEEN_LOOKS,
        Reach::Unknown | Reach::Gone | Reach::Other | Reach::Revoked => {
            (before * 2).clamp(BETWEEN_LOOKS, BETWEEN_VAIN_LOOKS)
        }
    }
}

/// What eyes are told of the page that they see, and the prompt that is then in their tab.
fn judge(
    record: &Record,
    page: &Page,
    shown: Option<Shown>,
    nonce: impl FnOnce() -> String,
) -> (Told, Option<Shown>) {
    let verdict = match record.known() {
        Some(known) => detect::decide(page, &known),
        // The relay was not heard yet, or has not answered since the browser was started: the page may matter.
        None if record.kept.paired.is_some() => Verdict::Watch,
        None => Verdict::Nothing,
    };
    let origin = Url::parse(&page.url)
        .map(|url| url.origin().ascii_serialization())
        .unwrap_or_default();
    let shown = shown.filter(|shown| shown.origin == origin);
    let to_show = match (verdict, &shown) {
        (Verdict::Show { inbox, beside }, Some(shown)) if shown.inbox == inbox => Shown {
            beside,
            ..shown.clone()
        },
        // What the person began here is shown here to its end, whatever else the page tells of.
        (_, Some(shown)) if record.flow(&shown.inbox) != State::Idle => shown.clone(),
        (Verdict::Show { inbox, beside }, _) => Shown {
            inbox,
            nonce: nonce(),
            origin,
            beside,
        },
        (Verdict::Watch, _) => return (Told::Watch, None),
        (Verdict::Nothing, _) => return (Told::Nothing, None),
    };
    let told = Told::Show {
        nonce: to_show.nonce.clone(),
        beside: to_show.beside,
    };
    (told, Some(to_show))
}

#[cfg(test)]
mod tests {
    use protocol::request::inbox::ConnectionState;

    use super::super::example;
    use super::*;
    use crate::flow::Wish;

    /// The inboxes page of the relay's own dashboard, which shows any inbox that is lost.
    fn page() -> Page {
        Page {
            url: "http://127.0.0.1:7411/inboxes".to_owned(),
            ..Page::default()
        }
    }

    fn look(record: &Record, shown: Option<Shown>, nonce: &str) -> (Told, Option<Shown>) {
        judge(record, &page(), shown, || nonce.to_owned())
    }

    #[test]
    fn a_lost_inbox_is_shown_with_a_nonce_of_its_own_that_stays() {
        let record = example::record(ConnectionState::Disconnected, 5);
        let (told, shown) = look(&record, None, "first");
        assert!(matches!(&told, Told::Show { nonce, .. } if nonce == "first"));
        let (again, shown) = look(&record, shown, "second");
        assert_eq!(told, again);
        let elsewhere = Shown {
            origin: "https://evil.example".to_owned(),
            ..shown.unwrap()
        };
        let (told, _) = look(&record, Some(elsewhere), "third");
        assert!(matches!(&told, Told::Show { nonce, .. } if nonce == "third"));
    }

    #[test]
    fn a_prompt_stays_until_its_reconnect_was_read_to_the_end() {
        let mut record = example::record(ConnectionState::Disconnected, 5);
        let jane = InboxId::new("inb_jane");
        let (_, shown) = look(&record, None, "first");
        let status = example::status(vec![example::inbox("jane", ConnectionState::Connected, 9)]);
        record.note_status(status, None, Timestamp::from_ms(9_000));
        let state = State::Starting {
            wish: Wish::default(),
            deadline: Timestamp::from_ms(1),
        };
        record.set_flow(&jane, state);
        let (told, shown) = look(&record, shown, "second");
        assert!(matches!(&told, Told::Show { nonce, .. } if nonce == "first"));
        record.set_flow(&jane, State::Idle);
        assert_eq!(look(&record, shown, "third"), (Told::Watch, None));
    }

    #[test]
    fn an_inbox_that_was_put_aside_is_watched_and_not_shown() {
        let mut record = example::record(ConnectionState::Disconnected, 5);
        record.set_aside(&InboxId::new("inb_jane"));
        assert_eq!(look(&record, None, "first").0, Told::Watch);
    }

    #[test]
    fn a_relay_that_is_gone_is_asked_ever_more_seldom() {
        let mut between = Duration::ZERO;
        let mut waits = Vec::new();
        for _ in 0..8 {
            between = lengthen(between, Reach::Gone);
            waits.push(between.as_millis());
        }
        assert_eq!(
            waits,
            [750, 1_500, 3_000, 6_000, 12_000, 24_000, 30_000, 30_000]
        );
        assert_eq!(lengthen(between, Reach::Here), BETWEEN_LOOKS);
    }

    #[test]
    fn a_browser_without_a_relay_shows_nothing() {
        assert_eq!(
            look(&Record::default(), None, "first"),
            (Told::Nothing, None)
        );
    }
}
