//! The extension as the stores take it: a ZIP file for each.

use std::io::{Cursor, Write as _};

use anyhow::Context as _;
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::Made;
use crate::web::Files;

/// Both packages. The key in the manifest, which gives an unpacked extension its id, is not in Chrome's: its store
/// refuses a first upload that has one.
pub(super) fn pack(extension: Files) -> anyhow::Result<Vec<Made>> {
    let version = version(&extension)?;
    let packages = [("chrome", without_key(&extension)?), ("firefox", extension)];
    packages
        .into_iter()
        .map(|(browser, files)| {
            Ok(Made {
                name: format!("unpause-{version}-{browser}.zip"),
                bytes: packed(&files)?,
            })
        })
        .collect()
}

const MANIFEST: &str = "manifest.json";

fn version(files: &Files) -> anyhow::Result<String> {
    let manifest: Value = serde_json::from_slice(files.get(MANIFEST).context(NO_MANIFEST)?)
        .context("the manifest is not JSON")?;
    manifest
        .get("version")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .context("the manifest has no version")
}

const NO_MANIFEST: &str = "the package has no manifest";

/// The files with the manifest's line `key` gone; every other line stays as it is.
fn without_key(files: &Files) -> anyhow::Result<Files> {
    let mut files = files.clone();
    let manifest = files.get_mut(MANIFEST).context(NO_MANIFEST)?;
    let text = std::str::from_utf8(manifest).context("the manifest is not UTF-8")?;
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with("\"key\":"))
        .collect();
    let read: Value = serde_json::from_str(&kept)
        .context("the manifest's key does not stand in a line of its own")?;
    if read.get("key").is_some() {
        anyhow::bail!("the manifest's key does not stand in a line of its own");
    }
    *manifest = kept.into_bytes();
    Ok(files)
}

/// A ZIP file: ordered by name, every file of the same date and mode, packed by one algorithm.
fn packed(files: &Files) -> anyhow::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        // 1980-01-01, the first date that a ZIP file can say.
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), options)
            .with_context(|| format!("{name} cannot be packed"))?;
        zip.write_all(bytes)
            .with_context(|| format!("{name} cannot be packed"))?;
    }
    Ok(zip
        .finish()
        .context("the package cannot be ended")?
        .into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn a_package_holds_every_file_in_order_and_no_time_of_its_making() {
        let bytes = packed(&files(&[("b/c.js", "2"), ("a.js", "1")])).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let names: Vec<_> = archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        assert_eq!(names, ["a.js", "b/c.js"]);
        let mut file = archive.by_name("b/c.js").unwrap();
        assert_eq!(file.last_modified(), Some(DateTime::default()));
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "2");
    }

    #[test]
    fn only_the_key_leaves_the_manifest() {
        let with = "{\n  \"name\": \"Unpause\",\n  \"key\": \"MIIB\",\n  \"version\": \"1\"\n}\n";
        let without = "{\n  \"name\": \"Unpause\",\n  \"version\": \"1\"\n}\n";
        for manifest in [with, without] {
            let packed = without_key(&files(&[(MANIFEST, manifest)])).unwrap();
            assert_eq!(packed, files(&[(MANIFEST, without)]));
            assert_eq!(version(&packed).unwrap(), "1");
        }
        let hidden = "{ \"name\": \"Unpause\", \"key\": \"MIIB\" }";
        assert!(without_key(&files(&[(MANIFEST, hidden)])).is_err());
    }
}
