//! Everybody whom the relay needs: the providers' discovery documents, and the mail servers of its inboxes. Nobody is
//! signed in.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::fmt::rfc2822;
use protocol::inbox::MailServer;
use protocol::provider::ProviderId;
use protocol::shown;
use protocol::timestamp::Timestamp;
use reqwest::header::DATE;
use reqwest::redirect::Policy;
use url::Url;

use super::finding::Finding;
use super::machine::Heard;
use crate::clock::Clock;
use crate::config::Config;
use crate::oauth;
use crate::store::examine::ExaminedInbox;
use crate::tls::Dialer;
use crate::{imap, smtp};

/// For one answer of a provider.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How a program that signs nobody in introduces itself (RFC 5321 §4.1.3).
const HELLO: &str = "[127.0.0.1]";

/// The discovery documents, and what their servers said of the time.
pub(super) async fn look_at_providers(
    config: &Config,
    dialer: &Dialer,
    clock: &Clock,
) -> (Vec<Finding>, Vec<Heard>) {
    let clients = config
        .providers
        .iter()
        .filter_map(|(id, provider)| Some((id, &provider.client.as_ref()?.issuer)));
    let looked = clients.map(|(id, issuer)| look_at_provider(id, issuer, dialer, clock));
    let (findings, heard): (Vec<_>, Vec<_>) = join_all(looked).await.into_iter().unzip();
    (findings, heard.into_iter().flatten().collect())
}

async fn look_at_provider(
    id: &ProviderId,
    issuer: &Url,
    dialer: &Dialer,
    clock: &Clock,
) -> (Finding, Option<Heard>) {
    let heard = hear_date(issuer, dialer, clock).await;
    let loaded = match oauth::Client::new(dialer) {
        Ok(client) => {
            let loaded = client.load_metadata(issuer).await;
            loaded.map_err(|failure| failure.said.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    let about = id.to_string();
    let finding = match loaded {
        Ok(_) => Finding::ok("provider", about, format!("{issuer} tells its endpoints")),
        Err(words) => Finding::broken(
            "provider",
            about,
            format!(
                "the discovery document of {issuer} cannot be used: {}",
                shown::line(&words)
            ),
            format!(
                "see that this machine reaches {issuer}, and that `issuer` is spelled as the provider has it"
            ),
        ),
    };
    (finding, heard)
}

/// The `Date` of an answer (RFC 9110 §6.6.1), whatever else it says.
async fn hear_date(issuer: &Url, dialer: &Dialer, clock: &Clock) -> Option<Heard> {
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(dialer.client_config().as_ref().clone())
        .redirect(Policy::none())
        .timeout(ANSWER_WITHIN)
        .build()
        .ok()?;
    let answer = http.get(issuer.clone()).send().await.ok()?;
    let here = clock.now();
    let date = answer.headers().get(DATE)?.to_str().ok()?;
    let said = rfc2822::parse(date).ok()?.timestamp().as_millisecond();
    let name = issuer.host_str()?.to_owned();
    Some((name, Timestamp::from_ms(said), here))
}

/// The mail servers of all inboxes, each once.
pub(super) async fn look_at_servers(inboxes: &[ExaminedInbox], dialer: &Dialer) -> Vec<Finding> {
    let mut all: BTreeMap<(String, bool), (&MailServer, Vec<&str>)> = BTreeMap::new();
    for inbox in inboxes {
        for (server, is_smtp) in [(&inbox.smtp, true), (&inbox.imap, false)] {
            let key = (format!("{server} {}", server.tls), is_smtp);
            let (_, of) = all.entry(key).or_insert_with(|| (server, Vec::new()));
            of.push(inbox.address.as_str());
        }
    }
    let looked = all.iter().map(|((_, is_smtp), (server, of))| async move {
        let reached = if *is_smtp {
            smtp::Session::reach(dialer, server, HELLO).await
        } else {
            imap::Session::reach(dialer, server).await
        };
        let name = if *is_smtp { "SMTP" } else { "IMAP" };
        let about = format!("{name} {server}");
        let of = match of.as_slice() {
            [one] => (*one).to_owned(),
            of => format!("{} inboxes", of.len()),
        };
        match reached {
            Ok(()) => Finding::ok("server", about, format!("answers over TLS; of {of}")),
            Err(failure) => Finding::broken(
                "server",
                about,
                format!("{}; of {of}", shown::line(&failure.said.to_string())),
                "see that this machine may reach it, and that host, port and TLS are what the provider names \
                 (`unpause inbox update`)",
            ),
        }
    });
    join_all(looked).await
}
