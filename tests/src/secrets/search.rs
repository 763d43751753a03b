//! Looks for markers in bytes. Pure: where the bytes come from is [`super::gather`]'s, what may stand where is
//! [`super::allowed`]'s.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use anyhow::{Result, ensure};
use serde::Serialize;

use super::form::{AT_LEAST_BYTES, needles, plants};

/// How much of a place stands before and behind a plant.
const AROUND_BYTES: usize = 128;

/// A value that must be nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Marker {
    /// What it is, as in `access token`.
    pub kind: Kind,
    /// The bytes.
    pub value: Vec<u8>,
}

/// What a marker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What a person types at their provider, or into `unpause reconnect start --password`.
    Password,
    /// The secret of the relay's registration.
    ClientSecret,
    /// An OAuth access token.
    AccessToken,
    /// An OAuth refresh token.
    RefreshToken,
    /// An OAuth authorization code.
    Code,
    /// A PKCE verifier.
    Verifier,
    /// The relay's sealing key.
    SealingKey,
    /// The one-time code of a pairing, which its link bears.
    PairingCode,
    /// The one-time code of a sign-in link.
    LoginCode,
    /// The token of a dashboard's session.
    SessionToken,
    /// The one-time ticket of a sign-in that the relay runs in a tab.
    Ticket,
    /// What posts of a webhook are signed with.
    WebhookSecret,
    /// The password of the account by which alerts are mailed.
    MailPassword,
    /// What a program comes in with.
    ApiKey,
    /// The key of an account that was made at a certificate authority elsewhere.
    BindingKey,
    /// The password of an account of the relay.
    AccountPassword,
    /// The one-time code at which an account's password is set.
    InvitationCode,
    /// No secret: a value that was put where it is found, so that the search proves itself.
    Planted,
}

/// A marker that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Found {
    /// Which of the markers, by number.
    pub marker: usize,
    /// What it is.
    pub kind: Kind,
    /// In which form.
    pub form: String,
}

impl std::fmt::Debug for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Marker")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Marker {
    /// A marker of this text.
    pub fn new(kind: Kind, text: &str) -> Self {
        Self {
            kind,
            value: text.as_bytes().to_vec(),
        }
    }
}

/// Looks for markers in all their forms at once.
#[derive(Debug)]
pub struct Finder {
    markers: Vec<Marker>,
    forms: Vec<(usize, String)>,
    automaton: AhoCorasick,
}

impl Finder {
    /// For these markers, each once.
    pub fn new(all: impl IntoIterator<Item = Marker>) -> Result<Self> {
        let mut markers: Vec<Marker> = Vec::new();
        for marker in all {
            ensure!(
                marker.value.len() >= AT_LEAST_BYTES,
                "a marker of {} bytes stands everywhere by chance",
                marker.value.len()
            );
            if !markers.iter().any(|known| known.value == marker.value) {
                markers.push(marker);
            }
        }
        let mut forms = Vec::new();
        let mut bytes = Vec::new();
        for (idx, marker) in markers.iter().enumerate() {
            for needle in needles(&marker.value) {
                forms.push((idx, needle.form));
                bytes.push(needle.bytes);
            }
        }
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            // Every match, those within others too.
            .match_kind(MatchKind::Standard)
            .build(bytes)?;
        Ok(Self {
            markers,
            forms,
            automaton,
        })
    }

    /// What it looks for.
    pub fn markers(&self) -> &[Marker] {
        &self.markers
    }

    /// In how many different forms a marker is looked for, at the most.
    pub fn n_forms(&self) -> usize {
        let of = |marker| self.forms.iter().filter(|(of, _)| *of == marker).count();
        (0..self.markers.len()).map(of).max().unwrap_or_default()
    }

    /// Every marker in these bytes, each form once, with where it begins first.
    pub fn find(&self, bytes: &[u8]) -> BTreeMap<Found, usize> {
        let mut found = BTreeMap::new();
        for one in self.automaton.find_overlapping_iter(bytes) {
            if let Some((marker, form)) = self.forms.get(one.pattern().as_usize())
                && let Some(kind) = self.markers.get(*marker).map(|marker| marker.kind)
            {
                let what = Found {
                    marker: *marker,
                    kind,
                    form: form.clone(),
                };
                found.entry(what).or_insert(one.start());
            }
        }
        found
    }

    /// Puts every marker in every form into a copy of a part of `place`, and tells what was planted and what of it
    /// was not found.
    pub fn prove(&self, place: &[u8]) -> Proof {
        let middle = place.len() / 2;
        let before = place.get(middle.saturating_sub(AROUND_BYTES)..middle);
        let behind = place.get(middle..(middle + AROUND_BYTES).min(place.len()));
        let mut proof = Proof::default();
        for (idx, marker) in self.markers.iter().enumerate() {
            for (form, plant) in plants(&marker.value) {
                let copy = [
                    before.unwrap_or_default(),
                    &plant,
                    behind.unwrap_or_default(),
                ]
                .concat();
                proof.n_planted += 1;
                if !self.find(&copy).keys().any(|found| found.marker == idx) {
                    proof.missed.push(format!("{:?} {form}", marker.kind));
                }
            }
        }
        proof
    }
}

/// Whether what is planted is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Plants.
    pub n_planted: usize,
    /// Those that were not found.
    pub missed: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder() -> Finder {
        Finder::new([
            Marker::new(Kind::Password, "P\"ss wörd \\ 7&+/"),
            Marker::new(Kind::AccessToken, "hEzr-_8h1DqYkO0c3ttUqjBN2ZrAg5fX"),
            Marker {
                kind: Kind::SealingKey,
                value: (0..32_u8).map(|byte| byte.wrapping_mul(37)).collect(),
            },
        ])
        .unwrap()
    }

    #[test]
    fn whatever_is_planted_is_found() {
        let finder = finder();
        for place in [&b""[..], b"{\"level\":\"TRACE\"}\n", &[0xff; 5000]] {
            let proof = finder.prove(place);
            assert!(proof.n_planted > 60, "{proof:?}");
            assert_eq!(proof.missed, [""; 0]);
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let finder = finder();
        assert!(finder.find(b"").is_empty());
        assert!(
            finder
                .find("a longer text about Wörd and 7&+/".as_bytes())
                .is_empty()
        );
        assert!(finder.find(b"hEzr-_8h1DqYkO0c3ttUqjBN2ZrAg5f").is_empty());
        let found = finder.find(b"x hEzr-_8h1DqYkO0c3ttUqjBN2ZrAg5fX y");
        assert_eq!(found.len(), 1);
        assert!(found.values().all(|at| *at == 2));
        assert!(
            found
                .keys()
                .all(|one| one.kind == Kind::AccessToken && one.form == "raw")
        );
    }

    #[test]
    fn a_marker_that_proves_nothing_is_refused() {
        assert!(Finder::new([Marker::new(Kind::Code, "1234567")]).is_err());
    }
}
