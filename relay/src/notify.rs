//! Telling people, through channels: each is a file and a line here. What is told is `protocol::alert`'s and is written
//! into the outbox by the store; when it is told, and what happens after a failure, is the worker's.

use std::time::Duration;

use protocol::alert::Alert;
use protocol::timestamp::Timestamp;

use crate::config::Config;
use crate::tls::Dialer;

mod log;
mod mail;
mod webhook;

/// One way to somebody.
#[derive(Debug)]
pub struct Channel {
    /// Its name in the outbox, for good.
    pub name: String,
    /// Where it leads, without a secret.
    pub target: String,
    /// How long it waits for more of the same kind; `None` where it tells each alert by itself.
    pub gathers: Option<Duration>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Log,
    Mail(Box<mail::Mail>),
    Webhook(Box<webhook::Webhook>),
}

/// What a channel made of what it was to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is told.
    Taken {
        /// What the other side said.
        words: String,
    },
    /// It is not told, or nobody knows.
    NotTaken {
        /// Why, in the other side's words or those of the network; no secret.
        words: String,
        /// How long the other side wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The other side wants nothing more.
    Gone {
        /// Its words.
        words: String,
    },
}

/// The channels of a configuration.
pub fn list_channels(config: &Config) -> Vec<Channel> {
    let mut channels = vec![Channel {
        name: "log".to_owned(),
        target: "the log of the relay".to_owned(),
        gathers: None,
        way: Way::Log,
    }];
    channels.extend(mail::list_channels(&config.notify));
    channels.extend(webhook::list_channels(&config.notify));
    channels
}

impl Channel {
    /// Tells these, which are of one kind, in one message. `relay` is the address at which the dashboard is reached,
    /// without a slash at its end.
    pub async fn tell(
        &self,
        dialer: &Dialer,
        alerts: &[Alert],
        relay: &str,
        now: Timestamp,
    ) -> Answer {
        match &self.way {
            Way::Log => log::tell(alerts),
            Way::Mail(mail) => mail.tell(dialer, alerts, relay, now).await,
            Way::Webhook(webhook) => webhook.tell(dialer, alerts, relay, now).await,
        }
    }
}
