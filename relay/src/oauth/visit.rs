//! A visit that a person makes in a browser of theirs: only one that asks can succeed. What a visit is stands in
//! [`protocol::visit`].

use protocol::reconnect::Authorization;
use protocol::secret::Secret;
use protocol::visit::{Chance, NotAUrl, Visit};

use crate::secret::random_text;

/// Why there is no visit.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// Every visit of the provider is a silent one.
    #[error("this provider has no visit that asks the person")]
    NoneAsks,
    /// An address of the provider, or the redirect URI, is none.
    #[error(transparent)]
    NotAUrl(#[from] NotAUrl),
}

/// Begins the provider's first visit that asks.
pub fn begin(authorization: &Authorization, redirect_uri: &str) -> Result<Visit, VisitError> {
    let plan = authorization
        .visits
        .iter()
        .find(|visit| visit.interactive)
        .ok_or(VisitError::NoneAsks)?;
    let chance = Chance {
        state: Secret::new(random_text()),
        // 64 characters of base64url: between 43 and 128 of those that are allowed (RFC 7636 §4.1).
        verifier: Secret::new(random_text() + &random_text()),
    };
    Ok(Visit::begin(authorization, plan, redirect_uri, chance)?)
}
