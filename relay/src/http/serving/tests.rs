//! Real sockets, and a clock of the runtime that runs ahead while nobody has anything to do.

use std::net::Ipv4Addr;

use axum::routing::get;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpSocket;

use super::*;

/// A server of one page, which tells whether it has ended.
struct Served {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        // More than the system keeps for a reader that does not read.
        let large = vec![b'x'; 64 * 1024 * 1024];
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async move { large.clone() }));
        let (stop, told) = watch::channel(false);
        Self {
            address,
            stop,
            serving: tokio::spawn(serve(
                vec![Door {
                    listener,
                    router,
                    tls: None,
                }],
                Proxies::default(),
                told,
            )),
        }
    }

    async fn connect(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind((Ipv4Addr::new(127, 0, 0, last), 0).into())
            .unwrap();
        socket.connect(self.address).await.unwrap()
    }

    async fn say(&self, words: &str) -> TcpStream {
        let mut stream = self.connect(1).await;
        stream.write_all(words.as_bytes()).await.unwrap();
        stream
    }
}

/// Everything that comes until the other side closes, and the seconds until then.
async fn hear(stream: &mut TcpStream) -> (String, u64) {
    let (mut heard, began) = (Vec::new(), Instant::now());
    // A connection that is reset is closed as well.
    let _ = stream.read_to_end(&mut heard).await;
    (
        String::from_utf8_lossy(&heard).into_owned(),
        began.elapsed().as_secs(),
    )
}

#[tokio::test(start_paused = true)]
async fn half_a_request_is_told_that_it_is_late_and_left() {
    let served = Served::start().await;
    let mut half = served.say("GET / HTTP/1.1\r\nhost: x\r\n").await;
    let (heard, after) = hear(&mut half).await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    assert!((10..=12).contains(&after), "{after}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_rests_is_closed_without_a_word_after_a_minute() {
    let served = Served::start().await;
    let mut silent = served.say("").await;
    let (heard, after) = hear(&mut silent).await;
    assert_eq!(heard, "");
    assert!((60..=62).contains(&after), "{after}");
    let mut asked = served.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (heard, after) = hear(&mut asked).await;
    assert!(
        heard.starts_with("HTTP/1.1 200 ") && heard.ends_with("here"),
        "{heard}"
    );
    assert!((60..=62).contains(&after), "{after}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_is_given_up() {
    let served = Served::start().await;
    let mut stream = served.say("GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut first = [0];
    stream.read_exact(&mut first).await.unwrap();
    let _ = served.stop.send(true);
    // It is under way, so the end waits for it, and does so a minute and no longer.
    let began = Instant::now();
    served.serving.await.unwrap();
    let after = began.elapsed().as_secs();
    assert!((60..=62).contains(&after), "{after}");
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_it_leaves_whoever_asks_nothing_at_once() {
    let served = Served::start().await;
    let mut waiting = [
        served.say("").await,
        served.say("GET / HTTP/1.1\r\n").await,
        served.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await,
    ];
    let mut first = [0];
    waiting[2].read_exact(&mut first).await.unwrap();
    let began = Instant::now();
    let _ = served.stop.send(true);
    served.serving.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    for stream in &mut waiting {
        hear(stream).await;
    }
}

#[tokio::test]
async fn a_person_is_answered_whoever_says_half_a_request_from_her_address() {
    let served = Served::start().await;
    let mut halves = Vec::new();
    for _ in 0..300 {
        halves.push(served.say("GET / HTTP/1.1\r\n").await);
    }
    let answered = async {
        let mut person = served
            .say("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await;
        hear(&mut person).await.0
    };
    let heard = tokio::time::timeout(Duration::from_secs(5), answered)
        .await
        .unwrap();
    assert!(heard.ends_with("here"), "{heard}");
    // The first of them had to go, long before its time.
    let heard = tokio::time::timeout(Duration::from_secs(5), hear(&mut halves[0]))
        .await
        .unwrap();
    assert_eq!(heard.0, "");
}
