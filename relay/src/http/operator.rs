//! The operator's way in: a Unix socket in the relay's own data folder. The file system proves both ends: nobody but
//! the folder's owner can make a socket there or reach it, and root, who may be anybody. Whoever comes by it is the
//! operator, because of where he comes from and never because of what he says. What the command line asks is in
//! `api`; who is let in elsewhere is in `answer`.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::{Extension, Router};
use http::Extensions;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::{was_told, within_bounds};
use crate::ownership::{self, Folder, FolderError};

/// The socket's name in the data folder.
pub const SOCKET_FILE: &str = "operator.sock";
/// What earlier versions kept in its place: a token, and the address to send it to.
const LEFT_BY_EARLIER: [&str; 3] = ["operator.token", "relay.url", "relay.url.new"];

/// The socket of a relay that is being started.
#[derive(Debug)]
pub struct OperatorSocket {
    listener: UnixListener,
    folder: Arc<Folder>,
}

impl OperatorSocket {
    /// Listens in a folder that only this process's user can enter. One that a killed relay left is replaced, so
    /// whoever calls this holds the lock of the database.
    pub fn bind(folder: Folder) -> io::Result<Self> {
        for name in LEFT_BY_EARLIER {
            if let Err(error) = remove(&folder.within(name)) {
                tracing::warn!(file = name, %error, "what an earlier version left cannot be deleted; it opens nothing");
            }
        }
        let path = folder.within(SOCKET_FILE);
        remove(&path)?;
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            folder: Arc::new(folder),
        })
    }
}

impl axum::serve::Listener for OperatorSocket {
    type Io = UnixStream;
    type Addr = SocketAddr;

    /// The next one who is this relay's own user, or root. The folder keeps all others out; this holds where somebody
    /// opens it by hand.
    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) =
                <UnixListener as axum::serve::Listener>::accept(&mut self.listener).await;
            match stream.peer_cred() {
                Ok(peer) if ownership::is_ours(peer.uid()) => return (stream, address),
                Ok(peer) => tracing::warn!(
                    user = peer.uid(),
                    "another user of this machine was turned away at the operator's socket: run `chmod 700` on the data folder"
                ),
                Err(error) => {
                    tracing::warn!(%error, "somebody at the operator's socket is not known");
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Serves the operator until it is told to stop, and takes the socket away.
pub(super) async fn serve(
    router: Router,
    socket: OperatorSocket,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let folder = Arc::clone(&socket.folder);
    let serving = axum::serve(socket, router.layer(Extension(BySocket)))
        .with_graceful_shutdown(was_told(stop.clone()));
    let served = within_bounds(serving, stop).await;
    if let Err(error) = remove(&folder.within(SOCKET_FILE)) {
        tracing::warn!(%error, "the operator's socket cannot be deleted");
    }
    served
}

/// Marks what came by the socket. Only the server puts it there: nothing in a request can.
#[derive(Clone, Copy, Debug)]
struct BySocket;

/// Whether a request came by the operator's socket.
pub(super) fn is_by_socket(extensions: &Extensions) -> bool {
    extensions.get::<BySocket>().is_some()
}

/// The way to the socket of a relay that runs, in a folder that was proved.
#[derive(Debug)]
pub struct Door {
    folder: Folder,
}

/// Why the operator is not let in.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// No relay runs on this data folder.
    #[error(
        "no relay runs on the data folder {data}: start it with `unpause serve`, or name its configuration with --config"
    )]
    NotStarted {
        /// The folder.
        data: PathBuf,
    },
    /// The folder is another user's.
    #[error(
        "the data folder {data} belongs to another user: run this as the user who started the relay, as with `sudo -u '#{owner}'`"
    )]
    NotYours {
        /// The folder.
        data: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// What is there is not what the folder's owner put there, or no socket.
    #[error(
        "{path} is not the socket of a relay that the folder's owner started: nothing was sent; delete it, and start the relay again"
    )]
    Foreign {
        /// What is there.
        path: PathBuf,
    },
    /// The folder proves nothing.
    #[error(transparent)]
    Folder(FolderError),
    /// The operating system refused.
    #[error("{path} cannot be looked at")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Door {
    /// Finds the socket of the relay that runs on this data folder. Nothing is said to it yet.
    pub fn find(data: &Path) -> Result<Self, DoorError> {
        let not_started = || DoorError::NotStarted {
            data: data.to_owned(),
        };
        let folder = match Folder::find(data) {
            Ok(folder) => folder,
            Err(FolderError::NotOurs { owner, .. }) => {
                return Err(DoorError::NotYours {
                    data: data.to_owned(),
                    owner,
                });
            }
            Err(FolderError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Err(not_started());
            }
            Err(error) => return Err(DoorError::Folder(error)),
        };
        let path = data.join(SOCKET_FILE);
        // Of the entry itself: a link is no socket.
        match fs::symlink_metadata(folder.within(SOCKET_FILE)) {
            Ok(found) if found.file_type().is_socket() && found.uid() == folder.owner() => {
                Ok(Self { folder })
            }
            Ok(_) => Err(DoorError::Foreign { path }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(not_started()),
            Err(source) => Err(DoorError::Io { path, source }),
        }
    }

    /// Where to connect; good for as long as the door is kept.
    pub fn address(&self) -> PathBuf {
        self.folder.within(SOCKET_FILE)
    }

    /// What it says where nobody answers: the relay was killed, and left its socket.
    pub fn not_started(&self) -> DoorError {
        DoorError::NotStarted {
            data: self.folder.path().to_owned(),
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_door_is_a_socket_of_the_folders_owner_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let is_not_started = || matches!(Door::find(&data), Err(DoorError::NotStarted { .. }));
        assert!(is_not_started(), "no folder");
        let folder = Folder::take(&data).unwrap();
        assert!(is_not_started(), "nothing in it");
        for name in LEFT_BY_EARLIER {
            fs::write(data.join(name), "left").unwrap();
        }
        fs::write(data.join(SOCKET_FILE), "no socket").unwrap();
        assert!(matches!(Door::find(&data), Err(DoorError::Foreign { .. })));

        let socket = OperatorSocket::bind(folder).unwrap();
        for name in LEFT_BY_EARLIER {
            assert!(!data.join(name).exists(), "{name}");
        }
        let mode = fs::metadata(data.join(SOCKET_FILE)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        let door = Door::find(&data).unwrap();
        UnixStream::connect(door.address()).await.unwrap();

        // As a killed relay leaves it; the next one replaces it.
        drop(socket);
        let door = Door::find(&data).unwrap();
        let refused = UnixStream::connect(door.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        OperatorSocket::bind(Folder::take(&data).unwrap()).unwrap();

        std::os::unix::fs::symlink(data.join(SOCKET_FILE), home.path().join("link")).unwrap();
        fs::rename(home.path().join("link"), data.join(SOCKET_FILE)).unwrap();
        assert!(matches!(Door::find(&data), Err(DoorError::Foreign { .. })));
        fs::set_permissions(&data, Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(
            Door::find(&data),
            Err(DoorError::Folder(FolderError::Open { .. }))
        ));
    }

    #[tokio::test]
    async fn a_path_that_no_address_of_a_socket_can_hold_is_bound_and_found_all_the_same() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("d".repeat(200));
        let _socket = OperatorSocket::bind(Folder::take(&data).unwrap()).unwrap();
        assert!(data.join(SOCKET_FILE).as_os_str().len() > 108);
        let door = Door::find(&data).unwrap();
        UnixStream::connect(door.address()).await.unwrap();
    }
}
