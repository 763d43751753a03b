//! The relay as the background calls it: status, pairing, and what its refusals mean. What follows from an answer
//! is decided in [`super::record`] and [`crate::flow`].

use js_sys::global;
use protocol::id::InboxId;
use protocol::problem::Code;
use protocol::request::Request;
use protocol::request::device::CreateDevice;
use protocol::request::inbox::ConnectionState;
use protocol::request::status::GetStatus;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web::call::{CallError, Door, call, call_if_changed};
use web_sys::{AbortSignal, RequestCredentials, RequestInit, RequestMode, Window};

use super::pairing::{self, PairingError};
use super::record::{Paired, Reach, Record};
use super::{Background, clock};
use crate::browser;
use crate::flow::{CallFailure, Event};
use crate::vault;

/// How long a relay may take to show that it is there.
const THERE_WITHIN_MS: u32 = 3_000;

impl Background {
    /// Calls the relay that this browser is paired with.
    pub(super) async fn call<R: Request>(&self, request: &R) -> Result<R::Response, CallFailure> {
        let Some(door) = self.door() else {
            return Err(without_token(&self.0.record.borrow()));
        };
        call(&door, request).await.map_err(read)
    }

    /// Asks the relay how everything is. Calls that come meanwhile are answered by one more look.
    pub(super) async fn look(&self) {
        if !self.0.looking.is_mine() {
            return;
        }
        loop {
            self.look_once().await;
            if self.0.looking.is_over() {
                break;
            }
        }
    }

    async fn look_once(&self) {
        let Some(door) = self.door() else {
            return;
        };
        let (device, tag) = {
            let record = self.0.record.borrow();
            let device = record
                .kept
                .paired
                .as_ref()
                .map(|paired| paired.device.clone());
            (device, record.passing.tag.clone())
        };
        let mut answer = call_if_changed(&door, &GetStatus {}, tag.as_deref()).await;
        let mut is_there = false;
        if matches!(answer, Err(CallError::Unreachable { .. })) && is_there_at(&door.base).await {
            // It may just have come up.
            is_there = true;
            answer = call_if_changed(&door, &GetStatus {}, tag.as_deref()).await;
        }
        let notices = {
            let mut record = self.0.record.borrow_mut();
            let is_same = record
                .kept
                .paired
                .as_ref()
                .is_some_and(|paired| Some(&paired.device) == device.as_ref());
            if !is_same {
                return;
            }
            match answer {
                Ok(Some(tagged)) => record.note_status(tagged.answer, tagged.tag, clock::now()),
                Ok(None) => {
                    record.note_answer(clock::now());
                    super::Notices::default()
                }
                Err(error) => {
                    record.passing.reach = reach(&error, is_there);
                    super::Notices::default()
                }
            }
        };
        self.tell_connections().await;
        self.changed().await;
        self.notify(notices).await;
    }

    /// Tells every reconnect how the relay sees its inbox.
    async fn tell_connections(&self) {
        let seen: Vec<(InboxId, ConnectionState, Timestamp)> = {
            let record = self.0.record.borrow();
            record
                .inboxes()
                .iter()
                .filter(|inbox| record.passing.flows.contains_key(&inbox.id))
                .map(|inbox| {
                    let connection = &inbox.connection;
                    (inbox.id.clone(), connection.state, connection.since)
                })
                .collect()
        };
        for (inbox, connection, since) in seen {
            self.tell(&inbox, Event::Seen { connection, since }).await;
        }
    }

    /// Pairs with the relay of a link; why not is on record for the options page.
    pub(super) async fn pair(&self, link: Secret, name: String) {
        self.0.record.borrow_mut().pairing_problem = None;
        self.changed().await;
        let problem = self.try_to_pair(&link, name).await.err();
        self.0.record.borrow_mut().pairing_problem = problem.map(|error| error.to_string());
        self.changed().await;
        self.look().await;
    }

    async fn try_to_pair(&self, link: &Secret, name: String) -> Result<(), PairingError> {
        let link = pairing::parse(link)?;
        let door = Door {
            base: link.relay.clone(),
            token: None,
        };
        let code = link.code.clone();
        let device =
            call(&door, &CreateDevice { code, name })
                .await
                .map_err(|error| match error {
                    CallError::Refused(problem) if problem.field.as_deref() == Some("code") => {
                        PairingError::CodeOver
                    }
                    CallError::Refused(problem) => PairingError::Refused {
                        words: problem.detail,
                    },
                    CallError::Unreachable { .. } => PairingError::Unreachable {
                        relay: link.relay.clone(),
                    },
                    strange @ CallError::Strange { .. } => PairingError::Refused {
                        words: strange.to_string(),
                    },
                })?;
        if device.relay_key != link.key {
            return Err(PairingError::OtherKey { relay: link.relay });
        }
        vault::keep(&device.token)
            .await
            .map_err(|error| PairingError::NotKept {
                words: error.to_string(),
            })?;
        self.0.visits.borrow_mut().clear();
        self.0.links.borrow_mut().clear();
        *self.0.token.borrow_mut() = Some(device.token);
        {
            let mut record = self.0.record.borrow_mut();
            record.forget();
            self.0.is_kept_unread.set(false);
            record.kept.paired = Some(Paired {
                relay: link.relay,
                key: device.relay_key,
                device: device.id,
            });
        }
        self.follow_sites().await;
        Ok(())
    }

    /// Forgets the relay. What it knows of this browser ends when it is revoked there.
    pub(super) async fn unpair(&self) {
        self.0.visits.borrow_mut().clear();
        self.0.links.borrow_mut().clear();
        *self.0.token.borrow_mut() = None;
        let told: Vec<InboxId> = {
            let mut record = self.0.record.borrow_mut();
            let told = record.kept.told.keys().cloned().collect();
            record.forget();
            self.0.is_kept_unread.set(false);
            told
        };
        if let Err(error) = vault::forget().await {
            web_sys::console::warn_1(&error.to_string().into());
        }
        for inbox in told {
            let id = format!("{}{inbox}", super::NOTIFICATION);
            super::report(browser::clear_notification(&id).await);
        }
        self.changed().await;
    }

    fn door(&self) -> Option<Door> {
        let record = self.0.record.borrow();
        let token = self.0.token.borrow().clone()?;
        Some(Door {
            base: record.kept.paired.as_ref()?.relay.clone(),
            token: Some(token),
        })
    }
}

/// What it means to a reconnect that there is no token to call the relay with.
fn without_token(record: &Record) -> CallFailure {
    match &record.kept.paired {
        // It could not be read yet, and is tried again.
        Some(paired) if record.passing.reach != Reach::Revoked => CallFailure::Unreachable {
            url: paired.relay.clone(),
        },
        _ => CallFailure::Refused {
            words: "this browser is not paired with a relay any more".to_owned(),
        },
    }
}

/// What a failed call means to a reconnect.
fn read(error: CallError) -> CallFailure {
    match error {
        CallError::Unreachable { url } | CallError::Strange { url, .. } => {
            CallFailure::Unreachable { url }
        }
        CallError::Refused(problem) => {
            let words = problem.detail;
            match problem.code {
                Code::Conflict => CallFailure::Conflict { words },
                Code::Internal | Code::Unavailable | Code::TooManyRequests => {
                    CallFailure::Busy { words }
                }
                Code::Unauthenticated | Code::Forbidden | Code::NotFound | Code::Invalid => {
                    CallFailure::Refused { words }
                }
            }
        }
    }
}

/// What a failed look means. A relay that no longer knows this browser's origin lets it read nothing (CORS), so it
/// looks like no relay at all, unless something is there.
fn reach(error: &CallError, is_there: bool) -> Reach {
    match error {
        // The token is unknown, or not this browser's.
        CallError::Refused(problem)
            if matches!(problem.code, Code::Unauthenticated | Code::Forbidden) =>
        {
            Reach::Revoked
        }
        CallError::Unreachable { .. } if is_there => Reach::Revoked,
        CallError::Unreachable { .. } | CallError::Strange { .. } | CallError::Refused(_) => {
            Reach::Gone
        }
    }
}

/// Whether anything answers at an address. Nothing of the answer can be read, and nothing is.
async fn is_there_at(base: &str) -> bool {
    let options = RequestInit::new();
    options.set_method("HEAD");
    options.set_mode(RequestMode::NoCors);
    options.set_credentials(RequestCredentials::Omit);
    options.set_signal(Some(&AbortSignal::timeout_with_u32(THERE_WITHIN_MS)));
    let global: Window = global().unchecked_into();
    let promise = global.fetch_with_str_and_init(&format!("{base}/"), &options);
    JsFuture::from(promise).await.is_ok()
}

#[cfg(test)]
mod tests {
    use protocol::problem::Problem;

    use super::super::example;
    use super::*;

    /// Row: device revoked, in the browser | the relay answers 401, or lets nothing be read | 401 unauthenticated | the person | … does not know this browser any more. It was unpaired at the relay, or this browser lost its key. Your inboxes and campaigns are as they were. A fresh link pairs it again.
    /// Row: relay unreachable | nothing answers at its address | `relay_unreachable` | the person | The relay does not answer. Nothing answers at …. Check that the relay runs and that this computer reaches it.
    #[test]
    fn a_relay_that_refuses_this_browser_is_not_one_that_is_gone() {
        let unreachable = CallError::Unreachable {
            url: "http://127.0.0.1:7411".to_owned(),
        };
        let refused = |code| CallError::Refused(Problem::new(code, "no"));
        for (error, is_there, expected) in [
            (unreachable.clone(), false, Reach::Gone),
            (unreachable, true, Reach::Revoked),
            (refused(Code::Unauthenticated), false, Reach::Revoked),
            (refused(Code::Forbidden), false, Reach::Revoked),
            (refused(Code::Internal), false, Reach::Gone),
        ] {
            assert_eq!(reach(&error, is_there), expected, "{error}");
        }
    }

    #[test]
    fn a_token_that_was_not_read_yet_is_waited_for() {
        let mut record = example::record(ConnectionState::Connected, 1);
        assert!(matches!(
            without_token(&record),
            CallFailure::Unreachable { .. }
        ));
        record.passing.reach = Reach::Revoked;
        assert!(matches!(
            without_token(&record),
            CallFailure::Refused { .. }
        ));
        assert!(matches!(
            without_token(&Record::default()),
            CallFailure::Refused { .. }
        ));
    }

    #[test]
    fn what_may_be_tried_again_is_told_apart() {
        let failure = |code| read(CallError::Refused(Problem::new(code, "no")));
        let words = || "no".to_owned();
        assert_eq!(
            failure(Code::Conflict),
            CallFailure::Conflict { words: words() }
        );
        assert_eq!(
            failure(Code::Unavailable),
            CallFailure::Busy { words: words() }
        );
        assert_eq!(
            failure(Code::Invalid),
            CallFailure::Refused { words: words() }
        );
    }
}
