//! Debian's Dovecot 2.3 as the mail server: IMAP and message submission, both with implicit TLS,
//! started by hand in a temporary folder on free ports, as root or not.
//! Deliberately absent: what a sign-in means; Dovecot asks the OpenID provider about every token.
//!
//! Observed with Dovecot 2.3.19 on 2026-11-23:
//! - As root it needs nothing but `first_valid_uid` and a mail user that is not root. Not as root
//!   it needs its three internal identities set to the user it runs as, and `chroot =` for the
//!   services that would otherwise change their root: `anvil`, `imap-login`, `submission-login`.
//! - Introspection credentials stand in the URL and are sent as HTTP Basic (RFC 7617).
//! - A token that the provider does not know, or knows as another person's: SMTP `334` with base64 of
//!   `{"status":"401","schemes":"bearer","scope":"mail"}`, after an empty line
//!   `535 5.7.8 Authentication failed.`; IMAP `+` with the same, then
//!   `NO [AUTHENTICATIONFAILED] Authentication failed.` A provider that does not answer: no challenge,
//!   `454 4.7.0 Temporary authentication failure.` and `NO [UNAVAILABLE]`.
//! - The hierarchy separator of Maildir is `.`; greeting and replies name Debian.
//! - A submission copies nothing into Sent; only the client's own APPEND does.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tempfile::TempDir;
use url::Url;

use crate::certificate::TestCertificate;
use crate::child::{Child, ChildError};
use crate::free_port::{TRIES, accepts, free_address};
use crate::person::Person;
use crate::programs::{self, ProgramsMissing, find_program};
use crate::smtp_sink::open_to_others;

const CONFIG: &str = include_str!("dovecot/dovecot.conf");
const OAUTH2_CONFIG: &str = include_str!("dovecot/oauth2.conf");

/// Dovecot starts in about a second here; the rest is for a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The user whose mail it is when Dovecot runs as root: `nobody`, by its id on Debian.
const MAIL_UID: u32 = 65534;

/// What Dovecot is told. Not printable: the address of the introspection holds a secret.
#[derive(Clone)]
pub struct DovecotSettings {
    /// Where tokens are introspected, with the client's id and secret as user and password.
    pub introspection_url: Url,
    /// Who has mail here. They may sign in by password too.
    pub people: Vec<Person>,
    /// Where accepted messages go: an `smtp-sink`.
    pub next_hop: SocketAddr,
}

/// A running Dovecot.
#[derive(Debug)]
pub struct Dovecot {
    child: Child,
    imaps: SocketAddr,
    submissions: SocketAddr,
    ca_pem: String,
    folder: TempDir,
}

/// Why Dovecot does not run.
#[derive(Debug, thiserror::Error)]
pub enum DovecotError {
    /// It is not installed.
    #[error(transparent)]
    Missing(#[from] ProgramsMissing),
    /// Its folder cannot be made, filled or read.
    #[error("the folder of Dovecot cannot be used")]
    Io(#[from] io::Error),
    /// No certificate could be made.
    #[error("no certificate for Dovecot")]
    Certificate(#[from] rcgen::Error),
    /// Neither root nor a user with a name.
    #[error("the user who runs the tests has no name")]
    Nameless,
    /// It did not start.
    #[error(transparent)]
    Child(#[from] ChildError),
}

impl Dovecot {
    /// Starts it and waits until both ports accept connections.
    pub async fn start(settings: &DovecotSettings) -> Result<Self, DovecotError> {
        programs::check()?;
        let folder = tempfile::tempdir()?;
        let certificate = TestCertificate::generate()?;
        fill(folder.path(), settings, &certificate)?;
        let mut tries_left = TRIES;
        loop {
            let (imaps, submissions) = (free_address()?, free_address()?);
            let config = render_config(folder.path(), settings, imaps, submissions)?;
            fs::write(folder.path().join("dovecot.conf"), config)?;
            let program = find_program("dovecot").unwrap_or_else(|| "dovecot".into());
            let mut command = Command::new(program);
            command
                .arg("-F")
                .arg("-c")
                .arg(folder.path().join("dovecot.conf"));
            let mut child = Child::start("dovecot", command, folder.path())?;
            let listens =
                async || (accepts(imaps).await && accepts(submissions).await).then_some(());
            match child.wait_until("its ports", listens, READY_WITHIN).await {
                Ok(()) => {
                    let ca_pem = certificate.ca_pem;
                    return Ok(Self {
                        child,
                        imaps,
                        submissions,
                        ca_pem,
                        folder,
                    });
                }
                Err(ChildError::Ended { last_words, .. })
                    if tries_left > 1 && last_words.contains("Address already in use") =>
                {
                    tries_left -= 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends every session, as a provider does that takes a permission back at once. A Dovecot that nobody
    /// asks keeps a session alive for as long as its client does.
    pub fn end_sessions(&self) -> Result<(), DovecotError> {
        let program = find_program("doveadm").unwrap_or_else(|| "doveadm".into());
        // Its status tells whether there was a session to end; both are well.
        let _status = Command::new(program)
            .arg("-c")
            .arg(self.folder.path().join("dovecot.conf"))
            .args(["kick", "*"])
            .output()?;
        Ok(())
    }

    /// IMAP with implicit TLS; the name in the certificate is `localhost` or `127.0.0.1`.
    pub fn imaps(&self) -> SocketAddr {
        self.imaps
    }

    /// Message submission with implicit TLS.
    pub fn submissions(&self) -> SocketAddr {
        self.submissions
    }

    /// The authority that signed its certificate.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What it logged so far: every sign-in, granted or refused, by name and mechanism.
    pub fn log(&self) -> String {
        self.child.stderr()
    }

    /// Puts a message into a person's INBOX, as a delivery from outside would. `id` is new each time.
    pub fn deliver(&self, address: &str, id: &str, message: &str) -> Result<(), DovecotError> {
        let maildir = maildir(self.folder.path(), address);
        let arriving = maildir.join("tmp").join(id);
        fs::write(&arriving, message)?;
        give_to_mail_user(&arriving)?;
        // Atomic, as Maildir asks: a reader sees the whole message or none.
        Ok(fs::rename(&arriving, maildir.join("new").join(id))?)
    }

    /// Replaces all passwords. Tokens are not touched; connections that are open stay open.
    /// Dovecot looks at the file at most once a second, so the old one may work that much longer.
    pub fn set_passwords(&self, people: &[Person]) -> Result<(), DovecotError> {
        Ok(write_passwords(self.folder.path(), people)?)
    }
}

/// Everything in the folder but the configuration, which knows the ports.
fn fill(
    folder: &Path,
    settings: &DovecotSettings,
    certificate: &TestCertificate,
) -> Result<(), DovecotError> {
    // Dovecot's own users must be able to reach what is theirs below it.
    open_to_others(folder)?;
    fs::write(folder.join("certificate.pem"), &certificate.certificate_pem)?;
    write_private(&folder.join("key.pem"), &certificate.key_pem)?;
    let oauth2 = OAUTH2_CONFIG.replace("@INTROSPECTION_URL@", settings.introspection_url.as_str());
    write_private(&folder.join("oauth2.conf"), &oauth2)?;
    write_passwords(folder, &settings.people)?;
    let mail = folder.join("mail");
    fs::create_dir(&mail)?;
    give_to_mail_user(&mail)?;
    for person in &settings.people {
        let maildir = maildir(folder, &person.address);
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(maildir.join(part))?;
            give_to_mail_user(&maildir.join(part))?;
        }
        give_to_mail_user(&maildir)?;
        give_to_mail_user(&mail.join(&person.address))?;
    }
    Ok(())
}

fn render_config(
    folder: &Path,
    settings: &DovecotSettings,
    imaps: SocketAddr,
    submissions: SocketAddr,
) -> Result<String, DovecotError> {
    Ok(CONFIG
        .replace("@FOLDER@", &folder.to_string_lossy())
        .replace("@IDENTITY@", &identity()?)
        .replace("@IMAPS_PORT@", &imaps.port().to_string())
        .replace("@SUBMISSIONS_PORT@", &submissions.port().to_string())
        .replace("@SINK_HOST@", &settings.next_hop.ip().to_string())
        .replace("@SINK_PORT@", &settings.next_hop.port().to_string()))
}

/// As whom Dovecot's processes run.
fn identity() -> Result<String, DovecotError> {
    if rustix::process::getuid().is_root() {
        return Ok(format!(
            "first_valid_uid = 1\nmail_uid = {MAIL_UID}\nmail_gid = {MAIL_UID}"
        ));
    }
    let user = own_name("-un")?;
    let group = own_name("-gn")?;
    Ok(format!(
        "default_internal_user = {user}\ndefault_internal_group = {group}\n\
         default_login_user = {user}\nfirst_valid_uid = 1\nmail_uid = {user}\nmail_gid = {group}"
    ))
}

/// The name of the user or group that runs the tests, by `id`.
fn own_name(flag: &str) -> Result<String, DovecotError> {
    let output = Command::new("id").arg(flag).output()?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !name.is_empty() {
        Ok(name)
    } else {
        Err(DovecotError::Nameless)
    }
}

fn write_passwords(folder: &Path, people: &[Person]) -> io::Result<()> {
    let mut lines = String::new();
    for Person { address, password } in people {
        // Base64, because a password may hold the file's own separator.
        let password = BASE64_STANDARD.encode(password);
        lines.extend([address.as_str(), ":{PLAIN.b64}", &password, "\n"]);
    }
    let arriving = folder.join("passwords.new");
    fs::write(&arriving, lines)?;
    // Read by the authentication process, which as root runs as a user of its own.
    fs::set_permissions(&arriving, fs::Permissions::from_mode(0o644))?;
    fs::rename(arriving, folder.join("passwords"))
}

/// Only Dovecot's first process reads these, before it gives up its rights.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    fs::write(file, text)?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

fn maildir(folder: &Path, address: &str) -> PathBuf {
    folder.join("mail").join(address).join("Maildir")
}

fn give_to_mail_user(path: &Path) -> io::Result<()> {
    if rustix::process::getuid().is_root() {
        chown(path, Some(MAIL_UID), Some(MAIL_UID))?;
    }
    Ok(())
}
