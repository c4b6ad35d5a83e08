//! Completion for bash, with the words that a person sees.
//!
//! bash splits a line at `:` and `=` too (`COMP_WORDBREAKS`), so `https://orders.example` reaches a completion function
//! as three words and `--provider=auth0` as three others. This function puts together what has no blank between it, and
//! gives back of each candidate only what bash takes for the last word. Only what stands before the cursor counts.
//! Enforces: a candidate that a shell would read as more than a word (a file's name with a blank) is quoted.

use std::ffi::OsString;
use std::io::{Error, Write};
use std::path::Path;

use clap_complete::env::{Bash as Engine, EnvCompleter};

const SCRIPT: &str = r#"_m2m() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word index
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        ((index == COMP_CWORD)) && word=${line##[[:space:]]}
        if ((index > 0)) && [[ $line != [[:space:]]* && -n $line ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        line=${line#"${line%%[![:space:]]*}"}
        line=${line#"$word"}
    done
    local current=${words[${#words[@]} - 1]} IFS=$'\013'
    local split=$current
    [[ $word == *[!:=]* ]] && split=${current%"$word"}
    COMPREPLY=($(
        _CLAP_IFS=$IFS _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) VAR=bash \
            "COMPLETER" -- "${words[@]}" 2>/dev/null
    ))
    for index in "${!COMPREPLY[@]}"; do
        word=${COMPREPLY[index]#"$split"}
        [[ $word == *[^A-Za-z0-9_./:=@%+,~-]* ]] && printf -v word %q "$word"
        COMPREPLY[index]=$word
    done
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} != *[=/:] ]]; then
        COMPREPLY[0]+=' '
    fi
}
complete -o nospace -o bashdefault -F _m2m BIN
"#;

/// bash, which calls [`SCRIPT`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Bash;

impl EnvCompleter for Bash {
    fn name(&self) -> &'static str {
        "bash"
    }

    fn is(&self, name: &str) -> bool {
        name == "bash"
    }

    fn write_registration(
        &self,
        variable: &str,
        _name: &str,
        bin: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let script = SCRIPT.replace("VAR", variable).replace("BIN", bin).replace("\"COMPLETER\"", completer);
        out.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        directory: Option<&Path>,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        Engine.write_complete(command, words, directory, out)
    }
}
