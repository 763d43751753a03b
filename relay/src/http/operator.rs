//! How the command line of the same user on the same machine finds the relay and is let in: two files
//! in the data folder, written at every start. The token, which only its owner may read, is written by
//! `running` under the lock of the database; the address is written here.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use protocol::secret::Secret;

/// The operator's token in the data folder: whoever can read it runs this relay. New at every start.
pub const OPERATOR_FILE: &str = "operator.token";
/// The file with the address, in the data folder: the configuration may leave the port to chance.
const URL_FILE: &str = "relay.url";

/// Where the running relay is, and what lets the operator in.
#[derive(Debug)]
pub struct Door {
    /// Its address, without a slash at its end.
    pub url: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Secret,
}

/// Why the operator is not let in.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// No relay was started on this data folder.
    #[error(
        "no relay runs on the data folder {data}: start it with `unpause serve`, or name its configuration with --config"
    )]
    NotStarted {
        /// The folder.
        data: PathBuf,
    },
    /// The files are another user's.
    #[error("{path} cannot be read: run this as the user who started the relay")]
    NotYours {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{path} cannot be read")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes where the relay is. Renamed into place, so that nobody reads half of it.
pub fn note_url(data: &Path, url: &str) -> io::Result<()> {
    let fresh = data.join(format!("{URL_FILE}.new"));
    fs::write(&fresh, format!("{url}\n"))?;
    fs::rename(&fresh, url_path(data))
}

/// Where that is written.
pub fn url_path(data: &Path) -> PathBuf {
    data.join(URL_FILE)
}

/// Reads both files.
pub fn find_door(data: &Path) -> Result<Door, DoorError> {
    Ok(Door {
        url: get(data, URL_FILE)?,
        token: Secret::new(get(data, OPERATOR_FILE)?),
    })
}

fn get(data: &Path, name: &str) -> Result<String, DoorError> {
    let path = data.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(DoorError::NotStarted {
            data: data.to_owned(),
        }),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(DoorError::NotYours { path })
        }
        Err(source) => Err(DoorError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_found_where_a_relay_was_started_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        assert!(matches!(find_door(data), Err(DoorError::NotStarted { .. })));
        note_url(data, "http://127.0.0.1:1").unwrap();
        note_url(data, "http://127.0.0.1:7411").unwrap();
        assert!(
            matches!(find_door(data), Err(DoorError::NotStarted { .. })),
            "no token"
        );
        fs::write(data.join(OPERATOR_FILE), "token").unwrap();
        let door = find_door(data).unwrap();
        assert_eq!(
            (door.url.as_str(), door.token),
            ("http://127.0.0.1:7411", Secret::new("token"))
        );
    }
}
