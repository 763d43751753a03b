//! What `cargo xtask test` runs, as a list. A new phase is one entry here.

use super::need::{
    C_COMPILER, CARGO_DENY, CARGO_NEXTEST, CLIPPY, DOVECOT, NODE, Need, OIDC_PACKAGES, RUSTFMT,
    SMTP_SINK, WASM_TARGET,
};
use crate::shell::{self, Workspace};
use crate::{story_binary, tidy, wasm};

/// One phase.
pub(crate) struct Phase {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What must be there before the first phase runs.
    pub(crate) needs: &'static [&'static Need],
    /// Runs it; an error ends the whole run.
    pub(crate) run: fn(&Workspace) -> anyhow::Result<()>,
}

/// The phases in their order: quick ones first. The tests come last, so that their summary
/// stands at the end of the output.
pub(crate) const PHASES: &[Phase] = &[
    Phase {
        name: "format",
        needs: &[&RUSTFMT],
        run: |workspace| shell::run(&mut workspace.cargo(&["fmt", "--all", "--", "--check"])),
    },
    Phase {
        name: "tidy",
        needs: &[],
        run: |workspace| tidy::check(workspace),
    },
    Phase {
        name: "deny",
        needs: &[&CARGO_DENY],
        // Not `advisories`: their database comes from the network at every run.
        run: |workspace| {
            let args = [
                "deny",
                "--log-level",
                "error",
                "check",
                "bans",
                "licenses",
                "sources",
            ];
            shell::run(&mut workspace.cargo(&args))
        },
    },
    Phase {
        name: "clippy",
        needs: &[&CLIPPY, &C_COMPILER, &WASM_TARGET],
        run: |workspace| {
            let native = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ];
            shell::run(&mut workspace.cargo(&native))?;
            let browser = [
                "clippy",
                "--package",
                "extension",
                "--target",
                wasm::TARGET,
                "--",
                "--deny",
                "warnings",
            ];
            shell::run(&mut workspace.cargo(&browser))
        },
    },
    Phase {
        name: "build",
        needs: &[&C_COMPILER],
        run: story_binary::build,
    },
    Phase {
        name: "wasm",
        needs: &[&WASM_TARGET],
        run: |workspace| wasm::build(workspace, false),
    },
    Phase {
        name: "generated",
        needs: &[&C_COMPILER],
        run: |workspace| tidy::generated::check(workspace),
    },
    Phase {
        name: "demo-public",
        needs: &[&C_COMPILER],
        run: |workspace| {
            story(
                workspace,
                "demo",
                &["--browser", "none", "--client", "public"],
            )
        },
    },
    Phase {
        name: "demo-confidential",
        needs: &[&C_COMPILER],
        run: |workspace| {
            story(
                workspace,
                "demo",
                &["--browser", "none", "--client", "confidential"],
            )
        },
    },
    Phase {
        name: "crash",
        needs: &[&C_COMPILER],
        // The short form; the long one is `cargo xtask crash --kills 20`.
        run: |workspace| story(workspace, "crash", &["--kills", "6", "--seed", "1"]),
    },
    Phase {
        name: "tests",
        needs: &[
            &CARGO_NEXTEST,
            &C_COMPILER,
            &DOVECOT,
            &SMTP_SINK,
            &NODE,
            &OIDC_PACKAGES,
        ],
        run: |workspace| {
            // The tests start the relay and the sandbox as processes of their own.
            story_binary::build(workspace)?;
            let args = ["nextest", "run", "--workspace", "--profile", "ci"];
            shell::run(&mut workspace.cargo(&args))
        },
    },
];

/// Builds and runs one binary of the `tests` crate; its exit status decides.
fn story(workspace: &Workspace, binary: &str, args: &[&str]) -> anyhow::Result<()> {
    story_binary::build(workspace)?;
    shell::run(&mut workspace.program(&workspace.binary(binary, false), args))
}
