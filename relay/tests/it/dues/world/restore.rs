//! A database that is saved and put back later, and what has truly arrived meanwhile.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use protocol::delivery::Decision;
use protocol::timestamp::{Timestamp, duration_ms};
use relay::store::restored::{Made, SeenCopy};
use relay::tag::Tags;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

use super::super::books::{Books, Place, Stand};
use super::{Arrived, Campaign, START, World};

/// The database as somebody saved it, and the books of that moment.
pub(super) struct Saved {
    folder: TempDir,
    books: Books,
    campaigns: Vec<Campaign>,
    is_lost: Vec<bool>,
    at: Duration,
    /// What the wall showed.
    alive_at: Timestamp,
}

impl World {
    /// A message has arrived, for the first time.
    pub(super) fn arrive(&mut self, place: Place) {
        let arrived = Arrived {
            at: self.passed,
            message_id: self.written[&place].clone(),
        };
        let before = self.arrived.insert(place, arrived);
        assert!(before.is_none(), "{place:?} is sent twice");
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("unpause.db")
    }

    pub(super) async fn save(&mut self) {
        self.store().beat().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", self.database().display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("VACUUM INTO $1")
            .bind(folder.path().join("saved").to_str().unwrap())
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        self.saved = Some(Saved {
            folder,
            books: self.books.clone(),
            campaigns: self.campaigns.clone(),
            is_lost: self.is_lost.clone(),
            at: self.passed,
            alive_at: self.now(),
        });
    }

    pub(super) async fn put_back(&mut self, makes_copies: bool, off_for: Duration) {
        let Some(saved) = &self.saved else {
            return;
        };
        self.store().close().await;
        for ending in ["", "-wal", "-shm"] {
            let path = self.database().with_extension(format!("db{ending}"));
            if path.exists() {
                fs::remove_file(path).unwrap();
            }
        }
        fs::copy(saved.folder.path().join("saved"), self.database()).unwrap();
        self.books = saved.books.clone();
        self.campaigns.clone_from(&saved.campaigns);
        self.is_lost.clone_from(&saved.is_lost);
        let (saved_at, alive_at) = (saved.at, saved.alive_at);
        self.restart(off_for, alive_at).await;
        let gap = self.passed.saturating_sub(saved_at);
        for inbox in 0..Self::INBOXES {
            let id = self.inboxes[inbox].clone();
            self.store().note_restored(&id, gap).await.unwrap();
            if makes_copies {
                self.take_copies(inbox, saved_at, gap).await;
            } else {
                self.hold(inbox, gap).await;
            }
            self.store().settle_restored(&id).await.unwrap();
        }
    }

    /// Every message that arrived since has a copy, with the time by the server's own clock.
    async fn take_copies(&mut self, inbox: usize, since: Duration, gap: Duration) {
        let mut copies = Vec::new();
        let mut places = Vec::new();
        for (place, arrived) in &self.arrived {
            if place.inbox != inbox || arrived.at < since {
                continue;
            }
            copies.push(SeenCopy {
                tag: arrived.message_id.split('@').next().unwrap().to_owned(),
                message_id: Some(arrived.message_id.clone()),
                to: format!("lead{}@example.org", place.lead),
                at: Some(Timestamp::from_ms(START + duration_ms(arrived.at))),
                made: Made::Before,
                n_copies: 1,
            });
            places.push((*place, START + duration_ms(arrived.at)));
        }
        let tags = Tags::new([7; 32]);
        let address = if inbox == 0 { "jane" } else { "june" };
        let address = format!("{address}@acme.example").parse().unwrap();
        self.store()
            .take_copies(
                &self.inboxes[inbox],
                &address,
                &copies,
                1,
                &tags,
                self.now(),
            )
            .await
            .unwrap();
        places.sort_by_key(|(place, _)| (place.campaign, place.lead, place.step));
        for (place, copied_ms) in places {
            let ran = self.books.ran(place);
            match self.books.rows.get_mut(&place) {
                // A doubt is settled as any other.
                Some(row) if matches!(row.stand, Stand::Doubtful | Stand::Done) => {}
                // Somebody has set a clock: the copy may be of the try that ended then, or of a later one.
                Some(row) if row.ended_wall_ms.is_some_and(|at| at >= copied_ms + 1_000) => {
                    row.stand = Stand::Held {
                        later_ms: duration_ms(gap),
                    };
                    row.was_kept = true;
                }
                Some(_) => self.books.plan_next(place, ran),
                None => {
                    self.books.plan(place, ran);
                    self.books.plan_next(place, ran);
                }
            }
        }
    }

    /// Whatever may have been sent by the database that is lost waits for a person.
    async fn hold(&mut self, inbox: usize, gap: Duration) {
        let id = self.inboxes[inbox].clone();
        self.store()
            .hold_what_may_be_sent(&id, gap, self.now())
            .await
            .unwrap();
        let gap_ms = duration_ms(gap);
        for (place, row) in &mut self.books.rows {
            let ran = self.books.ran_ms[place.campaign][place.inbox];
            let later_ms = match row.stand {
                _ if place.inbox != inbox => continue,
                Stand::Waiting | Stand::Resting { .. } if row.due_ms <= ran + gap_ms => {
                    ran + gap_ms - row.due_ms
                }
                Stand::Doubtful => gap_ms,
                _ => continue,
            };
            row.stand = Stand::Held { later_ms };
            row.was_kept = true;
        }
        for campaign in self.campaigns.iter_mut().filter(|one| !one.is_started) {
            campaign.may_be_started_ms[inbox] = Some(gap_ms);
        }
    }

    /// Who decides knows what has arrived.
    pub(super) async fn decide(&mut self, inbox: usize) {
        let held = self
            .books
            .rows
            .iter()
            .find_map(|(place, row)| match row.stand {
                Stand::Held { later_ms } if place.inbox == inbox => Some((*place, later_ms)),
                _ => None,
            });
        let Some((place, later_ms)) = held else {
            return;
        };
        let has_arrived = self.arrived.contains_key(&place);
        let decision = if has_arrived {
            Decision::Leave
        } else {
            Decision::SendAgain
        };
        let id = self.find_id(place).await;
        self.store()
            .record_decision(&id, decision, self.now())
            .await
            .unwrap();
        if !has_arrived {
            self.books.rows.get_mut(&place).unwrap().stand = Stand::Waiting;
            return;
        }
        let ran = self.books.ran(place);
        self.books.plan_next(place, ran);
        let next = Place {
            step: place.step + 1,
            ..place
        };
        if let Some(row) = self.books.rows.get_mut(&next) {
            let wait_ms = row.due_ms - ran;
            if wait_ms <= later_ms {
                row.stand = Stand::Held {
                    later_ms: later_ms - wait_ms,
                };
            }
            row.was_kept = true;
        }
    }
}
