//! Whose requests they are, and that our answers are ours: a device signs what it asks by the key that it showed at
//! pairing, over a challenge that is good for some minutes and a text that is good once; every answer to a request whose
//! signature is good is signed, refusals included, and no other one is: whoever has heard a signature could ask something
//! else with it, and would be given what its device believes. What is covered is in [`protocol::signed`].

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::middleware::Next;
use axum::response::Response;
use ed25519_dalek::{Signature, VerifyingKey as DalekKey};
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use protocol::problem::{Code, Problem};
use protocol::renewal::RELAY_KEY;
use protocol::signed::{
    self, Answered, Asked, CHALLENGE, CONTENT_DIGEST, Presented, SIGNATURE, SIGNATURE_BYTES,
    SIGNATURE_INPUT, VerifyingKey,
};
use tokio::time::Instant;

use super::Api;
use crate::secret::random_text;

/// How long a challenge is given out; it is taken for as long again.
const CHALLENGE_FOR: Duration = Duration::from_mins(5);
/// The most nonces that are remembered of one challenge; after as many there is a new one.
const NONCES_AT_MOST: usize = 50_000;

/// What is said of a nonce whose challenge is none of now.
const STALE: &str = "the nonce must begin with the challenge of an answer of the last minutes: sign again with the one of \
    this answer";

/// The challenges that are good now, and what was used of each.
#[derive(Debug)]
pub(super) struct Challenges(Mutex<Periods>);

#[derive(Debug)]
struct Periods {
    current: Period,
    before: Option<Period>,
}

#[derive(Debug)]
struct Period {
    challenge: String,
    begun: Instant,
    used: HashSet<String>,
}

impl Period {
    fn begin() -> Self {
        Self {
            challenge: random_text(),
            begun: Instant::now(),
            used: HashSet::new(),
        }
    }

    fn is_over(&self) -> bool {
        self.begun.elapsed() >= CHALLENGE_FOR || self.used.len() >= NONCES_AT_MOST
    }
}

impl Periods {
    /// The one whose challenge a nonce begins with.
    fn find(&mut self, nonce: &str) -> Option<&mut Period> {
        self.turn();
        let challenge = signed::find_challenge(nonce)?;
        std::iter::once(&mut self.current)
            .chain(&mut self.before)
            .find(|period| period.challenge == challenge)
    }

    fn turn(&mut self) {
        if self.current.is_over() {
            let over = std::mem::replace(&mut self.current, Period::begin());
            self.before = Some(over);
        }
        let is_old = |period: &Period| period.begun.elapsed() >= 2 * CHALLENGE_FOR;
        if self.before.as_ref().is_some_and(is_old) {
            self.before = None;
        }
    }
}

impl Default for Challenges {
    fn default() -> Self {
        Self(Mutex::new(Periods {
            current: Period::begin(),
            before: None,
        }))
    }
}

/// Why a nonce is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Untaken {
    /// Its challenge is none of now.
    Stale,
    /// It was used.
    Used,
}

impl Challenges {
    /// The one to use next.
    fn current(&self) -> String {
        let mut periods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        periods.turn();
        periods.current.challenge.clone()
    }

    /// Whether a nonce begins with a challenge of now.
    fn is_of_now(&self, nonce: &str) -> bool {
        let mut periods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        periods.find(nonce).is_some()
    }

    /// Uses a nonce up.
    fn take(&self, nonce: &str) -> Result<(), Untaken> {
        let mut periods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let period = periods.find(nonce).ok_or(Untaken::Stale)?;
        if period.used.insert(nonce.to_owned()) {
            Ok(())
        } else {
            Err(Untaken::Used)
        }
    }
}

/// A request whose signature is good. Whose key it is, and whether it comes for the first time, is still to be asked.
#[derive(Debug)]
pub(super) struct Signed {
    presented: Presented,
    content_digest: String,
    relay_key: Option<VerifyingKey>,
    /// Whether something was found that its device did not do: then what is answered is not meant for it.
    is_altered: AtomicBool,
}

/// The signature of a request, read once: for the endpoint, and for whoever signs its answer. `None` where it has none.
#[derive(Clone, Debug)]
struct Found(Result<Option<Arc<Signed>>, Problem>);

impl Signed {
    /// The key that signed.
    pub(super) fn key(&self) -> &VerifyingKey {
        &self.presented.key
    }

    /// The key by which it says that it knows the relay; `None`: the one that it was paired with.
    pub(super) fn relay_key(&self) -> Option<&VerifyingKey> {
        self.relay_key.as_ref()
    }

    /// That it is not sent again by whoever has heard it. For a key that is known: others could fill the memory.
    pub(super) fn take_nonce(&self, challenges: &Challenges) -> Result<(), Problem> {
        match challenges.take(&self.presented.nonce) {
            Ok(()) => Ok(()),
            Err(Untaken::Stale) => Err(Problem::new(Code::Unauthenticated, STALE)),
            Err(Untaken::Used) => {
                self.note_altered();
                let detail = "this request was sent before: its nonce is used";
                Err(Problem::new(Code::Unauthenticated, detail))
            }
        }
    }

    /// That it was made in the last minutes: for a key that is not known yet, with what works only once.
    pub(super) fn check_challenge(&self, challenges: &Challenges) -> Result<(), Problem> {
        if challenges.is_of_now(&self.presented.nonce) {
            return Ok(());
        }
        Err(Problem::new(Code::Unauthenticated, STALE))
    }

    /// That the body is the one that was signed.
    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), Problem> {
        if signed::digest(body) == self.content_digest {
            return Ok(());
        }
        self.note_altered();
        let detail =
            "the body is not the one that was signed: its SHA-256 is not that of Content-Digest";
        Err(Problem::new(Code::Unauthenticated, detail))
    }
}

impl Signed {
    /// Notes that what came is not what its device has sent.
    pub(super) fn note_altered(&self) {
        self.is_altered.store(true, Ordering::Relaxed);
    }

    fn is_altered(&self) -> bool {
        self.is_altered.load(Ordering::Relaxed)
    }
}

/// The signature of a request, as [`sign`] has found it; `None` where it has none.
pub(super) fn of(request: &Parts) -> Result<Option<Arc<Signed>>, Problem> {
    let found = request.extensions.get::<Found>().cloned();
    found.map_or(Ok(None), |Found(signed)| signed)
}

fn verify(request: &Parts) -> Result<Option<Signed>, Problem> {
    let refuse = |detail: String| Problem::new(Code::Unauthenticated, detail);
    let Some(input) = find(&request.headers, SIGNATURE_INPUT) else {
        return Ok(None);
    };
    let signature = find(&request.headers, SIGNATURE).unwrap_or_default();
    let content_digest = find(&request.headers, CONTENT_DIGEST).unwrap_or_default();
    let content_type = find(&request.headers, CONTENT_TYPE.as_str());
    let if_none_match = find(&request.headers, IF_NONE_MATCH.as_str());
    let relay_key = find(&request.headers, RELAY_KEY);
    let asked = Asked {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: request.uri.query(),
        content_digest: &content_digest,
        content_type: content_type.as_deref(),
        if_none_match: if_none_match.as_deref(),
        relay_key: relay_key.as_deref(),
    };
    let presented = signed::read_request(&asked, &input, &signature)
        .map_err(|error| refuse(error.to_string()))?;
    let is_good = DalekKey::from_bytes(&presented.key.to_bytes()).is_ok_and(|key| {
        let signature = Signature::from_bytes(&presented.signature);
        key.verify_strict(presented.base.as_bytes(), &signature)
            .is_ok()
    });
    if !is_good {
        return Err(refuse(
            "the signature is not that of its key over this request".to_owned(),
        ));
    }
    let relay_key = relay_key.map(VerifyingKey::try_from).transpose();
    let relay_key = relay_key.map_err(|error| refuse(format!("the field {RELAY_KEY}: {error}")))?;
    Ok(Some(Signed {
        presented,
        content_digest,
        relay_key,
        is_altered: AtomicBool::new(false),
    }))
}

/// Signs the answer to a request whose signature is good, whatever the answer is.
pub(super) async fn sign(
    State(api): State<Arc<Api>>,
    request: HttpRequest,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let found = verify(&parts).map(|signed| signed.map(Arc::new));
    let signed = found.as_ref().ok().cloned().flatten();
    parts.extensions.insert(Found(found));
    let response = next.run(HttpRequest::from_parts(parts, body)).await;
    match signed {
        Some(signed) if !signed.is_altered() => {
            let known = find_known(&api, &signed).await;
            sign_answer(&api, response, &signed.presented.signature, known.as_ref()).await
        }
        _ => response,
    }
}

/// The key by which whoever signed a request knows the relay, where that may be another one than that of now: the one
/// that it names, or was paired with. What is answered with it is bound to the request, so nobody gains by naming one.
async fn find_known(api: &Api, signed: &Signed) -> Option<VerifyingKey> {
    if api.app.keys.is_alone(api.app.clock.now()) {
        return None;
    }
    if let Some(named) = signed.relay_key() {
        return Some(named.clone());
    }
    match api.app.store.doors().find_device(signed.key()).await {
        Ok(found) => Some(found?.relay_key),
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the key by which a device knows this relay could not be read"
            );
            None
        }
    }
}

async fn sign_answer(
    api: &Api,
    response: Response,
    asked: &[u8; SIGNATURE_BYTES],
    known: Option<&VerifyingKey>,
) -> Response {
    let (mut parts, body) = response.into_parts();
    // Answers of ours are whole in memory already.
    let body = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => {
            tracing::error!(%error, "an answer could not be read to be signed");
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
            bytes::Bytes::new()
        }
    };
    let (content_digest, challenge) = (signed::digest(&body), api.challenges.current());
    let etag = find(&parts.headers, ETAG.as_str());
    let answered = Answered {
        status: parts.status.as_u16(),
        content_digest: &content_digest,
        challenge: &challenge,
        etag: etag.as_deref(),
        request: asked,
    };
    let now = api.app.clock.now();
    let signing = api.app.keys.signing(known, now);
    let created = now.as_ms().div_euclid(1_000);
    let unsigned = signed::prepare_answer(&answered, signing.key(), created);
    let (input, signature) = unsigned.sign(&signing.sign(&unsigned.base));
    for (name, value) in [
        (CONTENT_DIGEST, content_digest),
        (CHALLENGE, challenge),
        (SIGNATURE_INPUT, input),
        (SIGNATURE, signature),
    ] {
        // All of them are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(&value) {
            parts.headers.insert(HeaderName::from_static(name), value);
        }
    }
    Response::from_parts(parts, Body::from(body))
}

/// The values of a field as one (RFC 9110 §5.3).
fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap_or_default().trim())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_nonce_is_good_once_and_for_some_minutes() {
        let challenges = Challenges::default();
        let first = challenges.current();
        let nonce = |challenge: &str, n: u32| signed::join_nonce(challenge, &n.to_string());
        assert_eq!(challenges.take(&nonce(&first, 1)), Ok(()));
        assert_eq!(challenges.take(&nonce(&first, 1)), Err(Untaken::Used));
        assert_eq!(challenges.take(&nonce(&first, 2)), Ok(()));
        for stale in ["", ".1", "abc.1", &first] {
            assert_eq!(challenges.take(stale), Err(Untaken::Stale), "{stale}");
        }
        tokio::time::advance(CHALLENGE_FOR).await;
        let second = challenges.current();
        assert_ne!(first, second);
        assert_eq!(challenges.take(&nonce(&first, 3)), Ok(()), "on its way");
        assert_eq!(challenges.take(&nonce(&first, 1)), Err(Untaken::Used));
        tokio::time::advance(CHALLENGE_FOR).await;
        assert_eq!(challenges.take(&nonce(&first, 1)), Err(Untaken::Stale));
        assert_eq!(challenges.take(&nonce(&second, 1)), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_is_bounded_and_never_forgotten_too_early() {
        let challenges = Challenges::default();
        let first = challenges.current();
        for n in 0..NONCES_AT_MOST {
            let nonce = signed::join_nonce(&first, &n.to_string());
            assert_eq!(challenges.take(&nonce), Ok(()));
        }
        let second = challenges.current();
        assert_ne!(first, second, "a new challenge once so many are used");
        let nonce = signed::join_nonce(&first, "0");
        assert_eq!(challenges.take(&nonce), Err(Untaken::Used));
    }
}
