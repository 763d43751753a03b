//! A mail provider in a box: OAuth server, SMTP submission, IMAP and a small webmail page on
//! loopback, with faults on command. For the demo, the tests and the load runs.
//!
//! It shares no code with the relay, so that the two do not share their beliefs, and keeps
//! everything in memory: only its test CA may be kept in a folder.

mod account;
mod certificate;
mod chance;
mod clock;
mod connection;
pub mod control;
pub mod device;
mod echo;
mod imap;
mod listener;
mod mail;
mod oauth;
pub mod profile;
mod provider;
mod sasl;
mod smtp;
mod webmail;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

pub use account::UnknownPerson;
pub use certificate::{CA_FILE, CertificateError};
pub use control::{
    AccountDoes, AccountFault, Control, DropAfterData, Event, Gate, GrantType, Held, Met, Point,
    SentCopyFault, Stage, Trouble, UnknownFolder,
};
pub use mail::{Delivered, Folder, Stored};
pub use oauth::grant::{Grant, KnownSecret, SecretKind};
pub use profile::Profile;

use crate::account::Accounts;
use crate::chance::Chance;
use crate::listener::Service;
use crate::mail::MailStore;
use crate::oauth::Clients;
use crate::oauth::browser::Browsers;
use crate::oauth::grant::Grants;
use crate::oauth::id_token::IdTokens;
use crate::provider::Provider;

/// The client without a secret: it proves itself by PKCE alone.
pub const PUBLIC_CLIENT: &str = "sandbox-public";
/// The client with a secret.
pub const CONFIDENTIAL_CLIENT: &str = "sandbox-confidential";

/// How long [`Sandbox::stop`] lets HTTP requests under way come to their end.
const LAST_REQUESTS_FOR: Duration = Duration::from_secs(1);

/// What to start.
#[derive(Clone)]
pub struct Options {
    /// Whose habits to have.
    pub profile: &'static Profile,
    /// Who has an account. Recipients need none.
    pub people: Vec<Person>,
    /// How long an access token is good.
    pub access_token_for: Duration,
    /// The ports.
    pub listen: Listen,
    /// Whether the clients are verified, where the provider warns of those that are not.
    pub verified_clients: bool,
    /// Decides the faults that happen by chance.
    pub seed: u64,
    /// The secret of [`CONFIDENTIAL_CLIENT`]; `None` makes one.
    pub client_secret: Option<String>,
    /// The folder that keeps the test CA; `None` makes a new one at each start.
    pub data: Option<PathBuf>,
    /// What it calls itself where something stands in front of its HTTP server; `None`: where it listens.
    pub issuer: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: &profile::GENERIC,
            people: vec![Person {
                address: "jane@acme.example".to_owned(),
                name: "Jane Doe".to_owned(),
                password: "sandbox-password".to_owned(),
            }],
            // What most providers say in `expires_in`.
            access_token_for: Duration::from_hours(1),
            listen: Listen::default(),
            verified_clients: true,
            seed: 0,
            client_secret: None,
            data: None,
            issuer: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("profile", &self.profile.name)
            .field("people", &self.people)
            .field("access_token_for", &self.access_token_for)
            .field("listen", &self.listen)
            .field("verified_clients", &self.verified_clients)
            .field("seed", &self.seed)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// Somebody with an account.
#[derive(Clone)]
pub struct Person {
    /// The e-mail address; case does not matter.
    pub address: String,
    /// The name on pages and in userinfo.
    pub name: String,
    /// The password of the sign-in page, of SMTP and of IMAP.
    pub password: String,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("address", &self.address)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The ports on 127.0.0.1; 0 takes a free one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listen {
    /// OAuth, webmail and control.
    pub http: u16,
    /// Submission with implicit TLS.
    pub smtps: u16,
    /// Submission with STARTTLS.
    pub submission: u16,
    /// IMAP with implicit TLS.
    pub imaps: u16,
}

/// Why the sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or may not be used.
    #[error("cannot listen on 127.0.0.1:{port} for {service}")]
    Listen {
        /// What was to be served there.
        service: &'static str,
        /// Which port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// No certificate for the TLS servers.
    #[error("no certificate")]
    Certificate(#[from] CertificateError),
    /// No key to sign ID tokens with.
    #[error("no key for ID tokens")]
    IdTokenKey(#[from] rcgen::Error),
    /// The operating system gives no randomness.
    #[error("no randomness")]
    Randomness(#[source] io::Error),
    /// Two people have the same address.
    #[error("two people have the address {address}")]
    TwoOfOneAddress {
        /// Which.
        address: String,
    },
}

/// A running provider. It ends when it is dropped; [`Self::stop`] waits for the end.
pub struct Sandbox {
    control: Control,
    origin: String,
    issuer: String,
    http: SocketAddr,
    smtps: SocketAddr,
    submission: SocketAddr,
    imaps: SocketAddr,
    ca_pem: String,
    client_secret: String,
    warns: bool,
    tasks: JoinSet<()>,
    /// Dropped to end the HTTP server.
    running: watch::Sender<()>,
}

impl Sandbox {
    /// Starts every server; they answer when this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let mut addresses = std::collections::HashSet::new();
        for person in &options.people {
            let address = person.address.to_lowercase();
            if !addresses.insert(address.clone()) {
                return Err(StartError::TwoOfOneAddress { address });
            }
        }
        let certificate = certificate::create_certificate(options.data.as_deref())?;
        let chance = Chance::new(options.seed)
            .map_err(|error| StartError::Randomness(io::Error::other(error)))?;
        let (http, http_at) = listen("http", options.listen.http).await?;
        let (smtps, smtps_at) = listen("smtps", options.listen.smtps).await?;
        let (submission, submission_at) = listen("submission", options.listen.submission).await?;
        let (imaps, imaps_at) = listen("imaps", options.listen.imaps).await?;
        // Where an issuer is given, everybody comes by way of it.
        let origin = options
            .issuer
            .unwrap_or_else(|| format!("http://{http_at}"));
        let path = options
            .profile
            .oauth
            .as_ref()
            .map_or("", |oauth| oauth.issuer_path);
        let issuer = format!("{origin}{path}");
        let client_secret = options.client_secret.unwrap_or_else(|| chance.token());
        let profile = options.profile;
        let provider = Arc::new(Provider {
            profile,
            origin: origin.clone(),
            issuer: issuer.clone(),
            clients: Clients::new(client_secret.clone(), options.verified_clients),
            accounts: Accounts::new(options.people, profile),
            grants: Grants::new(
                options.access_token_for,
                profile.oauth.as_ref().map(|oauth| oauth.rotation),
            ),
            id_tokens: IdTokens::new()?,
            browsers: Browsers::default(),
            mail: MailStore::new(profile.folders, uid_validity()),
            points: control::point::Points::new(),
            faults: Mutex::default(),
            chance,
            sessions: AtomicU64::new(0),
        });
        let control = Control::new(Arc::clone(&provider));
        let acceptor = TlsAcceptor::from(certificate.server);
        let mut tasks = JoinSet::new();
        for (service, listener) in [
            (Service::Smtps, smtps),
            (Service::Submission, submission),
            (Service::Imaps, imaps),
        ] {
            tasks.spawn(listener::serve(
                service,
                listener,
                Arc::clone(&provider),
                acceptor.clone(),
            ));
        }
        let running = watch::Sender::new(());
        let mut stopped = running.subscribe();
        let app = router(provider, control.clone());
        tasks.spawn(async move {
            let service = app.into_make_service_with_connect_info::<SocketAddr>();
            let until = async move { while stopped.changed().await.is_ok() {} };
            // It ends when it is told to, and has no other error to tell.
            let _ = axum::serve(http, service)
                .with_graceful_shutdown(until)
                .await;
        });
        Ok(Self {
            control,
            origin,
            issuer,
            http: http_at,
            smtps: smtps_at,
            submission: submission_at,
            imaps: imaps_at,
            ca_pem: certificate.ca_pem,
            client_secret,
            warns: !options.verified_clients
                && profile
                    .oauth
                    .as_ref()
                    .is_some_and(|oauth| oauth.warns_of_unverified),
            tasks,
            running,
        })
    }

    /// `http://127.0.0.1:PORT`: OAuth, userinfo, webmail and control.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What the authorization server calls itself: the origin, with a path where the profile has one; or what the
    /// options say.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where its HTTP server listens.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Submission with implicit TLS (RFC 8314).
    pub fn smtps(&self) -> SocketAddr {
        self.smtps
    }

    /// Submission with STARTTLS.
    pub fn submission(&self) -> SocketAddr {
        self.submission
    }

    /// IMAP with implicit TLS.
    pub fn imaps(&self) -> SocketAddr {
        self.imaps
    }

    /// The test CA to trust, for this machine's names only.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The secret of [`CONFIDENTIAL_CLIENT`].
    pub fn client_secret(&self) -> &str {
        &self.client_secret
    }

    /// Whose habits it has.
    pub fn profile(&self) -> &'static Profile {
        self.control.profile()
    }

    /// Whether people are warned of its clients before they are asked.
    pub fn warns_of_clients(&self) -> bool {
        self.warns
    }

    /// What a test may do to it.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Ends every server and every connection.
    pub async fn stop(mut self) {
        self.control.reset_faults();
        drop(self.running);
        // The mail servers never end by themselves, so this waits for the last HTTP requests.
        let _ = tokio::time::timeout(LAST_REQUESTS_FOR, self.tasks.join_next()).await;
        self.tasks.shutdown().await;
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("issuer", &self.issuer)
            .field("smtps", &self.smtps)
            .field("submission", &self.submission)
            .field("imaps", &self.imaps)
            .finish_non_exhaustive()
    }
}

fn router(provider: Arc<Provider>, control: Control) -> Router {
    oauth::router(provider.profile.oauth.as_ref())
        .merge(webmail::router())
        .layer(middleware::from_fn_with_state(
            Arc::clone(&provider),
            control::token::meet,
        ))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&provider),
            with_faults,
        ))
        .with_state(provider)
        .merge(control::http::router(control))
}

/// The faults of HTTP; control is outside of them.
async fn with_faults(
    State(provider): State<Arc<Provider>>,
    request: Request,
    next: Next,
) -> Response {
    let (down, slow, garbage) = {
        let faults = locked(&provider.faults);
        (faults.down, faults.slow, faults.garbage)
    };
    if !slow.is_zero() {
        tokio::time::sleep(slow).await;
    }
    if down {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if garbage && matches!(request.uri().path(), "/token" | "/userinfo") {
        return "<html>garbage".into_response();
    }
    if request.method() == Method::POST && request.uri().path() == "/token" {
        let flood = locked(&provider.faults).flood.take();
        if let Some(flood) = flood {
            return flood.answer();
        }
    }
    next.run(request).await
}

async fn listen(service: &'static str, port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen {
        service,
        port,
        source,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(failed)?;
    let at = listener.local_addr().map_err(failed)?;
    Ok((listener, at))
}

/// Later runs get higher ones (RFC 9051 §2.3.1.1): seconds since 1970, which fit until 2106.
fn uid_validity() -> u32 {
    u32::try_from(clock::now_ms() / 1000).unwrap_or(u32::MAX)
}

/// A panic elsewhere leaves no value half changed here, so a poisoned lock is used as it is.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
