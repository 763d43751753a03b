//! Signing in to the dashboard, and what has become of it: sessions are listed, and end by themselves, singly or all at
//! once. Unless the relay speaks TLS itself they also end when it starts (`running`): who had its port meanwhile may
//! have got their tokens.

use std::time::Duration;

use protocol::account::AccountName;
use protocol::id::SessionId;
use protocol::problem::{Code, Problem};
use protocol::request::Done;
use protocol::request::session::{
    CURRENT, CreateLoginLink, CreateSession, DeleteSession, DeleteSessions, EndedSessions,
    ListSessions, ListedSession, LoginLink, Session, Sessions,
};
use protocol::secret::Secret;
use protocol::shown;

use super::{Context, Serve, ServeError, Who};
use crate::secret::{random_secret, random_text};
use crate::store::access::{NewCode, Purpose};
use crate::store::session::Session as StoredSession;

/// How long a single-use code waits to be used: long enough to change windows, too short to be found.
pub(super) const CODE_FOR: Duration = Duration::from_mins(10);
/// How long a session lasts at the most.
const SESSION_FOR: Duration = Duration::from_hours(30 * 24);
/// How long a session lasts without use: over lunch and a meeting, and not over night.
pub(super) const IDLE_FOR: Duration = Duration::from_hours(12);
/// The most of what a browser says of itself that is kept, in characters.
pub(super) const BROWSER_AT_MOST: usize = 200;

impl Serve for CreateLoginLink {
    async fn serve(self, context: Context) -> Result<LoginLink, ServeError> {
        let (now, code) = (context.now(), random_secret());
        let expires_at = now + CODE_FOR;
        let new = NewCode {
            purpose: Purpose::Login,
            code: &code,
            account: &context.own_account().await?,
            expires_at,
        };
        context.doors().create_code(new, now).await?;
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
        let (token, session) = begin(&context);
        let doors = context.doors();
        let made = doors.create_session(&self.code, &token, &session).await?;
        let Some(account) = made else {
            let detail =
                "this code is unknown, was used, or ran out: make a new link with `unpause login`";
            return Err(ServeError::invalid("code", detail));
        };
        context.meant.set(&account);
        Ok(Session {
            token,
            expires_at: session.expires_at,
        })
    }
}

/// A session of whoever asks, and the token that it is to have.
pub(super) fn begin(context: &Context) -> (Secret, StoredSession) {
    let now = context.now();
    let browser = context.browser.as_deref().map(shown::line);
    let session = StoredSession {
        id: SessionId::new(format!("{}{}", SessionId::PREFIX, random_text())),
        made_at: now,
        used_at: now,
        expires_at: now + SESSION_FOR,
        peer: context.peer.to_string(),
        browser: browser.map(|browser| browser.chars().take(BROWSER_AT_MOST).collect()),
    };
    (random_secret(), session)
}

impl Serve for ListSessions {
    async fn serve(self, context: Context) -> Result<Sessions, ServeError> {
        let now = context.now();
        let listed = context
            .doors()
            .list_sessions(context.of_whom(), now, IDLE_FOR)
            .await?
            .into_iter();
        let view = |(session, account): (StoredSession, AccountName)| ListedSession {
            account,
            is_current: context.who == Who::Session(session.id.clone()),
            id: session.id,
            made_at: session.made_at,
            used_at: session.used_at,
            ends_at: session.expires_at.min(session.used_at + IDLE_FOR),
            peer: session.peer,
            browser: session.browser,
        };
        let sessions = listed.map(view).collect();
        Ok(Sessions { sessions })
    }
}

impl Serve for DeleteSession {
    async fn serve(self, context: Context) -> Result<Done, ServeError> {
        let is_current = self.session_id.as_str() == CURRENT;
        let id = match (&context.who, is_current) {
            (Who::Session(id), true) => id,
            (_, true) => {
                let detail = "whoever asks is not a session: expected the name of one, ses_…";
                return Err(Problem::new(Code::NotFound, detail).into());
            }
            (Who::Session(id), false) if *id == self.session_id => id,
            (_, false) => {
                context.check_proof()?;
                &self.session_id
            }
        };
        context
            .doors()
            .delete_session(id, context.of_whom())
            .await?;
        Ok(Done {})
    }
}

impl Serve for DeleteSessions {
    async fn serve(self, context: Context) -> Result<EndedSessions, ServeError> {
        let ended = context.doors().delete_sessions(context.of_whom()).await?;
        Ok(EndedSessions { ended })
    }
}
