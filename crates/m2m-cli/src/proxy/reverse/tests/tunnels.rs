//! WebSockets: when bytes pass, and for how long.

use m2m_io::SystemClock;

use super::*;
use crate::proxy::upstream::{ANSWER, Target};

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";

async fn websocket(address: std::net::SocketAddr, authorization: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\
         Sec-WebSocket-Version: 13\r\nX-M2M-Client-Id: forged\r\nAuthorization: {authorization}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = [0; 4096];
    let read = stream.read(&mut buffer).await.unwrap();
    (stream, String::from_utf8_lossy(&buffer[..read]).into_owned())
}

#[tokio::test]
async fn a_websocket_is_tunnelled_once_both_sides_agree() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let (program, heard) = scripted(&tasks, SWITCHING).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let (_, refused) = websocket(address, "Bearer nonsense").await;
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert_eq!(*heard.lock().unwrap(), "");
    let (mut stream, agreed) = websocket(address, &party.bearer("orders:read")).await;
    assert!(agreed.starts_with("HTTP/1.1 101") && agreed.contains("upgrade: websocket"), "{agreed}");
    assert!(heard.lock().unwrap().to_lowercase().contains("connection: upgrade\r\n"));
    assert!(!heard.lock().unwrap().contains("forged"));
    stream.write_all(b"\x81\x05hello").await.unwrap();
    let mut back = [0; 7];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"\x81\x05hello");
    // The gateway does not wait for tunnels when it stops.
    tasks.shutdown().await;
    assert_eq!(stream.read(&mut back).await.unwrap_or_default(), 0);
}

/// A clock on which the life of a token passes at a word.
#[derive(Debug, Default)]
struct AtAWord(Arc<tokio::sync::Notify>);

impl m2m_io::Clock for AtAWord {
    fn wall(&self) -> m2m_proto::time::UnixTime {
        SystemClock.wall()
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> m2m_io::BoxFuture<'static, ()> {
        let (least, word) = (ANSWER + Duration::from_secs(1), Arc::clone(&self.0));
        assert!(duration < Duration::from_secs(601), "{duration:?} is more than a token lives");
        if duration < least {
            return SystemClock.sleep(duration);
        }
        Box::pin(async move { word.notified().await })
    }
}

#[tokio::test]
async fn a_tunnel_ends_with_the_token_that_it_began_with() {
    let (tasks, party, clock) = (Tasks::new(), Party::new(), AtAWord::default());
    let word = Arc::clone(&clock.0);
    let (program, _) = scripted(&tasks, SWITCHING).await;
    let target = Target::parse(&format!("http://{program}"), None).unwrap();
    let upstream = Upstream::new(target, settings(), Arc::new(clock));
    let reverse = Reverse::new(party.gate(), upstream, Scheme::Http, Arc::new(SystemClock));
    let address = serve(&tasks, reverse.router()).await;
    let (mut stream, agreed) = websocket(address, &party.bearer("orders:read")).await;
    assert!(agreed.starts_with("HTTP/1.1 101"), "{agreed}");
    stream.write_all(b"\x81\x05hello").await.unwrap();
    let mut back = [0; 7];
    stream.read_exact(&mut back).await.unwrap();
    word.notify_one();
    assert_eq!(stream.read(&mut back).await.unwrap_or_default(), 0);
    tasks.shutdown().await;
}

#[tokio::test]
async fn an_agreement_that_nobody_asked_for_is_none() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let (program, _) = scripted(&tasks, SWITCHING).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let answer =
        ask(address, "GET /orders/1", &[&format!("Authorization: {}", party.bearer("orders:read"))]).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let (other, _) =
        scripted(&tasks, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            .await;
    let address = gateway(&tasks, party.gate(), &format!("http://{other}"), settings()).await;
    let (_, answer) = websocket(address, &party.bearer("orders:read")).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    tasks.shutdown().await;
}
