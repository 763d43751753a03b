//! A clock of the runtime that runs ahead while nobody has anything to do.

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

fn peer(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

/// An address of the site with this number.
fn at_site(site: u16, last: u16) -> IpAddr {
    IpAddr::from([0x2001, 0xdb8, 0, site, 0, 0, 0, last])
}

fn stranger(name: &str, from: IpAddr) -> Guess {
    Guess::new(name, from, By::Stranger)
}

async fn waited(slowing: &Slowing, guess: Guess, now: Timestamp) -> u64 {
    let began = Instant::now();
    drop(slowing.wait(guess, now).await.unwrap());
    began.elapsed().as_secs()
}

async fn be_wrong(slowing: &Slowing, guess: Guess, times: usize) {
    for _ in 0..times {
        let turn = slowing.wait(guess.clone(), NOW).await.unwrap();
        turn.note_wrong(NOW);
    }
}

/// Begins to wait, as far as it comes now.
async fn begin(slowing: &Slowing, guess: Guess) -> JoinHandle<Result<(), ServeError>> {
    let slowing = slowing.clone();
    let waiting = tokio::spawn(async move { slowing.wait(guess, NOW).await.map(drop) });
    tokio::task::yield_now().await;
    waiting
}

fn told(refused: ServeError) -> (Code, Duration) {
    match refused {
        ServeError::Later { problem, after } => (problem.code, after),
        error => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn after_ten_wrong_ones_a_guess_waits_for_its_account_and_for_its_address() {
    let slowing = Slowing::default();
    for n in 0..10 {
        let guess = stranger("Jane", peer(1));
        assert_eq!(waited(&slowing, guess.clone(), NOW).await, 0, "{n}");
        be_wrong(&slowing, guess, 1).await;
    }
    assert_eq!(
        waited(&slowing, stranger("jane ", peer(1)), NOW).await,
        2,
        "one turn for each of the two"
    );
    let elsewhere = stranger("jane", peer(2));
    assert_eq!(waited(&slowing, elsewhere, NOW).await, 1);
    let of_another = stranger("cleo", peer(1));
    assert_eq!(waited(&slowing, of_another, NOW).await, 1);
    assert_eq!(waited(&slowing, stranger("cleo", peer(2)), NOW).await, 0);
    let later = NOW + WINDOW;
    assert_eq!(waited(&slowing, stranger("jane", peer(1)), later).await, 0);
}

#[tokio::test(start_paused = true)]
async fn strangers_get_their_turns_in_the_order_in_which_they_came() {
    let slowing = Slowing::default();
    be_wrong(&slowing, stranger("jane", peer(1)), 10).await;
    let began = Instant::now();
    let mut others = Vec::new();
    for n in 0..15 {
        others.push(begin(&slowing, stranger("jane", peer(2 + n / 8))).await);
    }
    let last = slowing.wait(stranger("jane", peer(9)), NOW).await.unwrap();
    drop(last);
    assert_eq!(
        began.elapsed().as_secs(),
        16,
        "behind fifteen others, one in a second"
    );
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(slowing.0.queues.count(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_guess_whose_caller_has_left_leaves_the_queue() {
    let slowing = Slowing::default();
    be_wrong(&slowing, stranger("jane", peer(1)), 10).await;
    for n in 0..800 {
        let waiting = begin(&slowing, stranger("jane", at_site(n, 1))).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
    }
    assert_eq!(slowing.0.queues.count(), (0, 0), "nobody waits");
    let right = stranger("jane", peer(9));
    assert_eq!(waited(&slowing, right, NOW).await, 1);
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_for_a_name_from_a_place_and_in_all_and_no_more() {
    let slowing = Slowing::default();
    be_wrong(&slowing, stranger("jane", peer(1)), 10).await;
    // Names and places of all kinds.
    let of_all_kinds: Vec<_> = (10..70)
        .map(|n| stranger(&format!("name {n}"), at_site(n, 1)))
        .collect();
    for guess in &of_all_kinds {
        be_wrong(&slowing, guess.clone(), 10).await;
    }
    let mut waiting = Vec::new();
    for n in 0..8 {
        // Another address of the same site each time.
        waiting.push(begin(&slowing, stranger("jane", at_site(1, n))).await);
    }
    let from_there = slowing.wait(stranger("jane", at_site(1, 99)), NOW).await;
    assert_eq!(
        told(from_there.unwrap_err()),
        (Code::TooManyRequests, Duration::from_secs(8))
    );
    for n in 0..8 {
        waiting.push(begin(&slowing, stranger("jane", at_site(2, n))).await);
    }
    let from_elsewhere = slowing.wait(stranger("jane", peer(3)), NOW).await;
    assert_eq!(
        told(from_elsewhere.unwrap_err()),
        (Code::TooManyRequests, Duration::from_secs(16))
    );
    for guess in of_all_kinds {
        waiting.push(begin(&slowing, guess).await);
    }
    let (n_waiting, n_queues) = slowing.0.queues.count();
    assert_eq!(n_waiting, 64, "a quarter of all connections");
    assert!(n_queues <= 2 * 64, "{n_queues}");
    let anybody = slowing.wait(stranger("cleo", peer(4)), NOW).await;
    assert_eq!(told(anybody.unwrap_err()).0, Code::Unavailable);
    // Whoever is no stranger stands elsewhere.
    let session = By::Session(SessionId::new("ses_1"));
    let proof = Guess::new("jane", peer(1), session);
    assert_eq!(waited(&slowing, proof, NOW).await, 0);
    for waiting in waiting {
        waiting.abort();
        let _ = waiting.await;
    }
    assert_eq!(slowing.0.queues.count(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_known_waits_for_no_stranger_and_is_slowed_by_himself() {
    let slowing = Slowing::default();
    let from = peer(1);
    be_wrong(&slowing, stranger("jane", from), 10).await;
    for n in 0..8 {
        drop(begin(&slowing, stranger("jane", from)).await);
        drop(begin(&slowing, stranger("jane", at_site(n, 1))).await);
    }
    let her_browser = Guess::new("jane", from, By::Browser("one".to_owned()));
    let her_session = Guess::new("jane", from, By::Session(SessionId::new("ses_1")));
    for guess in [her_browser, her_session] {
        assert_eq!(waited(&slowing, guess.clone(), NOW).await, 0, "{guess:?}");
        be_wrong(&slowing, guess.clone(), 10).await;
        assert_eq!(waited(&slowing, guess.clone(), NOW).await, 1, "{guess:?}");
        let mut waiting = Vec::new();
        for _ in 0..2 {
            waiting.push(begin(&slowing, guess.clone()).await);
        }
        let third = slowing.wait(guess, NOW).await.unwrap_err();
        assert_eq!(told(third).0, Code::TooManyRequests);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_right_again_and_again_keeps_no_other_one_waiting() {
    let slowing = Slowing::default();
    let of = |id: &str| Guess::new("", peer(1), By::Session(SessionId::new(id)));
    let mut looked_at = Vec::new();
    for _ in 0..2 {
        looked_at.push(slowing.wait(of("ses_1"), NOW).await.unwrap());
    }
    let mut waiting = Vec::new();
    for _ in 0..2 {
        waiting.push(begin(&slowing, of("ses_1")).await);
    }
    let more = slowing.wait(of("ses_1"), NOW).await.unwrap_err();
    assert_eq!(told(more).0, Code::TooManyRequests);
    waiting.push(begin(&slowing, of("ses_2")).await);
    drop(looked_at);
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_somebody_makes_up_never_push_out_what_is_attacked() {
    let slowing = Slowing::default();
    // As many as the attackers of a table of a thousand needed, and the attacked name after them.
    for n in 0..505_u16 {
        be_wrong(&slowing, stranger(&format!("junk {n}"), at_site(n, 1)), 10).await;
    }
    let mut n_slowed = 0;
    for n in 0..150 {
        let guess = stranger("jane", at_site(1_000 + n, 1));
        n_slowed += waited(&slowing, guess.clone(), NOW).await;
        let turn = slowing.wait(guess, NOW).await.unwrap();
        turn.note_wrong(NOW);
    }
    assert_eq!(n_slowed, 140, "all but the first ten");
    let nobody = stranger("cleo", peer(7));
    assert_eq!(waited(&slowing, nobody, NOW).await, 0);
}
