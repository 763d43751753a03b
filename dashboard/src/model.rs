//! Everything that the dashboard knows, and nothing that a browser must be asked for.

use std::collections::BTreeMap;

use protocol::account::Role;
use protocol::campaign::{State, Step};
use protocol::id::{
    AccountId, CampaignId, DeliveryId, DeviceId, InboxId, KeyId, PasskeyId, ReconnectId,
};
use protocol::inbox::Address;
use protocol::receipt::Receipt;
use protocol::request::account::{Account, Invitation};
use protocol::request::alert::Alerts;
use protocol::request::audit::AuditEntry;
use protocol::request::campaign::Campaign;
use protocol::request::delivery::Delivery;
use protocol::request::device::{Device, Pairing};
use protocol::request::inbox::{ConnectionState, Inbox};
use protocol::request::key::{ListedKey, NewKey};
use protocol::request::pace::Pace;
use protocol::request::passkey::Passkey;
use protocol::request::session::ListedSession;
use protocol::request::status::Status;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::card::{Card, Face, Progress, draw};

use crate::event::{Deed, Effect};
use crate::route::{Invited, Route};

/// Milliseconds between two looks while somebody watches something move.
const WATCHING_MS: u32 = 500;
/// Milliseconds between two looks otherwise.
const IDLING_MS: u32 = 2_000;

/// The dashboard.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The page.
    pub route: Route,
    /// Whether somebody is signed in.
    pub access: Access,
    /// The account that is signed in; `None` until the relay has said which.
    pub account: Option<Account>,
    /// The time by which the words on the page are true.
    pub now: Timestamp,
    /// Whether somebody looks at the page.
    pub is_visible: bool,
    /// Whether it came by https.
    pub is_encrypted: bool,
    /// Whether passkeys can be used here.
    pub place: Place,
    /// Every inbox and campaign; `None` before the first answer.
    pub status: Option<Status>,
    /// The tag of that answer.
    pub tag: Option<String>,
    /// When the relay answered last.
    pub answered_at: Option<Timestamp>,
    /// Why it did not, the last time; `None` while it does.
    pub trouble: Option<String>,
    /// Whether an answer is awaited.
    pub is_looking: bool,
    /// Reconnects that were begun here, and those whose end has not been read.
    pub reconnects: BTreeMap<InboxId, Reconnecting>,
    /// What the page needs beyond the status.
    pub page: Page,
    /// What is being done; one thing at a time.
    pub doing: Option<Deed>,
    /// Why the last thing was not done.
    pub notice: Option<String>,
    /// What was asked of the relay last that it may want a proof for.
    pub asked: Option<Effect>,
    /// What waits until its person has proved who he is.
    pub proving: Option<Proving>,
    /// What was typed, for whoever is refused.
    pub typed: Typed,
}

/// What a person typed into forms that go while an answer is awaited: they come back with it. No secret is among it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// The name of the last sign-in.
    pub name: String,
    /// The user names of reconnects by password.
    pub users: BTreeMap<InboxId, String>,
    /// Who was to be invited last, until there is a link.
    pub invited: Option<(String, Role)>,
}

/// Something that waits for a proof of who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proving {
    /// What is done then.
    pub then: Effect,
    /// Whether an answer is awaited.
    pub is_waiting: bool,
    /// Why the last proof was none.
    pub problem: Option<String>,
}

/// Whether passkeys can be used on this page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// They can.
    Here,
    /// At this address of the same relay they can.
    At(String),
    /// A passkey is bound to a name, and the address has none.
    Nameless,
    /// This browser has none.
    NoBrowser,
}

/// Whether somebody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// A one-time link was opened. Its code is used when a person says so: what opens links by itself, a prefetch or a
    /// scanner of mail, uses none up and signs nobody in.
    Asked {
        /// The code.
        code: Secret,
        /// The session that was there before it.
        before: Option<Secret>,
    },
    /// The code of a one-time link is being exchanged.
    Entering {
        /// The session that was there before it.
        before: Option<Secret>,
    },
    /// Somebody is invited, and is to set a password.
    Invited {
        /// The invitation.
        invited: Invited,
        /// The session that was there before it.
        before: Option<Secret>,
        /// Whether an answer is awaited.
        is_waiting: bool,
        /// Why the last password was not taken.
        problem: Option<String>,
    },
    /// Yes, by this token.
    In(Secret),
    /// No.
    Out(Out),
}

/// Why nobody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Nobody has signed in here yet.
    Never,
    /// The name or the password was wrong.
    Wrong,
    /// The invitation was taken, has run out, or never was.
    UsedInvitation,
    /// The passkey is not known here, or what it signed is not right.
    WrongPasskey,
    /// Nobody chose a passkey, or the browser gave none.
    NoPasskey {
        /// Why, where that is known.
        words: Option<String>,
    },
    /// The code of the link was used, has run out, or never was.
    UsedCode,
    /// The code could not be exchanged.
    NoAnswer {
        /// Why.
        words: String,
    },
    /// The session has ended.
    Ended,
    /// The person signed out.
    Left,
    /// The person signed out, and the relay does not know it.
    LeftUntold,
}

/// A reconnect that was begun here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconnecting {
    /// Its name; `None` until the relay has given it one.
    pub reconnect: Option<ReconnectId>,
    /// How far it is.
    pub progress: Progress,
}

impl Reconnecting {
    /// Whether it goes on.
    pub fn is_under_way(&self) -> bool {
        match self.progress {
            Progress::Starting
            | Progress::AtProvider { .. }
            | Progress::Elsewhere { .. }
            | Progress::HandingOver
            | Progress::Proving { .. }
            | Progress::Unconfirmed { .. } => true,
            Progress::Resumed { .. } | Progress::Refused { .. } | Progress::Stopped(_) => false,
        }
    }
}

/// What one page needs beyond the status; all of it goes when the page does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Pages of its long list that are shown beyond the first.
    pub more_pages: u32,
    /// Deliveries of the campaign, from the first lead on.
    pub deliveries: Slot<Vec<Delivery>>,
    /// Those that a person must decide.
    pub unsettled: Slot<Vec<Delivery>>,
    /// The messages of the campaign, first to last.
    pub steps: Slot<Vec<Step>>,
    /// How fast each inbox sends, by address.
    pub paces: Slot<Vec<Pace>>,
    /// The receipts, newest first.
    pub receipts: Slot<Vec<Receipt>>,
    /// The receipt.
    pub receipt: Slot<Receipt>,
    /// To whom deliveries of the receipt go, where that is known.
    pub recipients: BTreeMap<DeliveryId, Address>,
    /// The paired devices, newest first.
    pub devices: Slot<Vec<Device>>,
    /// Who is signed in, the session used last first.
    pub sessions: Slot<Vec<ListedSession>>,
    /// The relay's key, for people to compare.
    pub fingerprint: Slot<String>,
    /// Everybody who signs in, oldest first.
    pub accounts: Slot<Vec<Account>>,
    /// The link that was just made for somebody to set a password at.
    pub invitation: Option<Invitation>,
    /// The account whose removal waits for a second word.
    pub removing: Option<AccountId>,
    /// Whether one's own password was set on this page.
    pub is_password_set: bool,
    /// One's own passkeys, oldest first.
    pub passkeys: Slot<Vec<Passkey>>,
    /// Whether a passkey is being made.
    pub is_making_passkey: bool,
    /// What the passkey is called that was made on this page.
    pub passkey_made: Option<String>,
    /// The passkey whose removal waits for a second word.
    pub removing_passkey: Option<PasskeyId>,
    /// The API keys, newest first.
    pub keys: Slot<Vec<ListedKey>>,
    /// The last alerts, newest first, and the channels.
    pub alerts: Slot<Alerts>,
    /// The key that was just made.
    pub key: Option<NewKey>,
    /// The key whose end waits for a second word.
    pub ending_key: Option<KeyId>,
    /// What was done, newest first, and whether there is more.
    pub activity: Slot<(Vec<AuditEntry>, bool)>,
    /// The device whose revocation waits for a second word.
    pub confirming: Option<DeviceId>,
    /// The pairing link that was just made.
    pub pairing: Option<Pairing>,
    /// The name of the browser that was just paired by it.
    pub paired: Option<String>,
    /// What was copied last.
    pub copied: Option<Secret>,
}

/// Something that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Slot<T> {
    /// On its way.
    #[default]
    Awaited,
    /// Here; a newer one may be on its way.
    Here(T),
    /// It could not be loaded.
    Failed(String),
}

impl Default for Model {
    fn default() -> Self {
        Self {
            route: Route::Campaigns,
            access: Access::Out(Out::Never),
            account: None,
            now: Timestamp::from_ms(0),
            is_visible: true,
            is_encrypted: true,
            place: Place::Here,
            status: None,
            tag: None,
            answered_at: None,
            trouble: None,
            is_looking: false,
            reconnects: BTreeMap::new(),
            page: Page::default(),
            doing: None,
            notice: None,
            asked: None,
            proving: None,
            typed: Typed::default(),
        }
    }
}

impl Model {
    /// The token that lets us in.
    pub fn token(&self) -> Option<&Secret> {
        match &self.access {
            Access::In(token) => Some(token),
            Access::Asked { .. }
            | Access::Entering { .. }
            | Access::Invited { .. }
            | Access::Out(_) => None,
        }
    }

    /// The token that lets us in, or did before a one-time link was opened.
    pub fn token_before(&self) -> Option<&Secret> {
        match &self.access {
            Access::In(token) => Some(token),
            Access::Asked { before, .. }
            | Access::Entering { before }
            | Access::Invited { before, .. } => before.as_ref(),
            Access::Out(_) => None,
        }
    }

    /// Whether whoever is signed in may change inboxes and campaigns. Who that is, the relay decides; until it has said
    /// who it is, what is shown is what most may do.
    pub fn may_work(&self) -> bool {
        self.account
            .as_ref()
            .is_none_or(|account| account.role > Role::Client)
    }

    /// Whether whoever is signed in decides who else has an account.
    pub fn is_owner(&self) -> bool {
        self.account
            .as_ref()
            .is_some_and(|account| account.role == Role::Owner)
    }

    /// The campaigns, newest first.
    pub fn campaigns(&self) -> &[Campaign] {
        self.status
            .as_ref()
            .map_or(&[], |status| status.campaigns.as_slice())
    }

    /// The inboxes, by address.
    pub fn inboxes(&self) -> &[Inbox] {
        self.status
            .as_ref()
            .map_or(&[], |status| status.inboxes.as_slice())
    }

    /// A campaign.
    pub fn find_campaign(&self, id: &CampaignId) -> Option<&Campaign> {
        self.campaigns().iter().find(|campaign| campaign.id == *id)
    }

    /// An inbox.
    pub fn find_inbox(&self, id: &InboxId) -> Option<&Inbox> {
        self.inboxes().iter().find(|inbox| inbox.id == *id)
    }

    /// An inbox's address, or its name where it is not known.
    pub fn address_of(&self, id: &InboxId) -> String {
        self.find_inbox(id)
            .map_or_else(|| id.to_string(), |inbox| inbox.address.to_string())
    }

    /// The card of an inbox that has something to say: it is lost, or a reconnect of it was begun here.
    pub fn find_card(&self, inbox: &Inbox) -> Option<Card> {
        let reconnecting = self.reconnects.get(&inbox.id);
        let is_lost = inbox.connection.state == ConnectionState::Disconnected;
        (is_lost || reconnecting.is_some()).then(|| {
            let progress = reconnecting.map(|reconnecting| &reconnecting.progress);
            let mut card = draw(inbox, self.campaigns(), progress);
            if let Face::Broken(broken) = &mut card.face
                && let Some(form) = &mut broken.password
                && let Some(user) = self.typed.users.get(&inbox.id)
            {
                form.user.clone_from(user);
                form.is_user_the_address = user == inbox.address.as_str();
            }
            card
        })
    }

    /// Milliseconds until the next look; `None` while nobody looks at the page.
    pub fn pace(&self) -> Option<u32> {
        if !self.is_visible || self.token().is_none() {
            return None;
        }
        let is_moving = self.reconnects.values().any(Reconnecting::is_under_way);
        let is_watched = matches!(self.route, Route::Campaign(_));
        Some(if is_moving || is_watched {
            WATCHING_MS
        } else {
            IDLING_MS
        })
    }

    /// What stands in the browser's title bar.
    pub fn title(&self) -> String {
        let page = match (&self.access, &self.route) {
            (Access::Invited { .. }, _) => "Set a password".to_owned(),
            (Access::Out(_) | Access::Asked { .. } | Access::Entering { .. }, _)
            | (_, Route::Login) => "Sign in".to_owned(),
            (_, Route::Campaigns) => "Campaigns".to_owned(),
            (_, Route::Campaign(id)) => self.find_campaign(id).map_or_else(
                || "Campaign".to_owned(),
                |campaign| match campaign.status {
                    State::Paused { .. } => format!("Paused: {}", campaign.name),
                    _ => campaign.name.clone(),
                },
            ),
            (_, Route::Inboxes) => "Inboxes".to_owned(),
            (_, Route::Receipts) => "Receipts".to_owned(),
            (_, Route::Receipt(_)) => "Receipt".to_owned(),
            (_, Route::Settings) => "Settings".to_owned(),
            (_, Route::Activity) => "What was done".to_owned(),
            (_, Route::Missing) => "No such page".to_owned(),
        };
        format!("{page} · Unpause")
    }
}
