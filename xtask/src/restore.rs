//! `cargo xtask restore`: saved files of the relay are put back again and again, and the mail is counted.

use crate::args::{Accepts, Command};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "restore",
    summary: "puts back saved files of the relay, and counts who is mailed twice",
    about: "\
Builds the relay and the story, saves the relay's files at random moments while campaigns run, ends it
when more has been sent, and puts the files back: the data folder, the database alone, or keys and mark
as well. The last line is one JSON object. The same seed chooses the same moments.

  cargo xtask restore --seed 1
  cargo xtask restore --seed 1 --profile plain",
    accepts: Accepts::PassedOnTo("restore"),
    run: |given| story_binary::run("restore", given),
};
