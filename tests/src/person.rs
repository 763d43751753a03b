//! A person of a test: an address and the password they type.
//! Deliberately absent: how a server stores either.

use std::fmt;

/// Someone with a mail account at the servers of a test.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The e-mail address; it is the OpenID subject as well. Lower case.
    pub address: String,
    /// What they type at the provider, or into a mail program that signs in by password.
    pub password: String,
}

impl Person {
    /// A person with this address and password.
    pub fn new(address: &str, password: &str) -> Self {
        Self {
            address: address.to_lowercase(),
            password: password.to_owned(),
        }
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
