//! What a new user meets at the terminal: wrong files, wrong numbers, nothing to do, errors for programs.

#![cfg(test)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::cli::{Serving, folder_with, run, text};

const CONFIG: &str = "listen = \"127.0.0.1:0\"\ndata = \"data\"\nkey_file = \"keys/unpause.key\"\n\
     [providers.imap]\nsmtp.host = \"127.0.0.1\"\nsmtp.port = 1\nimap.host = \"127.0.0.1\"\nimap.port = 1\n";

fn words_of(output: &Output, code: i32) -> String {
    let words = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}");
    assert_eq!(text(&output.stdout), "", "{words}");
    words
}

fn answer(here: &Path, arguments: &[&str]) -> String {
    let output = run(here, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn id_of(here: &Path, arguments: &[&str]) -> String {
    let shown = answer(here, &[arguments, &["--json"]].concat());
    let shown: Value = serde_json::from_str(&shown).unwrap();
    shown["id"].as_str().unwrap().to_owned()
}

/// A draft, whose steps are JSON in a file that is not called so.
fn make_draft(here: &Path) -> String {
    answer(
        here,
        &["inbox", "add", "jane@acme.example", "--provider", "imap"],
    );
    std::fs::write(
        here.join("steps.txt"),
        "[{\"subject\":\"Hi\",\"body\":\"x\"}]",
    )
    .unwrap();
    let create = [
        "campaign",
        "create",
        "--name",
        "Spring",
        "--inbox",
        "jane@acme.example",
        "--steps",
        "steps.txt",
    ];
    id_of(here, &create)
}

/// Row: lead list that is a folder | `unpause campaign import` of a folder | exit 1 | the operator | lists is a folder: expected a file
/// Row: lead list that is a picture | `unpause campaign import` of a PNG | 422 `invalid` | the operator | the file is no text: a picture, a program or another file of bytes: expected a table as text; open it in a spreadsheet, save it as "CSV UTF-8" and import that
/// Row: name of a campaign with a control character | `unpause campaign create` | 422 `invalid`, field name | the operator | expected a name of letters that can be shown, found '\u{7}' in it
#[test]
fn what_is_no_list_and_no_name_is_said_and_nothing_to_put_back_is_explained() {
    let folder = folder_with(CONFIG);
    let here = folder.path();
    let _serving = Serving::start(here);
    let campaign = make_draft(here);
    std::fs::create_dir(here.join("lists")).unwrap();
    let words = words_of(&run(here, &["campaign", "import", &campaign, "lists"]), 1);
    assert!(
        words.contains("lists is a folder: expected a file"),
        "{words}"
    );
    std::fs::write(
        here.join("a.png"),
        b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\x01\0\0\0\x01\0\x08\x06\0\0\0",
    )
    .unwrap();
    let words = words_of(&run(here, &["campaign", "import", &campaign, "a.png"]), 1);
    assert!(words.contains("the file is no text: a picture"), "{words}");
    let create = [
        "campaign",
        "create",
        "--name",
        "A\u{7}B",
        "--inbox",
        "jane@acme.example",
        "--steps",
        "steps.txt",
    ];
    let words = words_of(&run(here, &create), 1);
    assert!(
        words.contains("found '\\u{7}' in it (field name)"),
        "{words}"
    );

    let told = answer(
        here,
        &["campaign", "put-back", &campaign, "--alike", "rcpt-550"],
    );
    let looked = "Nothing was put back. Looked for: what was refused or came back, and of that what met \"rcpt-550\", in \"Spring\".";
    assert!(told.contains(looked), "{told}");
    assert!(
        told.contains("Nothing was refused there and nothing came back."),
        "{told}"
    );
}

#[test]
fn a_person_whose_domain_stands_on_the_list_is_not_said_to_be_free() {
    let folder = folder_with(CONFIG);
    let here = folder.path();
    let _serving = Serving::start(here);
    for whom in ["acme.example", "Jane@Acme.example"] {
        answer(here, &["suppression", "add", whom]);
    }
    let told = answer(here, &["suppression", "remove", "jane@acme.example"]);
    assert!(
        told.contains("acme.example is still on it: nobody there is written to"),
        "{told}"
    );
    let told = answer(here, &["suppression", "remove", "acme.example"]);
    assert_eq!(told, "acme.example may be written to.\n");
}

#[test]
fn an_error_for_programs_is_one_object_on_standard_error() {
    let folder = folder_with(CONFIG);
    let here = folder.path();
    let error = |arguments: &[&str], code: i32| -> Value {
        let words = words_of(&run(here, arguments), code);
        let told: Value = serde_json::from_str(&words).unwrap_or_else(|_| panic!("{words}"));
        told["error"].clone()
    };
    let gone = error(&["--json", "inbox", "list"], 1);
    assert!(
        gone["detail"].as_str().unwrap().contains("unpause serve"),
        "{gone}"
    );
    let _serving = Serving::start(here);
    let unknown = error(&["inbox", "show", "inb_nowhere", "--json"], 1);
    assert_eq!(unknown["code"], "not_found", "{unknown}");
    let wrong = error(
        &[
            "inbox",
            "add",
            "eve@acme.example",
            "--provider",
            "openid",
            "--json",
        ],
        1,
    );
    assert_eq!(
        (wrong["code"].as_str(), wrong["field"].as_str()),
        (Some("invalid"), Some("provider"))
    );
    let misspelt = error(
        &[
            "--json",
            "campaign",
            "deliveries",
            "cmp_1",
            "--limit",
            "many",
        ],
        2,
    );
    let words = misspelt["detail"].as_str().unwrap();
    assert!(
        words.contains("--limit") && words.contains("found \"many\""),
        "{words}"
    );
    // People are told in words.
    let words = words_of(&run(here, &["inbox", "show", "inb_nowhere"]), 1);
    assert!(words.starts_with("unpause: there is no inbox"), "{words}");
}

#[test]
fn a_reconnect_that_is_refused_at_the_terminal_leaves_none_open() {
    let folder = folder_with(CONFIG);
    let here = folder.path();
    let _serving = Serving::start(here);
    answer(
        here,
        &["inbox", "add", "jane@acme.example", "--provider", "imap"],
    );
    // This provider has no page.
    words_of(&run(here, &["reconnect", "start", "jane@acme.example"]), 1);
    let started = answer(
        here,
        &[
            "--json",
            "reconnect",
            "start",
            "jane@acme.example",
            "--no-wait",
        ],
    );
    let started: Value = serde_json::from_str(&started).unwrap();
    assert_eq!(started["joined"], false, "{started}");
}

#[test]
fn the_database_is_its_owners_alone_also_in_a_folder_that_others_enter() {
    let folder = folder_with(CONFIG);
    let here = folder.path();
    let data = here.join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o755)).unwrap();
    let check = || {
        for entry in std::fs::read_dir(&data).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            if name.starts_with("unpause.db") {
                assert_eq!(mode, 0o600, "{name} {mode:o}");
            }
        }
    };
    drop(Serving::start(here));
    check();
    // As an earlier version made it.
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(data.join("unpause.db"), open).unwrap();
    drop(Serving::start(here));
    check();
}

#[test]
fn a_database_that_was_deleted_beside_its_mark_is_told_of() {
    let folder = folder_with(CONFIG);
    let here = folder.path();
    drop(Serving::start(here));
    let mark = here.join("keys/unpause.mark");
    let mut lines: Value = serde_json::from_slice(&std::fs::read(&mark).unwrap()).unwrap();
    lines["inboxes"] = serde_json::json!({ "inb_1": { "attempts": 7 } });
    std::fs::write(&mark, lines.to_string()).unwrap();
    std::fs::remove_dir_all(here.join("data")).unwrap();
    let _serving = Serving::start(here);
    let told = answer(here, &["ledger", "show"]);
    assert!(
        told.contains("the mark beside the key tells of 7 messages that were tried"),
        "{told}"
    );
}
