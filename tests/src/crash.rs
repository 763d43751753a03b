//! The crash run: the relay is ended by SIGKILL while it sends and while it verifies a reconnect, and
//! started again, over and over, while the provider drops connections after DATA. What was sent is
//! counted in the recipients' mailboxes.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protocol::campaign::State;
use protocol::id::{CampaignId, InboxId, ReconnectId};
use protocol::request::campaign::{Counts, GetCampaign, StartCampaign};
use protocol::request::delivery::ListDeliveries;
use protocol::request::inbox::{ConnectionState, GetInbox};
use protocol::request::reconnect::{Reconnect, ReconnectState};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::control::{DropAfterData, GrantType, Held, Point, Stage as SmtpStage};
use sandbox::{Control, Profile, Sandbox};
use serde::Serialize;

use crate::story::mailboxes::{Message, count};
use crate::story::play::{connect, create_campaign, sign_in};
use crate::story::reconnecting::Device;
use crate::story::relay::Relay;
use crate::story::servers::{Plays, Servers, jane};
use crate::story::telling::Telling;
use crate::wait::wait_for;

/// Leads for each kill: enough that there is always something to send when the next one comes.
const LEADS_PER_KILL: u64 = 12;
/// Leads at the least.
const LEADS_AT_LEAST: u64 = 60;
/// Between the acceptance of the first step and the second.
const WAIT: Duration = Duration::from_millis(500);
/// The least time between two messages: slow enough that a run outlasts its kills.
const GAP: Duration = Duration::from_millis(15);
/// How often the provider drops the connection after DATA.
const DROPS: DropAfterData = DropAfterData {
    chance: 0.04,
    stored_share: 0.5,
};
/// How long a point is waited for; when nothing is due the relay is idle.
const POINT_WITHIN: Duration = Duration::from_secs(5);
/// How long the rest may take after the last kill.
const REST_WITHIN: Duration = Duration::from_mins(5);
/// One kill in so many comes while a reconnect is verified.
const VERIFYING_SHARE: u32 = 5;

/// How the run ended: the last line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Leads times steps.
    pub planned: u64,
    /// Steps that stand in a mailbox.
    pub accepted: u64,
    /// Steps that are not to be sent.
    pub suppressed: u64,
    /// Steps that a person must decide, or that wait behind one.
    pub unsettled: u64,
    /// Steps that are none of these.
    pub lost: u64,
    /// Messages too many.
    pub duplicated: u64,
    /// Second steps that came before the first, or sooner than its wait.
    pub disordered: u64,
    /// Kills.
    pub kills: u32,
    /// Kills by what the relay was at.
    pub kills_by_state: KillsByState,
    /// Deliveries that were in doubt, by how that ended.
    pub in_doubt: InDoubt,
    /// Reconnects that had to be clicked once more.
    pub reclicks: u64,
    /// The profile of the provider.
    pub profile: &'static str,
    /// Each delivery that a person must decide.
    pub unsettled_cases: Vec<UnsettledCase>,
}

/// A delivery that a person must decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnsettledCase {
    /// The lead's address.
    pub lead: String,
    /// The step, from 1.
    pub step: u32,
    /// Whether it stands in the lead's mailbox, which only this run can know.
    pub arrived: bool,
}

/// Kills by what the relay was at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct KillsByState {
    /// Nothing was on the wire.
    pub idle: u32,
    /// Connecting, signing in.
    pub connecting: u32,
    /// MAIL sent, DATA not yet.
    pub before_data: u32,
    /// In the body.
    pub in_data: u32,
    /// After the final dot, before its reply.
    pub after_data: u32,
    /// The reply was sent, its record being made.
    pub committing: u32,
    /// Verifying a reconnect.
    pub verifying: u32,
}

impl KillsByState {
    /// Kills that met the relay at work.
    pub fn at_work(&self) -> u32 {
        self.connecting
            + self.before_data
            + self.in_data
            + self.after_data
            + self.committing
            + self.verifying
    }
}

/// Deliveries that were in doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InDoubt {
    /// Found in the sent folder.
    pub found: u64,
    /// Proved not to be there.
    pub refuted: u64,
    /// Neither.
    pub unsettled: u64,
}

/// Plays the run.
pub async fn run(
    kills: u32,
    seed: u64,
    profile: &'static Profile,
    telling: &Telling,
) -> Result<Summary> {
    let servers = Servers::start_sandbox_as(Plays::verified(profile), seed).await?;
    let sandbox = servers
        .sandbox()
        .context("the run needs the sandbox's faults")?;
    let secret = servers
        .demands_secret()
        .then(|| servers.client_secret().to_owned());
    let relay = Relay::start(&servers, secret.as_deref()).await?;
    let operator = relay.operator()?;
    let device = Device::pair(&relay.base(), &operator).await?;
    let quiet = Telling::begin(true);
    let inbox = connect(&operator, &device, &servers, GAP, &quiet).await?;
    let leads = LEADS_AT_LEAST.max(LEADS_PER_KILL * u64::from(kills));
    let campaign = create_campaign(&operator, &inbox, leads, WAIT).await?;
    sandbox.control().drop_after_data(DROPS);
    operator
        .call(&StartCampaign {
            campaign_id: campaign.clone(),
        })
        .await?;
    telling.say(&format!(
        "{leads} leads, two steps, seed {seed}: {kills} kills follow"
    ));
    let mut run = Run {
        servers: &servers,
        rng: StdRng::seed_from_u64(seed),
        control: sandbox.control().clone(),
        relay,
        device,
        inbox,
        campaign,
        summary: Summary {
            profile: profile.name,
            ..Summary::default()
        },
        quiet,
    };
    for number in 1..=kills {
        let what = if number % VERIFYING_SHARE == 0 {
            run.kill_verifying().await
        } else {
            run.kill_sending().await
        };
        let what = what.with_context(|| format!("kill {number}"))?;
        run.summary.kills += 1;
        telling.say(&format!("kill {number}: {what}"));
    }
    run.finish(sandbox, telling).await
}

struct Run<'a> {
    servers: &'a Servers,
    rng: StdRng,
    control: Control,
    relay: Relay,
    device: Device,
    inbox: InboxId,
    campaign: CampaignId,
    summary: Summary,
    quiet: Telling,
}

impl Run<'_> {
    /// Kills it at a point of sending, chosen by the seed.
    async fn kill_sending(&mut self) -> Result<&'static str> {
        let points = [
            Point::SmtpConnected,
            Point::SmtpAuthenticating,
            Point::SmtpMail,
            // Twice as often as the others: the body is where nobody can know.
            Point::SmtpData,
            Point::SmtpData,
            Point::SmtpDotReceived,
            Point::SmtpStored,
            Point::SmtpReplied,
        ];
        let point = points
            .get(self.rng.random_range(0..points.len()))
            .copied()
            .context("no point")?;
        self.let_some_pass().await;
        let held = self.control.hold(point);
        if matches!(point, Point::SmtpConnected | Point::SmtpAuthenticating) {
            // The relay keeps its connection; the server closes it, and a new one is opened.
            self.control
                .next_reply(SmtpStage::Mail, "421 4.3.2 closing for a moment");
        }
        let reached = tokio::time::timeout(POINT_WITHIN, held.reached())
            .await
            .is_ok();
        if reached && point == Point::SmtpReplied {
            // The reply is on its way: its record is made within these microseconds, or just was.
            tokio::time::sleep(Duration::from_micros(self.rng.random_range(0..1_500))).await;
        }
        self.kill_and_restart(held).await?;
        let states = &mut self.summary.kills_by_state;
        let (counter, words) = match point {
            _ if !reached => (&mut states.idle, "while nothing was due"),
            Point::SmtpConnected | Point::SmtpAuthenticating => {
                (&mut states.connecting, "while it connected")
            }
            Point::SmtpMail => (&mut states.before_data, "before DATA"),
            Point::SmtpData => (&mut states.in_data, "in DATA"),
            Point::SmtpReplied => (&mut states.committing, "while it recorded the reply"),
            _ => (
                &mut states.after_data,
                "after the final dot, before its reply was seen",
            ),
        };
        *counter += 1;
        Ok(words)
    }

    /// Ends the permission, begins a reconnect and kills it at a point of the proof, chosen by the seed.
    async fn kill_verifying(&mut self) -> Result<&'static str> {
        self.servers.revoke(&jane().address).await?;
        self.wait_disconnected().await?;
        let mail = [
            Point::SmtpAuthenticating,
            Point::ImapAuthenticating,
            Point::ImapSelected,
        ];
        let tokens = [
            Point::TokenRequestReceived {
                grant_type: GrantType::RefreshToken,
            },
            Point::TokenAnswerReady,
        ];
        let mut points = mail.to_vec();
        if let Some(habits) = &self
            .servers
            .sandbox()
            .context("no sandbox")?
            .profile()
            .oauth
        {
            points.extend(tokens);
            if habits.userinfo_takes_mail_tokens {
                points.push(Point::UserInfo);
            }
        }
        let point = points
            .get(self.rng.random_range(0..points.len()))
            .copied()
            .context("no point")?;
        let id = if point == Point::TokenAnswerReady {
            // The device's own exchange passes this point too: only the relay's refresh is meant.
            let refreshing = self.control.hold(Point::TokenRequestReceived {
                grant_type: GrantType::RefreshToken,
            });
            let id = self.sign_in().await?;
            refreshing.reached().await;
            let held = self.control.hold(point);
            refreshing.release();
            held.reached().await;
            self.kill_and_restart(held).await?;
            id
        } else {
            let held = self.control.hold(point);
            let id = self.sign_in().await?;
            held.reached().await;
            self.kill_and_restart(held).await?;
            id
        };
        self.summary.kills_by_state.verifying += 1;
        let over = self.device.wait_over(&id).await?;
        if over.state != ReconnectState::Resumed {
            self.click_again(&over).await?;
        }
        Ok("while it verified a reconnect")
    }

    async fn sign_in(&self) -> Result<ReconnectId> {
        sign_in(
            &self.device,
            &self.inbox,
            self.servers,
            &jane(),
            &self.quiet,
        )
        .await
    }

    /// Only an interruption may cost a click; then the second one must succeed.
    async fn click_again(&mut self, over: &Reconnect) -> Result<()> {
        if over.cause.map(protocol::cause::Cause::code) != Some("interrupted") {
            bail!("the reconnect was refused for another reason than the kill: {over:?}");
        }
        self.summary.reclicks += 1;
        let id = self.sign_in().await?;
        let second = self.device.wait_over(&id).await?;
        if second.state != ReconnectState::Resumed {
            bail!("the second click was refused: {second:?}");
        }
        Ok(())
    }

    async fn kill_and_restart(&mut self, held: Held) -> Result<()> {
        self.relay.kill()?;
        held.release();
        self.relay.start_again().await
    }

    /// Lets a few messages pass, so that kills do not all meet the same one.
    async fn let_some_pass(&mut self) {
        let before = self.control.delivered().len();
        let wanted = self.rng.random_range(0..6);
        let passed = async || (self.control.delivered().len() >= before + wanted).then_some(());
        // When nothing is due, nothing passes; the point then shows that the relay is idle.
        let _ = wait_for("some messages", passed, POINT_WITHIN).await;
    }

    async fn wait_disconnected(&self) -> Result<()> {
        let operator = self.relay.operator()?;
        let look = async || {
            let inbox = operator
                .call(&GetInbox {
                    inbox_id: self.inbox.clone(),
                })
                .await
                .ok()?;
            (inbox.connection.state == ConnectionState::Disconnected).then_some(())
        };
        Ok(wait_for(
            "the lost connection to be confirmed",
            look,
            POINT_WITHIN * 6,
        )
        .await?)
    }

    async fn finish(mut self, sandbox: &Sandbox, telling: &Telling) -> Result<Summary> {
        let operator = self.relay.operator()?;
        let look = async || {
            let campaign = operator
                .call(&GetCampaign {
                    campaign_id: self.campaign.clone(),
                })
                .await
                .ok()?;
            let counts = campaign.counts;
            let settled = counts.waiting + counts.attempting + counts.in_doubt == 0;
            (settled || matches!(campaign.status, State::Finished { .. }) || is_stuck(&counts))
                .then_some(counts)
        };
        telling.say("the kills are over; the rest is sent and settled");
        let waited = wait_for("the rest of the campaign", look, REST_WITHIN).await;
        let counts = match waited {
            Ok(counts) => counts,
            Err(error) => {
                telling.say(&format!("{error}"));
                operator
                    .call(&GetCampaign {
                        campaign_id: self.campaign.clone(),
                    })
                    .await?
                    .counts
            }
        };
        let messages = self.servers.delivered()?;
        let counted = count(&messages, WAIT);
        let (unsettled, cases) = self.count_unsettled(&messages).await?;
        self.relay.end()?;
        let summary = &mut self.summary;
        summary.planned = counts.planned;
        summary.accepted = counted.accepted.iter().sum();
        summary.suppressed = counts.suppressed;
        summary.unsettled = unsettled;
        summary.unsettled_cases = cases;
        summary.lost = summary
            .planned
            .saturating_sub(summary.accepted + summary.suppressed + summary.unsettled);
        summary.duplicated = counted.duplicated;
        summary.disordered = counted.disordered + counted.hurried;
        summary.in_doubt = count_verdicts(&self.relay);
        telling.say(&format!(
            "{} messages have arrived at the provider",
            sandbox.control().delivered().len()
        ));
        Ok(self.summary)
    }

    /// Steps that a person must decide and that reached nobody, with the steps that wait behind them.
    async fn count_unsettled(&self, messages: &[Message]) -> Result<(u64, Vec<UnsettledCase>)> {
        let arrived: BTreeSet<&str> = messages
            .iter()
            .map(|message| message.delivery.as_str())
            .collect();
        let request = ListDeliveries {
            campaign_id: self.campaign.clone(),
            state: Some("unsettled".to_owned()),
            limit: Some(1_000),
        };
        let unsettled = self.relay.operator()?.call(&request).await?.deliveries;
        let steps = unsettled
            .iter()
            .map(|one| u64::from(!arrived.contains(one.id.as_str())) + u64::from(one.step == 1))
            .sum();
        let cases = unsettled
            .iter()
            .map(|one| UnsettledCase {
                lead: one.to.to_string(),
                step: one.step,
                arrived: arrived.contains(one.id.as_str()),
            })
            .collect();
        Ok((steps, cases))
    }
}

/// Nothing moves any more, because what is left waits behind deliveries that a person must decide.
fn is_stuck(counts: &Counts) -> bool {
    counts.unsettled > 0
        && counts.attempting + counts.in_doubt == 0
        && counts.waiting <= counts.unsettled
}

/// What the relay said of its doubts, over all its lives.
fn count_verdicts(relay: &Relay) -> InDoubt {
    let mut verdicts = InDoubt::default();
    for line in relay.log() {
        match line
            .pointer("/fields/verdict")
            .and_then(serde_json::Value::as_str)
        {
            Some("found") => verdicts.found += 1,
            Some("refuted") => verdicts.refuted += 1,
            Some("unsettled") => verdicts.unsettled += 1,
            _ => {}
        }
    }
    verdicts
}
