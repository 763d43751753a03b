//! Passkeys (W3C Web Authentication, Level 2 and 3): making, listing and removing one, signing in by one, and proving anew
//! who sits there. Bytes are base64url without padding, as the JSON of Web Authentication writes them. What is asked of a
//! browser beside these values never varies: a discoverable credential, user verification, no attestation.

use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};

use super::session::Session;
use super::{Caller, Done, Request};
use crate::account::Role;
use crate::id::PasskeyId;
use crate::secret::Secret;
use crate::timestamp::Timestamp;

/// For how long a proof is good: as long as one errand in the settings.
pub const PROOF_FOR: Duration = Duration::from_mins(10);
/// The longest name of a passkey, in characters.
pub const NAME_AT_MOST: usize = 60;
/// The most passkeys of an account.
pub const PASSKEYS_AT_MOST: u32 = 20;
/// The algorithms that are taken, the preferred one first, as COSE numbers them (RFC 9053 §2): `EdDSA`, ES256, and RS256
/// (RFC 8812 §2), which some computers' own chips have alone.
pub const ALGORITHMS: [i32; 3] = [-8, -7, -257];

/// Asks for what a browser needs to make a passkey of the account that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GetPasskeyCreation {}

impl Request for GetPasskeyCreation {
    const NAME: &'static str = "getPasskeyCreation";
    const SUMMARY: &'static str =
        "Says what a browser needs to make a passkey of the account that asks.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/account/passkeys/creation";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    type Response = PasskeyCreation;
}

/// What a browser needs to make a passkey (Web Authentication §5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PasskeyCreation {
    /// What is to be signed; good once, for this session.
    pub challenge: String,
    /// When it is over.
    pub expires_at: Timestamp,
    /// The relying party's id: the relay's host name.
    pub rp_id: String,
    /// What an authenticator knows the account by; it says nothing of it.
    pub user_handle: String,
    /// The account's name, for people to choose by.
    pub user_name: String,
    /// The algorithms that are taken, the preferred one first, by their numbers in COSE.
    pub algorithms: Vec<i32>,
    /// The credentials of the account that are there: an authenticator with one of them makes no other.
    pub known: Vec<String>,
}

/// Keeps a passkey that a browser made for the account that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreatePasskey {
    /// What it is called: 1 to 60 characters.
    pub name: String,
    /// The credential's id: `rawId`.
    pub credential_id: String,
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.attestationObject`.
    pub attestation: String,
}

impl Request for CreatePasskey {
    const NAME: &'static str = "createPasskey";
    const SUMMARY: &'static str = "Keeps a passkey that a browser made for the account that asks.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/account/passkeys";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    const RECORDED: &'static [&'static str] = &["name"];
    type Response = Passkey;
}

/// A passkey, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Passkey {
    /// Its name in the API.
    pub id: PasskeyId,
    /// What its person calls it.
    pub name: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it was last used; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

/// Lists the passkeys of the account that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListPasskeys {}

impl Request for ListPasskeys {
    const NAME: &'static str = "listPasskeys";
    const SUMMARY: &'static str = "Lists the passkeys of the account that asks.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/account/passkeys";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Passkeys;
}

/// Passkeys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Passkeys {
    /// Oldest first.
    pub passkeys: Vec<Passkey>,
}

/// Removes a passkey of the account that asks; it signs nobody in from then on. The last way in of an account stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeletePasskey {
    /// The passkey.
    pub passkey_id: PasskeyId,
}

impl Request for DeletePasskey {
    const NAME: &'static str = "deletePasskey";
    const SUMMARY: &'static str = "Removes a passkey of the account that asks.";
    const METHOD: Method = Method::DELETE;
    const PATH: &'static str = "/v1/account/passkeys/{passkey_id}";
    const CALLER: Caller = Caller::Session(Role::Client);
    const ANEW: bool = true;
    type Response = Done;
}

/// Begins a sign-in by a passkey. The answer is the same for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BeginSignIn {}

impl Request for BeginSignIn {
    const NAME: &'static str = "beginSignIn";
    const SUMMARY: &'static str = "Begins a sign-in by a passkey.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/sign-ins/passkey";
    const CALLER: Caller = Caller::Anyone;
    type Response = BegunSignIn;
}

/// A sign-in by a passkey that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BegunSignIn {
    /// Shown again with what was signed: who overhears that alone signs in by nothing.
    pub begun: Secret,
    /// What is to be signed.
    pub asked: PasskeyAsked,
}

/// What a browser needs to have a passkey sign (Web Authentication §5.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PasskeyAsked {
    /// What is to be signed; good once.
    pub challenge: String,
    /// When it is over.
    pub expires_at: Timestamp,
    /// The relying party's id.
    pub rp_id: String,
    /// The credentials that may sign; none: whichever its person chooses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<String>,
}

/// What a passkey has signed (Web Authentication §5.1.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The credential's id: `rawId`.
    pub credential_id: String,
    /// `response.clientDataJSON`.
    pub client_data: String,
    /// `response.authenticatorData`.
    pub authenticator_data: String,
    /// `response.signature`.
    pub signature: String,
    /// `response.userHandle`; needed to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_handle: Option<String>,
}

/// Signs in by a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignInByPasskey {
    /// From [`BegunSignIn`].
    pub begun: Secret,
    /// What the passkey signed.
    pub passkey: Assertion,
}

impl Request for SignInByPasskey {
    const NAME: &'static str = "signInByPasskey";
    const SUMMARY: &'static str = "Signs in by a passkey.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/sign-ins/passkey";
    const CALLER: Caller = Caller::Anyone;
    type Response = Session;
}

/// Asks for what a passkey of the account that asks is to sign to prove that it is still its person who sits there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BeginProof {}

impl Request for BeginProof {
    const NAME: &'static str = "beginProof";
    const SUMMARY: &'static str = "Begins a proof by a passkey of the account that asks.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/account/proof";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = PasskeyAsked;
}

/// Proves that it is still its person who has the session, by the password or by a passkey, one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Prove {
    /// The account's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// What a passkey of it signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Assertion>,
}

impl Request for Prove {
    const NAME: &'static str = "prove";
    const SUMMARY: &'static str =
        "Proves anew whose the session is, by the account's password or a passkey.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/account/proof";
    const CALLER: Caller = Caller::Session(Role::Client);
    type Response = Proof;
}

/// A proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proof {
    /// Until when it is good.
    pub until: Timestamp,
}
