//! What a person is asked before a sign-in that an inbox does not know takes the place of what it has.

use serde::{Deserialize, Serialize};

use crate::inbox::Address;

/// A sign-in that works, and that somebody must say is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ReconnectQuestion"))]
pub struct Question {
    /// The inbox's address.
    pub inbox: Address,
    /// With what somebody signed in.
    pub given: GivenSignIn,
    /// What it would take the place of; `None` where the inbox never signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaces>,
}

/// With what somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GivenSignIn {
    /// An account, on the provider's page.
    Account {
        /// Its name, where the provider told one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A user name and a password.
    Password {
        /// The user name.
        user: String,
    },
}

/// How an inbox signs in today.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Replaces {
    /// With an account.
    Account {
        /// The provider, as people call it.
        provider: String,
    },
    /// With a user name and a password.
    Password {
        /// The user name.
        user: String,
    },
}

impl Question {
    /// The question, without what to press or to type.
    pub fn words(&self) -> String {
        let inbox = &self.inbox;
        let given = match &self.given {
            GivenSignIn::Account { name: Some(name) } => format!("You signed in as {name}."),
            GivenSignIn::Account { name: None } => "You signed in with another account.".to_owned(),
            GivenSignIn::Password { user } => {
                format!("You gave a user name and password for {user}.")
            }
        };
        let today = match (&self.given, &self.replaces) {
            // One account after another of the same provider.
            (GivenSignIn::Account { .. }, None | Some(Replaces::Account { .. }))
            | (GivenSignIn::Password { .. }, None) => {
                return format!(
                    "{given} This inbox is {inbox}. It works: it sends and reads with that sign-in."
                );
            }
            (_, Some(Replaces::Account { provider })) => format!("with {provider}"),
            (_, Some(Replaces::Password { user })) => {
                format!("with the user name {user} and a password")
            }
        };
        format!(
            "{inbox} signs in {today} today. {given} It works: it sends and reads with that sign-in, which takes the \
             place of today's."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_and_what_it_would_replace_are_both_named() {
        let john = || GivenSignIn::Account {
            name: Some("john@acme.example".to_owned()),
        };
        let mallory = || GivenSignIn::Password {
            user: "mallory@acme.example".to_owned(),
        };
        let google = || {
            Some(Replaces::Account {
                provider: "Google".to_owned(),
            })
        };
        let jdoe = || {
            Some(Replaces::Password {
                user: "jdoe".to_owned(),
            })
        };
        let words = |given, replaces| {
            let inbox = "jane@acme.example".parse().unwrap();
            Question {
                inbox,
                given,
                replaces,
            }
            .words()
        };
        let as_john = "You signed in as john@acme.example. This inbox is jane@acme.example. It works: it sends and \
                       reads with that sign-in.";
        assert_eq!(words(john(), None), as_john);
        assert_eq!(words(john(), google()), as_john);
        assert_eq!(
            words(mallory(), google()),
            "jane@acme.example signs in with Google today. You gave a user name and password for mallory@acme.example. \
             It works: it sends and reads with that sign-in, which takes the place of today's."
        );
        assert_eq!(
            words(mallory(), jdoe()),
            "jane@acme.example signs in with the user name jdoe and a password today. You gave a user name and \
             password for mallory@acme.example. It works: it sends and reads with that sign-in, which takes the place \
             of today's."
        );
        assert_eq!(
            words(mallory(), None),
            "You gave a user name and password for mallory@acme.example. This inbox is jane@acme.example. It works: \
             it sends and reads with that sign-in."
        );
        let unnamed = GivenSignIn::Account { name: None };
        assert!(words(unnamed, jdoe()).contains(
            "signs in with the user name jdoe and a password today. You signed in with another account."
        ));
    }
}
