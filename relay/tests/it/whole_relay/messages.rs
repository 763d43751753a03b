//! Messages as they arrive: names, HTML, pictures and files, read back from the recipients' mailboxes by another
//! program than the one that wrote them; what a preview and a check say beforehand.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use relay::http::operator::SOCKET_FILE;
use relay::tls::Dialer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Client, Ground, JANE, Relay, wait_for};

/// The operator's way in.
struct Operator(reqwest::Client);

impl Operator {
    fn of(ground: &Ground) -> Self {
        let socket = ground.path("data").join(SOCKET_FILE);
        let tls = Dialer::new(None).unwrap().client_config().as_ref().clone();
        Self(
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls)
                .no_proxy()
                .unix_socket(socket)
                .build()
                .unwrap(),
        )
    }

    /// Status and answer.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("http://127.0.0.1{path}");
        let mut asked = self.0.request(method, url);
        if let Some(body) = body {
            asked = asked.json(&body);
        }
        let answer = asked.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, Some(body)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Creates a campaign with these leads; answers its path.
    async fn create(&self, campaign: Value, csv: &str) -> String {
        let created = self.post("/v1/campaigns", campaign).await;
        let path = format!("/v1/campaigns/{}", created["id"].as_str().unwrap());
        let url = format!("http://127.0.0.1{path}/leads");
        let asked = self.0.post(url).header("content-type", "text/csv");
        let answer = asked.body(csv.to_owned()).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{}", answer.text().await.unwrap());
        path
    }
}

async fn start() -> (Ground, Relay, String) {
    let ground = Ground::new(Client::Public).await;
    let relay = ground.start().await;
    let inbox = relay.connect(&ground, Duration::ZERO).await;
    (ground, relay, inbox.to_string())
}

/// Any bytes: line ends of every kind, bytes beyond ASCII, nothing that ends with a line.
fn picture() -> Vec<u8> {
    (0..=255)
        .cycle()
        .take(5_000)
        .chain(*b"\r\n.\r\n\n\r")
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_is_what_was_meant_with_its_names_html_pictures_and_files() {
    let (ground, relay, inbox) = start().await;
    let operator = Operator::of(&ground);
    let name = "Jürgen \"J\" Müller, CEO";
    operator
        .post(
            &format!("/v1/inboxes/{inbox}/sender"),
            json!({ "sender": {
                "name": name,
                "reply_to": "answers@acme.example",
                "signature": "Jürgen\n+49 731 1 < 2",
            } }),
        )
        .await;
    let kept = operator
        .post(
            "/v1/files",
            json!({ "content": STANDARD.encode(picture()) }),
        )
        .await;
    let again = operator
        .post(
            "/v1/files",
            json!({ "content": STANDARD.encode(picture()) }),
        )
        .await;
    assert_eq!(kept, again);
    let file = kept["file_id"].as_str().unwrap();
    let report =
        "Angebot „Frühling“ 2027; Preise, Fristen und alles, was dazu gehört – für Sie.pdf";
    let path = operator
        .create(
            json!({
                "name": "Spring",
                "inboxes": [inbox],
                "steps": [
                    {
                        "subject": "{{ choose(\"Frage an\", \"Eine Frage an\") }} {{first_name}}",
                        "html": "<html><body>\n{% if company %}\n<p>Grüße an <b>{{company}}</b>,</p>\n{% endif %}\n<p>see <a href=\"https://acme.example/?a=1&amp;b={{first_name}}\">our page</a> <img src=\"cid:logo\" alt=\"Acme\"></p></body></html>",
                        "files": [
                            { "file_id": file, "name": "logo.png", "cid": "logo" },
                            { "file_id": file, "name": report },
                        ],
                    },
                    { "body": "Still there, {{First Name | default: \"friend\"}}?", "wait_ms": 1 },
                ],
            }),
            "email,first_name,company\nann@a.example,Änn,Smith & <Söhne>\nbob@b.example,Bob,\n",
        )
        .await;
    let checked = operator.get(&format!("{path}/check")).await;
    assert_eq!(
        (&checked["leads"], &checked["unfit"]),
        (&json!(2), &json!(0)),
        "{checked}"
    );
    let previews = [
        operator
            .get(&format!("{path}/preview?lead=ANN@a.example"))
            .await,
        operator
            .get(&format!("{path}/preview?lead=ann@a.example&step=2"))
            .await,
    ];
    operator.post(&format!("{path}/start"), json!({})).await;
    let all = wait_for("both messages to both leads", async || {
        let all = ground.sandbox.control().delivered();
        (all.len() == 4).then_some(all)
    })
    .await;
    let to_ann: Vec<_> = all
        .iter()
        .filter(|one| one.recipient == "ann@a.example")
        .collect();
    let to_bob = all
        .iter()
        .find(|one| one.recipient == "bob@b.example")
        .unwrap();
    let read = |raw: &[u8]| MessageParser::default().parse(raw).unwrap().into_owned();
    let (first, second) = (read(&to_ann[0].raw), read(&to_ann[1].raw));

    for message in [&first, &second] {
        let from = message.from().unwrap().first().unwrap();
        assert_eq!((from.name(), from.address()), (Some(name), Some(JANE)));
        let answers_to = message.reply_to().unwrap().first().unwrap();
        assert_eq!(answers_to.address(), Some("answers@acme.example"));
    }
    let subject = first.subject().unwrap();
    assert!(
        ["Frage an Änn", "Eine Frage an Änn"].contains(&subject),
        "{subject}"
    );
    assert_eq!(second.subject(), Some(format!("Re: {subject}").as_str()));
    let id = first.message_id().unwrap();
    assert_eq!(second.in_reply_to().as_text(), Some(id));
    assert_eq!(
        second.body_text(0).unwrap().replace('\r', ""),
        "Still there, Änn?\n\n-- \nJürgen\n+49 731 1 < 2\n"
    );

    // alternative(text, related(html, picture)) with the file beside it.
    let kinds = |message: &mail_parser::Message<'_>| -> Vec<String> {
        let parts = message.parts.iter();
        parts
            .map(|part| {
                let kind = part.content_type().unwrap();
                format!(
                    "{}/{}",
                    kind.c_type,
                    kind.c_subtype.as_deref().unwrap_or_default()
                )
            })
            .collect()
    };
    assert_eq!(
        kinds(&first),
        [
            "multipart/mixed",
            "multipart/alternative",
            "text/plain",
            "multipart/related",
            "text/html",
            "image/png",
            "application/pdf"
        ]
    );
    assert_eq!(kinds(&second), ["text/plain"]);
    let html = first.body_html(0).unwrap().replace('\r', "");
    assert!(
        html.contains("<p>Grüße an <b>Smith &amp; &lt;Söhne&gt;</b>,</p>\n"),
        "{html}"
    );
    assert!(
        html.contains("Jürgen<br>\n+49 731 1 &lt; 2</div>\n</body></html>"),
        "{html}"
    );
    let text = first.body_text(0).unwrap().replace('\r', "");
    assert!(
        text.contains("Grüße an Smith & <Söhne>,")
            && text.contains("our page <https://acme.example/?a=1&b=Änn>"),
        "{text}"
    );
    let binaries: Vec<_> = first
        .parts
        .iter()
        .filter_map(|part| match &part.body {
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                let disposition = part.content_disposition().unwrap().c_type.to_string();
                Some((
                    part.attachment_name(),
                    part.content_id(),
                    disposition,
                    bytes.to_vec(),
                ))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        binaries,
        [
            (
                Some("logo.png"),
                Some("logo"),
                "inline".to_owned(),
                picture()
            ),
            (Some(report), None, "attachment".to_owned(), picture()),
        ]
    );
    let to_bob = read(&to_bob.raw);
    assert!(!to_bob.body_html(0).unwrap().contains("Grüße"));

    // What was shown before is what came.
    for (preview, message, raw) in [
        (&previews[0], &first, &to_ann[0].raw),
        (&previews[1], &second, &to_ann[1].raw),
    ] {
        assert_eq!(preview["subject"].as_str(), message.subject());
        assert_eq!(
            preview["text"].as_str().unwrap(),
            message.body_text(0).unwrap().replace('\r', "")
        );
        // With its last line end, as servers count.
        assert_eq!(preview["bytes"].as_u64(), Some(raw.len() as u64 + 2));
        let headers = preview["headers"].as_array().unwrap();
        let named = |name: &str| {
            let mut found = headers.iter().filter(|header| header["name"] == name);
            found
                .next()
                .map(|header| header["value"].as_str().unwrap().to_owned())
        };
        assert_eq!(
            named("Message-ID"),
            Some(format!("<{}>", message.message_id().unwrap()))
        );
        assert!(named("From").unwrap().is_ascii());
        assert_eq!(preview["at_most_bytes"], json!(25 * 1024 * 1024));
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_that_has_no_message_for_some_leads_is_not_started_and_all_of_them_are_named() {
    let (ground, relay, inbox) = start().await;
    let operator = Operator::of(&ground);
    let csv: String = std::iter::once("email,name\n".to_owned())
        .chain((0..300).map(|n| format!("lead{n}@l.example,{}\n", "x".repeat(n * 10))))
        .collect();
    let campaign = json!({
        "name": "Spring",
        "inboxes": [inbox],
        "steps": [
            { "subject": "Hi", "body": "Hello" },
            { "body": "{{name | default: \"\"}}{{name | default: \"\"}}" , "wait_ms": 1 },
        ],
    });
    let path = operator.create(campaign, &csv).await;
    let id = relay.app().store.list_inboxes().await.unwrap()[0]
        .id
        .clone();
    let largest = operator.get(&format!("{path}/check")).await;
    assert_eq!(largest["unfit"], json!(0));
    // What the server says it takes, so that just the longest do not fit: by the message itself, not by what it may be.
    let of = |n: usize| format!("{path}/preview?step=2&lead=lead{n}@l.example");
    let bytes = operator.get(&of(250)).await["bytes"].as_u64().unwrap();
    assert!(
        largest["largest_bytes"].as_u64().unwrap() > bytes,
        "{largest}"
    );
    relay
        .app()
        .store
        .note_size_at_most(&id, Some(bytes))
        .await
        .unwrap();

    let mut named = Vec::new();
    let mut after = String::new();
    loop {
        let page = operator.get(&format!("{path}/check?limit=20{after}")).await;
        assert_eq!(
            (&page["leads"], &page["unfit"]),
            (&json!(300), &json!(49)),
            "{page}"
        );
        let faults = page["faults"].as_array().unwrap();
        assert!((1..=20).contains(&faults.len()), "{page}");
        for fault in faults {
            assert_eq!(fault["step"], 2);
            assert!(
                fault["words"]
                    .as_str()
                    .unwrap()
                    .contains(&format!("takes at most {bytes}"))
            );
            named.push(fault["address"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (251..300).map(|n| format!("lead{n}@l.example")).collect();
    assert_eq!(named, expected);

    let (status, refused) = operator
        .ask(Method::POST, &format!("{path}/start"), Some(json!({})))
        .await;
    let detail = refused["detail"].as_str().unwrap();
    assert_eq!(status, 409, "{refused}");
    assert!(
        detail.starts_with("49 of 300 leads have no message: lead251@l.example, step 2: ")
            && detail.contains("lead270@l.example")
            && !detail.contains("lead271@l.example")
            && detail.contains("unpause campaign check"),
        "{detail}"
    );
    assert_eq!(operator.get(&path).await["status"]["state"], "draft");
    relay
        .app()
        .store
        .note_size_at_most(&id, None)
        .await
        .unwrap();
    operator.post(&format!("{path}/start"), json!({})).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_made_again_is_the_same_but_for_its_date() {
    let (ground, relay, inbox) = start().await;
    let operator = Operator::of(&ground);
    let file = operator
        .post(
            "/v1/files",
            json!({ "content": STANDARD.encode(picture()) }),
        )
        .await;
    let campaign = json!({
        "name": "Spring",
        "inboxes": [inbox],
        "sender": { "name": "Jané" },
        "steps": [{
            "subject": "{{ choose(\"a\", \"b\", \"c\") }}",
            "html": format!("<p>{}</p><img src=\"cid:x\">", "{{choose(\"a\", \"b\")}}".repeat(40)),
            "files": [
                { "file_id": file["file_id"], "name": "a.png", "cid": "x" },
                { "file_id": file["file_id"], "name": "b.bin" },
            ],
        }],
    });
    let path = operator.create(campaign, "email\nann@a.example\n").await;
    operator.post(&format!("{path}/start"), json!({})).await;
    let sent = wait_for("the message", async || {
        ground.sandbox.control().delivered().into_iter().next()
    })
    .await;
    let app = relay.app();
    let id = protocol::id::CampaignId::new(path.rsplit('/').next().unwrap());
    let deliveries = app.store.list_deliveries(&id, None, 10).await.unwrap();
    let written = app
        .store
        .find_written(&deliveries[0].id)
        .await
        .unwrap()
        .unwrap();
    let files = app.store.load_files(&written.steps[0].files).await.unwrap();
    let message_id = sent.message_id.clone().unwrap();
    let again = relay::text::message::compose(&relay::text::message::Parts {
        from: &JANE.parse().unwrap(),
        sender: &written.sender,
        to: &written.to,
        lead: &written.lead,
        fields: &written.fields,
        steps: &written.steps,
        step_idx: written.step_idx,
        files: &files,
        delivery: &deliveries[0].id,
        message_id: message_id.trim_matches(['<', '>']),
        thread: &written.thread,
        date: protocol::timestamp::Timestamp::from_ms(0),
        way_out: relay
            .app()
            .way_out(true, &JANE.parse().unwrap(), &written.to)
            .as_ref(),
    });
    let lines = |raw: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(raw).into_owned();
        let from = text.find("From: ").unwrap();
        let lines = text.get(from..).unwrap().split("\r\n");
        let lines = lines.filter(|line| !line.starts_with("Date: "));
        lines.map(str::to_owned).collect()
    };
    let (sent, again) = (lines(&sent.raw), lines(&again.unwrap()));
    assert!(sent.len() > 100);
    assert_eq!(sent.join("\n").trim_end(), again.join("\n").trim_end());
    relay.stop().await;
}

/// A file that is kept once weighs as often as a message has it: what no server would take is refused when it is written
/// down, before anybody makes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_a_message_and_of_a_campaign_have_a_size_together() {
    let (ground, relay, inbox) = start().await;
    let operator = Operator::of(&ground);
    let keep = async |byte: u8, n_mib: usize| {
        let content = STANDARD.encode(vec![byte; n_mib * 1024 * 1024]);
        let kept = operator
            .post("/v1/files", json!({ "content": content }))
            .await;
        kept["file_id"].as_str().unwrap().to_owned()
    };
    let (one, two, three) = (keep(1, 12).await, keep(2, 13).await, keep(3, 14).await);
    let step = |wait_ms: u64, files: &[&str]| {
        let files = files.iter().zip(1..);
        let files: Vec<_> = files
            .map(|(id, number)| json!({ "file_id": id, "name": format!("{number}.pdf") }))
            .collect();
        json!({ "subject": "a", "body": "b", "wait_ms": wait_ms, "files": files })
    };
    let campaign = |steps: &[Value]| json!({ "name": "x", "inboxes": [inbox], "steps": steps });
    for (steps, field) in [
        (vec![step(0, &[&one, &three])], "steps[0].files"),
        (
            vec![step(0, &[]), step(1, &[one.as_str(); 50])],
            "steps[1].files",
        ),
        (
            vec![
                step(0, &[&one]),
                step(1, &[&two]),
                step(1, &[&three]),
                step(1, &[&keep(4, 12).await]),
            ],
            "steps",
        ),
    ] {
        let asked = Some(campaign(&steps));
        let (status, answer) = operator.ask(Method::POST, "/v1/campaigns", asked).await;
        assert_eq!(
            (status, answer["field"].as_str()),
            (422, Some(field)),
            "{answer}"
        );
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains("expected files of at most "), "{detail}");
    }
    let steps = [
        step(0, &[&one, &two]),
        step(1, &[&two]),
        step(1, &[&two, &one]),
    ];
    operator.post("/v1/campaigns", campaign(&steps)).await;
    relay.stop().await;
}
