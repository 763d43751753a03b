//! What a person types at the terminal means what he meant: paths beside the file that names them, campaigns by their
//! names, follow-ups with a wait.

#![cfg(test)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::cli::{Serving, folder_with, run, text};

fn answer(here: &Path, arguments: &[&str]) -> String {
    let output = run(here, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn refusal(here: &Path, arguments: &[&str]) -> String {
    let output = run(here, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    text(&output.stderr)
}

const PROVIDER: &str = "[providers.imap]\nsmtp.host = \"127.0.0.1\"\nsmtp.port = 1\nimap.host = \"127.0.0.1\"\nimap.port = 1\n";

/// Row: backup with the keys in it | `unpause backup --with-keys --to FILE` | exit 1 | the operator | a backup has no keys in it, so that whoever finds one opens nothing: keep a copy of ~/unpause.key apart from it, as by `age -p ~/unpause.key` or in a password manager (docs/backup.md); nothing was written
#[test]
fn a_backup_with_keys_is_refused_with_what_to_do_instead() {
    let folder = folder_with("listen = \"127.0.0.1:0\"\nkey_file = \"unpause.key\"\n");
    let here = folder.path();
    let _serving = Serving::start(here);
    for arguments in [
        &["backup", "--with-keys", "--to", "a.backup"][..],
        &["backup", "--to", "a.backup", "--with-key"],
        &["backup", "--with-keys"],
    ] {
        let words = refusal(here, arguments);
        assert!(words.contains("a backup has no keys in it"), "{words}");
        assert!(
            words.contains("unpause.key` or in a password manager"),
            "{words}"
        );
    }
    assert!(!here.join("a.backup").exists());
    answer(here, &["backup", "--to", "a.backup"]);
}

#[test]
fn a_relay_is_found_from_any_folder_by_its_file() {
    let folder = folder_with(&format!(
        "listen = \"127.0.0.1:0\"\ndata = \"mail/data\"\nkey_file = \"keys/unpause.key\"\n{PROVIDER}"
    ));
    let here = folder.path().canonicalize().unwrap();
    let _serving = Serving::start(&here);
    let elsewhere = here.join("elsewhere/deep");
    std::fs::create_dir_all(&elsewhere).unwrap();
    let config = "../../unpause.toml";
    let checked = answer(&elsewhere, &["config", "--check", "--config", config]);
    let paths = answer(
        &elsewhere,
        &["config", "--check", "--json", "--config", config],
    );
    let paths: Value = serde_json::from_str(&paths).unwrap();
    for (key, path) in [
        ("data", "mail/data"),
        ("key_file", "keys/unpause.key"),
        ("mark_file", "keys/unpause.mark"),
    ] {
        let told = paths[key].as_str().unwrap();
        assert!(told.starts_with('/'), "{told}");
        let whole = here.join(path);
        assert_eq!(Path::new(told).canonicalize().unwrap(), whole, "{key}");
        let line = checked.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line.ends_with(told), "{checked}");
    }
    let config = here.join("unpause.toml");
    let listed = answer(
        &elsewhere,
        &["inbox", "list", "--config", config.to_str().unwrap()],
    );
    assert!(listed.starts_with("There is no inbox"), "{listed}");
    assert!(std::fs::read_dir(&elsewhere).unwrap().next().is_none());
}

/// Row: follow-up without a wait, in an update | `unpause campaign update` with steps of which the second has none | exit 1 | the operator | steps.json, line 1: missing field `wait_ms` of step 2: expected how many milliseconds after step 1 it leaves, as in 259200000 for three days, or 0 for at once; found none
/// Row: name that two campaigns have | `unpause campaign show` | exit 1 | the operator | 2 campaigns are called "Autumn": name one by its id; and both with their states
/// Row: name that no campaign has | `unpause campaign show` | exit 1 | the operator | expected a campaign's id (cmp_…) or its name, found "Winter", which no campaign is called: `unpause campaign list` shows them
#[test]
fn a_campaign_goes_by_its_name_and_a_follow_up_has_a_wait() {
    let folder = folder_with(&format!("listen = \"127.0.0.1:0\"\n{PROVIDER}"));
    let here = folder.path();
    let _serving = Serving::start(here);
    answer(
        here,
        &["inbox", "add", "jane@acme.example", "--provider", "imap"],
    );
    let create = |name: &str, steps: &str| {
        std::fs::write(here.join("steps.json"), steps).unwrap();
        let inbox = "jane@acme.example";
        let steps = "steps.json";
        run(
            here,
            &[
                "campaign", "create", "--name", name, "--inbox", inbox, "--steps", steps, "--json",
            ],
        )
    };
    let with = |wait: &str| format!(r#"[{{"subject":"Hi","body":"x"}},{{"body":"y"{wait}}}]"#);
    let lacking = "steps.json, line 1: missing field `wait_ms` of step 2: expected how many milliseconds after step 1";
    let refused = create("Autumn", &with(""));
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains(lacking),
        "{}",
        text(&refused.stderr)
    );
    let none = answer(here, &["campaign", "list"]);
    assert!(none.starts_with("There is no campaign"), "{none}");

    let made = create("Autumn", &with(r#","wait_ms":0"#));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let id = made["id"].as_str().unwrap();
    std::fs::write(here.join("steps.json"), with("")).unwrap();
    let update = ["campaign", "update", "autumn", "--steps", "steps.json"];
    let words = refusal(here, &update);
    assert!(words.contains(lacking), "{words}");
    std::fs::write(here.join("steps.json"), with(r#","wait_ms":86400000"#)).unwrap();
    let updated = answer(here, &update);
    assert!(
        updated.starts_with(id) && updated.contains("1 day after that"),
        "{updated}"
    );

    std::fs::write(here.join("leads.csv"), "email\nann@b.example\n").unwrap();
    let imported = answer(here, &["campaign", "import", "Autumn", "leads.csv"]);
    assert!(
        imported.ends_with(&format!("unpause campaign start {id}\n")),
        "{imported}"
    );
    for command in [
        &["campaign", "show", "Autumn"][..],
        &["campaign", "preview", "Autumn"],
        &["campaign", "check", "Autumn"],
        &["campaign", "schedule", "Autumn"],
        &["campaign", "why", "Autumn"],
        &["campaign", "deliveries", "Autumn"],
        &["campaign", "export", "Autumn"],
        &["lead", "list", "Autumn"],
        &["receipts", "--campaign", "Autumn"],
    ] {
        answer(here, command);
    }
    let second = create("Autumn", &with(r#","wait_ms":7"#));
    let second: Value = serde_json::from_slice(&second.stdout).unwrap();
    let second = second["id"].as_str().unwrap();
    for command in ["show", "start", "delete", "pause"] {
        let words = refusal(here, &["campaign", command, "Autumn"]);
        assert!(
            words.contains("2 campaigns are called \"Autumn\""),
            "{words}"
        );
        for one in [id, second] {
            assert!(
                words.contains(&format!("\n  {one}  Autumn  draft")),
                "{words}"
            );
        }
    }
    let words = refusal(here, &["campaign", "show", "Winter"]);
    assert!(
        words.contains("found \"Winter\", which no campaign is called"),
        "{words}"
    );
}

/// Asks as a proxy does that has the relay's address; gives the status.
fn ask_as_proxy(address: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: relay.acme.example\r\nconnection: close\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_proxy_that_does_not_say_for_whom_it_asks_is_told_of_once() {
    let config = |header: &str| {
        format!(
            "listen = \"127.0.0.1:0\"\npublic_url = \"https://relay.acme.example\"\nproxy.trusted = [\"127.0.0.1\"]\n{header}"
        )
    };
    let told = "the proxy does not say for whom it asks";
    for (header, says, other) in [
        (
            "",
            "x-forwarded-for: 198.51.100.7\r\n",
            "forwarded: for=198.51.100.7\r\n",
        ),
        (
            "proxy.header = \"Forwarded\"\n",
            "forwarded: for=198.51.100.7\r\n",
            "x-forwarded-for: 198.51.100.7\r\n",
        ),
    ] {
        let folder = folder_with(&config(header));
        let serving = Serving::start(folder.path());
        let log = serving.log();
        let address = log.split("address=").nth(1).unwrap();
        let address = address.split_whitespace().next().unwrap();
        assert_eq!(ask_as_proxy(address, "/openapi.json", says), "200");
        assert_eq!(ask_as_proxy(address, "/healthz", ""), "200");
        assert_eq!(serving.log().matches(told).count(), 0, "{}", serving.log());
        for headers in [other, "", ""] {
            assert_eq!(ask_as_proxy(address, "/openapi.json", headers), "200");
        }
        let log = serving.end();
        assert_eq!(log.matches(told).count(), 1, "{log}");
    }
}
