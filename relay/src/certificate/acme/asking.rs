//! How the authority is asked: by the relay's own HTTP client, over https alone. What it wishes of whoever comes again is
//! kept until somebody reads it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::RETRY_AFTER;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;

use crate::clock::Clock;
use crate::wish;

/// How long one request to the authority may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The last wish of an authority that refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish(Arc<Mutex<Option<Duration>>>);

impl Wish {
    /// Reads it, once.
    pub(super) fn take(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, wish: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(wish);
    }
}

/// The relay's own HTTP client.
pub(super) struct Asking {
    client: reqwest::Client,
    clock: Clock,
    wish: Wish,
}

impl Asking {
    pub(super) fn new(trust: &ClientConfig, clock: Clock, wish: Wish) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust.clone())
            .redirect(reqwest::redirect::Policy::none())
            .https_only(true)
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(other)?;
        Ok(Self {
            client,
            clock,
            wish,
        })
    }
}

fn other(error: reqwest::Error) -> Error {
    Error::Other(Box::new(error))
}

impl HttpClient for Asking {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (client, clock, wish) = (self.client.clone(), self.clock.clone(), self.wish.clone());
        Box::pin(async move {
            let request = request.map(reqwest::Body::wrap);
            let request = reqwest::Request::try_from(request).map_err(other)?;
            let answer = client.execute(request).await.map_err(other)?;
            let refuses = matches!(
                answer.status(),
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            );
            let asked = answer.headers().get(RETRY_AFTER).filter(|_| refuses);
            if let Some(after) =
                asked.and_then(|text| wish::parse(text.to_str().ok()?, clock.now()))
            {
                wish.note(after);
            }
            Ok(http::Response::<reqwest::Body>::from(answer).into())
        })
    }
}
