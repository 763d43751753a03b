//! The keys of one relay while it runs: one seals at rest, one opens what browsers seal, one signs what is answered, one
//! makes tags. None is ever shown. What of them is kept, and how, is [`Kept`]: rows of the database, whose secret halves
//! are sealed under the key of the file. Renewing them is `renewal`'s.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ed25519_dalek::{Signer as _, SigningKey};
use protocol::renewal::{Renewal, Renewed};
use protocol::sealed::{OpeningKey, RelayKey, SealError};
use protocol::signed::{SIGNATURE_BYTES, VerifyingKey};
use protocol::timestamp::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard, Notify};
use zeroize::Zeroizing;

use super::at_rest::{AtRest, Sealed, SealingError, take_apart};
use super::file::KeyFile;
use super::halves::Halves;
use crate::tag::Tags;

/// How long a device that knows the keys before may come and follow. Longer than a browser stays closed over a summer.
pub const FOLLOW_FOR: Duration = Duration::from_hours(90 * 24);

/// A key at rest, as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAtRest {
    /// Its id, which what it seals begins with.
    pub id: String,
    /// Since when it seals.
    pub begun_at: Timestamp,
    /// The key itself, sealed under its successor while values are left that it opens; `None` before and after.
    pub sealed: Option<String>,
}

/// The keys by which devices know the relay, as the database keeps them: one generation of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptGeneration {
    /// Its number, from 1.
    pub number: i64,
    /// The key by which the relay signs.
    pub signing: VerifyingKey,
    /// What browsers seal to.
    pub sealing: RelayKey,
    /// The secret halves, sealed under the key of the file; `None` once its time is over.
    pub sealed: Option<String>,
    /// Since when.
    pub begun_at: Timestamp,
    /// Until when devices that know it are answered by it; `None` of the one of now.
    pub ends_at: Option<Timestamp>,
    /// How those who know the one before learn of this one; `None` of the first, and where they may not.
    pub renewal: Option<Renewal>,
}

/// What the database keeps of the keys, oldest first; the last of each is the one of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Those at rest.
    pub at_rest: Vec<KeptAtRest>,
    /// Those by which devices know the relay.
    pub generations: Vec<KeptGeneration>,
}

impl Kept {
    /// With what a database begins that has none: what follows from its file.
    pub fn begin(file: &KeyFile, now: Timestamp) -> Result<Self, SealingError> {
        let halves = file.first();
        Ok(Self {
            at_rest: vec![KeptAtRest {
                id: file.id().to_owned(),
                begun_at: now,
                sealed: None,
            }],
            generations: vec![generation(1, halves, file.at_rest(), now)?],
        })
    }

    /// The id of the key at rest of now; empty where there is none.
    pub fn id(&self) -> &str {
        self.at_rest.last().map_or("", |key| key.id.as_str())
    }
}

fn generation(
    number: i64,
    halves: &Halves,
    under: &AtRest,
    begun_at: Timestamp,
) -> Result<KeptGeneration, SealingError> {
    Ok(KeptGeneration {
        number,
        signing: verifying(&halves.signing()?),
        sealing: halves.opening()?.public().clone(),
        sealed: Some(under.seal(&halves_context(number), halves)?),
        begun_at,
        ends_at: None,
        renewal: None,
    })
}

fn verifying(signing: &SigningKey) -> VerifyingKey {
    VerifyingKey::from_bytes(signing.verifying_key().as_bytes())
}

/// The contexts with which the keys themselves are sealed.
fn halves_context(number: i64) -> String {
    format!("relay keys {number}")
}

fn at_rest_context(id: &str) -> String {
    format!("key at rest {id}")
}

/// The keys of one relay.
pub struct Keys {
    ring: RwLock<Arc<Ring>>,
    tags: Tags,
    changing: Mutex<()>,
    changed: Notify,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.id())
    }
}

/// What holds at one moment.
struct Ring {
    kept: Kept,
    current: Arc<AtRest>,
    /// Those that may still open something, newest first.
    before: Vec<Arc<AtRest>>,
    /// The secret halves of now, of which the next ones keep the key of tags.
    halves: Halves,
    latest: Arc<Known>,
    /// Those by which devices still know the relay, newest first; they may be over.
    earlier: Vec<Arc<Known>>,
}

/// Keys by which devices know the relay.
struct Known {
    key: VerifyingKey,
    sealing: RelayKey,
    signing: SigningKey,
    opening: OpeningKey,
    ends_at: Option<Timestamp>,
}

impl Known {
    fn is_good(&self, now: Timestamp) -> bool {
        self.ends_at.is_none_or(|ends_at| now < ends_at)
    }
}

impl Ring {
    fn open(file: &KeyFile, kept: Kept, used: &[Arc<AtRest>]) -> Result<Self, SealingError> {
        let current = Arc::clone(file.at_rest());
        let mut before = Vec::new();
        for key in kept.at_rest.iter().rev() {
            let Some(sealed) = &key.sealed else { continue };
            // The one that is used already is the one that says who uses it.
            let key = if let Some(used) = used.iter().find(|used| used.id() == key.id) {
                Arc::clone(used)
            } else {
                let bytes = current.open_bytes(&at_rest_context(&key.id), sealed)?;
                let bytes = bytes.as_slice().try_into().map_err(|_| SealingError)?;
                Arc::new(AtRest::new(key.id.clone(), Zeroizing::new(bytes)))
            };
            before.push(key);
        }
        let mut known = Vec::new();
        for generation in kept.generations.iter().rev() {
            let Some(sealed) = &generation.sealed else {
                continue;
            };
            let halves: Halves = current.open(&halves_context(generation.number), sealed)?;
            let opened = Known {
                key: generation.signing.clone(),
                sealing: generation.sealing.clone(),
                signing: halves.signing()?,
                opening: halves.opening()?,
                ends_at: generation.ends_at,
            };
            known.push((Arc::new(opened), halves));
        }
        let mut known = known.into_iter();
        let (latest, halves) = known.next().ok_or(SealingError)?;
        Ok(Self {
            current,
            before,
            halves,
            latest,
            earlier: known.map(|(known, _)| known).collect(),
            kept,
        })
    }

    /// Those whose keys are good at `now`, newest first.
    fn live(&self, now: Timestamp) -> impl Iterator<Item = &Arc<Known>> {
        let all = std::iter::once(&self.latest).chain(&self.earlier);
        all.filter(move |known| known.is_good(now))
    }

    /// The keys for one who knows the relay by `key`: its own while they are good, else those of now.
    fn of(&self, key: Option<&VerifyingKey>, now: Timestamp) -> &Arc<Known> {
        let found = self.live(now).find(|known| Some(&known.key) == key);
        found.unwrap_or(&self.latest)
    }
}

impl Ring {
    /// The same, of which that is kept, without keys at rest before.
    fn as_it_is(&self, kept: Kept) -> Self {
        Self {
            kept,
            current: Arc::clone(&self.current),
            before: Vec::new(),
            halves: self.halves.clone(),
            latest: Arc::clone(&self.latest),
            earlier: self.earlier.clone(),
        }
    }
}

/// What an answer is signed with.
pub struct Signing(Arc<Known>);

impl Signing {
    /// The key by which its reader knows the relay.
    pub fn key(&self) -> &VerifyingKey {
        &self.0.key
    }

    /// Signs for the relay.
    pub fn sign(&self, text: &str) -> [u8; SIGNATURE_BYTES] {
        self.0.signing.sign(text.as_bytes()).to_bytes()
    }
}

impl Keys {
    /// The keys that a database keeps under this file.
    pub fn of(file: &KeyFile, kept: Kept) -> Result<Self, SealingError> {
        let ring = Ring::open(file, kept, &[])?;
        Ok(Self {
            tags: ring.halves.tags()?,
            ring: RwLock::new(Arc::new(ring)),
            changing: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// The id of the key that seals at rest; the database notes it.
    pub fn id(&self) -> String {
        self.ring().current.id().to_owned()
    }

    /// Makes and knows the tags of our messages.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Seals a value for storage; it opens only with the same `context`, so that a sealed column cannot
    /// be moved to another row.
    pub fn seal<T: Serialize>(&self, context: &str, value: &T) -> Result<Sealed, SealingError> {
        // Taken while nobody changes the ring: a renewal that comes after this waits for what is sealed here.
        let key = Arc::clone(&self.ring().current);
        Ok(Sealed::new(key.seal(context, value)?, key))
    }

    /// The value that was sealed with this `context`.
    pub fn open<T: DeserializeOwned>(
        &self,
        context: &str,
        sealed: &str,
    ) -> Result<T, SealingError> {
        self.key_of(sealed)?.open(context, sealed)
    }

    /// A sealed value under the key of now, from the one before.
    pub fn reseal(&self, context: &str, sealed: &str) -> Result<Sealed, SealingError> {
        let plain = self.key_of(sealed)?.open_bytes(context, sealed)?;
        let key = Arc::clone(&self.ring().current);
        Ok(Sealed::new(key.seal_bytes(context, &plain)?, key))
    }

    /// Which key opens it; one that names none is of the time before there was another.
    fn key_of(&self, sealed: &str) -> Result<Arc<AtRest>, SealingError> {
        let ring = self.ring();
        let mut all = std::iter::once(&ring.current).chain(&ring.before);
        let found = match take_apart(sealed).0 {
            Some(id) => all.find(|key| key.id() == id),
            None => all.last(),
        };
        found.map(Arc::clone).ok_or(SealingError)
    }

    /// What one who knows the relay by `known` is answered with: that key while it is good, else the one of now.
    pub fn signing(&self, known: Option<&VerifyingKey>, now: Timestamp) -> Signing {
        Signing(Arc::clone(self.ring().of(known, now)))
    }

    /// What is sealed to by one who knows the relay by `known`: by whoever does not, the key of now.
    pub fn sealing(&self, known: Option<&VerifyingKey>, now: Timestamp) -> RelayKey {
        self.ring().of(known, now).sealing.clone()
    }

    /// The key by which devices that are paired from now on know the relay.
    pub fn verifying(&self) -> VerifyingKey {
        self.ring().latest.key.clone()
    }

    /// The plaintext of what a browser sealed to any key that is good yet.
    pub fn open_handed(
        &self,
        context: &str,
        sealed: &protocol::sealed::Sealed,
        now: Timestamp,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let ring = self.ring();
        let opened = ring
            .live(now)
            .find_map(|known| known.opening.open(context, sealed).ok());
        opened.map(Zeroizing::new).ok_or(SealError::Blob)
    }

    /// Whether all that are answered know one key.
    pub fn is_alone(&self, now: Timestamp) -> bool {
        self.ring().live(now).nth(1).is_none()
    }

    /// Whether the relay is or was known by this key.
    pub fn was_known_by(&self, key: &VerifyingKey) -> bool {
        self.ring()
            .kept
            .generations
            .iter()
            .any(|one| one.signing == *key)
    }

    /// How one who knows the relay by `known` comes to the key of now; empty for who has it, and where no way leads there.
    pub fn renewals(&self, known: &VerifyingKey) -> Vec<Renewal> {
        let ring = self.ring();
        let after = ring
            .kept
            .generations
            .iter()
            .skip_while(|one| one.signing != *known)
            .skip(1);
        let way: Option<Vec<Renewal>> = after.map(|one| one.renewal.clone()).collect();
        way.unwrap_or_default()
    }

    /// How those who know the earliest key from which a way leads to the key of now come to it, oldest first.
    pub fn list_renewals(&self) -> Vec<Renewal> {
        let ring = self.ring();
        let newest_first = ring.kept.generations.iter().rev();
        let mut way: Vec<Renewal> = newest_first.map_while(|one| one.renewal.clone()).collect();
        way.reverse();
        way
    }

    /// What the database keeps of them.
    pub fn kept(&self) -> Kept {
        self.ring().kept.clone()
    }

    /// Keeps the keys as they are until it is dropped: one at a time changes what is kept of them.
    pub async fn hold(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Waits for a change of the keys.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether what the key before sealed may be left; no other renewal begins before.
    pub fn is_renewing(&self) -> bool {
        self.ring()
            .kept
            .at_rest
            .iter()
            .any(|key| key.sealed.is_some())
    }

    /// How everything begins that is sealed as it should be.
    pub fn prefix(&self) -> String {
        self.ring().current.prefix()
    }

    /// Whether something is in memory that a key before has sealed, and may be written yet.
    pub fn is_awaited(&self) -> bool {
        // One is the ring's own.
        self.ring()
            .before
            .iter()
            .any(|key| Arc::strong_count(key) > 1)
    }

    /// What is to be kept once `file` is the key file: new keys, which those before announce, unless they may be
    /// somebody else's: then nothing is signed by them any more, nor opened.
    pub fn renewed(
        &self,
        file: &KeyFile,
        at_once: bool,
        now: Timestamp,
    ) -> Result<Kept, SealingError> {
        let ring = self.ring();
        let (under, mut kept) = (file.at_rest(), ring.kept.clone());
        for generation in &mut kept.generations {
            if at_once || generation.ends_at.is_some_and(|ends_at| ends_at <= now) {
                generation.sealed = None;
            } else if let Some(sealed) = &mut generation.sealed {
                let context = halves_context(generation.number);
                let halves: Halves = ring.current.open(&context, sealed)?;
                *sealed = under.seal(&context, &halves)?;
            }
            let ends_at = if at_once { now } else { now + FOLLOW_FOR };
            generation.ends_at = Some(generation.ends_at.map_or(ends_at, |at| at.min(ends_at)));
        }
        let number = kept.generations.last().map_or(1, |last| last.number + 1);
        let mut next = generation(number, &ring.halves.renewed()?, under, now)?;
        if !at_once {
            let renewed = Renewed {
                from: ring.latest.key.clone(),
                signing: next.signing.clone(),
                sealing: next.sealing.clone(),
                at: now,
            };
            let statement = renewed.to_string();
            let signature = ring.latest.signing.sign(statement.as_bytes()).to_bytes();
            next.renewal = Some(Renewal::new(&renewed, &signature));
        }
        kept.generations.push(next);
        if let Some(before) = kept.at_rest.last_mut() {
            let context = at_rest_context(&before.id);
            before.sealed = Some(under.seal_bytes(&context, ring.current.bytes())?);
        }
        kept.at_rest.push(KeptAtRest {
            id: file.id().to_owned(),
            begun_at: now,
            sealed: None,
        });
        Ok(kept)
    }

    /// What is to be kept once nothing is left that the key before opens.
    pub fn resealed(&self) -> Kept {
        let mut kept = self.kept();
        for key in &mut kept.at_rest {
            key.sealed = None;
        }
        kept
    }

    /// What is to be kept at `now` of those by which devices knew the relay, and when that changes next.
    pub fn outlived(&self, now: Timestamp) -> (Option<Kept>, Option<Timestamp>) {
        let (mut kept, mut is_over, mut next) = (self.kept(), false, None::<Timestamp>);
        for generation in &mut kept.generations {
            let (Some(ends_at), true) = (generation.ends_at, generation.sealed.is_some()) else {
                continue;
            };
            if ends_at <= now {
                generation.sealed = None;
                is_over = true;
            } else {
                next = Some(next.map_or(ends_at, |at| at.min(ends_at)));
            }
        }
        (is_over.then_some(kept), next)
    }

    /// Takes over what is kept from now on under `file`. What the key before sealed opens meanwhile.
    pub fn renew(&self, file: &KeyFile, kept: Kept) -> Result<(), SealingError> {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let used: Vec<_> = std::iter::once(&ring.current)
            .chain(&ring.before)
            .map(Arc::clone)
            .collect();
        *ring = Arc::new(Ring::open(file, kept, &used)?);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes over that the keys at rest before are not kept any more. They still open what was read before that.
    pub fn forget_at_rest(&self, kept: Kept) {
        self.change(|ring| Ring {
            before: ring.before.clone(),
            ..ring.as_it_is(kept)
        });
    }

    /// Takes over that some of the keys by which devices knew the relay are not kept any more.
    pub fn forget(&self, kept: &Kept) {
        self.change(|ring| {
            let is_kept = |known: &&Arc<Known>| {
                let mut generations = kept.generations.iter();
                generations.any(|one| one.signing == known.key && one.sealed.is_some())
            };
            let earlier = ring.earlier.iter().filter(is_kept);
            Ring {
                earlier: earlier.map(Arc::clone).collect(),
                before: ring.before.clone(),
                ..ring.as_it_is(kept.clone())
            }
        });
    }

    /// Lets go of the keys at rest before, once nobody can have read what they sealed and not opened it yet.
    pub fn let_go(&self) {
        self.change(|ring| ring.as_it_is(ring.kept.clone()));
    }

    fn change(&self, change: impl FnOnce(&Ring) -> Ring) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        *ring = Arc::new(change(&ring));
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}
