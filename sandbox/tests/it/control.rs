//! Holding conversations, events, control over HTTP, and keeping the CA.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::StatusCode;
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, HOST, ORIGIN};
use sandbox::{GrantType, Point};
use serde_json::{Value, json};

use super::oauth::{browser, sign_in};
use super::smtp::{connect, send_message, signed_in};
use super::{JANE, start, start_with, wait_for};

#[tokio::test]
async fn a_conversation_waits_where_it_is_held() {
    let sandbox = start().await;
    let control = sandbox.control();
    let mut peer = signed_in(&sandbox).await;

    let dot = control.hold(Point::SmtpDotReceived);
    send_message(&mut peer).await;
    let event = dot.reached().await;
    assert_eq!(event.person.as_deref(), Some(JANE));
    assert_eq!(control.delivered().len(), 0, "nothing is stored before");
    let stored = control.hold(Point::SmtpStored);
    dot.release();
    assert_eq!(stored.reached().await.session, event.session);
    assert_eq!(control.delivered().len(), 1);
    stored.release();
    peer.play("S: 250 …").await;

    let given_up = control.hold(Point::SmtpMail);
    drop(given_up);
    peer.play("C: MAIL FROM:<jane@acme.example>\nS: 250 …")
        .await;
}

#[tokio::test]
async fn a_peer_that_vanishes_before_the_dot_leaves_nothing() {
    let sandbox = start().await;
    let held = sandbox.control().hold(Point::SmtpData);
    let mut events = sandbox.control().events();
    let mut peer = signed_in(&sandbox).await;
    peer.play("C: MAIL FROM:<jane@acme.example>\nS: 250 …\nC: RCPT TO:<a@b.example>")
        .await;
    peer.play("S: 250 …\nC: DATA\nS: 354 …").await;
    held.reached().await;
    drop(peer);
    held.release();
    // A whole later conversation: nothing of the first one comes meanwhile.
    send_message(&mut signed_in(&sandbox).await).await;
    let control = sandbox.control();
    wait_for("the second message is stored", || {
        !control.delivered().is_empty()
    })
    .await;
    assert_eq!(control.delivered().len(), 1);
    let mut stored = 0;
    while let Ok(event) = events.try_recv() {
        stored += usize::from(event.point == Point::SmtpStored);
    }
    assert_eq!(stored, 1);
}

#[tokio::test]
async fn whose_peer_vanishes_at_the_dot_may_be_stored_or_not() {
    const ROUNDS: usize = 12;
    // The share of a seed below: some of these messages are stored, each within the time that
    // the profile promises, and some are not.
    let sandbox = start_with(|options| options.seed = 3).await;
    let control = sandbox.control();
    for _ in 0..ROUNDS {
        let mut peer = signed_in(&sandbox).await;
        let held = control.hold(Point::SmtpDotReceived);
        send_message(&mut peer).await;
        held.reached().await;
        drop(peer);
        // Held on: the end comes from the peer alone. A conversation after it shows it is over.
        let mut after = connect(&sandbox).await;
        after.play("C: NOOP\nS: 250 …").await;
    }
    wait_for("some are stored", || !control.delivered().is_empty()).await;
    tokio::time::timeout(
        sandbox::profile::GENERIC.submission_time,
        wait_for("all are", || control.delivered().len() == ROUNDS),
    )
    .await
    .expect_err("not all are stored");
}

#[tokio::test]
async fn token_requests_are_held_before_and_after_they_take_effect() {
    let sandbox = start().await;
    let control = sandbox.control().clone();
    let received = Point::TokenRequestReceived {
        grant_type: GrantType::AuthorizationCode,
    };
    let (before, after) = (
        control.hold(received),
        control.hold(Point::TokenAnswerReady),
    );
    let watch = async {
        before.reached().await;
        assert!(control.grants(JANE).is_empty());
        before.release();
        assert_eq!(after.reached().await.person.as_deref(), Some(JANE));
        assert!(control.grants(JANE)[0].live, "committed before the answer");
        after.release();
    };
    let ((access, _), ()) = tokio::join!(sign_in(&sandbox), watch);
    assert!(!access.is_empty());
}

#[tokio::test]
async fn everything_can_be_done_over_http() {
    let sandbox = start().await;
    let client = browser();
    let at = |call: &str| format!("{}/control/{call}", sandbox.issuer());
    let call = async |name: &str, body: Value| -> Value {
        let answer = client.post(at(name)).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{name} {body}");
        answer.json().await.unwrap()
    };
    let answer = call("hold", json!({ "at": "smtp_stored" })).await;
    let hold = format!("hold/{}", answer["hold"]);
    let quick: Value = client
        .get(at(&hold))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(quick["reached"], Value::Null);
    let mut peer = signed_in(&sandbox).await;
    send_message(&mut peer).await;
    let wait = at(&format!("{hold}?wait_ms=10000"));
    let reached: Value = client.get(wait).send().await.unwrap().json().await.unwrap();
    assert_eq!(reached["reached"]["person"], JANE);
    assert_eq!(
        client.delete(at(&hold)).send().await.unwrap().status(),
        StatusCode::OK
    );
    peer.play("S: 250 …").await;

    let delivered: Value = client
        .get(at("delivered"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(delivered["delivered"][0]["recipient"], "lead@else.example");
    assert_eq!(
        delivered["delivered"][0]["headers"][2],
        json!(["X-Unpause-Delivery", "abc"])
    );
    call(
        "deliver",
        json!({ "to": JANE, "raw": "Subject: hi\n\nyou" }),
    )
    .await;
    let inbox = at(&format!("folder?address={JANE}&name=INBOX"));
    let inbox: Value = client
        .get(inbox)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(inbox["messages"][0]["raw"], "Subject: hi\r\n\r\nyou");

    call(
        "refuse-recipient",
        json!({ "address": "a@b.example", "reply": "550 no" }),
    )
    .await;
    call(
        "next-reply",
        json!({ "stage": "mail", "reply": "451 later" }),
    )
    .await;
    call(
        "drop-after-data",
        json!({ "chance": 1.0, "stored_share": 1.0 }),
    )
    .await;
    call("slow", json!({ "ms": 1 })).await;
    for switch in [
        "redirects-forgotten",
        "secrets-over",
        "codes-stolen",
        "permissions-end",
        "other-issuer",
    ] {
        call(switch, json!({ "on": true })).await;
    }
    call("share", json!({ "address": JANE, "with": JANE })).await;
    call(
        "refuse-visit",
        json!({ "error": "access_denied", "description": "no" }),
    )
    .await;
    call("reset-faults", json!({})).await;
    call("revoke", json!({ "address": JANE })).await;
    peer.play("C: NOOP\nS: 421 4.7.0 …").await;
    let unknown = client
        .post(at("revoke"))
        .json(&json!({ "address": "x@y.example" }));
    assert_eq!(
        unknown.send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn no_web_page_can_drive_it() {
    let sandbox = start().await;
    let at = format!("{}/control/delivered", sandbox.issuer());
    for (name, value) in [(ORIGIN, sandbox.issuer()), (HOST, "rebound.example:80")] {
        let answer = browser()
            .get(&at)
            .header(&name, value)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
        assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }
    assert_eq!(
        browser().get(&at).send().await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_restart_keeps_the_ca_and_its_key_is_the_owners() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = start_with(|options| options.data = Some(data.clone())).await;
    let ca_pem = first.ca_pem().to_owned();
    first.stop().await;
    let mode = std::fs::metadata(data.join("ca.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut second = start_with(|options| options.data = Some(data.clone())).await;
    assert_eq!(second.ca_pem(), ca_pem);
    // Trusts the CA of the first run.
    connect(&second).await.play("C: QUIT\nS: 221 …").await;
    let port = second.smtps().port();
    second.stop().await;
    second = start_with(|options| options.listen.smtps = port).await;
    assert_eq!(
        second.smtps().port(),
        port,
        "a stopped sandbox frees its ports"
    );
}
