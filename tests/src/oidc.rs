//! The certified npm package `oidc-provider` as the OAuth server, in a node process of its own:
//! plain HTTP on a free port of loopback, its own sign-in and consent pages (`oidc/server.mjs`).
//! Deliberately absent: everything that decides about tokens; that is the package's.
//!
//! Observed with oidc-provider 9.13.3 on 2026-11-23:
//! - `offline_access` is granted only with `prompt=consent` (OpenID Connect Core §11), else dropped
//!   from the scopes without an error, and no refresh token comes.
//! - The public client is a native application: consent is asked every time, and `prompt=none` is
//!   answered with `interaction_required` even where session and grant exist (RFC 8252 §8.6).
//! - An access token is opaque, and `scope` in the answer of the token endpoint names what was granted.
//! - A confidential client authenticates by HTTP Basic here (RFC 6749 §2.3.1); the package accepts
//!   only the one method a client is registered with.
//! - It answers the redirect with `iss` (RFC 9207).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use url::Url;

use crate::child::{Child, ChildError};
use crate::http_client::{ClientError, http_client};
use crate::person::Person;
use crate::programs::{self, ProgramsMissing, find_program};

/// The client that has no secret: the browser extension, or any program of a person.
pub const PUBLIC_CLIENT_ID: &str = "unpause-public";
/// The client that has a secret: the relay.
pub const CONFIDENTIAL_CLIENT_ID: &str = "unpause-confidential";
/// Its secret, at a provider that lives as long as a test.
pub const CONFIDENTIAL_CLIENT_SECRET: &str = "only-as-long-as-a-test";
/// The client that only asks about tokens: the mail server.
pub const MAIL_SERVER_CLIENT_ID: &str = "mail-server";
/// Its secret, at a provider that lives as long as a test.
pub const MAIL_SERVER_CLIENT_SECRET: &str = "only-as-long-as-a-test-too";
/// Every scope the provider knows.
pub const SCOPES: [&str; 5] = [
    "openid",
    "email",
    "offline_access",
    "mail.send",
    "mail.read",
];

const SERVER: &str = include_str!("../oidc/server.mjs");
const PACKAGE: &str = include_str!("../oidc/package.json");
const PACKAGE_LOCK: &str = include_str!("../oidc/package-lock.json");

/// Node starts in a second; the rest is for a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A folder into which the provider's package is installed, with the exact versions of the lock file.
#[derive(Debug, Clone)]
pub struct OidcPackage {
    folder: PathBuf,
}

/// What the provider is told.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Who can sign in; the subject of each is the e-mail address.
    pub people: Vec<Person>,
    /// Where codes may be sent, for both clients.
    pub redirect_uris: Vec<String>,
    /// How long an access token is good.
    pub access_token_for: Duration,
    /// Whether a refresh token is replaced at each use (RFC 9700 §4.14.2).
    pub rotate_refresh_tokens: bool,
}

/// A running OpenID provider.
#[derive(Debug)]
pub struct Oidc {
    _child: Child,
    issuer: Url,
    _folder: TempDir,
}

/// Why there is no provider.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// node or another program is not installed.
    #[error(transparent)]
    Missing(#[from] ProgramsMissing),
    /// A folder cannot be made, filled or locked.
    #[error("the folder of the OpenID provider cannot be used")]
    Io(#[from] io::Error),
    /// The package could not be fetched.
    #[error("npm could not install the OpenID provider: {said}")]
    Install {
        /// What npm wrote.
        said: String,
    },
    /// It did not start.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// Its settings cannot be written, or what it printed cannot be read.
    #[error("the OpenID provider was not understood")]
    Json(#[from] serde_json::Error),
    /// No HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It did not answer.
    #[error("the OpenID provider did not answer")]
    Http(#[from] reqwest::Error),
}

impl OidcPackage {
    /// Installs the package into `folder`, unless this very version is there.
    /// Several processes may call this at once; one installs, the others wait.
    pub fn install(folder: &Path) -> Result<Self, OidcError> {
        programs::check()?;
        fs::create_dir_all(folder)?;
        let lock = File::create(folder.join("install.lock"))?;
        lock.lock()?;
        let files = [
            ("server.mjs", SERVER),
            ("package.json", PACKAGE),
            ("package-lock.json", PACKAGE_LOCK),
        ];
        for (name, text) in files {
            if fs::read(folder.join(name)).ok().as_deref() != Some(text.as_bytes()) {
                fs::write(folder.join(name), text)?;
            }
        }
        let installed = folder.join("node_modules").join("installed-from-lock.json");
        if fs::read(&installed).ok().as_deref() != Some(PACKAGE_LOCK.as_bytes()) {
            let npm = find_program("npm").unwrap_or_else(|| "npm".into());
            let output = Command::new(npm)
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(folder)
                .output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(OidcError::Install { said });
            }
            fs::write(installed, PACKAGE_LOCK)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Starts a provider that knows nobody but the people of `settings`.
    pub async fn start(&self, settings: &OidcSettings) -> Result<Oidc, OidcError> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("config.json");
        fs::write(&config, serde_json::to_vec(&Config::of(settings))?)?;
        let node = find_program("node").unwrap_or_else(|| "node".into());
        let mut command = Command::new(node);
        command.arg(self.folder.join("server.mjs")).arg(&config);
        let mut child = Child::start("oidc", command, folder.path())?;
        let stdout = folder.path().join("oidc.stdout");
        let ready_line = async || {
            let said = fs::read_to_string(&stdout).ok()?;
            said.split_inclusive('\n')
                .find(|line| line.starts_with("{\"ready\"") && line.ends_with('\n'))
                .map(str::to_owned)
        };
        let line = child
            .wait_until("its ready line", ready_line, READY_WITHIN)
            .await?;
        let Ready { issuer } = serde_json::from_str(&line)?;
        Ok(Oidc {
            _child: child,
            issuer,
            _folder: folder,
        })
    }
}

impl Oidc {
    /// The issuer; the metadata stands at `.well-known/openid-configuration` below it.
    /// A URL always ends with a slash at the root, the issuer's own text does not: [`Self::issuer_text`].
    pub fn issuer(&self) -> &Url {
        &self.issuer
    }

    /// The issuer as the provider writes it, to be compared byte by byte (RFC 9207 §2.4).
    pub fn issuer_text(&self) -> &str {
        self.issuer.as_str().trim_end_matches('/')
    }

    /// Where a browser is sent.
    pub fn authorization_endpoint(&self) -> Url {
        self.at("/auth")
    }

    /// Where codes and refresh tokens become access tokens.
    pub fn token_endpoint(&self) -> Url {
        self.at("/token")
    }

    /// Where an access token tells its subject.
    pub fn userinfo_endpoint(&self) -> Url {
        self.at("/me")
    }

    /// Where a client ends its own token (RFC 7009).
    pub fn revocation_endpoint(&self) -> Url {
        self.at("/token/revocation")
    }

    /// Where the mail server asks about tokens (RFC 7662), with its id and secret in it,
    /// as Dovecot wants it.
    pub fn introspection_url_of_mail_server(&self) -> Url {
        let mut url = self.at("/token/introspection");
        // Neither can fail: an HTTP URL has a host.
        let _user = url.set_username(MAIL_SERVER_CLIENT_ID);
        let _password = url.set_password(Some(MAIL_SERVER_CLIENT_SECRET));
        url
    }

    /// Ends every grant of a person with all its tokens and codes, as "remove access" at a real
    /// provider does. They stay signed in. Gives how many stored things went.
    pub async fn revoke_grants(&self, address: &str) -> Result<u64, OidcError> {
        let response = http_client(&[])?
            .post(self.at("/admin/revoke"))
            .form(&BTreeMap::from([("address", address)]))
            .send()
            .await?
            .error_for_status()?;
        let Revoked { removed } = response.json().await?;
        Ok(removed)
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.issuer.clone();
        url.set_path(path);
        url
    }
}

#[derive(Deserialize)]
struct Ready {
    issuer: Url,
}

#[derive(Deserialize)]
struct Revoked {
    removed: u64,
}

/// What `server.mjs` reads.
#[derive(Serialize)]
struct Config<'a> {
    port: u16,
    access_token_seconds: u64,
    rotate_refresh_tokens: bool,
    scopes: [&'static str; 5],
    accounts: Vec<ConfigAccount<'a>>,
    clients: Vec<ConfigClient<'a>>,
}

#[derive(Serialize)]
struct ConfigAccount<'a> {
    address: &'a str,
    password: &'a str,
}

#[derive(Serialize)]
struct ConfigClient<'a> {
    client_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'static str>,
    redirect_uris: &'a [String],
}

impl<'a> Config<'a> {
    fn of(settings: &'a OidcSettings) -> Self {
        let accounts = settings.people.iter();
        Self {
            port: 0,
            access_token_seconds: settings.access_token_for.as_secs(),
            rotate_refresh_tokens: settings.rotate_refresh_tokens,
            scopes: SCOPES,
            accounts: accounts
                .map(|Person { address, password }| ConfigAccount { address, password })
                .collect(),
            clients: vec![
                ConfigClient {
                    client_id: PUBLIC_CLIENT_ID,
                    client_secret: None,
                    redirect_uris: &settings.redirect_uris,
                },
                ConfigClient {
                    client_id: CONFIDENTIAL_CLIENT_ID,
                    client_secret: Some(CONFIDENTIAL_CLIENT_SECRET),
                    redirect_uris: &settings.redirect_uris,
                },
                ConfigClient {
                    client_id: MAIL_SERVER_CLIENT_ID,
                    client_secret: Some(MAIL_SERVER_CLIENT_SECRET),
                    redirect_uris: &[],
                },
            ],
        }
    }
}
