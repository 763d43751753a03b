//! A certificate by ACME (RFC 8555): got when there is none, renewed when two thirds of its time are over, and shown
//! without anybody noticing. What the authority asks for is answered at the relay's own ports: within TLS
//! (`tls-alpn-01`, RFC 8737) or on port 80 (`http-01`, RFC 8555 §8.3). What fails is told with what a person can do
//! about it, and tried again after a rest; the certificate before is shown until then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::timestamp::{Timestamp, duration_ms};
use rustls::ClientConfig;
use tokio::sync::watch;
use url::Url;

use super::{Shown, words_of};
use crate::clock::Clock;
use crate::config::Acme;
use crate::secret::random_below;

mod asking;
mod issue;
mod kept;
mod refusal;

use asking::Wish;
use kept::Kept;
use refusal::{AcmeError, rest_after};

/// The folder below the data folder.
const FOLDER: &str = "acme";
/// Between two looks at the clock: a computer that slept finds it on.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// A rest is longer by up to this part of it, so that not all who were refused at once come back at once.
const JITTER_PART: u32 = 8;

/// What is answered on port 80 to an authority: by the token in the path.
#[derive(Debug, Default)]
pub struct Answers(Mutex<BTreeMap<String, String>>);

impl Answers {
    /// The answer to a token; `None` for one that nobody waits for.
    pub fn find(&self, token: &str) -> Option<String> {
        self.lock().get(token).cloned()
    }

    fn put(&self, token: &str, answer: &str) {
        self.lock().insert(token.to_owned(), answer.to_owned());
    }

    fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new certificate that was not got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedRenewal {
    /// Tries that failed in a row.
    pub in_row: u32,
    /// The one that is shown meanwhile; `None` where there is none.
    pub shown: Option<ShownUntil>,
}

/// Until when a certificate is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownUntil {
    /// When it was to be renewed.
    pub renew_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// What gets certificates and keeps them.
pub struct Keeper {
    acme: Acme,
    /// The name that they are for.
    host: String,
    kept: Kept,
    /// Whom it trusts to be the authority.
    trust: Arc<ClientConfig>,
    shown: Arc<Shown>,
    /// What is shown to an authority that asks within TLS.
    proof: Arc<Shown>,
    answers: Arc<Answers>,
}

impl Keeper {
    /// What gets certificates for this name and keeps them below this folder; `trust` says who is the authority.
    pub fn new(acme: Acme, host: String, data: &Path, trust: Arc<ClientConfig>) -> Self {
        Self {
            acme,
            host,
            kept: Kept::new(data.join(FOLDER)),
            trust,
            shown: Arc::default(),
            proof: Arc::default(),
            answers: Arc::default(),
        }
    }

    /// What is shown to people, and to an authority that asks within TLS.
    pub fn shown(&self) -> (Arc<Shown>, Arc<Shown>) {
        (Arc::clone(&self.shown), Arc::clone(&self.proof))
    }

    /// What an authority is answered on port 80.
    pub fn answers(&self) -> Arc<Answers> {
        Arc::clone(&self.answers)
    }

    /// Shows the certificate that is kept, if there is one for this name.
    pub fn show_kept(&self) {
        if let Some(kept) = self.kept.find_certificate()
            && kept.is_for(&self.host)
        {
            self.shown.replace(kept);
        }
    }

    /// Gets and renews for as long as the relay runs; while that fails, `failed` says so.
    pub async fn keep(self, clock: Clock, failed: &watch::Sender<Option<FailedRenewal>>) {
        self.respect_wish(&clock).await;
        let wish = Wish::default();
        let mut in_row = 0;
        loop {
            let due_in = self.shown.current().map_or(Duration::ZERO, |certificate| {
                certificate.renew_at().since(clock.now())
            });
            if !due_in.is_zero() {
                tokio::time::sleep(due_in.min(LOOK_EVERY)).await;
                continue;
            }
            match self.obtain(&clock, &wish).await {
                Ok(certificate) => {
                    tracing::info!(host = self.host, ends_at = %certificate.ends_at, "a certificate was got and is shown from now on");
                    self.shown.replace(certificate);
                    in_row = 0;
                    failed.send_replace(None);
                }
                Err(error) => {
                    in_row += 1;
                    let wish = wish.take();
                    let rest = rest_after(&error, in_row, wish);
                    let rest = rest + random_part(rest / JITTER_PART);
                    // Before it is told: who reads it may end the relay at once.
                    if wish.is_some() {
                        self.keep_wish(&clock, rest);
                    }
                    self.tell(&error, &clock, rest);
                    let shown = self.shown.current().map(|shown| ShownUntil {
                        renew_at: shown.renew_at(),
                        ends_at: shown.ends_at,
                    });
                    failed.send_replace(Some(FailedRenewal { in_row, shown }));
                    tokio::time::sleep(rest).await;
                }
            }
        }
    }

    /// An authority that wished to be left alone is, also by a relay that is started again.
    async fn respect_wish(&self, clock: &Clock) {
        loop {
            let until = self.kept.find_rest(&self.acme.directory);
            let rest = until.map_or(Duration::ZERO, |until| until.since(clock.now()));
            if rest.is_zero() {
                break;
            }
            tracing::warn!(
                authority = self.authority(),
                shown_until = self.shown_until(),
                again_in_s = rest.as_secs(),
                "the certificate authority wishes to be left alone, and is not asked before"
            );
            tokio::time::sleep(rest.min(LOOK_EVERY)).await;
        }
        if let Err(error) = self.kept.forget_rest() {
            tracing::warn!(error = words_of(&error), "a file that is over is kept");
        }
    }

    fn keep_wish(&self, clock: &Clock, rest: Duration) {
        let kept = self
            .kept
            .keep_rest(&self.acme.directory, clock.now() + rest);
        if let Err(error) = kept {
            tracing::warn!(
                error = words_of(&error),
                "what the authority wishes is not kept over a start"
            );
        }
    }

    /// What an operator reads: what was refused, by whom, what he can do, and how long there is time for it.
    fn tell(&self, error: &AcmeError, clock: &Clock, rest: Duration) {
        let shown = self.shown.current();
        let message = match shown {
            Some(shown) if shown.ends_at > clock.now() => {
                "no new certificate was got; the one before is shown on"
            }
            Some(_) => {
                "no new certificate was got, and the one that is shown has run out: browsers and the extension refuse it"
            }
            None => "no certificate was got, and there is none: nobody can come by https",
        };
        tracing::error!(
            error = words_of(error),
            shown_until = self.shown_until(),
            again_in_s = rest.as_secs(),
            "{message}"
        );
    }

    fn shown_until(&self) -> String {
        let shown = self.shown.current();
        shown.map_or_else(|| "none".to_owned(), |shown| shown.ends_at.to_string())
    }

    /// The host of the authority.
    fn authority(&self) -> String {
        let url = self.acme.directory.parse::<Url>().ok();
        let host = url.as_ref().and_then(Url::host_str);
        host.unwrap_or(&self.acme.directory).to_owned()
    }
}

/// Some time below this.
fn random_part(whole: Duration) -> Duration {
    let below = u64::try_from(duration_ms(whole)).unwrap_or(0);
    Duration::from_millis(random_below(below))
}
