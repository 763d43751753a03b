//! LOGIN and AUTHENTICATE, with an initial response (RFC 4959) or without.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imap_codec::imap_types::auth::AuthMechanism;

use super::{Outcome, Session};
use crate::account::Refusal;
use crate::connection::Gone;
use crate::control::Point;
use crate::oauth::SCOPE_READ;
use crate::profile::RefusedToken;
use crate::sasl::{Credentials, parse_oauth_bearer, parse_plain, parse_xoauth2, render_failure};

/// The longest answer to a challenge, as over SMTP (RFC 4954 §4).
const LONGEST_ANSWER: usize = 12_288;

impl Session {
    pub(super) async fn log_in(
        &mut self,
        username: &[u8],
        password: &[u8],
    ) -> Result<Outcome, Gone> {
        let credentials = Credentials::Password {
            username: String::from_utf8_lossy(username).into_owned(),
            password: String::from_utf8_lossy(password).into_owned(),
        };
        self.decide(&credentials).await
    }

    pub(super) async fn authenticate(
        &mut self,
        mechanism: &AuthMechanism<'_>,
        initial_response: Option<Vec<u8>>,
    ) -> Result<Outcome, Gone> {
        let parse = match mechanism {
            AuthMechanism::Plain => parse_plain,
            AuthMechanism::XOAuth2 => parse_xoauth2,
            AuthMechanism::OAuthBearer => parse_oauth_bearer,
            _ => return Ok(Outcome::no("mechanism not offered")),
        };
        let message = if let Some(message) = initial_response {
            message
        } else {
            let line = self.ask("").await?;
            if line == "*" {
                return Ok(Outcome::bad("cancelled"));
            }
            match STANDARD.decode(line) {
                Ok(message) => message,
                Err(_) => return Ok(Outcome::bad("malformed credentials")),
            }
        };
        match parse(&message) {
            Ok(credentials) => self.decide(&credentials).await,
            Err(_) => Ok(Outcome::bad("malformed credentials")),
        }
    }

    async fn decide(&mut self, credentials: &Credentials) -> Result<Outcome, Gone> {
        self.shown = Some(credentials.clone());
        let claimed = credentials.username().map(str::to_lowercase);
        self.connection
            .pass(Point::ImapAuthenticating, claimed.as_deref())
            .await?;
        let refusal = match self.connection.provider.sign_in(credentials, SCOPE_READ) {
            Ok(signed_in) => {
                self.person = Some(signed_in);
                return Ok(Outcome::ok("signed in"));
            }
            Err(refusal) => refusal,
        };
        if let Credentials::Token { mechanism, .. } = credentials
            && self.connection.provider.profile.refused_token == RefusedToken::ChallengeFirst
        {
            let issuer = &self.connection.provider.issuer;
            let scope = self.echo().unwrap_or_else(|| SCOPE_READ.to_owned());
            let failure = render_failure(*mechanism, refusal, &scope, issuer);
            // RFC 7628 §3.2.3: a dummy answer; whatever it is, the exchange fails.
            self.ask(&STANDARD.encode(failure)).await?;
        }
        // RFC 5530 §3
        Ok(match refusal {
            Refusal::WrongPassword => {
                Outcome::no("user name or password not accepted").with_other("AUTHENTICATIONFAILED")
            }
            Refusal::AppPasswordDemanded => Outcome::no("application-specific password required")
                .with_other("AUTHENTICATIONFAILED"),
            Refusal::PasswordsOff => {
                Outcome::no("passwords are not accepted here").with_other("AUTHENTICATIONFAILED")
            }
            Refusal::Locked => Outcome::no("this account is locked").with_other("CONTACTADMIN"),
            Refusal::BadToken | Refusal::SomebodyElse => {
                Outcome::no("token not accepted").with_other("AUTHENTICATIONFAILED")
            }
            Refusal::MissingScope => {
                Outcome::no("the token does not allow reading").with_other("AUTHORIZATIONFAILED")
            }
        })
    }

    async fn ask(&mut self, challenge: &str) -> Result<String, Gone> {
        self.flush().await?;
        self.connection
            .write(format!("+ {challenge}\r\n").as_bytes())
            .await?;
        let line = self.connection.read_piece(LONGEST_ANSWER).await?;
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }
}
