//! Names of the things that are stored. How random ids are made is the relay's business.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The id with this text, as it stood in a row or a request.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as it stands in a path or a row.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// An inbox.
    InboxId = "inb_";
    /// A campaign.
    CampaignId = "cmp_";
    /// A lead of a campaign.
    LeadId = "lea_";
    /// A delivery: one step to one lead.
    DeliveryId = "dlv_";
    /// A reconnect.
    ReconnectId = "rec_";
    /// A paired device.
    DeviceId = "dev_";
    /// A receipt.
    ReceiptId = "rcp_";
    /// A message that arrived about one of ours.
    ReplyId = "rpl_";
    /// An account: somebody who signs in.
    AccountId = "acc_";
    /// A session of the dashboard.
    SessionId = "ses_";
    /// An API key, as it is listed and ended; what proves it is another text.
    KeyId = "key_";
    /// A file of messages: what follows is the SHA-256 of its content, in hex.
    FileId = "fil_";
    /// A passkey, as it is listed and removed; what proves it never leaves its authenticator.
    PasskeyId = "psk_";
    /// One request to the API, as it stands in the log and in a problem.
    RequestId = "req_";
}
