//! Somebody who is not known as the inbox's owner signed in: a colleague with a shared mailbox, or the owner under
//! another name of theirs, or with a password in place of an account. Whether they may is the mail servers' to say, and
//! whether it is meant a person's.

use protocol::card::Persistence;
use protocol::cause::{Cause, classify};
use protocol::evidence::{Finding, Stage as At};

use super::{Doors, Next, conclude, found, judge, open_both, open_credentials};
use crate::app::App;
use crate::failure::Failure;
use crate::store::inbox::Inbox;
use crate::store::reconnect::{Reconnect, SignedIn};
use crate::worker::WorkError;
use crate::{imap, smtp};

/// Signs in as the inbox's address on both servers. Where both let that pass, the reconnect waits to be confirmed;
/// else somebody else signed in, and nothing is written to the inbox.
pub(super) async fn admit(
    app: &App,
    reconnect: &Reconnect,
    inbox: &Inbox,
    signed_in: SignedIn,
) -> Result<Next, WorkError> {
    let credentials = open_credentials(app, reconnect)?;
    let (smtp, imap) = match open_both(app, inbox, &credentials).await {
        (Ok(smtp), Ok(imap)) => (smtp, imap),
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) if passes(app, inbox, &failure) => {
            return Err(failure.into());
        }
        (Err(smtp), Err(imap)) if passes(app, inbox, &smtp) && passes(app, inbox, &imap) => {
            return Err(smtp.into());
        }
        _ => {
            let signed_in_as = signed_in.name;
            return Err(found(At::Identity, Finding::OtherIdentity { signed_in_as }));
        }
    };
    ask(app, reconnect, signed_in, (smtp, imap)).await
}

/// Signs in with a password that is not known as the inbox's. Where both servers let it in, the reconnect waits to be
/// confirmed; else it ends as with any password that is refused.
pub(super) async fn admit_password(
    app: &App,
    reconnect: &Reconnect,
    inbox: &Inbox,
    user: &str,
) -> Result<Next, WorkError> {
    let credentials = open_credentials(app, reconnect)?;
    let (smtp, imap) = open_both(app, inbox, &credentials).await;
    let judged = judge(app, inbox, smtp.as_ref().err(), imap.as_ref().err());
    if let Some(Doors::Shut { failure, cause }) = judged {
        return conclude(app, reconnect, inbox, failure, Some(cause)).await;
    }
    let signed_in = SignedIn {
        identity: None,
        name: Some(user.to_owned()),
    };
    ask(app, reconnect, signed_in, (smtp?, imap?)).await
}

/// Has a person asked whether that is meant.
async fn ask(
    app: &App,
    reconnect: &Reconnect,
    signed_in: SignedIn,
    (smtp, imap): (smtp::Session, imap::Session),
) -> Result<Next, WorkError> {
    let expires_at = app.clock.now() + app.config.timing.reconnect_for;
    let changed = app
        .store
        .ask_to_confirm(&reconnect.id, signed_in, expires_at)
        .await?;
    crate::reconnect::perform(app, changed);
    tokio::join!(smtp.quit(), imap.logout());
    Ok(Next::Stage)
}

/// Whether it is known that waiting helps. An answer that is not known is a no: a person waits for it.
fn passes(app: &App, inbox: &Inbox, failure: &Failure) -> bool {
    let evidence = failure.clone().at(inbox.provider.clone(), app.clock.now());
    let cause = classify(&evidence);
    cause.card().persistence == Persistence::Transient && cause != Cause::Unrecognised
}
