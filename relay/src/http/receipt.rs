//! A receipt as a document that the relay signs, a page at a time. What such a document is, is
//! [`protocol::receipt::document`]'s.

use protocol::id::ReceiptId;
use protocol::receipt::Receipt;
use protocol::receipt::document::{Entry, Head, NamedCampaign, Seal, VERSION};
use protocol::request::receipt::{DocumentPage, GetReceiptDocument};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::sight::Sight;
use super::{Context, Serve, ServeError};
use crate::store::StoreError;

/// Messages of a page.
const PAGE: u32 = 500;

impl Serve for GetReceiptDocument {
    async fn serve(self, context: Context) -> Result<DocumentPage, ServeError> {
        let sight = context.sight();
        let receipt = sight.receipt(&self.receipt_id).await?;
        let app = receipt.app();
        let behind = self.after.unwrap_or(0);
        let mut lines = match self.after {
            None => vec![write_head(&sight, &receipt).await?],
            Some(_) => Vec::new(),
        };
        let entries = list_entries(&sight, app, &self.receipt_id, behind).await?;
        let read = u64::from(behind) + entries.n_read;
        lines.extend(entries.lines);
        let next = (entries.n_read > 0 && read < receipt.held)
            .then(|| u32::try_from(read).ok())
            .flatten();
        if next.is_none() {
            lines.push(seal(&sight, app, &receipt).await?);
        }
        Ok(DocumentPage { lines, next })
    }
}

/// Lines of one page.
struct Entries {
    lines: Vec<String>,
    /// How many there are of those too that the caller may not see.
    n_read: u64,
}

async fn list_entries(
    sight: &Sight<'_>,
    app: &crate::app::App,
    id: &ReceiptId,
    behind: u32,
) -> Result<Entries, ServeError> {
    let of = app.store.list_receipt_lines(id, behind, PAGE).await?;
    let n_read = of.len() as u64;
    // What has become of it since changes, and is not signed.
    let lines = sight.narrow_lines(of).into_iter().map(|of| {
        write(&Entry {
            campaign: of.campaign,
            to: of.to,
            line: of.line,
        })
    });
    Ok(Entries {
        lines: lines.collect::<Result<_, _>>()?,
        n_read,
    })
}

async fn write_head(sight: &Sight<'_>, receipt: &Receipt) -> Result<String, ServeError> {
    let mut campaigns = Vec::with_capacity(receipt.campaigns.len());
    for id in &receipt.campaigns {
        match sight.campaign(id).await {
            Ok(campaign) => campaigns.push(NamedCampaign {
                id: id.clone(),
                name: campaign.name.clone(),
            }),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    write(&Head {
        unpause_receipt: VERSION,
        receipt: Receipt {
            lines: Vec::new(),
            ..receipt.clone()
        },
        campaigns,
    })
}

/// The last line, over all before it: they are written once more, a page at a time, since nothing that a caller says of
/// them is signed.
async fn seal(
    sight: &Sight<'_>,
    app: &crate::app::App,
    receipt: &Receipt,
) -> Result<String, ServeError> {
    let mut digest = Sha256::new();
    let mut add = |line: &str| {
        digest.update(line.as_bytes());
        digest.update(b"\n");
    };
    add(&write_head(sight, receipt).await?);
    let (mut behind, mut messages) = (0_u32, 0_u64);
    loop {
        let entries = list_entries(sight, app, &receipt.id, behind).await?;
        messages += entries.lines.len() as u64;
        entries.lines.iter().for_each(|line| add(line));
        behind = behind.saturating_add(u32::try_from(entries.n_read).unwrap_or(u32::MAX));
        if entries.n_read < u64::from(PAGE) {
            break;
        }
    }
    let now = app.clock.now();
    let signing = app.keys.signing(None, now);
    let renewals = app.keys.list_renewals();
    let key = signing.key().clone();
    let seal = Seal::over(digest.finalize().into(), messages, key, now, renewals);
    let signature = signing.sign(&seal.statement());
    write(&seal.signed(&signature))
}

fn write<T: Serialize>(line: &T) -> Result<String, ServeError> {
    serde_json::to_string(line).map_err(|_| StoreError::Corrupt { what: "receipt" }.into())
}
