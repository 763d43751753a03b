//! The whole relay, put together: opened in the order in which things can be refused, and closed in the
//! other. What it does is in `http` and `worker`; nobody else knows both.

mod sockets;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::timestamp::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, DATABASE_FILE};
use crate::bell::Bell;
use crate::certificate::{
    self, Answers, CertificateError, FailedRenewal, Files, Followed, Keeper, Shown,
};
use crate::clock::Clock;
use crate::config::{Config, PublicUrl, Tls};
use crate::http::operator::{OperatorSocket, SOCKET_FILE};
use crate::http::{Address, Ports};
use crate::mark::{self, Mark};
use crate::oauth;
use crate::ownership::{Folder, FolderError};
use crate::provider::Providers;
use crate::secret::{Kept, KeyError, KeyFile, Keys, SealingError, where_left};
use crate::store::{KEY_NOTE, OpenError, Store, StoreError};
use crate::tls::{Dialer, DialerError, Ending};
use crate::worker::Workers;
use sockets::Sockets;

/// A relay that runs.
#[derive(Debug)]
pub struct RunningApp {
    app: Arc<App>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    /// Gives up what waits for a server.
    ending: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    /// What keeps the certificate fresh, where it is the relay's own.
    following: Option<JoinHandle<()>>,
    workers: Workers,
}

/// Why the relay did not start. Nothing is left half open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database did not open.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// Another relay has the mark.
    #[error(transparent)]
    Mark(#[from] mark::InUse),
    /// The database failed at start.
    #[error("the database failed at start")]
    Store(#[from] StoreError),
    /// The key file did not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key file belongs to another database.
    #[error(
        "the key file {path} is not the one that sealed this database: it has the key {found}, the database needs {needed}; put the right file back from your backup{}",
        where_left(.path, .needed)
    )]
    WrongKey {
        /// The file.
        path: PathBuf,
        /// The id of its key.
        found: String,
        /// The id of the database's key.
        needed: String,
    },
    /// What the database keeps of the keys does not open.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// The extra root certificates did not load.
    #[error("the root certificates {path} cannot be read")]
    Roots {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] DialerError),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Client(#[from] oauth::ClientError),
    /// The certificate of its own address cannot be shown.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The address is taken.
    #[error("{address} is in use by another program: stop it, or set `{setting}` to another port")]
    PortInUse {
        /// The setting.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Sockets were handed over, and none of them listens where the configuration says.
    #[error(
        "systemd holds {found} for the relay, and `listen` says {wanted}: write one address into both, ListenStream= in unpause.socket and `listen` in the configuration"
    )]
    OtherSockets {
        /// Where they listen.
        found: String,
        /// What the configuration says.
        wanted: SocketAddr,
    },
    /// A socket was handed over that nothing of the configuration is for: whoever came there would wait for ever.
    #[error(
        "systemd holds {found} for the relay, and neither `listen` nor `http_listen` says that: take it out of unpause.socket, or write it into the configuration"
    )]
    IdleSocket {
        /// Where it listens.
        found: SocketAddr,
    },
    /// A port that not every user may listen on.
    #[error(
        "this user may not listen on {address} ({setting}): let systemd hold the port, by ListenStream={address} in unpause.socket, or give the relay the capability CAP_NET_BIND_SERVICE"
    )]
    Forbidden {
        /// The setting.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address} ({setting})")]
    Listen {
        /// The setting.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder is not this user's.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The socket that lets the operator in could not be made.
    #[error("the operator's socket {path} cannot be made")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl RunningApp {
    /// Opens everything and starts serving and working.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        Self::start_on(config, clock, Vec::new()).await
    }

    /// The same, on the sockets that were held for the relay where there are such.
    pub async fn start_on(
        config: Config,
        clock: Clock,
        held: Vec<(SocketAddr, std::net::TcpListener)>,
    ) -> Result<Self, StartError> {
        let roots = match &config.extra_roots_file {
            Some(path) => Some(read_roots(path)?),
            None => None,
        };
        // Servers that come over the API are not the operator's word; these are.
        let written = config.providers.values();
        let alerts = config.notify.mail.as_ref().map(|mail| &mail.server);
        let (ending, told) = watch::channel(false);
        let dialer = Dialer::new(roots.as_deref())?
            .until(Ending::new(told))
            .reaching(
                written
                    .flat_map(|provider| [&provider.smtp, &provider.imap])
                    .chain(alerts),
            );
        let oauth = oauth::Client::new(&dialer)?;
        let certified = certify(&config)?;
        // What can be refused without writing comes first: a relay that does not start leaves no file behind.
        let database = config.data.join(DATABASE_FILE);
        Folder::check(&config.data)?;
        let found = find_key_file(&config.key_file)?;
        let mut sockets = Sockets::new(held);
        let listening = sockets.listen(config.listen).await;
        let listener = match listening {
            Ok(listener) => listener,
            Err(taken) => {
                // Where one relay has both the port and the database, the database says more.
                Store::check_unused(&database)?;
                return Err(taken);
            }
        };
        let redirecting = match config.http_listen {
            Some(address) => Some(sockets.redirect(address).await?),
            None => None,
        };
        sockets.refuse_idle()?;
        Store::check_unused(&database)?;
        let lock = mark::lock(&config.mark_file)?;
        let folder = Folder::take(&config.data)?;
        let store = Store::open(&database, &clock).await?;
        let opened = open_keys(&store, &config.key_file, found, clock.now()).await;
        // The database and the mark are this process's own: what stands there of a relay that was killed may go.
        let opened = opened.and_then(|keys| Ok((keys, bind_socket(folder)?)));
        let (keys, socket) = match opened {
            Ok(opened) => opened,
            Err(refused) => {
                store.close().await;
                return Err(refused);
            }
        };
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            setting: "listen",
            address: config.listen,
            source,
        })?;
        // Whoever had the port meanwhile got what browsers, or a proxy for them, sent there; but for one to whom
        // they speak only by TLS, whose key he has not.
        // And a session that was ended since a backup is no session of a database that was put back from it.
        let is_put_back = store.is_put_back().await?;
        if config.tls.is_none() || is_put_back {
            store.doors().end_what_others_may_have().await?;
        }
        if is_put_back {
            end_api_keys(&store).await?;
        }
        // Before this process gives a sign of life of its own.
        store.bridge_absence().await?;
        let (mark, watch) = Mark::begin(&config.mark_file, lock, &store, &clock).await?;
        let providers = Providers::new(&config, oauth.clone());
        let (bell, wanted) = Bell::new();
        let app = Arc::new(App {
            config,
            clock,
            store,
            mark,
            watch,
            keys,
            dialer,
            oauth,
            providers,
            bell,
        });
        let relay = Address::new(address, &app.config).url();
        let (failed, failing) = watch::channel(None);
        let workers = Workers::start(&app, wanted, &relay, failing).await?;
        let (stop, stopped) = watch::channel(false);
        let host = app.config.public_url.as_ref().map(PublicUrl::host);
        let host = host.unwrap_or_default().to_owned();
        let mut ports = Ports {
            listener,
            tls: None,
            redirecting,
            answers: Arc::default(),
        };
        let mut following = None;
        if let Some(Certified {
            server,
            answers,
            source,
        }) = certified
        {
            ports.tls = Some(server);
            ports.answers = answers;
            following = Some(tokio::spawn(source.keep(host, app.clock.clone(), failed)));
        }
        let server = tokio::spawn(crate::http::run(Arc::clone(&app), ports, socket, stopped));
        Ok(Self {
            app,
            address,
            stop,
            ending,
            server,
            following,
            workers,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its parts share.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Ends it in order: no new requests, the workers after the message they are at, then the database.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Some(following) = self.following {
            following.abort();
        }
        let (served, ()) = tokio::join!(self.server, self.workers.stop(&self.ending));
        match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the server ended with an error"),
            Err(error) => tracing::error!(%error, "the server's task failed"),
        }
        if let Err(error) = self.app.store.beat().await {
            tracing::warn!(%error, "the time since the last beat is not on record");
        }
        let lived_ms = self.app.store.lived_ms(self.app.clock.now());
        if let Err(error) = self.app.mark.sync(lived_ms).await {
            tracing::warn!(%error, "the mark is not written");
        }
        self.app.store.close().await;
    }
}

/// Ends every API key of a database that was put back: one that was deleted since the backup would be good again.
async fn end_api_keys(store: &Store) -> Result<(), StoreError> {
    let ended = store.doors().delete_keys().await?;
    if ended > 0 {
        tracing::warn!(
            ended,
            "API keys of the backup were ended, since some may have been deleted after it: make new ones"
        );
    }
    Ok(())
}

/// The key file that is there.
fn find_key_file(path: &Path) -> Result<Option<KeyFile>, StartError> {
    match KeyFile::load(path, false) {
        Ok(file) => Ok(Some(file)),
        Err(KeyError::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The keys of this database. A new database may make a new key file; an old one needs its own, wherever a renewal that
/// was interrupted left it.
async fn open_keys(
    store: &Store,
    path: &Path,
    found: Option<KeyFile>,
    now: Timestamp,
) -> Result<Keys, StartError> {
    let needed = store.find_meta(KEY_NOTE).await?;
    let file = match (found, &needed) {
        (Some(file), None) => file,
        (Some(file), Some(needed)) if file.id() == needed => file,
        (_, Some(needed)) => KeyFile::find(path, needed)?,
        (None, None) => KeyFile::load(path, true)?,
    };
    if let Some(needed) = needed.filter(|needed| needed != file.id()) {
        return Err(StartError::WrongKey {
            path: path.to_owned(),
            found: file.id().to_owned(),
            needed,
        });
    }
    let mut kept = store.load_kept().await?;
    if kept.generations.is_empty() {
        kept = Kept::begin(&file, now)?;
        store.begin_kept(&kept).await?;
    }
    Ok(Keys::of(&file, kept)?)
}

/// TLS of the relay's own.
struct Certified {
    server: certificate::Server,
    answers: Arc<Answers>,
    source: Source,
}

/// What keeps the certificate fresh.
enum Source {
    Files(Followed),
    Acme(Box<Keeper>),
}

impl Source {
    async fn keep(self, host: String, clock: Clock, failed: watch::Sender<Option<FailedRenewal>>) {
        match self {
            Self::Files(followed) => followed.follow(host, clock, &failed).await,
            Self::Acme(keeper) => keeper.keep(clock, &failed).await,
        }
    }
}

/// The certificate of the relay's own address, shown where there is one already, and what keeps it; `None` where it has
/// no TLS of its own.
fn certify(config: &Config) -> Result<Option<Certified>, StartError> {
    let Some(tls) = config.tls.clone() else {
        return Ok(None);
    };
    let (shown, proof, answers, source) = match tls {
        Tls::Files { certificate, key } => {
            let shown = Arc::new(Shown::default());
            let followed = Files { certificate, key }.show(Arc::clone(&shown))?;
            (
                shown,
                Arc::default(),
                Arc::default(),
                Source::Files(followed),
            )
        }
        Tls::Acme(acme) => {
            let roots = acme.roots.as_deref().map(read_roots).transpose()?;
            let host = config.public_url.as_ref().map(PublicUrl::host);
            let host = host.unwrap_or_default().to_owned();
            let trust = Dialer::new(roots.as_deref())?.client_config();
            let keeper = Keeper::new(acme, host, &config.data, trust);
            keeper.show_kept();
            let (shown, proof) = keeper.shown();
            (
                shown,
                proof,
                keeper.answers(),
                Source::Acme(Box::new(keeper)),
            )
        }
    };
    Ok(Some(Certified {
        server: certificate::Server::new(shown, proof)?,
        answers,
        source,
    }))
}

/// Reads all files that a start needs and that are there before it, as it would.
pub fn check_files(config: &Config) -> Result<(), StartError> {
    let roots = config.extra_roots_file.as_deref();
    Dialer::new(roots.map(read_roots).transpose()?.as_deref())?;
    match config.tls.clone() {
        Some(Tls::Files { certificate, key }) => Files { certificate, key }.check()?,
        Some(Tls::Acme(acme)) => {
            let roots = acme.roots.as_deref().map(read_roots).transpose()?;
            Dialer::new(roots.as_deref())?;
        }
        None => {}
    }
    Ok(())
}

fn read_roots(path: &Path) -> Result<Vec<u8>, StartError> {
    std::fs::read(path).map_err(|source| StartError::Roots {
        path: path.to_owned(),
        source,
    })
}

fn bind_socket(folder: Folder) -> Result<OperatorSocket, StartError> {
    let path = folder.path().join(SOCKET_FILE);
    OperatorSocket::bind(folder).map_err(|source| StartError::Socket { path, source })
}

#[cfg(test)]
mod tests;
