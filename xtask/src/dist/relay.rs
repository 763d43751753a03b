//! Relay and sandbox as static binaries for each kind of machine. musl, so that it runs on every Linux; zig, as the compiler
//! and linker of C, so that one computer builds for the others.

use std::fs;

use anyhow::Context as _;

use crate::reproducible::{EPOCH, Folders};
use crate::shell::{self, Workspace};

/// A kind of machine that the relay is handed out for.
pub(super) struct Machine {
    /// As `uname -m` says it.
    pub(super) name: &'static str,
    /// As Rust says it.
    pub(super) target: &'static str,
    /// As Debian and containers say it.
    pub(super) debian: &'static str,
}

/// All of them.
pub(super) const MACHINES: &[Machine] = &[
    Machine {
        name: "x86_64",
        target: "x86_64-unknown-linux-musl",
        debian: "amd64",
    },
    Machine {
        name: "aarch64",
        target: "aarch64-unknown-linux-musl",
        debian: "arm64",
    },
];

/// The cargo profile, in the root `Cargo.toml`. Named otherwise than the folder that is emptied at each call: Cargo keeps
/// there what it builds for itself.
const PROFILE: &str = "product";

/// Builds both for that machine.
pub(super) fn build(workspace: &Workspace, machine: &Machine) -> anyhow::Result<()> {
    let args = [
        "zigbuild",
        "--locked",
        "--profile",
        PROFILE,
        "--target",
        machine.target,
        "--package",
        "relay",
        "--package",
        "sandbox",
        "--bins",
    ];
    let folders = Folders::find(workspace)?;
    let mut command = workspace.cargo(&args);
    command
        .env("CARGO_ENCODED_RUSTFLAGS", folders.rust_flags())
        .env("CFLAGS", folders.c_flags())
        .env("CC_SHELL_ESCAPED_FLAGS", "1")
        .env("SOURCE_DATE_EPOCH", EPOCH);
    // The wheel brings zig as a module of its own Python.
    if let Some(zig) = workspace.find_program("python-zig") {
        command.env("CARGO_ZIGBUILD_ZIG_PATH", zig);
    }
    shell::run(&mut command)
}

/// What was built.
pub(super) fn read(
    workspace: &Workspace,
    machine: &Machine,
    binary: &str,
) -> anyhow::Result<Vec<u8>> {
    let path = workspace
        .target
        .join(machine.target)
        .join(PROFILE)
        .join(binary);
    fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))
}
