//! What this browser keeps: the session, and for this tab the reconnects that it began. The session's token is in
//! local storage and not in a cookie, because a cookie would go to every port of this host.

use gloo::storage::{LocalStorage, SessionStorage, Storage as _};
use protocol::id::{InboxId, ReconnectId};
use protocol::secret::Secret;

const SESSION: &str = "unpause.session";
const RECONNECTS: &str = "unpause.reconnects";

/// The session that was kept.
pub(super) fn session() -> Option<Secret> {
    LocalStorage::get(SESSION).ok()
}

/// Keeps the session. Where the browser keeps nothing, the person stays signed in until the page is closed.
pub(super) fn keep_session(session: &Secret) {
    let _ = LocalStorage::set(SESSION, session);
}

/// Forgets it.
pub(super) fn forget_session() {
    LocalStorage::delete(SESSION);
}

/// The reconnects that were kept.
pub(super) fn reconnects() -> Vec<(InboxId, ReconnectId)> {
    SessionStorage::get(RECONNECTS).unwrap_or_default()
}

/// Keeps reconnects; without room for them a reload shows how the inbox stands instead.
pub(super) fn keep_reconnects(reconnects: &[(InboxId, ReconnectId)]) {
    if reconnects.is_empty() {
        SessionStorage::delete(RECONNECTS);
    } else {
        let _ = SessionStorage::set(RECONNECTS, reconnects);
    }
}
