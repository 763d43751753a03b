//! Reconnects by a password that is typed on the dashboard. The page seals it to the relay's key itself; in the model
//! it never is.

use protocol::id::InboxId;
use protocol::request::reconnect::Reconnect;
use web::call::CallError;
use web::card::{Given, Progress};

use super::is_signed_out;
use super::reconnect::stopped;
use crate::event::Effect;
use crate::model::{Model, Out, Reconnecting};

impl Model {
    /// From here on it cannot be called off: it is with the relay in a moment.
    pub(super) fn give_password(&mut self, inbox: InboxId, given: Given) -> Vec<Effect> {
        let is_under_way = self
            .reconnects
            .get(&inbox)
            .is_some_and(Reconnecting::is_under_way);
        if is_under_way {
            return Vec::new();
        }
        let user = given.user.clone();
        self.typed.users.insert(inbox.clone(), user);
        self.set(&inbox, None, Progress::HandingOver);
        vec![Effect::HandOver(inbox, given)]
    }

    /// The relay has it, or not.
    pub(super) fn handed_over(
        &mut self,
        inbox: InboxId,
        answer: Result<Reconnect, CallError>,
    ) -> Vec<Effect> {
        match answer {
            Ok(reconnect) => {
                self.set(&inbox, Some(reconnect.id.clone()), Progress::HandingOver);
                let mut effects = vec![self.keep()];
                effects.extend(self.follow(inbox, Ok(reconnect)));
                effects.extend(self.pace().map(Effect::TickAfter));
                effects
            }
            Err(error) if is_signed_out(&error) => self.leave(Out::Ended),
            Err(error) => {
                self.set(&inbox, None, Progress::Stopped(stopped(error)));
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests;
