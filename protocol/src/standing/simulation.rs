//! Random servers and lists of leads, played against [`Standing`]. The truth of each refusal is the server's own and
//! is kept apart: what is judged is the ledger that comes of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::*;

/// A small generator (Numerical Recipes' 64-bit LCG), so that a run is its seed.
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }

    pub(super) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What a lead's address is in truth.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Good,
    /// Refused for good by the recipient's server.
    Dead(Alike),
    /// Deferred until the n-th try, 15 minutes after the first.
    Grey(Alike),
}

#[derive(Clone, Debug)]
pub(super) struct Lead {
    pub(super) domain: String,
    pub(super) address: Address,
}

/// What the submission server does to everybody.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// From the n-th try that leaves the own domain.
    pub(super) from_try: usize,
    /// For so long.
    pub(super) lasts: Duration,
    pub(super) alike: Alike,
    pub(super) is_inbox_wide: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) leads: Vec<Lead>,
    pub(super) block: Option<Block>,
    pub(super) known: HashSet<String>,
    pub(super) answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Due(Timestamp),
    Held,
    Accepted,
    SetAside,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) accepted: usize,
    pub(super) set_aside: usize,
    pub(super) waiting: usize,
    /// Good addresses of others that are not accepted.
    pub(super) good_waiting: usize,
    /// Good addresses that were set aside.
    pub(super) burnt: usize,
    /// How often everything was put back.
    pub(super) rests: usize,
    pub(super) asked_after: Option<usize>,
    /// Tries that met the block before the first rest.
    pub(super) tried_in_block: usize,
    pub(super) suspected: bool,
    /// The longest time from one acceptance to the next, or from the beginning to the first.
    pub(super) stood: Duration,
    pub(super) tries: usize,
}

pub(super) const OWN: &str = "own.example";

pub(super) fn alike(chance: &mut Chance, class: u16) -> Alike {
    let stages = [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Body];
    let stage = stages[usize::try_from(chance.below(4)).unwrap()];
    let code = class * 100 + [50, 51, 52, 54][usize::try_from(chance.below(4)).unwrap()];
    let detail = |chance: &mut Chance| u16::try_from(chance.below(9)).unwrap();
    let enhanced =
        (chance.happens(80)).then(|| EnhancedCode::new(class, detail(chance), detail(chance)));
    Alike {
        stage,
        code: Some(code),
        enhanced,
    }
}

fn refusal(alike: Alike, is_inbox_wide: bool) -> Refusal {
    Refusal {
        alike,
        cause: Cause::RecipientRejected,
        is_inbox_wide,
        words: String::new(),
    }
}

pub(super) fn play(world: &World) -> Told {
    let rests = Rests::of(Duration::from_mins(1));
    let start = Timestamp::from_ms(1_000_000_000);
    let until = start + DAY * 8;
    let mut now = start;
    let mut standing = Standing::default();
    let mut places: Vec<Place> = vec![Place::Due(start); world.leads.len()];
    let mut first_tried: HashMap<usize, Timestamp> = HashMap::new();
    let mut deferrals: HashMap<usize, u32> = HashMap::new();
    let mut met: BTreeMap<usize, Alike> = BTreeMap::new();
    let mut known = world.known.clone();
    let (mut outside, mut block_since) = (0, None::<Timestamp>);
    let mut told = Told::default();
    let mut accepted_at = start;
    while now < until {
        // A state that was stored is the state that goes on.
        if told.tries % 50 == 7 {
            standing = serde_json::from_str(&serde_json::to_string(&standing).unwrap()).unwrap();
        }
        let id = |idx: usize| DeliveryId::new(idx.to_string());
        let due: Vec<usize> = (0..places.len())
            .filter(|idx| matches!(places[*idx], Place::Due(at) if at <= now))
            .collect();
        let later = places
            .iter()
            .filter_map(|place| match place {
                Place::Due(at) if *at > now => Some(*at),
                _ => None,
            })
            .min();
        let choice = match standing.wish(now) {
            Wish::Nothing { until: Some(at) } => {
                now = at;
                continue;
            }
            Wish::Nothing { until: None } => None,
            Wish::Again(delivery) => Some(delivery.as_str().parse().unwrap()),
            Wish::Next => due.first().copied(),
            Wish::Control { avoid } => {
                let candidates: Vec<Candidate> = due
                    .iter()
                    .map(|idx| Candidate {
                        domain: world.leads[*idx].domain.clone(),
                        is_known: known.contains(&world.leads[*idx].domain),
                        is_own: world.leads[*idx].domain == OWN,
                        was_refused: met.contains_key(idx),
                    })
                    .collect();
                choose_control(&candidates, &avoid, now.as_ms().unsigned_abs())
                    .map(|idx| due[idx])
                    .or_else(|| {
                        due.iter()
                            .copied()
                            .find(|idx| world.leads[*idx].domain == OWN)
                    })
            }
        };
        let effects = if let Some(idx) = choice {
            told.tries += 1;
            now = now + Duration::from_secs(30);
            let lead = &world.leads[idx];
            let is_own = lead.domain == OWN;
            if !is_own {
                outside += 1;
            }
            let block = world.block.as_ref().filter(|block| {
                if !is_own && outside >= block.from_try && block_since.is_none() {
                    block_since = Some(now);
                }
                !is_own && block_since.is_some_and(|since| now < since + block.lasts)
            });
            let first = *first_tried.entry(idx).or_insert(now);
            let end = match (block, &lead.address) {
                (Some(block), _) => {
                    if told.rests == 0 {
                        told.tried_in_block += 1;
                    }
                    Some((block.alike, block.is_inbox_wide))
                }
                (None, Address::Good) => None,
                (None, Address::Dead(alike)) => Some((*alike, false)),
                (None, Address::Grey(alike)) => {
                    (now.since(first) < Duration::from_mins(15)).then_some((*alike, false))
                }
            };
            let end = match end {
                None => {
                    known.insert(lead.domain.clone());
                    places[idx] = Place::Accepted;
                    told.stood = told.stood.max(now.since(accepted_at));
                    accepted_at = now;
                    End::Accepted
                }
                Some((alike, wide)) => {
                    met.insert(idx, alike);
                    let refusal = refusal(alike, wide);
                    if alike.code.unwrap() >= 500 {
                        End::Refused(refusal)
                    } else {
                        let n = deferrals.entry(idx).or_default();
                        *n += 1;
                        let is_last = *n >= 10;
                        End::Deferred { refusal, is_last }
                    }
                }
            };
            let tried = Tried {
                delivery: id(idx),
                domain: lead.domain.clone(),
                is_own,
                end,
            };
            standing.note(&tried, &rests, now)
        } else if let (true, Some(answer)) = (standing.asks(), world.answer) {
            standing.answer(answer, now)
        } else if let Some(at) = later {
            now = at;
            continue;
        } else if standing.holds() {
            standing.note_nothing_left(&rests, now)
        } else {
            break;
        };
        let before = told.rests;
        for effect in effects {
            let index = |delivery: DeliveryId| delivery.as_str().parse::<usize>().unwrap();
            match effect {
                Effect::Hold(delivery) => places[index(delivery)] = Place::Held,
                Effect::PutBack(delivery) => {
                    let idx = index(delivery);
                    places[idx] = Place::Due(start);
                    deferrals
                        .entry(idx)
                        .and_modify(|n| *n = n.saturating_sub(1));
                    told.rests = before + 1;
                }
                Effect::SetAside { delivery, .. } => places[index(delivery)] = Place::SetAside,
                Effect::Defer(delivery) => {
                    places[index(delivery)] = Place::Due(now + Duration::from_mins(10));
                }
                Effect::SetAsideAlike(refusal) => {
                    for (idx, alike) in &met {
                        if matches!(places[*idx], Place::Due(_)) && *alike == refusal.alike {
                            places[*idx] = Place::SetAside;
                        }
                    }
                }
                Effect::Suspect => {
                    told.suspected = true;
                    told.rests = before + 1;
                }
                Effect::Bounce(_) | Effect::SendAgain(_) => {}
            }
        }
        if standing.asks() {
            told.asked_after.get_or_insert(told.tries);
            if let Some(answer) = world.answer {
                for effect in standing.answer(answer, now) {
                    if let Effect::SetAsideAlike(refusal) = effect {
                        for (idx, alike) in &met {
                            if matches!(places[*idx], Place::Due(_)) && *alike == refusal.alike {
                                places[*idx] = Place::SetAside;
                            }
                        }
                    }
                }
            }
        }
        if told.suspected {
            break;
        }
    }
    for (place, lead) in places.iter().zip(&world.leads) {
        match place {
            Place::Accepted => told.accepted += 1,
            Place::SetAside => {
                told.set_aside += 1;
                told.burnt += usize::from(!matches!(lead.address, Address::Dead(_)));
            }
            Place::Due(_) | Place::Held => {
                told.waiting += 1;
                let is_good = !matches!(lead.address, Address::Dead(_));
                told.good_waiting += usize::from(is_good && lead.domain != OWN);
            }
        }
    }
    told
}

/// A list over many domains, `dead` percent of it dead, some of it the inbox's own domain.
pub(super) fn list(chance: &mut Chance, n: usize, dead: u64, own: u64) -> Vec<Lead> {
    let code = alike(chance, 5);
    (0..n)
        .map(|idx| {
            let domain = match chance.below(10) {
                _ if chance.happens(own) => OWN.to_owned(),
                0 | 1 => "big.example".to_owned(),
                2 => "large.example".to_owned(),
                _ => format!("d{idx}.example"),
            };
            let is_dead = domain != OWN && chance.happens(dead);
            let address = if is_dead {
                Address::Dead(code)
            } else {
                Address::Good
            };
            Lead { domain, address }
        })
        .collect()
}
