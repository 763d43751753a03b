//! Reconnects that are begun on the dashboard: the relay runs the sign-in in a tab, and is asked how it goes.

use protocol::id::{InboxId, ReconnectId};
use protocol::problem::Code;
use protocol::receipt::Receipt;
use protocol::request::reconnect::{Reconnect, ReconnectState};
use protocol::secret::Secret;
use web::call::CallError;
use web::card::{Act, Progress, Stopped};

use super::{is_signed_out, said};
use crate::event::{Begun, CallingOff, Effect};
use crate::model::{Model, Out, Reconnecting};
use crate::route::Route;

impl Model {
    /// Reconnects of this tab from before it was loaded again. How they stand is asked next.
    pub(super) fn recall(&mut self, reconnects: Vec<(InboxId, ReconnectId)>) {
        for (inbox, reconnect) in reconnects {
            let reconnecting = Reconnecting {
                reconnect: Some(reconnect),
                progress: Progress::AtProvider { in_tab: true },
            };
            self.reconnects.insert(inbox, reconnecting);
        }
    }

    pub(super) fn act(&mut self, inbox: InboxId, act: Act) -> Vec<Effect> {
        match act {
            Act::Reconnect | Act::ReconnectInTab => {
                let is_under_way = self
                    .reconnects
                    .get(&inbox)
                    .is_some_and(Reconnecting::is_under_way);
                if is_under_way {
                    return Vec::new();
                }
                self.set(&inbox, None, Progress::Starting);
                vec![Effect::OpenTab(inbox.clone()), Effect::Begin(inbox)]
            }
            Act::MakeLink => {
                let is_under_way = self
                    .reconnects
                    .get(&inbox)
                    .is_some_and(Reconnecting::is_under_way);
                if is_under_way {
                    return Vec::new();
                }
                self.set(&inbox, None, Progress::Starting);
                vec![Effect::MakeLink(inbox)]
            }
            Act::CopyLink(link) => vec![Effect::Copy(link)],
            Act::Confirm => self.judge(inbox, true),
            Act::Deny => self.judge(inbox, false),
            Act::GivePassword(given) => self.give_password(inbox, given),
            // The dashboard is in no frame, so the form is on the card itself.
            Act::OpenForm => Vec::new(),
            Act::Cancel => self.cancel(inbox),
            Act::NotNow | Act::Close => {
                self.reconnects.remove(&inbox);
                vec![self.keep()]
            }
            Act::ShowReceipt(receipt) => vec![Effect::GoTo(Route::Receipt(receipt))],
            Act::CopyReport(report) => vec![Effect::Copy(Secret::new(report))],
        }
    }

    /// Says whether the account that signed in is meant.
    fn judge(&mut self, inbox: InboxId, is_meant: bool) -> Vec<Effect> {
        let Some(reconnecting) = self.reconnects.get_mut(&inbox) else {
            return Vec::new();
        };
        let (Progress::Unconfirmed { .. }, Some(reconnect)) =
            (&reconnecting.progress, reconnecting.reconnect.clone())
        else {
            return Vec::new();
        };
        reconnecting.progress = Progress::HandingOver;
        if is_meant {
            vec![Effect::Confirm(inbox, reconnect)]
        } else {
            vec![Effect::CallOff(inbox, reconnect, CallingOff::Cancelled)]
        }
    }

    /// Once the relay has given the reconnect a name, the relay ends it and says so.
    fn cancel(&mut self, inbox: InboxId) -> Vec<Effect> {
        let Some(reconnecting) = self.reconnects.get_mut(&inbox) else {
            return Vec::new();
        };
        if let Some(reconnect) = reconnecting.reconnect.clone() {
            // Perhaps the provider showed a page from which nobody comes back: the relay finds out.
            let why = match reconnecting.progress {
                Progress::AtProvider { .. } | Progress::Elsewhere { .. } => CallingOff::Closed,
                _ => CallingOff::Cancelled,
            };
            return vec![
                Effect::CloseTab(inbox.clone()),
                Effect::CallOff(inbox, reconnect, why),
            ];
        }
        reconnecting.progress = Progress::Stopped(Stopped::Cancelled);
        vec![Effect::CloseTab(inbox)]
    }

    pub(super) fn begin(
        &mut self,
        inbox: InboxId,
        answer: Result<Begun, CallError>,
    ) -> Vec<Effect> {
        let progress = self.reconnects.get(&inbox).map(|found| &found.progress);
        let is_wanted = progress == Some(&Progress::Starting);
        // It was called off before it had a name, and perhaps its card was put away since.
        let is_called_off = matches!(progress, None | Some(Progress::Stopped(Stopped::Cancelled)));
        match answer {
            Ok(begun) if is_called_off => vec![
                Effect::CloseTab(inbox.clone()),
                Effect::CallOff(inbox, begun.reconnect.id, CallingOff::Cancelled),
            ],
            // The answer to a click before the last one: the relay joins both to one reconnect, which goes on.
            Ok(_) if !is_wanted => Vec::new(),
            Ok(Begun {
                reconnect,
                url: Some(url),
            }) => {
                let progress = Progress::AtProvider { in_tab: true };
                self.set(&inbox, Some(reconnect.id), progress);
                let mut effects = vec![Effect::ShowInTab(inbox, url), self.keep()];
                effects.extend(self.pace().map(Effect::TickAfter));
                effects
            }
            Ok(Begun {
                reconnect,
                url: None,
            }) if reconnect.state == ReconnectState::Started => {
                let words = "This inbox has no sign-in page: it signs in by a password.";
                let stopped = Stopped::RelayRefused {
                    words: words.to_owned(),
                };
                self.set(&inbox, None, Progress::Stopped(stopped));
                vec![Effect::CloseTab(inbox)]
            }
            // Somebody has signed in already, here or elsewhere.
            Ok(Begun { reconnect, .. }) => {
                self.set(&inbox, Some(reconnect.id.clone()), Progress::HandingOver);
                let mut effects = vec![Effect::CloseTab(inbox.clone())];
                effects.extend(self.follow(inbox, Ok(reconnect)));
                effects.extend(self.pace().map(Effect::TickAfter));
                effects
            }
            Err(error) if is_signed_out(&error) => self.leave(Out::Ended),
            Err(error) if is_wanted => {
                self.set(&inbox, None, Progress::Stopped(stopped(error)));
                vec![Effect::CloseTab(inbox)]
            }
            // Whoever called it off has closed its tab; another click's tab goes on.
            Err(_) => Vec::new(),
        }
    }

    /// The link is shown, and the reconnect followed, wherever it is opened.
    pub(super) fn link(&mut self, inbox: InboxId, answer: Result<Begun, CallError>) -> Vec<Effect> {
        let progress = self.reconnects.get(&inbox).map(|found| &found.progress);
        match answer {
            Ok(Begun {
                reconnect,
                url: Some(url),
            }) if progress == Some(&Progress::Starting) => {
                let progress = Progress::Elsewhere { link: Some(url) };
                self.set(&inbox, Some(reconnect.id), progress);
                let mut effects = vec![self.keep()];
                effects.extend(self.pace().map(Effect::TickAfter));
                effects
            }
            // There is no tab to close, so this differs in nothing.
            answer => self.begin(inbox, answer),
        }
    }

    /// Asks how each reconnect under way stands.
    pub(super) fn follow_all(&self) -> Vec<Effect> {
        let under_way = self
            .reconnects
            .iter()
            .filter(|(_, reconnecting)| reconnecting.is_under_way());
        under_way
            .filter_map(|(inbox, reconnecting)| {
                let reconnect = reconnecting.reconnect.clone()?;
                Some(Effect::Follow(inbox.clone(), reconnect))
            })
            .collect()
    }

    pub(super) fn follow(
        &mut self,
        inbox: InboxId,
        answer: Result<Reconnect, CallError>,
    ) -> Vec<Effect> {
        let Some(reconnecting) = self.reconnects.get_mut(&inbox) else {
            return Vec::new();
        };
        if !reconnecting.is_under_way() {
            return Vec::new();
        }
        let reconnect = match answer {
            Ok(reconnect) => reconnect,
            Err(CallError::Refused(problem)) if problem.code == Code::NotFound => {
                self.reconnects.remove(&inbox);
                return vec![self.keep()];
            }
            // It goes on at the relay; the next look asks again.
            Err(_) => return Vec::new(),
        };
        // An answer to an older question.
        if reconnecting.reconnect.as_ref() != Some(&reconnect.id) {
            return Vec::new();
        }
        reconnecting.progress = match reconnect.state {
            ReconnectState::Started => match &reconnecting.progress {
                Progress::Elsewhere { .. } => return Vec::new(),
                _ => Progress::AtProvider { in_tab: true },
            },
            ReconnectState::Granted | ReconnectState::Verifying => Progress::Proving {
                stage: reconnect.stage,
                signed_in_as: reconnect.signed_in_as,
            },
            ReconnectState::Unconfirmed => Progress::Unconfirmed {
                question: reconnect
                    .question
                    .map(|question| question.words())
                    .unwrap_or_default(),
            },
            ReconnectState::Resumed => Progress::Resumed { receipt: None },
            ReconnectState::Refused => match reconnect.card {
                Some(words) => Progress::Refused {
                    words,
                    evidence: reconnect.evidence,
                },
                None => Progress::Stopped(Stopped::RelayRefused {
                    words: reconnect.evidence.unwrap_or_default(),
                }),
            },
        };
        match (reconnect.state, reconnect.receipt) {
            (ReconnectState::Resumed, Some(receipt)) => {
                let mut effects = vec![self.keep(), Effect::Prove(inbox, receipt)];
                // What the page shows of the campaigns is from before.
                effects.extend(self.ask());
                effects
            }
            (ReconnectState::Resumed | ReconnectState::Refused, _) => vec![self.keep()],
            _ => Vec::new(),
        }
    }

    pub(super) fn prove(
        &mut self,
        inbox: &InboxId,
        answer: Result<Receipt, CallError>,
    ) -> Vec<Effect> {
        // Without the receipt the card says that it works, and Receipts has the rest.
        if let (Ok(read), Some(reconnecting)) = (answer, self.reconnects.get_mut(inbox))
            && let Progress::Resumed { receipt } = &mut reconnecting.progress
        {
            *receipt = Some(Box::new(read));
        }
        Vec::new()
    }

    pub(super) fn set(
        &mut self,
        inbox: &InboxId,
        reconnect: Option<ReconnectId>,
        progress: Progress,
    ) {
        let reconnecting = Reconnecting {
            reconnect,
            progress,
        };
        self.reconnects.insert(inbox.clone(), reconnecting);
    }

    /// Those under way are kept, for the case that the tab is loaded again.
    pub(super) fn keep(&self) -> Effect {
        let under_way = self
            .reconnects
            .iter()
            .filter(|(_, reconnecting)| reconnecting.is_under_way());
        let kept = under_way.filter_map(|(inbox, reconnecting)| {
            Some((inbox.clone(), reconnecting.reconnect.clone()?))
        });
        Effect::KeepReconnects(kept.collect())
    }
}

pub(super) fn stopped(error: CallError) -> Stopped {
    match error {
        CallError::Unreachable { url } => Stopped::RelayUnreachable { url },
        error => Stopped::RelayRefused {
            words: said(&error),
        },
    }
}
