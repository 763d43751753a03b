//! Tables of what is read and of what is refused, with the words.

use std::fmt::Write as _;

use protocol::provider::SentCopy;

use super::setting::{Kind, list_settings, render_reference};
use super::*;

/// Standard Webhooks 1.0.0, "Signature scheme".
const HOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PROVIDER: &str = "[providers.sandbox]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"c\"\n\
    smtp.host = \"127.0.0.1\"\nimap.host = \"127.0.0.1\"\n";

fn home() -> Environment {
    variables(&[("HOME", "/home/jane")])
}

fn variables(pairs: &[(&str, &str)]) -> Environment {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn parse(text: &str, environment: &Environment) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("unpause.toml"), environment)
}

#[test]
fn nothing_set_is_a_relay_on_loopback_in_the_home_folder() {
    let config = parse("", &home()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:7411");
    assert_eq!(config.data, Path::new("/home/jane/.local/share/unpause"));
    assert_eq!(
        config.key_file,
        Path::new("/home/jane/.config/unpause/unpause.key")
    );
    assert_eq!(config.timing.lease_for, Duration::from_mins(30));
    assert!(config.providers.is_empty());
}

#[test]
fn a_variable_wins_over_the_file() {
    let environment = variables(&[
        ("XDG_DATA_HOME", "/data"),
        ("XDG_CONFIG_HOME", "/keys"),
        ("UNPAUSE_CONFIG", "elsewhere.toml"),
        ("UNPAUSE_TIMING__POLL_MS", "500"),
        ("UNPAUSE_PROVIDERS__SANDBOX__CLIENT_SECRET", "hunter2"),
        ("UNRELATED", "x"),
    ]);
    let config = parse(&format!("timing.poll_ms = 700\n{PROVIDER}"), &environment).unwrap();
    assert_eq!(config.timing.poll_every, Duration::from_millis(500));
    assert_eq!(config.data, Path::new("/data/unpause"));
    let provider = config.providers.get(&ProviderId::new("sandbox")).unwrap();
    let client = provider.client.as_ref().unwrap();
    assert_eq!(client.secret, Some(Secret::new("hunter2")));
    assert_eq!((provider.smtp.port, provider.imap.port), (465, 993));
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let public = "0.0.0.0:7411";
    let known: Vec<&str> = protocol::provider::PROVIDERS
        .iter()
        .map(|provider| provider.id)
        .collect();
    let unknown_provider = format!(
        "unpause.toml, line 1: providers.gmial is not valid: expected one of the known providers: {}, found \"gmial\"",
        known.join(", ")
    );
    for (text, variable, expected) in [
        (
            "log = \"info\"\nlisen = \"x\"",
            None,
            "unpause.toml, line 2: there is no setting \"lisen\"; did you mean \"listen\"?",
        ),
        (
            "[timing]\n\npol_ms = 7",
            None,
            "unpause.toml, line 3: there is no setting \"timing.pol_ms\"; did you mean \"timing.poll_ms\"?",
        ),
        (
            "colour_of_the_sky = 1",
            None,
            "unpause.toml, line 1: there is no setting \"colour_of_the_sky\"",
        ),
        (
            "",
            Some(("UNPAUSE_LISEN", "x")),
            "variable UNPAUSE_LISEN: there is no setting \"UNPAUSE_LISEN\"; did you mean \"UNPAUSE_LISTEN\"?",
        ),
        (
            "listen = 7411",
            None,
            "unpause.toml, line 1: listen is not valid: expected text, found integer 7411",
        ),
        (
            "timing.poll_ms = -1",
            None,
            "unpause.toml, line 1: timing.poll_ms is not valid: expected a whole number from 0 to 18446744073709551615, found integer -1",
        ),
        (
            "timing.poll_ms = 0",
            None,
            "unpause.toml, line 1: timing.poll_ms is not valid: expected a number of milliseconds, 100 or more, found 0",
        ),
        (
            "timing.lease_ms = 1",
            None,
            "unpause.toml, line 1: timing.lease_ms is not valid: expected a number of milliseconds, 3000 or more, found 1",
        ),
        (
            "timing.rest_minute_ms = 0",
            None,
            "unpause.toml, line 1: timing.rest_minute_ms is not valid: expected a number of milliseconds, 1 or more, found 0",
        ),
        (
            "[providers.sandbox]\nsmtp.host = \"x y\"",
            None,
            "unpause.toml, line 2: providers.sandbox.smtp.host is not valid: expected a host name such as mail.acme.example, or an IP address, found \"x y\"",
        ),
        (
            "",
            Some(("UNPAUSE_LISTEN", "7411")),
            "variable UNPAUSE_LISTEN: listen is not valid: expected an address and a port, as in 127.0.0.1:7411, found \"7411\"",
        ),
        (
            "log = \"inof\"",
            None,
            "unpause.toml, line 1: log is not valid: expected error, warn, info, debug or trace, also by module as in info,relay::smtp=debug, found \"inof\"",
        ),
        (
            "",
            Some(("UNPAUSE_LOG", "")),
            "variable UNPAUSE_LOG: log is not valid: expected error, warn, info, debug or trace, also by module as in info,relay::smtp=debug, found \"\"",
        ),
        (
            "timing = 5",
            None,
            "unpause.toml, line 1: timing is not valid: expected a table, as in [timing], found integer",
        ),
        (
            "[providers.gmial]\nclient_id = \"c\"",
            None,
            &unknown_provider,
        ),
        (
            "[providers.sandbox]\nclient_id = \"c\"",
            None,
            "providers.sandbox.issuer is missing: expected an https URL, or an http URL on loopback",
        ),
        (
            "[providers.sandbox]\nissuer = \"http://mail.example\"",
            None,
            "unpause.toml, line 2: providers.sandbox.issuer is not valid: expected an https URL, or an http URL on loopback, found \"http://mail.example\"",
        ),
        (
            "[providers.sandbox]\nsmtp.tls = \"none\"",
            None,
            "unpause.toml, line 2: providers.sandbox.smtp.tls is not valid: expected \"implicit\" or \"starttls\", found \"none\"",
        ),
        (
            "",
            Some(("UNPAUSE_LISTEN", public)),
            "variable UNPAUSE_LISTEN: the relay cannot listen on 0.0.0.0:7411, which others reach: set public_url to \
             its https address and tls.acme.terms_agreed, or tls.certificate and tls.key, or proxy.trusted to the address of \
             the proxy in front that speaks TLS; or use 127.0.0.1 or [::1]",
        ),
        (
            "listen = \"0.0.0.0:7411\"\npublic_url = \"http://localhost\"\nproxy.trusted = [\"10.0.0.1\"]",
            None,
            "unpause.toml, line 1: the relay cannot listen on 0.0.0.0:7411, which others reach: set public_url to \
             its https address and tls.acme.terms_agreed, or tls.certificate and tls.key, or proxy.trusted to the address of \
             the proxy in front that speaks TLS; or use 127.0.0.1 or [::1]",
        ),
        (
            "data = \"d\"\npublic_url = \"https://relay.acme.example\"",
            None,
            "unpause.toml, line 2: public_url is https, and nothing here speaks TLS: set tls.acme.terms_agreed, or \
             tls.certificate and tls.key, or proxy.trusted to the address of the proxy in front that speaks TLS",
        ),
        (
            "public_url = \"http://relay.acme.example\"",
            None,
            "unpause.toml, line 1: public_url is not valid: expected an https URL with a host and nothing after it, as \
             in https://relay.acme.example (http on this computer alone), found \"http://relay.acme.example\"",
        ),
        (
            "proxy.trusted = [\"10.0.0.0/33\"]",
            None,
            "unpause.toml, line 1: proxy.trusted is not valid: expected addresses and networks, as in \
             [\"127.0.0.1\", \"10.0.0.0/8\"], found \"10.0.0.0/33\"",
        ),
        (
            "public_url = \"https://a.example\"\ntls.key = \"k\"",
            None,
            "tls.certificate is missing: expected a path: tls.key is set, and neither is of use alone",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.challenge = \"http-01\"",
            None,
            "tls.acme.terms_agreed is missing: expected true, which says that you agree to the authority's terms of service; without it no certificate is got by ACME",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.terms_agreed = true\ntls.acme.challenge = \"http-01\"",
            None,
            "http_listen is missing: expected an address and a port, as a rule 0.0.0.0:80: with http-01 the authority asks there",
        ),
        (
            "tls.acme.terms_agreed = true",
            None,
            "tls.acme.terms_agreed is set, and public_url is not an https address: set public_url to the one at which browsers reach this relay",
        ),
        (
            "public_url = \"https://192.0.2.1\"\ntls.acme.terms_agreed = true",
            None,
            "unpause.toml, line 1: public_url is not valid: expected a host with a name: no certificate for an address is got by ACME, found https://192.0.2.1",
        ),
        (
            "public_url = \"https://a.example\"\ntls.key = \"k\"\ntls.certificate = \"c\"\ntls.acme.terms_agreed = true",
            None,
            "unpause.toml, line 4: tls.acme.terms_agreed is not valid: expected none beside tls.certificate: a certificate is got by ACME, or is in files of yours, found both",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.terms_agreed = true\ntls.acme.directory = \"http://ca.example/dir\"",
            None,
            "unpause.toml, line 3: tls.acme.directory is not valid: expected an https URL, or staging for Let's Encrypt's tests, found \"http://ca.example/dir\"",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.terms_agreed = true\ntls.acme.challenge = \"dns-01\"",
            None,
            "unpause.toml, line 3: tls.acme.challenge is not valid: expected tls-alpn-01 or http-01, found \"dns-01\"",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.terms_agreed = true\ntls.acme.contact = \"me\"",
            None,
            "unpause.toml, line 3: tls.acme.contact is not valid: expected an e-mail address, found \"me\"",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.terms_agreed = true\ntls.acme.eab_key_id = \"k\"",
            None,
            "tls.acme.eab_key is missing: expected base64url without padding, as the authority gives it",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.terms_agreed = true\ntls.acme.eab_key = \"c2VjcmV0\"",
            None,
            "tls.acme.eab_key_id is missing: expected text",
        ),
        (
            "public_url = \"https://a.example\"\ntls.acme.terms_agreed = true\ntls.acme.eab_key = \"a b\"",
            None,
            "unpause.toml, line 3: tls.acme.eab_key is not valid: expected base64url without padding, as the authority gives it, found a text that is not shown here",
        ),
        (
            "tls.key = \"k\"\ntls.certificate = \"c\"",
            None,
            "tls.certificate is set, and public_url is not an https address: set public_url to the one at which \
             browsers reach this relay",
        ),
        (
            "public_url = \"https://a.example\"\nproxy.trusted = [\"::1\"]\nhttp_listen = \"0.0.0.0:80\"",
            None,
            "tls.certificate is missing: expected a path: http_listen only sends people on to the relay's own TLS; \
             behind a proxy, that one does",
        ),
        (
            "proxy.trusted = [\"127.0.0.1\", \"all\"]",
            None,
            "unpause.toml, line 1: proxy.trusted is not valid: expected addresses and networks, as in \
             [\"127.0.0.1\", \"10.0.0.0/8\"], found \"all\"",
        ),
        (
            "log_json = \"yes\"",
            None,
            "unpause.toml, line 1: log_json is not valid: expected true or false, found string \"yes\"",
        ),
        (
            "data = 5",
            None,
            "unpause.toml, line 1: data is not valid: expected path, found integer 5",
        ),
        (
            "[providers.google]\nclient_secret = 4711",
            None,
            "unpause.toml, line 2: providers.google.client_secret is not valid: expected text, found integer",
        ),
        (
            "public_url = \"https://jane:hunter2@relay.acme.example\"",
            None,
            "unpause.toml, line 1: public_url is not valid: expected an https URL with a host and nothing after it, as \
             in https://relay.acme.example (http on this computer alone), found \"https://…@relay.acme.example\"",
        ),
        (
            "",
            Some(("UNPAUSE_TIMING__POLL_MS", "soon")),
            "variable UNPAUSE_TIMING__POLL_MS: timing.poll_ms is not valid: expected a number of milliseconds, 100 or more, found soon",
        ),
        (
            "proxy.trusted = [1]",
            None,
            "unpause.toml, line 1: proxy.trusted is not valid: expected list of texts, found one with integer 1",
        ),
        (
            "",
            Some(("UNPAUSE_PROXY__HEADER", "X-Real-IP")),
            "variable UNPAUSE_PROXY__HEADER: proxy.header is not valid: expected \"X-Forwarded-For\" or \"Forwarded\", found \"X-Real-IP\"",
        ),
    ] {
        let mut environment = home();
        environment.extend(
            variable
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let error = parse(text, &environment).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text:?} {variable:?}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_refused_without_quoting_it() {
    let error = parse("log = \"info\"\nclient_secret = \"hunter2", &home()).unwrap_err();
    let words = error.to_string();
    assert!(
        words.starts_with("unpause.toml, line 2: not valid TOML: "),
        "{words}"
    );
    assert!(!format!("{error:?}{words}").contains("hunter2"), "{words}");
}

#[test]
fn a_named_file_must_be_there_and_the_default_one_need_not() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    assert!(matches!(
        Config::load(Some(&missing), &home()),
        Err(ConfigError::Unreadable { .. })
    ));
    let path = folder.path().join("there.toml");
    std::fs::write(&path, "log = \"debug\"").unwrap();
    let environment = variables(&[
        ("HOME", "/home/jane"),
        ("UNPAUSE_CONFIG", path.to_str().unwrap()),
    ]);
    assert_eq!(Config::load(None, &environment).unwrap().log, "debug");
}

#[test]
fn the_machines_own_file_is_read_where_nothing_is_named_and_none_lies_here() {
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join("etc.toml");
    // Tests run in the package's folder, where no configuration lies.
    assert!(matches!(
        find_file(None, &home(), &system),
        Found::Here(path) if path == Path::new("unpause.toml")
    ));
    std::fs::write(&system, "").unwrap();
    assert!(matches!(
        find_file(None, &home(), &system),
        Found::System(path) if path == system
    ));
    let named = Path::new("mine.toml");
    assert!(matches!(
        find_file(Some(named), &home(), &system),
        Found::Named(path) if path == named
    ));
    let environment = variables(&[("UNPAUSE_CONFIG", "theirs.toml")]);
    assert!(matches!(
        find_file(None, &environment, &system),
        Found::Named(path) if path == Path::new("theirs.toml")
    ));
}

/// A relay that is started from another folder uses the same files, and what a shell says is about where it stands.
#[test]
fn a_path_is_read_from_the_folder_of_its_file_and_that_of_a_variable_from_the_current_one() {
    let text = "data = \"d\"\nkey_file = \"./keys/../k\"\nmark_file = \"/marks/m\"\nextra_roots_file = \"r.pem\"\n\
        public_url = \"https://a.example\"\ntls.certificate = \"c.pem\"\ntls.key = \"tls/k.pem\"";
    let environment = variables(&[
        ("HOME", "/home/jane"),
        ("UNPAUSE_EXTRA_ROOTS_FILE", "s.pem"),
    ]);
    let here = std::env::current_dir().unwrap();
    for (file, folder) in [
        ("/etc/unpause/unpause.toml", Path::new("/etc/unpause")),
        ("unpause.toml", &here),
        ("./unpause.toml", &here),
        ("conf/unpause.toml", &here.join("conf")),
        // From a pipe.
        ("/dev/fd/63", &here),
    ] {
        let config = Config::parse(text, Path::new(file), &environment).unwrap();
        assert_eq!(config.data, folder.join("d"), "{file}");
        assert_eq!(config.key_file, folder.join("keys/../k"), "{file}");
        assert_eq!(config.mark_file, Path::new("/marks/m"), "{file}");
        assert_eq!(config.extra_roots_file, Some(here.join("s.pem")), "{file}");
        let (certificate, key) = (folder.join("c.pem"), folder.join("tls/k.pem"));
        assert_eq!(config.tls, Some(Tls::Files { certificate, key }), "{file}");
        for path in [&config.data, &config.key_file] {
            let shown = path.to_str().unwrap();
            assert!(shown.starts_with('/') && !shown.contains("/./"), "{shown}");
        }
    }
    let acme =
        "public_url = \"https://a.example\"\n[tls.acme]\nterms_agreed = true\nroots = \"r.pem\"";
    let config = Config::parse(acme, Path::new("/etc/unpause/unpause.toml"), &home()).unwrap();
    let Some(Tls::Acme(acme)) = config.tls else {
        panic!("{:?}", config.tls);
    };
    assert_eq!(acme.roots.as_deref(), Some(Path::new("/etc/unpause/r.pem")));
}

#[test]
fn a_base_folder_that_is_not_named_from_the_root_is_passed_over() {
    let environment = variables(&[("HOME", "/home/jane"), ("XDG_DATA_HOME", "data")]);
    let config = parse("", &environment).unwrap();
    assert_eq!(config.data, Path::new("/home/jane/.local/share/unpause"));
    let error = parse("", &variables(&[("HOME", "jane")])).unwrap_err();
    assert!(error.to_string().contains("from the root"), "{error}");
}

#[test]
fn without_a_home_the_setting_that_needs_one_is_named() {
    let error = parse("", &Environment::default()).unwrap_err();
    assert!(error.to_string().contains("XDG_DATA_HOME"), "{error}");
    assert!(parse("data = \"d\"\nkey_file = \"k\"", &Environment::default()).is_ok());
}

/// Sets every setting of the list to something else than its default: each field must follow, so no field
/// can lack its setting. The patterns name every field, so a new one does not compile until it is here.
#[test]
fn every_field_has_its_setting() {
    let mut text = String::new();
    // One way to a certificate alone.
    let is_meant = |setting: &&setting::Setting| !setting.key.starts_with("tls.acme.");
    for setting in list_settings().filter(is_meant) {
        let value = match (setting.key, setting.kind) {
            ("listen", _) => "\"127.0.0.1:1\"".to_owned(),
            ("http_listen", _) => "\"127.0.0.1:2\"".to_owned(),
            ("dns_server", _) => "\"127.0.0.1:53\"".to_owned(),
            (key, _) if key.starts_with("tls.") => "\"set\"".to_owned(),
            ("log", _) => "\"debug\"".to_owned(),
            ("public_url", _) => "\"https://relay.acme.example\"".to_owned(),
            ("proxy.header", _) => "\"forwarded\"".to_owned(),
            ("proxy.trusted", _) => "[\"192.0.2.1\", \"10.0.0.0/8\"]".to_owned(),
            (key, _) if key.ends_with("issuer") => "\"https://mail.example\"".to_owned(),
            (key, _) if key.ends_with("mail.from") => "\"set@acme.example\"".to_owned(),
            (key, _) if key.ends_with("webhook.<name>.url") => {
                "\"http://127.0.0.1/set\"".to_owned()
            }
            (key, _) if key.ends_with("webhook.<name>.secret") => format!("\"{HOOK_SECRET}\""),
            (_, Kind::List) => "[\"set@acme.example\", \"too@acme.example\"]".to_owned(),
            (key, _) if key.ends_with("tls") => "\"starttls\"".to_owned(),
            (_, Kind::Text | Kind::Path | Kind::Secret | Kind::Hidden) => "\"set\"".to_owned(),
            (_, Kind::Number) => "7001".to_owned(),
            ("canary", _) => "false".to_owned(),
            ("reply_text_days", _) => "30".to_owned(),
            (_, Kind::YesNo) => "true".to_owned(),
        };
        let key = setting.key.replace(setting::ID, "openid");
        let key = key.replace(setting::NAME, "ops");
        let _ = writeln!(text, "{key} = {value}");
    }
    let set = parse(&text, &home()).unwrap();
    let default = parse("", &home()).unwrap();
    let Config {
        listen,
        public_url,
        proxies,
        tls,
        http_listen,
        data,
        key_file,
        mark_file,
        extra_roots_file,
        dns_server,
        log,
        log_json,
        canary,
        reply_text_days,
        timing,
        notify,
        providers,
    } = set;
    assert_ne!(listen, default.listen);
    assert_ne!(public_url, default.public_url);
    let Proxies { trusted, written } = proxies;
    let trusted: Vec<String> = trusted.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["192.0.2.1/32", "10.0.0.0/8"]);
    assert_eq!(written, ForwardedBy::Forwarded);
    let Some(Tls::Files { certificate, key }) = tls else {
        panic!("{tls:?}");
    };
    let here = std::env::current_dir().unwrap().join("set");
    assert_eq!([certificate, key], [here.as_path(), here.as_path()]);
    assert_ne!(http_listen, default.http_listen);
    assert_ne!(data, default.data);
    assert_ne!(key_file, default.key_file);
    assert_ne!(mark_file, default.mark_file);
    assert_ne!(extra_roots_file, default.extra_roots_file);
    assert_ne!(dns_server, default.dns_server);
    assert_ne!(log, default.log);
    assert_ne!(log_json, default.log_json);
    assert_ne!(canary, default.canary);
    assert_ne!(reply_text_days, default.reply_text_days);
    let Timing {
        slow_retry_after,
        first_retry_after,
        retry_at_most,
        poll_every,
        reconnect_for,
        lease_for,
        refresh_ahead,
        rest_minute,
    } = timing;
    let waits = [
        slow_retry_after,
        first_retry_after,
        retry_at_most,
        poll_every,
        reconnect_for,
        lease_for,
        refresh_ahead,
        rest_minute,
    ];
    assert_eq!(waits, [Duration::from_millis(7001); 8]);
    let Notify {
        remind_after,
        mail,
        webhooks,
    } = notify;
    assert_eq!(remind_after, Some(Duration::from_millis(7001)));
    let notify::Mail {
        to,
        from,
        server,
        user,
        password,
        gather,
    } = mail.unwrap();
    assert_eq!((to.len(), from.as_str()), (2, "set@acme.example"));
    assert_eq!((server.host.as_str(), server.port), ("set", 7001));
    assert_eq!((user.as_str(), password.expose()), ("set", "set"));
    assert_eq!(gather, Duration::from_millis(7001));
    let notify::Webhook {
        url,
        secret,
        private,
    } = webhooks.into_values().next().unwrap();
    assert_eq!((url.path(), private), ("/set", true));
    assert_eq!(secret.expose(), HOOK_SECRET);
    let Provider {
        client,
        submission,
        smtp,
        imap,
    } = providers.into_values().next().unwrap();
    let Client {
        issuer,
        id,
        secret,
        unverified,
    } = client.unwrap();
    assert_eq!(
        (issuer.as_str(), id.as_str()),
        ("https://mail.example/", "set")
    );
    assert!(secret.is_some() && unverified);
    let within = Duration::from_millis(7001);
    assert_eq!(submission.sent_copy, SentCopy::Server { within });
    assert_eq!(submission.settles_within, within);
    for MailServer { host, port, tls } in [smtp, imap] {
        assert_eq!(
            (host.as_str(), port, tls),
            ("set", 7001, protocol::inbox::TlsMode::StartTls)
        );
    }
}

#[test]
fn every_field_of_acme_has_its_setting() {
    let head = "public_url = \"https://a.example\"\nhttp_listen = \"0.0.0.0:80\"\n[tls.acme]\nterms_agreed = true\n";
    let read = |more: &str| {
        let tls = parse(&format!("{head}{more}"), &home()).unwrap().tls;
        let Some(Tls::Acme(acme)) = tls else {
            panic!("{tls:?}");
        };
        acme
    };
    let default = Acme {
        contact: None,
        directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
        roots: None,
        challenge: AcmeChallenge::TlsAlpn01,
        binding: None,
    };
    assert_eq!(read(""), default);
    let Acme {
        contact,
        directory,
        roots,
        challenge,
        binding,
    } = read(
        "contact = \"me@a.example\"\ndirectory = \"https://ca.example/dir\"\nroots = \"r\"\nchallenge = \"http-01\"\n\
         eab_key_id = \"kid\"\neab_key = \"c2VjcmV0\"\n",
    );
    assert_eq!(contact.as_deref(), Some("me@a.example"));
    assert_eq!(directory, "https://ca.example/dir");
    assert_eq!(roots, Some(std::env::current_dir().unwrap().join("r")));
    assert_eq!(challenge, AcmeChallenge::Http01);
    let binding = binding.unwrap();
    assert_eq!(
        (binding.id.as_str(), binding.key().as_slice()),
        ("kid", b"secret".as_slice())
    );
    assert!(!format!("{binding:?}").contains("c2VjcmV0"), "{binding:?}");
    let staging = read("directory = \"staging\"\n").directory;
    assert_eq!(
        staging,
        "https://acme-staging-v02.api.letsencrypt.org/directory"
    );
    let off = parse("[tls.acme]\nterms_agreed = false\n", &home())
        .unwrap()
        .tls;
    assert_eq!(off, None);
}

#[test]
fn the_reference_has_a_row_for_every_setting() {
    let table = render_reference();
    for setting in list_settings() {
        assert!(
            table.contains(&format!("| `{}` |", setting.key)),
            "{}",
            setting.key
        );
    }
}

#[test]
fn whom_to_tell_is_refused_with_the_field_and_what_was_expected() {
    let hook = "[notify.webhook.ops]\nurl = \"https://h.example/x\"\n";
    for (text, expected) in [
        (
            hook.to_owned(),
            "notify.webhook.ops.secret is missing: expected whsec_ and 24 to 64 bytes in base64",
        ),
        (
            format!("{hook}secret = \"hunter2\""),
            "unpause.toml, line 3: notify.webhook.ops.secret is not valid: expected whsec_ and 24 to 64 bytes in base64, found a text that is not shown here",
        ),
        (
            format!("[notify.webhook.ops]\nurl = \"http://h.example/x\"\nsecret = {HOOK_SECRET:?}"),
            "notify.webhook.ops.private is missing: expected true, because its url is not https",
        ),
        (
            "[notify.webhook.ops]\nurl = \"https://jane:hunter2@h.example/x\"".to_owned(),
            "unpause.toml, line 2: notify.webhook.ops.url is not valid: expected an https URL, or an http URL with \
             private = true; without a user, found a text that is not shown here",
        ),
        (
            "[notify.webhook.\"a b\"]\nurl = \"https://h.example\"".to_owned(),
            "unpause.toml, line 1: notify.webhook.a b is not valid: expected a name of small letters, digits, - and _, \
             as in [notify.webhook.ops], found \"a b\"",
        ),
        (
            "notify.mail.to = \"jane\"".to_owned(),
            "unpause.toml, line 1: notify.mail.to is not valid: expected 1 to 10 addresses, as in \
             [\"ops@acme.example\"], found \"jane\"",
        ),
        (
            "notify.mail.to = [1]".to_owned(),
            "unpause.toml, line 1: notify.mail.to is not valid: expected list of texts, found one with integer 1",
        ),
        (
            "notify.mail.user = \"jane\"".to_owned(),
            "notify.mail.to is missing: expected 1 to 10 addresses, as in [\"ops@acme.example\"]",
        ),
        (
            "notify.mail.to = [\"ops@acme.example\"]".to_owned(),
            "notify.mail.from is missing: expected an address",
        ),
        (
            "[notify.webhook.ops]\nurk = \"x\"".to_owned(),
            "unpause.toml, line 2: there is no setting \"notify.webhook.ops.urk\"; did you mean \"notify.webhook.ops.url\"?",
        ),
    ] {
        let error = parse(&text, &home()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    assert_eq!(
        parse("notify.remind_after_ms = 0", &home())
            .unwrap()
            .notify
            .remind_after,
        None
    );
}
