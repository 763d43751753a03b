//! Sending what is due through one inbox: intent before the first byte, outcome after the reply, and the
//! next intent in the same commit.

use std::time::Duration;

use protocol::card::Persistence;
use protocol::cause::{Cause, classify};
use protocol::delivery::Event;
use protocol::evidence::{Evidence, Party, Stage};
use protocol::provider::{SentCopy, Submission};
use protocol::stall::Worked;
use protocol::standing::{End as StandingEnd, Rests, Tried};
use tokio::sync::watch;

use super::WorkError;
use super::confirming::{note_failing, note_worked, suspect};
use super::copying::keep_copy;
use super::keeping::{Kept, keep};
use super::memory::Memory;
use crate::app::App;
use crate::copies;
use crate::engine::outcome::{InboxDoes, decide_refused, find_end};
use crate::engine::pace::pace;
use crate::engine::turns::take_turn;
use crate::failure::Failure;
use crate::mark::{EnsureError, Unwritten};
use crate::record::{Pace, SentPlace};
use crate::smtp::{Envelope, Outcome, Session, reading};
use crate::store::delivery::{Claim, Ended, Job};
use crate::store::inbox::{CopiedBy, Inbox};
use crate::store::standing::{Told, domain_of};
use crate::text::arrival::bare;
use crate::text::message::{Parts, compose, to_wire};

/// Messages in one batch; then the inbox is looked at again, so that reading is not starved.
const BATCH: u32 = 50;

/// Sends what is due until nothing is, the batch is full, the inbox must wait or be read again, or the relay
/// is to stop.
pub(super) async fn send_due(
    app: &App,
    inbox: &Inbox,
    submission: &Submission,
    memory: &mut Memory,
    stop: &watch::Receiver<bool>,
) -> Result<(), WorkError> {
    let now = app.clock.now();
    app.store.wake_rested(&inbox.id, now).await?;
    let due = app
        .store
        .find_next_due(&inbox.id, &rests(app), now)
        .await?
        .is_some_and(|due| due <= now);
    if !due || *stop.borrow() {
        return Ok(());
    }
    // The claim asks again; a connection is not opened for nothing.
    if pace(&app.store.load_budgets(&inbox.id, now).await?, now) != Pace::Go {
        return Ok(());
    }
    let open_until = copies::open_until(app, inbox).await?;
    if open_until.is_some_and(|at| at > now) {
        return Ok(());
    }
    let was_settled = app.watch.is_settled(&inbox.id);
    let stood_open = memory.mailbox.has_usable_smtp();
    let (_, sent) = memory.mailbox.sender(app, inbox).await?;
    note_worked(app, inbox, memory, Worked::SignedIn).await?;
    // What another relay has sent since is seen before more is; one that has just been opened was compared.
    if stood_open {
        memory.mailbox.compare_again(app, inbox).await?;
    }
    if !was_settled && app.watch.is_settled(&inbox.id) {
        // Answers to what is held or known as sent only now are read before more is sent.
        memory.read_at = Some(app.clock.now());
        return Ok(());
    }
    let open_until = copies::open_until(app, inbox).await?;
    if memory.has_gap(app.clock.now()) || open_until.is_some() {
        return Ok(());
    }
    if app.store.find_another_relay().await?.is_some() {
        return Ok(());
    }
    match app.mark.ensure_written(&app.store).await {
        Ok(()) => {}
        Err(EnsureError::Unwritten(unwritten)) => {
            rest_unmarked(app, inbox, memory, &unwritten);
            return Ok(());
        }
        Err(EnsureError::Store(error)) => return Err(error.into()),
    }
    let mut next = app
        .store
        .claim_delivery(&claim(app, inbox, sent.clone()))
        .await?;
    let mut n_sent = 0;
    let mut accepted_any = false;
    while let Some(job) = next {
        let _hold = app.store.hold(&job.id);
        let marked = app
            .mark
            .note_attempt(&inbox.id, &inbox.address, sent.as_ref())
            .await;
        if let Err(unwritten) = marked {
            // Nothing was said to a server.
            let ended = put_back(unwritten.to_string());
            keep(app, &job, &ended, app.clock.now(), None, stop).await?;
            rest_unmarked(app, inbox, memory, &unwritten);
            return Ok(());
        }
        let (end, message) = match attempt(app, inbox, memory, &job).await {
            Ok(done) => done,
            Err(error) => {
                // No connection was there to say anything of it: that is known too.
                let now = app.clock.now();
                let ended = put_back(error.to_string());
                keep(app, &job, &ended, now, None, stop).await?;
                return Err(error);
            }
        };
        n_sent += 1;
        let accepted = matches!(end.ended.event, Event::Accepted { .. });
        let more = accepted
            && n_sent < BATCH
            && !*stop.borrow()
            && inbox.budget.distance.is_zero()
            && !memory.has_gap(app.clock.now());
        let claim = more.then(|| claim(app, inbox, sent.clone()));
        let mut recorded = true;
        let mut is_suspect = false;
        let now = app.clock.now();
        next = match keep(app, &job, &end.ended, now, claim.as_ref(), stop).await? {
            Kept::Written(finished) => {
                is_suspect = finished.is_suspect;
                finished.next
            }
            Kept::Lost => {
                memory.doubt(app.clock.now());
                recorded = false;
                None
            }
        };
        if accepted && recorded {
            accepted_any = true;
            note_worked(app, inbox, memory, Worked::Sent).await?;
            memory.worked.sent = true;
            if end.ended.wire_id.is_none() && !submission.keeps_ids {
                memory.mailbox.await_names();
            }
            if submission.sent_copy == SentCopy::Client {
                let (id, message_id) = (&job.id, &job.message_id);
                let kept = keep_copy(app, inbox, memory, id, message_id, &message).await;
                if let Err(error) = kept {
                    tracing::warn!(inbox = %inbox.address, %error, "a copy is made at the next sign-in");
                }
            }
        }
        if let Some(evidence) = end.evidence.clone().filter(passes) {
            note_failing(app, inbox, memory, evidence).await?;
        }
        if next.is_none() {
            // It may have been a campaign's last.
            app.bell.tell();
            let does = if is_suspect {
                InboxDoes::BeProbed
            } else {
                end.inbox
            };
            conclude(app, inbox, memory, does, end.evidence).await?;
        }
    }
    if accepted_any {
        // Their copies may speak of doubts that are open.
        memory.look_again(app.clock.now());
    }
    Ok(())
}

/// The end of an attempt of which nothing was said to a server.
fn put_back(words: String) -> Ended {
    Ended {
        event: Event::PutBack,
        words,
        wire_id: None,
        told: None,
    }
}

/// Nothing leaves that the mark does not know.
fn rest_unmarked(app: &App, inbox: &Inbox, memory: &mut Memory, unwritten: &Unwritten) {
    let delay = app.config.timing.first_retry_after;
    memory.rest(app, inbox, delay, unwritten.to_string());
}

/// Whether waiting is what is done about it.
fn passes(evidence: &Evidence) -> bool {
    classify(evidence).card().persistence == Persistence::Transient
}

/// How an attempt ended, for the delivery and for the inbox.
struct End {
    ended: Ended,
    inbox: InboxDoes,
    evidence: Option<Evidence>,
}

async fn attempt(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    job: &Job,
) -> Result<(End, Vec<u8>), WorkError> {
    let way_out = app.way_out(job.tells_way_out, &inbox.address, &job.to);
    let step = job.steps.get(job.step_idx);
    let attached = step.map_or(&[][..], |step| step.files.as_slice());
    let parts = Parts {
        from: &inbox.address,
        files: &app.store.load_files(attached).await?,
        sender: &job.sender.or(&inbox.sender),
        to: &job.to,
        lead: &job.lead,
        fields: &job.fields,
        steps: &job.steps,
        step_idx: job.step_idx,
        delivery: &job.id,
        message_id: &job.message_id,
        thread: &job.thread,
        date: app.clock.now(),
        way_out: way_out.as_ref(),
    };
    let message = match compose(&parts) {
        Ok(message) => message,
        Err(error) => {
            let end = set_aside(Cause::MessageRejected, error.to_string());
            return Ok((end, Vec::new()));
        }
    };
    let envelope = Envelope {
        from: to_wire(&inbox.address),
        to: to_wire(&job.to),
    };
    let (session, _) = memory.mailbox.sender(app, inbox).await?;
    let outcome = send_renewing(app, job, session, &envelope, &message).await;
    let end = perform_outcome(app, inbox, memory, job, outcome).await;
    Ok((end, message))
}

/// Nothing was said to a server: this delivery cannot be sent, and the others can.
fn set_aside(cause: Cause, words: String) -> End {
    let ended = Ended {
        event: Event::Rejected { cause },
        words,
        wire_id: None,
        told: None,
    };
    End {
        ended,
        inbox: InboxDoes::GoOn,
        evidence: None,
    }
}

/// The relay ends before anything was handed over: nothing was met.
fn give_up(failure: &Failure) -> End {
    let ended = Ended {
        event: Event::PutBack,
        words: failure.said.to_string(),
        wire_id: None,
        told: None,
    };
    End {
        ended,
        inbox: InboxDoes::GoOn,
        evidence: None,
    }
}

/// Sends, and keeps the attempt ours for as long as that takes.
async fn send_renewing(
    app: &App,
    job: &Job,
    session: &mut Session,
    envelope: &Envelope,
    message: &[u8],
) -> Outcome {
    let sending = session.send(envelope, message);
    tokio::pin!(sending);
    loop {
        tokio::select! {
            outcome = &mut sending => return outcome,
            () = app.clock.wait_for(app.config.timing.lease_for / 3) => {
                let until = app.clock.now() + app.config.timing.lease_for;
                if let Err(error) = app.store.renew_lease(job, until).await {
                    tracing::error!(%error, delivery = %job.id, "the lease was not renewed");
                }
            }
        }
    }
}

/// What an outcome means; a session that it ended is closed.
async fn perform_outcome(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    job: &Job,
    outcome: Outcome,
) -> End {
    let now = app.clock.now();
    let inbox_of = inbox;
    let refused = |failure: Failure| {
        let evidence = failure.at(inbox.provider.clone(), now);
        let attempt = job.deferrals.saturating_add(1);
        let (end, consequence) = find_end(&evidence, attempt, now).map_or_else(
            || (None, decide_refused(&evidence, attempt, now)),
            |(end, consequence)| (Some(end), consequence),
        );
        let ended = Ended {
            event: consequence.delivery,
            words: evidence.words(),
            wire_id: None,
            told: end.map(|end| tell(app, inbox_of, job, end)),
        };
        let inbox = consequence.inbox;
        End {
            ended,
            inbox,
            evidence: Some(evidence),
        }
    };
    match outcome {
        Outcome::Accepted { reply } => {
            let addresses = [job.to.as_str(), inbox.address.as_str()];
            let wire_id = reading::find_wire_id_beside(&reply, &addresses)
                .map(|id| bare(&id).to_owned())
                .filter(|id| *id != job.message_id);
            let ended = Ended {
                event: Event::Accepted { at: now },
                words: reply.to_string(),
                wire_id,
                told: Some(tell(app, inbox, job, StandingEnd::Accepted)),
            };
            End {
                ended,
                inbox: InboxDoes::GoOn,
                evidence: None,
            }
        }
        Outcome::Refused { stage, reply } => refused(Failure::new(
            Party::Smtp,
            stage,
            protocol::evidence::Said::Smtp(reply),
        )),
        Outcome::NotHandedOver(failure) => {
            memory.mailbox.close_smtp().await;
            if app.dialer.ending().has_come() {
                give_up(&failure)
            } else {
                refused(failure)
            }
        }
        // The server's own offer speaks of this message or this lead, and of no other.
        Outcome::Unsendable { stage, words } => {
            let cause = match stage {
                Stage::Rcpt => Cause::RecipientRejected,
                _ => Cause::MessageRejected,
            };
            set_aside(cause, words)
        }
        Outcome::InDoubt(failure) => {
            memory.mailbox.close_smtp().await;
            memory.doubt(now);
            let evidence = failure.at(inbox.provider.clone(), now);
            let ended = Ended {
                event: Event::Doubted { at: now },
                words: evidence.words(),
                wire_id: None,
                told: Some(tell(app, inbox, job, StandingEnd::Doubted)),
            };
            End {
                ended,
                inbox: InboxDoes::WaitFor(Duration::ZERO),
                evidence: Some(evidence),
            }
        }
    }
}

/// What the inbox does after its last attempt of a batch.
async fn conclude(
    app: &App,
    inbox: &Inbox,
    memory: &mut Memory,
    does: InboxDoes,
    evidence: Option<Evidence>,
) -> Result<(), WorkError> {
    match (does, evidence) {
        (InboxDoes::GoOn, _) | (InboxDoes::BeProbed, None) => {}
        (InboxDoes::WaitFor(delay), evidence) => {
            if !delay.is_zero() {
                memory.mailbox.close_smtp().await;
                let words = evidence.map_or_else(String::new, |evidence| evidence.words());
                memory.rest(app, inbox, delay, words);
            }
        }
        (InboxDoes::BeProbed, Some(evidence)) => {
            memory.mailbox.close_smtp().await;
            suspect(app, inbox, memory, evidence).await?;
        }
    }
    Ok(())
}

fn claim(app: &App, inbox: &Inbox, sent: Option<SentPlace>) -> Claim {
    let now = app.clock.now();
    Claim {
        inbox: inbox.id.clone(),
        domain: inbox.address.domain().to_owned(),
        tags: app.keys.tags().clone(),
        now,
        lease_until: now + app.config.timing.lease_for,
        sent,
        owes_copy: inbox.copied_by() != CopiedBy::Server
            && copies::find_submission(app, inbox)
                .is_some_and(|submission| submission.sent_copy == SentCopy::Client),
        take_turn,
        pace,
        rests: rests(app),
    }
}

/// How long an inbox rests.
pub(super) fn rests(app: &App) -> Rests {
    Rests::of(app.config.timing.rest_minute)
}

/// An attempt's end, as the inbox's standing learns it.
fn tell(app: &App, inbox: &Inbox, job: &Job, end: StandingEnd) -> Told {
    let domain = domain_of(&job.to);
    let tried = Tried {
        delivery: job.id.clone(),
        is_own: domain == domain_of(&inbox.address),
        domain,
        end,
    };
    Told {
        tried,
        rests: rests(app),
    }
}
