//! A token service that behaves like any provider, over real sockets, and a way to reach it under real host names.
//!
//! [`Behaviour`] is data: how a client must ask, and what it is told when it does or does not. [`Lab`] serves one on
//! loopback, by HTTP and by HTTPS, and remembers what it was asked. [`Tunnel`] is a proxy that leads every host to a
//! lab, so that `https://login.example.com/…` never leaves the machine. [`six`] has the behaviours of the six
//! services that most people meet first.
//!
//! In texts of a behaviour (paths apart) these words are filled in for each request: `{origin}` (where the request
//! came in: scheme and host, the tunnel's host included), `{client_id}`, `{audience}`, `{scope}`, `{parameter}` (the
//! one that is missing), `{token}`, `{now}` and `{now_ms}` (the lab's clock, as digits), `{date}` (the same, RFC
//! 3339).
//!
//! ```no_run
//! use m2m_testkit::lab::{Behaviour, ExpiresIn, Lab, Outcome, ProxyManner, Tunnel};
//!
//! # async fn example() {
//! let mut behaviour = Behaviour::with_secret("app", "s3cret").require("audience");
//! behaviour.success = behaviour.success.expires_in(ExpiresIn::Text(3600));
//! let lab = Lab::start(behaviour).await; // or, in a test that is not asynchronous, Lab::in_thread
//! let tunnel = Tunnel::start(&lab, ProxyManner::Tunnels).await;
//! // A client with the proxy `tunnel.proxy_url()` and the roots in `tunnel.ca_file()` asks any host at all; one
//! // without asks `lab.token_url()`. Then:
//! assert_eq!(lab.outcomes(), [Outcome::Granted]);
//! assert_eq!(lab.requests()[0].form("audience"), ["https://api.example"]);
//! lab.change(|behaviour| behaviour.clock_offset = -300);
//! # }
//! ```
//!
//! Enforces: what the behaviour says, and that the client proves itself in exactly one way.
//! Does not enforce: the standards; a behaviour may be wrong on purpose. No mutual TLS ([`crate::tls`] has that), no
//! DPoP.

mod answer;
mod asked;
mod assertion;
mod behaviour;
mod certificate;
mod client_proof;
mod date;
mod discovery;
mod errors;
mod home;
mod judge;
mod listener;
mod recorded;
pub mod six;
mod success;
mod tunnel;

pub use self::answer::Answer;
pub use self::asked::Place;
pub use self::assertion::{AssertionRule, JtiRule, Subject, TypRule};
pub use self::behaviour::{ApiRule, Behaviour, GrantProof, GrantRule, Required, ScopePlace, ScopeRule};
pub use self::certificate::ServerCertificate;
pub use self::client_proof::{BasicReading, ClientProof, SharedSecret};
pub use self::discovery::{Discovery, Document, JwksUri};
pub use self::errors::{Errors, Situation};
pub use self::judge::Outcome;
pub use self::listener::Lab;
pub use self::recorded::recorded;
pub use self::success::{ExpiresIn, SignedToken, Success, SuccessBody, TokenText};
pub use self::tunnel::{ProxyManner, Tunnel};

#[cfg(test)]
mod tests;
