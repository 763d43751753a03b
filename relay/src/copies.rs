//! Copies that may still come: until when an inbox claims nothing after a start, because what was sent before is known
//! by copies that servers make late. Comparing the sent folder is `worker::restored`'s.

use std::time::Duration;

use protocol::provider::Submission;
use protocol::timestamp::Timestamp;

use crate::app::App;
use crate::engine::doubt::conclusive_after;
use crate::store::StoreError;
use crate::store::inbox::{CopiedBy, Inbox};

/// How long copies are waited for at a start that nothing shows to be a restore. Servers that make copies were seen to
/// take seconds; at the usual distance between two messages a minute is not noticed.
pub const AT_A_START: Duration = Duration::from_mins(1);

/// When an inbox may claim, where it has to wait for copies that may still be made; the sent folder is compared then.
/// `None` where it is known what was sent before this process began.
pub async fn open_until(app: &App, inbox: &Inbox) -> Result<Option<Timestamp>, StoreError> {
    if app.watch.is_settled(&inbox.id) {
        return Ok(None);
    }
    let is_restored = app.store.find_restored(&inbox.id).await?.is_some();
    let lived = app.watch.lived(app.clock.uptime());
    let left = wait_for(app, inbox, is_restored).saturating_sub(lived);
    Ok(Some(app.clock.now() + left))
}

/// How long this process has to live before it is known what earlier ones sent.
pub fn wait_for(app: &App, inbox: &Inbox, is_restored: bool) -> Duration {
    let within = within(app, inbox);
    if is_restored {
        within
    } else if app.watch.knows_from_the_start(&inbox.id) {
        // What those before waited counts, where nothing was put back since.
        within
            .min(AT_A_START)
            .saturating_sub(app.watch.watched_before())
    } else {
        // No earlier process had it.
        Duration::ZERO
    }
}

/// How long after the end of a connection the copy of what it handed over may come, at the latest that anybody
/// promised; where nobody did and copies were seen, a minute. Zero where the server makes none.
pub fn within(app: &App, inbox: &Inbox) -> Duration {
    let learned = (inbox.copied_by() == CopiedBy::Server).then_some(AT_A_START);
    find_submission(app, inbox)
        .as_ref()
        .and_then(conclusive_after)
        .or(learned)
        .unwrap_or_default()
}

/// What the inbox's provider does with what it accepts; `None` where the provider is not configured.
pub fn find_submission(app: &App, inbox: &Inbox) -> Option<Submission> {
    app.providers
        .find(&inbox.provider)
        .map(|(_, provider)| provider.submission)
}
