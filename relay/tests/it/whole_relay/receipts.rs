//! A receipt as a document that anybody can check without the relay: fetched page by page from a relay, checked by the
//! command as a process of its own, and changed in every way that its bytes allow.

use std::path::Path;
use std::time::Duration;

use protocol::connection::Connection;
use protocol::id::ReceiptId;
use protocol::reconnect::State as ReconnectState;
use relay::renewal;
use serde_json::Value;

use crate::app::person::{ALL, operator};
use crate::app::{Client, Ground, JANE, Relay, wait_for};
use crate::cli::{run, text};

/// Three pages.
const LEADS: usize = 1_203;

/// A receipt that lists so many messages: a campaign was started while its inbox was lost.
async fn make_receipt(ground: &Ground, relay: &Relay) -> ReceiptId {
    let inbox = relay.connect(ground, Duration::ZERO).await;
    ground.sandbox.control().revoke(JANE).unwrap();
    wait_for("the inbox to be lost", async || {
        relay.nudge(&inbox);
        let connection = relay.inbox(&inbox).await.connection;
        matches!(connection, Connection::Disconnected { .. }).then_some(())
    })
    .await;
    let leads: Vec<_> = (0..LEADS)
        .map(|n| format!("lead{n}@a{n}.example"))
        .collect();
    let leads: Vec<_> = leads.iter().map(String::as_str).collect();
    let campaign = relay.plan_campaign(&inbox, &leads, 1).await;
    assert_eq!(relay.list(&campaign, Some("accepted")).await.len(), 0);
    let reconnect = relay.grant(&inbox, &ground.sign_in(JANE, ALL).await).await;
    match relay.outcome(&reconnect).await {
        ReconnectState::Resumed { receipt, .. } => receipt,
        other => panic!("{other:?}"),
    }
}

/// The pages of its document.
async fn fetch(ground: &Ground, relay: &Relay, receipt: &ReceiptId) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let url = relay.url(&format!("/v1/receipts/{receipt}/document{after}"));
        let page = operator(ground).get(url).send().await.unwrap();
        assert!(page.status().is_success(), "{}", page.text().await.unwrap());
        let page: Value = page.json().await.unwrap();
        let lines = page["lines"].as_array().unwrap().iter();
        pages.push(
            lines
                .map(|line| line.as_str().unwrap().to_owned())
                .collect(),
        );
        match page["next"].as_u64() {
            Some(next) => after = format!("?after={next}"),
            None => return pages,
        }
    }
}

fn join(pages: &[Vec<String>]) -> String {
    pages
        .iter()
        .flatten()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect()
}

/// How the command ends with a file of these bytes, and what it says.
fn verify(folder: &Path, bytes: &[u8], key: Option<&str>) -> (i32, String) {
    let file = folder.join("receipt.jsonl");
    std::fs::write(&file, bytes).unwrap();
    let mut arguments = vec!["verify", file.to_str().unwrap()];
    arguments.extend(key.iter().flat_map(|key| ["--key", *key]));
    let output = run(folder, &arguments);
    let said = text(&output.stdout) + &text(&output.stderr);
    (output.status.code().unwrap(), said)
}

#[tokio::test]
async fn a_receipt_is_checked_without_the_relay_and_nothing_of_it_can_be_changed() {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let receipt = make_receipt(&ground, &relay).await;
    let pages = fetch(&ground, &relay, &receipt).await;
    assert_eq!(pages.len(), 3);
    let whole = join(&pages);
    assert_eq!(whole.lines().count(), LEADS + 2);
    // Each lead once, by the list that was written to.
    let mut told: Vec<String> = whole
        .lines()
        .skip(1)
        .take(LEADS)
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["to"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    told.sort();
    let mut all: Vec<_> = (0..LEADS)
        .map(|n| format!("lead{n}@a{n}.example"))
        .collect();
    all.sort();
    assert_eq!(told, all);

    let elsewhere = tempfile::tempdir().unwrap();
    let here = elsewhere.path();
    let known = relay.app().keys.verifying();
    for key in [
        known.as_str(),
        &known.fingerprint(),
        &known.fingerprint().to_lowercase(),
    ] {
        let (code, said) = verify(here, whole.as_bytes(), Some(key));
        assert_eq!(code, 0, "{said}");
        for expected in [
            "Whole",
            receipt.as_str(),
            "Spring outreach",
            &known.fingerprint(),
            "1203 to send",
        ] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
    let (code, said) = verify(here, whole.as_bytes(), None);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("nobody said whose key"), "{said}");

    let key = known.as_str();
    let refused = |bytes: &[u8], words: &str| {
        let (code, said) = verify(here, bytes, Some(key));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(words), "{said}");
    };
    let [first, second, third] = pages.as_slice() else {
        panic!("{}", pages.len())
    };
    // Pages are swapped: the head and the signature stay where they are.
    let mut swapped = first.clone();
    swapped.extend_from_slice(&third[..third.len() - 1]);
    swapped.extend_from_slice(second);
    swapped.push(third[third.len() - 1].clone());
    refused(join(&[swapped]).as_bytes(), "not what was signed");
    refused(join(&pages[..2]).as_bytes(), "cut off");
    refused(
        join(&[first.clone(), third.clone()]).as_bytes(),
        "not what was signed",
    );
    refused(
        whole.replace("lead7@a7.", "lead8@a7.").as_bytes(),
        "not what was signed",
    );
    refused(b"email\njane@acme.example\n", "found something else");
    refused(b"", "found something else");
    let (code, said) = verify(here, whole.as_bytes(), Some("jane"));
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("for --key") && said.contains("\"jane\""),
        "{said}"
    );

    // Whoever knows the key before a renewal takes what the one after it signs, and no other relay's.
    renewal::renew(relay.app(), false).await.unwrap();
    let later = join(&fetch(&ground, &relay, &receipt).await);
    let new = relay.app().keys.verifying();
    assert_ne!(new, known);
    for key in [&known, &new] {
        let (code, said) = verify(here, later.as_bytes(), Some(key.as_str()));
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&new.fingerprint()), "{said}");
    }
    assert_eq!(verify(here, whole.as_bytes(), Some(key)).0, 0);
    let (code, said) = verify(here, whole.as_bytes(), Some(new.as_str()));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("another key signed it"), "{said}");
    // Without the renewals that lead to it, nobody who knows the key before has reason to believe it.
    let (before, seal) = later.trim_end().rsplit_once('\n').unwrap();
    let mut seal: Value = serde_json::from_str(seal).unwrap();
    assert_eq!(seal["renewals"].as_array().unwrap().len(), 1);
    seal["renewals"] = Value::Array(Vec::new());
    let (code, said) = verify(
        here,
        format!("{before}\n{seal}\n").as_bytes(),
        Some(new.as_str()),
    );
    assert_eq!(code, 1, "{said}");
    relay.stop().await;
}
