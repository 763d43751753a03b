//! Pictures of what a story shows, numbered in the order in which they were taken.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use crate::webdriver::session::Session;

/// Where pictures go; nowhere without a folder.
#[derive(Debug)]
pub struct Screens {
    folder: Option<PathBuf>,
    n_taken: AtomicU32,
}

impl Screens {
    /// Into this folder, which is made.
    pub fn into(folder: Option<PathBuf>) -> Result<Self> {
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self {
            folder,
            n_taken: AtomicU32::new(0),
        })
    }

    /// What the window in front shows now, as `03-prompt-on-the-dashboard.png`.
    pub async fn take(&self, session: &Session, name: &str) -> Result<()> {
        if let Some(folder) = &self.folder {
            let number = self.n_taken.fetch_add(1, Ordering::Relaxed) + 1;
            let picture = session.screenshot().await?;
            std::fs::write(folder.join(format!("{number:02}-{name}.png")), picture)?;
        }
        Ok(())
    }
}
