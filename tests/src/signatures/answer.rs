//! Answers, changed on their way to the extension.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey as DalekKey};
use protocol::signed::{Heard, VerifyingKey};
use rand::RngExt as _;
use rand::rngs::StdRng;
use sandbox::device::{Device, Proof, Said, covered_of_said, judge_said};

use super::asking::{Answered, Asking};
use super::{Count, change_byte, input, pick};

/// Everything that is tried.
const CHANGES: [&str; 21] = [
    "a byte of the body",
    "a byte of a field",
    "a byte of a field",
    "a byte of a field",
    "another status",
    "a field left out",
    "a field twice",
    "a tag added",
    "a component left out",
    "a component twice",
    "components in another order",
    "a parameter left out",
    "a parameter twice",
    "parameters in another order",
    "another time",
    "the answer to another request",
    "the body of another answer",
    "the body and digest of another answer",
    "the signature of another answer",
    "both fields of another answer",
    "signed by another key",
];

/// The names of the fields, for [`field`].
const FIELDS: [&str; 5] = ["digest", "challenge", "tag", "input", "signature"];

/// An answer as it comes, and the proof of what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Came {
    status: u16,
    digest: String,
    challenge: String,
    tag: Option<String>,
    input: String,
    signature: String,
    body: Vec<u8>,
    asked: Proof,
}

impl Came {
    fn of(answered: &Answered) -> Self {
        let got = &answered.got;
        let field = |name| got.field(name).unwrap_or_default().to_owned();
        Self {
            status: got.status,
            digest: field("content-digest"),
            challenge: field("unpause-challenge"),
            tag: got.field("etag").map(str::to_owned),
            input: field("signature-input"),
            signature: field("signature"),
            body: got.body.clone(),
            asked: answered.proof.clone(),
        }
    }

    fn said(&self) -> Said<'_> {
        Said {
            status: self.status,
            content_digest: &self.digest,
            challenge: &self.challenge,
            etag: self.tag.as_deref(),
            signature_input: &self.input,
            signature: &self.signature,
            body: &self.body,
        }
    }

    /// As the extension reads it (`extension/src/background/signing.rs`); the arithmetic alone is another library's
    /// than the browser's.
    fn is_believed(&self, relay_key: &str) -> bool {
        let heard = Heard {
            status: self.status,
            content_digest: &self.digest,
            challenge: &self.challenge,
            etag: self.tag.as_deref(),
            input: &self.input,
            signature: &self.signature,
            body: &self.body,
        };
        let read = || {
            let relay = VerifyingKey::try_from(relay_key.to_owned()).ok()?;
            // Bytes stand between colons.
            let request = self.asked.signature.split(':').nth(1)?;
            let request: [u8; 64] = STANDARD.decode(request).ok()?.try_into().ok()?;
            let presented = heard.to_verify(&relay, &request)?;
            let signature = Signature::from_bytes(&presented.signature);
            DalekKey::from_bytes(&relay.to_bytes())
                .ok()?
                .verify_strict(presented.base.as_bytes(), &signature)
                .ok()
        };
        read().is_some()
    }

    fn field(&mut self, name: &str) -> Option<&mut String> {
        match name {
            "digest" => Some(&mut self.digest),
            "challenge" => Some(&mut self.challenge),
            "tag" => self.tag.as_mut(),
            "input" => Some(&mut self.input),
            "signature" => Some(&mut self.signature),
            _ => None,
        }
    }
}

/// One that is left as it was.
pub(super) fn play_untouched(
    asking: &Asking,
    heard: &[Answered],
    rng: &mut StdRng,
    count: &mut Count,
) {
    note(asking, None, &Came::of(&pick(heard, rng)), count);
}

/// One that is changed.
pub(super) fn play_changed(
    asking: &Asking,
    heard: &[Answered],
    rng: &mut StdRng,
    count: &mut Count,
) {
    loop {
        let change = pick(&CHANGES, rng);
        let original = Came::of(&pick(heard, rng));
        let another = Came::of(&pick(heard, rng));
        let changed = changed(&asking.stranger, change, &original, another, rng);
        if let Some(came) = changed.filter(|came| *came != original) {
            return note(asking, Some(change), &came, count);
        }
    }
}

fn note(asking: &Asking, change: Option<&'static str>, came: &Came, count: &mut Count) {
    let is_believed = came.is_believed(&asking.relay_key);
    let is_judged = judge_said(&asking.relay_key, &came.asked, &came.said());
    count.note(change, is_believed, is_judged, || format!("{came:?}"));
}

/// `None` where this cannot be changed so.
fn changed(
    stranger: &Device,
    change: &str,
    original: &Came,
    another: Came,
    rng: &mut StdRng,
) -> Option<Came> {
    let mut came = original.clone();
    match change {
        "a byte of the body" => came.body = change_byte(&came.body, rng)?,
        "a byte of a field" => {
            let field = came.field(pick(&FIELDS, rng))?;
            // What is no UTF-8 comes as something else, as it does in a browser.
            *field = String::from_utf8_lossy(&change_byte(field.as_bytes(), rng)?).into_owned();
        }
        "another status" => came.status = pick(&[200, 201, 204, 304, 401, 404, 500], rng),
        "a field left out" => match pick(&FIELDS, rng) {
            "tag" => came.tag = None,
            name => came.field(name)?.clear(),
        },
        "a field twice" => {
            // As `fetch` gives two fields of one name (Fetch, "get").
            let field = came.field(pick(&FIELDS, rng))?;
            *field = format!("{field}, {field}");
        }
        "a tag added" => {
            if came.tag.is_some() {
                return None;
            }
            came.tag = Some("\"added\"".to_owned());
        }
        "the answer to another request" => came.asked = another.asked,
        "the body of another answer" => came.body = another.body,
        "the body and digest of another answer" => {
            (came.body, came.digest) = (another.body, another.digest);
        }
        "the signature of another answer" => came.signature = another.signature,
        "both fields of another answer" => {
            (came.input, came.signature) = (another.input, another.signature);
        }
        "signed by another key" => {
            let (_, parameters) = came.input.split_once(')')?;
            // In its own name, or in the relay's.
            let parameters = if rng.random_bool(0.5) {
                let (before, rest) = parameters.split_once(";keyid=\"")?;
                let (_, after) = rest.split_once('"')?;
                format!("{before};keyid=\"{}\"{after}", stranger.public_key())
            } else {
                parameters.to_owned()
            };
            let asked = came.asked.signature.strip_prefix("device=")?;
            let components = covered_of_said(&came.said(), asked);
            let (input, signature) = stranger.sign_over("relay", &components, &parameters);
            (came.input, came.signature) = (input, signature);
        }
        _ => came.input = input::change(change, &came.input, rng)?,
    }
    Some(came)
}
