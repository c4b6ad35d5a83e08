//! How clients prove themselves: the one way that is wanted, and no other.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use m2m_proto::jose::Algorithm;

use super::{SECRET, ask, ask_at, claims, jwt, key_rule, refused, with_key};
use crate::lab::{
    AssertionRule, BasicReading, Behaviour, ClientProof, Lab, Outcome, Place, SharedSecret, Situation,
};

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

async fn check_basic(reading: BasicReading, headers: &[(&str, &str)], pair: &str, expect: &Outcome) {
    let client = ClientProof::Basic(SharedSecret::new("a p", "p+%2F"), reading.clone());
    let lab = Lab::start(Behaviour::new(client)).await;
    let credentials = basic(pair);
    let headers = [&[("authorization", credentials.as_str())], headers].concat();
    assert_eq!(&ask(&lab, &headers, "").await.0, expect, "{reading:?} {pair}");
}

#[tokio::test]
async fn basic_is_read_raw_or_decoded_and_not_both() {
    let (wrong, unknown) = (refused(Situation::WrongClient), refused(Situation::UnknownClient));
    check_basic(BasicReading::Raw, &[], "a p:p+%2F", &Outcome::Granted).await;
    check_basic(BasicReading::Raw, &[], "a+p:p%2B%252F", &unknown).await;
    check_basic(BasicReading::Raw, &[], "a p:p%2B%252F", &wrong).await;
    check_basic(BasicReading::FormDecoded, &[], "a+p:p%2B%252F", &Outcome::Granted).await;
    check_basic(BasicReading::FormDecoded, &[], "a+p:p+%2F", &wrong).await;
    check_basic(BasicReading::FormDecoded, &[], "a+p:p%", &wrong).await;
    let switched = BasicReading::FormDecodedIf("X-CF-ENCODED-CREDENTIALS".to_owned());
    let on = [("x-cf-encoded-credentials", "true")];
    check_basic(switched.clone(), &[], "a p:p+%2F", &Outcome::Granted).await;
    check_basic(switched.clone(), &[], "a+p:p%2B%252F", &unknown).await;
    check_basic(switched.clone(), &on, "a+p:p%2B%252F", &Outcome::Granted).await;
    check_basic(switched, &on, "a p:p+%2F", &wrong).await;
}

#[tokio::test]
async fn a_name_beside_basic_must_be_the_same() {
    let client = ClientProof::Basic(SharedSecret::new("app", "s3cret"), BasicReading::Raw);
    let lab = Lab::start(Behaviour::new(client)).await;
    let credentials = basic("app:s3cret");
    let headers = [("authorization", credentials.as_str())];
    assert_eq!(ask(&lab, &headers, "client_id=app").await.0, Outcome::Granted);
    assert_eq!(ask(&lab, &headers, "client_id=other").await.0, refused(Situation::UnknownClient));
}

#[tokio::test]
async fn a_secret_stands_in_one_place() {
    let json = [("content-type", "application/json")];
    for place in Place::ALL {
        let mut behaviour =
            Behaviour::new(ClientProof::Parameters(SharedSecret::new("app", "s3cret"), place));
        behaviour.place = if place == Place::Json { Place::Json } else { Place::Form };
        let lab = Lab::start(behaviour).await;
        let (query, form) = match place {
            Place::Query => (format!("?{SECRET}"), "grant_type=client_credentials".to_owned()),
            _ => (String::new(), format!("grant_type=client_credentials&{SECRET}")),
        };
        let outcome = match place {
            Place::Json => {
                let body =
                    r#"{"grant_type":"client_credentials","client_id":"app","client_secret":"s3cret"}"#;
                let request = http::Request::post(lab.token_url()).header(json[0].0, json[0].1);
                super::send(request, body).await.unwrap();
                lab.outcomes().pop().unwrap()
            }
            _ => ask_at(&lab, &query, &[], &form).await.0,
        };
        assert_eq!(outcome, Outcome::Granted, "{place:?}");
    }
}

#[tokio::test]
async fn nothing_else_may_be_shown() {
    let lab = Lab::start(Behaviour::with_secret("app", "s3cret")).await;
    let basic = basic("app:s3cret");
    let wrong = refused(Situation::WrongClient);
    assert_eq!(ask(&lab, &[], SECRET).await.0, Outcome::Granted);
    for (query, headers, form) in [
        ("", vec![("authorization", basic.as_str())], ""),
        ("", vec![("authorization", basic.as_str())], SECRET),
        ("", vec![("authorization", "Bearer x")], SECRET),
        ("", vec![("authorization", "Digest x")], SECRET),
        ("?client_secret=s3cret", vec![], SECRET),
        ("?client_id=app&client_secret=s3cret", vec![], ""),
        ("", vec![], "client_id=app&client_secret=s3cret&client_assertion=x"),
        ("", vec![], "client_id=app&client_secret=wrong"),
        ("", vec![], "client_id=app"),
        ("", vec![], ""),
    ] {
        let form = format!("grant_type=client_credentials&{form}");
        assert_eq!(ask_at(&lab, query, &headers, &form).await.0, wrong, "{query} {headers:?} {form}");
    }
    let other = ask(&lab, &[], "client_id=other&client_secret=s3cret").await.0;
    assert_eq!(other, refused(Situation::UnknownClient));
    let open = Lab::start(Behaviour::new(ClientProof::None)).await;
    assert_eq!(ask(&open, &[], "client_id=app").await.0, Outcome::Granted);
    assert_eq!(ask(&open, &[], SECRET).await.0, wrong);
}

#[tokio::test]
async fn a_secret_may_have_another_name_and_no_client() {
    let own = SharedSecret {
        id_parameter: None,
        secret_parameter: "apikey".to_owned(),
        ..SharedSecret::new("app", "k3y")
    };
    let lab = Lab::start(Behaviour::new(ClientProof::Parameters(own, Place::Form))).await;
    assert_eq!(ask(&lab, &[], "apikey=k3y").await.0, Outcome::Granted);
    for form in ["apikey=other", "client_secret=k3y", "apikey=k3y&client_secret=k3y"] {
        assert_eq!(ask(&lab, &[], form).await.0, refused(Situation::WrongClient), "{form}");
    }
}

fn assertion_form(token: &str) -> String {
    format!(
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={token}"
    )
}

#[tokio::test]
async fn a_client_assertion_is_signed_by_the_key_or_the_secret() {
    let lab = Lab::start(with_key(key_rule())).await;
    assert_eq!(ask(&lab, &[], &assertion_form(&jwt(&claims("1")))).await.0, Outcome::Granted);
    let wrong = refused(Situation::WrongClient);
    let untyped = format!("client_assertion={}", jwt(&claims("2")));
    assert_eq!(ask(&lab, &[], &untyped).await.0, wrong);
    let token = jwt(&claims("3"));
    let broken = format!("{}A{}", &token[..token.len() - 20], &token[token.len() - 19..]);
    assert_eq!(ask(&lab, &[], &assertion_form(&broken)).await.0, wrong);
    assert_eq!(ask(&lab, &[], SECRET).await.0, wrong);
    let secret = "a secret that is longer than thirty-two bytes";
    let rule = AssertionRule::client_secret_jwt("app", secret, Algorithm::Hs256, "https://as.example/");
    let lab = Lab::start(with_key(rule)).await;
    assert_eq!(ask(&lab, &[], &assertion_form(&jwt(&claims("4")))).await.0, wrong);
    let key = m2m_proto::jose::SigningKey::hmac(&secret.as_bytes().into(), Algorithm::Hs256).unwrap();
    let header = m2m_proto::jose::HeaderFields::default();
    let token = m2m_proto::jose::jws::sign(&header, claims("5").to_string().as_bytes(), &key).unwrap();
    assert_eq!(ask(&lab, &[], &assertion_form(&token)).await.0, Outcome::Granted);
}

#[tokio::test]
async fn a_bearer_jwt_stands_in_the_header() {
    let lab = Lab::start(Behaviour::new(ClientProof::Bearer(key_rule()))).await;
    let header = format!("Bearer {}", jwt(&claims("1")));
    assert_eq!(ask(&lab, &[("authorization", &header)], "").await.0, Outcome::Granted);
    let form = assertion_form(&jwt(&claims("2")));
    assert_eq!(ask(&lab, &[], &form).await.0, refused(Situation::WrongClient));
}
