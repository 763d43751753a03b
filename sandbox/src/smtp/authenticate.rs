//! AUTH (RFC 4954): PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER, and how each refusal is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp_proto::{AUTH_LOGIN, AUTH_OAUTHBEARER, AUTH_PLAIN, AUTH_XOAUTH2};

use super::{LONGEST_LINE, Session};
use crate::account::Refusal;
use crate::connection::Gone;
use crate::control::{Point, Stage};
use crate::locked;
use crate::oauth::SCOPE_SEND;
use crate::profile::RefusedToken;
use crate::sasl::{Credentials, parse_oauth_bearer, parse_plain, parse_xoauth2, render_failure};

/// Why there are no credentials to decide on.
enum NoCredentials {
    /// The line is not base64, or not of the mechanism's form.
    Malformed,
    /// The client sent `*` (RFC 4954 §4).
    Cancelled,
    Gone,
}

impl From<Gone> for NoCredentials {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl Session {
    pub(super) async fn authenticate(
        &mut self,
        mechanism: u64,
        initial_response: &str,
    ) -> Result<(), Gone> {
        if self.tls.is_some() {
            return self
                .reply("538 5.7.11 Encryption required, use STARTTLS")
                .await;
        }
        if self.person.is_some() {
            return self.reply("503 5.5.1 Already authenticated").await;
        }
        let credentials = match self.read_credentials(mechanism, initial_response).await {
            Ok(Some(credentials)) => credentials,
            Ok(None) => return self.reply("504 5.5.4 Mechanism not offered").await,
            Err(NoCredentials::Malformed) => {
                return self.reply("501 5.5.2 Malformed credentials").await;
            }
            Err(NoCredentials::Cancelled) => {
                return self.reply("501 5.7.0 Authentication cancelled").await;
            }
            Err(NoCredentials::Gone) => return Err(Gone),
        };
        self.shown = Some(credentials.clone());
        let claimed = credentials.username().map(str::to_lowercase);
        self.connection
            .pass(Point::SmtpAuthenticating, claimed.as_deref())
            .await?;
        if locked(&self.connection.provider.faults).smtp_auth_off {
            return self
                .reply("535 5.7.139 SMTP AUTH is switched off for this inbox")
                .await;
        }
        match self.connection.provider.sign_in(&credentials, SCOPE_SEND) {
            Ok(signed_in) => {
                if self.answer(Stage::Auth, "235 2.7.0 Accepted").await? {
                    self.person = Some(signed_in);
                }
                Ok(())
            }
            Err(refusal) => self.refuse(&credentials, refusal).await,
        }
    }

    /// `None`: not a mechanism of ours.
    async fn read_credentials(
        &mut self,
        mechanism: u64,
        initial_response: &str,
    ) -> Result<Option<Credentials>, NoCredentials> {
        let parse = match mechanism {
            AUTH_PLAIN => parse_plain,
            AUTH_XOAUTH2 => parse_xoauth2,
            AUTH_OAUTHBEARER => parse_oauth_bearer,
            AUTH_LOGIN => {
                let username = match initial_response {
                    "" => self.ask("VXNlcm5hbWU6").await?, // "Username:"
                    given => decode(given)?,
                };
                let password = self.ask("UGFzc3dvcmQ6").await?; // "Password:"
                let text = |bytes| String::from_utf8(bytes).map_err(|_| NoCredentials::Malformed);
                let (username, password) = (text(username)?, text(password)?);
                return Ok(Some(Credentials::Password { username, password }));
            }
            _ => return Ok(None),
        };
        let message = match initial_response {
            "" => self.ask("").await?,
            given => decode(given)?,
        };
        parse(&message)
            .map(Some)
            .map_err(|_| NoCredentials::Malformed)
    }

    async fn ask(&mut self, challenge: &str) -> Result<Vec<u8>, NoCredentials> {
        self.reply(&format!("334 {challenge}")).await?;
        let line = self.connection.read_piece(LONGEST_LINE).await?;
        decode(&String::from_utf8_lossy(&line))
    }

    async fn refuse(&mut self, credentials: &Credentials, refusal: Refusal) -> Result<(), Gone> {
        let profile = self.connection.provider.profile;
        if let Credentials::Token { mechanism, .. } = credentials
            && profile.refused_token == RefusedToken::ChallengeFirst
        {
            let provider = &self.connection.provider;
            let mut scope = SCOPE_SEND.to_owned();
            if locked(&provider.faults).echo {
                scope = credentials.forms().join(" ");
            }
            let failure = render_failure(*mechanism, refusal, &scope, &provider.issuer);
            let challenge = format!("334 {}\r\n", STANDARD.encode(failure));
            self.connection.write(challenge.as_bytes()).await?;
            // RFC 7628 §3.2.3: a dummy answer, empty or %x01; whatever it is, the exchange fails.
            self.connection.read_piece(LONGEST_LINE).await?;
        }
        let line = match refusal {
            Refusal::WrongPassword => "535 5.7.8 User name or password not accepted",
            Refusal::AppPasswordDemanded => "534 5.7.9 Application-specific password required",
            Refusal::PasswordsOff => "535 5.7.8 Passwords are not accepted here, use OAuth",
            // RFC 5248 §2.4: user account disabled
            Refusal::Locked => "525 5.7.13 This account is locked",
            Refusal::BadToken | Refusal::MissingScope | Refusal::SomebodyElse => {
                "535 5.7.8 Token not accepted"
            }
        };
        // The scripted reply takes the place of the verdict, whichever it is.
        self.answer(Stage::Auth, line).await.map(|_| ())
    }
}

/// RFC 4954 §4: `=` is an empty message, `*` cancels.
fn decode(line: &str) -> Result<Vec<u8>, NoCredentials> {
    match line.trim() {
        "*" => Err(NoCredentials::Cancelled),
        "=" => Ok(Vec::new()),
        text => STANDARD.decode(text).map_err(|_| NoCredentials::Malformed),
    }
}
