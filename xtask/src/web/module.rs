//! The wasm modules and the JavaScript that connects each to the browser: cargo builds, wasm-bindgen
//! (as a library, of the version that the code uses) makes the glue, `wasm-opt` shrinks.
//!
//! The same sources and the same compiler give the same bytes in every folder and for every person.

use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context as _, anyhow, bail};
use wasm_bindgen_cli_support::Bindgen;

use super::Shrink;
use super::folder::Files;
use super::target::TARGET;
use crate::digest::sha256;
use crate::npm;
use crate::reproducible::Folders;
use crate::shell::{self, Workspace};

/// A binary for the browser. Its `main` runs as soon as the glue has loaded it.
pub(super) struct Module {
    /// The glue, an ES module whose default export loads the module.
    pub(super) glue: String,
    /// The module itself.
    pub(super) wasm: Vec<u8>,
    /// JavaScript of dependencies that the glue imports, from the folder of the glue.
    pub(super) snippets: Files,
}

/// Every module of the project.
pub(super) struct Modules {
    /// The extension's background, without pages.
    pub(super) background: Module,
    /// The extension's popup and prompt.
    pub(super) pages: Module,
    /// The extension's options.
    pub(super) options: Module,
    /// The relay's dashboard.
    pub(super) dashboard: Module,
}

impl Modules {
    /// Builds all of them at once, so that cargo builds what they share once.
    pub(super) fn build(workspace: &Workspace, shrink: Shrink) -> anyhow::Result<Self> {
        let args = [
            "build",
            "--profile",
            PROFILE,
            "--target",
            TARGET,
            "--package",
            "extension",
            "--package",
            "dashboard",
            "--bin",
            "background",
            "--bin",
            "pages",
            "--bin",
            "options",
            "--bin",
            "dashboard",
        ];
        let mut command = workspace.cargo(&args);
        // With `--target` these are for the modules only, not for what runs at build time.
        command.env(
            "CARGO_ENCODED_RUSTFLAGS",
            Folders::find(workspace)?.rust_flags(),
        );
        shell::run(&mut command)?;

        let optimiser = match shrink {
            Shrink::Always => Some(npm::program(workspace, "wasm-opt")?),
            Shrink::WherePossible => npm::program(workspace, "wasm-opt").ok(),
        };
        let make = |binary, glue| make(workspace, binary, glue, optimiser.as_deref());
        // Side by side: `wasm-opt` takes seconds, and one processor.
        thread::scope(|scope| {
            let background = scope.spawn(|| make("background", "background_glue"));
            let pages = scope.spawn(|| make("pages", "pages"));
            let options = scope.spawn(|| make("options", "options"));
            let dashboard = make("dashboard", "dashboard");
            Ok(Self {
                background: joined(background)?,
                pages: joined(pages)?,
                options: joined(options)?,
                dashboard: dashboard?,
            })
        })
    }
}

/// What the thread made.
fn joined(thread: ScopedJoinHandle<'_, anyhow::Result<Module>>) -> anyhow::Result<Module> {
    thread
        .join()
        .map_err(|_panic| anyhow!("a module's thread has ended by itself"))?
}

/// The cargo profile, in the root `Cargo.toml`.
const PROFILE: &str = "browser";

fn make(
    workspace: &Workspace,
    binary: &str,
    glue_name: &str,
    optimiser: Option<&Path>,
) -> anyhow::Result<Module> {
    let built = workspace
        .target
        .join(TARGET)
        .join(PROFILE)
        .join(format!("{binary}.wasm"));
    let mut output = Bindgen::new()
        .input_path(&built)
        .out_name(glue_name)
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(false)
                // Whoever loads it names the address.
                .omit_default_module_path(true)
                .generate_output()
        })
        .with_context(|| format!("the glue of {binary} cannot be made"))?;

    let mut snippets = Files::new();
    for (identifier, list) in output.snippets() {
        for (at, text) in list.iter().enumerate() {
            let name = format!("snippets/{identifier}/inline{at}.js");
            snippets.insert(name, text.clone().into_bytes());
        }
    }
    for (path, text) in output.local_modules() {
        snippets.insert(format!("snippets/{path}"), text.clone().into_bytes());
    }
    let glue = without_raw_html(output.js()).with_context(|| format!("the glue of {binary}"))?;
    let bytes = output.wasm_mut().emit_wasm();
    let wasm = match optimiser {
        None => bytes,
        Some(optimiser) => optimised(workspace, binary, &bytes, optimiser)?,
    };
    Ok(Module {
        glue,
        wasm,
        snippets,
    })
}

/// The glue without the one way to write raw HTML: Yew links it in (`Html::from_html_unchecked`), nothing of ours
/// calls it, and a page that cannot write HTML cannot be made to.
fn without_raw_html(glue: &str) -> anyhow::Result<String> {
    let safe = glue.replace(
        "arg0.innerHTML = getStringFromWasm0(arg1, arg2);",
        "throw new Error(\"raw HTML is switched off\");",
    );
    if safe.contains(".innerHTML") {
        bail!("writes raw HTML in a way that is not known here: teach `without_raw_html` its form");
    }
    Ok(safe)
}

/// The module after `wasm-opt`; what it made of the same bytes before is used again. Two builds at
/// once do not meet: each has files of its own until the result is there.
fn optimised(
    workspace: &Workspace,
    name: &str,
    bytes: &[u8],
    optimiser: &Path,
) -> anyhow::Result<Vec<u8>> {
    let folder = workspace.target.join("web/optimised");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let made = folder.join(format!("{name}-{}.wasm", sha256(bytes)));
    if !made.is_file() {
        forget_older(&folder, &format!("{name}-"))?;
        let own = |what: &str| folder.join(format!("{}-{name}.{what}", process::id()));
        let (input, output) = (own("input"), own("output"));
        fs::write(&input, bytes)
            .with_context(|| format!("{} cannot be written", input.display()))?;
        let mut command = Command::new(optimiser);
        command
            .args(OPTIMISE)
            .arg(&input)
            .arg("-o")
            .arg(&output)
            .env("PATH", workspace.path());
        shell::run(&mut command)?;
        fs::rename(&output, &made)
            .with_context(|| format!("{} cannot be written", made.display()))?;
        fs::remove_file(&input)
            .with_context(|| format!("{} cannot be removed", input.display()))?;
    }
    fs::read(&made).with_context(|| format!("{} cannot be read", made.display()))
}

/// Only the newest result of a module is worth its place.
fn forget_older(folder: &Path, prefix: &str) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be read", folder.display());
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            // Another build may have been quicker.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// As small as it gets. Which features of wasm a module uses stands in the module itself
/// (`target_features`), so none is named here.
const OPTIMISE: &[&str] = &[
    "-Oz",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_html_is_switched_off_and_an_unknown_form_of_it_is_refused() {
        let glue =
            "a: function(arg0, arg1, arg2) {\narg0.innerHTML = getStringFromWasm0(arg1, arg2);\n},";
        let safe = without_raw_html(glue).unwrap();
        assert!(
            !safe.contains("innerHTML") && safe.contains("throw"),
            "{safe}"
        );
        assert!(without_raw_html("x.innerHTML = y;").is_err());
        assert_eq!(without_raw_html("nothing of it").unwrap(), "nothing of it");
    }
}
