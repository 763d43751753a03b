//! What is known of an attempt's end is kept until it is on record: a reply that was read is never thrown away
//! because our own database did not take it. Meanwhile the attempt is nobody else's, and nothing is claimed.

use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use crate::app::App;
use crate::store::StoreError;
use crate::store::delivery::{Claim, Ended, Finished, Job};

/// What became of an outcome.
pub(super) enum Kept {
    /// It is on record; with what followed in the same commit.
    Written(Box<Finished>),
    /// The attempt was somebody else's by then: whoever holds it decides.
    Lost,
}

/// Writes how an attempt ended, for as long as it takes. After the first failure it is also kept beside the
/// database, and nothing is claimed with it any more. An error comes back only where the relay is to stop.
pub(super) async fn keep(
    app: &App,
    job: &Job,
    ended: &Ended,
    at: Timestamp,
    next: Option<&Claim>,
    stop: &watch::Receiver<bool>,
) -> Result<Kept, StoreError> {
    let mut stop = stop.clone();
    let mut next = next;
    let mut delay = app.config.timing.first_retry_after;
    let mut is_aside = false;
    loop {
        let error = match app.store.finish_delivery(job, ended, at, next.take()).await {
            Ok(finished) => {
                forget(app, job, is_aside).await;
                return Ok(Kept::Written(Box::new(finished)));
            }
            // A commit whose answer was an error may have come through all the same.
            Err(error @ StoreError::FenceLost { .. }) => match app.store.has_ended(job).await {
                Ok(true) => {
                    forget(app, job, is_aside).await;
                    return Ok(Kept::Written(Box::default()));
                }
                Ok(false) => {
                    tracing::error!(%error, delivery = %job.id, "an attempt outlived its lease");
                    forget(app, job, is_aside).await;
                    return Ok(Kept::Lost);
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        tracing::error!(
            error = &error as &dyn std::error::Error, delivery = %job.id, outcome = ended.event.name(),
            "an outcome is not on record yet; it is kept, and tried again"
        );
        if !is_aside {
            match app.store.set_aside(job, ended, at).await {
                Ok(()) => is_aside = true,
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error, delivery = %job.id,
                    "nor is it kept beside the database: only this process knows it"
                ),
            }
        }
        tokio::select! {
            () = app.clock.wait_for(delay) => {}
            _ = stop.wait_for(|stop| *stop) => return Err(error),
        }
        delay = delay.saturating_mul(2).min(app.config.timing.retry_at_most);
    }
}

async fn forget(app: &App, job: &Job, is_aside: bool) {
    if !is_aside {
        return;
    }
    if let Err(error) = app.store.forget_aside(job).await {
        // It says what the ledger says too: the next start finds nothing to do there.
        tracing::warn!(%error, "the outcomes kept beside the database are still there");
    }
}
