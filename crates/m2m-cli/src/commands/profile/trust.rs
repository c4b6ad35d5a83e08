//! `m2m profile trust`: found files whose commands may run.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::powers;
use super::written::Turn;
use crate::Surroundings;
use crate::args::ProfileTrust;
use crate::exit::{Exit, Failure};
use crate::output::{Reader, printable};
use crate::settings::file::Document;
use crate::settings::search::{self, Search, Start};
use crate::settings::trust::{Trust, TrustedFiles};

pub(super) async fn run(typed: &ProfileTrust, around: &Surroundings) -> Result<Exit, Failure> {
    if typed.list {
        return list(&TrustedFiles::load(&around.environment)?, around);
    }
    let path = file(typed, around)?;
    let _turn = Turn::take(None, around).await?;
    let mut trusted = TrustedFiles::load(&around.environment)?;
    if typed.revoke {
        let was = trusted.remove(&path);
        trusted.save(around.random.as_ref())?;
        let shown = path.display();
        return tell(
            around,
            &json!({"file": shown.to_string(), "trusted": false}),
            &match was {
                true => format!("{shown} is not trusted any more"),
                false => format!("{shown} was not trusted"),
            },
        );
    }
    let bytes = search::read(&path)?;
    let path = path.canonicalize().unwrap_or(path);
    let shown = path.display();
    if let Some(why) = search::refusal(&path) {
        return Err(Failure::configuration(format!("{shown} cannot be trusted: {why}"))
            .hint("make it yours alone first: chmod go-w, chown"));
    }
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| Failure::configuration(format!("{shown}: not UTF-8 text")))?;
    let document = Document::parse(&path, text)?;
    for sentence in document.profiles.iter().flat_map(|(name, profile)| powers::sentences(name, profile)) {
        around.output.warn(&sentence);
    }
    trusted.add(&path, &bytes);
    trusted.save(around.random.as_ref())?;
    let commands: Vec<&[String]> =
        document.profiles.values().flat_map(powers::commands).map(|(_, argv)| argv).collect();
    let runs = if commands.is_empty() { "; it runs no command" } else { "" };
    let result = json!({"file": shown.to_string(), "trusted": true, "commands": commands});
    tell(around, &result, &format!("{shown} is trusted as it is now{runs}"))
}

fn file(typed: &ProfileTrust, around: &Surroundings) -> Result<PathBuf, Failure> {
    if let Some(path) = &typed.file {
        return Ok(around.directory.join(path));
    }
    let start = Start { config: None, directory: &around.directory, environment: &around.environment };
    match search::nearest(start) {
        Search::Found(path) => Ok(path),
        Search::Refused(path, why) => {
            Err(Failure::configuration(format!("{} cannot be trusted: {why}", path.display())))
        }
        Search::Nothing => Err(Failure::configuration("no m2m.toml is found from here")
            .hint("name one: m2m profile trust FILE; your own file and that of --config need no trust")),
    }
}

fn list(trusted: &TrustedFiles, around: &Surroundings) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    for (path, digest) in trusted.iter() {
        let state = match search::read(path).map(|bytes| trusted.standing(path, &bytes)) {
            Ok(Trust::Trusted) => "trusted",
            Ok(_) => "changed",
            Err(_) => "gone",
        };
        rows.push((path.display().to_string(), digest, state));
    }
    if rows.is_empty() && around.output.reader() == Reader::Person {
        around
            .output
            .note("no file is trusted; m2m profile trust lets the commands of the one that applies here run");
    }
    if around.output.reader() == Reader::Program {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(path, digest, state)| json!({"file": path, "sha256": digest, "state": state}))
            .collect();
        around.output.json(&json!({"trusted": rows}))?;
        return Ok(Exit::Ok);
    }
    for (path, digest, state) in &rows {
        let short = digest.get(..12).unwrap_or(digest);
        around.output.result(&printable(&format!("{state:<8} {short}  {path}")))?;
    }
    Ok(Exit::Ok)
}

fn tell(around: &Surroundings, json: &Value, sentence: &str) -> Result<Exit, Failure> {
    match around.output.reader() {
        Reader::Program => around.output.json(json)?,
        Reader::Person => around.output.note(sentence),
    }
    Ok(Exit::Ok)
}
