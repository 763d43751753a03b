//! `cargo xtask faults`: everything that may fail at a provider fails, on many inboxes, while campaigns send.
//! The last line is one JSON object; the exit status is 0 only when nothing that passes did harm and
//! everything that does not was found in time.

use std::process::ExitCode;

use clap::Parser;
use tests::faults::{IN_TROUBLE_AT_ONCE, Patience, Script, Summary, run};
use tests::last_line::end;
use tests::story::telling::Telling;

/// Makes faults that pass and faults that do not, and counts what the relay made of them.
#[derive(Debug, Parser)]
#[command(name = "faults")]
struct Arguments {
    /// How many inboxes are connected.
    #[arg(long, default_value_t = 100)]
    inboxes: usize,
    /// How many faults pass by themselves.
    #[arg(long, default_value_t = 1_000)]
    transient: usize,
    /// How many faults a person must mend.
    #[arg(long, default_value_t = 100)]
    real: usize,
    /// How many inboxes meet a fault at once.
    #[arg(long, default_value_t = IN_TROUBLE_AT_ONCE)]
    at_once: usize,
    /// What decides which, where and in which order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The relay waits as briefly as in the tests, not as it is shipped.
    #[arg(long)]
    hasty: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let script = Script {
        inboxes: arguments.inboxes,
        transient: arguments.transient,
        real: arguments.real,
        at_once: arguments.at_once,
        seed: arguments.seed,
        patience: if arguments.hasty {
            Patience::Short
        } else {
            Patience::Shipped
        },
    };
    end(run(script, Telling::begin(false)).await, Summary::is_exact)
}
