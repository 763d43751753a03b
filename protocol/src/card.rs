//! The card that belongs to a cause: what it touches, whether it passes, who must act, and the words.
//! Which evidence leads to which cause is in [`crate::cause`]; what the engine does follows from
//! [`Scope`] and [`Persistence`] alone.

use serde::{Deserialize, Serialize};

/// What people and the engine need to know of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// What is touched.
    pub scope: Scope,
    /// Whether it passes by itself.
    pub persistence: Persistence,
    /// Who must act.
    pub acts: Acts,
    /// One sentence; `{inbox}` and `{provider}` stand for the names.
    pub title: &'static str,
    /// Why, in plain words; the same two names.
    pub explanation: &'static str,
    /// The one thing to do.
    pub remedy: Remedy,
}

impl Card {
    /// The words for one inbox. A sentence that begins with the provider's name begins with a capital; an address
    /// stays as it is.
    pub fn render(&self, facts: &Facts<'_>) -> Words {
        let fill = |text: &str| {
            let filled = text
                .replace("{inbox}", facts.inbox)
                .replace("{provider}", facts.provider);
            if text.starts_with("{provider}") {
                capitalise(&filled)
            } else {
                filled
            }
        };
        Words {
            title: fill(self.title),
            explanation: fill(self.explanation),
            button: self.remedy.button().map(fill),
            acts: self.acts,
            remedy: self.remedy,
        }
    }
}

/// The text with a capital at its beginning.
pub fn capitalise(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

/// The names that a card's words need.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The inbox's address.
    pub inbox: &'a str,
    /// The provider's name as people know it.
    pub provider: &'a str,
}

/// A card with its names filled in, as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Words {
    /// One sentence.
    pub title: String,
    /// Why.
    pub explanation: String,
    /// The label of the one button; `None` where there is nothing to press.
    pub button: Option<String>,
    /// Who must act.
    pub acts: Acts,
    /// What the button does.
    pub remedy: Remedy,
}

/// What a cause touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// This recipient; the inbox is fine.
    Recipient,
    /// This message; the inbox is fine.
    Message,
    /// Everything that this inbox sends and reads.
    Inbox,
    /// The server, or the way to it.
    Server,
    /// Our own registration or set-up.
    Relay,
    /// One reconnect; the inbox is as it was before.
    Reconnect,
}

/// Whether a cause passes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// Waiting helps.
    Transient,
    /// Waiting does not help.
    Permanent,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Acts {
    /// The inbox's owner.
    Person,
    /// The organisation's administrator.
    Admin,
    /// Whoever runs the relay.
    Operator,
    /// Nobody: it passes, or it concerns one lead only.
    Nobody,
}

/// The one thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Start a reconnect.
    Reconnect,
    /// Start it again, with the right account.
    ReconnectAsInbox,
    /// Enter an app password that was made at the provider.
    NewAppPassword,
    /// Sign in on the provider's own page, also where a password was used so far.
    SignInInstead,
    /// Have the server, its port or its encryption corrected: copy a report for whoever runs the relay.
    CorrectServers,
    /// Copy a request that the organisation's administrator can act on.
    AskAdmin,
    /// Copy the request for an administrator's consent, with the page where it is given.
    AskConsent,
    /// Tell whoever runs the relay.
    TellOperator,
    /// Wait; the relay goes on by itself.
    Wait,
    /// Nothing; the lead or the message was set aside.
    Nothing,
}

impl Remedy {
    /// The label of its button; a verb with its object.
    pub fn button(self) -> Option<&'static str> {
        match self {
            Self::Reconnect => Some("Reconnect with {provider}"),
            Self::ReconnectAsInbox => Some("Choose {inbox}"),
            Self::NewAppPassword => Some("Enter the new app password"),
            Self::SignInInstead => Some("Sign in with {provider}"),
            Self::AskAdmin | Self::AskConsent => Some("Copy the request for your admin"),
            Self::CorrectServers | Self::TellOperator => Some("Copy the report for the operator"),
            Self::Wait | Self::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;

    #[test]
    fn a_sentence_begins_with_a_capital_unless_with_an_address() {
        let facts = Facts {
            inbox: "jane@acme.example",
            provider: "the sandbox",
        };
        let words = Cause::PermissionEnded.card().render(&facts);
        assert!(
            words.explanation.starts_with("The sandbox ended"),
            "{}",
            words.explanation
        );
        assert!(
            words.title.starts_with("jane@acme.example"),
            "{}",
            words.title
        );
        assert_eq!(words.button.as_deref(), Some("Reconnect with the sandbox"));
    }
}
