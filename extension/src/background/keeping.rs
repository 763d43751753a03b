//! Loading and writing down what the background knows. What could not be read is tried again and meanwhile never
//! written over: it may be the only thing that knows of the pairing.

use serde::de::DeserializeOwned;

use super::record::{Kept, Paired, Passing, Reach, Record};
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
    /// Loads both parts of the record, and this browser's key with the relay that it is for.
    pub(super) async fn load_record(&self) {
        self.load_kept().await;
        let passing = Area::Session.get(PASSING).await;
        // Of what is lost with the browser anyhow, nothing is worth stopping for.
        let (text, passing) = parse::<Passing>(passing).unwrap_or_default();
        self.0.saved.borrow_mut().insert(PASSING, text);
        self.0.challenge.borrow_mut().clone_from(&passing.challenge);
        self.0.record.borrow_mut().passing = passing;
        self.load_key().await;
    }

    /// Tries again what could not be read.
    pub(super) async fn load_again(&self) {
        let is_revoked = self.0.record.borrow().passing.reach == Reach::Revoked;
        if self.0.key.borrow().is_some() || is_revoked {
            return;
        }
        if self.0.is_kept_unread.get() {
            self.load_kept().await;
        }
        self.load_key().await;
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

    async fn load_key(&self) {
        let read = vault::read().await;
        let mut key = self.0.key.borrow_mut();
        if key.is_none() {
            *key = note_key(&mut self.0.record.borrow_mut(), read);
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

/// Puts on record what came of reading the key, and hands it on. The relay is the one that was kept with it, whatever
/// stands elsewhere.
fn note_key<K>(record: &mut Record, read: Result<Option<(K, String)>, VaultError>) -> Option<K> {
    let words = match read {
        Ok(Some((key, text))) => {
            if let Ok(paired) = serde_json::from_str::<Paired>(&text) {
                record.pairing_problem = None;
                record.kept.paired = Some(paired);
                return Some(key);
            }
            record.passing.reach = Reach::Revoked;
            "This browser must be paired again: what it kept is of another version.".to_owned()
        }
        Ok(None) => {
            if record.kept.paired.is_some() {
                record.passing.reach = Reach::Revoked;
            }
            return None;
        }
        Err(error) if error.is_passing() => {
            format!("This browser could not read its key: {error}. It tries again.")
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
    fn only_a_key_that_is_lost_asks_for_pairing_again() {
        let example = || example::record(ConnectionState::Connected, 1);
        let note = |read| {
            let mut record = example();
            let key = note_key(&mut record, read);
            (key, record.passing.reach, record.pairing_problem)
        };
        let paired = render(&example().kept.paired.unwrap());
        assert_eq!(note(Ok(Some((7, paired)))), (Some(7), Reach::Here, None));
        assert_eq!(note(Ok(None)), (None, Reach::Revoked, None));
        for lost in [
            Err(VaultError::KeyLost),
            Err(VaultError::Before),
            Ok(Some((7, "{".to_owned()))),
        ] {
            let (key, reach, words) = note(lost);
            assert_eq!((key, reach), (None, Reach::Revoked));
            assert!(words.unwrap().contains("paired again"));
        }
        let passing = VaultError::NotKept {
            words: "the database is locked".to_owned(),
        };
        let (key, reach, words) = note(Err(passing));
        assert_eq!((key, reach), (None, Reach::Here));
        assert!(words.unwrap().contains("tries again"));
    }

    /// Who can write into `storage.local` names no other relay.
    #[test]
    fn the_relay_is_the_one_that_the_key_is_for() {
        let mut record = example::record(ConnectionState::Connected, 1);
        let ours = record.kept.paired.clone().unwrap();
        record.kept.paired = Some(Paired {
            relay: "http://127.0.0.1:6666".to_owned(),
            ..ours.clone()
        });
        assert_eq!(note_key(&mut record, Ok(Some((7, render(&ours))))), Some(7));
        assert_eq!(record.kept.paired, Some(ours.clone()));
        let mut emptied = Record::default();
        note_key(&mut emptied, Ok(Some((7, render(&ours)))));
        assert_eq!(emptied.kept.paired, Some(ours));
        let mut fresh = Record::default();
        note_key::<u8>(&mut fresh, Ok(None));
        assert_eq!(fresh.passing.reach, Reach::Unknown, "it was never paired");
    }
}
