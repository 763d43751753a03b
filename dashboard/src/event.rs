//! What happens to the dashboard, and what it has done: the words between the decisions and the browser.

use protocol::account::{AccountName, Role};
use protocol::campaign::Step;
use protocol::delivery::Decision;
use protocol::id::{
    AccountId, CampaignId, DeliveryId, DeviceId, InboxId, KeyId, PasskeyId, ReceiptId, ReconnectId,
    SessionId,
};
use protocol::receipt::Receipt;
use protocol::request::account::{Account, Invitation};
use protocol::request::alert::Alerts;
use protocol::request::audit::AuditEntry;
use protocol::request::delivery::Delivery;
use protocol::request::device::{Device, Pairing};
use protocol::request::key::{CreateKey, ListedKey, NewKey};
use protocol::request::pace::{Pace, UpdatePace};
use protocol::request::passkey::Passkey;
use protocol::request::reconnect::Reconnect;
use protocol::request::session::{ListedSession, Session};
use protocol::request::status::Status;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::call::{CallError, Tagged};
use web::card::{Act, Given};

use crate::model::Place;
use crate::passkey::Untaken;
use crate::route::{Invited, Route};

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The page was opened.
    Opened(Box<Opening>),
    /// The address changed: a link was followed, or Back was pressed.
    Went(Route),
    /// A person follows a link of ours.
    Linked(Route),
    /// A one-time link was opened on a page that was open already.
    Given(Secret),
    /// An invitation was opened on a page that was open already.
    Invited(Invited),
    /// A person signs in by name and password.
    SignInAsked(String, Secret),
    /// A person signs in by a passkey.
    PasskeyAsked,
    /// A passkey signed somebody in, or not.
    PasskeyEntered(Result<Session, Untaken>),
    /// A person adds a passkey, called so.
    PasskeyAdding(String),
    /// It was made and kept, or not.
    PasskeyMade(Result<Passkey, Untaken>),
    /// The removal of a passkey waits for a second word, or no longer does.
    RemovingPasskey(Option<PasskeyId>),
    /// A person proves who he is by the password.
    ProofTyped(Secret),
    /// A person proves who he is by a passkey.
    ProofByPasskeyAsked,
    /// It is proved, or not.
    Proven(Result<(), Untaken>),
    /// A person proves nothing, and what was asked is not done.
    ProofDropped,
    /// A person takes an invitation with this password.
    Accepting(Secret),
    /// An invitation was taken, or not.
    Accepted(Result<Session, CallError>),
    /// A person wants in by the one-time link that was opened.
    EnterPressed,
    /// The code of a one-time link was exchanged, or a name and a password were.
    Entered(Result<Session, CallError>),
    /// It is time to look.
    Tick(Timestamp),
    /// The page was shown, or hidden.
    Shown {
        /// Whether it is seen now.
        is_visible: bool,
        /// When.
        at: Timestamp,
    },
    /// The relay was asked for everything; `None`: as before.
    Looked(Result<Option<Tagged<Status>>, CallError>),
    /// What a page needs beyond that came.
    Loaded(Loaded),
    /// A person pressed something that changes the relay.
    Asked(Deed),
    /// The relay did it, or not.
    Did(Deed, Result<(), CallError>),
    /// A person makes an account.
    InviteAsked(AccountName, Role),
    /// A person wants another link for an account.
    InviteAgainAsked(AccountId),
    /// A person wants a pairing link.
    PairingAsked,
    /// A pairing link was made, or not.
    Paired(Result<Pairing, CallError>),
    /// A person pressed something on a card.
    Acted(InboxId, Act),
    /// A reconnect was started, or not.
    Begun(InboxId, Box<Result<Begun, CallError>>),
    /// A link for another browser was made, or not.
    LinkMade(InboxId, Box<Result<Begun, CallError>>),
    /// A password was handed over, or not.
    HandedOver(InboxId, Box<Result<Reconnect, CallError>>),
    /// How a reconnect stands.
    Followed(InboxId, Box<Result<Reconnect, CallError>>),
    /// The receipt of a reconnect.
    Proved(InboxId, Box<Result<Receipt, CallError>>),
    /// A link was made for somebody to set a password at, or not.
    InvitationMade(Box<Result<Invitation, CallError>>),
    /// A person asks to remove an account, or takes it back.
    Removing(Option<AccountId>),
    /// A person wants an API key.
    KeyAsked(CreateKey),
    /// It was made, or not.
    KeyMade(Box<Result<NewKey, CallError>>),
    /// The end of an API key waits for a second word, or no longer does.
    EndingKey(Option<KeyId>),
    /// A person asks to revoke a device, or takes it back.
    Confirming(Option<DeviceId>),
    /// A person wants to see more of a long list.
    MoreWanted,
    /// A person wants to read the page again.
    Again,
    /// A person has read what went wrong.
    Dismissed,
    /// A person copies text.
    Copied(Secret),
    /// A person signs out of this browser.
    Left,
    /// The relay ended the session that was left, or not.
    SignedOut(Result<(), CallError>),
}

/// How the page was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Where.
    pub route: Route,
    /// The code of a one-time link.
    pub code: Option<Secret>,
    /// An invitation, where the link is one.
    pub invited: Option<Invited>,
    /// The session that this browser keeps.
    pub session: Option<Secret>,
    /// Reconnects that this tab began before it was loaded again.
    pub reconnects: Vec<(InboxId, ReconnectId)>,
    /// Whether it is seen.
    pub is_visible: bool,
    /// Whether it came by https.
    pub is_encrypted: bool,
    /// Whether passkeys can be used here.
    pub place: Place,
    /// When.
    pub at: Timestamp,
}

/// A reconnect that was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// How it stands.
    pub reconnect: Reconnect,
    /// Where the person signs in; `None` where that has been done, or is not done in a browser.
    pub url: Option<Secret>,
}

/// What a page needs beyond the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Deliveries of a campaign, from the first lead on: so many pages.
    Deliveries(CampaignId, u32),
    /// Those that a person must decide.
    Unsettled(CampaignId),
    /// The messages of a campaign, which the status leaves out.
    Steps(CampaignId),
    /// How fast each inbox sends.
    Paces,
    /// The receipts.
    Receipts,
    /// One receipt, with so many pages of its lines.
    Receipt(ReceiptId, u32),
    /// To whom the deliveries of a receipt's campaigns go.
    Recipients(CampaignId),
    /// The paired devices.
    Devices,
    /// Who is signed in.
    Sessions,
    /// One's own passkeys.
    Passkeys,
    /// The API keys.
    Keys,
    /// The last alerts and the channels.
    Alerts,
    /// So many pages of what was done.
    Activity(u32),
    /// The account that asks.
    Account,
    /// Everybody who signs in.
    Accounts,
    /// The relay's number.
    Fingerprint,
}

/// What came of [`Wanted`].
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded {
    /// Of this campaign.
    Deliveries(CampaignId, Result<Vec<Delivery>, CallError>),
    /// Of this campaign.
    Unsettled(CampaignId, Result<Vec<Delivery>, CallError>),
    /// Of this campaign, first to last.
    Steps(CampaignId, Result<Vec<Step>, CallError>),
    /// By address.
    Paces(Result<Vec<Pace>, CallError>),
    /// Newest first.
    Receipts(Result<Vec<Receipt>, CallError>),
    /// One receipt.
    Receipt(ReceiptId, Box<Result<Receipt, CallError>>),
    /// Of this campaign.
    Recipients(CampaignId, Result<Vec<Delivery>, CallError>),
    /// Newest first.
    Devices(Result<Vec<Device>, CallError>),
    /// The one used last first.
    Sessions(Result<Vec<ListedSession>, CallError>),
    /// Oldest first.
    Passkeys(Result<Vec<Passkey>, CallError>),
    /// Newest first.
    Keys(Result<Vec<ListedKey>, CallError>),
    /// Newest first.
    Alerts(Result<Alerts, CallError>),
    /// Newest first, and whether there is more.
    Activity(Result<(Vec<AuditEntry>, bool), CallError>),
    /// The account that asks.
    Account(Box<Result<Account, CallError>>),
    /// Oldest first.
    Accounts(Result<Vec<Account>, CallError>),
    /// The relay's key, for people to compare.
    Fingerprint(Result<String, CallError>),
}

/// What a person asks the relay to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Start a draft.
    Start(CampaignId),
    /// Pause a campaign.
    Pause(CampaignId),
    /// Resume a campaign that a person paused.
    Resume(CampaignId),
    /// Decide a delivery.
    Settle(DeliveryId, Decision),
    /// Change how fast an inbox sends.
    Pace(UpdatePace),
    /// Revoke a device.
    Revoke(DeviceId),
    /// End a session.
    EndSession(SessionId),
    /// End all of them, this one too.
    EndSessions,
    /// Set one's own password.
    SetPassword {
        /// The one of now, where there is one.
        current: Option<Secret>,
        /// The one to be.
        password: Secret,
    },
    /// Take one's own password away.
    DropPassword,
    /// Remove one of one's own passkeys.
    RemovePasskey(PasskeyId),
    /// Change what an account may do.
    SetRole(AccountId, Role),
    /// Say which inboxes an account sees.
    Give(AccountId, Vec<InboxId>),
    /// Remove an account.
    RemoveAccount(AccountId),
    /// End an API key.
    EndKey(KeyId),
}

/// What the browser does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Exchange the code of a one-time link.
    Enter(Secret),
    /// Sign in by name and password.
    SignIn(String, Secret),
    /// Sign in by a passkey.
    SignInByPasskey,
    /// Make a passkey that is called so.
    MakePasskey(String),
    /// Prove whose the session is by the password.
    ProveByPassword(Secret),
    /// Prove it by a passkey.
    ProveByPasskey,
    /// Take an invitation with a password.
    Accept(Secret, Secret),
    /// Make an account, and the link at which its password is set.
    Invite(AccountName, Role),
    /// Make another link for an account.
    InviteAgain(AccountId),
    /// Make an API key.
    MakeKey(CreateKey),
    /// Keep the session in this browser.
    KeepSession(Secret),
    /// Forget it.
    ForgetSession,
    /// Have the relay end the session of this token.
    SignOut(Secret),
    /// Keep the reconnects that this tab began.
    KeepReconnects(Vec<(InboxId, ReconnectId)>),
    /// Ask the relay for everything.
    Look,
    /// Look again after so many milliseconds, and not before.
    TickAfter(u32),
    /// Stop looking.
    Rest,
    /// Load what the page needs.
    Load(Wanted),
    /// Ask the relay to change something.
    Do(Deed),
    /// Make a pairing link.
    Pair,
    /// Open an empty tab, while the click still counts.
    OpenTab(InboxId),
    /// Start a reconnect and let the relay run its sign-in.
    Begin(InboxId),
    /// Seal a password, start a reconnect and hand it over.
    HandOver(InboxId, Given),
    /// Show the sign-in in the tab that was opened for it.
    ShowInTab(InboxId, Secret),
    /// Close that tab.
    CloseTab(InboxId),
    /// Ask how a reconnect stands.
    Follow(InboxId, ReconnectId),
    /// Start or join a reconnect whose sign-in is done in another browser.
    MakeLink(InboxId),
    /// Say that the account that signed in is meant.
    Confirm(InboxId, ReconnectId),
    /// Call a reconnect off.
    CallOff(InboxId, ReconnectId, CallingOff),
    /// Read the receipt of a reconnect.
    Prove(InboxId, ReceiptId),
    /// Put text on the clipboard.
    Copy(Secret),
    /// Show another address.
    GoTo(Route),
    /// Show another address in place of this one.
    Become(Route),
}

/// How a reconnect is called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallingOff {
    /// By the person, who has seen enough.
    Cancelled,
    /// While the person was at the provider, whose page may have been an error.
    Closed,
}
