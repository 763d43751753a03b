//! What a browser and an authenticator send as a passkey: an attestation object, or what was signed with its client's data.
//! The first byte says which.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::request::passkey::{Assertion, CreatePasskey};
use relay::passkey::{ClientData, PublicKey, RelyingParty, read_assertion, read_creation};

use crate::cost;

/// What the corpus was made with.
const ORIGIN: &str = "http://localhost:7411";
const HOST: &str = "localhost";

pub(super) fn run(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let party = RelyingParty {
        id: HOST.to_owned(),
        origin: ORIGIN.to_owned(),
    };
    cost::bounded(bytes, 256 * 1024, 512, || match kind % 3 {
        0 => creation(&party, rest),
        1 => assertion(&party, rest),
        _ => {
            // Whatever it says of itself, a page elsewhere is never ours.
            let client = ClientData::parse(&URL_SAFE_NO_PAD.encode(rest));
            if let Ok(client) = client {
                assert!(
                    rest.windows(client.challenge().len())
                        .any(|found| found == client.challenge().as_bytes())
                        || rest.contains(&b'\\')
                );
            }
        }
    });
}

#[expect(
    clippy::panic,
    reason = "what is written here is what a browser writes: a run ends where it is not read"
)]
fn client(kind: &str) -> ClientData {
    let said = format!(r#"{{"type":"{kind}","challenge":"abcd","origin":"{ORIGIN}"}}"#);
    match ClientData::parse(&URL_SAFE_NO_PAD.encode(said)) {
        Ok(client) => client,
        Err(fault) => panic!("{fault}"),
    }
}

fn creation(party: &RelyingParty, attestation: &[u8]) {
    let attestation = URL_SAFE_NO_PAD.encode(attestation);
    // Its id stands behind 37 bytes of head, 16 of model and two of its length, wherever these stand: the corpus has 32
    // bytes of 7.
    let made = CreatePasskey {
        name: String::new(),
        credential_id: URL_SAFE_NO_PAD.encode([7; 32]),
        client_data: String::new(),
        attestation,
    };
    if let Ok(kept) = read_creation(party, &client("webauthn.create"), &made) {
        // What is kept is what is read again.
        assert_eq!(PublicKey::parse(&kept.key.render()).as_ref(), Ok(&kept.key));
        assert_eq!(kept.id, made.credential_id);
    }
}

fn assertion(party: &RelyingParty, data: &[u8]) {
    let made = Assertion {
        credential_id: String::new(),
        client_data: String::new(),
        authenticator_data: URL_SAFE_NO_PAD.encode(data),
        signature: URL_SAFE_NO_PAD.encode([1; 64]),
        user_handle: None,
    };
    if read_assertion(party, &client("webauthn.get"), &made).is_ok() {
        let verified = data.get(32).is_some_and(|flags| flags & 0b101 == 0b101);
        assert!(verified, "nobody was verified");
    }
}
