//! What receivers ask of a domain before they take its mail: that it exists and takes answers, SPF, DKIM and DMARC.
//!
//! What cannot be seen from here is not judged: which addresses the provider sends from, whether it signs, and under
//! which selector. The relay's envelope bears the address of `From`, so that what holds for the domain is aligned with
//! it (RFC 7489 §3.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use mail_auth::SpfResult;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::{Dmarc, Policy, Psd};
use mail_auth::spf::Spf;

use super::dns::{Answer, Dns};
use super::finding::Finding;

/// Selectors of Google, Microsoft, Fastmail, Proton, Zoho, iCloud, Mailchimp and others, and the names that programs
/// take by themselves.
const SELECTORS: [&str; 20] = [
    "google",
    "selector1",
    "selector2",
    "default",
    "dkim",
    "mail",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "protonmail2",
    "zoho",
    "zmail",
    "sig1",
    "k1",
    "k2",
    "s1",
    "s2",
    "key1",
    "smtp",
];
/// A key of RSA with 1,024 bits has 162 bytes (RFC 3279 §2.3.1); what is much shorter is refused (RFC 8301 §3.2).
const RSA_BYTES_AT_LEAST: usize = 140;
/// The names that DMARC walks up at the most.
const NAMES_AT_MOST: usize = 5;

/// Looks at one domain.
pub(super) async fn look_at(dns: &Dns, domain: &str, selectors: &[String]) -> Vec<Finding> {
    let (first, exists) = look_at_mail(dns, domain).await;
    let mut findings = vec![first];
    if exists {
        let (spf, dkim, dmarc) = futures_util::join!(
            look_at_spf(dns, domain),
            look_at_dkim(dns, domain, selectors),
            look_at_dmarc(dns, domain)
        );
        findings.push(spf);
        findings.extend(dkim);
        findings.push(dmarc);
    }
    findings
}

fn silent(check: &'static str, domain: &str, words: &str) -> Finding {
    Finding::warning(
        check,
        domain,
        format!("not known: the DNS server gave no answer that can be used ({words})"),
        "run this again; if it stays so, look at the DNS server of this machine (`dns_server`)",
    )
}

/// What is said of the domain, and whether there is one.
async fn look_at_mail(dns: &Dns, domain: &str) -> (Finding, bool) {
    let check = "domain";
    let finding = match dns.mx(domain).await {
        Answer::Found(servers) if servers.iter().all(|server| server == ".") => Finding::broken(
            check,
            domain,
            "it says that it takes no mail (a null MX, RFC 7505): answers do not arrive",
            "publish the MX records that your provider names",
        ),
        Answer::Found(servers) => Finding::ok(
            check,
            domain,
            format!("takes mail at {}", servers.join(", ")),
        ),
        Answer::NoName => {
            let finding = Finding::broken(
                check,
                domain,
                "there is no such domain in the DNS: nobody takes mail from it",
                "renew the domain, or correct the inbox's address",
            );
            return (finding, false);
        }
        Answer::Silent(words) => silent(check, domain, &words),
        Answer::Nothing => match dns.addresses(domain).await {
            // RFC 5321 §5.1.
            Answer::Found(_) => Finding::ok(check, domain, "takes mail at its own address"),
            Answer::Silent(words) => silent(check, domain, &words),
            Answer::Nothing | Answer::NoName => Finding::broken(
                check,
                domain,
                "it has neither a mail server nor an address: answers do not arrive",
                "publish the MX records that your provider names",
            ),
        },
    };
    (finding, true)
}

async fn look_at_spf(dns: &Dns, domain: &str) -> Finding {
    let records = match dns.txt(domain).await {
        Answer::Found(all) => pick(all, "v=spf1", |after| after.starts_with(' ')),
        Answer::Nothing | Answer::NoName => Vec::new(),
        Answer::Silent(words) => return silent("spf", domain, &words),
    };
    let followed = match records.as_slice() {
        [record] if lets_all_addresses(record) => Some(SpfResult::Pass),
        [_] => dns.follow_spf(domain).await,
        _ => Some(SpfResult::None),
    };
    match followed {
        Some(followed) => judge_spf(domain, &records, followed),
        None => Finding::warning(
            "spf",
            domain,
            format!(
                "not known: {} or what it includes has a part that cannot be judged here",
                records.join(" ")
            ),
            "look at it with another program, as at a prefix of /0 in it",
        ),
    }
}

/// A term that is no mechanism and no modifier (RFC 7208 §4.6.1): mail-auth passes over it, and a receiver may not.
/// *Compared with pyspf 2.0 on 2026-11-30.*
fn find_unknown_term(record: &str) -> Option<&str> {
    const MECHANISMS: [&str; 8] = ["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"];
    record.split_whitespace().skip(1).find(|term| {
        let bare = term.trim_start_matches(['+', '-', '~', '?']);
        let end = bare.find([':', '/', '=']);
        let (name, after) = bare.split_at(end.unwrap_or(bare.len()));
        !after.starts_with('=') && !MECHANISMS.contains(&name.to_ascii_lowercase().as_str())
    })
}

/// Whether it names all addresses there are by a prefix of no bits.
fn lets_all_addresses(record: &str) -> bool {
    record.split_whitespace().any(|term| {
        let term = term.strip_prefix('+').unwrap_or(term).to_ascii_lowercase();
        (term.starts_with("ip4:") || term.starts_with("ip6:")) && term.ends_with("/0")
    })
}

/// Records that begin so, in any letters, and go on so or end there.
fn pick(all: Vec<String>, version: &str, goes_on: impl Fn(&str) -> bool) -> Vec<String> {
    let is_one = |record: &String| {
        record
            .get(..version.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(version))
            && record
                .get(version.len()..)
                .is_some_and(|after| after.is_empty() || goes_on(after))
    };
    all.into_iter().filter(is_one).collect()
}

/// `followed` is what a receiver makes of a message from an address that nobody lets send.
fn judge_spf(domain: &str, records: &[String], followed: SpfResult) -> Finding {
    let check = "spf";
    let [record] = records else {
        let found = match records.len() {
            0 => "there is no SPF record: many receivers refuse its mail or file it as spam"
                .to_owned(),
            n => format!("there are {n} SPF records, so that receivers use none (RFC 7208 §4.5)"),
        };
        let action = if records.is_empty() {
            "publish the one TXT record that your provider names, as in `v=spf1 include:… -all`"
        } else {
            "put them together into one"
        };
        return Finding::broken(check, domain, found, action);
    };
    if let Some(term) = find_unknown_term(record) {
        return Finding::broken(
            check,
            domain,
            format!(
                "{record}: {term:?} cannot be read, so that receivers give up on it (permerror)"
            ),
            "correct its spelling (RFC 7208 §4.6)",
        );
    }
    match followed {
        SpfResult::Fail | SpfResult::SoftFail => Finding::ok(
            check,
            domain,
            format!(
                "{record} (whether it names your provider's servers is not known here; the envelope's domain is that of From)"
            ),
        ),
        SpfResult::Neutral => Finding::warning(
            check,
            domain,
            format!("{record}: it says nothing of servers that it does not name"),
            "let it end with `-all`, or `~all` where somebody forwards your mail",
        ),
        SpfResult::Pass => Finding::broken(
            check,
            domain,
            format!("{record}: it lets everybody send in your name"),
            "let it name your provider alone, and end with `-all`",
        ),
        SpfResult::TempError => silent(check, domain, "while the record was followed"),
        SpfResult::PermError | SpfResult::None
            if !guarded(|| Spf::parse(record.as_bytes()).is_ok()).unwrap_or(false) =>
        {
            Finding::broken(
                check,
                domain,
                format!("{record}: it cannot be read, so that receivers give up on it (permerror)"),
                "correct its spelling (RFC 7208 §4.6)",
            )
        }
        SpfResult::PermError | SpfResult::None => Finding::broken(
            check,
            domain,
            format!(
                "{record}: receivers give up on it (permerror): it needs more than 10 look-ups, or what it includes is no record"
            ),
            "take out what is not used any more; each include, a, mx, ptr, exists and redirect counts, those inside too (RFC 7208 §4.6.4)",
        ),
    }
}

/// A key as it was found.
enum Key {
    Good,
    Withdrawn,
    Unreadable,
    Short,
}

async fn look_at_dkim(dns: &Dns, domain: &str, selectors: &[String]) -> Vec<Finding> {
    let named = selectors.iter().map(String::as_str);
    let all: Vec<&str> = if selectors.is_empty() {
        SELECTORS.to_vec()
    } else {
        named.collect()
    };
    let asked = all.iter().map(|selector| async move {
        (
            *selector,
            dns.txt(&format!("{selector}._domainkey.{domain}")).await,
        )
    });
    judge_dkim(domain, &join_all(asked).await, !selectors.is_empty())
}

fn judge_dkim(domain: &str, answers: &[(&str, Answer<String>)], are_named: bool) -> Vec<Finding> {
    let check = "dkim";
    let (mut findings, mut good, mut silent_at) = (Vec::new(), Vec::new(), None);
    for (selector, answer) in answers {
        let about = format!("{selector}._domainkey.{domain}");
        let key = match answer {
            Answer::Found(records) => read_key(records),
            Answer::Silent(words) => {
                silent_at.get_or_insert(words.clone());
                if are_named {
                    findings.push(silent(check, &about, words));
                }
                continue;
            }
            Answer::Nothing | Answer::NoName => {
                if are_named {
                    findings.push(Finding::broken(
                        check,
                        about,
                        "there is no key",
                        "publish the TXT record that your provider names for this selector",
                    ));
                }
                continue;
            }
        };
        let (found, action) = match key {
            Key::Good => {
                good.push(*selector);
                continue;
            }
            // A provider that turns its keys leaves the old one so.
            Key::Withdrawn if !are_named => continue,
            Key::Withdrawn => (
                "the key was withdrawn (an empty p=)",
                "let your provider make a new one, and publish it",
            ),
            Key::Unreadable => (
                "the record cannot be read as a key",
                "publish it as your provider names it, in one record",
            ),
            Key::Short => (
                "the key is shorter than 1,024 bits: receivers take none of its signatures (RFC 8301)",
                "let your provider make one of 2,048 bits",
            ),
        };
        findings.push(Finding::broken(check, about, found, action));
    }
    if !good.is_empty() {
        findings.push(Finding::ok(
            check,
            domain,
            format!(
                "keys under {}, at the domain of From itself (whether your provider signs with them is not known here)",
                good.join(", ")
            ),
        ));
    } else if findings.is_empty() {
        findings.push(match silent_at {
            Some(words) => silent(check, domain, &words),
            None => Finding::warning(
                check,
                domain,
                format!(
                    "no key under the selectors that were looked at: {}",
                    answers.iter().map(|(selector, _)| *selector).collect::<Vec<_>>().join(", ")
                ),
                "look at `s=` in the DKIM-Signature of a message that you sent, and run `unpause doctor --selector` with it; \
                 where there is none, switch signing on at your provider: Gmail and Yahoo ask for it since February 2024",
            ),
        });
    }
    findings
}

/// Of the tags of a key record (RFC 6376 §3.6.1); RSA is what is meant where nothing is said.
fn read_key(records: &[String]) -> Key {
    let [record] = records else {
        return Key::Unreadable;
    };
    let tag = |name: &str| {
        let mut tags = record.split(';').filter_map(|tag| tag.split_once('='));
        tags.find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.split_whitespace().collect::<String>())
    };
    let Some(key) = tag("p") else {
        return Key::Unreadable;
    };
    if key.is_empty() {
        return Key::Withdrawn;
    }
    let is_rsa = tag("k").is_none_or(|kind| kind == "rsa");
    match (
        STANDARD.decode(key),
        guarded(|| DomainKey::parse(record.as_bytes()).is_ok()),
    ) {
        (Ok(key), _) if is_rsa && key.len() < RSA_BYTES_AT_LEAST => Key::Short,
        (Ok(_), Some(true)) => Key::Good,
        _ => Key::Unreadable,
    }
}

/// What a reader of foreign records makes of one; `None` where it gives up on it with a panic. Records are anybody's to
/// write. *Observed with mail-auth 0.9.2 on 2026-11-30: `ip4:0.0.0.0/0` overflows.*
fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).ok()
}

async fn look_at_dmarc(dns: &Dns, domain: &str) -> Finding {
    let labels: Vec<&str> = domain.split('.').collect();
    let last = labels.len().saturating_sub(1);
    for from in (0..last).take(NAMES_AT_MOST) {
        let name = labels.get(from..).unwrap_or_default().join(".");
        match dns.txt(&format!("_dmarc.{name}")).await {
            Answer::Found(all) => {
                let records = pick(all, "v=DMARC1", |after| after.trim_start().starts_with(';'));
                if !records.is_empty()
                    && let Some(finding) = judge_dmarc(domain, &name, &records)
                {
                    return finding;
                }
            }
            Answer::Nothing | Answer::NoName => {}
            Answer::Silent(words) => return silent("dmarc", domain, &words),
        }
    }
    Finding::warning(
        "dmarc",
        domain,
        "there is no DMARC record",
        format!(
            "publish a TXT record at _dmarc.{domain}, `v=DMARC1; p=none; rua=mailto:…` at first: of whoever sends 5,000 a day, \
             Gmail and Yahoo ask for one since February 2024, Outlook.com since 2025-05-05"
        ),
    )
}

/// `None` where the record is one of a registry, for names below which nobody is meant (`psd=y`).
fn judge_dmarc(domain: &str, name: &str, records: &[String]) -> Option<Finding> {
    let check = "dmarc";
    let [record] = records else {
        return Some(Finding::broken(
            check,
            domain,
            format!(
                "there are {} DMARC records at _dmarc.{name}, so that receivers use none",
                records.len()
            ),
            "leave one of them",
        ));
    };
    let Some(Ok(read)) = guarded(|| Dmarc::parse(record.as_bytes())) else {
        return Some(Finding::broken(
            check,
            domain,
            format!("{record}: it cannot be read, so that receivers act as if there were none"),
            "correct its spelling (RFC 7489 §6.3)",
        ));
    };
    let is_above = name != domain;
    if is_above && read.psd == Psd::Yes {
        return None;
    }
    let policy = if is_above && read.sp != Policy::Unspecified {
        read.sp
    } else {
        read.p
    };
    let place = if is_above {
        format!(" (of {name})")
    } else {
        String::new()
    };
    Some(match policy {
        Policy::Quarantine | Policy::Reject => {
            Finding::ok(check, domain, format!("{record}{place}"))
        }
        Policy::None | Policy::Unspecified => Finding::warning(
            check,
            domain,
            format!(
                "{record}{place}: receivers only watch, and whoever forges your addresses is let through"
            ),
            "when its reports show nobody but you for some weeks, let it say `p=quarantine`",
        ),
    })
}
