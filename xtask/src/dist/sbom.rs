//! What is inside of what is handed out, as `CycloneDX` 1.6 (ECMA-424): every crate of relay, sandbox, dashboard and
//! extension, with version, licence and the registry's checksum.
//!
//! By hand, because cargo-cyclonedx names crates of the workspace by the folder that it lies in, so that two folders
//! give two documents, and makes one for each package.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::shell::Workspace;

/// What is built for whom.
const BUILT: &[(&str, &[&str])] = &[
    ("x86_64-unknown-linux-musl", &["relay", "sandbox"]),
    ("aarch64-unknown-linux-musl", &["relay", "sandbox"]),
    ("wasm32-unknown-unknown", &["extension", "dashboard"]),
];

/// The document. Without a time or a number of its own, so that the same checkout gives the same bytes.
pub(super) fn render(workspace: &Workspace, version: &str) -> anyhow::Result<Vec<u8>> {
    let lock = fs::read_to_string(workspace.root.join("Cargo.lock"))
        .context("Cargo.lock cannot be read")?;
    let checksums = checksums(&lock)?;
    let mut inside = Inside::default();
    for (target, packages) in BUILT {
        let output = workspace
            .cargo(&[
                "metadata",
                "--locked",
                "--format-version",
                "1",
                "--filter-platform",
                target,
            ])
            .output()
            .context("cargo cannot be run")?;
        if !output.status.success() {
            bail!(
                "`cargo metadata` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let metadata: Value =
            serde_json::from_slice(&output.stdout).context("`cargo metadata` printed no JSON")?;
        inside.add(&metadata, packages)?;
    }
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": format!("unpause@{version}"),
                "name": "unpause",
                "version": version,
                "licenses": [{ "expression": "MIT" }],
            },
        },
        "components": inside.components(&checksums),
        "dependencies": inside.dependencies(),
    });
    let mut bytes = serde_json::to_vec_pretty(&document).context("the list is no JSON")?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// By name and version.
type Crate = (String, String);

#[derive(Default)]
struct Inside {
    /// Its licence, and whether it is in what runs or only in what builds.
    crates: BTreeMap<Crate, Part>,
    /// What each one uses.
    uses: BTreeMap<Crate, BTreeSet<Crate>>,
}

struct Part {
    license: Option<String>,
    is_ours: bool,
    runs: bool,
}

impl Inside {
    /// Adds these packages of the workspace with all that they stand on, on one target.
    fn add(&mut self, metadata: &Value, packages: &[&str]) -> anyhow::Result<()> {
        let known: BTreeMap<&str, &Value> = list(metadata.get("packages"))
            .filter_map(|package| Some((text(package, "id")?, package)))
            .collect();
        let nodes: BTreeMap<&str, &Value> = list(metadata.pointer("/resolve/nodes"))
            .filter_map(|node| Some((text(node, "id")?, node)))
            .collect();
        let mut open: Vec<(&str, bool)> = Vec::new();
        for name in packages {
            let id = known.iter().find_map(|(id, package)| {
                (text(package, "name") == Some(name) && is_ours(package)).then_some(*id)
            });
            open.push((
                id.with_context(|| format!("the workspace has no {name}"))?,
                true,
            ));
        }
        let mut seen = BTreeSet::new();
        while let Some((id, runs)) = open.pop() {
            if !seen.insert((id, runs)) {
                continue;
            }
            let package = known.get(id).context("a package has no description")?;
            // What is made by a macro is inside; the macro is not.
            let runs = runs && !is_macro(package);
            let own = key(package)?;
            let part = self.crates.entry(own.clone()).or_insert_with(|| Part {
                license: text(package, "license").map(|words| words.replace('/', " OR ")),
                is_ours: is_ours(package),
                runs: false,
            });
            part.runs |= runs;
            for used in list(nodes.get(id).and_then(|node| node.get("deps"))) {
                let Some(below) = text(used, "pkg") else {
                    continue;
                };
                let kinds: BTreeSet<&str> = list(used.get("dep_kinds"))
                    .map(|kind| text(kind, "kind").unwrap_or("normal"))
                    .collect();
                let is_normal = kinds.contains("normal");
                if !is_normal && !kinds.contains("build") {
                    continue;
                }
                let package = known.get(below).context("a package has no description")?;
                self.uses
                    .entry(own.clone())
                    .or_default()
                    .insert(key(package)?);
                open.push((below, runs && is_normal));
            }
        }
        Ok(())
    }

    fn components(&self, checksums: &BTreeMap<Crate, String>) -> Vec<Value> {
        let components = self.crates.iter().map(|((name, version), part)| {
            let key = (name.clone(), version.clone());
            let mut component = serde_json::Map::new();
            component.insert("type".to_owned(), json!("library"));
            component.insert("bom-ref".to_owned(), json!(reference(&key)));
            component.insert("name".to_owned(), json!(name));
            component.insert("version".to_owned(), json!(version));
            // What only builds leaves nothing inside.
            let scope = if part.runs { "required" } else { "excluded" };
            component.insert("scope".to_owned(), json!(scope));
            if let Some(license) = &part.license {
                let licenses = json!([{ "expression": license }]);
                component.insert("licenses".to_owned(), licenses);
            }
            if !part.is_ours {
                component.insert("purl".to_owned(), json!(reference(&key)));
            }
            if let Some(sum) = checksums.get(&key) {
                let hashes = json!([{ "alg": "SHA-256", "content": sum }]);
                component.insert("hashes".to_owned(), hashes);
            }
            Value::Object(component)
        });
        components.collect()
    }

    fn dependencies(&self) -> Vec<Value> {
        let rows = self.uses.iter().map(|(own, below)| {
            json!({
                "ref": reference(own),
                "dependsOn": below.iter().map(reference).collect::<Vec<_>>(),
            })
        });
        rows.collect()
    }
}

/// The package URL (purl-spec, type `cargo`).
fn reference((name, version): &Crate) -> String {
    // `+` stands before what a version says of its making.
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn key(package: &Value) -> anyhow::Result<Crate> {
    let name = text(package, "name").context("a package has no name")?;
    let version = text(package, "version").context("a package has no version")?;
    Ok((name.to_owned(), version.to_owned()))
}

/// A package of the workspace comes from no registry.
fn is_ours(package: &Value) -> bool {
    text(package, "source").is_none()
}

fn is_macro(package: &Value) -> bool {
    list(package.get("targets"))
        .flat_map(|target| list(target.get("kind")))
        .any(|kind| kind.as_str() == Some("proc-macro"))
}

/// What the registry says that each crate's archive hashes to.
fn checksums(lock: &str) -> anyhow::Result<BTreeMap<Crate, String>> {
    let lock: toml::Table = lock.parse().context("Cargo.lock is not TOML")?;
    let packages = lock.get("package").and_then(|list| list.as_array());
    let rows = packages.into_iter().flatten().filter_map(|package| {
        let field = |name: &str| package.get(name)?.as_str().map(str::to_owned);
        Some(((field("name")?, field("version")?), field("checksum")?))
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, source: Option<&str>, kind: &str) -> Value {
        json!({
            "id": name, "name": name, "version": "1.0.0+v", "license": "MIT/ISC", "source": source,
            "targets": [{ "kind": [kind] }],
        })
    }

    fn node(name: &str, below: &[(&str, Option<&str>)]) -> Value {
        let deps: Vec<Value> = below
            .iter()
            .map(|(id, kind)| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] }))
            .collect();
        json!({ "id": name, "deps": deps })
    }

    #[test]
    fn what_runs_and_what_builds_are_told_apart_and_tests_are_left_out() {
        let registry = Some("registry");
        let metadata = json!({
            "packages": [
                package("relay", None, "lib"),
                package("runs", registry, "lib"),
                package("derives", registry, "proc-macro"),
                package("parses", registry, "lib"),
                package("compiles", registry, "lib"),
                package("tests", registry, "lib"),
            ],
            "resolve": { "nodes": [
                node("relay", &[("runs", None), ("derives", None), ("compiles", Some("build")), ("tests", Some("dev"))]),
                node("runs", &[]),
                node("derives", &[("parses", None)]),
                node("parses", &[]),
                node("compiles", &[("runs", None)]),
                node("tests", &[]),
            ] },
        });
        let mut inside = Inside::default();
        inside.add(&metadata, &["relay"]).unwrap();
        let sums = checksums(
            "[[package]]\nname = \"runs\"\nversion = \"1.0.0+v\"\nchecksum = \"ab\"\n\
             [[package]]\nname = \"relay\"\nversion = \"1.0.0+v\"\n",
        )
        .unwrap();
        let components = inside.components(&sums);
        let scopes: Vec<_> = components
            .iter()
            .map(|component| {
                (
                    component["name"].as_str().unwrap(),
                    component["scope"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            scopes,
            [
                ("compiles", "excluded"),
                ("derives", "excluded"),
                ("parses", "excluded"),
                ("relay", "required"),
                ("runs", "required"),
            ]
        );
        assert_eq!(components[4]["purl"], "pkg:cargo/runs@1.0.0%2Bv");
        assert_eq!(components[4]["hashes"][0]["content"], "ab");
        assert_eq!(components[4]["licenses"][0]["expression"], "MIT OR ISC");
        assert!(components[3].get("purl").is_none() && components[3].get("hashes").is_none());
        assert!(inside.add(&metadata, &["lost"]).is_err());
    }
}
