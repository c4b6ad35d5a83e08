"""PyJWT with PyJWKClient as a black-box verifier, with its defaults.

    (echo '{...}'; cat) | venv/bin/python verifier.py

The first line on stdin, written by the test harness, says whose tokens to take:

    { "issuer", "jwks_uri", "audience" }

and is answered with {}. Each further line is { "tokens": [...] }: they are verified at once, each
on a thread of its own, and answered with

    { "results": [ { "accepted", "error"?, "seconds" } ] }

The process ends when its stdin closes.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import jwt


def main():
    setup = json.loads(sys.stdin.readline())
    keys = jwt.PyJWKClient(setup["jwks_uri"])

    def one(token):
        start = time.monotonic()
        result = {"accepted": True}
        try:
            key = keys.get_signing_key_from_jwt(token)
            jwt.decode(
                token, key, algorithms=["ES256", "RS256"],
                audience=setup["audience"], issuer=setup["issuer"],
            )
        except Exception as error:  # whatever it is, the caller gets it
            result = {"accepted": False, "error": type(error).__name__}
        return {**result, "seconds": time.monotonic() - start}

    print("{}", flush=True)
    with ThreadPoolExecutor(max_workers=64) as pool:
        for line in sys.stdin:
            results = list(pool.map(one, json.loads(line)["tokens"]))
            print(json.dumps({"results": results}), flush=True)
    os._exit(0)


main()
