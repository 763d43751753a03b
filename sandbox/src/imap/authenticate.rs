//! LOGIN and AUTHENTICATE, with an initial response (RFC 4959) or without.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imap_codec::imap_types::auth::AuthMechanism;
use imap_codec::imap_types::response::Code;

use super::{Outcome, Session};
use crate::account::Refusal;
use crate::clock;
use crate::connection::Gone;
use crate::control::{Gate, Point};
use crate::locked;
use crate::profile::{Access, RefusedToken};
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
        let (name, parse): (_, fn(&[u8]) -> _) = match mechanism {
            AuthMechanism::Plain => ("PLAIN", parse_plain),
            AuthMechanism::XOAuth2 => ("XOAUTH2", parse_xoauth2),
            AuthMechanism::OAuthBearer => ("OAUTHBEARER", parse_oauth_bearer),
            _ => return Ok(Outcome::no("mechanism not offered")),
        };
        let profile = self.connection.provider.profile;
        if !profile.imap_mechanisms.contains(&name) {
            return Ok(Outcome::no("mechanism not offered"));
        }
        if initial_response.is_some() && !profile.sasl_ir {
            return Ok(Outcome::bad("no initial response here"));
        }
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
        let said = self
            .connection
            .meet(Gate::ImapAuth, claimed.as_deref())
            .await?;
        if said.is_some() {
            self.instead = said;
            return Ok(Outcome::no("in trouble"));
        }
        if locked(&self.connection.provider.faults).refuses_imap(claimed.as_deref()) {
            self.note_refused(claimed.as_deref());
            return Ok(Outcome::no("Your account is not enabled for IMAP use").with(Code::Alert));
        }
        let provider = &self.connection.provider;
        let entered = provider
            .sign_in(credentials, Access::Read)
            .and_then(|signed_in| {
                provider.accounts.enter_imap(&signed_in.address)?;
                Ok(signed_in)
            });
        let refusal = match entered {
            Ok(signed_in) => {
                self.person = Some(signed_in);
                return Ok(Outcome::ok("signed in"));
            }
            Err(refusal) => refusal,
        };
        self.note_refused(claimed.as_deref());
        let provider = &self.connection.provider;
        let profile = provider.profile;
        if let Credentials::Token { mechanism, .. } = credentials
            && let RefusedToken::ChallengeFirst { status, schemes } = profile.refused_token
            && refusal != Refusal::TooManyConnections
        {
            let scope = provider
                .oauth()
                .map_or("", |oauth| oauth.scope_for(Access::Read));
            let scope = self.echo().unwrap_or_else(|| scope.to_owned());
            let failure = render_failure(
                *mechanism,
                refusal,
                (status, schemes),
                &scope,
                &provider.issuer,
            );
            // RFC 7628 §3.2.3: a dummy answer; whatever it is, the exchange fails.
            self.ask(&STANDARD.encode(failure)).await?;
        }
        let replies = &profile.replies.imap;
        Ok(Outcome::refusal(match refusal {
            Refusal::WrongPassword => replies.wrong_password,
            Refusal::AppPasswordDemanded => replies.app_password_demanded,
            Refusal::PasswordsOff => replies.passwords_off,
            Refusal::Locked => replies.locked,
            Refusal::BadToken | Refusal::SomebodyElse => replies.bad_token,
            Refusal::MissingScope => replies.missing_scope,
            Refusal::TooManyConnections => replies.too_many_connections,
        }))
    }

    fn note_refused(&self, person: Option<&str>) {
        if let Some(person) = person {
            let mut faults = locked(&self.connection.provider.faults);
            faults.troubles.note_refused(person, clock::now_ms());
        }
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
