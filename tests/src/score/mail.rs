//! A message that arrives: played through the relay's own reader, after one message to Ann was accepted and while
//! her second step waits.

use protocol::campaign::Step;
use protocol::delivery::{State, StateName, Suppression};
use protocol::id::CampaignId;
use relay::record::NewLead;

use super::Outcome;
use super::world::{JANE, SOON, World};
use crate::wait::wait_for;

/// The message of ours that the inputs speak of.
const OURS: &str = "one@acme.example";
const LEAD: &str = "ann@a.example";
/// The second step waits for as long as the input is played.
const WAIT_MS: u64 = 3_600_000;

pub(super) async fn play(bytes: &[u8], expected: &str) -> anyhow::Result<Outcome> {
    let world = World::start().await?;
    let found = arrive(&world, bytes).await;
    world.stop().await;
    let found = found?;
    let expected = expected.to_lowercase();
    let is_expected = if expected.starts_with("bounce") {
        found == "bounced"
    } else if expected.starts_with("replied") {
        found == "replied"
    } else if expected.starts_with("the lead stops") {
        found != "nothing"
    } else {
        expected.starts_with("nothing") && found == "nothing"
    };
    Ok(Outcome::new(found, is_expected))
}

/// What became of the lead.
async fn arrive(world: &World, bytes: &[u8]) -> anyhow::Result<&'static str> {
    let app = world.app();
    let campaign = start_campaign(world).await?;
    let accepted = wait_for(
        "the first message to be accepted",
        async || {
            let accepted = app
                .store
                .list_deliveries(&campaign, Some(StateName::Accepted), 10)
                .await;
            accepted.ok()?.into_iter().next()
        },
        SOON,
    )
    .await?;
    // The inputs name one message; a server that replaces ids makes ours so.
    app.store.note_wire_id(&accepted.id, OURS).await?;
    let position = app.store.load_inbox(&world.inbox).await?.read_position;
    world.sandbox.control().deliver(JANE, bytes);
    app.bell.wake_inbox(&world.inbox);
    wait_for(
        "the message to be read",
        async || {
            let now = app.store.load_inbox(&world.inbox).await.ok()?.read_position;
            (now != position).then_some(())
        },
        SOON,
    )
    .await?;
    let all = app.store.list_deliveries(&campaign, None, 10).await?;
    let is_bounced = all
        .iter()
        .any(|row| matches!(row.status, State::Bounced { .. }));
    let why = all.iter().find_map(|row| match row.status {
        State::Suppressed { why } => Some(why),
        _ => None,
    });
    Ok(match (is_bounced, why) {
        (true, Some(Suppression::Bounced)) => "bounced",
        (_, Some(Suppression::Replied)) => "replied",
        (_, Some(_)) => "stopped",
        (_, None) => "nothing",
    })
}

async fn start_campaign(world: &World) -> anyhow::Result<CampaignId> {
    let app = world.app();
    let now = app.clock.now();
    let step = |subject: &str, body: &str, wait_ms| Step {
        subject: subject.to_owned(),
        body: body.to_owned(),
        wait_ms,
        ..Step::default()
    };
    let steps = [step("Hello", "Hi there", 0), step("", "And again", WAIT_MS)];
    let inboxes = [world.inbox.clone()];
    let campaign = app
        .store
        .create_campaign("One lead", &inboxes, &steps, now)
        .await?;
    let lead = NewLead {
        row: 2,
        address: LEAD.parse()?,
        fields: std::collections::BTreeMap::new(),
    };
    app.store.import_leads(&campaign.id, &[lead]).await?;
    app.store.start_campaign(&campaign.id, now).await?;
    app.bell.wake_inbox(&world.inbox);
    Ok(campaign.id)
}
