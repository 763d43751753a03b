//! The story itself, from the first sign-in to the last message.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protocol::campaign::{PausedBy, State, Step};
use protocol::id::{CampaignId, InboxId, ReconnectId};
use protocol::provider::ProviderId;
use protocol::request::campaign::{
    Campaign, CreateCampaign, GetCampaign, ImportLeads, StartCampaign, UnusableRows,
};
use protocol::request::inbox::CreateInbox;
use protocol::request::reconnect::{GetReceipt, ReconnectState};
use protocol::schedule::Schedule;
use protocol::sender::Sender;
use serde::Serialize;

use super::api::Api;
use super::mailboxes::{MARKS, count};
use super::reconnecting::Device;
use super::relay::Relay;
use super::servers::{Servers, jane, john};
use super::telling::Telling;
use crate::person::Person;
use crate::wait::wait_for;

/// Between the acceptance of the first step and the second.
pub(super) const WAIT: Duration = Duration::from_secs(4);
/// Messages that are accepted before the provider ends the permission.
const ACCEPTED_BEFORE: u32 = 15;
/// Long enough for every stage on a busy machine; each is over in seconds.
pub(super) const STAGE_WITHIN: Duration = Duration::from_mins(2);

/// How to play.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Whether the relay's registration has a secret.
    pub confidential: bool,
    /// Leads of the campaign.
    pub leads: u64,
    /// The least time between two messages.
    pub gap: Duration,
}

/// How the story ended: the last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// `resumed` when everything is as it should be, else what is not.
    pub outcome: String,
    /// The browser it was played with.
    pub browser: &'static str,
    /// The profile of the provider.
    pub profile: &'static str,
    /// `public`, `confidential`, or `password` where there is no client.
    pub client: &'static str,
    /// Leads.
    pub leads: u64,
    /// Recipients that have the first step.
    pub accepted_step_1: u64,
    /// Recipients that have the second.
    pub accepted_step_2: u64,
    /// Steps that reached nobody.
    pub lost: u64,
    /// Messages too many.
    pub duplicated: u64,
    /// Deliveries that a person must decide.
    pub unsettled: u64,
    /// Second steps that came before the first, or sooner than its wait; `None` where the servers do not tell
    /// when a message arrived.
    pub disordered: Option<u64>,
    /// What the relay said of the pause.
    pub paused_cause: Option<String>,
    /// From the start of the reconnect to the receipt; `None` when a person clicked.
    pub reconnect_to_resumed_ms: Option<u64>,
}

/// Plays the story against these servers.
pub async fn play(servers: &Servers, script: Script, telling: &Telling) -> Result<Ending> {
    let secret = script.confidential.then(|| servers.client_secret());
    let relay = Relay::start(servers, secret).await?;
    telling.say(&format!("the relay is ready at {}", relay.base()));
    let device = Device::pair(&relay.base(), &relay.operator()?).await?;
    play_with(&relay, device, servers, script, telling).await
}

/// Plays it at a relay that runs, which is reached by TLS with this authority.
pub async fn play_at(
    relay: &Relay,
    ca_pem: &str,
    servers: &Servers,
    script: Script,
    telling: &Telling,
) -> Result<Ending> {
    let device = Device::pair_by_tls(&relay.operator()?, ca_pem).await?;
    play_with(relay, device, servers, script, telling).await
}

async fn play_with(
    relay: &Relay,
    device: Device,
    servers: &Servers,
    script: Script,
    telling: &Telling,
) -> Result<Ending> {
    let operator = relay.operator()?;
    telling.say("a device is paired; it pins the relay's key");
    let inbox = connect(&operator, &device, servers, script.gap, telling).await?;
    let campaign = create_campaign(&operator, &inbox, script.leads, WAIT).await?;
    telling.say(&format!(
        "campaign \"Spring outreach\": {} leads imported, two steps",
        script.leads
    ));

    if let Some(sandbox) = servers.sandbox() {
        sandbox
            .control()
            .revoke_after(&jane().address, ACCEPTED_BEFORE)?;
    }
    operator
        .call(&StartCampaign {
            campaign_id: campaign.clone(),
        })
        .await?;
    telling.say("the campaign runs");
    if servers.sandbox().is_none() {
        let enough =
            async || (servers.delivered().ok()?.len() >= ACCEPTED_BEFORE as usize).then_some(());
        wait_for("the first messages", enough, STAGE_WITHIN).await?;
        servers.revoke(&jane().address).await?;
    }
    let paused = wait_state(&operator, &campaign, |state| {
        matches!(state, State::Paused { .. })
    })
    .await?;
    let paused_cause = tell_pause(&paused, servers, telling)?;
    let receipt_ms = reconnect(&device, &inbox, servers, telling).await?;
    let finished = wait_state(&operator, &campaign, |state| {
        matches!(state, State::Finished { .. })
    })
    .await;
    let last = operator
        .call(&GetCampaign {
            campaign_id: campaign,
        })
        .await?;
    if let Err(error) = &finished {
        telling.say(&format!(
            "the campaign did not finish: {error}; {:?}",
            last.counts
        ));
    }
    let ending = judge(
        servers,
        script,
        &last,
        paused_cause,
        "none",
        Some(receipt_ms),
    )?;
    telling.say(&format!(
        "{} of {} leads have step 1, {} have step 2; {} lost, {} twice",
        ending.accepted_step_1,
        ending.leads,
        ending.accepted_step_2,
        ending.lost,
        ending.duplicated
    ));
    Ok(ending)
}

/// Adds Jane's inbox and connects it for the first time.
pub async fn connect(
    operator: &Api,
    device: &Device,
    servers: &Servers,
    gap: Duration,
    telling: &Telling,
) -> Result<InboxId> {
    let inbox = connect_person(operator, device, servers, &jane(), gap, telling).await?;
    telling.say("jane@acme.example is connected: the credentials, SMTP and IMAP are proved");
    Ok(inbox)
}

/// The same with somebody's.
pub async fn connect_person(
    operator: &Api,
    device: &Device,
    servers: &Servers,
    person: &Person,
    gap: Duration,
    telling: &Telling,
) -> Result<InboxId> {
    let request = CreateInbox {
        address: person.address.parse()?,
        provider: ProviderId::new(servers.provider()),
        smtp: None,
        imap: None,
        distance_ms: Some(u64::try_from(gap.as_millis())?),
        daily_cap: Some(0),
    };
    let inbox = operator.call(&request).await?.id;
    let id = sign_in(device, &inbox, servers, person, telling).await?;
    let over = device.wait_over(&id).await?;
    if over.state != ReconnectState::Resumed {
        bail!("the first connection was refused: {:?}", over.evidence);
    }
    Ok(inbox)
}

/// Starts a reconnect and hands over what this provider takes: a grant, or a new password.
pub async fn sign_in(
    device: &Device,
    inbox: &InboxId,
    servers: &Servers,
    person: &Person,
    telling: &Telling,
) -> Result<ReconnectId> {
    if servers.takes_passwords_only() {
        telling.say("  at the provider, an app password is made; it is handed over");
        let password = servers.make_password(person)?;
        return device.hand_over_password(inbox, person, password).await;
    }
    device.hand_over(inbox, person, telling).await
}

/// A campaign of two steps with this many leads.
pub async fn create_campaign(
    operator: &Api,
    inbox: &InboxId,
    leads: u64,
    wait: Duration,
) -> Result<CampaignId> {
    create_list(operator, inbox, "Spring outreach", "lead", leads, wait).await
}

/// The same by this name; the leads' addresses begin with `prefix`.
pub async fn create_list(
    operator: &Api,
    inbox: &InboxId,
    name: &str,
    prefix: &str,
    leads: u64,
    wait: Duration,
) -> Result<CampaignId> {
    let list = List {
        name,
        prefix,
        leads,
        schedule: None,
    };
    create_list_of(operator, std::slice::from_ref(inbox), list, wait).await
}

/// A campaign of two steps.
#[derive(Clone, Debug)]
pub struct List<'a> {
    /// Its name.
    pub name: &'a str,
    /// What the leads' addresses begin with.
    pub prefix: &'a str,
    /// Its leads.
    pub leads: u64,
    /// When it sends.
    pub schedule: Option<Schedule>,
}

/// Creates it as a draft of these inboxes.
pub async fn create_list_of(
    operator: &Api,
    inboxes: &[InboxId],
    list: List<'_>,
    wait: Duration,
) -> Result<CampaignId> {
    let List {
        name,
        prefix,
        leads,
        schedule,
    } = list;
    let step = |subject: &str, mark: &str, wait_ms| Step {
        subject: subject.to_owned(),
        body: format!("Hello {{{{first_name}}}},\n\n{mark}\n"),
        wait_ms,
        ..Step::default()
    };
    let [first, second] = MARKS;
    let request = CreateCampaign {
        name: name.to_owned(),
        inboxes: inboxes.to_vec(),
        sender: Sender::default(),
        steps: vec![
            step("A question, {{first_name}}", first, 0),
            step("", second, u64::try_from(wait.as_millis())?),
        ],
        schedule,
    };
    let campaign = operator.call(&request).await?.id;
    let mut csv = "email,first_name\n".to_owned();
    for number in 1..=leads {
        writeln!(csv, "{prefix}{number}@leads.example,Lead {number}")?;
    }
    let imported = operator
        .call_with_csv(
            &ImportLeads {
                campaign_id: campaign.clone(),
                unusable_rows: UnusableRows::Refuse,
                encoding: None,
            },
            csv.into_bytes(),
        )
        .await?;
    if imported.added != leads {
        bail!("{} leads were imported instead of {leads}", imported.added);
    }
    Ok(campaign)
}

/// Waits until the campaign stands as wanted.
pub async fn wait_state(
    operator: &Api,
    id: &CampaignId,
    wanted: fn(&State) -> bool,
) -> Result<Campaign> {
    let look = async || {
        let campaign = operator
            .call(&GetCampaign {
                campaign_id: id.clone(),
            })
            .await
            .ok()?;
        wanted(&campaign.status).then_some(campaign)
    };
    Ok(wait_for("the campaign's next state", look, STAGE_WITHIN).await?)
}

pub(super) fn tell_pause(
    paused: &Campaign,
    servers: &Servers,
    telling: &Telling,
) -> Result<Option<String>> {
    let State::Paused {
        by: PausedBy::Cause { cause, .. },
        ..
    } = &paused.status
    else {
        bail!(
            "the campaign is not paused for a cause: {:?}",
            paused.status
        );
    };
    let arrived = servers.delivered()?.len();
    telling.say(&format!(
        "{arrived} messages have arrived; the provider ended the permission; the campaign is paused: {}",
        cause.code()
    ));
    telling.say(&format!(
        "{} messages are still to be sent, none is lost",
        paused.counts.waiting
    ));
    Ok(Some(cause.code().to_owned()))
}

/// First with what is not the inbox's, which changes nothing; then as Jane. Answers the milliseconds of the second.
async fn reconnect(
    device: &Device,
    inbox: &InboxId,
    servers: &Servers,
    telling: &Telling,
) -> Result<u64> {
    let (wrong, expected) = if servers.takes_passwords_only() {
        telling.say("somebody clicks Reconnect and types another password");
        let password = "not-the-password".to_owned();
        let id = device.hand_over_password(inbox, &jane(), password).await?;
        (id, "sign_in_refused")
    } else {
        telling.say("somebody clicks Reconnect and signs in as john@acme.example");
        let id = device.hand_over(inbox, &john(), telling).await?;
        (id, "wrong_identity")
    };
    let refused = device.wait_over(&wrong).await?;
    let words = refused
        .card
        .as_ref()
        .map(|card| format!("{} {}", card.title, card.explanation));
    let cause = refused.cause.map(protocol::cause::Cause::code);
    if refused.state != ReconnectState::Refused || cause != Some(expected) {
        bail!("what is not the inbox's was not refused: {refused:?}");
    }
    telling.say(&format!("refused: {}", words.unwrap_or_default()));
    telling.say("Jane clicks Reconnect");
    let began = telling.ms();
    let id = sign_in(device, inbox, servers, &jane(), telling).await?;
    let over = device.wait_over(&id).await?;
    let took = telling.ms() - began;
    let receipt_id = over
        .receipt
        .with_context(|| format!("the reconnect was refused: {:?}", over.evidence))?;
    let receipt = device.api.call(&GetReceipt { receipt_id }).await?;
    telling.say(&format!(
        "resumed after {took} ms. Receipt: {} held, {} will be sent, {} skipped, {} in doubt; waits shifted by {} ms",
        receipt.held, receipt.to_send, receipt.skipped, receipt.in_doubt, receipt.shifted_by_ms
    ));
    if receipt.held != receipt.to_send + receipt.skipped + receipt.in_doubt
        || receipt.shifted_by_ms == 0
    {
        bail!("the receipt does not add up: {receipt:?}");
    }
    Ok(took)
}

/// Counts what arrived, and says how the story ended.
pub(super) fn judge(
    servers: &Servers,
    script: Script,
    left: &Campaign,
    paused_cause: Option<String>,
    browser: &'static str,
    reconnect_to_resumed_ms: Option<u64>,
) -> Result<Ending> {
    let messages = servers.delivered()?;
    let timed = messages.iter().all(|message| message.at_ms.is_some());
    let counted = count(&messages, WAIT);
    let [accepted_step_1, accepted_step_2] = counted.accepted;
    let lost = (script.leads * 2)
        .saturating_sub(accepted_step_1 + accepted_step_2 + left.counts.unsettled);
    let disordered = counted.disordered + counted.hurried;
    let well =
        lost == 0 && counted.duplicated == 0 && disordered == 0 && left.counts.unsettled == 0;
    let finished = matches!(left.status, State::Finished { .. });
    Ok(Ending {
        outcome: match (well, finished) {
            (true, true) => "resumed",
            (true, false) => "not_finished",
            (false, _) => "not_exact",
        }
        .to_owned(),
        browser,
        profile: servers.profile(),
        client: if servers.takes_passwords_only() {
            "password"
        } else if script.confidential {
            "confidential"
        } else {
            "public"
        },
        leads: script.leads,
        accepted_step_1,
        accepted_step_2,
        lost,
        duplicated: counted.duplicated,
        unsettled: left.counts.unsettled,
        disordered: timed.then_some(disordered),
        paused_cause,
        reconnect_to_resumed_ms,
    })
}
