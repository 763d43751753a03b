//! The providers of this relay: what is known of each (its file in `protocol`), how the relay is registered
//! there (the configuration) and what its authorization server says of itself (discovered), joined once.

use std::collections::HashMap;

use protocol::evidence::{Party, Said, Stage};
use protocol::provider::{OAuth, Provider, ProviderId};
use tokio::sync::Mutex;

use crate::config::{self, Config};
use crate::failure::Failure;
use crate::oauth::{self, Metadata, Registration};

/// Every provider of the configuration.
#[derive(Debug)]
pub struct Providers {
    joined: HashMap<ProviderId, Joined>,
    oauth: oauth::Client,
    discovered: Mutex<HashMap<ProviderId, Metadata>>,
}

/// What is known of a provider, and how this relay is registered there.
type Joined = (&'static Provider, config::Provider);

impl Providers {
    /// Joins the configuration with what is known. What is discovered is asked for over `oauth`, when it is needed.
    #[must_use]
    pub fn new(config: &Config, oauth: oauth::Client) -> Self {
        let known = |(id, registered): (&ProviderId, &config::Provider)| {
            Some((id.clone(), (Provider::find(id)?, registered.clone())))
        };
        Self {
            joined: config.providers.iter().filter_map(known).collect(),
            oauth,
            discovered: Mutex::default(),
        }
    }

    /// A provider of the configuration: what is known of it, and how this relay is registered there.
    pub fn find(&self, id: &ProviderId) -> Option<(&'static Provider, &config::Provider)> {
        let (known, registered) = self.joined.get(id)?;
        Some((known, registered))
    }

    /// How this relay is registered at a provider; `None` where it is not, or where there is no sign-in by OAuth.
    pub fn find_client(&self, id: &ProviderId) -> Option<(&'static OAuth, &config::Client)> {
        let (known, registered) = self.find(id)?;
        Some((known.oauth.as_ref()?, registered.client.as_ref()?))
    }

    /// The provider's endpoints, discovered once.
    pub async fn load_metadata(&self, id: &ProviderId) -> Result<Metadata, Failure> {
        let registered = self.find(id).map(|(_, provider)| &provider.client);
        let Some(Some(client)) = registered else {
            let detail = match registered {
                Some(_) => format!("the provider {id} takes passwords only"),
                None => format!("the provider {id} is not in the configuration"),
            };
            return Err(Failure::new(
                Party::Relay,
                Stage::Metadata,
                Said::Garbage { detail },
            ));
        };
        if let Some(known) = self.discovered.lock().await.get(id) {
            return Ok(known.clone());
        }
        let metadata = self.oauth.load_metadata(&client.issuer).await?;
        self.discovered
            .lock()
            .await
            .insert(id.clone(), metadata.clone());
        Ok(metadata)
    }
}

impl config::Client {
    /// The registration as the token endpoint wants it.
    pub fn registration(&self) -> Registration {
        Registration {
            client_id: self.id.clone(),
            client_secret: self.secret.clone(),
        }
    }
}
