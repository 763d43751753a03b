//! `unpause keys`: the relay's own keys. No secret half of one is ever printed.

use std::time::Duration;

use clap::Subcommand;
use protocol::request::relay_keys::{GetRelayKeys, RelayKeys, RenewRelayKeys, RenewedKeys};

use super::CliError;
use super::access::describe_behind;
use super::print::{Printer, columns, while_people_wait};
use crate::api::Client;
use crate::clock::Clock;

/// Between two looks whether everything is resealed, and how long the command looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOK_FOR: Duration = Duration::from_mins(2);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show which keys there are, which devices know an older one, and what is still to be resealed
    Show,
    /// Renew them while the relay runs: paired browsers follow by themselves within 90 days
    #[command(alias = "renew")]
    Rotate {
        /// Somebody may have the keys: those before are good for nothing from now on, and every browser is paired again
        #[arg(long)]
        at_once: bool,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Show => {
                printer.answer(&client.call(&GetRelayKeys {}).await?, describe)?;
            }
            Self::Rotate { at_once } => {
                let renewed = client.call(&RenewRelayKeys { at_once }).await?;
                let is_over = while_people_wait("Resealing", is_over(client)).await?;
                printer.answer(&renewed, |renewed| tell(renewed, is_over))?;
            }
        }
        Ok(())
    }
}

/// Waits for the end of the renewal; `false` where it takes longer than anybody looks.
async fn is_over(client: &Client) -> Result<bool, CliError> {
    let clock = Clock::system();
    let until = clock.now() + LOOK_FOR;
    while client.call(&GetRelayKeys {}).await?.is_renewing {
        if until <= clock.now() {
            return Ok(false);
        }
        clock.wait_for(LOOK_EVERY).await;
    }
    Ok(true)
}

fn tell(renewed: &RenewedKeys, is_over: bool) -> String {
    let RenewedKeys {
        id,
        before,
        key_file,
        old_file,
        fingerprint,
        follow_until,
        devices,
    } = renewed;
    let end = if is_over {
        format!("Everything is sealed with it, and it lies in {key_file}.")
    } else {
        "What the old key sealed is still being resealed; `unpause keys show` says how far it is."
            .to_owned()
    };
    let follow = match follow_until {
        Some(until) => format!(
            "Paired browsers ({devices}) follow by themselves when they next speak with the relay, until {until}."
        ),
        None => format!(
            "Every paired browser has to be paired again ({devices}): `unpause pair`, or the dashboard."
        ),
    };
    format!(
        "The relay has new keys: {id} instead of {before}.\n{end}\n\
         Back the new key file up now, apart from the database: it is in no backup.\n\
         The old one lies in {old_file}. The relay does not read it any more; backups made before now need it. Delete it \
         when you have deleted those.\n\
         {follow}\nNew fingerprint: {fingerprint}"
    )
}

fn describe(keys: &RelayKeys) -> String {
    let mut lines = vec![
        format!(
            "key file   {}, key {}, since {}",
            keys.key_file, keys.id, keys.since
        ),
        match (keys.to_reseal, keys.is_renewing) {
            (n, true) => format!("renewal    is going on; still to be resealed: {n}"),
            (0, false) => {
                "renewal    none is going on; everything is sealed with this key".to_owned()
            }
            (n, false) => {
                format!("renewal    none is going on; values that open with no known key: {n}")
            }
        },
    ];
    for known in &keys.known_by {
        let until = match known.until {
            None => "now".to_owned(),
            Some(until) => format!("until {until}"),
        };
        lines.push(format!(
            "known by   {}, since {}, {until}",
            known.fingerprint, known.since
        ));
    }
    if keys.behind.is_empty() {
        lines.push("devices    all know the key of now".to_owned());
    } else {
        let rows = keys.behind.iter().map(|device| {
            vec![
                "behind".to_owned(),
                device.id.to_string(),
                device.name.clone(),
                device.account.to_string(),
                describe_behind(device),
            ]
        });
        lines.push(columns(&rows.collect::<Vec<_>>()));
    }
    lines.join("\n")
}
