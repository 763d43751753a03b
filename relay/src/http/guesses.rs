//! How often an address may be wrong about a single-use code. Codes have 192 random bits, so this keeps guessing out of
//! the log, not out of reach. It looks at what was wrong alone: all who are on this machine come from one address, and
//! nobody may shut the door to a person who has the right code.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::problem::{Code, Problem};
use protocol::timestamp::Timestamp;

use super::ServeError;
use super::neighbourhood::neighbourhood;
use super::sketch::Sketch;

/// Failures of one place within [`WINDOW`] after which it hears no more than that.
const FAILURES_AT_MOST: u32 = 10;
/// How long a failure counts.
const WINDOW: Duration = Duration::from_mins(1);
/// 4,096 cells in a row: 160 KiB. A place that is counted too high hears of its wrong codes only that there were many.
const BITS: u32 = 12;
/// The fields of requests that take a code, or the proof of one.
const FIELDS: [&str; 2] = ["code", "proof"];

/// The failures of the last minute, by where they came from.
#[derive(Debug)]
pub(super) struct Guesses(Mutex<Sketch>);

impl Default for Guesses {
    fn default() -> Self {
        Self(Mutex::new(Sketch::new(BITS, WINDOW)))
    }
}

impl Guesses {
    /// What an address is told whose request was refused: where that was for its code, and too often, only that.
    pub(super) fn judge(&self, peer: IpAddr, refused: ServeError, now: Timestamp) -> ServeError {
        let is_guess = matches!(&refused, ServeError::Refused(problem)
            if problem.field.as_deref().is_some_and(|field| FIELDS.contains(&field)));
        if !is_guess {
            return refused;
        }
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = neighbourhood(peer);
        if failures.count(&place, now) < FAILURES_AT_MOST {
            failures.note(&place, now);
            return refused;
        }
        let detail = format!(
            "{FAILURES_AT_MOST} codes were wrong within a minute, and this one is wrong too: a right one is taken at \
             once, for another wrong one wait a minute"
        );
        ServeError::later(Problem::new(Code::TooManyRequests, detail), WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_wrong_codes_an_address_hears_for_a_minute_that_it_is_too_often() {
        let guesses = Guesses::default();
        let [stranger, other] = [1, 2].map(|last| IpAddr::from([127, 0, 0, last]));
        let site = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let told = |peer, field: &str, second: i64| {
            let refused = ServeError::invalid(field, "wrong");
            match guesses.judge(peer, refused, Timestamp::from_ms(second * 1_000)) {
                ServeError::Refused(problem) | ServeError::Later { problem, .. } => problem.code,
                error => panic!("{error}"),
            }
        };
        for second in 0..10 {
            assert_eq!(told(stranger, "code", second), Code::Invalid, "{second}");
        }
        assert_eq!(told(stranger, "code", 10), Code::TooManyRequests);
        assert_eq!(told(stranger, "proof", 10), Code::TooManyRequests);
        assert_eq!(told(stranger, "name", 10), Code::Invalid, "no guess");
        assert_eq!(told(other, "code", 10), Code::Invalid);
        assert_eq!(told(stranger, "code", 60), Code::Invalid);
        for last in 0..10 {
            assert_eq!(told(site(last), "code", 10), Code::Invalid, "{last}");
        }
        assert_eq!(
            told(site(99), "code", 10),
            Code::TooManyRequests,
            "one site"
        );
    }
}
