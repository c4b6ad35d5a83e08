//! `m2m gateway`: tokens checked in front of a program.

use std::sync::Arc;

use crate::args::{Gateway, LogFormat};
use crate::exit::{Exit, Failure};
use crate::gateway::settings::{self, Settings};
use crate::listen::Signals;
use crate::output::Reader;
use crate::trace::Traces;
use crate::{Surroundings, gateway, log};

pub(crate) async fn run(typed: &Gateway, around: &Surroundings) -> Result<Exit, Failure> {
    let signals = Signals::listen().map_err(|error| Failure::internal(error.to_string()))?;
    let found = settings::find(typed, around);
    let format = settings::log(&found, typed);
    let traces = Traces::start(&around.environment, "m2m-gateway")?;
    match format {
        LogFormat::Text => log::start_service(around.global.verbose, traces.as_ref()),
        LogFormat::Json => {
            log::start_json(around.global.verbose, Arc::clone(&around.clock), traces.as_ref());
        }
    }
    let settings = found.and_then(|found| {
        if let Some(path) = &found.path {
            around.output.detail(&format!("settings of {}", path.display()));
        }
        Settings::of(found)
    });
    let ended = match settings {
        Ok(settings) => gateway::run(settings, signals, around).await,
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
