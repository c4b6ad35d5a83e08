//! What a good request is answered, and recorded answers.

use m2m_proto::jose::{Algorithm, Claims, Compact, JwkSet};
use serde_json::{Value, json};

use super::{SECRET, ask, body, public, refused};
use crate::lab::{
    Answer, Behaviour, Discovery, ExpiresIn, Lab, Outcome, SignedToken, Situation, Success, TokenText,
};

async fn answer(success: Success) -> http::Response<bytes::Bytes> {
    let lab = Lab::start(Behaviour { success, ..Behaviour::with_secret("app", "s3cret") }).await;
    let (outcome, response) = ask(&lab, &[], &format!("{SECRET}&scope=a")).await;
    assert_eq!(outcome, Outcome::Granted);
    response
}

#[tokio::test]
async fn lifetimes_are_said_in_every_way() {
    for (expires_in, expect) in [
        (ExpiresIn::Seconds(60), json!(60)),
        (ExpiresIn::Text(60), json!("60")),
        (ExpiresIn::Milliseconds(60), json!(60_000)),
        (ExpiresIn::Absent, Value::Null),
    ] {
        let body = body(&answer(Success::bearer().expires_in(expires_in)).await);
        assert_eq!(body["expires_in"], expect);
        assert_eq!(
            (body.as_object().unwrap().len(), &body["token_type"]),
            (if expect.is_null() { 2 } else { 3 }, &json!("Bearer"))
        );
    }
}

#[tokio::test]
async fn a_template_has_members_status_headers_and_the_token() {
    let success = Success::bearer()
        .token(TokenText::Given("00D!AQ".to_owned()))
        .member("instance_url", "{origin}/api".into())
        .member("nested", json!({"token": "{token}", "scope": "{scope}"}))
        .member("token_type", Value::Null)
        .status(201)
        .header("x-quota", "q=10");
    let response = answer(success).await;
    assert_eq!((response.status().as_u16(), &response.headers()["x-quota"]), (201, &"q=10".parse().unwrap()));
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = body(&response);
    assert_eq!(
        (&body["access_token"], &body["nested"]),
        (&json!("00D!AQ"), &json!({"token": "00D!AQ", "scope": "a"}))
    );
    assert!(body["instance_url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{body}");
    assert!(body.get("token_type").is_none());
}

#[tokio::test]
async fn opaque_tokens_are_fresh_and_signed_ones_verify() {
    let lab = Lab::start(Behaviour::with_secret("app", "s3cret")).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(body(&ask(&lab, &[], SECRET).await.1)["access_token"].clone());
    }
    assert_ne!(tokens[0], tokens[1]);
    let signed = SignedToken::new("{origin}", "https://api.example").claim("gty", json!("cc"));
    let response =
        answer(Success::bearer().signed(SignedToken { typ: Some("JWT".to_owned()), ..signed })).await;
    let text = body(&response)["access_token"].as_str().unwrap().to_owned();
    let compact = Compact::parse(&text).unwrap();
    assert_eq!(compact.header().typ.as_deref(), Some("JWT"));
    let claims = Claims::parse(compact.verify(&public(Algorithm::Rs256)).unwrap().payload()).unwrap();
    assert!(claims.iss.as_deref().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!((claims.sub.as_deref(), claims.text("scope")), (Some("app"), Some("a")));
    assert!(claims.aud.as_ref().unwrap().contains("https://api.example"));
    assert_eq!(
        (claims.text("gty"), claims.exp.unwrap().since(claims.iat.unwrap()).as_secs()),
        (Some("cc"), 3600)
    );
    assert!(claims.jti.is_some());
    let set = JwkSet::decode(Discovery::keys(&[Algorithm::Rs256]).as_bytes()).unwrap();
    assert_eq!(set.find(compact.header().kid.as_deref(), Algorithm::Rs256).count(), 1);
}

#[tokio::test]
async fn recorded_answers_come_to_the_byte_by_judgement_or_by_name() {
    let recorded = [
        ("success", Answer::new(200, "application/json", r#"{"access_token":"{token}"}"#)),
        ("wrong_secret", Answer::oauth(400, "access_denied", "Unauthorized")),
        ("missing_audience", Answer::oauth(403, "access_denied", "no audience")),
        ("portal", Answer::html(200, "Welcome")),
    ];
    let recorded = recorded.map(|(name, answer)| (name.to_owned(), answer));
    let behaviour = Behaviour::with_secret("app", "s3cret").require("audience").recorded(recorded);
    let lab = Lab::start(behaviour).await;
    let check = async |form: &str, outcome: Outcome, status: u16, text: &str| {
        let (found, response) = ask(&lab, &[], form).await;
        assert_eq!((found, response.status().as_u16()), (outcome, status), "{form}");
        assert!(String::from_utf8_lossy(response.body()).contains(text), "{form}");
    };
    let good = format!("{SECRET}&audience=a");
    check(&good, Outcome::Granted, 200, r#"{"access_token":"{token}"}"#).await;
    check("client_id=app&client_secret=x", refused(Situation::WrongClient), 400, "Unauthorized").await;
    let missing = Situation::MissingParameter("audience".to_owned());
    check(SECRET, refused(missing), 403, "no audience").await;
    lab.play(Some("portal"));
    check(&good, Outcome::Played("portal".to_owned()), 200, "<title>Welcome</title>").await;
    lab.play(Some("success"));
    check("", Outcome::Played("success".to_owned()), 200, "{token}").await;
    lab.play(None);
    check(&good, Outcome::Granted, 200, "access_token").await;
    assert_eq!((lab.count(&Outcome::Granted), lab.requests().len()), (2, 6));
}
