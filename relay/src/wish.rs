//! What a server that refuses for now wishes of whoever comes again: `Retry-After`, a text to a time. Who heeds it, and
//! how long at the most, is each caller's own.

use std::time::Duration;

use protocol::timestamp::Timestamp;

/// How long to wait from now; `None` for what is no such text (RFC 9110 §10.2.3: seconds, or an instant).
pub fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp::from_ms(at.timestamp().as_millisecond()).since(now))
}
