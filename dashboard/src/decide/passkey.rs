//! Signing in by a passkey, making one, and proving anew who sits there: what was asked waits meanwhile, and goes on as it
//! was asked.

use protocol::problem::Code;
use protocol::request::passkey::Passkey;
use web::call::CallError;

use super::{is_signed_out, said};
use crate::event::{Effect, Event};
use crate::model::{Access, Model, Out, Proving};
use crate::passkey::Untaken;

impl Model {
    /// Where the relay wants a proof first, what was asked waits for it.
    pub(super) fn ask_for_proof(&mut self, event: &Event) -> Option<Vec<Effect>> {
        let error = match event {
            Event::Did(_, Err(error))
            | Event::Paired(Err(error))
            | Event::PasskeyMade(Err(Untaken::ByRelay(error))) => error,
            Event::InvitationMade(answer) => answer.as_ref().as_ref().err()?,
            Event::KeyMade(answer) => answer.as_ref().as_ref().err()?,
            _ => return None,
        };
        let is_wanted =
            matches!(error, CallError::Refused(problem) if problem.code == Code::ProofNeeded);
        if !is_wanted {
            return None;
        }
        let then = self.asked.take()?;
        self.doing = None;
        self.page.is_making_passkey = false;
        self.proving = Some(Proving {
            then,
            is_waiting: false,
            problem: None,
        });
        Some(Vec::new())
    }

    /// Remembers what the relay may want a proof for.
    pub(super) fn note_asked(&mut self, effects: &[Effect]) {
        let asked = effects.iter().find(|effect| {
            matches!(
                effect,
                Effect::Do(_)
                    | Effect::Invite(..)
                    | Effect::InviteAgain(_)
                    | Effect::MakeKey(_)
                    | Effect::MakePasskey(_)
                    | Effect::Pair
            )
        });
        if let Some(asked) = asked {
            self.asked = Some(asked.clone());
        }
    }

    pub(super) fn show_who(&mut self, effect: Effect) -> Vec<Effect> {
        let Some(proving) = &mut self.proving else {
            return Vec::new();
        };
        if proving.is_waiting {
            return Vec::new();
        }
        proving.is_waiting = true;
        proving.problem = None;
        vec![effect]
    }

    pub(super) fn proven(&mut self, answer: Result<(), Untaken>) -> Vec<Effect> {
        match answer {
            Ok(()) => {
                let Some(Proving { then, .. }) = self.proving.take() else {
                    return Vec::new();
                };
                match &then {
                    Effect::Do(deed) => self.doing = Some(deed.clone()),
                    Effect::MakePasskey(_) => self.page.is_making_passkey = true,
                    _ => {}
                }
                vec![then]
            }
            Err(Untaken::ByRelay(error)) if is_signed_out(&error) => self.leave(Out::Ended),
            Err(untaken) => {
                if let Some(proving) = &mut self.proving {
                    proving.is_waiting = false;
                    proving.problem = Some(words(untaken));
                }
                Vec::new()
            }
        }
    }

    pub(super) fn stay_out_by_passkey(&mut self, untaken: Untaken) -> Vec<Effect> {
        if !matches!(self.access, Access::Entering { .. }) {
            return Vec::new();
        }
        self.access = Access::Out(match untaken {
            Untaken::ByPerson => Out::NoPasskey { words: None },
            Untaken::ByRelay(error) if is_signed_out(&error) => Out::WrongPasskey,
            untaken => Out::NoPasskey {
                words: Some(words(untaken)),
            },
        });
        Vec::new()
    }

    pub(super) fn make_passkey(&mut self, name: String) -> Vec<Effect> {
        if self.page.is_making_passkey {
            return Vec::new();
        }
        self.page.is_making_passkey = true;
        self.page.passkey_made = None;
        self.notice = None;
        vec![Effect::MakePasskey(name)]
    }

    pub(super) fn passkey_made(&mut self, answer: Result<Passkey, Untaken>) -> Vec<Effect> {
        self.page.is_making_passkey = false;
        match answer {
            Ok(passkey) => {
                self.page.passkey_made = Some(passkey.name);
                self.wants()
            }
            Err(Untaken::ByRelay(error)) => self.complain(&error),
            Err(untaken) => {
                self.notice = Some(words(untaken));
                Vec::new()
            }
        }
    }
}

/// Why, as a sentence.
fn words(untaken: Untaken) -> String {
    match untaken {
        Untaken::ByRelay(error) => said(&error),
        Untaken::ByPerson => "No passkey was used. Nothing was changed.".to_owned(),
        Untaken::Known => {
            "This device has a passkey of your account already. Use that one, or choose another device.".to_owned()
        }
        Untaken::ByBrowser { words } => format!("The browser gave no passkey: {words}"),
    }
}

#[cfg(test)]
mod tests;
