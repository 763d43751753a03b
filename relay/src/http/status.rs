//! Everything at once, for the extension's badge and pages.

use protocol::provider::Provider;
use protocol::request::status::{GetStatus, Site, Status};

use super::{Context, Serve, ServeError, inbox};
use crate::config::Config;

impl Serve for GetStatus {
    async fn serve(self, context: Context) -> Result<Status, ServeError> {
        let mut campaigns = context.sight().campaigns().await?;
        for campaign in &mut campaigns {
            // Subjects and texts are nobody's business who only asks how things stand.
            campaign.steps.clear();
        }
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            inboxes: inbox::list(&context).await?,
            campaigns,
            sites: sites(context.config()),
            renewals: match &context.relay_key {
                Some(known) => context.keys().renewals(known),
                None => Vec::new(),
            },
        })
    }
}

/// The webmail of each configured provider; where a provider's file names none, the issuer's own origin.
fn sites(config: &Config) -> Vec<Site> {
    let mut sites = Vec::new();
    for (id, registered) in &config.providers {
        let Some(provider) = Provider::find(id) else {
            continue;
        };
        let issuer = || {
            let client = registered.client.as_ref()?;
            Some(client.issuer.origin().ascii_serialization())
        };
        // A provider of passwords alone that is not known by name has no page that could be named.
        let Some(origin) = provider.webmail.map(str::to_owned).or_else(issuer) else {
            continue;
        };
        sites.push(Site {
            provider: id.clone(),
            name: provider.name.to_owned(),
            origin,
        });
    }
    sites
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Environment;

    #[test]
    fn each_configured_provider_with_a_known_page_has_one_site() {
        let provider = |id: &str, issuer: &str| {
            format!(
                "[providers.{id}]\nissuer = \"{issuer}\"\nclient_id = \"c\"\nsmtp.host = \"h\"\nimap.host = \"h\"\n"
            )
        };
        let text = [
            "data = \"d\"\nkey_file = \"k\"\n".to_owned(),
            provider("google", "https://accounts.google.com"),
            provider("openid", "https://id.acme.example:8443/tenant"),
            "[providers.imap]\nsmtp.host = \"h\"\nimap.host = \"h\"\n".to_owned(),
        ]
        .concat();
        let config = Config::parse(&text, Path::new("test.toml"), &Environment::default()).unwrap();
        let origins: Vec<_> = sites(&config).into_iter().map(|site| site.origin).collect();
        assert_eq!(
            origins,
            ["https://mail.google.com", "https://id.acme.example:8443"]
        );
    }
}
