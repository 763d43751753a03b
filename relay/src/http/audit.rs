//! Reading the audit log. What is written there is decided in `trail`.

use protocol::request::audit::{AuditLog, ListAudit};
use protocol::timestamp::Timestamp;

use super::{Context, Serve, ServeError};
use crate::store::audit::Wanted;

/// Entries in one answer where nothing is said.
const LIMIT: u32 = 100;
/// And at the most.
const LIMIT_AT_MOST: u32 = 1_000;

impl Serve for ListAudit {
    async fn serve(self, context: Context) -> Result<AuditLog, ServeError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_AT_MOST).contains(&limit) {
            let detail = format!("expected 1 to {LIMIT_AT_MOST}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        let before = match &self.before {
            None => i64::MAX,
            Some(text) => text.parse().map_err(|_| {
                let detail = "expected the `next` of the page before, found something else";
                ServeError::invalid("before", detail)
            })?,
        };
        let wanted = Wanted {
            account: self.account_id.as_ref(),
            action: self.action.as_deref(),
            since: self.since.unwrap_or(Timestamp::from_ms(0)),
            before,
            limit,
        };
        let (entries, next) = context.doors().list_audit(wanted).await?;
        Ok(AuditLog {
            entries,
            next: next.map(|no| no.to_string()),
        })
    }
}
