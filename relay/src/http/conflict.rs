//! What a caller is told who asked for what the present state does not allow: why, and what to do.

use protocol::campaign::{PausedBy, State};
use protocol::request::passkey::PASSKEYS_AT_MOST;

use crate::store::conflict::Conflict;

/// The words.
pub(super) fn tell(conflict: &Conflict) -> String {
    match conflict {
        Conflict::AddressTaken { address } => format!("there is an inbox {address} already"),
        Conflict::Importing => {
            "leads are being added to this campaign, or it is being started: wait for that to end"
                .to_owned()
        }
        Conflict::Lead(refused) => refused.to_string(),
        Conflict::Attempting => {
            "a message to this lead is being sent, or it is not known yet whether one was: ask again once it is, or \
             settle it (unpause campaign settle)"
                .to_owned()
        }
        Conflict::NothingLeft => {
            "no message of this lead's sequence is left to be sent: mark the reply without goes_on".to_owned()
        }
        Conflict::Heard(why) => format!(
            "nothing more is sent to this lead ({}), so its sequence cannot go on: mark the reply without goes_on",
            why.code()
        ),
        Conflict::NotADraft { state } => format!(
            "only a draft can be deleted, and this campaign is {state}: what it sent is known by it alone, so that \
             nobody is written to twice; pause it to end it"
        ),
        Conflict::OtherSteps { n_steps } => format!(
            "a campaign that is started keeps the number of its steps, {n_steps}: change their texts and waits, or \
             duplicate it"
        ),
        Conflict::StepTried { step } => format!(
            "step {step} was sent to somebody already, so its text stays as it is: change later steps and waits, or \
             duplicate the campaign"
        ),
        Conflict::Campaign { refused, status } => format!("{refused}: {}", advise(status)),
        Conflict::Delivery(refused) => refused.to_string(),
        Conflict::Connected => {
            "this inbox is connected, so its servers are right: they can be changed once it is not"
                .to_owned()
        }
        Conflict::Proving => "another sign-in for this inbox has just begun: ask again".to_owned(),
        Conflict::InCampaigns { named, n } => {
            let mut names: Vec<_> = named
                .iter()
                .map(|(name, id)| format!("{name:?} ({id})"))
                .collect();
            if *n > names.len() {
                names.push(format!("and {} more", n - names.len()));
            }
            format!(
                "campaigns have this inbox: {}; what was sent through it is kept with them, so it stays",
                names.join(", ")
            )
        }
        Conflict::SentThrough => {
            "messages were sent through this inbox, and who got them is known by it alone: it stays"
                .to_owned()
        }
        Conflict::NameTaken => "another account has this name: choose another".to_owned(),
        Conflict::LastOwner => {
            "this is the last owner: make somebody else an owner first".to_owned()
        }
        Conflict::TooManyPasskeys => format!(
            "this account has {PASSKEYS_AT_MOST} passkeys: remove one that is not used any more first"
        ),
        Conflict::PasskeyKnown => "this passkey is kept here already".to_owned(),
        Conflict::LastPasskey => {
            "this account has no password and no other passkey, so nothing else signs it in: add another passkey or \
             set a password first"
                .to_owned()
        }
        Conflict::NoPasskey => {
            "this account has no passkey, so its password alone signs it in: add a passkey first".to_owned()
        }
        Conflict::TooManyKeys { at_most } => {
            format!("this account has {at_most} keys: delete one that is not used any more first")
        }
        Conflict::AsksNothing => {
            "this inbox asks nothing: its mail is taken, or it still tries by itself".to_owned()
        }
    }
}

/// What a person can do about a campaign that cannot be told what it was told.
fn advise(status: &State) -> String {
    match status {
        State::Draft => "start it first".to_owned(),
        State::Running => "it sends by itself what is due; pause it to hold it".to_owned(),
        State::Paused {
            by: PausedBy::Person,
            ..
        } => "a person paused it; resume it".to_owned(),
        State::Paused {
            by: PausedBy::Cause { inbox, cause },
            ..
        } => format!(
            "the inbox {inbox} was lost ({}); reconnect that inbox, and the campaign goes on by itself",
            cause.code()
        ),
        State::Finished { .. } => "it is over; make another campaign".to_owned(),
    }
}
