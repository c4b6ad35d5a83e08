//! Automation of the workspace, one file per command: the same commands on a
//! laptop and on a build machine.

mod bench;
mod book;
mod check;
mod deny;
mod form;
mod fuzz;
mod mutants;
mod peers;
mod run;
mod sbom;
mod spec;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--long] [--install]   every test and doctest; fetches the peers first
  check                       formatting, lints, tidy, spec, docs, features, dependencies
  tidy                        only the rules of the source tree
  spec                        writes docs/conformance.md from spec/ and the code
  bench [FILTER]              speed against its limits, one line a claim
  mutants [FILE]              changes what decides about access, and sees whether tests notice
  fuzz [TARGET]               a minute of each fuzz target, or of one
  peers                       fetch the black-box peers into target/peers
  book                        the guide as HTML in target/book; fetches mdBook first
  sbom                        write what the binary is made of to target/m2m.cdx.json (CycloneDX)

  --long      also the tests that are marked as slow, a minute of each fuzz target, and the book
  --install   install missing Debian packages (also when CI=true)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test", options @ ..] => test::Options::parse(options).and_then(|options| test::run(&options)),
        ["check"] => check::run(),
        ["tidy"] => tidy::run(),
        ["spec"] => spec::write(),
        ["bench"] => bench::run(None),
        ["bench", filter] => bench::run(Some(filter)),
        ["fuzz"] => fuzz::run(None),
        ["fuzz", target] => fuzz::run(Some(target)),
        ["mutants"] => mutants::run(None),
        ["mutants", file] => mutants::run(Some(file)),
        ["peers"] => peers::fetch().map(drop),
        ["book"] => book::build(),
        ["sbom"] => sbom::write(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
