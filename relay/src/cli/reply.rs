//! `unpause reply`: what arrived about messages of campaigns.

use std::fmt::Write as _;

use clap::{Subcommand, ValueEnum};
use protocol::id::{InboxId, LeadId, ReplyId};
use protocol::request::reply::{self, ListReplies, MarkReply, Reply, ShowReply, Words};
use protocol::timestamp::Timestamp;

use super::CliError;
use super::access::none_or;
use super::audit::parse_since;
use super::named::find_campaign;
use super::print::{Printer, columns, parse_number};
use crate::api::Client;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what arrived, newest first
    List {
        /// Only about messages of this campaign, by its name or cmp_…
        #[arg(long)]
        campaign: Option<String>,
        /// Only at this inbox, inb_…
        #[arg(long)]
        inbox: Option<String>,
        /// Only about this lead, lea_…
        #[arg(long)]
        lead: Option<String>,
        /// Only of this kind
        #[arg(long)]
        kind: Option<Kind>,
        /// Only those of which this was said
        #[arg(long)]
        mark: Option<Mark>,
        /// Only what arrived then or later: a date as 2026-11-30, or an instant
        #[arg(long, value_name = "WHEN", value_parser = parse_since)]
        since: Option<Timestamp>,
        /// At most so many, 1 to 1000
        #[arg(long, value_parser = parse_number)]
        limit: Option<u32>,
        /// Only those behind this one, rpl_…, as the end of a list names it
        #[arg(long)]
        after: Option<String>,
    },
    /// Show one with its words
    Show {
        /// The reply, rpl_…
        reply: String,
        /// Show what it quotes too
        #[arg(long)]
        quoted: bool,
    },
    /// Say what one means; what follows from that is done
    Mark {
        /// The reply, rpl_…
        reply: String,
        /// What it means
        mark: Mark,
        /// With `not-now`: until when, a day as 2027-01-14 or an instant
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
        /// With `not-now`: the rest of the lead's messages is sent from then on
        #[arg(long)]
        go_on: bool,
    },
}

/// What kind of message arrived.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    /// A person answered
    Reply,
    /// A program answered for a person
    AutoReply,
    /// A server could not deliver
    Bounce,
    /// A recipient called it abuse
    Complaint,
    /// A person asked to be written to no more
    Unsubscribe,
}

/// What a reply means.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Mark {
    /// They want to hear more
    Interested,
    /// They do not want to hear more before a day
    NotNow,
    /// Somebody else has to be written to
    WrongPerson,
    /// They are never written to again, in any campaign
    Never,
    /// Nothing
    None,
}

impl From<Kind> for reply::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Reply => Self::Reply,
            Kind::AutoReply => Self::AutoReply,
            Kind::Bounce => Self::Bounce,
            Kind::Complaint => Self::Complaint,
            Kind::Unsubscribe => Self::Unsubscribe,
        }
    }
}

impl From<Mark> for reply::Mark {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Interested => Self::Interested,
            Mark::NotNow => Self::NotNow,
            Mark::WrongPerson => Self::WrongPerson,
            Mark::Never => Self::Never,
            Mark::None => Self::None,
        }
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::List {
                campaign,
                inbox,
                lead,
                kind,
                mark,
                since,
                limit,
                after,
            } => {
                let campaign_id = match campaign {
                    Some(campaign) => Some(find_campaign(client, &campaign).await?),
                    None => None,
                };
                let request = ListReplies {
                    campaign_id,
                    inbox_id: inbox.map(InboxId::new),
                    lead_id: lead.map(LeadId::new),
                    kind: kind.map(reply::Kind::from),
                    mark: mark.map(reply::Mark::from),
                    since,
                    limit,
                    after: after.map(ReplyId::new),
                };
                let listed = client.call(&request).await?;
                printer.answer(&listed, |listed| {
                    let rows: Vec<_> = listed.replies.iter().map(row_of).collect();
                    let text = none_or(columns(&rows), "Nothing arrived.");
                    match &listed.next {
                        Some(next) => format!("{text}\nThere may be more: --after {next}"),
                        None => text,
                    }
                })?;
            }
            Self::Show { reply, quoted } => {
                let request = ShowReply {
                    reply_id: ReplyId::new(reply),
                };
                let words = client.call(&request).await?;
                printer.answer(&words, |words| describe_words(words, quoted))?;
            }
            Self::Mark {
                reply,
                mark,
                until,
                go_on,
            } => {
                let request = MarkReply {
                    reply_id: ReplyId::new(reply),
                    mark: mark.into(),
                    until,
                    goes_on: go_on,
                };
                printer.answer(&client.call(&request).await?, describe)?;
            }
        }
        Ok(())
    }
}

fn row_of(reply: &Reply) -> Vec<String> {
    vec![
        reply.id.to_string(),
        reply.arrived_at.to_string(),
        reply.kind.code().to_owned(),
        reply.from.clone(),
        mark_of(reply),
        reply.subject.clone(),
    ]
}

fn mark_of(reply: &Reply) -> String {
    match (reply.mark, reply.until) {
        (reply::Mark::None, _) => String::new(),
        (mark, Some(until)) => format!("{} until {until}", mark.code()),
        (mark, None) => mark.code().to_owned(),
    }
}

fn describe(reply: &Reply) -> String {
    let from = if reply.from_name.is_empty() {
        reply.from.clone()
    } else {
        format!("{} <{}>", reply.from_name, reply.from)
    };
    let mut text = format!(
        "{}  {}\nfrom      {from}\nsubject   {}\narrived   {}\ninbox     {}\ncampaign  {}\nlead      {} {}\nstep      {}",
        reply.id,
        reply.kind.code(),
        reply.subject,
        reply.arrived_at,
        reply.inbox,
        reply.campaign,
        reply.lead,
        reply.lead_address,
        reply.step
    );
    if let Some(until) = reply.away_until {
        let _ = write!(text, "\naway      until {until}");
    }
    if reply.mark != reply::Mark::None {
        let _ = write!(text, "\nmark      {}", mark_of(reply));
        if reply.mark == reply::Mark::NotNow {
            text.push_str(if reply.goes_on {
                ", and the rest of its messages is sent from then on"
            } else {
                "; nothing is sent by itself"
            });
        }
    }
    text
}

fn describe_words(words: &Words, with_quoted: bool) -> String {
    let mut text = describe(&words.reply);
    let Some(own) = &words.text else {
        text.push_str("\n\nIts words are not kept (setting reply_text_days).");
        return text;
    };
    let _ = write!(text, "\n\n{own}");
    match &words.quoted {
        Some(quoted) if with_quoted => {
            let _ = write!(text, "\n\n{quoted}");
        }
        Some(_) => text.push_str("\n\nIt quotes a message: --quoted shows that too."),
        None => {}
    }
    if words.is_cut {
        text.push_str("\n\nThe message is longer than what is kept of it.");
    }
    text
}
