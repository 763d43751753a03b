//! The file of stops: whoever is not to be written to any more, and whoever is not let in any more, on a line of JSON
//! each, outside the database and only ever added to. A database that was put back learns from it what answers,
//! complaints and persons have said since. It names people, so nobody else may read it; it holds no secret.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use protocol::delivery::Suppression;
use protocol::id::{InboxId, LeadId};
use protocol::request::suppression::Whom;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::restored::{Stray, add_stray};
use super::shut::{self, Admission};
use super::{Store, StoreError, lead, number, person, text};

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    /// A lead was stopped.
    Stop(Stop),
    /// What stopped a lead was not its own, or a person has it go on all the same: a bounce or an answer of before says
    /// nothing any more.
    Revived { revived: LeadId, at: Timestamp },
    /// A person said who is not written to, or may be again.
    Said {
        /// The person or the domain, as the list has it.
        whom: Whom,
        /// Whether it was taken off the list.
        may_be_written_to: bool,
        /// Why they came on the list.
        #[serde(default = "by_a_person", skip_serializing_if = "is_by_a_person")]
        why: Suppression,
        at: Timestamp,
    },
    /// A person said who comes in, and as what.
    Admission { admission: Admission, at: Timestamp },
}

impl Line {
    fn at(&self) -> Timestamp {
        match self {
            Self::Stop(stop) => stop.at,
            Self::Revived { at, .. } | Self::Said { at, .. } | Self::Admission { at, .. } => *at,
        }
    }
}

/// One stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    lead: LeadId,
    inbox: InboxId,
    address: String,
    why: Suppression,
    /// Whether the person is on the list because of it.
    #[serde(default, skip_serializing_if = "is_false")]
    is_listed: bool,
    at: Timestamp,
}

fn by_a_person() -> Suppression {
    Suppression::Person
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_by_a_person(why: &Suppression) -> bool {
    *why == Suppression::Person
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What the file told that the database did not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// People who are not to be written to.
    pub n_stopped: u64,
    /// Devices, accounts, rights and passwords that are not good any more.
    pub n_shut_out: u64,
}

/// Where the file is, once it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Stops {
    path: Arc<OnceLock<PathBuf>>,
    /// One writer at a time, so that no line is torn by another.
    writing: Arc<Mutex<()>>,
}

impl Stops {
    fn append(&self, lines: &[Line]) -> std::io::Result<()> {
        let Some(path) = self.path.get() else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line).map_err(std::io::Error::other)?;
            bytes.push(b'\n');
        }
        let _alone = self.writing.lock();
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        // A new file is on the disk when its name is (fsync(2)).
        match path.parent().filter(|_| is_new) {
            Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// The whole lines of the file; one that was torn was never promised to anybody.
fn read(path: &Path) -> std::io::Result<Vec<Line>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

impl Store {
    /// From now on stops are kept in this file too.
    pub fn keep_stops_in(&self, path: PathBuf) {
        // A second file would be another relay's.
        let _ = self.stops.path.set(path);
    }

    /// Notes in the file that a lead was stopped. What cannot be noted stands in the database all the same.
    pub(super) async fn note_stop(&self, lead: &LeadId, why: Suppression, at: Timestamp) {
        if self.stops.path.get().is_none() {
            return;
        }
        if let Err(error) = self.append_stop(lead, why, at).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error, %lead,
                "the stop of a lead is not kept outside the database"
            );
        }
    }

    async fn append_stop(
        &self,
        lead: &LeadId,
        why: Suppression,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let row = sqlx::query(
            "SELECT inbox_id, address, (SELECT COUNT(*) FROM suppressions s WHERE s.lead_id = leads.id) AS n_listed \
             FROM leads WHERE id = $1",
        )
        .bind(lead.to_string())
        .fetch_one(&self.reader)
        .await?;
        let stop = Stop {
            lead: lead.clone(),
            inbox: InboxId::new(text(&row, "inbox_id")?),
            address: text(&row, "address")?.to_lowercase(),
            why,
            is_listed: number(&row, "n_listed")? > 0,
            at,
        };
        self.append_lines(vec![Line::Stop(stop)]).await
    }

    /// Notes in the file what became of leads of whom something came back: those that are stopped, and those that are
    /// not any more.
    pub(super) async fn note_returned(&self, leads: &[LeadId], at: Timestamp) {
        if self.stops.path.get().is_none() || leads.is_empty() {
            return;
        }
        if let Err(error) = self.append_returned(leads, at).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                n_leads = leads.len(),
                "what came back of leads is not kept outside the database"
            );
        }
    }

    async fn append_returned(&self, leads: &[LeadId], at: Timestamp) -> Result<(), StoreError> {
        let mut revived = Vec::new();
        for lead in leads {
            let row = sqlx::query("SELECT state FROM leads WHERE id = $1")
                .bind(lead.to_string())
                .fetch_one(&self.reader)
                .await?;
            if lead::state_from(&row, "state")? == protocol::lead::State::Active {
                let revived_lead = lead.clone();
                revived.push(Line::Revived {
                    revived: revived_lead,
                    at,
                });
            } else {
                self.append_stop(lead, Suppression::Bounced, at).await?;
            }
        }
        if revived.is_empty() {
            return Ok(());
        }
        self.append_lines(revived).await
    }

    /// Notes in the file that a person said who is not written to, or may be again.
    /// `why` is `None` where they may be.
    pub(super) async fn note_said(&self, whom: &Whom, why: Option<Suppression>, at: Timestamp) {
        self.note_all_said(&[(whom.clone(), why)], at).await;
    }

    /// The same of several.
    pub(super) async fn note_all_said(&self, said: &[(Whom, Option<Suppression>)], at: Timestamp) {
        if self.stops.path.get().is_none() || said.is_empty() {
            return;
        }
        let lines = said.iter().map(|(whom, why)| Line::Said {
            whom: whom.clone(),
            may_be_written_to: why.is_none(),
            why: why.unwrap_or(Suppression::Person),
            at,
        });
        if let Err(error) = self.append_lines(lines.collect()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                n = said.len(),
                "who is not written to is not kept outside the database"
            );
        }
    }

    /// Whether stops are kept in a file at all.
    pub(super) fn keeps_stops(&self) -> bool {
        self.stops.path.get().is_some()
    }

    pub(super) async fn append_lines(&self, lines: Vec<Line>) -> Result<(), StoreError> {
        let stops = self.stops.clone();
        tokio::task::spawn_blocking(move || stops.append(&lines))
            .await
            .map_err(|error| StoreError::Aside(std::io::Error::other(error)))?
            .map_err(StoreError::Aside)
    }

    /// Stops the leads that the file names since `from`, in a database that was put back, and shuts out who was shut
    /// out. A lead that the database does not have is kept as somebody who was written to. Answers how much of it the
    /// database did not know.
    pub async fn replay_stops(&self, from: Timestamp) -> Result<Replayed, StoreError> {
        let Some(path) = self.stops.path.get().cloned() else {
            return Ok(Replayed::default());
        };
        let lines = tokio::task::spawn_blocking(move || read(&path))
            .await
            .map_err(|error| StoreError::Aside(std::io::Error::other(error)))?
            .map_err(StoreError::Aside)?;
        let mut n_new = 0;
        // Of what a person said of somebody the last word counts, or what was taken back would be done again.
        let mut said_last: HashMap<&Whom, usize> = HashMap::new();
        let mut revived_last: HashMap<&LeadId, usize> = HashMap::new();
        for (idx, line) in lines.iter().enumerate() {
            match line {
                Line::Said { whom, .. } => {
                    said_last.insert(whom, idx);
                }
                Line::Revived { revived, .. } => {
                    revived_last.insert(revived, idx);
                }
                Line::Stop(_) | Line::Admission { .. } => {}
            }
        }
        let lately = lines.iter().filter(|line| line.at() >= from);
        let admissions = lately.filter_map(|line| match line {
            Line::Admission { admission, .. } => Some(admission),
            _ => None,
        });
        let n_shut_out = self.replay_admissions(&shut::last(admissions)).await?;
        for (idx, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.at() >= from)
        {
            if matches!(line, Line::Said { whom, .. } if said_last.get(whom) != Some(&idx)) {
                continue;
            }
            let is_new = match line {
                // Nothing is sent because of it: whoever is stopped in the database stays it.
                Line::Revived { .. } | Line::Admission { .. } => false,
                Line::Stop(stop)
                    if matches!(stop.why, Suppression::Bounced | Suppression::Replied)
                        && revived_last.get(&stop.lead) > Some(&idx) =>
                {
                    false
                }
                Line::Stop(stop) => self.replay_stop(stop).await?,
                Line::Said {
                    whom,
                    may_be_written_to: true,
                    at,
                    ..
                } => self.take_off(whom, Some(*at)).await?,
                Line::Said { whom, why, at, .. } => self.put_on(whom, *why, *at).await? > 0,
            };
            n_new += u64::from(is_new);
        }
        Ok(Replayed {
            n_stopped: n_new,
            n_shut_out,
        })
    }

    /// Answers whether the database did not know of it.
    async fn replay_stop(&self, stop: &Stop) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let moment = self.moment(stop.at);
        let is_new = match lead::stop(&mut tx, &stop.lead, stop.why, moment).await {
            Ok(is_new) => {
                if stop.is_listed || stop.why == Suppression::Complained {
                    person::note_suppressed(&mut tx, &stop.lead, stop.why, moment).await?;
                }
                // An address of one campaign that came back may be right in another's list.
                if is_new && stop.why != Suppression::Bounced {
                    person::stop_others(&mut tx, &stop.lead, stop.why, moment).await?;
                }
                is_new
            }
            Err(StoreError::NotFound { .. }) => {
                let stray = Stray {
                    tag: format!("stop of {}", stop.lead),
                    inbox: &stop.inbox,
                    address: &stop.address,
                };
                add_stray(&mut tx, &stray, stop.at).await?
            }
            Err(error) => return Err(error),
        };
        tx.commit().await?;
        Ok(is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[tokio::test]
    async fn who_was_stopped_at_an_inbox_that_the_database_does_not_know_was_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.stops");
        let stops = Stops::default();
        stops.path.set(path.clone()).unwrap();
        let stop = Stop {
            lead: LeadId::new("led_1"),
            inbox: InboxId::new("inb_lost"),
            address: "ann@a.example".to_owned(),
            why: Suppression::Replied,
            is_listed: false,
            at: Timestamp::from_ms(1),
        };
        stops.append(&[Line::Stop(stop)]).unwrap();
        let clock = Clock::manual(Timestamp::from_ms(1_795_417_920_000));
        let database = folder.path().join("unpause.db");
        let store = Store::open(&database, &clock).await.unwrap();
        store.keep_stops_in(path);
        for n_new in [1, 0] {
            let replayed = store.replay_stops(Timestamp::from_ms(0)).await;
            assert_eq!(replayed.unwrap().n_stopped, n_new);
        }
        let ledger = store.load_ledger().await.unwrap();
        let written_to: Vec<_> = ledger
            .written_to
            .iter()
            .map(|one| (one.address.as_str(), one.inbox.as_str()))
            .collect();
        assert_eq!(written_to, [("ann@a.example", "inb_lost")]);
        store.close().await;
    }

    #[test]
    fn stops_are_read_as_they_were_written_and_a_torn_one_is_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("unpause.stops");
        let stops = Stops::default();
        let line = |n: i64| {
            Line::Stop(Stop {
                lead: LeadId::new(format!("led_{n}")),
                inbox: InboxId::new("inb_1"),
                address: "ann@a.example".to_owned(),
                why: Suppression::Replied,
                is_listed: n == 2,
                at: Timestamp::from_ms(n),
            })
        };
        let said = Line::Said {
            whom: "a.example".parse().unwrap(),
            may_be_written_to: false,
            why: Suppression::Unsubscribed,
            at: Timestamp::from_ms(3),
        };
        let revived = Line::Revived {
            revived: LeadId::new("led_1"),
            at: Timestamp::from_ms(2),
        };
        stops.append(&[line(0)]).unwrap();
        assert_eq!(read(&path).unwrap(), []);
        stops.path.set(path.clone()).unwrap();
        stops.append(&[line(1), line(2)]).unwrap();
        stops.append(std::slice::from_ref(&revived)).unwrap();
        stops.append(std::slice::from_ref(&said)).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"lead\":\"led_3\",").unwrap();
        assert_eq!(read(&path).unwrap(), [line(1), line(2), revived, said]);
    }
}
