//! The binary `unpause-sandbox`: starts the sandbox, prints one JSON line with its addresses, and
//! runs until it is told to end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use sandbox::{CA_FILE, Listen, Options, Person, Sandbox, profile};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// A mail provider in a box, on loopback.
#[derive(Parser)]
#[command(name = "unpause-sandbox", version)]
struct Arguments {
    /// Port of OAuth, webmail and control; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    http_port: u16,
    /// Port of submission with implicit TLS.
    #[arg(long, default_value_t = 0)]
    smtps_port: u16,
    /// Port of submission with STARTTLS.
    #[arg(long, default_value_t = 0)]
    submission_port: u16,
    /// Port of IMAP with implicit TLS.
    #[arg(long, default_value_t = 0)]
    imaps_port: u16,
    /// Folder that keeps the test CA (ca.pem, ca.key), so that a restart keeps it.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Writes the lines that a relay's configuration needs for this sandbox into this file; needs --data.
    #[arg(long, value_name = "FILE", requires = "data")]
    relay_config: Option<PathBuf>,
    /// Whose habits to have.
    #[arg(long, default_value = "generic")]
    profile: String,
    /// Somebody with an account, as ADDRESS=PASSWORD; may be given several times.
    /// Without it there is jane@acme.example with the password "sandbox-password".
    #[arg(long = "person", value_name = "ADDRESS=PASSWORD", value_parser = parse_person)]
    people: Vec<Person>,
    /// How long an access token is good, in seconds.
    #[arg(long, default_value_t = 3600)]
    access_token_seconds: u64,
    /// The clients are not verified: a provider that warns of those does.
    #[arg(long)]
    unverified: bool,
    /// Decides the faults that happen by chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The secret of the client sandbox-confidential; without it one is made.
    #[arg(long, env = "UNPAUSE_SANDBOX_CLIENT_SECRET", hide_env_values = true)]
    client_secret: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let profile = profile::find(&arguments.profile).with_context(|| {
        let names: Vec<_> = profile::ALL.iter().map(|profile| profile.name).collect();
        format!(
            "no profile {:?}; there are: {}",
            arguments.profile,
            names.join(", ")
        )
    })?;
    let people = if arguments.people.is_empty() {
        Options::default().people
    } else {
        arguments.people
    };
    let addresses: Vec<_> = people.iter().map(|person| person.address.clone()).collect();
    // Before the line that says it runs, so that whoever reads it may end it at once.
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let data = arguments.data.clone();
    let sandbox = Sandbox::start(Options {
        issuer: None,
        profile,
        people,
        access_token_for: Duration::from_secs(arguments.access_token_seconds),
        listen: Listen {
            http: arguments.http_port,
            smtps: arguments.smtps_port,
            submission: arguments.submission_port,
            imaps: arguments.imaps_port,
        },
        verified_clients: !arguments.unverified,
        seed: arguments.seed,
        client_secret: arguments.client_secret,
        data: arguments.data,
    })
    .await?;
    if let (Some(file), Some(data)) = (&arguments.relay_config, &data) {
        let data = std::path::absolute(data)?;
        std::fs::write(file, relay_config(&sandbox, &data.join(CA_FILE)))
            .with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let line = json!({
        "profile": profile.name,
        "origin": sandbox.origin(),
        "issuer": sandbox.issuer(),
        "control": format!("{}/control", sandbox.origin()),
        "smtps": sandbox.smtps(),
        "submission": sandbox.submission(),
        "imaps": sandbox.imaps(),
        "ca_pem": sandbox.ca_pem(),
        "people": addresses,
        "public_client_id": sandbox::PUBLIC_CLIENT,
        "confidential_client_id": sandbox::CONFIDENTIAL_CLIENT,
        "confidential_client_secret": sandbox.client_secret(),
    });
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    sandbox.stop().await;
    Ok(())
}

/// The lines for the end of a relay's configuration that has no table yet.
fn relay_config(sandbox: &Sandbox, ca: &Path) -> String {
    // A path as TOML writes text.
    let ca = json!(ca.display().to_string());
    format!(
        "\n# The sandbox: a mail provider in a box, with a certificate authority of its own.\n\
         extra_roots_file = {ca}\n\n[providers.sandbox]\nissuer = {:?}\nclient_id = {:?}\n\
         smtp = {{ host = \"127.0.0.1\", port = {} }}\nimap = {{ host = \"127.0.0.1\", port = {} }}\n",
        sandbox.issuer(),
        sandbox::PUBLIC_CLIENT,
        sandbox.smtps().port(),
        sandbox.imaps().port(),
    )
}

fn parse_person(text: &str) -> Result<Person, String> {
    let (address, password) = text
        .split_once('=')
        .ok_or("expected ADDRESS=PASSWORD, found no equals sign")?;
    let (local, domain) = address
        .split_once('@')
        .ok_or("expected an e-mail address before the equals sign")?;
    if local.is_empty() || domain.is_empty() {
        return Err("expected an e-mail address before the equals sign".to_owned());
    }
    Ok(Person {
        address: address.to_owned(),
        name: local.to_owned(),
        password: password.to_owned(),
    })
}
