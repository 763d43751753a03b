//! Passkeys over the wire: made, used and removed, and everything that is to be refused, by an authenticator in software.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use relay::passkey::{ClientData, PublicKey, RelyingParty, read_assertion, read_creation};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::accounts::PASSWORD;
use super::{Answer, Relay, answer};
use authenticator::{Authenticator, Said, THERE};

pub(crate) mod authenticator;

impl Relay {
    pub(super) fn said(&self) -> Said {
        Said::at(self.running.address().port())
    }

    /// Has an authenticator make a passkey for whom the token is.
    pub(super) async fn add_passkey(
        &self,
        token: &str,
        authenticator: &mut Authenticator,
        said: &Said,
    ) -> Answer {
        let asked = answer(self.get("/v1/account/passkeys/creation", token)).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let mut made = authenticator.make(&asked.body, said);
        made["name"] = json!("her key");
        answer(self.post("/v1/account/passkeys", token, &made)).await
    }

    async fn has_passkey(&self, token: &str, authenticator: &mut Authenticator) -> Value {
        let said = self.said();
        let added = self.add_passkey(token, authenticator, &said).await;
        assert_eq!(added.status, StatusCode::OK, "{}", added.body);
        added.body
    }

    async fn begin_sign_in(&self) -> Value {
        let begun = answer(self.ask(Method::GET, "/v1/sign-ins/passkey")).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
        begun.body
    }

    async fn finish_sign_in(&self, begun: &Value, made: &Value) -> Answer {
        let asked = json!({ "begun": begun["begun"], "passkey": made });
        answer(self.ask(Method::POST, "/v1/sign-ins/passkey").json(&asked)).await
    }

    pub(super) async fn sign_in_by_key(&self, by: &mut Authenticator, said: &Said) -> Answer {
        let begun = self.begin_sign_in().await;
        self.finish_sign_in(&begun, &by.sign(&begun["asked"], said))
            .await
    }

    pub(super) async fn prove_by(
        &self,
        token: &str,
        by: &mut Authenticator,
        said: &Said,
    ) -> Answer {
        let asked = answer(self.get("/v1/account/proof", token)).await;
        assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
        let made = by.sign(&asked.body, said);
        answer(self.post("/v1/account/proof", token, &json!({ "passkey": made }))).await
    }

    async fn passkeys(&self, token: &str) -> Vec<Value> {
        let listed = answer(self.get("/v1/account/passkeys", token)).await;
        listed.body["passkeys"].as_array().unwrap().clone()
    }
}

fn token(session: &Answer) -> String {
    assert_eq!(session.status, StatusCode::OK, "{}", session.body);
    session.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_account_signs_in_by_any_of_its_passkeys_without_a_name() {
    let relay = Relay::start().await;
    let jane = relay.join("jane", "member", json!([])).await;
    let said = relay.said();
    let mut kinds = [
        Authenticator::es256(),
        Authenticator::ed_dsa(3),
        Authenticator::es256().without_count(),
    ];
    let mut made = Value::Null;
    for authenticator in &mut kinds {
        made = relay.has_passkey(&jane.token, authenticator).await;
        assert_eq!(made["name"], "her key");
        assert!(made.get("used_at").is_none(), "{made}");
    }
    let again = relay.add_passkey(&jane.token, &mut kinds[0], &said).await;
    again.expect_problem(409, "conflict");
    relay.clock.advance(Duration::from_secs(7));
    for authenticator in &mut kinds {
        for _ in 0..2 {
            let session = token(&relay.sign_in_by_key(authenticator, &said).await);
            let account = answer(relay.get("/v1/account", &session)).await.body;
            assert_eq!(
                (&account["id"], &account["passkeys"]),
                (&json!(jane.id), &json!(3))
            );
        }
    }
    let listed = relay.passkeys(&jane.token).await;
    assert_eq!(listed.len(), 3);
    for passkey in &listed {
        assert_eq!(passkey["used_at"], "1970-01-01T00:16:47.000Z");
    }
    let entry = relay.last("signInByPasskey").await;
    assert_eq!(
        (
            &entry["account"],
            &entry["outcome"],
            &entry["fields"]["passkey"]
        ),
        (&json!("jane"), &json!("done"), &made["id"]),
        "{entry}"
    );
    assert_eq!(
        relay.last("createPasskey").await["fields"]["name"],
        "her key"
    );
    let begun = relay.on_record("action=beginSignIn").await;
    assert_eq!(begun.len(), 0, "strangers write no entries");
    // What is kept is read again by the next process.
    let relay = relay.restart().await;
    let said = relay.said();
    token(&relay.sign_in_by_key(&mut kinds[1], &said).await);
}

/// Row: a passkey that was asked to sign on another page | signing in by it | 422 invalid | the person | expected the origin of this relay's own pages, found another
#[tokio::test]
async fn what_was_made_for_another_place_or_by_nobody_in_particular_is_refused() {
    let relay = Relay::start().await;
    let (mut hers, truly) = (Authenticator::es256(), relay.said());
    relay.has_passkey(&relay.session, &mut hers).await;
    let port = relay.running.address().port();
    let origin = |origin: &str| Said {
        origin: origin.to_owned(),
        ..truly.clone()
    };
    let flags = |flags| Said {
        flags,
        ..truly.clone()
    };
    let more = |more| Said {
        more,
        ..truly.clone()
    };
    let rp_id = |rp_id: &str| Said {
        rp_id: rp_id.to_owned(),
        ..truly.clone()
    };
    let lies = [
        origin("https://attacker.example"),
        origin(&format!("https://localhost:{port}")),
        origin("http://localhost:1"),
        origin("http://localhost"),
        origin(&format!("http://127.0.0.1:{port}")),
        origin(&format!("http://localhost:{port}.attacker.example")),
        origin(&format!("http://LOCALHOST:{port}")),
        origin("null"),
        rp_id("attacker.example"),
        rp_id("127.0.0.1"),
        rp_id(""),
        // Somebody was there, and it was not looked who; the other way round; neither.
        flags(0b001),
        flags(0b100),
        flags(0),
        // Backed up, and cannot be.
        flags(THERE | 0b1_0000),
        more(json!({ "crossOrigin": true })),
        more(json!({ "topOrigin": "https://attacker.example" })),
        Said {
            kind: Some("payment.get"),
            ..truly.clone()
        },
    ];
    for (n, lie) in lies.iter().enumerate() {
        let signed = relay.sign_in_by_key(&mut hers, lie).await;
        assert_eq!(signed.body["code"], "invalid", "{n}: {}", signed.body);
        let proved = relay.prove_by(&relay.session, &mut hers, lie).await;
        assert_eq!(proved.body["code"], "invalid", "{n}: {}", proved.body);
        let mut other = Authenticator::es256();
        let added = relay.add_passkey(&relay.session, &mut other, lie).await;
        assert_eq!(added.body["code"], "invalid", "{n}: {}", added.body);
    }
    // What is for making signs nobody in, and the other way round.
    let crossed = Said {
        kind: Some("webauthn.create"),
        ..truly.clone()
    };
    let signed = relay.sign_in_by_key(&mut hers, &crossed).await;
    signed.expect_problem(422, "invalid");
    assert_eq!(relay.passkeys(&relay.session).await.len(), 1);
    token(&relay.sign_in_by_key(&mut hers, &truly).await);
}

/// Row: what a passkey signed is sent twice | signing in by it | 422 invalid | the person | this challenge is not one of now: it was used, took longer than five minutes, or was given for something else: begin again
#[tokio::test]
async fn a_challenge_is_good_once_soon_and_for_what_it_was_given() {
    let relay = Relay::start().await;
    let (mut hers, said) = (Authenticator::es256().without_count(), relay.said());
    relay.has_passkey(&relay.session, &mut hers).await;
    let begun = relay.begin_sign_in().await;
    let made = hers.sign(&begun["asked"], &said);
    // Of another sign-in that somebody else has begun.
    let theirs = relay.begin_sign_in().await;
    let stolen = relay.finish_sign_in(&theirs, &made).await;
    stolen.expect_problem(422, "invalid");
    token(&relay.finish_sign_in(&begun, &made).await);
    let again = relay.finish_sign_in(&begun, &made).await;
    again.expect_problem(422, "invalid");
    assert_eq!(again.body["field"], "client_data");
    // Signed afresh, and still the same challenge.
    let again = hers.sign(&begun["asked"], &said);
    let again = relay.finish_sign_in(&begun, &again).await;
    again.expect_problem(422, "invalid");

    let late = relay.begin_sign_in().await;
    let made = hers.sign(&late["asked"], &said);
    relay.clock.advance(Duration::from_mins(5));
    let late = relay.finish_sign_in(&late, &made).await;
    late.expect_problem(422, "invalid");

    // A challenge for a proof signs nobody in, one of another session proves nothing, and a made-up one is none.
    let other = relay.sign_in().await;
    let proof = answer(relay.get("/v1/account/proof", &other)).await.body;
    let made = hers.sign(&proof, &said);
    let begun = relay.begin_sign_in().await;
    let crossed = relay.finish_sign_in(&begun, &made).await;
    crossed.expect_problem(422, "invalid");
    let body = json!({ "passkey": made });
    let crossed = answer(relay.post("/v1/account/proof", &relay.session, &body)).await;
    crossed.expect_problem(422, "invalid");
    let made_up = json!({ "challenge": "A".repeat(96) });
    let made_up = hers.sign(&made_up, &said);
    let made_up = relay.finish_sign_in(&begun, &made_up).await;
    made_up.expect_problem(422, "invalid");
    let proved = answer(relay.post("/v1/account/proof", &other, &body)).await;
    assert_eq!(proved.status, StatusCode::OK, "{}", proved.body);
    let proved = answer(relay.post("/v1/account/proof", &other, &body)).await;
    proved.expect_problem(422, "invalid");

    let asked = answer(relay.get("/v1/account/passkeys/creation", &other)).await;
    let mut made = Authenticator::es256().make(&asked.body, &said);
    made["name"] = json!("a key");
    let elsewhere = relay.post("/v1/account/passkeys", &relay.session, &made);
    answer(elsewhere).await.expect_problem(422, "invalid");
    let by_other = || answer(relay.post("/v1/account/passkeys", &other, &made));
    assert_eq!(by_other().await.status, StatusCode::OK);
    by_other().await.expect_problem(422, "invalid");
}

/// Row: a passkey that was removed, or never was | signing in by it | 401 unauthenticated | the person | this passkey is not known here, or what it signed is not right: sign in another way
#[tokio::test]
async fn a_strange_passkey_one_of_another_account_and_a_removed_one_are_told_the_same() {
    let relay = Relay::start().await;
    let said = relay.said();
    let [jane, cleo] = [
        relay.join("jane", "member", json!([])).await,
        relay.join("cleo", "client", json!([])).await,
    ];
    let [mut hers, mut his, mut nobodys] =
        [1, 2, 4].map(|seed| Authenticator::ed_dsa(seed).without_count());
    relay.has_passkey(&jane.token, &mut hers).await;
    let kept = relay.has_passkey(&cleo.token, &mut his).await;
    nobodys.handle.clone_from(&hers.handle);
    // Everybody is told the same.
    let words =
        "this passkey is not known here, or what it signed is not right: sign in another way";
    let refuse = async |by: &mut Authenticator| {
        let refused = relay.sign_in_by_key(by, &said).await;
        refused.expect_problem(401, "unauthenticated");
        assert_eq!(refused.body["detail"], words);
    };
    refuse(&mut nobodys).await;
    // His key, her account; her credential, his key; no account at all.
    let own = std::mem::replace(&mut his.handle, hers.handle.clone());
    refuse(&mut his).await;
    let own_id = std::mem::replace(&mut his.id, hers.id.clone());
    refuse(&mut his).await;
    (his.id, his.handle) = (own_id, None);
    refuse(&mut his).await;
    his.handle = own;
    // In her session his passkey proves nothing.
    let proved = relay.prove_by(&jane.token, &mut his, &said).await;
    proved.expect_problem(422, "invalid");
    assert_eq!(proved.body["field"], "passkey");

    token(&relay.sign_in_by_key(&mut his, &said).await);
    let path = format!("/v1/account/passkeys/{}", kept["id"].as_str().unwrap());
    let delete = |token: &str| answer(relay.ask(Method::DELETE, &path).bearer_auth(token));
    delete(&jane.token).await.expect_problem(404, "not_found");
    assert_eq!(delete(&cleo.token).await.status, StatusCode::OK);
    refuse(&mut his).await;
    // Whoever begins is told the same whatever there is.
    let begun = relay.begin_sign_in().await;
    assert!(begun["asked"].get("credentials").is_none(), "{begun}");
    // An account takes its passkeys with it.
    let path = format!("/v1/accounts/{}", jane.id);
    answer(relay.by_operator(Method::DELETE, &path)).await;
    refuse(&mut hers).await;
}

/// Row: a passkey that was copied | its count of signatures goes back | 403 forbidden | the person | this passkey may have been copied: its count of signatures went back. Sign in another way, remove it in the settings, and add a new one
#[tokio::test]
async fn a_count_that_goes_back_lets_nobody_in_and_is_on_record() {
    let relay = Relay::start().await;
    let (mut hers, said) = (Authenticator::es256(), relay.said());
    hers.counter = 40;
    relay.has_passkey(&relay.session, &mut hers).await;
    token(&relay.sign_in_by_key(&mut hers, &said).await);
    for (n, copy, told) in [
        (1, 40, "went back from 41 to 41"),
        (2, 6, "went back from 41 to 7"),
    ] {
        hers.counter = copy;
        let refused = relay.sign_in_by_key(&mut hers, &said).await;
        refused.expect_problem(403, "forbidden");
        // The first says how; what comes again from the same place is counted at it.
        let entry = relay.last("signInByPasskey").await;
        assert_eq!(
            (&entry["outcome"], &entry["account"], &entry["times"]),
            (&json!("forbidden"), &json!("owner"), &json!(n)),
            "{entry}"
        );
        assert_eq!(entry["fields"]["counter"], "went back from 41 to 41");
        hers.counter = copy;
        let refused = relay.prove_by(&relay.session, &mut hers, &said).await;
        refused.expect_problem(403, "forbidden");
        let entry = relay.last("prove").await;
        assert_eq!(entry["fields"]["counter"], told, "{entry}");
    }
    hers.counter = 41;
    token(&relay.sign_in_by_key(&mut hers, &said).await);
}

/// Row: an account without a passkey | its password is to go | 409 conflict | the person | this account has no passkey, so its password alone signs it in: add a passkey first
/// Row: an account without a password | its last passkey is removed | 409 conflict | the person | this account has no password and no other passkey, so nothing else signs it in: add another passkey or set a password first
#[tokio::test]
async fn an_account_may_have_passkeys_alone_and_the_operator_has_the_way_back_in() {
    let relay = Relay::start().await;
    let said = relay.said();
    let set = relay.set_password(&relay.session, None, PASSWORD).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let no_more = || {
        answer(
            relay
                .ask(Method::DELETE, "/v1/account/password")
                .bearer_auth(&relay.session),
        )
    };
    no_more().await.expect_problem(409, "conflict");
    let mut hers = Authenticator::es256();
    let kept = relay.has_passkey(&relay.session, &mut hers).await;
    let other = relay.sign_in().await;
    let gone = no_more().await;
    assert_eq!(
        (&gone.body["has_password"], &gone.body["passkeys"]),
        (&json!(false), &json!(1))
    );
    assert!(relay.works(&relay.session).await && !relay.works(&other).await);
    let refused = relay.sign_in_as("owner", PASSWORD).await;
    refused.expect_problem(401, "unauthenticated");
    let path = format!("/v1/account/passkeys/{}", kept["id"].as_str().unwrap());
    let removed = relay.ask(Method::DELETE, &path).bearer_auth(&relay.session);
    answer(removed).await.expect_problem(409, "conflict");
    token(&relay.sign_in_by_key(&mut hers, &said).await);
    // Without password and passkey: the operator's link, and a password again.
    let back = relay.sign_in().await;
    let set = relay.set_password(&back, None, PASSWORD).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let removed = relay.ask(Method::DELETE, &path).bearer_auth(&back);
    assert_eq!(answer(removed).await.status, StatusCode::OK);
}

/// Row: a passkey at a relay without a name | `public_url` is a bare address | 409 conflict | the operator | `a passkey is bound to a name, and this relay is reached at the bare address https://192.0.2.1: give it a name and set public_url to that (docs/server.md)`
#[tokio::test]
async fn a_bare_address_has_no_passkeys_and_says_so() {
    let relay = Relay::start_as_without_session(
        &super::reach::BEHIND_US.replace("https://relay.acme.example", "https://192.0.2.1"),
    )
    .await;
    let begun = answer(relay.ask(Method::GET, "/v1/sign-ins/passkey")).await;
    begun.expect_problem(409, "conflict");
    let words = begun.body["detail"].as_str().unwrap();
    assert!(words.contains("https://192.0.2.1"), "{words}");
}

#[tokio::test]
async fn what_is_no_passkey_is_refused_at_its_field() {
    let relay = Relay::start().await;
    let said = relay.said();
    let asked = answer(relay.get("/v1/account/passkeys/creation", &relay.session)).await;
    let good = Authenticator::es256().make(&asked.body, &said);
    for (field, value, at) in [
        ("name", json!(" "), "name"),
        ("name", json!("x".repeat(61)), "name"),
        ("client_data", json!("%"), "client_data"),
        ("client_data", json!("e30"), "client_data"),
        ("client_data", json!("A".repeat(40_000)), "client_data"),
        ("attestation", json!("oA"), "attestation"),
        ("attestation", json!(""), "attestation"),
        ("credential_id", json!("AAAA"), "attestation"),
    ] {
        let mut made = good.clone();
        made["name"] = json!("a key");
        made[field] = value;
        let refused = answer(relay.post("/v1/account/passkeys", &relay.session, &made)).await;
        refused.expect_problem(422, "invalid");
        assert_eq!(refused.body["field"], at, "{field}: {}", refused.body);
    }
}

/// One byte of one field, changed over the wire; every byte of every field is the property below.
#[tokio::test]
async fn a_changed_byte_signs_nobody_in() {
    let relay = Relay::start().await;
    let (mut hers, said) = (Authenticator::es256().without_count(), relay.said());
    relay.has_passkey(&relay.session, &mut hers).await;
    for field in [
        "credential_id",
        "client_data",
        "authenticator_data",
        "signature",
        "user_handle",
    ] {
        let begun = relay.begin_sign_in().await;
        let mut made = hers.sign(&begun["asked"], &said);
        made[field] = json!(change(made[field].as_str().unwrap(), 11, 1));
        let refused = relay.finish_sign_in(&begun, &made).await;
        assert!(
            matches!(refused.status.as_u16(), 401 | 422),
            "{field}: {}",
            refused.body
        );
    }
    token(&relay.sign_in_by_key(&mut hers, &said).await);
}

/// The text of the same bytes with one of them changed.
fn change(text: &str, place: usize, mask: u8) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    let place = place % bytes.len();
    bytes[place] ^= mask;
    authenticator::encode(&bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever byte of what was signed is changed, it is not what was signed; whatever byte of what was made is changed,
    /// it is refused or makes another credential, and never breaks anything.
    #[test]
    fn nothing_that_was_changed_is_taken(
        is_ed in any::<bool>(), field in 0_usize..3, place in any::<usize>(), mask in 1_u8..,
    ) {
        let said = Said::at(7411);
        let party = RelyingParty { id: said.rp_id.clone(), origin: said.origin.clone() };
        let mut by = if is_ed { Authenticator::ed_dsa(9) } else { Authenticator::es256() };
        let challenge = json!({ "challenge": "abcd", "user_handle": "dXNlcg" });
        let mut made = by.make(&challenge, &said);
        made["name"] = json!("a key");
        let read = |made: &Value| {
            let made = serde_json::from_value(made.clone()).unwrap();
            let made: protocol::request::passkey::CreatePasskey = made;
            let client = ClientData::parse(&made.client_data)?;
            read_creation(&party, &client, &made)
        };
        let kept = read(&made).unwrap();
        let key = PublicKey::parse(&kept.key.render()).unwrap();
        prop_assert_eq!(&key, &kept.key);
        let judge = |signed: &Value| {
            let signed: protocol::request::passkey::Assertion =
                serde_json::from_value(signed.clone()).unwrap();
            let client = ClientData::parse(&signed.client_data)?;
            read_assertion(&party, &client, &signed)?.check(&key)
        };
        let mut signed = by.sign(&challenge, &said);
        prop_assert_eq!(judge(&signed), Ok(()));
        let name = ["client_data", "authenticator_data", "signature"][field];
        signed[name] = json!(change(signed[name].as_str().unwrap(), place, mask));
        prop_assert!(judge(&signed).is_err(), "{}", name);
        let name = ["credential_id", "client_data", "attestation"][field];
        let before = made.clone();
        made[name] = json!(change(made[name].as_str().unwrap(), place, mask));
        if let Ok(other) = read(&made) {
            prop_assert!(name != "credential_id", "{:?}", before);
            prop_assert!(name == "client_data" || other != kept || name == "attestation");
        }
    }
}
