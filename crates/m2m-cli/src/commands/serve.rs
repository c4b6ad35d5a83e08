//! `m2m serve`: an authorization server, or with `--dev` one in memory with a client to try things with.

use std::sync::Arc;

use crate::args::{LogFormat, Serve};
use crate::exit::{Exit, Failure};
use crate::listen::Signals;
use crate::output::Reader;
use crate::serve::{self, dev, settings};
use crate::trace::Traces;
use crate::{Surroundings, log};

pub(crate) async fn run(typed: &Serve, around: &Surroundings) -> Result<Exit, Failure> {
    let signals = Signals::listen().map_err(|error| Failure::internal(error.to_string()))?;
    let settings = contradiction(typed, around).and_then(|()| match typed.dev {
        true => Ok(None),
        false => settings::read(typed, around).map(Some),
    });
    let format = match &settings {
        Ok(Some(settings)) => settings.log,
        Ok(None) => typed.log.unwrap_or_default(),
        Err(_) => settings::log(typed, around),
    };
    let traces = Traces::start(&around.environment, "m2m-server")?;
    match format {
        LogFormat::Text => log::start(around.global.verbose, traces.as_ref()),
        LogFormat::Json => {
            log::start_json(around.global.verbose, Arc::clone(&around.clock), traces.as_ref());
        }
    }
    let ended = match settings {
        Ok(Some(settings)) => serve::run(&settings, signals, around).await,
        Ok(None) => dev::run(typed, signals, around).await,
        Err(failure) => Err(failure),
    };
    if let Some(traces) = traces {
        traces.end().await;
    }
    match ended {
        // Every line of the log is JSON, the last one too.
        Err(failure) if format == LogFormat::Json && around.output.reader() == Reader::Person => {
            let (hint, exit) = (failure.advice().unwrap_or_default(), failure.exit().code());
            tracing::error!(hint, exit, "{}", failure.message());
            Ok(failure.exit())
        }
        ended => ended,
    }
}

/// What cannot be typed together, and the parser does not see: it lets `--env-file` pass without `--dev` where another
/// flag excludes `--dev`.
fn contradiction(typed: &Serve, around: &Surroundings) -> Result<(), Failure> {
    if typed.env_file.is_some() && !typed.dev {
        return Err(Failure::usage("--env-file is for --dev, which makes the client that it writes down")
            .hint("m2m admin init writes a profile for another server"));
    }
    if typed.dev && around.global.config.is_some() {
        return Err(Failure::usage("--dev takes no settings from a file")
            .hint("leave --config out, or leave --dev out to serve what the file says"));
    }
    Ok(())
}
