//! `cargo xtask demo`: the whole story, played for real and printed as it happens.

use crate::args::{Accepts, Command};
use crate::story_binary;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "demo",
    summary: "plays the story: a dead permission, one reconnect, a campaign that continues",
    about: "\
Builds the relay and the story, starts the sandbox provider and the relay on free ports, lets the
provider revoke the permission in the middle of a campaign, reconnects, and counts at the
recipients' mailboxes. The last line is one JSON object. The exit status is 0 only when the story
ends well.

  cargo xtask demo --browser none --client public
  cargo xtask demo --browser none --client confidential",
    accepts: Accepts::PassedOnTo("demo"),
    run: |given| story_binary::run("demo", given),
};
