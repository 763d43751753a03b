//! Authorization servers that mean harm: answers without end or without bottom, and answers that send the relay
//! somewhere else. What is slow, and what is nested, is beside the other conversations.

use std::time::Duration;

use protocol::evidence::Said;
use protocol::secret::Secret;
use relay::tls::Dialer;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{client, confidential, garbage, json, metadata, said_by_each};
use crate::peer::Peer;

#[tokio::test]
async fn ten_megabytes_are_not_read_whether_announced_or_in_chunks_without_end() {
    let success = "S! HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\n";
    let chunk = "{\"access_token\":".repeat(16);
    let chunks = format!("transfer-encoding: chunked\\r\\n\\r\\n\nS* 100\\r\\n{chunk}\\r\\n");
    for rest in [
        // 10 MB of one string, of a million keys, of a million values.
        "content-length: 10000000\\r\\n\\r\\n\nS! {\"access_token\":\"\nS* a",
        "content-length: 10000000\\r\\n\\r\\n\nS! {\nS* \"key\":0,",
        "content-length: 10000000\\r\\n\\r\\n\nS! {\"keys\":[\nS* {},",
        // Chunks of 256 bytes, without a last one (RFC 9112 §7.1).
        &chunks,
    ] {
        for said in said_by_each(&format!("{success}{rest}")).await {
            let detail = garbage(&said);
            assert!(detail.contains("at most 262144 bytes"), "{detail}");
        }
    }
    // A length of a chunk that is no length, and one that would fill the memory if it were believed.
    for rest in [
        "transfer-encoding: chunked\\r\\n\\r\\n\nS* f",
        "transfer-encoding: chunked\\r\\n\\r\\nffffffffffffffff\\r\\n\nS* {\"a\":",
    ] {
        for said in said_by_each(&format!("{success}{rest}")).await {
            let is_bounded = match &said {
                Said::Garbage { detail } => detail.contains("at most 262144 bytes"),
                said => matches!(said, Said::Io { .. }),
            };
            assert!(is_bounded, "{said:?}");
        }
    }
}

#[tokio::test]
async fn as_many_keys_as_fit_are_read_past_and_nothing_is_made_of_them() {
    // Ten thousand keys that nobody knows, and one that is known, twice.
    let keys: Vec<String> = (0..10_000).map(|n| format!("\"key{n}\":{n},")).collect();
    let keys = keys.concat();
    let body = json(&format!(
        "{{{keys}\"access_token\":1,\"issuer\":1,\"sub\":1}}"
    ));
    for said in said_by_each(&body).await {
        assert!(garbage(&said).starts_with("expected "), "{said:?}");
    }
    let twice = json(
        r#"{"access_token":"a","access_token":"b","token_type":"bearer","issuer":"a","issuer":"b","sub":"1","sub":"2"}"#,
    );
    for said in said_by_each(&twice).await {
        assert!(garbage(&said).starts_with("expected "), "{said:?}");
    }
}

#[tokio::test]
async fn what_is_compressed_is_not_unpacked() {
    // A member of gzip (RFC 1952 §2.3) that would go on for ever; nobody asked for one.
    let answer = "S! HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-encoding: gzip\\r\\n\
        content-length: 20\\r\\n\\r\\n\\x1f\\x8b\\x08\\x00\\x00\\x00\\x00\\x00\\x00\\x03\\x00\\x00\\xff\\xff\\x00\\x00\\xff\\xff\\x00\\x00";
    for said in said_by_each(answer).await {
        assert!(garbage(&said).starts_with("expected "), "{said:?}");
    }
}

#[tokio::test]
async fn no_endpoint_sends_the_relay_on_to_an_address_inside() {
    let inside = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = inside.local_addr().unwrap().port();
    // RFC 9700 §4.12: a 307 would take the form with the code or the token along.
    for status in [
        "301 Moved",
        "302 Found",
        "303 See",
        "307 Elsewhere",
        "308 Elsewhere",
    ] {
        let answer = format!(
            "S! HTTP/1.1 {status}\\r\\nlocation: http://127.0.0.1:{port}/admin\\r\\ncontent-length: 0\\r\\n\\r\\n"
        );
        for said in said_by_each(&answer).await {
            let Said::Oauth(reply) = said else {
                panic!("{said:?}")
            };
            let code: u16 = status.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(reply.http_status, Some(code));
        }
    }
    let knocked = timeout(Duration::ZERO, inside.accept()).await;
    assert!(knocked.is_err(), "somebody knocked");
}

#[tokio::test]
async fn metadata_cannot_name_an_endpoint_in_the_clear_on_another_machine() {
    for (name, address) in [
        ("token_endpoint", "http://10.0.0.1/token"),
        (
            "userinfo_endpoint",
            "http://169.254.169.254/latest/meta-data",
        ),
        ("revocation_endpoint", "ftp://a.example/"),
        ("authorization_endpoint", "file:///etc/passwd"),
        ("token_endpoint", "http://127.0.0.1.attacker.example/token"),
        ("authorization_endpoint", "javascript:alert(1)"),
    ] {
        let peer = Peer::start_with(|server| {
            let mut document = serde_json::json!({
                "issuer": format!("http://{server}"),
                "authorization_endpoint": "https://a.example/auth",
                "token_endpoint": "https://a.example/token",
            });
            document[name] = serde_json::json!(address);
            let body = json(&document.to_string());
            format!("C HTTP GET /.well-known/openid-configuration\n{body}")
        })
        .await;
        let issuer = peer.origin().parse().unwrap();
        let failure = client().load_metadata(&issuer).await.unwrap_err();
        let detail = garbage(&failure.said);
        assert!(
            detail.starts_with(&format!("expected https in {name}")),
            "{detail}"
        );
        peer.finish().await;
    }
}

#[tokio::test]
async fn a_revocation_that_never_ends_is_left_too() {
    for (answer, part) in [
        (
            "S! HTTP/1.1 200 OK\\r\\n\\r\\n\nS* very-secret",
            "at most 262144 bytes",
        ),
        ("S~ HTTP/1.1 200 OK and more", "within 20 seconds"),
    ] {
        let peer = Peer::start(&format!("C HTTP POST /revoke\n{answer}")).await;
        let metadata = metadata(&peer.origin());
        let client = relay::oauth::Client::new(&Dialer::new(None).unwrap()).unwrap();
        let failure = client
            .revoke(&metadata, &confidential(), &Secret::new("a-token"))
            .await
            .unwrap_err();
        assert!(failure.said.to_string().contains(part), "{failure:?}");
        peer.finish().await;
    }
}
