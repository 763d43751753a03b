//! The provider's side of a story: the project's sandbox, or a certified OpenID provider with Dovecot and
//! `smtp-sink` behind it.

use std::iter;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::profile::GENERIC;
use sandbox::{Options, Profile, Sandbox};

use super::mailboxes::Message;
use crate::dovecot::{Dovecot, DovecotSettings};
use crate::oauth_client::flow::{ClientFlow, FlowSettings};
use crate::oidc::{self, Oidc, OidcPackage, OidcSettings};
use crate::person::Person;
use crate::smtp_sink::SmtpSink;

/// Where the scripted client's codes are sent. Nobody listens there: the client reads the redirect.
pub const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
/// The life of an access token in a story: longer than any of them.
const ACCESS_TOKEN_FOR: Duration = Duration::from_hours(1);

/// The inbox of every story.
pub fn jane() -> Person {
    Person::new("jane@acme.example", "jane-in-a-test")
}

/// Somebody else with an account at the same provider.
pub fn john() -> Person {
    Person::new("john@acme.example", "john-in-a-test")
}

/// So many people with an inbox, Jane first.
pub fn senders(n: usize) -> Vec<Person> {
    let others = (2..=n).map(|number| {
        let name = format!("sender{number}");
        Person::new(
            &format!("{name}@acme.example"),
            &format!("{name}-in-a-test"),
        )
    });
    iter::once(jane()).chain(others).collect()
}

/// What the sandbox plays.
#[derive(Clone, Copy, Debug)]
pub struct Plays {
    /// Whose habits it has.
    pub profile: &'static Profile,
    /// Whether the relay's client is verified there.
    pub verified: bool,
}

impl Plays {
    /// A profile, with a verified client.
    pub fn verified(profile: &'static Profile) -> Self {
        Self {
            profile,
            verified: true,
        }
    }
}

/// Running servers.
#[derive(Debug)]
pub enum Servers {
    /// The sandbox, in this process.
    Sandbox(Box<Sandbox>),
    /// Real ones.
    Real(Box<RealServers>),
}

/// A certified OpenID provider, Dovecot, and what stands behind its submission service.
#[derive(Debug)]
pub struct RealServers {
    oidc: Oidc,
    dovecot: Dovecot,
    sink: SmtpSink,
}

impl Servers {
    /// The sandbox with two people and no habits of its own.
    pub async fn start_sandbox(seed: u64) -> Result<Self> {
        Self::start_sandbox_as(Plays::verified(&GENERIC), seed).await
    }

    /// The sandbox with two people, as this kind of provider.
    pub async fn start_sandbox_as(plays: Plays, seed: u64) -> Result<Self> {
        Self::start_sandbox_with(plays, vec![jane(), john()], seed).await
    }

    /// The same with these people.
    pub async fn start_sandbox_with(plays: Plays, people: Vec<Person>, seed: u64) -> Result<Self> {
        let people: Vec<_> = people
            .into_iter()
            .map(|person| sandbox::Person {
                name: person.address.clone(),
                address: person.address,
                password: person.password,
            })
            .collect();
        let options = Options {
            profile: plays.profile,
            verified_clients: plays.verified,
            people,
            access_token_for: ACCESS_TOKEN_FOR,
            seed,
            ..Options::default()
        };
        Ok(Self::Sandbox(Box::new(Sandbox::start(options).await?)))
    }

    /// The real ones with the same two people; npm's packages go to `packages`, and codes may also be sent to
    /// `redirect_uris`.
    pub async fn start_real(packages: &Path, redirect_uris: &[String]) -> Result<Self> {
        let settings = OidcSettings {
            people: vec![jane(), john()],
            redirect_uris: iter::once(REDIRECT_URI)
                .chain(redirect_uris.iter().map(String::as_str))
                .map(str::to_owned)
                .collect(),
            access_token_for: ACCESS_TOKEN_FOR,
            rotate_refresh_tokens: true,
        };
        let oidc = OidcPackage::install(packages)?.start(&settings).await?;
        let sink = SmtpSink::start().await?;
        let dovecot = Dovecot::start(&DovecotSettings {
            introspection_url: oidc.introspection_url_of_mail_server(),
            people: vec![jane(), john()],
            next_hop: sink.address(),
        })
        .await?;
        Ok(Self::Real(Box::new(RealServers {
            oidc,
            dovecot,
            sink,
        })))
    }

    /// The sandbox, where these are one.
    pub fn sandbox(&self) -> Option<&Sandbox> {
        match self {
            Self::Sandbox(sandbox) => Some(sandbox),
            Self::Real(_) => None,
        }
    }

    /// The provider's name in the relay's configuration.
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Sandbox(sandbox) => match sandbox.profile().name {
                "generic" => "sandbox",
                "plain" => "imap",
                name => name,
            },
            Self::Real(_) => "openid",
        }
    }

    /// What the last line says of the provider.
    pub fn profile(&self) -> &'static str {
        match self {
            Self::Sandbox(sandbox) => sandbox.profile().name,
            Self::Real(_) => "openid with dovecot",
        }
    }

    /// Whether only passwords are taken.
    pub fn takes_passwords_only(&self) -> bool {
        self.sandbox()
            .is_some_and(|sandbox| sandbox.profile().oauth.is_none())
    }

    /// Whether a client needs a secret here.
    pub fn demands_secret(&self) -> bool {
        self.sandbox()
            .and_then(|sandbox| sandbox.profile().oauth.as_ref())
            .is_some_and(|habits| habits.demands_secret_with_pkce)
    }

    /// Whether the provider warns people of the relay's app before it asks them.
    pub fn warns_of_app(&self) -> bool {
        self.sandbox().is_some_and(Sandbox::warns_of_clients)
    }

    /// The clicks from the card to its word that the campaign goes on, ours and the provider's (DESIGN.md
    /// section 10). For a new password: the window with the form, and its button.
    pub fn clicks_allowed(&self) -> usize {
        match self.provider() {
            "microsoft" => 1,
            "google" if self.warns_of_app() => 4,
            _ => 2,
        }
    }

    /// Where its pages are, where it is the sandbox's.
    pub fn origin(&self) -> String {
        match self {
            Self::Sandbox(sandbox) => sandbox.origin().to_owned(),
            Self::Real(real) => real.oidc.issuer_text().to_owned(),
        }
    }

    /// The webmail, where the relay knows it by the provider.
    pub fn webmail(&self) -> Option<String> {
        let sandbox = self.sandbox()?;
        (self.provider() == "sandbox").then(|| sandbox.origin().to_owned())
    }

    /// What a person would copy from the provider's page into a mail program: a new app password, or their own.
    pub fn make_password(&self, person: &Person) -> Result<String> {
        match self.sandbox() {
            Some(sandbox) if self.takes_passwords_only() => {
                Ok(sandbox.control().make_app_password(&person.address)?)
            }
            _ => Ok(person.password.clone()),
        }
    }

    /// The issuer.
    pub fn issuer(&self) -> String {
        match self {
            Self::Sandbox(sandbox) => sandbox.issuer().to_owned(),
            Self::Real(real) => real.oidc.issuer_text().to_owned(),
        }
    }

    /// A page at which a browser signs this person in, where the provider has no webmail that does.
    pub fn sign_in_visit(&self, address: &str) -> Result<Option<String>> {
        let Self::Real(real) = self else {
            return Ok(None);
        };
        let flow = ClientFlow::begin(&FlowSettings {
            authorization_endpoint: real.oidc.authorization_endpoint(),
            token_endpoint: real.oidc.token_endpoint(),
            client_id: oidc::PUBLIC_CLIENT_ID.to_owned(),
            redirect_uri: REDIRECT_URI.to_owned(),
            scopes: vec!["openid".to_owned()],
            parameters: vec![("login_hint".to_owned(), address.to_owned())],
        })?;
        Ok(Some(flow.authorization_url().to_string()))
    }

    /// The relay's client id.
    pub fn client_id(&self, confidential: bool) -> &str {
        match (self, confidential) {
            (Self::Sandbox(_), false) => sandbox::PUBLIC_CLIENT,
            (Self::Sandbox(_), true) => sandbox::CONFIDENTIAL_CLIENT,
            (Self::Real(_), false) => oidc::PUBLIC_CLIENT_ID,
            (Self::Real(_), true) => oidc::CONFIDENTIAL_CLIENT_ID,
        }
    }

    /// The confidential client's secret.
    pub fn client_secret(&self) -> &str {
        match self {
            Self::Sandbox(sandbox) => sandbox.client_secret(),
            Self::Real(_) => oidc::CONFIDENTIAL_CLIENT_SECRET,
        }
    }

    /// Submission with TLS from the first byte.
    pub fn smtp(&self) -> SocketAddr {
        match self {
            Self::Sandbox(sandbox) => sandbox.smtps(),
            Self::Real(real) => real.dovecot.submissions(),
        }
    }

    /// IMAP with TLS from the first byte.
    pub fn imap(&self) -> SocketAddr {
        match self {
            Self::Sandbox(sandbox) => sandbox.imaps(),
            Self::Real(real) => real.dovecot.imaps(),
        }
    }

    /// The authority that signed their certificates.
    pub fn ca_pem(&self) -> &str {
        match self {
            Self::Sandbox(sandbox) => sandbox.ca_pem(),
            Self::Real(real) => real.dovecot.ca_pem(),
        }
    }

    /// What has arrived for recipients.
    pub fn delivered(&self) -> Result<Vec<Message>> {
        Ok(match self {
            Self::Sandbox(sandbox) => {
                let delivered = sandbox.control().delivered();
                delivered
                    .iter()
                    .filter_map(|one| {
                        Message::parse(&one.recipient, &one.raw, i64::try_from(one.at_ms).ok())
                    })
                    .collect()
            }
            Self::Real(real) => real
                .sink
                .delivered()?
                .iter()
                .filter_map(|one| {
                    Message::of(
                        &one.recipient,
                        one.header("X-Correlation-ID"),
                        &one.body,
                        None,
                    )
                })
                .collect(),
        })
    }

    /// Ends every permission of a person, as it happens there: Microsoft's end with the sessions of a password,
    /// and what the person once agreed to stays.
    pub async fn revoke(&self, address: &str) -> Result<()> {
        match self {
            Self::Sandbox(sandbox) if self.provider() == "microsoft" => {
                let person = [jane(), john()]
                    .into_iter()
                    .find(|person| person.address == address)
                    .context("nobody of that address")?;
                sandbox
                    .control()
                    .change_password(address, &person.password)?;
            }
            Self::Sandbox(sandbox) => sandbox.control().revoke(address)?,
            Self::Real(real) => {
                real.oidc.revoke_grants(address).await?;
                real.dovecot.end_sessions()?;
            }
        }
        Ok(())
    }

    /// Puts a message into a person's INBOX.
    pub fn deliver(&self, address: &str, id: &str, message: &str) -> Result<()> {
        match self {
            Self::Sandbox(sandbox) => {
                sandbox.control().deliver(address, message.as_bytes());
            }
            Self::Real(real) => real.dovecot.deliver(address, id, message)?,
        }
        Ok(())
    }
}
