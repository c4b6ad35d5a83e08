//! The processes: a program, and what stands before it.

use anyhow::{Context as _, Result, bail};
use m2m_proto::jose::{Algorithm, HeaderFields, JwkSet, SigningKey, jws};
use serde_json::json;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

const AUDIENCE: &str = "https://orders.example";
/// Where proxies run, and where the program and who asks do.
const PROXY_CORE: usize = 0;
const OWN_CORE: usize = 1;

/// What is needed, and where things are written.
pub struct Place {
    m2m: PathBuf,
    nginx: PathBuf,
    envoy: PathBuf,
    directory: PathBuf,
}

impl Place {
    /// Finds everything, or says what is not there.
    pub fn new() -> Result<Self, String> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            |directory| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory),
        );
        let named = std::env::var_os("M2M_BIN").map(PathBuf::from);
        let m2m = named.unwrap_or_else(|| target.join("release/m2m"));
        let envoy = target.join("peers/envoy/venv/bin/envoy");
        let found = |path: PathBuf, lack: &str| path.is_file().then_some(path).ok_or_else(|| lack.to_owned());
        let nginx = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"];
        let nginx = nginx.map(PathBuf::from).into_iter().find(|path| path.is_file());
        let directory = std::env::temp_dir().join(format!("m2m-bench-gateway-{}", std::process::id()));
        fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        Ok(Self {
            m2m: found(m2m, "M2M_BIN, or cargo build --release")?,
            nginx: nginx.ok_or("nginx")?,
            envoy: found(envoy, "Envoy of cargo xtask peers")?,
            directory,
        })
    }

    fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is in the temporary directory all the same.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A server and what it is asked.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The bytes of the request.
    pub request: Vec<u8>,
}

impl Server {
    fn start(mut command: Command, address: SocketAddr, core: usize, request: &[u8]) -> Result<Self> {
        run_on(core); // inherited
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        run_on(OWN_CORE);
        let child = child.with_context(|| format!("cannot start {command:?}"))?;
        let server = Self { child, address, request: request.to_vec() };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{command:?} does not listen")
    }

    /// The CPU time of its threads so far.
    pub fn cpu(&self) -> Duration {
        let Ok(threads) = fs::read_dir(format!("/proc/{}/task", self.child.id())) else {
            return Duration::ZERO;
        };
        let spent = |thread: std::io::Result<fs::DirEntry>| {
            let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
        };
        threads.filter_map(spent).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All of them.
pub struct Running {
    /// Alone.
    pub program: Server,
    /// A plain reverse proxy.
    pub nginx: Server,
    /// `m2m gateway`.
    pub ours: Server,
    /// `jwt_authn`.
    pub envoy: Server,
}

impl Running {
    /// Starts them, each before the same program.
    pub fn start(place: &Place) -> Result<Self> {
        let key = SigningKey::generate(Algorithm::Es256)?.with_key_id("bench".to_owned());
        let set = String::from_utf8(JwkSet::encode([key.verifying_key().as_ref()]).to_vec())?;
        let [program, nginx, ours, envoy] = [free()?, free()?, free()?, free()?];
        let issuer = format!("http://{program}");
        let token = token(&key, &issuer)?;
        let request = format!(
            "GET /orders/1 HTTP/1.1\r\nHost: orders.example\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let start = |command, address, core| Server::start(command, address, core, request.as_bytes());
        let own = format!(
            "server {{ listen {program}; location / {{ return 200 'ok.'; }} \
             location = /jwks {{ default_type application/json; return 200 '{set}'; }} }}"
        );
        let plain = format!(
            "upstream program {{ server {program}; keepalive 128; keepalive_requests 100000000; }} \
             server {{ listen {nginx}; location / {{ proxy_pass http://program; proxy_http_version 1.1; \
             proxy_set_header Connection ''; proxy_set_header Host $host; }} }}"
        );
        let mut gateway = Command::new(&place.m2m);
        gateway.args(["gateway", "--config"]).arg(place.file("m2m.toml", "")?);
        gateway.args(["--listen", &ours.to_string(), "--upstream", &issuer, "--issuer", &issuer]);
        gateway.args(["--audience", AUDIENCE, "--jwks-uri", &format!("{issuer}/jwks")]);
        let mut other = Command::new(&place.envoy);
        let yaml = place.file("envoy.yaml", &envoy_yaml(envoy, program, &issuer, &set))?;
        other.arg("-c").arg(yaml).args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "off"]);
        Ok(Self {
            program: start(nginx_of(place, "program", &own)?, program, OWN_CORE)?,
            nginx: start(nginx_of(place, "plain", &plain)?, nginx, PROXY_CORE)?,
            ours: start(gateway, ours, PROXY_CORE)?,
            envoy: start(other, envoy, PROXY_CORE)?,
        })
    }
}

/// One process without a master, which writes nothing.
fn nginx_of(place: &Place, name: &str, servers: &str) -> Result<Command> {
    let home = place.directory.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {home}/{name}-{kind}; "))
        .concat();
    let text = format!(
        "daemon off; master_process off; pid {home}/{name}.pid; error_log /dev/null crit;\n\
         events {{ worker_connections 1024; }}\nhttp {{ access_log off; keepalive_requests 100000000; \
         tcp_nodelay on; {temporary}{servers} }}\n"
    );
    let configuration = place.file(&format!("{name}.conf"), &text)?;
    let mut command = Command::new(&place.nginx);
    command.arg("-e").arg("/dev/null").arg("-p").arg(&place.directory).arg("-c").arg(configuration);
    Ok(command)
}

fn envoy_yaml(listen: SocketAddr, program: SocketAddr, issuer: &str, set: &str) -> String {
    let address = |address: SocketAddr| json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let types = "type.googleapis.com/envoy.extensions.filters";
    let check = json!({
        "@type": format!("{types}.http.jwt_authn.v3.JwtAuthentication"),
        "providers": {"bench": {"issuer": issuer, "audiences": [AUDIENCE], "local_jwks": {"inline_string": set}}},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
    });
    let routes = json!({"virtual_hosts": [{"name": "all", "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "program"}}]}]});
    let connections = json!({
        "@type": format!("{types}.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench", "route_config": routes, "http_filters": [
            {"name": "envoy.filters.http.jwt_authn", "typed_config": check},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": format!("{types}.http.router.v3.Router")}},
        ],
    });
    let filters =
        json!([{"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}]);
    let endpoints = json!([{"lb_endpoints": [{"endpoint": {"address": address(program)}}]}]);
    // JSON is YAML.
    json!({"static_resources": {
        "listeners": [{"address": address(listen), "filter_chains": [{"filters": filters}]}],
        "clusters": [{"name": "program", "connect_timeout": "1s",
            "load_assignment": {"cluster_name": "program", "endpoints": endpoints}}],
    }})
    .to_string()
}

fn token(key: &SigningKey, issuer: &str) -> Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "iss": issuer, "sub": "svc-orders", "client_id": "svc-orders", "aud": AUDIENCE, "jti": "0123456789abcdef",
        "iat": now, "nbf": now, "exp": now + 3600, "scope": "orders:read orders:write",
    });
    let fields = HeaderFields { typ: Some("at+jwt"), kid: key.key_id(), ..HeaderFields::default() };
    Ok(jws::sign(&fields, &serde_json::to_vec(&claims)?, key)?)
}

fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Moves this thread. A machine with one core leaves it where it is, and so does a system
/// that cannot be told.
#[cfg(target_os = "linux")]
fn run_on(core: usize) {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    let _ = rustix::thread::sched_setaffinity(None, &cores);
}

#[cfg(not(target_os = "linux"))]
fn run_on(_core: usize) {}
