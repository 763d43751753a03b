//! Brings a renewal of the relay's keys to its end, also one that an earlier process began, and takes keys away whose
//! time is over. How is in [`crate::renewal`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::renewal::{self, Settled};

/// Between two looks whether everything in memory is written that the key before has sealed.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long the key before opens what was read and not opened yet.
const LET_GO_AFTER: Duration = Duration::from_mins(1);
/// The longest time between two looks; clocks are set.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// After a failure of the disk or the database.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        let settled = renewal::settle(&app).await;
        let rests_for = match &settled {
            Ok(Settled::Awaits) => LOOK_AGAIN_AFTER,
            Ok(Settled::Resealed) => LET_GO_AFTER,
            Ok(Settled::Rests(next)) => next.map_or(LOOK_EVERY, |next| {
                next.since(app.clock.now()).min(LOOK_EVERY)
            }),
            Err(error) => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "the renewal of the keys does not get on; it is tried again"
                );
                TRY_AGAIN_AFTER
            }
        };
        tokio::select! {
            () = app.clock.wait_for(rests_for) => {}
            () = app.keys.changed() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if matches!(settled, Ok(Settled::Resealed)) && !app.keys.is_renewing() {
            app.keys.let_go();
        }
    }
}
