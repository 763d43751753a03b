//! `unpause login`, `unpause pair` and `unpause device`: who may call.

use clap::Subcommand;
use protocol::id::DeviceId;
use protocol::request::device::{CreatePairing, DeleteDevice, Device, ListDevices};
use protocol::request::session::CreateLoginLink;

use super::CliError;
use super::print::{Printer, columns};
use crate::api::Client;
use crate::clock::Clock;

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
                            describe_behind(device),
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

/// Whether a device knows the relay by a key that was renewed; empty where it does not.
pub(super) fn describe_behind(device: &Device) -> String {
    match device.behind_until {
        None => String::new(),
        Some(until) if until <= Clock::system().now() => {
            "knows a key that is over: pair it again".to_owned()
        }
        Some(until) => format!("knows an older key, and follows until {until}"),
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
