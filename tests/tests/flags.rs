//! `cargo xtask` refuses what a story's binary does not know before it builds it: both know the same flags, and the same
//! words behind each.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// Every flag of a help text with the words that it takes; none where it takes any.
fn read(help: &str) -> BTreeMap<String, Vec<String>> {
    let mut flags = BTreeMap::new();
    for line in help.lines().map(str::trim_start) {
        let mut words = line.split_whitespace();
        let Some(flag) = words.next().filter(|word| word.starts_with("--")) else {
            continue;
        };
        let listed = line.split_once("[possible values: ");
        let listed = listed.and_then(|(_, rest)| rest.split(']').next());
        let taken: Vec<String> = match (listed, words.next()) {
            (Some(values), _) => values.split(", ").map(str::to_owned).collect(),
            (None, Some(value)) if value.contains('|') => {
                value.split('|').map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        flags.insert(flag.to_owned(), taken);
    }
    flags.remove("--help");
    flags
}

fn help_of(program: &Path, arguments: &[&str]) -> BTreeMap<String, Vec<String>> {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program:?} {arguments:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // clap writes `-h, --help`.
    read(&text.replace("-h, ", ""))
}

#[test]
fn what_xtask_refuses_before_it_builds_is_what_the_binary_would_refuse() {
    let demo = Path::new(env!("CARGO_BIN_EXE_demo"));
    // The workspace's own command, where Cargo puts all of its programs.
    let xtask = demo.with_file_name("xtask");
    for (name, program, by_words) in [
        ("demo", env!("CARGO_BIN_EXE_demo"), &[][..]),
        ("crash", env!("CARGO_BIN_EXE_crash"), &["--profile"]),
        ("faults", env!("CARGO_BIN_EXE_faults"), &[]),
        ("burn", env!("CARGO_BIN_EXE_burn"), &[]),
        ("restore", env!("CARGO_BIN_EXE_restore"), &["--profile"]),
        ("secrets", env!("CARGO_BIN_EXE_secrets"), &[]),
        ("signatures", env!("CARGO_BIN_EXE_signatures"), &[]),
    ] {
        let mut known = help_of(&xtask, &[name, "--help"]);
        let mut read = help_of(Path::new(program), &["-h"]);
        // Its words are the sandbox's, and clap does not list them.
        for flag in by_words {
            let profiles: Vec<&str> = sandbox::profile::ALL.iter().map(|one| one.name).collect();
            assert_eq!(
                known.insert((*flag).to_owned(), Vec::new()).unwrap(),
                profiles
            );
            read.insert((*flag).to_owned(), Vec::new());
        }
        assert_eq!(known, read, "{name}");
        assert!(!known.is_empty());
    }
}
