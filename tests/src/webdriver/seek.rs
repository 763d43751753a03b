//! Finding what a person would find: by role and name, seen, and again when the page was drawn anew meanwhile.

use std::time::Duration;

use super::WebDriverError;
use super::click::{Click, ClickLog};
use super::element::Element;
use super::session::Session;
use crate::wait::{TimedOut, wait_for};

/// Why something was not found, or not clicked.
#[derive(Debug, thiserror::Error)]
pub enum SeekError {
    /// It did not appear.
    #[error("{page} shows instead: {words}")]
    Missing {
        /// What was looked for.
        #[source]
        source: TimedOut,
        /// The address of the page.
        page: String,
        /// Its words.
        words: String,
    },
    /// The driver said no.
    #[error(transparent)]
    WebDriver(#[from] WebDriverError),
}

/// The first element that is seen, with this role and a name that begins so; `None` where there is none now.
pub async fn find_named(
    session: &Session,
    role: &str,
    name: &str,
) -> Result<Option<Element>, WebDriverError> {
    for element in session.find_all(selector(role)).await? {
        if element.name().await?.starts_with(name)
            && element.role().await? == role
            && element.is_shown().await?
        {
            return Ok(Some(element));
        }
    }
    Ok(None)
}

/// The same as soon as it is there.
pub async fn wait_named(
    session: &Session,
    role: &str,
    name: &str,
    within: Duration,
) -> Result<Element, SeekError> {
    let what = format!("the {role} \"{name}\"");
    let look = async || find_named(session, role, name).await.ok().flatten();
    match wait_for(&what, look, within).await {
        Ok(element) => Ok(element),
        Err(source) => Err(missing(session, source).await),
    }
}

/// Clicks on it as soon as it is there and can be clicked.
pub async fn press(
    session: &Session,
    log: &ClickLog,
    (surface, role, name): (&str, &str, &str),
    within: Duration,
) -> Result<Click, SeekError> {
    let what = format!("clicking on the {role} \"{name}\"");
    let mut refused = None;
    let look = async || {
        let element = find_named(session, role, name).await.ok().flatten()?;
        match log.click(surface, &element).await {
            Ok(click) => Some(click),
            Err(error) => {
                refused = Some(error);
                None
            }
        }
    };
    match (wait_for(&what, look, within).await, refused) {
        (Ok(click), _) => Ok(click),
        (Err(_), Some(error)) => Err(error.into()),
        (Err(source), None) => Err(missing(session, source).await),
    }
}

/// Waits until the page or frame shows these words.
pub async fn wait_words(
    session: &Session,
    wanted: &str,
    within: Duration,
) -> Result<String, SeekError> {
    let what = format!("the words \"{wanted}\"");
    let look = async || {
        let words = session.words().await.ok()?;
        words.contains(wanted).then_some(words)
    };
    match wait_for(&what, look, within).await {
        Ok(words) => Ok(words),
        Err(source) => Err(missing(session, source).await),
    }
}

async fn missing(session: &Session, source: TimedOut) -> SeekError {
    SeekError::Missing {
        source,
        page: session.url().await.unwrap_or_default(),
        words: session.words().await.unwrap_or_default(),
    }
}

/// Elements that may have the role.
fn selector(role: &str) -> &'static str {
    match role {
        "button" => "button, input[type=submit], summary, [role=button]",
        "link" => "a[href], [role=link]",
        "checkbox" => "input[type=checkbox]:not([role]), [role=checkbox]",
        "switch" => "[role=switch]",
        "textbox" => "input:not([type=checkbox]):not([type=radio]):not([type=submit]), textarea",
        _ => "[role], h1, h2, h3, section, nav, main",
    }
}
