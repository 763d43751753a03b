//! One inbox of the run: its faults one after the other, and after each the proof that it still works.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protocol::campaign::Step as CampaignStep;
use protocol::id::{CampaignId, InboxId};
use protocol::provider::ProviderId;
use protocol::request::campaign::{CreateCampaign, ImportLeads, StartCampaign, UnusableRows};
use protocol::request::inbox::{ConnectionState, CreateInbox, GetInbox};
use protocol::request::reconnect::ReconnectState;
use protocol::sender::Sender;
use protocol::timestamp::Timestamp;
use sandbox::{Gate, Met};

use super::World;
use super::kind::{How, Port, Real, SignIn, Transient};
use super::plan::Life;
use super::plan::Step;
use super::room::Group;
use super::summary::Found;
use crate::clock::now_ms;
use crate::person::Person;
use crate::story::mailboxes::MARKS;
use crate::wait::wait_for;

/// How long one try may take to come and to end: what fails is tried again after ten minutes at the most, however often
/// it failed before, and the longest silence is two minutes.
const TRIED_WITHIN: Duration = Duration::from_mins(12);
/// How long an inbox may take to send again: two tries in a row may meet a fault that was meant for another inbox, whose
/// connection came later.
const WORKS_WITHIN: Duration = TRIED_WITHIN.saturating_mul(3);
/// How long a fault may take to be met: some are met four times, and the faults of others may have made the inbox
/// wait as long as it ever does.
const MET_WITHIN: Duration = TRIED_WITHIN.saturating_mul(4);
/// How long a port is closed at a time.
const CLOSED_FOR: Duration = Duration::from_secs(15);
/// How often it is tried: an access token of the run comes to be renewed within one or two of them.
const CLOSED_TIMES: u32 = 20;
/// How long a lost inbox is waited for; what takes longer than the budget is a failure all the same.
const FOUND_WITHIN: Duration = Duration::from_mins(3);
/// A click that is refused three times is refused for a reason.
const CLICKS_AT_MOST: u32 = 3;

/// One inbox.
pub(super) struct Subject {
    world: Arc<World>,
    sign_in: SignIn,
    person: Person,
    id: InboxId,
    n_leads: u64,
    /// The last lead that was added.
    last: String,
    /// The campaign of each lead, the oldest first.
    campaigns: Vec<CampaignId>,
    /// How often it was rightly or wrongly disconnected.
    n_lost: usize,
    /// What befell it and when, in words, the latest last.
    befell: Vec<String>,
    pub(super) report: Report,
}

/// What became of one inbox.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) address: String,
    pub(super) planned: u64,
    /// Every campaign that was started, one lead each.
    pub(super) campaigns: Vec<CampaignId>,
    /// Passing faults that were met, by name.
    pub(super) met: Vec<&'static str>,
    /// From the last meeting to the next message.
    pub(super) recovered_ms: Vec<i64>,
    pub(super) found: Vec<Found>,
    /// Real faults that were not found, in words.
    pub(super) not_found: Vec<String>,
    pub(super) real: u64,
    /// Disconnections without a real fault, in words.
    pub(super) false_disconnections: Vec<String>,
    /// Credentials that did not work any more although nobody ended them, in words.
    pub(super) tokens_lost: Vec<String>,
    /// Alerts beyond one for each disconnection.
    pub(super) alerts_repeated: u64,
    /// Disconnections without an alert.
    pub(super) alerts_missed: u64,
    /// Reconnects that took one more click.
    pub(super) clicks_again: u64,
}

/// Why a wait ended.
enum Ended {
    AsWanted,
    /// The inbox was disconnected meanwhile.
    Lost(String),
}

impl Subject {
    /// Adds the inbox and connects it.
    pub(super) async fn connect(
        world: Arc<World>,
        person: Person,
        sign_in: SignIn,
    ) -> Result<Self> {
        let request = CreateInbox {
            address: person.address.parse()?,
            provider: ProviderId::new("sandbox"),
            smtp: None,
            imap: None,
            distance_ms: Some(0),
            daily_cap: Some(0),
        };
        let id = world.operator.call(&request).await?.id;
        let report = Report {
            address: person.address.clone(),
            ..Report::default()
        };
        let mut subject = Self {
            world,
            sign_in,
            person,
            id,
            n_leads: 0,
            last: String::new(),
            campaigns: Vec::new(),
            n_lost: 0,
            befell: Vec::new(),
            report,
        };
        subject.reconnect().await?;
        Ok(subject)
    }

    /// Lives through its faults.
    pub(super) async fn live(mut self, life: Life) -> Result<Report> {
        let world = Arc::clone(&self.world);
        for step in life.steps {
            let _turn = world.turns.acquire().await?;
            self.note_befell(step.name());
            match step {
                Step::Passing(kind) => self
                    .pass(kind)
                    .await
                    .with_context(|| format!("{} at {}", kind.name, self.person.address))?,
                Step::Real(kind) => self
                    .lose(kind)
                    .await
                    .with_context(|| format!("{} at {}", kind.name(), self.person.address))?,
            }
        }
        self.prove("at the end").await?;
        self.report.planned = self.n_leads * MARKS.len() as u64;
        self.report.campaigns = self.campaigns;
        let n_alerts = self.world.watch.alerts(&self.person.address).len();
        self.report.alerts_repeated = n_alerts.saturating_sub(self.n_lost) as u64;
        self.report.alerts_missed = self.n_lost.saturating_sub(n_alerts) as u64;
        Ok(self.report)
    }

    async fn pass(&mut self, kind: &'static Transient) -> Result<()> {
        let room = self.world.room.clone();
        let anybody = match kind.how {
            How::Meets(parts) => parts.iter().any(|(gate, _)| is_anybodys(*gate)),
            How::Refused(_) => true,
        };
        let inside = if anybody {
            Some(room.enter(Group::MeetingAnybody).await)
        } else {
            None
        };
        let ended = match kind.how {
            How::Meets(parts) => {
                let control = &self.world.control;
                let mets: Vec<Met> = parts
                    .iter()
                    .map(|(gate, play)| {
                        let own = (!is_anybodys(*gate)).then_some(self.person.address.as_str());
                        control.trouble(*gate, own, play.trouble())
                    })
                    .collect();
                let anew = parts.iter().any(|(gate, _)| is_before_mail(*gate));
                self.poke_until(anew, |_| mets.iter().all(Met::is_met))
                    .await?
            }
            How::Refused(port) => self.meet_closed(port).await?,
        };
        drop(inside);
        let met_ms = now_ms();
        self.note_befell("(met)");
        self.report.met.push(kind.name);
        if let Ended::Lost(words) = ended {
            return self.note_false(kind.name, &words).await;
        }
        if self.works(kind.name).await? {
            self.report.recovered_ms.push(now_ms() - met_ms);
        }
        self.world.tell_passed();
        Ok(())
    }

    /// Nobody listens until this inbox was refused. All others are refused meanwhile and wait longer each time, so
    /// one port is closed for one inbox at a time, and not for long: then it is tried again.
    async fn meet_closed(&mut self, port: Port) -> Result<Ended> {
        let world = Arc::clone(&self.world);
        let front = match port {
            Port::Smtp => &world.fronts.smtp,
            Port::Imap => &world.fronts.imap,
            Port::Http => &world.fronts.http,
        };
        let _turn = world.closing.lock().await;
        for _ in 0..CLOSED_TIMES {
            let closing = front.close().await;
            let since_ms = now_ms();
            self.world.control.end_sessions(&self.person.address)?;
            self.add_lead().await?;
            let look = async || {
                let address = &self.person.address;
                if world.watch.was_refused_since(address, since_ms) {
                    return Some(Some(Ended::AsWanted));
                }
                match self.find_lost() {
                    Some(words) => Some(Some(Ended::Lost(words))),
                    None => self.has_arrived().then_some(None),
                }
            };
            let ended = wait_for("the inbox to be refused", look, CLOSED_FOR).await;
            drop(closing);
            if let Ok(Some(ended)) = ended {
                return Ok(ended);
            }
        }
        bail!("it was never met; {:?}", self.words())
    }

    /// Gives the inbox something to do until something holds; `anew`: over new connections.
    async fn poke_until(&mut self, anew: bool, holds: impl Fn(&World) -> bool) -> Result<Ended> {
        let began_ms = now_ms();
        loop {
            if anew {
                self.world.control.end_sessions(&self.person.address)?;
            }
            self.add_lead().await?;
            let look = async || {
                if holds(&self.world) {
                    return Some(Some(Ended::AsWanted));
                }
                if let Some(words) = self.find_lost() {
                    return Some(Some(Ended::Lost(words)));
                }
                // It was sent without meeting what was meant: once more.
                self.has_arrived().then_some(None)
            };
            let within = MET_WITHIN;
            match wait_for("a fault to be met", look, within).await {
                Ok(Some(ended)) => return Ok(ended),
                Ok(None) if now_ms() - began_ms < i64::try_from(within.as_millis())? => {}
                Ok(None) => bail!("it was never met"),
                Err(error) => bail!("{error}; {:?}", self.words()),
            }
        }
    }

    /// Whether the inbox sends what is added now, with the credentials that it has.
    async fn works(&mut self, after: &str) -> Result<bool> {
        self.add_lead().await?;
        let look = async || match self.find_lost() {
            Some(words) => Some(Ended::Lost(words)),
            None => self.has_arrived().then_some(Ended::AsWanted),
        };
        match wait_for("the inbox to send again", look, WORKS_WITHIN).await {
            Ok(Ended::AsWanted) => Ok(true),
            Ok(Ended::Lost(words)) => {
                self.note_false(after, &words).await?;
                Ok(false)
            }
            Err(error) => {
                let words = format!(
                    "{} after {after}: {error}; {:?}",
                    self.person.address,
                    self.words()
                );
                self.world.telling.say(&words);
                self.report.tokens_lost.push(words);
                Ok(false)
            }
        }
    }

    fn note_befell(&mut self, what: &str) {
        let at = Timestamp::from_ms(now_ms());
        self.befell.push(format!("{at} {what}"));
    }

    /// A disconnection that nothing justifies; the run goes on after a reconnect.
    async fn note_false(&mut self, after: &str, words: &str) -> Result<()> {
        let request = GetInbox {
            inbox_id: self.id.clone(),
        };
        let connection = self.world.operator.call(&request).await?.connection;
        let words = format!(
            "{} after {after}: {words}; {connection:?}; it met {:?}; the relay met {:?}",
            self.person.address,
            self.befell.iter().rev().take(6).collect::<Vec<_>>(),
            self.words()
        );
        self.world
            .telling
            .say(&format!("FALSE disconnection: {words}"));
        self.report.false_disconnections.push(words);
        self.n_lost += 1;
        self.reconnect().await
    }

    /// The credentials still work: a refresh succeeds and a new sign-in sends, without a reconnect.
    async fn prove(&mut self, when: &str) -> Result<()> {
        let n_refreshes = |subject: &Self| -> u32 {
            let grants = subject.world.control.grants(&subject.person.address);
            grants.iter().map(|grant| grant.n_refreshes).sum()
        };
        let before = n_refreshes(self);
        for _ in 0..10 {
            self.world.control.end_sessions(&self.person.address)?;
            if !self.works(when).await? {
                return Ok(());
            }
            if self.sign_in == SignIn::Password || n_refreshes(self) > before {
                return Ok(());
            }
        }
        self.report
            .tokens_lost
            .push(format!("{} was not refreshed {when}", self.person.address));
        Ok(())
    }

    async fn lose(&mut self, kind: Real) -> Result<()> {
        self.prove(kind.name()).await?;
        let room = self.world.room.clone();
        let _inside = room.enter(Group::BeingLost).await;
        let (control, address) = (self.world.control.clone(), self.person.address.clone());
        control.forget_refusals(&address);
        let n_alerts = self.world.watch.alerts(&address).len();
        let began_ms = now_ms();
        let app_password = begin(&control, kind, &address)?;
        self.report.real += 1;
        self.add_lead().await?;
        let look = async || self.find_lost();
        let lost = wait_for("a lost inbox to be found", look, FOUND_WITHIN).await;
        let alerted = async || self.world.watch.alerts(&address).get(n_alerts).cloned();
        let alert = match &lost {
            Ok(_) => wait_for("the alert", alerted, Duration::from_secs(5))
                .await
                .ok(),
            Err(_) => None,
        };
        let found_ms = alert.as_ref().map_or_else(now_ms, |alert| alert.at_ms);
        let first_refused_ms = control
            .first_refused_at_ms(&address)
            .and_then(|at| i64::try_from(at).ok());
        if lost.is_ok() {
            self.n_lost += 1;
            let cause = self
                .world
                .watch
                .connection(&address)
                .and_then(|(_, cause)| cause);
            let refused_ms = first_refused_ms.unwrap_or(began_ms);
            self.report.found.push(Found {
                kind,
                cause,
                alert: alert.map(|alert| alert.cause),
                detected_ms: found_ms - refused_ms,
                stalled_ms: self.world.watch.stalled_ms(refused_ms, found_ms),
                from_fault_ms: found_ms - began_ms,
                met: self.words(),
            });
        } else {
            let words = format!(
                "NOT FOUND: {} at {address}; {:?}",
                kind.name(),
                self.words()
            );
            self.world.telling.say(&words);
            self.report.not_found.push(words);
        }
        self.mend(kind, app_password)?;
        self.reconnect().await?;
        self.works(kind.name()).await?;
        self.world.tell_found();
        Ok(())
    }

    fn mend(&mut self, kind: Real, app_password: Option<String>) -> Result<()> {
        let (control, address) = (&self.world.control, &self.person.address);
        match kind {
            Real::Revoked => {}
            Real::Locked => control.lock(address, false)?,
            Real::SmtpOff => control.switch_smtp_off(address, false),
            Real::ImapOff => control.switch_imap_off(address, false),
            Real::PasswordChanged => self.person.password = changed(address),
            Real::AppPasswordDemanded => {
                self.person.password = app_password.context("there is no app password")?;
            }
        }
        Ok(())
    }

    /// As a person does: a click that was refused for nothing of theirs is followed by another.
    async fn reconnect(&mut self) -> Result<()> {
        let device = &self.world.device;
        for click in 1..=CLICKS_AT_MOST {
            let id = match self.sign_in {
                SignIn::OAuth => {
                    device
                        .hand_over(&self.id, &self.person, &self.world.quiet)
                        .await?
                }
                SignIn::Password => {
                    let password = self.person.password.clone();
                    device
                        .hand_over_password(&self.id, &self.person, password)
                        .await?
                }
            };
            let over = device.wait_over(&id).await?;
            if over.state == ReconnectState::Resumed {
                break;
            }
            let words = format!(
                "click {click} of {} was refused: {:?}, {:?}",
                self.person.address, over.cause, over.evidence
            );
            if click == CLICKS_AT_MOST {
                bail!(words);
            }
            self.world.telling.say(&words);
            self.report.clicks_again += 1;
        }
        let connected = async || {
            let (state, _) = self.world.watch.connection(&self.person.address)?;
            (state == ConnectionState::Connected).then_some(())
        };
        wait_for("the inbox to be seen connected", connected, WORKS_WITHIN).await?;
        Ok(())
    }

    /// A campaign of two steps with one lead, which is due now.
    async fn add_lead(&mut self) -> Result<()> {
        self.n_leads += 1;
        let name = self.person.address.replace('@', ".");
        self.last = format!("lead{}.{name}", self.n_leads).replacen('.', "@", 1);
        let step = |subject: &str, mark: &str, wait_ms| CampaignStep {
            subject: subject.to_owned(),
            body: format!("Hello,\n\n{mark}\n"),
            wait_ms,
            ..CampaignStep::default()
        };
        let [first, second] = MARKS;
        let wait_ms = u64::try_from(self.world.wait.as_millis())?;
        let request = CreateCampaign {
            name: format!("To {}", self.last),
            inboxes: vec![self.id.clone()],
            sender: Sender::default(),
            steps: vec![step("A question", first, 0), step("", second, wait_ms)],
            schedule: None,
        };
        let operator = &self.world.operator;
        let campaign_id = operator.call(&request).await?.id;
        self.campaigns.push(campaign_id.clone());
        let mut csv = "email\n".to_owned();
        writeln!(csv, "{}", self.last)?;
        let import = ImportLeads {
            campaign_id: campaign_id.clone(),
            unusable_rows: UnusableRows::Refuse,
            encoding: None,
        };
        operator.call_with_csv(&import, csv.into_bytes()).await?;
        if let Err(error) = operator.call(&StartCampaign { campaign_id }).await {
            let request = GetInbox {
                inbox_id: self.id.clone(),
            };
            let inbox = operator.call(&request).await?;
            if inbox.connection.state != ConnectionState::Disconnected {
                return Err(error);
            }
            // It was not started: nothing of it is ever sent, and whoever waits for it sees why.
            self.n_leads -= 1;
            self.campaigns.pop();
        }
        Ok(())
    }

    fn has_arrived(&self) -> bool {
        self.world.watch.has_arrived(&self.last, 1)
    }

    /// The cause, where the inbox is disconnected now.
    fn find_lost(&self) -> Option<String> {
        let (state, cause) = self.world.watch.connection(&self.person.address)?;
        (state == ConnectionState::Disconnected).then(|| {
            cause
                .map_or("no cause", protocol::cause::Cause::code)
                .to_owned()
        })
    }

    fn words(&self) -> Vec<String> {
        self.world.watch.last_words(&self.person.address)
    }
}

/// Makes the fault; an app password where one is demanded.
fn begin(control: &sandbox::Control, kind: Real, address: &str) -> Result<Option<String>> {
    match kind {
        Real::Revoked => control.revoke(address)?,
        Real::PasswordChanged => control.change_password(address, &changed(address))?,
        Real::Locked => control.lock(address, true)?,
        Real::AppPasswordDemanded => return Ok(Some(control.demand_app_password(address)?)),
        Real::SmtpOff => {
            control.switch_smtp_off(address, true);
            control.end_sessions(address)?;
        }
        Real::ImapOff => {
            control.switch_imap_off(address, true);
            control.end_sessions(address)?;
        }
    }
    Ok(None)
}

fn changed(address: &str) -> String {
    format!("changed-by-{address}")
}

/// At these nobody has said yet who they are.
fn is_anybodys(gate: Gate) -> bool {
    matches!(
        gate,
        Gate::SmtpConnect | Gate::SmtpGreeting | Gate::ImapConnect | Gate::ImapGreeting
    )
}

/// These are passed by new connections only.
fn is_before_mail(gate: Gate) -> bool {
    !matches!(
        gate,
        Gate::SmtpMail | Gate::SmtpRcpt | Gate::SmtpData | Gate::SmtpBody
    )
}
