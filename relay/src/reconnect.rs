//! What follows from a change of a reconnect, performed in one place for whoever made it: an end of one looks the
//! same whether a person, the clock or a server brought it. What follows is decided in `protocol::reconnect`.

use protocol::cause::Cause;
use protocol::evidence::Evidence;
use protocol::id::ReconnectId;
use protocol::reconnect::Effect;

use crate::app::App;
use crate::bell::Held;
use crate::store::StoreError;
use crate::store::reconnect::Changed;

/// Ends a reconnect without success. Answers whether it was still open.
/// `cause` says more than the evidence where both mail servers were asked.
pub async fn refuse(
    app: &App,
    id: &ReconnectId,
    evidence: &Evidence,
    cause: Option<Cause>,
) -> Result<bool, StoreError> {
    let now = app.clock.now();
    let changed = app.store.refuse_reconnect(id, evidence, cause, now).await?;
    let was_open = changed.is_some();
    if let Some(changed) = changed {
        perform(app, changed);
    }
    Ok(was_open)
}

/// Performs what follows from a change that is on record.
pub fn perform(app: &App, changed: Changed) {
    let Changed { before, effects } = changed;
    // What it changed of its inbox may be told.
    app.bell.tell();
    for effect in effects {
        match effect {
            Effect::Work | Effect::ReadGap => app.bell.wake_reconnect(&before.id),
            Effect::GiveBack => app.bell.give_back(Held {
                reconnect: before.id.clone(),
                inbox: before.inbox.clone(),
                sealed: before.payload.clone(),
            }),
            // Its transaction has done it.
            Effect::Resume => {}
            Effect::Nudge => app.bell.wake_inbox(&before.inbox),
        }
    }
}
