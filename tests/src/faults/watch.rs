//! What the relay writes into its log, what its API shows, and what arrives in the mailboxes, followed while
//! the run goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::cause::Cause;
use protocol::request::inbox::{ConnectionState, ListInboxes};
use protocol::timestamp::Timestamp;
use sandbox::Control;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::clock::now_ms;
use crate::story::api::Api;
use crate::story::mailboxes::Message;

/// Between two looks.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// How many failures of an inbox are told.
const LAST: usize = 10;
/// Between two questions to the API.
const ASKS_EVERY: Duration = Duration::from_secs(2);
/// Which part of the relay tells people.
const ALERTS: &str = "relay::notify::log";
/// What it says of a failure that it met.
const FAILED: &str = "the inbox failed";
/// What it says of one that it met while it made sure.
const PROBE_FAILED: &str = "a probe failed";

/// An inbox was said to be disconnected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) at_ms: i64,
    pub(super) cause: String,
}

/// A failure that the relay met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) at_ms: i64,
    /// At which stage.
    stage: String,
    pub(super) words: String,
    /// Whether it was met while the relay made sure.
    by_probe: bool,
}

#[derive(Debug, Default)]
struct Seen {
    /// By address.
    alerts: BTreeMap<String, Vec<Alert>>,
    /// By address.
    failures: BTreeMap<String, Vec<Failure>>,
    /// Recipient and step.
    arrived: BTreeSet<(String, usize)>,
    /// When this process was not run although it was its turn, and for how long: then nobody was.
    stalls: Vec<(i64, i64)>,
    /// By address, as the API shows them.
    connections: BTreeMap<String, (ConnectionState, Option<Cause>)>,
}

/// Follows both, until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    _tasks: JoinSet<()>,
}

impl Watch {
    pub(super) fn begin(log: PathBuf, control: Control, operator: Api) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(log, control, Arc::clone(&seen)));
        tasks.spawn(ask(operator, Arc::clone(&seen)));
        Self {
            seen,
            _tasks: tasks,
        }
    }

    /// Every alert about an inbox so far.
    pub(super) fn alerts(&self, address: &str) -> Vec<Alert> {
        self.lock().alerts.get(address).cloned().unwrap_or_default()
    }

    /// How an inbox stands, and why.
    pub(super) fn connection(&self, address: &str) -> Option<(ConnectionState, Option<Cause>)> {
        self.lock().connections.get(address).copied()
    }

    /// For how long the machine stood still between two instants, as far as this process felt it.
    pub(super) fn stalled_ms(&self, from_ms: i64, to_ms: i64) -> i64 {
        let seen = self.lock();
        let overlap = |(began, ended): &(i64, i64)| (*ended).min(to_ms) - (*began).max(from_ms);
        seen.stalls.iter().map(|stall| overlap(stall).max(0)).sum()
    }

    /// Every inbox that an alert was about, with how many there were.
    pub(super) fn count_alerts(&self) -> BTreeMap<String, usize> {
        let seen = self.lock();
        seen.alerts
            .iter()
            .map(|(address, alerts)| (address.clone(), alerts.len()))
            .collect()
    }

    /// Whether the relay was refused a connection for this inbox since then.
    pub(super) fn was_refused_since(&self, address: &str, since_ms: i64) -> bool {
        let seen = self.lock();
        let failures = seen.failures.get(address);
        failures.into_iter().flatten().any(|failure| {
            failure.at_ms >= since_ms && failure.words.to_lowercase().contains("refused")
        })
    }

    /// The last failures of this inbox, the newest first, for people.
    pub(super) fn last_words(&self, address: &str) -> Vec<String> {
        let seen = self.lock();
        let failures = seen.failures.get(address);
        let last = failures.into_iter().flatten().rev().take(LAST);
        last.map(|failure| {
            let at = Timestamp::from_ms(failure.at_ms);
            let by = if failure.by_probe { "probe, " } else { "" };
            format!("{at} ({by}{}) {}", failure.stage, failure.words)
        })
        .collect()
    }

    /// Whether this step has arrived there.
    pub(super) fn has_arrived(&self, recipient: &str, step: usize) -> bool {
        self.lock().arrived.contains(&(recipient.to_owned(), step))
    }

    /// How many steps have arrived at these recipients.
    pub(super) fn count_arrived(&self) -> usize {
        self.lock().arrived.len()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        locked(&self.seen)
    }
}

async fn ask(operator: Api, seen: Arc<Mutex<Seen>>) {
    let mut ticks = tokio::time::interval(ASKS_EVERY);
    // An answer that came late is no reason to ask more often.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Ok(answer) = operator.call(&ListInboxes {}).await else {
            continue;
        };
        let connections = answer.inboxes.into_iter().map(|inbox| {
            let connection = inbox.connection;
            (
                inbox.address.to_string(),
                (connection.state, connection.cause),
            )
        });
        locked(&seen).connections = connections.collect();
    }
}

async fn follow(log: PathBuf, control: Control, seen: Arc<Mutex<Seen>>) {
    let mut ticks = tokio::time::interval(LOOKS_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut read_to, mut half, mut n_messages) = (0, Vec::new(), 0);
    let looks_every = i64::try_from(LOOKS_EVERY.as_millis()).unwrap_or(i64::MAX);
    loop {
        let rested_ms = now_ms();
        ticks.tick().await;
        let due_ms = rested_ms + looks_every;
        if now_ms() > due_ms + looks_every {
            locked(&seen).stalls.push((due_ms, now_ms()));
        }
        let more = read_more(&log, &mut read_to).unwrap_or_default();
        half.extend_from_slice(&more);
        let whole = half
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines: Vec<u8> = half.drain(..whole).collect();
        let messages = control.delivered();
        let mut seen = locked(&seen);
        for line in lines.split(|byte| *byte == b'\n') {
            if let Ok(line) = serde_json::from_slice::<Value>(line) {
                note(&mut seen, &line);
            }
        }
        for message in messages.iter().skip(n_messages) {
            if let Some(message) = Message::parse(&message.recipient, &message.raw, None) {
                seen.arrived.insert((message.recipient, message.step));
            }
        }
        n_messages = messages.len();
    }
}

fn read_more(log: &PathBuf, read_to: &mut u64) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(log)?;
    file.seek(SeekFrom::Start(*read_to))?;
    let mut more = Vec::new();
    *read_to += u64::try_from(file.read_to_end(&mut more)?).unwrap_or(0);
    Ok(more)
}

fn note(seen: &mut Seen, line: &Value) {
    let text = |pointer| line.pointer(pointer).and_then(Value::as_str);
    let at = text("/timestamp").and_then(|at| at.parse::<Timestamp>().ok());
    let (Some(at), Some(inbox)) = (at, text("/fields/inbox")) else {
        return;
    };
    let (at_ms, inbox) = (at.as_ms(), inbox.to_owned());
    if text("/target") == Some(ALERTS) {
        let cause = text("/fields/cause").unwrap_or_default().to_owned();
        seen.alerts
            .entry(inbox)
            .or_default()
            .push(Alert { at_ms, cause });
    } else if let Some(message @ (FAILED | PROBE_FAILED)) = text("/fields/message") {
        let field = |pointer| text(pointer).unwrap_or_default().to_owned();
        let failure = Failure {
            at_ms,
            stage: field("/fields/stage"),
            words: field("/fields/words"),
            by_probe: message == PROBE_FAILED,
        };
        seen.failures.entry(inbox).or_default().push(failure);
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    // Nothing is done under the lock that could leave it half changed.
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
