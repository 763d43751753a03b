//! Refusals of `unpause verify`: what is no receipt, is no more what was signed, or cannot be asked for.

use std::fs;

use anyhow::Result;

use crate::home::Home;
use crate::row::{Alone, Before, Change, How, Row};

const VERIFY: &[&str] = &["verify", "receipt.jsonl"];

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "receipt to check that is not there",
        how: How::Alone(Alone {
            then: None,
            ..alone(VERIFY)
        }),
        code: "exit 1",
        place: "",
        words: "receipt.jsonl cannot be read: No such file or directory (os error 2)",
    },
    Row {
        case: "receipt to check that is something else",
        how: having("receipt.jsonl is a lead list", |home| {
            Box::pin(async move { write(home, b"email\njane@acme.example\n") })
        }),
        code: "exit 1",
        place: "",
        words: "receipt.jsonl: expected a receipt as `unpause reconnect receipt RECEIPT --signed` writes it, found something else: its first line is not the head of one",
    },
    Row {
        case: "receipt to check that was cut off",
        how: having("receipt.jsonl ends before its signature", |home| {
            Box::pin(async move { write(home, b"{\"unpause_receipt\":1,\"receipt\":{}}\n") })
        }),
        code: "exit 1",
        place: "",
        words: "receipt.jsonl: its last line is no signature: the file was cut off, or something was added to it. Nothing of it is proved",
    },
    Row {
        case: "receipt to check of a later version",
        how: having("receipt.jsonl says version 2", |home| {
            Box::pin(async move { write(home, b"{\"unpause_receipt\":2}\n") })
        }),
        code: "exit 1",
        place: "",
        words: "receipt.jsonl: expected a signed receipt of version 1, found version 2: a later version of unpause can read it",
    },
    Row {
        case: "receipt to check in which something was changed",
        how: having("receipt.jsonl is not what its signature is over", |home| {
            Box::pin(async move {
                write(
                    home,
                    b"{\"unpause_receipt\":1,\"receipt\":{}}\n{\"sha256\":\"00\",\"messages\":0,\
                      \"key\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"at\":\"2026-12-01T00:00:00.000Z\",\
                      \"renewals\":[],\"signature\":\"\"}\n",
                )
            })
        }),
        code: "exit 1",
        place: "",
        words: "receipt.jsonl: it is not what was signed: a byte was changed, or a line was taken away, added or moved. Its signature is over bytes with the SHA-256 00, and these have …",
    },
    Row {
        case: "receipt to check by what is no key",
        how: How::Alone(Alone {
            then: None,
            ..alone(&["verify", "receipt.jsonl", "--key", "jane"])
        }),
        code: "exit 1",
        place: "",
        words: "expected a key of a relay for --key, 43 letters and digits or a fingerprint of eight groups of four, found \"jane\"",
    },
];

const fn alone(arguments: &'static [&'static str]) -> Alone {
    Alone {
        arguments,
        config: "listen = \"127.0.0.1:0\"\n",
        variable: None,
        before: Before::Nothing,
        then: None,
    }
}

const fn having(words: &'static str, change: Change) -> How {
    How::Alone(Alone {
        then: Some((words, change)),
        ..alone(VERIFY)
    })
}

fn write(home: &Home, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(home.path("receipt.jsonl"), bytes)?)
}
