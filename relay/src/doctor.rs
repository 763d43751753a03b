//! `unpause doctor`: looks at everything that campaigns depend on and that the relay does not tell by itself, whether a
//! relay runs or not. It reads, asks, and changes nothing; nobody is signed in, and no secret is shown.
//!
//! What is found, and how bad it is, is decided apart from how it is looked at.

use std::collections::BTreeSet;

pub use finding::{Finding, Level, render_checks, worst};

use crate::app::DATABASE_FILE;
use crate::clock::Clock;
use crate::config::Config;
use crate::ownership::find_closed;
use crate::store::aside;
use crate::store::examine::{Examined, examine};
use crate::tls::Dialer;
use dns::Dns;

mod address;
mod dns;
mod domain;
mod finding;
mod machine;
mod servers;

/// What was looked at beside the relay itself.
pub async fn look(config: &Config, selectors: &[String], clock: &Clock) -> Vec<Finding> {
    let database = config.data.join(DATABASE_FILE);
    let examined = examine(&database).await;
    let inboxes = examined.as_ref().map(|read| read.inboxes.as_slice());
    let inboxes = inboxes.unwrap_or_default();
    let mut findings = Vec::new();

    let extra_roots = match config.extra_roots_file.as_ref().map(std::fs::read) {
        Some(Ok(pem)) => Some(pem),
        Some(Err(_)) | None => None,
    };
    let written = config.providers.values();
    let written = written.flat_map(|provider| [&provider.smtp, &provider.imap]);
    let dialer = Dialer::new(extra_roots.as_deref()).map(|dialer| dialer.reaching(written));
    let dialer = match dialer {
        Ok(dialer) => dialer,
        Err(error) => {
            return vec![Finding::broken(
                "files",
                "extra_roots_file",
                crate::log::chain(&error),
                "let it hold root certificates in PEM",
            )];
        }
    };
    let (providers, heard) = servers::look_at_providers(config, &dialer, clock).await;
    let beat_at = examined.as_ref().and_then(|read| read.beat_at);
    findings.push(machine::judge_clock(&heard, beat_at, clock.now()));
    let n_bytes = examined.as_ref().map_or(0, |read| read.n_bytes);
    findings.push(machine::look_at_disk(&config.data, n_bytes));
    findings.push(describe_database(config, examined.as_ref()));
    findings.extend(machine::look_at_files(config, examined.as_ref()));

    let dns = Dns::at(config.dns_server);
    // On plain HTTP of this computer there is neither a name to look up nor a certificate.
    if let Some(public) = config.public_url.as_ref().filter(|url| url.is_encrypted()) {
        findings.push(
            address::look_at_certificate(
                config,
                public,
                &dialer,
                extra_roots.as_deref(),
                clock.now(),
            )
            .await,
        );
        if let Ok(dns) = &dns {
            findings.extend(address::look_at_name(dns, public.host()).await);
        }
    }
    findings.extend(providers);
    findings.extend(servers::look_at_servers(inboxes, &dialer).await);
    let domains: BTreeSet<String> = inboxes
        .iter()
        .map(|inbox| inbox.address.domain().to_lowercase())
        .collect();
    match &dns {
        Ok(dns) => {
            for name in &domains {
                findings.extend(domain::look_at(dns, name, selectors).await);
            }
        }
        Err(words) => findings.push(Finding::warning(
            "domain",
            "all",
            format!("not known: this machine names no DNS server ({words})"),
            "set `dns_server`",
        )),
    }
    findings
}

fn describe_database(config: &Config, examined: Option<&Examined>) -> Finding {
    let database = config.data.join(DATABASE_FILE);
    if let Some(closed) = find_closed(&config.data).or_else(|| find_closed(&database)) {
        return machine::not_for_us("database", &database, &closed);
    }
    let Some(examined) = examined else {
        return Finding::ok(
            "database",
            database.display().to_string(),
            "there is none yet: the first start makes it",
        );
    };
    let aside = config.data.join(aside::FILE);
    let aside_bytes = std::fs::metadata(aside).map_or(0, |about| about.len());
    machine::judge_database(&database, examined, aside_bytes)
}
