//! Folders as values: files by their path from the folder, read and written so that only what has
//! changed is touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::gzip::gzip;

/// The bytes of each file, by its path from the folder, with `/`.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The files at these places of the checkout; a place that ends with `/` is a folder with all below
/// it. Files that begin with a dot are an editor's, not ours.
pub(super) fn read_sources(root: &Path, places: &[&str]) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for place in places {
        if let Some(folder) = place.strip_suffix('/') {
            read_below(&root.join(folder), place, &mut files)?;
        } else {
            let bytes =
                fs::read(root.join(place)).with_context(|| format!("{place} cannot be read"))?;
            files.insert((*place).to_owned(), bytes);
        }
    }
    Ok(files)
}

/// Makes the folder hold these files and no other; says how many had to be written or removed.
pub(super) fn write(folder: &Path, files: &Files) -> anyhow::Result<usize> {
    let mut there = Files::new();
    if folder.is_dir() {
        read_below(folder, "", &mut there)?;
    }
    let mut n_changed = 0;
    for name in there.keys().filter(|name| !files.contains_key(*name)) {
        let file = folder.join(name);
        fs::remove_file(&file).with_context(|| format!("{} cannot be removed", file.display()))?;
        n_changed += 1;
    }
    for (name, bytes) in files {
        if there.get(name) == Some(bytes) {
            continue;
        }
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)
                .with_context(|| format!("{} cannot be made", parent.display()))?;
        }
        fs::write(&file, bytes).with_context(|| format!("{} cannot be written", file.display()))?;
        n_changed += 1;
    }
    Ok(n_changed)
}

/// The files, and beside each that gets smaller its packed variant, `name.gz`: a server sends it as
/// it is.
pub(super) fn with_packed(files: &Files) -> anyhow::Result<Files> {
    let mut all = files.clone();
    for (name, bytes) in files {
        let packed = gzip(bytes)?;
        if packed.len() < bytes.len() {
            all.insert(format!("{name}.gz"), packed);
        }
    }
    Ok(all)
}

fn read_below(folder: &Path, prefix: &str, files: &mut Files) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be read", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type().with_context(cannot)?.is_dir() {
            read_below(&entry.path(), &format!("{path}/"), files)?;
        } else {
            let bytes = fs::read(entry.path()).with_context(cannot)?;
            files.insert(path, bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn only_what_changed_is_touched_and_what_is_gone_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let first = files(&[("a.js", "1"), ("look/b.css", "2"), ("old.js", "3")]);
        assert_eq!(write(folder.path(), &first).unwrap(), 3);
        assert_eq!(write(folder.path(), &first).unwrap(), 0);

        let untouched = fs::metadata(folder.path().join("a.js"))
            .unwrap()
            .modified()
            .unwrap();
        let second = files(&[("a.js", "1"), ("look/b.css", "4")]);
        assert_eq!(write(folder.path(), &second).unwrap(), 2);
        let mut there = Files::new();
        read_below(folder.path(), "", &mut there).unwrap();
        assert_eq!(there, second);
        assert_eq!(
            fs::metadata(folder.path().join("a.js"))
                .unwrap()
                .modified()
                .unwrap(),
            untouched
        );
    }

    #[test]
    fn a_place_is_a_file_or_all_below_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = files(&[
            ("manifest.json", "{}"),
            ("extension/page/popup.html", "a"),
            ("extension/page/.popup.html.swp", "b"),
            ("extension/src/lib.rs", "c"),
        ]);
        write(folder.path(), &checkout).unwrap();
        let read = read_sources(folder.path(), &["manifest.json", "extension/page/"]).unwrap();
        assert_eq!(
            read.keys().collect::<Vec<_>>(),
            ["extension/page/popup.html", "manifest.json"]
        );
        let error = read_sources(folder.path(), &["extension/background.js"]).unwrap_err();
        assert_eq!(error.to_string(), "extension/background.js cannot be read");
    }

    #[test]
    fn a_packed_variant_stands_beside_what_gets_smaller() {
        let long = "paused ".repeat(100);
        let all = with_packed(&files(&[("a.js", &long), ("b.js", "x")])).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["a.js", "a.js.gz", "b.js"]);
    }
}
