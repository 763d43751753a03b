//! Who has a place, and who leaves for a newcomer.
//!
//! Everybody on this machine comes from one address, the person's own browser too. A limit for each address alone would
//! let any of them shut all the others out; so a newcomer always gets a place while there is anybody who can be asked to
//! leave, and who has shown that he is known here cannot be asked while he is served.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Places in all: a quarter of the 1024 descriptors that a process has by default. The rest are for mail servers, which
/// take two for each inbox, and the database.
const PLACES: usize = 256;
/// Places for one address. A browser takes six.
const PLACES_OF_ONE: usize = 128;
/// How long the head of a request may take from its first byte (RFC 9110 §15.5.9).
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long a connection may rest between two requests, or before its first.
const REST_AT_MOST: Duration = Duration::from_mins(1);
/// How long an answer may wait for the other side to take a byte of it.
const TAKEN_WITHIN: Duration = Duration::from_mins(1);
/// A connection that is younger is asked to leave only where all are: its request may be on the way.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// All places.
#[derive(Debug, Default)]
pub(super) struct Places {
    taken: Mutex<Taken>,
    closed: Mutex<Closed>,
    has_closed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    by_number: BTreeMap<u64, Arc<Place>>,
    last: u64,
}

/// How many connections were closed, and why, since that was last told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Closed {
    /// The head of a request did not come to its end.
    pub(super) half_said: u64,
    /// The other side did not take its answer.
    pub(super) untaken: u64,
    /// A newcomer got the place.
    pub(super) for_others: u64,
    /// Newcomers that got none.
    pub(super) refused: u64,
}

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    standing: Mutex<Standing>,
    must_leave: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    /// For whom it is; `None` where a proxy has not said so yet.
    client: Option<IpAddr>,
    doing: Doing,
    /// When that began; of an answer and of a rest, when the last byte of an answer was taken.
    since: Instant,
    taken_at: Instant,
    /// Whether a part of an answer waits for the other side to take it.
    is_full: bool,
    has_asked: bool,
    is_known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Nothing is said.
    Resting,
    /// A part of a request's head has come.
    Asking,
    /// Its request is performed, which includes reading its body.
    Served,
    /// Its answer is under way.
    Answered,
}

/// What a connection is late with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Saying anything.
    Resting,
    /// The rest of a request's head.
    Asking,
    /// Taking its answer.
    Taking,
}

impl Places {
    /// A place for a newcomer, whoever has to leave for it; `None` where nobody can be asked to. Whom it is for is not
    /// known of a proxy's connection.
    pub(super) fn take(&self, client: Option<IpAddr>, now: Instant) -> Option<Arc<Place>> {
        let client = client.map(neighbourhood);
        let mut taken = self.lock();
        let leaves = if client.is_some() && taken.list_of(client).count() >= PLACES_OF_ONE {
            Some(choose(taken.list_of(client), now))
        } else if taken.by_number.len() >= PLACES {
            Some(choose(taken.by_number.values(), now))
        } else {
            None
        };
        match leaves {
            Some(Some(number)) => self.send_away(&mut taken, number),
            Some(None) => {
                drop(taken);
                self.count(|closed| closed.refused += 1);
                return None;
            }
            None => {}
        }
        taken.last += 1;
        let place = Arc::new(Place {
            number: taken.last,
            standing: Mutex::new(Standing {
                client,
                doing: Doing::Resting,
                since: now,
                taken_at: now,
                is_full: false,
                has_asked: false,
                is_known: false,
            }),
            must_leave: Notify::new(),
        });
        taken.by_number.insert(place.number, Arc::clone(&place));
        Some(place)
    }

    /// The request that begins is of this client, as a proxy says. Where he has more places than one may, one of his
    /// other ones is left.
    pub(super) fn note_client(&self, place: &Place, client: IpAddr, now: Instant) {
        let client = Some(neighbourhood(client));
        place.change(|standing| {
            standing.client = client;
            // Whom the last one was is said of that one.
            standing.is_known = false;
        });
        let mut taken = self.lock();
        let others = || {
            taken
                .list_of(client)
                .filter(|other| other.number != place.number)
        };
        if others().count() >= PLACES_OF_ONE
            && let Some(number) = choose(others(), now)
        {
            self.send_away(&mut taken, number);
        }
    }

    /// Somebody leaves although nobody came: a descriptor is needed.
    pub(super) fn make_room(&self, now: Instant) {
        let mut taken = self.lock();
        if let Some(number) = choose(taken.by_number.values(), now) {
            self.send_away(&mut taken, number);
        }
    }

    /// The connection is closed.
    pub(super) fn leave(&self, place: &Place) {
        self.lock().by_number.remove(&place.number);
    }

    /// Counts what is told.
    pub(super) fn count(&self, add: impl FnOnce(&mut Closed)) {
        add(&mut self.closed.lock().unwrap_or_else(PoisonError::into_inner));
        self.has_closed.notify_one();
    }

    /// What was closed since the last time, as soon as there is something.
    pub(super) async fn closed(&self) -> Closed {
        self.has_closed.notified().await;
        std::mem::take(&mut *self.closed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn send_away(&self, taken: &mut Taken, number: u64) {
        if let Some(place) = taken.by_number.remove(&number) {
            place.must_leave.notify_one();
            self.count(|closed| closed.for_others += 1);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The places of one client.
    fn list_of(&self, client: Option<IpAddr>) -> impl Iterator<Item = &Arc<Place>> {
        let places = self.by_number.values();
        places.filter(move |place| place.standing().client == client)
    }
}

impl Place {
    /// Returns once somebody else has the place.
    pub(super) async fn sent_away(&self) {
        self.must_leave.notified().await;
    }

    /// Bytes came.
    pub(super) fn note_heard(&self, now: Instant) {
        self.change(|standing| {
            if standing.doing == Doing::Resting {
                standing.doing = Doing::Asking;
                standing.since = now;
            }
        });
    }

    /// The head of a request is complete.
    pub(super) fn begin(&self, now: Instant) {
        self.change(|standing| {
            standing.doing = Doing::Served;
            standing.since = now;
            standing.has_asked = true;
        });
    }

    /// Who asks is known.
    pub(super) fn note_known(&self) {
        self.change(|standing| standing.is_known = true);
    }

    /// Its answer is made.
    pub(super) fn note_answer(&self, now: Instant) {
        self.change(|standing| {
            standing.doing = Doing::Answered;
            standing.since = now;
            standing.taken_at = now;
        });
    }

    /// The other side took bytes, or does not take them now.
    pub(super) fn note_written(&self, written: &Poll<std::io::Result<usize>>, now: Instant) {
        self.change(|standing| {
            standing.is_full = written.is_pending();
            if matches!(written, Poll::Ready(Ok(1..))) {
                standing.taken_at = now;
            }
        });
    }

    /// Its answer is handed over, maybe not taken in full.
    pub(super) fn end(&self, now: Instant) {
        self.change(|standing| {
            standing.doing = Doing::Resting;
            standing.since = now;
        });
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.standing().is_busy()
    }

    /// What it is late with, if it is. How long a request is performed is the relay's matter and nobody's fault.
    pub(super) fn find_late(&self, now: Instant) -> Option<Late> {
        let Standing {
            doing,
            since,
            taken_at,
            is_full,
            ..
        } = self.standing();
        let (late, since, within) = match doing {
            Doing::Served => return None,
            Doing::Resting | Doing::Asking if is_full => (Late::Taking, taken_at, TAKEN_WITHIN),
            Doing::Resting => (Late::Resting, since.max(taken_at), REST_AT_MOST),
            Doing::Asking => (Late::Asking, since, HEAD_WITHIN),
            Doing::Answered => (Late::Taking, since.max(taken_at), TAKEN_WITHIN),
        };
        (now.saturating_duration_since(since) >= within).then_some(late)
    }

    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Standing {
    fn is_busy(self) -> bool {
        self.is_full || matches!(self.doing, Doing::Served | Doing::Answered)
    }
}

/// Who leaves for a newcomer: of those that had a second to ask something, first who has asked nothing, then who rests,
/// then who is served and not known, then who rests and is known; of each the one that has been so for longest. Where
/// none had that second, the same among all. Who is known and served never leaves.
fn choose<'a>(places: impl Iterator<Item = &'a Arc<Place>>, now: Instant) -> Option<u64> {
    let ranked = places.filter_map(|place| {
        let standing = place.standing();
        let Standing {
            since,
            has_asked,
            is_known,
            ..
        } = standing;
        let rank = match (is_known, standing.is_busy(), has_asked) {
            (true, true, _) => return None,
            (true, false, _) => 3,
            (false, true, _) => 2,
            (false, false, true) => 1,
            (false, false, false) => 0,
        };
        let is_fresh = now.saturating_duration_since(since) < FRESH_FOR;
        Some(((is_fresh, rank, since, place.number), place.number))
    });
    ranked.min().map(|(_, number)| number)
}

/// What counts as one address: one, or of IPv6 the 64 bits that belong to one site (RFC 4291 §2.5.4).
fn neighbourhood(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let site = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(site))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    /// Whether somebody else has this place by now.
    fn is_gone(places: &Places, place: &Place) -> bool {
        !places.lock().by_number.contains_key(&place.number)
    }

    #[test]
    fn a_newcomer_gets_the_place_of_who_has_been_silent_for_longest() {
        let (places, start) = (Places::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let all: Vec<_> = (0..128)
            .map(|n| places.take(Some(from(2)), at(n)).unwrap())
            .collect();
        assert!(all.iter().all(|place| !is_gone(&places, place)));
        // The first one said half a request since, the second one a whole one, the third is who he says.
        all[0].note_heard(at(2_000));
        all[1].begin(at(2_000));
        all[1].end(at(2_001));
        all[2].begin(at(2_000));
        all[2].note_known();
        assert!(places.take(Some(from(2)), at(4_000)).is_some());
        assert!(
            is_gone(&places, &all[3]),
            "silent since its third millisecond"
        );
        assert_eq!(
            all.iter().filter(|place| is_gone(&places, place)).count(),
            1
        );
        assert_eq!(places.lock().by_number.len(), 128);
    }

    #[test]
    fn whoever_is_known_and_served_stays_and_then_a_newcomer_is_refused() {
        let (places, start) = (Places::default(), Instant::now());
        let known: Vec<_> = (0..128)
            .map(|_| {
                let place = places.take(Some(from(1)), start).unwrap();
                place.begin(start);
                place.note_known();
                place
            })
            .collect();
        let later = start + Duration::from_mins(1);
        assert!(places.take(Some(from(1)), later).is_none());
        assert!(
            places.take(Some(from(2)), later).is_some(),
            "another address"
        );
        known[7].end(later);
        assert!(places.take(Some(from(1)), later).is_some());
        assert!(is_gone(&places, &known[7]));
    }

    #[test]
    fn requests_that_dribble_leave_before_a_newcomer_does() {
        let (places, start) = (Places::default(), Instant::now());
        let dribbling: Vec<_> = (0..128)
            .map(|_| {
                let place = places.take(Some(from(1)), start).unwrap();
                place.begin(start);
                place
            })
            .collect();
        let at = |ms: u64| start + Duration::from_millis(1_000 + ms);
        let newcomers: Vec<_> = (0..100)
            .map(|n| places.take(Some(from(1)), at(n)).unwrap())
            .collect();
        assert!(newcomers.iter().all(|place| !is_gone(&places, place)));
        assert_eq!(
            (dribbling.iter().filter(|place| is_gone(&places, place))).count(),
            100
        );
    }

    #[test]
    fn in_all_there_are_as_many_places_however_many_addresses_come() {
        let (places, start) = (Places::default(), Instant::now());
        let served = places.take(Some(from(1)), start).unwrap();
        served.begin(start);
        served.note_known();
        for n in 0..1_000_u16 {
            let [high, low] = n.to_be_bytes();
            let peer = IpAddr::from([127, 1, high, low]);
            let now = start + Duration::from_millis(u64::from(n) * 10);
            assert!(places.take(Some(peer), now).is_some());
            assert!(places.lock().by_number.len() <= 256);
        }
        assert!(!is_gone(&places, &served));
    }

    #[test]
    fn a_half_said_head_has_ten_seconds_and_everything_else_a_minute_without_a_byte() {
        let (places, start) = (Places::default(), Instant::now());
        let at = |s| start + Duration::from_secs(s);
        let place = places.take(Some(from(1)), start).unwrap();
        assert_eq!(place.find_late(at(59)), None);
        assert_eq!(place.find_late(at(60)), Some(Late::Resting));
        place.note_heard(at(59));
        // A byte now and then makes it no younger.
        place.note_heard(at(65));
        assert_eq!(place.find_late(at(68)), None);
        assert_eq!(place.find_late(at(69)), Some(Late::Asking));
        place.begin(at(69));
        assert_eq!(place.find_late(at(9_999)), None, "that is ours");
        place.note_answer(at(10_000));
        place.note_written(&Poll::Ready(Ok(1)), at(10_050));
        assert_eq!(place.find_late(at(10_109)), None);
        assert_eq!(place.find_late(at(10_110)), Some(Late::Taking));
        place.end(at(10_110));
        assert!(!place.is_busy());
        assert_eq!(place.find_late(at(10_169)), None);
        assert_eq!(place.find_late(at(10_170)), Some(Late::Resting));
        // Handed over, and not taken.
        place.note_written(&Poll::Pending, at(10_111));
        assert!(place.is_busy());
        assert_eq!(place.find_late(at(10_170)), Some(Late::Taking));
    }

    #[test]
    fn behind_a_proxy_places_are_counted_for_each_client() {
        let (places, start) = (Places::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let ask = |client: u8, ms| {
            let place = places.take(None, at(ms)).unwrap();
            places.note_client(&place, from(client), at(ms));
            place.begin(at(ms));
            place
        };
        let hers = ask(9, 0);
        let his: Vec<_> = (0..128).map(|n| ask(1, n)).collect();
        assert!(his.iter().all(|place| !is_gone(&places, place)));
        for n in 0..100 {
            ask(1, 2_000 + n);
        }
        let n_gone = his.iter().filter(|place| is_gone(&places, place)).count();
        assert_eq!(n_gone, 100, "he has 128 and no more");
        assert!(!is_gone(&places, &hers));
        // The next request of a connection may be another's.
        hers.note_known();
        places.note_client(&hers, from(1), at(3_000));
        assert!(!hers.standing().is_known);
        assert_eq!(places.lock().list_of(Some(from(1))).count(), 128);
    }

    #[test]
    fn a_site_counts_as_one_address() {
        let [one, two, mapped] = ["2001:db8::1", "2001:db8::ffff:2", "::ffff:127.0.0.1"]
            .map(|text| neighbourhood(text.parse().unwrap()));
        assert_eq!(one, two);
        assert_eq!(mapped, from(1));
    }
}
