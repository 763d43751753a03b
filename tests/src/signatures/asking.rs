//! Who asks, what, and whom: a relay with an inbox and a campaign, two devices that are paired with it and one that is
//! not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use sandbox::device::{Device, Proof, Question, Said};

use super::pick;
use super::wire::{Got, Sent};
use crate::story::play::{connect, create_campaign};
use crate::story::reconnecting::Device as Paired;
use crate::story::relay::Relay;
use crate::story::servers::Servers;
use crate::story::telling::Telling;

/// Leads of the campaign, which is never started.
const LEADS: u64 = 4;

/// Everything that is asked with.
pub(super) struct Asking {
    _servers: Servers,
    _relay: Relay,
    pub(super) address: SocketAddr,
    /// The relay's public key, base64url.
    pub(super) relay_key: String,
    pub(super) device: Arc<Device>,
    /// Paired as well.
    pub(super) other: Arc<Device>,
    /// Not paired.
    pub(super) stranger: Device,
    bases: Vec<Base>,
    /// The nonces that were good, and are not any more.
    pub(super) used: Vec<String>,
}

/// Something to ask.
#[derive(Clone, Debug)]
pub(super) struct Base {
    method: &'static str,
    path: String,
    query: Option<&'static str>,
    content_type: Option<&'static str>,
    if_none_match: Option<&'static str>,
    body: &'static [u8],
}

/// Something that was asked, and what the relay answered.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) proof: Proof,
    pub(super) got: Got,
}

impl Base {
    pub(super) fn question(&self) -> Question<'_> {
        Question {
            method: self.method,
            path: &self.path,
            query: self.query,
            content_type: self.content_type,
            if_none_match: self.if_none_match,
            relay_key: None,
            body: self.body,
        }
    }

    /// On the wire, with this proof.
    pub(super) fn send(&self, proof: &Proof) -> Sent {
        let query = self.query.map(|query| format!("?{query}"));
        let mut fields: Vec<(&'static str, Vec<u8>)> = Vec::new();
        for (name, value) in [
            ("content-type", self.content_type),
            ("if-none-match", self.if_none_match),
        ] {
            fields.extend(value.map(|value| (name, value.into())));
        }
        fields.extend(proof.fields().map(|(name, value)| (name, value.into())));
        Sent {
            method: self.method.into(),
            target: format!("{}{}", self.path, query.unwrap_or_default()).into(),
            fields,
            body: self.body.to_vec(),
        }
    }
}

impl Asking {
    pub(super) async fn begin(telling: &Telling) -> Result<Self> {
        let servers = Servers::start_sandbox(1).await?;
        let relay = Relay::start(&servers, None).await?;
        let operator = relay.operator()?;
        let paired = Paired::pair(&relay.base(), &operator).await?;
        let second = Paired::pair(&relay.base(), &operator).await?;
        let inbox = connect(
            &operator,
            &paired,
            &servers,
            Duration::from_secs(1),
            telling,
        )
        .await?;
        let campaign = create_campaign(&operator, &inbox, LEADS, Duration::from_hours(1)).await?;
        let (device, relay_key) = paired.api.key().context("a device has a key")?;
        let (other, _) = second.api.key().context("a device has a key")?;
        let get = |path: String, query, if_none_match| Base {
            method: "GET",
            path,
            query,
            content_type: None,
            if_none_match,
            body: b"",
        };
        let bases = vec![
            get("/v1/status".to_owned(), None, None),
            get("/v1/status".to_owned(), None, Some("\"another-tag\"")),
            get(
                format!("/v1/campaigns/{campaign}/deliveries"),
                Some("limit=5"),
                None,
            ),
            Base {
                method: "POST",
                path: format!("/v1/inboxes/{inbox}/reconnects"),
                query: None,
                content_type: Some("application/json"),
                if_none_match: None,
                body: b"{}",
            },
        ];
        Ok(Self {
            address: relay.address(),
            device: Arc::clone(device),
            other: Arc::clone(other),
            stranger: Device::new()?,
            relay_key: relay_key.to_owned(),
            _servers: servers,
            _relay: relay,
            bases,
            used: Vec::new(),
        })
    }

    /// Something to ask.
    pub(super) fn pick(&self, rng: &mut StdRng) -> Base {
        pick(&self.bases, rng)
    }

    /// Asks and hears, with nothing changed on the way; whether the relay did it, and what.
    pub(super) async fn ask(&mut self, base: &Base) -> Result<(Sent, Answered)> {
        // The relay's challenge is another one every few minutes, and after a start.
        for _ in 0..2 {
            let before = self.device.challenge();
            let proof = self.device.sign(&base.question());
            let sent = base.send(&proof);
            let got = sent.exchange(self.address).await?;
            let is_its = self.device.is_said(&self.relay_key, &proof, &said(&got));
            ensure!(is_its, "an answer that the relay did not sign: {got:?}");
            if got.status == 401 && self.device.challenge() != before {
                continue;
            }
            let nonce = nonce_of(&proof).to_owned();
            self.used.push(nonce);
            return Ok((sent, Answered { proof, got }));
        }
        anyhow::bail!("the relay takes no challenge of its own")
    }

    /// Answers of the relay to everything that there is to ask, each twice.
    pub(super) async fn hear(&mut self) -> Result<Vec<Answered>> {
        let mut heard = Vec::new();
        for base in self.bases.clone().into_iter().chain(self.bases.clone()) {
            let (_, answered) = self.ask(&base).await?;
            ensure!(answered.got.is_done(), "refused: {answered:?}");
            heard.push(answered);
        }
        Ok(heard)
    }
}

/// What came back, for the judge.
pub(super) fn said(got: &Got) -> Said<'_> {
    let field = |name| got.field(name).unwrap_or_default();
    Said {
        status: got.status,
        content_digest: field("content-digest"),
        challenge: field("unpause-challenge"),
        etag: got.field("etag"),
        signature_input: field("signature-input"),
        signature: field("signature"),
        body: &got.body,
    }
}

/// What is used once in a proof.
pub(super) fn nonce_of(proof: &Proof) -> &str {
    let after = proof.signature_input.split_once("nonce=\"");
    let nonce = after.and_then(|(_, rest)| rest.split_once('"'));
    nonce.map_or("", |(nonce, _)| nonce)
}
