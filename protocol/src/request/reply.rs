//! What arrived about messages of campaigns: the list of it, its words, and what a person says of it.

use http::Method;
use serde::{Deserialize, Serialize};

use super::delivery::number_or_text;
use super::{Caller, Request};
use crate::account::Role;
use crate::id::{CampaignId, InboxId, LeadId, ReplyId};
use crate::inbox::Address;
use crate::key::Scope;
use crate::timestamp::Timestamp;

/// What kind of message arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person answered.
    Reply,
    /// A program answered for a person, as who is away has it do.
    AutoReply,
    /// A server could not deliver a message.
    Bounce,
    /// A recipient called a message abuse.
    Complaint,
    /// A person asked not to be written to any more.
    Unsubscribe,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Reply,
        Self::AutoReply,
        Self::Bounce,
        Self::Complaint,
        Self::Unsubscribe,
    ];

    /// As it stands in rows and on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::AutoReply => "auto_reply",
            Self::Bounce => "bounce",
            Self::Complaint => "complaint",
            Self::Unsubscribe => "unsubscribe",
        }
    }

    /// The kind of that code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// What a person says of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// They want to hear more. Nothing more is sent by itself.
    Interested,
    /// They do not want to hear more before a day.
    NotNow,
    /// Somebody else has to be written to. The lead is stopped; others are none the worse for it.
    WrongPerson,
    /// They are never written to again, in any campaign.
    Never,
    /// Nothing was said, or it was taken back.
    None,
}

impl Mark {
    /// Every mark.
    pub const ALL: [Self; 5] = [
        Self::Interested,
        Self::NotNow,
        Self::WrongPerson,
        Self::Never,
        Self::None,
    ];

    /// As it stands in rows and on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Interested => "interested",
            Self::NotNow => "not_now",
            Self::WrongPerson => "wrong_person",
            Self::Never => "never",
            Self::None => "none",
        }
    }

    /// The mark of that code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mark| mark.code() == code)
    }
}

/// Lists what arrived, newest first, page by page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListReplies {
    /// Only about messages of this campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<CampaignId>,
    /// Only at this inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_id: Option<InboxId>,
    /// Only about this lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<LeadId>,
    /// Only of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Only those of which a person said this; `none` are those of which nobody said anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mark>,
    /// Only those that arrived then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// At most so many; 100 when absent, 1,000 at most.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "number_or_text"
    )]
    pub limit: Option<u32>,
    /// Only those behind this one: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ReplyId>,
}

impl Request for ListReplies {
    const NAME: &'static str = "listReplies";
    const SUMMARY: &'static str = "Lists what arrived about messages of campaigns, newest first.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/replies";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Replies;
}

/// A page of what arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replies {
    /// Newest first, as they were read.
    pub replies: Vec<Reply>,
    /// With what the next page is asked for; `None` where this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ReplyId>,
}

/// A message that arrived about one of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reply {
    /// Its name in the API.
    pub id: ReplyId,
    /// What kind of message it is.
    pub kind: Kind,
    /// Who wrote it, as it says itself; empty where nobody is named.
    pub from: String,
    /// The name beside that; empty where there is none.
    pub from_name: String,
    /// Its subject.
    pub subject: String,
    /// When its server took it.
    pub arrived_at: Timestamp,
    /// The inbox that it arrived at.
    pub inbox: InboxId,
    /// The campaign of the message that it is about.
    pub campaign: CampaignId,
    /// The lead of that message.
    pub lead: LeadId,
    /// The lead's address.
    pub lead_address: Address,
    /// The step of that message, from 1.
    pub step: u32,
    /// Until when its writer is away, where a program answered and names a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_until: Option<Timestamp>,
    /// What a person says of it.
    pub mark: Mark,
    /// When they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked_at: Option<Timestamp>,
    /// For [`Mark::NotNow`]: until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// For [`Mark::NotNow`]: whether the lead's sequence goes on then.
    pub goes_on: bool,
}

/// Shows one reply with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ShowReply {
    /// The reply.
    pub reply_id: ReplyId,
}

impl Request for ShowReply {
    const NAME: &'static str = "showReply";
    const SUMMARY: &'static str = "Shows one reply with its words.";
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/v1/replies/{reply_id}";
    const CALLER: Caller = Caller::Session(Role::Client);
    const SCOPE: Option<Scope> = Some(Scope::Read);
    type Response = Words;
}

/// A reply with its words, which are somebody else's: text, never to be taken for markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Words {
    /// The reply.
    pub reply: Reply,
    /// What they wrote, above what they quote; `None` where it is not kept, or not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What they quote, and what stands below that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<String>,
    /// Whether the message is longer than what is kept of it.
    pub is_cut: bool,
}

/// Says of a reply what it means, and does what follows from that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MarkReply {
    /// The reply.
    pub reply_id: ReplyId,
    /// What it means.
    pub mark: Mark,
    /// For `not_now`: until when, a day as in 2027-01-14 (it begins by the campaign's schedule, else in UTC) or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// For `not_now`: whether the rest of the lead's sequence goes on then. Without it nothing more is sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub goes_on: bool,
}

impl Request for MarkReply {
    const NAME: &'static str = "markReply";
    const SUMMARY: &'static str = "Says of a reply what it means, and does what follows from that.";
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/v1/replies/{reply_id}/mark";
    const CALLER: Caller = Caller::Session(Role::Member);
    const SCOPE: Option<Scope> = Some(Scope::Campaigns);
    const RECORDED: &'static [&'static str] = &["mark", "until", "goes_on"];
    type Response = Reply;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_the_wire_have_the_same_names() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.code());
            assert_eq!(Kind::parse(kind.code()), Some(kind));
        }
        for mark in Mark::ALL {
            assert_eq!(serde_json::to_value(mark).unwrap(), mark.code());
            assert_eq!(Mark::parse(mark.code()), Some(mark));
        }
    }
}
