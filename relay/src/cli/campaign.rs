//! `unpause campaign`: campaigns, their leads and deliveries.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use protocol::campaign::{PausedBy, State};
use protocol::cause::{CAUSES, Cause};
use protocol::delivery::{Decision, StateName};
use protocol::id::{DeliveryId, InboxId, LeadId};
use protocol::inbox::Address;
use protocol::request::campaign::{
    Campaign, CreateCampaign, DeleteCampaign, DuplicateCampaign, GetCampaign, ImportLeads,
    ImportedLeads, ListCampaigns, PauseCampaign, ResumeCampaign, StartCampaign, UnusableRows,
    UpdateCampaign,
};
use protocol::request::delivery::{
    Delivery, ListDeliveries, PutBackDeliveries, SettleDeliveries, SettleDelivery,
};
use protocol::request::inbox::{Inbox, ListInboxes};
use protocol::request::message::{CheckCampaign, PreviewMessage};
use protocol::request::sending::{PlanCampaign, WhyCampaign};
use tokio::time::Instant;

use super::access::none_or;
use super::inbox::find_inbox;
use super::named::find_campaign;
use super::print::{Printer, columns, parse_number, span, while_people_wait};
use super::{CliError, next, sender, steps};
use crate::api::Client;

mod catch_up;
mod export;
mod message;
mod plan;
mod put_back;
mod schedule;

/// How long adding leads may take before it is told how long it took.
const TOLD_FROM: Duration = Duration::from_secs(2);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a campaign as a draft
    Create {
        /// Its name
        #[arg(long)]
        name: String,
        /// An inbox that sends it, inb_… or its address; may be given again
        #[arg(long = "inbox", value_name = "INBOX", required = true)]
        inboxes: Vec<String>,
        /// Its messages, in a file of any name: TOML tables `[[steps]]` or a JSON list, each with `subject`, `body` or
        /// `html`, and `wait_ms`
        #[arg(long, value_name = "FILE")]
        steps: PathBuf,
        #[command(flatten)]
        sender: sender::Asked,
    },
    /// List the campaigns
    List,
    /// Show one campaign
    Show {
        /// The campaign: cmp_…, or its name
        campaign: String,
    },
    /// Change a campaign: its name, messages that were not sent yet, its waits, its headers
    Update {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// Its new name
        #[arg(long)]
        name: Option<String>,
        /// All of its messages, in a file as `create` takes it
        #[arg(long, value_name = "FILE")]
        steps: Option<PathBuf>,
        /// Whether its messages say in a header how to be written to no more
        #[arg(long, value_name = "on|off", value_parser = parse_switch)]
        unsubscribe: Option<bool>,
    },
    /// Make a draft with the inboxes and the messages of a campaign, and without its leads
    Duplicate {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// The name of the new one
        #[arg(long)]
        name: String,
    },
    /// Delete a draft with its leads
    Delete {
        /// The campaign: cmp_…, or its name
        campaign: String,
    },
    /// Print the leads of a campaign with where they stand and what they got
    Export {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// As what
        #[arg(long, value_enum, default_value_t = export::Format::Csv)]
        format: export::Format,
    },
    /// Add the leads of a list, all or none, whether the campaign is started or not
    Import {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// The file, as spreadsheets and other programs export CSV; one column holds the addresses
        file: PathBuf,
        /// Add the other rows where some cannot be used
        #[arg(long)]
        skip_unusable: bool,
        /// The encoding of the file, as in windows-1251; found out where it is not said
        #[arg(long, value_name = "NAME")]
        encoding: Option<String>,
    },
    /// Show a message as a lead will get it; nothing is sent
    Preview {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// The step, from 1
        #[arg(long, default_value_t = 1)]
        step: u32,
        /// The lead, by its address; the first of the list where it is left out
        #[arg(long, value_name = "ADDRESS")]
        lead: Option<Address>,
    },
    /// Look whether there is a message for every lead in every step, as a start does
    Check {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// Leads that are named at most, 1 to 1000
        #[arg(long, value_parser = parse_number)]
        limit: Option<u32>,
        /// Only those behind this lead, lea_…, as the end of a list names it
        #[arg(long)]
        after: Option<String>,
    },
    /// Start a draft
    Start {
        /// The campaign: cmp_…, or its name
        campaign: String,
    },
    /// Show when a campaign sends, or change it
    Schedule(schedule::Arguments),
    /// Show how a campaign goes on after an outage, change that, or let it go on as fast as ever now
    CatchUp(catch_up::Arguments),
    /// Say what each message waits for that is not sent yet
    Why {
        /// The campaign: cmp_…, or its name
        campaign: String,
    },
    /// Show on which days its messages are expected to leave, and what limits that
    Plan {
        /// The campaign, cmp_…
        campaign: String,
        /// At most so many days on which something leaves; 60 when absent
        #[arg(long, value_parser = parse_number)]
        days: Option<u32>,
    },
    /// Pause a running campaign
    Pause {
        /// The campaign: cmp_…, or its name
        campaign: String,
    },
    /// Resume a campaign that a person paused
    Resume {
        /// The campaign: cmp_…, or its name
        campaign: String,
    },
    /// List deliveries
    Deliveries {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// Only those in this state, as in unsettled
        #[arg(long)]
        state: Option<StateName>,
        /// At most so many, 1 to 1000
        #[arg(long, value_parser = parse_number)]
        limit: Option<u32>,
        /// Only those behind this delivery, dlv_…, as the end of a list names it
        #[arg(long)]
        after: Option<String>,
    },
    /// Decide a delivery that no evidence can settle, or that is still in doubt
    Settle {
        /// The delivery, dlv_…
        delivery: String,
        /// What to do with it
        decision: Word,
    },
    /// Decide every delivery of a campaign that no evidence can settle
    SettleAll {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// What to do with them
        decision: Word,
    },
    /// Put back what was refused or came back: everything, or less of it
    PutBack {
        /// The campaign: cmp_…, or its name
        campaign: String,
        /// Only this delivery, dlv_…
        #[arg(long)]
        delivery: Option<String>,
        /// Only those that were set aside for this cause, by its code in the list of deliveries
        #[arg(long, value_parser = parse_cause)]
        cause: Option<Cause>,
        /// Only those that met the same, as in rcpt-550-5.1.1
        #[arg(long)]
        alike: Option<String>,
    },
}

/// A person's word on a delivery that is in doubt or unsettled.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Word {
    /// Take it as sent
    Leave,
    /// Send the same message again
    SendAgain,
    /// Neither: end it
    Cancel,
}

impl Command {
    pub(super) async fn run(self, client: &Client, printer: &Printer) -> Result<(), CliError> {
        match self {
            Self::Create {
                name,
                inboxes,
                steps,
                sender,
            } => {
                let steps = steps::load(&steps)?;
                let sender = sender.read()?.unwrap_or_default();
                let inboxes = find_inboxes(client, inboxes).await?;
                let campaign = client
                    .call(&CreateCampaign {
                        name,
                        inboxes,
                        steps,
                        schedule: None,
                        sender,
                    })
                    .await?;
                printer.answer(&campaign, |campaign| {
                    format!(
                        "{}\nAdd leads: unpause campaign import {} FILE.csv",
                        describe(campaign),
                        campaign.id
                    )
                })?;
            }
            Self::List => {
                let campaigns = client.call(&ListCampaigns {}).await?;
                let inboxes = client.call(&ListInboxes {}).await?.inboxes;
                printer.answer(&campaigns, |answer| {
                    let rows = answer.campaigns.iter().map(|campaign| {
                        let counts = format!(
                            "{} of {} accepted",
                            campaign.counts.accepted, campaign.counts.planned
                        );
                        vec![
                            campaign.id.to_string(),
                            campaign.name.clone(),
                            state_of(campaign),
                            counts,
                        ]
                    });
                    let listed = none_or(
                        columns(&rows.collect::<Vec<_>>()),
                        "There is no campaign; `unpause campaign create` makes one.",
                    );
                    let next =
                        next::of_all(&lost_for(&answer.campaigns, inboxes), &answer.campaigns);
                    format!("{}{next}", listed.trim_end())
                })?;
            }
            Self::Show { campaign } => {
                let campaign = client
                    .call(&GetCampaign {
                        campaign_id: find_campaign(client, &campaign).await?,
                    })
                    .await?;
                show(client, printer, &campaign).await?;
            }
            Self::Update {
                campaign,
                name,
                steps,
                unsubscribe,
            } => {
                let request = UpdateCampaign {
                    campaign_id: find_campaign(client, &campaign).await?,
                    name,
                    steps: steps.map(|file| steps::load(&file)).transpose()?,
                    unsubscribe,
                };
                show(client, printer, &client.call(&request).await?).await?;
            }
            Self::Duplicate { campaign, name } => {
                let campaign_id = find_campaign(client, &campaign).await?;
                let request = DuplicateCampaign { campaign_id, name };
                printer.answer(&client.call(&request).await?, describe)?;
            }
            Self::Delete { campaign } => {
                let campaign_id = find_campaign(client, &campaign).await?;
                let done = client.call(&DeleteCampaign { campaign_id }).await?;
                printer.answer(&done, |_| format!("{campaign} is deleted."))?;
            }
            Self::Export { campaign, format } => {
                export::run(
                    client,
                    printer,
                    find_campaign(client, &campaign).await?,
                    format,
                )
                .await?;
            }
            Self::Import {
                campaign,
                file,
                skip_unusable,
                encoding,
            } => {
                let unusable_rows = if skip_unusable {
                    UnusableRows::Skip
                } else {
                    UnusableRows::Refuse
                };
                let campaign_id = find_campaign(client, &campaign).await?;
                let request = ImportLeads {
                    campaign_id: campaign_id.clone(),
                    unusable_rows,
                    encoding,
                };
                let adding = client.call_with_file(&request, &file);
                let began = Instant::now();
                let imported = while_people_wait("Adding leads", adding).await?;
                let took = began.elapsed();
                printer.answer(&imported, |imported| {
                    let mut told = describe_import(imported);
                    if took >= TOLD_FROM {
                        let n_rows = imported.added + imported.already;
                        let rate = n_rows / took.as_secs().max(1);
                        let _ = write!(
                            told,
                            "\nIt took {} s, {rate} rows a second.",
                            took.as_secs()
                        );
                    }
                    if imported.started {
                        return format!(
                            "{told}\nIt is started: their first messages go behind those that wait."
                        );
                    }
                    format!("{told}\nStart it: unpause campaign start {campaign_id}")
                })?;
            }
            Self::Preview {
                campaign,
                step,
                lead,
            } => {
                let request = PreviewMessage {
                    campaign_id: find_campaign(client, &campaign).await?,
                    step: Some(step),
                    lead,
                };
                let preview = client.call(&request).await?;
                printer.answer(&preview, message::describe)?;
            }
            Self::Check {
                campaign,
                limit,
                after,
            } => {
                let request = CheckCampaign {
                    campaign_id: find_campaign(client, &campaign).await?,
                    limit,
                    after: after.map(LeadId::new),
                };
                let checked = client.call(&request).await?;
                printer.answer(&checked, message::describe_check)?;
            }
            Self::Start { campaign } => {
                let started = client
                    .call(&StartCampaign {
                        campaign_id: find_campaign(client, &campaign).await?,
                    })
                    .await?;
                printer.answer(&started, |started| {
                    let told = describe(&started.campaign);
                    match started.left_out {
                        0 => told,
                        n => format!(
                            "{told}\n{n} leads are on the list of those not written to and were left out (unpause suppression list)."
                        ),
                    }
                })?;
            }
            Self::Schedule(arguments) => arguments.run(client, printer).await?,
            Self::CatchUp(arguments) => arguments.run(client, printer).await?,
            Self::Why { campaign } => {
                let campaign_id = find_campaign(client, &campaign).await?;
                let why = WhyCampaign {
                    campaign_id: campaign_id.clone(),
                };
                let why = client.call(&why).await?;
                let campaign = client.call(&GetCampaign { campaign_id }).await?;
                let next = next::of_campaign(client, &campaign).await?;
                printer.answer(&why, |why| {
                    format!("{}{next}", schedule::describe_why(why).trim_end())
                })?;
            }
            Self::Plan { campaign, days } => {
                let request = PlanCampaign {
                    campaign_id: find_campaign(client, &campaign).await?,
                    days,
                };
                printer.answer(&client.call(&request).await?, plan::describe)?;
            }
            Self::Pause { campaign } => {
                let campaign = client
                    .call(&PauseCampaign {
                        campaign_id: find_campaign(client, &campaign).await?,
                    })
                    .await?;
                show(client, printer, &campaign).await?;
            }
            Self::Resume { campaign } => {
                let campaign = client
                    .call(&ResumeCampaign {
                        campaign_id: find_campaign(client, &campaign).await?,
                    })
                    .await?;
                show(client, printer, &campaign).await?;
            }
            Self::Deliveries {
                campaign,
                state,
                limit,
                after,
            } => {
                let request = ListDeliveries {
                    campaign_id: find_campaign(client, &campaign).await?,
                    state,
                    limit,
                    after: after.map(DeliveryId::new),
                };
                let deliveries = client.call(&request).await?;
                printer.answer(&deliveries, |answer| {
                    let rows: Vec<_> = answer.deliveries.iter().map(row_of).collect();
                    let listed = none_or(
                        columns(&rows),
                        "There is no such delivery; a campaign has them once it is started.",
                    );
                    match &answer.next {
                        Some(next) => format!("{listed}\nThere may be more: --after {next}"),
                        None => listed,
                    }
                })?;
            }
            Self::Settle { delivery, decision } => {
                let decision = decision.into();
                let delivery_id = DeliveryId::new(delivery);
                let delivery = client
                    .call(&SettleDelivery {
                        delivery_id,
                        decision,
                    })
                    .await?;
                printer.answer(&delivery, |delivery| columns(&[row_of(delivery)]))?;
            }
            Self::SettleAll { campaign, decision } => {
                let request = SettleDeliveries {
                    campaign_id: find_campaign(client, &campaign).await?,
                    decision: decision.into(),
                };
                let moved = client.call(&request).await?;
                printer.answer(&moved, |moved| format!("{} decided.", moved.moved))?;
            }
            Self::PutBack {
                campaign,
                delivery,
                cause,
                alike,
            } => {
                let request = PutBackDeliveries {
                    campaign_id: find_campaign(client, &campaign).await?,
                    delivery_id: delivery.map(DeliveryId::new),
                    cause,
                    alike,
                };
                let moved = client.call(&request).await?;
                let mut words = match moved.moved {
                    0 if moved.kept.is_empty() => {
                        put_back::describe_nothing(client, &request).await?
                    }
                    n => format!("{n} put back."),
                };
                words.push_str(&put_back::describe_kept(&moved.kept));
                printer.answer(&moved, |_| words)?;
            }
        }
        Ok(())
    }
}

impl From<Word> for Decision {
    fn from(word: Word) -> Self {
        match word {
            Word::Leave => Self::Leave,
            Word::SendAgain => Self::SendAgain,
            Word::Cancel => Self::Cancel,
        }
    }
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("expected on or off, found {other:?}")),
    }
}

fn parse_cause(code: &str) -> Result<Cause, String> {
    CAUSES
        .iter()
        .copied()
        .find(|cause| cause.code() == code)
        .ok_or_else(|| format!("expected the code of a cause, found {code:?}"))
}

/// Shows a campaign, and what to run next where it is paused.
async fn show(client: &Client, printer: &Printer, campaign: &Campaign) -> Result<(), CliError> {
    let next = next::of_campaign(client, campaign).await?;
    printer.answer(campaign, |campaign| format!("{}{next}", describe(campaign)))?;
    Ok(())
}

/// The inboxes for which campaigns are paused.
fn lost_for(campaigns: &[Campaign], mut inboxes: Vec<Inbox>) -> Vec<Inbox> {
    let lost = |campaign: &Campaign| match &campaign.status {
        State::Paused {
            by: PausedBy::Cause { inbox, .. },
            ..
        } => Some(inbox.clone()),
        _ => None,
    };
    let lost: Vec<InboxId> = campaigns.iter().filter_map(lost).collect();
    inboxes.retain(|inbox| lost.contains(&inbox.id));
    inboxes
}

/// The ids of inboxes that a person named by id or by address.
async fn find_inboxes(client: &Client, named: Vec<String>) -> Result<Vec<InboxId>, CliError> {
    let mut ids = Vec::with_capacity(named.len());
    for name in named {
        ids.push(if name.contains('@') {
            find_inbox(client, &name).await?.id
        } else {
            InboxId::new(name)
        });
    }
    Ok(ids)
}

/// What was added, as what it was read, and what was left out.
fn describe_import(imported: &ImportedLeads) -> String {
    let mut text = format!(
        "{} leads added; their columns: {}.",
        imported.added,
        imported.columns.join(", ")
    );
    let names = imported.header_row.map_or_else(
        || "no row with names of columns".to_owned(),
        |row| format!("the names of the columns in row {row}"),
    );
    if imported.already > 0 {
        let _ = write!(
            text,
            "\n{} rows are of people whom the campaign has already: they stay as they are.",
            imported.already
        );
    }
    let _ = write!(
        text,
        "\nRead as {} with {:?} between cells, {names}, the addresses in {:?}.",
        imported.encoding, imported.delimiter, imported.address_column
    );
    if imported.passed_over > 0 {
        let _ = write!(
            text,
            "\n{} rows that are no leads were passed over, such as a footer.",
            imported.passed_over
        );
    }
    if imported.taken_out > 0 {
        let _ = write!(
            text,
            "\n{} leads of earlier lists were taken out, or stopped: this list says not to write to them.",
            imported.taken_out
        );
    }
    for (rows, what) in [
        (
            &imported.left_out,
            "people must not be written to and were left out",
        ),
        (&imported.skipped, "rows were left out"),
    ] {
        if rows.is_none() {
            continue;
        }
        let _ = write!(text, "\n{} {what}:", rows.total);
        for row in &rows.rows {
            let _ = write!(
                text,
                "\n  row {}: expected {}, found {}",
                row.row, row.expected, row.found
            );
        }
        let more = rows.total.saturating_sub(rows.rows.len() as u64);
        if more > 0 {
            let _ = write!(text, "\n  and {more} more");
        }
    }
    text
}

/// How many there are, and how long each waits for the one before: 0 is what nobody wrote down too.
fn steps_of(campaign: &Campaign) -> String {
    let waits = campaign
        .steps
        .iter()
        .skip(1)
        .map(|step| match step.wait_ms {
            0 => "at once".to_owned(),
            ms => format!("{} after that", span(ms)),
        });
    let waits: Vec<String> = waits.collect();
    match waits.as_slice() {
        [] => campaign.steps.len().to_string(),
        waits => format!(
            "{} (the first, then {})",
            campaign.steps.len(),
            waits.join(", ")
        ),
    }
}

fn describe(campaign: &Campaign) -> String {
    let counts = &campaign.counts;
    let inboxes: Vec<_> = campaign.inboxes.iter().map(InboxId::as_str).collect();
    let mut text = format!(
        "{}  {}\nstate       {}\ninboxes     {}\nsteps       {}, leads {}\ndeliveries  {} planned",
        campaign.id,
        campaign.name,
        state_of(campaign),
        inboxes.join(", "),
        steps_of(campaign),
        counts.leads,
        counts.planned
    );
    for (n, what) in [
        (counts.waiting, "still to send"),
        (counts.attempting, "being sent"),
        (counts.accepted, "accepted"),
        (counts.bounced, "bounced"),
        (counts.rejected, "rejected"),
        (counts.in_doubt, "in doubt"),
        (counts.unsettled, "for you to decide"),
        (counts.suppressed, "suppressed"),
        (counts.cancelled, "cancelled"),
    ] {
        if n > 0 {
            let _ = write!(text, ", {n} {what}");
        }
    }
    text
}

fn state_of(campaign: &Campaign) -> String {
    match &campaign.status {
        State::Paused {
            by: PausedBy::Person,
            since,
        } => format!("paused by a person since {since}"),
        State::Paused {
            by: PausedBy::Cause { inbox, cause },
            since,
        } => {
            format!("paused since {since}: {inbox} was lost ({})", cause.code())
        }
        state => state.name().to_owned(),
    }
}

fn row_of(delivery: &Delivery) -> Vec<String> {
    vec![
        delivery.id.to_string(),
        delivery.to.to_string(),
        format!("step {}", delivery.step),
        delivery.status.name().to_owned(),
        // What `put-back --cause` and `--alike` take.
        [delivery.cause.map(Cause::code), delivery.alike.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
        delivery
            .words
            .as_deref()
            .unwrap_or_default()
            .replace('\n', " "),
    ]
}
