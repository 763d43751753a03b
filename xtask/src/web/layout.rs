//! Which file goes where in the two folders. Pure: from sources and modules to files.

use anyhow::bail;

use super::folder::Files;
use super::module::{Module, Modules};

/// Every place of the checkout that a browser gets something from.
pub(super) const SOURCES: &[&str] = &[
    "manifest.json",
    "extension/background.js",
    "extension/page/",
    "extension/eyes/",
    "extension/icons/",
    "dashboard/page/",
    "web/look/",
];

/// Where the extension's sources go: flat, because an extension page names its neighbours.
const EXTENSION: &[(&str, &str)] = &[
    ("manifest.json", "manifest.json"),
    ("extension/background.js", "background.js"),
    ("extension/page/", ""),
    ("extension/eyes/", ""),
    ("extension/icons/", "icons/"),
    ("web/look/", "look/"),
];

/// The script that runs in every page that is allowed.
const EYES: &str = "eyes.js";

/// Where the dashboard's sources go.
const DASHBOARD: &[(&str, &str)] = &[("dashboard/page/", ""), ("web/look/", "look/")];

/// The folder that a browser loads.
pub(super) fn extension(sources: &Files, modules: &Modules) -> anyhow::Result<Files> {
    let mut files = placed(sources, EXTENSION)?;
    if let Some(eyes) = files.get_mut(EYES) {
        *eyes = without_comments(eyes)?;
    }
    add_glue(&mut files, "background_glue", &modules.background)?;
    put(
        &mut files,
        "background_bg.wasm",
        modules.background.wasm.clone(),
    )?;
    add_glue(&mut files, "pages", &modules.pages)?;
    put(&mut files, "pages_bg.wasm", modules.pages.wasm.clone())?;
    add_glue(&mut files, "options", &modules.options)?;
    put(&mut files, "options_bg.wasm", modules.options.wasm.clone())?;
    Ok(files)
}

/// A script without the lines that are comments, empty or indented: every page pays for it, and its comments are for
/// who reads the source. Good for a script without a text of several lines.
fn without_comments(script: &[u8]) -> anyhow::Result<Vec<u8>> {
    let lines = str::from_utf8(script)?.lines().map(str::trim);
    let kept = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    Ok(kept
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .into_bytes())
}

/// The folder that the relay serves.
pub(super) fn dashboard(sources: &Files, modules: &Modules) -> anyhow::Result<Files> {
    let mut files = placed(sources, DASHBOARD)?;
    add_glue(&mut files, "dashboard", &modules.dashboard)?;
    put(
        &mut files,
        "dashboard_bg.wasm",
        modules.dashboard.wasm.clone(),
    )?;
    Ok(files)
}

fn placed(sources: &Files, places: &[(&str, &str)]) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for (from, to) in places {
        let before = files.len();
        for (path, bytes) in sources {
            let is_meant = path == from || from.ends_with('/') && path.starts_with(from);
            if is_meant {
                let name = path.strip_prefix(from).unwrap_or(path);
                put(&mut files, &format!("{to}{name}"), bytes.clone())?;
            }
        }
        if files.len() == before {
            bail!("{from} has no file");
        }
    }
    Ok(files)
}

fn add_glue(files: &mut Files, name: &str, module: &Module) -> anyhow::Result<()> {
    put(
        files,
        &format!("{name}.js"),
        module.glue.clone().into_bytes(),
    )?;
    for (path, bytes) in &module.snippets {
        // Two modules may bring the same one.
        put(files, path, bytes.clone())?;
    }
    Ok(())
}

/// Two sources must not mean the same file.
fn put(files: &mut Files, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
    match files.get(name) {
        Some(there) if *there != bytes => bail!("two sources want to be {name}"),
        _ => {
            files.insert(name.to_owned(), bytes);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str) -> Module {
        Module {
            glue: format!("glue of {name}"),
            wasm: format!("wasm of {name}").into_bytes(),
            snippets: Files::from([("snippets/dep/inline0.js".to_owned(), b"s".to_vec())]),
        }
    }

    fn modules() -> Modules {
        Modules {
            background: module("background"),
            pages: module("pages"),
            options: module("options"),
            dashboard: module("dashboard"),
        }
    }

    fn sources(paths: &[&str]) -> Files {
        paths
            .iter()
            .map(|path| ((*path).to_owned(), path.as_bytes().to_vec()))
            .collect()
    }

    const ALL: &[&str] = &[
        "dashboard/page/index.html",
        "extension/background.js",
        "extension/eyes/eyes.js",
        "extension/icons/unpause-16.png",
        "extension/page/popup.html",
        "manifest.json",
        "web/look/base.css",
    ];

    #[test]
    fn every_file_has_its_place() {
        let extension = extension(&sources(ALL), &modules()).unwrap();
        assert_eq!(
            extension.keys().collect::<Vec<_>>(),
            [
                "background.js",
                "background_bg.wasm",
                "background_glue.js",
                "eyes.js",
                "icons/unpause-16.png",
                "look/base.css",
                "manifest.json",
                "options.js",
                "options_bg.wasm",
                "pages.js",
                "pages_bg.wasm",
                "popup.html",
                "snippets/dep/inline0.js",
            ]
        );
        assert_eq!(extension["popup.html"], b"extension/page/popup.html");
        assert_eq!(extension["background_bg.wasm"], modules().background.wasm);
        let dashboard = dashboard(&sources(ALL), &modules()).unwrap();
        assert_eq!(
            dashboard.keys().collect::<Vec<_>>(),
            [
                "dashboard.js",
                "dashboard_bg.wasm",
                "index.html",
                "look/base.css",
                "snippets/dep/inline0.js",
            ]
        );
    }

    #[test]
    fn the_eyes_are_handed_out_without_their_comments() {
        let mut files = sources(ALL);
        let script = b"// What this is.\n(() => {\n\n  // Why.\n  go(\"// no\"); // how\n})();\n";
        files.insert("extension/eyes/eyes.js".to_owned(), script.to_vec());
        let extension = extension(&files, &modules()).unwrap();
        assert_eq!(
            extension["eyes.js"],
            b"(() => {\ngo(\"// no\"); // how\n})();\n"
        );
    }

    #[test]
    fn a_lost_source_and_a_doubled_name_are_refused() {
        let lost = sources(&["manifest.json", "extension/background.js"]);
        let error = extension(&lost, &modules()).unwrap_err();
        assert_eq!(error.to_string(), "extension/page/ has no file");

        let mut doubled = sources(ALL);
        doubled.insert("extension/page/pages.js".to_owned(), b"mine".to_vec());
        let error = extension(&doubled, &modules()).unwrap_err();
        assert_eq!(error.to_string(), "two sources want to be pages.js");
    }
}
