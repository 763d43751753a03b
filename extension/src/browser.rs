//! The few calls of `browser.*` that the extension makes, typed, and nothing else: no decision is made here and
//! nothing is kept. Chrome 148 and Firefox 142 both have `browser` with promises. An API that a browser lacks is
//! [`BrowserError::Missing`], never an exception; listeners are set in the caller's own turn, before any `await`.

use std::future::Future;

use js_sys::{Array, Function, JSON, Object, Promise, Reflect};
use serde::de::DeserializeOwned;
use serde_json::json;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

pub mod area;
pub mod identity;
pub mod permissions;
pub mod port;
pub mod tabs;
pub mod windows;

/// Where `background.js` leaves the events that it listens to.
const HELD: &str = "held";

/// Why a call of `browser.*` gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrowserError {
    /// This browser has no such API.
    #[error("this browser has no {call}")]
    Missing {
        /// The API, as in `identity.launchWebAuthFlow`.
        call: &'static str,
    },
    /// The browser said no.
    #[error("{call}: {words}")]
    Failed {
        /// The API.
        call: &'static str,
        /// The browser's words.
        words: String,
    },
}

/// The address of a file of the extension.
pub fn get_url(path: &str) -> Result<String, BrowserError> {
    text("runtime.getURL", &call("runtime.getURL", &[path.into()])?)
}

/// Opens the options page.
pub async fn open_options() -> Result<(), BrowserError> {
    settle("runtime.openOptionsPage", &[]).await.map(drop)
}

/// Once after the extension was installed or replaced by another version, with the browser's word for it.
pub fn on_installed(mut listener: impl FnMut(String) + 'static) -> Result<(), BrowserError> {
    listen("runtime.onInstalled", move |details, _| {
        let reason = Reflect::get(&details, &"reason".into()).unwrap_or_default();
        listener(reason.as_string().unwrap_or_default());
    })
}

/// Each time the browser starts.
pub fn on_startup(mut listener: impl FnMut() + 'static) -> Result<(), BrowserError> {
    listen("runtime.onStartup", move |_, _| listener())
}

/// Does nothing but be a call of the browser, which ends a worker that makes none for 30 s: Chromium counts those,
/// and no `fetch`.
pub async fn stay_awake() -> Result<(), BrowserError> {
    settle("runtime.getPlatformInfo", &[]).await.map(drop)
}

/// Rings from now on every so many minutes; 0.5 is the shortest that both browsers take.
pub async fn create_alarm(name: &str, period_in_minutes: f64) -> Result<(), BrowserError> {
    let how =
        js(&json!({ "periodInMinutes": period_in_minutes, "delayInMinutes": period_in_minutes }));
    settle("alarms.create", &[name.into(), how]).await.map(drop)
}

/// Whether an alarm of that name is set.
pub async fn has_alarm(name: &str) -> Result<bool, BrowserError> {
    Ok(settle("alarms.get", &[name.into()]).await?.is_truthy())
}

/// Each alarm, by its name.
pub fn on_alarm(mut listener: impl FnMut(String) + 'static) -> Result<(), BrowserError> {
    listen("alarms.onAlarm", move |alarm, _| {
        let name = Reflect::get(&alarm, &"name".into()).unwrap_or_default();
        listener(name.as_string().unwrap_or_default());
    })
}

/// Shows a notification; one with the same id is replaced.
pub async fn notify(id: &str, title: &str, message: &str) -> Result<(), BrowserError> {
    let icon = get_url("icons/128.png")?;
    let what = js(&json!({ "type": "basic", "iconUrl": icon, "title": title, "message": message }));
    settle("notifications.create", &[id.into(), what])
        .await
        .map(drop)
}

/// Takes a notification away.
pub async fn clear_notification(id: &str) -> Result<(), BrowserError> {
    settle("notifications.clear", &[id.into()]).await.map(drop)
}

/// Each click on a notification, by its id.
pub fn on_notification_clicked(
    mut listener: impl FnMut(String) + 'static,
) -> Result<(), BrowserError> {
    listen("notifications.onClicked", move |id, _| {
        listener(id.as_string().unwrap_or_default());
    })
}

/// What the toolbar's button bears and says; an empty badge is none.
pub async fn show_badge(badge: &str, color: &str, title: &str) -> Result<(), BrowserError> {
    settle(
        "action.setBadgeBackgroundColor",
        &[js(&json!({ "color": color }))],
    )
    .await?;
    settle("action.setBadgeText", &[js(&json!({ "text": badge }))]).await?;
    settle("action.setTitle", &[js(&json!({ "title": title }))])
        .await
        .map(drop)
}

/// Lets a script of the extension run on pages of these origins from now on.
pub async fn register_script(id: &str, file: &str, matches: &[String]) -> Result<(), BrowserError> {
    let script = js(&json!([{
        "id": id,
        "js": [file],
        "matches": matches,
        "runAt": "document_idle",
        "allFrames": false,
        "persistAcrossSessions": true,
    }]));
    settle("scripting.registerContentScripts", &[script])
        .await
        .map(drop)
}

/// Ends that for every script that was registered.
pub async fn unregister_scripts() -> Result<(), BrowserError> {
    settle("scripting.unregisterContentScripts", &[])
        .await
        .map(drop)
}

/// Runs a script of the extension in a tab that is open now.
pub async fn run_script(tab: i32, file: &str) -> Result<(), BrowserError> {
    let what = js(&json!({ "target": { "tabId": tab }, "files": [file] }));
    settle("scripting.executeScript", &[what]).await.map(drop)
}

/// `browser.<path>` with what it belongs to.
fn find(path: &str) -> Option<(JsValue, JsValue)> {
    let mut owner: JsValue = js_sys::global().into();
    let mut found = get(&owner, "browser")?;
    for name in path.split('.') {
        owner = found;
        found = get(&owner, name)?;
    }
    Some((owner, found))
}

fn get(owner: &JsValue, name: &str) -> Option<JsValue> {
    let found = Reflect::get(owner, &name.into()).ok()?;
    (!found.is_undefined() && !found.is_null()).then_some(found)
}

fn call(path: &'static str, arguments: &[JsValue]) -> Result<JsValue, BrowserError> {
    let (owner, function) = find(path).ok_or(BrowserError::Missing { call: path })?;
    let function: Function = function
        .dyn_into()
        .map_err(|_| BrowserError::Missing { call: path })?;
    let arguments: Array = arguments.iter().collect();
    function
        .apply(&owner, &arguments)
        .map_err(|thrown| failed(path, &thrown))
}

/// Makes the call now, in the turn of whoever calls (a click is worth nothing later); what is returned waits for
/// the answer.
fn settle(
    path: &'static str,
    arguments: &[JsValue],
) -> impl Future<Output = Result<JsValue, BrowserError>> + use<> {
    let made = call(path, arguments);
    async move {
        let promise = Promise::resolve(&made?);
        JsFuture::from(promise)
            .await
            .map_err(|thrown| failed(path, &thrown))
    }
}

fn failed(path: &'static str, thrown: &JsValue) -> BrowserError {
    let words = get(thrown, "message").and_then(|message| message.as_string());
    BrowserError::Failed {
        call: path,
        words: words
            .or_else(|| thrown.as_string())
            .unwrap_or_else(|| "no reason was given".to_owned()),
    }
}

/// Adds a listener that stays as long as this context lives; it gets the first two arguments of the event.
fn listen(
    path: &'static str,
    listener: impl FnMut(JsValue, JsValue) + 'static,
) -> Result<(), BrowserError> {
    let event = find_held(path).or_else(|| find(path).map(|(_, event)| event));
    let event = event.ok_or(BrowserError::Missing { call: path })?;
    add_listener(&event, listener).map_err(|thrown| failed(path, &thrown))
}

/// An event that `background.js` has listened to since the browser's first turn, with what has come since.
fn find_held(path: &str) -> Option<JsValue> {
    get(&get(&js_sys::global(), HELD)?, path)
}

/// Adds a listener to an event; it is dropped with the event.
fn add_listener(
    event: &JsValue,
    listener: impl FnMut(JsValue, JsValue) + 'static,
) -> Result<(), JsValue> {
    let listener = Closure::<dyn FnMut(JsValue, JsValue)>::new(listener).into_js_value();
    let add: Function = Reflect::get(event, &"addListener".into())?.dyn_into()?;
    add.call1(event, &listener).map(drop)
}

/// A value of JSON as a value of JavaScript.
fn js(value: &serde_json::Value) -> JsValue {
    JSON::parse(&value.to_string()).unwrap_or_else(|_| Object::new().into())
}

/// A value of JavaScript, read.
fn read<T: DeserializeOwned>(path: &'static str, value: &JsValue) -> Result<T, BrowserError> {
    let strange = |words: String| BrowserError::Failed { call: path, words };
    let written = JSON::stringify(value).map_err(|thrown| failed(path, &thrown))?;
    serde_json::from_str(&String::from(written)).map_err(|error| strange(error.to_string()))
}

fn text(path: &'static str, value: &JsValue) -> Result<String, BrowserError> {
    value.as_string().ok_or_else(|| BrowserError::Failed {
        call: path,
        words: "the answer is no text".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// The texts that stand between `before` and the next quotation mark.
    fn quoted<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
        text.split(before)
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect()
    }

    #[test]
    fn every_event_of_the_browser_is_held_until_the_module_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = vec![fs::read_to_string(root.join("src/browser.rs")).unwrap()];
        for entry in fs::read_dir(root.join("src/browser")).unwrap() {
            sources.push(fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        let sources = sources.concat();
        let listened: BTreeSet<&str> = quoted(&sources, "listen(\"")
            .into_iter()
            .filter(|path| path.contains('.'))
            .collect();
        let script = fs::read_to_string(root.join("background.js")).unwrap();
        let list = script
            .split("const EVENTS = [")
            .nth(1)
            .and_then(|rest| rest.split(']').next());
        assert_eq!(quoted(list.unwrap(), "  \""), listened);
        assert!(listened.len() > 5, "{listened:?}");
    }
}
