//! What a caller may see, as the one way to it: an endpoint that clients may call gets at inboxes, campaigns, reconnects and
//! receipts through [`Sight`] alone. What is not a caller's is answered as what is not there, before anything of it is
//! read.

use std::collections::BTreeMap;
use std::ops::Deref;

use protocol::id::{AccountId, CampaignId, InboxId, LeadId, ReceiptId, ReconnectId, ReplyId};
use protocol::receipt::Receipt;
use protocol::request::campaign::Campaign;
use protocol::request::lead::Lead;
use protocol::request::reply::{Reply, Words};

use crate::app::App;
use crate::store::StoreError;
use crate::store::account::Sees;
use crate::store::held::Waits;
use crate::store::inbox::Inbox;
use crate::store::receipt::LineOf;
use crate::store::reconnect::Reconnect;
use crate::store::reply::Which;

/// The view of one caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'a> {
    app: &'a App,
    sees: &'a Sees,
}

/// Something that the caller may see, and with it the application that it is in.
#[derive(Debug)]
pub(crate) struct Seen<'a, T> {
    app: &'a App,
    value: T,
}

impl<'a, T> Seen<'a, T> {
    /// The application, to do with this what the endpoint does.
    pub(super) fn app(&self) -> &'a App {
        self.app
    }

    /// Itself.
    pub(super) fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Seen<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'a> Sight<'a> {
    pub(super) fn new(app: &'a App, sees: &'a Sees) -> Self {
        Self { app, sees }
    }

    fn seen<T>(&self, value: T) -> Seen<'a, T> {
        Seen {
            app: self.app,
            value,
        }
    }

    /// Whether nothing is kept from the caller.
    pub(super) fn sees_everything(&self) -> bool {
        matches!(self.sees, Sees::Everything)
    }

    fn sees_inbox(&self, id: &InboxId) -> bool {
        match self.sees {
            Sees::Nothing => false,
            Sees::Everything => true,
            Sees::Given { inboxes, .. } => inboxes.contains(id),
        }
    }

    fn sees_campaign(&self, id: &CampaignId) -> bool {
        match self.sees {
            Sees::Nothing => false,
            Sees::Everything => true,
            Sees::Given { campaigns, .. } => campaigns.contains(id),
        }
    }

    /// One inbox.
    pub(super) async fn inbox(&self, id: &InboxId) -> Result<Seen<'a, Inbox>, StoreError> {
        if !self.sees_inbox(id) {
            return Err(not_found("inbox", id.as_str()));
        }
        Ok(self.seen(self.app.store.load_inbox(id).await?))
    }

    /// Every inbox, by address.
    pub(super) async fn inboxes(&self) -> Result<Vec<Seen<'a, Inbox>>, StoreError> {
        let found = match self.sees {
            Sees::Nothing => Vec::new(),
            Sees::Everything => self.app.store.list_inboxes().await?,
            Sees::Given { inboxes, .. } => {
                let mut found = Vec::with_capacity(inboxes.len());
                for id in inboxes {
                    found.push(self.app.store.load_inbox(id).await?);
                }
                found
            }
        };
        Ok(found.into_iter().map(|inbox| self.seen(inbox)).collect())
    }

    /// What waits at each inbox.
    pub(super) async fn waits(&self) -> Result<BTreeMap<InboxId, Waits>, StoreError> {
        match self.sees {
            Sees::Nothing => Ok(BTreeMap::new()),
            Sees::Everything => self.app.store.list_waits(None).await,
            Sees::Given { inboxes, .. } => {
                let mut found = BTreeMap::new();
                for id in inboxes {
                    found.extend(self.app.store.list_waits(Some(id)).await?);
                }
                Ok(found)
            }
        }
    }

    /// One campaign.
    pub(super) async fn campaign(&self, id: &CampaignId) -> Result<Seen<'a, Campaign>, StoreError> {
        if !self.sees_campaign(id) {
            return Err(not_found("campaign", id.as_str()));
        }
        Ok(self.seen(self.app.store.load_campaign(id).await?))
    }

    /// One lead, of a campaign that the caller may see.
    pub(super) async fn lead(&self, id: &LeadId) -> Result<Seen<'a, Lead>, StoreError> {
        if *self.sees != Sees::Everything {
            let campaign = self.app.store.find_campaign_of_lead(id).await?;
            if !campaign.is_some_and(|campaign| self.sees_campaign(&campaign)) {
                return Err(not_found("lead", id.as_str()));
            }
        }
        Ok(self.seen(self.app.store.load_lead(id).await?))
    }

    /// One reply, at an inbox and about a campaign that the caller may see.
    pub(super) async fn reply(&self, id: &ReplyId) -> Result<Seen<'a, Words>, StoreError> {
        if *self.sees == Sees::Nothing {
            return Err(not_found("reply", id.as_str()));
        }
        let found = self.app.store.load_reply(id).await?;
        let reply = &found.reply;
        if !self.sees_inbox(&reply.inbox) || !self.sees_campaign(&reply.campaign) {
            return Err(not_found("reply", id.as_str()));
        }
        Ok(self.seen(found))
    }

    /// Replies, newest first, of those that are asked for.
    pub(super) async fn replies(
        &self,
        which: Which<'_>,
        limit: u32,
    ) -> Result<Vec<Reply>, StoreError> {
        let of = match self.sees {
            Sees::Nothing => return Ok(Vec::new()),
            Sees::Everything => None,
            Sees::Given { account, .. } => Some(account),
        };
        self.app
            .store
            .list_replies(Which { of, ..which }, limit)
            .await
    }

    /// Every campaign, newest first.
    pub(super) async fn campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        match self.sees {
            Sees::Nothing => Ok(Vec::new()),
            Sees::Everything => self.app.store.list_campaigns().await,
            Sees::Given { campaigns, .. } => {
                let mut found = Vec::with_capacity(campaigns.len());
                for id in campaigns {
                    found.push(self.app.store.load_campaign(id).await?);
                }
                Ok(found)
            }
        }
    }

    /// One reconnect.
    pub(super) async fn reconnect(
        &self,
        id: &ReconnectId,
    ) -> Result<Seen<'a, Reconnect>, StoreError> {
        if *self.sees != Sees::Everything {
            let inbox = self.app.store.find_inbox_of_reconnect(id).await?;
            if !inbox.is_some_and(|inbox| self.sees_inbox(&inbox)) {
                return Err(not_found("reconnect", id.as_str()));
            }
        }
        Ok(self.seen(self.app.store.load_reconnect(id).await?))
    }

    /// Those of them that are of a campaign that the caller sees.
    pub(super) fn narrow_lines(&self, lines: Vec<LineOf>) -> Vec<LineOf> {
        let seen = lines
            .into_iter()
            .filter(|of| self.sees_campaign(&of.campaign));
        seen.collect()
    }

    /// One receipt. It names no campaign that the caller does not see, and has no line of one.
    pub(super) async fn receipt(&self, id: &ReceiptId) -> Result<Seen<'a, Receipt>, StoreError> {
        if *self.sees != Sees::Everything {
            let inbox = self.app.store.find_inbox_of_receipt(id).await?;
            if !inbox.is_some_and(|inbox| self.sees_inbox(&inbox)) {
                return Err(not_found("receipt", id.as_str()));
            }
        }
        let is_seen = |id: &CampaignId| self.sees_campaign(id);
        let receipt = self.app.store.load_receipt(id, is_seen).await?;
        Ok(self.seen(self.narrow(receipt)))
    }

    /// Receipts without their lines, newest first; those behind this one.
    pub(super) async fn receipts(
        &self,
        behind: Option<&ReceiptId>,
    ) -> Result<Vec<Receipt>, StoreError> {
        let of: Option<&AccountId> = match self.sees {
            Sees::Nothing => return Ok(Vec::new()),
            Sees::Everything => None,
            Sees::Given { account, .. } => Some(account),
        };
        let found = self.app.store.list_receipts(of, behind).await?;
        Ok(found.into_iter().map(|one| self.narrow(one)).collect())
    }

    fn narrow(&self, mut receipt: Receipt) -> Receipt {
        receipt.campaigns.retain(|id| self.sees_campaign(id));
        receipt
    }
}

fn not_found(what: &'static str, id: &str) -> StoreError {
    StoreError::NotFound {
        what,
        id: id.to_owned(),
    }
}
