//! Connections: taken, held for as long as they are used, and left when somebody else needs their place. What is said
//! on them is the router's.
//!
//! A connection costs a descriptor, and who has none left answers nobody. So there is a number of places, for all and
//! for each address; a connection that says nothing, or half a request, or does not take its answer, is closed in a
//! known time, and sooner where a newcomer has no place (`places`). Bodies have a least rate of their own
//! (`super::body`).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

mod places;

use super::forwarded::Arrival;
use super::was_told;
use crate::config::Proxies;
use places::{Late, Place, Places};

/// Between two looks at whether a connection is late.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long nobody is taken after the operating system refused a connection to us.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// Between two lines in the log about connections that were closed or refused.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// How long a connection that is closed for being late may take to hear it.
const HEAR_WITHIN: Duration = Duration::from_secs(1);
/// RFC 9110 §15.5.9.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves until it is told to stop; then takes nobody, and returns when the requests under way are answered.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    proxies: Arc<Proxies>,
    stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Places::default());
    let (all_left, held) = watch::channel(());
    let told = stop.clone();
    let taking = async {
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(taken) => taken,
                Err(error) => {
                    refused(&error, &places).await;
                    continue;
                }
            };
            // Whom a proxy speaks for is known with each request.
            let is_proxy = proxies.contain(peer.ip());
            let by = (!is_proxy).then(|| peer.ip());
            let Some(place) = places.take(by, Instant::now()) else {
                continue;
            };
            let guest = Guest {
                place,
                places: Arc::clone(&places),
                peer,
                proxies: Arc::clone(&proxies),
                _held: held.clone(),
            };
            tokio::spawn(guest.stay(stream, router.clone(), told.clone()));
            // Whoever was sent away leaves before the next one comes.
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = taking => {}
        () = tell(&places) => {}
        () = was_told(stop) => {}
    }
    drop(listener);
    drop(held);
    all_left.closed().await;
}

/// The caller of this request is known: his connection is not closed in the middle for somebody else's.
pub(super) fn note_known(request: &Parts) {
    if let Some(place) = request.extensions.get::<Arc<Place>>() {
        place.note_known();
    }
}

/// The operating system gave no connection: for a fault of that one, or because nothing is left to make one of.
async fn refused(error: &std::io::Error, places: &Places) {
    let is_its_own = matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    );
    if !is_its_own {
        places.make_room(Instant::now());
        places.count(|closed| closed.refused += 1);
        tokio::time::sleep(AFTER_REFUSAL).await;
    }
}

/// Says in the log what was closed, at most once a minute.
async fn tell(places: &Places) {
    loop {
        let closed = places.closed().await;
        tracing::warn!(
            half_said = closed.half_said,
            untaken = closed.untaken,
            for_others = closed.for_others,
            refused = closed.refused,
            "connections were closed: they said half a request or did not take their answer, or others needed their \
             place"
        );
        tokio::time::sleep(TELL_EVERY).await;
    }
}

/// A connection that has a place.
struct Guest {
    place: Arc<Place>,
    places: Arc<Places>,
    peer: SocketAddr,
    proxies: Arc<Proxies>,
    /// Dropped last.
    _held: watch::Receiver<()>,
}

impl Guest {
    /// Answers what is asked until the other side leaves, is late, or must.
    async fn stay(self, stream: TcpStream, router: Router, stop: watch::Receiver<bool>) {
        let router = TowerToHyperService::new(router);
        let (place, peer) = (Arc::clone(&self.place), self.peer);
        let (places, proxies) = (Arc::clone(&self.places), Arc::clone(&self.proxies));
        let service = service_fn(move |mut request: Request<Incoming>| {
            place.begin(Instant::now());
            let arrival = Arrival::read(peer.ip(), request.headers(), &proxies);
            if arrival.is_by_proxy {
                places.note_client(&place, arrival.client, Instant::now());
            }
            let client = SocketAddr::new(arrival.client, peer.port());
            request.extensions_mut().insert(ConnectInfo(client));
            request.extensions_mut().insert(arrival);
            request.extensions_mut().insert(Arc::clone(&place));
            let (place, answering) = (Arc::clone(&place), router.call(request.map(Body::new)));
            async move {
                let response: Response<Body> = answering.await?;
                place.note_answer(Instant::now());
                Ok::<_, std::convert::Infallible>(response.map(|body| Answer { body, place }))
            }
        });
        let io = TokioIo::new(Heard {
            stream,
            place: Arc::clone(&self.place),
        });
        // How long a head may take is looked at here: the builder's own limit is also that of a connection that rests.
        let mut connection = http1::Builder::new()
            .header_read_timeout(None)
            .serve_connection(io, service);
        let mut is_ending = false;
        loop {
            tokio::select! {
                _ = &mut connection => return,
                () = self.place.sent_away() => return,
                () = was_told(stop.clone()), if !is_ending => {
                    if !self.place.is_busy() {
                        return;
                    }
                    is_ending = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
                () = tokio::time::sleep(LOOK_EVERY) => match self.place.find_late(Instant::now()) {
                    None => {}
                    Some(Late::Resting) => return,
                    Some(Late::Taking) => {
                        self.places.count(|closed| closed.untaken += 1);
                        return;
                    }
                    Some(Late::Asking) => {
                        self.places.count(|closed| closed.half_said += 1);
                        let mut stream = connection.into_parts().io.into_inner().stream;
                        let saying = async {
                            let _ = stream.write_all(TOO_LATE).await;
                            let _ = stream.shutdown().await;
                        };
                        // Whoever does not listen is left all the same.
                        let _ = tokio::time::timeout(HEAR_WITHIN, saying).await;
                        return;
                    }
                },
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.places.leave(&self.place);
    }
}

/// A stream whose place knows when something came and went.
struct Heard {
    stream: TcpStream,
    place: Arc<Place>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.place.note_heard(Instant::now());
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.place.note_written(&written, Instant::now());
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.place.note_written(&written, Instant::now());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The body of an answer; once it is handed over, its connection waits for the next request.
struct Answer {
    body: Body,
    place: Arc<Place>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.end(Instant::now());
    }
}

#[cfg(test)]
mod tests;
