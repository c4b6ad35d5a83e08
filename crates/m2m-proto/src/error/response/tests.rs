use super::*;

fn answer(status: u16, body: &str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// Status line, headers in order of insertion, body: the wire form that we pin.
fn wire(response: &Response<Bytes>) -> String {
    let mut text = format!("{}\n", response.status().as_u16());
    for (name, value) in response.headers() {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    text + "\n" + std::str::from_utf8(response.body()).unwrap()
}

// spec-test: 6749-AS6 6749-AS8
#[test]
fn golden_bytes() {
    let error = ErrorResponse::new(ErrorCode::InvalidScope).with_description("unknown scope");
    assert_eq!(
        wire(&error.encode(Endpoint::Token, AuthenticatedBy::Header)),
        "400\ncontent-type: application/json\ncache-control: no-store\npragma: no-cache\n\n\
         {\"error\":\"invalid_scope\",\"error_description\":\"unknown scope\"}"
    );
}

// spec-test: 6749-AS8
#[test]
fn invalid_client_by_header_is_challenged() {
    let error = ErrorResponse::new(ErrorCode::InvalidClient);
    assert_eq!(
        wire(&error.encode(Endpoint::Revocation, AuthenticatedBy::Header)),
        "401\ncontent-type: application/json\ncache-control: no-store\npragma: no-cache\n\
         www-authenticate: Basic realm=\"oauth2\"\n\n{\"error\":\"invalid_client\"}"
    );
    let other = error.encode(Endpoint::Token, AuthenticatedBy::Other);
    assert_eq!(other.status(), 400);
    assert!(!other.headers().contains_key(header::WWW_AUTHENTICATE));
}

#[test]
fn a_code_out_of_place_is_hidden() {
    for code in [ErrorCode::InvalidToken, ErrorCode::AccessDenied, ErrorCode::Other("oops".into())] {
        let response = ErrorResponse::new(code)
            .with_description("canary")
            .encode(Endpoint::Token, AuthenticatedBy::Other);
        assert_eq!(response.status(), 500);
        assert_eq!(response.body(), r#"{"error":"server_error"}"#);
    }
}

// spec-test: 6749-AS8, 6749-AS8a
#[test]
fn descriptions_keep_to_their_characters() {
    let error = ErrorResponse {
        error: ErrorCode::InvalidRequest,
        error_description: Some("a \"b\" \\ \n é\u{7f}".into()),
        error_uri: Some("https://as.example/e x".into()),
    };
    assert_eq!(
        error.encode(Endpoint::Token, AuthenticatedBy::Other).body(),
        r#"{"error":"invalid_request","error_description":"a 'b' ? ? ??"}"#
    );
    let long = ErrorResponse::new(ErrorCode::InvalidRequest).with_description("x".repeat(5000));
    assert!(long.encode(Endpoint::Token, AuthenticatedBy::Other).body().len() < 1200);
}

#[test]
fn read_whatever_the_status() {
    for status in [200, 400, 401, 503] {
        let error = ErrorResponse::decode(&answer(
            status,
            r#"{"error":"invalid_client","error_description":" bad\nsecret\u001b[31m ","error_uri":"https://x","x":1}"#,
        ))
        .unwrap();
        assert_eq!(error.error, ErrorCode::InvalidClient);
        assert_eq!(error.error_description.as_deref(), Some("bad secret [31m"));
        assert_eq!(error.error_uri.as_deref(), Some("https://x"));
    }
}

#[test]
fn not_an_oauth_error() {
    for body in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"error":""}"#,
        r#"{"error":null}"#,
        r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#,
        r#"{"error":"a\nb"}"#,
        r#"{"error":"invalid_client","error":"x"}"#,
        r#"{"message":"no"}"#,
    ] {
        assert_eq!(ErrorResponse::decode(&answer(400, body)), None, "{body}");
    }
}

#[test]
fn a_long_description_is_cut_at_a_character() {
    let body = format!(r#"{{"error":"x","error_description":"{}"}}"#, "é".repeat(2000));
    let description = ErrorResponse::decode(&answer(400, &body)).unwrap().error_description.unwrap();
    assert_eq!(description, "é".repeat(512));
}

#[test]
fn decode_of_encode_is_identity() {
    let error = ErrorResponse {
        error: ErrorCode::InvalidTarget,
        error_description: Some("no such API".into()),
        error_uri: Some("https://as.example/errors#target".into()),
    };
    let response = error.encode(Endpoint::Token, AuthenticatedBy::Other);
    assert_eq!(ErrorResponse::decode(&response), Some(error));
}
