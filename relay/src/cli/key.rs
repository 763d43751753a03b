//! `unpause key`: API keys, for programs.

use clap::Subcommand;
use protocol::id::KeyId;
use protocol::key::Scope;
use protocol::request::key::{CreateKey, DeleteKey, ListKeys, ListedKey, NewKey};

use super::CliError;
use super::access::none_or;
use super::print::{Printer, columns, parse_number};
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key of the first owner's account, and print it: it is shown this once
    Add {
        /// What it is for
        name: String,
        /// What it may be used for: read, reconnect, campaigns, inboxes or suppressions; more than once for more
        #[arg(long, required = true)]
        scope: Vec<Scope>,
        /// The days that it is good, 1 to 366; without it 90
        #[arg(long, value_parser = parse_number)]
        days: Option<u32>,
    },
    /// List the keys of everybody
    List,
    /// End a key at once and forget it
    Remove {
        /// The key, key_…
        key: String,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Add { name, scope, days } => {
                let create = CreateKey {
                    name,
                    scopes: scope.into_iter().collect(),
                    days,
                };
                printer.answer(&client.call(&create).await?, tell)?;
            }
            Self::List => {
                let keys = client.call(&ListKeys {}).await?;
                printer.answer(&keys, |answer| {
                    let rows: Vec<_> = answer.keys.iter().map(row).collect();
                    none_or(
                        columns(&rows),
                        "There are no API keys; `unpause key add` makes one.",
                    )
                })?;
            }
            Self::Remove { key } => {
                let delete = DeleteKey {
                    key_id: KeyId::new(key.as_str()),
                };
                printer.answer(&client.call(&delete).await?, |_| format!("{key} is ended."))?;
            }
        }
        Ok(())
    }
}

fn tell(made: &NewKey) -> String {
    format!(
        "{}\nIt is shown this once, and ends at {}. A program sends it as Authorization: Bearer …",
        made.key.expose(),
        made.listed.ends_at
    )
}

fn row(key: &ListedKey) -> Vec<String> {
    let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.code()).collect();
    let used = match (&key.used_at, &key.used_from) {
        (Some(at), Some(from)) => format!("used {at} from {from}"),
        (Some(at), None) => format!("used {at}"),
        _ => "never used".to_owned(),
    };
    vec![
        key.id.to_string(),
        key.name.clone(),
        key.account.to_string(),
        scopes.join(" "),
        format!("ends {}", key.ends_at),
        used,
    ]
}
