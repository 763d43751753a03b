//! `unpause campaign catch-up`: how a campaign goes on after an outage, and letting it go on.

use clap::Args;
use protocol::catch_up::AfterOutage;
use protocol::request::catch_up::{CatchUp, GetCatchUp, SetCatchUp};

use super::super::CliError;
use super::super::named::find_campaign;
use super::super::print::{Printer, parse_number};
use crate::api::Client;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The campaign: cmp_…, or its name
    campaign: String,
    /// After an outage go on as fast as ever
    #[arg(long, conflicts_with_all = ["wait", "daily_cap"])]
    go_on: bool,
    /// After an outage wait until a person says `--release`
    #[arg(long, conflicts_with = "daily_cap")]
    wait: bool,
    /// After an outage try so many messages of it in 24 hours, for as long as the outage took
    #[arg(long, value_name = "N", value_parser = parse_number)]
    daily_cap: Option<u32>,
    /// Go on as fast as ever now, until the next outage
    #[arg(long)]
    release: bool,
}

impl Arguments {
    pub(in crate::cli) async fn run(
        self,
        client: &Client,
        printer: &Printer,
    ) -> Result<(), CliError> {
        let campaign_id = find_campaign(client, &self.campaign).await?;
        let after_outage = match self.daily_cap {
            Some(daily_cap) => Some(AfterOutage::Slowly { daily_cap }),
            None if self.wait => Some(AfterOutage::Wait),
            None => self.go_on.then_some(AfterOutage::GoOn),
        };
        let catch_up = if after_outage.is_some() || self.release {
            let request = SetCatchUp {
                campaign_id,
                after_outage,
                release: self.release,
            };
            client.call(&request).await?
        } else {
            client.call(&GetCatchUp { campaign_id }).await?
        };
        printer.answer(&catch_up, describe)?;
        Ok(())
    }
}

fn describe(catch_up: &CatchUp) -> String {
    let after = match catch_up.after_outage {
        AfterOutage::GoOn => "After an outage it goes on as fast as ever.".to_owned(),
        AfterOutage::Slowly { daily_cap } => format!(
            "After an outage at most {daily_cap} messages of it are tried in 24 hours, for as long as the outage took."
        ),
        AfterOutage::Wait => {
            "After an outage it waits for a person: unpause campaign catch-up CAMPAIGN --release"
                .to_owned()
        }
    };
    let now = match (catch_up.is_catching_up, catch_up.until) {
        (false, _) => "It is not catching up.".to_owned(),
        (true, Some(until)) => format!("It does so now, until {until}; --release ends it."),
        (true, None) => "It waits now; --release lets it go on.".to_owned(),
    };
    format!("{after}\n{now}")
}
