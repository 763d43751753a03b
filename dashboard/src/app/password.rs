//! Handing a typed password over: sealed to the relay's key before it leaves the page. The key comes from where the page
//! itself came from, so there is nothing to pin.

use protocol::id::InboxId;
use protocol::reconnect::Grant;
use protocol::request::device::GetRelayKey;
use protocol::request::reconnect::{GrantReconnect, Reconnect, ReconnectState, StartReconnect};
use web::call::{CallError, Door, call};
use web::card::Given;
use web::sealing;

/// Starts or joins a reconnect and gives the password for it, where it still waits for one.
pub(super) async fn hand_over(
    door: &Door,
    inbox: &InboxId,
    given: Given,
) -> Result<Reconnect, CallError> {
    let relay_key = call(door, &GetRelayKey {}).await?.relay_key;
    let start = StartReconnect {
        inbox_id: inbox.clone(),
    };
    let reconnect = call(door, &start).await?.reconnect;
    if reconnect.state != ReconnectState::Started {
        return Ok(reconnect);
    }
    let Given { user, password } = given;
    let grant = Grant::Password { user, password };
    let sealed = sealing::seal(&relay_key, inbox, &reconnect.id, &grant).ok_or_else(|| {
        CallError::Strange {
            url: door.base.clone(),
            found: "its key is no key".to_owned(),
        }
    })?;
    let grant = GrantReconnect {
        reconnect_id: reconnect.id,
        sealed,
    };
    call(door, &grant).await
}
