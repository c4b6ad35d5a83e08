//! What a transcript cannot show: signals, file modes, limits of the process, and the demo.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::place::{Place, binary, exports, wait_for};

fn serve(arguments: &[&str]) -> (Child, Vec<String>) {
    let mut child = Command::new(binary())
        .args(["serve", "--dev", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).take(4).collect();
    (child, lines)
}

fn terminate(child: &mut Child) -> Option<i32> {
    let id = i32::try_from(child.id()).unwrap();
    let process = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    child.wait().unwrap().code()
}

#[test]
fn serve_says_what_it_made_and_stops_when_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let env_file = directory.path().join("dev.env");
    let (mut child, lines) = serve(&["--env-file", env_file.to_str().unwrap()]);
    let issuer = lines[0].strip_prefix("issuer ").unwrap().to_owned();
    assert!(issuer.starts_with("http://127.0.0.1:"), "{issuer}");
    let expected =
        ["api https://orders.example orders:read orders:write", "client demo", &format!("ready {issuer}")];
    assert_eq!(lines[1..], expected);
    assert_eq!(std::fs::metadata(&env_file).unwrap().permissions().mode() & 0o777, 0o600);
    let exported = exports(&wait_for(&env_file));
    let names = [
        "M2M_ADMIN_CLIENT_ID",
        "M2M_ADMIN_CLIENT_SECRET",
        "M2M_ADMIN_URL",
        "M2M_AUDIENCE",
        "M2M_CLIENT_ID",
        "M2M_CLIENT_SECRET",
        "M2M_ISSUER",
    ];
    assert_eq!(exported.keys().map(String::as_str).collect::<Vec<_>>(), names);
    assert_eq!(
        (exported["M2M_ISSUER"].as_str(), exported["M2M_CLIENT_ID"].as_str()),
        (issuer.as_str(), "demo")
    );
    assert!(!lines.concat().contains(&exported["M2M_CLIENT_SECRET"]));
    assert_eq!(terminate(&mut child), Some(0));
    assert!(std::net::TcpStream::connect(issuer.trim_start_matches("http://")).is_err());
}

#[test]
fn no_core_files() {
    let (mut child, _) = serve(&[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id()));
    assert_eq!(terminate(&mut child), Some(0));
    if let Ok(limits) = limits {
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"]);
    }
}

#[test]
fn the_demo_tells_the_story() {
    let place = Place::new();
    let (exit, out, err) = place.shell("m2m demo");
    assert_eq!(exit, 0, "{out}\n{err}");
    assert_eq!(out.lines().count(), 14, "{out}");
    assert!(out.lines().all(|line| line.starts_with("ok  ")), "{out}");
    let (exit, out, _) = place.shell("m2m demo --json");
    assert_eq!(exit, 0);
    for line in out.lines() {
        assert!(line.starts_with(r#"{"error":null,"ok":true,"#), "{line}");
    }
    assert!(!out.contains("eyJ") && !out.contains("m2m_sk_"), "no token and no secret is told: {out}");
}

/// `--keep` leaves the servers for another shell; the secret is in a file that goes with them.
#[test]
fn the_kept_demo_can_be_tried() {
    let place = Place::new();
    let mut demo = Command::new(binary())
        .args(["demo", "--keep"])
        .env_clear()
        .env("HOME", &place.variables()["HOME"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map(Result::unwrap);
    let advice: Vec<String> =
        lines.by_ref().skip_while(|line| !line.starts_with("# ")).skip(1).take(4).collect();
    assert!(advice.iter().all(|line| !line.contains("m2m_sk_")), "{advice:?}");
    let [load, inspect, request, revoke] = advice.as_slice() else { panic!("{advice:?}") };
    for (line, expected) in
        [(inspect, "\"client_id\":\"billing\""), (request, "\"client\":\"billing\""), (revoke, "")]
    {
        let (exit, out, err) = place.shell(&format!("{load}; {line}"));
        assert_eq!(exit, 0, "{line}\n{err}");
        assert!(out.contains(expected), "{line}\n{out}");
    }
    assert_eq!(terminate(&mut demo), Some(0));
    let (exit, ..) = place.shell(load);
    assert_ne!(exit, 0, "the file is gone");
}

#[test]
fn every_short_help_fits_a_screen() {
    let place = Place::new();
    for command in [
        "",
        "demo",
        "token",
        "request",
        "introspect",
        "revoke",
        "inspect",
        "verify",
        "doctor",
        "keygen",
        "serve",
        "gateway",
        "providers",
        "completion",
        "man",
        "profile",
        "profile add",
        "profile list",
        "profile show",
        "profile test",
        "profile remove",
        "profile import",
        "profile export",
        "profile schema",
        "profile trust",
        "admin",
        "admin api",
        "admin api create",
        "admin api list",
        "admin api show",
        "admin api update",
        "admin api delete",
        "admin client",
        "admin client create",
        "admin client list",
        "admin client show",
        "admin client update",
        "admin client disable",
        "admin client enable",
        "admin client revoke",
        "admin client delete",
        "admin credential",
        "admin credential create",
        "admin credential list",
        "admin credential show",
        "admin credential rotate",
        "admin credential revoke",
        "admin issuer",
        "admin issuer create",
        "admin issuer list",
        "admin issuer show",
        "admin issuer disable",
        "admin issuer enable",
        "admin issuer delete",
        "admin issuer explain",
        "admin token",
        "admin token list",
        "admin token revoke",
        "admin key",
        "admin key list",
        "admin key roll",
        "admin audit",
        "admin init",
    ] {
        let (exit, long, _) = place.shell(&format!("m2m {command} --help"));
        assert_eq!(exit, 0);
        let (exit, out, _) = place.shell(&format!("m2m {command} -h"));
        assert_eq!(exit, 0);
        assert!(out.lines().count() <= 62, "{command}: {} lines\n{out}", out.lines().count());
        let wide = out.lines().chain(long.lines()).find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{command}");
        let later = "m2m proxy";
        assert!(!out.contains(later) && !long.contains(later), "{command} promises {later}\n{long}");
    }
}

/// README and messages say that it does.
#[test]
fn the_help_of_token_lists_every_setting() {
    let (_, out, _) = Place::new().shell("m2m token --help");
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    for field in m2m_cli::settings::field::Field::ALL {
        let names =
            [field.key(), field.env(), field.flag()].map(|name| if name.is_empty() { "-" } else { name });
        assert!(rows.iter().any(|row| row[..] == names), "{names:?}\n{out}");
    }
}

/// Each reads the file, changes it and replaces it; none may undo what another one did.
#[test]
fn profiles_that_are_made_at_once_are_all_there() {
    let place = Place::new();
    for (letter, here) in [("a", &[][..]), ("b", &["--here"][..])] {
        let names: Vec<String> = (0..12).map(|number| format!("{letter}{number}")).collect();
        let add = |name: &String| {
            Command::new(binary())
                .args(["profile", "add", name, "--token-url", "https://as.example/token", "--client-id", "c"])
                .args(["--secret-env", "S", "--no-test"])
                .args(here)
                .current_dir(place.work())
                .env_clear()
                .env("HOME", &place.variables()["HOME"])
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        for mut child in names.iter().map(add).collect::<Vec<_>>() {
            assert!(child.wait().unwrap().success());
        }
        let (exit, out, _) = place.shell("m2m profile list --json");
        assert_eq!(exit, 0);
        for name in names {
            assert!(out.contains(&format!("\"name\":\"{name}\"")), "{name} is lost: {out}");
        }
    }
    let (_, out, _) = place.shell("m2m profile trust --list");
    assert!(out.starts_with("trusted ") && out.lines().count() == 1, "{out}");
}
