//! Connections of which there are too many, or on which nothing happens.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::*;
use crate::listen::places::Loopback;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A SETTINGS frame with nothing in it, then the acknowledgement of the other side's.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// Stands still until it is moved, and knows how many sleeps have begun.
#[derive(Clone, Debug)]
struct StillClock {
    now: watch::Sender<Duration>,
    sleeps: watch::Sender<usize>,
}

impl StillClock {
    fn new() -> Self {
        Self { now: watch::Sender::new(Duration::ZERO), sleeps: watch::Sender::new(0) }
    }

    /// Moves on when so many sleeps have begun.
    async fn advance(&self, sleeps: usize, by: Duration) {
        let mut begun = self.sleeps.subscribe();
        begun.wait_for(|begun| *begun >= sleeps).await.unwrap();
        self.now.send_modify(|now| *now += by);
    }
}

impl Clock for StillClock {
    fn wall(&self) -> m2m_proto::time::UnixTime {
        SystemClock.wall()
    }

    fn monotonic(&self) -> Duration {
        *self.now.borrow()
    }

    fn sleep(&self, duration: Duration) -> m2m_io::BoxFuture<'static, ()> {
        let deadline = self.monotonic() + duration;
        let mut now = self.now.subscribe();
        self.sleeps.send_modify(|begun| *begun += 1);
        Box::pin(async move {
            let _gone = now.wait_for(|now| *now >= deadline).await;
        })
    }
}

async fn listen_by(clock: &StillClock) -> Listener {
    Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(clock.clone())).await.unwrap()
}

/// A peer at this address of loopback.
async fn connect_from(source: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((source, 0))).unwrap();
    socket.connect(to).await.unwrap()
}

/// Everything until the other side closes. A reset is an end too.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    bytes
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"none") {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{}", String::from_utf8_lossy(&bytes));
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let clock = StillClock::new();
    let mut listener = listen_by(&clock).await;
    listener.places.loopback = Loopback::Counted;
    let address = listener.address();
    let tasks = Tasks::new();
    tasks.spawn("listener", listener.serve(router(), tasks.stopping()));
    let greedy = Ipv4Addr::new(127, 0, 0, 2);
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(connect_from(greedy, address).await);
    }
    // Accepted in the order in which they came.
    for refused in held.split_off(256).iter_mut() {
        assert_eq!(rest(refused).await, b"");
    }
    let mut other = connect_from(Ipv4Addr::new(127, 0, 0, 3), address).await;
    other.write_all(GET).await.unwrap();
    assert!(answer(&mut other).await.starts_with("HTTP/1.1 200"));
    // A place that is given back can be had again.
    drop(held.pop());
    loop {
        let mut next = connect_from(greedy, address).await;
        if next.write_all(GET).await.is_ok() && next.read_u8().await.is_ok() {
            break;
        }
    }
    tasks.shutdown().await;
}

#[tokio::test]
async fn whoever_asks_nothing_is_gone_after_10_s() {
    let ca = Authority::generate(&wish(&[])).unwrap();
    let leaf = ca.issue(&wish(&["127.0.0.1"])).unwrap();
    let secure = server_config(Certificates {
        chain: vec![CertificateDer::from(leaf.certificate_der.clone())],
        key: PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes()).unwrap(),
    });
    let secure = secure.unwrap();
    for (name, config, sent) in [
        ("nothing", None, &b""[..]),
        ("a byte", None, b"G"),
        ("a piece of a request", None, b"GET / HTTP/1.1\r\nhost:"),
        ("a piece of the HTTP/2 preface", None, b"PRI * HT"),
        ("HTTP/2 without a stream", None, &[PREFACE, SETTINGS].concat()),
        ("no TLS", Some(&secure), b""),
    ] {
        let clock = StillClock::new();
        let mut listener = listen_by(&clock).await;
        if let Some(config) = config {
            listener = listener.tls(Arc::clone(config));
        }
        let address = listener.address();
        let tasks = Tasks::new();
        tasks.spawn("listener", listener.serve(router(), tasks.stopping()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        clock.advance(1, Duration::from_secs(9)).await;
        let still_open = tokio::select! {
            biased;
            _ = rest(&mut stream) => false,
            () = settle() => true,
        };
        assert!(still_open, "{name}");
        clock.advance(1, Duration::from_secs(1)).await;
        rest(&mut stream).await;
        tasks.shutdown().await;
    }
}

#[tokio::test]
async fn whoever_asks_nothing_does_not_hold_up_the_end() {
    let ca = Authority::generate(&wish(&[])).unwrap();
    let leaf = ca.issue(&wish(&["127.0.0.1"])).unwrap();
    let secure = server_config(Certificates {
        chain: vec![CertificateDer::from(leaf.certificate_der.clone())],
        key: PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes()).unwrap(),
    });
    let secure = secure.unwrap();
    for config in [None, Some(secure)] {
        let clock = StillClock::new();
        let mut listener = listen_by(&clock).await;
        if let Some(config) = config {
            listener = listener.tls(config);
        }
        let address = listener.address();
        let tasks = Tasks::new();
        let serving = task::spawn_detached("listener", listener.serve(router(), tasks.stopping()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        clock.advance(1, Duration::ZERO).await;
        tasks.shutdown().await;
        // The clock stands still: nobody waits for anything.
        serving.join().await;
        assert_eq!(rest(&mut stream).await, b"");
    }
}

/// Lets the tasks of this runtime and its sockets come as far as they can.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_without_further_requests_is_closed() {
    let clock = StillClock::new();
    let listener = listen_by(&clock).await;
    let address = listener.address();
    let tasks = Tasks::new();
    tasks.spawn("listener", listener.serve(router(), tasks.stopping()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    for (sleeps, seconds) in [(1, 10), (2, 30), (3, 30)] {
        stream.write_all(GET).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"), "asked in time");
        clock.advance(sleeps, Duration::from_secs(seconds)).await;
    }
    clock.advance(4, Duration::from_secs(30)).await;
    assert_eq!(rest(&mut stream).await, b"");
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_idle() {
    let go = Arc::new(tokio::sync::Notify::new());
    let go_inside = Arc::clone(&go);
    let slow = Router::new().route(
        "/",
        get(move || async move {
            go_inside.notified().await;
            "none"
        }),
    );
    let clock = StillClock::new();
    let listener = listen_by(&clock).await;
    let address = listener.address();
    let tasks = Tasks::new();
    tasks.spawn("listener", listener.serve(slow, tasks.stopping()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    settle().await;
    for (sleeps, seconds) in [(1, 10), (2, 30), (3, 30)] {
        clock.advance(sleeps, Duration::from_secs(seconds)).await;
    }
    // It looked, and sleeps again.
    clock.advance(4, Duration::ZERO).await;
    go.notify_one();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("connection: close"), "{answer}");
    tasks.shutdown().await;
}

/// An answer that streams, or a tunnel: its head is long gone.
#[tokio::test]
async fn a_connection_is_not_idle_while_something_of_it_is_held() {
    let kept = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keeps = Arc::clone(&kept);
    let holding = Router::new().route(
        "/",
        get(move |Extension(held): Extension<Held>| async move {
            keeps.lock().unwrap().push(held);
            "none"
        }),
    );
    let clock = StillClock::new();
    let listener = listen_by(&clock).await.forwarding();
    let address = listener.address();
    let tasks = Tasks::new();
    tasks.spawn("listener", listener.serve(holding, tasks.stopping()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(GET).await.unwrap();
    let first = answer(&mut stream).await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    for (sleeps, seconds) in [(1, 10), (2, 30), (3, 30)] {
        clock.advance(sleeps, Duration::from_secs(seconds)).await;
    }
    clock.advance(4, Duration::ZERO).await;
    stream.write_all(GET).await.unwrap();
    let second = answer(&mut stream).await;
    assert!(second.starts_with("HTTP/1.1 200"), "it was taken for idle: {second}");
    kept.lock().unwrap().clear();
    tasks.shutdown().await;
}

/// By the runtime's own time, which is hyper's, and which jumps ahead while nobody has anything to do.
#[tokio::test(start_paused = true)]
async fn an_http2_peer_that_is_gone_is_noticed() {
    let clock = StillClock::new();
    let listener = listen_by(&clock).await;
    let address = listener.address();
    let tasks = Tasks::new();
    tasks.spawn("listener", listener.serve(router(), tasks.stopping()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[PREFACE, SETTINGS].concat()).await.unwrap();
    let received = tokio::time::timeout(Duration::from_secs(40), rest(&mut stream)).await.unwrap();
    assert!(received.windows(5).any(|frame| frame == [0, 0, 8, 6, 0]), "no PING: {received:?}");
    tasks.shutdown().await;
}
