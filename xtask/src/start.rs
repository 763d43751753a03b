//! `cargo xtask start`: from a fresh checkout to a running relay with the sandbox as its provider.
//!
//! What the relay may be told stands in the README; here stands only what a first start tells it.

mod child;
mod ready;

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::args::{Accepts, Command, Flag, Given};
use crate::clock::wait_for;
use crate::shell::{self, Workspace};
use crate::web::{self, Shrink};
use child::Child;

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "start",
    summary: "builds everything, starts the relay with the sandbox provider, says what to do next",
    about: "\
Adds the wasm32 target where it is missing, builds the extension, the dashboard, the relay and the
sandbox, starts both servers and keeps them running until ctrl-c. What they store stays in
target/start, so that the next start goes on where this one ended. target/start/unpause.toml is
written once and then yours.",
    accepts: Accepts::Flags(&[Flag {
        name: "--release",
        value: None,
        help: "build optimised servers",
    }]),
    run,
};

/// Where the relay listens; its own default.
const RELAY: &str = "127.0.0.1:7411";

/// Fixed, so that the relay's configuration still fits at the next start.
const SANDBOX_PORTS: &[&str] = &[
    "--http-port=7880",
    "--smtps-port=7465",
    "--submission-port=7587",
    "--imaps-port=7993",
];

/// Who has an account at the sandbox. No secret: the sandbox listens on loopback only.
const PERSON: &str = "jane@acme.example";
const PASSWORD: &str = "sandbox-password";

/// What the relay is told at its first start. A word alone in braces is replaced: `{data}`
/// by the folder of the relay's files, `{key}` by the file of its keys, `{ca}` by the certificate that
/// signed the sandbox's, and every other by what the sandbox prints under that key.
const CONFIG: &str = r#"# Written by `cargo xtask start`, once. It is yours now: change what you like.
listen = "127.0.0.1:7411"
data = "{data}"
key_file = "{key}"
# The sandbox has a certificate authority of its own.
extra_roots_file = "{ca}"

[providers.sandbox]
issuer = "{issuer}"
client_id = "{public_client_id}"
smtp = { host = "127.0.0.1", port = 7465 }
imap = { host = "127.0.0.1", port = 7993 }
"#;

/// How long a server may take to start: the relay has 200 ms in its budget, a debug build on a
/// busy machine more.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How often the children are looked at while they run.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

fn run(given: &Given) -> anyhow::Result<ExitCode> {
    let release = given.has("--release");
    let workspace = Workspace::find()?;
    // Before minutes of building that would end here all the same.
    check_ports()?;
    build(&workspace, release)?;

    let (stop, stopped) = mpsc::channel();
    ctrlc::set_handler(move || {
        // The receiver is gone only when the process ends anyway.
        let _ = stop.send(());
    })
    .context("ctrl-c cannot be caught")?;

    let files = Files::make(&workspace)?;
    let mut sandbox = Child::start(
        "sandbox",
        workspace
            .program(&workspace.binary("unpause-sandbox", release), SANDBOX_PORTS)
            .arg("--person")
            .arg(format!("{PERSON}={PASSWORD}"))
            .arg("--data")
            .arg(&files.sandbox_data),
        &files.sandbox_log,
    )?;
    let addresses = sandbox.first_line(READY_WITHIN)?;
    write_config(&files, &addresses)?;
    let mut relay = Child::start(
        "relay",
        workspace
            .program(
                &workspace.binary("unpause", release),
                &["serve", "--config"],
            )
            .arg(&files.config),
        &files.relay_log,
    )?;
    let address: SocketAddr = RELAY.parse().context("the relay's address")?;
    let ready = wait_for(READY_WITHIN, || {
        relay.has_ended() || ready::is_ready(address)
    });
    if relay.has_ended() || !ready {
        bail!(
            "the relay did not become ready; it says:\n{}",
            end_of(&files.relay_log)
        );
    }

    eprint!("{}", what_next(&workspace, &files, &addresses, release));
    watch(&stopped, &mut [&mut relay, &mut sandbox])
}

/// That nobody listens where both servers will: as a rule whoever does is a start that still runs.
fn check_ports() -> anyhow::Result<()> {
    let sandbox = SANDBOX_PORTS.iter().filter_map(|flag| {
        let (_, port) = flag.split_once('=')?;
        Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)))
    });
    let relay: SocketAddr = RELAY.parse().context("the relay's address")?;
    let addresses: Vec<SocketAddr> = std::iter::once(relay).chain(sandbox).collect();
    match addresses.iter().find(|address| is_taken(**address)) {
        Some(taken) => bail!(
            "another program listens on {taken}: a `cargo xtask start` that still runs is ended by ctrl-c in its terminal; \
             `ss -ltnp` names any other program"
        ),
        None => Ok(()),
    }
}

/// Whether another program listens there. Listening is the only sure answer; a port that this user may not have is none
/// of these.
fn is_taken(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

fn build(workspace: &Workspace, release: bool) -> anyhow::Result<()> {
    if workspace.find_program("cc").is_none() {
        bail!("a C compiler (cc) is missing; Debian: apt-get install gcc libc6-dev");
    }
    // Before the relay, whose binary takes the dashboard in.
    web::build(workspace, Shrink::WherePossible)?;
    let mut servers = workspace.cargo(&[
        "build",
        "--bins",
        "--package",
        "relay",
        "--package",
        "sandbox",
    ]);
    if release {
        servers.arg("--release");
    }
    shell::run(&mut servers)
}

/// The files of a start, all below `target/start`.
struct Files {
    config: PathBuf,
    relay_data: PathBuf,
    relay_key: PathBuf,
    relay_log: PathBuf,
    sandbox_data: PathBuf,
    sandbox_log: PathBuf,
}

impl Files {
    fn make(workspace: &Workspace) -> anyhow::Result<Self> {
        let folder = workspace.target.join("start");
        let files = Self {
            config: folder.join("unpause.toml"),
            relay_data: folder.join("relay"),
            relay_key: folder.join("unpause.key"),
            relay_log: folder.join("relay.log"),
            sandbox_data: folder.join("sandbox"),
            sandbox_log: folder.join("sandbox.log"),
        };
        for folder in [&files.relay_data, &files.sandbox_data] {
            // As the relay makes its own: leads are nobody else's on this machine.
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        Ok(files)
    }
}

/// Writes the configuration where none is; one that is there is the person's.
fn write_config(files: &Files, addresses: &Value) -> anyhow::Result<()> {
    if files.config.exists() {
        return Ok(());
    }
    let ca = files.sandbox_data.join("ca.pem");
    let text = filled(CONFIG, |key| match key {
        "data" => Some(files.relay_data.to_string_lossy().into_owned()),
        "key" => Some(files.relay_key.to_string_lossy().into_owned()),
        "ca" => Some(ca.to_string_lossy().into_owned()),
        key => addresses
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned),
    })?;
    fs::write(&files.config, text)
        .with_context(|| format!("{} cannot be written", files.config.display()))
}

/// The template with each word that stands alone in braces replaced.
fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        text.push_str(before);
        match tail.split_once('}') {
            Some((key, after)) if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') => {
                let value = value(key);
                text.push_str(
                    &value.with_context(|| format!("the sandbox did not name its {key}"))?,
                );
                rest = after;
            }
            // An inline table of TOML.
            _ => {
                text.push('{');
                rest = tail;
            }
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// What is running and what to do next: under 20 lines.
fn what_next(workspace: &Workspace, files: &Files, addresses: &Value, release: bool) -> String {
    let shown = |path: &Path| {
        path.strip_prefix(&workspace.root)
            .unwrap_or(path)
            .display()
            .to_string()
    };
    let unpause = shown(&workspace.binary("unpause", release));
    let issuer = addresses
        .get("issuer")
        .and_then(Value::as_str)
        .unwrap_or_default();
    format!(
        "\n\
         The dashboard:     http://{RELAY}   (the relay's log: {relay_log})\n\
         The sandbox runs:  {issuer}   (log: {sandbox_log})\n\
         Its account:       {PERSON}, password {PASSWORD}\n\
         \n\
         Load the extension:\n\
         \x20 Chrome   chrome://extensions, Developer mode, Load unpacked: {extension}\n\
         \x20 Firefox  about:debugging, This Firefox, Load Temporary Add-on: {extension}/manifest.json\n\
         \n\
         Next, in another terminal (the README goes on from there):\n\
         \x20 export UNPAUSE_CONFIG={config}\n\
         \x20 {unpause} login    (a link that signs you in at the dashboard)\n\
         \x20 {unpause} pair     (a link that connects the extension; paste it in its options)\n\
         \x20 {unpause} inbox add {PERSON} --provider sandbox\n\
         Or watch the whole story: cargo xtask demo --browser chromium\n\
         Stop: ctrl-c. What is stored stays in target/start.\n",
        relay_log = shown(&files.relay_log),
        sandbox_log = shown(&files.sandbox_log),
        config = shown(&files.config),
        extension = shown(&web::extension_folder(workspace)),
    )
}

/// Waits for ctrl-c or for the first child that ends by itself, then ends the others.
fn watch(stopped: &Receiver<()>, children: &mut [&mut Child]) -> anyhow::Result<ExitCode> {
    loop {
        match stopped.recv_timeout(BETWEEN_LOOKS) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        for child in children.iter_mut() {
            if child.has_ended() {
                bail!(
                    "the {} ended by itself; it says:\n{}",
                    child.name(),
                    end_of(child.log())
                );
            }
        }
    }
    eprintln!("stopping");
    for child in children.iter_mut() {
        child.end()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The last lines of a log.
fn end_of(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(10)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_takes_what_it_names_and_says_what_it_lacks() {
        let value = |key: &str| (key == "issuer").then(|| "http://127.0.0.1:9000".to_owned());
        assert_eq!(
            filled("a = \"{issuer}\"\nb = 1\n", value).unwrap(),
            "a = \"http://127.0.0.1:9000\"\nb = 1\n"
        );
        let error = filled("{smtps}", value).unwrap_err();
        assert_eq!(error.to_string(), "the sandbox did not name its smtps");
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_found_before_anything_is_built() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap();
        assert!(is_taken(address));
        drop(other);
        assert!(!is_taken(address));
    }

    #[test]
    fn the_first_configuration_is_toml_and_fits_the_sandbox() {
        let text = filled(CONFIG, |key| Some(format!("some {key}"))).unwrap();
        let config: toml::Table = text.parse().unwrap();
        assert_eq!(config["listen"].as_str(), Some(RELAY));
        let sandbox = &config["providers"]["sandbox"];
        assert_eq!(sandbox["issuer"].as_str(), Some("some issuer"));
        for (server, flag) in [("smtp", "--smtps-port"), ("imap", "--imaps-port")] {
            let port = sandbox[server]["port"].as_integer().unwrap();
            assert!(
                SANDBOX_PORTS.contains(&format!("{flag}={port}").as_str()),
                "{flag}"
            );
        }
    }

    #[test]
    fn what_to_do_next_is_said_in_under_20_lines() {
        let workspace = Workspace {
            root: "r".into(),
            target: "r/target".into(),
        };
        let files = Files {
            config: "r/target/start/unpause.toml".into(),
            relay_data: "r/target/start/relay".into(),
            relay_key: "r/target/start/unpause.key".into(),
            relay_log: "r/target/start/relay.log".into(),
            sandbox_data: "r/target/start/sandbox".into(),
            sandbox_log: "r/target/start/sandbox.log".into(),
        };
        let text = what_next(&workspace, &files, &Value::Null, false);
        assert!(text.lines().count() < 20, "{text}");
        for words in [
            "http://127.0.0.1:7411",
            "Load unpacked: target/web/extension\n",
            "Load Temporary Add-on: target/web/extension/manifest.json\n",
            "target/debug/unpause login ",
            "target/debug/unpause pair ",
            "ctrl-c",
        ] {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
    }
}
