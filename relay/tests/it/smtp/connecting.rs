//! What can be wrong before the first word: nobody listens, there is no TLS, or the certificate is not good.

use std::time::Duration;

use protocol::cause::{Cause, classify};
use protocol::evidence::{Finding, IoFault, Party, Said, Stage};
use protocol::inbox::{MailServer, TlsMode};
use protocol::provider::ProviderId;
use protocol::timestamp::Timestamp;
use relay::clock::Clock;
use relay::failure::Failure;
use relay::smtp::Session;
use relay::tls::Dialer;
use sandbox::{Options, Sandbox};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::{bearer, is_closed};
use crate::peer::Peer;

#[tokio::test]
async fn a_certificate_that_is_not_the_servers_is_refused() {
    let named = Peer::start_named("smtp.other.example", "TLS refused").await;
    let unknown = Peer::start("TLS refused").await;
    let expired = Peer::start_expired("TLS refused").await;
    let trusts_no_test = Dialer::new(None).unwrap().reaching([&unknown.server]);
    for (peer, dialer, expected) in [
        (
            &named,
            named.dialer(),
            "the server's certificate is not for 127.0.0.1 but for smtp.other.example",
        ),
        (
            &unknown,
            trusts_no_test,
            "nobody whom the relay trusts vouches for the server's certificate (unknown issuer)",
        ),
        (
            &expired,
            expired.dialer(),
            "the server's certificate expired at 2020-01-01T00:00:00.000Z",
        ),
    ] {
        let opened = Session::open(&dialer, &peer.server, "relay.example", &bearer()).await;
        let failure = opened.unwrap_err();
        assert_eq!((failure.party, failure.stage), (Party::Smtp, Stage::Tls));
        let Said::Tls { detail } = &failure.said else {
            panic!("{failure:?}")
        };
        assert_eq!(detail, expected);
    }
    named.finish().await;
    unknown.finish().await;
    expired.finish().await;
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_or_hangs_up_is_told_apart() {
    let failure = {
        let peer = Peer::start("S: 220 hi\nC hangs up").await;
        let server = MailServer {
            tls: TlsMode::Implicit,
            ..peer.server.clone()
        };
        Session::open(&peer.dialer(), &server, "relay.example", &bearer())
            .await
            .unwrap_err()
    };
    let Said::Tls { detail } = &failure.said else {
        panic!("{failure:?}")
    };
    assert!(
        failure.stage == Stage::Tls
            && detail.starts_with("the server does not speak TLS at this port"),
        "{failure:?}"
    );

    let peer = Peer::start("close").await;
    let server = MailServer {
        tls: TlsMode::Implicit,
        ..peer.server.clone()
    };
    let opened = Session::open(&peer.dialer(), &server, "relay.example", &bearer()).await;
    let failure = opened.unwrap_err();
    assert!(is_closed(&failure, Stage::Tls), "{failure:?}");
    peer.finish().await;
}

#[tokio::test]
async fn nobody_listening_is_a_refused_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = MailServer {
        host: "127.0.0.1".to_owned(),
        port,
        tls: TlsMode::Implicit,
    };
    let dialer = Dialer::new(None).unwrap().reaching([&server]);
    let opened = Session::open(&dialer, &server, "relay.example", &bearer()).await;
    let failure = opened.unwrap_err();
    assert_eq!(failure.stage, Stage::Connect);
    assert!(
        matches!(
            failure.said,
            Said::Io {
                fault: IoFault::Refused,
                ..
            }
        ),
        "{failure:?}"
    );
}

/// Greets everybody who connects in the clear.
async fn listen_in_the_clear(greeting: &'static str) -> MailServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut tcp, _)) = listener.accept().await {
            let _ = tcp.write_all(greeting.as_bytes()).await;
            open.push(tcp);
        }
    });
    MailServer {
        host: "127.0.0.1".to_owned(),
        port,
        tls: TlsMode::Implicit,
    }
}

fn check_other_mode(failure: Failure, words: &str) {
    let Said::Found(Finding::OtherService { words: told }) = &failure.said else {
        panic!("{failure:?}")
    };
    assert!(told.contains(words), "{told}");
    let evidence = failure.at(ProviderId::new("imap"), Timestamp::from_ms(0));
    assert_eq!(classify(&evidence), Cause::SettingsWrong);
}

#[tokio::test]
async fn a_server_that_begins_tls_another_way_is_told_with_how_to_write_it() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let ca = sandbox.ca_pem().as_bytes().to_vec();
    let from_the_start = |port| MailServer {
        host: "127.0.0.1".to_owned(),
        port,
        tls: TlsMode::StartTls,
    };
    let smtp = listen_in_the_clear("220 mail.example ESMTP\r\n").await;
    let imap = listen_in_the_clear("* OK IMAP4rev1 ready\r\n").await;
    let smtps = from_the_start(sandbox.smtps().port());
    let imaps = from_the_start(sandbox.imaps().port());
    let dialer = Dialer::new(Some(&ca))
        .unwrap()
        .reaching([&smtp, &imap, &smtps, &imaps]);
    let began = Clock::system();
    let in_the_clear = |server: &MailServer| format!("write starttls://{server} instead");
    let opened = Session::open(&dialer, &smtp, "relay.example", &bearer()).await;
    check_other_mode(opened.unwrap_err(), &in_the_clear(&smtp));
    let opened = relay::imap::Session::open(&dialer, &imap, &bearer()).await;
    check_other_mode(opened.unwrap_err(), &in_the_clear(&imap));
    assert!(began.uptime() < Duration::from_secs(5));

    let began = Clock::system();
    let sign_in = bearer();
    let (by_smtp, by_imap) = tokio::join!(
        Session::open(&dialer, &smtps, "relay.example", &sign_in),
        relay::imap::Session::open(&dialer, &imaps, &sign_in)
    );
    let at_once = |server: &MailServer| format!("write {server} instead of starttls://");
    check_other_mode(by_smtp.unwrap_err(), &at_once(&smtps));
    check_other_mode(by_imap.unwrap_err(), &at_once(&imaps));
    // Not before servers that let wait on purpose have greeted.
    let took = began.uptime();
    assert!(
        took > Duration::from_secs(10) && took < Duration::from_secs(40),
        "{took:?}"
    );
    sandbox.stop().await;
}
