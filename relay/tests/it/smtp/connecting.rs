//! What can be wrong before the first word: nobody listens, there is no TLS, or the certificate is not good.

use protocol::evidence::{IoFault, Party, Said, Stage};
use protocol::inbox::{MailServer, TlsMode};
use relay::smtp::Session;
use relay::tls::Dialer;
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
