//! The books of whoever watches from outside: how long each campaign and inbox could both send, added up, and what
//! follows from that for every delivery. They know nothing of clocks that stand, of turns or of ranks.

use std::collections::BTreeMap;

/// A delivery: campaign, inbox, place of the lead in the list, step from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) campaign: usize,
    pub(crate) inbox: usize,
    pub(crate) lead: usize,
    pub(crate) step: usize,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Until its due and its turn.
    Waiting,
    /// Until either has come: an instant on the wall, or milliseconds lived.
    Resting { wall_ms: i64, lived_ms: i64 },
    /// Handed over, and nobody knows what became of it.
    Doubtful,
    /// It may have been sent by a database that is lost, and so may a step whose wait is no longer than this.
    Held { later_ms: i64 },
    /// Over, whatever came of it.
    Done,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Milliseconds that its campaign and inbox must have been able to send.
    pub(crate) due_ms: i64,
    /// What they had been when it was last attempted.
    pub(crate) attempted_ms: i64,
    pub(crate) stand: Stand,
    /// The latest that the wall showed when a try of it ended.
    pub(crate) ended_wall_ms: Option<i64>,
    /// Whether anything but its turn ever kept it: such a row has no bound.
    pub(crate) was_kept: bool,
    /// When it became due: what stood before it of its own class, and the tries of its inbox by then, all and failed.
    became_due: Option<(u64, u64, u64)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Books {
    pub(crate) rows: BTreeMap<Place, Row>,
    /// Seconds from step to step, for each campaign; a campaign has one step more than waits.
    pub(crate) waits: Vec<Vec<u64>>,
    /// Milliseconds in which each campaign (first) and inbox could both send.
    pub(crate) ran_ms: Vec<Vec<i64>>,
    /// Milliseconds that relays lived.
    pub(crate) lived_ms: i64,
    /// Tries while campaign and inbox could both send, and how many of them failed.
    tries: Vec<Vec<(u64, u64)>>,
}

impl Books {
    pub(crate) fn new(waits: &[Vec<u64>], n_inboxes: usize) -> Self {
        Self {
            rows: BTreeMap::new(),
            waits: waits.to_vec(),
            ran_ms: vec![vec![0; n_inboxes]; waits.len()],
            lived_ms: 0,
            tries: vec![vec![(0, 0); n_inboxes]; waits.len()],
        }
    }

    pub(crate) fn ran(&self, place: Place) -> i64 {
        self.ran_ms[place.campaign][place.inbox]
    }

    fn n_steps(&self, campaign: usize) -> u64 {
        self.waits[campaign].len() as u64 + 1
    }

    pub(crate) fn plan(&mut self, place: Place, due_ms: i64) {
        let row = Row {
            due_ms,
            attempted_ms: 0,
            stand: Stand::Waiting,
            ended_wall_ms: None,
            was_kept: false,
            became_due: None,
        };
        assert!(self.rows.insert(place, row).is_none(), "{place:?} twice");
    }

    /// The first step of a campaign that is started, which copies may have shown before.
    pub(crate) fn start(&mut self, place: Place, may_be_started_ms: Option<i64>) {
        if self.rows.contains_key(&place) {
            return;
        }
        self.plan(place, 0);
        if let Some(later_ms) = may_be_started_ms {
            let row = self.rows.get_mut(&place).unwrap();
            row.stand = Stand::Held { later_ms };
            row.was_kept = true;
        }
    }

    /// A step was taken at `from_ms`: the next one waits from then.
    pub(crate) fn plan_next(&mut self, place: Place, from_ms: i64) {
        self.rows.get_mut(&place).unwrap().stand = Stand::Done;
        if let Some(wait) = self.waits[place.campaign].get(place.step - 1) {
            let next = Place {
                step: place.step + 1,
                ..place
            };
            let wait_ms = i64::try_from(*wait).unwrap() * 1_000;
            self.plan(next, from_ms + wait_ms);
        }
    }

    /// The deliveries of a campaign at an inbox that only wait for their turn, in the order in which they go.
    fn list_due(&self, campaign: usize, inbox: usize, is_first: bool) -> Vec<Place> {
        let ran = self.ran_ms[campaign][inbox];
        let mut due: Vec<_> = self
            .rows
            .iter()
            .filter(|(place, _)| (place.campaign, place.inbox) == (campaign, inbox))
            .filter(|(place, _)| (place.step == 1) == is_first)
            .filter(|(_, row)| row.stand == Stand::Waiting && row.due_ms <= ran)
            .map(|(place, row)| (if is_first { 0 } else { row.due_ms }, *place))
            .collect();
        due.sort();
        due.into_iter().map(|(_, place)| place).collect()
    }

    pub(crate) fn is_anything_due(&self, inbox: usize, can_send: impl Fn(usize) -> bool) -> bool {
        (0..self.waits.len()).any(|campaign| {
            can_send(campaign)
                && [true, false]
                    .iter()
                    .any(|first| !self.list_due(campaign, inbox, *first).is_empty())
        })
    }

    /// What became due since the last try stands behind all that is due.
    pub(crate) fn note_due(&mut self) {
        for campaign in 0..self.waits.len() {
            for inbox in 0..self.ran_ms[campaign].len() {
                for is_first in [true, false] {
                    let due = self.list_due(campaign, inbox, is_first);
                    for (before, place) in due.into_iter().enumerate() {
                        let (all, failed) = self.tries[campaign][inbox];
                        let row = self.rows.get_mut(&place).unwrap();
                        row.became_due.get_or_insert((before as u64, all, failed));
                    }
                }
            }
        }
    }

    /// A try of the inbox begins: what is claimed is due, first of its kind in its campaign, and not late.
    pub(crate) fn check_claimed(&mut self, place: Place, can_send: impl Fn(usize) -> bool) {
        let row = &self.rows[&place];
        assert_eq!(row.stand, Stand::Waiting, "{place:?} is claimed");
        assert!(
            row.due_ms <= self.ran(place),
            "{place:?} leaves {} ms early",
            row.due_ms - self.ran(place)
        );
        let due = self.list_due(place.campaign, place.inbox, place.step == 1);
        assert_eq!(due.first(), Some(&place), "of {due:?}");
        let (before, all, failed) = row.became_due.unwrap();
        let (all_now, failed_now) = self.tries[place.campaign][place.inbox];
        let (k, s) = (self.waits.len() as u64, self.n_steps(place.campaign));
        let bound = if place.step == 1 {
            k * s * (before + 1) + k
        } else {
            (k * s * before).div_ceil(s - 1) + 3 * k
        };
        // A try that fails comes back before those that became due after it.
        let bound = bound + k * s * (failed_now - failed);
        assert!(
            row.was_kept || all_now - all <= bound,
            "{place:?} was passed over {} times, at most {bound}",
            all_now - all
        );
        for campaign in (0..self.waits.len()).filter(|campaign| can_send(*campaign)) {
            self.tries[campaign][place.inbox].0 += 1;
        }
        let ran = self.ran(place);
        self.rows.get_mut(&place).unwrap().attempted_ms = ran;
    }

    /// The try came to nothing.
    pub(crate) fn fail(&mut self, place: Place, stand: Stand, wall_ms: i64) {
        for campaign in &mut self.tries {
            campaign[place.inbox].1 += 1;
        }
        let row = self.rows.get_mut(&place).unwrap();
        row.stand = stand;
        row.ended_wall_ms = row.ended_wall_ms.max(Some(wall_ms));
        row.was_kept = true;
    }

    /// What has rested long enough waits for its turn again.
    pub(crate) fn wake_rested(&mut self, inbox: usize, wall_ms: i64) {
        let lived = self.lived_ms;
        for (_, row) in self
            .rows
            .iter_mut()
            .filter(|(place, _)| place.inbox == inbox)
        {
            if let Stand::Resting {
                wall_ms: until,
                lived_ms,
            } = row.stand
                && (until <= wall_ms || lived_ms <= lived)
            {
                row.stand = Stand::Waiting;
            }
        }
    }
}
