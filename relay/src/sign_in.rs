//! What SMTP and IMAP need to sign in. Where it comes from and how it is kept is the business of
//! `credentials`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::hush::Hush;
use protocol::secret::Secret;
use zeroize::Zeroizing;

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

impl SignIn {
    /// The message of SASL PLAIN (RFC 4616 §2) or of XOAUTH2, as Google and Microsoft describe it (there is no
    /// RFC), before base64.
    pub(crate) fn render(&self) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Password { user, password } => format!("\0{user}\0{}", password.expose()),
            Self::Bearer { user, access_token } => {
                format!(
                    "user={user}\x01auth=Bearer {}\x01\x01",
                    access_token.expose()
                )
            }
        })
    }

    /// The message in base64, as it goes over the wire.
    pub(crate) fn encode(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.render().as_bytes()))
    }

    /// Keeps the credentials quiet in whatever a server says to them, then and later: some repeat what they refuse.
    pub(crate) fn hush(&self) -> Hush {
        let (Self::Password {
            password: secret, ..
        }
        | Self::Bearer {
            access_token: secret,
            ..
        }) = self;
        Hush::new([secret.expose(), &self.encode()])
    }
}
