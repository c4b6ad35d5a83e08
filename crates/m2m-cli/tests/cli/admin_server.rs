//! A server that answers the admin API as its OpenAPI document says, with what it was told in memory.
//!
//! It refuses what the document does not describe: paths, methods, headers, members of bodies; and tokens that are for
//! another audience or lack the scope. So whatever the transcripts do, the document allows.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Map, Value, json};

use crate::servers;

const DOCUMENT: &str = include_str!("../../../m2m-authorization-server/src/endpoints/admin/openapi.json");
const NOW: u64 = 1_795_651_200;
const GONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Starts it; gives the issuer.
pub(crate) fn start() -> String {
    let state = Mutex::new(State::default());
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    servers::start(move |request| {
        let request = Request::parse(&request);
        let answer = state.lock().unwrap().answer(&request, &document);
        answer.unwrap_or_else(|problem| problem)
    })
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Request {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap().split(' ');
        let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers = lines.map(pair).collect();
        Self { method, path: path.to_owned(), query: query.to_owned(), headers, body: body.to_owned() }
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.headers["host"])
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, value)| decoded(value)).next()
    }

    fn json(&self) -> Map<String, Value> {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Percent-decoded.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn answer(status: &str, headers: &str, body: &Value) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}\r\n{body}")
}

fn problem(status: &str, headers: &str, detail: &str) -> String {
    let (number, title) = status.split_once(' ').unwrap();
    let number: u16 = number.parse().unwrap();
    let code = match number {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "unknown",
        409 if detail.contains("exists") => "exists",
        409 => "conflict",
        412 => "version",
        422 => "invalid",
        _ => "unavailable",
    };
    let body =
        json!({"type": "about:blank", "title": title, "status": number, "detail": detail, "code": code});
    format!("HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\n{headers}\r\n{body}")
}

fn not_accepted() -> String {
    let challenge = "www-authenticate: Bearer error=\"invalid_token\"\r\n";
    problem("401 Unauthorized", challenge, "the token is not accepted")
}

/// The object with its version as `ETag`.
fn single(status: &str, object: &Value) -> String {
    answer(status, &format!("etag: \"{}\"\r\n", object["version"]), object)
}

#[derive(Default)]
struct State {
    tokens: u32,
    withdrawn: Option<u32>,
    apis: BTreeMap<String, Value>,
    clients: BTreeMap<String, Value>,
    credentials: Vec<Value>,
    /// Idempotency keys, and the places of their credentials.
    keys: BTreeMap<String, usize>,
}

type Answered = Result<String, String>;

impl State {
    fn answer(&mut self, request: &Request, document: &Value) -> Answered {
        let issuer = request.issuer();
        match request.path.as_str() {
            "/.well-known/oauth-authorization-server" => Ok(answer(
                "200 OK",
                "",
                &json!({"issuer": issuer, "token_endpoint": format!("{issuer}/oauth2/token"),
                        "response_types_supported": []}),
            )),
            "/oauth2/token" => self.token(request),
            path => {
                let Some(path) = path.strip_prefix("/admin/v1") else {
                    return Err(problem("404 Not Found", "", "nothing is here"));
                };
                authorized(request)?;
                described(request, path, document)?;
                self.administer(request, path)
            }
        }
    }

    fn token(&mut self, request: &Request) -> Answered {
        let body = decoded(&request.body.replace('+', " "));
        let has = |pair: &str| body.split('&').any(|known| known == pair);
        let scope = ["m2m:read", "m2m:write"].into_iter().find(|scope| has(&format!("scope={scope}")));
        let (true, Some(scope)) = (has(&format!("audience={}/admin/v1", request.issuer())), scope) else {
            return Err(answer("400 Bad Request", "", &json!({"error": "invalid_target"})));
        };
        self.tokens += 1;
        let token = format!("ey-{scope}-{}", self.tokens);
        Ok(answer(
            "200 OK",
            "cache-control: no-store\r\n",
            &json!({"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": scope}),
        ))
    }

    fn administer(&mut self, request: &Request, path: &str) -> Answered {
        let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            (method, ["apis", rest @ ..]) => self.api(request, (method, rest)),
            (_, ["clients", id, "credentials"]) => {
                found(&mut self.clients, "client", id)?;
                self.credentials_of(request, id)
            }
            (method, ["clients", rest @ ..]) => self.client(request, (method, rest)),
            (_, ["credentials", id, ..]) => self.credential(request, id, segments.last().unwrap()),
            ("GET", ["tokens"]) => Ok(page(request, tokens(request))),
            ("POST", ["tokens", jti, "revoke"]) => {
                let effective = json!({"introspection_seconds": 1, "offline_seconds": 60});
                Ok(answer("200 OK", "", &json!({"jti": jti, "revoked": true, "effective": effective})))
            }
            ("GET", ["keys"]) => Ok(page(request, vec![key("k1", "active"), key("k2", "next")])),
            ("POST", ["keys", "roll"]) if request.json()["emergency"] == true => {
                let effective = json!({"introspection_seconds": 1, "offline_seconds": 600});
                let keys = json!({"items": [key("k2", "active")], "effective": effective});
                Ok(answer("200 OK", "", &keys))
            }
            ("POST", ["keys", "roll"]) => {
                let keys = json!({"items": [key("k1", "active"), key("k3", "next")], "next": null});
                Ok(answer("200 OK", "", &keys))
            }
            ("GET", ["audit"]) => Ok(page(request, audit(request, self.clients.keys()))),
            _ => Err(problem("404 Not Found", "", "there is no such path")),
        }
    }

    fn api(&mut self, request: &Request, call: (&str, &[&str])) -> Answered {
        match call {
            ("GET", []) => Ok(page(request, self.apis.values().cloned().collect())),
            ("POST", []) => created(&mut self.apis, "identifier", &api(&request.json())),
            ("GET", ["busy"]) => {
                let detail = "the database does not answer; nothing was changed";
                Err(problem("503 Service Unavailable", "retry-after: 7\r\n", detail))
            }
            ("GET", ["refused"]) => Err(not_accepted()),
            // Tokens up to the one that it was first asked with are withdrawn.
            ("GET", ["renewed"]) if self.tokens <= *self.withdrawn.get_or_insert(self.tokens) => {
                Err(not_accepted())
            }
            ("GET", ["renewed"]) => {
                let order = json!({"identifier": "renewed"});
                Ok(single("200 OK", &api(order.as_object().unwrap())))
            }
            ("GET", [id]) => found(&mut self.apis, "API", id).map(|api| single("200 OK", api)),
            ("PATCH", [id]) => patched(found(&mut self.apis, "API", id)?, request),
            ("DELETE", [id]) => {
                check_version(found(&mut self.apis, "API", id)?, request)?;
                let names = |client: &&Value| client["grants"].to_string().contains(&format!("\"{id}\""));
                if let Some(client) = self.clients.values().find(names) {
                    let client = client["id"].as_str().unwrap();
                    let detail = format!("{id} is granted to the client {client}: change that client first");
                    return Err(problem("409 Conflict", "", &detail));
                }
                self.apis.remove(*id);
                Ok(GONE.to_owned())
            }
            _ => Err(problem("404 Not Found", "", "there is no such path")),
        }
    }

    fn client(&mut self, request: &Request, call: (&str, &[&str])) -> Answered {
        match call {
            ("GET", []) => Ok(page(request, self.clients.values().cloned().collect())),
            ("POST", []) => {
                let body = request.json();
                self.check_grants(&body)?;
                created(&mut self.clients, "id", &client(&body))
            }
            ("GET", [id]) => {
                let mut client = found(&mut self.clients, "client", id)?.clone();
                let unused = |grant: &Value| json!({"api": grant["api"], "scopes": grant["scopes"]});
                client["unused_scopes"] = client["grants"].as_array().unwrap().iter().map(unused).collect();
                Ok(single("200 OK", &client))
            }
            ("PATCH", [id]) => {
                self.check_grants(&request.json())?;
                patched(found(&mut self.clients, "client", id)?, request)
            }
            ("DELETE", [id]) => {
                check_version(found(&mut self.clients, "client", id)?, request)?;
                self.clients.remove(*id);
                Ok(GONE.to_owned())
            }
            ("POST", [id, act]) => {
                let client = found(&mut self.clients, "client", id)?;
                if client["status"] == "revoked" && *act != "revoke" {
                    return Err(problem("409 Conflict", "", &format!("{id} is revoked, and stays so")));
                }
                client["status"] = json!(match *act {
                    "disable" => "disabled",
                    "enable" => "active",
                    _ => "revoked",
                });
                let shown = if *act == "enable" { client.clone() } else { with_bound(client) };
                Ok(single("200 OK", &shown))
            }
            _ => Err(problem("404 Not Found", "", "there is no such path")),
        }
    }

    fn check_grants(&self, body: &Map<String, Value>) -> Result<(), String> {
        for grant in body.get("grants").and_then(Value::as_array).into_iter().flatten() {
            let api = grant["api"].as_str().unwrap();
            let Some(known) = self.apis.get(api) else {
                let detail = format!("the grant names {api}, which is not a registered API");
                return Err(problem("422 Unprocessable Content", "", &detail));
            };
            for scope in grant["scopes"].as_array().unwrap() {
                let name = |entry: &Value| entry.get("scope").unwrap_or(entry).clone();
                if known["scopes"].as_array().unwrap().iter().all(|entry| name(entry) != *scope) {
                    let detail = format!("the grant for {api} names a scope that this API does not have");
                    return Err(problem("422 Unprocessable Content", "", &detail));
                }
            }
        }
        Ok(())
    }

    fn credentials_of(&mut self, request: &Request, id: &str) -> Answered {
        if request.method == "GET" {
            let own = self.credentials.iter().filter(|known| known["client_id"] == id).cloned().collect();
            return Ok(page(request, own));
        }
        let body = request.json();
        let mut made = credential(&body, id, self.credentials.len() + 1);
        if let Some(life) = body.get("expires_in").and_then(Value::as_u64) {
            made["expires_at"] = json!(NOW + life);
        }
        Ok(self.made(request, made))
    }

    /// Remembers a credential and shows it with its secret, or shows the one that its key made before.
    fn made(&mut self, request: &Request, made: Value) -> String {
        let key = request.header("idempotency-key").to_owned();
        if let Some(before) = self.keys.get(&key) {
            return single("200 OK", &self.credentials[*before]);
        }
        if !key.is_empty() {
            self.keys.insert(key, self.credentials.len());
        }
        self.credentials.push(made.clone());
        let mut shown = made;
        if shown["method"].as_str().unwrap().starts_with("client_secret") {
            shown["client_secret"] = json!(format!("m2m_sk_stub_{}", shown["id"].as_str().unwrap()));
        }
        single("201 Created", &shown)
    }

    fn credential(&mut self, request: &Request, id: &str, act: &str) -> Answered {
        let next = self.credentials.len() + 1;
        let index = self.credentials.iter().position(|known| known["id"] == id);
        let Some(index) = index else {
            return Err(problem("404 Not Found", "", &format!("there is no credential {id}")));
        };
        match act {
            "rotate" => {
                let before = self.credentials[index].clone();
                let client = before["client_id"].as_str().unwrap().to_owned();
                let mut made = credential(before.as_object().unwrap(), &client, next);
                made["replaces"] = json!(id);
                let overlap = request.json()["overlap"].as_u64().unwrap();
                self.credentials[index]["replaced_by"] = made["id"].clone();
                self.credentials[index]["expires_at"] = json!(NOW + overlap);
                self.credentials[index]["safe_to_remove_because"] = json!("its successor was never used");
                Ok(self.made(request, made))
            }
            "revoke" => {
                self.credentials[index]["status"] = json!("revoked");
                Ok(single("200 OK", &with_bound(&self.credentials[index])))
            }
            _ => Ok(single("200 OK", &self.credentials[index])),
        }
    }
}

fn authorized(request: &Request) -> Result<(), String> {
    let needed = if request.method == "GET" { "m2m:read" } else { "m2m:write" };
    if request.header("authorization").starts_with(&format!("Bearer ey-{needed}-")) {
        return Ok(());
    }
    let challenge = format!("www-authenticate: Bearer error=\"insufficient_scope\", scope=\"{needed}\"\r\n");
    Err(problem("403 Forbidden", &challenge, &format!("{needed} is needed")))
}

/// That the document has this operation, and describes what is sent to it.
fn described(request: &Request, path: &str, document: &Value) -> Result<(), String> {
    let undescribed = |what: &str| problem("501 Not Implemented", "", &format!("the document has no {what}"));
    let fits = |template: &str| {
        let (mut ours, mut theirs) = (path.split('/'), template.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(segment), Some(known)) if segment == known || known.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    let paths = document["paths"].as_object().unwrap();
    let (_, item) = paths.iter().find(|(template, _)| fits(template)).ok_or_else(|| undescribed(path))?;
    let operation =
        item.get(request.method.to_ascii_lowercase()).ok_or_else(|| undescribed(&request.method))?;
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|known| resolved(known, document))
        .collect();
    let knows = |name: &str| {
        parameters.iter().any(|known| known["name"].as_str().unwrap().eq_ignore_ascii_case(name))
    };
    let queried = request.query.split('&').filter_map(|pair| Some(pair.split_once('=')?.0));
    let optional =
        ["if-match", "idempotency-key"].into_iter().filter(|name| request.headers.contains_key(*name));
    if let Some(unknown) = queried.chain(optional).find(|name| !knows(name)) {
        return Err(undescribed(&format!("parameter {unknown}")));
    }
    if request.body.is_empty() {
        return Ok(());
    }
    let content = &operation["requestBody"]["content"][request.header("content-type")];
    let schema = resolved(&content["schema"], document);
    let properties = schema["properties"].as_object().ok_or_else(|| undescribed("such body"))?;
    let body = request.json();
    if let Some(unknown) = body.keys().find(|name| !properties.contains_key(*name)) {
        return Err(undescribed(&format!("member {unknown}")));
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match required.into_iter().find(|name| !body.contains_key(*name)) {
        Some(missing) => Err(undescribed(&format!("body without {missing}"))),
        None => Ok(()),
    }
}

fn resolved<'a>(value: &'a Value, document: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

/// Two objects a page, so that whoever lists has to follow.
fn page(request: &Request, items: Vec<Value>) -> String {
    let start: usize = request.parameter("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let most = request.parameter("limit").map_or(2, |limit| limit.parse::<usize>().unwrap().min(2));
    let next = (items.len() > start + most).then(|| (start + most).to_string());
    let items: Vec<Value> = items.into_iter().skip(start).take(most).collect();
    answer("200 OK", "", &json!({"items": items, "next": next}))
}

fn found<'a>(all: &'a mut BTreeMap<String, Value>, what: &str, id: &str) -> Result<&'a mut Value, String> {
    all.get_mut(id).ok_or_else(|| problem("404 Not Found", "", &format!("there is no {what} {id}")))
}

fn created(all: &mut BTreeMap<String, Value>, name: &str, object: &Value) -> Answered {
    let id = object[name].as_str().unwrap().to_owned();
    match all.get(&id) {
        Some(known) if known == object => Ok(single("200 OK", known)),
        Some(_) => {
            let what = if name == "id" { "client" } else { "API" };
            Err(problem("409 Conflict", "", &format!("the {what} {id} exists with other content")))
        }
        None => {
            all.insert(id, object.clone());
            Ok(single("201 Created", object))
        }
    }
}

fn check_version(object: &Value, request: &Request) -> Result<(), String> {
    let asked = request.header("if-match");
    if asked.is_empty() || asked == format!("\"{}\"", object["version"]) {
        return Ok(());
    }
    let name = object.get("identifier").unwrap_or(&object["id"]).as_str().unwrap();
    let detail =
        format!("{name} is at version {}, not {}: read it again", object["version"], asked.trim_matches('"'));
    Err(problem("412 Precondition Failed", "", &detail))
}

fn patched(object: &mut Value, request: &Request) -> Answered {
    check_version(object, request)?;
    for (name, value) in request.json() {
        object[name.as_str()] = value;
    }
    object["version"] = json!(object["version"].as_u64().unwrap() + 1);
    Ok(single("200 OK", object))
}

/// What was sent over what holds where nothing was sent.
fn over(defaults: Value, body: &Map<String, Value>) -> Value {
    let mut object = defaults;
    for (name, value) in body {
        object[name.as_str()] = value.clone();
    }
    object
}

fn api(body: &Map<String, Value>) -> Value {
    let defaults = json!({
        "name": body["identifier"], "scopes": [], "format": "jwt", "lifetime": 600, "alg": "ES256",
        "sender_constraint": "none", "resource_servers": [], "version": 1,
    });
    over(defaults, body)
}

fn client(body: &Map<String, Value>) -> Value {
    let defaults = json!({
        "name": body["id"], "owner": null, "purpose": null, "review_by": null, "grants": [], "lifetime_cap": null,
        "sender_constraint": "none", "mint_quota": null, "allowed_networks": [],
        "token_exchange": false, "status": "active",
        "created_at": NOW, "version": 1, "review_overdue": false,
    });
    over(defaults, body)
}

fn credential(order: &Map<String, Value>, client: &str, number: usize) -> Value {
    json!({
        "id": format!("c{number}"), "client_id": client, "label": order["label"], "method": order["method"],
        "accepted_audience": "issuer", "accepted_typ": "explicit",
        "created_at": NOW, "not_before": NOW, "expires_at": null, "last_used_at": null, "last_used_address": null,
        "status": "active", "replaces": null, "replaced_by": null, "safe_to_remove": false,
        "safe_to_remove_because": "nothing takes its place: rotate it first", "version": 1,
    })
}

fn with_bound(object: &Value) -> Value {
    let mut object = object.clone();
    object["effective"] = json!({"introspection_seconds": 1, "offline_seconds": 660});
    object
}

fn key(kid: &str, phase: &str) -> Value {
    let active = phase == "active";
    json!({
        "kid": kid, "alg": "ES256", "phase": phase, "activates_at": NOW, "retires_at": active.then_some(NOW + 86_400),
        "leaves_at": null,
    })
}

fn tokens(request: &Request) -> Vec<Value> {
    let token = |jti: &str, client: &str, credential: &str| {
        json!({
            "jti": jti, "client_id": client, "credential_id": credential, "api": "https://orders.example",
            "scope": "orders:read", "issued_at": NOW, "expires_at": NOW + 600, "revoked": jti == "j2",
        })
    };
    let all = [token("j1", "billing", "c1"), token("j2", "billing", "c2"), token("j3", "other", "c9")];
    fitting(all.to_vec(), request, &["client_id", "credential_id"])
}

fn audit<'a>(request: &Request, clients: impl Iterator<Item = &'a String>) -> Vec<Value> {
    let mut all = vec![
        json!({"at": NOW + 2, "event": "request_refused", "client_id": "billing", "error": "invalid_scope"}),
        json!({"at": NOW + 1, "event": "token_issued", "client_id": "billing", "jti": "j1"}),
        json!({"at": NOW, "event": "client_created", "client_id": "billing", "actor": "admin"}),
    ];
    let created =
        |id: &String| json!({"at": NOW, "event": "client_created", "client_id": id, "actor": "admin"});
    all.extend(clients.map(created));
    let since: u64 = request.parameter("since").map_or(0, |since| since.parse().unwrap());
    let all = all.into_iter().filter(|record| record["at"].as_u64().unwrap() >= since).collect();
    fitting(all, request, &["client_id", "jti", "event"])
}

fn fitting(all: Vec<Value>, request: &Request, names: &[&str]) -> Vec<Value> {
    let fits = |object: &Value| {
        names.iter().all(|name| request.parameter(name).is_none_or(|asked| object[*name] == json!(asked)))
    };
    all.into_iter().filter(fits).collect()
}
