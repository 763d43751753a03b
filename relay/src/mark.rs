//! The mark: a small file outside the database that says how far this relay has come. A database that is behind it was
//! put back from a copy of its own. It is written at each attempt without waiting for the disk, and through to the
//! disk at every beat and at an orderly end; it holds no secret. A power cut may leave the name of one that was not
//! waited for without its bytes; then the one of the last beat, which has a file of its own, is taken for it. What
//! follows is done in `worker::restored`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::id::InboxId;
use protocol::inbox::Address;
use protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use self::original::{Original, is_left_just_now};
use crate::clock::Clock;
use crate::ownership;
use crate::record::SentPlace;
use crate::secret::random_text;
use crate::store::runs::Run;
use crate::store::{Store, StoreError};

mod original;

/// The ending of the file of stops, which stands beside the mark.
const STOPS: &str = "stops";
/// The ending of the file that has what was marked at the last beat.
const BEAT: &str = "mark.beat";
/// Stops that are read again although the database may know them: it notes its own time by beats.
const STOPS_BEFORE: Duration = Duration::from_hours(1);

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lines {
    /// Of the process that wrote it: random at each start.
    run: String,
    /// The run that the database had then; `None` in the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// How long relays had lived on the database.
    r_ms: i64,
    /// How long processes have lived on this mark one after the other, each from where the one before left it; see
    /// [`Original`].
    #[serde(default)]
    in_a_row_ms: u64,
    inboxes: BTreeMap<InboxId, Line>,
}

/// What stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    lines: Lines,
    /// `None` where the file system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original: Option<Original>,
    /// Whether a power cut has left no later one, so that more may have been attempted than it says.
    #[serde(skip)]
    is_of_beat: bool,
}

/// What it says of an inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    /// Attempts that were begun, those included that a database which was put back does not know.
    attempts: u64,
    /// How many of them the database of this run does not know.
    #[serde(default)]
    lost: u64,
    /// The same of the database of the run before.
    #[serde(default)]
    lost_before: u64,
    /// The inbox's, in small letters: one that is added again has another id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    folder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid_validity: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid_next: Option<u32>,
}

impl Lines {
    /// The mark of a process that begins on this database. What it says of inboxes that this database does not know is
    /// kept: they may be added again, or another database may be put back that knows them.
    fn begin(found: Option<&Self>, ledger: &Run) -> Self {
        let marked = found.into_iter().flat_map(|lines| lines.inboxes.keys());
        let all: BTreeSet<&InboxId> = ledger.attempts.keys().chain(marked).collect();
        let line = |inbox: &InboxId| {
            let attempts = ledger.attempts.get(inbox).copied().unwrap_or(0);
            // What was once attempted stays so, whatever database is put back, and however often.
            let lost = found.map_or(0, |lines| lines.lost_of(ledger.run.as_ref(), inbox));
            let marked = found.and_then(|lines| lines.inboxes.get(inbox));
            let all = marked
                .map_or(0, |line| line.attempts)
                .max(attempts.saturating_add(lost));
            let known = ledger.addresses.get(inbox).cloned();
            let line = Line {
                attempts: all,
                lost: all.saturating_sub(attempts),
                lost_before: lost,
                address: known.or_else(|| marked.and_then(|line| line.address.clone())),
                ..Line::default()
            };
            (inbox.clone(), line)
        };
        Self {
            run: random_text(),
            before: ledger.run.clone(),
            r_ms: ledger.r_ms,
            in_a_row_ms: 0,
            inboxes: all.into_iter().map(line).collect(),
        }
    }

    /// How many attempts of an inbox a database of this run does not know, as far as that is on record.
    fn lost_of(&self, run: Option<&String>, inbox: &InboxId) -> u64 {
        let line = self.inboxes.get(inbox);
        if run == Some(&self.run) {
            line.map_or(0, |line| line.lost)
        } else if self.before.is_some() && run == self.before.as_ref() {
            line.map_or(0, |line| line.lost_before)
        } else {
            0
        }
    }
}

/// How a database stands to the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It knows of all that was attempted.
    Newest,
    /// It was put back, and so many attempts are missing.
    Behind(u64),
    /// It was put back or carried elsewhere, and nobody knows what is missing.
    Unknown,
}

/// The mark of a relay that runs.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
    lines: Mutex<Lines>,
    clock: Clock,
    /// The uptime at which this process began.
    started: Duration,
    /// How long those before it had lived on the mark in a row.
    in_a_row: Duration,
    /// What was attempted by the relay whose mark was here when this database was made.
    attempts_before: u64,
    /// Why it was not written the last time; `None` where it was.
    unwritten: Mutex<Option<String>>,
    /// Whether this process has ever written it: before that, what stands there is an earlier one's.
    was_written: AtomicBool,
    /// Whether the database knows the run that the mark names.
    is_run_noted: AtomicBool,
    /// Held until the process ends, however it ends; `None` where the folder takes no file.
    _lock: Option<File>,
}

/// Why nothing may be sent.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// The mark cannot be written.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// The database cannot be told of it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Another process holds the mark: two relays that share one would each take the other's messages for their own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "another relay is using the mark {path}: stop it first, or give this one a `key_file` or a `mark_file` of its own"
)]
pub struct InUse {
    /// The file.
    pub path: PathBuf,
}

/// The mark cannot be written: what left now would be sent again by a database that is put back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the mark {path} cannot be written ({words}): nothing is sent until it can be; make room there, let the relay write to the folder, or name another place as `mark_file`"
)]
pub struct Unwritten {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub words: String,
}

/// The file is another relay's by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another relay writes the mark of this one")]
pub struct Another;

impl Mark {
    /// Compares the database with the mark, notes in it what follows, and begins a run of its own.
    pub async fn begin(
        path: &Path,
        lock: Option<File>,
        store: &Store,
        clock: &Clock,
    ) -> Result<(Arc<Self>, Watch), StoreError> {
        let written = read(path);
        let in_a_row = written.as_ref().map_or(Duration::ZERO, |written| {
            let is_left = is_left_just_now(path, written.original.as_ref(), clock.now());
            Duration::from_millis(written.lines.in_a_row_ms).saturating_mul(u32::from(is_left))
        });
        let is_of_beat = written.as_ref().is_some_and(|written| written.is_of_beat);
        let found = written.map(|written| written.lines);
        let ledger = store.load_run().await?;
        // A clock on the wall may have been set back meanwhile; what relays lived is counted by none.
        let lived_ms = found.as_ref().map_or(0, |lines| lines.r_ms - ledger.r_ms);
        let lost = ledger
            .at
            .map_or(Duration::ZERO, |at| clock.now().since(at))
            .max(Duration::from_millis(
                u64::try_from(lived_ms).unwrap_or_default(),
            ));
        let mut verdicts = BTreeMap::new();
        for inbox in ledger.attempts.keys() {
            let missing = match judge(found.as_ref(), &ledger, inbox) {
                Verdict::Newest => continue,
                // How many more it was after that beat, nobody knows.
                Verdict::Behind(_) if is_of_beat => -1,
                Verdict::Behind(missing) => i64::try_from(missing).unwrap_or(i64::MAX),
                Verdict::Unknown => -1,
            };
            verdicts.insert(inbox.clone(), missing);
        }
        if !verdicts.is_empty() {
            tracing::warn!(
                n_inboxes = verdicts.len(),
                "the database is behind its mark: it was put back; what was sent since is looked for first"
            );
        }
        let attempts_before = count_lost(found.as_ref(), &ledger);
        if attempts_before > 0 {
            tracing::error!(
                path = %path.display(), attempts = attempts_before,
                "the database is new, and the mark beside the key tells of one that was used: it was deleted, or `data` \
                 names another folder; who was written to before is not known here"
            );
        }
        // What is not known of one inbox was put back with all the others.
        let in_a_row = if verdicts.is_empty() {
            in_a_row
        } else {
            Duration::ZERO
        };
        let mut lines = Lines::begin(found.as_ref(), &ledger);
        lines.in_a_row_ms = in_ms(in_a_row);
        // The file first: a database without this run then has attempted nothing in it.
        let unwritten = write(path, &lines, true).err().map(|error| {
            let words = error.to_string();
            tracing::warn!(
                path = %path.display(), %error,
                "the mark cannot be written: nothing is sent until it can be"
            );
            words
        });
        let run = unwritten.is_none().then_some(lines.run.as_str());
        store.begin_run(run, &verdicts, lost, clock.now()).await?;
        store.keep_stops_in(path.with_extension(STOPS));
        // What the database knows already changes nothing.
        let from = ledger.at.unwrap_or(Timestamp::from_ms(0)) - STOPS_BEFORE;
        let replayed = store.replay_stops(from).await?;
        if replayed.n_stopped > 0 {
            tracing::warn!(
                n_stopped = replayed.n_stopped,
                "people were stopped after the database had been saved: they are stopped again"
            );
        }
        if replayed.n_shut_out > 0 {
            tracing::warn!(
                n_shut_out = replayed.n_shut_out,
                "devices, accounts, rights or passwords were ended after the database had been saved: they are ended again"
            );
        }
        let mark = Self {
            path: path.to_owned(),
            lines: Mutex::new(lines),
            clock: clock.clone(),
            started: clock.uptime(),
            in_a_row,
            attempts_before,
            was_written: AtomicBool::new(unwritten.is_none()),
            is_run_noted: AtomicBool::new(unwritten.is_none()),
            unwritten: Mutex::new(unwritten),
            _lock: lock,
        };
        let inboxes = ledger.attempts.into_keys().collect();
        let watch = Watch::begin(clock, lost, inboxes, in_a_row);
        Ok((Arc::new(mark), watch))
    }

    /// How many attempts the mark told of when this process found a database that had never been used; 0 otherwise.
    pub fn attempts_before(&self) -> u64 {
        self.attempts_before
    }

    /// How many attempts it tells of inboxes of this address that the database does not have.
    pub fn count_forgotten(&self, address: &Address) -> u64 {
        let address = address.as_str().to_lowercase();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = lines.inboxes.values();
        of_it
            .filter(|line| line.address.as_ref() == Some(&address))
            .map(|line| line.attempts)
            .sum()
    }

    /// Whether it is written, or can be again.
    pub async fn ensure_written(self: &Arc<Self>, store: &Store) -> Result<(), EnsureError> {
        let is_unwritten = self.with_unwritten(|unwritten| unwritten.is_some());
        let lines = self
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let run = lines.run.clone();
        if is_unwritten {
            self.keep(lines, true).await?;
        }
        if !self.is_run_noted.load(Ordering::Acquire) {
            store.note_run(&run).await?;
            self.is_run_noted.store(true, Ordering::Release);
        }
        Ok(())
    }

    fn with_unwritten<T>(&self, work: impl FnOnce(&mut Option<String>) -> T) -> T {
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        work(&mut unwritten)
    }

    /// An attempt of an inbox begins; `place` is where its sent folder stood before. Nothing may leave where it is not
    /// written.
    pub async fn note_attempt(
        self: &Arc<Self>,
        inbox: &InboxId,
        address: &Address,
        place: Option<&SentPlace>,
    ) -> Result<(), Unwritten> {
        let lines = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let line = lines.inboxes.entry(inbox.clone()).or_default();
            line.attempts += 1;
            line.address = Some(address.as_str().to_lowercase());
            if let Some(place) = place {
                line.folder = Some(place.folder.clone());
                line.uid_validity = Some(place.position.uid_validity);
                line.uid_next = Some(place.position.uid_next);
            }
            lines.in_a_row_ms = self.lived_in_a_row_ms();
            lines.clone()
        };
        self.keep(lines, false).await
    }

    /// The relay lives, or ends in order: what is marked goes through to the disk. Not where another relay writes the
    /// mark by now.
    pub async fn sync(self: &Arc<Self>, r_ms: i64) -> Result<(), Another> {
        let lines = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.r_ms = r_ms;
            lines.in_a_row_ms = self.lived_in_a_row_ms();
            lines.clone()
        };
        let was_written = self.was_written.load(Ordering::Acquire);
        if was_written && read(&self.path).is_some_and(|found| found.lines.run != lines.run) {
            return Err(Another);
        }
        // What keeps it from being written is told there, and asked for again before anything is sent.
        let _ = self.keep(lines, true).await;
        Ok(())
    }

    /// A person says that this relay stays: the mark is its own again.
    pub async fn take_over(self: &Arc<Self>) {
        let lines = self
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let _ = self.keep(lines, true).await;
    }

    fn lived_in_a_row_ms(&self) -> u64 {
        let lived = self.clock.uptime().saturating_sub(self.started);
        in_ms(self.in_a_row + lived)
    }

    /// Told when it fails for the first time, and when it works again.
    async fn keep(self: &Arc<Self>, lines: Lines, through: bool) -> Result<(), Unwritten> {
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &lines, through)).await;
        let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let words = written.err().map(|error| error.to_string());
        let before = self.with_unwritten(|unwritten| std::mem::replace(unwritten, words.clone()));
        if words.is_none() {
            self.was_written.store(true, Ordering::Release);
        }
        let path = self.path.clone();
        match (before, words) {
            (None, None) => Ok(()),
            (Some(_), None) => {
                tracing::info!(path = %path.display(), "the mark is written again");
                Ok(())
            }
            (before, Some(words)) => {
                let unwritten = Unwritten { path, words };
                if before.is_none() {
                    tracing::warn!("{unwritten}");
                }
                Err(unwritten)
            }
        }
    }
}

/// The files of the mark: itself, the one of the last beat, its lock, the one that replaces it, and the stops.
pub fn files(path: &Path) -> [PathBuf; 5] {
    [
        path.to_owned(),
        path.with_extension(BEAT),
        path.with_extension("mark.lock"),
        path.with_extension("mark.new"),
        path.with_extension(STOPS),
    ]
}

/// Takes the mark for this process. Where no file can be made beside it, there is no mark either.
pub fn lock(path: &Path) -> Result<Option<File>, InUse> {
    let folder = folder_of(path).map_or(Ok(()), ownership::make_folder);
    let file = folder.and_then(|()| {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.with_extension("mark.lock"))
    });
    let Ok(file) = file else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// What a mark tells of attempts that a database which was never used cannot know.
fn count_lost(found: Option<&Lines>, ledger: &Run) -> u64 {
    let is_new = ledger.run.is_none() && ledger.attempts.values().all(|attempts| *attempts == 0);
    found.filter(|_| is_new).map_or(0, |lines| {
        lines.inboxes.values().map(|line| line.attempts).sum()
    })
}

/// How the database stands to the mark, as far as an inbox is concerned.
fn judge(found: Option<&Lines>, ledger: &Run, inbox: &InboxId) -> Verdict {
    let Some(lines) = found else {
        // A database that never had a mark is as new as it can be known to be.
        return match ledger.run {
            None if !ledger.is_put_back => Verdict::Newest,
            _ => Verdict::Unknown,
        };
    };
    let known = ledger.attempts.get(inbox).copied().unwrap_or(0)
        + lines.lost_of(ledger.run.as_ref(), inbox);
    let marked = lines.inboxes.get(inbox).map_or(0, |line| line.attempts);
    let is_of_this_run = ledger.run.as_ref() == Some(&lines.run);
    // The process that began this run ended before the database knew of it.
    let is_of_the_next = lines.before.is_some() && lines.before == ledger.run;
    match marked.checked_sub(known) {
        Some(missing) if missing > 0 => Verdict::Behind(missing),
        // The mark may have been put back with it, and tells then of no more than it knows itself.
        _ if ledger.is_put_back => Verdict::Unknown,
        _ if is_of_this_run || is_of_the_next => Verdict::Newest,
        // The first start with a mark that is somebody else's, or was written before this version.
        _ if ledger.run.is_none() && lines.before.is_none() && known == 0 => Verdict::Newest,
        _ => Verdict::Unknown,
    }
}

/// The mark in the file; `None` where there is none, or what is there is no mark.
fn read(path: &Path) -> Option<Written> {
    let words = match read_file(path) {
        Ok(found) => return found,
        Err(words) => words,
    };
    // Who took it away meant it; bytes that are missing under its name nobody means.
    let beat = read_file(&path.with_extension(BEAT)).ok().flatten();
    let what = if beat.is_some() {
        "the mark cannot be read: the one of the last beat is taken for it"
    } else {
        "the mark cannot be read: it is made anew"
    };
    tracing::warn!(path = %path.display(), error = %words, "{what}");
    beat.map(|beat| Written {
        original: None,
        is_of_beat: true,
        ..beat
    })
}

/// The mark in this file; `None` where there is no file, and in words why it is no mark.
fn read_file(path: &Path) -> Result<Option<Written>, String> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Replaces the file whole; `through` waits for the disk, and has it there twice.
fn write(path: &Path, lines: &Lines, through: bool) -> std::io::Result<()> {
    make_folder(path)?;
    if through {
        replace(path, &path.with_extension(BEAT), lines, through)?;
    }
    replace(path, path, lines, through)?;
    if let Some(folder) = folder_of(path).filter(|_| through) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn replace(mark: &Path, path: &Path, lines: &Lines, through: bool) -> std::io::Result<()> {
    let new = mark.with_extension("mark.new");
    // A file of its own: one that was left there was made when it was.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&new)?;
    let written = Written {
        lines: lines.clone(),
        original: Original::of(&file),
        is_of_beat: false,
    };
    file.write_all(&serde_json::to_vec(&written).map_err(std::io::Error::other)?)?;
    if through {
        file.sync_all()?;
    }
    std::fs::rename(&new, path)
}

fn in_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

fn make_folder(path: &Path) -> std::io::Result<()> {
    let Some(folder) = folder_of(path) else {
        return Ok(());
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// What of each inbox was compared with its sent folder since this process began.
#[derive(Debug)]
pub struct Watch {
    started: Duration,
    started_at: Timestamp,
    lost: Duration,
    /// Those that the ledger had then.
    known: HashSet<InboxId>,
    /// How long earlier processes had watched one after the other until this one began, nothing being put back.
    watched_before: Duration,
    inboxes: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    settled: HashSet<InboxId>,
    found: HashMap<InboxId, u64>,
    /// Found by what arrived for them.
    proved: HashMap<InboxId, u64>,
    /// Where messages of the sent folder were not shown.
    torn: HashSet<InboxId>,
    /// The last tags whose copies were seen, oldest first.
    copies: HashMap<InboxId, VecDeque<Copies>>,
}

/// Tags of an inbox that are remembered: more than leave while a copy is late.
const COPIES_KEPT: usize = 256;

/// Copies of one tag.
#[derive(Debug)]
struct Copies {
    tag: String,
    /// What tells one message from another with the same tag.
    messages: HashSet<String>,
    /// How many stood in the folder at once.
    at_once: u32,
    /// Whether it was seen first when it was known what earlier processes had sent.
    counts: bool,
}

impl Watch {
    fn begin(
        clock: &Clock,
        lost: Duration,
        known: HashSet<InboxId>,
        watched_before: Duration,
    ) -> Self {
        Self {
            started: clock.uptime(),
            started_at: clock.now(),
            lost,
            known,
            watched_before,
            inboxes: Mutex::default(),
        }
    }

    /// How long this process has watched at this uptime.
    pub fn lived(&self, uptime: Duration) -> Duration {
        uptime.saturating_sub(self.started)
    }

    /// How long earlier processes had watched one after the other until this one began, nothing being put back: what
    /// was sent before that had as long to show.
    pub fn watched_before(&self) -> Duration {
        self.watched_before
    }

    /// When it began, by the wall.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The time on the wall between the last sign of life in the database and the start of this process.
    pub fn lost(&self) -> Duration {
        self.lost
    }

    /// Whether the ledger had this inbox when this process began.
    pub fn knows_from_the_start(&self, inbox: &InboxId) -> bool {
        self.known.contains(inbox)
    }

    /// Whether it is known of an inbox what was sent before this process began.
    pub fn is_settled(&self, inbox: &InboxId) -> bool {
        self.with(|seen| seen.settled.contains(inbox))
    }

    /// It is not known after all.
    pub fn unsettle(&self, inbox: &InboxId) {
        self.with(|seen| seen.settled.remove(inbox));
    }

    /// Copies of a tag were seen: `message` tells one message from another with the same tag, `at_once` how many
    /// copies were shown in one listing of what had come. Answers how many different ones this process has seen; 0
    /// where earlier processes may have made them. One that a person moves is the same one.
    pub fn note_copies(&self, inbox: &InboxId, tag: &str, message: &str, at_once: u32) -> u32 {
        self.with(|seen| {
            let counts = seen.settled.contains(inbox);
            let all = seen.copies.entry(inbox.clone()).or_default();
            if !all.iter().any(|one| one.tag == tag) {
                if all.len() >= COPIES_KEPT {
                    all.pop_front();
                }
                all.push_back(Copies {
                    tag: tag.to_owned(),
                    messages: HashSet::new(),
                    at_once: 0,
                    counts,
                });
            }
            let Some(one) = all.iter_mut().find(|one| one.tag == tag) else {
                return 0;
            };
            one.messages.insert(message.to_owned());
            one.at_once = one.at_once.max(at_once);
            let n = u32::try_from(one.messages.len()).unwrap_or(u32::MAX);
            if one.counts { n.max(one.at_once) } else { 0 }
        })
    }

    /// It is known now.
    pub fn settle(&self, inbox: &InboxId) {
        self.with(|seen| seen.settled.insert(inbox.clone()));
    }

    /// So many more messages were found that the ledger did not know; how many it were since the start.
    pub fn note_found(&self, inbox: &InboxId, n: u64) -> u64 {
        self.with(|seen| {
            let found = seen.found.entry(inbox.clone()).or_default();
            *found += n;
            *found
        })
    }

    /// So many more messages that the ledger did not know are known by what arrived for them.
    pub fn note_proved(&self, inbox: &InboxId, n: u64) {
        self.with(|seen| *seen.proved.entry(inbox.clone()).or_default() += n);
    }

    /// How many are, since the start. None of them counts as found by a copy.
    pub fn n_proved(&self, inbox: &InboxId) -> u64 {
        self.with(|seen| seen.proved.get(inbox).copied().unwrap_or_default())
    }

    /// Whether the sent folder showed everything, this time and each time before.
    pub fn note_whole(&self, inbox: &InboxId, is_whole: bool) -> bool {
        self.with(|seen| {
            if !is_whole {
                seen.torn.insert(inbox.clone());
            }
            !seen.torn.contains(inbox)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        let mut seen = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut seen)
    }
}

#[cfg(test)]
mod tests;
