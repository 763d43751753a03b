//! Ports of `runtime.connect`: text both ways. What is said over them is in [`crate::message`].

use js_sys::{Function, Object, Reflect};
use serde::Deserialize;
use wasm_bindgen::{JsCast as _, JsValue};

use super::{BrowserError, add_listener, call, failed, get, listen, read};

/// One end of a connection between a page or script of ours and the background.
#[derive(Clone, Debug, PartialEq)]
pub struct Port(JsValue);

/// Who opened a port, by the browser's own word: no page can pretend to be another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sender {
    /// The tab; `None` for the popup.
    pub tab: Option<Tab>,
    /// The frame in that tab; 0 is the page itself. Firefox gives frames of a process of their own numbers beyond
    /// 32 bits.
    pub frame_id: Option<i64>,
    /// The address of the page or frame.
    pub url: Option<String>,
}

/// A tab.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tab {
    /// Its number in this run of the browser.
    pub id: i32,
}

/// Opens a port to the background.
pub fn connect(name: &str) -> Result<Port, BrowserError> {
    let how = Object::new();
    Reflect::set(&how, &"name".into(), &name.into())
        .map_err(|thrown| failed("runtime.connect", &thrown))?;
    call("runtime.connect", &[how.into()]).map(Port)
}

/// Each port that is opened to the background.
pub fn on_connect(mut listener: impl FnMut(Port) + 'static) -> Result<(), BrowserError> {
    listen("runtime.onConnect", move |port, _| listener(Port(port)))
}

impl Port {
    /// The name it was opened with.
    pub fn name(&self) -> String {
        get(&self.0, "name")
            .and_then(|name| name.as_string())
            .unwrap_or_default()
    }

    /// Who opened it; only the background's end knows.
    pub fn sender(&self) -> Sender {
        get(&self.0, "sender")
            .and_then(|sender| read("runtime.MessageSender", &sender).ok())
            .unwrap_or_default()
    }

    /// Says something to the other end. It fails once the other end is gone.
    pub fn post(&self, text: &str) -> Result<(), BrowserError> {
        self.method("postMessage", &[text.into()])
    }

    /// Each text that the other end says.
    pub fn on_text(&self, mut listener: impl FnMut(String) + 'static) -> Result<(), BrowserError> {
        self.listen("onMessage", move |message| {
            if let Some(text) = message.as_string() {
                listener(text);
            }
        })
    }

    /// The other end is gone: its page was closed, or the background was ended.
    pub fn on_disconnect(&self, mut listener: impl FnMut() + 'static) -> Result<(), BrowserError> {
        self.listen("onDisconnect", move |_| listener())
    }

    /// Closes it; this end is told nothing more.
    pub fn disconnect(&self) -> Result<(), BrowserError> {
        self.method("disconnect", &[])
    }

    fn listen(
        &self,
        event: &str,
        mut listener: impl FnMut(JsValue) + 'static,
    ) -> Result<(), BrowserError> {
        let event = get(&self.0, event).ok_or(BrowserError::Missing {
            call: "runtime.Port",
        })?;
        add_listener(&event, move |first, _| listener(first))
            .map_err(|thrown| failed("runtime.Port", &thrown))
    }

    fn method(&self, name: &str, arguments: &[JsValue]) -> Result<(), BrowserError> {
        let failed = |thrown: JsValue| failed("runtime.Port", &thrown);
        let method: Function = Reflect::get(&self.0, &name.into())
            .map_err(failed)?
            .dyn_into()
            .map_err(failed)?;
        method
            .apply(&self.0, &arguments.iter().collect())
            .map(drop)
            .map_err(failed)
    }
}
