//! Asking the relay so that both sides know whom they speak with: what is asked is signed by this browser's key, and
//! what is not signed by the relay's is no answer. What is covered is in [`protocol::signed`].

use std::cell::RefCell;

use protocol::renewal::RELAY_KEY;
use protocol::request::Request;
use protocol::signed::{
    self, Asked, CHALLENGE, CONTENT_DIGEST, Heard, SIGNATURE, SIGNATURE_BYTES, SIGNATURE_INPUT,
    VerifyingKey,
};
use url::Url;
use web::call::{Answer, CallError, ETAG, JSON, Nothing, Question, Tagged, fetch, read, write};

use super::{chance, clock};
use crate::vault::{self, DeviceKey, VaultError};

/// What is read of an answer.
const FIELDS: [&str; 5] = [ETAG, CONTENT_DIGEST, CHALLENGE, SIGNATURE_INPUT, SIGNATURE];

/// A relay that is known by its key.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its address, without a slash at its end.
    pub(super) base: String,
    /// The key by which it signs.
    pub(super) relay: VerifyingKey,
    /// Whether that one came by a renewal, so that the relay has to be told which it is known by.
    pub(super) is_renewed: bool,
    /// This browser's.
    pub(super) device: DeviceKey,
}

impl Line {
    /// Calls an endpoint. `challenge` is the relay's last; it keeps the next one.
    pub(super) async fn call<R: Request>(
        &self,
        challenge: &RefCell<String>,
        request: &R,
    ) -> Result<R::Response, CallError> {
        match self.call_if_changed(challenge, request, None).await? {
            Some(tagged) => Ok(tagged.answer),
            None => Err(CallError::Strange {
                url: self.base.clone(),
                found: "\"not modified\" to a question that asked for no change".to_owned(),
            }),
        }
    }

    /// The same; `None` where the answer still has the tag `known`.
    pub(super) async fn call_if_changed<R: Request>(
        &self,
        challenge: &RefCell<String>,
        request: &R,
        known: Option<&str>,
    ) -> Result<Option<Tagged<R::Response>>, CallError> {
        let question = write(&self.base, request)?;
        let used = challenge.borrow().clone();
        let mut answer = self.ask(&used, &question, known).await?;
        let next = next_challenge(&answer);
        challenge.borrow_mut().clone_from(&next);
        if answer.status == 401 && next != used {
            // Too much time has passed, or the relay was started again.
            answer = self.ask(&next, &question, known).await?;
            *challenge.borrow_mut() = next_challenge(&answer);
        }
        read::<R>(&self.base, &answer)
    }

    /// Asks once. The answer is the relay's, and is to this very question.
    async fn ask(
        &self,
        challenge: &str,
        question: &Question,
        known: Option<&str>,
    ) -> Result<Answer, CallError> {
        let strange = |found: String| CallError::Strange {
            url: self.base.clone(),
            found,
        };
        let url = Url::parse(&question.url).map_err(|error| strange(error.to_string()))?;
        let digest = signed::digest(question.body.as_deref().unwrap_or_default().as_bytes());
        let asked = Asked {
            method: question.method,
            path: url.path(),
            query: url.query(),
            content_digest: &digest,
            content_type: question.body.as_ref().map(|_| JSON),
            if_none_match: known,
            relay_key: self.is_renewed.then(|| self.relay.as_str()),
        };
        let nonce = signed::join_nonce(challenge, &chance::text());
        let created = clock::now().as_ms().div_euclid(1_000);
        let unsigned = signed::prepare_request(&asked, self.device.public(), created, &nonce);
        let made = self.device.sign(&unsigned.base).await;
        let made = made.map_err(|error: VaultError| strange(error.to_string()))?;
        let (input, signature) = unsigned.sign(&made);
        let mut fields = vec![
            (CONTENT_DIGEST, digest.clone()),
            (SIGNATURE_INPUT, input),
            (SIGNATURE, signature),
        ];
        fields.extend(known.map(|known| ("if-none-match", known.to_owned())));
        fields.extend(self.is_renewed.then(|| (RELAY_KEY, self.relay.to_string())));
        let answer =
            fetch(question, &fields, &FIELDS)
                .await
                .map_err(|Nothing| CallError::Unreachable {
                    url: self.base.clone(),
                })?;
        if self.is_its(&answer, &made).await {
            Ok(answer)
        } else {
            Err(CallError::NotTheRelay {
                url: self.base.clone(),
            })
        }
    }

    async fn is_its(&self, answer: &Answer, request: &[u8; SIGNATURE_BYTES]) -> bool {
        let field = |name| answer.field(name).unwrap_or_default();
        let heard = Heard {
            status: answer.status,
            content_digest: field(CONTENT_DIGEST),
            challenge: field(CHALLENGE),
            etag: answer.field(ETAG),
            input: field(SIGNATURE_INPUT),
            signature: field(SIGNATURE),
            body: &answer.body,
        };
        match heard.to_verify(&self.relay, request) {
            Some(presented) => {
                vault::is_signed(&self.relay, &presented.base, &presented.signature).await
            }
            None => false,
        }
    }
}

fn next_challenge(answer: &Answer) -> String {
    answer.field(CHALLENGE).unwrap_or_default().to_owned()
}
