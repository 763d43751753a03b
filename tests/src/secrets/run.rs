//! The run: plays the stories, searches what they left, and proves that the search finds what is planted.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sandbox::SecretKind;
use serde::Serialize;

use super::allowed::reason;
use super::gather::{Place, Sort};
use super::search::{Finder, Found, Kind, Marker};
use super::watched::{Collected, How};
use super::{in_browser, on_a_server, without_browser};
use crate::browsers::Settings;
use crate::story::servers::Servers;
use crate::story::telling::Telling;

/// How much of what stands before a leak is told, so that it can be found.
const BEFORE_BYTES: usize = 160;

/// What the run found: the last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `clean`, `leak`, or `unproved` when the search missed what was planted.
    pub outcome: &'static str,
    /// The browser it was played with.
    pub browser: &'static str,
    /// Values that were looked for.
    pub markers: usize,
    /// Of each kind.
    pub by_kind: BTreeMap<Kind, usize>,
    /// Forms of each, at the most.
    pub forms: usize,
    /// Where they were looked for.
    pub places: Vec<Searched>,
    /// Plants of the proof.
    pub planted: usize,
    /// Those that were found.
    pub planted_found: usize,
    /// The others.
    pub planted_missed: Vec<String>,
    /// Secrets that stand where they belong.
    pub allowed: BTreeSet<Stands>,
    /// Secrets that stand anywhere else.
    pub found: BTreeSet<Stands>,
}

/// A place that was searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Searched {
    /// Its name.
    pub place: String,
    /// How much of it there was.
    pub bytes: usize,
}

/// A secret in a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stands {
    /// What it is.
    pub kind: Kind,
    /// In which form.
    pub form: String,
    /// Where.
    pub place: String,
    /// Why it may stand there; `None` where it may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// What was put somewhere for real, and where the search must meet it.
#[derive(Clone, Debug)]
pub struct Plant {
    /// Its text.
    pub text: String,
    /// Sorts of places that must hold it.
    pub stands_in: Vec<Sort>,
}

impl Plant {
    /// A text that stands nowhere else.
    pub fn new(rng: &mut StdRng, name: &str, stands_in: &[Sort]) -> Self {
        Self {
            text: format!("planted-{name}-{:016x}", rng.random::<u64>()),
            stands_in: stands_in.to_vec(),
        }
    }
}

/// What one story left.
#[derive(Debug, Default)]
pub struct Story {
    /// Places and markers.
    pub collected: Collected,
    /// What was planted on the way.
    pub plants: Vec<Plant>,
}

/// Plays the run, in a browser where one is named.
pub async fn run(browser: Option<Settings>, seed: u64, telling: &Telling) -> Result<Report> {
    let mut rng = StdRng::seed_from_u64(seed);
    let name = browser
        .as_ref()
        .map_or("none", |settings| settings.kind.name());
    let mut stories = Vec::new();
    if let Some(settings) = browser {
        for confidential in [false, true] {
            let how = How {
                confidential,
                json: confidential,
            };
            stories.push(in_browser::play(settings.clone(), how, &mut rng, telling).await?);
        }
    } else {
        for (confidential, json) in [(false, false), (true, true)] {
            let how = How { confidential, json };
            stories.push(without_browser::play(how, &mut rng, telling).await?);
            stories.push(on_a_server::play(how, &mut rng, telling).await?);
        }
    }
    let mut collected = Collected::default();
    let mut plants = Vec::new();
    for story in stories {
        collected.extend(story.collected);
        plants.extend(story.plants);
    }
    report(name, collected, &plants, telling)
}

/// Searches what was collected.
fn report(
    browser: &'static str,
    collected: Collected,
    plants: &[Plant],
    telling: &Telling,
) -> Result<Report> {
    let Collected {
        mut places,
        markers,
    } = collected;
    places.sort_by(|one, other| (one.sort, &one.name).cmp(&(other.sort, &other.name)));
    let planted = plants
        .iter()
        .map(|plant| Marker::new(Kind::Planted, &plant.text));
    let finder = Finder::new(markers.into_iter().chain(planted))?;
    let mut report = Report {
        outcome: "clean",
        browser,
        markers: finder.markers().len() - plants.len(),
        by_kind: BTreeMap::new(),
        forms: finder.n_forms(),
        places: Vec::new(),
        planted: 0,
        planted_found: 0,
        planted_missed: Vec::new(),
        allowed: BTreeSet::new(),
        found: BTreeSet::new(),
    };
    for marker in finder.markers() {
        *report.by_kind.entry(marker.kind).or_default() += 1;
    }
    telling.say(&format!(
        "{} values are looked for in {} places, each in {} forms",
        report.markers,
        places.len(),
        report.forms
    ));
    let mut met: BTreeSet<(usize, Sort)> = BTreeSet::new();
    let mut sorts = BTreeSet::new();
    for place in &places {
        for (found, at) in finder.find(&place.bytes) {
            met.insert((found.marker, place.sort));
            if let Some(leak) = report.note(found, place) {
                let before = place.bytes.get(at.saturating_sub(BEFORE_BYTES)..at);
                telling.say(&format!(
                    "LEAK: {:?}, {}, in {}, behind {:?}",
                    leak.kind,
                    leak.form,
                    leak.place,
                    String::from_utf8_lossy(before.unwrap_or_default())
                ));
            }
        }
        if sorts.insert(place.sort) {
            let proof = finder.prove(&place.bytes);
            report.planted += proof.n_planted;
            report.planted_found += proof.n_planted - proof.missed.len();
            let missed = proof.missed.into_iter();
            report
                .planted_missed
                .extend(missed.map(|what| format!("{what} in a copy of {}", place.name)));
        }
        report.searched(place);
    }
    for plant in plants {
        let idx = finder
            .markers()
            .iter()
            .position(|marker| marker.value == plant.text.as_bytes())
            .context("a plant is no marker")?;
        for sort in &plant.stands_in {
            report.planted += 1;
            if met.contains(&(idx, *sort)) {
                report.planted_found += 1;
            } else {
                report
                    .planted_missed
                    .push(format!("{} in {sort:?}", plant.text));
            }
        }
    }
    ensure!(report.planted > 0, "nothing was planted");
    if report.planted_found < report.planted {
        report.outcome = "unproved";
    } else if !report.found.is_empty() {
        report.outcome = "leak";
    }
    Ok(report)
}

impl Report {
    /// A leak that is not known yet is given back.
    fn note(&mut self, found: Found, place: &Place) -> Option<Stands> {
        if found.kind == Kind::Planted {
            return None;
        }
        let reason = reason(found.kind, place);
        let stands = Stands {
            kind: found.kind,
            form: found.form,
            place: place.name.clone(),
            reason,
        };
        if reason.is_some() {
            self.allowed.insert(stands);
            return None;
        }
        self.found.insert(stands.clone()).then_some(stands)
    }

    /// Places of one name are told as one.
    fn searched(&mut self, place: &Place) {
        let bytes = place.bytes.len();
        match self.places.last_mut() {
            Some(last) if last.place == place.name => last.bytes += bytes,
            _ => self.places.push(Searched {
                place: place.name.clone(),
                bytes,
            }),
        }
    }
}

/// What the provider knows: every code, token and verifier of the run.
pub fn known_to_provider(servers: &Servers) -> Result<Vec<Marker>> {
    let sandbox = servers.sandbox().context("the run needs the sandbox")?;
    let known = sandbox.control().known_secrets();
    ensure!(!known.is_empty(), "the provider has issued nothing");
    Ok(known
        .iter()
        .map(|known| {
            let kind = match known.kind {
                SecretKind::Code => Kind::Code,
                SecretKind::AccessToken => Kind::AccessToken,
                SecretKind::RefreshToken => Kind::RefreshToken,
                SecretKind::Verifier => Kind::Verifier,
            };
            Marker::new(kind, &known.value)
        })
        .collect())
}

/// A password with what makes trouble in quotes, addresses and forms, and beyond ASCII.
pub fn password(rng: &mut StdRng, name: &str) -> String {
    format!("{name} \"wörd\" 7+/%&<{:016x}>", rng.random::<u64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(bytes: &str) -> Collected {
        Collected {
            places: vec![
                Place::new(Sort::Output, "stderr of unpause serve", bytes),
                Place::new(
                    Sort::KeyFile,
                    "the relay: keys/unpause.key",
                    "the key 12345",
                ),
            ],
            markers: vec![
                Marker::new(Kind::AccessToken, "token-1234567"),
                Marker::new(Kind::SealingKey, "the key 12345"),
            ],
        }
    }

    #[test]
    fn a_leak_is_named_with_its_form_and_place() {
        let quiet = Telling::begin(true);
        let clean = report("none", collected("nothing"), &[], &quiet).unwrap();
        assert_eq!((clean.outcome, clean.found.len()), ("clean", 0));
        assert_eq!(clean.allowed.len(), 1);
        assert!(clean.planted > 100 && clean.planted_found == clean.planted);
        let leak = report("none", collected("746f6b656e2d31323334353637"), &[], &quiet).unwrap();
        assert_eq!(leak.outcome, "leak");
        let found: Vec<_> = leak.found.into_iter().collect();
        assert_eq!(
            found,
            [Stands {
                kind: Kind::AccessToken,
                form: "hex".to_owned(),
                place: "stderr of unpause serve".to_owned(),
                reason: None,
            }]
        );
    }

    /// Each kind by itself, in each place where a relay on a server could leave it.
    #[test]
    fn a_leak_of_each_kind_is_met_in_every_place_of_a_server() {
        let quiet = Telling::begin(true);
        for kind in [
            Kind::WebhookSecret,
            Kind::MailPassword,
            Kind::ApiKey,
            Kind::BindingKey,
            Kind::AccountPassword,
            Kind::InvitationCode,
            Kind::LoginCode,
            Kind::SessionToken,
            Kind::ClientSecret,
        ] {
            for (sort, name) in [
                (Sort::Output, "stderr of unpause serve"),
                (Sort::Output, "stdout of unpause audit export"),
                (Sort::Output, "stdout of unpause doctor"),
                (Sort::Answer, "GET /v1/audit "),
                (Sort::Database, "the relay: data/unpause.db"),
                (Sort::File, "the backup"),
                (Sort::Alert, "alerts by webhook"),
            ] {
                let told = Collected {
                    places: vec![Place::new(sort, name, "before marked-7654321 behind")],
                    markers: vec![Marker::new(kind, "marked-7654321")],
                };
                let told = report("none", told, &[], &quiet).unwrap();
                assert_eq!(told.outcome, "leak", "{kind:?} in {name}");
            }
        }
    }

    #[test]
    fn a_plant_that_is_not_met_makes_the_run_worthless() {
        let plant = |stands_in: &[Sort]| Plant {
            text: "planted-1".to_owned(),
            stands_in: stands_in.to_vec(),
        };
        let quiet = Telling::begin(true);
        for (sorts, outcome) in [
            (&[Sort::Output][..], "clean"),
            (&[Sort::Output, Sort::Database], "unproved"),
        ] {
            let plants = [plant(sorts)];
            let told = report("none", collected("see planted-1"), &plants, &quiet).unwrap();
            assert_eq!(told.outcome, outcome, "{told:?}");
        }
    }
}
