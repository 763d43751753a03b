//! The relay as the background calls it: status, pairing, and what its refusals mean. What follows from an answer
//! is decided in [`super::record`] and [`crate::flow`].

use std::cell::RefCell;

use protocol::id::InboxId;
use protocol::pairing::CodeProof;
use protocol::problem::Code;
use protocol::renewal::{self, Renewal};
use protocol::request::Request;
use protocol::request::device::CreateDevice;
use protocol::request::inbox::ConnectionState;
use protocol::request::status::GetStatus;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::call::CallError;

use super::pairing::{self, PairingError};
use super::record::{Paired, Reach, Record};
use super::signing::Line;
use super::{Background, clock, render};
use crate::browser;
use crate::flow::{CallFailure, Event};
use crate::vault::{self, DeviceKey};

impl Background {
    /// Calls the relay that this browser is paired with.
    pub(super) async fn call<R: Request>(&self, request: &R) -> Result<R::Response, CallFailure> {
        let Some(line) = self.line() else {
            return Err(without_key(&self.0.record.borrow()));
        };
        let answer = line.call(&self.0.challenge, request).await;
        self.note_challenge();
        answer.map_err(read)
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
        let Some(line) = self.line() else {
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
        let answer = line
            .call_if_changed(&self.0.challenge, &GetStatus {}, tag.as_deref())
            .await;
        self.note_challenge();
        if let Ok(Some(tagged)) = &answer {
            self.follow(&tagged.answer.renewals).await;
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
                    record.passing.reach = reach(&error);
                    super::Notices::default()
                }
            }
        };
        self.tell_connections().await;
        self.changed().await;
        self.notify(notices).await;
    }

    /// Follows a relay whose keys were renewed: what the key that is known here has signed is kept in its place, whole or
    /// not at all. Until then the relay is asked and answers as before.
    async fn follow(&self, renewals: &[Renewal]) {
        let (before, key) = {
            let record = self.0.record.borrow();
            (record.kept.paired.clone(), self.0.key.borrow().clone())
        };
        let (Some(before), Some(key)) = (before, key) else {
            return;
        };
        let followed = renewal::follow(&before.key, renewals, vault::is_signed).await;
        let Some(renewed) = followed else {
            return;
        };
        let paired = Paired {
            key: renewed.signing,
            sealing: renewed.sealing,
            is_renewed: true,
            ..before.clone()
        };
        match vault::replace(&key, &render(&before), &render(&paired)).await {
            Ok(true) => {}
            // Paired anew meanwhile.
            Ok(false) => return,
            Err(error) => return web_sys::console::warn_1(&error.to_string().into()),
        }
        let mut record = self.0.record.borrow_mut();
        if record.kept.paired.as_ref() == Some(&before) {
            record.kept.paired = Some(paired);
        }
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
        let not_kept = |error: vault::VaultError| PairingError::NotKept {
            words: error.to_string(),
        };
        let key = DeviceKey::make().await.map_err(not_kept)?;
        let proof = CodeProof::new(&link.code, key.public());
        let other_side = Line {
            base: link.relay.clone(),
            relay: link.key.clone(),
            is_renewed: false,
            device: key.clone(),
        };
        let challenge = RefCell::default();
        let asked = CreateDevice { proof, name };
        let device = other_side.call(&challenge, &asked).await;
        let device = device.map_err(|error| why_not(error, &link.relay))?;
        let paired = Paired {
            relay: link.relay,
            key: link.key,
            sealing: device.relay_key,
            device: device.id,
            is_renewed: false,
        };
        vault::keep(&key, &render(&paired))
            .await
            .map_err(not_kept)?;
        self.0.visits.borrow_mut().clear();
        self.0.links.borrow_mut().clear();
        *self.0.key.borrow_mut() = Some(key);
        *self.0.challenge.borrow_mut() = challenge.into_inner();
        {
            let mut record = self.0.record.borrow_mut();
            record.forget();
            self.0.is_kept_unread.set(false);
            record.kept.paired = Some(paired);
        }
        self.follow_sites().await;
        Ok(())
    }

    /// Forgets the relay. What it knows of this browser ends when it is revoked there.
    pub(super) async fn unpair(&self) {
        self.0.visits.borrow_mut().clear();
        self.0.links.borrow_mut().clear();
        *self.0.key.borrow_mut() = None;
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

    fn line(&self) -> Option<Line> {
        let record = self.0.record.borrow();
        let paired = record.kept.paired.as_ref()?;
        Some(Line {
            base: paired.relay.clone(),
            relay: paired.key.clone(),
            is_renewed: paired.is_renewed,
            device: self.0.key.borrow().clone()?,
        })
    }

    fn note_challenge(&self) {
        let challenge = self.0.challenge.borrow().clone();
        self.0.record.borrow_mut().passing.challenge = challenge;
    }
}

/// Why pairing with the relay at this address failed.
fn why_not(error: CallError, relay: &str) -> PairingError {
    let relay = relay.to_owned();
    match error {
        CallError::Refused(problem) if problem.field.as_deref() == Some("proof") => {
            PairingError::CodeOver
        }
        CallError::Refused(problem) => PairingError::Refused {
            words: problem.detail,
        },
        CallError::Unreachable { .. } => PairingError::Unreachable { relay },
        CallError::NotTheRelay { .. } => PairingError::OtherKey { relay },
        strange @ CallError::Strange { .. } => PairingError::Refused {
            words: strange.to_string(),
        },
    }
}

/// What it means to a reconnect that there is no key to call the relay with.
fn without_key(record: &Record) -> CallFailure {
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
        CallError::NotTheRelay { .. } => CallFailure::NotTheRelay,
        CallError::Refused(problem) => {
            let words = problem.detail;
            match problem.code {
                Code::Conflict => CallFailure::Conflict { words },
                Code::Internal | Code::Unavailable | Code::TooManyRequests => {
                    CallFailure::Busy { words }
                }
                Code::Unauthenticated
                | Code::ProofNeeded
                | Code::Forbidden
                | Code::NotFound
                | Code::Invalid => CallFailure::Refused { words },
            }
        }
    }
}

/// What a failed look means. Only the relay itself can say that it does not know this browser any more.
fn reach(error: &CallError) -> Reach {
    match error {
        // The key is unknown, or not this browser's.
        CallError::Refused(problem)
            if matches!(problem.code, Code::Unauthenticated | Code::Forbidden) =>
        {
            Reach::Revoked
        }
        CallError::NotTheRelay { .. } => Reach::Other,
        CallError::Unreachable { .. } | CallError::Strange { .. } | CallError::Refused(_) => {
            Reach::Gone
        }
    }
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
        let other = CallError::NotTheRelay {
            url: "http://127.0.0.1:7411".to_owned(),
        };
        for (error, expected) in [
            (unreachable, Reach::Gone),
            (other, Reach::Other),
            (refused(Code::Unauthenticated), Reach::Revoked),
            (refused(Code::Forbidden), Reach::Revoked),
            (refused(Code::Internal), Reach::Gone),
        ] {
            assert_eq!(reach(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_key_that_was_not_read_yet_is_waited_for() {
        let mut record = example::record(ConnectionState::Connected, 1);
        assert!(matches!(
            without_key(&record),
            CallFailure::Unreachable { .. }
        ));
        record.passing.reach = Reach::Revoked;
        assert!(matches!(without_key(&record), CallFailure::Refused { .. }));
        assert!(matches!(
            without_key(&Record::default()),
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
