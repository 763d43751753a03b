//! `cargo xtask crash`: the relay is ended by SIGKILL again and again, and the mail is counted.

use crate::args::{Accepts, Command, Flag};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "crash",
    summary: "kills the relay while it sends and verifies, and counts what was lost or doubled",
    about: "\
Builds the relay and the story, ends the relay's process by SIGKILL while it sends and while it
verifies a reconnect, starts it again, and drops connections after DATA at random. The last line
is one JSON object. The same seed chooses the same faults.

With --power-cuts the relay's data and keys lie on a file system of the tests' own (FUSE), which at
each cut forgets what was not synced: pages are kept, lost or torn, names come back or are gone.
With --lying-disk as well it says that it has synced what is in its cache only; that run, at a server
without copies, must fail.

With --inboxes there are windows, a cap, and leads that ask not to be written to any more.

  cargo xtask crash --kills 20 --seed 1
  cargo xtask crash --power-cuts 20 --seed 1
  cargo xtask crash --kills 200 --inboxes 20 --deliveries 5000 --seed 1",
    accepts: Accepts::PassedOnTo(
        "crash",
        &[
            Flag {
                name: "--kills",
                value: Some("N"),
                help: "how often the relay is killed",
            },
            Flag {
                name: "--seed",
                value: Some("N"),
                help: "what decides what happens when; 1 where it is left out",
            },
            Flag {
                name: "--power-cuts",
                value: Some("N"),
                help: "how often the power is cut, in place of kills",
            },
            Flag {
                name: "--lying-disk",
                value: None,
                help: "with --power-cuts: the disk has not synced what it says it has; the run must fail",
            },
            Flag {
                name: "--inboxes",
                value: Some("1..100"),
                help: "how many inboxes send; more than one have windows, a cap, and leads that ask to be let out",
            },
            Flag {
                name: "--deliveries",
                value: Some("N"),
                help: "how many messages are to be sent; as many as the kills need where it is left out",
            },
            Flag {
                name: "--profile",
                value: Some("generic|google|microsoft|plain"),
                help: "which provider the sandbox plays",
            },
            Flag {
                name: "--servers",
                value: Some("sandbox|real"),
                help: "whose servers",
            },
            Flag {
                name: "--packages",
                value: Some("DIR"),
                help: "where npm's packages of `--servers real` are kept",
            },
        ],
    ),
    run: |given| story_binary::run("crash", given),
};
