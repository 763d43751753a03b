//! `cargo xtask restore`: saved files of the relay are put back again and again, and the mail is counted.

use crate::args::{Accepts, Command, Flag};
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
    accepts: Accepts::PassedOnTo("restore", &[
        Flag {
            name: "--times",
            value: Some("N"),
            help: "how often the database is put back",
        },
        Flag {
            name: "--seed",
            value: Some("N"),
            help: "what decides what happens when; 1 where it is left out",
        },
        Flag {
            name: "--profile",
            value: Some("generic|google|microsoft|plain"),
            help: "which provider the sandbox plays",
        },
    ]),
    run: |given| story_binary::run("restore", given),
};
