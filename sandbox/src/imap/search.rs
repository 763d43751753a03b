//! SEARCH (RFC 3501 §6.4.4).

use std::num::NonZeroU32;

use chrono::{DateTime, NaiveDate};
use imap_codec::imap_types::core::Vec1;
use imap_codec::imap_types::response::{Data, Response};
use imap_codec::imap_types::search::SearchKey;

use super::view::View;
use super::{Outcome, Session};
use crate::mail::{Stored, find_field, header_end};

/// A key that this sandbox does not know.
struct NotOffered;

impl Session {
    pub(super) fn search(
        &mut self,
        address: &str,
        view: &View,
        criteria: &Vec1<SearchKey<'_>>,
        is_uid: bool,
    ) -> Outcome {
        let found = self
            .connection
            .provider
            .mail
            .read_folder(address, &view.folder, |folder| {
                let mut found = Vec::new();
                for uid in &view.uids {
                    let Some(stored) = folder.find(*uid) else {
                        continue;
                    };
                    if all_match(criteria, view, stored)? {
                        found.push(*uid);
                    }
                }
                Ok::<_, NotOffered>(found)
            });
        let Ok(found) = found.unwrap_or(Ok(Vec::new())) else {
            return Outcome::no("a search key is not offered by this sandbox").with_other("CANNOT");
        };
        let numbers = found
            .into_iter()
            .filter_map(|uid| {
                if is_uid {
                    NonZeroU32::new(uid)
                } else {
                    view.seq(uid)
                }
            })
            .collect();
        self.say(&Response::Data(Data::Search(numbers)));
        Outcome::ok("done")
    }
}

fn all_match(keys: &Vec1<SearchKey<'_>>, view: &View, stored: &Stored) -> Result<bool, NotOffered> {
    for key in keys.as_ref() {
        if !is_match(key, view, stored)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_match(key: &SearchKey<'_>, view: &View, stored: &Stored) -> Result<bool, NotOffered> {
    let flagged = |flag: &str| stored.flags.contains(flag);
    let field = |name: &str, text: &[u8]| {
        find_field(&stored.raw, name).is_some_and(|value| contains(value.as_bytes(), text))
    };
    let day = day_of(stored.received_at_ms);
    Ok(match key {
        // Nothing is \Recent here, so everything is old.
        SearchKey::All | SearchKey::Old => true,
        SearchKey::And(keys) => all_match(keys, view, stored)?,
        SearchKey::Or(one, other) => is_match(one, view, stored)? || is_match(other, view, stored)?,
        SearchKey::Not(key) => !is_match(key, view, stored)?,
        SearchKey::SequenceSet(set) => view.resolve(set, false).binary_search(&stored.uid).is_ok(),
        SearchKey::Uid(set) => view.resolve(set, true).binary_search(&stored.uid).is_ok(),
        SearchKey::Answered => flagged("\\Answered"),
        SearchKey::Unanswered => !flagged("\\Answered"),
        SearchKey::Deleted => flagged("\\Deleted"),
        SearchKey::Undeleted => !flagged("\\Deleted"),
        SearchKey::Draft => flagged("\\Draft"),
        SearchKey::Undraft => !flagged("\\Draft"),
        SearchKey::Flagged => flagged("\\Flagged"),
        SearchKey::Unflagged => !flagged("\\Flagged"),
        SearchKey::Seen => flagged("\\Seen"),
        SearchKey::Unseen => !flagged("\\Seen"),
        SearchKey::Keyword(keyword) => flagged(keyword.as_ref()),
        SearchKey::Unkeyword(keyword) => !flagged(keyword.as_ref()),
        SearchKey::Recent | SearchKey::New => false,
        SearchKey::Since(date) => day.is_some_and(|day| day >= *date.as_ref()),
        SearchKey::Before(date) => day.is_some_and(|day| day < *date.as_ref()),
        SearchKey::On(date) => day.is_some_and(|day| day == *date.as_ref()),
        SearchKey::Larger(n_bytes) => stored.raw.len() > usize_of(*n_bytes),
        SearchKey::Smaller(n_bytes) => stored.raw.len() < usize_of(*n_bytes),
        SearchKey::Header(name, text) => {
            field(&String::from_utf8_lossy(name.as_ref()), text.as_ref())
        }
        SearchKey::From(text) => field("From", text.as_ref()),
        SearchKey::To(text) => field("To", text.as_ref()),
        SearchKey::Cc(text) => field("Cc", text.as_ref()),
        SearchKey::Bcc(text) => field("Bcc", text.as_ref()),
        SearchKey::Subject(text) => field("Subject", text.as_ref()),
        SearchKey::Text(text) => contains(&stored.raw, text.as_ref()),
        SearchKey::Body(text) => {
            let body = stored
                .raw
                .get(header_end(&stored.raw)..)
                .unwrap_or_default();
            contains(body, text.as_ref())
        }
        _ => return Err(NotOffered),
    })
}

/// In any case; an empty text is in everything.
fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty()
        || bytes
            .windows(text.len())
            .any(|window| window.eq_ignore_ascii_case(text))
}

/// RFC 3501 §6.4.4: dates without their times and zones; here in UTC.
fn day_of(at_ms: u64) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp_millis(i64::try_from(at_ms).ok()?)?.date_naive())
}

fn usize_of(n_bytes: u32) -> usize {
    usize::try_from(n_bytes).unwrap_or(usize::MAX)
}
