//! The programs that are not Rust and that the tests with real servers run.
//! Deliberately absent: installing them; whoever calls decides whether it may.

use std::fmt;
use std::path::{Path, PathBuf};

/// A program the tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its file name.
    pub name: &'static str,
    /// What the tests do with it.
    pub used_for: &'static str,
    /// The Debian package that brings it.
    pub debian_package: &'static str,
}

/// Every program the tests run.
pub const PROGRAMS: [Program; 10] = [
    Program {
        name: "node",
        used_for: "the OpenID provider",
        debian_package: "nodejs",
    },
    Program {
        name: "npm",
        used_for: "fetching the OpenID provider",
        debian_package: "npm",
    },
    Program {
        name: "dovecot",
        used_for: "the mail server",
        debian_package: "dovecot-core",
    },
    Program {
        name: "imap-login",
        used_for: "reading mail",
        debian_package: "dovecot-imapd",
    },
    Program {
        name: "submission-login",
        used_for: "sending mail",
        debian_package: "dovecot-submissiond",
    },
    Program {
        name: "smtp-sink",
        used_for: "the servers of the recipients",
        debian_package: "postfix",
    },
    Program {
        name: "caddy",
        used_for: "a proxy in front of the relay",
        debian_package: "caddy",
    },
    Program {
        name: "nginx",
        used_for: "another one",
        debian_package: "nginx",
    },
    Program {
        name: "pebble",
        used_for: "a certificate authority",
        debian_package: "pebble",
    },
    Program {
        name: "pebble-challtestsrv",
        used_for: "its name server",
        debian_package: "pebble",
    },
];

/// Where daemons live on Debian; a person's `PATH` often leaves the first two out.
const DAEMON_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/lib/dovecot"];

/// Where `cargo xtask test` puts what it takes out of Debian's packages without installing them: their servers would
/// start by themselves.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/debian");

/// Every program that is not installed, in one list.
pub fn missing() -> Vec<Program> {
    PROGRAMS
        .into_iter()
        .filter(|program| find_program(program.name).is_none())
        .collect()
}

/// An error that names every missing program at once, or `Ok`.
pub fn check() -> Result<(), ProgramsMissing> {
    let missing = missing();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(ProgramsMissing(missing))
    }
}

/// Where a program is: in `PATH`, else where Debian puts daemons, else where its packages were unpacked.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(DAEMON_FOLDERS.into_iter().map(PathBuf::from))
        .chain(["usr/bin", "usr/sbin"].map(|below| Path::new(UNPACKED).join(below)))
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

/// Programs the tests need and did not find.
#[derive(Debug, thiserror::Error)]
pub struct ProgramsMissing(pub Vec<Program>);

impl fmt::Display for ProgramsMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not installed:")?;
        for Program {
            name,
            used_for,
            debian_package,
        } in &self.0
        {
            write!(
                f,
                "\n  {name}, for {used_for} (Debian package {debian_package})"
            )?;
        }
        Ok(())
    }
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_every_unix_has_and_nothing_else() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program-of-any-unix").is_none());
    }

    #[test]
    fn names_all_that_is_missing_with_its_package() {
        let told = ProgramsMissing(PROGRAMS.to_vec()).to_string();
        assert_eq!(told.lines().count(), 1 + PROGRAMS.len());
        assert!(
            told.contains("smtp-sink, for the servers of the recipients (Debian package postfix)")
        );
    }
}
