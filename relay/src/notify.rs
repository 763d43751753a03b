//! Telling people, once for each change whichever path saw it first. The first channel is the log; others
//! are files and lines here.

use protocol::card::Facts;
use protocol::cause::Cause;
use protocol::connection::{Connection, Effect};
use protocol::provider::Provider;
use protocol::stall::{Failing, Stall};

use crate::store::inbox::Inbox;

/// Tells what people should know of a decision about an inbox's connection. Whoever let it decide calls this.
pub fn tell_decided(inbox: &Inbox, connection: &Connection, effects: &[Effect]) {
    for effect in effects {
        if let Effect::Disconnect(cause) = effect {
            tell_disconnected(inbox, *cause, connection);
        }
    }
}

/// Tells that an inbox has let nothing through for an hour, or for a day.
pub fn tell_stalled(inbox: &Inbox, failing: &Failing, stall: Stall) {
    let provider =
        Provider::find(&inbox.provider).map_or(inbox.provider.as_str(), |provider| provider.name);
    let words = failing.words(
        stall,
        &Facts {
            inbox: inbox.address.as_str(),
            provider,
        },
    );
    tracing::warn!(
        inbox = %inbox.address,
        since = %failing.since,
        words = %failing.evidence.words(),
        "{}. {}", words.title, words.explanation
    );
}

fn tell_disconnected(inbox: &Inbox, cause: Cause, connection: &Connection) {
    let provider =
        Provider::find(&inbox.provider).map_or(inbox.provider.as_str(), |provider| provider.name);
    let words = cause.card().render(&Facts {
        inbox: inbox.address.as_str(),
        provider,
    });
    tracing::warn!(
        inbox = %inbox.address,
        cause = cause.code(),
        since = %connection.since(),
        "{}. {}", words.title, words.explanation
    );
}
