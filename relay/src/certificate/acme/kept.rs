//! What is kept of an authority in the folder `acme` beside the database, each in a file that is the relay's user's alone
//! and written whole or not at all: the account, the order that is under way with its key, the certificate with its key,
//! and until when the authority wishes to be left alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use protocol::timestamp::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::refusal::AcmeError;
use crate::certificate::Certificate;

const ACCOUNT: &str = "account.json";
const ORDER: &str = "order.json";
/// The key, then the chain: one file, so that they are never of two certificates.
const CERTIFICATE: &str = "certificate.pem";
const REST: &str = "rest.json";

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Kept(PathBuf);

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptAccount {
    /// Where it is one.
    pub(super) directory: String,
    /// What proves it.
    pub(super) credentials: AccountCredentials,
}

/// An order that is under way.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptOrder {
    /// Where it was made.
    pub(super) directory: String,
    /// For which name.
    pub(super) host: String,
    /// Where it is found.
    pub(super) url: String,
    /// The key of its certificate, PEM.
    pub(super) key: Zeroizing<String>,
}

/// Until when an authority wishes to be left alone.
#[derive(Serialize, Deserialize)]
struct KeptRest {
    directory: String,
    until: Timestamp,
}

impl Kept {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The account at this authority; `None` where there is none yet.
    pub(super) fn find_account(&self, directory: &str) -> Option<AccountCredentials> {
        let kept: KeptAccount = self.read(ACCOUNT)?;
        (kept.directory == directory).then_some(kept.credentials)
    }

    pub(super) fn keep_account(&self, account: &KeptAccount) -> Result<(), AcmeError> {
        self.write_json(ACCOUNT, account)
    }

    /// What was kept for an account that is none any more.
    pub(super) fn forget_account(&self) -> Result<(), AcmeError> {
        self.remove(ACCOUNT)?;
        self.remove(ORDER)
    }

    /// The order for this name that is under way there.
    pub(super) fn find_order(&self, directory: &str, host: &str) -> Option<KeptOrder> {
        let kept: KeptOrder = self.read(ORDER)?;
        (kept.directory == directory && kept.host == host).then_some(kept)
    }

    pub(super) fn keep_order(&self, order: &KeptOrder) -> Result<(), AcmeError> {
        self.write_json(ORDER, order)
    }

    pub(super) fn forget_order(&self) -> Result<(), AcmeError> {
        self.remove(ORDER)
    }

    /// The certificate; `None` for none, and for one that cannot be used any more, which is got anew.
    pub(super) fn find_certificate(&self) -> Option<Certificate> {
        let text = Zeroizing::new(fs::read(self.0.join(CERTIFICATE)).ok()?);
        Certificate::parse(&text, &text).ok()
    }

    /// Keeps a chain with its key, both PEM; the order that they came from is over.
    pub(super) fn keep_certificate(&self, chain: &str, key: &str) -> Result<(), AcmeError> {
        let text = Zeroizing::new(format!("{}\n{chain}", key.trim_end()));
        self.write(CERTIFICATE, &text)?;
        self.remove(ORDER)
    }

    /// Until when this authority wishes to be left alone.
    pub(super) fn find_rest(&self, directory: &str) -> Option<Timestamp> {
        let kept: KeptRest = self.read(REST)?;
        (kept.directory == directory).then_some(kept.until)
    }

    pub(super) fn keep_rest(&self, directory: &str, until: Timestamp) -> Result<(), AcmeError> {
        let directory = directory.to_owned();
        self.write_json(REST, &KeptRest { directory, until })
    }

    pub(super) fn forget_rest(&self) -> Result<(), AcmeError> {
        self.remove(REST)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let text = Zeroizing::new(fs::read(self.0.join(name)).ok()?);
        serde_json::from_slice(&text).ok()
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), AcmeError> {
        let text = serde_json::to_string(value).map(Zeroizing::new);
        let text = text.map_err(|error| self.failed(name, error.into()))?;
        self.write(name, &text)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), AcmeError> {
        write_whole(&self.0, &self.0.join(name), text).map_err(|source| self.failed(name, source))
    }

    fn remove(&self, name: &str) -> Result<(), AcmeError> {
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(name, error)),
            _ => Ok(()),
        }
    }

    fn failed(&self, name: &str, source: std::io::Error) -> AcmeError {
        let path = self.0.join(name);
        AcmeError::Storage { path, source }
    }
}

fn write_whole(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let new = path.with_extension("new");
    // One that was left behind may be of another mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}
