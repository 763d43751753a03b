//! One inbox of the run: it is connected, its campaign is started, and what becomes of its leads is counted.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protocol::campaign::{State as CampaignState, Step};
use protocol::delivery::State;
use protocol::id::{CampaignId, InboxId};
use protocol::provider::ProviderId;
use protocol::request::campaign::{
    CreateCampaign, GetCampaign, ImportLeads, StartCampaign, UnusableRows,
};
use protocol::request::delivery::{Delivery, ListDeliveries};
use protocol::request::inbox::{AnswerInbox, ConnectionState, CreateInbox, GetInbox, Inbox};
use protocol::request::reconnect::ReconnectState;
use protocol::sender::Sender;
use protocol::standing::Answer;
use rand::rngs::StdRng;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::case::{List, Speaker, account_fault, bounce, broken_after_dot};
use super::{AccountWide, AfterDot, ByDsn, Part, RecipientSide, Summary, World, made_up};
use crate::person::Person;
use crate::wait::wait_for;

/// How long a campaign may take on a busy machine.
const ENDS_WITHIN: Duration = Duration::from_mins(10);
/// How long connections break off.
const BROKEN_FOR: Duration = Duration::from_secs(25);
/// How long nothing may change before no more bounce is expected: the relay reads twice a second.
const QUIET_LOOKS: u32 = 25;
/// A pause of the relay between two tries: its shortest rest is a second.
const PAUSE_MS: u64 = 700;
/// Between two looks at the API.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Deliveries in one answer.
const LIST_AT_MOST: u32 = 1_000;

/// One inbox.
pub(super) struct Subject {
    world: Arc<World>,
    person: Person,
    domain: String,
    inbox: InboxId,
    random: StdRng,
    idx: usize,
}

impl Subject {
    /// Adds the inbox and connects it.
    pub(super) async fn connect(
        world: Arc<World>,
        person: Person,
        random: StdRng,
        idx: usize,
    ) -> Result<Self> {
        let request = CreateInbox {
            address: person.address.parse()?,
            provider: ProviderId::new("sandbox"),
            smtp: None,
            imap: None,
            distance_ms: Some(0),
            daily_cap: Some(0),
        };
        let inbox = world.operator.call(&request).await?.id;
        let (_, domain) = person
            .address
            .rsplit_once('@')
            .context("an address without a domain")?;
        let subject = Self {
            domain: domain.to_owned(),
            world,
            person,
            inbox,
            random,
            idx,
        };
        subject.reconnect().await?;
        Ok(subject)
    }

    /// Plays its part.
    pub(super) async fn play(self, part: Part) -> Result<Summary> {
        let mut summary = Summary::default();
        match part {
            Part::AccountWide => summary.account_wide = self.play_account_wide().await?,
            Part::ByDsn => summary.by_dsn = self.play_by_dsn().await?,
            Part::RecipientSide => summary.recipient_side = self.play_recipient_side().await?,
            Part::AfterDot => summary.after_dot = self.play_after_dot().await?,
        }
        Ok(summary)
    }

    async fn play_account_wide(mut self) -> Result<AccountWide> {
        let n = self.world.leads;
        let list = List::over_many_domains(&mut self.random, n, &self.domain);
        let fault = account_fault(&mut self.random, self.idx, n);
        let described = format!("{fault:?}");
        let address = self.person.address.clone();
        let control = self.world.control.clone();
        control.trouble_account(&address, Some(fault));
        let campaign = self.start(&list).await?;
        let mut pace = pace();
        let seen = wait_for(
            "the refusals to be seen",
            async || {
                pace.tick().await;
                let inbox = self.look().await.ok()?;
                let met = Met::of(&control.account_met_at_ms(&address));
                let is_seen = inbox.refused.is_some()
                    || inbox.connection.state != ConnectionState::Connected
                    || met.n_pauses > 0;
                (is_seen && met.n > 0).then_some(met.n_before_pause)
            },
            ENDS_WITHIN,
        )
        .await?;
        // Until a person is needed, or the relay has tried some more by itself.
        wait_for(
            "the relay to try by itself",
            async || {
                pace.tick().await;
                let inbox = self.look().await.ok()?;
                let asks = inbox.refused.is_some_and(|refused| refused.asks);
                let is_lost = inbox.connection.state == ConnectionState::Disconnected;
                let met = Met::of(&control.account_met_at_ms(&address));
                (asks || is_lost || met.n_pauses > 3).then_some(())
            },
            ENDS_WITHIN,
        )
        .await?;
        let given_up = self.list_given_up(&campaign).await?;
        control.trouble_account(&address, None);
        let inbox = self.look().await?;
        if inbox.connection.state == ConnectionState::Disconnected {
            self.reconnect().await?;
        } else if inbox.refused.is_some_and(|refused| refused.asks) {
            self.answer(Answer::Account).await?;
        }
        let missing = self.wait_for_arrivals(&list).await?;
        let burnt: HashSet<String> = given_up.into_iter().chain(missing).collect();
        if !burnt.is_empty() || seen > 3 {
            self.tell(&format!(
                "{} burnt after {seen} tries: {described}",
                burnt.len()
            ));
        }
        Ok(AccountWide {
            leads_burnt: burnt.len(),
            tried_before_it_was_seen_max: seen,
        })
    }

    async fn play_by_dsn(mut self) -> Result<ByDsn> {
        let list = List::over_many_domains(&mut self.random, self.world.leads, &self.domain);
        let speaker = match self.idx % 3 {
            0 => Speaker::Nobody,
            1 => Speaker::Provider,
            _ => Speaker::EachRecipient,
        };
        let status = made_up::status(&mut self.random, 5);
        let campaign = self.start(&list).await?;
        let mut returned = HashSet::new();
        let mut quiet = 0;
        let mut pace = pace();
        wait_for(
            "the last bounce",
            async || {
                pace.tick().await;
                let before = returned.len();
                for (recipient, message_id) in self.list_arrived() {
                    if returned.insert(recipient.clone()) {
                        let words = made_up::words(&mut self.random);
                        let dsn = bounce(
                            &self.domain,
                            &recipient,
                            &message_id,
                            speaker,
                            &status,
                            &words,
                        );
                        self.world.control.deliver(&self.person.address, dsn);
                    }
                }
                quiet = if returned.len() > before {
                    0
                } else {
                    quiet + 1
                };
                // Every message has come back, so that none counts as accepted once all bounces are read.
                let all = self.list(&campaign).await.ok()?;
                let is_accepted =
                    |delivery: &Delivery| matches!(delivery.status, State::Accepted { .. });
                let is_read = !all.iter().any(is_accepted);
                (quiet > QUIET_LOOKS && !returned.is_empty() && is_read).then_some(())
            },
            ENDS_WITHIN,
        )
        .await?;
        let given_up = self.list_given_up(&campaign).await?;
        if !given_up.is_empty() {
            self.tell(&format!(
                "{} of {} burnt by {speaker:?} with {status}",
                given_up.len(),
                returned.len()
            ));
        }
        Ok(ByDsn {
            leads_burnt: given_up.len(),
        })
    }

    async fn play_recipient_side(mut self) -> Result<RecipientSide> {
        let n = self.world.leads;
        let list = List::with_refused(&mut self.random, n, &self.domain, self.idx);
        for (lead, reply) in &list.refused {
            self.world.control.refuse_recipient(lead, reply.as_bytes());
        }
        let campaign = self.start(&list).await?;
        let mut pace = pace();
        let ended = wait_for(
            "the campaign to end",
            async || {
                pace.tick().await;
                let request = GetCampaign {
                    campaign_id: campaign.clone(),
                };
                let status = self.world.operator.call(&request).await.ok()?.status;
                let inbox = self.look().await.ok()?;
                let asks = inbox.refused.is_some_and(|refused| refused.asks);
                let is_lost = inbox.connection.state == ConnectionState::Disconnected;
                let is_over = matches!(status, CampaignState::Finished { .. });
                (is_over || asks || is_lost).then_some(asks || is_lost)
            },
            ENDS_WITHIN,
        )
        .await?;
        let set_aside = self.list_given_up(&campaign).await?;
        let arrived: HashSet<String> = self.list_arrived().into_keys().collect();
        let misjudged = list
            .leads
            .iter()
            .filter(|lead| {
                let is_refused = list.refused.contains_key(*lead);
                set_aside.contains(*lead) != is_refused || arrived.contains(*lead) == is_refused
            })
            .count();
        if misjudged > 0 || ended {
            self.tell(&format!(
                "{misjudged} misjudged of kind {}, {} refused of {n}",
                self.idx % 3,
                list.refused.len()
            ));
        }
        Ok(RecipientSide {
            inboxes_disconnected: usize::from(ended),
            set_aside: set_aside.len(),
            accepted: arrived.len(),
            misjudged,
        })
    }

    async fn play_after_dot(mut self) -> Result<AfterDot> {
        let n = self.world.leads;
        let list = List::over_many_domains(&mut self.random, n, &self.domain);
        let fault = broken_after_dot(&mut self.random, n);
        self.world
            .control
            .trouble_account(&self.person.address, Some(fault));
        let campaign = self.start(&list).await?;
        let mut pace = pace();
        let mut most = 0;
        let watched = wait_for(
            "more doubts than may be open",
            async || {
                pace.tick().await;
                let all = self.list(&campaign).await.ok()?;
                let is_open = |delivery: &&Delivery| {
                    matches!(
                        delivery.status,
                        State::InDoubt { .. } | State::Unsettled { .. }
                    )
                };
                most = all.iter().filter(is_open).count().max(most);
                (most > 2).then_some(())
            },
            BROKEN_FOR,
        )
        .await;
        if watched.is_ok() {
            self.tell(&format!("{most} doubts were open"));
        }
        self.world
            .control
            .trouble_account(&self.person.address, None);
        if self.list_arrived().is_empty() && most == 0 {
            bail!("no message met the fault");
        }
        Ok(AfterDot {
            unsettled_max_per_inbox: most,
        })
    }

    async fn start(&self, list: &List) -> Result<CampaignId> {
        let operator = &self.world.operator;
        let campaign = operator
            .call(&CreateCampaign {
                name: format!("From {}", self.person.address),
                inboxes: vec![self.inbox.clone()],
                sender: Sender::default(),
                steps: vec![Step {
                    subject: "Hello".to_owned(),
                    body: "Hello, are you there?".to_owned(),
                    wait_ms: 0,
                    ..Step::default()
                }],
                schedule: None,
            })
            .await?;
        let import = ImportLeads {
            campaign_id: campaign.id.clone(),
            unusable_rows: UnusableRows::Refuse,
            encoding: None,
        };
        operator.call_with_csv(&import, list.csv()).await?;
        operator
            .call(&StartCampaign {
                campaign_id: campaign.id.clone(),
            })
            .await?;
        Ok(campaign.id)
    }

    async fn look(&self) -> Result<Inbox> {
        let inbox_id = self.inbox.clone();
        self.world.operator.call(&GetInbox { inbox_id }).await
    }

    async fn answer(&self, answer: Answer) -> Result<()> {
        let inbox_id = self.inbox.clone();
        let request = AnswerInbox { inbox_id, answer };
        self.world.operator.call(&request).await?;
        Ok(())
    }

    async fn reconnect(&self) -> Result<()> {
        let device = &self.world.device;
        let password = self.person.password.clone();
        let id = device
            .hand_over_password(&self.inbox, &self.person, password)
            .await?;
        let reconnect = device.wait_over(&id).await?;
        if reconnect.state != ReconnectState::Resumed {
            bail!("{} was not connected: {reconnect:?}", self.person.address);
        }
        Ok(())
    }

    async fn list(&self, campaign: &CampaignId) -> Result<Vec<Delivery>> {
        let request = ListDeliveries {
            campaign_id: campaign.clone(),
            state: None,
            limit: Some(LIST_AT_MOST),
            after: None,
        };
        Ok(self.world.operator.call(&request).await?.deliveries)
    }

    /// The leads that the relay will not write to any more although no message reached them.
    async fn list_given_up(&self, campaign: &CampaignId) -> Result<HashSet<String>> {
        let is_given_up = |delivery: &Delivery| {
            matches!(
                delivery.status,
                State::Rejected { .. }
                    | State::Bounced { .. }
                    | State::Suppressed { .. }
                    | State::Cancelled
            )
        };
        let all = self.list(campaign).await?;
        let given_up = all.iter().filter(|delivery| is_given_up(delivery));
        Ok(given_up.map(|delivery| delivery.to.to_string()).collect())
    }

    /// Who has a message of this inbox, with its id.
    fn list_arrived(&self) -> BTreeMap<String, String> {
        let all = self.world.control.delivered();
        all.into_iter()
            .filter(|message| message.envelope_from == self.person.address)
            .map(|message| (message.recipient, message.message_id.unwrap_or_default()))
            .collect()
    }

    /// The leads that no message has reached when nothing more comes.
    async fn wait_for_arrivals(&self, list: &List) -> Result<HashSet<String>> {
        let mut pace = pace();
        let arrived = wait_for(
            "every lead to have a message",
            async || {
                pace.tick().await;
                let arrived = self.list_arrived();
                (arrived.len() >= list.leads.len()).then_some(())
            },
            ENDS_WITHIN,
        )
        .await;
        if arrived.is_err() {
            self.tell("not every lead got a message");
        }
        let arrived = self.list_arrived();
        let missing = list
            .leads
            .iter()
            .filter(|lead| !arrived.contains_key(*lead));
        Ok(missing.cloned().collect())
    }

    fn tell(&self, words: &str) {
        self.world
            .telling
            .say(&format!("{}: {words}", self.person.address));
    }
}

/// How often an account's fault was met.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    n: usize,
    /// Before the first pause, or until now.
    n_before_pause: usize,
    n_pauses: usize,
}

impl Met {
    fn of(at_ms: &[u64]) -> Self {
        let pauses: Vec<usize> = at_ms
            .iter()
            .zip(at_ms.iter().skip(1))
            .enumerate()
            .filter(|(_, (earlier, later))| later.saturating_sub(**earlier) >= PAUSE_MS)
            .map(|(idx, _)| idx + 1)
            .collect();
        Self {
            n: at_ms.len(),
            n_before_pause: pauses.first().copied().unwrap_or(at_ms.len()),
            n_pauses: pauses.len(),
        }
    }
}

/// The looks at the API, so that asking does not keep the machine busy.
fn pace() -> Interval {
    let mut pace = interval(LOOK_EVERY);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}
