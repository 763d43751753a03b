//! Which messages stand in a folder: their unique ids from a place on, or since a day. What they are is read in
//! `headers`.

use std::collections::BTreeSet;

use jiff::fmt::strtime;
use protocol::evidence::{Party, Said, Stage};
use protocol::timestamp::Timestamp;

use super::Session;
use super::command::Command;
use super::fetching::Fetched;
use super::wire::garbage;
use crate::failure::Failure;

/// Rounds of a server that shows only so many messages at a time: a million of them at 1,000.
const ROUNDS_MAX: usize = 1_000;

/// Messages at the end of a folder that are read besides those that a search finds: what it finds may lag behind the
/// folder.
const LATEST: u32 = 100;

/// Messages at the end of a folder that are read where the server does not search.
const LATEST_UNSEARCHED: u32 = 1_000;

impl Session {
    /// The unique ids from `from_uid` on, ascending. By `FETCH`, because the search index of some
    /// servers lags behind the folder, and a message that is not found would count as not there.
    pub async fn list_uids(&mut self, from_uid: u32) -> Result<Vec<u32>, Failure> {
        if self.n_messages == 0 {
            // Old servers refuse a FETCH in an empty folder, so ask first whether it still is.
            self.noop().await?;
            if self.n_messages == 0 {
                return Ok(Vec::new());
            }
        }
        let from_uid = from_uid.max(1);
        let mut uids = BTreeSet::new();
        let mut range = format!("{from_uid}:*");
        for _ in 0..ROUNDS_MAX {
            let (shown, reached) = self.list_range(&range).await?;
            let (first, last) = (shown.first().copied(), shown.last().copied());
            let n_before = uids.len();
            uids.extend(shown);
            // RFC 9738 §3.1: the last one that the server went through, from whichever end.
            range = match (reached, first, last) {
                (Some(uid), Some(first), _) if uid <= first && uid > from_uid => {
                    format!("{from_uid}:{}", uid - 1)
                }
                (Some(uid), _, Some(last)) if uid >= last => format!("{}:*", uid.saturating_add(1)),
                _ => break,
            };
            if uids.len() == n_before {
                break;
            }
        }
        // RFC 9051 §6.4.9: the range holds the last message even where its id is below `from_uid`.
        Ok(uids.split_off(&from_uid).into_iter().collect())
    }

    /// The unique ids of a range, and how far the server went where it has a limit (RFC 9738). What it shows in a form
    /// that cannot be read is searched for: no message is left out over how it is told.
    async fn list_range(&mut self, range: &str) -> Result<(BTreeSet<u32>, Option<u32>), Failure> {
        let mut uids = BTreeSet::new();
        let mut is_unread = false;
        let asked = self
            .run(Command::new(&format!("UID FETCH {range} (UID)")), |data| {
                if data.kind == "FETCH" {
                    match Fetched::parse(data) {
                        Ok(fetched) => uids.extend(fetched.uid),
                        Err(_) => is_unread = true,
                    }
                }
                Ok(())
            })
            .await;
        let reached = match asked {
            Ok(code) => code.and_then(|code| find_limit(&code.name, &code.arguments)),
            Err(failure) => Some(find_limit_in(&failure).ok_or(failure)?),
        };
        if is_unread {
            uids.extend(
                self.search(&format!("UID {range}"))
                    .await?
                    .unwrap_or_default(),
            );
        }
        Ok((uids, reached))
    }

    /// The unique ids of the messages that the server took since the day of `since`, by its own zone (RFC 9051
    /// §6.4.4), ascending, and with them the last ones of the folder. Never all of a large folder: where the server
    /// does not search, the last 1,000 messages.
    pub async fn list_uids_since(&mut self, since: Timestamp) -> Result<Vec<u32>, Failure> {
        if self.n_messages == 0 {
            return self.list_uids(1).await;
        }
        let found = self.search(&format!("SINCE {}", day_of(since)?)).await?;
        let latest = if found.is_some() {
            LATEST
        } else {
            LATEST_UNSEARCHED
        };
        let from = self.n_messages.saturating_sub(latest - 1).max(1);
        let mut uids: BTreeSet<u32> = found.unwrap_or_default().into_iter().collect();
        let asked = self
            .run(Command::new(&format!("FETCH {from}:* (UID)")), |data| {
                if data.kind == "FETCH"
                    && let Ok(fetched) = Fetched::parse(data)
                {
                    uids.extend(fetched.uid);
                }
                Ok(())
            })
            .await;
        self.passing_over_a_refusal(asked.map(drop))?;
        Ok(uids.into_iter().collect())
    }

    /// The unique ids that a search finds; `None` where the server refuses it.
    async fn search(&mut self, key: &str) -> Result<Option<Vec<u32>>, Failure> {
        let mut found = Vec::new();
        let asked = self
            .run(Command::new(&format!("UID SEARCH {key}")), |data| {
                if data.kind == "SEARCH" {
                    found.extend(data.words().filter_map(|word| word.parse::<u32>().ok()));
                }
                Ok(())
            })
            .await;
        let is_answered = asked.is_ok();
        self.passing_over_a_refusal(asked.map(drop))?;
        found.retain(|uid| *uid > 0);
        Ok(is_answered.then_some(found))
    }
}

/// The unique id at which a command ended because of the server's limit (RFC 9738 §3.1).
fn find_limit(name: &str, arguments: &str) -> Option<u32> {
    if name != "MESSAGELIMIT" {
        return None;
    }
    arguments.split_whitespace().nth(1)?.parse().ok()
}

/// The same where the command was refused by it.
fn find_limit_in(failure: &Failure) -> Option<u32> {
    match &failure.said {
        Said::Imap(reply) => find_limit(reply.code.as_deref()?, &reply.text),
        _ => None,
    }
}

/// `date` (RFC 9051 §9), as in `1-Feb-1994`.
fn day_of(at: Timestamp) -> Result<String, Failure> {
    let day = jiff::Timestamp::from_millisecond(at.as_ms())
        .and_then(|instant| strtime::format("%-d-%b-%Y", instant));
    day.map_err(|error| {
        let said = garbage(&format!("no day is at {}: {error}", at.as_ms()));
        Failure::new(Party::Imap, Stage::Folder, said)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_servers_read_it() {
        for (at_ms, expected) in [
            (0, "1-Jan-1970"),
            // 2026-11-23T23:59:59.999Z
            (1_795_478_399_999, "23-Nov-2026"),
        ] {
            assert_eq!(day_of(Timestamp::from_ms(at_ms)).unwrap(), expected);
        }
    }
}
