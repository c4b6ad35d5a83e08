"""Schemathesis against a described API, as a black box.

The first line on stdin is the setup:

    { "description",      the URL of the OpenAPI document
      "token",            an access token for it
      "own",              ids of whoever holds the token, and of its credentials
      "examples",         at most so many test cases per operation
      "phases",           of Schemathesis, separated by commas
      "seed" }

The first line on stdout is `{}`. Then a line on stdin starts the run, and the next line
on stdout is what became of it:

    { "exit", "tested", "failures": [text], "answered": { operation: { status: count } } }

All checks run but `ignored_auth`: it sends wrong tokens by the hundred, and the server
rightly stops to listen to whoever does that. A run must not lock itself out either, so
nothing is done to the client that makes it, and keys are not withdrawn in an emergency;
those have tests elsewhere. A cursor means nothing unless an answer gave it, nor does
the name of an event that there is not, and what is well-formed may contradict what is registered (412) or make no sense (422).
What is not well-formed may be for another version (412), which is told before the body is
looked at (RFC 9110 section 13.2.1).

The process ends when its stdin closes, so that no test leaves it behind.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "412", "422", "429", "503"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "415", "422", "428", "429", "503"]
"""

HOOKS = '''
import json, os
import schemathesis

OWN = set(json.loads(os.environ["OWN_IDS"]))

@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        if value in OWN:
            parameters[name] = "nobody"
    if case.query:
        case.query.pop("cursor", None)
        case.query.pop("event", None)
    if isinstance(case.body, dict) and case.body.get("emergency"):
        case.body["emergency"] = False

@schemathesis.hook
def after_call(context, case, response):
    line = json.dumps([case.operation.label, str(response.status_code)])
    with open(os.environ["ANSWERED"], "a") as answered:
        answered.write(line + "\\n")
'''


def run(setup, directory):
    hooks, answered = directory / "m2m_hooks.py", directory / "answered"
    hooks.write_text(HOOKS)
    (directory / "schemathesis.toml").write_text(SETTINGS)
    environment = dict(
        os.environ,
        OWN_IDS=json.dumps(setup["own"]),
        ANSWERED=str(answered),
        SCHEMATHESIS_HOOKS="m2m_hooks",
        PYTHONPATH=str(directory),
    )
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"),
        "run", setup["description"],
        "--header", f"Authorization: Bearer {setup['token']}",
        "--checks", "all", "--exclude-checks", "ignored_auth",
        "--max-examples", str(setup["examples"]), "--seed", str(setup["seed"]),
        "--phases", setup["phases"], "--continue-on-failure", "--no-color",
    ]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    counts = collections.defaultdict(collections.Counter)
    if answered.exists():
        for line in answered.read_text().splitlines():
            operation, status = json.loads(line)
            counts[operation][status] += 1
    tested = re.search(r"Tested: (\d+)", done.stdout)
    failures = re.split(r"\n_{10,} ", done.stdout)[1:] if done.returncode else []
    return {
        "exit": done.returncode,
        "tested": int(tested.group(1)) if tested else 0,
        "failures": failures or ([done.stdout[-4000:], done.stderr[-2000:]] if done.returncode else []),
        "answered": counts,
    }


def main():
    setup = json.loads(sys.stdin.readline())
    print("{}", flush=True)
    for _ in sys.stdin:
        with tempfile.TemporaryDirectory() as directory:
            print(json.dumps(run(setup, pathlib.Path(directory))), flush=True)


main()
