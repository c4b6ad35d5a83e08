//! A real PostgreSQL for tests: a cluster of its own in a temporary directory, on a free port of 127.0.0.1.
//!
//! Everybody may connect who can reach the port, as in a test nobody else does. It writes without waiting for the disk
//! unless [`Postgres::durable`] was asked for: what was committed survives [`Postgres::kill`] all the same, but not a
//! machine that stops. A system's own cluster is never used.
//!
//! No process and no directory stays behind, however the test ends: a shell waits on a pipe that only the test holds
//! open, and does what `Drop` could not.
//!
//! Limits: one directory of 30 MB and about 10 processes for each; 100 connections; 8 MB of shared buffers.

mod installed;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use self::installed::Installed;
use crate::peers;

/// The name among the peers, in `M2M_REQUIRE_PEERS`.
const NAME: &str = "postgres";

/// How long a start may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server says on stderr once it answers.
const READY: &str = "database system is ready to accept connections";

/// Small, quiet, reachable by TCP alone.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "lc_messages=C",
    "shared_buffers=8MB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_parallel_workers=0",
    "autovacuum=off",
    "jit=off",
];

/// A running cluster. It ends when dropped.
#[derive(Debug)]
pub struct Postgres {
    installed: Installed,
    fsync: &'static str,
    port: u16,
    running: Option<Running>,
    watchdog: Child,
    /// Dropped last: its removal is the end of the cluster.
    directory: TempDir,
}

#[derive(Debug)]
struct Running {
    postmaster: Child,
    /// Ends, with what the server said, when the last of its processes has gone.
    said: JoinHandle<Vec<String>>,
}

impl Postgres {
    /// Starts a cluster that is fast, as it leaves writing to the operating system.
    ///
    /// `None`, said on stderr, where PostgreSQL is not installed, or where the tests run as root and there is no user
    /// `postgres`. That is a failure if `M2M_REQUIRE_PEERS` is `1` or has `postgres` in it.
    ///
    /// # Panics
    ///
    /// If it is required and absent, or does not start, here and in all that follows.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with("fsync=off")
    }

    /// As [`Self::start`], but a commit waits for the disk (`fsync`), as it does for everybody else.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    #[must_use]
    pub fn durable() -> Option<Self> {
        Self::with("fsync=on")
    }

    fn with(fsync: &'static str) -> Option<Self> {
        let installed = match Installed::find() {
            Ok(installed) => installed,
            Err(lack) => {
                assert!(!peers::required(NAME), "required: {lack}");
                eprintln!("skipped: {lack}");
                return None;
            }
        };
        let directory = tempfile::tempdir().expect("a directory for the cluster");
        installed.make_cluster(directory.path());
        let watchdog = watchdog(directory.path());
        let mut cluster = Self { installed, fsync, port: 0, running: None, watchdog, directory };
        // Somebody may take a port between our look at it and the server's.
        for _attempt in 0..10 {
            cluster.port = free_port();
            match cluster.launch() {
                Ok(()) => return Some(cluster),
                Err(said) if said.contains("Address already in use") => {}
                Err(said) => panic!("PostgreSQL does not start:\n{said}"),
            }
        }
        panic!("no port stays free for PostgreSQL");
    }

    /// `postgres://m2m@127.0.0.1:PORT/postgres`: the database that is there from the start.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Creates a database and returns its URL.
    ///
    /// # Panics
    ///
    /// If there is one of that name, or the cluster is stopped.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let mut createdb = Command::new(self.installed.program("createdb"));
        createdb.env_clear().args(["--host=127.0.0.1", "--username=m2m", "--maintenance-db=postgres"]);
        let output = createdb.arg(format!("--port={}", self.port)).args(["--", name]).output();
        let output = output.expect("createdb starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.url_of(name)
    }

    /// Ends the cluster in order; connections are cut, what is written is kept. Nothing if it is stopped.
    pub fn stop(&mut self) {
        self.end(|running| signal("INT", &[running.postmaster.id()]));
    }

    /// Ends all processes of the cluster at once, as when the machine's memory is at its end. Nothing if it is stopped.
    pub fn kill(&mut self) {
        self.end(|running| {
            let postmaster = running.postmaster.id();
            // The children that are not found here see that their parent is gone, and go.
            signal("KILL", &[&[postmaster], &children(postmaster)[..]].concat());
        });
    }

    /// Starts the cluster again, after [`Self::stop`] it if it runs, on the same port with what it holds.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn restart(&mut self) {
        self.stop();
        self.launch().unwrap_or_else(|said| panic!("PostgreSQL does not start again:\n{said}"));
    }

    /// # Errors
    ///
    /// What the server said, if it ended instead of getting ready.
    fn launch(&mut self) -> Result<(), String> {
        let mut command = self.installed.command("postgres", self.directory.path());
        command.arg("-D").arg(installed::cluster(self.directory.path()));
        command.arg(format!("--port={}", self.port));
        for setting in SETTINGS.iter().chain([&self.fsync]) {
            command.args(["-c", setting]);
        }
        let mut postmaster = command.stderr(Stdio::piped()).spawn().expect("postgres starts");
        self.tell(&postmaster.id().to_string());
        let stderr = postmaster.stderr.take().expect("stderr is piped");
        let (ready, is_ready) = mpsc::channel();
        let said = std::thread::spawn(move || listen(stderr, &ready));
        let running = Running { postmaster, said };
        let outcome = is_ready.recv_timeout(PATIENCE);
        self.running = Some(running);
        match outcome {
            Ok(()) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(self.end(|_| {})),
            Err(RecvTimeoutError::Timeout) => {
                Err(self.end(|running| signal("QUIT", &[running.postmaster.id()])))
            }
        }
    }

    /// Waits until no process is left, and returns what the server said.
    fn end(&mut self, how: impl FnOnce(&Running)) -> String {
        let Some(mut running) = self.running.take() else { return String::new() };
        how(&running);
        let _status = running.postmaster.wait();
        let said = running.said.join().unwrap_or_default();
        self.tell("");
        said.join("\n")
    }

    /// Says to the watchdog which process it has to end.
    fn tell(&mut self, process: &str) {
        let stdin = self.watchdog.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{process}").expect("the watchdog listens");
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://m2m@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, but so that it gives its shared memory back.
        self.end(|running| signal("QUIT", &[running.postmaster.id()]));
        // It removes the directory and ends.
        drop(self.watchdog.stdin.take());
        let _status = self.watchdog.wait();
    }
}

/// Ends the last process that it was told of, and removes the directory, once the other end of its stdin is closed.
fn watchdog(directory: &Path) -> Child {
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP QUIT
        while read -r word; do process=$word; done
        if [ -n "$process" ]; then
            kill -QUIT "$process"
            tries=0
            while kill -0 "$process" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
        fi
        rm -rf "$1"
    "#;
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT, "watchdog"]).arg(directory).current_dir("/");
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().expect("sh starts")
}

/// Reports that the server is ready, and returns its last words.
fn listen(stderr: ChildStderr, ready: &Sender<()>) -> Vec<String> {
    const KEPT: usize = 100;
    let mut said = Vec::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if line.contains(READY) {
            // Whoever gave up does not listen any more.
            let _ = ready.send(());
        }
        if said.len() == KEPT {
            said.remove(0);
        }
        said.push(line);
    }
    said
}

/// `kill` of the shell: the standard library sends one signal only, and to its own children only.
fn signal(name: &str, processes: &[u32]) {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"kill -s "$@""#, "kill", name]).args(processes.iter().map(u32::to_string));
    // One that has gone is as good.
    let _status = shell.stderr(Stdio::null()).status().expect("sh starts");
}

/// The processes whose parent this is, where the system has `/proc`.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |process: &u32| {
        let path = PathBuf::from(format!("/proc/{process}/stat"));
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        // The name stands in brackets and may hold anything; the state and the parent follow.
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        after.split_whitespace().nth(1) == Some(&parent.to_string())
    };
    processes.filter(is_child).collect()
}

/// A port that outgoing connections do not take while the cluster is stopped: below their range on Linux and macOS.
fn free_port() -> u16 {
    const LOWEST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Tests run in processes of their own: each begins elsewhere.
    let first = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or(0);
    for _port in 0..COUNT {
        let offset =
            (u32::from(first) * 7 + u32::from(TRIED.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
        let port = LOWEST + u16::try_from(offset).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
