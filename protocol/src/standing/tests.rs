//! What must hold of every random server, and single stories.

use std::collections::HashSet;

use super::simulation::{Address, Block, Chance, Lead, World, alike, list, play};
use super::*;

const RUNS: u64 = 200;

fn forever() -> Duration {
    DAY * 30
}

fn count_dead(leads: &[Lead]) -> usize {
    leads
        .iter()
        .filter(|lead| matches!(lead.address, Address::Dead(_)))
        .count()
}

#[test]
fn an_account_that_may_not_send_burns_no_lead_and_three_tries_show_it() {
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let dead = chance.below(12);
        let leads = list(&mut chance, 120, dead, 10);
        let from_try = usize::try_from(chance.below(90)).unwrap() + 1;
        let class = if chance.happens(30) { 4 } else { 5 };
        let block = Block {
            from_try,
            lasts: forever(),
            alike: alike(&mut chance, class),
            is_inbox_wide: class == 5 && chance.happens(20),
        };
        let told = play(&World {
            leads,
            block: Some(block),
            ..World::default()
        });
        assert_eq!(told.burnt, 0, "seed {seed}: {told:?}");
        assert!(told.tried_in_block <= 3, "seed {seed}: {told:?}");
    }
}

#[test]
fn an_account_that_may_send_again_sends_everything_by_itself() {
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let leads = list(&mut chance, 80, 0, 10);
        let class = if chance.happens(50) { 4 } else { 5 };
        let block = Block {
            from_try: usize::try_from(chance.below(60)).unwrap() + 1,
            lasts: Duration::from_mins(chance.below(60 * 40)),
            alike: alike(&mut chance, class),
            is_inbox_wide: false,
        };
        let told = play(&World {
            leads,
            block: Some(block),
            ..World::default()
        });
        assert_eq!(
            (told.burnt, told.accepted),
            (0, 80),
            "seed {seed}: {told:?}"
        );
    }
}

#[test]
fn dead_addresses_at_the_head_are_set_aside_and_the_others_accepted_without_a_rest() {
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let code = alike(&mut chance, 5);
        let mut leads = list(&mut chance, 300, 0, 5);
        let n_dead = usize::try_from(chance.below(60)).unwrap();
        let one_company = chance.happens(30);
        for (idx, lead) in leads.iter_mut().take(n_dead).enumerate() {
            lead.domain = if one_company {
                "company.example".to_owned()
            } else {
                format!("dead{idx}.example")
            };
            lead.address = Address::Dead(code);
        }
        let told = play(&World {
            leads,
            ..World::default()
        });
        assert_eq!(
            (told.burnt, told.set_aside, told.accepted, told.rests),
            (0, n_dead, 300 - n_dead, 0),
            "seed {seed}: {told:?}"
        );
    }
}

/// What a server says of an address that is not there.
fn no_such_address() -> Alike {
    Alike {
        stage: Stage::Rcpt,
        code: Some(550),
        enhanced: Some(EnhancedCode::new(5, 1, 1)),
    }
}

/// A list of one domain or of two, which begins with dead addresses or has them anywhere.
fn list_of_few_domains(chance: &mut Chance, code: Alike, at_head: bool) -> World {
    let n_domains = 1 + chance.below(2);
    let (n_dead, dead) = (2 + chance.below(20), 10 + chance.below(30));
    let leads = (0..60).map(|idx| Lead {
        domain: format!("d{}.example", chance.below(n_domains)),
        address: match at_head {
            true if idx < n_dead => Address::Dead(code),
            false if chance.happens(dead) => Address::Dead(code),
            _ => Address::Good,
        },
    });
    let leads = leads.collect();
    let known = if chance.happens(30) {
        HashSet::from(["d0.example".to_owned()])
    } else {
        HashSet::new()
    };
    World {
        leads,
        known,
        ..World::default()
    }
}

#[test]
fn a_list_of_one_domain_that_begins_with_dead_addresses_hardly_stands() {
    let mut stood = Vec::new();
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let code = alike(&mut chance, 5);
        let world = list_of_few_domains(&mut chance, code, true);
        let n_dead = count_dead(&world.leads);
        let told = play(&world);
        assert_eq!(told.burnt, 0, "seed {seed}: {told:?}");
        assert_eq!(
            (told.set_aside, told.accepted),
            (n_dead, 60 - n_dead),
            "seed {seed}: {told:?}"
        );
        stood.push(told.stood);
    }
    stood.sort();
    let longest = stood.last().unwrap();
    assert!(*longest < Duration::from_mins(15), "{longest:?}");
}

#[test]
fn dead_addresses_anywhere_in_a_list_of_one_domain_seldom_hold_it_up_for_long() {
    let mut stood = Vec::new();
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let world = list_of_few_domains(&mut chance, no_such_address(), false);
        let told = play(&world);
        assert_eq!(told.burnt, 0, "seed {seed}: {told:?}");
        stood.push(told.stood);
    }
    stood.sort();
    // Towards the end of such a list there may be none but dead ones.
    let of_twenty = stood.get(stood.len() * 19 / 20).unwrap();
    assert!(*of_twenty < Duration::from_mins(30), "{of_twenty:?}");
}

#[test]
fn an_account_that_is_refused_as_a_dead_address_would_be_burns_no_lead_of_one_domain() {
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let mut world = list_of_few_domains(&mut chance, no_such_address(), true);
        world
            .leads
            .iter_mut()
            .for_each(|lead| lead.address = Address::Good);
        world.block = Some(Block {
            from_try: 1 + usize::try_from(chance.below(30)).unwrap(),
            lasts: Duration::from_hours(1 + chance.below(48)),
            alike: no_such_address(),
            is_inbox_wide: false,
        });
        let told = play(&world);
        assert_eq!(
            (told.burnt, told.accepted),
            (0, 60),
            "seed {seed}: {told:?}"
        );
        assert!(told.tried_in_block <= 3, "seed {seed}: {told:?}");
    }
}

#[test]
fn a_list_with_some_dead_addresses_ends_with_each_where_it_belongs() {
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let dead = chance.below(16);
        let leads = list(&mut chance, 150, dead, 5);
        let n_dead = count_dead(&leads);
        let told = play(&World {
            leads,
            ..World::default()
        });
        // Where nothing but refused ones is left at the end, nothing can show whose that is, and a person is asked.
        let asks_at_the_end = told.asked_after.is_some() && told.waiting >= 3;
        assert_eq!(
            (told.burnt, told.good_waiting),
            (0, 0),
            "seed {seed}: {told:?}"
        );
        assert!(
            asks_at_the_end || told.set_aside == n_dead,
            "seed {seed}: {told:?}"
        );
    }
}

#[test]
fn greylisting_is_waited_for_and_sets_nobody_aside() {
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let mut leads = list(&mut chance, 100, 0, 5);
        let share = 10 + chance.below(60);
        for lead in &mut leads {
            if chance.happens(share) {
                lead.address = Address::Grey(alike(&mut chance, 4));
            }
        }
        let told = play(&World {
            leads,
            ..World::default()
        });
        assert_eq!(
            (told.burnt, told.accepted),
            (0, 100),
            "seed {seed}: {told:?}"
        );
    }
}

#[test]
fn a_list_that_is_mostly_dead_ends_with_each_where_it_belongs_once_a_person_answers() {
    for seed in 0..RUNS {
        let mut chance = Chance::new(seed);
        let dead = 40 + chance.below(50);
        let mut leads = list(&mut chance, 200, dead, 0);
        for (idx, lead) in leads.iter_mut().enumerate() {
            lead.domain = format!("d{idx}.example");
        }
        let n_dead = count_dead(&leads);
        let told = play(&World {
            leads,
            answer: Some(Answer::Addresses),
            ..World::default()
        });
        assert_eq!(told.burnt, 0, "seed {seed}: {told:?}");
        assert_eq!(told.set_aside, n_dead, "seed {seed}: {told:?}");
    }
}

fn refused(delivery: &str, domain: &str, alike: Alike, is_inbox_wide: bool) -> Tried {
    let refusal = Refusal {
        alike,
        cause: Cause::RecipientRejected,
        is_inbox_wide,
        words: "no".to_owned(),
    };
    Tried {
        delivery: DeliveryId::new(delivery),
        domain: domain.to_owned(),
        is_own: false,
        end: End::Refused(refusal),
    }
}

fn accepted(delivery: &str, domain: &str) -> Tried {
    Tried {
        delivery: DeliveryId::new(delivery),
        domain: domain.to_owned(),
        is_own: false,
        end: End::Accepted,
    }
}

fn bounce(n: u64, enhanced: (u16, u16), remote: Remote) -> Report {
    Report {
        delivery: DeliveryId::new(n.to_string()),
        sent_no: n,
        refusal: Refusal {
            alike: Alike {
                stage: Stage::Body,
                code: Some(550),
                enhanced: Some(EnhancedCode::new(5, enhanced.0, enhanced.1)),
            },
            cause: Cause::MessageRejected,
            is_inbox_wide: false,
            words: "no".to_owned(),
        },
        remote,
    }
}

const BLOCKED: Alike = Alike {
    stage: Stage::Rcpt,
    code: Some(550),
    enhanced: Some(EnhancedCode::new(5, 7, 1)),
};

#[test]
fn words_of_the_inbox_need_a_second_lead_of_another_domain() {
    let rests = Rests::of(Duration::from_mins(1));
    let now = Timestamp::from_ms(0);
    let mut standing = Standing::default();
    let held = standing.note(&refused("a", "a.example", BLOCKED, true), &rests, now);
    assert_eq!(held, [Effect::Hold(DeliveryId::new("a"))]);
    assert!(matches!(standing.wish(now), Wish::Control { .. }));

    let mut accepts = standing.clone();
    accepts.note(&accepted("b", "b.example"), &rests, now);
    assert_eq!(accepts.wish(now), Wish::Again(DeliveryId::new("a")));
    accepts.note(&refused("a", "a.example", BLOCKED, true), &rests, now);
    let effects = accepts.note(&accepted("c", "c.example"), &rests, now);
    assert!(matches!(effects.as_slice(), [Effect::SetAside { .. }]));

    let effects = standing.note(&refused("b", "b.example", BLOCKED, true), &rests, now);
    let back = |id| Effect::PutBack(DeliveryId::new(id));
    assert_eq!(effects, [back("a"), back("b"), Effect::Suspect]);
}

#[test]
fn a_person_is_asked_after_three_refused_controls_and_a_taken_one_resumes_at_half_pace() {
    let rests = Rests::of(Duration::from_mins(1));
    let mut now = Timestamp::from_ms(0);
    let mut standing = Standing::default();
    for id in ["a", "b", "c"] {
        standing.note(
            &refused(id, &format!("{id}.example"), BLOCKED, false),
            &rests,
            now,
        );
    }
    for (minutes, asks) in [(15, false), (60, false), (60, true)] {
        let until = now + Duration::from_mins(minutes);
        assert_eq!(standing.wish(now), Wish::Nothing { until: Some(until) });
        now = until;
        assert!(matches!(standing.wish(now), Wish::Control { .. }));
        standing.note(&refused("d", "d.example", BLOCKED, false), &rests, now);
        assert_eq!(standing.asks(), asks);
    }
    assert_eq!(standing.show(now).unwrap().alike, "rcpt-550-5.7.1");
    standing.note(&accepted("e", "e.example"), &rests, now);
    assert_eq!((standing.asks(), standing.wish(now)), (false, Wish::Next));
    assert!(standing.is_at_half_pace(now));
    assert!(!standing.is_at_half_pace(now + DAY));
}

#[test]
fn ten_alike_over_ten_domains_among_twenty_ask_whatever_is_accepted_between() {
    let rests = Rests::of(Duration::from_mins(1));
    let now = Timestamp::from_ms(0);
    let mut standing = Standing::default();
    for n in 0..10 {
        assert!(!standing.asks(), "{n}");
        standing.note(&accepted(&format!("good{n}"), "good.example"), &rests, now);
        let id = format!("bad{n}");
        standing.note(
            &refused(&id, &format!("{n}.example"), BLOCKED, false),
            &rests,
            now,
        );
    }
    assert!(standing.asks());
}

/// What it is called, the code, how far apart the messages left, who says it, and which bounce shows it.
type Case<'a> = (
    &'a str,
    (u16, u16),
    u64,
    &'a dyn Fn(u64) -> Remote,
    Option<u64>,
);

#[test]
fn bounces_are_the_inboxes_by_who_sends_them_back_and_the_leads_where_they_speak_of_addresses() {
    let other = |n: u64| Remote::Other(format!("{n}.example"));
    let gateway = |_| Remote::Other("gateway.example".to_owned());
    let own = |_| Remote::Own;
    let cases: [Case<'_>; 6] = [
        ("three domains", (7, 1), 1, &other, Some(3)),
        ("the provider", (7, 705), 1, &own, Some(2)),
        ("one gateway", (7, 1), 1, &gateway, None),
        ("far apart", (7, 1), 15, &other, None),
        ("dead mailboxes", (1, 1), 3, &other, None),
        ("ten mailboxes of twenty", (1, 1), 1, &other, Some(10)),
    ];
    for (name, code, step, remote, expected) in cases {
        let mut standing = Standing::default();
        let now = Timestamp::from_ms(0);
        let asked = (1..=30).find(|n| {
            let effects = standing.note_report(bounce(n * step, code, remote(*n)), now);
            effects.len() > 1
        });
        assert_eq!(asked, expected, "{name}");
        assert_eq!(standing.asks(), expected.is_some(), "{name}");
        let waits = standing.wish(now) == Wish::Nothing { until: None };
        assert_eq!(waits, expected.is_some(), "{name}");
    }
}

#[test]
fn doubts_in_a_row_rest_longer_and_longer() {
    let rests = Rests::of(Duration::from_mins(1));
    let mut now = Timestamp::from_ms(0);
    let mut standing = Standing::default();
    for minutes in [1, 5, 15, 60, 60] {
        let doubted = Tried {
            end: End::Doubted,
            ..accepted("a", "a.example")
        };
        standing.note(&doubted, &rests, now);
        let until = now + Duration::from_mins(minutes);
        assert_eq!(standing.wish(now), Wish::Nothing { until: Some(until) });
        now = until;
    }
}
