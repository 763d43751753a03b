//! `unpause doctor` as an operator meets it: the binary, a relay that runs or not, and a DNS server that says what a test
//! wants. What is right is written here apart from what the product decides by.

#![cfg(test)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use sandbox::{Options, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{Serving, folder_with, run, text};
use dns::{DnsServer, Says};

mod dns;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/doctor.md");
const DOMAIN: &str = "acme.example";
/// A key of RSA with 2,048 bits, and one of 512.
const KEY: &str = "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwe34ubzrMzM9sT0XVkcc3UXd7W+EHCyHoqn70l2AxXox52lAZzH/UnKwAoO+5qsuP7T9QOifIJ9ddNH9lEQ95Y/GdHBsPLGdgSJIs95mXNxscD6MSyejpenMGL9TPQAcxfqY5xPViZ+1wA1qcryjdZKRqf1f4fpMY+x3b8k7H5Qyf/Smz0sv4xFsx1r+THNIz0rzk2LO3GvE0f1ybp6P+5eAelYU4mGeZQqsKw/eB20I3jHWEyGrXuvzB67nt6ddI+N2eD5K38wg/aSytOsb5O+bUSEe7P0zx9ebRRVknCD6uuqG3gSmQmttlD5OrMWSXzrPIXe8eTBaaPd+e/jfxwIDAQAB";
const SHORT_KEY: &str = "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALVTUtTRqNnB3s+4sDYfXnQ0Zl1yOZ6zcd0HF6DsTYqTiUpDM0VcyeDpDJkP5SgQ3NxDZbBHwYSoN6FfKhxhZUMCAwEAAQ==";

/// A home with an inbox at [`DOMAIN`], whose relay is stopped; a DNS server that says what is right.
struct Home {
    folder: TempDir,
    dns: DnsServer,
}

impl Home {
    fn new() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        let dns = DnsServer::start();
        // Nobody listens at port 9: what is wrong with the servers is looked at by another test.
        let folder = folder_with(&format!(
            "listen = \"127.0.0.1:0\"\ndns_server = \"{}\"\n{more}\n\
             [providers.imap]\nsmtp = {{ host = \"127.0.0.1\", port = 9 }}\nimap = {{ host = \"127.0.0.1\", port = 9 }}\n",
            dns.address()
        ));
        let home = Self { folder, dns };
        let relay = Serving::start(home.path());
        let added = run(
            home.path(),
            &["inbox", "add", "jane@acme.example", "--provider", "imap"],
        );
        assert!(added.status.success(), "{}", text(&added.stderr));
        drop(relay);
        home.is_well();
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// All that a domain should have.
    fn is_well(&self) {
        self.dns.set(
            DOMAIN,
            &[
                Says::Text("another program's".to_owned()),
                Says::Text("v=spf1 include:spf.provider.example -all".to_owned()),
                Says::Mail("mx.provider.example"),
            ],
        );
        let ip4 = "v=spf1 ip4:198.51.100.0/24 ~all".to_owned();
        self.dns.set("spf.provider.example", &[Says::Text(ip4)]);
        self.dns.set(
            "selector1._domainkey.acme.example",
            &[Says::Text(KEY.to_owned())],
        );
        self.dns.set(
            "_dmarc.acme.example",
            &[Says::Text(
                "v=DMARC1; p=quarantine; rua=mailto:d@acme.example".to_owned(),
            )],
        );
    }

    fn look(&self, more: &[&str]) -> (Option<i32>, Vec<Value>) {
        let output = run(self.path(), &[&["doctor", "--json"], more].concat());
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (
            output.status.code(),
            told["findings"].as_array().unwrap().clone(),
        )
    }

    /// How bad it is by one check, what was found and what is to be done.
    fn judged(&self, check: &str, more: &[&str]) -> Vec<(String, String, String)> {
        let (_, findings) = self.look(more);
        of_check(&findings, check)
    }

    #[track_caller]
    fn expect(&self, check: &str, level: &str, words: &str) {
        self.expect_with(check, level, words, &[]);
    }

    #[track_caller]
    fn expect_with(&self, check: &str, level: &str, words: &str, more: &[&str]) {
        let (_, findings) = self.look(more);
        check_one(&findings, check, level, words);
    }
}

/// Exactly one of the findings is of this check, and it says this.
#[track_caller]
fn check_one(findings: &[Value], check: &str, level: &str, words: &str) {
    let judged = of_check(findings, check);
    let [(found_level, found, action)] = judged.as_slice() else {
        panic!("{check}: {judged:?}");
    };
    assert_eq!(found_level, level, "{check}: {found}");
    assert!(found.contains(words), "{check}: {found}");
    assert_eq!(action.is_empty(), level == "ok", "{check}: {action}");
}

/// How bad it is by one check, what was found and what is to be done.
fn of_check(findings: &[Value], check: &str) -> Vec<(String, String, String)> {
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or("").to_owned();
    findings
        .iter()
        .filter(|finding| finding["check"] == check)
        .map(|finding| {
            (
                word(finding, "level"),
                word(finding, "found"),
                word(finding, "action"),
            )
        })
        .collect()
}

/// Does both at the same time.
fn together<A: Send, B: Send>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap(), other)
    })
}

fn words(text: &str) -> Says {
    Says::Text(text.to_owned())
}

#[test]
fn a_domain_that_has_everything_gives_no_warning() {
    let home = Home::new();
    for check in ["domain", "spf", "dkim", "dmarc"] {
        home.expect(check, "ok", "");
    }
    for check in ["database", "files", "clock", "disk"] {
        home.expect(check, "ok", "");
    }
    home.expect("relay", "warning", "no relay runs");
    let _relay = Serving::start(home.path());
    let told = home.judged("relay", &[]);
    let levels: Vec<_> = told
        .iter()
        .map(|(level, found, _)| (level.as_str(), found.as_str()))
        .collect();
    assert_eq!(
        levels,
        [("ok", "runs; inboxes: 1"), ("warning", "disconnected")]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_relay_with_healthy_servers_gives_no_warning_but_that_it_is_stopped() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let server = |address: std::net::SocketAddr| {
        format!(
            "{{ host = \"{}\", port = {}, tls = \"implicit\" }}",
            address.ip(),
            address.port()
        )
    };
    let dns = DnsServer::start();
    let folder = folder_with(&format!(
        "listen = \"127.0.0.1:0\"\ndns_server = \"{}\"\nextra_roots_file = \"ca.pem\"\n\
         [providers.sandbox]\nissuer = \"{}\"\nclient_id = \"{}\"\nsmtp = {}\nimap = {}\n",
        dns.address(),
        sandbox.issuer(),
        sandbox::PUBLIC_CLIENT,
        server(sandbox.smtps()),
        server(sandbox.imaps()),
    ));
    fs::write(folder.path().join("ca.pem"), sandbox.ca_pem()).unwrap();
    let home = Home { folder, dns };
    home.is_well();
    let relay = Serving::start(home.path());
    let added = run(
        home.path(),
        &["inbox", "add", "jane@acme.example", "--provider", "sandbox"],
    );
    assert!(added.status.success(), "{}", text(&added.stderr));
    drop(relay);
    let (code, findings) = home.look(&[]);
    assert_eq!(code, Some(1), "{findings:?}");
    let unwell: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["level"] != "ok")
        .collect();
    assert!(
        unwell.len() == 1 && unwell[0]["check"] == "relay",
        "{unwell:?}"
    );
    for check in [
        "provider", "server", "spf", "dkim", "dmarc", "domain", "clock", "disk", "files",
        "database",
    ] {
        assert!(
            findings.iter().any(|finding| finding["check"] == check),
            "{check}"
        );
    }
    // The time was compared with the provider's.
    home.expect("clock", "ok", "off what 127.0.0.1 says");
    println!("{}", text(&run(home.path(), &["doctor"]).stdout));
}

#[test]
fn spf_is_judged_as_receivers_do() {
    let home = Home::new();
    let spf = |records: &[&str]| {
        let all = records.iter().map(|record| words(record));
        let all: Vec<Says> = all.chain([Says::Mail("mx.provider.example")]).collect();
        home.dns.set(DOMAIN, &all);
    };
    for (records, level, found) in [
        (&["v=spf1 mx ~all"][..], "ok", "v=spf1 mx ~all"),
        (&["V=SPF1 -all"], "ok", "V=SPF1 -all"),
        (&["v=spf1 redirect=spf.provider.example"], "ok", ""),
        (
            &["v=spf1 include:spf.provider.example"],
            "warning",
            "says nothing of servers",
        ),
        (&["v=spf1 ?all"], "warning", "says nothing of servers"),
        (&["v=spf1 +all"], "broken", "everybody"),
        (&["v=spf1 ip4:0.0.0.0/0 -all"], "broken", "everybody"),
        (&[], "broken", "there is no SPF record"),
        (&["v=spf10 -all"], "broken", "there is no SPF record"),
        (
            &["v=spf1 -all", "v=spf1 mx -all"],
            "broken",
            "2 SPF records",
        ),
        (
            &["v=spf1 ipv4:198.51.100.1 -all"],
            "broken",
            "cannot be read",
        ),
        (
            &["v=spf1 include:nowhere.example -all"],
            "broken",
            "permerror",
        ),
    ] {
        spf(records);
        home.expect("spf", level, found);
    }
    // Eleven look-ups, and ten.
    for (n, level) in [(10, "ok"), (11, "broken")] {
        let includes: Vec<String> = (0..n)
            .map(|idx| format!("include:i{idx}.example"))
            .collect();
        for idx in 0..n {
            home.dns.set(
                &format!("i{idx}.example"),
                &[words("v=spf1 ip4:198.51.100.7 -all")],
            );
        }
        spf(&[&format!("v=spf1 {} -all", includes.join(" "))]);
        home.expect("spf", level, "");
    }
    // A long record comes whole over TCP alone.
    let many: Vec<String> = (0..60).map(|idx| format!("ip4:198.51.100.{idx}")).collect();
    let long = format!("v=spf1 {} -all", many.join(" "));
    home.dns.set(
        DOMAIN,
        &[Says::Long(long), Says::Mail("mx.provider.example")],
    );
    let before = home.dns.n_by_tcp();
    home.expect("spf", "ok", "ip4:198.51.100.59 -all");
    assert!(home.dns.n_by_tcp() > before);
}

#[test]
fn dmarc_is_looked_for_up_to_the_domain_above() {
    let home = Home::new();
    let at = |name: &str, records: &[&str]| {
        let all: Vec<Says> = records.iter().map(|record| words(record)).collect();
        home.dns.set(&format!("_dmarc.{name}"), &all);
    };
    for (records, level, found) in [
        (&["v=DMARC1; p=reject"][..], "ok", "p=reject"),
        (&["v=DMARC1;p=quarantine;"], "ok", ""),
        (&["v=DMARC1; p=none"], "warning", "only watch"),
        (&[], "warning", "there is no DMARC record"),
        (&["another"], "warning", "there is no DMARC record"),
        (
            &["v=DMARC1; p=reject", "v=DMARC1; p=none"],
            "broken",
            "2 DMARC records",
        ),
        (&["v=DMARC1; p=perhaps"], "broken", "cannot be read"),
    ] {
        at(DOMAIN, records);
        home.expect("dmarc", level, found);
    }
    home.dns.unset("_dmarc.acme.example");
    home.expect("dmarc", "warning", "there is no DMARC record");
}

#[test]
fn dkim_is_looked_for_under_the_usual_names_or_those_that_are_given() {
    let home = Home::new();
    home.dns.unset("selector1._domainkey.acme.example");
    home.expect(
        "dkim",
        "warning",
        "no key under the selectors that were looked at: google, selector1",
    );
    let own = "own._domainkey.acme.example";
    let named = |level: &str, found: &str| {
        home.expect_with("dkim", level, found, &["--selector", "own"]);
    };
    named("broken", "there is no key");
    for (record, level, found) in [
        (KEY, "ok", "keys under own"),
        (
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "ok",
            "keys under own",
        ),
        ("v=DKIM1; p=", "broken", "withdrawn"),
        ("v=DKIM1; p=!!", "broken", "cannot be read"),
        (SHORT_KEY, "broken", "shorter than 1,024 bits"),
    ] {
        home.dns.set(own, &[words(record)]);
        named(level, found);
    }
}

#[test]
fn what_the_dns_does_not_answer_is_not_known_and_what_is_not_there_is_broken() {
    let silent = |silence: Says| {
        let (home, other) = (Home::new(), Home::new());
        for name in [DOMAIN, "_dmarc.acme.example"] {
            home.dns.set(name, std::slice::from_ref(&silence));
        }
        // What a record includes.
        other.dns.set("spf.provider.example", &[silence]);
        // Each silence is waited for; both at once.
        let ((_, findings), ()) = together(
            || home.look(&[]),
            || other.expect("spf", "warning", "not known"),
        );
        for check in ["domain", "spf", "dmarc"] {
            check_one(&findings, check, "warning", "not known");
        }
        home.is_well();
        home
    };
    let (home, _) = together(|| silent(Says::Never), || silent(Says::Fails));
    home.dns
        .set(DOMAIN, &[words("v=spf1 -all"), Says::Mail(".")]);
    home.expect("domain", "broken", "takes no mail");
    home.dns.set(DOMAIN, &[words("v=spf1 -all")]);
    home.expect("domain", "broken", "neither a mail server nor an address");
    home.dns.set(
        DOMAIN,
        &[
            words("v=spf1 -all"),
            Says::Address([198, 51, 100, 1].into()),
        ],
    );
    home.expect("domain", "ok", "at its own address");
    for name in [
        DOMAIN,
        "_dmarc.acme.example",
        "selector1._domainkey.acme.example",
    ] {
        home.dns.unset(name);
    }
    home.expect("domain", "broken", "no such domain");
    let (code, findings) = home.look(&[]);
    assert_eq!(code, Some(2));
    let is_of_domain =
        |finding: &&Value| matches!(finding["check"].as_str(), Some("spf" | "dkim" | "dmarc"));
    assert_eq!(findings.iter().filter(is_of_domain).count(), 0);
}

#[test]
fn the_machine_is_looked_at_without_a_relay_and_nothing_is_changed() {
    let home = Home::new();
    let data = home.path().join(".local/share/unpause");
    let database = data.join("unpause.db");
    let servers = home.judged("server", &[]);
    assert!(
        servers.len() == 2 && servers.iter().all(|(level, ..)| level == "broken"),
        "{servers:?}"
    );
    let before = fs::read(&database).unwrap();
    home.look(&[]);
    assert_eq!(fs::read(&database).unwrap(), before);
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&database, 0o644);
    home.expect("files", "broken", "mode 644");
    mode(&database, 0o600);
    let key = home.path().join(".config/unpause/unpause.key");
    let kept = fs::read(&key).unwrap();
    fs::write(
        &key,
        "unpause-key-1\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n",
    )
    .unwrap();
    home.expect("files", "broken", "the database needs");
    fs::remove_file(&key).unwrap();
    home.expect("files", "broken", "is missing");
    fs::write(&key, kept).unwrap();
    mode(&key, 0o600);
    home.expect("files", "ok", "nobody else's to read");
    fs::remove_file(key.with_extension("mark")).unwrap();
    home.expect("files", "warning", "the mark is not there");
    fs::write(data.join("outcomes.jsonl"), "{}\n").unwrap();
    home.expect("database", "warning", "did not take");
    let file = fs::File::options().write(true).open(&database).unwrap();
    file.set_len(before.len() as u64 / 2).unwrap();
    home.expect("database", "broken", "malformed");
}

/// A certificate of this authority for a host, in a file with its key.
fn certify(
    authority: &CertifiedIssuer<'static, KeyPair>,
    folder: &Path,
    host: &str,
    (from, until): (i32, i32),
) {
    let mut params = CertificateParams::new([host.to_owned()]).unwrap();
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    fs::write(folder.join("c.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("k.pem"), key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("k.pem"), Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_certificate_is_judged_by_its_end_its_name_and_its_chain() {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(params.clone(), KeyPair::generate().unwrap()).unwrap();
    let mut other = params.clone();
    other.distinguished_name = DistinguishedName::new();
    other.distinguished_name.push(DnType::CommonName, "another");
    let another = CertifiedIssuer::self_signed(other, KeyPair::generate().unwrap()).unwrap();
    let dns = DnsServer::start();
    let folder = folder_with(&format!(
        "listen = \"127.0.0.1:0\"\ndns_server = \"{}\"\npublic_url = \"https://relay.acme.example\"\n\
         tls.certificate = \"c.pem\"\ntls.key = \"k.pem\"\nextra_roots_file = \"ca.pem\"\n",
        dns.address()
    ));
    let home = Home { folder, dns };
    fs::write(home.path().join("ca.pem"), authority.pem()).unwrap();
    let here = home.path().to_owned();
    let name = "relay.acme.example";
    certify(&authority, &here, name, (2020, 2090));
    home.expect("certificate", "ok", "until 2090-01-01");
    home.expect("address", "broken", "has no address");
    home.dns
        .set(name, &[Says::Address([198, 51, 100, 1].into())]);
    home.expect("address", "ok", "198.51.100.1");
    home.dns.set(name, &[Says::Never]);
    home.expect("address", "warning", "not known");
    home.dns
        .set(name, &[Says::Address([198, 51, 100, 1].into())]);
    for (signer, host, years, level, words) in [
        (&authority, name, (2020, 2021), "broken", "ended"),
        (
            &authority,
            "other.acme.example",
            (2020, 2090),
            "broken",
            "not for relay.acme.example",
        ),
        (
            &another,
            name,
            (2020, 2090),
            "broken",
            "cannot follow it to a root",
        ),
    ] {
        certify(signer, &here, host, years);
        home.expect("certificate", level, words);
    }
    fs::write(here.join("c.pem"), "none").unwrap();
    home.expect("certificate", "broken", "no certificate in it");
}

#[test]
fn the_page_has_the_checks_as_they_are() {
    let page = fs::read_to_string(PAGE).unwrap_or_default();
    let folder = tempfile::tempdir().unwrap();
    let table = text(&run(folder.path(), &["doctor", "--reference"]).stdout);
    if std::env::var_os("UNPAUSE_WRITE_DOCS").is_some() {
        let (before, rest) = page.split_once("| check |").expect("a table");
        let (_, after) = rest.split_once("\n\n").expect("an end of the table");
        fs::write(PAGE, format!("{before}{table}\n{after}")).unwrap();
        return;
    }
    assert!(
        page.contains(&table),
        "run UNPAUSE_WRITE_DOCS=1 cargo nextest run -p relay the_page_has"
    );
}
