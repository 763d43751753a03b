//! A relay that gets its certificate itself, from a real authority (pebble): by each way to prove its name, over a renewal,
//! over an authority that is away or refuses, and over its own end at each point of an order.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::StatusCode;
use tests::authority::{Authority, Gate, directory_at};
use tests::entrance::{Name, chain_at, settings_by_acme};
use tests::http_client::http_client;
use tests::secrets::gather::{Place, Sort, files};
use tests::secrets::search::{Finder, Kind, Marker};
use tests::story::play::play_at;
use tests::story::relay::Relay;
use tests::story::servers::Servers;
use tests::story::telling::Telling;
use tests::wait::wait_for;
use tokio::net::TcpSocket;

use super::{SCRIPT, check};

/// Paths of the authority's: pebble's own names.
const ORDERS: &str = "/order-plz";
const ACCOUNTS: &str = "/sign-me-up";
/// From a start to a certificate on a busy machine.
const GOT_WITHIN: Duration = Duration::from_secs(30);

/// The life of a certificate that is renewed under load: the story and what a busy machine takes fit into it.
const LASTS_FOR: Duration = Duration::from_secs(45);
/// Two thirds of it.
const RENEWED_FROM: Duration = Duration::from_secs(30);

/// What a client sees, DER.
type Chain = Vec<Vec<u8>>;

/// An authority, a gate before it, and what a relay needs to ask there.
struct Scene {
    authority: Arc<Authority>,
    name: Name,
    /// Where it is asked: at the gate.
    gate: SocketAddr,
    /// The gate's port, so that nobody else takes it until the gate is opened; who knocks is refused.
    reserved: Mutex<Option<TcpSocket>>,
    folder: tempfile::TempDir,
    servers: Servers,
    challenge: &'static str,
    plain: Name,
}

impl Scene {
    async fn begin(challenge: &'static str, lasts_for: Duration) -> Self {
        Self::begin_for(challenge, lasts_for, None).await
    }

    async fn begin_for(
        challenge: &'static str,
        lasts_for: Duration,
        account: Option<(&str, &str)>,
    ) -> Self {
        let [name, plain] = [(); 2].map(|()| Name::new().unwrap());
        let (tls, http) = (name.address().port(), plain.address().port());
        let authority = Authority::start_for(tls, http, lasts_for, account);
        let authority = Arc::new(authority.await.unwrap());
        Self::at(authority, challenge, name, plain).await
    }

    /// Two relays at one authority: one that proves its name within TLS, one on port 80.
    async fn begin_both(lasts_for: Duration) -> [Self; 2] {
        let names = [(); 4].map(|()| Name::new().unwrap());
        let [name, plain, other_name, other_plain] = names;
        let (tls, http) = (name.address().port(), other_plain.address().port());
        let authority = Authority::start(tls, http, lasts_for).await.unwrap();
        let authority = Arc::new(authority);
        let shared = Arc::clone(&authority);
        [
            Self::at(shared, "tls-alpn-01", name, plain).await,
            Self::at(authority, "http-01", other_name, other_plain).await,
        ]
    }

    async fn at(
        authority: Arc<Authority>,
        challenge: &'static str,
        name: Name,
        plain: Name,
    ) -> Self {
        let reserved = bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("roots.pem"), authority.ca_pem()).unwrap();
        Self {
            authority,
            name,
            gate: reserved.local_addr().unwrap(),
            reserved: Mutex::new(Some(reserved)),
            folder,
            servers: Servers::start_sandbox(1).await.unwrap(),
            challenge,
            plain,
        }
    }

    fn open_gate(&self) -> Gate {
        let reserved = self.reserved.lock().unwrap().take();
        let socket = reserved.unwrap_or_else(|| bind(self.gate));
        Gate::open(socket.listen(64).unwrap(), &self.authority).unwrap()
    }

    /// The relay as the guide sets it up.
    async fn start_relay(&self) -> Relay {
        self.start_relay_with([]).await
    }

    /// The same with more settings.
    async fn start_relay_with<const N: usize>(&self, more: [(&'static str, String); N]) -> Relay {
        let roots = self.folder.path().join("roots.pem");
        let mut settings = settings_by_acme(self.name).unwrap();
        settings.extend([
            ("UNPAUSE_HTTP_LISTEN", self.plain.address().to_string()),
            ("UNPAUSE_TLS__ACME__DIRECTORY", directory_at(self.gate)),
            ("UNPAUSE_TLS__ACME__ROOTS", roots.display().to_string()),
            ("UNPAUSE_TLS__ACME__CHALLENGE", self.challenge.to_owned()),
        ]);
        settings.extend(more);
        let secret = Some(self.servers.client_secret());
        Relay::start_with(&self.servers, secret, settings)
            .await
            .unwrap()
    }

    /// The certificate that a client sees, as soon as it is another one than this.
    async fn see(&self, relay: &Relay, but: Option<&Chain>, within: Duration) -> Chain {
        let root = self.authority.root_pem().await.unwrap();
        let look = async || {
            let seen = chain_at(self.name, &root).await.ok()?;
            (Some(&seen) != but).then_some(seen)
        };
        let seen = wait_for("a certificate", look, within).await;
        seen.unwrap_or_else(|error| panic!("{error}\n{}\n{:?}", self.authority.said(), relay.log()))
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// The lines of its log with these words in the message, each with its error.
fn told(relay: &Relay, message: &str) -> Vec<String> {
    let log = relay.log();
    let of_it = log.iter().filter(|line| {
        let said = line["fields"]["message"].as_str().unwrap_or_default();
        said.contains(message)
    });
    of_it
        .map(|line| {
            line["fields"]["error"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

async fn wait_until_told(relay: &Relay, message: &str, within: Duration) -> String {
    let look = async || told(relay, message).pop();
    let said = wait_for("a line in the log", look, within).await;
    said.unwrap_or_else(|error| panic!("{error}: {message}\n{:?}", relay.log()))
}

/// What is kept is the relay's user's alone.
fn check_files(relay: &Relay) {
    let kept = relay.data().join("acme");
    let mode = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode(&kept), 0o700);
    let mut files: Vec<_> = std::fs::read_dir(&kept)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).collect();
    assert_eq!(names, ["account.json", "certificate.pem"]);
}

/// The story goes on over a renewal, which refuses nobody.
async fn renew_under_load(scene: Scene) {
    let gate = scene.open_gate();
    let relay = scene.start_relay().await;
    let first = scene.see(&relay, None, GOT_WITHIN).await;
    check_files(&relay);
    let root = scene.authority.root_pem().await.unwrap();
    let url = format!("{}/healthz", scene.name.url());
    let over = Arc::new(AtomicBool::new(false));
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let client = http_client(&[&root]).unwrap();
            let (url, over) = (url.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let mut answered = 0;
                while !over.load(Ordering::Relaxed) {
                    let asked = client.get(&url).header("connection", "close");
                    assert_eq!(asked.send().await.unwrap().status(), StatusCode::OK);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let told = Telling::begin(true);
    let ending = play_at(&relay, &root, &scene.servers, SCRIPT, &told).await;
    check(&ending.unwrap());
    // At two thirds of its time; a connection each time, so that what is seen is what is shown.
    let second = scene.see(&relay, Some(&first), RENEWED_FROM * 2).await;
    assert_ne!(first, second);
    over.store(true, Ordering::Relaxed);
    for task in asking {
        assert!(task.await.unwrap() > 10);
    }
    check_files(&relay);
    let orders = gate.asked(ORDERS, StatusCode::CREATED);
    assert_eq!(orders.len(), 2);
    // In whole seconds; then what a busy machine takes.
    let between_ms = u64::try_from(orders[1].at_ms - orders[0].at_ms).unwrap();
    let from = RENEWED_FROM.saturating_sub(Duration::from_secs(3));
    let between = Duration::from_millis(between_ms);
    assert!(
        (from..RENEWED_FROM + Duration::from_secs(12)).contains(&between),
        "{between:?}"
    );
    assert_eq!(gate.asked(ACCOUNTS, StatusCode::CREATED).len(), 1);
}

/// By each way to prove a name, at one authority and at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn by_acme_the_story_goes_on_over_a_renewal_within_tls_and_on_port_80() {
    let [within_tls, on_port_80] = Scene::begin_both(LASTS_FOR).await;
    tokio::join!(renew_under_load(within_tls), renew_under_load(on_port_80));
}

/// An authority that is away: what there is is shown, what is missing is told, and it goes on by itself. The account that
/// was made is used by the relay that is started again.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_away_is_told_and_what_there_is_is_shown() {
    let scene = Scene::begin("tls-alpn-01", Duration::from_secs(24)).await;
    let mut relay = scene.start_relay().await;
    let missing = "no certificate was got, and there is none: nobody can come by https";
    let error = wait_until_told(&relay, missing, GOT_WITHIN).await;
    assert!(
        error.starts_with("the certificate authority localhost cannot be asked: look whether this server reaches it"),
        "{error}"
    );
    let root = scene.authority.root_pem().await.unwrap();
    chain_at(scene.name, &root).await.unwrap_err();
    let gate = scene.open_gate();
    let first = scene.see(&relay, None, GOT_WITHIN).await;
    assert_eq!(gate.asked(ACCOUNTS, StatusCode::CREATED).len(), 1);
    relay.end().unwrap();
    drop(gate);
    relay.start_again().await.unwrap();
    assert_eq!(scene.see(&relay, None, GOT_WITHIN).await, first);
    // It is renewed after 16 of its 24 seconds, and shown until it ends.
    let kept_on = "no new certificate was got; the one before is shown on";
    wait_until_told(&relay, kept_on, Duration::from_secs(30)).await;
    assert_eq!(chain_at(scene.name, &root).await.unwrap(), first);
    let gate = scene.open_gate();
    scene.see(&relay, Some(&first), GOT_WITHIN).await;
    assert_eq!(gate.asked(ORDERS, StatusCode::CREATED).len(), 1);
    assert_eq!(gate.asked(ACCOUNTS, StatusCode::CREATED).len(), 0);
}

/// An authority that wishes to be left alone is, also by a relay that is started again meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_refuses_is_left_alone_as_long_as_it_wishes() {
    let scene = Scene::begin("http-01", Duration::from_hours(1)).await;
    let gate = scene.open_gate();
    gate.refuse_once(ORDERS, 6);
    let mut relay = scene.start_relay().await;
    let error = wait_until_told(&relay, "no certificate was got", GOT_WITHIN).await;
    assert_eq!(
        error,
        "the certificate authority localhost refused an order: too many certificates (5) already issued for this exact \
         set of identifiers; it is asked again when it wishes; for trying things out, set tls.acme.directory to staging"
    );
    relay.kill().unwrap();
    relay.start_again().await.unwrap();
    wait_until_told(&relay, "wishes to be left alone", GOT_WITHIN).await;
    scene.see(&relay, None, GOT_WITHIN).await;
    let refused = gate.asked(ORDERS, StatusCode::TOO_MANY_REQUESTS);
    let taken = gate.asked(ORDERS, StatusCode::CREATED);
    assert_eq!((refused.len(), taken.len()), (1, 1));
    let between_ms = taken[0].at_ms - refused[0].at_ms;
    // An eighth more at the most, and what a busy machine takes.
    assert!((6_000..12_000).contains(&between_ms), "{between_ms}");
}

/// Where the authority cannot find the relay, its operator reads what to look at.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_proved_is_told_with_what_to_look_at() {
    for (challenge, port) in [("tls-alpn-01", "port 443"), ("http-01", "port 80")] {
        let mut scene = Scene::begin(challenge, Duration::from_hours(1)).await;
        let gate = scene.open_gate();
        // It listens elsewhere than the authority looks.
        scene.name = Name::new().unwrap();
        scene.plain = Name::new().unwrap();
        let relay = scene.start_relay().await;
        let error = wait_until_told(&relay, "no certificate was got", GOT_WITHIN).await;
        let start = "the certificate authority localhost did not find this relay at localhost: ";
        assert!(error.starts_with(start), "{error}");
        let advice = format!("{port} of the name must lead from the internet to ");
        assert!(error.contains(&advice), "{error}");
        // It is not asked again at once.
        assert_eq!(gate.asked(ORDERS, StatusCode::CREATED).len(), 1);
    }
}

/// Nonces that an authority calls bad, more often than the client tries a request, are refreshed at once, wherever an order
/// stands; it stays one order.
#[tokio::test(flavor = "multi_thread")]
async fn nonces_that_are_called_bad_cost_neither_time_nor_an_order() {
    let scene = Scene::begin("http-01", Duration::from_hours(1)).await;
    let gate = scene.open_gate();
    gate.call_bad(ACCOUNTS, 4);
    let mut relay = scene.start_relay().await;
    let mut seen = scene.see(&relay, None, GOT_WITHIN).await;
    assert!(gate.has_called_bad());
    for path in [
        ORDERS,
        "/authZ/",
        "/chalZ/",
        "/my-order/",
        "/finalize-order/",
        "/certZ/",
    ] {
        let before = gate.asked(ORDERS, StatusCode::CREATED).len();
        relay.end().unwrap();
        std::fs::remove_file(relay.data().join("acme/certificate.pem")).unwrap();
        gate.call_bad(path, 4);
        relay.start_again().await.unwrap();
        seen = scene.see(&relay, Some(&seen), GOT_WITHIN).await;
        assert!(gate.has_called_bad(), "{path}");
        let orders = gate.asked(ORDERS, StatusCode::CREATED).len();
        assert_eq!(orders - before, 1, "{path}");
    }
    assert_eq!(gate.asked(ACCOUNTS, StatusCode::CREATED).len(), 1);
}

/// A relay that is killed while an order is under way goes on with that one, wherever it stood.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_interrupted_is_gone_on_with() {
    let scene = Scene::begin("tls-alpn-01", Duration::from_hours(1)).await;
    let gate = scene.open_gate();
    let mut relay = scene.start_relay().await;
    let mut seen = scene.see(&relay, None, GOT_WITHIN).await;
    for held in ["/authZ/", "/chalZ/", "/finalize-order/", "/certZ/"] {
        let before = gate.asked(ORDERS, StatusCode::CREATED).len();
        let proved = scene.authority.said().matches("set VALID").count();
        relay.kill().unwrap();
        std::fs::remove_file(relay.data().join("acme/certificate.pem")).unwrap();
        gate.hold(Some(held));
        relay.start_again().await.unwrap();
        let look = async || gate.has_held().then_some(());
        wait_for(held, look, GOT_WITHIN).await.unwrap();
        if held != "/authZ/" {
            // It looks while the relay that it looks for is there.
            let look = async || {
                (scene.authority.said().matches("set VALID").count() > proved).then_some(())
            };
            wait_for("the authority's look", look, GOT_WITHIN)
                .await
                .unwrap();
        }
        relay.kill().unwrap();
        gate.hold(None);
        relay.start_again().await.unwrap();
        seen = scene.see(&relay, Some(&seen), GOT_WITHIN).await;
        let orders = gate.asked(ORDERS, StatusCode::CREATED).len();
        assert_eq!(orders - before, 1, "{held}");
        check_files(&relay);
    }
    assert_eq!(gate.asked(ACCOUNTS, StatusCode::CREATED).len(), 1);
}

/// An authority that takes nobody without an account made elsewhere says so, and takes who has one.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_made_elsewhere_is_bound() {
    let (id, key) = (
        "kid-1",
        "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
    );
    let scene = Scene::begin_for("http-01", Duration::from_hours(1), Some((id, key))).await;
    let gate = scene.open_gate();
    let relay = scene.start_relay().await;
    let error = wait_until_told(&relay, "no certificate was got", GOT_WITHIN).await;
    let advice = "; set tls.acme.eab_key_id and tls.acme.eab_key to what the authority gives you";
    assert!(
        error.contains(" refused an account: ") && error.ends_with(advice),
        "{error}"
    );
    drop(relay);
    let relay = scene
        .start_relay_with([
            ("UNPAUSE_TLS__ACME__EAB_KEY_ID", id.to_owned()),
            ("UNPAUSE_TLS__ACME__EAB_KEY", key.to_owned()),
            ("UNPAUSE_TLS__ACME__CONTACT", "you@acme.example".to_owned()),
        ])
        .await;
    scene.see(&relay, None, GOT_WITHIN).await;
    check_files(&relay);
    assert_eq!(gate.asked(ACCOUNTS, StatusCode::CREATED).len(), 1);
    // Nothing that is left or told has the key, in any form.
    let mut places = files(&relay.folder(), "the relay", |_| Some(Sort::File)).unwrap();
    for arguments in [&["doctor"][..], &["doctor", "--json"], &["config"]] {
        let mut command = tokio::process::Command::from(relay.command(arguments));
        command
            .env("UNPAUSE_TLS__ACME__EAB_KEY_ID", id)
            .env("UNPAUSE_TLS__ACME__EAB_KEY", key);
        let said = command.kill_on_drop(true).output().await.unwrap();
        let name = format!("unpause {}", arguments.join(" "));
        places.push(Place::new(
            Sort::Output,
            name,
            [said.stdout, said.stderr].concat(),
        ));
    }
    let finder = Finder::new([
        Marker::new(Kind::BindingKey, key),
        Marker {
            kind: Kind::BindingKey,
            value: BASE64_URL_SAFE_NO_PAD.decode(key).unwrap(),
        },
    ])
    .unwrap();
    assert!(
        places
            .iter()
            .any(|place| place.name.ends_with("account.json"))
    );
    for place in &places {
        let found = finder.find(&place.bytes);
        assert!(found.is_empty(), "the key is in {}: {found:?}", place.name);
    }
}
