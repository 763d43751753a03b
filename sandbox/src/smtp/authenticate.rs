//! AUTH (RFC 4954): PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER, and how each refusal is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp_proto::{AUTH_LOGIN, AUTH_OAUTHBEARER, AUTH_PLAIN, AUTH_XOAUTH2};

use super::{LONGEST_LINE, Session};
use crate::account::Refusal;
use crate::clock;
use crate::connection::Gone;
use crate::control::{Gate, Point, Stage};
use crate::locked;
use crate::profile::{Access, RefusedToken};
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
        let said = self
            .connection
            .meet(Gate::SmtpAuth, claimed.as_deref())
            .await?;
        if let Some(said) = said {
            return self.reply_bytes(&said).await.map(|_| ());
        }
        if locked(&self.connection.provider.faults).refuses_smtp(claimed.as_deref()) {
            self.note_refused(claimed.as_deref());
            let line = self.connection.provider.profile.replies.smtp.auth_off;
            return self.reply(line).await;
        }
        match self.connection.provider.sign_in(&credentials, Access::Send) {
            Ok(signed_in) => {
                if self.answer(Stage::Auth, "235 2.7.0 Accepted").await? {
                    self.person = Some(signed_in);
                }
                Ok(())
            }
            Err(refusal) => {
                self.note_refused(claimed.as_deref());
                self.refuse(&credentials, refusal).await
            }
        }
    }

    /// `None`: not a mechanism of ours.
    async fn read_credentials(
        &mut self,
        mechanism: u64,
        initial_response: &str,
    ) -> Result<Option<Credentials>, NoCredentials> {
        let profile = self.connection.provider.profile;
        let name = match mechanism {
            AUTH_PLAIN => "PLAIN",
            AUTH_LOGIN => "LOGIN",
            AUTH_XOAUTH2 => "XOAUTH2",
            AUTH_OAUTHBEARER => "OAUTHBEARER",
            _ => return Ok(None),
        };
        if !profile.smtp_mechanisms.contains(&name) {
            return Ok(None);
        }
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

    fn note_refused(&self, person: Option<&str>) {
        if let Some(person) = person {
            let mut faults = locked(&self.connection.provider.faults);
            faults.troubles.note_refused(person, clock::now_ms());
        }
    }

    async fn refuse(&mut self, credentials: &Credentials, refusal: Refusal) -> Result<(), Gone> {
        let profile = self.connection.provider.profile;
        if let Credentials::Token { mechanism, .. } = credentials
            && let RefusedToken::ChallengeFirst { status, schemes } = profile.refused_token
        {
            let provider = &self.connection.provider;
            let scope = provider
                .oauth()
                .map_or("", |oauth| oauth.scope_for(Access::Send));
            let mut scope = scope.to_owned();
            if locked(&provider.faults).echo {
                scope = credentials.forms().join(" ");
            }
            let failure = render_failure(
                *mechanism,
                refusal,
                (status, schemes),
                &scope,
                &provider.issuer,
            );
            let challenge = format!("334 {}\r\n", STANDARD.encode(failure));
            self.connection.write(challenge.as_bytes()).await?;
            // RFC 7628 §3.2.3: a dummy answer, empty or %x01; whatever it is, the exchange fails.
            self.connection.read_piece(LONGEST_LINE).await?;
        }
        let replies = &profile.replies.smtp;
        let line = match refusal {
            Refusal::WrongPassword => replies.wrong_password,
            Refusal::AppPasswordDemanded => replies.app_password_demanded,
            Refusal::PasswordsOff => replies.passwords_off,
            Refusal::Locked => replies.locked,
            // Connections are counted over IMAP only.
            Refusal::BadToken
            | Refusal::MissingScope
            | Refusal::SomebodyElse
            | Refusal::TooManyConnections => replies.bad_token,
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
