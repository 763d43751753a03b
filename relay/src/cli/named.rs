//! Campaigns as people name them: by id, or by name where one alone is called so.

use protocol::id::CampaignId;
use protocol::request::campaign::{Campaign, ListCampaigns};
use protocol::shown;

use super::CliError;
use crate::api::Client;

/// What every id of a campaign begins with.
const PREFIX: &str = "cmp_";

/// Why a name says no campaign.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum NoSuchCampaign {
    /// None is called so.
    #[error(
        "expected a campaign's id (cmp_…) or its name, found {named:?}, which no campaign is called: `unpause campaign list` shows them"
    )]
    Unknown { named: String },
    /// Several are.
    #[error("{} campaigns are called {named:?}: name one by its id{}", .ids.len(), list(.ids))]
    Ambiguous {
        named: String,
        /// Each with its name and its state, since capitals may tell them apart.
        ids: Vec<String>,
    },
}

fn list(ids: &[String]) -> String {
    format!("\n  {}", ids.join("\n  "))
}

/// The campaign that a person named by its id or by its name.
pub(super) async fn find_campaign(client: &Client, named: &str) -> Result<CampaignId, CliError> {
    if named.starts_with(PREFIX) {
        return Ok(CampaignId::new(named));
    }
    let campaigns = client.call(&ListCampaigns {}).await?.campaigns;
    Ok(choose(&campaigns, named)?)
}

/// Whoever is called exactly so comes before whoever differs in capitals.
fn choose(campaigns: &[Campaign], named: &str) -> Result<CampaignId, NoSuchCampaign> {
    let named = named.trim();
    let alike = |campaign: &&Campaign| campaign.name.to_lowercase() == named.to_lowercase();
    let mut found: Vec<&Campaign> = campaigns.iter().filter(alike).collect();
    if found.iter().any(|campaign| campaign.name == named) {
        found.retain(|campaign| campaign.name == named);
    }
    match found.as_slice() {
        [] => Err(NoSuchCampaign::Unknown {
            named: named.to_owned(),
        }),
        [one] => Ok(one.id.clone()),
        several => Err(NoSuchCampaign::Ambiguous {
            named: named.to_owned(),
            ids: several.iter().map(|campaign| describe(campaign)).collect(),
        }),
    }
}

fn describe(campaign: &Campaign) -> String {
    let name = shown::line(&campaign.name);
    format!("{}  {name}  {}", campaign.id, campaign.status.name())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn campaigns(named: &[(&str, &str)]) -> Vec<Campaign> {
        let make = |(id, name): &(&str, &str)| {
            let campaign = json!({
                "id": id, "name": name, "inboxes": [], "steps": [], "status": {"state": "draft"},
                "unsubscribe": true,
                "counts": protocol::request::campaign::Counts::default(),
            });
            serde_json::from_value(campaign).unwrap()
        };
        named.iter().map(make).collect()
    }

    #[test]
    fn a_name_says_the_one_campaign_that_is_called_so() {
        let all = campaigns(&[
            ("cmp_1", "Spring"),
            ("cmp_2", "spring"),
            ("cmp_3", "Sommer Ärzte"),
            ("cmp_4", "Twice"),
            ("cmp_5", "Twice"),
        ]);
        for (named, expected) in [
            ("Spring", "cmp_1"),
            ("spring", "cmp_2"),
            (" Sommer Ärzte ", "cmp_3"),
            ("SOMMER ÄRZTE", "cmp_3"),
        ] {
            assert_eq!(
                choose(&all, named),
                Ok(CampaignId::new(expected)),
                "{named}"
            );
        }
        let ids_of = |named: &str| match choose(&all, named) {
            Err(NoSuchCampaign::Ambiguous { ids, .. }) => ids.join("; "),
            other => panic!("{other:?}"),
        };
        assert_eq!(ids_of("Twice"), "cmp_4  Twice  draft; cmp_5  Twice  draft");
        assert_eq!(
            ids_of("SPRING"),
            "cmp_1  Spring  draft; cmp_2  spring  draft"
        );
        let none = choose(&all, "Winter").unwrap_err().to_string();
        assert!(none.contains("found \"Winter\""), "{none}");
        assert!(choose(&all, "").is_err());
    }
}
