//! From what is known of an inbox to its card. Every word of a card that is not the relay's own stands here.

use protocol::campaign::{PausedBy, State};
use protocol::card::{Facts, Remedy, Words, capitalise};
use protocol::cause::Cause;
use protocol::provider::Provider;
use protocol::receipt::{Fate, Receipt};
use protocol::reconnect::Stage;
use protocol::request::campaign::Campaign;
use protocol::request::inbox::{ConnectionState, Inbox};
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;

use super::password;
use super::{Broken, Card, Done, Face, Held, Line, LineState, Link, Progress, Stopped};

/// The card of an inbox. `campaigns` are those of the relay; which of them wait for this inbox is found here.
pub fn draw(inbox: &Inbox, campaigns: &[Campaign], progress: Option<&Progress>) -> Card {
    let place = Place::of(inbox, campaigns);
    let face = match progress {
        None => place.at_rest(),
        Some(Progress::Starting) => place.working(Reached::SignIn, None, true),
        Some(Progress::AtProvider { in_tab }) => {
            let what = if *in_tab { "tab" } else { "window" };
            let hint = format!("Finish in the {what} of {}.", place.provider);
            place.working(Reached::SignIn, Some(hint), true)
        }
        Some(Progress::Elsewhere { link }) => {
            let (hint, link) = place.elsewhere(link.as_ref());
            Face::Working {
                lines: place.lines(Reached::SignIn, None),
                hint: Some(hint),
                link: Some(link),
                can_cancel: true,
            }
        }
        Some(Progress::HandingOver) => place.working(place.handing_over(), None, false),
        Some(Progress::Proving {
            stage,
            signed_in_as,
        }) => Face::Working {
            lines: place.lines(Reached::from(*stage), signed_in_as.as_deref()),
            hint: None,
            link: None,
            can_cancel: false,
        },
        Some(Progress::Unconfirmed { question }) => Face::Confirm {
            question: question.clone(),
            held: place.held(),
        },
        Some(Progress::Resumed { receipt }) => Face::Done(place.done(receipt.as_deref())),
        Some(Progress::Refused { words, evidence }) => {
            Face::Broken(Box::new(place.refused(words.clone(), evidence.clone())))
        }
        Some(Progress::Stopped(stopped)) => Face::Broken(Box::new(place.stopped(stopped))),
    };
    Card {
        inbox: inbox.id.clone(),
        address: inbox.address.to_string(),
        face,
    }
}

/// An inbox among its campaigns.
struct Place<'a> {
    inbox: &'a Inbox,
    /// The provider's name as people know it.
    provider: &'a str,
    /// What the provider will ask; `None` where we do not know it.
    expects: Option<&'a str>,
    /// Where an administrator allows the app; `None` where there is no such page.
    admin_consent: Option<&'a str>,
    /// How many campaigns wait for this inbox, and since when the first of them does.
    waiting: (u64, Option<Timestamp>),
}

impl<'a> Place<'a> {
    fn of(inbox: &'a Inbox, campaigns: &[Campaign]) -> Self {
        let provider = Provider::find(&inbox.provider);
        let pauses = campaigns
            .iter()
            .filter(|campaign| campaign.inboxes.contains(&inbox.id))
            .filter_map(|campaign| match &campaign.status {
                State::Paused {
                    by: PausedBy::Cause { .. },
                    since,
                } => Some(*since),
                _ => None,
            });
        let waiting = pauses.fold((0, None), |(n, first): (u64, Option<Timestamp>), since| {
            (n + 1, Some(first.map_or(since, |first| first.min(since))))
        });
        Self {
            inbox,
            provider: provider.map_or(inbox.provider.as_str(), |provider| provider.name),
            expects: inbox
                .at_provider
                .as_ref()
                .map(|there| there.expects.as_str()),
            admin_consent: inbox
                .at_provider
                .as_ref()
                .and_then(|there| there.admin_consent.as_deref()),
            waiting,
        }
    }

    fn at_rest(&self) -> Face {
        let connection = &self.inbox.connection;
        let since = connection.since;
        match connection.state {
            ConnectionState::Connected => Face::Well { since },
            ConnectionState::Checking | ConnectionState::Waiting => Face::Checking { since },
            ConnectionState::Disconnected => {
                let words = connection.card.clone().unwrap_or_else(|| {
                    let cause = connection.cause.unwrap_or(Cause::Unrecognised);
                    cause.card().render(&Facts {
                        inbox: self.inbox.address.as_str(),
                        provider: self.provider,
                    })
                });
                Face::Broken(Box::new(self.broken(words, connection.evidence.clone())))
            }
        }
    }

    /// A password is all that is handed over; what a sign-in brought follows it.
    fn handing_over(&self) -> Reached {
        if password::asks_password(self.inbox) {
            Reached::SignIn
        } else {
            Reached::SignedIn
        }
    }

    /// What to do with a link for another browser, and what is shown of it.
    fn elsewhere(&self, link: Option<&Secret>) -> (String, Link) {
        match link {
            Some(link) => (
                format!(
                    "Open this link in the browser where you are signed in at {}. It works once, for a few minutes.",
                    self.provider
                ),
                Link::Here(link.clone()),
            ),
            None => (
                "This waits for a sign-in in another browser, by a link that was made here and is not kept."
                    .to_owned(),
                Link::Gone,
            ),
        }
    }

    fn working(&self, reached: Reached, hint: Option<String>, can_cancel: bool) -> Face {
        Face::Working {
            lines: self.lines(reached, None),
            hint,
            link: None,
            can_cancel,
        }
    }

    /// The way of a reconnect in lines, each as it stands.
    fn lines(&self, reached: Reached, signed_in_as: Option<&str>) -> Vec<Line> {
        let state = |begins: Reached, ends: Reached| match reached {
            reached if reached >= ends => LineState::Done,
            reached if reached >= begins => LineState::Now,
            _ => LineState::Next,
        };
        let line = |state, to_come: &str, done: &str, server: Option<&str>| Line {
            state,
            text: if state == LineState::Done {
                done
            } else {
                to_come
            }
            .to_owned(),
            server: server.map(str::to_owned),
        };
        // Whoever may work for an inbox need not have its address: nobody is named but by the provider.
        let signed_in = signed_in_as.map_or_else(
            || "Signed in".to_owned(),
            |name| format!("Signed in as {name}"),
        );
        // A password has nothing to renew: the sign-ins are tried as soon as the relay has it.
        let by_password = password::asks_password(self.inbox);
        let tried_from = if by_password {
            Reached::SignedIn
        } else {
            Reached::Renewed
        };
        let mut lines = if by_password {
            vec![line(
                state(Reached::SignIn, Reached::SignedIn),
                "Hand it to the relay, sealed",
                "Handed to the relay, sealed",
                None,
            )]
        } else {
            vec![
                line(
                    state(Reached::SignIn, Reached::SignedIn),
                    &format!("Sign in at {}", self.provider),
                    &signed_in,
                    None,
                ),
                line(
                    state(Reached::SignedIn, Reached::Renewed),
                    "Renew and test the permission",
                    "Permission renewed and tested",
                    None,
                ),
            ]
        };
        lines.extend([
            line(
                state(tried_from, Reached::Proved),
                "Sending works?",
                "Sending works",
                Some(&self.inbox.smtp.host),
            ),
            line(
                state(tried_from, Reached::Proved),
                "Reading works?",
                "Reading works",
                Some(&self.inbox.imap.host),
            ),
            line(
                state(Reached::Proved, Reached::End),
                "Read what arrived meanwhile",
                "Read what arrived meanwhile",
                None,
            ),
        ]);
        let resume = match self.waiting.0 {
            0 => None,
            1 => Some("Resume 1 campaign".to_owned()),
            n => Some(format!("Resume {n} campaigns")),
        };
        if let Some(resume) = resume {
            lines.push(line(LineState::Next, &resume, &resume, None));
        }
        lines
    }

    fn done(&self, receipt: Option<&Receipt>) -> Done {
        let Some(receipt) = receipt else {
            return Done {
                receipt: None,
                held: 0,
                to_send: 0,
                skipped: 0,
                in_doubt: 0,
                next_at: None,
                shifted_by_ms: 0,
                campaigns: self.waiting.0,
            };
        };
        let due = receipt.lines.iter().filter_map(|line| match line.fate {
            Fate::Shifted { due_at, .. } => Some(due_at),
            Fate::Skipped { .. } | Fate::InDoubt => None,
        });
        Done {
            receipt: Some(receipt.id.clone()),
            held: receipt.held,
            to_send: receipt.to_send,
            skipped: receipt.skipped,
            in_doubt: receipt.in_doubt,
            next_at: due.min(),
            shifted_by_ms: receipt.shifted_by_ms,
            campaigns: u64::try_from(receipt.campaigns.len()).unwrap_or(u64::MAX),
        }
    }

    fn broken(&self, words: Words, evidence: Option<String>) -> Broken {
        let Words {
            title,
            explanation,
            button,
            remedy,
            ..
        } = words;
        // Where there is no page to sign in on, the button says so too.
        let (remedy, button) = match password::possible(self.inbox, remedy) {
            same if same == remedy => (remedy, button),
            other => (other, other.button().map(str::to_owned)),
        };
        let password = password::draw(self.inbox, remedy);
        let signs_in = password.is_none()
            && matches!(
                remedy,
                Remedy::Reconnect | Remedy::ReconnectAsInbox | Remedy::SignInInstead
            );
        let admin_consent = self.admin_consent.filter(|_| remedy == Remedy::AskConsent);
        Broken {
            title: self.sentence(title),
            explanation: self.sentence(explanation),
            since: self.inbox.connection.since,
            held: self.held(),
            expects: self.expects.filter(|_| signs_in).map(str::to_owned),
            button,
            remedy,
            password,
            other_way: false,
            evidence,
            admin_consent: admin_consent.map(str::to_owned),
            is_refusal: false,
        }
    }

    /// The relay refused a reconnect. One that met a passing fault ended all the same: it can be tried again.
    fn refused(&self, mut words: Words, evidence: Option<String>) -> Broken {
        if password::asks_password(self.inbox) {
            words = password::refused(words, self.inbox.address.as_str(), self.provider);
        }
        let passed_by = matches!(words.remedy, Remedy::Wait | Remedy::Nothing);
        let mut broken = Broken {
            is_refusal: true,
            ..self.broken(words, evidence)
        };
        if passed_by {
            broken.remedy = Remedy::Reconnect;
            broken.button = Some("Try again".to_owned());
            broken.password = password::draw(self.inbox, Remedy::Reconnect);
        }
        broken
    }

    fn stopped(&self, stopped: &Stopped) -> Broken {
        let (provider, address) = (self.provider, &self.inbox.address);
        let still_waits = format!("Nothing was changed; {address} still waits for its reconnect.");
        let reconnect = || {
            Remedy::Reconnect
                .button()
                .map(|label| label.replace("{provider}", provider))
        };
        let try_again = || Some("Try again".to_owned());
        let (title, explanation, button, remedy, evidence) = match stopped {
            Stopped::WindowClosed => (
                "The sign-in window was closed".to_owned(),
                still_waits,
                reconnect(),
                Remedy::Reconnect,
                None,
            ),
            Stopped::Cancelled => (
                "The sign-in was ended".to_owned(),
                still_waits,
                reconnect(),
                Remedy::Reconnect,
                None,
            ),
            Stopped::Interrupted => (
                "The sign-in was interrupted".to_owned(),
                format!("The browser stopped Unpause in the middle of it. {still_waits}"),
                reconnect(),
                Remedy::Reconnect,
                None,
            ),
            Stopped::WindowFailed { words } => (
                "The sign-in window did not open".to_owned(),
                format!("{still_waits} A tab does the same as the window."),
                reconnect(),
                Remedy::Reconnect,
                Some(words.clone()),
            ),
            Stopped::TookTooLong => (
                "The sign-in was not finished in time".to_owned(),
                still_waits,
                reconnect(),
                Remedy::Reconnect,
                None,
            ),
            Stopped::NotOurAnswer { words } => (
                "The answer belongs to another sign-in".to_owned(),
                format!("What came back from {provider} was not the answer to this sign-in, so it was not used. Nothing was changed."),
                reconnect(),
                Remedy::Reconnect,
                Some(words.clone()),
            ),
            Stopped::ExchangeFailed { words } => (
                "The sign-in was not accepted".to_owned(),
                format!("{provider} did not take what the sign-in brought. Nothing was changed; sign in once more."),
                reconnect(),
                Remedy::Reconnect,
                Some(words.clone()),
            ),
            Stopped::RelayUnreachable { url } => (
                "The relay does not answer".to_owned(),
                format!("Nothing answers at {url}. Check that the relay runs and that this computer reaches it.{}", doubt(url)),
                try_again(),
                Remedy::Reconnect,
                None,
            ),
            Stopped::RelayRefused { words } => (
                "The relay did not take the request".to_owned(),
                format!("Its own words are below. {address} still waits for its reconnect."),
                try_again(),
                Remedy::Reconnect,
                Some(words.clone()),
            ),
            Stopped::OtherKey => (
                "What answers is not your relay".to_owned(),
                "It has not the key that this browser was paired with, so nothing was handed over. Ask whoever runs the relay. If the key was renewed on purpose, pair this browser again.".to_owned(),
                Remedy::TellOperator.button().map(str::to_owned),
                Remedy::TellOperator,
                None,
            ),
            Stopped::OtherProvider { words } => (
                format!("The relay names a sign-in that is not {provider}'s"),
                format!("So none was opened, and nothing was handed over. Do not sign in at that address. {still_waits} Ask whoever runs the relay."),
                Remedy::TellOperator.button().map(str::to_owned),
                Remedy::TellOperator,
                Some(words.clone()),
            ),
        };
        // Nothing that only the operator can do is asked of the person.
        let password = password::draw(self.inbox, password::remedy_of(self.inbox))
            .filter(|_| remedy == Remedy::Reconnect);
        let signs_in = password.is_none() && button == reconnect();
        Broken {
            title,
            explanation: self.sentence(explanation),
            since: self.inbox.connection.since,
            held: self.held(),
            expects: self.expects.filter(|_| signs_in).map(str::to_owned),
            button,
            remedy,
            password,
            other_way: signs_in
                && matches!(
                    stopped,
                    Stopped::WindowClosed | Stopped::WindowFailed { .. } | Stopped::TookTooLong
                ),
            evidence,
            admin_consent: None,
            is_refusal: true,
        }
    }

    fn held(&self) -> Option<Held> {
        let (campaigns, first) = self.waiting;
        (campaigns > 0 || self.inbox.held > 0).then(|| Held {
            campaigns,
            messages: self.inbox.held,
            since: first.unwrap_or(self.inbox.connection.since),
        })
    }

    /// A sentence that begins with a provider's name begins with a capital; one that begins with an address does not.
    fn sentence(&self, text: String) -> String {
        if text.starts_with(self.provider) {
            capitalise(&text)
        } else {
            text
        }
    }
}

/// What else it may be where nothing answers by https, which a browser says on the page itself alone.
fn doubt(url: &str) -> &'static str {
    if url.starts_with("https:") {
        " If both are so, this browser may refuse its certificate: open that address, and the browser says why."
    } else {
        ""
    }
}

/// How far a reconnect has come, as its lines tell it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    SignIn,
    SignedIn,
    Identified,
    Renewed,
    Proved,
    /// Never while it is under way: then the card is another.
    End,
}

impl From<Option<Stage>> for Reached {
    fn from(stage: Option<Stage>) -> Self {
        match stage {
            None | Some(Stage::Exchanging | Stage::Exchanged) => Self::SignedIn,
            Some(Stage::Identified | Stage::Refreshing) => Self::Identified,
            Some(Stage::Refreshed) => Self::Renewed,
            Some(Stage::SignedIn | Stage::Adopted) => Self::Proved,
        }
    }
}

#[cfg(test)]
mod tests;
