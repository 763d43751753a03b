//! What arrived messages prove to a ledger that was put back: nobody answers, returns or reports what was not sent. A
//! message of ours that the ledger does not know is known by its tag; that it was heard of is written down elsewhere.

use std::collections::HashMap;

use protocol::id::InboxId;
use protocol::inbox::Address;
use protocol::timestamp::Timestamp;

use super::super::clocks::Moment;
use super::super::{Store, StoreError, number, text};
use super::{Made, Match, SeenCopy, Stray, accept_match, add_stray};
use crate::tag::{Named, Tags};
use crate::text::message::to_listed;

/// What an arrived message says of messages of ours.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The tags of ours that it names, in small letters.
    pub tags: Vec<String>,
    /// Whom it is from, or about.
    pub addresses: Vec<String>,
    /// When it arrived: what it names was sent by then.
    pub at: Timestamp,
}

impl Store {
    /// Takes over for sent what an arrived message names and the ledger never attempted, with the steps before it; who
    /// stands in no list is kept as a stray. Answers how many deliveries are accepted by it.
    ///
    /// A tag that a delivery bears costs one look along an index. Leads are looked at only for one that none does, which
    /// a ledger that knows all it sent never meets; whoever the message is from or about first.
    pub async fn take_named(
        &self,
        inbox: &InboxId,
        address: &Address,
        proof: &Proof,
        tags: &Tags,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut copies = Vec::new();
        for tag in &proof.tags {
            if self.knows_tag(tag).await? {
                continue;
            }
            copies.push(SeenCopy {
                tag: tag.clone(),
                message_id: None,
                to: proof.addresses.first().cloned().unwrap_or_default(),
                at: Some(proof.at),
                made: Made::Before,
                n_copies: 0,
            });
        }
        if copies.is_empty() {
            return Ok(0);
        }
        let mut unknown: HashMap<&str, &SeenCopy> = copies
            .iter()
            .map(|copy| (copy.tag.as_str(), copy))
            .collect();
        let persons: Vec<String> = proof
            .addresses
            .iter()
            .map(|address| to_listed(address))
            .collect();
        let mut matches = self.match_tags(inbox, &mut unknown, &persons, tags).await?;
        matches.sort_by_key(|(found, _)| found.step);
        let moment = self.moment(now);
        let mut tx = self.begin().await?;
        let mut n_taken = 0;
        for (found, copy) in matches {
            n_taken += accept_up_to(&mut tx, inbox, &found, copy, address, tags, moment).await?;
        }
        for copy in unknown.values() {
            let stray = Stray {
                tag: copy.tag.clone(),
                inbox,
                address: &copy.to,
            };
            add_stray(&mut tx, &stray, now).await?;
        }
        tx.commit().await?;
        Ok(n_taken)
    }

    /// Whether a delivery bears this tag, of whatever inbox, or it is known that no lead's does.
    async fn knows_tag(&self, tag: &str) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM deliveries WHERE message_id IS NOT NULL \
             AND LOWER(message_id) >= $1 AND LOWER(message_id) < $2 \
             UNION ALL SELECT 1 FROM strays WHERE tag = $3 LIMIT 1",
        )
        // Of the ids that begin with it: `A` follows `@`.
        .bind(format!("{tag}@"))
        .bind(format!("{tag}A"))
        .bind(tag.to_owned())
        .fetch_optional(&self.reader)
        .await?;
        Ok(row.is_some())
    }
}

/// Accepts a step that was named, after those before it: none is sent before the one before it was.
async fn accept_up_to(
    tx: &mut sqlx::AnyConnection,
    inbox: &InboxId,
    found: &Match,
    copy: &SeenCopy,
    address: &Address,
    tags: &Tags,
    now: Moment,
) -> Result<u64, StoreError> {
    let domain = address.domain();
    let rows = sqlx::query(
        "SELECT step, resends, state FROM deliveries WHERE lead_id = $1 AND step < $2 ORDER BY step",
    )
    .bind(found.lead.to_string())
    .bind(found.step)
    .fetch_all(&mut *tx)
    .await?;
    let mut known = HashMap::new();
    for row in &rows {
        let of_step = (number(row, "resends")?, text(row, "state")?);
        known.insert(number(row, "step")?, of_step);
    }
    let mut n_taken = 0;
    for step in 1..found.step {
        let resends = match known.get(&step) {
            Some((_, state)) if state == "accepted" => continue,
            Some((resends, _)) => *resends,
            None => 0,
        };
        let before = Match {
            campaign: found.campaign.clone(),
            lead: found.lead.clone(),
            place: found.place,
            step,
            resends,
        };
        let named = Named {
            campaign: &found.campaign,
            lead: &found.lead,
            step,
            resends,
        };
        let copy = SeenCopy {
            tag: tags.make(&named),
            ..copy.clone()
        };
        let taken = accept_match(tx, inbox, &before, &copy, domain, now).await?;
        n_taken += u64::from(taken);
    }
    let taken = accept_match(tx, inbox, found, copy, domain, now).await?;
    Ok(n_taken + u64::from(taken))
}
