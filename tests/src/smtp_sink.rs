//! Postfix's `smtp-sink` as the servers of all recipients: it accepts every message and keeps it
//! as a file, so that a test counts what really arrived.
//! Deliberately absent: any opinion about the messages.
//!
//! Observed with smtp-sink of Postfix 3.7 on 2026-11-23: started as root it demands `-u`; the
//! capture file of a transaction is empty until the final reply, and is removed when the
//! connection ends before it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::child::{Child, ChildError};
use crate::free_port::{TRIES, accepts, free_address};
use crate::programs::{self, ProgramsMissing, find_program};

/// Far longer than it takes: it only binds a port.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Connections that may wait to be accepted; more than any test opens.
const BACKLOG: &str = "256";
/// The user that smtp-sink becomes when it is started as root, and that user's id on Debian.
const UNPRIVILEGED: (&str, u32) = ("nobody", 65534);
/// Lines that smtp-sink writes before the message, with what it knows of the transaction (`man smtp-sink`).
const RECIPIENT_LINE: &str = "X-Rcpt-Args";

/// A running `smtp-sink`.
#[derive(Debug)]
pub struct SmtpSink {
    _child: Child,
    address: SocketAddr,
    folder: TempDir,
}

/// Why the sink does not run or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SmtpSinkError {
    /// It is not installed.
    #[error(transparent)]
    Missing(#[from] ProgramsMissing),
    /// Its folder cannot be made or read.
    #[error("the folder of smtp-sink cannot be used")]
    Io(#[from] io::Error),
    /// It did not start.
    #[error(transparent)]
    Child(#[from] ChildError),
}

/// One message for one recipient. A message to two recipients is two of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The address of the envelope, without angle brackets.
    pub recipient: String,
    /// The header fields in their order, unfolded (RFC 5322 §2.2.3).
    /// The first ones are smtp-sink's own.
    pub headers: Vec<(String, String)>,
    /// Everything after the first empty line; line ends are `\n`.
    pub body: String,
}

impl Delivered {
    /// The first field of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

impl SmtpSink {
    /// Starts it on a free port of loopback.
    pub async fn start() -> Result<Self, SmtpSinkError> {
        programs::check()?;
        let folder = tempfile::tempdir()?;
        let captured = folder.path().join(CAPTURED);
        fs::create_dir(&captured)?;
        let is_root = rustix::process::getuid().is_root();
        if is_root {
            open_to_others(folder.path())?;
            let (_, id) = UNPRIVILEGED;
            std::os::unix::fs::chown(&captured, Some(id), Some(id))?;
        }
        let mut tries_left = TRIES;
        loop {
            let address = free_address()?;
            let program = find_program("smtp-sink").unwrap_or_else(|| "smtp-sink".into());
            let mut command = Command::new(program);
            command.current_dir(folder.path());
            if is_root {
                command.args(["-u", UNPRIVILEGED.0]);
            }
            command.args([
                "-h",
                "sink.test",
                "-d",
                CAPTURE_TEMPLATE,
                &address.to_string(),
                BACKLOG,
            ]);
            let mut child = Child::start("smtp-sink", command, folder.path())?;
            let listens = async || accepts(address).await.then_some(());
            match child.wait_until("its port", listens, READY_WITHIN).await {
                Ok(()) => {
                    return Ok(Self {
                        _child: child,
                        address,
                        folder,
                    });
                }
                Err(ChildError::Ended { .. }) if tries_left > 1 => tries_left -= 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Where it listens: plain SMTP on loopback.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every message accepted so far, in no order.
    pub fn delivered(&self) -> Result<Vec<Delivered>, SmtpSinkError> {
        let mut delivered = Vec::new();
        for entry in fs::read_dir(self.folder.path().join(CAPTURED))? {
            match fs::read(entry?.path()) {
                Ok(bytes) => delivered.extend(parse_capture(&String::from_utf8_lossy(&bytes))),
                // The file of a transaction that was broken off in this moment.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(delivered)
    }
}

/// The folder of the captured messages, in the sink's own folder.
const CAPTURED: &str = "captured";
/// Where each goes: smtp-sink expands it by strftime(3) and appends random digits.
const CAPTURE_TEMPLATE: &str = "captured/%H%M%S.";

/// Lets a user who is not the owner pass through the folder, without listing it.
pub(crate) fn open_to_others(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
}

/// The messages of one capture file, one for each recipient; none while its header is incomplete.
fn parse_capture(text: &str) -> Vec<Delivered> {
    let Some((head, body)) = text.split_once("\n\n") else {
        return Vec::new();
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    let recipients: Vec<String> = headers
        .iter()
        .filter(|(name, _)| name == RECIPIENT_LINE)
        .map(|(_, args)| {
            let path = args.split(' ').next().unwrap_or_default();
            path.trim_start_matches('<')
                .trim_end_matches('>')
                .to_owned()
        })
        .collect();
    recipients
        .into_iter()
        .map(|recipient| Delivered {
            recipient,
            headers: headers.clone(),
            body: body.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from smtp-sink 3.7; shortened.
    const TWO_RECIPIENTS: &str = "X-Client-Addr: 127.0.0.1\nX-Mail-Args: <a@x.test>\n\
        X-Rcpt-Args: <b@y.test>\nX-Rcpt-Args: <c@y.test> NOTIFY=NEVER\nReceived: from [127.0.0.1]\n\
        \tby sink.test (smtp-sink)\nSubject: spring\n outreach\nX-Unpause-Delivery: d1\n\nbody\n\n.\n";

    #[test]
    fn a_message_to_two_recipients_is_two_messages() {
        let delivered = parse_capture(TWO_RECIPIENTS);
        let recipients: Vec<_> = delivered.iter().map(|one| one.recipient.as_str()).collect();
        assert_eq!(recipients, ["b@y.test", "c@y.test"]);
        assert_eq!(delivered[0].header("subject"), Some("spring outreach"));
        assert_eq!(delivered[0].header("X-Unpause-Delivery"), Some("d1"));
        assert_eq!(delivered[0].body, "body\n\n.\n");
    }

    #[test]
    fn a_message_that_is_still_being_written_is_none() {
        assert_eq!(parse_capture(""), []);
        assert_eq!(parse_capture("X-Rcpt-Args: <b@y.test>\nSubject: half"), []);
    }
}
