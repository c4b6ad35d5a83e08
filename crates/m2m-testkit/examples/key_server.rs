//! The key server from hell, for anybody's verifier:
//!
//! ```text
//! cargo run -p m2m-testkit --example key_server -- 127.0.0.1:8500
//! ```
//!
//! Without an address it takes any port. It prints where it is, and its dials; turn them with
//! `curl http://127.0.0.1:8500/hell/reply/down`.

use std::process::ExitCode;

use m2m_testkit::key_server::KeyServer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let Ok(address) = address.parse() else {
        eprintln!("key_server: {address:?} is no address; try 127.0.0.1:8500");
        return ExitCode::from(2);
    };
    match KeyServer::listen(address).await {
        Ok(listening) => {
            println!("{}", listening.server().issuer());
            listening.forever().await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("key_server: cannot listen at {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
