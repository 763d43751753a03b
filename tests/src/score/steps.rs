//! The messages of a campaign: created, given a list with the columns email, `first_name`, First Name and company,
//! started and sent.

use super::world::{SOON, World};
use super::{Outcome, list};
use crate::wait::wait_for;

const LIST: &str = "email,first_name,First Name,company\nann@a.example,Ann,Ann,A\n";

pub(super) async fn play(bytes: &[u8], expected: &str) -> anyhow::Result<Outcome> {
    let steps: serde_json::Value = serde_json::from_slice(bytes)?;
    let world = World::start().await?;
    let sent = send(&world, &steps).await;
    world.stop().await;
    let expected = expected.to_lowercase();
    Ok(match sent? {
        Ok(message) => {
            // Nothing of a marker may be left in what was sent.
            let is_filled =
                message.contains("Ann") && !message.contains(['{', '}', '[', ']', '*', '%']);
            let words = format!("sent: {}", message.replace(['\r', '\n'], " "));
            Outcome::new(words, expected.starts_with("filled") && is_filled)
        }
        Err(refusal) => {
            let may_be_refused = expected.contains("refused") || expected.contains("asked about");
            Outcome::new(format!("refused: {refusal}"), may_be_refused)
        }
    })
}

/// Subject and body as they were handed over, or the words of the refusal.
async fn send(world: &World, steps: &serde_json::Value) -> anyhow::Result<Result<String, String>> {
    let campaign = match list::create(world, steps).await? {
        Ok(campaign) => campaign,
        Err(words) => return Ok(Err(words)),
    };
    let path = |verb: &str| format!("/v1/campaigns/{campaign}/{verb}");
    let (status, answer) = world.post(&path("leads"), "text/csv", LIST.into()).await?;
    if status >= 300 {
        return Ok(Err(answer.to_string()));
    }
    let (status, answer) = world
        .post(&path("start"), "application/json", b"{}".to_vec())
        .await?;
    if status >= 300 {
        return Ok(Err(answer.to_string()));
    }
    let control = world.sandbox.control();
    let sent = wait_for(
        "the message to be handed over",
        async || control.delivered().into_iter().next(),
        SOON,
    )
    .await?;
    let text = String::from_utf8_lossy(&sent.raw).into_owned();
    let subject = text
        .lines()
        .find(|line| line.starts_with("Subject:"))
        .unwrap_or_default()
        .to_owned();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(Ok(format!("{subject}\n{body}")))
}
