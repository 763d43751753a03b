//! `unpause config`: the table of the settings, and whether those at hand can be used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::CliError;
use super::print::Printer;
use crate::config::setting::render_reference;
use crate::config::{Config, Tls};
use crate::running::check_files;

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

/// A configuration that was read without a complaint, as programs are told of it.
#[derive(Debug, Serialize)]
struct Checked<'a> {
    listen: String,
    /// Under which address people and browsers come; `None`: that of `listen`.
    public_url: Option<String>,
    /// Files and folders, from the root, by the key of their setting; those that are not set and have no default are left
    /// out.
    #[serde(flatten)]
    paths: BTreeMap<&'a str, &'a Path>,
    providers: Vec<CheckedProvider<'a>>,
}

#[derive(Debug, Serialize)]
struct CheckedProvider<'a> {
    id: String,
    /// The issuer, or the host that takes passwords.
    at: String,
    /// `confidential`, `public` or `passwords`.
    client: &'a str,
}

/// Prints a configuration that was read without a complaint; never its secrets.
pub(super) fn print_checked(printer: &Printer, config: &Config) -> Result<(), CliError> {
    check_files(config)?;
    let providers = config.providers.iter().map(|(id, provider)| {
        let (at, client) = match &provider.client {
            Some(client) => {
                let kind = match client.secret {
                    Some(_) => "confidential",
                    None => "public",
                };
                (client.issuer.to_string(), kind)
            }
            None => (provider.imap.host.clone(), "passwords"),
        };
        CheckedProvider {
            id: id.to_string(),
            at,
            client,
        }
    });
    let checked = Checked {
        listen: config.listen.to_string(),
        public_url: config
            .public_url
            .as_ref()
            .map(|url| url.origin().to_owned()),
        paths: list_paths(config).into_iter().collect(),
        providers: providers.collect(),
    };
    Ok(printer.answer(&checked, |checked| {
        let mut text = format!(
            "The configuration is valid.\nlisten    {}\n",
            checked.listen
        );
        for (key, path) in list_paths(config) {
            let _ = writeln!(text, "{key:<8}  {}", path.display());
        }
        if let Some(url) = &checked.public_url {
            let _ = writeln!(text, "public    {url}");
        }
        for CheckedProvider { id, at, client } in &checked.providers {
            let _ = match *client {
                "passwords" => writeln!(text, "provider  {id} at {at}, passwords"),
                kind => writeln!(text, "provider  {id} at {at}, {kind} client"),
            };
        }
        text
    })?)
}

/// The files and folders of a configuration, by the keys of their settings.
fn list_paths(config: &Config) -> Vec<(&'static str, &Path)> {
    let mut paths = vec![
        ("data", config.data.as_path()),
        ("key_file", &config.key_file),
        ("mark_file", &config.mark_file),
    ];
    paths.extend(
        config
            .extra_roots_file
            .iter()
            .map(|path| ("extra_roots_file", path.as_path())),
    );
    match &config.tls {
        Some(Tls::Files { certificate, key }) => {
            paths.extend([("tls.certificate", certificate.as_path()), ("tls.key", key)]);
        }
        Some(Tls::Acme(acme)) => {
            paths.extend(
                acme.roots
                    .iter()
                    .map(|path| ("tls.acme.roots", path.as_path())),
            );
        }
        None => {}
    }
    paths
}
