//! The run of faults: a relay with many connected inboxes, each with campaigns that send and read, and a
//! provider on which everything fails that may fail. What passes by itself must end no connection, lose no
//! credential and trouble nobody; what does not pass must be found, named and told once.
//!
//! The relay is the built program with its own clock, the sockets, TLS, OAuth, SMTP and IMAP are real, the
//! provider is the sandbox. Deliberately absent: any look into the relay, beyond its API and its log.

mod front;
mod kind;
mod plan;
mod room;
mod subject;
mod summary;
mod watch;

pub use summary::{Summary, Times};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use protocol::connection::CONFIRMATIONS;
use sandbox::{Control, Options, Sandbox};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use self::front::Front;
use self::kind::SignIn;
use self::plan::{Amounts, Life, plan};
use self::room::Room;
use self::subject::{Report, Subject};
use self::summary::finish;
use self::watch::Watch;
use crate::person::Person;
use crate::story::api::Api;
use crate::story::reconnecting::Device;
use crate::story::relay::{Relay, Wiring};
use crate::story::telling::Telling;

/// The life of an access token. The relay asks for the next one after half of it, so the token endpoint is asked
/// all the time; the other half is for a busy machine.
const ACCESS_TOKEN_FOR: Duration = Duration::from_secs(20);

/// How long the relay may take to answer: a hundred inboxes ask it at once, on a machine that may be busy.
const ANSWER_WITHIN: Duration = Duration::from_mins(3);
/// How many inboxes are connected at once: their codes and tokens must not grow old in the queue.
const CONNECTING_AT_ONCE: usize = 8;

/// How many inboxes meet a fault at once where nothing else is wanted, while the others send and read what they
/// have: what is measured is the relay's patience and not the machine's.
pub const IN_TROUBLE_AT_ONCE: usize = 16;

/// How patient the relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As it is shipped.
    Shipped,
    /// As people would not want to wait in a test.
    Short,
}

impl Patience {
    /// The slow retry between the rounds that confirm a lost connection.
    fn slow_retry_after(self) -> Duration {
        match self {
            Self::Shipped => Duration::from_secs(20),
            Self::Short => Duration::from_millis(500),
        }
    }

    /// The lines of `[timing]`. Those of [`Self::Shipped`] are the defaults of `docs/settings.md`, written out
    /// because the budget is made of them.
    fn timing(self) -> String {
        let slow = self.slow_retry_after().as_millis();
        let rest = match self {
            Self::Shipped => "first_retry_ms = 1000\nretry_at_most_ms = 600000\npoll_ms = 60000\n",
            Self::Short => {
                "first_retry_ms = 100\nretry_at_most_ms = 2000\npoll_ms = 1000\nrest_minute_ms = 200\n"
            }
        };
        format!("slow_retry_ms = {slow}\n{rest}")
    }

    /// Between the two steps of a lead.
    fn wait(self) -> Duration {
        match self {
            Self::Shipped => Duration::from_secs(5),
            Self::Short => Duration::from_millis(500),
        }
    }

    /// What a round of checks may take beside its waits, with servers that answer. The short form runs among other
    /// tests, where each step may wait for the machine: it shows that all are found, the long form how soon.
    fn round_within(self) -> Duration {
        match self {
            Self::Shipped => Duration::from_secs(3),
            Self::Short => Duration::from_secs(20),
        }
    }

    /// From the first refused conversation to the disconnection: the failure itself, then every round that
    /// confirms it, with one slow retry between two of them.
    fn budget(self) -> Duration {
        self.slow_retry_after() * (CONFIRMATIONS - 1) + self.round_within() * (CONFIRMATIONS + 1)
    }
}

/// What to play.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Inboxes; every third signs in with a password.
    pub inboxes: usize,
    /// Faults that pass by themselves.
    pub transient: usize,
    /// Faults that a person must mend.
    pub real: usize,
    /// How many inboxes meet a fault at once.
    pub at_once: usize,
    /// What decides which, where and in which order.
    pub seed: u64,
    /// How patient the relay is; as it is shipped, servers may also be silent until it gives up.
    pub patience: Patience,
}

#[derive(Debug)]
struct Fronts {
    smtp: Front,
    imap: Front,
    http: Front,
}

/// What all inboxes share.
struct World {
    control: Control,
    operator: Api,
    device: Device,
    watch: Watch,
    fronts: Fronts,
    room: Room,
    turns: Semaphore,
    /// Who may close a port.
    closing: tokio::sync::Mutex<()>,
    wait: Duration,
    telling: Telling,
    quiet: Telling,
    n_passed: AtomicUsize,
    n_found: AtomicUsize,
    script: Script,
}

impl World {
    fn tell_passed(&self) {
        let passed = self.n_passed.fetch_add(1, Ordering::Relaxed) + 1;
        let every = (self.script.transient / 20).max(1);
        if passed.is_multiple_of(every) {
            self.tell();
        }
    }

    fn tell_found(&self) {
        self.n_found.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self) {
        self.telling.say(&format!(
            "{} of {} passing faults are over, {} of {} real ones; {} messages have arrived",
            self.n_passed.load(Ordering::Relaxed),
            self.script.transient,
            self.n_found.load(Ordering::Relaxed),
            self.script.real,
            self.watch.count_arrived(),
        ));
    }
}

/// Plays the run.
pub async fn run(script: Script, telling: Telling) -> Result<Summary> {
    let amounts = Amounts {
        inboxes: script.inboxes,
        transient: script.transient,
        real: script.real,
        with_long: script.patience == Patience::Shipped,
        seed: script.seed,
    };
    let lives = plan(amounts);
    let people: Vec<Person> = (1..=script.inboxes)
        .map(|number| {
            Person::new(
                &format!("jane@north{number}.example"),
                &format!("jane-{number}-in-a-test"),
            )
        })
        .collect();
    let (sandbox, fronts) = start_sandbox(&people, script.seed).await?;
    let relay = Relay::start_wired(
        &Wiring {
            provider: "sandbox",
            issuer: Some(sandbox.issuer().to_owned()),
            client_id: sandbox::PUBLIC_CLIENT,
            secret: None,
            smtp: fronts.smtp.address(),
            imap: fronts.imap.address(),
            ca_pem: sandbox.ca_pem(),
            timing: &script.patience.timing(),
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
        watch: Watch::begin(
            relay.log_file(),
            sandbox.control().clone(),
            operator.clone(),
        ),
        operator,
        device,
        fronts,
        room: Room::default(),
        turns: Semaphore::new(script.at_once),
        closing: tokio::sync::Mutex::default(),
        wait: script.patience.wait(),
        telling,
        quiet: Telling::begin(true),
        n_passed: AtomicUsize::default(),
        n_found: AtomicUsize::default(),
        script,
    });
    let passwords = lives
        .iter()
        .filter(|life| life.sign_in == SignIn::Password)
        .count();
    // On one thread: each waits nearly all the time.
    let reports = LocalSet::new()
        .run_until(async {
            let subjects = connect_all(&world, people, lives).await?;
            world.telling.say(&format!(
                "{} inboxes are connected, {passwords} of them with a password; seed {}; {} faults follow",
                subjects.len(),
                script.seed,
                script.transient + script.real
            ));
            live_all(subjects).await
        })
        .await;
    if reports.is_err() {
        let is_error = |line: &&serde_json::Value| line["level"] == "ERROR";
        for line in relay.log().iter().filter(is_error).rev().take(5) {
            world.telling.say(&format!("the relay said: {line}"));
        }
    }
    let reports = reports?;
    world.tell();
    let summary = finish(&world, &sandbox, &reports).await?;
    drop(world);
    drop(relay);
    sandbox.stop().await;
    Ok(summary)
}

async fn connect_all(
    world: &Arc<World>,
    people: Vec<Person>,
    lives: Vec<Life>,
) -> Result<Vec<(Subject, Life)>> {
    let turns = Arc::new(Semaphore::new(CONNECTING_AT_ONCE));
    let mut connecting: JoinSet<Result<(Subject, Life)>> = JoinSet::new();
    for (person, life) in people.into_iter().zip(lives) {
        let (world, turns) = (Arc::clone(world), Arc::clone(&turns));
        connecting.spawn_local(async move {
            let _turn = turns.acquire().await?;
            let subject = Subject::connect(world, person, life.sign_in).await?;
            Ok((subject, life))
        });
    }
    let mut subjects = Vec::new();
    while let Some(subject) = connecting.join_next().await {
        subjects.push(subject.context("an inbox was not connected")??);
    }
    Ok(subjects)
}

async fn live_all(subjects: Vec<(Subject, Life)>) -> Result<Vec<Report>> {
    let mut living: JoinSet<Result<Report>> = JoinSet::new();
    for (subject, life) in subjects {
        living.spawn_local(subject.live(life));
    }
    let mut reports = Vec::new();
    while let Some(report) = living.join_next().await {
        reports.push(report.context("an inbox's life ended early")??);
    }
    Ok(reports)
}

async fn start_sandbox(people: &[Person], seed: u64) -> Result<(Sandbox, Fronts)> {
    let (smtp, imap, http) = (Front::reserve()?, Front::reserve()?, Front::reserve()?);
    let person = |person: &Person| sandbox::Person {
        name: person.address.clone(),
        address: person.address.clone(),
        password: person.password.clone(),
    };
    let sandbox = Sandbox::start(Options {
        people: people.iter().map(person).collect(),
        access_token_for: ACCESS_TOKEN_FOR,
        seed,
        issuer: Some(format!("http://{}", http.address())),
        ..Options::default()
    })
    .await?;
    let fronts = Fronts {
        smtp: smtp.lead_to(sandbox.smtps())?,
        imap: imap.lead_to(sandbox.imaps())?,
        http: http.lead_to(sandbox.http())?,
    };
    Ok((sandbox, fronts))
}
