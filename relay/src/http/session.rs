//! Signing in to the dashboard.

use std::time::Duration;

use protocol::request::session::{CreateLoginLink, CreateSession, LoginLink, Session};
use protocol::secret::Secret;

use super::{Context, Serve, ServeError};
use crate::secret::random_secret;
use crate::store::access::Purpose;

/// How long a single-use code waits to be used: long enough to change windows, too short to be found.
pub(super) const CODE_FOR: Duration = Duration::from_mins(10);
/// How long a session lasts.
const SESSION_FOR: Duration = Duration::from_hours(30 * 24);

impl Serve for CreateLoginLink {
    async fn serve(self, context: Context) -> Result<LoginLink, ServeError> {
        let (now, code) = (context.app().clock.now(), random_secret());
        let expires_at = now + CODE_FOR;
        context
            .app()
            .store
            .create_code(Purpose::Login, &code, now, expires_at)
            .await?;
        // In the fragment, so that it is in no log of a server.
        let url = Secret::new(format!(
            "{}/login#code={}",
            context.relay_url(),
            code.expose()
        ));
        Ok(LoginLink { url, expires_at })
    }
}

impl Serve for CreateSession {
    async fn serve(self, context: Context) -> Result<Session, ServeError> {
        let (now, token) = (context.app().clock.now(), random_secret());
        let expires_at = now + SESSION_FOR;
        if !context
            .app()
            .store
            .create_session(&self.code, &token, now, expires_at)
            .await?
        {
            let detail =
                "this code is unknown, was used, or ran out: make a new link with `unpause login`";
            return Err(ServeError::invalid("code", detail));
        }
        Ok(Session { token, expires_at })
    }
}
