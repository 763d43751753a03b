//! Refusals of what a campaign is made of: lead lists and templates.

use std::fs::File;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::row::{How, Met, Row};
use crate::stage::Stage;

/// 100 MB.
const LARGE_BYTES: usize = 100_000_000;
/// What is sent at a time.
const PIECE_BYTES: usize = 100_000;
/// How much more memory the relay may need to refuse 100 MB: its own limit of 32 MiB, and as much again
/// while what it keeps of it grows.
const GROWS_AT_MOST_KB: u64 = 64 * 1024;

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "lead list without the address column",
        how: How::Import(b"kind,name\nx,Ann\n"),
        code: "422 invalid",
        place: "field email, row 1",
        words: "there is no column \"email\", and none with mail addresses: expected one, with its name in the row of the header; found in row 1: kind, name",
    },
    Row {
        case: "two columns of one name that a message uses",
        how: How::Import(b"email,name,Name\nann@a.example,Ann,Ann\n"),
        code: "422 invalid",
        place: "field name, row 1",
        words: "the messages name {{name}}, and several columns are named \"name\": give each a name of its own",
    },
    Row {
        case: "row with more cells than columns",
        how: How::Import(b"email,name\nann@a.example,Ann\nbob@b.example,Bob,jr\n"),
        code: "422 invalid",
        place: "row 3",
        words: "row 3: expected at most 2 cells, as in the row of the header, found 3; put quotes around a cell that holds the delimiter, or leave it out (--skip-unusable)",
    },
    Row {
        case: "quote that is never closed",
        how: How::Import(b"email,name\nann@a.example,\"Ann\nbob@b.example,Bob\n"),
        code: "422 invalid",
        place: "row 2",
        words: "row 2 has a cell that begins with a quote and does not end with one: add the missing quote, and write a quote inside a cell twice",
    },
    Row {
        case: "quote that a later row closes",
        how: How::Import(b"email,name\nann@a.example,\"Ann\nbob@b.example,\"Bob\"\n"),
        code: "422 invalid",
        place: "row 2",
        words: "row 2 has a cell that begins with a quote and does not end with one: add the missing quote, and write a quote inside a cell twice",
    },
    Row {
        case: "duplicate",
        how: How::Import(b"email,name\nann@a.example,Ann\nAnn@a.example,Ann\n"),
        code: "422 invalid",
        place: "field email, row 3",
        words: "row 3: expected each address once, found Ann@a.example, which stands in row 2 already; remove one of them, or leave it out (--skip-unusable)",
    },
    Row {
        case: "invalid address",
        how: How::Import(b"email,name\nann@a.example,Ann\n\nnobody,Bob\n"),
        code: "422 invalid",
        place: "field email, row 4",
        words: "row 4: expected a mail address such as jane@acme.example in column \"email\", found \"nobody\"; correct it or remove the row, or leave it out (--skip-unusable)",
    },
    Row {
        case: "several people in one cell",
        how: How::Import(
            b"email,name\nann@a.example,Ann\n\"Cy <cy@c.example>, Di <di@d.example>\",Cy\n",
        ),
        code: "422 invalid",
        place: "field email, row 3",
        words: "row 3: expected one mail address in column \"email\", found \"Cy <cy@c.example>, Di <di@d.example>\"; give each address a row of its own, or leave it out (--skip-unusable)",
    },
    Row {
        case: "no address but that of who sells",
        how: How::Import(b"name,owner email\nAnn,me@us.example\n"),
        code: "422 invalid",
        place: "field email, row 1",
        words: "row 1: the only column with mail addresses is \"owner email\", which by its name is not the lead's: add the column with the leads' addresses, or name this one \"email\" if they are in it",
    },
    Row {
        case: "error of a spreadsheet in a cell that a message names",
        how: How::Import(b"email,name\nann@a.example,Ann\nbob@b.example,#N/A\n"),
        code: "422 invalid",
        place: "field name, row 3",
        words: "row 3: expected something for {{name}}, which the messages name, found \"#N/A\", which programs write for no value; fill it, or give the message a default: {{name | default: \"there\"}}, or leave it out (--skip-unusable)",
    },
    Row {
        case: "letters in an encoding that is not known",
        how: How::Import(b"email,name\nann@a.example,Ann\nbjoern@b.example,Bj\x94rn\n"),
        code: "422 invalid",
        place: "row 3",
        words: "row 3, column 2: the letters of \"Bj”rn\" cannot be right: expected the encoding UTF-8, and this is not (read as windows-1252, delimiter ','); save the file as \"CSV UTF-8\" and import it again, or say its encoding, as in --encoding windows-1251 (encoding=windows-1251 in the API)",
    },
    Row {
        case: "empty file",
        how: How::Import(b""),
        code: "422 invalid",
        place: "",
        words: "the file is empty: expected a row with column names, and below it a row for each lead with its mail address",
    },
    Row {
        case: "column names and nobody",
        how: How::Import(b"email,name\n"),
        code: "422 invalid",
        place: "",
        words: "the file has column names and no leads: expected a row for each lead below them",
    },
    Row {
        case: "100 MB, from a file",
        how: How::Scene(
            "`unpause campaign import` of a file of 100,000,000 bytes",
            |stage| Box::pin(import_large_file(stage)),
        ),
        code: "exit 1",
        place: "",
        words: "leads.csv is too large: expected at most 33554432 bytes, found 100000000; split it",
    },
    Row {
        case: "100 MB, announced by a client that waits for leave",
        how: How::Scene(
            "`POST /v1/campaigns/{draft}/leads` with `Content-Length: 100000000` and `Expect: 100-continue`; \
             not a byte of the body is asked for",
            |stage| Box::pin(announce_large_body(stage)),
        ),
        code: "422 invalid",
        place: "",
        words: "the body is too large: expected at most 33554432 bytes, found 100000000",
    },
    Row {
        case: "100 MB, without saying so before",
        how: How::Scene(
            "`POST /v1/campaigns/{draft}/leads` with 100,000,000 bytes in chunks; the relay's memory grows by \
             less than 64 MiB",
            |stage| Box::pin(stream_large_body(stage)),
        ),
        code: "422 invalid",
        place: "",
        words: "the body is too large: expected at most 33554432 bytes, found 100000000",
    },
    Row {
        case: "template with a field that the list has no column for",
        how: How::Import(b"email,first_name\nann@a.example,Ann\n"),
        code: "422 invalid",
        place: "field name, row 1",
        words: "the messages name {{name}}, and the file has no such column: found email, first_name",
    },
    Row {
        case: "template with a field that one lead lacks",
        how: How::Import(b"email,name\nann@a.example,Ann\nbob@b.example, \n"),
        code: "422 invalid",
        place: "field name, row 3",
        words: "row 3: expected something for {{name}}, which the messages name, found an empty cell; fill it, or give the message a default: {{name | default: \"there\"}}, or leave it out (--skip-unusable)",
    },
    Row {
        case: "template with a field that is not closed",
        how: How::Steps("[[steps]]\nsubject = \"Hi {{name\"\nbody = \"Hello\"\n"),
        code: "exit 1",
        place: "field steps[0].subject",
        words: "step 1, subject, line 1: a field is opened with {{ and not closed with }}: found \"name\" after it",
    },
    Row {
        case: "several rows that cannot be used",
        how: How::Import(b"email,name\nann@a.example,Ann\n,Cy\nnobody,Di\nann@a.example,Eve\n"),
        code: "422 invalid",
        place: "field email, row 3",
        words: "3 rows cannot be used: row 3: expected a mail address such as jane@acme.example in column \"email\", found \"\"; correct it or remove the row. row 4: expected a mail address such as jane@acme.example in column \"email\", found \"nobody\"; correct it or remove the row. row 5: expected each address once, found ann@a.example, which stands in row 2 already; remove one of them. Nothing was added; to add the other 1 leave these out (--skip-unusable)",
    },
    Row {
        case: "spreadsheet in its own format",
        how: How::Import(b"PK\x03\x04"),
        code: "422 invalid",
        place: "",
        words: "the file is a spreadsheet in its own format: expected a table as text; open it in a spreadsheet, save it as \"CSV UTF-8\" and import that",
    },
    Row {
        case: "template with the field of another tool",
        how: How::Steps("[[steps]]\nsubject = \"Hi\"\nbody = \"Hi [First Name]\"\n"),
        code: "exit 1",
        place: "field steps[0].body",
        words: "step 1, body, line 1: \"[First Name]\" would be sent as it stands: write {{first_name}} for the cell of that column; where that is meant, set literal = true for this step",
    },
    Row {
        case: "step without a text",
        how: How::Steps(
            "[[steps]]\nsubject = \"Hi\"\nbody = \"Hello\"\n[[steps]]\nbody = \"\"\nwait_ms = 0\n",
        ),
        code: "exit 1",
        place: "field steps[1].body",
        words: "expected a text, or HTML of which one can be made, found nothing",
    },
    Row {
        case: "misspelt key of a step",
        how: How::Steps("[[steps]]\nsubjct = \"Hi\"\nbody = \"Hello\"\n"),
        code: "exit 1",
        place: "",
        words: "steps.toml, line 2: unknown field `subjct`, expected one of `subject`, `body`, `html`, `files`, `wait_ms`, `literal`; expected a list of steps, each with subject, body and wait_ms",
    },
    Row {
        case: "follow-up without a wait",
        how: How::Steps(
            "[[steps]]\nsubject = \"Hi\"\nbody = \"Hello\"\n[[steps]]\nbody = \"Again\"\n",
        ),
        code: "exit 1",
        place: "",
        words: "steps.toml, line 4: missing field `wait_ms` of step 2: expected how many milliseconds after step 1 it leaves, as in 259200000 for three days, or 0 for at once; found none; expected a list of steps, each with subject, body and wait_ms",
    },
];

async fn import_large_file(stage: &Stage) -> Result<Met> {
    File::create(stage.file("leads.csv"))?.set_len(LARGE_BYTES as u64)?;
    stage
        .command(&["campaign", "import", "{draft}", "leads.csv"])
        .await
}

async fn announce_large_body(stage: &Stage) -> Result<Met> {
    let more = format!("Content-Length: {LARGE_BYTES}\r\nExpect: 100-continue\r\n");
    let mut stream = ask(stage, &more).await?;
    read_answer(&mut stream).await
}

async fn stream_large_body(stage: &Stage) -> Result<Met> {
    let before = peak_kb(stage)?;
    let mut stream = ask(stage, "Transfer-Encoding: chunked\r\n").await?;
    let piece = [
        format!("{PIECE_BYTES:x}\r\n").into_bytes(),
        vec![b'x'; PIECE_BYTES],
        b"\r\n".to_vec(),
    ]
    .concat();
    for _ in 0..LARGE_BYTES / PIECE_BYTES {
        stream.write_all(&piece).await?;
    }
    stream.write_all(b"0\r\n\r\n").await?;
    let met = read_answer(&mut stream).await?;
    let grown = peak_kb(stage)? - before;
    ensure!(
        grown < GROWS_AT_MOST_KB,
        "the relay's memory grew by {grown} KiB"
    );
    Ok(met)
}

/// Sends the head of an import with these headers, by hand: no client leaves the body out or says nothing
/// of its length.
async fn ask(stage: &Stage, headers: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(stage.relay.address()).await?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: text/csv\r\n\
         Connection: close\r\n{headers}\r\n",
        stage.fill("/v1/campaigns/{draft}/leads"),
        stage.relay.address(),
        stage.session
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

async fn read_answer(stream: &mut TcpStream) -> Result<Met> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("not an answer: {answer:?}"))?;
    let status = head.split(' ').nth(1).context("an answer has a status")?;
    Stage::read(status.parse()?, body.as_bytes())
}

/// The most memory that the relay has had so far (proc(5), `VmHWM`).
fn peak_kb(stage: &Stage) -> Result<u64> {
    let process = stage.relay.process_id().context("the relay runs")?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("the system tells no VmHWM")?.parse()?)
}
