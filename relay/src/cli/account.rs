//! `unpause account`: who signs in, what he may do, and which inboxes a client sees.

use clap::Subcommand;
use protocol::account::{AccountName, Role};
use protocol::id::InboxId;
use protocol::request::account::{
    Account, CreateAccount, CreateInvitation, DeleteAccount, Invitation, ListAccounts,
    UpdateAccount,
};

use super::CliError;
use super::inbox::find_inbox;
use super::print::{Printer, columns};
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an account, and print the link at which its password is set
    Add {
        /// What it signs in as: a mail address or any name
        name: AccountName,
        /// What it may do: owner, member, or client, who sees only the inboxes that are given to him
        #[arg(long)]
        role: Role,
        /// An inbox that a client sees, by its address; more than once for more
        #[arg(long, value_name = "ADDRESS")]
        inbox: Vec<String>,
    },
    /// List the accounts
    List,
    /// Remove an account, with its sessions and devices
    Remove {
        /// The account
        name: AccountName,
    },
    /// Change what an account may do
    Role {
        /// The account
        name: AccountName,
        /// Owner, member or client
        role: Role,
    },
    /// Say which inboxes a client sees: these and no others
    Inboxes {
        /// The account
        name: AccountName,
        /// The inboxes, by their addresses; none takes all away
        inboxes: Vec<String>,
    },
    /// Print a link at which a new password is set; what was set before works until then
    Password {
        /// The account
        name: AccountName,
    },
}

/// No account has that name.
#[derive(Debug, thiserror::Error)]
#[error(
    "no account is called {name}: `unpause account list` shows them, `unpause account add` makes one"
)]
pub(super) struct NoSuchAccount {
    name: AccountName,
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Add { name, role, inbox } => {
                let create = CreateAccount {
                    name,
                    role,
                    inboxes: find_all(client, &inbox).await?,
                };
                printer.answer(&client.call(&create).await?, tell_link)?;
            }
            Self::List => {
                let accounts = client.call(&ListAccounts {}).await?;
                printer.answer(&accounts, |answer| {
                    columns(&answer.accounts.iter().map(row).collect::<Vec<_>>())
                })?;
            }
            Self::Remove { name } => {
                let account_id = find(client, &name).await?.id;
                let done = client.call(&DeleteAccount { account_id }).await?;
                printer.answer(&done, |_| format!("{name} is removed."))?;
            }
            Self::Role { name, role } => {
                let update = UpdateAccount {
                    account_id: find(client, &name).await?.id,
                    name: None,
                    role: Some(role),
                    inboxes: None,
                };
                let account = client.call(&update).await?;
                printer.answer(&account, |account| {
                    format!("{name} is {} now.", account.role)
                })?;
            }
            Self::Inboxes { name, inboxes } => {
                let update = UpdateAccount {
                    account_id: find(client, &name).await?.id,
                    name: None,
                    role: None,
                    inboxes: Some(find_all(client, &inboxes).await?),
                };
                let account = client.call(&update).await?;
                printer.answer(&account, |account| {
                    let n = account.inboxes.len();
                    match account.role {
                        Role::Client => format!("{name} sees {n} inboxes now."),
                        role => format!("{n} inboxes are given to {name}, who sees all as {role}."),
                    }
                })?;
            }
            Self::Password { name } => {
                let account_id = find(client, &name).await?.id;
                let made = client.call(&CreateInvitation { account_id }).await?;
                printer.answer(&made, tell_link)?;
            }
        }
        Ok(())
    }
}

pub(super) async fn find(client: &Client, name: &AccountName) -> Result<Account, CliError> {
    let accounts = client.call(&ListAccounts {}).await?.accounts;
    let found = accounts
        .into_iter()
        .find(|account| account.name.key() == name.key());
    Ok(found.ok_or_else(|| NoSuchAccount { name: name.clone() })?)
}

async fn find_all(client: &Client, addresses: &[String]) -> Result<Vec<InboxId>, CliError> {
    let mut found = Vec::with_capacity(addresses.len());
    for address in addresses {
        found.push(find_inbox(client, address).await?.id);
    }
    Ok(found)
}

fn tell_link(made: &Invitation) -> String {
    format!(
        "{}\n{} sets a password there. It works once, until {}.",
        made.url.expose(),
        made.account.name,
        made.expires_at
    )
}

fn row(account: &Account) -> Vec<String> {
    let password = match (account.has_password, account.passkeys) {
        (true, 0) => "with a password",
        (true, _) => "with a password and passkeys",
        (false, 0) => "without a password",
        (false, _) => "with passkeys alone",
    };
    let sees = match (account.role, account.inboxes.len()) {
        (Role::Client, 1) => "sees 1 inbox".to_owned(),
        (Role::Client, n) => format!("sees {n} inboxes"),
        _ => String::new(),
    };
    vec![
        account.name.to_string(),
        account.role.to_string(),
        password.to_owned(),
        format!("since {}", account.made_at),
        sees,
    ]
}
