//! A relay behind a recorder, its log at its most talkative, and everything that comes of it: output, answers,
//! files. What the story is stands in [`super::run`].

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::Method;
use protocol::id::{InboxId, ReconnectId};
use protocol::request::reconnect::HostReconnect;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use serde_json::Value;
use url::Url;

use super::gather::{Place, Sort, files, process, sort_of_data};
use super::recorder::Recorder;
use super::search::{Kind, Marker};
use crate::child::Child;
use crate::http_client::http_client;
use crate::oauth_client::{Answer, Browser, Consent};
use crate::person::Person;
use crate::story::api::Api;
use crate::story::reconnecting::Device;
use crate::story::relay::Relay;
use crate::story::servers::Servers;
use crate::wait::wait_for;

/// A command of the operator answers in a second; the rest is for a busy machine.
const COMMAND_WITHIN: Duration = Duration::from_mins(2);

/// How the relay is started.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Whether its registration has a secret.
    pub confidential: bool,
    /// Whether its log lines are JSON.
    pub json: bool,
}

/// A watched relay.
#[derive(Debug)]
pub struct Watched {
    /// The relay.
    pub relay: Relay,
    /// What stands before it; every caller goes there.
    pub recorder: Recorder,
    /// Its operator.
    pub operator: Api,
    /// What was collected while it ran.
    places: Vec<Place>,
    /// The token of a session of its dashboard.
    session: String,
    n_commands: usize,
}

impl Watched {
    /// Starts it for these servers.
    pub async fn start(servers: &Servers, how: How) -> Result<Self> {
        let secret = how.confidential.then(|| servers.client_secret());
        let variables = [("UNPAUSE_LOG", "trace".to_owned())];
        let json = [("UNPAUSE_LOG_JSON", how.json.to_string())];
        let relay = Relay::start_with(servers, secret, variables.into_iter().chain(json)).await?;
        let mut recorder = Recorder::start(relay.base()).await?;
        // The operator's commands find the recorder in a data folder of their own.
        let data = commands_data(&relay);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&data)?;
        let socket = data.join("operator.sock");
        recorder.stand_at(&socket, &relay.socket())?;
        let operator = Api::at(socket)?;
        let mut watched = Self {
            relay,
            recorder,
            operator,
            places: Vec::new(),
            session: String::new(),
            n_commands: 0,
        };
        watched.greet().await?;
        Ok(watched)
    }

    /// Pairs a scripted device by way of the recorder.
    pub async fn pair(&self) -> Result<Device> {
        Device::pair(&self.recorder.base(), &self.operator).await
    }

    /// Ends it by SIGKILL and collects what it leaves.
    pub fn kill(&mut self) -> Result<()> {
        self.relay.kill()?;
        let left = files(&self.relay.folder(), "the killed relay", |file| {
            is_of_the_relay(file).then_some(Sort::Killed)
        })?;
        self.places.extend(left);
        Ok(())
    }

    /// Ends it as an operator does, if it runs, and starts it on the data it had, with this setting instead of the
    /// default one.
    pub async fn start_again(&mut self, setting: Option<(&'static str, String)>) -> Result<()> {
        self.relay.end()?;
        self.relay.start_again_with(setting).await?;
        self.greet().await
    }

    /// A session is asked for anew after every start.
    async fn greet(&mut self) -> Result<()> {
        self.session = self.operator.sign_in(&self.recorder.base()).await?;
        if let Some(id) = self.relay.process_id() {
            self.places.extend(process(id, "unpause serve"));
        }
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.relay.command(&[]);
        // The last one counts.
        command
            .env("UNPAUSE_DATA", commands_data(&self.relay))
            .args(arguments);
        command
    }

    /// Runs a command of the operator, keeps what it says, and answers its standard output.
    pub async fn run(&mut self, arguments: &[&str], stdin: &str) -> Result<String> {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let stdin = stdin.to_owned();
        let run = tokio::task::spawn_blocking(move || -> Result<_> {
            let mut child = command.spawn()?;
            if let Some(mut pipe) = child.stdin.take() {
                // A command that reads nothing may be gone.
                let _written = pipe.write_all(stdin.as_bytes());
            }
            Ok(child.wait_with_output()?)
        });
        let output = tokio::time::timeout(COMMAND_WITHIN, run)
            .await
            .with_context(|| format!("unpause {arguments:?} does not end"))???;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        self.keep_output(arguments, output.stdout, output.stderr);
        Ok(stdout)
    }

    fn keep_output(&mut self, arguments: &[&str], stdout: Vec<u8>, stderr: Vec<u8>) {
        let words: Vec<&str> = arguments
            .iter()
            .take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
            .copied()
            .collect();
        let name = words.join(" ");
        for (stream, bytes) in [("stdout", stdout), ("stderr", stderr)] {
            let place = format!("{stream} of unpause {name}");
            self.places.push(Place::new(Sort::Output, place, bytes));
        }
    }

    /// `unpause reconnect start` of an inbox, finished on the provider's page by `person`.
    pub async fn reconnect_at_terminal(&mut self, inbox: &InboxId, person: &Person) -> Result<()> {
        self.n_commands += 1;
        let name = format!("terminal-{}", self.n_commands);
        let folder = self.relay.folder();
        let arguments = ["--json", "reconnect", "start", inbox.as_str()];
        let mut child = Child::start(&name, self.command(&arguments), &folder)?;
        let stdout = folder.join(format!("{name}.stdout"));
        let look = async || {
            let text = std::fs::read_to_string(&stdout).ok()?;
            let line = text.lines().next()?;
            let told: Value = serde_json::from_str(line).ok()?;
            Url::parse(told.get("authorization_url")?.as_str()?).ok()
        };
        let url = child
            .wait_until("the address to sign in at", look, COMMAND_WITHIN)
            .await?;
        self.places
            .extend(process(child.id(), "unpause reconnect start"));
        let walk = Browser::new(&[])?
            .walk(&url, person, Consent::Allow)
            .await?;
        let back = back_from(&url, &walk.answer)?;
        http_client(&[])?.get(back).send().await?;
        let ended = async || child.exit_status().ok()?;
        wait_for("the command to end", ended, COMMAND_WITHIN).await?;
        let words: [&str; 2] = ["reconnect", "start"];
        self.keep_output(
            &words,
            child.stdout().into_bytes(),
            child.stderr().into_bytes(),
        );
        Ok(())
    }

    /// A sign-in that the relay runs in a tab, finished on the provider's page by `person`.
    pub async fn reconnect_in_tab(&self, reconnect: &ReconnectId, person: &Person) -> Result<()> {
        let request = HostReconnect {
            reconnect_id: reconnect.clone(),
        };
        let hosted = self.operator.call(&request).await?;
        let (relay, recorder) = (self.relay.base(), self.recorder.base());
        let tab = http_client(&[])?;
        let start = hosted.url.expose().replace(&relay, &recorder);
        let begun = tab.get(start).send().await?;
        let to = begun
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok())
            .context("the tab is not sent to the provider")?;
        let url = Url::parse(to)?;
        let walk = Browser::new(&[])?
            .walk(&url, person, Consent::Allow)
            .await?;
        let back = back_from(&url, &walk.answer)?;
        let back = back.as_str().replace(&relay, &recorder);
        tab.get(back).send().await?;
        Ok(())
    }

    /// Calls every endpoint that changes nothing, for all that exists, as the relay's own document lists them.
    pub async fn ask_everything(&self) -> Result<()> {
        let document = self.get("/openapi.json").await?;
        let document: Value = serde_json::from_slice(&document)?;
        let paths = document
            .get("paths")
            .and_then(Value::as_object)
            .context("the document lists no paths")?;
        let known = self.known_ids();
        for (path, methods) in paths {
            if methods.get("get").is_none() {
                continue;
            }
            let mut wanted = vec![path.clone()];
            for (prefix, ids) in &known {
                wanted = wanted
                    .into_iter()
                    .flat_map(|path| fill(&path, prefix, ids))
                    .collect();
            }
            for path in wanted.iter().filter(|path| !path.contains('{')) {
                self.get(path).await?;
            }
        }
        for path in [
            "/healthz",
            "/readyz",
            "/",
            "/campaigns",
            "/relay.css",
            "/nowhere",
        ] {
            self.get(path).await?;
        }
        Ok(())
    }

    /// Sends what a careless caller might: secrets where none belong. The refusals must not repeat them.
    pub async fn ask_carelessly(&self, secret: &str) -> Result<()> {
        let http = http_client(&[])?;
        let quoted = serde_json::to_string(secret)?;
        let bodies = [
            format!("{{\"code\":[{quoted}],\"name\":\"x\"}}"),
            format!("{{\"code\":{quoted},\"name\":{quoted}}}"),
            format!("{{\"name\":\"x\",\"inboxes\":{quoted},\"steps\":{quoted}}}"),
            format!("{{\"address\":\"a@b.cd\",\"provider\":\"sandbox\",\"smtp\":{quoted}}}"),
            format!("{{\"sealed\":{quoted}}}"),
            format!("{{\"why\":{{\"kind\":{quoted}}}}}"),
            quoted.clone(),
            format!("{{{quoted}"),
        ];
        let paths = [
            "/v1/devices",
            "/v1/sessions",
            "/v1/inboxes",
            "/v1/campaigns",
            "/v1/reconnects/rec_none/grant",
            "/v1/reconnects/rec_none/refuse",
            "/v1/deliveries/dlv_none/settle",
        ];
        for path in paths {
            for body in &bodies {
                let url = format!("{}{path}", self.recorder.base());
                let call = http
                    .request(Method::POST, url)
                    .header(CONTENT_TYPE, "application/json")
                    .header(AUTHORIZATION, self.bearer())
                    .body(body.clone());
                call.send().await?;
            }
        }
        let in_query = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
        for path in [
            "/v1/status",
            "/v1/inboxes",
            "/oauth/start",
            "/oauth/callback/sandbox",
        ] {
            let url = format!(
                "{}{path}?ticket={in_query}&code={in_query}&state={in_query}&limit={in_query}",
                self.recorder.base()
            );
            http.get(&url).send().await?;
            let strange = http
                .get(&url)
                .header(AUTHORIZATION, format!("Basic {in_query}"));
            strange.send().await?;
            let wrong = http
                .get(&url)
                .header(AUTHORIZATION, format!("Bearer {in_query}"));
            wrong.send().await?;
        }
        Ok(())
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.session)
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>> {
        let url = format!("{}{path}", self.recorder.base());
        let call = http_client(&[])?
            .get(url)
            .header(AUTHORIZATION, self.bearer());
        Ok(call.send().await?.bytes().await?.to_vec())
    }

    /// The ids that answers have named so far, by their prefix.
    fn known_ids(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut known: BTreeMap<_, Vec<String>> = ["cmp_", "inb_", "rec_", "rcp_"]
            .map(|prefix| (prefix, Vec::new()))
            .into();
        for answer in self.recorder.answers() {
            let text = String::from_utf8_lossy(&answer.bytes);
            for word in text.split(|letter: char| !is_of_an_id(letter)) {
                let prefix = word.get(..4).unwrap_or_default();
                if let Some(ids) = known.get_mut(prefix)
                    && word.len() > 20
                    && !ids.iter().any(|id| id == word)
                {
                    ids.push(word.to_owned());
                }
            }
        }
        known
    }

    /// Ends it and collects everything.
    pub fn collect(mut self, servers: &Servers) -> Result<Collected> {
        self.relay.end()?;
        let folder = self.relay.folder();
        let mut places = std::mem::take(&mut self.places);
        places.extend(files(&folder, "the relay", |file| {
            if file.starts_with("keys/") {
                Some(Sort::KeyFile)
            } else if file.starts_with("unpause.std") {
                Some(Sort::Output)
            } else if file.starts_with("data/") {
                Some(sort_of_data(file))
            } else {
                is_of_the_relay(file).then_some(Sort::File)
            }
        })?);
        let mut by_name: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for answer in self.recorder.answers() {
            let name = format!("{} {} ", answer.method, without_ids(&answer.path));
            let bytes = by_name.entry(name).or_default();
            bytes.extend(answer.bytes);
            bytes.push(b'\n');
        }
        let answers = by_name
            .into_iter()
            .map(|(name, bytes)| Place::new(Sort::Answer, name, bytes));
        places.extend(answers);
        let mut markers = self.recorder.handed_out();
        markers.extend(sealing_key(&self.relay)?);
        markers.push(Marker::new(Kind::ClientSecret, servers.client_secret()));
        Ok(Collected { places, markers })
    }
}

/// What a run left, and what must not be in it.
#[derive(Debug, Default)]
pub struct Collected {
    /// Where to search.
    pub places: Vec<Place>,
    /// What for.
    pub markers: Vec<Marker>,
}

impl Collected {
    /// Takes over what another one has.
    pub fn extend(&mut self, other: Self) {
        self.places.extend(other.places);
        self.markers.extend(other.markers);
    }
}

/// Where the provider sends the browser back to, with its answer (RFC 6749 §4.1.2).
fn back_from(url: &Url, answer: &Answer) -> Result<Url> {
    let (_, redirect) = url
        .query_pairs()
        .find(|(name, _)| name == "redirect_uri")
        .context("no redirect address")?;
    let mut back = Url::parse(&redirect)?;
    let Answer::Granted { code, state, iss } = answer else {
        bail!("the provider refused");
    };
    back.query_pairs_mut()
        .append_pair("code", code)
        .extend_pairs(state.iter().map(|state| ("state", state)))
        .extend_pairs(iss.iter().map(|iss| ("iss", iss)));
    Ok(back)
}

/// The data folder that the operator's commands are told of.
fn commands_data(relay: &Relay) -> PathBuf {
    relay.folder().join("cli/data")
}

/// Text and bytes of the key.
fn sealing_key(relay: &Relay) -> Result<[Marker; 2]> {
    use base64::Engine as _;
    let text = std::fs::read_to_string(relay.folder().join("keys/unpause.key"))?;
    let text = text
        .lines()
        .nth(1)
        .context("the key file has no key")?
        .trim();
    let bytes = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text)?;
    Ok([
        Marker::new(Kind::SealingKey, text),
        Marker {
            kind: Kind::SealingKey,
            value: bytes,
        },
    ])
}

/// What the relay wrote itself: not its configuration, its key, its output, or what the operator's commands have.
fn is_of_the_relay(file: &str) -> bool {
    file.starts_with("data/") || file.starts_with("tmp/")
}

fn is_of_an_id(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_-".contains(letter)
}

/// The path with each of the ids in the place of the parameter that takes it.
fn fill(path: &str, prefix: &str, ids: &[String]) -> Vec<String> {
    let parameter = match prefix {
        "cmp_" => "{campaign_id}",
        "inb_" => "{inbox_id}",
        "rec_" => "{reconnect_id}",
        _ => "{receipt_id}",
    };
    if path.contains(parameter) {
        ids.iter().map(|id| path.replace(parameter, id)).collect()
    } else {
        vec![path.to_owned()]
    }
}

/// The path with `…` for each id and each file of a page.
fn without_ids(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .map(|part| {
            if part.get(3..4) == Some("_") {
                "…"
            } else {
                part
            }
        })
        .collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_filled_with_every_id_and_named_without() {
        let ids = ["rec_1".to_owned(), "rec_2".to_owned()];
        assert_eq!(
            fill("/v1/reconnects/{reconnect_id}", "rec_", &ids),
            ["/v1/reconnects/rec_1", "/v1/reconnects/rec_2"]
        );
        assert_eq!(fill("/v1/status", "rec_", &ids), ["/v1/status"]);
        assert_eq!(
            without_ids("/v1/reconnects/rec_abc/grant"),
            "/v1/reconnects/…/grant"
        );
    }
}
