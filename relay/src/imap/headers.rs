//! The heads of messages, in slices. A message that its server cannot give, or gives in a form that cannot be read,
//! is found by halves and passed over: it keeps nobody from the others.

use std::collections::BTreeSet;

use super::command::Command;
use super::fetching::{Fetched, Header};
use super::wire::garbage;
use super::{Session, fail, response_bytes_max};
use crate::failure::Failure;
use protocol::evidence::Said;

/// Headers asked for with one command, so that one command stays far below its time.
const HEADERS_A_SLICE: usize = 200;

/// How much of a header is read. Far above what mail has (Gmail takes 500 kB of header at most, and
/// ids stand near its start), and it bounds what a message made for the purpose can make us hold.
const HEADER_BYTES_MAX: u32 = 256 * 1024;

/// What one slice of headers may hold.
const HEADERS_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Messages that are refused one after the other until it is asked whether the server gives any.
const REFUSED_IN_A_ROW_MAX: usize = 8;

/// Codes of refusals that speak of the server and of the moment, and not of a message (RFC 5530 §3).
const OF_THE_MOMENT: [&str; 5] = ["UNAVAILABLE", "INUSE", "LIMIT", "OVERQUOTA", "CONTACTADMIN"];

/// A message that the server could not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its unique id.
    pub uid: u32,
    /// What was said or met instead.
    pub words: String,
}

/// What came of one slice.
#[derive(Default)]
struct Answer {
    headers: Vec<Header>,
    /// Those that are there and did not come, ascending.
    missing: Vec<u32>,
    /// Why; `None` where none is missing.
    failure: Option<Failure>,
}

impl Session {
    /// The headers of these messages, which are in ascending order; those that are gone are left out, and so are those
    /// that the server cannot give, which [`Session::take_passed_over`] names. A failure where it gives none at all, or
    /// says that it is not the message.
    pub async fn fetch_headers_of(&mut self, uids: &[u32]) -> Result<Vec<Header>, Failure> {
        let mut headers = Vec::with_capacity(uids.len());
        let mut n_refused = 0;
        for slice in uids.chunks(self.n_in_a_slice()) {
            // The slices still to be asked for, the next one last.
            let mut open = vec![slice.to_vec()];
            while let Some(slice) = open.pop() {
                let answer = self.fetch_slice(&slice).await?;
                if !answer.headers.is_empty() {
                    n_refused = 0;
                }
                headers.extend(answer.headers);
                let Some(failure) = answer.failure else {
                    continue;
                };
                match answer.missing.as_slice() {
                    [] => {}
                    [uid] if slice.len() == 1 => {
                        n_refused += 1;
                        if n_refused >= REFUSED_IN_A_ROW_MAX {
                            if !self.gives_any().await? {
                                self.passed_over.clear();
                                return Err(failure);
                            }
                            n_refused = 0;
                        }
                        self.passed_over.push(PassedOver {
                            uid: *uid,
                            words: failure.said.to_string(),
                        });
                    }
                    missing => {
                        let (first, second) = missing.split_at(missing.len() / 2);
                        open.push(second.to_vec());
                        if !first.is_empty() {
                            open.push(first.to_vec());
                        }
                    }
                }
            }
        }
        headers.sort_unstable_by_key(|header| header.uid);
        Ok(headers)
    }

    /// The messages that were passed over since this was asked last.
    pub fn take_passed_over(&mut self) -> Vec<PassedOver> {
        std::mem::take(&mut self.passed_over)
    }

    /// Whether the server gives any message of the folder: its first one, by its number.
    pub async fn gives_any(&mut self) -> Result<bool, Failure> {
        let mut is_given = false;
        let command = Command::new("FETCH 1 (UID BODY.PEEK[HEADER]<0.1024>)");
        let asked = self
            .run(command, |data| {
                if data.kind == "FETCH"
                    && let Ok(fetched) = Fetched::parse(data)
                {
                    is_given = is_given || fetched.body.is_some();
                }
                Ok(())
            })
            .await;
        self.passing_over_a_refusal(asked.map(drop))?;
        Ok(is_given)
    }

    /// No more than the server goes through at once (RFC 9738 §3).
    fn n_in_a_slice(&self) -> usize {
        let limit = self.capabilities.find_number("MESSAGELIMIT");
        limit.map_or(HEADERS_A_SLICE, |limit| limit.clamp(1, HEADERS_A_SLICE))
    }

    async fn fetch_slice(&mut self, uids: &[u32]) -> Result<Answer, Failure> {
        let (Some(first), Some(last)) = (uids.first(), uids.last()) else {
            return Ok(Answer::default());
        };
        let mut command = Command::new(&format!(
            "UID FETCH {first}:{last} \
             (UID INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.{HEADER_BYTES_MAX}>)"
        ));
        command.response_bytes_max = response_bytes_max(HEADER_BYTES_MAX);
        command.answer_bytes_max = HEADERS_BYTES_MAX;
        let mut wanted: BTreeSet<u32> = uids.iter().copied().collect();
        let mut headers = Vec::new();
        // Answers that bring no header: of which message, where that is told.
        let mut without = Vec::new();
        let mut odd = None;
        let asked = self
            .run(command, |data| {
                if data.kind != "FETCH" {
                    return Ok(());
                }
                match Fetched::parse(data) {
                    Ok(mut fetched) => {
                        // Only one message was asked for: whose it is need not be told.
                        if fetched.body.is_some() && uids.len() == 1 {
                            fetched.uid = fetched.uid.or(Some(*first));
                        }
                        let uid = fetched.uid;
                        match fetched.into_header().filter(is_given) {
                            Some(header) if wanted.remove(&header.uid) => headers.push(header),
                            Some(_) => {}
                            None => without.push(uid),
                        }
                    }
                    Err(unreadable) => odd = odd.take().or(Some(unreadable)),
                }
                Ok(())
            })
            .await;
        let failure = match asked {
            Err(failure) if !self.is_usable() || is_of_the_moment(&failure) => return Err(failure),
            Err(failure) => Some(failure),
            Ok(_) => odd.map(|unreadable| fail(garbage(&unreadable.0))),
        };
        // What is told of without its header is there; the others are gone, unless the server says nothing of them.
        if failure.is_none() && !without.contains(&None) {
            wanted.retain(|uid| without.contains(&Some(*uid)));
        }
        let failure = failure.or_else(|| {
            let silent = || {
                fail(garbage(
                    "the server tells of the message and does not give its header",
                ))
            };
            (!wanted.is_empty() && !without.is_empty()).then(silent)
        });
        Ok(Answer {
            headers,
            missing: wanted.into_iter().collect(),
            failure,
        })
    }
}

/// Whether a header came: an empty one is none where the message has bytes. CRLF alone is the least that a message has
/// (RFC 5322 §2.1), and some servers count nothing.
fn is_given(header: &Header) -> bool {
    !header.bytes.is_empty() || header.size_bytes.is_none_or(|size| size <= 2)
}

/// Whether a refusal speaks of the server and of the moment, and not of a message.
pub fn is_of_the_moment(failure: &Failure) -> bool {
    match &failure.said {
        Said::Imap(reply) => reply
            .code
            .as_deref()
            .is_some_and(|code| OF_THE_MOMENT.contains(&code)),
        _ => false,
    }
}
