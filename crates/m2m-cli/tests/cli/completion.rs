//! Completion by a real bash: the printed script is sourced, a line is typed, and what the shell would show is compared.
//!
//! Where zsh, fish and elvish are installed their scripts are read by them, too.

use std::process::{Command, Stdio};

use crate::place::Place;

/// Splits a line as readline does with the usual `COMP_WORDBREAKS`, and asks for candidates.
const ASK: &str = r#"
source <(m2m completion bash)
readline() {
    local line=$1 word= c i
    COMP_WORDS=()
    for ((i = 0; i < ${#line}; i++)); do
        c=${line:i:1}
        case $c in
            ' ') [[ -n $word ]] && COMP_WORDS+=("$word"); word= ;;
            [:=])
                if [[ -n $word && $word != *[!:=]* ]]; then word+=$c
                else [[ -n $word ]] && COMP_WORDS+=("$word"); word=$c; fi ;;
            *)
                if [[ -n $word && $word != *[!:=]* ]]; then COMP_WORDS+=("$word"); word=; fi
                word+=$c ;;
        esac
    done
    COMP_WORDS+=("$word")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line}
    local current=$word
    [[ $word != *[!:=]* ]] && current=
    _m2m m2m "$current" "${COMP_WORDS[COMP_CWORD - 1]}"
}
readline "$LINE"
((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}"
exit 0
"#;

/// What bash would show for this line.
fn bash(place: &Place, line: &str, more: &[(&str, &str)]) -> Vec<String> {
    let path = format!("{}:/usr/bin:/bin", crate::place::binary().parent().unwrap().display());
    let output = Command::new("bash")
        .args(["--norc", "-c", ASK])
        .current_dir(place.work())
        .env_clear()
        .envs(place.variables())
        .envs(more.iter().copied())
        .env("PATH", path)
        .env("LINE", line)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[track_caller]
fn check(place: &Place, line: &str, expect: &[&str]) {
    assert_eq!(bash(place, line, &[]), expect, "{line}|");
}

const PROFILES: &str = "[profiles.orders]\nissuer = \"https://login.example.com\"\nclient_id = \"a\"\n\
     client_secret = { env = \"X\" }\n[profiles.other]\nissuer = \"https://login.example.com\"\nclient_id = \"b\"\n\
     client_secret = { env = \"X\" }\n[profiles.\"$(touch ran)\"]\nissuer = \"https://login.example.com\"\n";

#[test]
fn commands_flags_profiles_providers_and_files() {
    let place = Place::new();
    std::fs::write(place.work().join("m2m.toml"), PROFILES).unwrap();
    std::fs::write(place.work().join("a token.txt"), "").unwrap();
    std::fs::create_dir(place.work().join("keys")).unwrap();
    check(&place, "m2m tok", &["token "]);
    check(&place, "m2m admin client up", &["update "]);
    check(&place, "m2m token --fre", &["--fresh "]);
    check(&place, "m2m token -p o", &["orders", "other"]);
    check(&place, "m2m token --profile=or", &["orders "]);
    check(&place, "m2m profile show or", &["orders "]);
    check(&place, "m2m profile export orders --as ku", &["kubernetes "]);
    check(&place, "m2m providers auth", &["auth0 "]);
    check(&place, "m2m token --provider auth", &["auth0 "]);
    check(&place, "m2m token --provider=auth", &["auth0 "]);
    check(&place, "m2m token --provider auth0 --var dom", &["domain="]);
    check(&place, "m2m token --client-auth-method priv", &["private_key_jwt "]);
    check(&place, "m2m inspect --token-file a", &["a\\ token.txt "]);
    check(&place, "m2m token --secret-file ke", &["keys/"]);
    check(&place, "m2m man admin cl", &["client "]);
    check(&place, "m2m man admin client --", &["--dir", "--help", "--profile", "--config", "--verbose"]);
    check(&place, "m2m completion ba", &["bash "]);
    check(&place, "m2m nonsense x", &[]);
    assert!(!place.work().join("ran").exists());
}

#[test]
fn names_of_the_server() {
    let place = Place::new();
    let (exit, _, err) = place.shell(
        "m2m admin api create https://stock.example --scope stock:read --scope stock:write && \
         m2m admin client create billing --grant https://stock.example=stock:read && \
         m2m admin credential create billing --label eu-1 > secret && \
         m2m admin issuer create github --issuer https://token.example --jwks-url https://token.example/jwks",
    );
    assert_eq!(exit, 0, "{err}");
    check(&place, "m2m admin api show https://st", &["//stock.example "]);
    check(&place, "m2m admin client show bi", &["billing "]);
    check(&place, "m2m admin credential list bi", &["billing "]);
    check(&place, "m2m admin audit --client=bi", &["billing "]);
    check(&place, "m2m admin issuer disable gi", &["github "]);
    check(&place, "m2m admin credential create billing --issuer g", &["github "]);
    check(&place, "m2m admin client create a --grant https://sto", &["//stock.example="]);
    let scopes = bash(&place, "m2m admin client create a --grant https://stock.example=", &[]);
    assert_eq!(scopes, ["stock:read", "stock:write"]);
    check(&place, "m2m admin client create a --grant https://stock.example=stock:read,stock:w", &["write "]);
    let (_, id, _) =
        place.shell("m2m admin credential list billing --json | grep -o '\"id\":\"[^\"]*' | cut -d'\"' -f4");
    let id = id.trim();
    check(&place, &format!("m2m admin credential show {}", &id[..id.len() - 2]), &[&format!("{id} ")]);
}

/// No server, a wrong secret, a server that never answers, settings that would start a program: nothing, at once.
#[test]
fn what_cannot_be_asked_is_not_said() {
    let place = Place::new();
    let line = "m2m admin client show d";
    assert_eq!(bash(&place, line, &[]), ["demo "]);
    assert!(bash(&place, line, &[("M2M_ADMIN_URL", "http://127.0.0.1:9")]).is_empty());
    assert!(bash(&place, line, &[("M2M_ADMIN_CLIENT_SECRET", "hunter2")]).is_empty());
    assert!(bash(&place, line, &[("M2M_ADMIN_CLIENT_SECRET", "")]).is_empty());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    assert!(bash(&place, line, &[("M2M_ADMIN_URL", &url)]).is_empty());
    // Neither a file that was found nor one that is named makes Tab start a program.
    let admin = format!(
        "[profiles.admin]\nissuer = \"{}\"\nclient_id = \"a\"\nclient_secret = {{ command = [\"touch\", \"ran\"] }}\n",
        place.variables()["M2M_ISSUER"]
    );
    std::fs::write(place.work().join("m2m.toml"), admin).unwrap();
    for line in ["m2m -p admin admin client show d", "m2m --config m2m.toml admin client show d"] {
        assert!(bash(&place, line, &[]).is_empty(), "{line}");
    }
    assert!(!place.work().join("ran").exists());
    // A file of somebody's repository may send a secret of ours to strangers: not before it is trusted.
    let admin = format!(
        "[profiles.admin]\nissuer = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ env = \"SECRET\" }}\n",
        place.variables()["M2M_ISSUER"],
        place.variables()["M2M_ADMIN_CLIENT_ID"]
    );
    std::fs::write(place.work().join("m2m.toml"), admin).unwrap();
    let secret = [("SECRET", place.variables()["M2M_ADMIN_CLIENT_SECRET"].as_str())];
    assert!(bash(&place, "m2m -p admin admin client show d", &secret).is_empty());
    assert_eq!(bash(&place, "m2m --config m2m.toml admin client show d", &secret), ["demo "]);
    assert_eq!(place.shell("m2m profile trust").0, 0);
    assert_eq!(bash(&place, "m2m -p admin admin client show d", &secret), ["demo "]);
    std::fs::write(place.work().join("m2m.toml"), "broken = [").unwrap();
    assert!(bash(&place, "m2m token -p o", &[]).is_empty());
}

#[test]
fn other_shells_read_their_scripts() {
    let place = Place::new();
    for (shell, check) in
        [("zsh", "zsh -n"), ("fish", "fish --no-execute"), ("elvish", "elvish -compileonly")]
    {
        let (exit, out, err) = place.shell(&format!("m2m completion {shell} > script"));
        assert_eq!((exit, out.as_str(), err.as_str()), (0, "", ""));
        let script = std::fs::read_to_string(place.work().join("script")).unwrap();
        assert!(script.contains("_M2M_COMPLETE"), "{script}");
        let (exit, ..) = place.shell(&format!("command -v {shell}"));
        if exit != 0 {
            eprintln!("skipped: {shell} is not installed");
            continue;
        }
        let (exit, out, err) = place.shell(&format!("{check} script"));
        assert_eq!((exit, out.as_str(), err.as_str()), (0, "", ""), "{shell}");
    }
    let (exit, out, err) = place.shell("m2m completion powershell");
    assert!(exit == 0 && out.contains("Register-ArgumentCompleter") && err.is_empty(), "{out}{err}");
    // zsh and fish show what a candidate is.
    let (exit, out, err) = place.shell(
        "_M2M_COMPLETE=fish m2m -- m2m providers auth0; echo; _M2M_COMPLETE=nonsense m2m -- m2m tok; \
         _M2M_COMPLETE=bash m2m",
    );
    assert_eq!((exit, out.trim(), err.as_str()), (0, "auth0\tAuth0", ""));
}
