//! Who a message says that it is from, beside the address: of an inbox, and of a campaign in its place.

use serde::{Deserialize, Serialize};

use crate::inbox::Address;

/// The longest name, in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// The longest signature, in bytes: 16 KiB.
pub const SIGNATURE_BYTES_MAX: usize = 16 * 1024;

/// How an inbox presents itself, or how a campaign does in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// The name in front of the address (RFC 5322 §3.4); none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where answers go (RFC 5322 §3.6.2); to the inbox when absent. Answers that go to no inbox of the relay are not seen
    /// by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Address>,
    /// Plain text under every message, behind a line `-- ` (RFC 3676 §4.3). No field is filled in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The same as HTML, under messages that have HTML; made from the text when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_html: Option<String>,
}

impl Sender {
    /// This one, and what it does not say as `other` says it.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let has_own = self.signature.is_some() || self.signature_html.is_some();
        let signed = if has_own { self } else { other };
        Self {
            name: self.name.clone().or_else(|| other.name.clone()),
            reply_to: self.reply_to.clone().or_else(|| other.reply_to.clone()),
            signature: signed.signature.clone(),
            signature_html: signed.signature_html.clone(),
        }
    }

    /// Whether it says nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_says_what_it_says_and_the_inbox_the_rest() {
        let inbox = Sender {
            name: Some("Jane".to_owned()),
            reply_to: Some("jane@acme.example".parse().unwrap()),
            signature: Some("Jane".to_owned()),
            signature_html: Some("<b>Jane</b>".to_owned()),
        };
        let campaign = Sender {
            name: Some("Jane of Acme".to_owned()),
            signature: Some("J".to_owned()),
            ..Sender::default()
        };
        let both = campaign.or(&inbox);
        assert_eq!(both.name.as_deref(), Some("Jane of Acme"));
        assert_eq!(both.reply_to, inbox.reply_to);
        // A text and the HTML of another one would not be the same message.
        assert_eq!(
            (both.signature.as_deref(), both.signature_html),
            (Some("J"), None)
        );
        assert_eq!(Sender::default().or(&inbox), inbox);
    }
}
