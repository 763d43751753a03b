//! A document of a receipt: what was signed is taken, and nothing else of its like.

use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};

use super::*;
use crate::cause::Cause;
use crate::id::{DeliveryId, InboxId, LeadId, ReceiptId, ReconnectId};
use crate::receipt::Fate;

const AT: Timestamp = Timestamp::from_ms(1_795_417_920_123);

fn head(held: u64) -> Head {
    Head {
        unpause_receipt: VERSION,
        receipt: Receipt {
            id: ReceiptId::new("rcp_1"),
            reconnect: ReconnectId::new("rec_1"),
            inbox: InboxId::new("inb_1"),
            campaigns: vec![CampaignId::new("cmp_1")],
            cause: Cause::PermissionEnded,
            lost_at: AT,
            resumed_at: AT,
            shifted_by_ms: 0,
            held,
            to_send: held,
            skipped: 0,
            in_doubt: 0,
            lines: Vec::new(),
        },
        campaigns: vec![NamedCampaign {
            id: CampaignId::new("cmp_1"),
            name: "Spring".to_owned(),
        }],
    }
}

fn entry(n: u64) -> String {
    let entry = Entry {
        campaign: CampaignId::new("cmp_1"),
        to: format!("lead{n}@example.org"),
        line: Line {
            delivery: DeliveryId::new(format!("dlv_{n}")),
            lead: LeadId::new(format!("led_{n}")),
            step: 2,
            fate: Fate::Shifted {
                was_due_at: AT,
                due_at: AT,
            },
        },
    };
    serde_json::to_string(&entry).unwrap()
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

/// A document of so many messages, signed by this key.
fn document(n: u64, by: &SigningKey) -> String {
    let mut text = serde_json::to_string(&head(n)).unwrap() + "\n";
    for n in 0..n {
        text += &(entry(n) + "\n");
    }
    seal(text, n, by)
}

fn seal(text: String, n: u64, by: &SigningKey) -> String {
    let public = VerifyingKey::from_bytes(by.verifying_key().as_bytes());
    let digest = Sha256::digest(text.as_bytes()).into();
    let renewals = vec![Renewal {
        statement: "not looked at here".to_owned(),
        signature: "nor this".to_owned(),
    }];
    let seal = Seal::over(digest, n, public, AT, renewals);
    let signature = by.sign(seal.statement().as_bytes()).to_bytes();
    text + &serde_json::to_string(&seal.signed(&signature)).unwrap() + "\n"
}

/// Whether somebody who knows this key takes it.
fn is_taken(bytes: &[u8], by: &SigningKey) -> bool {
    read(bytes).is_ok_and(|whole| {
        let signature = Signature::from_bytes(&whole.signature);
        whole.seal.key.to_bytes() == by.verifying_key().to_bytes()
            && by
                .verifying_key()
                .verify(whole.statement.as_bytes(), &signature)
                .is_ok()
    })
}

#[test]
fn what_was_signed_is_taken_and_no_byte_of_it_can_be_another() {
    let by = key(1);
    let text = document(3, &by);
    assert!(
        is_taken(text.as_bytes(), &by),
        "{:?}",
        read(text.as_bytes())
    );
    assert_eq!(read(text.as_bytes()).unwrap().head, head(3));
    let mut bytes = text.into_bytes();
    for idx in 0..bytes.len() {
        let before = bytes[idx];
        for other in [
            before ^ 1,
            before ^ 0x20,
            before ^ 0x80,
            b'0',
            b'A',
            b'\n',
            b' ',
        ] {
            if other != before {
                bytes[idx] = other;
                assert!(!is_taken(&bytes, &by), "byte {idx} as {other}");
            }
        }
        bytes[idx] = before;
    }
}

#[test]
fn what_is_cut_off_at_any_byte_or_goes_on_is_refused() {
    let by = key(1);
    let text = document(3, &by);
    for idx in 0..text.len() {
        assert!(!is_taken(&text.as_bytes()[..idx], &by), "cut off at {idx}");
        assert!(
            !is_taken(&text.as_bytes()[text.len() - idx..], &by),
            "the last {idx}"
        );
    }
    for more in ["\n", " ", "{}\n", &document(3, &by)] {
        assert!(
            !is_taken(format!("{text}{more}").as_bytes(), &by),
            "{more:?}"
        );
        assert!(
            !is_taken(format!("{more}{text}").as_bytes(), &by),
            "{more:?}"
        );
    }
    assert!(!is_taken(text.replace('\n', "\r\n").as_bytes(), &by));
    let cut = text.lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(read(cut.as_bytes()), Err(Fault::NoSeal));
}

#[test]
fn lines_that_are_moved_taken_away_or_repeated_are_refused_in_words() {
    let by = key(1);
    let text = document(6, &by);
    let lines: Vec<_> = text.lines().collect();
    let write =
        |order: &[usize]| -> String { order.iter().flat_map(|idx| [lines[*idx], "\n"]).collect() };
    assert!(is_taken(write(&[0, 1, 2, 3, 4, 5, 6, 7]).as_bytes(), &by));
    for order in [
        // Pages of three are swapped.
        [0, 4, 5, 6, 1, 2, 3, 7].as_slice(),
        &[0, 1, 2, 3, 4, 5, 7],
        &[0, 1, 2, 3, 4, 5, 6, 6, 7],
        &[1, 0, 2, 3, 4, 5, 6, 7],
    ] {
        let fault = read(write(order).as_bytes()).unwrap_err();
        assert!(matches!(fault, Fault::Changed { .. }), "{order:?}: {fault}");
    }
    // Nor does a relay that lists one twice have it believed.
    let twice = format!("{}\n{}\n{}\n", lines[0], lines[1], lines[1]);
    assert_eq!(
        read(seal(twice, 2, &by).as_bytes()),
        Err(Fault::Line { line: 3 })
    );
    let missing = format!("{}\n{}\n", lines[0], lines[1]);
    let signed = seal(missing, 2, &by);
    assert_eq!(
        read(signed.as_bytes()),
        Err(Fault::Count {
            signed: 2,
            found: 1
        })
    );
}

#[test]
fn a_seal_of_another_document_or_key_is_none_of_this_one() {
    let (by, other) = (key(1), key(2));
    let (mine, theirs) = (document(3, &by), document(3, &other));
    assert!(!is_taken(theirs.as_bytes(), &by));
    let last = |text: &str| text.lines().last().unwrap().to_owned();
    let swapped = mine.replace(&last(&mine), &last(&document(2, &by)));
    assert!(matches!(
        read(swapped.as_bytes()),
        Err(Fault::Changed { .. })
    ));
    // The key of one with the signature of another.
    let public =
        |key: &SigningKey| VerifyingKey::from_bytes(key.verifying_key().as_bytes()).to_string();
    let renamed = theirs.replace(&public(&other), &public(&by));
    assert!(read(renamed.as_bytes()).is_ok());
    assert!(!is_taken(renamed.as_bytes(), &by));
}

#[test]
fn what_is_no_receipt_is_called_so() {
    for other in [
        "",
        "\n",
        "{}",
        "email\njane@acme.example\n",
        "{\"unpause\":1}\n{}\n",
        "\u{0}\u{1}",
    ] {
        assert_eq!(read(other.as_bytes()), Err(Fault::NoReceipt), "{other:?}");
    }
    let later = document(1, &key(1)).replace("{\"unpause_receipt\":1", "{\"unpause_receipt\":2");
    assert_eq!(read(later.as_bytes()), Err(Fault::Later(2)));
}
