//! `unpause verify`: checks a receipt that a relay has signed, without any relay. What such a document is, is
//! [`protocol::receipt::document`]'s.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use ed25519_dalek::{Signature, VerifyingKey as DalekKey};
use protocol::receipt::document::{self, Fault, Seal, Whole};
use protocol::renewal::{self, Renewal};
use protocol::signed::{SIGNATURE_BYTES, VerifyingKey};
use serde_json::json;

use super::print::{Printer, span};

/// How the command ends where all is whole and nobody said whose key it is to be.
const NO_KEY_NAMED: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file, as `unpause reconnect receipt RECEIPT --signed` wrote it
    file: PathBuf,
    /// The relay's key, whole or as the fingerprint that `unpause keys show` tells; a key that it had before is good too
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

/// Why a document is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyError {
    #[error("{} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{}: {fault}", path.display())]
    Fault { path: PathBuf, fault: Fault },
    #[error(
        "{}: its signature is not of the key that it names, {fingerprint}: the signature or what it is over was changed",
        path.display()
    )]
    NotSigned { path: PathBuf, fingerprint: String },
    #[error(
        "{}: it is whole, but another key signed it: expected {wanted}, found {found}. It is another relay's, or somebody \
         else has written it",
        path.display()
    )]
    OtherKey {
        path: PathBuf,
        wanted: String,
        found: String,
    },
    #[error(
        "expected a key of a relay for --key, 43 letters and digits or a fingerprint of eight groups of four, found \
         {0:?}"
    )]
    NoKey(String),
    #[error("the output cannot be written")]
    Output(#[from] std::io::Error),
}

/// A key as a person names it.
enum Named {
    Key(VerifyingKey),
    /// Its fingerprint, without spaces and in capitals.
    Fingerprint(String),
}

impl Named {
    fn read(text: &str) -> Result<Self, VerifyError> {
        let digits: String = text.split_whitespace().collect();
        if digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Fingerprint(digits.to_ascii_uppercase()));
        }
        VerifyingKey::try_from(digits)
            .map(Self::Key)
            .map_err(|_| VerifyError::NoKey(text.to_owned()))
    }

    fn is(&self, key: &VerifyingKey) -> bool {
        match self {
            Self::Key(named) => named == key,
            Self::Fingerprint(digits) => key.fingerprint().replace(' ', "") == *digits,
        }
    }
}

pub(super) async fn verify(
    arguments: Arguments,
    printer: &Printer,
) -> Result<ExitCode, VerifyError> {
    let path = arguments.file;
    let named = arguments.key.as_deref().map(Named::read).transpose()?;
    let bytes = std::fs::read(&path).map_err(|source| VerifyError::File {
        path: path.clone(),
        source,
    })?;
    let whole = document::read(&bytes).map_err(|fault| VerifyError::Fault {
        path: path.clone(),
        fault,
    })?;
    let seal = &whole.seal;
    if !is_signed(&seal.key, &whole.statement, &whole.signature).await {
        return Err(VerifyError::NotSigned {
            path,
            fingerprint: seal.key.fingerprint(),
        });
    }
    if let Some(named) = &named
        && !is_known(named, seal).await
    {
        return Err(VerifyError::OtherKey {
            path,
            wanted: arguments.key.unwrap_or_default(),
            found: format!("{} ({})", seal.key.fingerprint(), seal.key),
        });
    }
    let is_named = named.is_some();
    let told = json!({
        "receipt": whole.head.receipt,
        "campaigns": whole.head.campaigns,
        "messages": seal.messages,
        "key": seal.key,
        "fingerprint": seal.key.fingerprint(),
        "signed_at": seal.at,
        "key_was_named": is_named,
    });
    printer.answer(&told, |_| describe(&whole, is_named))?;
    Ok(if is_named {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NO_KEY_NAMED)
    })
}

/// Whether who knows that key has reason to believe the seal's: it is that key, or that key and those after it said so.
async fn is_known(named: &Named, seal: &Seal) -> bool {
    if named.is(&seal.key) {
        return true;
    }
    for (idx, renewal) in seal.renewals.iter().enumerate() {
        let way = seal.renewals.get(idx..).unwrap_or_default();
        if let Some(from) = find_from(renewal)
            && named.is(&from)
            && let Some(last) = renewal::follow(&from, way, is_signed).await
        {
            return last.signing == seal.key;
        }
    }
    false
}

/// The key that a renewal is signed by, as it says itself.
fn find_from(renewal: &Renewal) -> Option<VerifyingKey> {
    let line = renewal.statement.lines().nth(1)?;
    VerifyingKey::try_from(line.strip_prefix("from ")?.to_owned()).ok()
}

/// Whether a key has signed a text so (RFC 8032 §5.1.7, without the keys of small order).
async fn is_signed(key: &VerifyingKey, text: &str, signature: &[u8; SIGNATURE_BYTES]) -> bool {
    DalekKey::from_bytes(&key.to_bytes()).is_ok_and(|key| {
        key.verify_strict(text.as_bytes(), &Signature::from_bytes(signature))
            .is_ok()
    })
}

fn describe(whole: &Whole, is_named: bool) -> String {
    let Whole { head, seal, .. } = whole;
    let receipt = &head.receipt;
    let campaigns: Vec<_> = head
        .campaigns
        .iter()
        .map(|campaign| format!("{} ({})", campaign.name, campaign.id))
        .collect();
    let proof = if is_named {
        "that is the key that was asked for, or one that it was renewed to".to_owned()
    } else {
        "nobody said whose key that is: compare it with what `unpause keys show` tells at the relay, or name it by --key"
            .to_owned()
    };
    format!(
        "Whole: no byte was changed since it was signed.\nreceipt   {} of {}\ncampaigns {}\nlost      {} ({})\n\
         resumed   {}, the waits are longer by {}\nheld      {}: {} to send, {} skipped, {} in doubt\nlisted    {}\n\
         signed    {} by {}\n          {proof}",
        receipt.id,
        receipt.inbox,
        campaigns.join(", "),
        receipt.lost_at,
        receipt.cause.code(),
        receipt.resumed_at,
        span(receipt.shifted_by_ms),
        receipt.held,
        receipt.to_send,
        receipt.skipped,
        receipt.in_doubt,
        seal.messages,
        seal.at,
        seal.key.fingerprint(),
    )
}
