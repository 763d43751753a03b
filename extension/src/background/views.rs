//! The views that are open: popup, options, and the prompts in pages. A prompt is shown and may ask only what
//! concerns the one inbox that its tab's eyes were told to show.

use protocol::id::InboxId;
use protocol::secret::Secret;
use url::Url;

use super::record::Record;
use super::{Background, picture, report};
use crate::browser::port::{Port, Sender};
use crate::browser::tabs;
use crate::flow::{Ending, Event, Place, State, Wish};
use crate::message::compact::{self, write};
use crate::message::{Ask, Told, View};
use wasm_bindgen_futures::spawn_local;
use web::card::Given;

/// A view that is open.
pub(super) struct Open {
    n: u32,
    port: Port,
    standing: Standing,
    /// Whether it says that it is the popup: what it shows is looked at now.
    is_popup: bool,
    /// What it was told last.
    told: Option<Secret>,
}

/// What a view may see and ask.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// It has not said what it is, or is not what it says.
    Nobody,
    /// A page of ours in a place of its own.
    Whole,
    /// A prompt in a page.
    Prompt {
        /// The tab, by the browser's own word.
        tab: i32,
        /// What it says it was given.
        nonce: String,
    },
}

impl Background {
    pub(super) fn welcome_view(&self, n: u32, port: Port) {
        let this = self.clone();
        report(port.on_text(move |text| {
            // There may be a password in it.
            let text = Secret::new(text);
            let Some(ask) = compact::read::<Ask>(text.expose()) else {
                return;
            };
            this.when_ready(async move |this| this.answer(n, ask).await);
        }));
        let this = self.clone();
        report(port.on_disconnect(move || {
            this.0.views.borrow_mut().retain(|open| open.n != n);
        }));
        self.0.views.borrow_mut().push(Open {
            n,
            port,
            standing: Standing::Nobody,
            is_popup: false,
            told: None,
        });
    }

    /// Shows every view what has changed for it.
    pub(super) fn show_views(&self) {
        let record = self.0.record.borrow();
        let links = self.0.links.borrow();
        let mut whole = None;
        for open in self.0.views.borrow_mut().iter_mut() {
            let text = match &open.standing {
                Standing::Nobody => None,
                Standing::Whole => whole
                    .get_or_insert_with(|| write(&picture::draw(&record, &links)))
                    .clone(),
                Standing::Prompt { tab, nonce } => {
                    let inbox = find_shown(&record, *tab, nonce);
                    write(&picture::draw_prompt(&record, inbox.as_ref()))
                }
            };
            if let Some(text) = text.filter(|text| open.told.as_ref() != Some(text)) {
                // A view that is just being closed is told nothing more.
                let _ = open.port.post(text.expose());
                open.told = Some(text);
            }
        }
    }

    /// Whether the popup is open.
    pub(super) fn has_popup(&self) -> bool {
        let views = self.0.views.borrow();
        views
            .iter()
            .any(|open| open.is_popup && open.standing == Standing::Whole)
    }

    /// Whether a view that is open shows the card of this inbox.
    pub(super) fn is_in_view(&self, inbox: &InboxId) -> bool {
        let record = self.0.record.borrow();
        let views = self.0.views.borrow();
        views.iter().any(|open| match &open.standing {
            Standing::Nobody => false,
            Standing::Whole => open.is_popup,
            Standing::Prompt { tab, nonce } => {
                find_shown(&record, *tab, nonce).as_ref() == Some(inbox)
            }
        })
    }

    async fn answer(&self, n: u32, ask: Ask) {
        if let Ask::Open { view } = ask {
            if let Some(open) = self
                .0
                .views
                .borrow_mut()
                .iter_mut()
                .find(|open| open.n == n)
            {
                open.is_popup = view == View::Popup;
                open.standing = judge(view, &open.port.sender());
                open.told = None;
            }
            self.show_views();
            self.look().await;
            return self.watch();
        }
        let standing = {
            let views = self.0.views.borrow();
            let open = views.iter().find(|open| open.n == n);
            open.map_or(Standing::Nobody, |open| open.standing.clone())
        };
        let own = match &standing {
            Standing::Nobody => return,
            Standing::Whole => None,
            Standing::Prompt { tab, nonce } => {
                let Some(inbox) = find_shown(&self.0.record.borrow(), *tab, nonce) else {
                    return;
                };
                if let Ask::Size { height } = ask {
                    return self.tell_eyes(*tab, &Told::Size { height });
                }
                Some(inbox)
            }
        };
        if may_ask(&ask, own.as_ref()) {
            self.follow_ask(ask).await;
        }
    }

    async fn follow_ask(&self, ask: Ask) {
        match ask {
            Ask::Open { .. } | Ask::Size { .. } => {}
            Ask::Reconnect {
                inbox,
                in_tab,
                skip_silent,
            } => {
                let place = if in_tab { Place::Tab } else { Place::Window };
                let wish = Wish { place, skip_silent };
                self.tell(&inbox, Event::Clicked(wish)).await;
            }
            Ask::MakeLink { inbox } => {
                let wish = Wish {
                    place: Place::Elsewhere,
                    skip_silent: false,
                };
                self.tell(&inbox, Event::Clicked(wish)).await;
            }
            Ask::Confirm { inbox } => self.tell(&inbox, Event::Confirmed).await,
            Ask::Deny { inbox } => self.tell(&inbox, Event::Denied).await,
            Ask::GivePassword {
                inbox,
                user,
                password,
            } => {
                let given = Given { user, password };
                self.tell(&inbox, Event::PasswordGiven(given)).await;
            }
            Ask::OpenForm { inbox } => self.open_form(inbox).await,
            Ask::Cancel { inbox } => self.tell(&inbox, Event::Cancelled).await,
            Ask::Close { inbox } => self.tell(&inbox, Event::Closed).await,
            Ask::NotNow { inbox } => {
                self.0.record.borrow_mut().set_aside(&inbox);
                // An ending that nobody wants to read is read.
                self.tell(&inbox, Event::Closed).await;
            }
            Ask::Pair { link, name } => self.pair(link, name).await,
            Ask::Unpair => self.unpair().await,
            Ask::Look => self.look().await,
            Ask::ShowReceipt { inbox } => {
                let address = receipt_address(&self.0.record.borrow(), &inbox);
                if let Some(address) = address {
                    spawn_local(async move { report(tabs::open(&address).await.map(drop)) });
                }
            }
        }
    }
}

/// What a view may see, by what it says and what the browser says of it. A page that frames something of ours, and
/// a script in a page, come out as nobody or as a prompt.
fn judge(view: View, sender: &Sender) -> Standing {
    let url = sender.url.as_deref().and_then(|url| Url::parse(url).ok());
    let Some(url) = url else {
        return Standing::Nobody;
    };
    if !matches!(url.scheme(), "chrome-extension" | "moz-extension") {
        return Standing::Nobody;
    }
    match (view, url.path(), &sender.tab) {
        (View::Popup, "/popup.html", _) | (View::Options, "/options.html", _) => Standing::Whole,
        (View::Prompt { nonce }, "/prompt.html", Some(tab)) => {
            Standing::Prompt { tab: tab.id, nonce }
        }
        _ => Standing::Nobody,
    }
}

/// The inbox whose prompt the eyes of this tab were told to show with this nonce.
fn find_shown(record: &Record, tab: i32, nonce: &str) -> Option<InboxId> {
    let shown = record.passing.shown.get(&tab)?;
    (shown.nonce == nonce).then(|| shown.inbox.clone())
}

/// Whether a view may ask this; `own` is the inbox of a prompt, `None` for a page of ours.
fn may_ask(ask: &Ask, own: Option<&InboxId>) -> bool {
    let Some(own) = own else {
        return true;
    };
    match ask {
        Ask::Reconnect { inbox, .. }
        | Ask::OpenForm { inbox }
        | Ask::Cancel { inbox }
        | Ask::Close { inbox }
        | Ask::NotNow { inbox }
        | Ask::ShowReceipt { inbox } => inbox == own,
        Ask::Look => true,
        // No password is typed in a page, no account confirmed and no link shown in one, so what says so is no prompt
        // of ours.
        Ask::GivePassword { .. }
        | Ask::Confirm { .. }
        | Ask::Deny { .. }
        | Ask::MakeLink { .. }
        | Ask::Open { .. }
        | Ask::Pair { .. }
        | Ask::Unpair
        | Ask::Size { .. } => false,
    }
}

/// Where the dashboard shows the receipt of the reconnect that just ended.
fn receipt_address(record: &Record, inbox: &InboxId) -> Option<String> {
    let State::Over {
        ending: Ending::Resumed { id, .. },
    } = record.flow(inbox)
    else {
        return None;
    };
    let relay = &record.kept.paired.as_ref()?.relay;
    Some(format!("{relay}/receipts/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::port::Tab;

    #[test]
    fn a_view_is_what_the_browser_says_it_is() {
        let ours = "chrome-extension://abc";
        let prompt = || View::Prompt {
            nonce: "n".to_owned(),
        };
        let whole = Standing::Whole;
        let framed = Standing::Prompt {
            tab: 4,
            nonce: "n".to_owned(),
        };
        let nobody = Standing::Nobody;
        for (view, url, tab, expected) in [
            (View::Popup, format!("{ours}/popup.html"), None, &whole),
            (
                View::Popup,
                format!("{ours}/popup.html?x=1"),
                Some(4),
                &whole,
            ),
            (
                View::Options,
                "moz-extension://0a1b/options.html".to_owned(),
                Some(4),
                &whole,
            ),
            (prompt(), format!("{ours}/prompt.html#n"), Some(4), &framed),
            (prompt(), format!("{ours}/prompt.html#n"), None, &nobody),
            (View::Popup, format!("{ours}/prompt.html"), Some(4), &nobody),
            (
                View::Options,
                format!("{ours}/prompt.html"),
                Some(4),
                &nobody,
            ),
            (
                View::Popup,
                "https://evil.example/popup.html".to_owned(),
                Some(4),
                &nobody,
            ),
            (
                prompt(),
                "https://evil.example/prompt.html".to_owned(),
                Some(4),
                &nobody,
            ),
        ] {
            let sender = Sender {
                tab: tab.map(|id| Tab { id }),
                frame_id: None,
                url: Some(url.clone()),
            };
            assert_eq!(judge(view, &sender), *expected, "{url}");
        }
        assert_eq!(judge(View::Popup, &Sender::default()), Standing::Nobody);
    }

    #[test]
    fn a_prompt_asks_for_its_own_inbox_only() {
        let (jane, ada) = (InboxId::new("inb_jane"), InboxId::new("inb_ada"));
        let click = |inbox: &InboxId| Ask::Reconnect {
            inbox: inbox.clone(),
            in_tab: false,
            skip_silent: false,
        };
        assert!(may_ask(&click(&jane), Some(&jane)));
        assert!(!may_ask(&click(&ada), Some(&jane)));
        let form = |inbox: &InboxId| Ask::OpenForm {
            inbox: inbox.clone(),
        };
        assert!(may_ask(&form(&jane), Some(&jane)));
        assert!(!may_ask(&form(&ada), Some(&jane)));
        for answer in [
            Ask::Confirm {
                inbox: jane.clone(),
            },
            Ask::Deny {
                inbox: jane.clone(),
            },
        ] {
            assert!(!may_ask(&answer, Some(&jane)), "nobody answers in a page");
            assert!(may_ask(&answer, None));
        }
        let given = Ask::GivePassword {
            inbox: jane.clone(),
            user: "jane@acme.example".to_owned(),
            password: Secret::new("hunter2"),
        };
        assert!(!may_ask(&given, Some(&jane)), "nobody types in a page");
        assert!(may_ask(&given, None));
        let link = Ask::MakeLink {
            inbox: jane.clone(),
        };
        assert!(
            !may_ask(&link, Some(&jane)),
            "nobody is shown one in a page"
        );
        assert!(may_ask(&link, None));
        assert!(!may_ask(&Ask::Unpair, Some(&jane)));
        assert!(may_ask(&Ask::Unpair, None));
    }
}
