//! `cargo xtask crash`: the relay is ended by SIGKILL again and again, and the mail is counted.

use crate::args::{Accepts, Command};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "crash",
    summary: "kills the relay while it sends and verifies, and counts what was lost or doubled",
    about: "\
Builds the relay and the story, ends the relay's process by SIGKILL while it sends and while it
verifies a reconnect, starts it again, and drops connections after DATA at random. The last line
is one JSON object. The same seed chooses the same faults.

  cargo xtask crash --kills 20 --seed 1",
    accepts: Accepts::PassedOnTo("crash"),
    run: |given| story_binary::run("crash", given),
};
