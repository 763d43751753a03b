//! Messages before they are sent: what one will be, and whether there is one for every lead that its server takes.

use std::collections::HashMap;
use std::fmt::Write as _;

use protocol::campaign::{Attachment, Step};
use protocol::id::{DeliveryId, InboxId, LeadId};
use protocol::problem::{Code, Problem};
use protocol::request::campaign::Campaign;
use protocol::request::message::{
    CheckCampaign, Checked, HeaderField, LeadFault, Preview, PreviewMessage,
};
use protocol::sender::Sender;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::store::inbox::Inbox;
use crate::store::sender::Addressee;
use crate::tag::Named;
use crate::text::message::{Files, MessageError, Parts, to_listed, write, write_size_at_most};
use crate::text::sequence::{Recipient, Sequence};
use crate::text::template::TemplateError;
use crate::text::way_out::WayOut;

/// Leads that are read in one statement.
const SLICE: i64 = 2_000;
/// Leads that a page names, where it is not said.
const NAMED_USUALLY: u32 = 100;
/// Leads that a page names at most.
const NAMED_MAX: u32 = 1_000;
/// Leads that a refused start names.
const NAMED_AT_START: usize = 20;

impl Serve for PreviewMessage {
    async fn serve(self, context: Context) -> Result<Preview, ServeError> {
        let app = context.app()?;
        let campaign = app.store.load_campaign(&self.campaign_id).await?;
        let n_steps = campaign.steps.len();
        let step = self.step.unwrap_or(1);
        let step_idx = usize::try_from(step)
            .ok()
            .and_then(|step| step.checked_sub(1));
        let Some(step_idx) = step_idx.filter(|step_idx| *step_idx < n_steps) else {
            let detail = format!("expected a step of this campaign, 1 to {n_steps}, found {step}");
            return Err(ServeError::invalid("step", detail));
        };
        let lead = if let Some(address) = &self.lead {
            let person = to_listed(address.as_str());
            let found = app.store.find_addressee(&campaign.id, &person).await?;
            found.ok_or_else(|| {
                let detail = format!("no lead of this campaign has the address {address}");
                ServeError::invalid("lead", detail)
            })?
        } else {
            let first = app.store.list_addressees(&campaign.id, -1, 1).await?;
            first.into_iter().next().ok_or_else(|| {
                let detail = "this campaign has no leads: import some first";
                Problem::new(Code::Conflict, detail)
            })?
        };
        let inbox = app.store.load_inbox(&lead.inbox).await?;
        let own = app.store.load_campaign_sender(&campaign.id).await?;
        let step = campaign.steps.get(step_idx);
        let attached = step.map_or(&[][..], |step| step.files.as_slice());
        let _turn = wait_for_turn(attached).await;
        let files = app.store.load_files(attached).await?;
        preview(
            app,
            &campaign,
            step_idx,
            &lead,
            &inbox,
            (&own.or(&inbox.sender), &files),
            app.store.tells_way_out(&campaign.id).await?,
        )
    }
}

/// Messages with files are in memory as often as there are turns, whoever asks for them.
static TURNS: Semaphore = Semaphore::const_new(2);

/// Waits until one more message with these files may be made; those without any need no turn.
async fn wait_for_turn(attached: &[Attachment]) -> Option<SemaphorePermit<'static>> {
    if attached.is_empty() {
        return None;
    }
    // Nobody closes it.
    TURNS.acquire().await.ok()
}

/// The message as it will leave, but for its date.
fn preview(
    app: &App,
    campaign: &Campaign,
    step_idx: usize,
    lead: &Addressee,
    inbox: &Inbox,
    (sender, files): (&Sender, &Files),
    tells_way_out: bool,
) -> Result<Preview, ServeError> {
    let step = u32::try_from(step_idx + 1).unwrap_or(u32::MAX);
    let told = |error: MessageError| {
        let detail = format!("step {step} to {}: {error}", lead.address);
        ServeError::invalid("lead", detail)
    };
    let ids: Vec<String> = (1..=i64::from(step))
        .map(|step| {
            let named = Named {
                campaign: &campaign.id,
                lead: &lead.id,
                step,
                resends: 0,
            };
            app.keys
                .tags()
                .make_message_id(&named, inbox.address.domain())
        })
        .collect();
    let Some((message_id, thread)) = ids.split_last() else {
        return Err(told(MessageError::NoStep { number: 0 }));
    };
    let way_out = app.way_out(tells_way_out, &inbox.address, &lead.address);
    let parts = Parts {
        from: &inbox.address,
        sender,
        to: &lead.address,
        lead: &lead.id,
        fields: &lead.fields,
        steps: &campaign.steps,
        step_idx,
        delivery: &DeliveryId::new(""),
        message_id,
        thread,
        files,
        date: app.clock.now(),
        way_out: way_out.as_ref(),
    };
    let sequence = Sequence::parse(&campaign.steps).map_err(|error| told(error.error.into()))?;
    let to = Recipient {
        id: &lead.id,
        fields: &lead.fields,
    };
    let filled = sequence.fill(step_idx, to, sender).map_err(told)?;
    let message = write(&parts, filled.clone()).map_err(told)?;
    let head = String::from_utf8_lossy(&message);
    let head = head.split("\r\n\r\n").next().unwrap_or_default();
    // A folded line goes on with the next one (RFC 5322 §2.2.3).
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", "\t");
    let headers = unfolded.split("\r\n").filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        Some(HeaderField {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    });
    Ok(Preview {
        lead_id: lead.id.clone(),
        address: lead.address.clone(),
        from: inbox.address.clone(),
        step,
        subject: filled.subject,
        text: filled.text,
        html: filled.html,
        headers: headers.collect(),
        bytes: size_of(&message),
        at_most_bytes: inbox.size_at_most,
    })
}

/// What a server counts of a message: its last line end too (RFC 1870 §5).
fn size_of(message: &[u8]) -> u64 {
    message.len() as u64 + 2
}

impl Serve for CheckCampaign {
    async fn serve(self, context: Context) -> Result<Checked, ServeError> {
        let app = context.app()?;
        let campaign = app.store.load_campaign(&self.campaign_id).await?;
        let limit = self.limit.unwrap_or(NAMED_USUALLY);
        if !(1..=NAMED_MAX).contains(&limit) {
            let detail = format!("expected 1 to {NAMED_MAX}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        check(app, &campaign, limit, self.after.as_ref()).await
    }
}

/// A draft that has no message for some of its leads is not started: they would be set aside one by one, while the
/// others are written to.
pub(super) async fn refuse_unfit(app: &App, campaign: &Campaign) -> Result<(), ServeError> {
    let checked = check(app, campaign, NAMED_AT_START, None).await?;
    if checked.unfit == 0 {
        return Ok(());
    }
    let mut detail = format!(
        "{} of {} leads have no message: ",
        checked.unfit, checked.leads
    );
    for fault in &checked.faults {
        let _ = write!(
            detail,
            "{}, step {}: {}. ",
            fault.address, fault.step, fault.words
        );
    }
    let _ = write!(
        detail,
        "Nothing was started; to see all of them: unpause campaign check {}",
        campaign.id
    );
    let mut problem = Problem::new(Code::Conflict, detail);
    problem.field = checked.faults.first().and_then(|fault| fault.field.clone());
    Err(problem.into())
}

/// Fills every message of a campaign; names the leads without one, `limit` of them behind `after`.
async fn check(
    app: &App,
    campaign: &Campaign,
    limit: usize,
    after: Option<&LeadId>,
) -> Result<Checked, ServeError> {
    let sequence = Sequence::parse(&campaign.steps)
        .map_err(|error| Problem::new(Code::Conflict, error.to_string()))?;
    let own = app.store.load_campaign_sender(&campaign.id).await?;
    let mut inboxes = HashMap::new();
    for id in &campaign.inboxes {
        let inbox = app.store.load_inbox(id).await?;
        let sender = own.or(&inbox.sender);
        inboxes.insert(id.clone(), (inbox, sender));
    }
    let steps = campaign.steps.iter();
    let attached: Vec<_> = steps.flat_map(|step| step.files.clone()).collect();
    let _turn = wait_for_turn(&attached).await;
    // Each content once, whatever steps it goes with.
    let kept = app.store.load_files(&attached).await?;
    let of_step = |step: &Step| {
        let ids = step.files.iter().map(|file| &file.file_id);
        ids.filter_map(|id| Some((id.clone(), kept.get(id)?.clone())))
            .collect()
    };
    let files = campaign.steps.iter().map(of_step).collect();
    let mut checking = Checking {
        files,
        steps: campaign.steps.clone(),
        sequence,
        inboxes,
        awaited: after.cloned(),
        limit,
        checked: Checked {
            leads: 0,
            unfit: 0,
            faults: Vec::new(),
            next: None,
            largest_bytes: 0,
        },
    };
    let tells_way_out = app.store.tells_way_out(&campaign.id).await?;
    let mut position = -1;
    loop {
        let leads = app
            .store
            .list_addressees(&campaign.id, position, SLICE)
            .await?;
        let Some(last) = leads.last() else { break };
        position = last.position;
        let ways_out: Vec<_> = leads
            .iter()
            .map(|lead| {
                let (inbox, _) = checking.inboxes.get(&lead.inbox)?;
                app.way_out(tells_way_out, &inbox.address, &lead.address)
            })
            .collect();
        // Filling some thousand messages would keep other requests waiting.
        let filling = tokio::task::spawn_blocking(move || {
            for (lead, way_out) in leads.iter().zip(&ways_out) {
                checking.look_at(lead, way_out.as_ref());
            }
            checking
        });
        checking = filling.await.map_err(ServeError::internal)?;
    }
    if let Some(unknown) = checking.awaited {
        let detail = format!("expected a lead of this campaign, found {unknown}");
        return Err(ServeError::invalid("after", detail));
    }
    Ok(checking.checked)
}

/// What is known while the leads go by.
struct Checking {
    /// The files of each step.
    files: Vec<Files>,
    steps: Vec<Step>,
    sequence: Sequence,
    inboxes: HashMap<InboxId, (Inbox, Sender)>,
    /// The lead behind which faults are named, until it came by.
    awaited: Option<LeadId>,
    limit: usize,
    checked: Checked,
}

impl Checking {
    fn look_at(&mut self, lead: &Addressee, way_out: Option<&WayOut>) {
        self.checked.leads += 1;
        let fault = self.find_fault(lead, way_out);
        let was_awaited = self.awaited.as_ref() == Some(&lead.id);
        if let Some((step_idx, field, words)) = fault {
            self.checked.unfit += 1;
            if self.awaited.is_none() && self.checked.faults.len() < self.limit {
                self.checked.faults.push(LeadFault {
                    lead_id: lead.id.clone(),
                    address: lead.address.clone(),
                    step: u32::try_from(step_idx + 1).unwrap_or(u32::MAX),
                    field,
                    words,
                });
            } else if self.awaited.is_none() && self.checked.next.is_none() {
                let last = self.checked.faults.last();
                self.checked.next = last.map(|fault| fault.lead_id.clone());
            }
        }
        if was_awaited {
            self.awaited = None;
        }
    }

    /// The first step that the lead has no message of, the field that is missing, and what is wrong.
    fn find_fault(
        &mut self,
        lead: &Addressee,
        way_out: Option<&WayOut>,
    ) -> Option<(usize, Option<String>, String)> {
        let (inbox, sender) = self.inboxes.get(&lead.inbox)?;
        for step_idx in 0..self.sequence.len() {
            let to = Recipient {
                id: &lead.id,
                fields: &lead.fields,
            };
            let filled = match self.sequence.fill(step_idx, to, sender) {
                Ok(filled) => filled,
                Err(error) => {
                    let field = match &error {
                        MessageError::Template(TemplateError::Missing { field }) => {
                            Some(field.clone())
                        }
                        _ => None,
                    };
                    return Some((step_idx, field, error.to_string()));
                }
            };
            let files = self.files.get(step_idx)?;
            let most = write_size_at_most(&filled, sender, files);
            let at_most = inbox.size_at_most.unwrap_or(u64::MAX);
            let bytes = if most <= at_most {
                most
            } else {
                // It may be too large: only the message itself tells, with ids as long as they will be.
                let id = format!("{}@{}", "0".repeat(48), inbox.address.domain());
                let parts = Parts {
                    from: &inbox.address,
                    sender,
                    to: &lead.address,
                    lead: &lead.id,
                    fields: &lead.fields,
                    steps: &self.steps,
                    step_idx,
                    delivery: &DeliveryId::new(""),
                    message_id: &id,
                    thread: &vec![id.clone(); step_idx],
                    files,
                    date: protocol::timestamp::Timestamp::from_ms(0),
                    way_out,
                };
                match write(&parts, filled) {
                    Ok(message) => size_of(&message),
                    Err(error) => return Some((step_idx, None, error.to_string())),
                }
            };
            self.checked.largest_bytes = self.checked.largest_bytes.max(bytes);
            if bytes > at_most {
                let words = format!(
                    "the message has {bytes} bytes with everything encoded, and the server of {} takes at most {at_most}",
                    inbox.address
                );
                return Some((step_idx, None, words));
            }
        }
        None
    }
}
