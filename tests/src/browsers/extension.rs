//! What the manifest of the built extension says of its identity.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A built extension.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Its folder.
    pub folder: PathBuf,
    /// Its id in Chromium.
    pub chromium_id: String,
    /// Its id in Firefox.
    pub firefox_id: String,
}

impl Extension {
    /// Reads the manifest in this folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().with_context(|| {
            format!(
                "there is no built extension in {}: run `cargo xtask start` or `cargo xtask test` first",
                folder.display()
            )
        })?;
        let manifest = read_manifest(&folder)?;
        let text = |pointer: &str| {
            manifest
                .pointer(pointer)
                .and_then(Value::as_str)
                .with_context(|| format!("the manifest has no {pointer}"))
        };
        Ok(Self {
            chromium_id: chromium_id(text("/key")?)?,
            firefox_id: text("/browser_specific_settings/gecko/id")?.to_owned(),
            folder,
        })
    }
}

/// A copy of the extension whose manifest lacks a permission, so that the browser does not offer its API.
pub fn without_permission(from: &Path, permission: &str, to: &Path) -> Result<()> {
    copy(from, to)?;
    let mut manifest = read_manifest(to)?;
    let permissions = manifest
        .pointer_mut("/permissions")
        .and_then(Value::as_array_mut)
        .context("the manifest has no permissions")?;
    let before = permissions.len();
    permissions.retain(|one| one.as_str() != Some(permission));
    anyhow::ensure!(
        permissions.len() < before,
        "the manifest does not ask for {permission}"
    );
    std::fs::write(to.join("manifest.json"), serde_json::to_vec(&manifest)?)?;
    Ok(())
}

/// A copy of the extension whose background runs this before all else.
pub fn with_background_script(from: &Path, script: &str, to: &Path) -> Result<()> {
    copy(from, to)?;
    let path = to.join("background.js");
    let text = std::fs::read_to_string(&path)?;
    // What a module imports is loaded before its first line, wherever the import stands.
    std::fs::write(path, format!("{script}\n{text}"))?;
    Ok(())
}

/// Chromium's id of a key: the first 32 digits of its SHA-256, with a to p for 0 to f.
fn chromium_id(key: &str) -> Result<String> {
    let key = BASE64_STANDARD
        .decode(key)
        .context("the manifest's key is not base64")?;
    let digits = |byte: &u8| [byte >> 4, byte & 0x0f].map(|digit| char::from(b'a' + digit));
    Ok(Sha256::digest(key)
        .iter()
        .take(16)
        .flat_map(digits)
        .collect())
}

fn read_manifest(folder: &Path) -> Result<Value> {
    let text = std::fs::read(folder.join("manifest.json"))?;
    serde_json::from_slice(&text).context("the manifest is not JSON")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_one_that_chromium_derives() {
        // sha256("abc") = ba7816bf 8f01cfea 414140de 5dae2223 …
        assert_eq!(
            chromium_id(&BASE64_STANDARD.encode("abc")).unwrap(),
            "lkhibglpipabmpokebebeanofnkocccd"
        );
    }
}
