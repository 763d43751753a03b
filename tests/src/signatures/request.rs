//! Requests, changed on their way to the relay.

use anyhow::Result;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use sandbox::device::{Proof, Question, covered, judge_question};

use super::asking::{Asking, Base, nonce_of};
use super::wire::Sent;
use super::{Count, change_byte, input, pick};

/// What proves a request.
const PROOF: [&str; 3] = ["content-digest", "signature-input", "signature"];
/// Every field that a signature may cover, and the signature.
const FIELDS: [&str; 5] = [
    "content-digest",
    "signature-input",
    "signature",
    "content-type",
    "if-none-match",
];

/// Everything that is tried.
const CHANGES: [&str; 26] = [
    "a byte of the method",
    "a byte of the target",
    "a byte of the body",
    "a byte of a field",
    "a byte of a field",
    "a byte of a field",
    "a field left out",
    "a field twice",
    "a field with a second value",
    "a covered field added",
    "a component left out",
    "a component twice",
    "components in another order",
    "a parameter left out",
    "a parameter twice",
    "parameters in another order",
    "another time",
    "the nonce of another request",
    "the fields of another request",
    "the signature of another request",
    "sent again",
    "signed over less",
    "signed over a nonce that was used",
    "signed over no challenge of the relay",
    "signed for another role, or without a parameter",
    "signed by another key",
];

/// One that is left as it was.
pub(super) async fn play_untouched(
    asking: &mut Asking,
    rng: &mut StdRng,
    count: &mut Count,
) -> Result<()> {
    let base = asking.pick(rng);
    let (sent, answered) = asking.ask(&base).await?;
    let used = asking.used.pop();
    let is_judged = judge(asking, &sent);
    asking.used.extend(used);
    let got = answered.got;
    count.note(None, got.is_done(), is_judged, || {
        format!("{sent:?} {got:?}")
    });
    Ok(())
}

/// One that is changed.
pub(super) async fn play_changed(
    asking: &mut Asking,
    rng: &mut StdRng,
    count: &mut Count,
) -> Result<()> {
    let (change, sent) = loop {
        let change = pick(&CHANGES, rng);
        if change == "sent again" {
            // The one before was heard, and done.
            let (sent, _) = asking.ask(&asking.pick(rng)).await?;
            break (change, sent);
        }
        let base = asking.pick(rng);
        let proof = asking.device.sign(&base.question());
        let original = base.send(&proof);
        let changed = changed(asking, change, &base, &proof, rng);
        if let Some(sent) = changed.filter(|sent| *sent != original) {
            break (change, sent);
        }
    };
    let got = sent.exchange(asking.address).await?;
    let is_judged = judge(asking, &sent);
    count.note(Some(change), got.is_done(), is_judged, || {
        format!("{sent:?} {got:?}")
    });
    // It is refused, and not by breaking down.
    if got.status >= 500 {
        count.wrong.push(format!("{change}: {sent:?} {got:?}"));
    }
    Ok(())
}

/// Whether a device of the relay asks this now, by the judge.
fn judge(asking: &Asking, sent: &Sent) -> bool {
    let one = |name: &str| match sent.values(name)[..] {
        [value] => str::from_utf8(value).ok(),
        _ => None,
    };
    let read = || {
        let target = str::from_utf8(&sent.target).ok()?;
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let covered = ["content-type", "if-none-match", "unpause-relay-key"];
        if covered.iter().any(|name| sent.values(name).len() > 1) {
            return None;
        }
        let question = Question {
            method: str::from_utf8(&sent.method).ok()?,
            path,
            query,
            content_type: one("content-type"),
            if_none_match: one("if-none-match"),
            relay_key: one("unpause-relay-key"),
            body: &sent.body,
        };
        let [content_digest, signature_input, signature] =
            PROOF.map(|name| one(name).map(str::to_owned));
        let proof = Proof {
            content_digest: content_digest?,
            signature_input: signature_input?,
            signature: signature?,
        };
        let keys = [asking.device.public_key(), asking.other.public_key()];
        let nonce = judge_question(&keys, &[asking.device.challenge()], &question, &proof)?;
        (!asking.used.iter().any(|used| used == nonce)).then_some(())
    };
    read().is_some()
}

/// `None` where this cannot be changed so.
fn changed(
    asking: &Asking,
    change: &str,
    base: &Base,
    proof: &Proof,
    rng: &mut StdRng,
) -> Option<Sent> {
    let mut sent = base.send(proof);
    let another = asking.device.sign(&asking.pick(rng).question());
    match change {
        "a byte of the method" => sent.method = change_byte(&sent.method, rng)?,
        "a byte of the target" => sent.target = change_byte(&sent.target, rng)?,
        "a byte of the body" => sent.body = change_byte(&sent.body, rng)?,
        "a byte of a field" => {
            let (_, value) = a_field(&mut sent, rng)?;
            *value = change_byte(value, rng)?;
        }
        "a field left out" => {
            let left_out = pick(&FIELDS, rng);
            sent.fields.retain(|(name, _)| *name != left_out);
        }
        "a field twice" => {
            let field = pick(&sent.fields, rng);
            sent.fields.push(field);
        }
        "a field with a second value" => {
            let (name, value) = pick(&sent.fields, rng);
            let second = (name, change_byte(&value, rng)?);
            let at = rng.random_range(0..=sent.fields.len());
            sent.fields.insert(at, second);
        }
        "a covered field added" => {
            let added = pick(&["content-type", "if-none-match"], rng);
            if !sent.values(added).is_empty() {
                return None;
            }
            sent.fields.push((added, b"\"added\"".to_vec()));
        }
        "the nonce of another request" => {
            let input = proof
                .signature_input
                .replace(nonce_of(proof), nonce_of(&another));
            set(&mut sent, "signature-input", &input);
        }
        "the fields of another request" => {
            for (name, value) in another.fields() {
                set(&mut sent, name, value);
            }
            // To the same question they are another proof, and a good one.
            if judge(asking, &sent) && same_question(&another, proof) {
                return None;
            }
        }
        "the signature of another request" => set(&mut sent, "signature", &another.signature),
        "signed over less"
        | "signed over a nonce that was used"
        | "signed over no challenge of the relay"
        | "signed for another role, or without a parameter"
        | "signed by another key" => sent = signed_again(asking, change, base, rng)?,
        _ => {
            let input = input::change(change, &proof.signature_input, rng)?;
            set(&mut sent, "signature-input", &input);
        }
    }
    Some(sent)
}

/// Whether two proofs cover the same.
fn same_question(one: &Proof, other: &Proof) -> bool {
    let list = |proof: &Proof| proof.signature_input.split(')').next().map(str::to_owned);
    one.content_digest == other.content_digest && list(one) == list(other)
}

/// Signed by a holder of a key, but not as it must be.
fn signed_again(asking: &Asking, change: &str, base: &Base, rng: &mut StdRng) -> Option<Sent> {
    let question = base.question();
    let digest = asking.device.sign(&question).content_digest;
    let mut components = covered(&question, &digest);
    let fresh = nonce_of(&asking.device.sign(&question)).to_owned();
    let (mut nonce, mut key) = (fresh.clone(), asking.device.public_key());
    let mut signer = &*asking.device;
    let mut label = "device";
    let (mut algorithm, mut tag) = (";alg=\"ed25519\"", ";tag=\"unpause-device\"");
    let mut created = ";created=1800000000".to_owned();
    match change {
        "signed over less" => match rng.random_range(0..3) {
            0 => {
                components.remove(rng.random_range(0..components.len()));
            }
            1 => components.push(pick(&components, rng)),
            _ => components.shuffle(rng),
        },
        "signed over a nonce that was used" => nonce.clone_from(asking.used.last()?),
        "signed over no challenge of the relay" => {
            let once = fresh.split_once('.')?.1;
            nonce = match rng.random_range(0..4) {
                0 => once.to_owned(),
                1 => format!(".{once}"),
                2 => format!("{}.", asking.device.challenge()),
                _ => format!("{}x.{once}", asking.device.challenge()),
            };
        }
        "signed for another role, or without a parameter" => match rng.random_range(0..7) {
            0 => tag = ";tag=\"unpause-relay\"",
            1 => tag = "",
            2 => algorithm = "",
            3 => algorithm = ";alg=\"hmac-sha256\"",
            4 => created.clear(),
            5 => created.push_str(";expires=1900000000"),
            _ => label = "relay",
        },
        "signed by another key" => match rng.random_range(0..3) {
            // A stranger in his own name, a stranger in a device's, one device in the other's.
            0 => (signer, key) = (&asking.stranger, asking.stranger.public_key()),
            1 => signer = &asking.stranger,
            _ => signer = &*asking.other,
        },
        _ => return None,
    }
    let parameters = format!("{created};nonce=\"{nonce}\";keyid=\"{key}\"{algorithm}{tag}");
    let (signature_input, signature) = signer.sign_over(label, &components, &parameters);
    let is_as_it_must_be = components == covered(&question, &digest);
    if change == "signed over less" && is_as_it_must_be {
        return None;
    }
    Some(base.send(&Proof {
        content_digest: digest,
        signature_input,
        signature,
    }))
}

fn a_field<'a>(sent: &'a mut Sent, rng: &mut StdRng) -> Option<&'a mut (&'static str, Vec<u8>)> {
    let at = rng.random_range(0..sent.fields.len());
    sent.fields.get_mut(at)
}

fn set(sent: &mut Sent, name: &str, to: &str) {
    for (_, value) in sent.fields.iter_mut().filter(|(found, _)| *found == name) {
        *value = to.into();
    }
}
