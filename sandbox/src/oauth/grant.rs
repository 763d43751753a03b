//! Codes, grants and tokens. Every change is one step under one lock.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::chance::Chance;
use crate::clock;
use crate::locked;
use crate::profile::{Revocation, Rotation};

/// RFC 6749 §4.1.2 recommends at most ten minutes; a browser needs far less.
const CODE_FOR: Duration = Duration::from_mins(1);

/// A permission that a person gave to a client, as reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The client it was given to.
    pub client_id: String,
    /// What it allows.
    pub scopes: Vec<String>,
    /// False once it was revoked.
    pub live: bool,
    /// How many refreshes it has seen.
    pub n_refreshes: u32,
}

/// What a marked value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// An authorization code.
    Code,
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
    /// A PKCE verifier, as a client showed it.
    Verifier,
}

/// Something that only the client and the provider may know.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownSecret {
    /// What it is.
    pub kind: SecretKind,
    /// The text.
    pub value: String,
}

impl std::fmt::Debug for KnownSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownSecret")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What an authorization code stands for.
#[derive(Clone)]
pub(crate) struct CodeTerms {
    pub(crate) person: String,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    /// S256 (RFC 7636 §4.2).
    pub(crate) challenge: String,
    pub(crate) scopes: Vec<String>,
    /// Whether a refresh token is given with it.
    pub(crate) offline: bool,
    /// What the client wants to find in the ID token (OpenID Connect Core §3.1.2.1).
    pub(crate) nonce: Option<String>,
}

/// Fresh tokens for a client.
pub(crate) struct Issued {
    pub(crate) person: String,
    pub(crate) client_id: String,
    /// As the client gave it; only with a code.
    pub(crate) nonce: Option<String>,
    pub(crate) access_token: String,
    pub(crate) expires_in: Duration,
    pub(crate) refresh_token: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// Who an access token speaks for.
pub(crate) struct Holder {
    pub(crate) person: String,
    pub(crate) scopes: Vec<String>,
}

/// The code or token is not good; the text goes into `error_description`.
pub(crate) struct NotGood(pub(crate) &'static str);

/// All codes, grants and tokens.
pub(crate) struct Grants {
    access_token_for: Duration,
    /// `None` where there is no authorization server.
    rotation: Option<Rotation>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    codes: HashMap<String, Code>,
    grants: HashMap<u64, Held>,
    by_person: HashMap<String, Vec<u64>>,
    access: HashMap<String, Access>,
    /// Every refresh token there ever was, and its grant: a used one must be recognised.
    refresh: HashMap<String, u64>,
    /// What a person allowed a client before, so that it need not be asked again.
    consents: HashMap<(String, String), HashSet<String>>,
    known: Vec<KnownSecret>,
}

struct Code {
    terms: CodeTerms,
    expires_at_ms: u64,
    /// The grant it was exchanged into.
    used_for: Option<u64>,
}

struct Held {
    person: String,
    client_id: String,
    scopes: Vec<String>,
    offline: bool,
    live: bool,
    refresh_token: Option<String>,
    /// Its access tokens, so that expired ones are found without a look at all others.
    access_tokens: Vec<String>,
    n_refreshes: u32,
}

struct Access {
    grant: u64,
    expires_at_ms: u64,
}

impl Grants {
    pub(crate) fn new(access_token_for: Duration, rotation: Option<Rotation>) -> Self {
        Self {
            access_token_for,
            rotation,
            state: Mutex::default(),
        }
    }

    /// Remembers consent and makes a code.
    pub(crate) fn create_code(&self, terms: CodeTerms, chance: &Chance) -> String {
        let code = chance.token();
        let mut state = locked(&self.state);
        state.know(SecretKind::Code, &code);
        state
            .consents
            .entry((terms.person.clone(), terms.client_id.clone()))
            .or_default()
            .extend(terms.scopes.iter().cloned());
        let expires_at_ms = after(CODE_FOR);
        state.codes.insert(
            code.clone(),
            Code {
                terms,
                expires_at_ms,
                used_for: None,
            },
        );
        code
    }

    pub(crate) fn has_consent(&self, person: &str, client_id: &str, scopes: &[String]) -> bool {
        locked(&self.state)
            .consents
            .get(&(person.to_owned(), client_id.to_owned()))
            .is_some_and(|given| scopes.iter().all(|scope| given.contains(scope)))
    }

    /// Exchanges a code. A second use ends what the first one got (RFC 6749 §4.1.2).
    pub(crate) fn exchange_code(
        &self,
        code: &str,
        client_id: &str,
        redirect_uri: &str,
        verifier: &str,
        chance: &Chance,
    ) -> Result<Issued, NotGood> {
        let mut state = locked(&self.state);
        state.know(SecretKind::Verifier, verifier);
        let found = state
            .codes
            .get(code)
            .ok_or(NotGood("the code is not known"))?;
        if let Some(grant) = found.used_for {
            state.end(grant);
            return Err(NotGood("the code was used before; its grant is ended"));
        }
        let terms = found.terms.clone();
        if found.expires_at_ms <= clock::now_ms() {
            return Err(NotGood("the code has expired"));
        }
        if terms.client_id != client_id {
            return Err(NotGood("the code belongs to another client"));
        }
        if terms.redirect_uri != redirect_uri {
            return Err(NotGood("redirect_uri is not the one the code was sent to"));
        }
        if challenge_of(verifier) != terms.challenge {
            return Err(NotGood("code_verifier does not fit the code_challenge"));
        }
        state.next_id += 1;
        let id = state.next_id;
        state.grants.insert(
            id,
            Held {
                person: terms.person.clone(),
                client_id: terms.client_id,
                scopes: terms.scopes,
                offline: terms.offline,
                live: true,
                refresh_token: None,
                access_tokens: Vec::new(),
                n_refreshes: 0,
            },
        );
        state.by_person.entry(terms.person).or_default().push(id);
        if let Some(found) = state.codes.get_mut(code) {
            found.used_for = Some(id);
        }
        let issued = self.issue(&mut state, id, chance)?;
        Ok(Issued {
            nonce: terms.nonce,
            ..issued
        })
    }

    /// Refreshes. A refresh token that was rotated away ends the grant (RFC 9700 §4.14.2).
    pub(crate) fn refresh(
        &self,
        refresh_token: &str,
        client_id: &str,
        scope: Option<&str>,
        chance: &Chance,
    ) -> Result<Issued, NotGood> {
        let mut state = locked(&self.state);
        let id = *state
            .refresh
            .get(refresh_token)
            .ok_or(NotGood("the refresh token is not known"))?;
        let grant = state
            .grants
            .get_mut(&id)
            .ok_or(NotGood("the grant is not known"))?;
        if grant.client_id != client_id {
            return Err(NotGood("the refresh token belongs to another client"));
        }
        if !grant.live {
            return Err(NotGood("the grant was revoked"));
        }
        // RFC 6749 §6: never more than was granted. Less is not offered here.
        if scope.is_some_and(|scope| {
            scope
                .split(' ')
                .any(|wanted| !grant.scopes.iter().any(|given| given == wanted))
        }) {
            return Err(NotGood("scope exceeds what was granted"));
        }
        if grant.refresh_token.as_deref() != Some(refresh_token)
            && self.rotation != Some(Rotation::OldStaysGood)
        {
            state.end(id);
            return Err(NotGood(
                "the refresh token was used before; its grant is ended",
            ));
        }
        grant.n_refreshes += 1;
        self.issue(&mut state, id, chance)
    }

    /// Who holds this access token.
    pub(crate) fn holder(&self, access_token: &str) -> Option<Holder> {
        let state = locked(&self.state);
        let access = state.access.get(access_token)?;
        let grant = state.grants.get(&access.grant).filter(|grant| grant.live)?;
        (access.expires_at_ms > clock::now_ms()).then(|| Holder {
            person: grant.person.clone(),
            scopes: grant.scopes.clone(),
        })
    }

    /// Whose refresh token this is, whether or not it is still good.
    pub(crate) fn person_of_refresh(&self, refresh_token: &str) -> Option<String> {
        let state = locked(&self.state);
        state
            .grants
            .get(state.refresh.get(refresh_token)?)
            .map(|grant| grant.person.clone())
    }

    /// Ends the grant of this token, if it is this client's (RFC 7009 §2.1), or every grant that its person gave
    /// this client.
    pub(crate) fn revoke_token(&self, token: &str, client_id: &str, revocation: Revocation) {
        let mut state = locked(&self.state);
        let of_access = state.access.get(token).map(|access| access.grant);
        let Some(id) = of_access.or_else(|| state.refresh.get(token).copied()) else {
            return;
        };
        let of_client = |grant: &&Held| grant.client_id == client_id;
        let Some(person) = state
            .grants
            .get(&id)
            .filter(of_client)
            .map(|grant| grant.person.clone())
        else {
            return;
        };
        if revocation != Revocation::EveryGrantOfClient {
            state.end(id);
            return;
        }
        for id in state.by_person.get(&person).cloned().unwrap_or_default() {
            if state.grants.get(&id).as_ref().is_some_and(of_client) {
                state.end(id);
            }
        }
        state.consents.remove(&(person, client_id.to_owned()));
    }

    /// Ends every grant of a person, and forgets what was allowed.
    pub(crate) fn revoke_person(&self, person: &str) {
        self.end_person(person);
        locked(&self.state)
            .consents
            .retain(|(owner, _), _| owner != person);
    }

    /// Ends every grant of a person; what was allowed need not be asked again.
    pub(crate) fn end_person(&self, person: &str) {
        let mut state = locked(&self.state);
        for id in state.by_person.get(person).cloned().unwrap_or_default() {
            state.end(id);
        }
        state.codes.retain(|_, code| code.terms.person != person);
    }

    pub(crate) fn known_secrets(&self) -> Vec<KnownSecret> {
        locked(&self.state).known.clone()
    }

    pub(crate) fn of_person(&self, person: &str) -> Vec<Grant> {
        let state = locked(&self.state);
        let ids = state
            .by_person
            .get(person)
            .map(Vec::as_slice)
            .unwrap_or_default();
        ids.iter()
            .filter_map(|id| state.grants.get(id))
            .map(|held| Grant {
                client_id: held.client_id.clone(),
                scopes: held.scopes.clone(),
                live: held.live,
                n_refreshes: held.n_refreshes,
            })
            .collect()
    }

    fn issue(&self, state: &mut State, id: u64, chance: &Chance) -> Result<Issued, NotGood> {
        let now_ms = clock::now_ms();
        let grant = state
            .grants
            .get_mut(&id)
            .ok_or(NotGood("the grant is not known"))?;
        let access = &mut state.access;
        grant.access_tokens.retain(|token| {
            let lives = access
                .get(token)
                .is_some_and(|access| access.expires_at_ms > now_ms);
            if !lives {
                access.remove(token);
            }
            lives
        });
        let access_token = chance.token();
        let expires_at_ms = after(self.access_token_for);
        access.insert(
            access_token.clone(),
            Access {
                grant: id,
                expires_at_ms,
            },
        );
        grant.access_tokens.push(access_token.clone());
        state.known.push(KnownSecret {
            kind: SecretKind::AccessToken,
            value: access_token.clone(),
        });
        let mut refresh_token = None;
        let is_rotated = self.rotation != Some(Rotation::Kept);
        if grant.offline && (grant.refresh_token.is_none() || is_rotated) {
            let fresh = chance.token();
            grant.refresh_token = Some(fresh.clone());
            state.refresh.insert(fresh.clone(), id);
            state.known.push(KnownSecret {
                kind: SecretKind::RefreshToken,
                value: fresh.clone(),
            });
            refresh_token = Some(fresh);
        }
        Ok(Issued {
            person: grant.person.clone(),
            client_id: grant.client_id.clone(),
            nonce: None,
            access_token,
            expires_in: self.access_token_for,
            refresh_token,
            scopes: grant.scopes.clone(),
        })
    }
}

impl State {
    fn know(&mut self, kind: SecretKind, value: &str) {
        self.known.push(KnownSecret {
            kind,
            value: value.to_owned(),
        });
    }

    fn end(&mut self, id: u64) {
        if let Some(grant) = self.grants.get_mut(&id) {
            grant.live = false;
        }
    }
}

/// S256 (RFC 7636 §4.2).
fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn after(wait: Duration) -> u64 {
    clock::now_ms().saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636 appendix B
        assert_eq!(
            challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
