//! Calling the relay: any endpoint of `protocol`, by `fetch`, from a page or a worker.
//! The path and the fields of a request are written by [`protocol::request::encode`].

use http::Method;
use js_sys::Uint8Array;
use protocol::problem::Problem;
use protocol::request::{Request, encode};
use protocol::secret::Secret;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, RequestCache, RequestCredentials, RequestInit, RequestRedirect, Response,
};

/// How long an answer may take. The relay answers from its own records; what takes longer is no answer.
const WITHIN_MS: u32 = 10_000;

/// The longest piece of a strange answer that is shown, in characters.
const SHOWN_AT_MOST: usize = 200;

/// Where the relay is, and what lets us in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Its address, without a slash at its end; empty for the origin of the page itself.
    pub base: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Option<Secret>,
}

/// Why a call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing came back: no relay, no network, or the time ran out.
    #[error("no relay answers at {url}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
    },
    /// The relay said no.
    #[error("{0}")]
    Refused(Problem),
    /// What came back is not signed by the relay that was paired: nothing of it was looked at.
    #[error("what answers at {url} is not your relay")]
    NotTheRelay {
        /// Where.
        url: String,
    },
    /// What came back is not what the relay answers.
    #[error("what answers at {url} is not the relay: {found}")]
    Strange {
        /// Where.
        url: String,
        /// What came.
        found: String,
    },
}

/// An answer with the tag that it had, for [`call_if_changed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged<T> {
    /// The answer.
    pub answer: T,
    /// Its `ETag`.
    pub tag: Option<String>,
}

/// Calls an endpoint.
pub async fn call<R: Request>(door: &Door, request: &R) -> Result<R::Response, CallError> {
    match call_if_changed(door, request, None).await? {
        Some(tagged) => Ok(tagged.answer),
        None => Err(CallError::Strange {
            url: place(&door.base),
            found: "\"not modified\" to a question that asked for no change".to_owned(),
        }),
    }
}

/// Calls an endpoint; `None` where its answer still has the tag `known`.
pub async fn call_if_changed<R: Request>(
    door: &Door,
    request: &R,
    known: Option<&str>,
) -> Result<Option<Tagged<R::Response>>, CallError> {
    let question = write(&door.base, request)?;
    let mut fields = Vec::new();
    if let Some(token) = &door.token {
        fields.push(("authorization", format!("Bearer {}", token.expose())));
    }
    if let Some(known) = known {
        fields.push(("if-none-match", known.to_owned()));
    }
    let answer = fetch(&question, &fields, &[ETAG])
        .await
        .map_err(|Nothing| CallError::Unreachable {
            url: place(&door.base),
        })?;
    read::<R>(&door.base, &answer)
}

/// The field of an answer's tag.
pub const ETAG: &str = "etag";
/// The type of every body that is sent here.
pub const JSON: &str = "application/json";

/// A request as `fetch` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The method, in capitals.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// The body, of the type [`JSON`].
    pub body: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Those of the fields that were asked for and are there, by their names in small letters.
    pub fields: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a field that was asked for.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Writes a request to the relay at `base`, which is without a slash at its end.
pub fn write<R: Request>(base: &str, request: &R) -> Result<Question, CallError> {
    let encoded = encode(request).map_err(|error| CallError::Strange {
        url: place(base),
        found: error.to_string(),
    })?;
    let mut url = format!("{base}{}", encoded.path);
    if R::METHOD == Method::POST {
        return Ok(Question {
            method: "POST",
            url,
            body: Some(serde_json::Value::Object(encoded.fields).to_string()),
        });
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &encoded.fields {
        match value {
            serde_json::Value::String(text) => query.append_pair(name, text),
            other => query.append_pair(name, &other.to_string()),
        };
    }
    let query = query.finish();
    if !query.is_empty() {
        url.push('?');
        url.push_str(&query);
    }
    Ok(Question {
        method: if R::METHOD == Method::DELETE {
            "DELETE"
        } else {
            "GET"
        },
        url,
        body: None,
    })
}

/// Reads an answer of the relay at `base`; `None` where it says that nothing has changed.
pub fn read<R: Request>(
    base: &str,
    answer: &Answer,
) -> Result<Option<Tagged<R::Response>>, CallError> {
    let status = answer.status;
    // RFC 9110 §15.4.5: what was asked for has not changed.
    if status == 304 {
        return Ok(None);
    }
    if (200..300).contains(&status) {
        let tag = answer.field(ETAG).map(str::to_owned);
        if let Ok(answer) = serde_json::from_slice(&answer.body) {
            return Ok(Some(Tagged { answer, tag }));
        }
    } else if let Ok(problem) = serde_json::from_slice(&answer.body) {
        return Err(CallError::Refused(problem));
    }
    Err(CallError::Strange {
        url: place(base),
        found: describe::<R>(status, &String::from_utf8_lossy(&answer.body)),
    })
}

/// What a strange answer was. An answer with a status of success may hold a secret, so nothing of it is shown.
fn describe<R: Request>(status: u16, text: &str) -> String {
    if (200..300).contains(&status) {
        return format!(
            "status {status} and something that is no answer to {}",
            R::NAME
        );
    }
    let shown: String = text.trim().chars().take(SHOWN_AT_MOST).collect();
    format!("status {status} {shown}").trim_end().to_owned()
}

/// Where the relay was looked for, as people know it.
fn place(base: &str) -> String {
    if base.is_empty() {
        "this address".to_owned()
    } else {
        base.to_owned()
    }
}

/// Nothing came back; browsers do not say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nothing;

impl From<JsValue> for Nothing {
    fn from(_: JsValue) -> Self {
        Self
    }
}

/// Asks, with these fields, and keeps those of the answer's that are named. No cookie goes along, no redirect is
/// followed and nothing is kept in a cache.
pub async fn fetch(
    question: &Question,
    fields: &[(&str, String)],
    kept: &[&'static str],
) -> Result<Answer, Nothing> {
    let headers = Headers::new()?;
    for (name, value) in fields {
        headers.set(name, value)?;
    }
    let options = RequestInit::new();
    options.set_method(question.method);
    if let Some(body) = &question.body {
        headers.set("content-type", JSON)?;
        options.set_body(&JsValue::from_str(body));
    }
    options.set_headers_headers(&headers);
    // Cookies of the relay's own pages alone: one says that this browser has signed in before.
    options.set_credentials(RequestCredentials::SameOrigin);
    options.set_redirect(RequestRedirect::Error);
    options.set_cache(RequestCache::NoStore);
    options.set_signal(Some(&AbortSignal::timeout_with_u32(WITHIN_MS)));
    // A worker has no window; `fetch` is the same function of its global object.
    let global: web_sys::Window = js_sys::global().unchecked_into();
    let promise = global.fetch_with_str_and_init(&question.url, &options);
    let response: Response = JsFuture::from(promise).await?.unchecked_into();
    let body = JsFuture::from(response.array_buffer()?).await?;
    let mut found = Vec::new();
    for name in kept {
        if let Some(value) = response.headers().get(name)? {
            found.push((*name, value));
        }
    }
    Ok(Answer {
        status: response.status(),
        fields: found,
        body: Uint8Array::new(&body).to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::delivery::StateName;
    use protocol::id::{CampaignId, DeviceId, InboxId};
    use protocol::problem::Code;
    use protocol::request::campaign::ListCampaigns;
    use protocol::request::delivery::ListDeliveries;
    use protocol::request::device::DeleteDevice;
    use protocol::request::reconnect::StartReconnect;
    use protocol::request::session::CreateSession;

    const BASE: &str = "https://relay.example";

    #[test]
    fn a_request_is_written_as_path_query_and_body() {
        let list = ListDeliveries {
            campaign_id: CampaignId::new("cmp_a/b"),
            state: Some(StateName::InDoubt),
            limit: Some(7),
            after: None,
        };
        let url = "https://relay.example/v1/campaigns/cmp_a%2Fb/deliveries?limit=7&state=in_doubt";
        let question = |method, url: &str, body: Option<&str>| Question {
            method,
            url: url.to_owned(),
            body: body.map(str::to_owned),
        };
        assert_eq!(write(BASE, &list).unwrap(), question("GET", url, None));
        let start = StartReconnect {
            inbox_id: InboxId::new("inb_1"),
        };
        let url = "https://relay.example/v1/inboxes/inb_1/reconnects";
        assert_eq!(
            write(BASE, &start).unwrap(),
            question("POST", url, Some("{}"))
        );
        let delete = DeleteDevice {
            device_id: DeviceId::new("dev_1"),
        };
        let url = "https://relay.example/v1/devices/dev_1";
        assert_eq!(write(BASE, &delete).unwrap(), question("DELETE", url, None));
        let session = CreateSession {
            code: Secret::new("c0de"),
        };
        let body = Some("{\"code\":\"c0de\"}");
        assert_eq!(
            write(BASE, &session).unwrap(),
            question("POST", "https://relay.example/v1/sessions", body)
        );
    }

    #[test]
    fn an_answer_is_read_by_its_status() {
        let answer = |status, text: &str| Answer {
            status,
            fields: vec![(ETAG, "\"7\"".to_owned())],
            body: text.as_bytes().to_vec(),
        };
        let tagged = read::<ListCampaigns>(BASE, &answer(200, "{\"campaigns\":[]}"))
            .unwrap()
            .unwrap();
        assert_eq!(tagged.answer.campaigns.len(), 0);
        assert_eq!(tagged.tag.as_deref(), Some("\"7\""));
        assert_eq!(read::<ListCampaigns>(BASE, &answer(304, "")), Ok(None));

        let problem = Problem::new(Code::Conflict, "it is a draft");
        let text = serde_json::to_string(&problem).unwrap();
        let refused = read::<ListCampaigns>(BASE, &answer(409, &text)).unwrap_err();
        assert_eq!(refused, CallError::Refused(problem));
        assert_eq!(refused.to_string(), "it is a draft");
    }

    #[test]
    fn a_stranger_is_called_one_and_a_secret_is_not_repeated() {
        let answer = |status, text: &str| Answer {
            status,
            fields: Vec::new(),
            body: text.as_bytes().to_vec(),
        };
        let strange = read::<ListCampaigns>(BASE, &answer(502, "<h1>Bad Gateway</h1>"));
        let words = strange.unwrap_err().to_string();
        assert_eq!(
            words,
            "what answers at https://relay.example is not the relay: status 502 <h1>Bad Gateway</h1>"
        );
        let strange = read::<CreateSession>(BASE, &answer(200, "{\"token\":\"s3cret\"}"));
        let words = strange.unwrap_err().to_string();
        assert!(!words.contains("s3cret"), "{words}");
        assert!(words.contains("createSession"), "{words}");
    }
}
