//! Collects what a run leaves: files, output, answers. Nothing is judged here.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Where bytes were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// What a process wrote to standard output or error.
    Output,
    /// An answer of the relay.
    Answer,
    /// The relay's database with its journal.
    Database,
    /// The key file.
    KeyFile,
    /// Another file of the data folder, or a temporary one.
    File,
    /// What a relay left that was ended by SIGKILL in the middle of a reconnect.
    Killed,
    /// The arguments and variables of a process, which others on the machine may see.
    Process,
    /// An alert that left.
    Alert,
    /// What the extension keeps, as it reads it itself.
    Storage,
    /// A file of a browser's profile.
    Profile,
}

/// Something that was left, with its name.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it is.
    pub sort: Sort,
    /// Its name in reports, as in `stderr of unpause serve`.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Place {
    /// A place of these bytes.
    pub fn new(sort: Sort, name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            sort,
            name: name.into(),
            bytes: bytes.into(),
        }
    }
}

/// Every file below `folder`, its path after `folder` in its name. `sort` is asked for each by that path; `None`
/// leaves it out.
pub fn files(folder: &Path, name: &str, sort: impl Fn(&str) -> Option<Sort>) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&current) else {
            // A browser deletes folders while it runs.
            continue;
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            // A link that leads nowhere is how Firefox and Chromium lock a profile.
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let within = path
                    .strip_prefix(folder)
                    .context("a file outside of its folder")?;
                let within = within.to_string_lossy().into_owned();
                if let Some(sort) = sort(&within)
                    && let Ok(bytes) = std::fs::read(&path)
                {
                    places.push(Place::new(sort, format!("{name}: {within}"), bytes));
                }
            }
        }
    }
    places.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(places)
}

/// Which part of the database a file of the data folder is.
pub fn sort_of_data(file: &str) -> Sort {
    if file.contains("unpause.db") {
        Sort::Database
    } else {
        Sort::File
    }
}

/// What others on the machine may see of a process.
pub fn process(id: u32, name: &str) -> Vec<Place> {
    ["cmdline", "environ"]
        .into_iter()
        .filter_map(|file| {
            let bytes = std::fs::read(format!("/proc/{id}/{file}")).ok()?;
            Some(Place::new(
                Sort::Process,
                format!("{file} of {name}"),
                bytes,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data/deep")).unwrap();
        std::fs::write(folder.path().join("data/unpause.db-wal"), "wal").unwrap();
        std::fs::write(folder.path().join("data/deep/more"), "more").unwrap();
        std::fs::write(folder.path().join("left"), "out").unwrap();
        let places = files(folder.path(), "the relay", |file| {
            file.starts_with("data/").then(|| sort_of_data(file))
        })
        .unwrap();
        let seen: Vec<_> = places
            .iter()
            .map(|place| (place.sort, place.name.as_str(), place.bytes.as_slice()))
            .collect();
        assert_eq!(
            seen,
            [
                (Sort::File, "the relay: data/deep/more", &b"more"[..]),
                (Sort::Database, "the relay: data/unpause.db-wal", b"wal"),
            ]
        );
    }
}
