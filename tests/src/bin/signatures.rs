//! `cargo xtask signatures`: requests and answers are changed on their way, one thing each time. The last line is one JSON
//! object; the exit status is 0 only when nothing that was changed was believed, and all that was left was.

use std::process::ExitCode;

use clap::Parser;
use tests::last_line::end;
use tests::signatures::{Script, Summary, run};
use tests::story::telling::Telling;

/// Changes what a device asks and what the relay answers, and counts what is believed.
#[derive(Debug, Parser)]
#[command(name = "signatures")]
struct Arguments {
    /// Changed requests, and as many changed answers.
    #[arg(long, default_value_t = 10_000)]
    mutations: usize,
    /// What decides which, where and in which order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let script = Script {
        mutations: arguments.mutations,
        seed: arguments.seed,
    };
    end(run(script, Telling::begin(false)).await, Summary::is_clean)
}
