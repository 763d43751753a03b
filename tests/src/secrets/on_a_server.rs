//! A relay on a server, reached by https: accounts, invitations, API keys, alerts by mail and by webhook, the audit log
//! and its exports, a backup and the doctor's findings. What left as alerts is searched too.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use protocol::request::Request;
use protocol::request::account::{AcceptInvitation, SetPassword, SignIn};
use protocol::request::audit::ListAudit;
use protocol::request::key::ListKeys;
use protocol::request::status::GetStatus;
use protocol::secret::Secret;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

use super::gather::{Place, Sort, files, sort_of_data};
use super::run::{Plant, Story, password};
use super::search::{Kind, Marker};
use super::watched::{Collected, How};
use crate::certificate::TestCertificate;
use crate::entrance::{Name, files_in, settings_of_its_own};
use crate::person::Person;
use crate::story::api::Api;
use crate::story::relay::{Relay, write_privately};
use crate::story::servers::{Servers, john};
use crate::story::telling::Telling;

/// What arrived at the end of the webhook.
type Arrived = Arc<Mutex<Vec<u8>>>;

struct Scene {
    servers: Servers,
    relay: Relay,
    name: Name,
    ca_pem: String,
    arrived: Arrived,
    /// Of the certificate and the backup.
    folder: TempDir,
    places: Vec<Place>,
    markers: Vec<Marker>,
}

/// Plays it.
pub async fn play(how: How, rng: &mut StdRng, telling: &Telling) -> Result<Story> {
    telling.say(&format!("a relay on a server, {how:?}"));
    let mut scene = Scene::begin(how, rng).await?;
    let account = Plant::new(
        rng,
        "account",
        &[Sort::Output, Sort::Answer, Sort::Database],
    );
    scene.live(rng, &account.text).await?;
    scene.alert(rng).await?;
    let backup = scene.backup();
    let to = backup.to_str().context("a path")?;
    scene.command(&["backup", "--to", to]).await?;
    scene.relay.kill()?;
    let killed = files(
        &scene.relay.folder(),
        "the killed relay on a server",
        |file| file.starts_with("data/").then_some(Sort::Killed),
    )?;
    scene.places.extend(killed);
    scene.relay.start_again().await?;
    scene.ask_again().await?;
    Ok(Story {
        collected: scene.collect()?,
        plants: vec![account],
    })
}

impl Scene {
    async fn begin(how: How, rng: &mut StdRng) -> Result<Self> {
        let servers = Servers::start_sandbox(1).await?;
        let sandbox = servers.sandbox().context("the story needs the sandbox")?;
        let control = sandbox.control();
        // Whoever signs in is told what they showed.
        control.echo_secrets(true);
        let sender = Person::new(&john().address, &password(rng, "Sender"));
        control.change_password(&sender.address, &sender.password)?;
        let key: [u8; 32] = rng.random();
        let secret = format!("whsec_{}", BASE64_STANDARD.encode(key));
        let arrived = Arrived::default();
        let hook = listen(Arc::clone(&arrived)).await?;

        let folder = tempfile::tempdir()?;
        let name = Name::new()?;
        let mut variables = settings_of_its_own(name, folder.path())?;
        variables.extend([
            ("UNPAUSE_LOG", "trace".to_owned()),
            ("UNPAUSE_LOG_JSON", how.json.to_string()),
        ]);
        let certificate = TestCertificate::generate()?;
        let (chain, private) = files_in(folder.path());
        std::fs::write(chain, &certificate.certificate_pem)?;
        write_privately(&private, &certificate.key_pem)?;
        let client = how.confidential.then(|| servers.client_secret());
        let mut relay = Relay::start_with(&servers, client, variables).await?;
        relay.end()?;
        let mut config = std::fs::OpenOptions::new()
            .append(true)
            .open(relay.folder().join("unpause.toml"))?;
        writeln!(
            config,
            "[notify.mail]\nto = [\"ops@other.example\"]\nfrom = {0:?}\nserver = \"127.0.0.1\"\nport = {1}\nuser = {0:?}\n\
             password = {2}\ngather_ms = 0\n[notify.webhook.ops]\nurl = \"http://{hook}/hook\"\nsecret = {secret:?}\n\
             private = true",
            sender.address,
            servers.smtp().port(),
            serde_json::to_string(&sender.password)?,
        )?;
        drop(config);
        relay.start_again().await?;
        let markers = vec![
            Marker::new(Kind::MailPassword, &sender.password),
            Marker::new(Kind::WebhookSecret, &secret),
            Marker {
                kind: Kind::WebhookSecret,
                value: key.to_vec(),
            },
            Marker::new(Kind::ClientSecret, servers.client_secret()),
        ];
        Ok(Self {
            ca_pem: certificate.ca_pem,
            servers,
            relay,
            name,
            arrived,
            folder,
            places: Vec::new(),
            markers,
        })
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("unpause.backup")
    }

    /// Runs a command of the operator, keeps what it says, and answers its standard output.
    async fn command(&mut self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::from(self.relay.command(arguments));
        let output = command.kill_on_drop(true).output().await?;
        let words: Vec<_> = arguments
            .iter()
            .take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
            .copied()
            .collect();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        for (stream, bytes) in [("stdout", output.stdout), ("stderr", output.stderr)] {
            let name = format!("{stream} of unpause {}", words.join(" "));
            self.places.push(Place::new(Sort::Output, name, bytes));
        }
        Ok(stdout)
    }

    fn caller(&self, token: Option<&str>) -> Result<Api> {
        Api::new(&self.name.url(), token.map(str::to_owned))?.trusting(&self.ca_pem)
    }

    /// Calls an endpoint by https, keeps what it answers, and answers that.
    async fn ask<R: Request>(&mut self, token: Option<&str>, request: &R) -> Result<Value> {
        let answered = self.caller(token)?.call(request).await;
        let (told, value) = match answered {
            Ok(answer) => {
                let value = serde_json::to_value(&answer)?;
                (value.to_string(), value)
            }
            Err(error) => (format!("{error:#}"), Value::Null),
        };
        let name = format!("{} {} ", R::METHOD, R::PATH);
        self.places.push(Place::new(Sort::Answer, name, told));
        Ok(value)
    }

    fn mark(&mut self, kind: Kind, text: &str) {
        self.markers.push(Marker::new(kind, text));
    }

    /// Somebody is invited, sets a password, changes it and is refused with another; a program comes by a key.
    async fn live(&mut self, rng: &mut StdRng, account: &str) -> Result<()> {
        let link = self
            .command(&["account", "add", account, "--role", "owner"])
            .await?;
        let code = code_of(&link)?;
        self.mark(Kind::InvitationCode, &code);
        let first = password(rng, "First");
        self.mark(Kind::AccountPassword, &first);
        let accept = AcceptInvitation {
            code: Secret::new(code),
            password: Secret::new(first.clone()),
        };
        let token = self.signed_in(&accept).await?;
        let (second, wrong) = (password(rng, "Second"), password(rng, "Wrong"));
        for text in [&second, &wrong] {
            self.mark(Kind::AccountPassword, text);
        }
        let change = SetPassword {
            current: Some(Secret::new(first.clone())),
            password: Secret::new(second.clone()),
        };
        self.ask(Some(&token), &change).await?;
        for text in [&wrong, &first] {
            let sign_in = SignIn {
                name: account.to_owned(),
                password: Secret::new(text.clone()),
            };
            let refused = self.ask(None, &sign_in).await?;
            ensure!(refused.is_null(), "a wrong password is taken");
        }
        let sign_in = SignIn {
            name: account.to_owned(),
            password: Secret::new(second),
        };
        let token = self.signed_in(&sign_in).await?;
        let again = code_of(&self.command(&["account", "password", account]).await?)?;
        self.mark(Kind::InvitationCode, &again);
        let login = code_of(&self.command(&["login"]).await?)?;
        self.mark(Kind::LoginCode, &login);

        let made = self
            .command(&["key", "add", "reports", "--scope", "read", "--json"])
            .await?;
        let made: Value = serde_json::from_str(&made)?;
        let key = text_of(&made, "key")?.to_owned();
        self.mark(Kind::ApiKey, &key);
        let status = self.ask(Some(&key), &GetStatus {}).await?;
        ensure!(!status.is_null(), "the key is not taken");
        // What it has no scope for, and a key that is none.
        self.ask(Some(&key), &ListKeys {}).await?;
        let unknown = format!("{key}x");
        self.ask(Some(&unknown), &GetStatus {}).await?;
        self.ask(Some(&token), &ListKeys {}).await?;
        self.ask(Some(&token), &ListAudit::default()).await?;
        Ok(())
    }

    async fn signed_in<R: Request>(&mut self, request: &R) -> Result<String> {
        let answer = self.ask(None, request).await?;
        let token = text_of(&answer, "token")?.to_owned();
        self.mark(Kind::SessionToken, &token);
        Ok(token)
    }

    /// Alerts leave by mail and by webhook, and one by mail is refused with the password in the refusal.
    async fn alert(&mut self, rng: &mut StdRng) -> Result<()> {
        let taken = self.command(&["notify", "test"]).await?;
        ensure!(!taken.contains("not taken"), "{taken}");
        let sandbox = self.servers.sandbox().context("the sandbox")?;
        let control = sandbox.control().clone();
        let mailed = control.delivered();
        ensure!(mailed.len() == 1, "{} mails", mailed.len());
        for one in mailed {
            let name = "an alert by mail";
            self.places
                .push(Place::new(Sort::Alert, name, one.raw.to_vec()));
        }
        let posted = self
            .arrived
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        ensure!(!posted.is_empty(), "nothing was posted");
        self.places
            .push(Place::new(Sort::Alert, "alerts by webhook", posted));
        control.change_password(&john().address, &password(rng, "Other"))?;
        let refused = self.command(&["notify", "test"]).await?;
        ensure!(refused.contains("not taken"), "{refused}");
        Ok(())
    }

    /// What was done and told, in every form in which it is given out.
    async fn ask_again(&mut self) -> Result<()> {
        let backup = self.backup();
        let backup = backup.to_str().context("a path")?;
        for arguments in [
            &["audit", "list"][..],
            &["audit", "export"],
            &["audit", "export", "--format", "csv"],
            &["alerts", "list"],
            &["alerts", "list", "--json"],
            &["account", "list"],
            &["key", "list"],
            &["session", "--json"],
            &["status"],
            &["config"],
            &["doctor"],
            &["doctor", "--json"],
            &["backup", "--check", backup],
        ] {
            self.command(arguments).await?;
        }
        Ok(())
    }

    fn collect(mut self) -> Result<Collected> {
        self.relay.end()?;
        let mut places = self.places;
        places.extend(files(
            &self.relay.folder(),
            "the relay on a server",
            |file| {
                if file.starts_with("data/") {
                    Some(sort_of_data(file))
                } else if file.starts_with("unpause.std") {
                    Some(Sort::Output)
                } else {
                    file.starts_with("tmp/").then_some(Sort::File)
                }
            },
        )?);
        let backup = std::fs::read(self.folder.path().join("unpause.backup"))?;
        places.push(Place::new(Sort::File, "the backup", backup));
        Ok(Collected {
            places,
            markers: self.markers,
        })
    }
}

fn text_of<'a>(answer: &'a Value, field: &str) -> Result<&'a str> {
    let text = answer.get(field).and_then(Value::as_str);
    text.with_context(|| format!("the answer has no {field}"))
}

/// The code of the link in what a command says: of a sign-in, or of an invitation.
fn code_of(said: &str) -> Result<String> {
    let url = said
        .split_whitespace()
        .find(|word| word.starts_with("https://"))
        .with_context(|| format!("no link in {said}"))?;
    let url = Url::parse(url)?;
    let fields = url::form_urlencoded::parse(url.fragment().unwrap_or_default().as_bytes());
    let mut codes = fields.filter(|(name, _)| name == "code" || name == "invitation");
    let (_, code) = codes.next().context("the link has no code")?;
    Ok(code.into_owned())
}

/// The end of a webhook, which takes everything.
async fn listen(arrived: Arrived) -> Result<std::net::SocketAddr> {
    async fn take(State(arrived): State<Arrived>, fields: HeaderMap, body: Bytes) -> StatusCode {
        let mut kept = arrived.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(format!("{fields:?}\n").into_bytes());
        kept.extend(&body);
        StatusCode::NO_CONTENT
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(take).with_state(arrived);
    tokio::spawn(async move {
        // It ends with the run.
        let _ended = axum::serve(listener, router).await;
    });
    Ok(address)
}
