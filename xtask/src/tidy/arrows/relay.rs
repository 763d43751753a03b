//! The relay's own arrows: what each of its modules may use, and that no way leads from a module back to it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Finding;
use super::super::rust_source;
use super::super::tree::Tree;
use super::{depth, files_of, modules_used};

/// Each module of the relay with what lies below it, and which others it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    // Plain values.
    ("clock", &[]),
    ("failure", &[]),
    ("greeting", &[]),
    // Whose files are, and who else may read them.
    ("ownership", &[]),
    ("config", &["ownership"]),
    // What authenticators make and sign, read and checked.
    ("passkey", &[]),
    ("record", &[]),
    // Which instants the windows of a schedule are.
    ("schedule", &[]),
    ("systemd", &[]),
    ("tag", &[]),
    ("wish", &[]),
    ("secret", &["ownership", "tag"]),
    ("sign_in", &[]),
    ("credentials", &["sign_in"]),
    // What texts say, and what follows.
    ("text", &["record", "tag"]),
    ("engine", &["record", "schedule", "text"]),
    // Adapters: the network, the database, the log.
    // Another way to begin TLS is known by how a server greets.
    ("tls", &["failure", "greeting"]),
    ("smtp", &["failure", "greeting", "sign_in", "tls"]),
    ("imap", &["failure", "greeting", "sign_in", "tls"]),
    ("oauth", &["failure", "secret", "tls"]),
    // Dues are readings of what the process lives, and every write keeps that; what an arrived message names is looked
    // up as it was read.
    (
        "store",
        &[
            "clock",
            "ownership",
            "record",
            "schedule",
            "secret",
            "tag",
            "text",
        ],
    ),
    ("mark", &["clock", "ownership", "record", "secret", "store"]),
    // How mail is sent stands once, also where it goes to whoever runs the relay.
    ("notify", &["config", "sign_in", "smtp", "tls", "wish"]),
    ("log", &["config"]),
    // Whose the file of the key is decides whether it is used.
    // An authority that refuses is asked again after a rest that is not everybody's.
    (
        "certificate",
        // What the TLS library finds wrong is put into words in one place.
        &["clock", "config", "ownership", "secret", "tls", "wish"],
    ),
    // What is shared.
    ("bell", &[]),
    ("provider", &["config", "failure", "oauth"]),
    (
        "app",
        &[
            "bell", "clock", "config", "mark", "oauth", "provider", "secret", "store",
            // What a message says to be written to no more follows from keys and address.
            "text", "tls",
        ],
    ),
    ("reconnect", &["app", "bell", "store"]),
    ("copies", &["app", "engine", "store"]),
    ("renewal", &["app", "credentials", "secret", "store"]),
    // Who performs.
    // Why an inbox does not send now is said by what decides it.
    (
        "http",
        &[
            "app",
            // With which one a connection goes on.
            "certificate",
            "config",
            "copies",
            "credentials",
            "engine",
            "log",
            // Whether people can be told is tried where somebody waits for the answer.
            "notify",
            "oauth",
            // Whose the folder is by whose socket the operator comes.
            "ownership",
            "passkey",
            "reconnect",
            "record",
            "renewal",
            "schedule",
            "secret",
            "store",
            // A preview has the id that the message will have.
            "tag",
            "text",
        ],
    ),
    (
        "worker",
        &[
            "app",
            "bell",
            // That none is got is told.
            "certificate",
            "clock",
            "config",
            "copies",
            "credentials",
            "engine",
            "failure",
            "imap",
            "log",
            // Why the mark cannot be written is what an inbox rests for.
            "mark",
            "notify",
            "oauth",
            "reconnect",
            "record",
            "renewal",
            "secret",
            "sign_in",
            "smtp",
            "store",
            "text",
        ],
    ),
    (
        "running",
        &[
            "app",
            "bell",
            "certificate",
            "clock",
            "config",
            "credentials",
            "http",
            "mark",
            "oauth",
            "ownership",
            "provider",
            "record",
            "secret",
            "store",
            "tls",
            "worker",
        ],
    ),
    // Which file stands where; a key that does not fit is refused before.
    (
        "backup",
        &["app", "config", "mark", "ownership", "secret", "store"],
    ),
    // Looks at all that campaigns depend on, from outside of a relay that may run.
    (
        "doctor",
        &[
            "app",
            "clock",
            "config",
            "imap",
            "log",
            "oauth",
            "ownership",
            "secret",
            "smtp",
            "store",
            "tls",
        ],
    ),
    // The command line.
    ("api", &["config", "http", "tls"]),
    (
        "cli",
        &[
            "api",
            "backup",
            "clock",
            "config",
            "doctor",
            "failure",
            "http",
            "log",
            "oauth",
            "ownership",
            "running",
            "secret",
            // What a backup says of itself.
            "store",
            "systemd",
            "tls",
        ],
    ),
];

/// The files that hold the modules together and are none themselves.
const ROOTS: &[&str] = &["lib", "main"];

/// Finds modules of the relay that use another than they may, and modules that have no arrows yet.
pub(in super::super) fn check_relay(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for module in modules(tree) {
        let allowed = MAY_USE.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = allowed else {
            findings.push(Finding::file(
                &format!("relay/src/{module}.rs"),
                "give this module its arrows in tidy/arrows/relay.rs",
            ));
            continue;
        };
        for file in files_of(tree, "relay", &module) {
            let code = rust_source::read(&file.text).code;
            for (line, used) in modules_used(&code, depth(&file.path)) {
                // In the tests of a file, `super::*` is the file itself.
                let is_itself = used.is_empty() || used == module;
                if !is_itself && !allowed.contains(&used.as_str()) {
                    findings.push(Finding::line(
                        &file.path,
                        line,
                        format!("`{module}` may not use `crate::{used}`: turn the arrow round"),
                    ));
                }
            }
        }
    }
    findings
}

/// Finds a circle among the modules of the relay, whatever they may use.
pub(in super::super) fn check_circles(tree: &Tree) -> Vec<Finding> {
    let names: BTreeSet<String> = modules(tree).into_iter().collect();
    let uses = |module: &String| {
        let used = files_of(tree, "relay", module).flat_map(|file| {
            let code = rust_source::read(&file.text).code;
            modules_used(&code, depth(&file.path))
        });
        let others = used.map(|(_, used)| used);
        others
            .filter(|used| used != module && names.contains(used))
            .collect()
    };
    let uses = names
        .iter()
        .map(|module| (module.clone(), uses(module)))
        .collect();
    let circle = find_circle(uses).map(|circle| {
        let circle = circle.join(" → ");
        Finding::file(
            "relay/src/lib.rs",
            format!("break the circle {circle}: move what both need below both"),
        )
    });
    circle.into_iter().collect()
}

/// The top-level modules, by name.
fn modules(tree: &Tree) -> Vec<String> {
    let names: BTreeSet<&str> = tree
        .rust()
        .filter_map(|file| file.path.strip_prefix("relay/src/"))
        .filter_map(|path| match path.split_once('/') {
            Some((folder, _)) => Some(folder),
            None => path.strip_suffix(".rs"),
        })
        .filter(|name| !ROOTS.contains(name))
        .collect();
    names.into_iter().map(str::to_owned).collect()
}

/// A way that leads from a name back to it; its first name is also its last. `None` where there is no such way.
fn find_circle(mut uses: BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    // What uses nothing that is left is on no circle.
    while let Some(last) = uses
        .iter()
        .find(|(_, used)| used.is_empty())
        .map(|(name, _)| name.clone())
    {
        uses.remove(&last);
        for used in uses.values_mut() {
            used.remove(&last);
        }
    }
    // Everything that is left uses something that is left, so any way comes back to where it was.
    let mut way: Vec<String> = vec![uses.keys().next()?.clone()];
    loop {
        let next = uses.get(way.last()?)?.iter().next()?.clone();
        if let Some(at) = way.iter().position(|name| *name == next) {
            let mut circle = way.split_off(at);
            circle.push(next);
            return Some(circle);
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tree::found;
    use super::*;

    #[test]
    fn a_module_that_uses_what_it_may_not_is_found_wherever_it_stands() {
        let text = "//! a\n// crate::worker\nuse crate::{app::App, worker::{self, Workers}};\n";
        let below = "//! a\nfn f() { super::super::running::start(); \"crate::worker\"; }\n";
        assert_eq!(
            found(
                check_relay,
                &[
                    ("relay/src/http.rs", text),
                    ("relay/src/http/inbox.rs", below),
                    ("relay/src/running.rs", text),
                    ("sandbox/src/http.rs", text),
                    ("relay/src/bell.rs", "mod tests {\n    use super::*;\n}\n"),
                ]
            ),
            [
                "relay/src/http.rs:3: `http` may not use `crate::worker`: turn the arrow round",
                "relay/src/http/inbox.rs:2: `http` may not use `crate::running`: turn the arrow round",
            ]
        );
    }

    #[test]
    fn a_module_without_arrows_is_found() {
        assert_eq!(
            found(
                check_relay,
                &[
                    ("relay/src/helper/inner.rs", ""),
                    ("relay/src/main.rs", ""),
                    ("relay/src/lib.rs", "")
                ]
            ),
            ["relay/src/helper.rs: give this module its arrows in tidy/arrows/relay.rs"]
        );
    }

    #[test]
    fn a_circle_is_found_with_the_way_round_it() {
        let files = [
            ("relay/src/app.rs", "use crate::worker::Workers;\n"),
            ("relay/src/clock.rs", "use crate::app::App;\n"),
            ("relay/src/worker.rs", "use crate::store::Store;\n"),
            (
                "relay/src/worker/inbox.rs",
                "use super::super::http::Who;\n",
            ),
            (
                "relay/src/http/guard.rs",
                "use crate::http::{self};\nuse crate::app::App;\n",
            ),
            ("relay/src/store.rs", "//! See [`crate::app`].\n"),
        ];
        assert_eq!(
            found(check_circles, &files),
            [
                "relay/src/lib.rs: break the circle app → worker → http → app: move what both need below both"
            ]
        );
        let without_one: Vec<_> = files
            .into_iter()
            .filter(|(path, _)| *path != "relay/src/worker/inbox.rs")
            .collect();
        assert!(found(check_circles, &without_one).is_empty());
    }

    #[test]
    fn what_the_modules_may_use_makes_no_circle() {
        let may_use = MAY_USE.iter().map(|(name, used)| {
            let used = used.iter().map(|name| (*name).to_owned()).collect();
            ((*name).to_owned(), used)
        });
        assert_eq!(find_circle(may_use.collect()), None);
    }
}
