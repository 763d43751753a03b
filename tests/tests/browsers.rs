//! The extension in real browsers, where things are not as smooth as in the story of the demo: strict pages, hostile
//! pages, workers that end at the worst moment, browsers without an API. Each behaviour in both browsers where it
//! can be. `cargo xtask test` builds the extension first.
#![cfg(test)]

#[path = "browsers/accessibility.rs"]
mod accessibility;
#[path = "browsers/bars.rs"]
mod bars;
#[path = "browsers/confirming.rs"]
mod confirming;
#[path = "browsers/encrypted.rs"]
mod encrypted;
#[path = "browsers/endings.rs"]
mod endings;
#[path = "browsers/hostile.rs"]
mod hostile;
#[path = "browsers/impostor.rs"]
mod impostor;
#[path = "browsers/link.rs"]
mod link;
#[path = "browsers/manifest.rs"]
mod manifest;
#[path = "browsers/named.rs"]
mod named;
#[path = "browsers/pages.rs"]
mod pages;
#[path = "browsers/passkeys.rs"]
mod passkeys;
#[path = "browsers/passwords.rs"]
mod passwords;
#[path = "browsers/prepared.rs"]
mod prepared;
#[path = "browsers/renewed.rs"]
mod renewed;
#[path = "browsers/secrets.rs"]
mod secrets;
#[path = "browsers/sites.rs"]
mod sites;
#[path = "browsers/stage.rs"]
mod stage;
#[path = "browsers/stand_in.rs"]
mod stand_in;
#[path = "browsers/strangers.rs"]
mod strangers;
#[path = "browsers/survival.rs"]
mod survival;
#[path = "browsers/tab.rs"]
mod tab;

/// One story as a test in each browser, so that a failure names it.
macro_rules! in_both {
    ($chromium:ident, $firefox:ident, $story:path) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $chromium() {
            $story(tests::browsers::Kind::Chromium).await.unwrap();
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $firefox() {
            $story(tests::browsers::Kind::Firefox).await.unwrap();
        }
    };
}
use in_both;
