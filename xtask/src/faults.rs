//! `cargo xtask faults`: everything that may fail at a provider fails, on many inboxes, while campaigns send.

use crate::args::{Accepts, Command, Flag};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "faults",
    summary: "makes faults that pass and faults that do not, and counts false alarms and misses",
    about: "\
Builds the relay and the story, connects many inboxes, and lets everything fail that may fail at a
provider: what passes by itself must disconnect nobody, what does not must be found, named and told
once. The last line is one JSON object. The same seed chooses the same faults. --hasty makes the
relay wait as briefly as in the tests.

  cargo xtask faults --inboxes 100 --transient 1000 --real 100 --seed 1",
    accepts: Accepts::PassedOnTo(
        "faults",
        &[
            Flag {
                name: "--inboxes",
                value: Some("N"),
                help: "inboxes",
            },
            Flag {
                name: "--transient",
                value: Some("N"),
                help: "faults that pass",
            },
            Flag {
                name: "--real",
                value: Some("N"),
                help: "faults that do not pass",
            },
            Flag {
                name: "--at-once",
                value: Some("N"),
                help: "inboxes in trouble at once",
            },
            Flag {
                name: "--seed",
                value: Some("N"),
                help: "what decides what happens when; 1 where it is left out",
            },
            Flag {
                name: "--hasty",
                value: None,
                help: "with shorter waits than the relay ships with",
            },
        ],
    ),
    run: |given| story_binary::run("faults", given),
};
