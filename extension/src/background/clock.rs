//! The background's clock and its only way to wait.

use std::time::Duration;

use gloo::timers::callback::Timeout;
use js_sys::Promise;
use protocol::timestamp::Timestamp;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// Now.
pub(super) fn now() -> Timestamp {
    web::when::now()
}

/// Waits. The worker may be ended meanwhile; whatever must happen is on record too.
pub(super) async fn pause(duration: Duration) {
    let ms = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    let promise = Promise::new(&mut |resolve, _| {
        Timeout::new(ms, move || {
            // The promise is resolved; there is nothing to do about a failure.
            let _ = resolve.call0(&JsValue::UNDEFINED);
        })
        .forget();
    });
    // It is never rejected.
    let _ = JsFuture::from(promise).await;
}
