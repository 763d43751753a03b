//! Campaigns: creating one, its leads, and its start, pause and resume. What may follow what is
//! [`protocol::campaign`]'s.

use std::collections::BTreeSet;

use protocol::campaign::{PausedBy, State, Step};
use protocol::connection::Connection;
use protocol::id::{CampaignId, InboxId};
use protocol::problem::{Code, Problem};
use protocol::request::campaign::{
    Campaign, Campaigns, CreateCampaign, GetCampaign, ImportLeads, ImportedLeads, ListCampaigns,
    PauseCampaign, ResumeCampaign, StartCampaign,
};

use super::{Context, Serve, ServeError};
use crate::record::NewLead;
use crate::store::StoreError;
use crate::store::lead::ImportError;
use crate::text::leads::{LeadsError, parse};
use crate::text::message::check_subject;
use crate::text::template::{TemplateError, parse_fields, render};

/// The longest name, in characters.
const NAME_AT_MOST: usize = 200;

impl Serve for CreateCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME_AT_MOST {
            let detail = format!(
                "expected a name of 1 to {NAME_AT_MOST} characters, found {}",
                name.chars().count()
            );
            return Err(ServeError::invalid("name", detail));
        }
        check_inboxes(&self.inboxes)?;
        check_steps(&self.steps)?;
        let app = context.app();
        match app
            .store
            .create_campaign(name, &self.inboxes, &self.steps, app.clock.now())
            .await
        {
            Err(error @ StoreError::NotFound { .. }) => {
                Err(ServeError::invalid("inboxes", error.to_string()))
            }
            created => Ok(created?),
        }
    }
}

impl Serve for ListCampaigns {
    async fn serve(self, context: Context) -> Result<Campaigns, ServeError> {
        Ok(Campaigns {
            campaigns: context.app().store.list_campaigns().await?,
        })
    }
}

impl Serve for GetCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        Ok(context.app().store.load_campaign(&self.campaign_id).await?)
    }
}

impl Serve for ImportLeads {
    async fn serve(self, context: Context) -> Result<ImportedLeads, ServeError> {
        let store = &context.app().store;
        let campaign = store.load_campaign(&self.campaign_id).await?;
        let csv = context.csv.clone();
        // Reading a long list would keep other requests waiting.
        let read = tokio::task::spawn_blocking(move || {
            let (columns, leads) = parse(&csv).map_err(|error| told(&error))?;
            check_fields(&campaign.steps, &columns, &leads)?;
            Ok::<_, ServeError>((columns, leads))
        });
        let (columns, leads) = read.await.map_err(ServeError::internal)??;
        match store.import_leads(&self.campaign_id, &leads).await {
            Ok(added) => Ok(ImportedLeads { added, columns }),
            Err(error @ ImportError::Known { row, .. }) => {
                Err(Problem::new(Code::Invalid, format!("row {row}: {error}"))
                    .at_field("email")
                    .at_row(row)
                    .into())
            }
            Err(ImportError::Store(error)) => Err(error.into()),
        }
    }
}

impl Serve for StartCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let app = context.app();
        let campaign = app.store.load_campaign(&self.campaign_id).await?;
        if campaign.status == State::Draft {
            check_ready(&context, &campaign).await?;
        }
        app.store
            .start_campaign(&self.campaign_id, app.clock.now())
            .await?;
        load_and_nudge(&context, &self.campaign_id).await
    }
}

impl Serve for PauseCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let app = context.app();
        app.store
            .pause_campaign(&self.campaign_id, app.clock.now())
            .await?;
        load_and_nudge(&context, &self.campaign_id).await
    }
}

impl Serve for ResumeCampaign {
    async fn serve(self, context: Context) -> Result<Campaign, ServeError> {
        let app = context.app();
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
    let campaign = context.app().store.load_campaign(id).await?;
    for inbox in &campaign.inboxes {
        context.app().bell.wake_inbox(inbox);
    }
    Ok(campaign)
}

/// A campaign with nobody to write to, or no inbox that can send, would look as if it ran.
async fn check_ready(context: &Context, campaign: &Campaign) -> Result<(), ServeError> {
    if campaign.counts.leads == 0 {
        let detail = "this campaign has no leads: import some first";
        return Err(Problem::new(Code::Conflict, detail).into());
    }
    for id in &campaign.inboxes {
        let inbox = context.app().store.load_inbox(id).await?;
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
        return Err(ServeError::invalid("steps.0.subject", detail));
    }
    if first.wait_ms != 0 {
        let detail = format!(
            "the first step waits for nothing: expected 0, found {}",
            first.wait_ms
        );
        return Err(ServeError::invalid("steps.0.wait_ms", detail));
    }
    for (idx, step) in steps.iter().enumerate() {
        if step.body.trim().is_empty() {
            return Err(ServeError::invalid(
                &format!("steps.{idx}.body"),
                "expected a text, found nothing",
            ));
        }
        for (part, template) in [("subject", &step.subject), ("body", &step.body)] {
            parse_fields(template).map_err(|error| {
                ServeError::invalid(&format!("steps.{idx}.{part}"), error.to_string())
            })?;
        }
    }
    Ok(())
}

/// Every template must fill for every lead: found now, not at the hundredth message.
fn check_fields(steps: &[Step], columns: &[String], leads: &[NewLead]) -> Result<(), ServeError> {
    for lead in leads {
        for step in steps {
            let fill = |template: &str| {
                render(template, &lead.fields).map_err(|error| lacking(&error, columns, lead))
            };
            let subject = fill(&step.subject)?;
            check_subject(&subject).map_err(|error| {
                let detail = format!("row {}: {error} once its cells stand in it", lead.row);
                Problem::new(Code::Invalid, detail).at_row(lead.row)
            })?;
            fill(&step.body)?;
        }
    }
    Ok(())
}

fn lacking(error: &TemplateError, columns: &[String], lead: &NewLead) -> ServeError {
    let (detail, field) = match error {
        TemplateError::Missing { field } if columns.contains(field) => {
            let detail = format!(
                "row {}: the messages name {{{{{field}}}}}, and that cell is empty",
                lead.row
            );
            (detail, field.clone())
        }
        TemplateError::Missing { field } => {
            let detail = format!(
                "the messages name {{{{{field}}}}}, and the file has no such column: found {}",
                columns.join(", ")
            );
            (detail, field.clone())
        }
        TemplateError::Unclosed { .. } => (error.to_string(), "steps".to_owned()),
    };
    let row = if columns.contains(&field) {
        lead.row
    } else {
        1
    };
    Problem::new(Code::Invalid, detail)
        .at_field(field)
        .at_row(row)
        .into()
}

fn told(error: &LeadsError) -> ServeError {
    let mut problem = Problem::new(Code::Invalid, error.to_string());
    problem.row = error.row();
    if matches!(
        error,
        LeadsError::NoAddressColumn { .. }
            | LeadsError::Address { .. }
            | LeadsError::Duplicate { .. }
    ) {
        problem.field = Some("email".to_owned());
    }
    problem.into()
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
        }
    }

    #[test]
    fn steps_that_cannot_be_sent_are_refused_at_their_field() {
        for (steps, field) in [
            (vec![], "steps"),
            (vec![step("", "x", 0)], "steps.0.subject"),
            (vec![step("x", "x", 5)], "steps.0.wait_ms"),
            (vec![step("x", "x", 0), step("", " ", 5)], "steps.1.body"),
            (
                vec![step("x", "x", 0), step("", "{{name", 5)],
                "steps.1.body",
            ),
        ] {
            assert_eq!(refused(check_steps(&steps)).field.as_deref(), Some(field));
        }
        assert!(check_steps(&[step("Hi {{name}}", "x", 0), step("", "{{name}}", 5)]).is_ok());
    }

    #[test]
    fn a_field_that_a_lead_lacks_is_named_with_its_row() {
        let steps = [step("Hi {{name}}", "x", 0), step("", "{{city}}", 5)];
        let check = |csv: &str| {
            let (columns, leads) = parse(csv.as_bytes()).unwrap();
            check_fields(&steps, &columns, &leads)
        };
        assert!(check("email,name,city\na@a.example,Ann,Ulm\n").is_ok());
        let empty = refused(check(
            "email,name,city\na@a.example,Ann,Ulm\nb@b.example,Bob,\n",
        ));
        assert_eq!((empty.field.as_deref(), empty.row), (Some("city"), Some(3)));
        let long = refused(check(&format!(
            "email,name,city\na@a.example,Ann,Ulm\nb@b.example,{},Ulm\n",
            "x".repeat(1_000)
        )));
        assert_eq!(long.row, Some(3));
        assert!(long.detail.contains("found 1003"), "{}", long.detail);
        let missing = refused(check("email,name\na@a.example,Ann\n"));
        assert_eq!(
            (missing.field.as_deref(), missing.row),
            (Some("city"), Some(1))
        );
        assert!(
            missing.detail.contains("found email, name"),
            "{}",
            missing.detail
        );
    }
}
