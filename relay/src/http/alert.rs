//! What people were told, and whether they can be.

use protocol::alert::{Alert, What};
use protocol::request::alert::{Alerts, ListAlerts, TestAlerts, Tested, TestedChannel};

use super::{Context, Serve, ServeError};
use crate::notify::{Answer, list_channels};

/// Alerts in one answer where nothing is said.
const LIMIT: u32 = 100;
/// And at the most.
const LIMIT_AT_MOST: u32 = 1_000;

impl Serve for ListAlerts {
    async fn serve(self, context: Context) -> Result<Alerts, ServeError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_AT_MOST).contains(&limit) {
            let detail = format!("expected 1 to {LIMIT_AT_MOST}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        let store = &context.app()?.store;
        Ok(Alerts {
            alerts: store.list_alerts(limit).await?,
            channels: store.list_channels().await?,
        })
    }
}

impl Serve for TestAlerts {
    async fn serve(self, context: Context) -> Result<Tested, ServeError> {
        let app = context.app()?;
        let (now, relay) = (app.clock.now(), context.relay_url());
        let what = What::Test {};
        let alerts = [Alert {
            key: Alert::key_of(&what, "relay", now),
            at: now,
            inbox: None,
            what,
        }];
        let channels = list_channels(&app.config);
        let asked = channels.iter().map(async |channel| {
            let answer = Box::pin(channel.tell(&app.dialer, &alerts, &relay, now)).await;
            (channel.name.clone(), answer)
        });
        let mut tested = Vec::new();
        for (name, answer) in futures_util::future::join_all(asked).await {
            let (taken, words) = match answer {
                Answer::Taken { words } => (true, words),
                Answer::NotTaken { words, .. } | Answer::Gone { words } => (false, words),
            };
            if taken {
                app.store.switch_channel_on(&name, app.clock.now()).await?;
            }
            tested.push(TestedChannel { name, taken, words });
        }
        app.bell.tell();
        Ok(Tested { channels: tested })
    }
}
