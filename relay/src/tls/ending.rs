//! The end of the process, as conversations with servers learn of it: what waits for a server waits no longer then. Only
//! the reply to a final dot is waited for all the same, since nobody could tell afterwards whether the message was taken;
//! it does not ask here.

use std::time::Duration;

use protocol::evidence::{IoFault, Said};
use tokio::sync::watch;
use tokio::time::timeout;

use super::timed_out;

/// Whether the process ends. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Ending(Option<watch::Receiver<bool>>);

/// Why a wait was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its time was over.
    Late,
    /// The process ends.
    Ending,
}

impl Ending {
    /// One that comes when `told` says so.
    #[must_use]
    pub fn new(told: watch::Receiver<bool>) -> Self {
        Self(Some(told))
    }

    /// Whether it has come.
    pub fn has_come(&self) -> bool {
        self.0.as_ref().is_some_and(|told| *told.borrow())
    }

    /// The outcome of `work`, where it comes within `limit` and before the end.
    pub async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Cut> {
        tokio::select! {
            biased;
            done = timeout(limit, work) => done.map_err(|_| Cut::Late),
            () = self.come() => Err(Cut::Ending),
        }
    }

    async fn come(&self) {
        if let Some(told) = &self.0
            && told.clone().wait_for(|is_ending| *is_ending).await.is_ok()
        {
            return;
        }
        // Nobody is left who could say so.
        std::future::pending::<()>().await;
    }
}

impl Cut {
    /// As evidence: `what` was not over after `limit`.
    pub fn said(self, what: &str, limit: Duration) -> Said {
        match self {
            Self::Late => timed_out(what, limit),
            Self::Ending => Said::Io {
                fault: IoFault::Other,
                detail: format!("the relay is being stopped during {what}"),
            },
        }
    }
}
