//! One browser: its windows, frames and pages.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::WebDriverError;
use super::element::Element;

/// A browser that a driver holds.
#[derive(Clone, Debug)]
pub struct Session {
    http: reqwest::Client,
    base: String,
    capabilities: Value,
}

/// A window or tab.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window(String);

impl Session {
    pub(super) fn new(http: reqwest::Client, base: String, capabilities: Value) -> Self {
        Self {
            http,
            base,
            capabilities,
        }
    }

    /// What the driver says of the browser.
    pub fn capabilities(&self) -> &Value {
        &self.capabilities
    }

    /// Loads a page and waits until it has loaded.
    pub async fn goto(&self, url: &str) -> Result<(), WebDriverError> {
        self.post("url", json!({ "url": url })).await.map(drop)
    }

    /// Loads the page again.
    pub async fn reload(&self) -> Result<(), WebDriverError> {
        self.post("refresh", json!({})).await.map(drop)
    }

    /// The address of the page.
    pub async fn url(&self) -> Result<String, WebDriverError> {
        self.text("url").await
    }

    /// The title of the page.
    pub async fn title(&self) -> Result<String, WebDriverError> {
        self.text("title").await
    }

    /// The first element that a CSS selector finds; `None` where there is none.
    pub async fn find(&self, css: &str) -> Result<Option<Element>, WebDriverError> {
        Ok(self.find_all(css).await?.into_iter().next())
    }

    /// Every element that a CSS selector finds.
    pub async fn find_all(&self, css: &str) -> Result<Vec<Element>, WebDriverError> {
        self.elements("elements", css).await
    }

    /// The words that are seen on the page or in the frame.
    pub async fn words(&self) -> Result<String, WebDriverError> {
        match self.find("body").await? {
            Some(body) => body.words().await,
            None => Ok(String::new()),
        }
    }

    /// Runs a function's body in the page and answers what it returns; a promise is waited for.
    pub async fn execute(&self, script: &str, arguments: Value) -> Result<Value, WebDriverError> {
        let body = json!({ "script": script, "args": arguments });
        self.post("execute/sync", body).await
    }

    /// What is seen of the page, as PNG.
    pub async fn screenshot(&self) -> Result<Vec<u8>, WebDriverError> {
        let text = self.text("screenshot").await?;
        BASE64_STANDARD
            .decode(text)
            .map_err(|_| WebDriverError::Strange {
                command: "screenshot".to_owned(),
            })
    }

    /// The window that commands go to.
    pub async fn window(&self) -> Result<Window, WebDriverError> {
        Ok(Window(self.text("window").await?))
    }

    /// Every window and tab.
    pub async fn windows(&self) -> Result<Vec<Window>, WebDriverError> {
        let value = self.get("window/handles").await?;
        let handles = value.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(handles
            .iter()
            .filter_map(Value::as_str)
            .map(|handle| Window(handle.to_owned()))
            .collect())
    }

    /// Sends commands to this window from now on.
    pub async fn switch_to(&self, window: &Window) -> Result<(), WebDriverError> {
        self.post("window", json!({ "handle": window.0 }))
            .await
            .map(drop)
    }

    /// Sends commands to this window from now on, and puts it in front of the others of its browser window.
    pub async fn show(&self, window: &Window) -> Result<(), WebDriverError> {
        self.switch_to(window).await?;
        // Firefox does so by itself.
        if self.capabilities.get("browserName").and_then(Value::as_str) == Some("chrome") {
            self.devtools("Page.bringToFront", json!({})).await?;
        }
        Ok(())
    }

    /// Opens an empty tab and sends commands to it from now on.
    pub async fn open_tab(&self) -> Result<Window, WebDriverError> {
        let value = self.post("window/new", json!({ "type": "tab" })).await?;
        let handle = value.get("handle").and_then(Value::as_str);
        let window = Window(handle.unwrap_or_default().to_owned());
        self.show(&window).await?;
        Ok(window)
    }

    /// Closes the window that commands go to.
    pub async fn close_window(&self) -> Result<(), WebDriverError> {
        self.delete("window").await
    }

    /// Gives the window this size.
    pub async fn resize(&self, width: u32, height: u32) -> Result<(), WebDriverError> {
        self.post("window/rect", json!({ "width": width, "height": height }))
            .await
            .map(drop)
    }

    /// Presses at this point of the window, whatever is there (W3C `WebDriver` §15.7).
    pub async fn press_at(&self, (x, y): (f64, f64)) -> Result<(), WebDriverError> {
        let pointer = json!({
            "type": "pointer",
            "id": "mouse",
            "parameters": { "pointerType": "mouse" },
            "actions": [
                { "type": "pointerMove", "duration": 0, "x": x.round(), "y": y.round(), "origin": "viewport" },
                { "type": "pointerDown", "button": 0 },
                { "type": "pointerUp", "button": 0 },
            ],
        });
        self.post("actions", json!({ "actions": [pointer] }))
            .await
            .map(drop)
    }

    /// Sends commands to a frame from now on.
    pub async fn enter(&self, frame: &Element) -> Result<(), WebDriverError> {
        self.post("frame", json!({ "id": frame.to_json() }))
            .await
            .map(drop)
    }

    /// Sends commands to the whole page from now on.
    pub async fn leave_frames(&self) -> Result<(), WebDriverError> {
        self.post("frame", json!({ "id": null })).await.map(drop)
    }

    /// A command of the `DevTools` protocol; Chromium only.
    pub async fn devtools(
        &self,
        command: &str,
        parameters: Value,
    ) -> Result<Value, WebDriverError> {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", body).await
    }

    /// Installs an add-on from a folder or file; Firefox only.
    pub async fn install_addon(&self, path: &Path, temporary: bool) -> Result<(), WebDriverError> {
        let body = json!({ "path": path.to_string_lossy(), "temporary": temporary });
        self.post("moz/addon/install", body).await.map(drop)
    }

    /// Sends script to the browser's own windows (`chrome`) or to pages (`content`) from now on; Firefox only.
    pub async fn set_context(&self, context: &str) -> Result<(), WebDriverError> {
        self.post("moz/context", json!({ "context": context }))
            .await
            .map(drop)
    }

    /// Gives the browser an authenticator of its own device, whose person is there and is verified (Web Authentication
    /// §11.3), and answers its name.
    pub async fn add_authenticator(&self) -> Result<String, WebDriverError> {
        let has = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true,
            "isUserConsenting": true, "isUserVerified": true,
        });
        let name = self.post("webauthn/authenticator", has).await?;
        let name = name.as_str().map(str::to_owned);
        name.ok_or_else(|| WebDriverError::Strange {
            command: "Add Virtual Authenticator".to_owned(),
        })
    }

    /// Says whether the person of an authenticator is verified from now on.
    pub async fn verify_person(
        &self,
        authenticator: &str,
        yes: bool,
    ) -> Result<(), WebDriverError> {
        let path = format!("webauthn/authenticator/{authenticator}/uv");
        self.post(&path, json!({ "isUserVerified": yes }))
            .await
            .map(drop)
    }

    /// What an authenticator keeps.
    pub async fn credentials(&self, authenticator: &str) -> Result<Value, WebDriverError> {
        self.get(&format!(
            "webauthn/authenticator/{authenticator}/credentials"
        ))
        .await
    }

    /// Closes the browser, which writes its profile.
    pub async fn close(&self) -> Result<(), WebDriverError> {
        self.delete("").await
    }

    pub(super) async fn elements(
        &self,
        path: &str,
        css: &str,
    ) -> Result<Vec<Element>, WebDriverError> {
        let body = json!({ "using": "css selector", "value": css });
        let value = self.post(path, body).await?;
        let found = value.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(found
            .iter()
            .filter_map(|one| Element::from_json(self, one))
            .collect())
    }

    pub(super) async fn text(&self, path: &str) -> Result<String, WebDriverError> {
        let value = self.get(path).await?;
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| WebDriverError::Strange {
                command: path.to_owned(),
            })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, WebDriverError> {
        read(path, self.http.get(self.at(path))).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, WebDriverError> {
        post(&self.http, &self.at(path), path, &body).await
    }

    async fn delete(&self, path: &str) -> Result<(), WebDriverError> {
        read(path, self.http.delete(self.at(path))).await.map(drop)
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
            .trim_end_matches('/')
            .to_owned()
    }
}

pub(super) async fn post(
    http: &reqwest::Client,
    url: &str,
    command: &str,
    body: &Value,
) -> Result<Value, WebDriverError> {
    read(command, http.post(url).json(body)).await
}

/// Sends a command and reads its answer (W3C `WebDriver` §6.5): `value` is the result, or the error.
async fn read(command: &str, request: reqwest::RequestBuilder) -> Result<Value, WebDriverError> {
    let failed = |source| WebDriverError::Http {
        command: command.to_owned(),
        source,
    };
    let answer = request.send().await.map_err(failed)?;
    let status = answer.status();
    let mut body: Value = answer.json().await.map_err(failed)?;
    let value = body
        .get_mut("value")
        .map(Value::take)
        .ok_or_else(|| WebDriverError::Strange {
            command: command.to_owned(),
        })?;
    if status.is_success() {
        return Ok(value);
    }
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = field("message");
    Err(WebDriverError::Refused {
        command: command.to_owned(),
        error: field("error").to_owned(),
        // What follows the first line is the driver's own stack.
        message: message.lines().next().unwrap_or_default().to_owned(),
    })
}
