//! Which folder is Cargo's target folder, for the build script; held to its word by the tests.

use std::path::{Path, PathBuf};

/// How Cargo marks its target folder (Cache Directory Tagging Specification) where it made it itself.
const MARK: &str = "CACHEDIR.TAG";

/// The target folder above `out`, for a build for `machine`. Cargo marks no folder that was there before it came: such a
/// one is found by its place, `target/[MACHINE/]PROFILE/build/PACKAGE/out` (The Cargo Book, "Build Cache").
pub(crate) fn find(out: &Path, machine: &str) -> Option<PathBuf> {
    // Where Cargo builds for a named machine it marks that machine's folder too, one below.
    let is_machines = |folder: &Path| folder.ends_with(machine);
    let mut marked = out
        .ancestors()
        .filter(|folder| folder.join(MARK).is_file() && !is_machines(folder));
    if let Some(folder) = marked.next() {
        return Some(folder.to_owned());
    }
    let by_place = out.ancestors().nth(4)?;
    out.ancestors()
        .nth(2)
        .filter(|folder| folder.ends_with("build"))?;
    let by_place = if is_machines(by_place) {
        by_place.parent()?
    } else {
        by_place
    };
    Some(by_place.to_owned())
}
