//! Sealing to the relay's key what a person obtained or typed: from here on only the relay can read it.

use getrandom::SysRng;
use hpke::rand_core::UnwrapErr;
use protocol::id::{InboxId, ReconnectId};
use protocol::reconnect::{Grant, sealing_context};
use protocol::sealed::{RelayKey, Sealed};
use protocol::secret::Secret;

/// Seals a grant for this reconnect of this inbox alone; `None` where the key is no key.
pub fn seal(
    key: &RelayKey,
    inbox: &InboxId,
    reconnect: &ReconnectId,
    grant: &Grant,
) -> Option<Sealed> {
    let plain = Secret::new(serde_json::to_string(grant).ok()?);
    let context = sealing_context(reconnect, inbox);
    key.seal(&context, plain.expose().as_bytes(), &mut UnwrapErr(SysRng))
        .ok()
}

#[cfg(test)]
mod tests {
    use protocol::sealed::OpeningKey;

    use super::*;

    #[test]
    fn a_grant_opens_for_its_reconnect_and_no_other() {
        let key = OpeningKey::derive(&[7; 32]);
        let (inbox, reconnect) = (InboxId::new("inb_1"), ReconnectId::new("rec_1"));
        let grant = Grant::Password {
            user: "jane@acme.example".to_owned(),
            password: Secret::new("hunter2"),
        };
        let sealed = seal(key.public(), &inbox, &reconnect, &grant).unwrap();
        assert!(!format!("{sealed:?}").contains("hunter2"));
        let plain = key
            .open(&sealing_context(&reconnect, &inbox), &sealed)
            .unwrap();
        assert_eq!(serde_json::from_slice::<Grant>(&plain).unwrap(), grant);
        let other = ReconnectId::new("rec_2");
        assert!(key.open(&sealing_context(&other, &inbox), &sealed).is_err());
    }
}
