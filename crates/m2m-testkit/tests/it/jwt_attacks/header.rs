//! Headers. But for what the row is about, each token is rightly signed by the issuer.

use m2m_proto::jose::kind::KindError;
use m2m_proto::jose::{Algorithm, JwkError, JwsError, SigningKey, base64url};
use m2m_proto::secret::Secret;
use m2m_resource_server::Reason;
use m2m_testkit::FixedKeys;
use serde_json::{Map, Value, json};

use super::{Cost, HEADER, Issuing, jws, kind};

/// `none` in all its spellings, with and without a signature.
// spec-test: JWT-V1
#[tokio::test]
async fn no_algorithm_in_any_spelling() {
    let issuing = Issuing::new();
    for bits in 0..16_u8 {
        let spelt: String = "none"
            .chars()
            .enumerate()
            .map(|(index, letter)| if bits >> index & 1 == 1 { letter.to_ascii_uppercase() } else { letter })
            .collect();
        let signed = issuing.under(&HEADER.replace("ES256", &spelt));
        let (input, _) = signed.rsplit_once('.').unwrap();
        for token in [format!("{input}."), format!("{input}.AA"), signed.clone()] {
            issuing.refuses(&spelt, &token, jws(JwsError::UnknownAlgorithm), Cost::Nothing).await;
        }
    }
}

// spec-test: JWT-V1
#[tokio::test]
async fn algorithms_that_are_none() {
    let issuing = Issuing::new();
    for (alg, reason) in [
        (r#""""#, JwsError::UnknownAlgorithm),
        (r#""es256""#, JwsError::UnknownAlgorithm),
        (r#""ES256 ""#, JwsError::UnknownAlgorithm),
        (r#""ES256K""#, JwsError::UnknownAlgorithm),
        (r#""ES256\u0000""#, JwsError::UnknownAlgorithm),
        (r#""RS1""#, JwsError::UnknownAlgorithm),
        (r#""dir""#, JwsError::UnknownAlgorithm),
        ("null", JwsError::UnknownAlgorithm),
        ("1", JwsError::MalformedHeader),
        ("true", JwsError::MalformedHeader),
        (r#"["ES256"]"#, JwsError::MalformedHeader),
        (r#"{"ES256":1}"#, JwsError::MalformedHeader),
    ] {
        let token = issuing.under(&HEADER.replace(r#""ES256""#, alg));
        issuing.refuses(alg, &token, jws(reason), Cost::Nothing).await;
    }
    let token = issuing.under(r#"{"typ":"at+jwt","kid":"hell-0"}"#);
    issuing.refuses("absent", &token, jws(JwsError::MalformedHeader), Cost::Nothing).await;
}

/// The published key, in every form that somebody might take for a shared secret.
// spec-test: JWT-V1
#[tokio::test]
async fn the_public_key_taken_for_a_shared_secret() {
    let issuing = Issuing::new();
    let jwk = Value::from(issuing.server.public(0));
    let coordinate = |name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let pretty = serde_json::to_vec_pretty(&jwk).unwrap();
    let rsa = FixedKeys::pem(Algorithm::Rs256).as_bytes().to_vec();
    for secret in [jwk.to_string().into_bytes(), pretty, point, rsa] {
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let Ok(key) = SigningKey::hmac(&Secret::new(secret.clone()), algorithm) else { continue };
            let unsigned = issuing.under(&HEADER.replace("ES256", algorithm.name()));
            let (input, _) = unsigned.rsplit_once('.').unwrap();
            let token = format!("{input}.{}", base64url::encode(key.sign(input.as_bytes()).unwrap()));
            let reason = kind(KindError::SymmetricAlgorithm(algorithm));
            issuing.refuses(algorithm.name(), &token, reason, Cost::Nothing).await;
        }
    }
}

/// The key is for ES256, and no header makes another one of it.
// spec-test: JOSE-V3
#[tokio::test]
async fn the_algorithm_of_another_key() {
    let issuing = Issuing::new();
    for algorithm in ["RS256", "PS512", "ES384", "ES512", "EdDSA", "Ed25519"] {
        let token = issuing.under(&HEADER.replace("ES256", algorithm));
        issuing.refuses(algorithm, &token, Reason::UnknownKey, Cost::Keys).await;
    }
}

/// A stranger's token says by which key, or where it can be had.
fn by_a_stranger(issuing: &Issuing, header: &Value) -> String {
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut header = header.clone();
    if header["jwk"] == json!("own") {
        header["jwk"] = stranger.public_jwk().unwrap().to_public_json().into();
    }
    let input = format!(
        "{}.{}",
        base64url::encode(header.to_string()),
        base64url::encode(issuing.payload(&Map::new()))
    );
    format!("{input}.{}", base64url::encode(stranger.sign(input.as_bytes()).unwrap()))
}

// spec-test: JWT-V5
#[tokio::test]
async fn keys_that_the_token_brings_or_names() {
    let issuing = Issuing::new();
    for (name, value) in [
        ("jwk", json!("own")),
        ("jku", json!("https://evil.example/jwks")),
        ("jku", json!("https://as.example/jwks")),
        ("jku", json!("http://169.254.169.254/latest/meta-data")),
        ("jku", json!("https://as.example@evil.example/jwks")),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5u", json!("file:///etc/passwd")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("iss", json!("https://evil.example")),
    ] {
        let mut header: Map<String, Value> = serde_json::from_str(HEADER).unwrap();
        header.insert(name.to_owned(), value);
        let known = by_a_stranger(&issuing, &header.clone().into());
        issuing.refuses(name, &known, jws(JwsError::WrongSignature), Cost::Keys).await;
        header.insert("kid".to_owned(), json!("evil"));
        let unknown = by_a_stranger(&issuing, &header.clone().into());
        issuing.refuses(name, &unknown, Reason::UnknownKey, Cost::Keys).await;
        header.remove("kid");
        let unnamed = by_a_stranger(&issuing, &header.into());
        issuing.refuses(name, &unnamed, jws(JwsError::WrongSignature), Cost::Keys).await;
    }
    // The issuer's own tokens may carry them: they are not read.
    for extra in [r#""jku":"https://evil.example/""#, r#""x5u":7"#, r#""x5c":null"#, r#""unknown":{"a":[1]}"#]
    {
        let token = issuing.under(&HEADER.replacen('{', &format!("{{{extra},"), 1));
        issuing.accepts(extra, &token).await;
    }
}

#[tokio::test]
async fn keys_in_the_header_that_are_none() {
    let issuing = Issuing::new();
    for (jwk, reason) in [
        ("7", JwsError::MalformedHeader),
        (r#""x""#, JwsError::MalformedHeader),
        ("{}", JwsError::HeaderKey(JwkError::UnknownKeyType)),
        (r#"{"kty":"EC"}"#, JwsError::HeaderKey(JwkError::UnknownCurve)),
        (r#"{"kty":"oct"}"#, JwsError::HeaderKey(JwkError::Missing("k"))),
    ] {
        let token = issuing.under(&HEADER.replacen('{', &format!(r#"{{"jwk":{jwk},"#), 1));
        issuing.refuses(jwk, &token, jws(reason), Cost::Nothing).await;
    }
}

/// A key id is a name in a set, and goes into no path, query or command.
// spec-test: JWT-V5
#[tokio::test]
async fn key_ids_that_are_more_than_names() {
    let issuing = Issuing::new();
    for kid in [
        "../../../../../../dev/null",
        "' OR '1'='1",
        "hell-0\\u0000",
        "hell-0 ",
        "HELL-0",
        "| /bin/true",
        "https://evil.example/key",
        "\\u0068ell-1",
        "\\r\\nx: y",
        "",
    ] {
        let token = issuing.under(&HEADER.replace("hell-0", kid));
        issuing.refuses(kid, &token, Reason::UnknownKey, Cost::Keys).await;
    }
    let long = issuing.under(&HEADER.replace("hell-0", &"k".repeat(2000)));
    issuing.refuses("long", &long, Reason::UnknownKey, Cost::Keys).await;
    let huge = issuing.under(&HEADER.replace("hell-0", &"k".repeat(5000)));
    let too_long = JwsError::TooLong { bytes: HEADER.len() - 6 + 5000, limit: 4096 };
    issuing.refuses("huge", &huge, jws(too_long), Cost::Nothing).await;
    for kid in ["0", "{}", r#"["hell-0"]"#, "true"] {
        let token = issuing.under(&HEADER.replace(r#""hell-0""#, kid));
        issuing.refuses(kid, &token, jws(JwsError::MalformedHeader), Cost::Nothing).await;
    }
    issuing.accepts("escaped", &issuing.under(&HEADER.replace("hell-0", "\\u0068ell-0"))).await;
    issuing.accepts("absent", &issuing.under(r#"{"typ":"at+jwt","alg":"ES256"}"#)).await;
    issuing.accepts("null", &issuing.under(&HEADER.replace(r#""hell-0""#, "null"))).await;
}

// spec-test: JOSE-V2
#[tokio::test]
async fn extensions_that_we_do_not_understand() {
    let issuing = Issuing::new();
    for extension in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":[]"#,
        r#""crit":null"#,
        r#""crit":"x""#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""cr\u0069t":["x"],"x":1"#,
    ] {
        let token = issuing.under(&HEADER.replacen('{', &format!("{{{extension},"), 1));
        issuing.refuses(extension, &token, jws(JwsError::Extension), Cost::Nothing).await;
    }
    let encrypted = issuing.under(&HEADER.replacen('{', r#"{"enc":"A128GCM","#, 1));
    issuing.refuses("enc", &encrypted, jws(JwsError::Encrypted), Cost::Nothing).await;
}

#[tokio::test]
async fn members_that_occur_twice() {
    let issuing = Issuing::new();
    for member in [
        r#""alg":"none""#,
        r#""alg":"ES256""#,
        r#""a\u006cg":"none""#,
        r#""typ":"JWT""#,
        r#""kid":"other""#,
        r#""kid":null"#,
        r#""x":1,"x":1"#,
        r#""x":{"y":1,"y":2}"#,
    ] {
        for header in [
            HEADER.replacen('{', &format!("{{{member},"), 1),
            HEADER.replacen('}', &format!(",{member}}}"), 1),
        ] {
            let token = issuing.under(&header);
            issuing.refuses(&header, &token, jws(JwsError::DuplicateMember), Cost::Nothing).await;
        }
    }
}

#[tokio::test]
async fn headers_that_are_none() {
    let issuing = Issuing::new();
    let deep = HEADER.replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(20), "]".repeat(20)), 1);
    let bytes: [&[u8]; 13] = [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\"ES256\"",
        b"{\"typ\":\"at+jwt\",\"alg\":\"ES256\"",
        b"{\"typ\":\"at+jwt\",\"alg\":\"ES256\"} {}",
        b"{\"typ\":\"at+jwt\",\"alg\":\"ES256\",}",
        b"{'typ':'at+jwt','alg':'ES256'}",
        b"\xef\xbb\xbf{\"typ\":\"at+jwt\",\"alg\":\"ES256\"}",
        b"{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"x\":\"\xff\"}",
        b"{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"x\":\"\\ud800\"}",
        deep.as_bytes(),
    ];
    for header in bytes {
        let token = issuing.raw(header, issuing.payload(&Map::new()));
        let what = String::from_utf8_lossy(header);
        issuing.refuses(&what, &token, jws(JwsError::MalformedHeader), Cost::Nothing).await;
    }
}
