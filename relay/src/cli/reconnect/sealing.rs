//! Sealing to the relay's key what was obtained at the terminal, as a browser does. The key comes over
//! the operator's own way in, so there is nothing to pin.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};
use protocol::reconnect::{Grant, sealing_context};
use protocol::request::device::GetRelayKey;
use protocol::request::reconnect::{GrantReconnect, Reconnect};
use zeroize::Zeroizing;

use super::ReconnectError;
use crate::api::Client;
use crate::secret::random_below;

/// Hands a grant over to the relay, sealed for this reconnect.
pub(super) async fn hand_over(
    client: &Client,
    reconnect: &Reconnect,
    grant: &Grant,
) -> Result<(), ReconnectError> {
    let key = client.call(&GetRelayKey {}).await?.relay_key;
    let plain = Zeroizing::new(serde_json::to_vec(grant).map_err(|_| ReconnectError::Unwritable)?);
    let context = sealing_context(&reconnect.id, &reconnect.inbox);
    let sealed = key.seal(&context, &plain, &mut Randomness)?;
    client
        .call(&GrantReconnect {
            reconnect_id: reconnect.id.clone(),
            sealed,
        })
        .await?;
    Ok(())
}

/// The randomness of [`crate::secret`] in the form in which HPKE asks for it.
struct Randomness;

impl TryRng for Randomness {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // Below 2³² every number is as likely as every other, and none is cut.
        Ok(u32::try_from(random_below(1 << 32)).unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let [high, low] = [self.try_next_u32()?, self.try_next_u32()?];
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(size_of::<u32>()) {
            let fresh = self.try_next_u32()?.to_le_bytes();
            for (byte, fresh) in chunk.iter_mut().zip(fresh) {
                *byte = fresh;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Randomness {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled_and_no_two_fillings_are_alike() {
        let fill = || {
            let mut bytes = [0; 35];
            Randomness.try_fill_bytes(&mut bytes).unwrap();
            bytes
        };
        let mut seen = [0; 35];
        for _ in 0..64 {
            for (seen, byte) in seen.iter_mut().zip(fill()) {
                *seen |= byte;
            }
        }
        assert!(seen.iter().all(|byte| *byte != 0), "{seen:?}");
        assert_ne!(fill(), fill());
    }
}
