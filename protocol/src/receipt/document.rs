//! A receipt as a file that anybody can check: lines of JSON, of which the last signs those before. What is signed and in
//! which words stands here once for the relay, which writes it, and for whoever checks it; keys and the verifying are the
//! two sides'.
//!
//! The first line is a [`Head`], each later one an [`Entry`], one for each message that was held, and the last a [`Seal`].
//! A digest covers every byte before the last line, and the signature covers the digest and all else that the last line
//! says; so no byte can be changed, no line taken away, added or moved.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Line, Receipt};
use crate::id::CampaignId;
use crate::renewal::Renewal;
use crate::signed::{SIGNATURE_BYTES, VerifyingKey};
use crate::timestamp::Timestamp;

/// The version of the form.
pub const VERSION: u32 = 1;
/// How what is signed begins, so that what was signed for another use is none. A base of RFC 9421 §2.5 begins with a
/// quote, and a renewal names itself.
const PURPOSE: &str = "unpause receipt v1";

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The version of the form: [`VERSION`].
    pub unpause_receipt: u32,
    /// The receipt without its lines.
    pub receipt: Receipt,
    /// The campaigns that went on, of those that its reader may see.
    pub campaigns: Vec<NamedCampaign>,
}

/// A campaign, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCampaign {
    /// The campaign.
    pub id: CampaignId,
    /// What it was called when this was signed.
    pub name: String,
}

/// A message that was held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its campaign.
    pub campaign: CampaignId,
    /// Its lead's address.
    pub to: String,
    /// Which it is, and what became of it at the resume.
    #[serde(flatten)]
    pub line: Line,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// The SHA-256 of every byte before this line, in hexadecimal digits.
    pub sha256: String,
    /// Messages that are listed.
    pub messages: u64,
    /// The key of the relay that signs.
    pub key: VerifyingKey,
    /// When it was signed.
    pub at: Timestamp,
    /// How whoever knows an earlier key of the relay comes to this one, oldest first.
    pub renewals: Vec<Renewal>,
    /// The signature (RFC 8032), base64url without padding.
    pub signature: String,
}

impl Seal {
    /// A seal over these bytes that is not signed yet.
    pub fn over(
        digest: [u8; 32],
        messages: u64,
        key: VerifyingKey,
        at: Timestamp,
        renewals: Vec<Renewal>,
    ) -> Self {
        Self {
            sha256: hex(&digest),
            messages,
            key,
            at,
            renewals,
            signature: String::new(),
        }
    }

    /// What is signed.
    pub fn statement(&self) -> String {
        let mut renewals = Sha256::new();
        for renewal in &self.renewals {
            // Each is as long as it says, so that no two lists are written alike.
            for part in [&renewal.statement, &renewal.signature] {
                renewals.update(part.len().to_be_bytes().as_slice());
                renewals.update(part.as_bytes());
            }
        }
        let Self {
            sha256,
            messages,
            key,
            at,
            ..
        } = self;
        let (at, renewals) = (at.as_ms(), hex(&renewals.finalize()));
        format!(
            "{PURPOSE}\nsha256 {sha256}\nmessages {messages}\nkey {key}\nat {at}\nrenewals {renewals}"
        )
    }

    /// With its signature.
    #[must_use]
    pub fn signed(self, signature: &[u8; SIGNATURE_BYTES]) -> Self {
        Self {
            signature: URL_SAFE_NO_PAD.encode(signature),
            ..self
        }
    }
}

/// A document whose every byte is as its seal says. Whether the seal is signed is still to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Its first line.
    pub head: Head,
    /// Its last line.
    pub seal: Seal,
    /// What its key must have signed.
    pub statement: String,
    /// The signature that it bears.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// Why something is no whole document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It begins otherwise.
    #[error(
        "expected a receipt as `unpause reconnect receipt RECEIPT --signed` writes it, found something else: its first \
         line is not the head of one"
    )]
    NoReceipt,
    /// A later version wrote it.
    #[error(
        "expected a signed receipt of version {VERSION}, found version {0}: a later version of unpause can read it"
    )]
    Later(u32),
    /// The last line is no seal.
    #[error(
        "its last line is no signature: the file was cut off, or something was added to it. Nothing of it is proved"
    )]
    NoSeal,
    /// The digest is of other bytes.
    #[error(
        "it is not what was signed: a byte was changed, or a line was taken away, added or moved. Its signature is over \
         bytes with the SHA-256 {signed}, and these have {found}"
    )]
    Changed {
        /// The digest that is signed.
        signed: String,
        /// That of the bytes.
        found: String,
    },
    /// A line is none of a receipt, or one is there twice.
    #[error("line {line} is not a message of a receipt, or one that is listed twice")]
    Line {
        /// Its number, the head being 1.
        line: u64,
    },
    /// There are not as many as the seal says.
    #[error("it lists {found} messages, and its signature is over {signed}")]
    Count {
        /// As many as are signed.
        signed: u64,
        /// As many as are listed.
        found: u64,
    },
}

/// Reads a document, whose bytes must be exactly those that its seal is over.
pub fn read(bytes: &[u8]) -> Result<Whole, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::NoReceipt);
    // What is none of text may have been a receipt before a byte was changed.
    let head_ends = bytes.iter().position(|byte| *byte == b'\n');
    let head_bytes = bytes.get(..head_ends.unwrap_or(bytes.len()));
    let found: Result<Version, _> = serde_json::from_slice(head_bytes.unwrap_or_default());
    let is_receipt = match &found {
        Ok(found) if found.unpause_receipt > VERSION => {
            return Err(Fault::Later(found.unpause_receipt));
        }
        Ok(found) => found.unpause_receipt == VERSION,
        Err(_) => bytes.starts_with(br#"{"unpause_receipt""#),
    };
    let (before, seal) = match split_seal(bytes) {
        Some(found) => found,
        None if is_receipt => return Err(Fault::NoSeal),
        None => return Err(Fault::NoReceipt),
    };
    let found = hex(&Sha256::digest(before));
    if found != seal.sha256 {
        let signed = seal.sha256;
        return Err(Fault::Changed { signed, found });
    }
    let text = text?;
    let mut lines = text.lines();
    let head: Head = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or(Fault::NoReceipt)?;
    let (mut n, mut each) = (0_u64, BTreeSet::new());
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        if lines.peek().is_none() {
            break;
        }
        n += 1;
        let entry: Option<Entry> = serde_json::from_str(line).ok();
        let is_new = entry.is_some_and(|entry| each.insert(entry.line.delivery));
        if !is_new {
            return Err(Fault::Line { line: n + 1 });
        }
    }
    if n != seal.messages {
        let signed = seal.messages;
        return Err(Fault::Count { signed, found: n });
    }
    let signature = URL_SAFE_NO_PAD.decode(&seal.signature).ok();
    let signature = signature.and_then(|bytes| bytes.try_into().ok());
    Ok(Whole {
        head,
        statement: seal.statement(),
        signature: signature.ok_or(Fault::NoSeal)?,
        seal,
    })
}

#[derive(Deserialize)]
struct Version {
    unpause_receipt: u32,
}

/// What stands before the last line, and that line, which ends with a line break and is written as we write it.
fn split_seal(bytes: &[u8]) -> Option<(&[u8], Seal)> {
    let without_end = bytes.strip_suffix(b"\n")?;
    let begins = without_end.iter().rposition(|byte| *byte == b'\n')? + 1;
    let line = without_end.get(begins..)?;
    let seal: Seal = serde_json::from_slice(line).ok()?;
    (serde_json::to_vec(&seal).ok()? == line).then_some((bytes.get(..begins)?, seal))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a text does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests;
