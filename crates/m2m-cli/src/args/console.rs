//! Arguments of `m2m console`.

use clap::Args;

/// `m2m console`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m console
  m2m --config ./m2m.toml console --listen 127.0.0.1:7700 --no-open

Prints an address that works once, for ten minutes, and opens it in the browser
when a terminal is there. Pages are served on this machine alone; Ctrl-C ends
it. Profiles go where m2m profile add writes them, and no page shows a secret.")]
pub struct Console {
    /// Where pages are served: an address of this machine; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: String,
    /// Print the address and open no browser
    #[arg(long)]
    pub no_open: bool,
}
