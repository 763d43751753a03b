//! The arrows of ARCHITECTURE.md: which crate may use which, which module of the extension may use which,
//! and that what decides performs nothing. The relay's modules are in `relay`.

mod relay;

pub(super) use relay::{check_circles, check_relay};

use super::Finding;
use super::rust_source::{first_word, is_word, line_at};
use super::tree::{File, Tree};

/// Each of our crates, and which of ours it may use.
const CRATES: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("web", &["protocol"]),
    ("dashboard", &["protocol", "web"]),
    ("extension", &["protocol", "web"]),
    ("relay", &["protocol"]),
    ("sandbox", &["protocol"]),
    ("tests", &["protocol", "relay", "sandbox", "extension"]),
    ("fuzz", &["protocol", "relay", "extension"]),
    ("xtask", &[]),
];

/// What a crate's own tests may use beside that: the relay's play against the sandbox.
const CRATES_IN_TESTS: &[(&str, &str)] = &[("relay", "sandbox")];

/// Modules of a crate, and which others of it they must not use.
const MODULES: &[(&str, &str, &[&str])] = &[
    (
        "extension",
        "browser",
        &["background", "page", "detect", "site", "flow", "vault"],
    ),
    (
        "extension",
        "detect",
        &["background", "page", "browser", "vault", "flow"],
    ),
    (
        "extension",
        "site",
        &["background", "page", "browser", "vault", "flow"],
    ),
    (
        "extension",
        "flow",
        &["background", "page", "browser", "vault"],
    ),
    ("extension", "background", &["page"]),
    ("extension", "page", &["background", "vault", "flow"]),
];

/// Modules of the extension that decide: they know no browser, so that their tests need none.
const WITHOUT_A_BROWSER: &[&str] = &["detect", "site", "flow"];

/// What speaks to a browser.
const BROWSER_CRATES: &[&str] = &[
    "gloo",
    "js_sys",
    "wasm_bindgen",
    "wasm_bindgen_futures",
    "web_sys",
    "yew",
];

/// Finds crates that use another than the arrows allow, and crates that have no arrows yet.
pub(super) fn check_crates(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(name) = file.path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let Some((_, allowed)) = CRATES.iter().find(|(crate_name, _)| *crate_name == name) else {
            findings.push(Finding::file(
                &file.path,
                "give this crate its arrows in tidy/arrows.rs",
            ));
            continue;
        };
        let Ok(manifest) = file.text.parse::<toml::Table>() else {
            findings.push(Finding::file(&file.path, "mend it: it is not TOML"));
            continue;
        };
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(used) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for (ours, _) in CRATES {
                let in_tests =
                    section == "dev-dependencies" && CRATES_IN_TESTS.contains(&(name, *ours));
                if used.contains_key(*ours) && !allowed.contains(ours) && !in_tests {
                    findings.push(Finding::file(
                        &file.path,
                        format!("remove `{ours}` from [{section}]: `{name}` must not know it"),
                    ));
                }
            }
        }
    }
    findings
}

/// Finds modules that use another of their crate than the arrows allow.
pub(super) fn check_modules(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (crate_name, module, forbidden) in MODULES {
        for file in files_of(tree, crate_name, module) {
            let code = &file.source().code;
            for (line, used) in modules_used(code, depth(&file.path)) {
                if forbidden.contains(&used.as_str()) {
                    findings.push(Finding::line(
                        &file.path,
                        line,
                        format!("`{module}` must not use `crate::{used}`: turn the arrow round"),
                    ));
                }
            }
        }
    }
    findings
}

/// Finds `async` and `.await` in the relay's engine.
pub(super) fn check_engine_is_pure(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files_of(tree, "relay", "engine") {
        let code = &file.source().code;
        for (at, line) in code.lines().enumerate() {
            let waits = line
                .split(|c| !is_word(c))
                .any(|word| word == "async" || word == "await");
            if waits {
                findings.push(Finding::line(
                    &file.path,
                    at + 1,
                    "return an effect instead: the engine decides, its caller performs",
                ));
            }
        }
    }
    findings
}

/// Finds browser crates in the modules of the extension that decide.
pub(super) fn check_decisions_know_no_browser(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in WITHOUT_A_BROWSER {
        for file in files_of(tree, "extension", module) {
            let code = &file.source().code;
            for (at, line) in code.lines().enumerate() {
                let used = line
                    .split(|c| !is_word(c))
                    .find(|word| BROWSER_CRATES.contains(word));
                if let Some(used) = used {
                    findings.push(Finding::line(
                        &file.path,
                        at + 1,
                        format!(
                            "move `{used}` to `browser`: `{module}` decides, without a browser"
                        ),
                    ));
                }
            }
        }
    }
    findings
}

/// `relay/src/engine.rs` and everything below `relay/src/engine/`.
fn files_of<'a>(tree: &'a Tree, crate_name: &str, module: &str) -> impl Iterator<Item = &'a File> {
    let file = format!("{crate_name}/src/{module}.rs");
    let folder = format!("{crate_name}/src/{module}/");
    tree.rust()
        .filter(move |found| found.path == file || found.path.starts_with(&folder))
}

/// How many `super::` lead from the file to the root of its crate.
fn depth(path: &str) -> usize {
    path.split_once("/src/")
        .map_or(1, |(_, inside)| inside.matches('/').count() + 1)
}

/// The top-level modules that a file names, by `crate::` or by enough `super::`, with the line.
fn modules_used(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut used = Vec::new();
    for root in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in code.match_indices(&root) {
            let before = code.get(..at).unwrap_or_default();
            if before.ends_with(is_word) || before.ends_with("::") {
                continue;
            }
            let line = line_at(code, at);
            let tail = code.get(at + root.len()..).unwrap_or_default();
            match tail.strip_prefix('{') {
                None => used.push((line, first_word(tail).to_owned())),
                Some(group) => {
                    let words = first_words_of_group(group).into_iter();
                    used.extend(words.map(|word| (line, word.to_owned())));
                }
            }
        }
    }
    used
}

/// `a::b, c::{d, e}, f}` names `a`, `c` and `f`.
fn first_words_of_group(group: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut depth = 0_usize;
    let mut member_at = 0;
    for (at, c) in group.char_indices() {
        let ends_member = depth == 0 && (c == ',' || c == '}');
        if ends_member {
            let member = group.get(member_at..at).unwrap_or_default();
            words.push(first_word(member.trim_start()));
            member_at = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::super::tree::found;
    use super::*;

    #[test]
    fn a_crate_that_uses_its_neighbour_is_found() {
        let allowed = "[dependencies]\nprotocol.workspace = true\n\n[dev-dependencies]\nsandbox.workspace = true\n";
        let forbidden = "[dependencies]\nsandbox.workspace = true\n";
        let turned = "[dev-dependencies]\nrelay.workspace = true\n";
        assert_eq!(
            found(
                check_crates,
                &[
                    ("relay/Cargo.toml", allowed),
                    ("tests/Cargo.toml", allowed),
                    ("relay/Cargo.toml", forbidden),
                    ("sandbox/Cargo.toml", turned)
                ]
            ),
            [
                "relay/Cargo.toml: remove `sandbox` from [dependencies]: `relay` must not know it",
                "sandbox/Cargo.toml: remove `relay` from [dev-dependencies]: `sandbox` must not know it"
            ]
        );
    }

    #[test]
    fn a_crate_without_arrows_is_found() {
        assert_eq!(
            found(check_crates, &[("new/Cargo.toml", "")]),
            ["new/Cargo.toml: give this crate its arrows in tidy/arrows.rs"]
        );
    }

    #[test]
    fn a_decision_that_knows_a_browser_is_found() {
        let text = "//! a\nuse crate::browser::Port;\nfn f() { let yews = web_sys::window(); }\n";
        assert_eq!(
            found(check_modules, &[("extension/src/detect.rs", text)]),
            [
                "extension/src/detect.rs:2: `detect` must not use `crate::browser`: turn the arrow round"
            ]
        );
        assert_eq!(
            found(
                check_decisions_know_no_browser,
                &[
                    ("extension/src/flow/authorization.rs", text),
                    ("extension/src/browser.rs", text)
                ]
            ),
            [
                "extension/src/flow/authorization.rs:3: move `web_sys` to `browser`: `flow` decides, without a browser"
            ]
        );
    }

    #[test]
    fn the_http_crate_is_not_the_http_module() {
        assert!(
            found(
                check_relay,
                &[("relay/src/oauth.rs", "use http::StatusCode;\n")]
            )
            .is_empty()
        );
        assert_eq!(
            found(
                check_relay,
                &[("relay/src/oauth.rs", "use super::http::Problem;\n")]
            )
            .len(),
            1
        );
    }

    #[test]
    fn a_group_names_its_members_only() {
        assert_eq!(
            first_words_of_group("a::{b, c}, d, e::f};\nuse g, h}"),
            ["a", "d", "e"]
        );
    }

    #[test]
    fn an_engine_that_waits_is_found() {
        let text =
            "//! a\n// async is for others\nfn f() { \"await\"; x().await }\nasync fn g() {}\n";
        let rule = "return an effect instead: the engine decides, its caller performs";
        assert_eq!(
            found(check_engine_is_pure, &[("relay/src/engine.rs", text)]),
            [
                format!("relay/src/engine.rs:3: {rule}"),
                format!("relay/src/engine.rs:4: {rule}"),
            ]
        );
    }
}
