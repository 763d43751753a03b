//! `cargo xtask signatures`: what devices ask and the relay answers, changed on its way.

use crate::args::{Accepts, Command, Flag};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "signatures",
    summary: "changes what devices ask and the relay answers on its way, and counts what is believed",
    about: "\
Builds the relay and the story. 10,000 signed requests of a paired device are changed on their way to the
relay, and as many of its answers on their way to the extension's reader, one thing each time: a byte, a
field or a component that is left out, doubled or in another order, another nonce, another key, another
answer, the same once more. Each is judged a second time by a program that was written from the standards
alone. Nothing that was changed may be believed, and everything that was left as it was must be. The last
line is one JSON object.

  cargo xtask signatures
  cargo xtask signatures --mutations 100000 --seed 2",
    accepts: Accepts::PassedOnTo("signatures", &[
        Flag {
            name: "--mutations",
            value: Some("N"),
            help: "how many changes are tried",
        },
        Flag {
            name: "--seed",
            value: Some("N"),
            help: "what decides what happens when; 1 where it is left out",
        },
    ]),
    run: |given| story_binary::run("signatures", given),
};
