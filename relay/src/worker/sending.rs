//! Sending what is due through one inbox: intent before the first byte, outcome after the reply, and the
//! next intent in the same commit.

use std::time::Duration;

use protocol::cause::Cause;
use protocol::delivery::Event;
use protocol::evidence::{Evidence, Party, Stage};
use protocol::provider::{SentCopy, Submission};
use protocol::standing::{End as StandingEnd, Rests, Tried};
use protocol::timestamp::Timestamp;
use tokio::sync::watch;

use super::WorkError;
use super::confirming::suspect;
use super::mailbox::watch_for_copy;
use super::memory::Memory;
use crate::app::App;
use crate::engine::outcome::{InboxDoes, decide_refused, find_end};
use crate::failure::Failure;
use crate::record::FolderPosition;
use crate::smtp::{Envelope, Outcome, Session, reading};
use crate::store::StoreError;
use crate::store::delivery::{Claim, Ended, Job};
use crate::store::inbox::Inbox;
use crate::store::standing::{Told, domain_of};
use crate::text::arrival::bare;
use crate::text::message::{Parts, compose};

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
    let due = find_next_try(app, inbox)
        .await?
        .is_some_and(|due| due <= now);
    if !due || *stop.borrow() {
        return Ok(());
    }
    let (_, sent) = memory.mailbox.sender(app, inbox).await?;
    if memory.has_gap(app.clock.now()) {
        return Ok(());
    }
    let mut next = app.store.claim_delivery(&claim(app, inbox, sent)).await?;
    let mut n_sent = 0;
    let mut accepted_any = false;
    while let Some(job) = next {
        let (end, message) = attempt(app, inbox, memory, &job).await?;
        n_sent += 1;
        let accepted = matches!(end.ended.event, Event::Accepted { .. });
        let more = accepted
            && n_sent < BATCH
            && !*stop.borrow()
            && inbox.gap.is_zero()
            && !memory.has_gap(app.clock.now());
        let claim = more.then(|| claim(app, inbox, sent));
        let mut recorded = true;
        let mut is_suspect = false;
        next = match app
            .store
            .finish_delivery(&job, &end.ended, app.clock.now(), claim.as_ref())
            .await
        {
            Ok(finished) => {
                is_suspect = finished.is_suspect;
                finished.next
            }
            Err(error @ StoreError::FenceLost { .. }) => {
                // Whoever holds it now decides; what we know is in the log and nowhere else.
                tracing::error!(%error, delivery = %job.id, "an attempt outlived its lease");
                memory.doubt(app.clock.now());
                recorded = false;
                None
            }
            Err(error) => return Err(error.into()),
        };
        if accepted && recorded {
            accepted_any = true;
            memory.worked.sent = true;
            if end.ended.wire_id.is_none() && !submission.keeps_ids {
                memory.mailbox.await_names();
            }
            keep_copy(app, inbox, submission, memory, &message).await;
        }
        if next.is_none() {
            let does = if is_suspect {
                InboxDoes::BeProbed
            } else {
                end.inbox
            };
            conclude(app, inbox, memory, does, end.evidence).await?;
        }
    }
    let copies = matches!(submission.sent_copy, SentCopy::Server { .. });
    if accepted_any && copies && inbox.copy_seen_at.is_none() {
        watch_for_copy(app, inbox, &mut memory.mailbox).await?;
    }
    Ok(())
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
    let parts = Parts {
        from: &inbox.address,
        to: &job.to,
        fields: &job.fields,
        steps: &job.steps,
        step_idx: job.step_idx,
        delivery: &job.id,
        message_id: &job.message_id,
        thread: &job.thread,
        date: app.clock.now(),
    };
    let message = match compose(&parts) {
        Ok(message) => message,
        Err(error) => {
            let end = set_aside(Cause::MessageRejected, error.to_string());
            return Ok((end, Vec::new()));
        }
    };
    let envelope = Envelope {
        from: inbox.address.clone(),
        to: job.to.clone(),
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
            let wire_id = reading::find_wire_id(&reply)
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
            refused(failure)
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
        (InboxDoes::WaitFor(delay), _) => {
            if !delay.is_zero() {
                memory.mailbox.close_smtp().await;
                memory.rest(app, delay);
            }
        }
        (InboxDoes::BeProbed, Some(evidence)) => {
            memory.mailbox.close_smtp().await;
            suspect(app, inbox, memory, evidence).await?;
        }
    }
    Ok(())
}

/// A copy in the sent folder, where nobody but the client makes one. It is made after the acceptance is
/// on record, is evidence of nothing, and its failure costs only the copy.
async fn keep_copy(
    app: &App,
    inbox: &Inbox,
    submission: &Submission,
    memory: &mut Memory,
    message: &[u8],
) {
    if submission.sent_copy != SentCopy::Client {
        return;
    }
    let kept = match memory.mailbox.reader(app, inbox).await {
        Ok(reader) => reader.append_sent(message).await,
        Err(error) => Err(error),
    };
    if let Err(error) = kept {
        tracing::warn!(inbox = %inbox.address, %error, "no copy was kept in the sent folder");
    }
}

fn claim(app: &App, inbox: &Inbox, sent: Option<FolderPosition>) -> Claim {
    let now = app.clock.now();
    Claim {
        inbox: inbox.id.clone(),
        domain: inbox.address.domain().to_owned(),
        now,
        lease_until: now + app.config.timing.lease_for,
        sent,
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

/// When the inbox tries something next, with the distance that it keeps to its last try.
pub(super) async fn find_next_try(
    app: &App,
    inbox: &Inbox,
) -> Result<Option<Timestamp>, WorkError> {
    let now = app.clock.now();
    let next = app.store.find_next_try(&inbox.id, &rests(app), now).await?;
    let Some(next) = next else { return Ok(None) };
    let Some(last) = inbox.last_sent_at else {
        return Ok(Some(next));
    };
    let standing = app.store.load_standing(&inbox.id).await?;
    let pace = if standing.is_at_half_pace(now) {
        inbox.gap.saturating_mul(2)
    } else {
        inbox.gap
    };
    Ok(Some(next.max(last + pace)))
}
