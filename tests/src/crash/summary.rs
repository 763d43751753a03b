//! What a crash run tells in its last line.

use serde::Serialize;

use crate::disk::Tally;

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
    /// Second steps that came before the first, or sooner than its wait, and messages out of their place among those
    /// that were never in doubt.
    pub disordered: u64,
    /// Messages that came out of their place, whatever held them up.
    pub displaced: u64,
    /// Leads that answered while the relay could not read.
    pub answered: u64,
    /// Leads whose message came back while the relay could not read.
    pub bounced: u64,
    /// Leads that asked not to be written to while the relay could not read.
    pub unsubscribed: u64,
    /// Second steps to leads that had been heard of.
    pub written_on: u64,
    /// Messages of the campaign with windows that came when none was open.
    pub out_of_window: u64,
    /// Windows of it in which messages came.
    pub windows: u64,
    /// Messages of the campaign with a cap, which are counted nowhere else but where something is wrong.
    pub capped: u64,
    /// How many of these are beyond it.
    pub over_cap: u64,
    /// Starts at which the relay took its database for one that was put back from a backup.
    pub taken_for_old: u64,
    /// Kills.
    pub kills: u32,
    /// Kills by what the relay was at.
    pub kills_by_state: KillsByState,
    /// What was on the disk of what nobody had synced, where the power was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_cuts: Option<Tally>,
    /// Deliveries that were in doubt, by how that ended.
    pub in_doubt: InDoubt,
    /// Reconnects that had to be clicked once more.
    pub reclicks: u64,
    /// The profile of the provider.
    pub profile: &'static str,
    /// Each delivery that a person must decide.
    pub unsettled_cases: Vec<UnsettledCase>,
}

impl Summary {
    /// Whether nothing was lost, doubled or out of order, nobody was written to who had said no, no window or cap was
    /// broken, and the database was known for the newest there is.
    pub fn is_exact(&self) -> bool {
        let broken = [
            self.lost,
            self.duplicated,
            self.disordered,
            self.written_on,
            self.out_of_window,
            self.over_cap,
            self.taken_for_old,
        ];
        broken == [0; 7]
    }
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
    /// Sending, where nobody can tell how far it was.
    pub sending: u32,
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
    /// Asking its disk for a change or a sync.
    pub writing: u32,
    /// Doing so as it started.
    pub starting: u32,
}

impl KillsByState {
    /// Kills that met the relay at work.
    pub fn at_work(&self) -> u32 {
        self.sending
            + self.connecting
            + self.before_data
            + self.in_data
            + self.after_data
            + self.committing
            + self.verifying
            + self.writing
            + self.starting
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
