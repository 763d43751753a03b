//! What SMTP and IMAP need to sign in. Where it comes from and how it is kept is the business of
//! `credentials`.

use protocol::secret::Secret;

/// One way to sign in to a mail server.
#[derive(Clone, Debug)]
pub enum SignIn {
    /// SASL PLAIN (RFC 4616), or LOGIN where the server offers nothing else.
    Password {
        /// The user name; usually the address.
        user: String,
        /// The password or app password.
        password: Secret,
    },
    /// SASL XOAUTH2 with an access token.
    Bearer {
        /// The address to act as.
        user: String,
        /// The access token.
        access_token: Secret,
    },
}
