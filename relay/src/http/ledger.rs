//! What a restore of the database has left open, and a person's word on which relay stays.

use protocol::problem::{Code, Problem};
use protocol::request::ledger::{GetLedger, KeepRelay, Ledger};

use super::{Context, Serve, ServeError};
use crate::app::App;

impl Serve for GetLedger {
    async fn serve(self, context: Context) -> Result<Ledger, ServeError> {
        load(context.app()?).await
    }
}

/// What a restore has left open, and what the mark told when the relay was started.
async fn load(app: &App) -> Result<Ledger, ServeError> {
    let mut ledger = app.store.load_ledger().await?;
    ledger.attempts_before = app.mark.attempts_before();
    Ok(ledger)
}

impl Serve for KeepRelay {
    async fn serve(self, context: Context) -> Result<Ledger, ServeError> {
        let app = context.app()?;
        if !app.store.stay().await? {
            let detail =
                "no other relay is known to work on this ledger: there is nothing to decide";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        app.mark.take_over().await;
        app.bell.wake_inboxes();
        load(app).await
    }
}
