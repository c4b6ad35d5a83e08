//! `m2m admin key …`: the signing keys, and changing to new ones.

use serde_json::{Map, Value};

use super::confirm;
use super::http::{Call, Caller};
use super::shown::{bound, text, when};
use super::table::Table;
use super::typed::Members;
use crate::Surroundings;
use crate::args::admin::{KeyCommand, KeyRoll};
use crate::exit::{Exit, Failure};
use crate::output::Reader;

pub(super) async fn run(command: &KeyCommand, around: &Surroundings) -> Result<Exit, Failure> {
    match command {
        KeyCommand::List => {
            let keys = Caller::open(around).await?.list("/keys", &[]).await?;
            match around.output.reader() {
                Reader::Program => around.output.json(&Value::Array(keys))?,
                Reader::Person => table(&keys, around)?,
            }
        }
        KeyCommand::Roll(typed) => {
            if typed.emergency {
                let question = "withdraw the current signing keys at once? their tokens fail everywhere";
                confirm::ask(typed.confirmation, question, around)?;
            }
            let call = Call::post("/keys/roll".to_owned(), Value::Object(rolled(typed)));
            let answer = Caller::open(around).await?.send(call).await?.object;
            tell(typed, answer, around)?;
        }
    }
    Ok(Exit::Ok)
}

fn rolled(typed: &KeyRoll) -> Members {
    let mut members = Members::new();
    members.insert("emergency".to_owned(), Value::Bool(typed.emergency));
    if let Some(alg) = &typed.alg {
        members.insert("alg".to_owned(), Value::from(alg.as_str()));
    }
    members
}

fn tell(typed: &KeyRoll, answer: Map<String, Value>, around: &Surroundings) -> Result<(), Failure> {
    if around.output.reader() == Reader::Program {
        return around.output.json(&Value::Object(answer));
    }
    let keys = answer.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    table(keys, around)?;
    let note = match answer.get("effective").and_then(Value::as_object) {
        Some(effective) => format!("the former keys are withdrawn: {}", bound(effective)),
        None if typed.emergency => "the former keys are withdrawn".to_owned(),
        None => "the next key is announced; it signs when verifiers have seen it".to_owned(),
    };
    around.output.note(&note);
    Ok(())
}

fn table(keys: &[Value], around: &Surroundings) -> Result<(), Failure> {
    let mut table = Table::of(["KID", "ALG", "PHASE", "ACTIVATES", "RETIRES", "LEAVES"]);
    for key in keys.iter().filter_map(Value::as_object) {
        table.rows.push([
            text(key, "kid").to_owned(),
            text(key, "alg").to_owned(),
            text(key, "phase").to_owned(),
            when(key, "activates_at"),
            when(key, "retires_at"),
            when(key, "leaves_at"),
        ]);
    }
    table.write("there is no signing key yet", &around.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_becomes_the_body() {
        let check =
            |typed: KeyRoll, expect: &str| assert_eq!(Value::Object(rolled(&typed)).to_string(), expect);
        check(KeyRoll::default(), r#"{"emergency":false}"#);
        check(
            KeyRoll { emergency: true, alg: Some("ES256".to_owned()), ..KeyRoll::default() },
            r#"{"alg":"ES256","emergency":true}"#,
        );
    }
}
