//! The folder that a container is built from: the binary of each machine by the name that container builders give it,
//! and an empty folder whose owner and mode the volumes take.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::relay::Machine;

/// Adds the binary of a machine.
pub(super) fn lay_out(dist: &Path, machine: &Machine, binary: &[u8]) -> anyhow::Result<()> {
    let folder = dist.join("container");
    let own = folder.join(machine.debian);
    let file = own.join("unpause");
    fs::create_dir_all(folder.join("empty"))
        .and_then(|()| fs::create_dir_all(&own))
        .and_then(|()| fs::write(&file, binary))
        .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("{} cannot be written", file.display()))
}
