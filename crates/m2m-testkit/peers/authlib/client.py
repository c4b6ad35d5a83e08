"""Authlib's OAuth2Session as a black-box client.

The first line on stdin is the setup:

    { "issuer",
      "ca_file"? }      who vouches for its certificate

The first line on stdout is `{}`. Then each line on stdin is a task, and the next
line on stdout its answer:

    { "client_id", "method",
      "secret"?,        for the three methods that have one
      "key"?: { "pem", "kid", "alg" },
      "typ"?,           of the assertion; Authlib says JWT
      "lifetime"?,      of the assertion, seconds; Authlib says 3600
      "certificate"?: { "chain_file", "key_file" },
      "parameters",     of the token request
      "revoke"? }       true: introspect, revoke, introspect again

    { "token", "before"?, "after"? } or { "error": { "name", "error", "message" } }

What is sent is Authlib's choice, with two exceptions that it leaves to its user: the
RFC 8414 document is fetched with `requests`, and the endpoints are taken from it.

The process ends when its stdin closes, so that no test leaves it behind.
"""

import json
import sys
import time

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc import jwk

WELL_KNOWN = "/.well-known/oauth-authorization-server"


def session_of(setup, task, metadata):
    key = task.get("key")
    secret = jwk.import_key(key["pem"], KEY_TYPES[key["alg"]]) if key else task.get("secret")
    # To Authlib, a certificate is a matter of the connection alone.
    method = "none" if task.get("certificate") else task["method"]
    session = OAuth2Session(
        task["client_id"],
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    headers = {"typ": task["typ"]} if task.get("typ") else {}
    claims = {"exp": int(time.time()) + task["lifetime"]} if task.get("lifetime") else {}
    assertion = {"token_endpoint": metadata["token_endpoint"], "claims": claims}
    if method == "client_secret_jwt":
        session.register_client_auth_method(ClientSecretJWT(headers=headers, **assertion))
    if method == "private_key_jwt":
        headers["kid"] = key["kid"]
        session.register_client_auth_method(
            PrivateKeyJWT(headers=headers, alg=key["alg"], **assertion)
        )
    if task.get("certificate"):
        session.cert = (task["certificate"]["chain_file"], task["certificate"]["key_file"])
    return session


KEY_TYPES = {"ES256": "EC", "RS256": "RSA", "PS256": "RSA", "EdDSA": "OKP", "Ed25519": "OKP"}


def work(setup, task):
    verify = setup.get("ca_file", True)
    with OAuth2Session() as plain:
        plain.trust_env = False  # neither the machine's proxy nor its certificates
        found = plain.get(setup["issuer"] + WELL_KNOWN, withhold_token=True, verify=verify)
    found.raise_for_status()
    metadata = found.json()
    if task.get("certificate"):
        metadata.update(metadata["mtls_endpoint_aliases"])
    session = session_of(setup, task, metadata)
    session.trust_env = False
    session.verify = verify
    with session:
        token = session.fetch_token(
            metadata["token_endpoint"], grant_type="client_credentials", **task["parameters"]
        )
        answer = {"token": token}
        if task.get("revoke"):
            text = token["access_token"]
            answer["before"] = session.introspect_token(metadata["introspection_endpoint"], text).json()
            session.revoke_token(metadata["revocation_endpoint"], text).raise_for_status()
            answer["after"] = session.introspect_token(metadata["introspection_endpoint"], text).json()
        return answer


def told(error):
    code = getattr(error, "error", None)
    return {"error": {"name": type(error).__name__, "error": code, "message": str(error)}}


def answer(value):
    print(json.dumps(value), flush=True)


def main():
    setup = json.loads(sys.stdin.readline())
    answer({})
    for line in sys.stdin:
        try:
            answer(work(setup, json.loads(line)))
        except Exception as error:
            answer(told(error))


main()
