//! Where the device token lies: sealed under an AES-GCM key of `WebCrypto` that cannot be exported and lives in
//! `IndexedDB`. `storage.local` holds only the ciphertext, so that a copy of the profile's settings opens nothing.
//! Every pairing makes a fresh key. What the token is for is in [`crate::background`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use js_sys::{Array, Promise, Reflect, Uint8Array};
use protocol::secret::Secret;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AesGcmParams, AesKeyGenParams, Crypto, CryptoKey, IdbDatabase, IdbFactory, IdbRequest,
    IdbTransactionMode, SubtleCrypto,
};

use crate::browser::BrowserError;
use crate::browser::area::Area;

/// The name of the database, of its one store, and of the key in it.
const DATABASE: &str = "unpause";
const STORE: &str = "keys";
const KEY: &str = "device token";
/// The name of the ciphertext in `storage.local`.
const CIPHERTEXT: &str = "sealed_token";
/// NIST SP 800-38D §5.2.1.1: the length of a nonce for which GCM is made.
const NONCE_BYTES: u32 = 12;
/// AES-256.
const KEY_BITS: u16 = 256;

/// Why the token could not be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is gone, or is another one: what was sealed stays closed.
    #[error("the browser no longer has the key of this device's token")]
    KeyLost,
    /// `WebCrypto` or `IndexedDB` said no.
    #[error("the browser could not keep the key of this device's token: {words}")]
    NotKept {
        /// Its words.
        words: String,
    },
    /// `storage` said no.
    #[error(transparent)]
    Browser(#[from] BrowserError),
}

impl VaultError {
    /// Whether the token may be read yet, another time.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::KeyLost => false,
            Self::NotKept { .. } | Self::Browser(_) => true,
        }
    }
}

/// Seals a token under a fresh key and keeps both; those before are gone.
pub async fn keep(token: &Secret) -> Result<(), VaultError> {
    let crypto = crypto()?;
    let how = AesKeyGenParams::new("AES-GCM", KEY_BITS);
    let uses = Array::of2(&"encrypt".into(), &"decrypt".into());
    let made = crypto
        .subtle()
        .generate_key_with_object(&how, false, &uses)?;
    let key: CryptoKey = settle(made).await?.unchecked_into();
    let nonce = Uint8Array::new_with_length(NONCE_BYTES);
    crypto.get_random_values_with_array_buffer_view(&nonce)?;
    let plain = Uint8Array::from(token.expose().as_bytes());
    let sealed = crypto.subtle().encrypt_with_object_and_buffer_source(
        &AesGcmParams::new("AES-GCM", &nonce),
        &key,
        &plain,
    )?;
    let sealed = Uint8Array::new(&settle(sealed).await?);
    plain.fill(0, 0, plain.length());
    let mut bytes = nonce.to_vec();
    bytes.extend(sealed.to_vec());
    let store = open_store(IdbTransactionMode::Readwrite).await?;
    answer(&store.put_with_key(&key, &KEY.into())?).await?;
    Area::Local
        .set(CIPHERTEXT, &STANDARD_NO_PAD.encode(bytes))
        .await?;
    Ok(())
}

/// The token; `None` where none is kept.
pub async fn read() -> Result<Option<Secret>, VaultError> {
    let Some(sealed) = Area::Local.get(CIPHERTEXT).await? else {
        return Ok(None);
    };
    let bytes = STANDARD_NO_PAD
        .decode(sealed)
        .map_err(|_| VaultError::KeyLost)?;
    let (nonce, sealed) = bytes
        .split_at_checked(NONCE_BYTES as usize)
        .ok_or(VaultError::KeyLost)?;
    let store = open_store(IdbTransactionMode::Readonly).await?;
    let key = answer(&store.get(&KEY.into())?).await?;
    let key: CryptoKey = key.dyn_into().map_err(|_| VaultError::KeyLost)?;
    let how = AesGcmParams::new("AES-GCM", &Uint8Array::from(nonce));
    let opened =
        subtle()?.decrypt_with_object_and_buffer_source(&how, &key, &Uint8Array::from(sealed))?;
    let opened = JsFuture::from(opened)
        .await
        .map_err(|_| VaultError::KeyLost)?;
    let text = String::from_utf8(Uint8Array::new(&opened).to_vec());
    text.map(|text| Some(Secret::new(text)))
        .map_err(|_| VaultError::KeyLost)
}

/// Forgets the token and its key.
pub async fn forget() -> Result<(), VaultError> {
    Area::Local.remove(CIPHERTEXT).await?;
    let store = open_store(IdbTransactionMode::Readwrite).await?;
    answer(&store.delete(&KEY.into())?).await?;
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

fn crypto() -> Result<Crypto, VaultError> {
    Ok(global("crypto")?.unchecked_into())
}

fn subtle() -> Result<SubtleCrypto, VaultError> {
    Ok(crypto()?.subtle())
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
