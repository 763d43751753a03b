//! The text files of the checkout, as values, so that every check is a pure function of them.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context as _;

use super::rust_source::{self, RustSource};

/// Folders of the root that hold nothing of ours; deeper down these names may be ours.
const SKIPPED_IN_ROOT: &[&str] = &[".git", "target"];

/// Folders that hold nothing of ours wherever they are.
const SKIPPED_FOLDERS: &[&str] = &["node_modules"];

/// Made by tools; nobody writes in them.
const SKIPPED_FILES: &[&str] = &["Cargo.lock", "package-lock.json"];

/// Every text file, ordered by path.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    source: OnceLock<RustSource>,
}

impl File {
    fn new(path: String, text: String) -> Self {
        Self {
            path,
            text,
            source: OnceLock::new(),
        }
    }

    /// A Rust file, taken apart: once for all checks.
    pub(crate) fn source(&self) -> &RustSource {
        self.source.get_or_init(|| rust_source::read(&self.text))
    }
}

impl Tree {
    /// Reads the checkout; files that are not UTF-8 are left out.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    /// The Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| {
            Path::new(&file.path)
                .extension()
                .is_some_and(|end| end == "rs")
        })
    }

    /// The text of the file at that path.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let cannot = || format!("{} cannot be read", folder.display());
        for entry in fs::read_dir(folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(cannot)?;
            let is_skipped = SKIPPED_FOLDERS.contains(&name.as_str())
                || prefix.is_empty() && SKIPPED_IN_ROOT.contains(&name.as_str());
            if kind.is_dir() && !is_skipped {
                self.read_folder(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && !SKIPPED_FILES.contains(&name.as_str()) {
                let bytes = fs::read(entry.path()).with_context(cannot)?;
                if let Ok(text) = String::from_utf8(bytes) {
                    self.files.push(File::new(path, text));
                }
            }
        }
        Ok(())
    }

    /// A small tree for the tests of a check.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| File::new((*path).to_owned(), (*text).to_owned()))
            .collect();
        Self { files }
    }
}

/// What a check finds in a small tree, as it would be printed.
#[cfg(test)]
pub(crate) fn found(
    check: fn(&Tree) -> Vec<super::Finding>,
    files: &[(&str, &str)],
) -> Vec<String> {
    check(&Tree::of(files))
        .iter()
        .map(super::Finding::render)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_ours_that_is_called_as_the_build_folder_is_read() {
        let root = tempfile::tempdir().expect("a folder");
        for path in [
            "fuzz/src/target/a.rs",
            "target/debug/b.rs",
            "tests/npm/node_modules/c.rs",
            ".git/d.rs",
            "e.rs",
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            fs::write(path, "//! a\n").expect("a file");
        }
        let tree = Tree::read(root.path()).expect("it can be read");
        let paths: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["e.rs", "fuzz/src/target/a.rs"]);
    }
}
