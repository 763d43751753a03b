//! Renewing the relay's own keys while it runs, so that it goes on from any point at which it is killed.
//!
//! ```text
//! a new file beside the old one          killed here, nothing has happened: the file is taken away by the next renewal
//! one commit: the new file is needed     from here on the database names the new file, and has the old key sealed under
//!                                        its own: it opens with the new file alone, wherever that lies
//! values are resealed, some at a time    each in the place of what it was made from, or not at all
//! one commit: the old key is gone        once nothing is left that it opens, in the database and in memory
//! the new file in the old one's place    the old one beside it; it is not read again
//! ```
//!
//! What the keys are is in [`crate::secret`], what is kept of them in `store::relay_keys`; when this is done is the
//! worker's to say.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use protocol::id::{InboxId, ReconnectId};
use protocol::timestamp::Timestamp;

use crate::app::App;
use crate::credentials::{inbox_context, reconnect_context, visit_context};
use crate::secret::{FOLLOW_FOR, KeyError, KeyFile, SealingError, forget_waiting, take_place};
use crate::store::relay_keys::{Place, SealedValue};
use crate::store::{KEY_NOTE, StoreError};

/// How many values are resealed in one transaction.
const SLICE: u32 = 100;

/// Why the keys are not renewed, or not to the end. What was before works on.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The one before is not over.
    #[error(
        "the renewal before is still going on: values that the old key sealed are being resealed; `unpause keys show` says how many are left"
    )]
    StillGoingOn,
    /// A key file could not be written or moved.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is kept of the keys does not open.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// The process ends.
    #[error("the work on the key file was given up")]
    GivenUp(#[from] tokio::task::JoinError),
}

/// A renewal that is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The id of the key at rest of now.
    pub id: String,
    /// The one before.
    pub before: String,
    /// Until when devices may come and follow; `None`: they must be paired again.
    pub follow_until: Option<Timestamp>,
}

/// How far a renewal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Something in memory is sealed with the key before, and is written first.
    Awaits,
    /// Just now nothing was left any more that the key before opens.
    Resealed,
    /// There is nothing to do until then.
    Rests(Option<Timestamp>),
}

/// Renews the keys. When this returns, everything new is sealed and signed with the new ones.
pub async fn renew(app: &App, at_once: bool) -> Result<Renewed, RenewalError> {
    let _one_at_a_time = app.keys.hold().await;
    if app.keys.is_renewing() {
        return Err(RenewalError::StillGoingOn);
    }
    let before = app.keys.id();
    let current = before.clone();
    let file = on_files(app, move |path| {
        take_place(path, &current)?;
        forget_waiting(path)?;
        KeyFile::create_beside(path)
    })
    .await?;
    let now = app.clock.now();
    let kept = app.keys.renewed(&file, at_once, now)?;
    if let Err(error) = app.store.renew_kept(&kept).await {
        // A commit whose answer was an error may have come through all the same.
        if app.store.find_meta(KEY_NOTE).await?.as_deref() != Some(file.id()) {
            on_files(app, forget_waiting).await?;
            return Err(error.into());
        }
    }
    app.keys.renew(&file, kept)?;
    tracing::warn!(
        key = file.id(),
        before,
        at_once,
        "the relay's keys are renewed; what the key before sealed is resealed now"
    );
    Ok(Renewed {
        id: file.id().to_owned(),
        before,
        follow_until: (!at_once).then(|| now + FOLLOW_FOR),
    })
}

/// Brings a renewal to its end, and takes keys away whose time is over.
pub async fn settle(app: &App) -> Result<Settled, RenewalError> {
    let _one_at_a_time = app.keys.hold().await;
    let was_renewing = app.keys.is_renewing();
    if was_renewing && !reseal(app).await? {
        return Ok(Settled::Awaits);
    }
    let id = app.keys.id();
    if on_files(app, move |path| take_place(path, &id)).await? {
        tracing::info!(path = %app.config.key_file.display(), "the new key file has the old one's place");
    }
    let (outlived, next) = app.keys.outlived(app.clock.now());
    if let Some(kept) = outlived {
        app.store.update_kept(&kept).await?;
        app.keys.forget(&kept);
        tracing::info!(
            "keys that were renewed are gone; a device that has not followed must be paired again"
        );
    }
    if was_renewing {
        Ok(Settled::Resealed)
    } else {
        Ok(Settled::Rests(next))
    }
}

/// Reseals everything, and lets the key before go; `false` where something may be written yet that it has sealed.
async fn reseal(app: &App) -> Result<bool, RenewalError> {
    let prefix = app.keys.prefix();
    let mut unopened = BTreeSet::new();
    for place in Place::ALL {
        let mut after = String::new();
        loop {
            let values = app
                .store
                .list_sealed_otherwise(place, &prefix, &after, SLICE)
                .await?;
            let Some(last) = values.last() else { break };
            after.clone_from(&last.id);
            let mut resealed = Vec::new();
            for value in values {
                match app.keys.reseal(&context_of(&value), &value.sealed) {
                    Ok(sealed) => resealed.push((value, sealed)),
                    // It opens with no key that is known here: whose row it is says so when it is needed.
                    Err(SealingError) => {
                        unopened.insert((value.place, value.id));
                    }
                }
            }
            app.store.reseal(&resealed).await?;
        }
    }
    if !unopened.is_empty() {
        tracing::warn!(
            n = unopened.len(),
            "sealed values open with no key that is known, and stay as they are"
        );
    }
    if app.keys.is_awaited() {
        return Ok(false);
    }
    let kept = app.keys.resealed();
    let n_unopened = u64::try_from(unopened.len()).unwrap_or(u64::MAX);
    if !app.store.end_resealing(&kept, &prefix, n_unopened).await? {
        return Ok(false);
    }
    app.keys.forget_at_rest(kept);
    tracing::info!("nothing is left that the key before has sealed");
    Ok(true)
}

fn context_of(value: &SealedValue) -> String {
    match value.place {
        Place::Inbox => inbox_context(&InboxId::new(value.owner.as_str())),
        Place::Reconnect => reconnect_context(&ReconnectId::new(value.owner.as_str())),
        Place::Visit => visit_context(&ReconnectId::new(value.owner.as_str())),
    }
}

/// Files are waited for where nobody else has to.
async fn on_files<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Path) -> Result<T, KeyError> + Send + 'static,
) -> Result<T, RenewalError> {
    let path = Arc::<Path>::from(app.config.key_file.as_path());
    Ok(tokio::task::spawn_blocking(move || work(&path)).await??)
}
