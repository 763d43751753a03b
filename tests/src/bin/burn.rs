//! `cargo xtask burn`: servers refuse accounts and recipients, while campaigns send. The last line is one JSON object;
//! the exit status is 0 only when no lead was lost for what was the account's, and no inbox for what was a recipient's.

use std::process::ExitCode;

use clap::Parser;
use tests::burn::{Script, Summary, run};
use tests::last_line::end;
use tests::story::telling::Telling;

/// Lets servers refuse accounts and recipients, and counts who pays for it.
#[derive(Debug, Parser)]
#[command(name = "burn")]
struct Arguments {
    /// Inboxes whose account is refused at once.
    #[arg(long, default_value_t = 40)]
    account_wide: usize,
    /// Inboxes whose account is refused by bounces.
    #[arg(long, default_value_t = 20)]
    by_dsn: usize,
    /// Inboxes whose recipients are refused.
    #[arg(long, default_value_t = 40)]
    recipient_side: usize,
    /// Inboxes whose server breaks off after the message.
    #[arg(long, default_value_t = 4)]
    after_dot: usize,
    /// Leads of each.
    #[arg(long, default_value_t = 200)]
    leads: usize,
    /// What decides which, where and in which order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let script = Script {
        account_wide: arguments.account_wide,
        by_dsn: arguments.by_dsn,
        recipient_side: arguments.recipient_side,
        after_dot: arguments.after_dot,
        leads: arguments.leads,
        seed: arguments.seed,
    };
    end(run(script, Telling::begin(false)).await, Summary::is_clean)
}
