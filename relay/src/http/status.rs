//! Everything at once, for the extension's badge and pages.

use protocol::request::status::{GetStatus, Status};

use super::{Context, Serve, ServeError, inbox};

impl Serve for GetStatus {
    async fn serve(self, context: Context) -> Result<Status, ServeError> {
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            inboxes: inbox::list(context.app()).await?,
            campaigns: context.app().store.list_campaigns().await?,
        })
    }
}
