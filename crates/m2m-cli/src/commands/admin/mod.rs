//! `m2m admin …`: what was typed becomes calls of the admin API, and its answers become tables and lines.
//!
//! Enforces: a secret that the server made is printed once, by [`credential`], and stands alone on a pipe; what cannot
//! be undone is confirmed on a terminal. Does not enforce: what may be registered; the server judges that.

mod api;
mod apply;
mod assess;
mod audit;
mod client;
pub(crate) mod condition;
mod confirm;
mod credential;
mod estate;
mod http;
mod import;
mod init;
mod issuer;
mod key;
pub(crate) mod material;
pub(crate) mod moment;
pub(crate) mod names;
mod problem;
mod shown;
mod table;
mod token;
mod typed;

pub(crate) use http::segment;

use crate::Surroundings;
use crate::args::admin::{Admin, AdminCommand};
use crate::exit::{Exit, Failure};

pub(crate) async fn run(typed: &Admin, around: &Surroundings) -> Result<Exit, Failure> {
    match &typed.command {
        AdminCommand::Api(typed) => api::run(&typed.command, around).await,
        AdminCommand::Client(typed) => client::run(&typed.command, around).await,
        AdminCommand::Credential(typed) => credential::run(&typed.command, around).await,
        AdminCommand::Issuer(typed) => issuer::run(&typed.command, around).await,
        AdminCommand::Token(typed) => token::run(&typed.command, around).await,
        AdminCommand::Key(typed) => key::run(&typed.command, around).await,
        AdminCommand::Assess(typed) => assess::run(typed, around).await,
        AdminCommand::Audit(typed) => audit::run(typed, around).await,
        AdminCommand::Apply(typed) => apply::run(typed, around).await,
        AdminCommand::Import(typed) => import::run(typed, around).await,
        AdminCommand::Init(typed) => init::run(typed, around).await,
    }
}
