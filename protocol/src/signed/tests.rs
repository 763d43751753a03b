//! What a signature covers, read back; the standard's own example; and what changes on the way.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey as DalekKey};
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_800_000_000;

fn keys(byte: u8) -> (SigningKey, VerifyingKey) {
    let signing = SigningKey::from_bytes(&[byte; 32]);
    let verifying = VerifyingKey::from_bytes(signing.verifying_key().as_bytes());
    (signing, verifying)
}

fn is_good(presented: &Presented) -> bool {
    let signature = Signature::from_bytes(&presented.signature);
    DalekKey::from_bytes(&presented.key.to_bytes()).is_ok_and(|key| {
        key.verify_strict(presented.base.as_bytes(), &signature)
            .is_ok()
    })
}

/// RFC 9421, appendix B.2.6, with the key of B.1.4: the words that are signed, and the signature of somebody else's
/// program over them.
#[test]
fn the_base_is_that_of_the_standard() {
    let components = [
        named("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        named("@method", "POST"),
        named("@path", "/foo"),
        named("@authority", "example.com"),
        named("content-type", "application/json"),
        named("content-length", "18"),
    ];
    let parameters = format!(
        "{};created=1618884473;keyid=\"test-key-ed25519\"",
        list(&components)
    );
    let base = base_of(&components, &parameters);
    let key = URL_SAFE_NO_PAD
        .decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs")
        .unwrap();
    let signature = STANDARD
        .decode(
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        )
        .unwrap();
    DalekKey::from_bytes(&key.try_into().unwrap())
        .unwrap()
        .verify_strict(
            base.as_bytes(),
            &Signature::from_bytes(&signature.try_into().unwrap()),
        )
        .unwrap();
}

#[test]
fn a_digest_is_that_of_the_standard() {
    // RFC 9530, appendix D, with the line feed of its example.
    assert_eq!(
        digest(b"{\"hello\": \"world\"}\n"),
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
    );
}

/// A request with everything that a signature covers, and the values of its two fields.
struct Sent {
    method: String,
    path: String,
    query: Option<String>,
    digest: String,
    content_type: Option<String>,
    tag: Option<String>,
    input: String,
    signature: String,
}

impl Sent {
    fn asked(&self) -> Asked<'_> {
        Asked {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            content_digest: &self.digest,
            content_type: self.content_type.as_deref(),
            if_none_match: self.tag.as_deref(),
            relay_key: None,
        }
    }

    fn read(&self) -> Result<Presented, SignatureError> {
        read_request(&self.asked(), &self.input, &self.signature)
    }
}

fn send() -> Sent {
    let (signing, key) = keys(7);
    let mut sent = Sent {
        method: "POST".to_owned(),
        path: "/v1/inboxes/inb_1/reconnects".to_owned(),
        query: Some("a=b".to_owned()),
        digest: digest(b"{}"),
        content_type: Some("application/json".to_owned()),
        tag: Some("\"abc\"".to_owned()),
        input: String::new(),
        signature: String::new(),
    };
    let unsigned = prepare_request(&sent.asked(), &key, NOW, &join_nonce("challenge", "1"));
    let signature = signing.sign(unsigned.base.as_bytes()).to_bytes();
    (sent.input, sent.signature) = unsigned.sign(&signature);
    sent
}

#[test]
fn a_request_that_was_signed_is_read_as_it_was() {
    let presented = send().read().unwrap();
    assert!(is_good(&presented));
    assert_eq!(presented.key, keys(7).1);
    assert_eq!(presented.created, NOW);
    assert_eq!(find_challenge(&presented.nonce), Some("challenge"));
}

/// What somebody on the way may change, one thing each time.
#[test]
fn nothing_that_is_covered_can_be_changed_added_or_left_out() {
    let changes: [fn(&mut Sent); 9] = [
        |sent| sent.method = "PUT".to_owned(),
        |sent| sent.path.push('x'),
        |sent| sent.query = None,
        |sent| sent.query = Some("a=c".to_owned()),
        |sent| sent.digest = digest(b"[]"),
        |sent| sent.content_type = None,
        |sent| sent.content_type = Some("text/csv".to_owned()),
        |sent| sent.tag = None,
        |sent| sent.tag = Some("\"abd\"".to_owned()),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut sent = send();
        change(&mut sent);
        assert!(
            !sent.read().is_ok_and(|read| is_good(&read)),
            "change {n} is not seen"
        );
    }
}

#[test]
fn a_signature_for_something_else_is_none() {
    let sent = send();
    for (from, to) in [
        ("tag=\"unpause-device\"", "tag=\"unpause-relay\""),
        (";tag=\"unpause-device\"", ""),
        ("alg=\"ed25519\"", "alg=\"hmac-sha256\""),
        ("\"@path\" ", ""),
        ("\"@method\" \"@path\"", "\"@path\" \"@method\""),
        ("nonce=\"challenge.1\";", ""),
        (";created=1800000000", ""),
        (";alg=", ";expires=1;alg="),
        ("device=", "other="),
        ("device=(", "device="),
    ] {
        let input = sent.input.replace(from, to);
        assert_ne!(input, sent.input, "{from}");
        assert!(
            read_request(&sent.asked(), &input, &sent.signature).is_err(),
            "{from} as {to}"
        );
    }
    for signature in ["", "device=:AAAA:", "device=1", "other=:AAAA:"] {
        assert!(read_request(&sent.asked(), &sent.input, signature).is_err());
    }
}

#[test]
fn an_answer_is_to_one_request() {
    let (signing, key) = keys(9);
    let asked = read_signature(DEVICE, &send().signature).unwrap();
    let mut other = asked;
    other[0] ^= 1;
    let answered = |request, status, etag, challenge| {
        let content_digest = digest(b"{\"inboxes\":[]}");
        let content_digest = Box::leak(content_digest.into_boxed_str());
        Answered {
            status,
            content_digest,
            challenge,
            etag,
            request,
        }
    };
    let sent = answered(&asked, 200, Some("\"1\""), "next");
    let unsigned = prepare_answer(&sent, &key, NOW);
    let (input, signature) = unsigned.sign(&signing.sign(unsigned.base.as_bytes()).to_bytes());
    let read = |answered: &Answered<'_>| {
        read_answer(answered, &input, &signature).is_ok_and(|read| is_good(&read))
    };
    assert!(read(&sent));
    for changed in [
        answered(&other, 200, Some("\"1\""), "next"),
        answered(&asked, 304, Some("\"1\""), "next"),
        answered(&asked, 200, Some("\"2\""), "next"),
        answered(&asked, 200, None, "next"),
        answered(&asked, 200, Some("\"1\""), "last"),
    ] {
        assert!(!read(&changed), "{changed:?}");
    }
}

#[test]
fn a_key_is_a_key() {
    let (_, key) = keys(1);
    assert_eq!(VerifyingKey::try_from(key.to_string()).as_ref(), Ok(&key));
    assert_eq!(key.fingerprint().len(), 8 * 4 + 7);
    assert_ne!(key.fingerprint(), keys(2).1.fingerprint());
    for text in ["", "AAAA", "not base64url", &format!("{key}A")] {
        assert_eq!(VerifyingKey::try_from(text.to_owned()), Err(NotAKey));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// One byte of the two fields changed anywhere: refused.
    #[test]
    fn a_changed_byte_is_seen(at in 0..1_000_usize, to in 0..=255_u8, in_input in any::<bool>()) {
        let mut sent = send();
        let field = if in_input { &mut sent.input } else { &mut sent.signature };
        let mut bytes = field.clone().into_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != to);
        bytes[at] = to;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        *field = text;
        if let Ok(read) = sent.read() {
            prop_assert!(!is_good(&read), "{} {}", sent.input, sent.signature);
        }
    }
}
