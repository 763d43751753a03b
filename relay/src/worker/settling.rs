//! What the sent folder tells: doubts that it settles, the inbox's own message as a canary where nothing else can
//! speak, and who makes the copies. What follows from it is decided in `engine::doubt`.

use std::sync::Arc;

use protocol::campaign::Step;
use protocol::delivery::{Event, NoEvidence};
use protocol::evidence::{Evidence, IoFault, Party, Said, Stage};
use protocol::id::{DeliveryId, LeadId};
use protocol::provider::Submission;
use protocol::sender::Sender;
use protocol::timestamp::Timestamp;

use super::WorkError;
use super::copying::{FIRST_LOOK, learn_copies, write_again};
use super::memory::Memory;
use super::sending::rests;
use crate::app::App;
use crate::engine::doubt::{self, SIZES_APART, Silence, Verdict};
use crate::engine::pace::pace;
use crate::record::{Doubt, OPEN_DOUBTS_AT_MOST, Pace};
use crate::secret::random_text;
use crate::smtp::{Envelope, Outcome};
use crate::store::StoreError;
use crate::store::conflict::Conflict;
use crate::store::doubt::NewCanary;
use crate::store::inbox::Inbox;
use crate::text::message::{Files, Parts, compose};

/// What a look at the doubts leaves to do.
#[derive(Clone, Debug, Default)]
struct Open {
    /// When to look again; `None` where no doubt is open.
    again: Option<Timestamp>,
    /// The least size of the message that the inbox must write to itself; `None` where it need not.
    canary_bytes: Option<u64>,
    /// What is known of the doubts that are left.
    silence: Option<Silence>,
    /// The size of the greatest message in doubt.
    greatest: u64,
    /// The oldest of several doubts whose copy had its time: nothing settles it where the server refuses the canary.
    last_to_go: Option<Doubt>,
}

/// Looks into the sent folder and does what follows.
pub(super) async fn settle(
    app: &App,
    inbox: &Inbox,
    submission: &Submission,
    memory: &mut Memory,
) -> Result<(), WorkError> {
    let copies = learn_copies(app, inbox, memory).await?;
    let mut open = settle_doubts(app, inbox, submission, memory).await?;
    let now = app.clock.now();
    let shut_since = app.store.find_gate(&inbox.id, &rests(app), now).await?;
    if let Some(since) = shut_since {
        note_shut(app, inbox, memory, since).await?;
    }
    if app.config.canary {
        ask_for_canary(app, inbox, &mut open, shut_since.is_some()).await?;
    }
    memory.look_at = [copies, open.again].into_iter().flatten().min();
    if let Some(bytes) = open.canary_bytes {
        send_canary(app, inbox, memory, bytes, open.last_to_go).await?;
    }
    Ok(())
}

/// Nothing is tried while doubts shut the inbox, so nothing meets the failure again: it lasts all the same.
async fn note_shut(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    since: Timestamp,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    let unless_known = Evidence {
        party: Party::Smtp,
        stage: Stage::Body,
        said: Said::Io {
            fault: IoFault::Closed,
            detail: SHUT.to_owned(),
        },
        provider: inbox.provider.clone(),
        seen_at: now,
    };
    let noted = app
        .store
        .note_shut(&inbox.id, since, unless_known, now)
        .await?;
    memory.is_failing = true;
    if let Some((_, Some(_))) = noted {
        app.bell.tell();
    }
    Ok(())
}

/// What is known of doubts whose beginning left no words, as where the relay was ended.
const SHUT: &str = "two messages are on their way of which nobody knows whether they arrived; no more are sent until \
     the server has answered";

async fn settle_doubts(
    app: &App,
    inbox: &Inbox,
    submission: &Submission,
    memory: &mut Memory,
) -> Result<Open, WorkError> {
    let mut doubts = app.store.list_doubts(&inbox.id).await?;
    let Memory {
        mailbox,
        watched_since,
        ..
    } = memory;
    let noted = doubts.iter().filter_map(|doubt| doubt.sent);
    let Some(from_uid) = noted.map(|position| position.uid_next).min() else {
        for doubt in &doubts {
            let verdict = Verdict::Unsettled(NoEvidence::NoSentFolder);
            put(app, inbox, doubt, verdict).await?;
        }
        return Ok(Open::default());
    };
    let message_ids = doubts.iter().map(|doubt| doubt.message_id.as_str());
    let look = mailbox
        .reader(app, inbox)
        .await?
        .look(from_uid, app.clock.now(), &message_ids.collect())
        .await?;
    let first = doubts.iter().map(|doubt| doubt.claim_no).min().unwrap_or(0);
    let accepted = app.store.list_accepted_since(&inbox.id, first).await?;
    let canaries = look
        .as_ref()
        .map(|look| look.find_canaries(&accepted))
        .unwrap_or_default();
    let uptime = app.clock.uptime();
    watched_since.retain(|id, _| doubts.iter().any(|doubt| doubt.id == *id));
    let mut open = Open::default();
    let mut silence = begin_silence(app);
    let mut greatest = 0;
    for doubt in &mut doubts {
        doubt.size_bytes = find_size(app, inbox, doubt).await?;
        // Not before this look: the one who watched before may have been another process.
        let since = *watched_since.entry(doubt.id.clone()).or_insert(uptime);
        let watched_for = uptime.saturating_sub(since);
        let look = look.as_ref();
        let lacks_a_copy = look.is_some_and(|look| look.lacks_a_copy(doubt, &accepted, submission));
        match doubt::decide(
            doubt,
            look,
            submission,
            &canaries,
            lacks_a_copy,
            inbox.adoption,
            watched_for,
        ) {
            Verdict::LookAgain { at } => {
                open.again = Some(open.again.map_or(at, |earlier| earlier.min(at)));
                silence.n_doubts += 1;
                let over_for = doubt::conclusive_after(submission)
                    .and_then(|after| watched_for.checked_sub(after));
                silence.over_for = silence.over_for.max(over_for);
                if over_for.is_some() && open.last_to_go.is_none() {
                    open.last_to_go = Some(doubt.clone());
                }
                silence.accepted_since |= accepted
                    .iter()
                    .any(|sent| sent.claim_no > doubt.claim_no && sent.adoption == doubt.adoption);
                greatest = greatest.max(doubt.size_bytes.unwrap_or(0));
            }
            verdict => put(app, inbox, doubt, verdict).await?,
        }
    }
    open.last_to_go = open
        .last_to_go
        .filter(|_| silence.n_doubts >= OPEN_DOUBTS_AT_MOST);
    open.silence = Some(silence);
    open.greatest = greatest;
    Ok(open)
}

/// Whether the inbox must write to itself, and if not yet, when.
async fn ask_for_canary(
    app: &App,
    inbox: &Inbox,
    open: &mut Open,
    is_shut: bool,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    let mut silence = open.silence.unwrap_or_else(|| begin_silence(app));
    silence.is_shut = is_shut;
    if silence.over_for.is_none() && !silence.is_shut {
        return Ok(());
    }
    let last = app.store.find_last_canary(&inbox.id).await?;
    silence.last_canary = last.map(|at| now.since(at));
    open.canary_bytes = silence
        .wants_canary()
        .then_some(open.greatest / SIZES_APART);
    if let (true, Some(last)) = (silence.is_shut, last) {
        let next = last + silence.every;
        open.again = [open.again, (next > now).then_some(next)]
            .into_iter()
            .flatten()
            .min();
    }
    Ok(())
}

/// What is known before any doubt was looked at. An hour lies between two messages of an inbox to itself, of what
/// counts as a minute where it rests.
fn begin_silence(app: &App) -> Silence {
    Silence {
        n_doubts: 0,
        over_for: None,
        accepted_since: false,
        last_canary: None,
        is_shut: false,
        every: app.config.timing.rest_minute * 60,
    }
}

/// The size of a delivery's message: what is on record makes the same one.
async fn find_size(app: &App, inbox: &Inbox, doubt: &Doubt) -> Result<Option<u64>, WorkError> {
    let message = write_again(app, inbox, &doubt.id, &doubt.message_id, doubt.since).await?;
    Ok(message.map(|message| message.len() as u64))
}

async fn put(app: &App, inbox: &Inbox, doubt: &Doubt, verdict: Verdict) -> Result<(), WorkError> {
    let now = app.clock.now();
    let (event, wire_id, why) = match verdict {
        Verdict::Found { wire_id } => (Event::Found { at: now }, wire_id, None),
        Verdict::Refuted => (Event::Refuted, None, None),
        Verdict::Unsettled(why) => (Event::Unsettled, None, Some(why)),
        Verdict::LookAgain { .. } => return Ok(()),
    };
    tracing::info!(inbox = %inbox.address, delivery = %doubt.id, verdict = event.name(), ?why, "a doubt is settled");
    let settled = app
        .store
        .settle_doubt(&doubt.id, event, wire_id.as_deref(), why, now)
        .await;
    match settled {
        // A person has decided it meanwhile.
        Err(StoreError::Conflict(Conflict::Delivery(_))) => Ok(()),
        settled => {
            settled?;
            // What is unsettled is told.
            app.bell.tell();
            Ok(())
        }
    }
}

/// The inbox writes to itself, so that absence can mean something. It is no lead's delivery: what becomes of it is on
/// record, and its own doubt opens nothing.
async fn send_canary(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    at_least_bytes: u64,
    last_to_go: Option<Doubt>,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    if pace(&app.store.load_budgets(&inbox.id, now).await?, now) != Pace::Go {
        return Ok(());
    }
    let canary = NewCanary {
        id: DeliveryId::new(format!("{}{}", DeliveryId::PREFIX, random_text())),
        inbox: inbox.id.clone(),
        message_id: format!("{}@{}", random_text(), inbox.address.domain()),
        adoption: inbox.adoption,
        begun_at: now,
    };
    let step = Step {
        subject: CANARY_SUBJECT.to_owned(),
        body: fill(CANARY_BODY, at_least_bytes),
        wait_ms: 0,
        ..Step::default()
    };
    let parts = Parts {
        from: &inbox.address,
        files: &Files::new(),
        sender: &Sender::default(),
        to: &inbox.address,
        // It is nobody's.
        lead: &LeadId::new(""),
        fields: &Arc::default(),
        steps: &[step],
        step_idx: 0,
        delivery: &canary.id,
        message_id: &canary.message_id,
        thread: &[],
        date: now,
        way_out: None,
    };
    let Ok(message) = compose(&parts) else {
        return Ok(());
    };
    let envelope = Envelope {
        from: inbox.address.clone(),
        to: inbox.address.clone(),
    };
    let (session, _) = memory.mailbox.sender(app, inbox).await?;
    app.store.create_canary(&canary).await?;
    match session.send(&envelope, &message).await {
        Outcome::Accepted { .. } => {
            app.store.accept_canary(&canary, app.clock.now()).await?;
        }
        Outcome::Refused { stage, reply } => {
            tracing::info!(inbox = %inbox.address, ?stage, %reply, "the server refused what the inbox wrote to itself");
            // What nothing settles any more makes room for the message that shows whether others' mail is taken.
            if let Some(doubt) = last_to_go {
                let verdict = Verdict::Unsettled(NoEvidence::CanaryRefused);
                put(app, inbox, &doubt, verdict).await?;
            }
            app.store.refuse_canary(&canary, app.clock.now()).await?;
        }
        outcome => {
            tracing::info!(inbox = %inbox.address, ?outcome, "the inbox could not write to itself");
            memory.mailbox.close_smtp().await;
        }
    }
    memory.doubt(app.clock.now() + FIRST_LOOK);
    Ok(())
}

const CANARY_SUBJECT: &str = "Unpause looks whether copies are kept";
const CANARY_BODY: &str = "Unpause sent this message from this inbox to itself. The connection broke while a message was \
     handed over; whether its copy would be in the sent folder can only be told by the copy of a later one.\n\
     You can delete this message.\n";

/// The text, made longer until it has this many bytes. No line is long (RFC 5322 §2.1.1).
fn fill(text: &str, bytes: u64) -> String {
    const LINE: &str = "----------------------------------------------------------------------\n";
    let bytes = usize::try_from(bytes).unwrap_or(0);
    let missing = bytes.saturating_sub(text.len());
    format!("{text}{}", LINE.repeat(missing.div_ceil(LINE.len())))
}
