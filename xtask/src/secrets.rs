//! `cargo xtask secrets`: the story with marked secrets, and a search for each of them in everything that is left.

use std::process::ExitCode;

use crate::args::{Accepts, Command, Flag, Given};
use crate::demo;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "secrets",
    summary: "plays the story with marked secrets and looks for each in everything that is left",
    about: "\
Builds the relay and the story, plays it with marked values and with servers that repeat what they
were shown, and searches standard output and error, every answer, the database, the data folder,
what a killed relay leaves, and with a browser the extension's storage and the profile. It proves
first that it finds what is planted. The last line is one JSON object; the exit status is 0 only
when nothing was found.

  cargo xtask secrets --browser none --seed 1
  cargo xtask secrets --browser chromium      # or firefox",
    accepts: Accepts::PassedOnTo(
        "secrets",
        &[
            Flag {
                name: "--browser",
                value: Some("none|chromium|firefox"),
                help: "in which browser; none where it is left out",
            },
            Flag {
                name: "--seed",
                value: Some("N"),
                help: "what decides what happens when; 1 where it is left out",
            },
            Flag {
                name: "--extension",
                value: Some("DIR"),
                help: "the built extension",
            },
        ],
    ),
    run,
};

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    demo::play("secrets", given)
}
