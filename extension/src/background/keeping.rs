//! Loading and writing down what the background knows. What could not be read is tried again and meanwhile never
//! written over: it may be the only thing that knows of the pairing.

use protocol::secret::Secret;
use serde::de::DeserializeOwned;

use super::record::{Kept, Reach, Record};
use super::{Background, render, report};
use crate::browser::BrowserError;
use crate::browser::area::Area;
use crate::vault::{self, VaultError};

/// Where each part of the record is kept.
const KEPT: &str = "kept";
const PASSING: &str = "passing";

/// Why what is kept on this computer could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Unread {
    /// The browser said no.
    #[error(transparent)]
    Browser(#[from] BrowserError),
    /// It is nothing that this version knows.
    #[error("it is not what this version of Unpause has written")]
    Strange,
}

impl Background {
    /// Loads both parts of the record, and the token.
    pub(super) async fn load_record(&self) {
        self.load_kept().await;
        let passing = Area::Session.get(PASSING).await;
        // Of what is lost with the browser anyhow, nothing is worth stopping for.
        let (text, passing) = parse(passing).unwrap_or_default();
        self.0.saved.borrow_mut().insert(PASSING, text);
        self.0.record.borrow_mut().passing = passing;
        self.load_token().await;
    }

    /// Tries again what could not be read.
    pub(super) async fn load_again(&self) {
        let is_revoked = self.0.record.borrow().passing.reach == Reach::Revoked;
        if self.0.token.borrow().is_some() || is_revoked {
            return;
        }
        if self.0.is_kept_unread.get() {
            self.load_kept().await;
        }
        self.load_token().await;
        self.changed().await;
    }

    /// Writes down what has changed.
    pub(super) async fn save(&self) {
        let (kept, passing) = {
            let record = self.0.record.borrow();
            (render(&record.kept), render(&record.passing))
        };
        if !self.0.is_kept_unread.get() {
            self.write(Area::Local, KEPT, kept).await;
        }
        self.write(Area::Session, PASSING, passing).await;
    }

    async fn write(&self, area: Area, name: &'static str, text: String) {
        let saved = self.0.saved.borrow_mut().insert(name, text.clone());
        if saved.as_ref() != Some(&text) {
            report(area.set(name, &text).await);
        }
    }

    async fn load_kept(&self) {
        let was_unread = self.0.is_kept_unread.replace(true);
        let read = parse::<Kept>(Area::Local.get(KEPT).await);
        if !self.0.is_kept_unread.get() {
            // Paired anew meanwhile.
            return;
        }
        let mut record = self.0.record.borrow_mut();
        match read {
            Ok((text, kept)) => {
                record.kept = kept;
                if was_unread {
                    record.pairing_problem = None;
                }
                self.0.saved.borrow_mut().insert(KEPT, text);
                self.0.is_kept_unread.set(false);
            }
            Err(error) => {
                record.pairing_problem = Some(format!(
                    "This browser could not read which relay it is paired with: {error}. It tries again; if this \
                     stays, pair again."
                ));
            }
        }
    }

    async fn load_token(&self) {
        if self.0.record.borrow().kept.paired.is_none() {
            return;
        }
        let read = vault::read().await;
        let mut token = self.0.token.borrow_mut();
        if token.is_none() {
            *token = note_token(&mut self.0.record.borrow_mut(), read);
        }
    }
}

/// Reads what an area keeps, with the text of it; what was never kept is as at the beginning.
fn parse<T: DeserializeOwned + Default>(
    found: Result<Option<String>, BrowserError>,
) -> Result<(String, T), Unread> {
    let Some(text) = found? else {
        return Ok(Default::default());
    };
    let read = serde_json::from_str(&text).map_err(|_| Unread::Strange)?;
    Ok((text, read))
}

/// Puts on record what came of reading the token, and hands it on.
fn note_token(record: &mut Record, read: Result<Option<Secret>, VaultError>) -> Option<Secret> {
    let words = match read {
        Ok(Some(token)) => {
            record.pairing_problem = None;
            return Some(token);
        }
        Ok(None) => {
            record.passing.reach = Reach::Revoked;
            return None;
        }
        Err(error) if error.is_passing() => {
            format!("This browser could not read its token: {error}. It tries again.")
        }
        Err(error) => {
            record.passing.reach = Reach::Revoked;
            format!("This browser must be paired again: {error}.")
        }
    };
    record.pairing_problem = Some(words);
    None
}

#[cfg(test)]
mod tests {
    use protocol::request::inbox::ConnectionState;

    use super::super::example;
    use super::*;

    fn failed() -> BrowserError {
        BrowserError::Failed {
            call: "storage.local.get",
            words: "the disk is busy".to_owned(),
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_nothing() {
        let read = parse::<Kept>;
        assert_eq!(read(Ok(None)), Ok((String::new(), Kept::default())));
        assert_eq!(read(Err(failed())), Err(Unread::Browser(failed())));
        assert_eq!(read(Ok(Some("{".to_owned()))), Err(Unread::Strange));
        let kept = example::record(ConnectionState::Connected, 1).kept;
        let text = render(&kept);
        assert_eq!(read(Ok(Some(text.clone()))), Ok((text, kept)));
    }

    #[test]
    fn only_a_token_that_is_lost_asks_for_pairing_again() {
        let note = |read| {
            let mut record = example::record(ConnectionState::Connected, 1);
            let token = note_token(&mut record, read);
            (
                token.is_some(),
                record.passing.reach,
                record.pairing_problem,
            )
        };
        let token = Secret::new("token".to_owned());
        assert_eq!(note(Ok(Some(token))), (true, Reach::Here, None));
        assert_eq!(note(Ok(None)), (false, Reach::Revoked, None));
        let (is_here, reach, words) = note(Err(VaultError::KeyLost));
        assert_eq!((is_here, reach), (false, Reach::Revoked));
        assert!(words.unwrap().contains("paired again"));
        for passing in [
            VaultError::Browser(failed()),
            VaultError::NotKept {
                words: "the database is locked".to_owned(),
            },
        ] {
            let (is_here, reach, words) = note(Err(passing));
            assert_eq!((is_here, reach), (false, Reach::Here));
            assert!(words.unwrap().contains("tries again"));
        }
    }
}
