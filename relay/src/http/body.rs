//! Reading a request's body, never more of it than its endpoint takes.

use std::time::Duration;

use axum::body::Body as HttpBody;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use protocol::problem::{Code, Problem};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::ServeError;
use super::budget::Share;
use super::decoding::{parse_fields, parse_query};

/// How many times the limit is read and thrown away before the connection is closed: a client that is
/// still sending does not see the answer of a server that closes on it.
const DRAINED_AT_MOST_TIMES: u64 = 8;
/// How far a body may be behind its least rate: long enough for a line that stands for a moment.
const BEHIND_AT_MOST: Duration = Duration::from_secs(20);
/// The least rate of a body. The largest list, 32 MiB, may take two hours and a half.
const BYTES_PER_SECOND_AT_LEAST: u64 = 4 * 1024;

/// The body of fields as it came; empty where none is read.
pub(super) async fn read_raw(
    parts: &Parts,
    body: HttpBody,
    at_most_bytes: u64,
) -> Result<Bytes, ServeError> {
    if has_no_body(parts) {
        return Ok(Bytes::new());
    }
    read_bounded(&parts.headers, body, at_most_bytes, |_| Ok(())).await
}

/// The fields of a body of fields, or of the query where there is no body.
pub(super) fn fields_of(parts: &Parts, raw: &[u8]) -> Result<Map<String, Value>, Problem> {
    if has_no_body(parts) {
        return Ok(query_of(parts));
    }
    parse_fields(content_type(&parts.headers), raw)
}

/// The fields of the query.
pub(super) fn query_of(parts: &Parts) -> Map<String, Value> {
    parse_query(parts.uri.query().unwrap_or_default())
}

/// A list of at most so many bytes, in as much memory as its share takes.
pub(super) async fn read_list(
    parts: &Parts,
    body: HttpBody,
    at_most_bytes: u64,
    share: &mut Share,
) -> Result<Bytes, ServeError> {
    let cover = |n_bytes| share.cover(n_bytes);
    read_bounded(&parts.headers, body, at_most_bytes, cover).await
}

/// Reads a list that is not taken and keeps nothing of it, so that whoever sends it hears why. Whoever waits to be told
/// to send it is answered at once.
pub(super) async fn pass_over(parts: &Parts, body: HttpBody, at_most_bytes: u64) {
    if parts.headers.contains_key(EXPECT) {
        return;
    }
    // What is said of it is known already.
    let nothing = |_| Err(Problem::new(Code::Unavailable, "").into());
    let _ = read_bounded(&parts.headers, body, at_most_bytes, nothing).await;
}

fn has_no_body(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE)
}

fn content_type(headers: &HeaderMap) -> &str {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// `cover` is asked for each number of bytes that is to be kept, and before the first of them for all that are announced.
async fn read_bounded(
    headers: &HeaderMap,
    body: HttpBody,
    at_most_bytes: u64,
    mut cover: impl FnMut(u64) -> Result<(), ServeError>,
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
    let (mut refused, mut kept) = (None, BytesMut::new());
    if let Some(found) = announced.filter(|found| *found <= at_most_bytes) {
        match cover(found) {
            Ok(()) => kept.reserve(usize::try_from(found).unwrap_or(0)),
            Err(error) if headers.contains_key(EXPECT) => return Err(error),
            Err(error) => refused = Some(error),
        }
    }
    let mut n_bytes: u64 = 0;
    let mut chunks = body.into_data_stream();
    let began = Instant::now();
    loop {
        let by_rate = Duration::from_secs(n_bytes / BYTES_PER_SECOND_AT_LEAST);
        let next = tokio::time::timeout_at(began + BEHIND_AT_MOST + by_rate, chunks.next());
        let Some(chunk) = next.await.map_err(|_| too_slow(n_bytes, began.elapsed()))? else {
            break;
        };
        let chunk = chunk.map_err(|_| {
            let detail = format!("the body ended early: {n_bytes} bytes arrived");
            ServeError::from(Problem::new(Code::Invalid, detail))
        })?;
        n_bytes = n_bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if n_bytes > at_most_bytes.saturating_mul(DRAINED_AT_MOST_TIMES) {
            break;
        }
        let is_small = announced.unwrap_or(n_bytes).max(n_bytes) <= at_most_bytes;
        if is_small && refused.is_none() {
            refused = cover(n_bytes).err();
        }
        if is_small && refused.is_none() {
            kept.extend_from_slice(&chunk);
        } else {
            kept = BytesMut::new();
        }
    }
    let found = announced.unwrap_or(n_bytes).max(n_bytes);
    if found > at_most_bytes {
        return Err(too_large(found));
    }
    match refused {
        Some(refused) => Err(refused),
        None => Ok(kept.freeze()),
    }
}

/// RFC 9110 §15.5.9.
fn too_slow(n_bytes: u64, after: Duration) -> ServeError {
    let detail = format!(
        "the body came too slowly: expected {BYTES_PER_SECOND_AT_LEAST} bytes a second, {} seconds late at the most, \
         found {n_bytes} bytes after {} seconds; send it again over a faster line, a list in parts",
        BEHIND_AT_MOST.as_secs(),
        after.as_secs()
    );
    let mut problem = Problem::new(Code::Invalid, detail);
    problem.status = StatusCode::REQUEST_TIMEOUT.as_u16();
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body of so many bytes that come in pieces of this size, one each second. `Ok` has the bytes, `Err` the
    /// status; both with the seconds that it took.
    async fn read_slowly(n_bytes: usize, each_second: usize) -> (Result<usize, u16>, u64) {
        let (began, at_most_bytes) = (Instant::now(), 50_000_000);
        let pieces = futures_util::stream::unfold(n_bytes, move |left| async move {
            if left == 0 {
                return None;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let piece = left.min(each_second);
            let piece_read = Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; piece]));
            Some((piece_read, left - piece))
        });
        let (parts, ()) = http::Request::post("/").body(()).unwrap().into_parts();
        let body = HttpBody::from_stream(pieces);
        let read = match read_bounded(&parts.headers, body, at_most_bytes, |_| Ok(())).await {
            Ok(read) => Ok(read.len()),
            Err(ServeError::Refused(problem)) => Err(problem.status),
            Err(error) => panic!("{error}"),
        };
        (read, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_dribbles_is_left_and_a_long_list_over_a_slow_line_is_not() {
        assert_eq!(read_slowly(64 * 1024, 1).await, (Err(408), 20));
        // Half of the least rate: as far behind as it may be after twice that time.
        let (read, after) = read_slowly(128 * 1024, 2 * 1024).await;
        assert_eq!(read, Err(408));
        assert!((38..=41).contains(&after), "{after}");
        // 64 kbit/s: nearly two hours for 50 MB.
        assert_eq!(
            read_slowly(50_000_000, 8 * 1024).await,
            (Ok(50_000_000), 6_104)
        );
    }

    async fn read_csv(n_bytes: usize, announced: Option<&str>) -> Result<usize, String> {
        let mut request = http::Request::post("/");
        if let Some(announced) = announced {
            request = request.header(CONTENT_LENGTH, announced);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let body = HttpBody::from(vec![b'x'; n_bytes]);
        match read_bounded(&parts.headers, body, 10, |_| Ok(())).await {
            Ok(read) => Ok(read.len()),
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
