//! Leads, one by one. Lists of them are [`super::leads`]'s, and what may follow what is [`protocol::lead`]'s.

use protocol::campaign::Step;
use protocol::problem::{Code, Problem};
use protocol::request::lead::{
    DeleteLead, DeletedLead, GetLead, Lead, LeadHistory, Leads, ListLeads, PauseLead, ResumeLead,
    StopLead, UpdateLead,
};

use super::leads::{find_fault, named_columns, read_steps};
use super::{Context, Serve, ServeError};
use crate::record::NewLead;
use crate::store::StoreError;
use crate::store::lead::Which;
use crate::text::leads::{ADDRESS_COLUMN, Unusable};
use crate::text::sequence::Sequence;

/// How many are listed where nothing is said.
const LIMIT: u32 = 100;
/// How many are listed at the most.
const LIMIT_AT_MOST: u32 = 1_000;
/// The longest text that is searched for, in characters.
const SEARCH_AT_MOST: usize = 200;

impl Serve for ListLeads {
    async fn serve(self, context: Context) -> Result<Leads, ServeError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_AT_MOST).contains(&limit) {
            let detail = format!("expected 1 to {LIMIT_AT_MOST}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        let n_chars = self.search.as_ref().map_or(0, |text| text.chars().count());
        if n_chars > SEARCH_AT_MOST {
            let detail = format!("expected at most {SEARCH_AT_MOST} characters, found {n_chars}");
            return Err(ServeError::invalid("search", detail));
        }
        let campaign = context.sight().campaign(&self.campaign_id).await?;
        let which = Which {
            state: self.state,
            search: self.search.as_deref(),
            after: self.after.as_ref(),
        };
        let store = &campaign.app().store;
        let leads = match store.list_leads(&self.campaign_id, which, limit).await {
            Err(StoreError::NotFound { .. }) => {
                let detail = "expected the id of a lead of this campaign, as `next` gives it";
                return Err(ServeError::invalid("after", detail));
            }
            listed => listed?,
        };
        let is_full = leads.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = leads.last().filter(|_| is_full).map(|last| last.id.clone());
        Ok(Leads { leads, next })
    }
}

impl Serve for GetLead {
    async fn serve(self, context: Context) -> Result<LeadHistory, ServeError> {
        let lead = context.sight().lead(&self.lead_id).await?;
        let store = &lead.app().store;
        Ok(LeadHistory {
            deliveries: store.list_deliveries_of_lead(&self.lead_id).await?,
            tries: store.list_tries(&self.lead_id).await?,
            lead: lead.into_inner(),
        })
    }
}

impl Serve for UpdateLead {
    async fn serve(self, context: Context) -> Result<Lead, ServeError> {
        let app = context.app()?;
        let lead = app.store.load_lead(&self.lead_id).await?;
        if self.fields.is_empty() {
            let detail = "expected at least one cell, as in {\"first_name\": \"Ann\"}";
            return Err(ServeError::invalid("fields", detail));
        }
        let mut fields = lead.fields;
        for (column, cell) in self.fields {
            let column = column.trim().to_lowercase();
            if column.is_empty() || column.chars().any(char::is_control) {
                let detail = format!("expected the name of a column, found {column:?}");
                return Err(ServeError::invalid("fields", detail));
            }
            if column == ADDRESS_COLUMN && cell.trim() != lead.address.as_str() {
                let detail =
                    "an address is another person's: delete this lead and add the other one";
                return Err(ServeError::invalid("fields", detail));
            }
            fields.insert(column, cell.trim().to_owned());
        }
        let changed = NewLead {
            row: 1,
            address: lead.address,
            fields,
        };
        let steps = app.store.load_campaign(&lead.campaign).await?.steps;
        let n_sent = usize::try_from(lead.sent).unwrap_or(usize::MAX);
        check(&steps, n_sent, &changed)?;
        app.store
            .update_lead(&self.lead_id, &changed.fields)
            .await?;
        Ok(app.store.load_lead(&self.lead_id).await?)
    }
}

/// There is a message of every step that is still to be sent. The first one's subject stands in its thread.
fn check(steps: &[Step], n_sent: usize, lead: &NewLead) -> Result<(), ServeError> {
    if n_sent >= steps.len() {
        return Ok(());
    }
    let columns: Vec<String> = lead.fields.keys().cloned().collect();
    let sequence = read_steps(steps)?;
    let named = named_columns(&sequence, &columns);
    let Some((column, fault)) = find_fault(&sequence, &named, lead) else {
        return Ok(());
    };
    let unusable = Unusable {
        row: lead.row,
        column,
        fault,
    };
    let (expected, found, _) = unusable.tell();
    let mut problem = Problem::new(
        Code::Invalid,
        format!("expected {expected}, found {found}: no message could be written with it"),
    );
    problem.field = Some(match unusable.column {
        Some(column) => format!("fields.{column}"),
        None => "fields".to_owned(),
    });
    Err(problem.into())
}

/// Whether a lead has its messages in other words than its campaign's.
pub(super) fn check_messages(sequence: &Sequence, lead: Lead) -> Result<(), ServeError> {
    let address = lead.address.clone();
    let new = NewLead {
        row: 1,
        address: lead.address,
        fields: lead.fields,
    };
    let columns: Vec<String> = new.fields.keys().cloned().collect();
    let named = named_columns(sequence, &columns);
    let Some((column, fault)) = find_fault(sequence, &named, &new) else {
        return Ok(());
    };
    let (expected, found, _) = Unusable {
        row: new.row,
        column,
        fault,
    }
    .tell();
    let detail = format!(
        "{} ({address}): expected {expected}, found {found}: say what stands there in its place, as in \
         {{{{first_name | default: \"there\"}}}}, or change that lead's cell",
        lead.id
    );
    Err(ServeError::invalid("steps", detail))
}

impl Serve for PauseLead {
    async fn serve(self, context: Context) -> Result<Lead, ServeError> {
        let app = context.app()?;
        app.store.pause_lead(&self.lead_id).await?;
        Ok(app.store.load_lead(&self.lead_id).await?)
    }
}

impl Serve for ResumeLead {
    async fn serve(self, context: Context) -> Result<Lead, ServeError> {
        let app = context.app()?;
        app.store
            .resume_lead(&self.lead_id, app.clock.now())
            .await?;
        let lead = app.store.load_lead(&self.lead_id).await?;
        app.bell.wake_inbox(&lead.inbox);
        Ok(lead)
    }
}

impl Serve for StopLead {
    async fn serve(self, context: Context) -> Result<Lead, ServeError> {
        let app = context.app()?;
        app.store.stop_lead(&self.lead_id, app.clock.now()).await?;
        // It may have been its campaign's last lead.
        app.bell.tell();
        Ok(app.store.load_lead(&self.lead_id).await?)
    }
}

impl Serve for DeleteLead {
    async fn serve(self, context: Context) -> Result<DeletedLead, ServeError> {
        let app = context.app()?;
        let now = app.clock.now();
        let kept_in_ledger = app.store.delete_lead(&self.lead_id, now).await?;
        app.bell.tell();
        Ok(DeletedLead { kept_in_ledger })
    }
}
