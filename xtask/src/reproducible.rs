//! What takes the names of this computer's folders out of what is built, so that one checkout gives the same bytes
//! wherever it lies: panics name source files, and so do the assertions of C.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::shell::Workspace;

/// 1980-01-01, the first date that a ZIP file can say; the date of all that is packed (reproducible-builds.org,
/// `SOURCE_DATE_EPOCH`).
pub(crate) const EPOCH: &str = "315532800";

/// Which folders are called what.
pub(crate) struct Folders(Vec<(PathBuf, String)>);

impl Folders {
    /// Those of this computer that a compiler may write down.
    pub(crate) fn find(workspace: &Workspace) -> anyhow::Result<Self> {
        let ask = |args: &[&str]| -> anyhow::Result<String> {
            let output = workspace
                .program("rustc", args)
                .output()
                .context("rustc cannot be run")?;
            String::from_utf8(output.stdout).context("rustc printed something that is not UTF-8")
        };
        let sysroot = PathBuf::from(ask(&["--print", "sysroot"])?.trim());
        let version = ask(&["--version", "--verbose"])?;
        let commit = version
            .lines()
            .find_map(|line| line.strip_prefix("commit-hash: "))
            .unwrap_or("unknown");
        let cargo_home = env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(env::home_dir()?.join(".cargo")))
            .context("neither CARGO_HOME nor a home folder is known")?;
        // The last one that fits counts.
        let mut folders = vec![
            (workspace.root.clone(), "/unpause".to_owned()),
            (workspace.target.clone(), "/target".to_owned()),
            (cargo_home.clone(), "/cargo".to_owned()),
            // What rustc writes itself where the sources of the standard library are not installed.
            (
                sysroot.join("lib/rustlib/src/rust"),
                format!("/rustc/{commit}"),
            ),
        ];
        folders.extend(registries(&cargo_home));
        Ok(Self(folders))
    }

    /// For `CARGO_ENCODED_RUSTFLAGS`: flags parted by the unit separator, so that a folder may have a space in its
    /// name. With `--target` they are for what is handed out only, not for what runs at build time.
    pub(crate) fn rust_flags(&self) -> OsString {
        self.flags("--remap-path-prefix=", "\u{1f}")
    }

    /// For `CFLAGS` beside `CC_SHELL_ESCAPED_FLAGS=1`, by which the crate `cc` reads them as a shell would.
    pub(crate) fn c_flags(&self) -> OsString {
        let mut flags = self.flags("'-ffile-prefix-map=", "' ");
        flags.push("'");
        flags
    }

    fn flags(&self, flag: &str, between: &str) -> OsString {
        let mut flags = OsString::new();
        for (at, (from, to)) in self.0.iter().enumerate() {
            if at > 0 {
                flags.push(between);
            }
            flags.push(flag);
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
        flags
    }
}

/// Where cargo keeps the sources of crates: a folder for each registry, whose name follows from the registry's address.
fn registries(cargo_home: &Path) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(cargo_home.join("registry/src")) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
        .into_iter()
        .map(|folder| (folder, "/crates".to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_renamed_whatever_they_are_called() {
        let folders = Folders(vec![
            (PathBuf::from("/some where/unpause"), "/unpause".to_owned()),
            (PathBuf::from("/cargo home"), "/cargo".to_owned()),
        ]);
        assert_eq!(
            folders.rust_flags(),
            "--remap-path-prefix=/some where/unpause=/unpause\u{1f}--remap-path-prefix=/cargo home=/cargo"
        );
        assert_eq!(
            folders.c_flags(),
            "'-ffile-prefix-map=/some where/unpause=/unpause' '-ffile-prefix-map=/cargo home=/cargo'"
        );
    }

    #[test]
    fn every_registry_has_one_name() {
        let home = tempfile::tempdir().unwrap();
        assert!(registries(home.path()).is_empty());
        for name in ["index.crates.io-1", "mirror-2"] {
            fs::create_dir_all(home.path().join("registry/src").join(name)).unwrap();
        }
        let names: Vec<String> = registries(home.path())
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(names, ["/crates", "/crates"]);
    }
}
