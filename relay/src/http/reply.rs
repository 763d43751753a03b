//! What arrived about messages of campaigns, and what a person says of it.

use std::str::FromStr as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use protocol::problem::{Code, Problem};
use protocol::request::reply::{ListReplies, Mark, MarkReply, Replies, Reply, ShowReply, Words};
use protocol::timestamp::Timestamp;

use super::{Context, Serve, ServeError};
use crate::app::App;
use crate::schedule::find_zone;
use crate::store::StoreError;
use crate::store::reply::{Meaning, Which};

/// How many are listed where nothing is said.
const LIMIT: u32 = 100;
/// How many are listed at the most.
const LIMIT_AT_MOST: u32 = 1_000;
/// Nobody is put off for longer than this.
const YEARS_AT_MOST: u64 = 3;

impl Serve for ListReplies {
    async fn serve(self, context: Context) -> Result<Replies, ServeError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_AT_MOST).contains(&limit) {
            let detail = format!("expected 1 to {LIMIT_AT_MOST}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        let sight = context.sight();
        // What is asked for by name is there, or it is said that it is not.
        if let Some(campaign) = &self.campaign_id {
            sight.campaign(campaign).await?;
        }
        if let Some(inbox) = &self.inbox_id {
            sight.inbox(inbox).await?;
        }
        if let Some(lead) = &self.lead_id {
            sight.lead(lead).await?;
        }
        if let Some(after) = &self.after {
            match sight.reply(after).await {
                Err(StoreError::NotFound { .. }) => {
                    let detail = "expected the id of a reply, as `next` gives it";
                    return Err(ServeError::invalid("after", detail));
                }
                found => found?,
            };
        }
        let which = Which {
            campaign: self.campaign_id.as_ref(),
            inbox: self.inbox_id.as_ref(),
            lead: self.lead_id.as_ref(),
            kind: self.kind,
            mark: self.mark,
            since: self.since,
            after: self.after.as_ref(),
            of: None,
        };
        let replies = sight.replies(which, limit).await?;
        let is_full = replies.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = replies
            .last()
            .filter(|_| is_full)
            .map(|last| last.id.clone());
        Ok(Replies { replies, next })
    }
}

impl Serve for ShowReply {
    async fn serve(self, context: Context) -> Result<Words, ServeError> {
        Ok(context.sight().reply(&self.reply_id).await?.into_inner())
    }
}

impl Serve for MarkReply {
    async fn serve(self, context: Context) -> Result<Reply, ServeError> {
        let app = context.app()?;
        let now = app.clock.now();
        let reply = app.store.load_reply(&self.reply_id).await?.reply;
        let meaning = read_meaning(app, &self, &reply).await?;
        app.store.mark_reply(&self.reply_id, meaning, now).await?;
        if meaning == Meaning::Never {
            let whom = crate::text::message::to_listed(reply.lead_address.as_str());
            let whom = whom
                .parse()
                .map_err(|_| StoreError::Corrupt { what: "address" })?;
            app.store.suppress(&whom, now).await?;
        }
        // It may have been its campaign's last lead, or one that is sent to again.
        app.bell.tell();
        let lead = app.store.load_lead(&reply.lead).await?;
        app.bell.wake_inbox(&lead.inbox);
        Ok(app.store.load_reply(&self.reply_id).await?.reply)
    }
}

/// What is said of a reply, or what is missing or too much.
async fn read_meaning(app: &App, asked: &MarkReply, reply: &Reply) -> Result<Meaning, ServeError> {
    if asked.mark != Mark::NotNow {
        let surplus = [("until", asked.until.is_some()), ("goes_on", asked.goes_on)];
        if let Some((field, _)) = surplus.into_iter().find(|(_, is_there)| *is_there) {
            let detail = format!(
                "expected it with the mark not_now alone, found it with {}",
                asked.mark.code()
            );
            return Err(ServeError::invalid(field, detail));
        }
    }
    Ok(match asked.mark {
        Mark::Interested => Meaning::Interested,
        Mark::WrongPerson => Meaning::WrongPerson,
        Mark::Never => Meaning::Never,
        Mark::None => Meaning::None,
        Mark::NotNow => Meaning::NotNow {
            until: read_until(app, asked.until.as_deref(), reply).await?,
            goes_on: asked.goes_on,
        },
    })
}

async fn read_until(
    app: &App,
    until: Option<&str>,
    reply: &Reply,
) -> Result<Timestamp, ServeError> {
    const EXPECTED: &str =
        "expected a day to come, as in 2027-01-14, or an instant, as in 2027-01-14T09:00:00Z";
    let invalid = |found: &str| {
        let mut problem = Problem::new(Code::Invalid, format!("{EXPECTED}, found {found}"));
        problem.field = Some("until".to_owned());
        ServeError::from(problem)
    };
    let Some(until) = until.map(str::trim).filter(|until| !until.is_empty()) else {
        return Err(invalid("nothing"));
    };
    let shown = || format!("{:?}", until.chars().take(80).collect::<String>());
    let at = if let Ok(at) = Timestamp::from_str(until) {
        at
    } else {
        let day = Date::from_str(until).map_err(|_| invalid(&shown()))?;
        let campaign = app.store.load_campaign(&reply.campaign).await?;
        let schedule = app.store.load_sending(&campaign.id).await?.schedule;
        let zone = schedule
            .and_then(|schedule| find_zone(&schedule.zone))
            .unwrap_or(TimeZone::UTC);
        let begins = zone.to_timestamp(day.at(0, 0, 0, 0));
        Timestamp::from_ms(begins.map_err(|_| invalid(&shown()))?.as_millisecond())
    };
    let now = app.clock.now();
    let last = now + std::time::Duration::from_hours(24 * 366 * YEARS_AT_MOST);
    if at <= now {
        return Err(invalid(&format!("{at}, which is over")));
    }
    if at > last {
        return Err(invalid(&format!(
            "{at}, which is more than {YEARS_AT_MOST} years off"
        )));
    }
    Ok(at)
}
