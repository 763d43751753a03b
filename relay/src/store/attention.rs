//! What needs somebody and is nobody's deed: a certificate that is not renewed, an API key that is about to end. Nothing
//! of it changes with a transaction, so it is told by keys that its own times make: the same however often it is seen,
//! also by a relay that was killed meanwhile.

use std::time::Duration;

use protocol::alert::What;
use protocol::id::KeyId;
use protocol::timestamp::Timestamp;

use super::{Store, StoreError, alert, number, text};

/// How long before its end a key is told of; a fifth of its life where that is less.
const AHEAD: Duration = Duration::from_hours(14 * 24);
/// A certificate that is not renewed is told of so often at the most.
const DAILY: Duration = Duration::from_hours(24);

impl Store {
    /// Tells of every API key that is about to end, once; answers how many.
    pub async fn tell_of_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        let rows = sqlx::query(
            "SELECT k.id AS id, k.name AS name, k.made_at_ms AS made_at_ms, k.ends_at_ms AS ends_at_ms, \
             a.name AS account FROM api_keys k JOIN accounts a ON a.id = k.account_id \
             WHERE k.ends_at_ms > $1 AND k.ends_at_ms <= $2 \
             AND NOT EXISTS (SELECT 1 FROM alerts t WHERE t.subject = k.id AND t.type = 'key_ends') ORDER BY k.id",
        )
        .bind(now.as_ms())
        .bind((now + AHEAD).as_ms())
        .fetch_all(&self.reader)
        .await?;
        let mut n_told = 0;
        for row in &rows {
            let ends_at = Timestamp::from_ms(number(row, "ends_at_ms")?);
            let made_at = Timestamp::from_ms(number(row, "made_at_ms")?);
            let told_from = ends_at - AHEAD.min(ends_at.since(made_at) / 5);
            if told_from > now {
                continue;
            }
            let id = text(row, "id")?;
            let account = text(row, "account")?;
            let what = What::KeyEnds {
                key_id: KeyId::new(id.as_str()),
                name: text(row, "name")?,
                account: account
                    .parse()
                    .map_err(|_| StoreError::Corrupt { what: "account" })?,
                ends_at,
            };
            let mut tx = self.begin().await?;
            let is_told = alert::tell_once(&mut tx, &id, what, told_from, now).await?;
            tx.commit().await?;
            n_told += u64::from(is_told);
        }
        Ok(n_told)
    }

    /// Tells that the certificate is not renewed, once a day from `since` on; answers whether it is told now.
    pub async fn tell_of_certificate(
        &self,
        since: Timestamp,
        ends_at: Option<Timestamp>,
        failed: u32,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let days = now.since(since).as_secs() / DAILY.as_secs();
        let at = since + DAILY * u32::try_from(days).unwrap_or(u32::MAX);
        let what = What::CertificateNotRenewed { ends_at, failed };
        let mut tx = self.begin().await?;
        let is_told = alert::tell_once(&mut tx, "", what, at, now).await?;
        tx.commit().await?;
        Ok(is_told)
    }
}
