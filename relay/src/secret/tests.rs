//! What follows from key files, and what stays of keys that are renewed. Derivations are computed here once more, from
//! their standards.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey as DalekKey};
use hmac::{Hmac, Mac as _};
use protocol::id::{CampaignId, LeadId};
use protocol::renewal::{self, Renewal};
use protocol::sealed::OpeningKey;
use protocol::signed::{SIGNATURE_BYTES, VerifyingKey};
use protocol::timestamp::Timestamp;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::tag::{Named, Tags};

const MASTER: [u8; 32] = [7; 32];
const DAY: Duration = Duration::from_hours(24);

fn at(days: u32) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000) + DAY * days
}

/// A file of this version line with this master.
fn file_of(folder: &Path, header: &str, master: &[u8; 32]) -> KeyFile {
    let path = folder.join(format!("{header}.key"));
    let text = format!("{header}\n{}\n", URL_SAFE_NO_PAD.encode(master));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    KeyFile::load(&path, false).unwrap()
}

fn open(file: &KeyFile) -> Keys {
    Keys::of(file, Kept::begin(file, at(0)).unwrap()).unwrap()
}

fn tag_of(tags: &Tags) -> String {
    let (campaign, lead) = (CampaignId::new("cmp_1"), LeadId::new("led_1"));
    tags.make(&Named {
        campaign: &campaign,
        lead: &lead,
        step: 1,
        resends: 0,
    })
}

/// What an earlier version sealed, as it sealed it.
fn seal_as_before(key: &[u8; 32], context: &str, plain: &[u8]) -> String {
    let nonce = [9; 12];
    let payload = Payload {
        msg: plain,
        aad: context.as_bytes(),
    };
    let cipher = ChaCha20Poly1305::new(&Key::from(*key));
    let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap();
    URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
}

#[test]
fn a_key_file_is_made_once_and_kept_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/unpause.key");
    assert!(matches!(
        KeyFile::load(&path, false),
        Err(KeyError::Missing { .. })
    ));
    let made = KeyFile::load(&path, true).unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(KeyFile::load(&path, true).unwrap().id(), made.id());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        KeyFile::load(&path, true),
        Err(KeyError::Exposed { mode: 0o644, .. })
    ));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let keys = path.parent().unwrap();
    assert_eq!(
        fs::metadata(keys).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for (mode, is_taken) in [(0o755, true), (0o775, false), (0o757, false), (0o750, true)] {
        fs::set_permissions(keys, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(KeyFile::load(&path, false).is_ok(), is_taken, "{mode:o}");
    }
    fs::set_permissions(keys, fs::Permissions::from_mode(0o777)).unwrap();
    let words = KeyFile::load(&path, false).unwrap_err().to_string();
    let to_do = format!("run `chmod go-w {}`", keys.display());
    assert!(
        words.contains("(mode 777)") && words.ends_with(&to_do),
        "{words}"
    );
    fs::set_permissions(keys, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&path, "something else").unwrap();
    assert!(matches!(
        KeyFile::load(&path, true),
        Err(KeyError::Malformed { .. })
    ));
}

/// The derivation of versions that could not renew: SHA-256 of a label, a zero and the master.
#[test]
fn a_file_of_an_earlier_version_keeps_everything_that_followed_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let derive = |label: &str| -> [u8; 32] {
        let text = [label.as_bytes(), &[0], &MASTER].concat();
        Sha256::digest(text).into()
    };
    let file = file_of(folder.path(), "unpause-key-1", &MASTER);
    let id = URL_SAFE_NO_PAD.encode(derive("unpause key id v1"));
    assert_eq!(file.id(), &id[..12]);
    let keys = open(&file);
    let signing = SigningKey::from_bytes(&derive("unpause signing key v1"));
    let public = VerifyingKey::from_bytes(signing.verifying_key().as_bytes());
    assert_eq!(keys.verifying(), public);
    let opening = OpeningKey::derive(&derive("unpause hand-over key v1"));
    assert_eq!(keys.sealing(None, at(0)), *opening.public());
    let tags = Tags::new(derive("unpause message tags v1"));
    assert_eq!(tag_of(keys.tags()), tag_of(&tags));
    let before = seal_as_before(
        &derive("unpause seal at rest v1"),
        "inbox inb_1",
        b"\"a token\"",
    );
    let opened = keys.open::<String>("inbox inb_1", &before);
    assert_eq!(opened.as_deref(), Ok("a token"));
    // And under the next file too, until it is resealed.
    let next = file_of(folder.path(), "unpause-key-2", &[8; 32]);
    let kept = keys.renewed(&next, false, at(1)).unwrap();
    let renewed = Keys::of(&next, kept).unwrap();
    let opened = renewed.open::<String>("inbox inb_1", &before);
    assert_eq!(opened.as_deref(), Ok("a token"));
    let resealed = renewed.reseal("inbox inb_1", &before).unwrap();
    assert!(resealed.starts_with(&renewed.prefix()));
    let opened = renewed.open::<String>("inbox inb_1", &resealed);
    assert_eq!(opened.as_deref(), Ok("a token"));
    assert_eq!(
        tag_of(renewed.tags()),
        tag_of(&tags),
        "tags are never renewed"
    );
}

#[test]
fn a_file_of_this_version_is_derived_as_rfc_5869_says() {
    let folder = tempfile::tempdir().unwrap();
    let mac = |key: &[u8], text: &[u8]| -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().into()
    };
    // §2.2 without a salt, and §2.3 with one block.
    let prk = mac(&[0; 32], &MASTER);
    let derive = |label: &str| mac(&prk, &[label.as_bytes(), &[1]].concat());
    let file = file_of(folder.path(), "unpause-key-2", &MASTER);
    let id = URL_SAFE_NO_PAD.encode(derive("unpause key id v2"));
    assert_eq!(file.id(), &id[..12]);
    let keys = open(&file);
    let by_hand = seal_as_before(&derive("unpause seal at rest v2"), "c", b"1");
    let sealed = format!("{}.{by_hand}", file.id());
    assert_eq!(keys.open::<u8>("c", &sealed), Ok(1));
    assert!(
        keys.seal("c", &1)
            .unwrap()
            .starts_with(&format!("{}.", file.id()))
    );
    let tags = Tags::new(derive("unpause message tags v2"));
    assert_eq!(tag_of(keys.tags()), tag_of(&tags));
    let again = KeyFile::from_master(&MASTER);
    assert_ne!(open(&again).verifying(), keys.verifying(), "it is random");
}

#[test]
fn a_sealed_value_opens_with_its_key_and_context_only() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] =
        [[1; 32], [2; 32]].map(|master| open(&file_of(folder.path(), "unpause-key-2", &master)));
    let sealed = ours.seal("inbox inb_1", &"a token").unwrap();
    assert!(!sealed.contains("token"));
    let opened = ours.open::<String>("inbox inb_1", &sealed);
    assert_eq!(opened.as_deref(), Ok("a token"));
    for (keys, context) in [(&ours, "inbox inb_2"), (&theirs, "inbox inb_1")] {
        assert_eq!(keys.open::<String>(context, &sealed), Err(SealingError));
    }
    // Nor under another key's name.
    let (_, blob) = sealed.split_once('.').unwrap();
    for named in [
        format!("{}{blob}", theirs.prefix()),
        format!("{}.{blob}", "x".repeat(12)),
    ] {
        assert_eq!(
            ours.open::<String>("inbox inb_1", &named),
            Err(SealingError)
        );
    }
}

#[test]
fn a_renewal_is_not_at_its_end_while_something_is_sealed_with_the_key_before_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(&file_of(folder.path(), "unpause-key-1", &MASTER));
    let written_later = keys.seal("c", &1).unwrap();
    let next = file_of(folder.path(), "unpause-key-2", &MASTER);
    let kept = keys.renewed(&next, false, at(1)).unwrap();
    keys.renew(&next, kept).unwrap();
    assert!(keys.is_renewing() && keys.is_awaited());
    let text = written_later.to_string();
    drop(written_later);
    assert!(!keys.is_awaited());
    keys.forget_at_rest(keys.resealed());
    assert!(!keys.is_renewing());
    assert_eq!(
        keys.open::<u8>("c", &text),
        Ok(1),
        "it was read before that"
    );
    keys.let_go();
    assert_eq!(keys.open::<u8>("c", &text), Err(SealingError));
}

/// Whether the relay signs with this key for who knows it by that.
fn answered_by(keys: &Keys, known: &VerifyingKey, now: Timestamp) -> VerifyingKey {
    let signing = keys.signing(Some(known), now);
    assert!(is_signed(signing.key(), "text", &signing.sign("text")));
    signing.key().clone()
}

fn is_signed(key: &VerifyingKey, text: &str, signature: &[u8; SIGNATURE_BYTES]) -> bool {
    let key = DalekKey::from_bytes(&key.to_bytes());
    let signature = Signature::from_bytes(signature);
    key.is_ok_and(|key| key.verify_strict(text.as_bytes(), &signature).is_ok())
}

async fn follow(known: &VerifyingKey, renewals: &[Renewal]) -> Option<VerifyingKey> {
    let is_signed = async |key: &VerifyingKey, text: &str, signature: &[u8; SIGNATURE_BYTES]| {
        is_signed(key, text, signature)
    };
    let followed = renewal::follow(known, renewals, is_signed).await;
    followed.map(|renewed| renewed.signing)
}

#[tokio::test]
async fn who_was_away_for_two_renewals_follows_for_ninety_days_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(&file_of(folder.path(), "unpause-key-1", &MASTER));
    let first = keys.verifying();
    let sealed_to_first = keys.sealing(Some(&first), at(0));
    let mut all = vec![first.clone()];
    for (master, day) in [([1; 32], 10), ([2; 32], 30)] {
        let next = file_of(folder.path(), "unpause-key-2", &master);
        let kept = keys.renewed(&next, false, at(day)).unwrap();
        // What is kept is enough to begin with.
        let again = Keys::of(&next, kept.clone()).unwrap();
        keys.renew(&next, kept).unwrap();
        assert_eq!(again.verifying(), keys.verifying());
        keys.forget_at_rest(keys.resealed());
        all.push(keys.verifying());
    }
    let [_, second, third] = &all[..] else {
        unreachable!()
    };
    assert_eq!(answered_by(&keys, &first, at(99)), first);
    assert_eq!(keys.sealing(Some(&first), at(99)), sealed_to_first);
    assert_eq!(
        follow(&first, &keys.renewals(&first)).await.as_ref(),
        Some(third)
    );
    assert_eq!(
        follow(second, &keys.renewals(second)).await.as_ref(),
        Some(third)
    );
    assert!(keys.renewals(third).is_empty());
    // 90 days after day 10 and day 30.
    assert_eq!(answered_by(&keys, &first, at(100)), *third);
    assert_eq!(answered_by(&keys, second, at(119)), *second);
    assert_eq!(answered_by(&keys, second, at(120)), *third);
    assert!(keys.is_alone(at(120)) && !keys.is_alone(at(119)));
    // Then their secret halves go.
    let (kept, next) = keys.outlived(at(100));
    let kept = kept.unwrap();
    assert_eq!(next, Some(at(120)));
    let halves: Vec<_> = kept
        .generations
        .iter()
        .map(|one| one.sealed.is_some())
        .collect();
    assert_eq!(halves, [false, true, true]);
    keys.forget(&kept);
    assert_eq!(
        answered_by(&keys, &first, at(99)),
        *third,
        "also by a clock that is set back"
    );
    assert_eq!(answered_by(&keys, second, at(101)), *second);
}

#[tokio::test]
async fn keys_that_somebody_may_have_are_good_for_nothing_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let keys = open(&file_of(folder.path(), "unpause-key-1", &MASTER));
    let mut before = vec![keys.verifying()];
    for (master, at_once) in [([1; 32], false), ([2; 32], true)] {
        let next = file_of(folder.path(), "unpause-key-2", &master);
        let kept = keys.renewed(&next, at_once, at(1)).unwrap();
        keys.renew(&next, kept).unwrap();
        keys.forget_at_rest(keys.resealed());
        before.push(keys.verifying());
    }
    let now = before.pop().unwrap();
    for known in &before {
        assert_eq!(answered_by(&keys, known, at(1)), now);
        assert_eq!(follow(known, &keys.renewals(known)).await, None);
    }
    assert!(keys.is_alone(at(1)));
    let halves = keys
        .kept()
        .generations
        .into_iter()
        .filter(|one| one.sealed.is_some());
    assert_eq!(halves.count(), 1);
}

proptest::proptest! {
    /// Whoever changes anything of an announcement, or has nothing but public keys, leads nobody anywhere.
    #[test]
    fn an_announcement_that_differs_in_any_byte_is_not_believed(
        place: proptest::sample::Index, byte: u8, is_of_second: bool, is_signature: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let keys = open(&file_of(folder.path(), "unpause-key-1", &MASTER));
        let first = keys.verifying();
        for master in [[1; 32], [2; 32]] {
            let next = file_of(folder.path(), "unpause-key-2", &master);
            keys.renew(&next, keys.renewed(&next, false, at(1)).unwrap()).unwrap();
            keys.forget_at_rest(keys.resealed());
        }
        let mut renewals = keys.renewals(&first);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let last = keys.verifying();
        assert_eq!(runtime.block_on(follow(&first, &renewals)), Some(last));
        let changed = &mut renewals[usize::from(is_of_second)];
        let text = if is_signature { &mut changed.signature } else { &mut changed.statement };
        let mut bytes = text.clone().into_bytes();
        let at = place.index(bytes.len());
        proptest::prop_assume!(bytes[at] != byte && byte.is_ascii());
        bytes[at] = byte;
        *text = String::from_utf8(bytes).unwrap();
        assert_eq!(runtime.block_on(follow(&first, &renewals)), None);
        // Nor in another order, nor with one that is left out.
        let keys = keys.renewals(&first);
        let [one, two] = &keys[..] else { unreachable!() };
        for wrong in [vec![two.clone(), one.clone()], vec![two.clone()], vec![]] {
            assert_eq!(runtime.block_on(follow(&first, &wrong)), None);
        }
    }
}

#[test]
fn the_new_file_takes_its_place_wherever_that_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unpause.key");
    let before = KeyFile::load(&path, true).unwrap();
    let new = KeyFile::create_beside(&path).unwrap();
    let waiting = folder.path().join(format!("unpause.key.{}.new", new.id()));
    let old = folder
        .path()
        .join(format!("unpause.key.{}.old", before.id()));
    let mode = fs::metadata(&waiting).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let found = |needed: &str| KeyFile::find(&path, needed).unwrap().id().to_owned();
    assert_eq!(
        (found(before.id()), found(new.id())),
        (before.id().to_owned(), new.id().to_owned())
    );
    // As one left it that was killed between the two steps.
    fs::hard_link(&path, &old).unwrap();
    assert!(is_waiting(&path, new.id()));
    assert!(take_place(&path, new.id()).unwrap());
    assert!(!waiting.exists() && !is_waiting(&path, new.id()));
    assert_eq!(KeyFile::load(&path, false).unwrap().id(), new.id());
    assert_eq!(KeyFile::load(&old, false).unwrap().id(), before.id());
    assert!(!take_place(&path, new.id()).unwrap(), "it has it");
    // The one that had the place is not looked for any more.
    assert_eq!(found(before.id()), new.id());
    let unused = KeyFile::create_beside(&path).unwrap();
    fs::write(folder.path().join("unpause.key.note.new"), "somebody's").unwrap();
    forget_waiting(&path).unwrap();
    assert!(!is_waiting(&path, unused.id()) && old.exists());
    assert!(folder.path().join("unpause.key.note.new").exists());
    assert_eq!(list_beside(&path).unwrap(), [old]);
}
