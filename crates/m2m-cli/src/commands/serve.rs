//! `m2m serve`: an authorization server, or with `--dev` one in memory with a client to try things with.

use std::sync::Arc;

use crate::args::{LogFormat, Serve};
use crate::exit::{Exit, Failure};
use crate::listen::Signals;
use crate::output::Reader;
use crate::serve::{self, dev, settings};
use crate::{Surroundings, log};

pub(crate) async fn run(typed: &Serve, around: &Surroundings) -> Result<Exit, Failure> {
    let signals = Signals::listen().map_err(|error| Failure::internal(error.to_string()))?;
    let settings = if typed.dev { Ok(None) } else { settings::read(typed, around).map(Some) };
    let format = match &settings {
        Ok(Some(settings)) => settings.log,
        _ => typed.log.unwrap_or_default(),
    };
    match format {
        LogFormat::Text => log::start(around.global.verbose),
        LogFormat::Json => log::start_json(around.global.verbose, Arc::clone(&around.clock)),
    }
    let ended = match settings {
        Ok(Some(settings)) => serve::run(&settings, signals, around).await,
        Ok(None) => dev::run(typed, signals, around).await,
        Err(failure) => Err(failure),
    };
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
