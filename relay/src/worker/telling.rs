//! Tells people what stands in the outbox: one task for each channel, so that one that hangs keeps no other waiting, and
//! none of them the sending. A channel tells at least once and in order; what it did not take rests and is tried again,
//! as `protocol::telling` decides. How a channel speaks is in `notify`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::alert::Alert;
use protocol::telling::Event;
use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use crate::app::App;
use crate::log::chain;
use crate::notify::{Answer, Channel, list_channels};
use crate::store::StoreError;
use crate::store::alert::{Next, Told};

/// Between two looks that nobody rang for.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Puts the channels of the configuration on record, before anything happens that they are told.
pub(super) async fn prepare(app: &App) -> Result<Vec<Channel>, StoreError> {
    let channels = list_channels(&app.config);
    let known: BTreeMap<String, String> = channels
        .iter()
        .map(|channel| (channel.name.clone(), channel.target.clone()))
        .collect();
    app.store.put_channels(&known, app.clock.now()).await?;
    Ok(channels)
}

/// Tells through one channel until the relay stops.
pub(super) async fn run(
    app: Arc<App>,
    channel: Channel,
    relay: String,
    mut stop: watch::Receiver<bool>,
) {
    let mut rung = app.bell.alerts();
    loop {
        rung.mark_unchanged();
        let until = match Box::pin(tell_next(&app, &channel, &relay, &mut stop)).await {
            Ok(None) => continue,
            Ok(Some(until)) => until,
            Err(error) => {
                tracing::error!(
                    channel = channel.name,
                    error = chain(&error),
                    "cannot look for what is to be told"
                );
                app.clock.now() + LOOK_EVERY
            }
        };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = rung.changed() => {}
            () = app.clock.wait_until(until) => {}
        }
    }
}

/// Tells what is next, and answers `None`; or says when to look again.
async fn tell_next(
    app: &App,
    channel: &Channel,
    relay: &str,
    stop: &mut watch::Receiver<bool>,
) -> Result<Option<Timestamp>, StoreError> {
    let now = app.clock.now();
    let next = app
        .store
        .find_next_telling(&channel.name, channel.gathers, now)
        .await?;
    let told = match next {
        Next::Wait(until) => {
            let look_at = now + LOOK_EVERY;
            return Ok(Some(until.map_or(look_at, |until| until.min(look_at))));
        }
        Next::Tell(told) => told,
    };
    let alerts: Vec<Alert> = told.iter().map(|told| told.alert.clone()).collect();
    let answer = tokio::select! {
        answer = channel.tell(&app.dialer, &alerts, relay, now) => answer,
        // Nobody knows whether it was told: it is told again, with the same key.
        _ = stop.wait_for(|stop| *stop) => return Ok(Some(now)),
    };
    note(app, channel, &told, answer).await?;
    Ok(None)
}

async fn note(
    app: &App,
    channel: &Channel,
    told: &[Told],
    answer: Answer,
) -> Result<(), StoreError> {
    let now = app.clock.now();
    let (event, words) = match answer {
        Answer::Taken { words } => (Event::Taken, words),
        Answer::NotTaken { words, retry_after } => (Event::NotTaken { retry_after }, words),
        Answer::Gone { words } => {
            tracing::warn!(
                channel = channel.name,
                target = channel.target,
                words,
                "the channel wants no more alerts and is switched off; `unpause notify test` switches it on again"
            );
            return app
                .store
                .switch_channel_off(&channel.name, &words, now)
                .await;
        }
    };
    if let Event::NotTaken { .. } = event {
        tracing::warn!(
            channel = channel.name,
            words,
            "an alert was not taken; it is tried again"
        );
    }
    let n_given_up = app
        .store
        .note_telling(&channel.name, told, event, &words, now)
        .await?;
    if n_given_up > 0 {
        tracing::error!(
            channel = channel.name,
            n_given_up,
            words,
            "alerts could not be told in three days; `unpause alerts list` shows them"
        );
    }
    Ok(())
}

/// Tells once more what nobody has acted on.
pub(super) async fn remind(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let Some(after) = app.config.notify.remind_after else {
        return;
    };
    loop {
        match app.store.remind(after, app.clock.now()).await {
            Ok(0) => {}
            Ok(_) => app.bell.tell(),
            Err(error) => tracing::error!(
                error = chain(&error),
                "cannot look for what is to be told once more"
            ),
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = app.clock.wait_for(LOOK_EVERY.min(after)) => {}
        }
    }
}
