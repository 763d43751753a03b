//! The windows and the cap of a run over many inboxes, and whether they were kept, by the recipients' mailboxes.

use anyhow::Result;
use protocol::schedule::{Schedule, WEEK, Window};

use crate::story::mailboxes::Message;

/// Of so many minutes in a row …
const CYCLE: i64 = 3;
/// … so many are open, the first ones.
const OPEN: i64 = 2;
/// As many cycles as a day may have windows (`protocol::schedule::WINDOWS_AT_MOST`), less one that midnight may cut in
/// two.
const CYCLES: i64 = 23;
const DAY: i64 = 24 * 60;
const MINUTE_MS: i64 = 60_000;
/// What was begun in a window may arrive so long behind it: a kill holds it up.
const LATE_MS: i64 = 5_000;

/// The windows of one day, from a minute on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walls {
    /// The minute in which the first one is opened, since 1970.
    began: i64,
}

impl Walls {
    pub(super) fn from_now(now_ms: i64) -> Self {
        Self {
            began: now_ms / MINUTE_MS,
        }
    }

    pub(super) fn schedule(self) -> Result<Schedule> {
        let mut windows = Vec::new();
        let mut add = |from: i64, to: i64| -> Result<()> {
            let clock = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60).parse();
            windows.push(Window {
                from: clock(from).map_err(|error| anyhow::anyhow!("{error}"))?,
                to: clock(to).map_err(|error| anyhow::anyhow!("{error}"))?,
            });
            Ok(())
        };
        for cycle in 0..CYCLES {
            let from = (self.began + cycle * CYCLE) % DAY;
            add(from, (from + OPEN).min(DAY))?;
            if from + OPEN > DAY {
                add(0, from + OPEN - DAY)?;
            }
        }
        Ok(Schedule {
            zone: "Etc/UTC".to_owned(),
            weekdays: WEEK.to_vec(),
            windows,
            starts_on: None,
            ends_on: None,
            skip: Vec::new(),
        })
    }

    /// Messages that came when no window was open, and the windows in which some came.
    pub(super) fn count<'a>(self, messages: impl Iterator<Item = &'a Message>) -> (u64, u64) {
        let mut windows = std::collections::BTreeSet::new();
        let mut outside = 0;
        for at_ms in messages.filter_map(|message| message.at_ms) {
            let since = at_ms - self.began * MINUTE_MS;
            let (cycle, within) = (
                since.div_euclid(CYCLE * MINUTE_MS),
                since.rem_euclid(CYCLE * MINUTE_MS),
            );
            if (0..CYCLES).contains(&cycle) && within < OPEN * MINUTE_MS + LATE_MS {
                windows.insert(cycle);
            } else {
                outside += 1;
            }
        }
        (outside, windows.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: i64) -> Message {
        Message {
            recipient: "lead1@leads.example".to_owned(),
            tag: String::new(),
            step: 1,
            at_ms: Some(at_ms),
        }
    }

    #[test]
    fn two_minutes_of_three_are_open() {
        // 23:59:30 of the first day.
        let walls = Walls::from_now(DAY * MINUTE_MS - 30_000);
        let schedule = walls.schedule().unwrap();
        schedule.check().unwrap();
        let shown: Vec<_> = (schedule.windows.iter().take(3))
            .map(|window| format!("{}-{}", window.from, window.to))
            .collect();
        assert_eq!(shown, ["23:59-24:00", "00:00-00:01", "00:02-00:04"]);
        let began = (DAY - 1) * MINUTE_MS;
        let count = |ms: &[i64]| {
            let messages: Vec<_> = ms.iter().map(|ms| at(began + ms)).collect();
            walls.count(messages.iter())
        };
        assert_eq!(count(&[0, 119_999, 124_999]), (0, 1));
        assert_eq!(count(&[125_000, 179_999]), (2, 0));
        assert_eq!(count(&[0, 180_000, 299_000]), (0, 2));
        assert_eq!(count(&[-1, CYCLES * CYCLE * MINUTE_MS]), (2, 0));
    }
}
