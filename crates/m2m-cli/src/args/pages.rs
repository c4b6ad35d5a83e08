//! Arguments of `m2m completion` and `m2m man`: what is printed about the command line itself.

use std::path::PathBuf;

use clap::Args;

/// `m2m completion`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  bash         m2m completion bash > ~/.local/share/bash-completion/completions/m2m
  zsh          m2m completion zsh > \"${fpath[1]}/_m2m\"
  fish         m2m completion fish > ~/.config/fish/completions/m2m.fish
  powershell   m2m completion powershell >> $PROFILE
  elvish       m2m completion elvish >> ~/.config/elvish/rc.elv

The shell asks m2m itself: it completes commands, flags and files, profiles,
token services, and, where somebody may administer a server from here, the names
of its APIs, clients, credentials and issuers. It waits for them for a second,
and runs no { command } and opens no keyring for them.")]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `m2m man`
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  m2m man token | man -l -
  m2m man admin client create > m2m-admin-client-create.1
  m2m man --dir /usr/local/share/man/man1")]
pub struct Man {
    /// The command, in as many words as it has; none: m2m itself
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub command: Vec<String>,
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
