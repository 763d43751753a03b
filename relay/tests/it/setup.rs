//! `unpause setup` against a scripted standard input: what it prints, refuses and writes. No provider is asked.

#![cfg(test)]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use crate::cli::{folder_with, run, text, unpause};

const CLIENT: &str = "1234-abc.apps.googleusercontent.com";
const SECRET: &str = "GOCSPX-not-for-eyes";
const GUID: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const OTHER_GUID: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

/// `unpause setup …` with these lines on standard input.
fn set_up(folder: &Path, arguments: &[&str], lines: &[&str]) -> Output {
    let mut child = unpause(folder, &[&["setup"], arguments, &["--offline"]].concat())
        .env("THE_SECRET", SECRET)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for line in lines {
        // A command that has ended already reads no more.
        let _ = writeln!(stdin, "{line}");
    }
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn written(folder: &Path) -> String {
    fs::read_to_string(folder.join("unpause.toml")).unwrap()
}

#[test]
fn a_fresh_file_is_made_and_the_relay_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let done = set_up(here, &["google"], &[CLIENT, SECRET]);
    let (shown, errors) = (text(&done.stdout), text(&done.stderr));
    assert!(done.status.success(), "{errors}");
    assert!(
        !format!("{shown}{errors}").contains(SECRET),
        "{shown}{errors}"
    );
    for words in [
        "docs/providers/google.md",
        "https://nnaomeocfpblkcabnbnljebpfnedgmgh.chromiumapp.org/oauth/google\n",
        "http://127.0.0.1/mozoauth2/782559bbd68ddfa4865f120d1d2c4d073b491db3/oauth/google\n",
        "http://127.0.0.1:7411/oauth/callback/google\n",
        "Made unpause.toml: [providers.google]",
        "Start the relay again",
    ] {
        assert!(shown.contains(words), "{words:?} is missing in {shown}");
    }
    let mode = fs::metadata(here.join("unpause.toml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(
        written(here),
        format!(
            "# The configuration of this relay. Every setting: unpause config --reference\n\n\
             [providers.google]\nissuer = \"https://accounts.google.com\"\nclient_id = \"{CLIENT}\"\n\
             client_secret = \"{SECRET}\"\nsmtp = {{ host = \"smtp.gmail.com\", port = 465 }}\n\
             imap = {{ host = \"imap.gmail.com\", port = 993 }}\n"
        )
    );
    let checked = run(here, &["config", "--check"]);
    let words = text(&checked.stdout);
    assert!(
        words.contains("google at https://accounts.google.com/, confidential client"),
        "{words}"
    );
}

#[test]
fn a_file_keeps_its_comments_and_an_existing_section_is_shown_and_asked_about() {
    let folder = folder_with(
        "# Ours, do not touch\nlisten = \"127.0.0.1:7500\" # behind the proxy\n\n[providers.google] # first try\n\
         client_id = \"old\" # by Jane\nclient_secret = \"old-secret\"\nimap = { host = \"imap.acme.example\" }\n",
    );
    let here = folder.path();
    let before = written(here);
    for answers in [&["n"][..], &[]] {
        let kept = set_up(here, &["google"], answers);
        let (shown, errors) = (text(&kept.stdout), text(&kept.stderr));
        assert_eq!(kept.status.code(), Some(1), "{shown}");
        assert!(
            shown.contains("client_id = \"old\"\nclient_secret = (not shown)\nimap.host ="),
            "{shown}"
        );
        assert!(!shown.contains("old-secret"), "{shown}");
        assert!(errors.contains("stays as it is; --replace"), "{errors}");
        assert_eq!(written(here), before);
    }
    let replaced = set_up(here, &["google"], &["y", CLIENT, SECRET]);
    let shown = text(&replaced.stdout);
    assert!(replaced.status.success(), "{}", text(&replaced.stderr));
    assert!(
        shown.contains("http://127.0.0.1:7500/oauth/callback/google\n"),
        "{shown}"
    );
    assert!(shown.contains("Changed unpause.toml"), "{shown}");
    let after = written(here);
    let new_id = format!("client_id = \"{CLIENT}\" # by Jane\n");
    for part in [
        "# Ours, do not touch\nlisten = \"127.0.0.1:7500\" # behind the proxy\n\n[providers.google] # first try\n",
        new_id.as_str(),
        "imap = { host = \"imap.acme.example\" }\n",
        "smtp = { host = \"smtp.gmail.com\", port = 465 }\n",
    ] {
        assert!(after.contains(part), "{part:?} is missing in {after}");
    }
    assert!(!after.contains("old-secret"), "{after}");
}

#[test]
fn a_script_gives_everything_beforehand_and_reads_json() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let arguments = [
        "microsoft",
        "--tenant",
        GUID,
        "--client-id",
        OTHER_GUID,
        "--client-secret-env",
        "THE_SECRET",
        "--replace",
        "--json",
    ];
    for _ in 0..2 {
        let done = set_up(here, &arguments, &[]);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(
            answer["issuer"],
            format!("https://login.microsoftonline.com/{GUID}/v2.0")
        );
        assert_eq!(
            answer["redirects"][1]["address"],
            "https://782559bbd68ddfa4865f120d1d2c4d073b491db3.extensions.allizom.org/oauth/microsoft"
        );
        assert_eq!(answer["issuer_reached"], "not_asked");
        assert!(!text(&done.stdout).contains(SECRET));
    }
    let file = written(here);
    for part in [
        "smtp = { host = \"smtp.office365.com\", port = 587, tls = \"starttls\" }\n",
        "imap = { host = \"outlook.office365.com\", port = 993 }\n",
    ] {
        assert!(file.contains(part), "{part:?} is missing in {file}");
    }
    assert_eq!(file.matches("[providers.microsoft]").count(), 1, "{file}");
}

#[test]
fn what_cannot_be_right_is_refused_in_words_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let google = ["google"];
    let microsoft = ["microsoft"];
    let cases: [(&[&str], &[&str], &str); 11] = [
        (
            &google,
            &["my-project", SECRET],
            "Client ID: expected a number and letters that end with",
        ),
        (
            &google,
            &[SECRET, CLIENT],
            "Client ID: expected the client id, which ends with",
        ),
        (&google, &[CLIENT, CLIENT], "this looks like the client id"),
        (
            &google,
            &[CLIENT],
            "Client secret: expected a line on standard input, found its end",
        ),
        (&google, &[], "Client ID: expected a line on standard input"),
        (
            &["google", "--tenant", GUID],
            &[],
            "clients at Google belong to no tenant: leave --tenant out",
        ),
        (
            &["google", "--client-secret-env", "NO_SUCH"],
            &[CLIENT],
            "the variable NO_SUCH",
        ),
        (
            &microsoft,
            &["common"],
            "Directory (tenant) ID: expected the Directory (tenant) ID, a GUID",
        ),
        (
            &microsoft,
            &[GUID, "unpause"],
            "Application (client) ID: expected",
        ),
        (
            &microsoft,
            &[GUID, OTHER_GUID, GUID],
            "this looks like its Secret ID",
        ),
        (
            &microsoft,
            &[GUID, OTHER_GUID, "two words"],
            "expected the secret's Value without spaces",
        ),
    ];
    for (arguments, lines, expected) in cases {
        let refused = set_up(here, arguments, lines);
        let words = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?} {lines:?}");
        assert!(
            words.contains(expected),
            "{expected:?} is missing in {words}"
        );
        assert!(
            !format!("{words}{}", text(&refused.stdout)).contains(SECRET),
            "{words}"
        );
        assert_eq!(
            fs::read_dir(here).unwrap().count(),
            0,
            "{arguments:?} {lines:?}"
        );
    }
    let unknown = set_up(here, &["gogle"], &[]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        text(&unknown.stderr).contains("google, microsoft"),
        "{}",
        text(&unknown.stderr)
    );
}

#[test]
fn a_configuration_that_the_relay_would_refuse_is_left_alone() {
    for (before, expected) in [
        (
            "lisen = 1\n",
            "unpause.toml, line 1: there is no setting \"lisen\"",
        ),
        (
            "log = \"info\"\nclient_secret = \"hunter2\n",
            "unpause.toml, line 2: not valid TOML",
        ),
        ("providers = 1\n", "providers is not a table"),
        ("listen = \"127.0.0.1:0\"\n", "`listen` has port 0"),
    ] {
        let folder = folder_with(before);
        let refused = set_up(folder.path(), &["google"], &[CLIENT, SECRET]);
        let words = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{before}");
        assert!(
            words.contains(expected) && !words.contains("hunter2"),
            "{words}"
        );
        assert_eq!(written(folder.path()), before);
    }
}

#[test]
fn variables_that_win_over_the_file_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "setup",
        "google",
        "--offline",
        "--client-id",
        CLIENT,
        "--client-secret-env",
        "THE_SECRET",
    ];
    let done = unpause(folder.path(), &arguments)
        .env("THE_SECRET", SECRET)
        .env("UNPAUSE_PROVIDERS__GOOGLE__CLIENT_ID", "another")
        .output()
        .unwrap();
    let shown = text(&done.stdout);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(
        shown.contains("UNPAUSE_PROVIDERS__GOOGLE__…, win over"),
        "{shown}"
    );
}

#[test]
fn at_a_terminal_it_asks_again_and_hides_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let open = || {
        let name = name.to_str().unwrap();
        File::options().read(true).write(true).open(name).unwrap()
    };
    let mut ours = File::from(ours);
    let child = unpause(folder.path(), &["setup", "google", "--offline"])
        .stdin(open())
        .stdout(Stdio::piped())
        .stderr(open())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    let mut buffer = [0; 256];
    for (question, answer) in [
        ("Client ID: ", "my-project"),
        (
            "as in 1234-abcd.apps.googleusercontent.com\r\nClient ID: ",
            CLIENT,
        ),
        ("Client secret (not shown): ", SECRET),
    ] {
        while !shown.ends_with(question) {
            let n_read = ours.read(&mut buffer).unwrap();
            shown.push_str(std::str::from_utf8(&buffer[..n_read]).unwrap());
        }
        writeln!(ours, "{answer}").unwrap();
    }
    let output = child.wait_with_output().unwrap();
    while let Ok(n_read @ 1..) = ours.read(&mut buffer) {
        shown.push_str(std::str::from_utf8(&buffer[..n_read]).unwrap());
    }
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains(CLIENT) && !shown.contains(SECRET), "{shown}");
    assert!(written(folder.path()).contains(SECRET));
}
