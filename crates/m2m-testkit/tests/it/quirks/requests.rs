//! What a token request looks like: where the secret and the parameters stand, and how they are written.

use http::Method;
use m2m_client::{ClientBuilder, Credentials, ErrorKind};
use m2m_proto::uri::ResourceUri;
use m2m_testkit::lab::{
    ApiRule, BasicReading, Behaviour, ClientProof, GrantRule, Place, Required, Situation,
};

use super::{
    CLIENT, Quirk, STANDARD_SERVICE, With, basic, builder, does_not, gets, lab, missing, named, post, scope,
    shared, wants_basic, wants_parameters,
};

const AS_IT_IS: With = |builder| builder;
const WITH_BASIC: With = |builder| builder.credentials(basic());
const WITH_SCOPES: With = |builder| builder.scope(scope("a b"));
const WITH_AUDIENCE: With = |builder| builder.audience("https://api.example");

fn form() -> Behaviour {
    wants_parameters(Place::Form)
}

fn grant(text: &str, place: Option<Place>) -> Behaviour {
    Behaviour { grant: GrantRule { place, ..GrantRule::plain(text) }, ..form() }
}

fn scopes(separator: &str) -> Behaviour {
    let mut behaviour = form();
    behaviour.scope.known = vec!["a".to_owned(), "b".to_owned()];
    separator.clone_into(&mut behaviour.scope.separator);
    behaviour.scope.required = true;
    behaviour
}

fn requires(behaviour: Behaviour, name: &str, value: &str) -> Behaviour {
    let required = Required { name: name.to_owned(), value: Some(value.to_owned()), place: None };
    Behaviour { required: vec![required], ..behaviour }
}

fn of_the_secret() -> Vec<Quirk> {
    let wrong = Situation::WrongClient;
    let api_key = || {
        let mut shared = shared();
        (shared.id_parameter, shared.secret_parameter) = (None, "api_key".to_owned());
        Behaviour::new(ClientProof::Parameters(shared, Place::Form))
    };
    vec![
        Quirk {
            name: "raw Basic",
            says: "[auth]\nbasic_encoding = \"raw\"",
            with: WITH_BASIC,
            odd: (wants_basic(BasicReading::Raw), wrong.clone()),
            usual: (wants_basic(BasicReading::FormDecoded), Some(wrong.clone())),
        },
        Quirk {
            name: "the header that says that Basic is encoded",
            says: "[request.headers]\nX-Encoded-Credentials = \"true\"",
            with: WITH_BASIC,
            odd: (
                wants_basic(BasicReading::FormDecodedIf("X-Encoded-Credentials".to_owned())),
                wrong.clone(),
            ),
            usual: (wants_basic(BasicReading::FormDecoded), None),
        },
        Quirk {
            name: "client_id beside Basic",
            says: "[auth]\nclient_id_in_body = true",
            with: WITH_BASIC,
            odd: (
                requires(wants_basic(BasicReading::FormDecoded), "client_id", CLIENT),
                missing("client_id"),
            ),
            usual: (wants_basic(BasicReading::FormDecoded), None),
        },
        Quirk {
            name: "the secret under another name, without client_id",
            says: "[request]\nsecret_param = \"api_key\"\nclient_id = false",
            with: AS_IT_IS,
            odd: (api_key(), wrong.clone()),
            usual: (form(), Some(wrong)),
        },
    ]
}

fn of_places() -> Vec<Quirk> {
    let no_grant = || missing("grant_type");
    vec![
        Quirk {
            name: "everything in the query",
            says: "[auth]\nmethods = [\"client_secret_post\"]\n[request]\nplace = \"query\"",
            with: WITH_SCOPES,
            odd: (wants_parameters(Place::Query), no_grant()),
            usual: (form(), Some(no_grant())),
        },
        Quirk {
            name: "everything in a JSON object",
            says: "[request]\nplace = \"json\"",
            with: WITH_SCOPES,
            odd: (wants_parameters(Place::Json), no_grant()),
            usual: (form(), Some(no_grant())),
        },
        Quirk {
            name: "GET",
            says: "[auth]\nmethods = [\"client_secret_post\"]\n[request]\nplace = \"query\"\nhttp_method = \"GET\"",
            with: WITH_SCOPES,
            odd: (Behaviour { method: Method::GET, ..wants_parameters(Place::Query) }, Situation::Malformed),
            usual: (form(), Some(Situation::Malformed)),
        },
        Quirk {
            name: "grant_type alone in the query",
            says: "[request]\ngrant_place = \"query\"",
            with: AS_IT_IS,
            odd: (grant("client_credentials", Some(Place::Query)), no_grant()),
            usual: (form(), Some(no_grant())),
        },
        Quirk {
            name: "no grant_type",
            says: "[request]\ngrant = \"\"",
            with: AS_IT_IS,
            odd: (grant("", None), Situation::UnsupportedGrant),
            usual: (form(), Some(no_grant())),
        },
        Quirk {
            name: "a header that must be there",
            says: "[request.headers]\nMetadata = \"true\"",
            with: AS_IT_IS,
            odd: (
                Behaviour { headers: vec![("metadata".to_owned(), "true".to_owned())], ..form() },
                missing("metadata"),
            ),
            usual: (form(), None),
        },
    ]
}

fn of_parameters() -> Vec<Quirk> {
    let odd_grant = |says, text: &str| Quirk {
        name: "an odd grant_type",
        says,
        with: AS_IT_IS,
        odd: (grant(text, None), Situation::UnsupportedGrant),
        usual: (form(), Some(Situation::UnsupportedGrant)),
    };
    vec![
        odd_grant("[request]\ngrant = \"account_credentials\"", "account_credentials"),
        odd_grant("[request]\ngrant = \"openapi_2lo\"", "openapi_2lo"),
        odd_grant(
            "[request]\ngrant = \"urn:ibm:params:oauth:grant-type:apikey\"",
            "urn:ibm:params:oauth:grant-type:apikey",
        ),
        Quirk {
            name: "scopes with commas between them",
            says: "[request]\nscope_separator = \",\"",
            with: WITH_SCOPES,
            odd: (scopes(","), Situation::UnknownScope),
            usual: (scopes(" "), Some(Situation::UnknownScope)),
        },
        Quirk {
            name: "scopes that are asked for where the profile names none",
            says: "[request]\nscopes = [\"a\", \"b\"]",
            with: AS_IT_IS,
            odd: (scopes(" "), missing("scope")),
            usual: (form(), None),
        },
        Quirk {
            name: "the audience under another name",
            says: "[request]\naudience = \"target\"",
            with: WITH_AUDIENCE,
            odd: (requires(form(), "target", "https://api.example"), missing("target")),
            usual: (requires(form(), "audience", "https://api.example"), Some(missing("audience"))),
        },
        Quirk {
            name: "no audience",
            says: "[request]\naudience = \"\"",
            with: WITH_AUDIENCE,
            // Says so of any audience that it is sent.
            odd: (
                Behaviour {
                    api: Some(ApiRule { parameter: "audience".to_owned(), authorized: Vec::new() }),
                    ..form()
                },
                Situation::UnauthorizedApi,
            ),
            usual: (requires(form(), "audience", "https://api.example"), Some(missing("audience"))),
        },
        Quirk {
            name: "a parameter that is always there, with a variable in it",
            says: "[request.params]\naccount_id = \"no-{account}\"",
            with: AS_IT_IS,
            odd: (requires(form(), "account_id", "no-42"), missing("account_id")),
            usual: (form(), None),
        },
    ]
}

#[tokio::test]
async fn secrets_stand_where_the_service_wants_them() {
    for quirk in of_the_secret() {
        quirk.check().await;
    }
}

#[tokio::test]
async fn parameters_stand_where_the_service_wants_them() {
    for quirk in of_places() {
        quirk.check().await;
    }
}

#[tokio::test]
async fn parameters_are_written_as_the_service_wants_them() {
    for quirk in of_parameters() {
        quirk.check().await;
    }
}

/// Basic or parameters: one way each, and no other is tried behind the caller's back.
#[tokio::test]
async fn a_client_has_one_method() {
    let service = [wants_basic(BasicReading::FormDecoded), wants_parameters(Place::Form)];
    let client: [With; 2] = [WITH_BASIC, |builder| builder.credentials(post())];
    for (wanted, behaviour) in service.into_iter().enumerate() {
        let lab = lab(behaviour).await;
        for (shown, with) in client.iter().enumerate() {
            let builder = with(named(&lab, STANDARD_SERVICE));
            if shown == wanted {
                gets("the right method", &lab, builder).await;
            } else {
                let error = does_not("the wrong method", &lab, builder, &Situation::WrongClient).await;
                assert_eq!(error.kind(), ErrorKind::Refused);
            }
        }
    }
}

/// What a profile states and its service needs: `resource`, and parameters that only this service has.
#[tokio::test]
async fn what_a_profile_adds_arrives() {
    let resource = |builder: ClientBuilder| {
        let urn = ResourceUri::parse("urn:dtaccount:42").unwrap();
        builder.resource(urn).param("box_subject_type", "enterprise")
    };
    for (name, value) in [("resource", "urn:dtaccount:42"), ("box_subject_type", "enterprise")] {
        let lab = lab(requires(form(), name, value)).await;
        gets(name, &lab, resource(named(&lab, STANDARD_SERVICE))).await;
        does_not(name, &lab, named(&lab, STANDARD_SERVICE), &missing(name)).await;
    }
    // What a profile says about a parameter of the catalogue wins.
    let says = "[request.params]\naccount_id = \"of the catalogue\"";
    let lab = lab(requires(form(), "account_id", "own")).await;
    gets("own", &lab, named(&lab, says).param("account_id", "own")).await;
    does_not("catalogue", &lab, named(&lab, says), &missing("account_id")).await;
}

/// A service that goes by where the client is: nothing names it, nothing is shown.
#[tokio::test]
async fn a_client_without_a_name_asks_by_get() {
    let says = "[request]\ngrant = \"\"\nplace = \"query\"\nhttp_method = \"GET\"\n\
                [request.headers]\nMetadata = \"true\"\n[request.params]\napi-version = \"2018-02-01\"";
    let mut behaviour = requires(Behaviour::new(ClientProof::None), "api-version", "2018-02-01");
    (behaviour.method, behaviour.place) = (Method::GET, Place::Query);
    behaviour.grant = GrantRule::plain("");
    behaviour.headers = vec![("metadata".to_owned(), "true".to_owned())];
    let lab = lab(behaviour).await;
    let nobody = builder(&lab, says).credentials(Credentials::none());
    gets("nobody", &lab, nobody.resource(ResourceUri::parse("https://vault.example").unwrap())).await;
    let request = lab.record().last();
    assert!(!request.headers.contains_key("content-type"), "there is no body");
    let expected = "/token?resource=https%3A%2F%2Fvault.example&api-version=2018-02-01";
    assert_eq!((request.uri.to_string().as_str(), request.body.len()), (expected, 0));
    assert!(request.header("authorization").is_none());
    // A secret in a URL is for services that are known to take it there.
    let error = named(&lab, says).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(error.to_string().contains("a secret does not belong there"), "{error}");
    // Only who shows nothing may go without a name.
    let error = builder(&lab, says).credentials(basic()).build().unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Misconfigured, "client_id is missing")
    );
}
