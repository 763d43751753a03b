//! Complaints: somebody called a message of ours abuse, and their provider reports it (RFC 5965).

use super::head::Head;
use super::parts::Body;
use super::{Named, address, bounce};

/// What a report may be of (RFC 5965 §7.3, RFC 6430, RFC 6591) that is no complaint about the message.
const NO_COMPLAINTS: &[&str] = &["not-spam", "auth-failure", "dmarc", "dkim", "virus"];

/// Senders of reports without a type, by the first words of their local parts; Microsoft's and Amazon's are sent as
/// mixed parts.
const SENDERS: &[&str] = &[
    "complaint",
    "complaints",
    "abuse",
    "feedback",
    "feedbackloop",
    "fbl",
    "arf",
    "staff",
    "junkreport",
    "spamreport",
];

/// Whether the head leaves it open that this is one.
pub(super) fn may_be(head: &Head<'_>) -> bool {
    let is_feedback = head
        .attribute("report-type")
        .is_some_and(|kind| kind == "feedback-report");
    is_feedback || head.kind().starts_with("multipart/") && is_desk(head)
}

/// The message that is complained about; `None` where this is no complaint.
pub(super) fn find(head: &Head<'_>, body: &Body) -> Option<Named> {
    let returned = bounce::returned(body, &[]);
    let fields: Vec<(String, String)> = body
        .feedback
        .iter()
        .flat_map(|report| report.lines())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_lowercase(), value.trim().to_lowercase()))
        .collect();
    let kind = fields.iter().find(|(name, _)| name == "feedback-type");
    match kind {
        Some((_, kind)) if NO_COMPLAINTS.iter().any(|other| kind.starts_with(other)) => {
            return None;
        }
        Some(_) => {}
        // Without a type, it is the desk that says so by handing the message back.
        None if may_be(head) && !returned.is_empty() => {}
        None => return None,
    }
    let mut of = bounce::named(&returned);
    let told = fields
        .iter()
        .filter(|(name, _)| ["original-rcpt-to", "removal-recipient"].contains(&name.as_str()))
        .filter_map(|(_, value)| address::of_field(value));
    let hidden = returned
        .iter()
        .filter_map(|bytes| Head::parse(bytes)?.value("X-HmXmrOriginalRecipient"));
    let hidden: Vec<String> = hidden
        .filter_map(|value| address::of_field(&value))
        .collect();
    of.addresses = told
        .chain(hidden)
        .chain(of.addresses)
        .take(super::ADDRESSES_MAX)
        .collect();
    (!of.ids.is_empty() || of.delivery.is_some() || !of.addresses.is_empty()).then_some(of)
}

fn is_desk(head: &Head<'_>) -> bool {
    // Whoever answers a message writes himself, whatever he is called.
    let is_answer = ["In-Reply-To", "References"]
        .iter()
        .any(|name| head.value(name).is_some());
    let from = head
        .from()
        .or_else(|| head.value("From"))
        .unwrap_or_default();
    let local = from.rsplit_once('@').map_or("", |(local, _)| local);
    let local = local.rsplit_once('<').map_or(local, |(_, local)| local);
    let first = local
        .split(|c: char| !c.is_alphabetic())
        .find(|word| !word.is_empty());
    let first = first.map(str::to_lowercase).unwrap_or_default();
    !is_answer && SENDERS.contains(&first.as_str())
}
