//! The build script finds Cargo's target folder, whoever made it.

#![cfg(test)]

use std::fs;

#[path = "../../build/target.rs"]
mod target;

#[test]
fn a_target_folder_is_found_with_its_mark_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let machine = "x86_64-unknown-linux-gnu";
    for (n, (below, marks)) in [
        ("debug", &[""][..]),
        ("debug", &[]),
        (
            "x86_64-unknown-linux-gnu/release",
            &["", "x86_64-unknown-linux-gnu"],
        ),
        ("x86_64-unknown-linux-gnu/release", &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let made = folder.path().join(n.to_string());
        let out = made.join(below).join("build/relay-0123/out");
        fs::create_dir_all(&out).unwrap();
        for mark in marks {
            fs::write(made.join(mark).join("CACHEDIR.TAG"), "").unwrap();
        }
        assert_eq!(target::find(&out, machine), Some(made), "{below} {marks:?}");
    }
    assert_eq!(target::find(folder.path(), machine), None);
}
