//! Asking a provider's token endpoint by `fetch`, for clients that have no secret. What is asked and what the answer
//! is worth are in [`crate::flow::authorization`]; nothing of either is shown or kept.

use js_sys::Uint8Array;
use oauth2::http::{self, HeaderValue};
use oauth2::{HttpRequest, HttpResponse};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, RequestCache, RequestCredentials, RequestInit, RequestRedirect, Response,
};

/// How long an answer may take: a provider that is slower leaves the person waiting before a blank card.
const WITHIN_MS: u32 = 20_000;

/// Nothing came back. Browsers do not say whether it was the network or that the provider does not answer pages
/// of other origins (CORS).
#[derive(Debug, thiserror::Error)]
#[error("nothing came back")]
pub(super) struct NoAnswer;

impl From<JsValue> for NoAnswer {
    fn from(_: JsValue) -> Self {
        Self
    }
}

impl From<http::Error> for NoAnswer {
    fn from(_: http::Error) -> Self {
        Self
    }
}

/// Asks. No cookie goes along, no redirect is followed and nothing is kept in a cache.
pub(super) async fn ask(request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
    let headers = Headers::new()?;
    for (name, value) in request.headers() {
        headers.set(name.as_str(), value.to_str().unwrap_or_default())?;
    }
    let options = RequestInit::new();
    options.set_method(request.method().as_str());
    options.set_headers_headers(&headers);
    options.set_body(&Uint8Array::from(request.body().as_slice()));
    options.set_credentials(RequestCredentials::Omit);
    options.set_redirect(RequestRedirect::Error);
    options.set_cache(RequestCache::NoStore);
    options.set_signal(Some(&AbortSignal::timeout_with_u32(WITHIN_MS)));
    // A worker has no window; `fetch` is the same function of its global object.
    let global: web_sys::Window = js_sys::global().unchecked_into();
    let promise = global.fetch_with_str_and_init(&request.uri().to_string(), &options);
    let response: Response = JsFuture::from(promise).await?.unchecked_into();
    let body = JsFuture::from(response.array_buffer()?).await?;
    let mut answer = http::Response::builder()
        .status(response.status())
        .body(Uint8Array::new(&body).to_vec())?;
    if let Some(kind) = response.headers().get("content-type")?
        && let Ok(kind) = HeaderValue::from_str(&kind)
    {
        answer
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, kind);
    }
    Ok(answer)
}
