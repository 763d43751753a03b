//! The relay's own keys: shown, and renewed. The renewing itself is in [`crate::renewal`].

use protocol::problem::{Code, Problem};
use protocol::request::relay_keys::{
    GetRelayKeys, KnownBy, RelayKeys, RenewRelayKeys, RenewedKeys,
};

use super::{Context, Serve, ServeError};
use crate::log::chain;
use crate::renewal::{self, RenewalError};
use crate::secret::{is_waiting, old_path};

impl Serve for GetRelayKeys {
    async fn serve(self, context: Context) -> Result<RelayKeys, ServeError> {
        let app = context.app()?;
        let kept = app.keys.kept();
        let devices = context.doors().list_devices(None).await?;
        let known_by = kept.generations.iter().rev().map(|one| KnownBy {
            key: one.signing.clone(),
            fingerprint: one.signing.fingerprint(),
            since: one.begun_at,
            until: one.ends_at,
        });
        Ok(RelayKeys {
            id: kept.id().to_owned(),
            since: kept
                .at_rest
                .last()
                .map_or(context.now(), |key| key.begun_at),
            key_file: app.config.key_file.display().to_string(),
            to_reseal: app.store.count_sealed_otherwise(&app.keys.prefix()).await?,
            is_renewing: app.keys.is_renewing() || is_waiting(&app.config.key_file, kept.id()),
            known_by: known_by.collect(),
            behind: devices
                .into_iter()
                .filter(|device| device.behind_until.is_some())
                .collect(),
        })
    }
}

impl Serve for RenewRelayKeys {
    async fn serve(self, context: Context) -> Result<RenewedKeys, ServeError> {
        let app = context.app()?;
        let renewed = renewal::renew(app, self.at_once).await.map_err(refuse)?;
        let key_file = &app.config.key_file;
        let devices = context.doors().list_devices(None).await?;
        Ok(RenewedKeys {
            key_file: key_file.display().to_string(),
            old_file: old_path(key_file, &renewed.before).display().to_string(),
            id: renewed.id,
            before: renewed.before,
            fingerprint: app.keys.verifying().fingerprint(),
            follow_until: renewed.follow_until,
            devices: u64::try_from(devices.len()).unwrap_or(u64::MAX),
        })
    }
}

fn refuse(error: RenewalError) -> ServeError {
    match error {
        RenewalError::StillGoingOn => Problem::new(Code::Conflict, error.to_string()).into(),
        // Whoever asks is the operator, and it is his disk.
        RenewalError::Key(error) => Problem::new(Code::Unavailable, chain(&error)).into(),
        RenewalError::Store(error) => error.into(),
        other => ServeError::internal(other),
    }
}
