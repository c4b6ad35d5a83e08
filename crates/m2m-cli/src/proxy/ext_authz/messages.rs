//! `envoy.service.auth.v3`: the one question and the one answer, as far as we read and write them.
//!
//! Field numbers are those of `envoy/service/auth/v3/external_auth.proto` and `attribute_context.proto`,
//! `envoy/config/core/v3/base.proto`, `envoy/type/v3/http_status.proto` and `google/rpc/status.proto`.
//! Enforces: header names and values are such; what is none makes the question malformed.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::wire::{Fields, Malformed, Message, Value};

/// `CheckRequest`.
#[derive(Debug, Default)]
pub(super) struct CheckRequest {
    pub(super) method: String,
    /// Path and query, as in the first line of the request.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    /// The client's certificate, in PEM and percent-encoded, where the filter includes it.
    pub(super) certificate: String,
}

impl CheckRequest {
    /// Reads the message.
    pub(super) fn decode(message: &[u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        for attributes in each(message, 1) {
            for source in each(attributes?, 1) {
                for certificate in each(source?, 5) {
                    read.certificate = text(certificate?)?;
                }
            }
            for request in each(attributes?, 4) {
                for http in each(request?, 2) {
                    read.http(http?)?;
                }
            }
        }
        Ok(read)
    }

    fn http(&mut self, message: &[u8]) -> Result<(), Malformed> {
        for field in Fields::of(message) {
            match field? {
                (2, Value::Bytes(method)) => self.method = text(method)?,
                (3, Value::Bytes(entry)) => self.header(entry, 2)?,
                (4, Value::Bytes(path)) => self.path = text(path)?,
                // `encode_raw_headers` of the filter: the same, without joining.
                (13, Value::Bytes(map)) => {
                    for header in each(map, 1) {
                        self.header(header?, 3)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Pseudo-headers are not ours to read: method and path come by themselves.
    fn header(&mut self, entry: &[u8], value_field: u64) -> Result<(), Malformed> {
        let (mut name, mut value) = (&b""[..], &b""[..]);
        for field in Fields::of(entry) {
            match field? {
                (1, Value::Bytes(bytes)) => name = bytes,
                (number, Value::Bytes(bytes)) if number == 2 || number == value_field => value = bytes,
                _ => {}
            }
        }
        if name.starts_with(b":") {
            return Ok(());
        }
        let name = HeaderName::from_bytes(name).map_err(|_| Malformed)?;
        self.headers.append(name, HeaderValue::from_bytes(value).map_err(|_| Malformed)?);
        Ok(())
    }
}

/// Every field of this number that is a message.
fn each(message: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::of(message).filter_map(move |field| match field {
        Ok((found, Value::Bytes(bytes))) => (found == number).then_some(Ok(bytes)),
        Ok((_, Value::Number)) => None,
        Err(malformed) => Some(Err(malformed)),
    })
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed)
}

/// A `CheckResponse` that lets the request through with these fields and without those.
pub(super) fn allowed(
    set: &[(HeaderName, HeaderValue)],
    removed: &[String],
    told: &[(HeaderName, HeaderValue)],
) -> Message {
    let mut ok = Message::default();
    for (name, value) in set {
        ok = ok.message(2, &option(name, value));
    }
    for name in removed {
        ok = ok.bytes(5, name.as_bytes());
    }
    for (name, value) in told {
        ok = ok.message(6, &option(name, value));
    }
    Message::default().message(1, &Message::default()).message(3, &ok)
}

/// A `CheckResponse` that answers in the program's place. `code` is one of `google.rpc.Code`, and not zero.
pub(super) fn denied(code: u64, status: u16, headers: &HeaderMap, body: &[u8]) -> Message {
    let mut answer = Message::default().message(1, &Message::default().number(1, status.into()));
    for (name, value) in headers {
        answer = answer.message(2, &option(name, value));
    }
    answer = answer.bytes(3, body);
    Message::default().message(1, &Message::default().number(1, code)).message(2, &answer)
}

/// `HeaderValueOption` that replaces: `append` is there, and false.
fn option(name: &HeaderName, value: &HeaderValue) -> Message {
    let header = Message::default().bytes(1, name.as_str().as_bytes()).bytes(2, value.as_bytes());
    Message::default().message(1, &header).message(2, &Message::default())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The question that Envoy asks about such a request.
    pub(crate) fn question(method: &str, path: &str, headers: &[(&str, &str)]) -> Message {
        let mut http = Message::default().bytes(1, b"1234").bytes(2, method.as_bytes());
        for (name, value) in headers {
            let entry = Message::default().bytes(1, name.as_bytes()).bytes(2, value.as_bytes());
            http = http.message(3, &entry);
        }
        http = http.bytes(4, path.as_bytes()).bytes(5, b"api.example").number(9, 7);
        let source = Message::default().message(1, &Message::default().bytes(1, b"address"));
        let attributes =
            Message::default().message(1, &source).message(4, &Message::default().message(2, &http));
        Message::default().message(1, &attributes.message(10, &Message::default()))
    }

    #[test]
    fn a_question_is_read() {
        let headers = [(":path", "/x"), ("authorization", "Bearer a"), ("x_m2m_scope", "forged")];
        let read = CheckRequest::decode(question("GET", "/orders?a=b", &headers).as_bytes()).unwrap();
        assert_eq!((read.method.as_str(), read.path.as_str()), ("GET", "/orders?a=b"));
        assert_eq!(read.headers.len(), 2);
        assert_eq!(read.headers["authorization"], "Bearer a");
    }

    #[test]
    fn what_is_no_header_makes_it_malformed() {
        for (name, value) in [("a b", "c"), ("", "c"), ("a", "b\r\nc: d")] {
            let question = question("GET", "/", &[(name, value)]);
            assert_eq!(CheckRequest::decode(question.as_bytes()).err(), Some(Malformed), "{name:?}");
        }
        assert_eq!(CheckRequest::decode(b"\x0a\x05a").err(), Some(Malformed));
    }

    #[test]
    fn answers_to_the_byte() {
        let field = [(HeaderName::from_static("a"), HeaderValue::from_static("b"))];
        let message = allowed(&field, &["c".to_owned()], &[]);
        assert_eq!(
            message.as_bytes(),
            b"\x0a\x00\x1a\x0f\x12\x0a\x0a\x06\x0a\x01a\x12\x01b\x12\x00\x2a\x01c"
        );
        let message = denied(16, 401, &field.into_iter().collect(), b"no");
        let expect = b"\x0a\x02\x08\x10\x12\x15\x0a\x03\x08\x91\x03\x12\x0a\x0a\x06\x0a\x01a\x12\x01b\x12\x00\x1a\x02no";
        assert_eq!(message.as_bytes(), expect);
    }
}
