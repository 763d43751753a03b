//! Campaigns: creating one, and its start, pause and resume. Its leads are [`super::leads`]'s. What may follow what is
//! [`protocol::campaign`]'s.

use std::collections::BTreeSet;

use protocol::campaign::{PausedBy, State, Step};
use protocol::connection::Connection;
use protocol::id::{CampaignId, InboxId, LeadId};
use protocol::lead::State as LeadState;
use protocol::problem::{Code, Problem};
use protocol::request::Done;
use protocol::request::campaign::{
    Campaign, Campaigns, CreateCampaign, DeleteCampaign, DuplicateCampaign, GetCampaign,
    ListCampaigns, PauseCampaign, ResumeCampaign, StartCampaign, StartedCampaign, UpdateCampaign,
};

use super::file::check_files;
use super::leads::read_steps;
use super::message::refuse_unfit;
use super::sender::read_sender;
use super::sending::read_schedule;
use super::{Context, Serve, ServeError};
use crate::record::Sending;
use crate::store::StoreError;
use crate::store::campaign::{Changes, Writes};
use crate::store::lead::Which;
use crate::text::message::check_subject;
use crate::text::plain;
use crate::text::sequence::Sequence;
use crate::text::template::marker;

/// The longest name, in characters.
const NAME_AT_MOST: usize = 200;
/// Leads whose messages are looked at together.
const LEADS_AT_ONCE: u32 = 1_000;
/// The longest wait between two steps: a year of 365 days.
const WAIT_AT_MOST_MS: u64 = 365 * 24 * 3_600_000;

impl Serve for CreateCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let name = check_name(&self.name)?;
        check_inboxes(&self.inboxes)?;
        check_steps(&self.steps)?;
        let sender = read_sender(self.sender)?;
        let app = context.app()?;
        check_files(app, &self.steps).await?;
        let now = app.clock.now();
        let (store, inboxes) = (&app.store, &self.inboxes);
        let writes = Writes {
            steps: &self.steps,
            sender: Some(&sender).filter(|sender| !sender.is_none()),
        };
        let created = match self.schedule {
            None => store.create_campaign(name, inboxes, writes, now).await,
            Some(asked) => {
                let sending = Sending {
                    schedule: Some(read_schedule(asked, now)?),
                    ..Sending::default()
                };
                store
                    .create_campaign_that(name, inboxes, writes, &sending, now)
                    .await
            }
        };
        match created {
            Err(error @ StoreError::NotFound { .. }) => {
                Err(ServeError::invalid("inboxes", error.to_string()))
            }
            created => Ok(created?),
        }
    }
}

impl Serve for UpdateCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let app = context.app()?;
        let id = &self.campaign_id;
        let before = app.store.load_campaign(id).await?;
        let name = self.name.as_deref().map(check_name).transpose()?;
        if let Some(steps) = &self.steps {
            check_steps(steps)?;
            check_files(app, steps).await?;
            check_messages(&context, &before, steps).await?;
        }
        let changes = Changes {
            name: name.map(str::to_owned),
            steps: self.steps,
            unsubscribe: self.unsubscribe,
        };
        app.store.update_campaign(id, changes).await?;
        Ok(app.store.load_campaign(id).await?)
    }
}

impl Serve for DuplicateCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let app = context.app()?;
        let name = check_name(&self.name)?;
        let of = app.store.load_campaign(&self.campaign_id).await?;
        let now = app.clock.now();
        let sender = app.store.load_campaign_sender(&of.id).await?;
        let writes = Writes {
            steps: &of.steps,
            sender: Some(&sender).filter(|sender| !sender.is_none()),
        };
        let made = app.store.create_campaign(name, &of.inboxes, writes, now);
        Ok(made.await?)
    }
}

impl Serve for DeleteCampaign {
    async fn serve(self, context: Context) -> Result<Done, ServeError> {
        let app = context.app()?;
        app.store.delete_campaign(&self.campaign_id).await?;
        Ok(Done {})
    }
}

fn check_name(name: &str) -> Result<&str, ServeError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_AT_MOST {
        let detail = format!(
            "expected a name of 1 to {NAME_AT_MOST} characters, found {}",
            name.chars().count()
        );
        return Err(ServeError::invalid("name", detail));
    }
    if let Some(found) = name.chars().find(|c| c.is_control()) {
        let detail = format!("expected a name of letters that can be shown, found {found:?} in it");
        return Err(ServeError::invalid("name", detail));
    }
    Ok(name)
}

/// Every lead that is still to be written to has its messages in the new words too.
async fn check_messages(
    context: &Context,
    campaign: &Campaign,
    steps: &[Step],
) -> Result<(), ServeError> {
    let text_of = |step: &Step| (step.subject.clone(), step.body.clone(), step.html.clone());
    if campaign
        .steps
        .iter()
        .map(text_of)
        .eq(steps.iter().map(text_of))
    {
        return Ok(());
    }
    let sequence = read_steps(steps)?;
    let mut after: Option<LeadId> = None;
    loop {
        let which = Which {
            after: after.as_ref(),
            ..Which::default()
        };
        let store = &context.app()?.store;
        let page = store.list_leads(&campaign.id, which, LEADS_AT_ONCE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id.clone());
        for lead in page {
            let ended = matches!(lead.state, LeadState::Done | LeadState::Stopped);
            if !ended {
                super::lead::check_messages(&sequence, lead)?;
            }
        }
    }
}

impl Serve for ListCampaigns {
    async fn serve(self, context: Context) -> Result<Campaigns, ServeError> {
        Ok(Campaigns {
            campaigns: context.sight().campaigns().await?,
        })
    }
}

impl Serve for GetCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let campaign = context.sight().campaign(&self.campaign_id).await?;
        Ok(campaign.into_inner())
    }
}

impl Serve for StartCampaign {
    async fn serve(self, context: Context) -> Result<StartedCampaign, ServeError> {
        let app = context.app()?;
        let campaign = app.store.load_campaign(&self.campaign_id).await?;
        if campaign.status == State::Draft {
            check_markers(&campaign.steps, &[])?;
            check_ready(&context, &campaign).await?;
            refuse_unfit(app, &campaign).await?;
        }
        let left_out = app
            .store
            .start_campaign(&self.campaign_id, app.clock.now())
            .await?;
        let campaign = load_and_nudge(&context, &self.campaign_id).await?;
        Ok(StartedCampaign { campaign, left_out })
    }
}

impl Serve for PauseCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let app = context.app()?;
        app.store
            .pause_campaign(&self.campaign_id, app.clock.now())
            .await?;
        load_and_nudge(&context, &self.campaign_id).await
    }
}

impl Serve for ResumeCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let app = context.app()?;
        let campaign = app.store.load_campaign(&self.campaign_id).await?;
        if matches!(
            &campaign.status,
            State::Paused {
                by: PausedBy::Person,
                ..
            }
        ) {
            check_ready(&context, &campaign).await?;
        }
        app.store
            .resume_campaign(&self.campaign_id, app.clock.now())
            .await?;
        load_and_nudge(&context, &self.campaign_id).await
    }
}

async fn load_and_nudge(context: &Context, id: &CampaignId) -> Result<Campaign, ServeError> {
    let app = context.app()?;
    let campaign = app.store.load_campaign(id).await?;
    for inbox in &campaign.inboxes {
        app.bell.wake_inbox(inbox);
    }
    // One that has nothing to send is over at once.
    app.bell.tell();
    Ok(campaign)
}

/// A campaign with nobody to write to, or no inbox that can send, would look as if it ran.
async fn check_ready(context: &Context, campaign: &Campaign) -> Result<(), ServeError> {
    if campaign.counts.leads == 0 {
        let detail = "this campaign has no leads: import some first";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    for id in &campaign.inboxes {
        let inbox = context.app()?.store.load_inbox(id).await?;
        if !matches!(inbox.connection, Connection::Disconnected { .. }) {
            return Ok(());
        }
    }
    let detail = "none of this campaign's inboxes is connected: reconnect one first";
    Err(Problem::new(Code::Conflict, detail).into())
}

fn check_inboxes(inboxes: &[InboxId]) -> Result<(), ServeError> {
    if inboxes.is_empty() {
        return Err(ServeError::invalid(
            "inboxes",
            "expected at least one inbox",
        ));
    }
    let mut seen = BTreeSet::new();
    match inboxes.iter().find(|inbox| !seen.insert(*inbox)) {
        Some(twice) => Err(ServeError::invalid(
            "inboxes",
            format!("{twice} is named twice"),
        )),
        None => Ok(()),
    }
}

fn check_steps(steps: &[Step]) -> Result<(), ServeError> {
    let Some(first) = steps.first() else {
        return Err(ServeError::invalid("steps", "expected at least one step"));
    };
    if first.subject.trim().is_empty() {
        let detail = "the first step needs a subject; later ones answer in its thread";
        return Err(ServeError::invalid("steps[0].subject", detail));
    }
    for (idx, step) in steps.iter().enumerate() {
        if step.wait_ms > WAIT_AT_MOST_MS {
            let detail = format!(
                "expected at most {WAIT_AT_MOST_MS} milliseconds, a year, found {}",
                step.wait_ms
            );
            return Err(ServeError::invalid(
                &format!("steps[{idx}].wait_ms"),
                detail,
            ));
        }
    }
    if first.wait_ms != 0 {
        let detail = format!(
            "the first step waits for nothing: expected 0, found {}",
            first.wait_ms
        );
        return Err(ServeError::invalid("steps[0].wait_ms", detail));
    }
    for (idx, step) in steps.iter().enumerate() {
        check_subject(&step.subject).map_err(|error| {
            ServeError::invalid(&format!("steps[{idx}].subject"), error.to_string())
        })?;
        check_texts(idx, step)?;
    }
    Sequence::parse(steps).map_err(|error| {
        let field = format!("steps[{}].{}", error.step_idx, error.part);
        ServeError::invalid(&field, error.to_string())
    })?;
    check_markers(steps, &[])
}

/// A message says something, as text too: programs that show no HTML, and servers that judge mail, read that.
fn check_texts(idx: usize, step: &Step) -> Result<(), ServeError> {
    let html = step.html.as_deref().map(str::trim);
    if step.body.trim().is_empty() {
        match html {
            None | Some("") => {
                return Err(ServeError::invalid(
                    &format!("steps[{idx}].body"),
                    "expected a text, or HTML of which one can be made, found nothing",
                ));
            }
            Some(html) if plain::from_html(html).trim().is_empty() => {
                return Err(ServeError::invalid(
                    &format!("steps[{idx}].html"),
                    "expected words in the HTML, or a body with the message as text, found HTML that has none",
                ));
            }
            Some(_) => {}
        }
    }
    match html {
        Some(html) if !html.contains('<') => Err(ServeError::invalid(
            &format!("steps[{idx}].html"),
            "expected HTML, as in <p>Hello</p>, found text: write it as body",
        )),
        _ => Ok(()),
    }
}

/// What another tool would replace is not sent to people as it stands. `columns` are those of the list, where there is
/// one.
pub(super) fn check_markers(steps: &[Step], columns: &[String]) -> Result<(), ServeError> {
    for (idx, step) in steps.iter().enumerate().filter(|(_, step)| !step.literal) {
        let html = step.html.as_deref().map(marker::mask_html);
        let texts = [
            ("subject", Some(step.subject.as_str())),
            ("body", Some(step.body.as_str())),
            ("html", html.as_deref()),
        ];
        for (part, template) in texts {
            let found = template.and_then(|template| marker::find(template, columns));
            if let Some(marker) = found {
                let detail = format!("step {}, {part}, {marker}", idx + 1);
                return Err(ServeError::invalid(&format!("steps[{idx}].{part}"), detail));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(result: Result<T, ServeError>) -> Problem {
        match result {
            Err(ServeError::Refused(problem)) => *problem,
            other => panic!("{other:?}"),
        }
    }

    fn step(subject: &str, body: &str, wait_ms: u64) -> Step {
        Step {
            subject: subject.to_owned(),
            body: body.to_owned(),
            wait_ms,
            ..Step::default()
        }
    }

    #[test]
    fn steps_that_cannot_be_sent_are_refused_at_their_field() {
        for (steps, field) in [
            (vec![], "steps"),
            (vec![step("", "x", 0)], "steps[0].subject"),
            (vec![step("x", "x", 5)], "steps[0].wait_ms"),
            (
                vec![step("x", "x", 0), step("", "x", WAIT_AT_MOST_MS + 1)],
                "steps[1].wait_ms",
            ),
            (vec![step("x", "x", 0), step("", " ", 5)], "steps[1].body"),
            (
                vec![step("x", "x", 0), step("", "{{name", 5)],
                "steps[1].body",
            ),
        ] {
            assert_eq!(refused(check_steps(&steps)).field.as_deref(), Some(field));
        }
        assert!(check_steps(&[step("Hi {{name}}", "x", 0), step("", "{{name}}", 5)]).is_ok());
    }

    #[test]
    fn what_another_tool_would_replace_is_refused_at_its_step_unless_it_is_meant() {
        let mut steps = vec![step("Hi", "x", 0), step("", "a\nHi [First Name]", 5)];
        let problem = refused(check_steps(&steps));
        assert_eq!(problem.field.as_deref(), Some("steps[1].body"));
        let words = "step 2, body, line 2: \"[First Name]\" would be sent as it stands: write {{first_name}}";
        assert!(problem.detail.starts_with(words), "{}", problem.detail);
        steps[1].literal = true;
        assert!(check_steps(&steps).is_ok());
    }
}
