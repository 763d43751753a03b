//! Looks for what needs somebody and is nobody's deed, and has it told: an API key that is about to end, a certificate
//! that is not renewed. What is kept for a time alone is forgotten in the same round.

use std::sync::Arc;
use std::time::Duration;

use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use crate::app::App;
use crate::certificate::FailedRenewal;
use crate::log::chain;
use crate::store::StoreError;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// Failures in a row that are told also where there is no certificate yet: an authority may be away for a moment.
const FAILURES: u32 = 3;

/// Looks until the relay stops. `failing` is what the keeper of the certificate met last, while it fails.
pub(super) async fn run(
    app: Arc<App>,
    mut failing: watch::Receiver<Option<FailedRenewal>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut is_kept = true;
    loop {
        let failed = *failing.borrow_and_update();
        match look(&app, failed).await {
            Ok(true) => app.bell.tell(),
            Ok(false) => {}
            Err(error) => tracing::error!(
                error = chain(&error),
                "cannot look for what needs attention"
            ),
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            // Where nobody keeps a certificate nothing comes.
            changed = failing.changed(), if is_kept => is_kept = changed.is_ok(),
            () = app.clock.wait_for(LOOK_EVERY) => {}
        }
    }
}

/// Whether something is told now.
async fn look(app: &App, failed: Option<FailedRenewal>) -> Result<bool, StoreError> {
    let now = app.clock.now();
    forget_words(app, now).await?;
    let mut is_told = app.store.tell_of_keys(now).await? > 0;
    if let Some(failed) = failed
        && let Some(since) = told_since(failed, now)
    {
        let ends_at = failed.shown.map(|shown| shown.ends_at);
        is_told |= app
            .store
            .tell_of_certificate(since, ends_at, failed.in_row, now)
            .await?;
    }
    Ok(is_told)
}

/// Words of replies are kept for as long as the operator wants, and no longer.
async fn forget_words(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let kept_for = Duration::from_hours(24 * u64::from(app.config.reply_text_days));
    let n_forgotten = app.store.forget_words(now - kept_for).await?;
    if n_forgotten > 0 {
        tracing::info!(
            n_forgotten,
            "the words of old replies are not kept any more"
        );
    }
    Ok(())
}

/// From when on it is told, which is the same at every start: of one that is shown, when it was to be renewed, a third of
/// its life before its end; where there is none, the day. `None` where it is not told yet.
fn told_since(failed: FailedRenewal, now: Timestamp) -> Option<Timestamp> {
    match failed.shown {
        Some(shown) if shown.renew_at <= now => Some(shown.renew_at),
        _ if failed.in_row < FAILURES => None,
        _ => {
            let day_ms = 24 * 3_600_000;
            Some(Timestamp::from_ms(now.as_ms() / day_ms * day_ms))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::ShownUntil;

    #[test]
    fn a_third_of_its_life_before_its_end_or_three_failures_it_is_told_and_always_from_the_same_instant()
     {
        let hour = 3_600_000;
        let now = Timestamp::from_ms(49 * hour);
        let failed = |in_row, renew_at: Option<i64>| FailedRenewal {
            in_row,
            shown: renew_at.map(|hours| ShownUntil {
                renew_at: Timestamp::from_ms(hours * hour),
                ends_at: Timestamp::from_ms(99 * hour),
            }),
        };
        for (in_row, renew_at, since) in [
            (1, Some(40), Some(40)),
            (9, Some(40), Some(40)),
            // One that is for another name is replaced before its time.
            (2, Some(60), None),
            (3, Some(60), Some(48)),
            (2, None, None),
            (3, None, Some(48)),
        ] {
            let since = since.map(|hours| Timestamp::from_ms(hours * hour));
            assert_eq!(
                told_since(failed(in_row, renew_at), now),
                since,
                "{in_row} {renew_at:?}"
            );
        }
    }
}
