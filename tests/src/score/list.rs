//! A lead list: given to the import of a campaign whose one message names no column, as the command line gives it.

use serde_json::json;

use super::Outcome;
use super::world::World;

pub(super) async fn play(bytes: &[u8], expected: &str) -> anyhow::Result<Outcome> {
    let world = World::start().await?;
    let played = import(&world, bytes, expected).await;
    world.stop().await;
    played
}

async fn import(world: &World, bytes: &[u8], expected: &str) -> anyhow::Result<Outcome> {
    let steps = json!([{"subject": "Hello", "body": "Hi", "wait_ms": 0}]);
    let campaign = create(world, &steps).await?;
    let Ok(campaign) = campaign else {
        anyhow::bail!("the campaign was refused");
    };
    let path = format!("/v1/campaigns/{campaign}/leads");
    let (status, answer) = world.post(&path, "text/csv", bytes.to_vec()).await?;
    if status == 200 {
        let added = answer
            .get("added")
            .and_then(serde_json::Value::as_u64)
            .unwrap_or(0);
        let words = format!("{added} leads added");
        // What is to be asked about first must not be taken without a word.
        let is_expected = if expected.contains("after one question") {
            false
        } else {
            expected.starts_with(&format!("{added} leads")) || expected.starts_with("imported")
        };
        if let Some((_, recipient)) = expected.split_once("sent to ") {
            return sent_to(world, &campaign, recipient.trim()).await;
        }
        return Ok(Outcome::new(words, is_expected));
    }
    let words = answer
        .get("detail")
        .map_or_else(|| answer.to_string(), ToString::to_string);
    let lower = words.to_lowercase();
    let is_expected = if let Some((_, names)) = expected.split_once("or words that name") {
        // The table says what the words must name, and no more than that can be read off it.
        let wanted = ["encoding", "delimiter"]
            .into_iter()
            .filter(|name| names.contains(name));
        let wanted: Vec<&str> = wanted.collect();
        if wanted.is_empty() {
            lower.contains("row") && lower.contains("header")
        } else {
            wanted.iter().all(|name| lower.contains(name))
        }
    } else {
        // Every row at once.
        expected.contains("all three rows named") && rows_named(&lower) >= 3
    };
    Ok(Outcome::new(words, is_expected))
}

/// Whether the message to the imported lead is handed over to this recipient.
async fn sent_to(world: &World, campaign: &str, recipient: &str) -> anyhow::Result<Outcome> {
    let (status, answer) = world
        .post(
            &format!("/v1/campaigns/{campaign}/start"),
            "application/json",
            b"{}".to_vec(),
        )
        .await?;
    if status >= 300 {
        return Ok(Outcome::new(answer.to_string(), false));
    }
    let control = world.sandbox.control();
    let sent = crate::wait::wait_for(
        "the message to be handed over",
        async || control.delivered().into_iter().next(),
        super::world::SOON,
    )
    .await;
    Ok(match sent {
        Ok(sent) => Outcome::new(
            format!("sent to {}", sent.recipient),
            sent.recipient == recipient,
        ),
        Err(error) => Outcome::new(error.to_string(), false),
    })
}

/// How many rows the words name.
fn rows_named(words: &str) -> usize {
    let numbers = words
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty());
    numbers.collect::<std::collections::BTreeSet<_>>().len()
}

/// Creates a campaign; its id, or the words of the refusal.
pub(super) async fn create(
    world: &World,
    steps: &serde_json::Value,
) -> anyhow::Result<Result<String, String>> {
    let body = json!({"name": "Inputs", "inboxes": [world.inbox.to_string()], "steps": steps});
    let (status, answer) = world
        .post(
            "/v1/campaigns",
            "application/json",
            body.to_string().into_bytes(),
        )
        .await?;
    let id = answer.get("id").and_then(serde_json::Value::as_str);
    Ok(match (status, id) {
        (200..=299, Some(id)) => Ok(id.to_owned()),
        _ => Err(answer.to_string()),
    })
}
