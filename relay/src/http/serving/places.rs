//! Who has a place, and who leaves for a newcomer.
//!
//! Everybody on this machine comes from one address, the person's own browser too. A limit for each address alone would
//! let any of them shut all the others out; so a newcomer always gets a place while there is anybody who can be asked to
//! leave, and who has shown that he is known here cannot be asked while the relay works for him. While it waits for him,
//! for the rest of a body or for taking an answer, he can; and no account has more places than its own number, so that one
//! that anybody may have keeps places from nobody.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use protocol::id::AccountId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::super::neighbourhood::neighbourhood;

/// Places in all: a quarter of the 1024 descriptors that a process has by default. The rest are for mail servers, which
/// take two for each inbox, and the database.
const PLACES: usize = 256;
/// Places for one address. A browser takes six.
const PLACES_OF_ONE: usize = 128;
/// Places of one account: half of an address's, and a quarter of all. Its devices and browsers share them.
const PLACES_OF_ACCOUNT: usize = 64;
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

#[derive(Clone, Debug)]
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
    /// Whose it is, where that is known; `None` for the operator too.
    account: Option<Arc<AccountId>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// Nothing is said.
    Resting,
    /// A part of a request's head has come.
    Asking,
    /// The head of its request has come, and its body is on the way.
    Reading,
    /// Its request is performed.
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
                account: None,
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
            standing.account = None;
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

    /// Who asks is known. Where his account has more places than one may, another one of it is left; `false` where none
    /// can be, because the relay works for all of them.
    pub(super) fn note_known(
        &self,
        place: &Place,
        account: Option<&AccountId>,
        now: Instant,
    ) -> bool {
        let mut taken = self.lock();
        let is_his = |other: &&Arc<Place>| {
            other.number != place.number
                && account
                    .is_some_and(|account| other.standing().account.as_deref() == Some(account))
        };
        let others = || taken.by_number.values().filter(is_his);
        if others().count() >= PLACES_OF_ACCOUNT {
            let Some(number) = choose(others(), now) else {
                return false;
            };
            self.send_away(&mut taken, number);
        }
        place.change(|standing| {
            standing.is_known = true;
            standing.account = account.cloned().map(Arc::new);
        });
        true
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
            standing.doing = Doing::Reading;
            standing.since = now;
            standing.has_asked = true;
        });
    }

    /// All of its body is here.
    pub(super) fn note_read(&self, now: Instant) {
        self.change(|standing| {
            standing.doing = Doing::Served;
            standing.since = now;
        });
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
            Doing::Reading | Doing::Served => return None,
            Doing::Resting | Doing::Asking if is_full => (Late::Taking, taken_at, TAKEN_WITHIN),
            Doing::Resting => (Late::Resting, since.max(taken_at), REST_AT_MOST),
            Doing::Asking => (Late::Asking, since, HEAD_WITHIN),
            Doing::Answered => (Late::Taking, since.max(taken_at), TAKEN_WITHIN),
        };
        (now.saturating_duration_since(since) >= within).then_some(late)
    }

    fn standing(&self) -> Standing {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.clone()
    }

    fn change(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Standing {
    fn is_busy(&self) -> bool {
        self.is_full || matches!(self.doing, Doing::Reading | Doing::Served | Doing::Answered)
    }

    /// Whether its request is on the way still, or the other side does not take what it asked for: what both take is the
    /// other side's to say.
    fn is_waited_for(&self) -> bool {
        self.is_full || self.doing == Doing::Reading
    }
}

/// Who leaves for a newcomer: of those that had a second to ask something, first who has asked nothing, then who rests,
/// then who is served and not known, then who rests and is known, then who is known and waited for; of each the one that
/// has been so for longest, and of those who are waited for first one of the account with most of them. Where none had
/// that second, the same among all. Who is known, and whom the relay works for, never leaves.
fn choose<'a>(places: impl Iterator<Item = &'a Arc<Place>>, now: Instant) -> Option<u64> {
    let all: Vec<_> = places
        .map(|place| (place.number, place.standing()))
        .collect();
    let mut waited_for = BTreeMap::<_, usize>::new();
    for (_, standing) in &all {
        if standing.is_known && standing.is_waited_for() {
            *waited_for.entry(standing.account.clone()).or_default() += 1;
        }
    }
    let ranked = all.iter().filter_map(|(number, standing)| {
        let (rank, of_account) = match (standing.is_known, standing.is_busy(), standing.has_asked) {
            (true, true, _) if standing.is_waited_for() => {
                (4, waited_for.get(&standing.account).copied().unwrap_or(0))
            }
            (true, true, _) => return None,
            (true, false, _) => (3, 0),
            (false, true, _) => (2, 0),
            (false, false, true) => (1, 0),
            (false, false, false) => (0, 0),
        };
        let is_fresh = now.saturating_duration_since(standing.since) < FRESH_FOR;
        Some((is_fresh, rank, Reverse(of_account), standing.since, *number))
    });
    ranked.min().map(|(.., number)| number)
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
        assert!(places.note_known(&all[2], None, at(2_000)));
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
                assert!(places.note_known(&place, None, start));
                place.note_read(start);
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
        assert!(places.note_known(&served, None, start));
        served.note_read(start);
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
        assert!(places.note_known(&hers, None, at(3_000)));
        places.note_client(&hers, from(1), at(3_000));
        assert!(!hers.standing().is_known);
        assert_eq!(places.lock().list_of(Some(from(1))).count(), 128);
    }

    fn account(name: &str) -> AccountId {
        AccountId::new(name)
    }

    #[test]
    fn an_account_has_its_own_number_of_places_and_whoever_dribbles_leaves_for_it() {
        let (places, start) = (Places::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        let mallory = account("acc_mallory");
        // From everywhere, so that no address is full.
        let his: Vec<_> = (0..=255)
            .map(|last| {
                let place = places.take(Some(from(last)), at(u64::from(last))).unwrap();
                place.begin(at(u64::from(last)));
                assert!(places.note_known(&place, Some(&mallory), at(u64::from(last))));
                place
            })
            .collect();
        let left = his.iter().filter(|place| !is_gone(&places, place)).count();
        assert_eq!(left, 64);
        assert!(!is_gone(&places, &his[255]), "the one that he wants now");
        // Where the relay works for all of them it says so.
        for place in &his {
            place.note_read(at(1_000));
        }
        let another = places.take(Some(from(7)), at(2_000)).unwrap();
        another.begin(at(2_000));
        assert!(!places.note_known(&another, Some(&mallory), at(2_000)));
        assert!(places.note_known(&another, Some(&account("acc_jane")), at(2_000)));
        // The operator is no account.
        for n in 0..100 {
            let place = places.take(Some(from(8)), at(3_000 + n)).unwrap();
            place.begin(at(3_000 + n));
            assert!(places.note_known(&place, None, at(3_000 + n)));
        }
    }

    #[test]
    fn whoever_is_known_and_dribbles_leaves_for_a_newcomer_first_of_who_has_most() {
        let (places, start) = (Places::default(), Instant::now());
        let [mallory, jane] = ["acc_mallory", "acc_jane"].map(account);
        let ask = |whose: &AccountId, ms| {
            let now = start + Duration::from_millis(ms);
            let place = places.take(Some(from(1)), now).unwrap();
            place.begin(now);
            assert!(places.note_known(&place, Some(whose), now));
            place
        };
        // Her long list has been on its way for longest, and she takes her time for an answer.
        let list = ask(&jane, 0);
        let untaken = ask(&jane, 1);
        untaken.note_read(start);
        untaken.note_written(&Poll::Pending, start);
        let worked_for: Vec<_> = (0..62).map(|n| ask(&jane, 2 + n)).collect();
        for place in &worked_for {
            place.note_read(start);
        }
        let his: Vec<_> = (0..64).map(|n| ask(&mallory, 100 + n)).collect();
        for n in 0..62 {
            let now = start + Duration::from_millis(2_000 + n);
            let newcomer = places.take(Some(from(1)), now).unwrap();
            newcomer.begin(now);
            newcomer.note_read(now);
            assert!(places.note_known(&newcomer, Some(&account(&format!("acc_{n}"))), now));
        }
        let n_left = his.iter().filter(|place| !is_gone(&places, place)).count();
        assert_eq!(n_left, 2, "as many as she has");
        assert!(!is_gone(&places, &list) && !is_gone(&places, &untaken));
        for n in 0..4 {
            let now = start + Duration::from_millis(3_000 + n);
            let newcomer = places.take(Some(from(1)), now).unwrap();
            newcomer.begin(now);
            newcomer.note_read(now);
            assert!(places.note_known(&newcomer, Some(&account("acc_last")), now));
        }
        assert!(is_gone(&places, &list) && is_gone(&places, &untaken));
        assert!(worked_for.iter().all(|place| !is_gone(&places, place)));
        let now = start + Duration::from_secs(4);
        assert!(
            places.take(Some(from(1)), now).is_none(),
            "the relay works for all"
        );
    }
}
