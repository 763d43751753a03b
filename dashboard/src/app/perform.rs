//! What the decisions ask for, done: calls to the relay, tabs, timers, what is kept.

use gloo::timers::callback::Timeout;
use gloo::utils::window;
use protocol::delivery::StateName;
use protocol::id::{CampaignId, InboxId, ReceiptId, SessionId};
use protocol::receipt::Receipt;
use protocol::request::account::{
    AcceptInvitation, CreateAccount, CreateInvitation, DeleteAccount, DeletePassword, GetAccount,
    ListAccounts, SetPassword, SignIn, UpdateAccount,
};
use protocol::request::alert::ListAlerts;
use protocol::request::audit::{AuditEntry, ListAudit};
use protocol::request::campaign::{GetCampaign, PauseCampaign, ResumeCampaign, StartCampaign};
use protocol::request::delivery::{Delivery, ListDeliveries, SettleDelivery};
use protocol::request::device::{CreatePairing, DeleteDevice, GetRelayKey, ListDevices};
use protocol::request::key::{DeleteKey, ListKeys};
use protocol::request::pace::ListPaces;
use protocol::request::passkey::{DeletePasskey, ListPasskeys, Prove};
use protocol::request::reconnect::{
    ConfirmReconnect, GetReceipt, GetReconnect, HostReconnect, ListReceiptLines, ListReceipts,
    NothingObtained, ReconnectState, RefuseReconnect, StartReconnect,
};
use protocol::request::session::{
    CURRENT, CreateSession, DeleteSession, DeleteSessions, ListSessions,
};
use protocol::request::status::GetStatus;
use wasm_bindgen_futures::JsFuture;
use web::call::{CallError, Door, call, call_if_changed};
use yew::Context;

use super::{App, keep, passkey, password, show_address};
use crate::event::{Begun, CallingOff, Deed, Effect, Event, Loaded, Wanted};
use crate::passkey::Untaken;
use crate::view::SHOWN_AT_MOST;

/// The most deliveries that the relay lists at once; of a larger campaign a receipt names some leads only.
const LISTED_AT_MOST: u32 = 1_000;

impl App {
    pub(super) fn perform(&mut self, context: &Context<Self>, effect: Effect) {
        let door = self.door();
        let link = context.link();
        match effect {
            Effect::Enter(code) => link.send_future(async move {
                Event::Entered(call(&door, &CreateSession { code }).await)
            }),
            Effect::SignIn(name, password) => link.send_future(async move {
                Event::Entered(call(&door, &SignIn { name, password }).await)
            }),
            Effect::SignInByPasskey => link
                .send_future(async move { Event::PasskeyEntered(passkey::sign_in(&door).await) }),
            Effect::MakePasskey(name) => link
                .send_future(async move { Event::PasskeyMade(passkey::make(&door, name).await) }),
            Effect::ProveByPassword(password) => link.send_future(async move {
                let prove = Prove {
                    password: Some(password),
                    passkey: None,
                };
                let answer = call(&door, &prove).await;
                Event::Proven(answer.map(drop).map_err(Untaken::from))
            }),
            Effect::ProveByPasskey => {
                link.send_future(async move { Event::Proven(passkey::prove(&door).await) });
            }
            Effect::Accept(code, password) => link.send_future(async move {
                Event::Accepted(call(&door, &AcceptInvitation { code, password }).await)
            }),
            Effect::Invite(name, role) => link.send_future(async move {
                let create = CreateAccount {
                    name,
                    role,
                    inboxes: Vec::new(),
                };
                Event::InvitationMade(Box::new(call(&door, &create).await))
            }),
            Effect::InviteAgain(account_id) => link.send_future(async move {
                let again = CreateInvitation { account_id };
                Event::InvitationMade(Box::new(call(&door, &again).await))
            }),
            Effect::MakeKey(create) => link
                .send_future(async move { Event::KeyMade(Box::new(call(&door, &create).await)) }),
            Effect::KeepSession(session) => keep::keep_session(&session),
            Effect::ForgetSession => keep::forget_session(),
            Effect::SignOut(token) => link.send_future(async move {
                let door = Door {
                    token: Some(token),
                    ..door
                };
                let end = DeleteSession {
                    session_id: SessionId::new(CURRENT),
                };
                Event::SignedOut(call(&door, &end).await.map(drop))
            }),
            Effect::KeepReconnects(reconnects) => keep::keep_reconnects(&reconnects),
            Effect::Look => {
                let known = self.model.tag.clone();
                link.send_future(async move {
                    Event::Looked(call_if_changed(&door, &GetStatus {}, known.as_deref()).await)
                });
            }
            Effect::TickAfter(ms) => {
                let link = link.clone();
                self.timer = Some(Timeout::new(ms, move || {
                    link.send_message(Event::Tick(web::when::now()));
                }));
            }
            Effect::Rest => self.timer = None,
            Effect::Load(wanted) => {
                link.send_future(async move { Event::Loaded(load(&door, wanted).await) });
            }
            Effect::Do(deed) => link.send_future(async move {
                let answer = ask(&door, &deed).await;
                Event::Did(deed, answer)
            }),
            Effect::Pair => {
                link.send_future(
                    async move { Event::Paired(call(&door, &CreatePairing {}).await) },
                );
            }
            Effect::OpenTab(inbox) => self.tabs.open(inbox),
            Effect::Begin(inbox) => link.send_future(async move {
                let answer = begin(&door, &inbox).await;
                Event::Begun(inbox, Box::new(answer))
            }),
            Effect::MakeLink(inbox) => link.send_future(async move {
                let answer = begin(&door, &inbox).await;
                Event::LinkMade(inbox, Box::new(answer))
            }),
            Effect::HandOver(inbox, given) => link.send_future(async move {
                let answer = password::hand_over(&door, &inbox, given).await;
                Event::HandedOver(inbox, Box::new(answer))
            }),
            Effect::ShowInTab(inbox, url) => self.tabs.show(&inbox, &url),
            Effect::CloseTab(inbox) => self.tabs.close(&inbox),
            Effect::Follow(inbox, reconnect_id) => link.send_future(async move {
                let answer = call(&door, &GetReconnect { reconnect_id }).await;
                Event::Followed(inbox, Box::new(answer))
            }),
            Effect::Confirm(inbox, reconnect_id) => link.send_future(async move {
                let answer = call(&door, &ConfirmReconnect { reconnect_id }).await;
                Event::Followed(inbox, Box::new(answer))
            }),
            Effect::CallOff(inbox, reconnect_id, why) => link.send_future(async move {
                let why = match why {
                    CallingOff::Cancelled => NothingObtained::Cancelled,
                    CallingOff::Closed => NothingObtained::Closed { redirect_uri: None },
                };
                let refuse = RefuseReconnect { reconnect_id, why };
                let answer = call(&door, &refuse).await;
                Event::Followed(inbox, Box::new(answer))
            }),
            Effect::Prove(inbox, receipt_id) => link.send_future(async move {
                let answer = call(&door, &GetReceipt { receipt_id }).await;
                Event::Proved(inbox, Box::new(answer))
            }),
            Effect::Copy(text) => {
                let writing = window().navigator().clipboard().write_text(text.expose());
                wasm_bindgen_futures::spawn_local(async move {
                    // A browser that refuses leaves the text on the page, where it can be selected.
                    let _ = JsFuture::from(writing).await;
                });
            }
            Effect::GoTo(route) => {
                show_address(&route, false);
                link.send_message(Event::Went(route));
            }
            Effect::Become(route) => show_address(&route, true),
        }
    }

    /// The relay is where the page came from.
    fn door(&self) -> Door {
        Door {
            base: String::new(),
            token: self.model.token().cloned(),
        }
    }
}

async fn load(door: &Door, wanted: Wanted) -> Loaded {
    let deliveries = async |campaign_id, state, limit| {
        let list = ListDeliveries {
            campaign_id,
            state,
            limit: Some(limit),
            after: None,
        };
        call(door, &list).await.map(|answer| answer.deliveries)
    };
    match wanted {
        Wanted::Deliveries(id, n_pages) => {
            let answer = list_deliveries(door, &id, n_pages).await;
            Loaded::Deliveries(id, answer)
        }
        Wanted::Unsettled(id) => {
            let answer = deliveries(id.clone(), Some(StateName::Unsettled), SHOWN_AT_MOST).await;
            Loaded::Unsettled(id, answer)
        }
        Wanted::Steps(id) => {
            let get = GetCampaign {
                campaign_id: id.clone(),
            };
            let answer = call(door, &get).await;
            Loaded::Steps(id, answer.map(|campaign| campaign.steps))
        }
        Wanted::Recipients(id) => {
            let answer = deliveries(id.clone(), None, LISTED_AT_MOST).await;
            Loaded::Recipients(id, answer)
        }
        Wanted::Paces => Loaded::Paces(call(door, &ListPaces {}).await.map(|answer| answer.paces)),
        Wanted::Receipts => Loaded::Receipts(
            call(door, &ListReceipts { after: None })
                .await
                .map(|answer| answer.receipts),
        ),
        Wanted::Receipt(id, n_pages) => {
            let answer = get_receipt(door, &id, n_pages).await;
            Loaded::Receipt(id, Box::new(answer))
        }
        Wanted::Fingerprint => Loaded::Fingerprint(
            call(door, &GetRelayKey {})
                .await
                .map(|answer| answer.fingerprint),
        ),
        Wanted::Account => Loaded::Account(Box::new(call(door, &GetAccount {}).await)),
        Wanted::Accounts => Loaded::Accounts(
            call(door, &ListAccounts {})
                .await
                .map(|answer| answer.accounts),
        ),
        Wanted::Sessions => Loaded::Sessions(
            call(door, &ListSessions {})
                .await
                .map(|answer| answer.sessions),
        ),
        Wanted::Passkeys => {
            let answer = call(door, &ListPasskeys {}).await;
            Loaded::Passkeys(answer.map(|answer| answer.passkeys))
        }
        Wanted::Keys => Loaded::Keys(call(door, &ListKeys {}).await.map(|answer| answer.keys)),
        Wanted::Alerts => {
            let list = ListAlerts {
                limit: Some(ALERTS),
            };
            Loaded::Alerts(call(door, &list).await)
        }
        Wanted::Activity(n_pages) => Loaded::Activity(list_activity(door, n_pages).await),
        Wanted::Devices => Loaded::Devices(
            call(door, &ListDevices {})
                .await
                .map(|answer| answer.devices),
        ),
    }
}

/// Alerts that the settings list; `unpause alerts list` has the rest.
const ALERTS: u32 = 20;

/// So many pages of what was done, and whether there is more.
async fn list_activity(door: &Door, n_pages: u32) -> Result<(Vec<AuditEntry>, bool), CallError> {
    let mut listed = Vec::new();
    let mut before = None;
    for _ in 0..n_pages {
        let list = ListAudit {
            before,
            limit: Some(SHOWN_AT_MOST),
            ..ListAudit::default()
        };
        let page = call(door, &list).await?;
        listed.extend(page.entries);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok((listed, before.is_some()))
}

/// So many pages of a campaign's deliveries, from the first lead on.
async fn list_deliveries(
    door: &Door,
    id: &CampaignId,
    n_pages: u32,
) -> Result<Vec<Delivery>, CallError> {
    let mut listed = Vec::new();
    let mut after = None;
    for _ in 0..n_pages {
        let list = ListDeliveries {
            campaign_id: id.clone(),
            state: None,
            limit: Some(SHOWN_AT_MOST),
            after,
        };
        let page = call(door, &list).await?;
        listed.extend(page.deliveries);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(listed)
}

/// A receipt with so many pages of its lines; the first comes with it.
async fn get_receipt(door: &Door, id: &ReceiptId, n_pages: u32) -> Result<Receipt, CallError> {
    let receipt_id = id.clone();
    let mut receipt = call(door, &GetReceipt { receipt_id }).await?;
    for _ in 1..n_pages {
        let list = ListReceiptLines {
            receipt_id: id.clone(),
            after: u32::try_from(receipt.lines.len()).ok(),
            limit: Some(SHOWN_AT_MOST),
        };
        let page = call(door, &list).await?;
        let lines = page.lines.into_iter().map(|listed| listed.line);
        receipt.lines.extend(lines);
        if page.next.is_none() {
            break;
        }
    }
    Ok(receipt)
}

async fn ask(door: &Door, deed: &Deed) -> Result<(), CallError> {
    match deed.clone() {
        Deed::Start(campaign_id) => call(door, &StartCampaign { campaign_id }).await.map(drop),
        Deed::Pause(campaign_id) => call(door, &PauseCampaign { campaign_id }).await.map(drop),
        Deed::Resume(campaign_id) => call(door, &ResumeCampaign { campaign_id }).await.map(drop),
        Deed::Pace(update) => call(door, &update).await.map(drop),
        Deed::Revoke(device_id) => call(door, &DeleteDevice { device_id }).await.map(drop),
        Deed::EndSession(session_id) => call(door, &DeleteSession { session_id }).await.map(drop),
        Deed::SetPassword { current, password } => call(door, &SetPassword { current, password })
            .await
            .map(drop),
        Deed::DropPassword => call(door, &DeletePassword {}).await.map(drop),
        Deed::RemovePasskey(passkey_id) => {
            call(door, &DeletePasskey { passkey_id }).await.map(drop)
        }
        Deed::SetRole(account_id, role) => {
            let update = UpdateAccount {
                account_id,
                name: None,
                role: Some(role),
                inboxes: None,
            };
            call(door, &update).await.map(drop)
        }
        Deed::Give(account_id, inboxes) => {
            let update = UpdateAccount {
                account_id,
                name: None,
                role: None,
                inboxes: Some(inboxes),
            };
            call(door, &update).await.map(drop)
        }
        Deed::RemoveAccount(account_id) => {
            call(door, &DeleteAccount { account_id }).await.map(drop)
        }
        Deed::EndKey(key_id) => call(door, &DeleteKey { key_id }).await.map(drop),
        Deed::EndSessions => call(door, &DeleteSessions {}).await.map(drop),
        Deed::Settle(delivery_id, decision) => {
            let settle = SettleDelivery {
                delivery_id,
                decision,
            };
            call(door, &settle).await.map(drop)
        }
    }
}

/// Starts a reconnect, and lets the relay run its sign-in where it waits for the person.
async fn begin(door: &Door, inbox: &InboxId) -> Result<Begun, CallError> {
    let start = StartReconnect {
        inbox_id: inbox.clone(),
    };
    let started = call(door, &start).await?;
    let reconnect = started.reconnect;
    if reconnect.state != ReconnectState::Started || started.authorization.is_none() {
        return Ok(Begun {
            reconnect,
            url: None,
        });
    }
    let host = HostReconnect {
        reconnect_id: reconnect.id.clone(),
    };
    let hosted = call(door, &host).await?;
    Ok(Begun {
        reconnect,
        url: Some(hosted.url),
    })
}
