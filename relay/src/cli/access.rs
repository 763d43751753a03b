//! `unpause login`, `unpause pair` and `unpause device`: who may call.

use clap::Subcommand;
use protocol::id::DeviceId;
use protocol::request::device::{CreatePairing, DeleteDevice, ListDevices};
use protocol::request::session::CreateLoginLink;

use super::CliError;
use super::print::{Printer, columns};
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the paired devices
    List,
    /// Revoke a device; its key is believed no more, at once
    Revoke {
        /// The device, dev_…
        device: String,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::List => {
                let devices = client.call(&ListDevices {}).await?;
                printer.answer(&devices, |answer| {
                    let rows = answer.devices.iter().map(|device| {
                        let origin = device
                            .origin
                            .clone()
                            .unwrap_or_else(|| "no browser".to_owned());
                        vec![
                            device.id.to_string(),
                            device.name.clone(),
                            device.account.to_string(),
                            origin,
                            device.paired_at.to_string(),
                        ]
                    });
                    none_or(
                        columns(&rows.collect::<Vec<_>>()),
                        "No device is paired; `unpause pair` makes a link.",
                    )
                })?;
            }
            Self::Revoke { device } => {
                let done = client
                    .call(&DeleteDevice {
                        device_id: DeviceId::new(device.as_str()),
                    })
                    .await?;
                printer.answer(&done, |_| format!("{device} is revoked."))?;
            }
        }
        Ok(())
    }
}

/// Prints a one-time sign-in link.
pub(super) async fn login(client: &Client, printer: &Printer) -> Result<(), CliError> {
    let link = client.call(&CreateLoginLink {}).await?;
    printer.answer(&link, |link| {
        format!(
            "{}\nIt works once, until {}.",
            link.url.expose(),
            link.expires_at
        )
    })?;
    Ok(())
}

/// Prints a one-time pairing link.
pub(super) async fn pair(client: &Client, printer: &Printer) -> Result<(), CliError> {
    let pairing = client.call(&CreatePairing {}).await?;
    printer.answer(&pairing, |pairing| {
        format!(
            "{}\nPaste it into the extension. It works once, until {}.\nThe extension shows this relay's \
             fingerprint; it must be {}.",
            pairing.link.expose(),
            pairing.expires_at,
            pairing.fingerprint
        )
    })?;
    Ok(())
}

/// The text, or what to say where there is none.
pub(super) fn none_or(text: String, none: &str) -> String {
    if text.is_empty() {
        none.to_owned()
    } else {
        text
    }
}
