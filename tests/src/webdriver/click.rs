//! Clicking, and the log of it: what was truly sent to a browser, in the words that assistive technology is told.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::WebDriverError;
use super::element::Element;
use crate::clock::now_ms;

/// One click.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Click {
    /// What was clicked on, as in `prompt` or `provider`.
    pub surface: String,
    /// The role of what was clicked, as in `button`.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Milliseconds of the clock, just before it was sent.
    pub at_ms: i64,
}

/// Every click of a person, in order.
#[derive(Debug, Default)]
pub struct ClickLog {
    clicks: Mutex<Vec<Click>>,
}

impl ClickLog {
    /// Clicks, and writes it down once the driver has done it.
    pub async fn click(&self, surface: &str, element: &Element) -> Result<Click, WebDriverError> {
        let (role, name) = (element.role().await?, element.name().await?);
        let click = Click {
            surface: surface.to_owned(),
            role,
            name,
            at_ms: now_ms(),
        };
        match element.send_click().await {
            Ok(()) => {}
            // Role and name were just read, so the window was there: the click itself closed it.
            Err(error) if error.code() == Some("no such window") => {}
            Err(error) => return Err(error),
        }
        self.clicks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(click.clone());
        Ok(click)
    }

    /// What was clicked so far.
    pub fn clicks(&self) -> Vec<Click> {
        self.clicks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
