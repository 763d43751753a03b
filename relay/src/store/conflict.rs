//! What is well asked for and does not fit what stands in the database. The words for whoever asked are made where
//! they are told.

use protocol::delivery::Suppression;
use protocol::id::CampaignId;
use protocol::inbox::Address;
use protocol::{campaign, delivery, lead};

/// What the present state does not allow, and what that state is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Another inbox has this address, perhaps in other capital letters.
    AddressTaken {
        /// As it was asked for.
        address: Address,
    },
    /// Leads are being added to the campaign, or it is being started.
    Importing,
    /// The lead's state does not take that.
    Lead(lead::InvalidTransition),
    /// No step of the lead's sequence is left.
    NothingLeft,
    /// The lead, or its person, is not written to any more.
    Heard(Suppression),
    /// A message to the lead is being attempted, or nobody knows yet whether one was sent.
    Attempting,
    /// Only a draft can be deleted.
    NotADraft {
        /// The campaign's state.
        state: &'static str,
    },
    /// A campaign that is started keeps the number of its steps.
    OtherSteps {
        /// How many it has.
        n_steps: usize,
    },
    /// The text of a step that was tried for somebody stays.
    StepTried {
        /// From 1.
        step: i64,
    },
    /// The campaign's state does not take that.
    Campaign {
        /// What was refused.
        refused: campaign::InvalidTransition,
        /// Where the campaign stands.
        status: campaign::State,
    },
    /// The delivery's state does not take that.
    Delivery(delivery::InvalidTransition),
    /// The servers of an inbox that is connected are right.
    Connected,
    /// A sign-in for the inbox is being proved.
    Proving,
    /// Campaigns have the inbox.
    InCampaigns {
        /// The first of them: name and id.
        named: Vec<(String, CampaignId)>,
        /// How many there are.
        n: usize,
    },
    /// Messages that the database lacks were sent through the inbox.
    SentThrough,
    /// Another account has this name, perhaps in other capital letters.
    NameTaken,
    /// Without it nobody would decide who has an account.
    LastOwner,
    /// The account has as many passkeys as one may have.
    TooManyPasskeys,
    /// The authenticator's credential is kept already.
    PasskeyKnown,
    /// Without it nobody would come into the account, which has no password.
    LastPasskey,
    /// Without a password nobody would come into the account, which has no passkey.
    NoPasskey,
    /// The account has as many API keys as one may have.
    TooManyKeys {
        /// How many that is.
        at_most: i64,
    },
    /// Nobody asked: the inbox's mail is taken, or it still tries by itself.
    AsksNothing,
}

impl From<lead::InvalidTransition> for Conflict {
    fn from(refused: lead::InvalidTransition) -> Self {
        Self::Lead(refused)
    }
}

impl From<delivery::InvalidTransition> for Conflict {
    fn from(refused: delivery::InvalidTransition) -> Self {
        Self::Delivery(refused)
    }
}
