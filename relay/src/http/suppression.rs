//! Who is not written to.

use protocol::problem::{Code, Problem};
use protocol::request::suppression::{
    Allowed, CreateSuppression, DeleteSuppression, ImportSuppressions, ImportedSuppressions,
    ListSuppressions, Stopped, Suppressions, Whom,
};

use super::{Context, Serve, ServeError};
use crate::store::StoreError;
use crate::text::suppressions::parse;

/// The longest page.
const LIMIT_AT_MOST: u32 = 1_000;
/// A page where nothing is said.
const LIMIT: u32 = 100;

impl Serve for CreateSuppression {
    async fn serve(self, context: Context) -> Result<Stopped, ServeError> {
        let app = context.app()?;
        let whom = as_listed(&self.whom)?;
        let leads = app.store.suppress(&whom, app.clock.now()).await?;
        tracing::info!(%whom, leads, "is never written to again");
        // These may have been a campaign's last leads.
        app.bell.tell();
        Ok(Stopped { leads })
    }
}

impl Serve for ImportSuppressions {
    async fn serve(self, context: Context) -> Result<ImportedSuppressions, ServeError> {
        let app = context.app()?;
        let csv = context.csv.clone();
        // Reading a long list would keep other requests waiting.
        let read = tokio::task::spawn_blocking(move || parse(&csv));
        let listed = read.await.map_err(ServeError::internal)?.map_err(|error| {
            let mut problem = Problem::new(Code::Invalid, error.to_string());
            problem.row = error.row();
            ServeError::from(problem)
        })?;
        let imported = app.store.suppress_all(&listed, app.clock.now()).await?;
        tracing::info!(
            added = imported.added,
            leads = imported.leads,
            "are never written to again"
        );
        // These may have been a campaign's last leads.
        app.bell.tell();
        Ok(imported)
    }
}

impl Serve for ListSuppressions {
    async fn serve(self, context: Context) -> Result<Suppressions, ServeError> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_AT_MOST).contains(&limit) {
            let detail = format!("expected 1 to {LIMIT_AT_MOST}, found {limit}");
            return Err(ServeError::invalid("limit", detail));
        }
        let after = self.after.as_ref().map(Whom::as_str);
        let suppressions = context.app()?.store.list_suppressed(after, limit).await?;
        Ok(Suppressions { suppressions })
    }
}

impl Serve for DeleteSuppression {
    async fn serve(self, context: Context) -> Result<Allowed, ServeError> {
        let whom = as_listed(&self.whom)?;
        let app = context.app()?;
        if app.store.allow_again(&whom, app.clock.now()).await? {
            let domain_stands = app.store.find_domain_of(&whom).await?;
            return Ok(Allowed { domain_stands });
        }
        Err(StoreError::NotFound {
            what: "suppression",
            id: whom.to_string(),
        }
        .into())
    }
}

/// As it stands on the list: the domain as an A-label.
fn as_listed(whom: &Whom) -> Result<Whom, ServeError> {
    crate::text::message::to_listed(whom.as_str())
        .parse()
        .map_err(|error: protocol::request::suppression::NobodyError| {
            ServeError::invalid("whom", error.to_string())
        })
}
