use super::*;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Origin, Sourced};

fn typed(values: &[(Field, Value)]) -> Profile {
    let sourced = |value: &Value| Sourced { value: value.clone(), origin: Origin::Default };
    values.iter().map(|(field, value)| (*field, sourced(value))).collect()
}

fn import(text: &str) -> Result<Imported, Failure> {
    read(Path::new("/client.json"), text, &Profile::new())
}

#[test]
fn camel_case_and_ours_say_the_same() {
    let camel = r#"{"tokenUrl":"https://t.example/token","clientId":"c","clientAuthMethod":"client_secret_post",
        "scopes":"a  b","audience":"x","resource":"https://r.example","introspectionUrl":"https://t.example/i",
        "revocationUrl":"https://t.example/r","keyId":"k","clientSecret":{"env":"S"}}"#;
    let ours = r#"{"name":"n","token_url":"https://t.example/token","client_id":"c","scopes":["a","b"],
        "client_auth_method":"client_secret_post","audience":"x","resource":["https://r.example"],
        "introspection_url":"https://t.example/i","revocation_url":"https://t.example/r","key_id":"k",
        "client_secret":{"env":"S"}}"#;
    let (camel, ours) = (import(camel).unwrap(), import(ours).unwrap());
    assert_eq!((camel.name, ours.name.as_deref()), (None, Some("n")));
    let values = |wish: &Wish| -> Vec<_> {
        wish.values.iter().map(|(field, sourced)| (*field, sourced.value.clone())).collect()
    };
    assert_eq!(values(&camel.wish), values(&ours.wish));
    assert_eq!(camel.wish.values.len(), 10);
}

#[test]
fn a_secret_is_set_apart_or_becomes_a_reference() {
    let check = |value: &str, literal: Option<&str>, reference: Option<&str>| {
        let text = format!("{{\"clientSecret\": {}}}", serde_json::json!(value));
        let imported = import(&text).unwrap();
        let kept = imported.wish.secrets.get(&Field::ClientSecret);
        assert_eq!(kept.map(|secret| secret.expose().as_str()), literal, "{value}");
        if let Some(name) = reference {
            let reference = SecretReference::Env(name.to_owned());
            assert_eq!(imported.wish.secret(Field::ClientSecret), Some(&reference), "{value}");
        }
    };
    check("hunter2", Some("hunter2"), None);
    check("${ORDERS}", None, Some("ORDERS"));
    check("${env:ORDERS}", None, Some("ORDERS"));
    check("process.env.ORDERS", None, Some("ORDERS"));
    check("${process.env.ORDERS}", None, Some("ORDERS"));
    check("process.env['ORDERS']", None, Some("ORDERS"));
    check("process.environment", Some("process.environment"), None);
    check("$ORDERS", Some("$ORDERS"), None);
    check("${a}${b}", Some("${a}${b}"), None);
    check("${7a}", Some("${7a}"), None);
    let key = import(r#"{"privateKey":"-----BEGIN X-----\\nabc\\n-----END X-----"}"#).unwrap();
    let key = key.wish.secrets[&Field::PrivateKey].expose().clone();
    assert_eq!(key, "-----BEGIN X-----\nabc\n-----END X-----");
    assert!(import(r#"{"clientSecret":""}"#).is_err());
}

#[test]
fn unknown_members_are_named_with_the_nearest() {
    let check = |member: &str, hint: &str| {
        let failure = import(&format!("{{\"{member}\": \"hunter2\"}}")).unwrap_err();
        assert_eq!(failure.exit(), crate::exit::Exit::Configuration);
        assert_eq!(failure.message(), format!("/client.json: {member}: unknown member"));
        assert!(failure.advice().unwrap().starts_with(hint), "{member}: {:?}", failure.advice());
    };
    check("tokenUri", "did you mean tokenUrl");
    check("clientIdd", "did you mean clientId");
    check("client_idd", "did you mean client_id");
    check("secret", "did you mean client_secret");
    check("password", "m2m profile import --help");
    let imported = import(r#"{"clientId":"c","accessToken":"hunter2","tokenExpiresAt":7}"#).unwrap();
    assert_eq!(imported.ignored, ["accessToken", "tokenExpiresAt"]);
    assert_eq!(imported.wish.values.len(), 1);
}

#[test]
fn placeholders_are_filled_or_named() {
    let text = r#"{"tokenUrl":"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"}"#;
    let failure = import(text).unwrap_err();
    assert_eq!(failure.message(), "/client.json: tokenUrl: {tenant} is left open");
    assert_eq!(failure.advice(), Some("fill it: --var tenant=…"));
    let filled = Value::Pairs(vec![("tenant".into(), "contoso.example".into())]);
    let imported = read(Path::new("/c"), text, &typed(&[(Field::Variables, filled)])).unwrap();
    let url = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";
    assert_eq!(imported.wish.text(Field::TokenUrl), Some(url));
    assert!(import(r#"{"clientId":"{braces}"}"#).is_ok(), "only URLs have placeholders");
}

#[test]
fn what_flags_override_is_not_looked_at() {
    let text = r#"{"clientId":"process.env.ID","clientSecret":"hunter2"}"#;
    let failure = import(text).unwrap_err();
    assert_eq!(failure.advice(), Some("give the value: --client-id"));
    let flags = typed(&[
        (Field::ClientId, Value::Text("c".into())),
        (Field::PrivateKey, Value::Secret(SecretReference::File("/k".into()))),
    ]);
    let imported = read(Path::new("/c"), text, &flags).unwrap();
    assert!(imported.wish.values.is_empty() && imported.wish.secrets.is_empty());
}

#[test]
fn a_key_file_is_a_profile() {
    let text = r#"{"type":"service_account","project_id":"p","private_key_id":"kid","private_key":"-----BEGIN\nx",
        "client_email":"robot@p.iam.gserviceaccount.com","client_id":"1234","auth_uri":"https://a.example",
        "token_uri":"https://oauth2.googleapis.com/token","auth_provider_x509_cert_url":"https://b.example",
        "client_x509_cert_url":"https://c.example","universe_domain":"googleapis.com"}"#;
    let imported = import(text).unwrap();
    assert_eq!(imported.wish.text(Field::ClientId), Some("robot@p.iam.gserviceaccount.com"));
    assert_eq!(imported.wish.text(Field::KeyId), Some("kid"));
    assert_eq!(imported.wish.text(Field::Provider), Some("google-sa"));
    assert_eq!(imported.wish.secrets[&Field::PrivateKey].expose(), "-----BEGIN\nx");
    assert!(import(r#"{"type":"service_account","client_email":"a"}"#).is_err());
    let stated = typed(&[(Field::Provider, Value::Text("auth0".into()))]);
    let imported = read(Path::new("/c"), text, &stated).unwrap();
    assert_eq!(imported.wish.text(Field::Provider), None, "the flag has the last word");
}

#[test]
fn a_key_file_is_known_by_its_type_and_to_its_last_member() {
    let check = |text: &str, message: &str, hint: &str| {
        let failure = import(text).unwrap_err();
        assert_eq!(failure.message(), format!("/client.json: {message}"), "{text}");
        assert!(failure.advice().unwrap().starts_with(hint), "{text}: {:?}", failure.advice());
    };
    check(
        r#"{"type":"service_account","client_email":"a"}"#,
        "private_key: expected a string",
        "a key file of the type service_account has client_email, private_key, private_key_id, token_uri",
    );
    check(
        r#"{"type":"service_account","client_emial":"a"}"#,
        "client_emial: unknown member",
        "did you mean client_email",
    );
    check(r#"{"type":"robot","client_email":"a"}"#, "client_email: unknown member", "");
}

#[test]
fn the_blocks_of_programs_are_read() {
    let text = "const credentials = {\n  tokenUrl: 'https://your-tenant.auth0.com/oauth/token',\n  \
                clientId: 'YOUR_CLIENT_ID',\n  clientSecret: process.env.AUTH0_CLIENT_SECRET,\n  \
                audience: 'https://api.example.com', // REQUIRED!\n  clientAuthMethod: 'client_secret_post',\n};";
    let imported = import(text).unwrap();
    assert_eq!(imported.wish.text(Field::Audience), Some("https://api.example.com"));
    let secret = SecretReference::Env("AUTH0_CLIENT_SECRET".into());
    assert_eq!(imported.wish.secret(Field::ClientSecret), Some(&secret));
    for (broken, line) in [("{\"clientId\": 1", ""), ("clientId", ":1"), ("{\n clientId: id() }", ":2")] {
        let failure = import(broken).unwrap_err();
        assert!(failure.message().starts_with(&format!("/client.json{line}: ")), "{}", failure.message());
    }
}

#[test]
fn keys_change_their_case_and_back() {
    for (theirs, ours) in [("tokenUrl", "token_url"), ("tokenURL", "token_url"), ("clientID", "client_id")] {
        assert_eq!(snake(theirs), ours);
    }
    assert_eq!(
        (snake("token_url").as_str(), camel("client_auth_method").as_str()),
        ("token_url", "clientAuthMethod")
    );
}
