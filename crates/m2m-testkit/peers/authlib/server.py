"""Authlib's Flask authorization server as a black-box peer, put together as its documentation shows.

    (echo '{}'; cat) | venv/bin/python server.py

The first line on stdin, written by the test harness, says who is registered:

    { "clients": [ { "client_id", "method",         client_secret_basic, client_secret_post or
                                                    client_assertion_jwt (both kinds of assertion)
                     "secret" | "jwk",              of the client; JWK public
                     "scope"? } ],                  default: orders:read orders:write
      "audiences": ["issuer", "token_endpoint"],    what assertions may name; default both
      "access_tokens": "opaque" }                   or "jwt" (RFC 9068)

The first line on stdout is JSON: {"issuer","port"}. The process ends when its stdin closes, so
that no test leaves it behind.

Left as Authlib ships it: life of tokens, audience of JWT access tokens, methods at the revocation
endpoint (Basic only). Set: all methods at the token endpoint and at introspection.
"""

import json
import logging
import os
import secrets
import sys
import threading
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, jsonify
from joserfc.jwk import ECKey, KeySet, OctKey, import_key
from werkzeug.serving import make_server

METHODS = ["client_secret_basic", "client_secret_post", "client_assertion_jwt"]

# One fixed signing key, derived from nothing secret: this server guards nothing.
SIGNING_KEY = ECKey.import_key({
    "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": "peer-es256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
})


class Client(ClientMixin):
    def __init__(self, entry):
        self.client_id = entry["client_id"]
        self.method = entry["method"]
        self.secret = entry.get("secret")
        self.jwk = entry.get("jwk")
        self.scope = entry.get("scope", "orders:read orders:write")

    def get_client_id(self):
        return self.client_id

    def get_allowed_scope(self, scope):
        allowed = self.scope.split()
        return " ".join(word for word in (scope or "").split() if word in allowed)

    def check_client_secret(self, client_secret):
        return self.secret is not None and secrets.compare_digest(
            self.secret.encode(), client_secret.encode()
        )

    def check_endpoint_auth_method(self, method, endpoint):
        return method == self.method

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class Token(TokenMixin):
    def __init__(self, client_id, answer):
        self.client_id = client_id
        self.scope = answer.get("scope", "")
        self.issued_at = int(time.time())
        self.expires_at = self.issued_at + answer["expires_in"]
        self.revoked = False

    def check_client(self, client):
        return self.client_id == client.client_id

    def is_expired(self):
        return time.time() >= self.expires_at

    def is_revoked(self):
        return self.revoked


def authorization_server(app, issuer, setup):
    clients = {entry["client_id"]: Client(entry) for entry in setup.get("clients", [])}
    places = {"issuer": issuer, "token_endpoint": f"{issuer}/token"}
    audiences = [places[name] for name in setup.get("audiences", list(places))]
    tokens = {}
    seen = set()

    class Assertion(JWTBearerClientAssertion):
        def get_audiences(self):
            return audiences

        def validate_jti(self, claims, jti):
            fresh = (claims["sub"], jti) not in seen
            seen.add((claims["sub"], jti))
            return fresh

        def resolve_client_public_key(self, client):
            return import_key(client.jwk) if client.jwk else OctKey.import_key(client.secret)

    class Grant(grants.ClientCredentialsGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    class Introspection(IntrospectionEndpoint):
        CLIENT_AUTH_METHODS = METHODS

        def query_token(self, token_string, token_type_hint):
            return tokens.get(token_string)

        def check_permission(self, token, client, request):
            return True

        def introspect_token(self, token):
            return {
                "client_id": token.client_id, "token_type": "Bearer", "scope": token.scope,
                "sub": token.client_id, "iss": issuer, "exp": token.expires_at, "iat": token.issued_at,
            }

    class Revocation(RevocationEndpoint):
        def query_token(self, token_string, token_type_hint):
            return tokens.get(token_string)

        def revoke_token(self, token, request):
            token.revoked = True

    class JwtAccessTokens(JWTBearerTokenGenerator):
        def get_jwks(self):
            return KeySet([SIGNING_KEY])

    def save_token(answer, request):
        tokens[answer["access_token"]] = Token(request.client.client_id, answer)

    server = AuthorizationServer(app, query_client=clients.get, save_token=save_token)
    server.register_client_auth_method("client_assertion_jwt", Assertion())
    server.register_grant(Grant)
    server.register_endpoint(Introspection)
    server.register_endpoint(Revocation)
    if setup.get("access_tokens") == "jwt":
        server.register_token_generator("default", JwtAccessTokens(issuer, alg="ES256"))
    return server


def routes(app, server, issuer):
    @app.get("/.well-known/oauth-authorization-server")
    def metadata():
        return jsonify(
            issuer=issuer,
            token_endpoint=f"{issuer}/token",
            introspection_endpoint=f"{issuer}/introspect",
            revocation_endpoint=f"{issuer}/revoke",
            jwks_uri=f"{issuer}/jwks",
            response_types_supported=[],
            grant_types_supported=["client_credentials"],
        )

    @app.get("/jwks")
    def jwks():
        return jsonify(KeySet([SIGNING_KEY]).as_dict(private=False))

    @app.post("/token")
    def token():
        return server.create_token_response()

    @app.post("/introspect")
    def introspect():
        return server.create_endpoint_response(IntrospectionEndpoint.ENDPOINT_NAME)

    @app.post("/revoke")
    def revoke():
        return server.create_endpoint_response(RevocationEndpoint.ENDPOINT_NAME)


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    setup = json.loads(sys.stdin.readline())
    app = Flask("authlib-peer")
    app.config["OAUTH2_SCOPES_SUPPORTED"] = ["orders:read", "orders:write"]
    http = make_server("127.0.0.1", 0, app, threaded=True)
    issuer = f"http://127.0.0.1:{http.server_port}"
    routes(app, authorization_server(app, issuer, setup), issuer)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    print(json.dumps({"issuer": issuer, "port": http.server_port}), flush=True)
    sys.stdin.read()
    os._exit(0)


main()
