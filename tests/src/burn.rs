//! The run of refusals: campaigns send through many inboxes whose servers refuse the whole account from some message on,
//! at once or by bounces, or refuse recipients, or break off after the message. No lead may be lost for what was the
//! account's, and no inbox for what was a recipient's.
//!
//! The relay is the built program with its own clock, and the provider is the sandbox. What is counted stands in the
//! sandbox's mailboxes and in the relay's API. Deliberately absent: any look into the relay, and any word of a refusal
//! that was not made at random.

mod case;
mod made_up;
mod subject;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sandbox::{Control, Options, Sandbox};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use self::subject::Subject;
use crate::person::Person;
use crate::story::api::Api;
use crate::story::reconnecting::Device;
use crate::story::relay::{Relay, Wiring};
use crate::story::telling::Telling;

/// A minute of the relay's rests: the first control comes after 3 s, the third after half a minute.
const TIMING: &str = "slow_retry_ms = 2000\nretry_at_most_ms = 4000\nfirst_retry_ms = 1000\npoll_ms = 500\n\
    rest_minute_ms = 200\n";
/// Inboxes at work at a time: what is measured is the relay's judgement and not the machine's speed.
const AT_ONCE: usize = 12;
/// How long the relay may take to answer on a busy machine.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Inboxes whose account is refused at once, at MAIL, RCPT, DATA or after the dot, for good or for now.
    pub account_wide: usize,
    /// Inboxes whose account is refused by bounces.
    pub by_dsn: usize,
    /// Inboxes whose recipients are refused.
    pub recipient_side: usize,
    /// Inboxes whose server breaks off after the message.
    pub after_dot: usize,
    /// Leads of each.
    pub leads: usize,
    /// What decides which, where and in which order.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Accounts refused at once.
    pub account_wide: AccountWide,
    /// Accounts refused by bounces.
    pub by_dsn: ByDsn,
    /// Recipients refused.
    pub recipient_side: RecipientSide,
    /// Connections that broke off after the message.
    pub after_dot: AfterDot,
}

/// Accounts refused at once.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AccountWide {
    /// Leads that were given up, or that no message reached once the account was good again.
    pub leads_burnt: usize,
    /// Tries that met the refusal before the relay held everything, at most.
    pub tried_before_it_was_seen_max: usize,
}

/// Accounts refused by bounces.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ByDsn {
    /// Leads that were given up.
    pub leads_burnt: usize,
}

/// Recipients refused.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RecipientSide {
    /// Inboxes that were disconnected, or that asked a person.
    pub inboxes_disconnected: usize,
    /// Leads set aside; all of them were refused by their own servers.
    pub set_aside: usize,
    /// Messages that reached their leads.
    pub accepted: usize,
    /// Leads that ended where they do not belong.
    #[serde(skip)]
    pub misjudged: usize,
}

/// Connections that broke off after the message.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AfterDot {
    /// Deliveries in doubt or unsettled at a time, at most.
    pub unsettled_max_per_inbox: usize,
}

impl Summary {
    /// Whether nobody paid for what was another's.
    pub fn is_clean(&self) -> bool {
        self.account_wide.leads_burnt == 0
            && self.account_wide.tried_before_it_was_seen_max <= 3
            && self.by_dsn.leads_burnt == 0
            && self.recipient_side.inboxes_disconnected == 0
            && self.recipient_side.misjudged == 0
            && self.after_dot.unsettled_max_per_inbox <= 2
    }

    fn add(&mut self, other: &Self) {
        let seen = &mut self.account_wide;
        seen.leads_burnt += other.account_wide.leads_burnt;
        seen.tried_before_it_was_seen_max = seen
            .tried_before_it_was_seen_max
            .max(other.account_wide.tried_before_it_was_seen_max);
        self.by_dsn.leads_burnt += other.by_dsn.leads_burnt;
        let side = &mut self.recipient_side;
        side.inboxes_disconnected += other.recipient_side.inboxes_disconnected;
        side.set_aside += other.recipient_side.set_aside;
        side.accepted += other.recipient_side.accepted;
        side.misjudged += other.recipient_side.misjudged;
        self.after_dot.unsettled_max_per_inbox = self
            .after_dot
            .unsettled_max_per_inbox
            .max(other.after_dot.unsettled_max_per_inbox);
    }
}

/// What all inboxes share.
struct World {
    control: Control,
    operator: Api,
    device: Device,
    telling: Telling,
    leads: usize,
}

/// Which of the four an inbox plays.
#[derive(Clone, Copy, Debug)]
enum Part {
    AccountWide,
    ByDsn,
    RecipientSide,
    AfterDot,
}

/// Plays the run.
pub async fn run(script: Script, telling: Telling) -> Result<Summary> {
    let parts: Vec<Part> = [
        (Part::AccountWide, script.account_wide),
        (Part::ByDsn, script.by_dsn),
        (Part::RecipientSide, script.recipient_side),
        (Part::AfterDot, script.after_dot),
    ]
    .into_iter()
    .flat_map(|(part, n)| std::iter::repeat_n(part, n))
    .collect();
    let people: Vec<Person> = (1..=parts.len())
        .map(|number| {
            Person::new(
                &format!("jane@north{number}.example"),
                &format!("jane-{number}-in-a-test"),
            )
        })
        .collect();
    let account = |person: &Person| sandbox::Person {
        name: person.address.clone(),
        address: person.address.clone(),
        password: person.password.clone(),
    };
    let sandbox = Sandbox::start(Options {
        people: people.iter().map(account).collect(),
        seed: script.seed,
        ..Options::default()
    })
    .await?;
    let relay = Relay::start_wired(
        &Wiring {
            provider: "sandbox",
            issuer: Some(sandbox.issuer().to_owned()),
            client_id: sandbox::PUBLIC_CLIENT,
            secret: None,
            smtp: sandbox.smtps(),
            imap: sandbox.imaps(),
            ca_pem: sandbox.ca_pem(),
            timing: TIMING,
            habits: String::new(),
        },
        [],
    )
    .await?;
    let operator = relay.operator()?.patient(ANSWER_WITHIN)?;
    let mut device = Device::pair(&relay.base(), &operator).await?;
    device.api = device.api.patient(ANSWER_WITHIN)?;
    let world = Arc::new(World {
        control: sandbox.control().clone(),
        operator,
        device,
        telling,
        leads: script.leads,
    });
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let summary = LocalSet::new()
        .run_until(async {
            let mut playing: JoinSet<Result<Summary>> = JoinSet::new();
            for (idx, (part, person)) in parts.into_iter().zip(people).enumerate() {
                let (world, turns) = (Arc::clone(&world), Arc::clone(&turns));
                let random =
                    StdRng::seed_from_u64(script.seed.wrapping_mul(1_000_003) + idx as u64);
                playing.spawn_local(async move {
                    let _turn = turns.acquire().await?;
                    let address = person.address.clone();
                    let subject = Subject::connect(world, person, random, idx).await?;
                    subject
                        .play(part)
                        .await
                        .with_context(|| format!("{part:?} of {address}"))
                });
            }
            let mut summary = Summary::default();
            while let Some(played) = playing.join_next().await {
                summary.add(&played.context("an inbox's play ended early")??);
            }
            anyhow::Ok(summary)
        })
        .await?;
    drop(relay);
    sandbox.stop().await;
    Ok(summary)
}
