//! What is sent: method, URL, headers and body as typed.

use std::io::Read as _;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use m2m_proto::uri::EndpointUri;

use super::Call;
use crate::args::Request;
use crate::exit::Failure;

/// A body is kept in memory, so that it can be sent again after a 401.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// The call that was typed.
///
/// # Errors
/// Exit 2: a method, URL, header or body that cannot be sent.
pub(super) fn prepare(typed: &Request) -> Result<Call, Failure> {
    let method = Method::from_bytes(typed.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| Failure::usage("the method is not an HTTP method"))?;
    let target =
        EndpointUri::parse(&typed.url).map_err(|error| Failure::usage(format!("the URL: {error}")))?;
    let mut headers = HeaderMap::new();
    for typed in &typed.headers {
        let (name, value) = header(typed)?;
        headers.append(name, value);
    }
    let (body, content_type) = match (&typed.data, &typed.json_body) {
        (Some(data), _) => (read(data)?, Some("application/x-www-form-urlencoded")),
        (None, Some(json)) => (read(json)?, Some("application/json")),
        (None, None) => (Bytes::new(), None),
    };
    if let Some(content_type) = content_type {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
    }
    Ok(Call { method, target, headers, body })
}

fn header(typed: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    // The value is not repeated: it may be a secret of the API.
    let expected = || Failure::usage("-H: expected NAME: VALUE");
    let (name, value) = typed.split_once(':').ok_or_else(expected)?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| expected())?;
    let value = HeaderValue::from_str(value.trim()).map_err(|_| expected())?;
    if name == AUTHORIZATION {
        return Err(
            Failure::usage("-H: the Authorization header is ours").hint("use curl to send another token")
        );
    }
    Ok((name, value))
}

fn read(data: &str) -> Result<Bytes, Failure> {
    let Some(path) = data.strip_prefix('@') else { return Ok(Bytes::copy_from_slice(data.as_bytes())) };
    let failed = |why: String| Failure::usage(format!("--data {data}: {why}"));
    if path != "-" {
        let read = m2m_io::file::read_file(path.as_ref(), MAX_BODY);
        return read.map(Bytes::from).map_err(|error| failed(error.to_string()));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(MAX_BODY + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_BODY {
        return Err(failed(format!("more than {MAX_BODY} bytes")));
    }
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    fn call(words: &[&str]) -> Result<Call, Failure> {
        let words = ["m2m", "request"].iter().chain(words);
        let Command::Request(typed) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
        prepare(&typed)
    }

    #[test]
    fn what_was_typed_is_sent() {
        let sent = call(&["post", "https://a.example/x?q=1", "--json", "{}", "-H", "X-A: b:c"]).unwrap();
        assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "https://a.example/x?q=1"));
        assert_eq!(
            (&sent.headers["content-type"], &sent.headers["x-a"]),
            (&"application/json".parse().unwrap(), &"b:c".parse().unwrap())
        );
        assert_eq!(sent.body, "{}");
        let typed_type =
            call(&["PUT", "https://a.example", "-d", "x", "-H", "content-type: text/plain"]).unwrap();
        assert_eq!(typed_type.headers["content-type"], "text/plain");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_repeating_it() {
        let check = |words: &[&str]| {
            let Err(failure) = call(words) else { panic!("{words:?}") };
            assert_eq!(failure.exit(), crate::exit::Exit::Usage, "{words:?}");
            assert!(!failure.message().contains("hunter2"));
        };
        check(&["GET", "ftp://a.example"]);
        check(&["GET", "https://user:hunter2@a.example"]);
        check(&["G T", "https://a.example"]);
        check(&["GET", "https://a.example", "-H", "hunter2"]);
        check(&["GET", "https://a.example", "-H", "Authorization: Bearer hunter2"]);
        check(&["GET", "https://a.example", "-d", "@/nowhere"]);
    }
}
