//! `cargo xtask score`: inputs of real servers, lists and people, played against the relay. The playing stands in the
//! `tests` crate; the inputs stand in a folder of the caller's.

use crate::args::{Accepts, Command, Flag};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "score",
    summary: "plays inputs (messages, lists, steps, conversations) and compares with what is expected",
    about: "\
Builds the relay and plays every file that the table in DIR/INDEX.md names: *.eml arrives for one
lead, *.csv is imported, *.json are the steps of a campaign, *.peer is a conversation with a server.
Prints what came of each beside what is expected of it; the last line is one JSON object. The exit
status says whether it could be measured, not how it went.

  cargo xtask score inputs DIR",
    accepts: Accepts::PassedOnTo(
        "score",
        &[Flag {
            name: "WHAT",
            value: None,
            help: "`inputs DIR`: the messages, lists, steps and conversations of a folder",
        }],
    ),
    run: |given| story_binary::run("score", given),
};
