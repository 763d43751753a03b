//! `cargo xtask burn`: submission servers that refuse a whole account, and recipients that are refused, side by side.

use crate::args::{Accepts, Command, Flag};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "burn",
    summary: "lets servers refuse accounts and recipients, and counts the leads that pay for it",
    about: "\
Builds the relay and the story, and starts campaigns through many inboxes. Some servers refuse the whole
account from some message on, with codes and words made at random, at once or by bounces; some refuse
recipients; some break off after the message. Counted in the mailboxes: no lead may be lost for what was
the account's, and no inbox for what was a recipient's. The last line is one JSON object. The same seed
makes the same servers.

  cargo xtask burn --seed 1",
    accepts: Accepts::PassedOnTo("burn", &[
        Flag {
            name: "--account-wide",
            value: Some("N"),
            help: "servers that refuse a whole account",
        },
        Flag {
            name: "--by-dsn",
            value: Some("N"),
            help: "servers that refuse it by bounces",
        },
        Flag {
            name: "--recipient-side",
            value: Some("N"),
            help: "servers that refuse recipients",
        },
        Flag {
            name: "--after-dot",
            value: Some("N"),
            help: "servers that refuse after the final dot",
        },
        Flag {
            name: "--leads",
            value: Some("N"),
            help: "leads of each campaign",
        },
        Flag {
            name: "--seed",
            value: Some("N"),
            help: "what decides what happens when; 1 where it is left out",
        },
    ]),
    run: |given| story_binary::run("burn", given),
};
