//! A certificate by ACME (RFC 8555): got when there is none, renewed when two thirds of its time are over, and shown
//! without anybody noticing. What the authority asks for is answered at the relay's own ports: within TLS
//! (`tls-alpn-01`, RFC 8737) or on port 80 (`http-01`, RFC 8555 §8.3). What fails is told with what a person can do
//! about it, and tried again after a rest; the certificate before is shown until then.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType,
    Error, HttpClient, Identifier, KeyAuthorization, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::{Certificate, Flaw, Shown, words_of};
use crate::clock::Clock;
use crate::config::{Acme, AcmeChallenge};

/// The first rest after a failure; each further one is twice as long. Authorities allow five failures an hour or so.
const REST: Duration = Duration::from_mins(2);
const REST_AT_MOST: Duration = Duration::from_hours(6);
/// Between two looks at the clock: a computer that slept finds it on.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// How long one request to the authority may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How often a nonce is refreshed that the authority calls bad (RFC 8555 §6.5).
const NONCES: usize = 5;

/// Why there is no certificate this time.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    /// The authority does not answer as it should, or says no.
    #[error("the certificate authority {directory} gave none")]
    Authority {
        /// Its directory.
        directory: String,
        /// What it said, or why it said nothing.
        source: Error,
    },
    /// It could not see that the name is ours.
    #[error("the certificate authority could not reach this relay at {host}: {said}; {advice}")]
    Unproved {
        /// The name.
        host: String,
        /// Its words.
        said: String,
        /// What to look at.
        advice: &'static str,
    },
    /// It does not offer this way to prove it.
    #[error(
        "the certificate authority offers no {challenge}: set tls.acme.challenge to the other one"
    )]
    NotOffered {
        /// The way.
        challenge: &'static str,
    },
    /// What it gave cannot be used.
    #[error("the certificate of the authority cannot be used: {0}")]
    Unfit(String),
    /// What was got cannot be kept.
    #[error("{path} cannot be written")]
    Storage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What is answered on port 80 to an authority: by the token in the path.
#[derive(Debug, Default)]
pub struct Answers(Mutex<BTreeMap<String, String>>);

impl Answers {
    /// The answer to a token; `None` for one that nobody waits for.
    pub fn find(&self, token: &str) -> Option<String> {
        self.lock().get(token).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What gets certificates and keeps them.
pub struct Keeper {
    /// How.
    pub acme: Acme,
    /// The name that they are for.
    pub host: String,
    /// Where account and certificate are kept.
    pub folder: PathBuf,
    /// Whom it trusts to be the authority.
    pub trust: Arc<ClientConfig>,
    /// What is shown.
    pub shown: Arc<Shown>,
    /// What is shown to an authority that asks within TLS.
    pub proof: Arc<Shown>,
    /// What it is answered on port 80.
    pub answers: Arc<Answers>,
}

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

impl Keeper {
    /// Shows the certificate that is kept, if there is one for this name.
    pub fn show_kept(&self) {
        let read = |name| fs::read(self.folder.join(name));
        let (Ok(chain), Ok(key)) = (read("certificate.pem"), read("key.pem")) else {
            return;
        };
        // One that cannot be used any more is got anew.
        if let Ok(kept) = Certificate::parse(&chain, &key)
            && kept.is_for(&self.host)
        {
            self.shown.replace(kept);
        }
    }

    /// Gets and renews for as long as the relay runs.
    pub async fn keep(self, clock: Clock) {
        let mut rest = REST;
        loop {
            let due_in = self.shown.current().map_or(Duration::ZERO, |certificate| {
                certificate.renew_at().since(clock.now())
            });
            if !due_in.is_zero() {
                tokio::time::sleep(due_in.min(LOOK_EVERY)).await;
                continue;
            }
            match self.renew().await {
                Ok(certificate) => {
                    tracing::info!(host = self.host, ends_at = %certificate.ends_at, "a certificate was got and is shown from now on");
                    self.shown.replace(certificate);
                    rest = REST;
                }
                Err(error) => {
                    let ends_at = self.shown.current().map(|shown| shown.ends_at.to_string());
                    tracing::error!(
                        error = words_of(&error),
                        shown_until = ends_at.unwrap_or_else(|| "there is none yet".to_owned()),
                        again_in_s = rest.as_secs(),
                        "no certificate was got"
                    );
                    tokio::time::sleep(rest).await;
                    rest = (rest * 2).min(REST_AT_MOST);
                }
            }
        }
    }

    async fn renew(&self) -> Result<Certificate, AcmeError> {
        let account = self.open_account().await?;
        let got = self.obtain(&account).await;
        self.answers.lock().clear();
        self.proof.clear();
        let (chain, key) = got?;
        let unfit = |words: &str| AcmeError::Unfit(words.to_owned());
        let certificate =
            Certificate::parse(chain.as_bytes(), key.as_bytes()).map_err(|flaw| match flaw {
                Flaw::NoCertificate => unfit("it holds no certificate"),
                Flaw::NoKey => unfit("it has no key"),
                Flaw::Unfit(why) => AcmeError::Unfit(why),
            })?;
        if !certificate.is_for(&self.host) {
            return Err(unfit("it is for another name"));
        }
        // The key first: a certificate without its key is got anew.
        self.write("key.pem", &key)?;
        self.write("certificate.pem", &chain)?;
        Ok(certificate)
    }

    /// The account that is kept, else a new one.
    async fn open_account(&self) -> Result<Account, AcmeError> {
        let directory = self.acme.directory.clone();
        let client = Asking::new(&self.trust).map_err(|error| self.failed(error))?;
        let builder = Account::builder_with_http(Box::new(client));
        let kept = fs::read(self.folder.join("account.json")).ok();
        let kept = kept.and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
        if let Some(kept) = kept.filter(|kept| kept.directory == directory) {
            let opened = builder.from_credentials(kept.credentials).await;
            return opened.map_err(|error| self.failed(error));
        }
        let contact = format!("mailto:{}", self.acme.contact);
        let asked = NewAccount {
            contact: &[&contact],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let made = builder.create(&asked, directory.clone(), None).await;
        let (account, credentials) = made.map_err(|error| self.failed(error))?;
        let kept = Kept {
            directory,
            credentials,
        };
        let text = serde_json::to_string(&kept).map_err(|error| self.failed(error.into()))?;
        self.write("account.json", &text)?;
        Ok(account)
    }

    /// A chain and its key, PEM.
    async fn obtain(&self, account: &Account) -> Result<(String, String), AcmeError> {
        let names = [Identifier::Dns(self.host.clone())];
        let order = account.new_order(&NewOrder::new(&names)).await;
        let mut order = order.map_err(|error| self.failed(error))?;
        let mut authorizations = order.authorizations();
        while let Some(found) = authorizations.next().await {
            let mut authorization = found.map_err(|error| self.failed(error))?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let kind = match self.acme.challenge {
                AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
                AcmeChallenge::Http01 => ChallengeType::Http01,
            };
            let mut challenge = authorization.challenge(kind).ok_or(AcmeError::NotOffered {
                challenge: self.acme.challenge.name(),
            })?;
            let token = challenge.token.clone();
            self.prepare(&token, &challenge.key_authorization())?;
            let ready = challenge.set_ready().await;
            ready.map_err(|error| self.failed(error))?;
        }
        match self.wait_ready(&mut order).await? {
            OrderStatus::Ready => {}
            _ => return Err(self.find_refusal(&mut order).await),
        }
        let key = order.finalize().await.map_err(|error| self.failed(error))?;
        let chain = order.poll_certificate(&RetryPolicy::default()).await;
        Ok((chain.map_err(|error| self.failed(error))?, key))
    }

    /// Lets the authority find what it looks for.
    fn prepare(&self, token: &str, answer: &KeyAuthorization) -> Result<(), AcmeError> {
        match self.acme.challenge {
            AcmeChallenge::Http01 => {
                let answer = answer.as_str().to_owned();
                self.answers.lock().insert(token.to_owned(), answer);
            }
            AcmeChallenge::TlsAlpn01 => {
                let proof = make_proof(&self.host, answer.digest().as_ref());
                self.proof.replace(proof.map_err(AcmeError::Unfit)?);
            }
        }
        Ok(())
    }

    async fn wait_ready(&self, order: &mut Order) -> Result<OrderStatus, AcmeError> {
        let mut tries = 0;
        loop {
            match order.poll_ready(&RetryPolicy::default()).await {
                Err(Error::Api(problem)) if is_bad_nonce(&problem) && tries < NONCES => tries += 1,
                waited => return waited.map_err(|error| self.failed(error)),
            }
        }
    }

    /// Why the authority did not see that the name is ours, in its words.
    async fn find_refusal(&self, order: &mut Order) -> AcmeError {
        let mut said = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(Ok(authorization)) = authorizations.next().await {
            let told = authorization.challenges.iter();
            said.extend(told.filter_map(|challenge| challenge.error.as_ref()?.detail.clone()));
        }
        AcmeError::Unproved {
            host: self.host.clone(),
            said: protocol::shown::line(&said.join("; ")).into_owned(),
            advice: match self.acme.challenge {
                AcmeChallenge::TlsAlpn01 => {
                    "its DNS record must point here, and port 443 there must be the relay's own, with no proxy between"
                }
                AcmeChallenge::Http01 => {
                    "its DNS record must point here, and port 80 there must lead to http_listen"
                }
            },
        }
    }

    fn failed(&self, source: Error) -> AcmeError {
        AcmeError::Authority {
            directory: self.acme.directory.clone(),
            source,
        }
    }

    /// Keeps a text in a file of ours alone, whole or not at all.
    fn write(&self, name: &str, text: &str) -> Result<(), AcmeError> {
        let path = self.folder.join(name);
        write_whole(&self.folder, &path, text).map_err(|source| AcmeError::Storage { path, source })
    }
}

fn write_whole(folder: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let new = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn is_bad_nonce(problem: &instant_acme::Problem) -> bool {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind == "urn:ietf:params:acme:error:badNonce"
}

/// The certificate that answers within TLS (RFC 8737 §3): its own authority, with the digest in it.
fn make_proof(host: &str, digest: &[u8]) -> Result<Certificate, String> {
    let make = || {
        let key = KeyPair::generate()?;
        let mut asked = CertificateParams::new([host.to_owned()])?;
        asked.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = asked.self_signed(&key)?;
        Ok::<_, rcgen::Error>((certificate.der().clone(), key.serialize_der()))
    };
    let (certificate, key) = make().map_err(|error| error.to_string())?;
    Certificate::of_proof(certificate, key).map_err(|error| error.to_string())
}

/// Asks the authority by the relay's own HTTP client.
struct Asking(reqwest::Client);

impl Asking {
    fn new(trust: &ClientConfig) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust.clone())
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .timeout(ANSWER_WITHIN)
            .build();
        client
            .map(Self)
            .map_err(|error| Error::Other(Box::new(error)))
    }
}

impl HttpClient for Asking {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let other = |error| Error::Other(Box::new(error));
            let request = request.map(reqwest::Body::wrap);
            let request = reqwest::Request::try_from(request).map_err(other)?;
            let answer = client.execute(request).await.map_err(other)?;
            Ok(http::Response::<reqwest::Body>::from(answer).into())
        })
    }
}
