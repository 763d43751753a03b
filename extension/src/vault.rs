//! Who this browser is: a key pair of Ed25519 that `WebCrypto` made and nothing can export, kept in `IndexedDB` in one
//! record with the relay that it was made for, so that neither can be had with another of the other. Scripts in pages
//! reach neither. What is signed is in [`protocol::signed`]; what the key is for is in [`crate::background`].

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use protocol::signed::{KEY_BYTES, SIGNATURE_BYTES, VerifyingKey};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Crypto, CryptoKey, IdbDatabase, IdbFactory, IdbRequest, IdbTransactionMode, SubtleCrypto,
};

/// The name of the database, of its one store, and of the record in it.
const DATABASE: &str = "unpause";
const STORE: &str = "keys";
const RECORD: &str = "device";
/// What earlier versions kept: the key of a token. It is good for nothing any more.
const BEFORE: &str = "device token";
/// The fields of the record: the private half, the public half, and the relay, as text.
const PRIVATE: &str = "private";
const PUBLIC: &str = "public";
const PAIRED: &str = "paired";
/// As `WebCrypto` names it (Secure Curves in the Web Cryptography API).
const ALGORITHM: &str = "Ed25519";

/// Why the key could not be made, kept, read or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The record is not whole.
    #[error("the browser no longer has this device's key")]
    KeyLost,
    /// The browser was paired by a version that had no key.
    #[error("this version of Unpause proves by a key of its own who it is, and it has none yet")]
    Before,
    /// `WebCrypto` or `IndexedDB` said no.
    #[error("the browser could not use this device's key: {words}")]
    NotKept {
        /// Its words.
        words: String,
    },
}

impl VaultError {
    /// Whether the key may be read yet, another time.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::KeyLost | Self::Before => false,
            Self::NotKept { .. } => true,
        }
    }
}

/// A key pair whose private half stays where it was made.
#[derive(Clone, Debug)]
pub struct DeviceKey {
    private: CryptoKey,
    public: VerifyingKey,
}

impl DeviceKey {
    /// A fresh pair; it is not kept yet.
    pub async fn make() -> Result<Self, VaultError> {
        let uses = Array::of2(&"sign".into(), &"verify".into());
        let subtle = subtle()?;
        let pair = settle(subtle.generate_key_with_str(ALGORITHM, false, &uses)?).await?;
        let half = |name: &str| -> Result<CryptoKey, VaultError> {
            Ok(Reflect::get(&pair, &name.into())?.unchecked_into())
        };
        let public = settle(subtle.export_key("raw", &half("publicKey")?)?).await?;
        let public = Uint8Array::new(&public).to_vec();
        let public: [u8; KEY_BYTES] = public.try_into().map_err(|_| VaultError::KeyLost)?;
        Ok(Self {
            private: half("privateKey")?,
            public: VerifyingKey::from_bytes(&public),
        })
    }

    /// The public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a text.
    pub async fn sign(&self, text: &str) -> Result<[u8; SIGNATURE_BYTES], VaultError> {
        let made =
            subtle()?.sign_with_str_and_u8_array(ALGORITHM, &self.private, text.as_bytes())?;
        let bytes = Uint8Array::new(&settle(made).await?).to_vec();
        bytes.try_into().map_err(|_| VaultError::KeyLost)
    }
}

/// Whether this key's other half has signed this text. What the browser cannot judge is not believed.
pub async fn is_signed(key: &VerifyingKey, text: &str, signature: &[u8; SIGNATURE_BYTES]) -> bool {
    verify(key, text, signature).await.unwrap_or(false)
}

async fn verify(
    key: &VerifyingKey,
    text: &str,
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<bool, VaultError> {
    let subtle = subtle()?;
    let bytes = Uint8Array::from(key.to_bytes().as_slice());
    let uses = Array::of1(&"verify".into());
    let imported = subtle.import_key_with_str("raw", &bytes, ALGORITHM, false, &uses)?;
    let imported: CryptoKey = settle(imported).await?.unchecked_into();
    let judged = subtle.verify_with_str_and_u8_array_and_u8_array(
        ALGORITHM,
        &imported,
        signature,
        text.as_bytes(),
    )?;
    Ok(settle(judged).await?.is_truthy())
}

/// Keeps a key with what it was paired with, as text; those before are gone.
pub async fn keep(key: &DeviceKey, paired: &str) -> Result<(), VaultError> {
    let record = write(key, paired)?;
    let store = open_store(IdbTransactionMode::Readwrite).await?;
    let (put, dropped) = (
        store.put_with_key(&record, &RECORD.into())?,
        store.delete(&BEFORE.into())?,
    );
    answer(&put).await?;
    answer(&dropped).await?;
    Ok(())
}

/// Keeps that the key's relay is known by something else from now on, in the place of what was kept of it before;
/// `false` where something else is kept by now, which stays. One transaction, so that nothing is kept by halves.
pub async fn replace(key: &DeviceKey, before: &str, paired: &str) -> Result<bool, VaultError> {
    let record = write(key, paired)?;
    let store = open_store(IdbTransactionMode::Readwrite).await?;
    let found = answer(&store.get(&RECORD.into())?).await?;
    let text = |name: &str| Reflect::get(&found, &name.into()).ok()?.as_string();
    if !found.is_object()
        || text(PAIRED).as_deref() != Some(before)
        || text(PUBLIC).as_deref() != Some(key.public.as_str())
    {
        return Ok(false);
    }
    answer(&store.put_with_key(&record, &RECORD.into())?).await?;
    Ok(true)
}

fn write(key: &DeviceKey, paired: &str) -> Result<Object, VaultError> {
    let record = Object::new();
    for (name, value) in [
        (PRIVATE, JsValue::from(&key.private)),
        (PUBLIC, key.public.as_str().into()),
        (PAIRED, paired.into()),
    ] {
        Reflect::set(&record, &name.into(), &value)?;
    }
    Ok(record)
}

/// The key and what it was paired with; `None` where none is kept.
pub async fn read() -> Result<Option<(DeviceKey, String)>, VaultError> {
    let store = open_store(IdbTransactionMode::Readonly).await?;
    let (asked, before) = (store.get(&RECORD.into())?, store.get(&BEFORE.into())?);
    let record = answer(&asked).await?;
    let before = answer(&before).await?;
    if !record.is_object() {
        return if before.is_undefined() {
            Ok(None)
        } else {
            Err(VaultError::Before)
        };
    }
    let text = |name: &str| -> Result<String, VaultError> {
        let value = Reflect::get(&record, &name.into())?;
        value.as_string().ok_or(VaultError::KeyLost)
    };
    let private = Reflect::get(&record, &PRIVATE.into())?
        .dyn_into()
        .map_err(|_| VaultError::KeyLost)?;
    let public = VerifyingKey::try_from(text(PUBLIC)?).map_err(|_| VaultError::KeyLost)?;
    Ok(Some((DeviceKey { private, public }, text(PAIRED)?)))
}

/// Forgets the key and the relay.
pub async fn forget() -> Result<(), VaultError> {
    let store = open_store(IdbTransactionMode::Readwrite).await?;
    let (gone, before) = (store.delete(&RECORD.into())?, store.delete(&BEFORE.into())?);
    answer(&gone).await?;
    answer(&before).await?;
    Ok(())
}

impl From<JsValue> for VaultError {
    fn from(thrown: JsValue) -> Self {
        let words = Reflect::get(&thrown, &"message".into())
            .ok()
            .and_then(|message| message.as_string());
        Self::NotKept {
            words: words.unwrap_or_else(|| "no reason was given".to_owned()),
        }
    }
}

/// A worker has no window; these are properties of its global object as of a window's.
fn global(name: &str) -> Result<JsValue, VaultError> {
    let found = Reflect::get(&js_sys::global(), &name.into())?;
    if found.is_undefined() || found.is_null() {
        return Err(VaultError::NotKept {
            words: format!("this browser has no {name}"),
        });
    }
    Ok(found)
}

fn subtle() -> Result<SubtleCrypto, VaultError> {
    let crypto: Crypto = global("crypto")?.unchecked_into();
    Ok(crypto.subtle())
}

async fn settle(promise: Promise) -> Result<JsValue, VaultError> {
    Ok(JsFuture::from(promise).await?)
}

/// The one store, in a transaction that ends with the next turn: ask it at once.
async fn open_store(mode: IdbTransactionMode) -> Result<web_sys::IdbObjectStore, VaultError> {
    let factory: IdbFactory = global("indexedDB")?.unchecked_into();
    let opening = factory.open_with_u32(DATABASE, 1)?;
    let request = opening.clone();
    let upgrade = Closure::once_into_js(move || {
        if let Ok(database) = request.result() {
            let database: IdbDatabase = database.unchecked_into();
            // Where it fails, the transaction that follows does, and that is reported.
            let _ = database.create_object_store(STORE);
        }
    });
    opening.set_onupgradeneeded(Some(upgrade.unchecked_ref()));
    let database: IdbDatabase = answer(&opening).await?.unchecked_into();
    let transaction = database.transaction_with_str_and_mode(STORE, mode)?;
    Ok(transaction.object_store(STORE)?)
}

/// Waits for what was asked of `IndexedDB`.
async fn answer(request: &IdbRequest) -> Result<JsValue, VaultError> {
    if request.ready_state() == web_sys::IdbRequestReadyState::Done {
        return Ok(request.result()?);
    }
    let promise = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(promise).await.map_err(|_| {
        let words = match request.error() {
            Ok(Some(error)) => error.message(),
            _ => "the database said no".to_owned(),
        };
        VaultError::NotKept { words }
    })?;
    Ok(request.result()?)
}
