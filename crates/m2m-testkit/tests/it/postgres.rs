//! The PostgreSQL of the other tests: what it keeps, and that nothing of it stays.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use m2m_testkit::postgres::Postgres;

/// Runs a statement and returns what `psql` prints; an error is what it said.
pub(crate) fn query(url: &str, statement: &str) -> Result<String, String> {
    let mut psql = Command::new("psql");
    psql.args([
        "--no-psqlrc",
        "--tuples-only",
        "--no-align",
        "--quiet",
        "--dbname",
        url,
        "--command",
        statement,
    ]);
    let output = psql.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn port(url: &str) -> u16 {
    let (_, port) = url.rsplit_once('/').unwrap().0.rsplit_once(':').unwrap();
    port.parse().unwrap()
}

#[test]
fn a_cluster_keeps_what_was_committed_through_a_restart_and_a_crash() {
    let Some(mut postgres) = Postgres::start() else { return };
    let url = postgres.database("kept");
    assert_eq!(url.rsplit_once('/').unwrap(), (postgres.url().rsplit_once('/').unwrap().0, "kept"));
    query(&url, "CREATE TABLE kept (number integer); INSERT INTO kept VALUES (7)").unwrap();
    postgres.restart();
    assert_eq!(query(&url, "SELECT number FROM kept").as_deref(), Ok("7"));
    query(&url, "INSERT INTO kept VALUES (8)").unwrap();
    postgres.kill();
    assert!(TcpStream::connect(("127.0.0.1", port(&url))).is_err(), "nobody listens");
    postgres.restart();
    assert_eq!(query(&url, "SELECT sum(number) FROM kept").as_deref(), Ok("15"));
    postgres.stop();
    assert!(query(&url, "SELECT 1").is_err());
    // Stopping twice is as good as once.
    postgres.stop();
    postgres.kill();
}

#[test]
fn clusters_are_strangers_and_databases_are_new() {
    let (Some(one), Some(other)) = (Postgres::start(), Postgres::durable()) else { return };
    assert_ne!(one.url(), other.url());
    let url = one.database("only_here");
    query(&url, "SELECT 1").unwrap();
    let elsewhere = url.replace(&port(&url).to_string(), &port(&other.url()).to_string());
    assert!(query(&elsewhere, "SELECT 1").unwrap_err().contains("does not exist"));
    assert_eq!(query(&one.url(), "SHOW fsync").as_deref(), Ok("off"));
    assert_eq!(query(&other.url(), "SHOW fsync").as_deref(), Ok("on"));
}

#[test]
fn nothing_stays_of_a_cluster_that_is_dropped() {
    let Some(postgres) = Postgres::start() else { return };
    let (directory, postmaster) = whereabouts(&postgres.url());
    assert!(Path::new(&directory).is_dir() && is_alive(&postmaster));
    drop(postgres);
    assert!(!Path::new(&directory).exists() && !is_alive(&postmaster));
}

/// The directory of the cluster, and its first process.
fn whereabouts(url: &str) -> (String, String) {
    let directory = query(url, "SHOW data_directory").unwrap();
    let file = std::fs::read_to_string(Path::new(&directory).join("postmaster.pid")).unwrap();
    (directory, file.lines().next().unwrap().to_owned())
}

fn is_alive(process: &str) -> bool {
    let mut kill = Command::new("sh");
    kill.args(["-c", r#"kill -0 "$1""#, "kill", process]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

#[test]
fn nothing_stays_of_a_cluster_whose_test_is_killed() {
    const NAME: &str = "postgres::a_cluster_of_a_process_that_will_be_killed";
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--ignored", "--exact", "--nocapture", NAME]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut test = test.spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find_map(|line| Some(line.strip_prefix("url ")?.to_owned()));
    let found = url.map(|url| whereabouts(&url));
    test.kill().unwrap();
    test.wait().unwrap();
    let Some((directory, postmaster)) = found else { return };
    assert!((0..1000).any(|_| is_gone(&directory)), "{directory} is still there");
    assert!(!is_alive(&postmaster));
}

/// What [`nothing_stays_of_a_cluster_whose_test_is_killed`] kills.
#[test]
#[ignore = "started by the test above"]
fn a_cluster_of_a_process_that_will_be_killed() {
    if !std::env::args().any(|argument| argument == "--nocapture") {
        return; // Nobody waits for what it says.
    }
    let Some(postgres) = Postgres::start() else { return };
    println!("\nurl {}", postgres.url());
    let _closed = std::io::stdin().read(&mut [0]);
}

/// Looks again a little later, if it is not.
#[expect(clippy::disallowed_methods, reason = "another process removes it, and there is nothing to wait on")]
fn is_gone(directory: &str) -> bool {
    let gone = !Path::new(directory).exists();
    if !gone {
        std::thread::sleep(Duration::from_millis(20));
    }
    gone
}
