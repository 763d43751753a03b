//! How far a folder has come: by EXAMINE, by STATUS where that does not tell, and by the messages themselves where
//! neither does.

use super::Session;
use super::command::Command;
use super::fetching::Fetched;
use super::folder::Folder;
use super::reading::{Code, Data};
use super::value::Value;
use crate::failure::Failure;

/// How far a folder has come (RFC 9051 §2.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Changes when unique ids of this folder lose their meaning; 0, which it never is, where the server does not tell
    /// it. Then a place in the folder is where reading goes on, and proof of nothing.
    pub uid_validity: u32,
    /// The next message to come gets this unique id or a higher one. Where the server does not tell it, the one behind
    /// the highest that is there; see [`Session::tells_uid_next`].
    pub uid_next: u32,
    /// Messages in the folder.
    pub n_messages: u32,
}

/// What is told of a position so far. No number of it is ever 0 (RFC 9051 §9, `nz-number`).
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    uid_validity: Option<u32>,
    uid_next: Option<u32>,
    /// It was told, as a number that it cannot be.
    is_uid_next_zero: bool,
}

impl Told {
    fn note_code(&mut self, code: &Code) {
        self.uid_validity = find_number(code, "UIDVALIDITY").or(self.uid_validity);
        self.uid_next = find_number(code, "UIDNEXT").or(self.uid_next);
        self.is_uid_next_zero |= is_zero(code, "UIDNEXT");
    }

    /// What stands in a `STATUS` response (RFC 9051 §7.3.3).
    fn note_status(&mut self, data: &Data) {
        self.uid_validity = find_status_item(data, "UIDVALIDITY").or(self.uid_validity);
        self.uid_next = find_status_item(data, "UIDNEXT").or(self.uid_next);
    }
}

/// A folder of so few messages is listed at once.
const LISTED_AT_ONCE: u32 = 100;

impl Session {
    /// Opens a folder read-only; the other reads are about this folder from now on.
    pub async fn examine(&mut self, folder: &Folder) -> Result<Position, Failure> {
        self.n_messages = 0;
        self.is_uid_next_told = false;
        let mut told = Told::default();
        let command = Command::new("EXAMINE").string(&folder.wire_name);
        self.run_with_codes(command, |_| Ok(()), |code| told.note_code(code))
            .await?;
        // RFC 3501 §6.3.1: a server may leave both out of its answer to EXAMINE.
        // One that tells 0 there was not seen to know better elsewhere.
        let may_know_more = told.uid_next.is_none() && !told.is_uid_next_zero;
        if told.uid_validity.is_none() || may_know_more {
            let command = status(folder);
            let asked = self
                .run(command, |data| {
                    if data.kind == "STATUS" {
                        told.note_status(data);
                    }
                    Ok(())
                })
                .await;
            self.passing_over_a_refusal(asked.map(drop))?;
        }
        self.is_uid_next_told = told.uid_next.is_some();
        let uid_next = match told.uid_next {
            Some(uid_next) => uid_next,
            None => self.find_highest_uid().await?.saturating_add(1),
        };
        Ok(Position {
            uid_validity: told.uid_validity.unwrap_or_default(),
            uid_next,
            n_messages: self.n_messages,
        })
    }

    /// Whether the server told the UIDNEXT of the folder examined last; else a message may have come and gone unseen.
    pub fn tells_uid_next(&self) -> bool {
        self.is_uid_next_told
    }

    /// How far a folder has come, without opening it: UIDVALIDITY and UIDNEXT; `None` where the server does not tell
    /// both.
    pub async fn find_status(&mut self, folder: &Folder) -> Result<Option<(u32, u32)>, Failure> {
        let mut told = Told::default();
        let asked = self
            .run(status(folder), |data| {
                if data.kind == "STATUS" {
                    told.note_status(data);
                }
                Ok(())
            })
            .await;
        self.passing_over_a_refusal(asked.map(drop))?;
        Ok(told.uid_validity.zip(told.uid_next))
    }

    /// The highest unique id in the folder; 0 where it is empty. The last message by its number where servers do not
    /// know `*`, and all of them where even that is refused.
    async fn find_highest_uid(&mut self) -> Result<u32, Failure> {
        let n_messages = self.n_messages;
        if n_messages == 0 {
            return Ok(0);
        }
        if n_messages <= LISTED_AT_ONCE {
            return Ok(self.list_uids(1).await?.last().copied().unwrap_or_default());
        }
        for words in [
            "UID FETCH * (UID)".to_owned(),
            format!("FETCH {n_messages} (UID)"),
        ] {
            let mut highest = 0;
            let asked = self
                .run(Command::new(&words), |data| {
                    if data.kind == "FETCH"
                        && let Ok(Fetched { uid: Some(uid), .. }) = Fetched::parse(data)
                    {
                        highest = uid.max(highest);
                    }
                    Ok(())
                })
                .await;
            self.passing_over_a_refusal(asked.map(drop))?;
            if highest > 0 {
                return Ok(highest);
            }
        }
        Ok(self.list_uids(1).await?.last().copied().unwrap_or_default())
    }

    /// A refusal, or an answer that cannot be read, tells nothing; what ends the connection is a failure.
    pub(super) fn passing_over_a_refusal(&self, asked: Result<(), Failure>) -> Result<(), Failure> {
        match asked {
            Err(failure) if !self.is_usable() => Err(failure),
            _ => Ok(()),
        }
    }
}

fn status(folder: &Folder) -> Command {
    Command::new("STATUS")
        .string(&folder.wire_name)
        .word("(UIDVALIDITY UIDNEXT)")
}

/// Whether a response code tells 0 as a number that is never 0.
fn is_zero(code: &Code, name: &str) -> bool {
    code.numbers(name)
        .and_then(|numbers| numbers.first().copied())
        == Some(0)
}

/// The one number of a code of this name.
fn find_number(code: &Code, name: &str) -> Option<u32> {
    let number = code.numbers(name)?.first().copied();
    number.filter(|number| *number > 0)
}

/// A number of a `STATUS` response; `None` where it is not told.
fn find_status_item(data: &Data, name: &str) -> Option<u32> {
    let values = data.open_values().ok()?;
    let items = values.iter().find_map(|value| match value {
        Value::List(items) => Some(items),
        _ => None,
    })?;
    let is_named = |item: &Value| {
        item.text()
            .is_some_and(|text| text.eq_ignore_ascii_case(name))
    };
    items
        .iter()
        .zip(items.iter().skip(1))
        .find(|(item, _)| is_named(item))
        .and_then(|(_, value)| value.number())
        .filter(|number| *number > 0)
}
