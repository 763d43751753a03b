//! What follows from an event: the next model and what the browser does. Without `async` and without a browser.
//! Reconnects have a file of their own.

use std::collections::BTreeMap;

use protocol::account::check_password;
use protocol::id::InboxId;
use protocol::problem::Code;
use protocol::request::device::Device;
use protocol::request::inbox::ConnectionState;
use protocol::request::session::Session;
use protocol::request::status::Status;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use web::call::{CallError, Tagged};
use web::card::Progress;

use crate::event::{Deed, Effect, Event, Loaded, Opening, Wanted};
use crate::model::{Access, Model, Out, Page, Reconnecting, Slot, Typed};
use crate::route::{Invited, Route};

mod passkey;
mod password;
mod reconnect;

impl Model {
    /// Takes an event in.
    pub fn decide(&mut self, event: Event) -> Vec<Effect> {
        if let Some(effects) = self.ask_for_proof(&event) {
            return effects;
        }
        let effects = self.follow_from(event);
        self.note_asked(&effects);
        effects
    }

    fn follow_from(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::Opened(opening) => self.open(*opening),
            Event::Went(route) => self.go(route),
            Event::Given(code) => {
                let before = self.token_before().cloned();
                self.access = Access::Asked { code, before };
                vec![Effect::Become(Route::Login)]
            }
            Event::EnterPressed => {
                let Access::Asked { code, before } = &mut self.access else {
                    return Vec::new();
                };
                let (code, before) = (code.clone(), before.take());
                self.access = Access::Entering { before };
                vec![Effect::Enter(code)]
            }
            Event::Invited(invited) => {
                let before = self.token().cloned();
                self.access = invited_with(invited, before);
                vec![Effect::Become(Route::Login)]
            }
            Event::SignInAsked(name, password) => {
                self.typed.name.clone_from(&name);
                self.access = Access::Entering { before: None };
                vec![Effect::SignIn(name, password)]
            }
            Event::PasskeyAsked => {
                self.access = Access::Entering { before: None };
                vec![Effect::SignInByPasskey]
            }
            Event::PasskeyEntered(Err(untaken)) => self.stay_out_by_passkey(untaken),
            Event::PasskeyAdding(name) => self.make_passkey(name),
            Event::PasskeyMade(answer) => self.passkey_made(answer),
            Event::RemovingPasskey(passkey) => {
                self.page.removing_passkey = passkey;
                Vec::new()
            }
            Event::ProofTyped(password) => self.show_who(Effect::ProveByPassword(password)),
            Event::ProofByPasskeyAsked => self.show_who(Effect::ProveByPasskey),
            Event::Proven(answer) => self.proven(answer),
            Event::ProofDropped => {
                self.proving = None;
                Vec::new()
            }
            Event::Accepting(password) => self.accept(password),
            Event::Accepted(Ok(session))
            | Event::Entered(Ok(session))
            | Event::PasskeyEntered(Ok(session)) => self.enter(session),
            Event::Accepted(Err(error)) => {
                self.stay_invited(&error);
                Vec::new()
            }
            Event::Entered(Err(error)) => self.stay_out(&error),
            Event::Tick(at) => self.tick(at),
            Event::Shown { is_visible, at } => {
                self.is_visible = is_visible;
                if is_visible {
                    self.tick(at)
                } else {
                    vec![Effect::Rest]
                }
            }
            Event::Looked(answer) => self.look(answer),
            Event::Loaded(loaded) => self.load(loaded),
            Event::MoreWanted => {
                self.page.more_pages += 1;
                self.wants()
            }
            Event::Asked(deed) => {
                if self.doing.is_some() {
                    return Vec::new();
                }
                self.doing = Some(deed.clone());
                self.notice = None;
                self.page.confirming = None;
                self.page.removing = None;
                self.page.ending_key = None;
                self.page.removing_passkey = None;
                self.page.passkey_made = None;
                self.page.is_password_set = false;
                self.page.paired = None;
                vec![Effect::Do(deed)]
            }
            Event::Did(deed, answer) => self.finish(&deed, answer),
            Event::InviteAsked(name, role) => {
                self.typed.invited = Some((name.to_string(), role));
                vec![Effect::Invite(name, role)]
            }
            Event::InviteAgainAsked(account) => vec![Effect::InviteAgain(account)],
            Event::InvitationMade(answer) => match *answer {
                Ok(invitation) => {
                    self.typed.invited = None;
                    self.page.invitation = Some(invitation);
                    self.notice = None;
                    self.wants()
                }
                Err(error) => self.complain(&error),
            },
            Event::Removing(account) => {
                self.page.removing = account;
                Vec::new()
            }
            Event::KeyAsked(create) => vec![Effect::MakeKey(create)],
            Event::KeyMade(answer) => match *answer {
                Ok(key) => {
                    self.page.key = Some(key);
                    self.notice = None;
                    self.wants()
                }
                Err(error) => self.complain(&error),
            },
            Event::EndingKey(key) => {
                self.page.ending_key = key;
                Vec::new()
            }
            Event::PairingAsked => vec![Effect::Pair],
            Event::Paired(answer) => match answer {
                Ok(pairing) => {
                    self.page.pairing = Some(pairing);
                    self.page.paired = None;
                    self.notice = None;
                    Vec::new()
                }
                Err(error) => self.complain(&error),
            },
            Event::Acted(inbox, act) => self.act(inbox, act),
            Event::Begun(inbox, answer) => self.begin(inbox, *answer),
            Event::LinkMade(inbox, answer) => self.link(inbox, *answer),
            Event::HandedOver(inbox, answer) => self.handed_over(inbox, *answer),
            Event::Followed(inbox, answer) => self.follow(inbox, *answer),
            Event::Proved(inbox, answer) => self.prove(&inbox, *answer),
            Event::Confirming(device) => {
                self.page.confirming = device;
                Vec::new()
            }
            Event::Linked(route) => vec![Effect::GoTo(route)],
            Event::Again => {
                self.notice = None;
                let mut effects = self.wants();
                effects.extend(self.ask());
                effects
            }
            Event::Dismissed => {
                self.notice = None;
                Vec::new()
            }
            Event::Copied(text) => {
                self.page.copied = Some(text.clone());
                vec![Effect::Copy(text)]
            }
            Event::Left => {
                let token = self.token().cloned();
                let mut effects = self.leave(Out::Left);
                effects.extend(token.map(Effect::SignOut));
                effects
            }
            Event::SignedOut(answer) => {
                let is_over = match &answer {
                    Ok(()) => true,
                    Err(error) => is_signed_out(error),
                };
                if !is_over && self.access == Access::Out(Out::Left) {
                    self.access = Access::Out(Out::LeftUntold);
                }
                Vec::new()
            }
        }
    }

    fn open(&mut self, opening: Opening) -> Vec<Effect> {
        let Opening {
            route,
            code,
            invited,
            session,
            reconnects,
            is_visible,
            is_encrypted,
            place,
            at,
        } = opening;
        self.now = at;
        self.is_visible = is_visible;
        self.is_encrypted = is_encrypted;
        self.place = place;
        self.route = route;
        self.recall(reconnects);
        if let Some(invited) = invited {
            self.access = invited_with(invited, session);
            return vec![Effect::Become(Route::Login)];
        }
        if let Some(code) = code {
            self.access = Access::Asked {
                code,
                before: session,
            };
            return vec![Effect::Become(Route::Login)];
        }
        let Some(session) = session else {
            return Vec::new();
        };
        self.access = Access::In(session);
        if self.route == Route::Login {
            self.route = Route::Campaigns;
            let mut effects = vec![Effect::Become(Route::Campaigns)];
            effects.extend(self.arrive());
            return effects;
        }
        self.arrive()
    }

    /// Somebody is in.
    fn enter(&mut self, session: Session) -> Vec<Effect> {
        let mut effects = vec![
            Effect::KeepSession(session.token.clone()),
            Effect::Become(Route::Campaigns),
        ];
        let before = std::mem::replace(&mut self.access, Access::In(session.token));
        if let Access::Entering {
            before: Some(before),
        }
        | Access::Invited {
            before: Some(before),
            ..
        } = before
        {
            // Nobody would use it any more.
            effects.push(Effect::SignOut(before));
        }
        // It may be somebody else now.
        self.typed = Typed::default();
        self.account = None;
        self.status = None;
        self.tag = None;
        self.route = Route::Campaigns;
        effects.extend(self.arrive());
        effects
    }

    /// Takes an invitation, if the password is one that the relay takes.
    fn accept(&mut self, password: Secret) -> Vec<Effect> {
        let Access::Invited {
            invited,
            is_waiting,
            problem,
            ..
        } = &mut self.access
        else {
            return Vec::new();
        };
        if *is_waiting {
            return Vec::new();
        }
        if let Err(fault) = check_password(&password, &invited.name) {
            *problem = Some(sentence(&fault.to_string()));
            return Vec::new();
        }
        *problem = None;
        *is_waiting = true;
        vec![Effect::Accept(invited.code.clone(), password)]
    }

    fn stay_invited(&mut self, error: &CallError) {
        let Access::Invited {
            is_waiting,
            problem,
            ..
        } = &mut self.access
        else {
            return;
        };
        if matches!(error, CallError::Refused(problem) if problem.field.as_deref() == Some("code"))
        {
            self.access = Access::Out(Out::UsedInvitation);
            return;
        }
        *is_waiting = false;
        *problem = Some(said(error));
    }

    /// A used link is no harm to somebody who is signed in.
    fn stay_out(&mut self, error: &CallError) -> Vec<Effect> {
        let Access::Entering { before } = &mut self.access else {
            return Vec::new();
        };
        if let Some(before) = before.take() {
            self.access = Access::In(before);
            self.route = Route::Campaigns;
            let mut effects = vec![Effect::Become(Route::Campaigns)];
            effects.extend(self.arrive());
            return effects;
        }
        self.access = Access::Out(match error {
            CallError::Refused(problem) if problem.code == Code::Invalid => Out::UsedCode,
            error if is_signed_out(error) => Out::Wrong,
            error => Out::NoAnswer { words: said(error) },
        });
        Vec::new()
    }

    fn go(&mut self, route: Route) -> Vec<Effect> {
        self.route = route;
        self.notice = None;
        self.proving = None;
        self.arrive()
    }

    /// A page is entered: what it needs is loaded, and the relay is asked at once.
    fn arrive(&mut self) -> Vec<Effect> {
        self.page = Page::default();
        if self.token().is_none() {
            return Vec::new();
        }
        let mut effects = self.wants();
        if self.account.is_none() && self.route != Route::Settings {
            effects.push(Effect::Load(Wanted::Account));
        }
        effects.extend(self.ask());
        effects
    }

    /// What the page needs beyond the status.
    fn wants(&self) -> Vec<Effect> {
        let wanted = match &self.route {
            Route::Campaign(id) => {
                // Nothing changes them.
                let has_steps = matches!(self.page.steps, Slot::Here(_));
                let steps = (!has_steps).then(|| Wanted::Steps(id.clone()));
                let mut wanted = vec![
                    Wanted::Deliveries(id.clone(), 1 + self.page.more_pages),
                    Wanted::Unsettled(id.clone()),
                ];
                wanted.extend(steps);
                wanted
            }
            Route::Receipts => vec![Wanted::Receipts],
            Route::Receipt(id) => {
                vec![Wanted::Receipt(id.clone(), 1 + self.page.more_pages)]
            }
            Route::Settings => {
                let mut wanted = vec![
                    Wanted::Account,
                    Wanted::Devices,
                    Wanted::Fingerprint,
                    Wanted::Sessions,
                    Wanted::Passkeys,
                    Wanted::Keys,
                ];
                // Who a client is, is known before he is refused what is not his.
                if self.account.is_some() && self.may_work() {
                    wanted.push(Wanted::Alerts);
                }
                if self.is_owner() {
                    wanted.push(Wanted::Accounts);
                }
                wanted
            }
            Route::Activity => vec![Wanted::Activity(1 + self.page.more_pages)],
            Route::Inboxes => vec![Wanted::Paces],
            Route::Login | Route::Campaigns | Route::Missing => Vec::new(),
        };
        wanted.into_iter().map(Effect::Load).collect()
    }

    fn ask(&mut self) -> Vec<Effect> {
        if self.is_looking || self.token().is_none() {
            return Vec::new();
        }
        self.is_looking = true;
        vec![Effect::Look]
    }

    fn tick(&mut self, at: Timestamp) -> Vec<Effect> {
        self.now = at;
        if self.pace().is_none() {
            return Vec::new();
        }
        let mut effects = self.ask();
        effects.extend(self.follow_all());
        effects
    }

    fn look(&mut self, answer: Result<Option<Tagged<Status>>, CallError>) -> Vec<Effect> {
        self.is_looking = false;
        let mut effects = Vec::new();
        match answer {
            Ok(changed) => {
                self.trouble = None;
                self.answered_at = Some(self.now);
                if let Some(Tagged { answer, tag }) = changed {
                    effects.extend(self.renew(answer));
                    self.tag = tag;
                }
            }
            Err(error) if is_signed_out(&error) => return self.leave(Out::Ended),
            Err(error) => self.trouble = Some(said(&error)),
        }
        // Whoever pairs a browser waits for it to be listed.
        if self.route == Route::Settings && self.page.pairing.is_some() {
            effects.push(Effect::Load(Wanted::Devices));
        }
        effects.extend(self.pace().map(Effect::TickAfter));
        effects
    }

    /// A new status: what the page has loaded is loaded again where it may have changed.
    fn renew(&mut self, status: Status) -> Vec<Effect> {
        forget_overtaken(&mut self.reconnects, &status);
        let before = self.status.replace(status);
        if before.is_none() {
            return Vec::new();
        }
        match &self.route {
            Route::Campaign(id) => {
                let counts = |status: Option<&Status>| {
                    let campaigns = status.map(|status| status.campaigns.iter());
                    let found = campaigns?.clone().find(|campaign| campaign.id == *id);
                    found.map(|campaign| campaign.counts)
                };
                if counts(before.as_ref()) == counts(self.status.as_ref()) {
                    return Vec::new();
                }
                self.wants()
            }
            Route::Receipts => self.wants(),
            _ => Vec::new(),
        }
    }

    fn load(&mut self, loaded: Loaded) -> Vec<Effect> {
        let page = &mut self.page;
        match (loaded, &self.route) {
            (Loaded::Deliveries(of, answer), Route::Campaign(id)) if of == *id => {
                fill(&mut page.deliveries, answer)
            }
            (Loaded::Unsettled(of, answer), Route::Campaign(id)) if of == *id => {
                fill(&mut page.unsettled, answer)
            }
            (Loaded::Steps(of, answer), Route::Campaign(id)) if of == *id => {
                fill(&mut page.steps, answer)
            }
            (Loaded::Paces(answer), Route::Inboxes) => fill(&mut page.paces, answer),
            (Loaded::Receipts(answer), Route::Receipts) => fill(&mut page.receipts, answer),
            (Loaded::Receipt(of, answer), Route::Receipt(id)) if of == *id => {
                let campaigns = answer
                    .as_ref()
                    .as_ref()
                    .map(|receipt| receipt.campaigns.clone());
                let wanted = campaigns.unwrap_or_default().into_iter();
                let wanted = wanted.map(|campaign| Effect::Load(Wanted::Recipients(campaign)));
                return match fill(&mut page.receipt, *answer) {
                    Some(error) => self.end_if_signed_out(&error),
                    None => wanted.collect(),
                };
            }
            // Without them the receipt shows the names of leads, which is no reason to complain.
            (Loaded::Recipients(_, answer), Route::Receipt(_)) => {
                let known = answer.unwrap_or_default().into_iter();
                page.recipients
                    .extend(known.map(|delivery| (delivery.id, delivery.to)));
                None
            }
            (Loaded::Devices(answer), Route::Settings) => {
                if let (Slot::Here(before), Ok(devices)) = (&page.devices, &answer)
                    && page.pairing.is_some()
                {
                    let is_new = |device: &&Device| before.iter().all(|old| old.id != device.id);
                    if let Some(device) = devices.iter().find(is_new) {
                        // The link has been used.
                        page.pairing = None;
                        page.paired = Some(device.name.clone());
                    }
                }
                fill(&mut page.devices, answer)
            }
            (Loaded::Account(answer), route) => match *answer {
                Ok(account) => {
                    let is_settings = *route == Route::Settings;
                    let was_owner = self.is_owner();
                    let was_known = self.account.is_some();
                    self.account = Some(account);
                    let accounts = (is_settings && self.is_owner() && !was_owner)
                        .then_some(Effect::Load(Wanted::Accounts));
                    let alerts = (is_settings && self.may_work() && !was_known)
                        .then_some(Effect::Load(Wanted::Alerts));
                    return accounts.into_iter().chain(alerts).collect();
                }
                Err(error) => Some(error),
            },
            (Loaded::Accounts(answer), Route::Settings) => fill(&mut page.accounts, answer),
            (Loaded::Sessions(answer), Route::Settings) => fill(&mut page.sessions, answer),
            (Loaded::Passkeys(answer), Route::Settings) => fill(&mut page.passkeys, answer),
            (Loaded::Keys(answer), Route::Settings) => fill(&mut page.keys, answer),
            (Loaded::Alerts(answer), Route::Settings) => fill(&mut page.alerts, answer),
            (Loaded::Activity(answer), Route::Activity) => fill(&mut page.activity, answer),
            (Loaded::Fingerprint(answer), Route::Settings) => fill(&mut page.fingerprint, answer),
            // It was for a page that has been left.
            _ => None,
        }
        .map_or_else(Vec::new, |error| self.end_if_signed_out(&error))
    }

    fn finish(&mut self, deed: &Deed, answer: Result<(), CallError>) -> Vec<Effect> {
        if self.doing.as_ref() == Some(deed) {
            self.doing = None;
        }
        match answer {
            Ok(()) => {
                if matches!(deed, Deed::SetPassword { .. }) {
                    self.page.is_password_set = true;
                }
                let mut effects = self.wants();
                effects.extend(self.ask());
                effects
            }
            Err(error) => {
                let mut effects = self.complain(&error);
                effects.extend(self.ask());
                effects
            }
        }
    }

    fn complain(&mut self, error: &CallError) -> Vec<Effect> {
        if is_signed_out(error) {
            return self.leave(Out::Ended);
        }
        self.notice = Some(said(error));
        Vec::new()
    }

    fn end_if_signed_out(&mut self, error: &CallError) -> Vec<Effect> {
        if is_signed_out(error) {
            return self.leave(Out::Ended);
        }
        Vec::new()
    }

    fn leave(&mut self, why: Out) -> Vec<Effect> {
        let (is_visible, is_encrypted) = (self.is_visible, self.is_encrypted);
        let place = self.place.clone();
        *self = Self {
            access: Access::Out(why),
            route: Route::Login,
            now: self.now,
            is_visible,
            is_encrypted,
            place,
            ..Self::default()
        };
        vec![
            Effect::ForgetSession,
            Effect::KeepReconnects(Vec::new()),
            Effect::Rest,
            Effect::Become(Route::Login),
        ]
    }
}

/// Puts an answer in its place; what was there stays where a newer one failed. Gives the failure back.
fn fill<T>(slot: &mut Slot<T>, answer: Result<T, CallError>) -> Option<CallError> {
    match answer {
        Ok(value) => {
            *slot = Slot::Here(value);
            None
        }
        Err(error) => {
            if !matches!(slot, Slot::Here(_)) {
                *slot = Slot::Failed(said(&error));
            }
            Some(error)
        }
    }
}

fn is_signed_out(error: &CallError) -> bool {
    matches!(error, CallError::Refused(problem) if problem.code == Code::Unauthenticated)
}

fn invited_with(invited: Invited, before: Option<Secret>) -> Access {
    Access::Invited {
        invited,
        before,
        is_waiting: false,
        problem: None,
    }
}

/// An error as a sentence.
fn said(error: &CallError) -> String {
    sentence(&error.to_string())
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let mut sentence: String = letters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    sentence.push_str(letters.as_str());
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

/// A card that says that an inbox works is true until the inbox is lost again.
fn forget_overtaken(reconnects: &mut BTreeMap<InboxId, Reconnecting>, status: &Status) {
    reconnects.retain(|id, reconnecting| {
        let Progress::Resumed { receipt } = &reconnecting.progress else {
            return true;
        };
        let resumed_at = receipt.as_ref().map(|receipt| receipt.resumed_at);
        let lost_since = status
            .inboxes
            .iter()
            .find(|inbox| {
                inbox.id == *id && inbox.connection.state == ConnectionState::Disconnected
            })
            .map(|inbox| inbox.connection.since);
        match (resumed_at, lost_since) {
            (Some(resumed_at), Some(lost_since)) => lost_since <= resumed_at,
            _ => true,
        }
    });
}

#[cfg(test)]
mod tests;
