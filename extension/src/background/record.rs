//! What the background knows, and how what the relay says changes it. Pure. What is kept where, and shown to whom,
//! is decided beside it; no secret is in it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::card::Remedy;
use protocol::cause::Cause;
use protocol::id::{DeviceId, InboxId};
use protocol::request::inbox::{ConnectionState, Inbox};
use protocol::request::status::Status;
use protocol::sealed::RelayKey;
use protocol::signed::VerifyingKey;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use web::card::asks_password;

use super::eyes::Shown;
use crate::detect::{Known, is_lost};
use crate::flow::{Ending, State};

/// Everything, in two parts by how long it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Kept on this computer.
    pub kept: Kept,
    /// Kept until the browser is closed.
    pub passing: Passing,
    /// Why the last pairing failed.
    pub pairing_problem: Option<String>,
    /// The origins that the person has allowed, as match patterns.
    pub granted: Vec<String>,
    /// What `identity.getRedirectURL` answers; `None` where the browser has none.
    pub redirect_base: Option<String>,
}

/// What is kept on this computer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The relay that this browser is paired with, for showing it: what counts is in [`crate::vault`].
    pub paired: Option<Paired>,
    /// Inboxes that the person has put aside, with the beginning of the outage it was about.
    pub set_aside: BTreeMap<InboxId, Timestamp>,
    /// Outages that a notification has told of, by their beginning.
    pub told: BTreeMap<InboxId, Timestamp>,
    /// And by their cause: what was the operator's to mend may become the person's.
    pub told_as: BTreeMap<InboxId, Cause>,
    /// Whether the relay has answered since pairing.
    pub has_heard: bool,
}

/// A relay, as pairing pinned it; kept with this browser's key in [`crate::vault`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Its address, without a slash at its end.
    pub relay: String,
    /// The key by which it signs: what is not signed by this one is not the relay.
    pub key: VerifyingKey,
    /// What is sealed is sealed to this one.
    pub sealing: RelayKey,
    /// This browser's name there.
    pub device: DeviceId,
    /// Whether these keys came by a renewal: then the relay is told which it is known by.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_renewed: bool,
}

/// What is kept until the browser is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Passing {
    /// What the relay said last.
    pub status: Option<Status>,
    /// The `ETag` of that.
    pub tag: Option<String>,
    /// When it answered last.
    pub last_at: Option<Timestamp>,
    /// Whether it answers.
    pub reach: Reach,
    /// What the next signature's nonce begins with, as the relay said last.
    pub challenge: String,
    /// Reconnects under way or just ended.
    pub flows: BTreeMap<InboxId, State>,
    /// The prompts that pages show, by their tabs.
    pub shown: BTreeMap<i32, Shown>,
    /// Reconnects that were begun by a click on a notification, where nothing of ours may be in sight.
    pub by_notice: BTreeSet<InboxId>,
    /// The windows that were opened last to type or to confirm in.
    pub forms: BTreeMap<InboxId, i32>,
}

/// Whether the relay answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Not asked yet.
    #[default]
    Unknown,
    /// It does.
    Here,
    /// It does not.
    Gone,
    /// Something answers at its address that is not the relay.
    Other,
    /// It no longer knows this device, or this device has lost its key.
    Revoked,
}

/// An outage to tell of, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The inbox.
    pub inbox: InboxId,
    /// The first line.
    pub title: String,
    /// The second.
    pub message: String,
}

/// What to do about notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notices {
    /// To be shown.
    pub show: Vec<News>,
    /// To be taken away.
    pub clear: Vec<InboxId>,
}

impl Record {
    /// The inboxes as the relay said last.
    pub fn inboxes(&self) -> &[Inbox] {
        self.passing
            .status
            .as_ref()
            .map_or(&[], |status| status.inboxes.as_slice())
    }

    /// The reconnect of an inbox.
    pub fn flow(&self, inbox: &InboxId) -> State {
        self.passing.flows.get(inbox).cloned().unwrap_or_default()
    }

    /// Puts the reconnect of an inbox on record.
    pub fn set_flow(&mut self, inbox: &InboxId, state: State) {
        if state == State::Idle {
            self.passing.flows.remove(inbox);
        } else {
            self.passing.flows.insert(inbox.clone(), state);
        }
    }

    /// Whether a click on the notification of an inbox begins its reconnect; else it shows what is wrong.
    pub fn begins_by_notice(&self, inbox: &InboxId) -> bool {
        let known = self.inboxes().iter().find(|known| known.id == *inbox);
        known
            // A password has to be typed first.
            .filter(|inbox| !asks_password(inbox))
            .and_then(|inbox| inbox.connection.card.as_ref())
            .is_some_and(|words| {
                matches!(
                    words.remedy,
                    Remedy::Reconnect | Remedy::ReconnectAsInbox | Remedy::SignInInstead
                )
            })
    }

    /// Whether a reconnect that a notification began has just ended without success: the person is to be told, once.
    pub fn take_bad_notice(&mut self, inbox: &InboxId) -> bool {
        let state = self.flow(inbox);
        if state.is_running() || !self.passing.by_notice.remove(inbox) {
            return false;
        }
        matches!(
            state,
            State::Over {
                ending: Ending::Stopped { .. } | Ending::Refused { .. }
            }
        )
    }

    /// Takes over what the relay says, and decides what the person is told of it.
    pub fn note_status(&mut self, status: Status, tag: Option<String>, now: Timestamp) -> Notices {
        // What was lost before this browser heard of it is no news: the badge shows it.
        let is_first = !std::mem::replace(&mut self.kept.has_heard, true);
        self.passing.status = Some(status);
        self.passing.tag = tag;
        self.note_answer(now);
        let mut notices = Notices::default();
        let Some(status) = &self.passing.status else {
            return notices;
        };
        for inbox in &status.inboxes {
            let since = inbox.connection.since;
            let told = self.kept.told.get(&inbox.id).copied();
            let cause = inbox.connection.cause;
            let told_as = self.kept.told_as.get(&inbox.id).copied();
            let is_another = told_as.is_some() && told_as != cause;
            match inbox.connection.state {
                ConnectionState::Disconnected if told != Some(since) || is_another => {
                    self.kept.told.insert(inbox.id.clone(), since);
                    if is_another {
                        self.kept.set_aside.remove(&inbox.id);
                    }
                    if let Some(cause) = cause {
                        self.kept.told_as.insert(inbox.id.clone(), cause);
                    }
                    let is_running = self
                        .passing
                        .flows
                        .get(&inbox.id)
                        .is_some_and(State::is_running);
                    if !is_first && !is_running {
                        notices.show.push(news(inbox));
                    }
                }
                ConnectionState::Connected if told.is_some() => {
                    self.kept.told.remove(&inbox.id);
                    self.kept.told_as.remove(&inbox.id);
                    notices.clear.push(inbox.id.clone());
                }
                _ => {}
            }
        }
        let is_known = |id: &InboxId| status.inboxes.iter().any(|inbox| inbox.id == *id);
        let gone: Vec<InboxId> = self
            .kept
            .told
            .keys()
            .filter(|id| !is_known(id))
            .cloned()
            .collect();
        for id in gone {
            self.kept.told.remove(&id);
            self.kept.told_as.remove(&id);
            notices.clear.push(id);
        }
        self.kept.set_aside.retain(|id, since| {
            status
                .inboxes
                .iter()
                .any(|inbox| inbox.id == *id && inbox.connection.since == *since)
        });
        notices
    }

    /// The relay answered, whatever it said.
    pub fn note_answer(&mut self, now: Timestamp) {
        self.passing.reach = Reach::Here;
        self.passing.last_at = Some(now);
    }

    /// The person wants no prompt for this inbox until its connection changes.
    pub fn set_aside(&mut self, inbox: &InboxId) {
        let since = self
            .inboxes()
            .iter()
            .find(|known| known.id == *inbox)
            .map(|known| known.connection.since);
        if let Some(since) = since {
            self.kept.set_aside.insert(inbox.clone(), since);
        }
    }

    /// What a page is judged by: an inbox that was put aside needs nobody.
    pub fn known(&self) -> Option<Known> {
        let relay = &self.kept.paired.as_ref()?.relay;
        let status = self.passing.status.as_ref()?;
        let inboxes = status.inboxes.iter().cloned().map(|mut inbox| {
            if is_lost(&inbox) && self.kept.set_aside.contains_key(&inbox.id) {
                inbox.connection.state = ConnectionState::Checking;
            }
            inbox
        });
        Some(Known {
            relay_origin: url::Url::parse(relay).ok()?.origin().ascii_serialization(),
            inboxes: inboxes.collect(),
            campaigns: status.campaigns.clone(),
            sites: status.sites.clone(),
        })
    }

    /// Forgets the relay and everything that it said.
    pub fn forget(&mut self) {
        self.kept = Kept::default();
        self.passing = Passing::default();
        self.pairing_problem = None;
    }
}

fn news(inbox: &Inbox) -> News {
    let (title, message) = match &inbox.connection.card {
        Some(words) => (words.title.clone(), words.explanation.clone()),
        None => (format!("{} is disconnected", inbox.address), String::new()),
    };
    let held = match inbox.held {
        0 => String::new(),
        1 => " 1 message is held and not lost.".to_owned(),
        held => format!(" {held} messages are held, none is lost."),
    };
    News {
        inbox: inbox.id.clone(),
        title,
        message: format!("{message}{held}").trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use protocol::request::inbox::SignsInBy;

    use super::super::example;
    use super::*;
    use crate::flow::Wish;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1_000)
    }

    fn note(record: &mut Record, state: ConnectionState, since: i64) -> Notices {
        let status = example::status(vec![example::inbox("jane", state, since)]);
        record.note_status(status, None, at(99))
    }

    #[test]
    fn an_outage_is_told_once_and_the_next_one_again() {
        let mut record = Record::default();
        let lost = ConnectionState::Disconnected;
        assert_eq!(
            note(&mut record, ConnectionState::Connected, 1),
            Notices::default()
        );
        let shown = note(&mut record, lost, 5);
        assert_eq!(shown.show.len(), 1);
        assert!(shown.show[0].message.contains("25 messages are held"));
        assert_eq!(note(&mut record, lost, 5), Notices::default());
        let back = note(&mut record, ConnectionState::Connected, 9);
        assert_eq!(back.clear, [InboxId::new("inb_jane")]);
        assert_eq!(note(&mut record, lost, 12).show.len(), 1);
    }

    #[test]
    fn what_becomes_the_persons_to_mend_is_told_although_the_outage_is_the_same() {
        let mut record = Record::default();
        note(&mut record, ConnectionState::Connected, 1);
        let mut lost = |cause| {
            let mut inbox = example::inbox("jane", ConnectionState::Disconnected, 5);
            inbox.connection.cause = Some(cause);
            let id = inbox.id.clone();
            record.kept.set_aside.insert(id.clone(), at(5));
            let status = example::status(vec![inbox]);
            let n_told = record.note_status(status, None, at(99)).show.len();
            (n_told, record.kept.set_aside.contains_key(&id))
        };
        assert_eq!(lost(Cause::AppMisconfigured), (1, true));
        assert_eq!(lost(Cause::AppMisconfigured), (0, true));
        assert_eq!(lost(Cause::PermissionEnded), (1, false));
        assert_eq!(lost(Cause::PermissionEnded), (0, true));
    }

    #[test]
    fn what_was_lost_before_pairing_is_no_news() {
        let mut record = Record::default();
        let lost = ConnectionState::Disconnected;
        assert_eq!(note(&mut record, lost, 5), Notices::default());
        assert_eq!(note(&mut record, lost, 5), Notices::default());
    }

    #[test]
    fn an_outage_while_the_browser_was_closed_is_told_when_it_starts() {
        let mut record = Record::default();
        note(&mut record, ConnectionState::Connected, 1);
        let mut restarted = Record {
            kept: record.kept,
            ..Record::default()
        };
        let lost = ConnectionState::Disconnected;
        assert_eq!(note(&mut restarted, lost, 5).show.len(), 1);
        restarted.passing = Passing::default();
        assert_eq!(note(&mut restarted, lost, 5), Notices::default());
    }

    #[test]
    fn a_notification_begins_only_what_a_sign_in_can_end() {
        let jane = InboxId::new("inb_jane");
        let mut record = example::record(ConnectionState::Disconnected, 5);
        assert!(record.begins_by_notice(&jane));
        let status = record.passing.status.as_mut().unwrap();
        status.inboxes[0].signs_in_by = SignsInBy::Password;
        assert!(
            !record.begins_by_notice(&jane),
            "a password has to be typed"
        );
        let status = record.passing.status.as_mut().unwrap();
        status.inboxes[0].signs_in_by = SignsInBy::Oauth;
        let card = status.inboxes[0].connection.card.as_mut().unwrap();
        card.remedy = Remedy::CorrectServers;
        assert!(!record.begins_by_notice(&jane));
        let works = example::record(ConnectionState::Connected, 5);
        assert!(!works.begins_by_notice(&jane));
    }

    #[test]
    fn what_a_notification_began_and_ended_badly_is_told_once() {
        let jane = InboxId::new("inb_jane");
        let starting = || State::Starting {
            wish: Wish::default(),
            deadline: at(600),
        };
        let stopped = || State::Over {
            ending: Ending::Stopped {
                why: web::card::Stopped::WindowClosed,
            },
        };
        let mut record = example::record(ConnectionState::Disconnected, 5);
        record.set_flow(&jane, stopped());
        assert!(!record.take_bad_notice(&jane), "begun elsewhere");
        record.passing.by_notice.insert(jane.clone());
        record.set_flow(&jane, starting());
        assert!(!record.take_bad_notice(&jane), "still running");
        record.set_flow(&jane, stopped());
        assert!(record.take_bad_notice(&jane));
        assert!(!record.take_bad_notice(&jane));
        record.passing.by_notice.insert(jane.clone());
        record.set_flow(&jane, State::Idle);
        assert!(!record.take_bad_notice(&jane));
        assert!(record.passing.by_notice.is_empty());
    }

    #[test]
    fn an_inbox_that_was_put_aside_stays_so_until_its_connection_changes() {
        let mut record = example::record(ConnectionState::Disconnected, 5);
        let jane = InboxId::new("inb_jane");
        let is_lost_now = |record: &Record| record.known().unwrap().inboxes.iter().any(is_lost);
        assert!(is_lost_now(&record));
        record.set_aside(&jane);
        assert!(!is_lost_now(&record));
        note(&mut record, ConnectionState::Disconnected, 5);
        assert!(!is_lost_now(&record));
        note(&mut record, ConnectionState::Connected, 7);
        note(&mut record, ConnectionState::Disconnected, 9);
        assert!(is_lost_now(&record));
    }

    #[test]
    fn what_is_kept_survives_being_written_down() {
        let mut record = example::record(ConnectionState::Disconnected, 5);
        record.set_flow(
            &InboxId::new("inb_jane"),
            State::Starting {
                wish: Wish::default(),
                deadline: at(600),
            },
        );
        let written = serde_json::to_string(&record.passing).unwrap();
        assert_eq!(
            serde_json::from_str::<Passing>(&written).unwrap(),
            record.passing
        );
        let written = serde_json::to_string(&record.kept).unwrap();
        assert_eq!(serde_json::from_str::<Kept>(&written).unwrap(), record.kept);
    }
}
