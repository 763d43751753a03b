//! Embeds the built dashboard into the binary: every file below `web/dashboard` in Cargo's target folder, where
//! `cargo xtask` puts it. Without it the relay is built all the same, and says so where the dashboard would be.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "build/target.rs"]
mod target;

/// The folder, below Cargo's target folder.
const DASHBOARD: &str = "web/dashboard";
/// A file of this ending beside another is that other one, compressed.
const COMPRESSED: &str = ".gz";

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let target = target::find(&out, &env::var("TARGET")?).ok_or_else(|| {
        format!(
            "{} lies in no target folder of Cargo's: build with Cargo, into a folder of its own",
            out.display()
        )
    })?;
    let folder = target.join(DASHBOARD);
    // A folder that is not there would make Cargo run this every time.
    fs::create_dir_all(&folder)?;
    tell_cargo("build.rs");
    tell_cargo("build/target.rs");
    tell_cargo(&folder.display().to_string());
    let mut files = BTreeMap::new();
    collect(&folder, "", &mut files)?;
    fs::write(out.join("dashboard.rs"), render(&files)?)?;
    Ok(())
}

fn tell_cargo(path: &str) {
    println!("cargo:rerun-if-changed={path}");
}

/// Every file below `folder`, by its path from there, parts joined by slashes.
fn collect(
    folder: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("a file of the dashboard has a name that is not UTF-8")?;
        let below = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{below}/"), files)?;
        } else {
            files.insert(below, path);
        }
    }
    Ok(())
}

/// The table of files, as Rust.
fn render(files: &BTreeMap<String, PathBuf>) -> Result<String, Box<dyn Error>> {
    let mut table = "&[\n".to_owned();
    for (path, at) in files {
        if path.ends_with(COMPRESSED) {
            continue;
        }
        let mut hasher = DefaultHasher::new();
        fs::read(at)?.hash(&mut hasher);
        let tag = hasher.finish();
        let bytes = bytes_of(at)?;
        let gzip = match files.get(&format!("{path}{COMPRESSED}")) {
            Some(at) => format!("Some({})", bytes_of(at)?),
            None => "None".to_owned(),
        };
        writeln!(
            table,
            "File {{ path: {path:?}, tag: \"{tag:016x}\", bytes: {bytes}, gzip: {gzip} }},"
        )?;
    }
    table.push_str("]\n");
    Ok(table)
}

/// The bytes of a file, as Rust.
fn bytes_of(path: &Path) -> Result<String, Box<dyn Error>> {
    let path = path
        .to_str()
        .ok_or("the target folder has a name that is not UTF-8")?;
    Ok(format!("include_bytes!({path:?})"))
}
