//! Reading a request's body, never more of it than its endpoint takes.

use axum::body::Body as HttpBody;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Method};
use protocol::problem::{Code, Problem};
use protocol::request::Body;
use serde_json::{Map, Value};

use super::ServeError;
use super::decoding::{parse_fields, parse_query};

/// The largest body of fields: 64 KiB. The largest field is a sealed hand-over of about 8 KiB.
const FIELDS_AT_MOST_BYTES: u64 = 64 * 1024;
/// How many times the limit is read and thrown away before the connection is closed: a client that is
/// still sending does not see the answer of a server that closes on it.
const DRAINED_AT_MOST_TIMES: u64 = 8;

/// What a request carries beside its path.
pub(super) struct Carried {
    pub(super) fields: Map<String, Value>,
    pub(super) csv: Bytes,
    /// The body as it came; empty where none is read.
    pub(super) raw: Bytes,
}

/// Reads what a request carries beside its path.
pub(super) async fn read(parts: &Parts, body: HttpBody, kind: Body) -> Result<Carried, ServeError> {
    let fields = parse_query(parts.uri.query().unwrap_or_default());
    let has_no_body = matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE);
    match kind {
        Body::Fields if has_no_body => Ok(Carried {
            fields,
            csv: Bytes::new(),
            raw: Bytes::new(),
        }),
        Body::Fields => {
            let body = read_bounded(&parts.headers, body, FIELDS_AT_MOST_BYTES).await?;
            Ok(Carried {
                fields: parse_fields(content_type(&parts.headers), &body)?,
                csv: Bytes::new(),
                raw: body,
            })
        }
        Body::Csv { at_most_bytes } => {
            let csv = read_bounded(&parts.headers, body, at_most_bytes).await?;
            Ok(Carried {
                fields,
                raw: csv.clone(),
                csv,
            })
        }
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

async fn read_bounded(
    headers: &HeaderMap,
    body: HttpBody,
    at_most_bytes: u64,
) -> Result<Bytes, ServeError> {
    let announced: Option<u64> = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    let too_large = |found: u64| -> ServeError {
        let detail =
            format!("the body is too large: expected at most {at_most_bytes} bytes, found {found}");
        Problem::new(Code::Invalid, detail).into()
    };
    if let Some(found) = announced.filter(|found| *found > at_most_bytes)
        && headers.contains_key(EXPECT)
    {
        // The client waits to be told to send the body (RFC 9110 §10.1.1).
        return Err(too_large(found));
    }
    let mut kept = BytesMut::new();
    let mut n_bytes: u64 = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            let detail = format!("the body ended early: {n_bytes} bytes arrived");
            ServeError::from(Problem::new(Code::Invalid, detail))
        })?;
        n_bytes = n_bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if n_bytes > at_most_bytes.saturating_mul(DRAINED_AT_MOST_TIMES) {
            break;
        }
        if announced.unwrap_or(n_bytes).max(n_bytes) <= at_most_bytes {
            kept.extend_from_slice(&chunk);
        } else {
            kept = BytesMut::new();
        }
    }
    let found = announced.unwrap_or(n_bytes).max(n_bytes);
    if found > at_most_bytes {
        return Err(too_large(found));
    }
    Ok(kept.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_csv(n_bytes: usize, announced: Option<&str>) -> Result<usize, String> {
        let mut request = http::Request::post("/");
        if let Some(announced) = announced {
            request = request.header(CONTENT_LENGTH, announced);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let body = HttpBody::from(vec![b'x'; n_bytes]);
        match read(&parts, body, Body::Csv { at_most_bytes: 10 }).await {
            Ok(carried) => Ok(carried.csv.len()),
            Err(ServeError::Refused(problem)) => Err(problem.detail),
            Err(error) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit_and_refused_with_both_numbers() {
        assert_eq!(read_csv(10, None).await, Ok(10));
        assert_eq!(read_csv(0, None).await, Ok(0));
        for (n_bytes, announced, found) in [(11, None, "found 11"), (11, Some("99"), "found 99")] {
            let detail = read_csv(n_bytes, announced).await.unwrap_err();
            assert!(
                detail.contains("at most 10 bytes") && detail.contains(found),
                "{detail}"
            );
        }
    }
}
