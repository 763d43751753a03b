//! What every part of the relay shares. It is put together in `running`, and knows nobody who uses it.

use std::sync::Arc;

use protocol::inbox::Address;
use protocol::secret::Secret;

use crate::bell::Bell;
use crate::clock::Clock;
use crate::config::{Config, PublicUrl};
use crate::mark::{Mark, Watch};
use crate::oauth;
use crate::provider::Providers;
use crate::secret::Keys;
use crate::store::Store;
use crate::store::inbox::Inbox;
use crate::text::way_out::WayOut;
use crate::tls::Dialer;

/// The database's name in the data folder.
pub const DATABASE_FILE: &str = "unpause.db";

/// What every part of the relay shares.
#[derive(Debug)]
pub struct App {
    /// What the operator decided.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// What lasts.
    pub store: Store,
    /// How far the relay has come, outside the database.
    pub mark: Arc<Mark>,
    /// What was compared with the sent folders since the start.
    pub watch: Watch,
    /// What seals.
    pub keys: Keys,
    /// How connections are opened.
    pub dialer: Dialer,
    /// Authorization servers.
    pub oauth: oauth::Client,
    /// The providers of the configuration.
    pub providers: Providers,
    /// Wakes the tasks that send, read and reconnect.
    pub bell: Bell,
}

impl App {
    /// How a message to this lead says to be written to no more; `None` where its campaign has it say nothing.
    pub fn way_out(&self, is_told: bool, from: &Address, to: &Address) -> Option<WayOut> {
        let url = self.config.public_url.as_ref();
        let url = url.filter(|url| url.is_encrypted());
        is_told.then(|| WayOut::new(self.keys.tags(), from, to, url.map(PublicUrl::origin)))
    }

    /// Gives a permission back that is not used, or not any more (RFC 7009). A failure costs only that: the person can
    /// still end it at the provider. Answers whether it was given back.
    pub async fn revoke(&self, inbox: &Inbox, refresh_token: &Secret) -> bool {
        let Some((oauth, client)) = self.providers.find_client(&inbox.provider) else {
            return false;
        };
        if !oauth.revokes_alone {
            return false;
        }
        let revoked = match self.providers.load_metadata(&inbox.provider).await {
            Ok(metadata) => {
                self.oauth
                    .revoke(&metadata, &client.registration(), refresh_token)
                    .await
            }
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &revoked {
            tracing::warn!(inbox = %inbox.address, %failure, "a permission that is not used was not revoked");
        }
        revoked.is_ok()
    }
}
