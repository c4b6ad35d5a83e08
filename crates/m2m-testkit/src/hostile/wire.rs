//! HTTP/1.1 by hand, for servers that must do what a proper HTTP library would not.
//!
//! Enforces: nothing; reads our own clients' requests only, one per connection.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// A response with its length, after which the connection ends.
pub(crate) fn whole(response: &Response<Bytes>) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend(
        format!("content-length: {}\r\nconnection: close\r\n\r\n", response.body().len()).into_bytes(),
    );
    bytes.extend_from_slice(response.body());
    bytes
}

/// Reads a request with its announced body.
pub(crate) async fn receive(stream: &mut TcpStream) -> Option<Request<Bytes>> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(request) = parse(&received) {
            return Some(request);
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Our own clients' requests only: well-formed, with a `content-length` if there is a body.
fn parse(received: &[u8]) -> Option<Request<Bytes>> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut start = lines.next()?.split(' ');
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(name.parse::<HeaderName>().ok()?, value.parse().ok()?);
    }
    let length = headers.get("content-length").map_or(Some(0), |value| value.to_str().ok()?.parse().ok())?;
    let body = received.get(end + 4..end + 4 + length)?;
    let mut request = Request::new(Bytes::copy_from_slice(body));
    *request.method_mut() = start.next()?.parse().ok()?;
    *request.uri_mut() = start.next()?.parse().ok()?;
    *request.headers_mut() = headers;
    Some(request)
}
