//! What a stranger tries who knows every path. Each is told no by the system; the relay goes on.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::machine::{Machine, OPERATOR, SECRET, STRANGER, answer, as_user, refusal};

/// What is done to the machine, and what the system says to it.
type Attack = fn(&Machine, u32) -> io::Result<()>;

/// Every attack that ends at the file system or at a process.
const ATTACKS: &[(&str, Attack)] = &[
    ("list the data folder", |machine, _| list(&machine.data())),
    ("list the folder of the keys", |machine, _| {
        list(&machine.home().join("keys"))
    }),
    ("read the database", |machine, _| {
        read(&machine.data().join("unpause.db"))
    }),
    ("read what the database was just told", |machine, _| {
        read(&machine.data().join("unpause.db-wal"))
    }),
    ("read the database's index", |machine, _| {
        read(&machine.data().join("unpause.db-shm"))
    }),
    ("hold the database's lock", |machine, _| {
        File::options()
            .write(true)
            .open(machine.data().join("unpause.db.lock"))
            .map(drop)
    }),
    ("read the key", |machine, _| {
        read(&machine.home().join("keys/unpause.key"))
    }),
    ("read the mark", |machine, _| {
        read(&machine.home().join("keys/unpause.mark"))
    }),
    ("read the secret of the configuration", |machine, _| {
        read(&machine.config())
    }),
    ("connect to the socket", |machine, _| {
        UnixStream::connect(machine.data().join("operator.sock")).map(drop)
    }),
    ("connect by the folder where the relay is", |_, relay| {
        UnixStream::connect(format!("/proc/{relay}/cwd/data/operator.sock")).map(drop)
    }),
    ("connect by the relay's root", |machine, relay| {
        let data = machine.data().display().to_string();
        UnixStream::connect(format!("/proc/{relay}/root{data}/operator.sock")).map(drop)
    }),
    ("connect by a folder that the relay has open", |_, relay| {
        first_that_works((0..64).map(|fd| {
            UnixStream::connect(format!("/proc/{relay}/fd/{fd}/operator.sock")).map(drop)
        }))
    }),
    ("read a file that the relay has open", |_, relay| {
        first_that_works((0..64).map(|fd| read(Path::new(&format!("/proc/{relay}/fd/{fd}")))))
    }),
    ("list what the relay has open", |_, relay| {
        list(Path::new(&format!("/proc/{relay}/fd")))
    }),
    ("read the relay's memory", |_, relay| {
        read(Path::new(&format!("/proc/{relay}/mem")))
    }),
    ("read the relay's variables", |_, relay| {
        read(Path::new(&format!("/proc/{relay}/environ")))
    }),
    ("put a file into the data folder", |machine, _| {
        fs::write(machine.data().join("operator.token"), "mine")
    }),
    ("put a socket beside the relay's", |machine, _| {
        let mine = machine.strangers().join("mine.sock");
        symlink(mine, machine.data().join("other.sock"))
    }),
    ("take the socket away", |machine, _| {
        fs::remove_file(machine.data().join("operator.sock"))
    }),
    ("put another data folder in its place", |machine, _| {
        let mine = machine.strangers().join("data");
        match fs::create_dir(&mine) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        fs::rename(machine.data(), machine.strangers().join("theirs"))?;
        fs::rename(mine, machine.data())
    }),
    ("put another key in its place", |machine, _| {
        let mine = machine.strangers().join("my.key");
        fs::write(&mine, "unpause-key-1\n")?;
        fs::rename(mine, machine.home().join("keys/unpause.key"))
    }),
    ("put another configuration in its place", |machine, _| {
        fs::write(machine.config(), "")
    }),
    ("make the folder open", |machine, _| {
        fs::set_permissions(machine.data(), fs::Permissions::from_mode(0o777))
    }),
    ("end the relay", |_, relay| signal(relay, Signal::TERM)),
    ("kill the relay", |_, relay| signal(relay, Signal::KILL)),
    ("let the relay stand still", |_, relay| {
        signal(relay, Signal::STOP)
    }),
];

/// So many of them, from the first, leave everything as it is where they succeed.
const N_HARMLESS: usize = 13;

fn list(folder: &Path) -> io::Result<()> {
    fs::read_dir(folder).map(drop)
}

fn read(path: &Path) -> io::Result<()> {
    fs::read(path).map(drop)
}

fn first_that_works(mut tries: impl Iterator<Item = io::Result<()>>) -> io::Result<()> {
    tries
        .find(Result::is_ok)
        .unwrap_or(Err(ErrorKind::PermissionDenied.into()))
}

fn signal(process: u32, signal: Signal) -> io::Result<()> {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    Ok(kill_process(process, signal)?)
}

#[tokio::test]
async fn a_stranger_who_knows_every_path_is_told_no() -> Result<()> {
    let machine = Machine::start().await?;
    let relay = machine.relay_id()?;
    for (what, attack) in ATTACKS {
        let done = as_user(STRANGER, || attack(&machine, relay));
        let kind = done.as_ref().map_err(io::Error::kind);
        ensure!(
            kind == Err(ErrorKind::PermissionDenied),
            "to {what}: {done:?}"
        );
    }
    // What is played is no attack for whoever may: it would have been seen.
    for (what, attack) in ATTACKS.iter().take(N_HARMLESS) {
        attack(&machine, relay).map_err(|error| anyhow::anyhow!("{what} as root: {error}"))?;
    }
    let status = machine.command(OPERATOR, &["status"]).output()?;
    answer(&status)?;
    Ok(())
}

#[tokio::test]
async fn a_strangers_command_speaks_to_no_relay_of_somebody_else() -> Result<()> {
    let machine = Machine::start().await?;
    let data = machine.data();
    let mut named = machine.bare_command(STRANGER);
    let output = named.env("UNPAUSE_DATA", &data).arg("status").output()?;
    let words = refusal(&output)?;
    let told = "belongs to another user: run this as the user who started the relay, as with `sudo -u '#60001'`";
    ensure!(words.contains(told), "{words}");
    let mut serving = machine.bare_command(STRANGER);
    let output = serving
        .env("UNPAUSE_DATA", &data)
        .env("UNPAUSE_LISTEN", "127.0.0.1:0")
        .arg("serve")
        .output()?;
    let words = refusal(&output)?;
    ensure!(
        words.contains("belongs to the user with the id 60001"),
        "{words}"
    );
    let words = refusal(&machine.command(STRANGER, &["status"]).output()?)?;
    ensure!(
        words.contains("unpause.toml cannot be read") && !words.contains(SECRET),
        "{words}"
    );
    for user in [OPERATOR, 0] {
        let output = machine.command(user, &["login"]).output()?;
        ensure!(answer(&output)?.contains("/login#code="), "user {user}");
    }
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_somebody_left_to_be_found_is_not_taken() -> Result<()> {
    let machine = Machine::start().await?;
    let left = machine.home().join("left");
    fs::create_dir(&left)?;
    let text = format!("data = {:?}\n", machine.strangers().join("data"));
    Machine::write_as(STRANGER, &left.join("unpause.toml"), &text, 0o644)?;
    let mut command = machine.bare_command(OPERATOR);
    let words = refusal(&command.current_dir(&left).arg("status").output()?)?;
    ensure!(
        words.contains("that was found here belongs to the user with the id 65534"),
        "{words}"
    );
    Ok(())
}

#[tokio::test]
async fn all_that_a_relay_keeps_is_its_users_alone() -> Result<()> {
    let machine = Machine::start().await?;
    let mut n_files = 0;
    for folder in [machine.data(), machine.home().join("keys")] {
        let mode = fs::metadata(&folder)?.permissions().mode() & 0o777;
        ensure!(mode == 0o700, "{}: {mode:o}", folder.display());
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let mode = metadata.permissions().mode() & 0o777;
            ensure!(
                (mode, metadata.uid()) == (0o600, OPERATOR),
                "{}: {mode:o} of {}",
                entry.path().display(),
                metadata.uid()
            );
            n_files += 1;
        }
    }
    // Database, its log, its index and its lock, socket; key, mark and its lock.
    ensure!(n_files >= 8, "only {n_files} files were seen");
    // Nor is what any library of its makes from now on (proc(5), `Umask`).
    let status = fs::read_to_string(format!("/proc/{}/status", machine.relay_id()?))?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    ensure!(mask.map(str::trim) == Some("0077"), "{mask:?}");
    Ok(())
}
