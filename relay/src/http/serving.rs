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
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use bytes::Bytes;
use futures_util::future::join_all;
use http::request::Parts;
use http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use protocol::id::AccountId;
use protocol::problem::{Code, Problem};
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

mod places;

use super::forwarded::Arrival;
use super::{ServeError, health, was_told};
use crate::certificate;
use crate::config::Proxies;
use places::{Late, Place, Places};

/// Between two looks at whether a connection is late.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long nobody is taken after the operating system refused a connection to us.
const AFTER_REFUSAL: Duration = Duration::from_millis(100);
/// After which time whoever has too many requests under way asks again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Between two lines in the log about connections that were closed or refused.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// How long a connection that is closed for being late may take to hear it.
const HEAR_WITHIN: Duration = Duration::from_secs(1);
/// How long a handshake may take, from when the connection is taken.
const SHAKE_WITHIN: Duration = Duration::from_secs(10);
/// What a connection that speaks TLS begins with (RFC 8446 §5.1: the type of a record, `handshake`).
const HANDSHAKE: u8 = 22;
/// The most of what is said without TLS that is heard to its end, so that the answer is not lost with it.
const HEARD_AT_MOST: u64 = 16 * 1024;
/// RFC 9110 §15.5.9.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// RFC 9110 §15.5.1.
const SPEAK_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
    content-length: 59\r\n\r\nThis port speaks TLS: use https:// in front of its address\n";

/// A port, and what is said there.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) router: Router,
    /// How TLS is spoken there; `None` where it is not.
    pub(super) tls: Option<certificate::Server>,
}

/// What all connections share.
#[derive(Clone)]
struct House {
    places: Arc<Places>,
    proxies: Arc<Proxies>,
    /// Whether it was told that a proxy does not say for whom it asks.
    told_of_proxy: Arc<AtomicBool>,
    stop: watch::Receiver<bool>,
    /// Dropped last.
    _held: watch::Receiver<()>,
}

/// Serves until it is told to stop; then takes nobody, and returns when the requests under way are answered.
pub(super) async fn serve(doors: Vec<Door>, proxies: Proxies, stop: watch::Receiver<bool>) {
    let places = Arc::new(Places::default());
    let (all_left, held) = watch::channel(());
    let house = House {
        places: Arc::clone(&places),
        proxies: Arc::new(proxies),
        told_of_proxy: Arc::default(),
        stop: stop.clone(),
        _held: held,
    };
    let taking = doors.into_iter().map(|door| take(door, house.clone()));
    let taking = join_all(taking);
    drop(house);
    tokio::select! {
        _ = taking => {}
        () = tell(&places) => {}
        () = was_told(stop) => {}
    }
    all_left.closed().await;
}

/// Takes whoever comes to a door.
async fn take(door: Door, house: House) {
    loop {
        let (stream, peer) = match door.listener.accept().await {
            Ok(taken) => taken,
            Err(error) => {
                refused(&error, &house.places).await;
                continue;
            }
        };
        // Whom a proxy speaks for is known with each request.
        let is_proxy = house.proxies.contain(peer.ip());
        let by = (!is_proxy).then(|| peer.ip());
        let Some(place) = house.places.take(by, Instant::now()) else {
            continue;
        };
        let guest = Guest {
            place,
            peer,
            house: house.clone(),
        };
        tokio::spawn(guest.enter(stream, door.router.clone(), door.tls.clone()));
        // Whoever was sent away leaves before the next one comes.
        tokio::task::yield_now().await;
    }
}

/// The caller of this request is known: his connection is not closed in the middle for somebody else's, once all of it is
/// here. Where his account has as many as one may, and the relay works for all of them, he is told.
pub(super) fn note_known(request: &Parts, account: Option<&AccountId>) -> Result<(), ServeError> {
    let Some(seat) = request.extensions.get::<Seat>() else {
        return Ok(());
    };
    if seat.of.note_known(&seat.place, account, Instant::now()) {
        return Ok(());
    }
    let detail = "this account has as many requests under way as one may: wait for the answers of some of them, and ask again";
    let problem = Problem::new(Code::TooManyRequests, detail);
    Err(ServeError::later(problem, AGAIN_AFTER))
}

/// All of this request is here.
pub(super) fn note_read(request: &Parts) {
    if let Some(seat) = request.extensions.get::<Seat>() {
        seat.place.note_read(Instant::now());
    }
}

/// The place of a request, among all.
#[derive(Clone, Debug)]
struct Seat {
    place: Arc<Place>,
    of: Arc<Places>,
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
    peer: SocketAddr,
    house: House,
}

impl Guest {
    /// Speaks TLS first, where that is spoken at the door.
    async fn enter(self, stream: TcpStream, router: Router, tls: Option<certificate::Server>) {
        let heard = Heard {
            stream,
            place: Arc::clone(&self.place),
        };
        match tls {
            None => self.stay(heard, router).await,
            Some(tls) => {
                if let Some(stream) = self.shake_hands(heard, &tls).await {
                    self.place.end(Instant::now());
                    self.stay(stream, router).await;
                }
            }
        }
    }

    /// TLS, if it begins at once and comes to its end in time.
    async fn shake_hands(
        &self,
        heard: Heard,
        tls: &certificate::Server,
    ) -> Option<TlsStream<Heard>> {
        let shaking = async {
            let mut first = [0];
            if heard.stream.peek(&mut first).await.ok()? == 0 {
                return None;
            }
            if first != [HANDSHAKE] {
                answer_in_the_clear(heard.stream).await;
                return None;
            }
            let begun = LazyConfigAcceptor::new(Acceptor::default(), heard);
            let begun = begun.await.ok()?;
            let (config, is_proof) = tls.config_for(&begun.client_hello());
            let stream = begun.into_stream(config).await.ok()?;
            (!is_proof).then_some(stream)
        };
        tokio::select! {
            shaken = tokio::time::timeout(SHAKE_WITHIN, shaking) => shaken.unwrap_or_else(|_| {
                self.house.places.count(|closed| closed.half_said += 1);
                None
            }),
            () = self.place.sent_away() => None,
            () = was_told(self.house.stop.clone()) => None,
        }
    }

    /// Answers what is asked until the other side leaves, is late, or must.
    async fn stay(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send, router: Router) {
        let router = TowerToHyperService::new(router);
        let (place, peer) = (Arc::clone(&self.place), self.peer);
        let House {
            places,
            proxies,
            told_of_proxy,
            stop,
            ..
        } = self.house.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            place.begin(Instant::now());
            let arrival = Arrival::read(peer.ip(), request.headers(), &proxies);
            if arrival.is_by_proxy {
                places.note_client(&place, arrival.client, Instant::now());
            }
            // Who only asks whether the relay lives asks for nobody.
            if arrival.is_for_nobody
                && !health::is_path(request.uri().path())
                && !told_of_proxy.swap(true, Ordering::Relaxed)
            {
                tracing::warn!(
                    proxy = %peer.ip(),
                    field = proxies.written.name(),
                    "the proxy does not say for whom it asks, so all who come through it count as one: whoever guesses \
                     passwords there shuts out everybody. Let it write that field (docs/server.md), or set proxy.header \
                     to the one that it writes. This is told once"
                );
            }
            let client = SocketAddr::new(arrival.client, peer.port());
            request.extensions_mut().insert(ConnectInfo(client));
            request.extensions_mut().insert(arrival);
            request.extensions_mut().insert(Seat {
                place: Arc::clone(&place),
                of: Arc::clone(&places),
            });
            let (place, answering) = (Arc::clone(&place), router.call(request.map(Body::new)));
            async move {
                let response: Response<Body> = answering.await?;
                place.note_answer(Instant::now());
                Ok::<_, std::convert::Infallible>(response.map(|body| Answer { body, place }))
            }
        });
        let io = TokioIo::new(stream);
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
                        self.house.places.count(|closed| closed.untaken += 1);
                        return;
                    }
                    Some(Late::Asking) => {
                        self.house.places.count(|closed| closed.half_said += 1);
                        let mut stream = connection.into_parts().io.into_inner();
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
        self.house.places.leave(&self.place);
    }
}

/// Says to whoever speaks HTTP where TLS is spoken that it is. What he asked is not read.
async fn answer_in_the_clear(mut stream: TcpStream) {
    let saying = async {
        stream.write_all(SPEAK_TLS).await?;
        stream.shutdown().await?;
        let mut left = (&mut stream).take(HEARD_AT_MOST);
        tokio::io::copy(&mut left, &mut tokio::io::sink()).await
    };
    // Whoever does not listen is left all the same.
    let _ = tokio::time::timeout(HEAR_WITHIN, saying).await;
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
