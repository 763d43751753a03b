//! Chromium and Firefox with the built extension, each on a profile of its own that survives a restart.
//!
//! Deliberately absent: downloading a browser or a driver, and anything about our pages. Both come from the system;
//! `cargo xtask test` says what is missing.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::entrance::Trust;
use crate::programs::find_program;
use crate::webdriver::driver::Driver;
use crate::webdriver::session::Session;

mod chromium;
mod extension;
mod firefox;

pub use extension::{Extension, with_background_script, without_permission};

/// Which browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Chromium, as an example of all that come from it.
    Chromium,
    /// Firefox ESR.
    Firefox,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Chromium, Self::Firefox];

    /// Its name on the command line and in the last line of a story.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }
}

/// How a browser is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which.
    pub kind: Kind,
    /// Without a window.
    pub headless: bool,
    /// With dark colours.
    pub dark: bool,
    /// The folder of the built extension.
    pub extension: PathBuf,
    /// Whether `permissions.request` is granted at the click; a person at a window is asked instead.
    pub grants_at_click: bool,
    /// Servers of this machine that the browser takes for public ones (Local Network Access).
    pub public: Vec<SocketAddr>,
    /// The server of this machine with TLS that it trusts; none by itself.
    pub trusts: Option<Trust>,
}

impl Settings {
    /// Without a window, in light colours, granting what a click asks for.
    pub fn headless(kind: Kind, extension: PathBuf) -> Self {
        Self {
            kind,
            headless: true,
            dark: false,
            extension,
            grants_at_click: true,
            public: Vec::new(),
            trusts: None,
        }
    }
}

/// A running browser with the extension in it.
#[derive(Debug)]
pub struct Browser {
    /// What commands go to. Declared first: the driver ends the browser when it goes.
    pub session: Session,
    driver: Driver,
    settings: Settings,
    extension: Extension,
    folder: TempDir,
}

impl Browser {
    /// Starts it on a fresh profile.
    pub async fn start(settings: Settings) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let extension = Extension::read(&settings.extension)?;
        if settings.kind == Kind::Chromium && settings.grants_at_click {
            chromium::seed_grants(&settings, &extension, folder.path()).await?;
        }
        let (driver, session) = open(&settings, &extension, &folder).await?;
        Ok(Self {
            session,
            driver,
            settings,
            extension,
            folder,
        })
    }

    /// Closes the browser as a person does and opens it again on the same profile.
    pub async fn restart(&mut self) -> Result<()> {
        self.session.close().await?;
        self.driver.end()?;
        let (driver, session) = open(&self.settings, &self.extension, &self.folder).await?;
        (self.driver, self.session) = (driver, session);
        Ok(())
    }

    /// Closes the browser.
    pub async fn close(mut self) -> Result<()> {
        self.session.close().await?;
        self.driver.end()?;
        Ok(())
    }

    /// Closes the browser and hands over the folder with its `profile`, for who wants to see what it wrote.
    pub async fn close_and_keep(mut self) -> Result<TempDir> {
        self.session.close().await?;
        self.driver.end()?;
        let Self { folder, .. } = self;
        Ok(folder)
    }

    /// Which browser it is.
    pub fn kind(&self) -> Kind {
        self.settings.kind
    }

    /// The address of one of the extension's pages, as in `popup.html`.
    pub fn page(&self, name: &str) -> String {
        format!("{}/{name}", self.origin())
    }

    /// The origin of the extension's pages.
    pub fn origin(&self) -> String {
        match self.settings.kind {
            Kind::Chromium => format!("chrome-extension://{}", self.extension.chromium_id),
            Kind::Firefox => format!("moz-extension://{}", firefox::UUID),
        }
    }

    /// Ends the extension's background as the browser does when it has been idle. In Chromium the window in front
    /// must be a page of the extension.
    pub async fn stop_background(&self) -> Result<()> {
        match self.settings.kind {
            Kind::Chromium => chromium::stop_background(&self.session).await,
            Kind::Firefox => firefox::stop_background(&self.session, &self.extension).await,
        }
    }

    /// What Chromium says of the manifest; the window in front shows its list of extensions afterwards.
    pub async fn manifest_warnings(&self, at_least: usize) -> Result<Vec<Value>> {
        chromium::manifest_warnings(&self.session, &self.extension, at_least).await
    }
}

async fn open(
    settings: &Settings,
    extension: &Extension,
    folder: &TempDir,
) -> Result<(Driver, Session)> {
    match settings.kind {
        Kind::Chromium => chromium::open(settings, folder.path()).await,
        Kind::Firefox => firefox::open(settings, extension, folder.path()).await,
    }
}

fn program(name: &str) -> Result<PathBuf> {
    find_program(name).with_context(|| format!("{name} is not installed"))
}
