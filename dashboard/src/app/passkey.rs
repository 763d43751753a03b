//! Passkeys in the browser: `navigator.credentials`, asked with the bytes themselves. That takes the same few lines in
//! every browser that has passkeys; the JSON of Level 3 needs another way for those that lack it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gloo::utils::window;
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use protocol::request::passkey::{
    Assertion, BeginProof, BeginSignIn, CreatePasskey, GetPasskeyCreation, Passkey, PasskeyAsked,
    PasskeyCreation, Prove, SignInByPasskey,
};
use protocol::request::session::Session;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web::call::{Door, call};

use crate::model::Place;
use crate::passkey::Untaken;

/// Whether passkeys can be used on this page.
pub(super) fn place() -> Place {
    let location = window().location();
    let has_browser = Reflect::has(&window(), &"PublicKeyCredential".into()).unwrap_or_default();
    let hostname = location.hostname().unwrap_or_default();
    Place::of(&hostname, &location.port().unwrap_or_default(), has_browser)
}

/// Signs in by whichever passkey the person chooses.
pub(super) async fn sign_in(door: &Door) -> Result<Session, Untaken> {
    let begun = call(door, &BeginSignIn {}).await?;
    let passkey = sign(&begun.asked).await?;
    let begun = begun.begun;
    Ok(call(door, &SignInByPasskey { begun, passkey }).await?)
}

/// Proves whose the session is.
pub(super) async fn prove(door: &Door) -> Result<(), Untaken> {
    let asked = call(door, &BeginProof {}).await?;
    let passkey = Some(sign(&asked).await?);
    let prove = Prove {
        password: None,
        passkey,
    };
    call(door, &prove).await?;
    Ok(())
}

/// Makes a passkey and has the relay keep it.
pub(super) async fn make(door: &Door, name: String) -> Result<Passkey, Untaken> {
    let asked = call(door, &GetPasskeyCreation {}).await?;
    let credential = ask("create", &creation(&asked)).await?;
    let response = get(&credential, "response");
    let create = CreatePasskey {
        name,
        credential_id: text(&credential, "rawId"),
        client_data: text(&response, "clientDataJSON"),
        attestation: text(&response, "attestationObject"),
    };
    Ok(call(door, &create).await?)
}

async fn sign(asked: &PasskeyAsked) -> Result<Assertion, Untaken> {
    let options = object(&[
        ("challenge", bytes(&asked.challenge)),
        ("rpId", asked.rp_id.as_str().into()),
        ("userVerification", "required".into()),
        ("allowCredentials", credentials(&asked.credentials)),
    ]);
    let credential = ask("get", &options).await?;
    let response = get(&credential, "response");
    let handle = text(&response, "userHandle");
    Ok(Assertion {
        credential_id: text(&credential, "rawId"),
        client_data: text(&response, "clientDataJSON"),
        authenticator_data: text(&response, "authenticatorData"),
        signature: text(&response, "signature"),
        user_handle: (!handle.is_empty()).then_some(handle),
    })
}

/// Web Authentication §5.4.
fn creation(asked: &PasskeyCreation) -> JsValue {
    let name: JsValue = asked.user_name.as_str().into();
    let algorithms = asked.algorithms.iter().map(|algorithm| {
        object(&[
            ("type", "public-key".into()),
            ("alg", f64::from(*algorithm).into()),
        ])
    });
    object(&[
        ("challenge", bytes(&asked.challenge)),
        (
            "rp",
            object(&[
                ("id", asked.rp_id.as_str().into()),
                ("name", "Unpause".into()),
            ]),
        ),
        (
            "user",
            object(&[
                ("id", bytes(&asked.user_handle)),
                ("name", name.clone()),
                ("displayName", name),
            ]),
        ),
        ("pubKeyCredParams", algorithms.collect::<Array>().into()),
        ("excludeCredentials", credentials(&asked.known)),
        (
            "authenticatorSelection",
            object(&[
                ("residentKey", "required".into()),
                ("requireResidentKey", true.into()),
                ("userVerification", "required".into()),
            ]),
        ),
        ("attestation", "none".into()),
    ])
}

fn credentials(ids: &[String]) -> JsValue {
    let credential = |id: &String| object(&[("type", "public-key".into()), ("id", bytes(id))]);
    ids.iter().map(credential).collect::<Array>().into()
}

/// Calls `navigator.credentials.create` or `.get`.
async fn ask(method: &str, options: &JsValue) -> Result<JsValue, Untaken> {
    let container = get(&window().navigator(), "credentials");
    let method: js_sys::Function = get(&container, method)
        .dyn_into()
        .map_err(|error| thrown(&error))?;
    let asked = object(&[("publicKey", options.clone())]);
    let promise: Promise = method
        .call1(&container, &asked)
        .and_then(wasm_bindgen::JsCast::dyn_into)
        .map_err(|error| thrown(&error))?;
    let credential = JsFuture::from(promise)
        .await
        .map_err(|error| thrown(&error))?;
    if credential.is_null() {
        return Err(Untaken::ByPerson);
    }
    Ok(credential)
}

fn thrown(error: &JsValue) -> Untaken {
    let said = |name: &str| get(error, name).as_string().unwrap_or_default();
    Untaken::by_name(&said("name"), said("message"))
}

fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // A plain object takes any field.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.into()
}

/// A field, `undefined` where there is none.
fn get(of: &JsValue, name: &str) -> JsValue {
    Reflect::get(of, &name.into()).unwrap_or_default()
}

/// The bytes of an `ArrayBuffer` in base64url; empty where there is none.
fn text(of: &JsValue, name: &str) -> String {
    let buffer = get(of, name);
    if buffer.is_null() || buffer.is_undefined() {
        return String::new();
    }
    URL_SAFE_NO_PAD.encode(Uint8Array::new(&buffer).to_vec())
}

/// What the relay wrote in base64url is.
fn bytes(text: &str) -> JsValue {
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    Uint8Array::from(bytes.as_slice()).into()
}
