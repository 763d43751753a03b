//! What `cargo xtask test` runs, as a list. A new phase is one entry here.

use super::linter;
use super::need::{
    self, C_COMPILER, CARGO_DENY, CARGO_NEXTEST, CHROMIUM, CLIPPY, DOVECOT, FIREFOX, FUSE,
    GECKODRIVER, NODE, NPM_PACKAGES, Need, OIDC_PACKAGES, PROXIES, RUSTFMT, SMTP_SINK, WASM_TARGET,
};
use crate::shell::{self, Workspace};
use crate::web::{self, Shrink, target};
use crate::{bench, story_binary, tidy};

/// One phase.
pub(crate) struct Phase {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What must be there before the first phase runs.
    pub(crate) needs: &'static [&'static Need],
    /// Runs it; an error ends the whole run.
    pub(crate) run: fn(&Workspace) -> anyhow::Result<()>,
}

/// What a story in Chromium needs.
const CHROMIUM_DEMO: &[&Need] = &[&C_COMPILER, &WASM_TARGET, &NODE, &NPM_PACKAGES, &CHROMIUM];

/// The same in Firefox.
const FIREFOX_DEMO: &[&Need] = &[
    &C_COMPILER,
    &WASM_TARGET,
    &NODE,
    &NPM_PACKAGES,
    &FIREFOX,
    &GECKODRIVER,
];

/// With real servers, in Chromium.
const CHROMIUM_DEMO_REAL: &[&Need] = &[
    &C_COMPILER,
    &WASM_TARGET,
    &NODE,
    &NPM_PACKAGES,
    &OIDC_PACKAGES,
    &DOVECOT,
    &SMTP_SINK,
    &CHROMIUM,
];

/// The same in Firefox.
const FIREFOX_DEMO_REAL: &[&Need] = &[
    &C_COMPILER,
    &WASM_TARGET,
    &NODE,
    &NPM_PACKAGES,
    &OIDC_PACKAGES,
    &DOVECOT,
    &SMTP_SINK,
    &FIREFOX,
    &GECKODRIVER,
];

/// The phases in their order: quick ones first. The tests come last, so that their summary
/// stands at the end of the output.
pub(crate) const PHASES: &[Phase] = &[
    Phase {
        name: "format",
        needs: &[&RUSTFMT],
        run: |workspace| tidy::format::check(workspace),
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
                "web",
                "--package",
                "dashboard",
                "--package",
                "extension",
                "--target",
                target::TARGET,
                "--",
                "--deny",
                "warnings",
            ];
            shell::run(&mut workspace.cargo(&browser))
        },
    },
    Phase {
        name: "web",
        // Before `build`: the relay takes the dashboard into its binary.
        needs: need::WEB,
        run: |workspace| web::build(workspace, Shrink::Always).map(|_built| ()),
    },
    Phase {
        name: "linter",
        needs: need::WEB,
        run: linter::check,
    },
    Phase {
        name: "bench-extension",
        needs: need::WEB,
        run: bench::check_extension,
    },
    Phase {
        name: "build",
        needs: &[&C_COMPILER],
        run: story_binary::build,
    },
    Phase {
        name: "generated",
        needs: &[&C_COMPILER],
        run: |workspace| tidy::generated::check(workspace),
    },
    Phase {
        name: "demo-public",
        needs: &[&C_COMPILER],
        run: |workspace| demo(workspace, "none", &["--client", "public"]),
    },
    Phase {
        name: "demo-confidential",
        needs: &[&C_COMPILER],
        run: |workspace| demo(workspace, "none", &["--client", "confidential"]),
    },
    Phase {
        name: "demo-chromium",
        needs: CHROMIUM_DEMO,
        run: |workspace| demo(workspace, "chromium", &[]),
    },
    Phase {
        name: "demo-firefox",
        needs: FIREFOX_DEMO,
        run: |workspace| demo(workspace, "firefox", &[]),
    },
    Phase {
        name: "demo-chromium-google",
        needs: CHROMIUM_DEMO,
        run: |workspace| {
            demo(
                workspace,
                "chromium",
                &["--profile", "google", "--unverified"],
            )
        },
    },
    Phase {
        name: "demo-firefox-google",
        needs: FIREFOX_DEMO,
        run: |workspace| demo(workspace, "firefox", &["--profile", "google"]),
    },
    Phase {
        name: "demo-chromium-microsoft",
        needs: CHROMIUM_DEMO,
        run: |workspace| demo(workspace, "chromium", &["--profile", "microsoft"]),
    },
    Phase {
        name: "demo-firefox-microsoft",
        needs: FIREFOX_DEMO,
        run: |workspace| demo(workspace, "firefox", &["--profile", "microsoft"]),
    },
    Phase {
        name: "demo-chromium-plain",
        needs: CHROMIUM_DEMO,
        run: |workspace| demo(workspace, "chromium", &["--profile", "plain"]),
    },
    Phase {
        name: "demo-firefox-plain",
        needs: FIREFOX_DEMO,
        run: |workspace| demo(workspace, "firefox", &["--profile", "plain"]),
    },
    Phase {
        name: "demo-chromium-real",
        needs: CHROMIUM_DEMO_REAL,
        run: |workspace| demo(workspace, "chromium", &["--servers", "real"]),
    },
    Phase {
        name: "demo-firefox-real",
        needs: FIREFOX_DEMO_REAL,
        run: |workspace| {
            demo(
                workspace,
                "firefox",
                &["--servers", "real", "--client", "confidential"],
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
            &PROXIES,
            &FUSE,
            &NODE,
            &OIDC_PACKAGES,
            &WASM_TARGET,
            &NPM_PACKAGES,
            &CHROMIUM,
            &FIREFOX,
            &GECKODRIVER,
        ],
        run: |workspace| {
            // The tests start the relay and the sandbox as processes of their own, and load the extension.
            web::build(workspace, Shrink::Always)?;
            story_binary::build(workspace)?;
            let args = ["nextest", "run", "--workspace", "--profile", "ci"];
            shell::run(&mut workspace.cargo(&args))
        },
    },
];

/// Plays the story; with a browser the demo does the clicking.
fn demo(workspace: &Workspace, browser: &str, how: &[&str]) -> anyhow::Result<()> {
    let mut args = vec!["--browser", browser];
    args.extend(how);
    if browser != "none" {
        args.push("--headless");
        web::build(workspace, Shrink::Always)?;
    }
    story(workspace, "demo", &args)
}

/// Builds and runs one binary of the `tests` crate; its exit status decides.
fn story(workspace: &Workspace, binary: &str, args: &[&str]) -> anyhow::Result<()> {
    story_binary::build(workspace)?;
    shell::run(&mut workspace.program(&workspace.binary(binary, false), args))
}
