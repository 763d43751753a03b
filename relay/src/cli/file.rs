//! `unpause file`: files that go with messages.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use protocol::request::file::{CreateFile, FILE_AT_MOST_BYTES};

use super::CliError;
use super::print::Printer;
use crate::api::{ApiError, Client};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keep a file for messages, and tell the id by which steps name it
    Add {
        /// The file, at most 20 MiB
        file: PathBuf,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Add { file } => {
                let unreadable = |source| ApiError::File {
                    path: file.clone(),
                    source,
                };
                let found = std::fs::metadata(&file).map_err(unreadable)?.len();
                if found > FILE_AT_MOST_BYTES {
                    return Err(ApiError::TooLarge {
                        path: file,
                        at_most_bytes: FILE_AT_MOST_BYTES,
                        found,
                    }
                    .into());
                }
                let content = std::fs::read(&file).map_err(unreadable)?;
                let content = STANDARD.encode(content);
                let kept = client.call(&CreateFile { content }).await?;
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                printer.answer(&kept, |kept| {
                    format!(
                        "Kept, {} bytes. In a step:\n\n[[steps.files]]\nfile_id = \"{}\"\nname = {name:?}",
                        kept.bytes, kept.file_id
                    )
                })?;
            }
        }
        Ok(())
    }
}
