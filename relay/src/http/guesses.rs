//! How often an address may be wrong about a single-use code. Codes have 192 random bits; this keeps
//! guessing out of the log and off the database, not out of reach.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::problem::{Code, Problem};
use protocol::timestamp::Timestamp;

/// Failures of one address within [`WINDOW`] after which it waits.
const FAILURES_AT_MOST: usize = 10;
/// How long a failure counts.
const WINDOW: Duration = Duration::from_mins(1);

/// The failures of the last minute, by address.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<BTreeMap<IpAddr, Vec<Timestamp>>>);

impl Guesses {
    /// Refuses an address that was wrong too often.
    pub(super) fn check(&self, peer: IpAddr, now: Timestamp) -> Result<(), Problem> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, times| {
            times.retain(|time| now.since(*time) < WINDOW);
            !times.is_empty()
        });
        match failures.get(&peer) {
            Some(times) if times.len() >= FAILURES_AT_MOST => {
                let detail =
                    format!("{FAILURES_AT_MOST} codes were wrong within a minute: wait a minute");
                Err(Problem::new(Code::TooManyRequests, detail))
            }
            _ => Ok(()),
        }
    }

    /// Counts a failure.
    pub(super) fn note_failure(&self, peer: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.entry(peer).or_default().push(now);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ten_failures_close_the_door_for_a_minute_to_that_address_alone() {
        let guesses = Guesses::default();
        let [stranger, other] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        for second in 0..10 {
            let now = Timestamp::from_ms(second * 1_000);
            assert!(guesses.check(stranger, now).is_ok(), "{second}");
            guesses.note_failure(stranger, now);
        }
        let now = Timestamp::from_ms(10_000);
        assert_eq!(
            guesses.check(stranger, now).unwrap_err().code,
            Code::TooManyRequests
        );
        assert!(guesses.check(other, now).is_ok());
        assert!(guesses.check(stranger, Timestamp::from_ms(60_000)).is_ok());
    }
}
