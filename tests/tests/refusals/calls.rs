//! Refusals of requests to the API: who asks, from where, and how.

use crate::row::{Ask, Content, How, Row, Who};

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "no token",
        how: How::Ask(Ask {
            line: "GET /v1/status",
            who: Who::Nobody,
            host: None,
            body: Content::Text(""),
        }),
        code: "401 unauthenticated",
        place: "",
        words: "expected a request that a paired device has signed (RFC 9421), or the header Authorization: Bearer with the token of a session or an API key",
    },
    Row {
        case: "token that nobody has",
        how: How::Ask(Ask {
            line: "GET /v1/status",
            who: Who::Stranger,
            host: None,
            body: Content::Text(""),
        }),
        code: "401 unauthenticated",
        place: "",
        words: "the token is not known here: the session is over, or the relay was started again",
    },
    Row {
        case: "device that asks for what is the operator's",
        how: How::Ask(Ask {
            line: "POST /v1/pairings",
            who: Who::Device,
            host: None,
            body: Content::Text("{}"),
        }),
        code: "403 forbidden",
        place: "",
        words: "a device may not do this: use the command line on the relay's machine, or the dashboard",
    },
    Row {
        case: "foreign host name",
        how: How::Ask(Ask {
            line: "GET /v1/status",
            who: Who::Device,
            host: Some("attacker.example"),
            body: Content::Text(""),
        }),
        code: "403 forbidden",
        place: "",
        words: "this relay answers to 127.0.0.1, [::1], localhost and 127.0.0.1:…, found the host \"attacker.example\"",
    },
    Row {
        case: "path that does not exist",
        how: How::Ask(Ask {
            line: "GET /v1/nothing",
            who: Who::Operator,
            host: None,
            body: Content::Text(""),
        }),
        code: "404 not_found",
        place: "",
        words: "there is no /v1/nothing; /openapi.json lists what there is",
    },
    Row {
        case: "field that does not exist",
        how: How::Ask(Ask {
            line: "POST /v1/inboxes",
            who: Who::Operator,
            host: None,
            body: Content::Text(
                "{\"address\":\"eve@acme.example\",\"provider\":\"sandbox\",\"colour\":\"red\"}",
            ),
        }),
        code: "422 invalid",
        place: "field colour",
        words: "unknown field `colour`, expected one of `address`, `provider`, `smtp`, `imap`, `distance_ms`, `daily_cap`",
    },
    Row {
        case: "field that is missing",
        how: How::Ask(Ask {
            line: "POST /v1/inboxes",
            who: Who::Operator,
            host: None,
            body: Content::Text("{\"provider\":\"sandbox\"}"),
        }),
        code: "422 invalid",
        place: "field address",
        words: "missing field `address`",
    },
    Row {
        case: "field of a wrong type",
        how: How::Ask(Ask {
            line: "POST /v1/inboxes",
            who: Who::Operator,
            host: None,
            body: Content::Text(
                "{\"address\":\"eve@acme.example\",\"provider\":\"sandbox\",\"distance_ms\":\"soon\"}",
            ),
        }),
        code: "422 invalid",
        place: "field distance_ms",
        words: "expected a whole number, 0 or more, found the text \"soon\"",
    },
    Row {
        case: "field that does not exist, in the second of two steps",
        how: How::Ask(Ask {
            line: "POST /v1/campaigns",
            who: Who::Operator,
            host: None,
            body: Content::Text(
                "{\"name\":\"x\",\"inboxes\":[],\"steps\":[{\"subject\":\"Hi\",\"body\":\"Hello\"},{\"body\":\"Hello\",\"wait\":3}]}",
            ),
        }),
        code: "422 invalid",
        place: "field steps[1].wait",
        words: "unknown field `wait`, expected one of `subject`, `body`, `html`, `files`, `wait_ms`, `literal`",
    },
    Row {
        case: "follow-up without a wait, over the API",
        how: How::Ask(Ask {
            line: "POST /v1/campaigns",
            who: Who::Operator,
            host: None,
            body: Content::Text(
                "{\"name\":\"x\",\"inboxes\":[],\"steps\":[{\"subject\":\"Hi\",\"body\":\"Hello\"},{\"body\":\"Again\"}]}",
            ),
        }),
        code: "422 invalid",
        place: "field steps[1].wait_ms",
        words: "missing field `wait_ms` of step 2: expected how many milliseconds after step 1 it leaves, as in 259200000 for three days, or 0 for at once; found none",
    },
    Row {
        case: "port that is no number",
        how: How::Ask(Ask {
            line: "POST /v1/inboxes",
            who: Who::Operator,
            host: None,
            body: Content::Text(
                "{\"address\":\"eve@acme.example\",\"provider\":\"imap\",\"imap\":{\"host\":\"imap.acme.example\",\"port\":\"993\"}}",
            ),
        }),
        code: "422 invalid",
        place: "field imap.port",
        words: "expected a whole number, 0 or more, found the text \"993\"",
    },
    Row {
        case: "malformed JSON",
        how: How::Ask(Ask {
            line: "POST /v1/inboxes",
            who: Who::Operator,
            host: None,
            body: Content::Text("{\"address\":"),
        }),
        code: "422 invalid",
        place: "",
        words: "the body is not an object of JSON: EOF while parsing a value at line 1 column 11",
    },
    Row {
        case: "body that is too large",
        how: How::Ask(Ask {
            line: "POST /v1/inboxes",
            who: Who::Operator,
            host: None,
            body: Content::Bytes(70_000),
        }),
        code: "422 invalid",
        place: "",
        words: "the body is too large: expected at most 65536 bytes, found 70011",
    },
    Row {
        case: "pairing code used twice",
        how: How::Ask(Ask {
            line: "POST /v1/devices",
            who: Who::Device,
            host: None,
            body: Content::Text("{\"proof\":\"{proof}\",\"name\":\"a second browser\"}"),
        }),
        code: "422 invalid",
        place: "field proof",
        words: "this code is unknown, was used, or ran out: make a new one with `unpause pair`",
    },
    Row {
        case: "grant for a reconnect that is over",
        how: How::Ask(Ask {
            line: "POST /v1/reconnects/{finished}/grant",
            who: Who::Device,
            host: None,
            body: Content::Text("{\"sealed\":\"AAAA\"}"),
        }),
        code: "409 conflict",
        place: "",
        words: "this reconnect is resumed; it no longer waits for a sign-in",
    },
    Row {
        case: "sealed hand-over that was forged",
        how: How::Ask(Ask {
            line: "POST /v1/reconnects/{open}/grant",
            who: Who::Device,
            host: None,
            body: Content::Text("{\"sealed\":\"AAAA\"}"),
        }),
        code: "200 refused: unsealable",
        place: "",
        words: "The hand-over could not be opened. It was sealed for another relay or another sign-in. Nothing was changed; sign in once more.",
    },
];
