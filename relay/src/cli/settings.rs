//! `unpause config`: the table of the settings, and whether those at hand can be used.

use std::fmt::Write as _;

use clap::Args;

use super::CliError;
use super::print::Printer;
use crate::config::Config;
use crate::config::setting::render_reference;

#[derive(Debug, Args)]
#[group(required = true)]
pub(super) struct Arguments {
    /// Print every setting as a Markdown table
    #[arg(long)]
    pub(super) reference: bool,
    /// Read the configuration and say what it comes to
    #[arg(long)]
    pub(super) check: bool,
}

pub(super) fn print_reference(printer: &Printer) -> Result<(), CliError> {
    Ok(printer.text(&render_reference())?)
}

/// Prints a configuration that was read without a complaint; never its secrets.
pub(super) fn print_checked(printer: &Printer, config: &Config) -> Result<(), CliError> {
    let mut text = format!(
        "The configuration is valid.\nlisten    {}\ndata      {}\nkey_file  {}\n",
        config.listen,
        config.data.display(),
        config.key_file.display()
    );
    for (id, provider) in &config.providers {
        let kind = if provider.client_secret.is_some() {
            "confidential"
        } else {
            "public"
        };
        let _ = match &provider.issuer {
            Some(issuer) => writeln!(text, "provider  {id} at {issuer}, {kind} client"),
            None => writeln!(
                text,
                "provider  {id} at {}, by password",
                provider.imap.host
            ),
        };
    }
    Ok(printer.text(&text)?)
}
