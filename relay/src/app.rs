//! What every part of the relay shares. It is put together in `running`, and knows nobody who uses it.

use std::sync::Arc;

use crate::bell::Bell;
use crate::clock::Clock;
use crate::config::Config;
use crate::mark::{Mark, Watch};
use crate::oauth;
use crate::provider::Providers;
use crate::secret::Keys;
use crate::store::Store;
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
