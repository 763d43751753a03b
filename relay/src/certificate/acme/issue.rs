//! One certificate from its authority (RFC 8555 §7.4): an order, the proof that the name is ours, the certificate. The
//! order is kept as soon as there is one, and a relay that was ended meanwhile goes on with it: authorities count orders.

use instant_acme::{
    Account, AuthorizationStatus, ChallengeStatus, ChallengeType, Error, ExternalAccountKey,
    Identifier, KeyAuthorization, NewAccount, NewOrder, Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use zeroize::Zeroizing;

use super::Keeper;
use super::asking::{Asking, Wish};
use super::kept::{KeptAccount, KeptOrder};
use super::refusal::AcmeError;
use crate::certificate::{Certificate, Flaw};
use crate::clock::Clock;
use crate::config::AcmeChallenge;

/// How often it is gone on with where the authority calls nonces bad, after the client's own tries of each request: they
/// may be refreshed at once (RFC 8555 §6.5), and no time is lost by it.
const NONCES: usize = 5;

impl Keeper {
    /// Gets a certificate and keeps it; what it wished last where it refused is noted.
    pub(super) async fn obtain(
        &self,
        clock: &Clock,
        wish: &Wish,
    ) -> Result<Certificate, AcmeError> {
        let mut tries = 0;
        let got = loop {
            match self.go_through(clock, wish).await {
                Err(error) if error.is_of_nonce() && tries < NONCES => tries += 1,
                got => break got,
            }
        };
        let kept = &self.kept;
        self.answers.clear();
        self.proof.clear();
        match &got {
            Err(error) if error.is_of_account() => kept.forget_account()?,
            Err(error) if !error.leaves_order() => kept.forget_order()?,
            _ => {}
        }
        got
    }

    async fn go_through(&self, clock: &Clock, wish: &Wish) -> Result<Certificate, AcmeError> {
        let account = self.open_account(clock, wish).await?;
        let (mut order, key) = match self.find_order(&account).await? {
            Some(found) => found,
            None => self.make_order(&account).await?,
        };
        let chain = self.finish(&mut order, &key).await?;
        let unfit = |words: &str| AcmeError::Unfit(words.to_owned());
        let certificate =
            Certificate::parse(chain.as_bytes(), key.as_bytes()).map_err(|flaw| match flaw {
                Flaw::NoCertificate => unfit("it holds no certificate"),
                Flaw::NoKey => unfit("it has no key"),
                Flaw::Unfit(why) => AcmeError::Unfit(why),
            })?;
        if !certificate.is_for(&self.host) {
            return Err(unfit("it is for another name"));
        }
        self.kept.keep_certificate(&chain, &key)?;
        Ok(certificate)
    }

    /// The account that is kept, else a new one.
    async fn open_account(&self, clock: &Clock, wish: &Wish) -> Result<Account, AcmeError> {
        let failed = |error| self.failed("an account", error);
        let directory = self.acme.directory.clone();
        let client = Asking::new(&self.trust, clock.clone(), wish.clone()).map_err(failed)?;
        let builder = Account::builder_with_http(Box::new(client));
        if let Some(credentials) = self.kept.find_account(&directory) {
            return builder.from_credentials(credentials).await.map_err(failed);
        }
        let contact = self.acme.contact.as_ref().map(|to| format!("mailto:{to}"));
        let contact: Vec<_> = contact.iter().map(String::as_str).collect();
        let asked = NewAccount {
            contact: &contact,
            // Else there would be no keeper.
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let binding = self.acme.binding.as_ref();
        let binding =
            binding.map(|binding| ExternalAccountKey::new(binding.id.clone(), &binding.key()));
        let made = builder.create(&asked, directory.clone(), binding.as_ref());
        let (account, credentials) = made.await.map_err(failed)?;
        self.kept.keep_account(&KeptAccount {
            directory,
            credentials,
        })?;
        Ok(account)
    }

    /// The order that is under way, with its key; `None` where there is none that leads anywhere.
    async fn find_order(
        &self,
        account: &Account,
    ) -> Result<Option<(Order, Zeroizing<String>)>, AcmeError> {
        let Some(kept) = self.kept.find_order(&self.acme.directory, &self.host) else {
            return Ok(None);
        };
        match account.order(kept.url).await {
            Ok(mut order) => {
                if order.state().status != OrderStatus::Invalid {
                    return Ok(Some((order, kept.key)));
                }
            }
            Err(error) => {
                let error = self.failed("an order", error);
                if !error.has_no_order() {
                    return Err(error);
                }
            }
        }
        self.kept.forget_order()?;
        Ok(None)
    }

    async fn make_order(&self, account: &Account) -> Result<(Order, Zeroizing<String>), AcmeError> {
        let key = KeyPair::generate().map_err(|error| unmade(&error))?;
        let key = Zeroizing::new(key.serialize_pem());
        let names = [Identifier::Dns(self.host.clone())];
        let order = account.new_order(&NewOrder::new(&names)).await;
        let order = order.map_err(|error| self.failed("an order", error))?;
        self.kept.keep_order(&KeptOrder {
            directory: self.acme.directory.clone(),
            host: self.host.clone(),
            url: order.url().to_owned(),
            key: key.clone(),
        })?;
        Ok((order, key))
    }

    /// Takes an order from where it stands to its chain, PEM.
    async fn finish(&self, order: &mut Order, key: &str) -> Result<String, AcmeError> {
        if order.state().status == OrderStatus::Pending {
            self.prove(order).await?;
            self.wait_ready(order).await?;
        }
        if order.state().status == OrderStatus::Ready {
            let asked = make_request(&self.host, key).map_err(|error| unmade(&error))?;
            let taken = order.finalize_csr(&asked).await;
            taken.map_err(|error| self.failed("a certificate", error))?;
        }
        let chain = order.poll_certificate(&RetryPolicy::default()).await;
        chain.map_err(|error| self.failed("a certificate", error))
    }

    /// Lets the authority look.
    async fn prove(&self, order: &mut Order) -> Result<(), AcmeError> {
        let failed = |error| self.failed("the proof", error);
        let mut authorizations = order.authorizations();
        while let Some(found) = authorizations.next().await {
            let mut authorization = found.map_err(failed)?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let kind = match self.acme.challenge {
                AcmeChallenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
                AcmeChallenge::Http01 => ChallengeType::Http01,
            };
            let challenge = authorization.challenge(kind);
            let mut challenge = challenge.ok_or_else(|| AcmeError::NotOffered {
                authority: self.authority(),
                challenge: self.acme.challenge.name(),
            })?;
            self.prepare(&challenge.token, &challenge.key_authorization())?;
            // It may be looking already, for a relay that was ended meanwhile.
            if challenge.status == ChallengeStatus::Pending {
                challenge.set_ready().await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Puts what the authority looks for to where it looks.
    fn prepare(&self, token: &str, answer: &KeyAuthorization) -> Result<(), AcmeError> {
        match self.acme.challenge {
            AcmeChallenge::Http01 => self.answers.put(token, answer.as_str()),
            AcmeChallenge::TlsAlpn01 => {
                let proof = make_proof(&self.host, answer.digest().as_ref());
                self.proof.replace(proof.map_err(AcmeError::Unfit)?);
            }
        }
        Ok(())
    }

    async fn wait_ready(&self, order: &mut Order) -> Result<(), AcmeError> {
        match order.poll_ready(&RetryPolicy::default()).await {
            Ok(OrderStatus::Invalid) => Err(self.find_refusal(order, None).await),
            Ok(_) => Ok(()),
            Err(Error::Api(problem)) if order.state().status == OrderStatus::Invalid => {
                Err(self.find_refusal(order, Some(problem)).await)
            }
            Err(error) => Err(self.failed("the proof", error)),
        }
    }

    /// Why the authority did not see that the name is ours: what it says of each look, else of the order.
    async fn find_refusal(&self, order: &mut Order, whole: Option<Problem>) -> AcmeError {
        let mut said = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(Ok(authorization)) = authorizations.next().await {
            let told = authorization.challenges.iter();
            said.extend(told.filter_map(|challenge| challenge.error.clone()));
        }
        if said.is_empty() {
            said.extend(whole);
        }
        AcmeError::unproved(&self.authority(), &self.host, self.acme.challenge, &said)
    }

    fn failed(&self, what: &'static str, error: Error) -> AcmeError {
        AcmeError::read(&self.authority(), what, self.acme.challenge, error)
    }
}

fn unmade(error: &rcgen::Error) -> AcmeError {
    AcmeError::Unfit(error.to_string())
}

/// What is to be signed (RFC 8555 §7.4), DER: the name alone.
fn make_request(host: &str, key: &str) -> Result<Vec<u8>, rcgen::Error> {
    let key = KeyPair::from_pem(key)?;
    let mut asked = CertificateParams::new([host.to_owned()])?;
    asked.distinguished_name = DistinguishedName::new();
    Ok(asked.serialize_request(&key)?.der().to_vec())
}

/// The certificate that answers within TLS (RFC 8737 §3): its own authority, with the digest in it.
fn make_proof(host: &str, digest: &[u8]) -> Result<Certificate, String> {
    let make = || {
        let key = KeyPair::generate()?;
        let mut asked = CertificateParams::new([host.to_owned()])?;
        asked.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = asked.self_signed(&key)?;
        Ok::<_, rcgen::Error>((certificate.der().clone(), key.serialize_der()))
    };
    let (certificate, key) = make().map_err(|error| error.to_string())?;
    Certificate::of_proof(certificate, key).map_err(|error| error.to_string())
}
