//! Pairing a device and revoking it.

use protocol::id::DeviceId;
use protocol::problem::{Code, Problem};
use protocol::request::Done;
use protocol::request::device::{
    CreateDevice, CreatePairing, DeleteDevice, Devices, GetRelayKey, ListDevices, PairedDevice,
    Pairing, PublicKey,
};
use protocol::secret::Secret;
use url::form_urlencoded::byte_serialize;

use super::session::CODE_FOR;
use super::{Context, Serve, ServeError, guard};
use crate::secret::{random_secret, random_text};
use crate::store::access::{NewCode, NewDevice, Purpose};

/// The longest name of a device, in characters.
const NAME_AT_MOST: usize = 100;

impl Serve for CreatePairing {
    async fn serve(self, context: Context) -> Result<Pairing, ServeError> {
        let (now, code) = (context.now(), random_secret());
        let expires_at = now + CODE_FOR;
        let new = NewCode {
            purpose: Purpose::Pairing,
            code: &code,
            account: &context.own_account().await?,
            expires_at,
        };
        context.doors().create_code(new, now).await?;
        let relay: String = byte_serialize(context.relay_url().as_bytes()).collect();
        let relay_key = context.keys().verifying();
        // The key comes by the same way as the code, so that what answers at the address cannot name another.
        let link = Secret::new(format!(
            "unpause://pair?relay={relay}&code={}&key={relay_key}",
            code.expose()
        ));
        let fingerprint = relay_key.fingerprint();
        Ok(Pairing {
            link,
            code,
            expires_at,
            fingerprint,
        })
    }
}

impl Serve for GetRelayKey {
    async fn serve(self, context: Context) -> Result<PublicKey, ServeError> {
        let keys = context.keys();
        Ok(PublicKey {
            // Who knows the relay by a key that was renewed compares what he is told with what he knows.
            relay_key: keys.sealing(context.relay_key.as_ref(), context.now()),
            fingerprint: keys
                .signing(context.relay_key.as_ref(), context.now())
                .key()
                .fingerprint(),
        })
    }
}

impl Serve for CreateDevice {
    async fn serve(self, context: Context) -> Result<PairedDevice, ServeError> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME_AT_MOST {
            let detail = format!(
                "expected a name of 1 to {NAME_AT_MOST} characters, found {}",
                name.chars().count()
            );
            return Err(ServeError::invalid("name", detail));
        }
        let Some(key) = context.key.clone() else {
            let detail = "expected a request that is signed by the key to be paired (RFC 9421)";
            return Err(Problem::new(Code::Unauthenticated, detail).into());
        };
        let device = NewDevice {
            id: DeviceId::new(format!("{}{}", DeviceId::PREFIX, random_text())),
            name: name.to_owned(),
            origin: context
                .origin
                .clone()
                .filter(|origin| guard::is_extension(origin)),
            paired_at: context.now(),
            relay_key: context.keys().verifying(),
        };
        if !context
            .doors()
            .create_device(&self.proof, &key, &device)
            .await?
        {
            let detail =
                "this code is unknown, was used, or ran out: make a new one with `unpause pair`";
            return Err(ServeError::invalid("proof", detail));
        }
        if let Some(found) = context.doors().find_device(&key).await? {
            context.meant.set(&found.holder.account);
        }
        Ok(PairedDevice {
            id: device.id,
            relay_key: context.keys().sealing(None, context.now()),
        })
    }
}

impl Serve for ListDevices {
    async fn serve(self, context: Context) -> Result<Devices, ServeError> {
        Ok(Devices {
            devices: context.doors().list_devices(context.of_whom()).await?,
        })
    }
}

impl Serve for DeleteDevice {
    async fn serve(self, context: Context) -> Result<Done, ServeError> {
        let of = context.of_whom();
        context.doors().delete_device(&self.device_id, of).await?;
        Ok(Done {})
    }
}
