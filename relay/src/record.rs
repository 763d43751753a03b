//! Plain values that the engine decides about and the store keeps: neither needs the other for them.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::budget::{Budget, HeldBy, Ramp};
use protocol::id::{DeliveryId, InboxId};
use protocol::inbox::Address;
use protocol::schedule::Schedule;
use protocol::timestamp::Timestamp;

pub mod plan;

/// A place in a folder (RFC 9051 §2.3.1.1): everything below `uid_next` is behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderPosition {
    /// The folder's UIDVALIDITY.
    pub uid_validity: u32,
    /// The next UID that was not seen.
    pub uid_next: u32,
}

/// A delivery in doubt, with what is needed to settle it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The delivery; also the value of its own header.
    pub id: DeliveryId,
    /// What we wrote as `Message-ID`.
    pub message_id: String,
    /// Not before the connection ended.
    pub since: Timestamp,
    /// Where the sent folder stood before the attempt; `None` where it was not known.
    pub sent: Option<FolderPosition>,
    /// The sent folder's name then; `None` where it was not known.
    pub folder: Option<String>,
    /// The place of the attempt in the order in which the inbox's attempts began.
    pub claim_no: i64,
    /// The adoption of credentials that the attempt was made with.
    pub adoption: i64,
    /// The size of the message; `None` where nobody has told it: then no other message is known to be as large.
    pub size_bytes: Option<u64>,
}

/// Doubts of an inbox that may be open at a time.
pub const OPEN_DOUBTS_AT_MOST: usize = 2;

/// The sent folder, and where it stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentPlace {
    /// Its name.
    pub folder: String,
    /// Where it stood.
    pub position: FolderPosition,
}

/// A message of an inbox that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The value of its own header.
    pub id: DeliveryId,
    /// What we wrote as `Message-ID`.
    pub message_id: String,
    /// The place of its attempt in the order in which the inbox's attempts began.
    pub claim_no: i64,
    /// The adoption of credentials that it was sent with.
    pub adoption: i64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// A lead as it was read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLead {
    /// The row in the file, the header being row 1.
    pub row: u64,
    /// Its address.
    pub address: Address,
    /// Every column by its name, the address included.
    pub fields: BTreeMap<String, String>,
}

/// A campaign's queue at one of its inboxes, as far as the order of sending asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// When its turn is, in turns taken; the least goes next.
    pub turn: i64,
    /// Whether something was due when it was last asked.
    pub was_waiting: bool,
    /// Follow-ups that it has sent since its last first message.
    pub follow_ups: i64,
    /// Steps of its sequence.
    pub n_steps: i64,
    /// Whether a follow-up is due.
    pub has_follow_up: bool,
    /// Whether a first message waits.
    pub has_first: bool,
}

/// Which message of a queue goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The follow-up that was due first; among those due together, the first of the list.
    FollowUp,
    /// The first message to the lead that stands first in the list.
    First,
}

/// Whose message goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The queue, by its place among those that were asked.
    pub queue_idx: usize,
    /// Which of its messages.
    pub class: Class,
    /// The turn that was taken, for the inbox to remember.
    pub served: i64,
}

/// When a campaign may send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// Its days and windows; `None`: at any time.
    pub schedule: Option<Schedule>,
    /// Messages of it that are tried in 24 hours; `None`: as many as there are.
    pub daily_cap: Option<u32>,
    /// Messages to one organisation that may have been tried in 24 hours when one of this campaign is; `None`: as many as
    /// there are.
    pub domain_daily_cap: Option<u32>,
}

/// Why a campaign may not send now, of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shut {
    /// What is shut.
    pub by: ShutBy,
    /// Until when, as things stand; `None`: for good.
    pub until: Option<Timestamp>,
}

/// What of a campaign is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutBy {
    /// No window of its schedule is open.
    Schedule,
    /// Its cap of a day is used up.
    Cap,
    /// It catches up after an outage.
    CatchUp,
}

/// What of a campaign is not done.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// Deliveries that are planned or were deferred.
    pub n_open: u64,
    /// Steps that are planned once the step before them is accepted.
    pub n_unplanned: u64,
    /// Deliveries that are being attempted.
    pub n_attempting: u64,
    /// Deliveries in doubt.
    pub n_in_doubt: u64,
    /// Deliveries that a person decides.
    pub n_unsettled: u64,
    /// What is known at each of its inboxes; none unless it runs.
    pub facts: Vec<Facts>,
}

/// What the deliveries of a running campaign at one of its inboxes wait for, as the ledger says it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The inbox.
    pub inbox: InboxId,
    /// Being attempted.
    pub n_attempting: u64,
    /// In doubt.
    pub n_in_doubt: u64,
    /// For a person to decide.
    pub n_unsettled: u64,
    /// Behind an earlier step that is not accepted.
    pub n_behind: u64,
    /// Due, and waiting for nothing of their own.
    pub n_due: u64,
    /// Not due yet.
    pub n_not_due: u64,
    /// How long its clock has to run until something is due; `None` where nothing is planned.
    pub due_in: Option<Duration>,
    /// When the first that is not due yet is; `None` where there is none, and while its clock stands.
    pub due_at: Option<Timestamp>,
    /// Refused for now, and resting.
    pub n_resting: u64,
    /// When the first of them has rested.
    pub rested_at: Option<Timestamp>,
    /// Held until it is known whose a refusal is.
    pub n_held: u64,
    /// Waiting for their people to be back.
    pub n_away: u64,
    /// When the first of these is back.
    pub back_at: Option<Timestamp>,
    /// The domains that were tried as often as may be, with how many wait for each and until when.
    pub domains: Vec<(String, u64, Option<Timestamp>)>,
    /// Why its clock stands; `None` where it runs.
    pub stands: Option<Stands>,
    /// Until when doubts keep the inbox from trying more.
    pub blocked_until: Option<Timestamp>,
    /// What of the campaign is shut.
    pub shut: Option<Shut>,
    /// Until when the campaign's cap is used up.
    pub full_until: Option<Timestamp>,
    /// The campaign's schedule.
    pub schedule: Option<Schedule>,
}

/// Why the clocks of an inbox stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It is disconnected.
    Lost,
    /// It is suspect.
    Suspect,
    /// What arrived is not read.
    Unread,
    /// It rests after a failure that passes.
    Rests,
    /// It rests after refusals that are its own.
    Refused {
        /// Until when; `None` until a person has answered.
        until: Option<Timestamp>,
    },
}

/// The domain that the organisation behind an address registered, by the Public Suffix List, in small letters; the whole
/// domain where that is no public one.
pub fn organisation_of(address: &Address) -> String {
    let domain = address.domain().to_ascii_lowercase();
    psl::domain_str(&domain).map_or_else(|| domain.clone(), str::to_owned)
}

/// How fast an inbox may send, and what it has tried lately: all that its pace depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// The inbox: its messages are spread in a way of its own.
    pub inbox: InboxId,
    /// What its owner or its provider's file set.
    pub budget: Budget,
    /// The shortest distance that its provider's own rate limit allows.
    pub least_distance: Duration,
    /// Its last try, whatever came of it but a connection that took nothing; `None` before the first.
    pub last_try: Option<LastTry>,
    /// Whether it sends at half its pace, after refusals that were its own.
    pub is_at_half_pace: bool,
    /// How long the relay must live until its tries of the last day are fewer than its cap, or than its ramp lets it try;
    /// zero where they are, or where it has none.
    pub full_for: Duration,
    /// The same for the tries and the cap of all inboxes of its organisation.
    pub organisation_full_for: Duration,
    /// Its ramp, and how far it has come.
    pub ramp: Option<(Ramp, Duration)>,
    /// The cap of its organisation.
    pub organisation_daily_cap: Option<u32>,
}

/// When something was last tried through an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastTry {
    /// The instant.
    pub at: Timestamp,
    /// How long ago that is: what relays have lived since then, with the time on the wall in which none lived.
    pub passed: Duration,
}

/// Whether an inbox may try a message now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It may.
    Go,
    /// Not before this instant, as things stand.
    NotBefore {
        /// When.
        at: Timestamp,
        /// What holds it.
        by: HeldBy,
    },
}

impl Pace {
    /// Until when it must wait; `None` where it need not.
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Go => None,
            Self::NotBefore { at, .. } => Some(at),
        }
    }
}
