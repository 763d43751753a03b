//! The API: every endpoint of `protocol`, served. What is the same for all of them (who calls, from
//! where, what a request and an answer look like, how a failure is told) stands below this module once;
//! what an endpoint does stands in the file of its resource. Beside the API: the dashboard's files, and the
//! sign-in that the relay runs in a tab.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use http::HeaderValue;
use protocol::account::Role;
use protocol::id::{AccountId, DeviceId, KeyId, RequestId, SessionId};
use protocol::problem::{Code, Problem};
use protocol::provider::ProviderId;
use protocol::request::{self as api, Request};
use protocol::signed::VerifyingKey;
use protocol::timestamp::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

use crate::app::App;
use crate::certificate;
use crate::config::Config;
use crate::secret::Keys;
use crate::secret::password::Passwords;
use crate::store::access::Doors;
use crate::store::account::{Holder, Sees};

mod account;
mod address;
mod answer;
mod audit;
mod body;
mod browser;
mod budget;
mod catch_up;
mod ceremonies;
mod conflict;
mod dashboard;
pub mod decoding;
mod endpoints;
mod field;
mod file;
mod forwarded;
mod guard;
mod guesses;
mod health;
mod message;
mod neighbourhood;
mod openapi;
pub mod operator;
mod pace;
mod page;
mod problem;
mod redirect;
mod reply;
mod serving;
mod sketch;

mod alert;
mod campaign;
mod delivery;
mod device;
mod hosted;
mod inbox;
mod key;
mod lead;
mod leads;
mod ledger;
mod passkey;
mod plan;
mod proof;
mod receipt;
mod reconnect;
mod relay_keys;
mod sender;
mod sending;
mod session;
mod sight;
mod sign_in;
mod signatures;
mod slowing;
mod status;
mod suppression;
mod trail;
mod unsubscribe;

pub use address::Address;
use budget::Budget;
use ceremonies::Ceremonies;
use endpoints::Endpoints;
use guesses::Guesses;
use operator::OperatorSocket;
pub use problem::ServeError;
use serving::Door;
use sight::Sight;
use signatures::Challenges;
use slowing::{By, Guess, Slowing, Turn};
use trail::Meant;

/// How long requests under way may go on after the relay was told to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// What an endpoint does.
pub trait Serve: Request {
    /// What comes before it is performed and put on record, and before the bytes of a list are read: whether it can be
    /// at all, and, for a guess, its turn. Whoever hangs up meanwhile is waited for no more.
    fn prepare(
        &self,
        context: &mut Context,
    ) -> impl Future<Output = Result<(), ServeError>> + Send {
        let _ = context;
        std::future::ready(Ok(()))
    }

    /// Does it, for a caller who may.
    fn serve(
        self,
        context: Context,
    ) -> impl Future<Output = Result<Self::Response, ServeError>> + Send;
}

/// What is made of the endpoints: routes and the OpenAPI document, or anything else that is to have all of them.
pub trait Mount: Sized {
    /// Adds an endpoint.
    #[must_use]
    fn mount<R: Serve>(self) -> Self;
}

/// Every endpoint, one line each.
#[must_use]
pub fn mount_endpoints<M: Mount>(on: M) -> M {
    on.mount::<api::account::SignIn>()
        .mount::<api::account::AcceptInvitation>()
        .mount::<api::account::GetAccount>()
        .mount::<api::account::SetPassword>()
        .mount::<api::account::DeletePassword>()
        .mount::<api::passkey::BeginSignIn>()
        .mount::<api::passkey::SignInByPasskey>()
        .mount::<api::passkey::BeginProof>()
        .mount::<api::passkey::Prove>()
        .mount::<api::passkey::GetPasskeyCreation>()
        .mount::<api::passkey::CreatePasskey>()
        .mount::<api::passkey::ListPasskeys>()
        .mount::<api::passkey::DeletePasskey>()
        .mount::<api::account::CreateAccount>()
        .mount::<api::account::ListAccounts>()
        .mount::<api::account::CreateInvitation>()
        .mount::<api::account::UpdateAccount>()
        .mount::<api::account::DeleteAccount>()
        .mount::<api::session::CreateLoginLink>()
        .mount::<api::session::CreateSession>()
        .mount::<api::session::ListSessions>()
        .mount::<api::session::DeleteSession>()
        .mount::<api::session::DeleteSessions>()
        .mount::<api::device::CreatePairing>()
        .mount::<api::device::CreateDevice>()
        .mount::<api::device::ListDevices>()
        .mount::<api::device::DeleteDevice>()
        .mount::<api::device::GetRelayKey>()
        .mount::<api::relay_keys::GetRelayKeys>()
        .mount::<api::relay_keys::RenewRelayKeys>()
        .mount::<api::key::CreateKey>()
        .mount::<api::key::ListKeys>()
        .mount::<api::key::DeleteKey>()
        .mount::<api::audit::ListAudit>()
        .mount::<api::inbox::CreateInbox>()
        .mount::<api::inbox::ListInboxes>()
        .mount::<api::inbox::GetInbox>()
        .mount::<api::inbox::UpdateInbox>()
        .mount::<api::inbox::DeleteInbox>()
        .mount::<api::inbox::ListChanges>()
        .mount::<api::reconnect::StartReconnect>()
        .mount::<api::reconnect::GrantReconnect>()
        .mount::<api::reconnect::RefuseReconnect>()
        .mount::<api::reconnect::ConfirmReconnect>()
        .mount::<api::reconnect::HostReconnect>()
        .mount::<api::reconnect::GetReconnect>()
        .mount::<api::reconnect::GetReceipt>()
        .mount::<api::reconnect::ListReceipts>()
        .mount::<api::reconnect::ListReceiptLines>()
        .mount::<api::receipt::GetReceiptDocument>()
        .mount::<api::campaign::CreateCampaign>()
        .mount::<api::campaign::ListCampaigns>()
        .mount::<api::campaign::GetCampaign>()
        .mount::<api::campaign::UpdateCampaign>()
        .mount::<api::campaign::DuplicateCampaign>()
        .mount::<api::campaign::DeleteCampaign>()
        .mount::<api::campaign::ImportLeads>()
        .mount::<api::lead::ListLeads>()
        .mount::<api::lead::GetLead>()
        .mount::<api::lead::UpdateLead>()
        .mount::<api::lead::PauseLead>()
        .mount::<api::lead::ResumeLead>()
        .mount::<api::lead::StopLead>()
        .mount::<api::lead::DeleteLead>()
        .mount::<api::reply::ListReplies>()
        .mount::<api::reply::ShowReply>()
        .mount::<api::reply::MarkReply>()
        .mount::<api::campaign::StartCampaign>()
        .mount::<api::campaign::PauseCampaign>()
        .mount::<api::campaign::ResumeCampaign>()
        .mount::<api::delivery::ListDeliveries>()
        .mount::<api::delivery::SettleDelivery>()
        .mount::<api::delivery::SettleDeliveries>()
        .mount::<api::delivery::PutBackDeliveries>()
        .mount::<api::inbox::AnswerInbox>()
        .mount::<api::file::CreateFile>()
        .mount::<api::message::PreviewMessage>()
        .mount::<api::message::CheckCampaign>()
        .mount::<api::sender::GetSender>()
        .mount::<api::sender::UpdateSender>()
        .mount::<api::pace::ListPaces>()
        .mount::<api::pace::GetPace>()
        .mount::<api::pace::UpdatePace>()
        .mount::<api::sending::GetSending>()
        .mount::<api::sending::UpdateSending>()
        .mount::<api::sending::WhyCampaign>()
        .mount::<api::sending::PlanCampaign>()
        .mount::<api::catch_up::GetCatchUp>()
        .mount::<api::catch_up::SetCatchUp>()
        .mount::<api::ledger::GetLedger>()
        .mount::<api::ledger::KeepRelay>()
        .mount::<api::alert::ListAlerts>()
        .mount::<api::alert::TestAlerts>()
        .mount::<api::suppression::CreateSuppression>()
        .mount::<api::suppression::ImportSuppressions>()
        .mount::<api::suppression::ListSuppressions>()
        .mount::<api::suppression::DeleteSuppression>()
        .mount::<api::status::GetStatus>()
}

/// What the requests of one relay share.
pub(crate) struct Api {
    app: Arc<App>,
    /// Where it is reached.
    address: Address,
    guesses: Guesses,
    slowing: Slowing,
    lists: Budget,
    passwords: Passwords,
    challenges: Challenges,
    ceremonies: Ceremonies,
    openapi: Bytes,
}

/// What an endpoint may know beside its request.
pub struct Context {
    api: Arc<Api>,
    /// Who calls.
    pub who: Who,
    /// Whose device or session that is; `None` for the operator and for nobody known.
    pub account: Option<Holder>,
    /// When whoever has the session last proved that it is his; `None` for what is no session.
    proved_at: Option<Timestamp>,
    /// What he may see.
    sees: Sees,
    /// The key that signed the request.
    pub key: Option<VerifyingKey>,
    /// The raw body of an endpoint that takes one; else empty.
    pub csv: Bytes,
    /// The name of this request in the log.
    pub request_id: RequestId,
    /// The `Origin` of the request, where a browser sent it.
    pub origin: Option<String>,
    /// The address of the other side.
    pub peer: IpAddr,
    /// What the other side says of itself (RFC 9110 §10.1.5).
    pub browser: Option<String>,
    /// The key by which the caller knows the relay, where it is a device.
    pub relay_key: Option<VerifyingKey>,
    /// Who it turned out to be, for the audit log.
    pub meant: Arc<Meant>,
    /// The cookies that came with it, by name.
    cookies: Vec<(String, String)>,
    /// The one that goes with the answer.
    new_cookie: Arc<OnceLock<HeaderValue>>,
    left: Left,
    /// Of a guess that may be looked at.
    turn: Option<Turn>,
}

/// Ends when whoever asked has left.
type Left = oneshot::Receiver<std::convert::Infallible>;

impl Context {
    /// The application, for a caller who sees everything in it. For everybody else an endpoint has what
    /// [`Context::sight`] gives, so one that forgets to ask gives them nothing.
    pub fn app(&self) -> Result<&App, ServeError> {
        if self.sees == Sees::Everything {
            return Ok(&self.api.app);
        }
        let detail = "your account may not do this: ask an owner";
        Err(Problem::new(Code::Forbidden, detail).into())
    }

    /// The inboxes and campaigns that the caller may see, and what belongs to them.
    pub(crate) fn sight(&self) -> Sight<'_> {
        Sight::new(&self.api.app, &self.sees)
    }

    /// Accounts, sessions, devices and codes.
    pub fn doors(&self) -> Doors {
        self.api.app.store.doors()
    }

    /// The account for which something is made: the caller's own, and for the operator the first owner's.
    pub async fn own_account(&self) -> Result<AccountId, ServeError> {
        match &self.account {
            Some(holder) => Ok(holder.account.clone()),
            None => Ok(self.doors().first_owner().await?),
        }
    }

    /// Whose sessions and devices the caller may list and end; `None`: everybody's.
    pub fn of_whom(&self) -> Option<&AccountId> {
        let holder = self.account.as_ref()?;
        (holder.role < Role::Owner).then_some(&holder.account)
    }

    /// Whether a session was proved lately, for what asks for that in some cases alone; see [`Request::ANEW`].
    fn check_proof(&self) -> Result<(), Problem> {
        answer::check_proof(true, self.proved_at, self.now())
    }

    /// The account and the session that ask.
    fn own_session(&self) -> Result<(&AccountId, &SessionId), Problem> {
        let (Some(holder), Who::Session(session)) = (&self.account, &self.who) else {
            let detail = "the operator has no account here: sign in to the dashboard for one";
            return Err(Problem::new(Code::NotFound, detail));
        };
        Ok((&holder.account, session))
    }

    /// Waits until a guess may be looked at. Whoever hangs up meanwhile has left the queue.
    async fn wait_for_turn(&mut self, subject: &str, by: By) -> Result<(), ServeError> {
        let guess = Guess::new(subject, self.peer, by);
        let (slowing, now) = (self.api.slowing.clone(), self.now());
        let turn = tokio::select! {
            turn = slowing.wait(guess, now) => turn?,
            _ = &mut self.left => {
                let detail = "whoever asked has left";
                return Err(Problem::new(Code::TooManyRequests, detail).into());
            }
        };
        self.turn = Some(turn);
        Ok(())
    }

    /// Notes that a guess was wrong.
    fn note_wrong(&self) {
        if let Some(turn) = &self.turn {
            turn.note_wrong(self.now());
        }
    }

    /// Notes that somebody signed in by naming this: his browser is known for it from now on.
    fn note_right(&self, subject: &str) -> Result<(), ServeError> {
        // Each request signs in once.
        let _ = self.new_cookie.set(browser::write(self, subject)?);
        Ok(())
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.api.app.clock.now()
    }

    /// What the operator decided.
    pub fn config(&self) -> &Config {
        &self.api.app.config
    }

    /// The relay's keys.
    pub fn keys(&self) -> &Keys {
        &self.api.app.keys
    }

    /// Whether whoever reaches the relay does so by TLS.
    pub fn is_encrypted(&self) -> bool {
        self.api.address.is_encrypted()
    }

    /// The address at which the relay is reached, without a slash at its end.
    pub fn relay_url(&self) -> String {
        self.api.address.url()
    }

    /// The redirect URI of the sign-ins that the relay runs itself.
    pub fn callback_address(&self, provider: &ProviderId) -> String {
        self.api.address.callback(provider.as_str())
    }
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nobody known; only for the endpoints that anyone may call.
    Anyone,
    /// A paired device.
    Device(DeviceId),
    /// A signed-in session of the dashboard.
    Session(SessionId),
    /// A program with an API key.
    Key(KeyId),
    /// Who came by the socket in the relay's own data folder.
    Operator,
}

/// The OpenAPI document, as JSON for people to read.
pub fn render_openapi() -> String {
    mount_endpoints(Endpoints::new()).openapi()
}

/// The ports of the relay, bound.
#[derive(Debug)]
pub struct Ports {
    /// The API's and the dashboard's.
    pub listener: TcpListener,
    /// How TLS is spoken there; `None` where it is not.
    pub tls: Option<certificate::Server>,
    /// The one that sends people there, where there is one.
    pub redirecting: Option<TcpListener>,
    /// What a certificate authority is answered there.
    pub answers: Arc<certificate::Answers>,
}

/// Serves everybody on the network's socket and the operator on his own, until it is told to stop.
pub async fn run(
    app: Arc<App>,
    ports: Ports,
    socket: OperatorSocket,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let Ports {
        listener,
        tls,
        redirecting,
        answers,
    } = ports;
    let address = Address::new(listener.local_addr()?, &app.config);
    let proxies = app.config.proxies.clone();
    let redirecting = redirecting.map(|listener| Door {
        listener,
        router: redirect::router(&address, answers),
        tls: None,
    });
    let router = router(app, address);
    let door = Door {
        listener,
        router: router.clone(),
        tls,
    };
    let doors = std::iter::once(door).chain(redirecting).collect();
    let by_network = async {
        serving::serve(doors, proxies, stop.clone()).await;
        Ok(())
    };
    let (network, operator) = tokio::join!(
        within_bounds(by_network, stop.clone()),
        operator::serve(router, socket, stop.clone()),
    );
    network.and(operator)
}

/// Serves until it has ended, but at most for 10 seconds after it was told to.
async fn within_bounds(
    serving: impl IntoFuture<Output = std::io::Result<()>>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let too_late = async {
        was_told(stop).await;
        tokio::time::sleep(FINISH_WITHIN).await;
    };
    tokio::select! {
        ended = serving.into_future() => ended,
        () = too_late => {
            tracing::warn!("requests were still under way when the relay stopped");
            Ok(())
        }
    }
}

/// Returns when the relay is to stop; also when whoever could say so is gone.
async fn was_told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn router(app: Arc<App>, address: Address) -> Router {
    let endpoints = mount_endpoints(Endpoints::new());
    let openapi = Bytes::from(endpoints.openapi());
    let api = Arc::new(Api {
        app,
        address,
        guesses: Guesses::default(),
        lists: Budget::default(),
        slowing: Slowing::default(),
        passwords: Passwords::default(),
        challenges: Challenges::default(),
        ceremonies: Ceremonies::default(),
        openapi,
    });
    endpoints
        .into_router()
        .merge(health::routes())
        .merge(hosted::routes())
        .merge(page::routes())
        .merge(unsubscribe::routes())
        .merge(dashboard::routes())
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&api),
            guard::guard,
        ))
        // Around the guard: its refusals are signed too.
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&api),
            signatures::sign,
        ))
        .with_state(api)
}
