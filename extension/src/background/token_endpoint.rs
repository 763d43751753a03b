//! Asking a provider's token endpoint by `fetch`, for clients that have no secret. What is asked and what the answer
//! is worth are in [`crate::flow::authorization`]; nothing of either is shown or kept. However much a provider answers,
//! a bounded part of it is read.

use js_sys::{Reflect, Uint8Array};
use oauth2::http::{self, HeaderValue};
use oauth2::{HttpRequest, HttpResponse};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, Headers, ReadableStreamDefaultReader, RequestCache, RequestCredentials,
    RequestInit, RequestRedirect, Response,
};

/// How long an answer may take: a provider that is slower leaves the person waiting before a blank card.
const WITHIN_MS: u32 = 20_000;

/// Most bytes of an answer, as at the relay: tokens are about 4 KB.
const AT_MOST_BYTES: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nothing came back. Browsers do not say whether it was the network or that the provider does not answer pages
    /// of other origins (CORS).
    #[error("nothing came back")]
    Nothing,
    /// It goes on and on.
    #[error("more than {AT_MOST_BYTES} bytes came back")]
    TooLong,
}

impl From<JsValue> for NoAnswer {
    fn from(_: JsValue) -> Self {
        Self::Nothing
    }
}

impl From<http::Error> for NoAnswer {
    fn from(_: http::Error) -> Self {
        Self::Nothing
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
    let body = read(&response).await?;
    let mut answer = http::Response::builder()
        .status(response.status())
        .body(body)?;
    if let Some(kind) = response.headers().get("content-type")?
        && let Ok(kind) = HeaderValue::from_str(&kind)
    {
        answer
            .headers_mut()
            .insert(http::header::CONTENT_TYPE, kind);
    }
    Ok(answer)
}

/// The body, piece by piece, so that what is too long is left and not kept.
async fn read(response: &Response) -> Result<Vec<u8>, NoAnswer> {
    let mut kept = Kept::default();
    let Some(body) = response.body() else {
        return Ok(kept.0);
    };
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        if Reflect::get(&piece, &"done".into())?.is_truthy() {
            return Ok(kept.0);
        }
        let piece: Uint8Array = Reflect::get(&piece, &"value".into())?.unchecked_into();
        let n_bytes = usize::try_from(piece.length()).unwrap_or(usize::MAX);
        if !kept.has_room(n_bytes) {
            // The connection ends with it; how that goes changes nothing.
            let _ending = reader.cancel();
            return Err(NoAnswer::TooLong);
        }
        kept.0.extend(piece.to_vec());
    }
}

/// What was read so far.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Kept {
    fn has_room(&self, n_bytes: usize) -> bool {
        n_bytes <= AT_MOST_BYTES.saturating_sub(self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_up_to_its_limit_and_not_a_byte_further() {
        let mut kept = Kept::default();
        assert!(kept.has_room(AT_MOST_BYTES) && !kept.has_room(AT_MOST_BYTES + 1));
        kept.0 = vec![b'x'; AT_MOST_BYTES - 1];
        assert!(kept.has_room(1) && !kept.has_room(2));
        assert!(!kept.has_room(usize::MAX));
    }
}
