//! Folders that others may enter or write to: made so beforehand, by an earlier version, or by hand while a relay runs.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::{Result, ensure};

use crate::machine::{Machine, OPERATOR, STRANGER, answer, as_user, refusal};

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}

#[tokio::test]
async fn a_folder_that_was_open_is_closed_with_its_files_and_that_is_told() -> Result<()> {
    let mut machine = Machine::start().await?;
    machine.end_relay()?;
    let (data, database) = (machine.data(), machine.data().join("unpause.db"));
    set_mode(&data, 0o755)?;
    for entry in fs::read_dir(&data)? {
        set_mode(&entry?.path(), 0o644)?;
    }
    // As an earlier version left it.
    Machine::write_as(
        OPERATOR,
        &data.join("relay.url"),
        "http://127.0.0.1:9",
        0o644,
    )?;
    ensure!(as_user(STRANGER, || fs::read(&database)).is_ok());
    machine.start_relay().await?;
    for path in [
        &database,
        &data.join("unpause.db-wal"),
        &data.join("unpause.db.lock"),
    ] {
        let read = as_user(STRANGER, || fs::read(path)).map_err(|error| error.kind());
        ensure!(
            read == Err(ErrorKind::PermissionDenied),
            "{}",
            path.display()
        );
        // Nor where the folder is opened again: the file itself is closed.
        set_mode(&data, 0o755)?;
        let read = as_user(STRANGER, || fs::read(path)).map_err(|error| error.kind());
        ensure!(
            read == Err(ErrorKind::PermissionDenied),
            "{}",
            path.display()
        );
        set_mode(&data, 0o700)?;
    }
    ensure!(!data.join("relay.url").exists());
    let log = machine.log();
    for told in [
        "others could enter the data folder",
        "others could read a file of the data folder",
    ] {
        ensure!(log.contains(told), "{told:?} is missing in {log}");
    }
    Ok(())
}

#[tokio::test]
async fn who_comes_by_a_folder_that_was_opened_by_hand_is_turned_away() -> Result<()> {
    let machine = Machine::start().await?;
    let socket = machine.data().join("operator.sock");
    set_mode(&machine.data(), 0o755)?;
    set_mode(&socket, 0o666)?;
    let asked = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let ask = |user| {
        as_user(user, || -> std::io::Result<String> {
            let mut stream = UnixStream::connect(&socket)?;
            // It may be closed by then.
            let _ = stream.write_all(asked);
            let mut answer = String::new();
            match stream.read_to_string(&mut answer) {
                Err(error) if error.kind() != ErrorKind::ConnectionReset => Err(error),
                _ => Ok(answer),
            }
        })
    };
    ensure!(ask(STRANGER)?.is_empty(), "a stranger was answered");
    for user in [OPERATOR, 0] {
        let answered = ask(user)?;
        ensure!(answered.starts_with("HTTP/1.1 200"), "{user}: {answered}");
    }
    let log = machine.log();
    ensure!(
        log.contains("another user of this machine was turned away"),
        "{log}"
    );
    Ok(())
}

/// A stranger's socket, and how a command of the operator that is told of its folder ends: nobody has come.
fn check_that_nobody_comes(machine: &Machine, data: &Path, told: &str) -> Result<()> {
    let listener = as_user(STRANGER, || UnixListener::bind(data.join("operator.sock")))?;
    set_mode(&data.join("operator.sock"), 0o666)?;
    check_that_it_is_refused(machine, data, &listener, told)
}

fn check_that_it_is_refused(
    machine: &Machine,
    data: &Path,
    listener: &UnixListener,
    told: &str,
) -> Result<()> {
    let mut command = machine.bare_command(OPERATOR);
    let output = command.env("UNPAUSE_DATA", data).arg("login").output()?;
    let words = refusal(&output)?;
    ensure!(words.contains(told), "{words}");
    listener.set_nonblocking(true)?;
    let came = listener.accept().map(drop).map_err(|error| error.kind());
    ensure!(came == Err(ErrorKind::WouldBlock), "somebody came: {words}");
    Ok(())
}

#[tokio::test]
async fn a_strangers_socket_is_not_spoken_to_wherever_it_stands() -> Result<()> {
    let machine = Machine::make()?;
    let make = |name: &str, owner: u32, mode: u32| -> Result<_> {
        let data = machine.strangers().join(name);
        fs::create_dir(&data)?;
        set_mode(&data, mode)?;
        chown(&data, Some(owner), Some(owner))?;
        Ok(data)
    };
    // A folder of his own, which says so.
    let data = make("his", STRANGER, 0o755)?;
    check_that_nobody_comes(&machine, &data, "belongs to another user")?;
    // The operator's, which everybody may write to, and then may not any more.
    let data = make("open", OPERATOR, 0o777)?;
    let listener = as_user(STRANGER, || UnixListener::bind(data.join("operator.sock")))?;
    set_mode(&data.join("operator.sock"), 0o666)?;
    check_that_it_is_refused(&machine, &data, &listener, "others may write to the folder")?;
    set_mode(&data, 0o755)?;
    check_that_it_is_refused(&machine, &data, &listener, "is not the socket of a relay")?;
    set_mode(&data, 0o700)?;
    check_that_it_is_refused(&machine, &data, &listener, "is not the socket of a relay")?;
    // The stranger's folder where the operator's path leads now.
    let link = machine.home().join("link");
    std::os::unix::fs::symlink(machine.strangers().join("his"), &link)?;
    fs::remove_file(machine.strangers().join("his/operator.sock"))?;
    check_that_nobody_comes(&machine, &link, "belongs to another user")
}

#[tokio::test]
async fn a_path_that_no_socket_address_holds_serves_both_ends() -> Result<()> {
    let mut machine = Machine::make()?;
    let long = machine.home().join("d".repeat(150));
    let text = fs::read_to_string(machine.config())?;
    let text = text.replace(
        &format!("{:?}", machine.data()),
        &format!("{:?}", long.join("data")),
    );
    Machine::write_as(OPERATOR, &machine.config(), &text, 0o600)?;
    // What the machine looks at leads there.
    std::os::unix::fs::symlink(long.join("data"), machine.data())?;
    machine.start_relay().await?;
    ensure!(long.join("data/operator.sock").as_os_str().len() > 108);
    let output = machine.command(OPERATOR, &["login"]).output()?;
    ensure!(answer(&output)?.contains("/login#code="));
    Ok(())
}
