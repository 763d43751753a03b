//! The providers of this relay: what is known of each (its file in `protocol`), how the relay is registered
//! there (the configuration) and what its authorization server says of itself (discovered), joined once.

use std::collections::HashMap;

use protocol::evidence::{Finding, Party, Said, Stage};
use protocol::inbox::MailServer;
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

    /// Refuses servers that would be shown a token of this provider and are not its own: a counterfeit resource server
    /// (RFC 9700 §4.9.1). Where people sign in by OAuth, an inbox is on the servers that the operator's configuration names
    /// for its provider, by host and port. A provider of passwords alone has its inboxes anywhere.
    pub fn check_servers(
        &self,
        id: &ProviderId,
        smtp: Option<&MailServer>,
        imap: Option<&MailServer>,
    ) -> Result<(), Unnamed> {
        if Provider::find(id).is_some_and(|known| known.oauth.is_none()) {
            return Ok(());
        }
        let named = self.find(id).map(|(_, registered)| registered);
        let asked = [
            (Party::Smtp, smtp, named.map(|named| &named.smtp)),
            (Party::Imap, imap, named.map(|named| &named.imap)),
        ];
        for (party, found, expected) in asked {
            let Some(found) = found else {
                continue;
            };
            if !expected.is_some_and(|expected| is_same(expected, found)) {
                return Err(Unnamed {
                    provider: id.clone(),
                    party,
                    expected: expected.cloned(),
                    found: found.clone(),
                });
            }
        }
        Ok(())
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

/// A mail server that the configuration does not name for a provider whose people sign in by OAuth.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {}, found {found}", Self::name(.expected.as_ref(), .provider))]
pub struct Unnamed {
    /// Whose token it would be shown.
    pub provider: ProviderId,
    /// Which of the two servers it was to be: SMTP or IMAP.
    pub party: Party,
    /// The server that the configuration names; `None` where it does not have the provider.
    pub expected: Option<MailServer>,
    /// The server that it does not name.
    pub found: MailServer,
}

impl Unnamed {
    fn name(expected: Option<&MailServer>, provider: &ProviderId) -> String {
        match expected {
            Some(expected) => {
                format!("{expected}, which the configuration names for {provider}")
            }
            None => format!("a server of {provider}, which is not in the configuration"),
        }
    }
}

impl From<Unnamed> for Failure {
    fn from(unnamed: Unnamed) -> Self {
        let words = format!("{unnamed}: nothing was sent to it");
        let said = Said::Found(Finding::UnnamedServer { words });
        Self::new(unnamed.party, Stage::Connect, said)
    }
}

/// Names are the same in any letters.
fn is_same(one: &MailServer, other: &MailServer) -> bool {
    one.host.eq_ignore_ascii_case(&other.host) && one.port == other.port
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
