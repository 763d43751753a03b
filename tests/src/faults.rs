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
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use protocol::cause::Cause;
use protocol::connection::CONFIRMATIONS;
use protocol::request::inbox::{ConnectionState, ListInboxes};
use sandbox::{Control, Options, Sandbox};
use serde::Serialize;
use tokio::task::{JoinSet, LocalSet};

use self::front::Front;
use self::kind::{Real, SignIn};
use self::plan::{Amounts, Life, plan};
use self::room::Room;
use self::subject::{Report, Subject};
use self::watch::Watch;
use crate::person::Person;
use crate::story::api::Api;
use crate::story::mailboxes::{Message, count};
use crate::story::reconnecting::Device;
use crate::story::relay::{Relay, Wiring};
use crate::story::telling::Telling;
use crate::wait::wait_for;

/// The life of an access token: short, so that the token endpoint is asked all the time.
const ACCESS_TOKEN_FOR: Duration = Duration::from_secs(6);
/// What a round of checks may take beside its waits, with servers that answer, on a busy machine.
const ROUND_WITHIN: Duration = Duration::from_secs(3);
/// How long the rest may take after the last fault: a greylisted recipient is tried again after a minute,
/// and after two more.
const REST_WITHIN: Duration = Duration::from_mins(5);

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
            Self::Short => "first_retry_ms = 100\nretry_at_most_ms = 2000\npoll_ms = 1000\n",
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

    /// From the first refused conversation to the disconnection: the failure itself, then every round that
    /// confirms it, with one slow retry between two of them.
    fn budget(self) -> Duration {
        self.slow_retry_after() * (CONFIRMATIONS - 1) + ROUND_WITHIN * (CONFIRMATIONS + 1)
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
    /// What decides which, where and in which order.
    pub seed: u64,
    /// How patient the relay is; as it is shipped, servers may also be silent until it gives up.
    pub patience: Patience,
}

/// How the run ended: the last line.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// `exact` when everything is as it should be.
    pub outcome: &'static str,
    /// What decided.
    pub seed: u64,
    /// Inboxes.
    pub inboxes: usize,
    /// Faults that passed by themselves and were met.
    pub transient: usize,
    /// The same by kind.
    pub by_kind: BTreeMap<&'static str, usize>,
    /// Faults that a person had to mend.
    pub real: u64,
    /// The same by kind.
    pub real_by_kind: BTreeMap<&'static str, usize>,
    /// Those of them that were found.
    pub found: usize,
    /// Disconnections that nothing justified.
    pub false_disconnections: usize,
    /// Inboxes whose credentials did not work any more although nobody ended them.
    pub tokens_lost: usize,
    /// Alerts beyond one for each disconnection.
    pub alerts_repeated: u64,
    /// Disconnections without an alert.
    pub alerts_missed: u64,
    /// Real faults that were called something else, on the inbox or in the alert.
    pub wrong_causes: usize,
    /// Leads times steps.
    pub planned: u64,
    /// Steps that reached nobody and that nobody is asked about.
    pub lost: u64,
    /// Messages too many.
    pub duplicated: u64,
    /// Second steps before the first, or sooner than their wait.
    pub disordered: u64,
    /// Deliveries that a person must decide.
    pub unsettled: u64,
    /// From the first refused conversation to the disconnection.
    pub detected_within_ms: Times,
    /// From a passing fault to the next message that was sent.
    pub recovered_within_ms: Times,
}

/// Some times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// The one in the middle.
    pub median: i64,
    /// The longest.
    pub worst: i64,
    /// What the longest may be; `None` where nothing is promised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<i64>,
}

impl Times {
    fn of(mut times: Vec<i64>, budget: Option<Duration>) -> Self {
        times.sort_unstable();
        Self {
            median: times.get(times.len() / 2).copied().unwrap_or_default(),
            worst: times.last().copied().unwrap_or_default(),
            budget: budget.and_then(|budget| i64::try_from(budget.as_millis()).ok()),
        }
    }
}

impl Summary {
    /// Whether everything is as it should be.
    pub fn is_exact(&self) -> bool {
        self.outcome == EXACT
    }
}

const EXACT: &str = "exact";

/// A real fault that was found.
#[derive(Debug)]
struct Found {
    kind: Real,
    /// What the inbox says.
    cause: Option<Cause>,
    /// What the alert said.
    alert: Option<String>,
    detected_ms: i64,
    from_fault_ms: i64,
}

impl Found {
    fn is_named(&self) -> bool {
        self.cause == Some(self.kind.cause())
            && self.alert.as_deref() == Some(self.kind.cause().code())
    }
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
    let relay = Relay::start_with(&Wiring {
        provider: "sandbox",
        issuer: sandbox.issuer().to_owned(),
        client_id: sandbox::PUBLIC_CLIENT,
        secret: None,
        smtp: fronts.smtp.address(),
        imap: fronts.imap.address(),
        ca_pem: sandbox.ca_pem(),
        timing: &script.patience.timing(),
    })
    .await?;
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
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
        wait: script.patience.wait(),
        telling,
        quiet: Telling::begin(true),
        n_passed: AtomicUsize::default(),
        n_found: AtomicUsize::default(),
        script,
    });
    let mut subjects = Vec::new();
    for (person, life) in people.into_iter().zip(lives) {
        let subject = Subject::connect(Arc::clone(&world), person, life.sign_in).await?;
        subjects.push((subject, life));
    }
    let passwords = subjects
        .iter()
        .filter(|(_, life)| life.sign_in == SignIn::Password);
    world.telling.say(&format!(
        "{} inboxes are connected, {} of them with a password; seed {}; {} faults follow",
        subjects.len(),
        passwords.count(),
        script.seed,
        script.transient + script.real
    ));
    // On one thread: each waits nearly all the time.
    let reports = LocalSet::new().run_until(live_all(subjects)).await?;
    world.tell();
    let summary = finish(&world, &sandbox, &reports).await?;
    drop(world);
    drop(relay);
    sandbox.stop().await;
    Ok(summary)
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

/// Waits for the rest, and counts.
async fn finish(world: &World, sandbox: &Sandbox, reports: &[Report]) -> Result<Summary> {
    let planned: u64 = reports.iter().map(|report| report.planned).sum();
    world
        .telling
        .say("the faults are over; the rest is sent and settled");
    let rest = async || (world.watch.count_arrived() as u64 >= planned).then_some(());
    if let Err(error) = wait_for("the rest of the messages", rest, REST_WITHIN).await {
        world.telling.say(&error.to_string());
    }
    let delivered = sandbox.control().delivered();
    let messages: Vec<Message> = delivered
        .iter()
        .filter_map(|one| Message::parse(&one.recipient, &one.raw, i64::try_from(one.at_ms).ok()))
        .collect();
    let counted = count(&messages, world.wait);
    let inboxes = world.operator.call(&ListInboxes {}).await?.inboxes;
    let unsettled: u64 = inboxes.iter().map(|inbox| inbox.unsettled).sum();
    let still_lost = inboxes
        .iter()
        .filter(|inbox| inbox.connection.state != ConnectionState::Connected);
    for inbox in still_lost.clone() {
        world
            .telling
            .say(&format!("{} is left {:?}", inbox.address, inbox.connection));
    }
    let found = || reports.iter().flat_map(|report| &report.found);
    for one in found().filter(|one| !one.is_named()) {
        world.telling.say(&format!("WRONG cause: {one:?}"));
    }
    for words in reports.iter().flat_map(|report| &report.tokens_lost) {
        world.telling.say(&format!("LOST credential: {words}"));
    }
    let slowest = found().max_by_key(|one| one.from_fault_ms);
    if let Some(slowest) = slowest {
        world.telling.say(&format!(
            "the longest from a real fault to its disconnection: {} ms ({})",
            slowest.from_fault_ms,
            slowest.kind.name()
        ));
    }
    let mut by_kind: BTreeMap<&'static str, usize> = BTreeMap::new();
    for name in reports.iter().flat_map(|report| &report.met) {
        *by_kind.entry(name).or_default() += 1;
    }
    let mut real_by_kind: BTreeMap<&'static str, usize> = BTreeMap::new();
    for one in found() {
        *real_by_kind.entry(one.kind.name()).or_default() += 1;
    }
    let accepted: u64 = counted.accepted.iter().sum();
    let budget = world.script.patience.budget();
    let strangers = world.watch.count_alerts();
    let known = |address: &String| reports.iter().any(|report| report.address == *address);
    let of_strangers: usize = strangers
        .iter()
        .filter(|(address, _)| !known(address))
        .map(|(_, n_alerts)| n_alerts)
        .sum();
    let mut summary = Summary {
        outcome: "not_exact",
        seed: world.script.seed,
        inboxes: reports.len(),
        transient: by_kind.values().sum(),
        by_kind,
        real: reports.iter().map(|report| report.real).sum(),
        real_by_kind,
        found: found().count(),
        false_disconnections: reports
            .iter()
            .map(|report| report.false_disconnections.len())
            .sum::<usize>()
            + still_lost.count(),
        tokens_lost: reports
            .iter()
            .filter(|report| !report.tokens_lost.is_empty())
            .count(),
        alerts_repeated: reports
            .iter()
            .map(|report| report.alerts_repeated)
            .sum::<u64>()
            + of_strangers as u64,
        alerts_missed: reports.iter().map(|report| report.alerts_missed).sum(),
        wrong_causes: found().filter(|one| !one.is_named()).count(),
        planned,
        lost: planned.saturating_sub(accepted + unsettled),
        duplicated: counted.duplicated,
        disordered: counted.disordered + counted.hurried,
        unsettled,
        detected_within_ms: Times::of(found().map(|one| one.detected_ms).collect(), Some(budget)),
        recovered_within_ms: Times::of(
            reports
                .iter()
                .flat_map(|report| report.recovered_ms.iter().copied())
                .collect(),
            None,
        ),
    };
    let detected = summary.detected_within_ms;
    let clean = [
        summary.false_disconnections as u64,
        summary.tokens_lost as u64,
        summary.alerts_repeated,
        summary.alerts_missed,
        summary.wrong_causes as u64,
        summary.lost,
        summary.duplicated,
        summary.disordered,
        summary.unsettled,
    ];
    let complete = summary.transient == world.script.transient
        && summary.real == world.script.real as u64
        && summary.found == world.script.real
        && summary.inboxes == world.script.inboxes;
    if clean.iter().all(|n| *n == 0)
        && complete
        && detected
            .budget
            .is_some_and(|budget| detected.worst <= budget)
    {
        summary.outcome = EXACT;
    }
    Ok(summary)
}
