//! What our messages bear so that they are known again: a tag that follows from the key file, the lead, the step and
//! how often a person had it sent anew, and from nothing else. A ledger that was put back makes the same ones, and a
//! tag of ours is told from any other text also where the ledger has no row for it. Who bears it is in `text`.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use protocol::id::{CampaignId, LeadId};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// Bytes that name the message.
const NAME_BYTES: usize = 16;
/// Bytes by which a tag is known as ours: nobody guesses one in 2^64.
const CHECK_BYTES: usize = 8;
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
        let mut mac = Hmac::<Sha256>::new(&(*block).into());
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
