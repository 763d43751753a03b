//! What our messages bear so that they are known again: a tag that follows from the key file, the lead, the step and
//! how often a person had it sent anew, and from nothing else. A ledger that was put back makes the same ones, and a
//! tag of ours is told from any other text also where the ledger has no row for it. Who bears it is in `text`. A way out
//! follows from the key file and the person alone, so it holds for as long as the key does, whatever becomes of the ledger.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hmac::{Hmac, Mac as _};
use protocol::id::{CampaignId, LeadId};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes that name the message.
const NAME_BYTES: usize = 16;
/// Bytes by which a tag is known as ours: nobody guesses one in 2^64.
const CHECK_BYTES: usize = 8;
/// The longest way out that is looked at: an address has 254 bytes (RFC 5321 §4.5.3.1), some twice that as written.
const WAY_OUT_CHARS_MAX: usize = 800;
/// Letters of a tag: servers give ids back in other letters than they got, so it is written in hex.
const CHARS: usize = 2 * (NAME_BYTES + CHECK_BYTES);

/// Makes tags and knows them. Cloning it is cheap.
#[derive(Clone)]
pub struct Tags(Arc<Zeroizing<[u8; 32]>>);

impl std::fmt::Debug for Tags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tags")
    }
}

/// One step to one lead, as its tag is made.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The lead.
    pub lead: &'a LeadId,
    /// The step, from 1.
    pub step: i64,
    /// How often it is to be sent anew although a server had accepted it.
    pub resends: i64,
}

impl Tags {
    /// Tags by this key (RFC 2104), which is used for nothing else.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Arc::new(Zeroizing::new(key)))
    }

    /// The tag of a message.
    pub fn make(&self, named: &Named<'_>) -> String {
        let text = format!(
            "message\n{}\n{}\n{}\n{}",
            named.campaign, named.lead, named.step, named.resends
        );
        let digest = self.digest(text.as_bytes());
        let name = digest.get(..NAME_BYTES).unwrap_or_default();
        let mut tag = render_hex(name);
        tag.push_str(&self.check(&tag));
        tag
    }

    /// What we write as `Message-ID`, without angle brackets, for an inbox of this domain.
    pub fn make_message_id(&self, named: &Named<'_>, domain: &str) -> String {
        format!("{}@{domain}", self.make(named))
    }

    /// The tag in a text, in small letters, where it is one of ours: a header's value, or an id.
    pub fn find(&self, text: &str) -> Option<String> {
        let local = text.split_once('@').map_or(text, |(local, _)| local);
        if !has_form(local) {
            return None;
        }
        let tag = local.to_ascii_lowercase();
        let (name, check) = tag.split_at_checked(2 * NAME_BYTES)?;
        let is_ours: bool = self.check(name).as_bytes().ct_eq(check.as_bytes()).into();
        is_ours.then_some(tag)
    }

    /// What lets this person, as the list of those not written to has them, out of every campaign: their address, sealed
    /// (RFC 8439 §2.8). Nobody else makes one, and nothing of the relay's is read from one. The nonce follows from the
    /// address, so that each person has one way out and no nonce seals two texts.
    pub fn make_way_out(&self, person: &str) -> String {
        let digest = self.digest(format!("way out of\n{person}").as_bytes());
        let nonce: [u8; 12] = digest.first_chunk().copied().unwrap_or_default();
        let sealed = self
            .way_out_cipher()
            .encrypt(&Nonce::from(nonce), person.as_bytes())
            // Only a text of 256 GiB does not seal.
            .unwrap_or_default();
        URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())
    }

    /// The person whom this lets out; `None` where it is no way out of ours, or not all of it.
    pub fn find_way_out(&self, text: &str) -> Option<String> {
        if text.len() > WAY_OUT_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<12>()?;
        let opened = self
            .way_out_cipher()
            .decrypt(&Nonce::from(*nonce), sealed)
            .ok()?;
        String::from_utf8(opened).ok()
    }

    fn way_out_cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new(&Key::from(self.digest(b"key of ways out")))
    }

    fn check(&self, name: &str) -> String {
        let digest = self.digest(format!("check\n{name}").as_bytes());
        render_hex(digest.get(..CHECK_BYTES).unwrap_or_default())
    }

    fn digest(&self, text: &[u8]) -> [u8; 32] {
        // RFC 2104 §2: a key shorter than a block is filled with zeros.
        let mut block = Zeroizing::new([0_u8; 64]);
        for (to, from) in block.iter_mut().zip(self.0.iter()) {
            *to = *from;
        }
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new(&(*block).into());
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

/// Whether a text is written as tags are, whoever made it.
pub fn has_form(text: &str) -> bool {
    text.len() == CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn render_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<'a>(campaign: &'a CampaignId, lead: &'a LeadId, step: i64, resends: i64) -> Named<'a> {
        Named {
            campaign,
            lead,
            step,
            resends,
        }
    }

    #[test]
    fn a_tag_follows_from_the_key_and_the_step_and_is_known_in_any_letters() {
        let (ours, theirs) = (Tags::new([1; 32]), Tags::new([2; 32]));
        let (campaign, lead) = (CampaignId::new("cmp_1"), LeadId::new("led_1"));
        let first = named(&campaign, &lead, 1, 0);
        let tag = ours.make(&first);
        assert_eq!(tag, Tags::new([1; 32]).make(&first));
        let other_lead = LeadId::new("led_2");
        for other in [
            ours.make(&named(&campaign, &lead, 2, 0)),
            ours.make(&named(&campaign, &lead, 1, 1)),
            ours.make(&named(&campaign, &other_lead, 1, 0)),
            theirs.make(&first),
        ] {
            assert_ne!(tag, other);
        }
        let id = ours.make_message_id(&first, "acme.example");
        assert_eq!(id, format!("{tag}@acme.example"));
        for text in [id.as_str(), &tag, &id.to_ascii_uppercase()] {
            assert_eq!(ours.find(text), Some(tag.clone()), "{text}");
        }
        let altered = format!("0{}", &tag[1..]);
        let altered = if altered == tag {
            format!("1{}", &tag[1..])
        } else {
            altered
        };
        for text in [
            altered.as_str(),
            &theirs.make(&first),
            &tag[1..],
            "",
            "@",
            "dlv_1",
        ] {
            assert_eq!(ours.find(text), None, "{text}");
        }
    }

    #[test]
    fn a_way_out_is_one_persons_and_no_other_text_is_one() {
        let (ours, theirs) = (Tags::new([1; 32]), Tags::new([2; 32]));
        let longest = format!("{}@{}.example", "ü".repeat(60), "x".repeat(120));
        for person in ["ann@a.example", "bob@xn--bcher-kva.example", &longest] {
            let way_out = ours.make_way_out(person);
            assert_eq!(ours.find_way_out(&way_out).as_deref(), Some(person));
            assert_eq!(way_out, Tags::new([1; 32]).make_way_out(person));
            assert!(!way_out.contains(person) && way_out.len() < WAY_OUT_CHARS_MAX);
            assert_eq!(theirs.find_way_out(&way_out), None);
            // Each letter of it counts.
            for at in 0..way_out.len() - 1 {
                let mut altered = way_out.clone().into_bytes();
                altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
                let altered = String::from_utf8(altered).unwrap();
                assert_eq!(ours.find_way_out(&altered), None, "{at}");
                assert_eq!(ours.find_way_out(&way_out[..at]), None, "{at}");
            }
        }
        assert_ne!(
            ours.make_way_out("a@a.example"),
            ours.make_way_out("b@a.example")
        );
        for text in ["", "AAAA", "unsubscribe", &"A".repeat(10_000)] {
            assert_eq!(ours.find_way_out(text), None);
        }
    }

    #[test]
    fn the_digest_is_the_one_of_the_standard() {
        // RFC 4231 §4.2, whose key of 20 bytes of 0x0b is filled with zeros.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            render_hex(&Tags::new(key).digest(b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }
}
