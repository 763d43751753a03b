//! The sites where the eyes may be: those that the person has allowed. What is listed is pure; registering follows
//! the browser's own word, which the person can change any time.

use url::Url;

use super::record::Record;
use crate::browser::{self, BrowserError, permissions, tabs};
use crate::message::Site;
use crate::origin::Origin;

/// The name of the registered script, and its file.
const SCRIPT: &str = "eyes";
const FILE: &str = "eyes.js";
/// What stands for the relay's own pages in the list of sites.
const DASHBOARD: &str = "Your relay's dashboard";

/// The sites that the relay and its providers name, then those that the person added.
pub fn list(record: &Record) -> Vec<Site> {
    let Some(paired) = &record.kept.paired else {
        return Vec::new();
    };
    let named = record.passing.status.iter().flat_map(|status| {
        status
            .sites
            .iter()
            .map(|site| (site.name.clone(), site.origin.clone()))
    });
    let mut sites: Vec<Site> = Vec::new();
    for (name, address) in
        std::iter::once((DASHBOARD.to_owned(), paired.relay.clone())).chain(named)
    {
        let Some(origin) = Url::parse(&address).ok().as_ref().and_then(Origin::of) else {
            continue;
        };
        let site = Site {
            name,
            origin: origin.to_string(),
            allowed: record
                .granted
                .iter()
                .any(|granted| covers(granted, &origin.pattern())),
            suggested: true,
        };
        if sites.iter().all(|known| known.origin != site.origin) {
            sites.push(site);
        }
    }
    for granted in &record.granted {
        let is_named = sites
            .iter()
            .filter_map(|site| Origin::parse(&site.origin).ok())
            .any(|origin| origin.pattern() == *granted);
        let Some(origin) = granted.strip_suffix("/*").filter(|_| !is_named) else {
            continue;
        };
        sites.push(Site {
            name: origin.split("://").last().unwrap_or(origin).to_owned(),
            origin: origin.to_owned(),
            allowed: true,
            suggested: false,
        });
    }
    sites
}

/// Lets the eyes run on exactly these origins from now on.
pub async fn register(granted: &[String]) -> Result<(), BrowserError> {
    browser::unregister_scripts().await?;
    if granted.is_empty() {
        return Ok(());
    }
    browser::register_script(SCRIPT, FILE, granted).await
}

/// Runs the eyes in the tabs that are open on these origins; a tab that refuses is left out.
pub async fn open_eyes(granted: &[String]) -> Result<(), BrowserError> {
    for tab in tabs::list_matching(granted).await? {
        if let Some(tab) = tab.id {
            // A page of the browser itself, or one that is just being closed.
            let _ = browser::run_script(tab, FILE).await;
        }
    }
    Ok(())
}

/// The origins that are allowed now and may hold a page.
pub async fn granted() -> Vec<String> {
    let mut granted = permissions::get_all().await.unwrap_or_default();
    granted.retain(|pattern| pattern.starts_with("http://") || pattern.starts_with("https://"));
    granted.sort();
    granted
}

/// Whether an allowed pattern allows another one.
fn covers(granted: &str, wanted: &str) -> bool {
    let scheme = wanted.split("://").next().unwrap_or_default();
    granted == wanted || granted == format!("{scheme}://*/*")
}

#[cfg(test)]
mod tests {
    use protocol::request::inbox::ConnectionState;

    use super::super::example;
    use super::*;

    #[test]
    fn sites_are_those_that_are_named_and_those_that_were_added() {
        let mut record = example::record(ConnectionState::Connected, 1);
        let brief = |record: &Record| -> Vec<(String, bool, bool)> {
            list(record)
                .into_iter()
                .map(|site| (site.origin, site.allowed, site.suggested))
                .collect()
        };
        let entry = |origin: &str, allowed, suggested| (origin.to_owned(), allowed, suggested);
        assert_eq!(
            brief(&record),
            [
                entry("http://127.0.0.1:7411", false, true),
                entry("http://127.0.0.1:8025", false, true),
            ]
        );
        record.granted = vec![
            "http://127.0.0.1/*".to_owned(),
            "https://app.acme.example/*".to_owned(),
        ];
        assert_eq!(
            brief(&record),
            [
                entry("http://127.0.0.1:7411", true, true),
                entry("http://127.0.0.1:8025", true, true),
                entry("https://app.acme.example", true, false),
            ]
        );
        assert!(brief(&Record::default()).is_empty());
    }

    #[test]
    fn an_allowed_scheme_allows_its_sites() {
        assert!(covers("https://*/*", "https://acme.example/*"));
        assert!(!covers("https://*/*", "http://127.0.0.1/*"));
        assert!(!covers("https://acme.example/*", "https://evil.example/*"));
    }
}
