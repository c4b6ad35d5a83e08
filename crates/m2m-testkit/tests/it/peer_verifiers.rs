//! Other people's verifiers, and ours, against the key server from hell: over sockets, in real time, with the defaults
//! of each. What was seen is the table of `docs/key-servers.md`; `UPDATE_GOLDEN=1` writes it.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Uri};
use m2m_io::{Clock as _, SystemClock};
use m2m_proto::uri::{EndpointUri, Issuer};
use m2m_resource_server::{KeysFrom, RequestParts, TrustedIssuer, Verifier};
use m2m_testkit::key_server::{AUDIENCE, Document, KeyServer, Listening, Poison, Reply, weak_tokens};
use m2m_testkit::peers::{self, Peer};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Nobody is waited for longer.
const PATIENCE: Duration = Duration::from_secs(40);

/// Whose columns there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Ours,
    Jose,
    Express,
    PyJwt,
}

const EVERYBODY: [Who; 4] = [Who::Ours, Who::Jose, Who::Express, Who::PyJwt];

enum Verifying {
    Ours(Verifier),
    Peer(Box<Peer>),
}

/// A key server, and a verifier that uses it.
struct Party {
    /// Ends every connection when it goes.
    runtime: Option<Runtime>,
    listening: Listening,
    verifying: Option<Verifying>,
}

/// What a verifier said.
#[derive(Clone, Debug)]
struct Verdict {
    text: String,
    seconds: f64,
}

impl Verdict {
    fn is_accepted(&self) -> bool {
        self.text == "accepted"
    }
}

impl Party {
    /// `None` where the peer is not fetched. `issuer` is whose tokens are taken, if not the server's own.
    fn new(who: Who, issuer: Option<&str>) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let address = "127.0.0.1:0".parse().unwrap();
        let listening = runtime.block_on(KeyServer::listen(address)).unwrap();
        let origin = listening.server().issuer();
        let (issuer, keys) = (issuer.unwrap_or(origin).to_owned(), format!("{origin}/jwks"));
        let setup = |verifier: &str| json!({ "verifier": verifier, "issuer": issuer, "jwks_uri": keys, "audience": AUDIENCE });
        let verifying = match who {
            Who::Ours => Verifying::Ours(ours(&issuer, &keys)),
            Who::Jose => Verifying::Peer(Box::new(Peer::start(peers::KEY_SET_NODE, &setup("jose"))?)),
            Who::Express => Verifying::Peer(Box::new(Peer::start(peers::KEY_SET_NODE, &setup("express"))?)),
            Who::PyJwt => Verifying::Peer(Box::new(Peer::start(peers::PYJWT, &setup(""))?)),
        };
        Some(Self { runtime: Some(runtime), listening, verifying: Some(verifying) })
    }

    fn server(&self) -> &KeyServer {
        self.listening.server()
    }

    fn good(&mut self) -> Verdict {
        let token = self.server().token(0);
        self.one(&token)
    }

    fn one(&mut self, token: &str) -> Verdict {
        self.all(&[token.to_owned()]).remove(0)
    }

    /// All at once. Whoever has not answered in time is said so, and never asked again.
    fn all(&mut self, tokens: &[String]) -> Vec<Verdict> {
        let late = || Verdict { text: "no answer".to_owned(), seconds: PATIENCE.as_secs_f64() };
        let Some(runtime) = &self.runtime else { return tokens.iter().map(|_| late()).collect() };
        let (handle, tokens) = (runtime.handle().clone(), tokens.to_vec());
        let count = tokens.len();
        let mut verifying = self.verifying.take().expect("put back below");
        let (sender, receiver) = mpsc::channel();
        let asking = thread::spawn(move || {
            let verdicts = match &mut verifying {
                Verifying::Ours(verifier) => handle.block_on(judge(verifier, &tokens)),
                Verifying::Peer(peer) => heard(&peer.ask(&json!({ "tokens": tokens }))),
            };
            let _late = sender.send(verdicts);
            verifying
        });
        let verdicts = receiver.recv_timeout(PATIENCE);
        if verdicts.is_err() {
            self.runtime.take().expect("there until now").shutdown_background();
        }
        self.verifying = asking.join().ok();
        verdicts.unwrap_or_else(|_| (0..count).map(|_| late()).collect())
    }

    fn pause(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(SystemClock.sleep(Duration::from_millis(500)));
        }
    }

    fn fetches(&self) -> usize {
        self.server().count(Document::Keys)
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn ours(issuer: &str, keys: &str) -> Verifier {
    let keys = KeysFrom::Url(EndpointUri::parse(keys).unwrap());
    let trusted = TrustedIssuer::new(Issuer::parse(issuer).unwrap()).audience(AUDIENCE).keys(keys);
    Verifier::builder().trust_with(trusted).build().unwrap()
}

async fn judge(verifier: &Verifier, tokens: &[String]) -> Vec<Verdict> {
    let mut asked = tokio::task::JoinSet::new();
    for (index, token) in tokens.iter().enumerate() {
        let (verifier, token) = (verifier.clone(), token.clone());
        asked.spawn(async move {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            let headers: HeaderMap = [(http::header::AUTHORIZATION, value)].into_iter().collect();
            let (method, uri) = (Method::GET, Uri::from_static("/orders"));
            let parts = RequestParts { method: &method, uri: &uri, headers: &headers, certificate: None };
            let start = SystemClock.monotonic();
            let answer = verifier.verify(&parts).await;
            let text = match answer {
                Ok(_) => "accepted".to_owned(),
                Err(rejection) => rejection.to_response().status().as_str().to_owned(),
            };
            (index, Verdict { text, seconds: (SystemClock.monotonic() - start).as_secs_f64() })
        });
    }
    let mut verdicts = asked.join_all().await;
    verdicts.sort_by_key(|(index, _)| *index);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

fn heard(answer: &Value) -> Vec<Verdict> {
    let one = |result: &Value| Verdict {
        text: match result["accepted"].as_bool() {
            Some(true) => "accepted".to_owned(),
            _ => result["error"].as_str().unwrap_or("refused").to_owned(),
        },
        seconds: result["seconds"].as_f64().unwrap_or_default(),
    };
    answer["results"].as_array().expect("results").iter().map(one).collect()
}

/// One row: what is done to a verifier, and what is told of it.
type Row = (&'static str, fn(Who) -> Option<String>);

const ROWS: [Row; 11] = [
    ("a good token", |who| Some(Party::new(who, None)?.good().text)),
    ("500 made-up key ids after it: fetches of keys", made_up),
    ("50 requests at once, no keys yet, 3 s per answer: fetches", at_once),
    ("issuer rotates and keys cannot be had: old key", |who| gone(who, 0)),
    ("the same: new key", |who| gone(who, 1)),
    ("the same: new key accepted, after they can be had again", back),
    ("useless keys beside a good one", |who| poisoned(who, Poison::Beside)),
    ("another key with the id of the good one", |who| poisoned(who, Poison::Twins)),
    ("a token under an RSA key of 1024 bits", weak),
    ("a key server that says nothing: time to an answer", |who| slow(who, Reply::Hang)),
    ("one that drips: time to an answer", |who| slow(who, Reply::Drip)),
];

fn made_up(who: Who) -> Option<String> {
    let mut party = Party::new(who, None)?;
    assert!(party.good().is_accepted(), "{who:?}");
    party.server().forget_counts();
    let flood: Vec<String> = party.server().flood().take(500).collect();
    for tokens in flood.chunks(10) {
        assert!(party.all(tokens).iter().all(|verdict| !verdict.is_accepted()), "{who:?}");
    }
    Some(party.fetches().to_string())
}

fn at_once(who: Who) -> Option<String> {
    let mut party = Party::new(who, None)?;
    party.server().reply(Reply::Slow);
    let tokens: Vec<String> = (0..50).map(|_| party.server().token(0)).collect();
    let accepted = party.all(&tokens).iter().filter(|verdict| verdict.is_accepted()).count();
    assert_eq!(accepted, tokens.len(), "{who:?}");
    Some(party.fetches().to_string())
}

/// The verdict on a token of that key, while no key can be fetched.
fn gone(who: Who, key: usize) -> Option<String> {
    let mut party = Party::new(who, None)?;
    assert!(party.good().is_accepted(), "{who:?}");
    party.server().rotate();
    party.server().reply(Reply::Unavailable);
    let token = party.server().token(key);
    Some(party.one(&token).text)
}

fn back(who: Who) -> Option<String> {
    let mut party = Party::new(who, None)?;
    assert!(party.good().is_accepted(), "{who:?}");
    let token = party.server().token(party.server().rotate());
    party.server().reply(Reply::Unavailable);
    party.one(&token);
    party.server().reply(Reply::Good);
    let returned = SystemClock.monotonic();
    let since = || SystemClock.monotonic() - returned;
    while since() < PATIENCE {
        if party.one(&token).is_accepted() {
            let seconds = since().as_secs();
            return Some(if seconds < 2 {
                "at once".to_owned()
            } else {
                format!("{} s", (seconds + 2) / 5 * 5)
            });
        }
        party.pause();
    }
    Some("not in 40 s".to_owned())
}

fn poisoned(who: Who, poison: Poison) -> Option<String> {
    let mut party = Party::new(who, None)?;
    party.server().poison(poison);
    Some(party.good().text)
}

fn weak(who: Who) -> Option<String> {
    let mut party = Party::new(who, Some("https://as.example"))?;
    party.server().poison(Poison::Beside);
    Some(party.one(weak_tokens()[1]).text)
}

fn slow(who: Who, reply: Reply) -> Option<String> {
    let mut party = Party::new(who, None)?;
    party.server().reply(reply);
    let verdict = party.good();
    assert!(!verdict.is_accepted(), "{who:?}");
    Some(match verdict.text.as_str() {
        "no answer" => "none in 40 s".to_owned(),
        _ => format!("{:.0} s", verdict.seconds),
    })
}

/// Every cell on a thread of its own: they mostly wait.
fn measure() -> Option<String> {
    let cells: Vec<Vec<Option<String>>> = thread::scope(|scope| {
        let columns: Vec<_> =
            EVERYBODY.iter().map(|who| ROWS.map(|(_, row)| scope.spawn(move || row(*who)))).collect();
        columns.into_iter().map(|rows| rows.map(|cell| cell.join().expect("a cell")).into()).collect()
    });
    let mut table =
        String::from("|  | m2m | `jose` | `express-oauth2-jwt-bearer` | `PyJWT` |\n|---|---|---|---|---|\n");
    for (index, (name, _)) in ROWS.iter().enumerate() {
        write!(table, "| {name} |").unwrap();
        for column in &cells {
            write!(table, " {} |", column[index].clone()?).unwrap();
        }
        table.push('\n');
    }
    Some(table)
}

#[test]
#[ignore = "long: a minute of real time"]
fn how_others_fare_is_what_the_documentation_says() {
    let Some(table) = measure() else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/key-servers.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- measured -->\n").unwrap();
    let (stands, after) = rest.split_once("<!-- until here -->").unwrap();
    if is_to_be_written() {
        let text = format!("{before}<!-- measured -->\n{table}<!-- until here -->{after}");
        std::fs::write(&path, text).unwrap();
        return;
    }
    assert_eq!(stands, table, "UPDATE_GOLDEN=1 writes it");
}

#[expect(clippy::disallowed_methods, reason = "says what to do with a table; no setting of ours")]
fn is_to_be_written() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

/// The short of it, for every run.
#[test]
fn everybody_takes_a_good_token() {
    for who in EVERYBODY {
        let Some(mut party) = Party::new(who, None) else { return };
        assert!(party.good().is_accepted(), "{who:?}");
        let stranger = party.server().flood().next().unwrap();
        assert!(!party.one(&stranger).is_accepted(), "{who:?}");
    }
}
