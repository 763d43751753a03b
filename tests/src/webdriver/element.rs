//! One element of a page, or the shadow root of one.

use serde_json::{Value, json};

use super::WebDriverError;
use super::session::Session;

/// How an element is named in JSON (W3C `WebDriver` §12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How a shadow root is (W3C `WebDriver` §12.2).
const SHADOW: &str = "shadow-6066-11e4-a52e-4f735466cecf";

/// The role of an element by HTML-AAM, for what our pages consist of.
const ROLE: &str = "
    const [element] = arguments;
    const input = { checkbox: 'checkbox', radio: 'radio', submit: 'button' };
    const tags = { A: 'link', BUTTON: 'button', SUMMARY: 'button', TEXTAREA: 'textbox' };
    return element.getAttribute('role')
        ?? (element.tagName === 'INPUT' ? input[element.type] ?? 'textbox' : tags[element.tagName] ?? 'generic');";
/// The name of an element by accname, as far as it comes from an attribute, a label or its own words.
const NAME: &str = "
    const [element] = arguments;
    const words = (node) => (node?.textContent ?? '').replace(/\\s+/g, ' ').trim();
    const ids = (element.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean);
    return ids.map((id) => words(document.getElementById(id))).join(' ')
        || element.getAttribute('aria-label')
        || words(element.labels?.[0])
        || words(element);";

/// An element.
#[derive(Clone, Debug)]
pub struct Element {
    session: Session,
    id: String,
}

/// The shadow root of an element; a closed one too.
#[derive(Clone, Debug)]
pub struct ShadowRoot {
    session: Session,
    id: String,
}

impl Element {
    pub(super) fn from_json(session: &Session, value: &Value) -> Option<Self> {
        Some(Self {
            session: session.clone(),
            id: value.get(ELEMENT)?.as_str()?.to_owned(),
        })
    }

    /// The element as an argument of a script or a command.
    pub fn to_json(&self) -> Value {
        json!({ ELEMENT: self.id })
    }

    /// Every element below this one that a CSS selector finds.
    pub async fn find_all(&self, css: &str) -> Result<Vec<Self>, WebDriverError> {
        self.session.elements(&self.at("elements"), css).await
    }

    /// Its role as assistive technology is told, as in `button`.
    pub async fn role(&self) -> Result<String, WebDriverError> {
        self.computed("computedrole", ROLE).await
    }

    /// Its name as assistive technology is told, as in `Reconnect with Google`.
    pub async fn name(&self) -> Result<String, WebDriverError> {
        Ok(self
            .computed("computedlabel", NAME)
            .await?
            .trim()
            .to_owned())
    }

    /// The words that are seen in it.
    pub async fn words(&self) -> Result<String, WebDriverError> {
        self.session.text(&self.at("text")).await
    }

    /// Whether it is seen.
    pub async fn is_shown(&self) -> Result<bool, WebDriverError> {
        let shown = self.session.get(&self.at("displayed")).await?;
        Ok(shown.as_bool().unwrap_or_default())
    }

    /// One of its attributes; `None` where it has no such one.
    pub async fn attribute(&self, name: &str) -> Result<Option<String>, WebDriverError> {
        let value = self
            .session
            .get(&self.at(&format!("attribute/{name}")))
            .await?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Types into it after what is there.
    pub async fn write(&self, text: &str) -> Result<(), WebDriverError> {
        self.session
            .post(&self.at("value"), json!({ "text": text }))
            .await
            .map(drop)
    }

    /// Empties it.
    pub async fn clear(&self) -> Result<(), WebDriverError> {
        self.session
            .post(&self.at("clear"), json!({}))
            .await
            .map(drop)
    }

    /// Its shadow root; `None` where it has none.
    pub async fn shadow_root(&self) -> Result<Option<ShadowRoot>, WebDriverError> {
        let value = match self.session.get(&self.at("shadow")).await {
            Ok(value) => value,
            Err(error) if error.code() == Some("no such shadow root") => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(value
            .get(SHADOW)
            .and_then(Value::as_str)
            .map(|id| ShadowRoot {
                session: self.session.clone(),
                id: id.to_owned(),
            }))
    }

    /// Only [`super::click`] clicks, so that no click is missing from the log.
    pub(super) async fn send_click(&self) -> Result<(), WebDriverError> {
        self.session
            .post(&self.at("click"), json!({}))
            .await
            .map(drop)
    }

    /// What the driver computes. Observed with chromedriver 156 on 2026-11-24: both commands call every element of a
    /// frame of another origin stale, which other commands do not. Then a script reads the same from the element's
    /// own markup; an element that is stale indeed is refused by it as well.
    async fn computed(&self, path: &str, script: &str) -> Result<String, WebDriverError> {
        match self.session.text(&self.at(path)).await {
            Err(error) if error.code() == Some("stale element reference") => {
                let found = self
                    .session
                    .execute(script, json!([self.to_json()]))
                    .await?;
                Ok(found.as_str().unwrap_or_default().to_owned())
            }
            told => told,
        }
    }

    fn at(&self, path: &str) -> String {
        format!("element/{}/{path}", self.id)
    }
}

impl ShadowRoot {
    /// The first element in it that a CSS selector finds.
    pub async fn find(&self, css: &str) -> Result<Option<Element>, WebDriverError> {
        let path = format!("shadow/{}/elements", self.id);
        Ok(self.session.elements(&path, css).await?.into_iter().next())
    }
}
