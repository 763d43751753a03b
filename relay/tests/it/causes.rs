//! Every cause that a server can say, said by a scripted server over a real connection: what the adapter reports of
//! it is classified as the engine does. The lines `// Row:` are collected into `docs/refusals.md`.

#![cfg(test)]

use protocol::cause::{Cause, classify};
use protocol::evidence::{Party, Said};
use protocol::inbox::MailServer;
use protocol::provider::ProviderId;
use protocol::secret::Secret;
use protocol::timestamp::Timestamp;
use relay::failure::Failure;
use relay::imap::{self, Folder};
use relay::oauth;
use relay::sign_in::SignIn;
use relay::smtp::{self, Envelope, Outcome};
use relay::tls::Dialer;
use tokio::net::TcpListener;

use crate::peer::Peer;

const SMTP_HELLO: &str = "TLS
    S: 220 smtp.acme.example ESMTP
    C: EHLO relay.example
    S: 250-smtp.acme.example
    S: 250 AUTH PLAIN
";
const IMAP_HELLO: &str = "TLS
    S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready
";

fn sign_in() -> SignIn {
    SignIn::Password {
        user: "jane@acme.example".to_owned(),
        password: Secret::new("correct horse"),
    }
}

fn cause_of(failure: Failure) -> Cause {
    classify(&failure.at(ProviderId::new("imap"), Timestamp::from_ms(0)))
}

async fn open_smtp(peer: &Peer) -> Result<smtp::Session, Failure> {
    smtp::Session::open(&peer.dialer(), &peer.server, "relay.example", &sign_in()).await
}

#[tokio::test]
async fn a_submission_server_that_refuses_the_sign_in_says_one_of_these() {
    for (reply, cause) in [
        // Row: account locked | 525 5.7.13 to the sign-in | account_locked
        ("525 5.7.13 This account is locked", Cause::AccountLocked),
        // Row: app password demanded | 534 5.7.9 to the sign-in, in these words | app_password_required
        (
            "534 5.7.9 Application-specific password required",
            Cause::AppPasswordRequired,
        ),
        // Row: a browser demanded | 534 5.7.14 to the sign-in, in these words | browser_demanded
        (
            "534 5.7.14 Please log in via your web browser",
            Cause::BrowserDemanded,
        ),
        // Row: passwords no longer taken | 535 5.7.139 to the sign-in, in these words | passwords_off
        (
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled",
            Cause::PasswordsOff,
        ),
        // Row: sending by SMTP switched off | 535 5.7.139 to the sign-in, in these words | smtp_off
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant",
            Cause::SmtpOff,
        ),
        // Row: a rule of the organisation | 535 5.7.139 to the sign-in, in these words | policy_blocked
        (
            "535 5.7.139 Authentication unsuccessful, blocked by conditional access",
            Cause::PolicyBlocked,
        ),
        // Row: token no longer taken by the mail server | 535 5.7.8 to the sign-in, in these words | permission_ended
        (
            "535 5.7.8 The access token has expired",
            Cause::PermissionEnded,
        ),
        // Row: sign-in held back by the provider | 535 5.7.8 to the sign-in, in these words | sign_in_blocked
        (
            "535 5.7.8 A suspicious sign-in was prevented",
            Cause::SignInBlocked,
        ),
        // Row: password wrong | 535 5.7.8 to the sign-in | sign_in_refused
        (
            "535 5.7.8 Username and Password not accepted",
            Cause::SignInRefused,
        ),
        // Row: way to sign in not known there | 504 5.7.4 to the sign-in | settings_wrong
        (
            "504 5.7.4 That mechanism is not known",
            Cause::SettingsWrong,
        ),
        // Row: sign-in that the server cannot read | 501 5.5.2 to the sign-in | app_misconfigured
        ("501 5.5.2 Cannot read that", Cause::AppMisconfigured),
        // Row: sign-in not possible for a while | 454 4.7.0 to the sign-in | temporary_outage
        (
            "454 4.7.0 Temporary authentication failure",
            Cause::TemporaryOutage,
        ),
    ] {
        let script = format!("{SMTP_HELLO}C: AUTH PLAIN *\nS: {reply}");
        let peer = Peer::start(&script).await;
        let failure = open_smtp(&peer).await.unwrap_err();
        peer.finish().await;
        assert_eq!(cause_of(failure), cause, "{reply}");
    }
}

#[tokio::test]
async fn a_submission_server_that_refuses_the_message_says_one_of_these() {
    let mail = "C: MAIL FROM:<jane@acme.example>\n";
    let rcpt = "S: 250 OK\nC: RCPT TO:<bob@example.org>\n";
    let data = "S: 250 OK\nC: DATA\n";
    let body = "S: 354 Go ahead\nC DATA\n";
    let at = |stages: &[&str]| stages.concat();
    let (at_mail, at_rcpt) = (at(&[mail]), at(&[mail, rcpt]));
    let at_dot = at(&[mail, rcpt, data, body]);
    for (before, reply, cause) in [
        // Row: not this inbox's address | 553 5.7.1 to MAIL | sender_refused
        (
            &at_mail,
            "553 5.7.1 Sender address rejected: not owned by user",
            Cause::SenderRefused,
        ),
        // Row: too quick | 450 4.7.1 to MAIL, in these words | rate_limited
        (
            &at_mail,
            "450 4.7.1 Rate limit exceeded, slow down",
            Cause::RateLimited,
        ),
        // Row: the day's messages used up | 550 5.4.5 after the body | daily_limit
        (
            &at_dot,
            "550 5.4.5 Daily user sending limit exceeded",
            Cause::DailyLimit,
        ),
        // Row: the inbox's own mailbox is full | 552 5.2.2 to MAIL | mailbox_full
        (&at_mail, "552 5.2.2 Mailbox full", Cause::MailboxFull),
        // Row: recipient who does not exist | 550 5.1.1 to RCPT | recipient_rejected
        (&at_rcpt, "550 5.1.1 No such user", Cause::RecipientRejected),
        // Row: recipient who cannot be reached now | 450 4.2.1 to RCPT | recipient_deferred
        (
            &at_rcpt,
            "450 4.2.1 The mailbox is busy",
            Cause::RecipientDeferred,
        ),
        // Row: the relay's own address on a list | 554 5.7.1 to RCPT that names the client's host | relay_listed
        (
            &at_rcpt,
            "554 5.7.1 <relay.example[192.0.2.1]>: Client host rejected: listed by a blocklist",
            Cause::RelayListed,
        ),
        // Row: sending stopped by the provider | 550 5.7.1 to RCPT, in these words | sending_blocked
        (
            &at_rcpt,
            "550 5.7.1 Your account has been blocked",
            Cause::SendingBlocked,
        ),
        // Row: message that the server does not take | 554 5.6.0 after the body | message_rejected
        (
            &at_dot,
            "554 5.6.0 Message looks malformed",
            Cause::MessageRejected,
        ),
    ] {
        let script = format!(
            "{SMTP_HELLO}C: AUTH PLAIN *\nS: 235 2.7.0 Accepted\n{before}S: {reply}\nC: RSET\nS: 250 OK\n\
             C: QUIT\nS: 221 bye\n"
        );
        let peer = Peer::start(&script).await;
        let mut session = open_smtp(&peer).await.unwrap();
        let envelope = Envelope {
            from: "jane@acme.example".parse().unwrap(),
            to: "bob@example.org".parse().unwrap(),
        };
        let outcome = session
            .send(&envelope, b"Subject: hi\r\n\r\nHello\r\n")
            .await;
        session.quit().await;
        peer.finish().await;
        let Outcome::Refused { stage, reply: said } = outcome else {
            panic!("{reply}: {outcome:?}");
        };
        let failure = Failure::new(Party::Smtp, stage, Said::Smtp(said));
        assert_eq!(cause_of(failure), cause, "{reply}");
    }
}

#[tokio::test]
async fn an_imap_server_that_refuses_the_sign_in_says_one_of_these() {
    for (reply, cause) in [
        // Row: reading by IMAP switched off | NO [ALERT] to the sign-in, in these words | imap_off
        (
            "U1 NO [ALERT] Your account is not enabled for IMAP access, IMAP is disabled",
            Cause::ImapOff,
        ),
        // Row: signed in, and not let in | NO [AUTHORIZATIONFAILED] to the sign-in | mailbox_denied
        (
            "U1 NO [AUTHORIZATIONFAILED] Not as this user",
            Cause::MailboxDenied,
        ),
        // Row: too many connections, told to the sign-in | NO [LIMIT] to the sign-in | rate_limited
        (
            "U1 NO [LIMIT] Too many simultaneous connections",
            Cause::RateLimited,
        ),
        // Row: password wrong, told by the reading server | NO [AUTHENTICATIONFAILED] to the sign-in | sign_in_refused
        (
            "U1 NO [AUTHENTICATIONFAILED] Authentication failed.",
            Cause::SignInRefused,
        ),
        // Row: reading not possible for a while | NO [UNAVAILABLE] to the sign-in | temporary_outage
        (
            "U1 NO [UNAVAILABLE] Temporary authentication failure",
            Cause::TemporaryOutage,
        ),
    ] {
        let script = format!("{IMAP_HELLO}C: U1 AUTHENTICATE PLAIN *\nS: {reply}");
        let peer = Peer::start(&script).await;
        let opened = imap::Session::open(&peer.dialer(), &peer.server, &sign_in()).await;
        peer.finish().await;
        assert_eq!(cause_of(opened.unwrap_err()), cause, "{reply}");
    }
}

#[tokio::test]
async fn an_imap_server_that_refuses_a_folder_says_one_of_these() {
    for (reply, cause) in [
        // Row: no room in the inbox's own mailbox | NO [OVERQUOTA] to the selection of a folder | mailbox_full
        ("NO [OVERQUOTA] Quota exceeded", Cause::MailboxFull),
        // Row: answer that nobody knows | NO with words that no rule has, to the selection of a folder | unrecognised
        ("NO Blue", Cause::Unrecognised),
    ] {
        let script = format!(
            "{IMAP_HELLO}C: U1 AUTHENTICATE PLAIN *\nS: U1 OK [CAPABILITY IMAP4rev1] welcome\n\
             C: U2 EXAMINE \"INBOX\"\nS: U2 {reply}"
        );
        let peer = Peer::start(&script).await;
        let mut session = imap::Session::open(&peer.dialer(), &peer.server, &sign_in())
            .await
            .unwrap();
        let failure = session.examine(&Folder::inbox()).await.unwrap_err();
        drop(session);
        peer.finish().await;
        assert_eq!(cause_of(failure), cause, "{reply}");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_refuses_says_one_of_these() {
    let json = "application/json";
    for (status, kind, body, cause) in [
        // Row: permission withdrawn | 400 invalid_grant to the refresh | permission_ended
        (
            "400 Bad Request",
            json,
            r#"{"error":"invalid_grant"}"#,
            Cause::PermissionEnded,
        ),
        // Row: client secret expired, met at a refresh | 401 invalid_client to the refresh | app_misconfigured
        (
            "401 Unauthorized",
            json,
            r#"{"error":"invalid_client","error_description":"AADSTS7000222: the secret keys are expired"}"#,
            Cause::AppMisconfigured,
        ),
        // Row: the organisation's administrator must agree | 400 invalid_grant with AADSTS90094 to the refresh | admin_approval
        (
            "400 Bad Request",
            json,
            r#"{"error":"invalid_grant","error_description":"AADSTS90094: an administrator decides"}"#,
            Cause::AdminApproval,
        ),
        // Row: too many questions to the token endpoint | 429 to the refresh | rate_limited
        (
            "429 Too Many Requests",
            "text/plain",
            "later",
            Cause::RateLimited,
        ),
        // Row: token endpoint out of order | 503 to the refresh | temporary_outage
        (
            "503 Service Unavailable",
            "text/html",
            "<h1>Sorry</h1>",
            Cause::TemporaryOutage,
        ),
    ] {
        let length = body.len();
        let peer = Peer::start(&format!(
            "C HTTP POST /token\nS! HTTP/1.1 {status}\\r\\ncontent-type: {kind}\\r\\ncontent-length: {length}\\r\\n\\r\\n{body}"
        ))
        .await;
        let url = |path: &str| format!("{}{path}", peer.origin()).parse().unwrap();
        let metadata = oauth::Metadata {
            issuer: peer.origin(),
            authorization_endpoint: url("/authorize"),
            token_endpoint: url("/token"),
            userinfo_endpoint: None,
            revocation_endpoint: None,
            iss_parameter_supported: false,
            takes_secret_in_form: false,
        };
        let registration = oauth::Registration {
            client_id: "unpause".to_owned(),
            client_secret: None,
        };
        let client = oauth::Client::new(&Dialer::new(None).unwrap()).unwrap();
        let refreshed = client
            .refresh(&metadata, &registration, &Secret::new("a refresh token"))
            .await;
        drop(client);
        peer.finish().await;
        assert_eq!(cause_of(refreshed.unwrap_err()), cause, "{status} {body}");
    }
}

/// Row: certificate for another name | the submission server shows one for smtp.other.example | `tls_failed`
/// Row: certificate expired | the submission server shows one that ended in 2020 | `tls_failed`
/// Row: nobody listens | the submission server's port is closed | network
#[tokio::test]
async fn a_server_that_cannot_be_trusted_or_reached_is_waited_for() {
    let named = Peer::start_named("smtp.other.example", "TLS refused").await;
    let expired = Peer::start_expired("TLS refused").await;
    for peer in [named, expired] {
        let failure = open_smtp(&peer).await.unwrap_err();
        assert_eq!(cause_of(failure), Cause::TlsFailed);
        peer.finish().await;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = MailServer {
        host: "127.0.0.1".to_owned(),
        port,
        tls: protocol::inbox::TlsMode::Implicit,
    };
    let dialer = Dialer::new(None).unwrap().reaching([&server]);
    let opened = smtp::Session::open(&dialer, &server, "relay.example", &sign_in()).await;
    assert_eq!(cause_of(opened.unwrap_err()), Cause::Network);
}
