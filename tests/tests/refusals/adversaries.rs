//! Refusals of those who mean harm: what another extension, a page, a guess and a link that was used are told. What a
//! hostile server is told is nothing; what the person is told of it stands with the relay's own tests.

use anyhow::{Context as _, Result};
use http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use protocol::request::device::DeleteDevice;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tests::http_client::http_client;
use tests::story::reconnecting::Device;
use url::Url;

use crate::row::{Ask, Content, How, Met, Row, Who};
use crate::stage::Stage;

const EXTENSION: &str = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
const OTHER: &str = "chrome-extension://ponmlkjihgfedcbaponmlkjihgfedcba";
const PAGE: &str = "https://attacker.example";

/// The last row shuts the door for a minute.
pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "another extension with a device's key",
        how: How::Scene(
            "`GET /v1/status` signed by the key of a device that was paired from one extension, and the `Origin` of another",
            |stage| Box::pin(as_device(stage, "GET /v1/status", Some(OTHER))),
        ),
        code: "403 forbidden",
        place: "",
        words: "the key is another's: expected the origin of the extension that was paired with it, found \"chrome-extension://ponmlkjihgfedcbaponmlkjihgfedcba\"; pair this browser by itself, and revoke the device if you do not know why",
    },
    Row {
        case: "change with a device's key from what is no browser",
        how: How::Scene(
            "`POST /v1/reconnects/{open}/refuse` signed by the key of a device that was paired from an extension, and no `Origin`",
            |stage| Box::pin(as_device(stage, "POST /v1/reconnects/{open}/refuse", None)),
        ),
        code: "403 forbidden",
        place: "",
        words: "the key is another's: expected the origin of the extension that was paired with it, found none; pair this browser by itself, and revoke the device if you do not know why",
    },
    Row {
        case: "page of somebody else that changes something",
        how: How::Scene(
            "`POST /v1/pairings` with the token of a session and `Origin: https://attacker.example`",
            |stage| Box::pin(as_page(stage)),
        ),
        code: "403 forbidden",
        place: "",
        words: "the origin \"https://attacker.example\" is neither this relay's own nor an extension's",
    },
    Row {
        case: "JSON without bottom",
        how: How::Scene(
            "`POST /v1/inboxes` with lists that are nested 1,000 deep",
            |stage| Box::pin(nested(stage)),
        ),
        code: "422 invalid",
        place: "",
        words: "the body is not an object of JSON: recursion limit exceeded at line 1 column …",
    },
    Row {
        case: "link to a sign-in that was used, or guessed",
        how: How::Scene("`GET /oauth/start?ticket=guess` in a tab", |stage| {
            Box::pin(tab(stage, "/oauth/start?ticket=guess"))
        }),
        code: "410 a page",
        place: "",
        words: "This link no longer works. It works once, and for a few minutes. Close this tab. If the inbox's card still waits for the sign-in, press Cancel there, then Reconnect.",
    },
    Row {
        case: "answer of a provider that nobody asked, or that comes again",
        how: How::Scene(
            "`GET /oauth/callback/sandbox?code=c&state=guess` in a tab",
            |stage| Box::pin(tab(stage, "/oauth/callback/sandbox?code=c&state=guess")),
        ),
        code: "400 a page",
        place: "",
        words: "No sign-in waits for this page. It was answered already, or was not begun here. Nothing was changed by opening it again. Close this tab. If the inbox's card still waits for the sign-in, press Cancel there, then Reconnect.",
    },
    Row {
        case: "login link that was used, or guessed",
        how: How::Ask(Ask {
            line: "POST /v1/sessions",
            who: Who::Nobody,
            host: None,
            body: Content::Text("{\"code\":\"guess\"}"),
        }),
        code: "422 invalid",
        place: "field code",
        words: "this code is unknown, was used, or ran out: make a new link with `unpause login`",
    },
    Row {
        case: "codes that are guessed",
        how: How::Scene(
            "`POST /v1/sessions` with more than 10 wrong codes",
            |stage| Box::pin(guess(stage)),
        ),
        code: "429 too_many_requests",
        place: "",
        words: "10 codes were wrong within a minute, and this one is wrong too: a right one is taken at once, for another wrong one wait a minute",
    },
];

/// One request with JSON, by whoever has this token and says that it comes from there.
async fn ask(
    stage: &Stage,
    line: &str,
    token: &str,
    origin: Option<&str>,
    body: String,
) -> Result<Met> {
    let (method, path) = line.split_once(' ').context("method and path")?;
    let mut asked = request(stage, method.parse()?, path)?
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    if let Some(origin) = origin {
        asked = asked.header(ORIGIN, origin);
    }
    let answer = asked.send().await?;
    Stage::read(answer.status().as_u16(), &answer.bytes().await?)
}

fn request(stage: &Stage, method: Method, path: &str) -> Result<RequestBuilder> {
    let url = format!("{}{}", stage.relay.base(), stage.fill(path));
    Ok(http_client(&[])?.request(method, url))
}

/// A device is paired from an extension, somebody asks with its token, and it is revoked again.
async fn as_device(stage: &Stage, line: &str, origin: Option<&str>) -> Result<Met> {
    let operator = &stage.operator;
    let device = Device::pair_at(&stage.relay.base(), operator, Some(EXTENSION)).await?;
    let body = "{\"why\":{\"kind\":\"cancelled\"}}";
    let (method, path) = line.split_once(' ').context("method and path")?;
    let url = Url::parse(&format!("{}{}", stage.relay.base(), stage.fill(path)))?;
    let json = "application/json";
    let mut asked = request(stage, method.parse()?, path)?
        .header(CONTENT_TYPE, json)
        .body(body);
    for (name, value) in device.api.sign(method, &url, Some(json), body.as_bytes()) {
        asked = asked.header(name, value);
    }
    if let Some(origin) = origin {
        asked = asked.header(ORIGIN, origin);
    }
    let answer = asked.send().await?;
    let met = Stage::read(answer.status().as_u16(), &answer.bytes().await?);
    let device_id = device.id;
    operator.call(&DeleteDevice { device_id }).await?;
    met
}

async fn as_page(stage: &Stage) -> Result<Met> {
    ask(
        stage,
        "POST /v1/pairings",
        &stage.session,
        Some(PAGE),
        "{}".to_owned(),
    )
    .await
}

async fn nested(stage: &Stage) -> Result<Met> {
    let body = format!("{{\"address\":{}", "[".repeat(1_000));
    ask(stage, "POST /v1/inboxes", &stage.session, None, body).await
}

/// What a tab shows: the title and the paragraphs of a page, without the link that leads on.
async fn tab(stage: &Stage, path: &str) -> Result<Met> {
    let answer = request(stage, Method::GET, path)?.send().await?;
    let code = format!("{} a page", answer.status().as_u16());
    let html = answer.text().await?;
    let (_, main) = html.split_once("<h1>").context("a page has a title")?;
    let (title, rest) = main.split_once("</h1>").context("its title ends")?;
    let mut words = vec![format!("{title}.")];
    for paragraph in rest.split("<p>").skip(1) {
        let (text, _) = paragraph.split_once("</p>").context("a paragraph ends")?;
        if !text.starts_with("<a ") {
            words.push(text.replace("&#39;", "'"));
        }
    }
    Ok(Met {
        code,
        place: String::new(),
        words: words.join(" "),
    })
}

/// Until it is told to wait.
async fn guess(stage: &Stage) -> Result<Met> {
    for _ in 0..11 {
        let answer = request(stage, Method::POST, "/v1/sessions")?
            .json(&json!({ "code": "guess" }))
            .send()
            .await?;
        let met = Stage::read(answer.status().as_u16(), &answer.bytes().await?)?;
        if met.code != "422 invalid" {
            return Ok(met);
        }
    }
    anyhow::bail!("nobody was told to wait")
}
