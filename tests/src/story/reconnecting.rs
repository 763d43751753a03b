//! A device that reconnects an inbox: everything that the extension does, without a browser.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hpke::rand_core::UnwrapErr;
use protocol::id::{DeviceId, InboxId, ReconnectId};
use protocol::pairing::CodeProof;
use protocol::reconnect::{Authorization, Exchange, Grant, sealing_context};
use protocol::request::device::{CreateDevice, CreatePairing};
use protocol::request::reconnect::{
    ConfirmReconnect, GetReconnect, GrantReconnect, NothingObtained, Reconnect, ReconnectState,
    RefuseReconnect, StartReconnect,
};
use protocol::sealed::RelayKey;
use protocol::secret::Secret;
use url::Url;

use super::api::Api;
use super::servers::REDIRECT_URI;
use super::telling::Telling;
use crate::oauth_client::flow::{ClientFlow, FlowSettings};
use crate::oauth_client::{Answer, Browser, Consent};
use crate::person::Person;
use crate::wait::wait_for;

/// A verified reconnect takes a second; the rest is for a busy machine and for retries.
const OVER_WITHIN: Duration = Duration::from_mins(2);

/// A paired device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its caller.
    pub api: Api,
    relay_key: RelayKey,
    /// Its name at the relay.
    pub id: DeviceId,
    /// That it had the code by which it was paired.
    pub proof: CodeProof,
}

impl Device {
    /// Pairs a device with the relay at `base`, with a code from its operator.
    pub async fn pair(base: &str, operator: &Api) -> Result<Self> {
        Self::pair_at(base, operator, None).await
    }

    /// The same from a page or an extension of this origin.
    pub async fn pair_at(base: &str, operator: &Api, origin: Option<&str>) -> Result<Self> {
        let pairing = operator.call(&CreatePairing {}).await?;
        Self::pair_with(base, pairing.link.expose(), origin, None).await
    }

    /// The same at the address that the operator's link names, by TLS with this authority.
    pub async fn pair_by_tls(operator: &Api, ca_pem: &str) -> Result<Self> {
        let pairing = operator.call(&CreatePairing {}).await?;
        let link = pairing.link.expose();
        Self::pair_with(&read_link(link, "relay")?, link, None, Some(ca_pem)).await
    }

    /// Pairs a device by a link, at the address that it names.
    pub async fn pair_by(link: &str) -> Result<Self> {
        let base = read_link(link, "relay")?;
        Self::pair_with(&base, link, None, None).await
    }

    async fn pair_with(
        base: &str,
        link: &str,
        origin: Option<&str>,
        ca_pem: Option<&str>,
    ) -> Result<Self> {
        let key = Arc::new(sandbox::device::Device::new()?);
        let relay_key = read_link(link, "key")?;
        let mut api = Api::of_device(base, Arc::clone(&key), relay_key)?.from_origin(origin);
        if let Some(ca_pem) = ca_pem {
            api = api.trusting(ca_pem)?;
        }
        let proof = key.prove(&read_link(link, "code")?);
        let proof: CodeProof = serde_json::from_value(proof.into())?;
        let request = CreateDevice {
            proof: proof.clone(),
            name: "scripted client".to_owned(),
        };
        let paired = api.call(&request).await?;
        Ok(Self {
            api,
            relay_key: paired.relay_key,
            id: paired.id,
            proof,
        })
    }

    /// Starts a reconnect, visits the provider as `person`, and hands over what was obtained.
    pub async fn hand_over(
        &self,
        inbox: &InboxId,
        person: &Person,
        telling: &Telling,
    ) -> Result<ReconnectId> {
        let started = self
            .api
            .call(&StartReconnect {
                inbox_id: inbox.clone(),
            })
            .await?;
        let id = started.reconnect.id;
        let Some(authorization) = started.authorization else {
            bail!("the reconnect {id} is under way already");
        };
        match visit(&authorization, person, telling).await? {
            Ok(grant) => {
                self.grant(&id, &sealing_context(&id, inbox), &grant)
                    .await?;
            }
            Err(error) => {
                let request = RefuseReconnect {
                    reconnect_id: id.clone(),
                    why: NothingObtained::Provider {
                        error,
                        description: None,
                    },
                };
                self.api.call(&request).await?;
            }
        }
        Ok(id)
    }

    /// Starts a reconnect and hands this password over.
    pub async fn hand_over_password(
        &self,
        inbox: &InboxId,
        person: &Person,
        password: String,
    ) -> Result<ReconnectId> {
        let started = self
            .api
            .call(&StartReconnect {
                inbox_id: inbox.clone(),
            })
            .await?;
        let id = started.reconnect.id;
        let grant = Grant::Password {
            user: person.address.clone(),
            password: Secret::new(password),
        };
        self.grant(&id, &sealing_context(&id, inbox), &grant)
            .await?;
        Ok(id)
    }

    /// Hands over what was obtained, sealed with this context.
    pub async fn grant(&self, id: &ReconnectId, context: &str, grant: &Grant) -> Result<()> {
        let plain = serde_json::to_vec(grant)?;
        let random = &mut UnwrapErr(getrandom::SysRng);
        let sealed = self.relay_key.seal(context, &plain, random)?;
        self.api
            .call(&GrantReconnect {
                reconnect_id: id.clone(),
                sealed,
            })
            .await?;
        Ok(())
    }

    /// Waits until a reconnect is over. Whoever signed in under another name than the inbox's is meant to.
    pub async fn wait_over(&self, id: &ReconnectId) -> Result<Reconnect> {
        let look = async || {
            let reconnect = self
                .api
                .call(&GetReconnect {
                    reconnect_id: id.clone(),
                })
                .await
                .ok()?;
            if reconnect.state == ReconnectState::Unconfirmed {
                let confirm = ConfirmReconnect {
                    reconnect_id: id.clone(),
                };
                self.api.call(&confirm).await.ok()?;
            }
            matches!(
                reconnect.state,
                ReconnectState::Resumed | ReconnectState::Refused
            )
            .then_some(reconnect)
        };
        Ok(wait_for("the end of the reconnect", look, OVER_WITHIN).await?)
    }
}

/// The visit at the provider: what to hand over, or the provider's error.
async fn visit(
    authorization: &Authorization,
    person: &Person,
    telling: &Telling,
) -> Result<Result<Grant, String>> {
    // Without a browser nobody is signed in anywhere, so only the visit that asks can succeed.
    let visit = authorization
        .visits
        .iter()
        .find(|visit| visit.interactive)
        .context("no visit asks the person")?;
    let mut parameters = visit.parameters.clone();
    if person.address == authorization.login_hint {
        // Somebody else has pressed "Use another account".
        parameters.push(("login_hint".to_owned(), authorization.login_hint.clone()));
    }
    let flow = ClientFlow::begin(&FlowSettings {
        authorization_endpoint: Url::parse(&authorization.authorization_endpoint)?,
        token_endpoint: Url::parse(&authorization.token_endpoint)?,
        client_id: authorization.client_id.clone(),
        redirect_uri: REDIRECT_URI.to_owned(),
        scopes: authorization.scopes.clone(),
        parameters,
    })?;
    let walk = Browser::new(&[])?
        .walk(flow.authorization_url(), person, Consent::Allow)
        .await?;
    for step in &walk.steps {
        telling.say(&format!(
            "  at the provider, \"{}\": {}",
            step.page_title, step.action
        ));
    }
    let (Answer::Granted { iss, .. } | Answer::Refused { iss, .. }) = &walk.answer;
    if authorization.names_issuer && iss.as_deref() != Some(authorization.issuer.as_str()) {
        bail!(
            "the redirect names the issuer {iss:?}, not {}",
            authorization.issuer
        );
    }
    if let Answer::Refused { error, .. } = &walk.answer {
        return Ok(Err(error.clone()));
    }
    Ok(Ok(match authorization.exchange {
        Exchange::Confidential => Grant::Code {
            code: Secret::new(flow.code(&walk.answer)?),
            verifier: Secret::new(flow.verifier()),
            redirect_uri: flow.redirect_uri().to_owned(),
        },
        Exchange::Public => {
            let tokens = flow
                .exchange(&walk.answer, &crate::http_client::http_client(&[])?)
                .await?;
            Grant::Tokens {
                access_token: Secret::new(tokens.access_token),
                refresh_token: tokens.refresh_token.map(Secret::new),
                expires_in_ms: tokens
                    .expires_in
                    .and_then(|life| u64::try_from(life.as_millis()).ok()),
                scope: tokens.scopes.map(|scopes| scopes.join(" ")),
            }
        }
    }))
}

/// What a pairing link says.
fn read_link(link: &str, name: &str) -> Result<String> {
    let url = Url::parse(link)?;
    let found = url.query_pairs().find(|(found, _)| found == name);
    let (_, value) = found.with_context(|| format!("the link names no {name}"))?;
    Ok(value.into_owned())
}
