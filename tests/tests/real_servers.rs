//! The stand-ins hold together: a person signs in at a certified OpenID provider, and real mail
//! servers take the token until the grant is revoked.
//! Our own relay is deliberately absent: what is observed here is what it must cope with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::inbox::{MailServer, TlsMode};
use protocol::secret::Secret;
use relay::imap::{Folder, Session};
use relay::sign_in::SignIn;
use relay::tls::Dialer;
use tests::dovecot::{Dovecot, DovecotSettings};
use tests::http_client::http_client;
use tests::lines::{Lines, challenge_text, xoauth2};
use tests::oauth_client::flow::{ClientFlow, FlowError, FlowSettings, Tokens};
use tests::oauth_client::{Answer, Browser, Consent, WalkError};
use tests::oidc::{Oidc, OidcPackage, OidcSettings, PUBLIC_CLIENT_ID};
use tests::person::Person;
use tests::smtp_sink::SmtpSink;
use tests::wait::wait_for;

const REDIRECT_URI: &str = "https://abcdefghijklmnop.chromiumapp.org/";
const SOON: Duration = Duration::from_secs(20);

fn ada() -> Person {
    Person::new("ada@example.test", "ada's pass:word")
}

/// Where npm installs the provider: in the target folder, which is not kept.
fn oidc_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tests/oidc")
}

async fn start_oidc() -> anyhow::Result<Oidc> {
    let package = OidcPackage::install(&oidc_folder())?;
    let settings = OidcSettings {
        people: vec![ada(), Person::new("bob@example.test", "b")],
        redirect_uris: vec![
            REDIRECT_URI.to_owned(),
            "http://127.0.0.1:8080/callback".to_owned(),
        ],
        access_token_for: Duration::from_hours(1),
        rotate_refresh_tokens: true,
    };
    Ok(package.start(&settings).await?)
}

fn begin(oidc: &Oidc, parameters: &[(&str, &str)]) -> Result<ClientFlow, FlowError> {
    let scopes = [
        "openid",
        "email",
        "offline_access",
        "mail.send",
        "mail.read",
    ];
    ClientFlow::begin(&FlowSettings {
        authorization_endpoint: oidc.authorization_endpoint(),
        token_endpoint: oidc.token_endpoint(),
        client_id: PUBLIC_CLIENT_ID.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
        scopes: scopes.map(str::to_owned).to_vec(),
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    })
}

async fn sign_in(oidc: &Oidc, person: &Person) -> anyhow::Result<Tokens> {
    let flow = begin(
        oidc,
        &[("prompt", "consent"), ("login_hint", &person.address)],
    )?;
    let walk = Browser::new(&[])?
        .walk(flow.authorization_url(), person, Consent::Allow)
        .await?;
    Ok(flow.exchange(&walk.answer, &http_client(&[])?).await?)
}

async fn refresh(oidc: &Oidc, refresh_token: &str) -> anyhow::Result<(u16, serde_json::Value)> {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", PUBLIC_CLIENT_ID),
        ("refresh_token", refresh_token),
    ];
    let response = http_client(&[])?
        .post(oidc.token_endpoint())
        .form(&form)
        .send()
        .await?;
    Ok((response.status().as_u16(), response.json().await?))
}

/// Greeting, EHLO and AUTH XOAUTH2; gives the first reply to AUTH.
async fn smtp_auth(dovecot: &Dovecot, token: &str) -> anyhow::Result<(Lines, String)> {
    let mut smtp = Lines::connect(dovecot.submissions(), dovecot.ca_pem()).await?;
    assert_eq!(
        smtp.smtp_reply().await?,
        ["220 localhost Dovecot (Debian) ready."]
    );
    smtp.send("EHLO test.example").await?;
    let capabilities = smtp.smtp_reply().await?;
    let auth = "250-AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER";
    assert!(
        capabilities
            .iter()
            .any(|line| line.replace("250 ", "250-") == auth),
        "{capabilities:?}"
    );
    let reply = smtp
        .smtp(&format!("AUTH XOAUTH2 {}", xoauth2(&ada().address, token)))
        .await?;
    Ok((smtp, reply))
}

/// Greeting and AUTHENTICATE XOAUTH2; gives everything up to the answer or the challenge.
async fn imap_auth(dovecot: &Dovecot, token: &str) -> anyhow::Result<(Lines, Vec<String>)> {
    let mut imap = Lines::connect(dovecot.imaps(), dovecot.ca_pem()).await?;
    let greeting = imap.line().await?;
    assert!(greeting.starts_with("* OK [CAPABILITY "), "{greeting}");
    let command = format!("AUTHENTICATE XOAUTH2 {}", xoauth2(&ada().address, token));
    let lines = imap.imap("a1", &command).await?;
    Ok((imap, lines))
}

/// Observed with Dovecot 2.3.19 and oidc-provider 9.13.3 on 2026-11-23.
#[tokio::test]
async fn real_mail_servers_take_a_token_until_its_grant_is_revoked() -> anyhow::Result<()> {
    let sink = SmtpSink::start().await?;
    let oidc = start_oidc().await?;
    let dovecot = Dovecot::start(&DovecotSettings {
        introspection_url: oidc.introspection_url_of_mail_server(),
        people: vec![ada()],
        next_hop: sink.address(),
    })
    .await?;
    let tokens = sign_in(&oidc, &ada()).await?;

    // Sending: from AUTH to the file of the recipient's server.
    let (mut smtp, reply) = smtp_auth(&dovecot, &tokens.access_token).await?;
    assert_eq!(reply, "235 2.7.0 Logged in.");
    assert_eq!(
        smtp.smtp("MAIL FROM:<ada@example.test>").await?,
        "250 2.1.0 Ok"
    );
    assert_eq!(
        smtp.smtp("RCPT TO:<lead@elsewhere.test>").await?,
        "250 2.1.5 Ok"
    );
    assert_eq!(smtp.smtp("DATA").await?, "354 OK");
    smtp.send("From: ada@example.test\r\nSubject: spring\r\nX-Unpause-Delivery: d-1\r\n")
        .await?;
    let accepted = smtp.smtp("hello\r\n.").await?;
    assert_eq!(accepted, "250 2.0.0 Ok");
    let delivered = wait_for(
        "the message at the recipient's server",
        async || {
            sink.delivered()
                .ok()
                .filter(|delivered| !delivered.is_empty())
        },
        SOON,
    )
    .await?;
    assert_eq!(delivered.len(), 1);
    assert_eq!(delivered[0].recipient, "lead@elsewhere.test");
    assert_eq!(delivered[0].header("X-Unpause-Delivery"), Some("d-1"));
    assert_eq!(delivered[0].body.trim(), "hello");

    // Reading: INBOX with a message from outside, and a Sent folder that the server names.
    dovecot.deliver(
        "ada@example.test",
        "reply-1",
        "Subject: Re: spring\n\nyes\n",
    )?;
    let (mut imap, answer) = imap_auth(&dovecot, &tokens.access_token).await?;
    let last = answer.last().map(String::as_str).unwrap_or_default();
    assert!(
        last.starts_with("a1 OK [CAPABILITY ") && last.ends_with("] Logged in"),
        "{last}"
    );
    let inbox = imap.imap("a2", "SELECT INBOX").await?;
    assert!(inbox.iter().any(|line| line == "* 1 EXISTS"), "{inbox:?}");
    let special = imap.imap("a3", "LIST (SPECIAL-USE) \"\" \"*\"").await?;
    assert!(
        special
            .iter()
            .any(|line| line == "* LIST (\\Sent) \".\" Sent"),
        "{special:?}"
    );
    let sent = imap.imap("a4", "SELECT Sent").await?;
    // Submission made no copy: that is the client's own work here.
    assert!(sent.iter().any(|line| line == "* 0 EXISTS"), "{sent:?}");

    // Another person's token is refused for this address, like a dead one.
    let bob = Person::new("bob@example.test", "b");
    let other = sign_in(&oidc, &bob).await?;
    let (mut smtp, reply) = smtp_auth(&dovecot, &other.access_token).await?;
    assert!(reply.starts_with("334 "), "{reply}");
    assert_eq!(smtp.smtp("").await?, "535 5.7.8 Authentication failed.");

    assert!(oidc.revoke_grants("ada@example.test").await? > 0);

    // SMTP: a challenge that holds JSON; after the empty line the final reply.
    let (mut smtp, reply) = smtp_auth(&dovecot, &tokens.access_token).await?;
    assert!(reply.starts_with("334 "), "{reply}");
    let told: serde_json::Value = serde_json::from_str(&challenge_text(&reply)?)?;
    assert_eq!(
        told,
        serde_json::json!({"status": "401", "schemes": "bearer", "scope": "mail"})
    );
    assert_eq!(smtp.smtp("").await?, "535 5.7.8 Authentication failed.");

    // IMAP: the same challenge, then a tagged NO.
    let (mut imap, answer) = imap_auth(&dovecot, &tokens.access_token).await?;
    let challenge = answer.last().map(String::as_str).unwrap_or_default();
    assert!(challenge.starts_with("+ "), "{answer:?}");
    assert!(
        challenge_text(challenge)?.contains("\"status\":\"401\""),
        "{challenge}"
    );
    imap.send("").await?;
    assert_eq!(
        imap.imap_until("a1").await?,
        ["a1 NO [AUTHENTICATIONFAILED] Authentication failed."]
    );

    // The token endpoint: the refresh token went with the grant.
    let refresh_token = tokens.refresh_token.unwrap_or_default();
    let (status, error) = refresh(&oidc, &refresh_token).await?;
    assert_eq!(
        (status, error["error"].as_str()),
        (400, Some("invalid_grant"))
    );

    // One more sign-in, and both servers take the person again.
    let fresh = sign_in(&oidc, &ada()).await?;
    assert_eq!(
        smtp_auth(&dovecot, &fresh.access_token).await?.1,
        "235 2.7.0 Logged in."
    );
    Ok(())
}

#[tokio::test]
async fn passwords_work_until_they_are_changed() -> anyhow::Result<()> {
    let sink = SmtpSink::start().await?;
    let dovecot = Dovecot::start(&DovecotSettings {
        introspection_url: "http://127.0.0.1:9/nobody-is-asked".parse()?,
        people: vec![ada()],
        next_hop: sink.address(),
    })
    .await?;
    let login = async || -> anyhow::Result<Vec<String>> {
        let mut imap = Lines::connect(dovecot.imaps(), dovecot.ca_pem()).await?;
        imap.line().await?;
        Ok(imap
            .imap("a1", "LOGIN ada@example.test \"ada's pass:word\"")
            .await?)
    };
    let granted = login().await?;
    assert!(
        granted.iter().any(|line| line.ends_with("Logged in")),
        "{granted:?}"
    );
    dovecot.set_passwords(&[Person::new("ada@example.test", "changed")])?;
    let refusal = ["a1 NO [AUTHENTICATIONFAILED] Authentication failed."];
    let is_refused = async || {
        login()
            .await
            .is_ok_and(|answer| answer == refusal)
            .then_some(())
    };
    wait_for("the old password to be refused", is_refused, SOON).await?;
    Ok(())
}

/// Observed with Dovecot 2.3.19 on 2026-11-23: no challenge as for a dead token, but at once a reply
/// that says "later", with host name and time in brackets.
#[tokio::test]
async fn a_provider_that_is_down_is_a_temporary_failure() -> anyhow::Result<()> {
    let sink = SmtpSink::start().await?;
    let dovecot = Dovecot::start(&DovecotSettings {
        introspection_url: "http://127.0.0.1:9/nobody-answers".parse()?,
        people: vec![ada()],
        next_hop: sink.address(),
    })
    .await?;
    let (_smtp, reply) = smtp_auth(&dovecot, "a-token").await?;
    assert!(
        reply.starts_with("454 4.7.0 Temporary authentication failure. ["),
        "{reply}"
    );
    let (_imap, answer) = imap_auth(&dovecot, "a-token").await?;
    let last = answer.last().map(String::as_str).unwrap_or_default();
    assert!(
        last.starts_with("a1 NO [UNAVAILABLE] Temporary authentication failure. ["),
        "{last}"
    );
    Ok(())
}

#[tokio::test]
async fn the_scripted_person_walks_sign_in_and_consent_once() -> anyhow::Result<()> {
    let oidc = start_oidc().await?;
    let browser = Browser::new(&[])?;
    let flow = begin(&oidc, &[("prompt", "consent")])?;
    let walk = browser
        .walk(flow.authorization_url(), &ada(), Consent::Allow)
        .await?;
    let actions: Vec<_> = walk.steps.iter().map(|step| step.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "fill in login, password and press \"Sign in\"",
            "press \"Allow\""
        ]
    );
    assert_eq!(
        walk.steps[1].page_title,
        "Allow access (OpenID provider of the tests)"
    );
    let Answer::Granted { iss, .. } = &walk.answer else {
        panic!("{:?}", walk.answer)
    };
    assert_eq!(iss.as_deref(), Some(oidc.issuer_text()));
    let tokens = flow.exchange(&walk.answer, &http_client(&[])?).await?;
    assert_eq!(tokens.expires_in, Some(Duration::from_hours(1)));
    assert!(tokens.id_token.is_some());

    // Who it is, and that rotation ends the old refresh token and everything of its grant.
    let me: serde_json::Value = http_client(&[])?
        .get(oidc.userinfo_endpoint())
        .bearer_auth(&tokens.access_token)
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(me["sub"], "ada@example.test");
    assert_eq!(me["email_verified"], true);
    let first = tokens.refresh_token.unwrap_or_default();
    let (status, rotated) = refresh(&oidc, &first).await?;
    assert_eq!(status, 200, "{}", rotated["error"]);
    let second = rotated["refresh_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_ne!(first, second);
    assert_eq!(refresh(&oidc, &first).await?.0, 400);
    assert_eq!(refresh(&oidc, &second).await?.0, 400);

    // Still signed in: only consent is asked again, and without `prompt=consent` it brings no
    // refresh token. Never silently: a client without a secret may be anyone (RFC 8252 §8.6).
    let again = begin(&oidc, &[])?;
    let walk = browser
        .walk(again.authorization_url(), &ada(), Consent::Allow)
        .await?;
    assert_eq!(walk.steps.len(), 1);
    let tokens = again.exchange(&walk.answer, &http_client(&[])?).await?;
    assert!(tokens.refresh_token.is_none());
    assert!(
        tokens
            .scopes
            .is_some_and(|scopes| !scopes.contains(&"offline_access".to_owned()))
    );
    let silent = begin(&oidc, &[("prompt", "none")])?;
    let walk = browser
        .walk(silent.authorization_url(), &ada(), Consent::Allow)
        .await?;
    let refused = silent.exchange(&walk.answer, &http_client(&[])?).await;
    assert!(
        matches!(&refused, Err(FlowError::Refused { error }) if error == "interaction_required"),
        "{refused:?}"
    );
    Ok(())
}

#[tokio::test]
async fn refusals_of_the_provider_are_told_apart() -> anyhow::Result<()> {
    let oidc = start_oidc().await?;

    let flow = begin(&oidc, &[("prompt", "consent")])?;
    let walk = Browser::new(&[])?
        .walk(flow.authorization_url(), &ada(), Consent::Decline)
        .await?;
    let declined = flow.exchange(&walk.answer, &http_client(&[])?).await;
    assert!(matches!(declined, Err(FlowError::Refused { ref error }) if error == "access_denied"));

    let wrong = Person::new("ada@example.test", "not it");
    let flow = begin(&oidc, &[])?;
    let walked = Browser::new(&[])?
        .walk(flow.authorization_url(), &wrong, Consent::Allow)
        .await;
    assert!(
        matches!(walked, Err(WalkError::SignInRefused { ref text, .. })
        if text.contains("The address or the password is wrong.")),
        "{walked:?}"
    );

    let mut unknown = begin(&oidc, &[])?.authorization_url().clone();
    let query = unknown
        .query()
        .unwrap_or_default()
        .replace(PUBLIC_CLIENT_ID, "nobody");
    unknown.set_query(Some(&query));
    let walked = Browser::new(&[])?
        .walk(&unknown, &ada(), Consent::Allow)
        .await;
    assert!(
        matches!(walked, Err(WalkError::Stuck { status, .. }) if status == 400),
        "{walked:?}"
    );

    // Another person may sign in than the one hinted at: who it was shows only afterwards.
    let bob = Person::new("bob@example.test", "b");
    let flow = begin(
        &oidc,
        &[("login_hint", "ada@example.test"), ("prompt", "consent")],
    )?;
    let walk = Browser::new(&[])?
        .walk(flow.authorization_url(), &bob, Consent::Allow)
        .await?;
    let tokens = flow.exchange(&walk.answer, &http_client(&[])?).await?;
    let me: serde_json::Value = http_client(&[])?
        .get(oidc.userinfo_endpoint())
        .bearer_auth(&tokens.access_token)
        .send()
        .await?
        .json()
        .await?;
    assert_eq!(me["sub"], "bob@example.test");
    Ok(())
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() -> anyhow::Result<()> {
    let oidc = start_oidc().await?;
    let browser = Browser::new(&[])?;
    let one = begin(&oidc, &[])?;
    let other = begin(&oidc, &[])?;
    let walk = browser
        .walk(other.authorization_url(), &ada(), Consent::Allow)
        .await?;
    assert!(matches!(one.code(&walk.answer), Err(FlowError::WrongState)));
    Ok(())
}

/// Observed with Dovecot 2.3.19 on 2026-12-01: `+ idling`, then `* 1 EXISTS` and `* 1 RECENT` within a second of a delivery.
#[tokio::test]
async fn a_real_mail_server_tells_of_what_comes_and_of_its_end() -> anyhow::Result<()> {
    let sink = SmtpSink::start().await?;
    let dovecot = Dovecot::start(&DovecotSettings {
        introspection_url: "http://127.0.0.1:9/nobody-is-asked".parse()?,
        people: vec![ada()],
        next_hop: sink.address(),
    })
    .await?;
    let server = MailServer {
        host: "127.0.0.1".to_owned(),
        port: dovecot.imaps().port(),
        tls: TlsMode::Implicit,
    };
    let dialer = Dialer::new(Some(dovecot.ca_pem().as_bytes()))?.reaching([&server]);
    let sign_in = SignIn::Password {
        user: "ada@example.test".to_owned(),
        password: Secret::new("ada's pass:word"),
    };
    let mut session = Session::open(&dialer, &server, &sign_in).await?;
    session.examine(&Folder::inbox()).await?;
    assert!(session.offers_idle());
    assert!(session.begin_idle().await?);
    let message = "From: ann@a.example\nTo: ada@example.test\nSubject: Re: Hello\n\nYes.\n";
    dovecot.deliver("ada@example.test", "one", message)?;
    tokio::time::timeout(SOON, session.wait_for_news()).await??;
    assert_eq!(session.n_messages(), 1);
    // Any other command ends it, and it begins anew.
    let position = session.examine(&Folder::inbox()).await?;
    assert_eq!((position.n_messages, session.is_idling()), (1, false));
    assert!(session.begin_idle().await?);
    dovecot.end_sessions()?;
    let left = tokio::time::timeout(SOON, session.wait_for_news()).await?;
    assert!(left.is_err() && !session.is_usable(), "{left:?}");
    Ok(())
}
