// oidc-provider as a black-box peer: one client per authentication method.
//
//   (echo '{}'; cat) | node server.mjs
//
// The first line on stdin, written by the test harness, holds what the clients
// own: public keys and certificates. With `{}` only the secret-based clients exist.
//
//   { "keys": { "RS256": JWK, … },                     one client private-key-jwt-ALG each
//     "tls":  { "certificate", "key", "client_ca",     PEM of the mutual-TLS listener
//               "ca_client_dns",                       SAN of the CA-signed client certificate
//               "self_signed": JWK with x5c } }
//
// The first line on stdout is JSON:
//
//   { "issuer", "port",
//     "secret",           of every client that has one; full of characters that need encoding
//     "portal",           an issuer whose token endpoint answers 200 with HTML
//     "mtls_origin"? }    where client certificates are asked for
//
// The process ends when its stdin closes, so that no test leaves it behind.

import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createInterface } from 'node:readline';

// Stdout carries one line and nothing else: its reader may be gone afterwards.
console.log = console.error;
console.info = console.error;

const { Provider } = await import('oidc-provider');

const input = createInterface({ input: process.stdin });
const setup = JSON.parse(await new Promise((resolve) => input.once('line', resolve)));
const SECRET = 'peer secret: with a space, a colon, a plus + and a percent % sign';
const JWT_API = 'https://orders.example';
const OPAQUE_API = 'https://opaque.example';

function client(id, method, more = {}) {
  return {
    client_id: id,
    token_endpoint_auth_method: method,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'orders:read orders:write',
    ...more,
  };
}

function secretClient(id, method, more = {}) {
  return client(id, method, { client_secret: SECRET, ...more });
}

function clients() {
  const list = [
    secretClient('basic', 'client_secret_basic'),
    // RFC 6749 section 2.3.1: both halves of Basic are form-encoded.
    secretClient('basic:odd id+%', 'client_secret_basic'),
    secretClient('post', 'client_secret_post'),
    secretClient('secret-jwt', 'client_secret_jwt', { token_endpoint_auth_signing_alg: 'HS256' }),
    secretClient('dpop', 'client_secret_basic', { dpop_bound_access_tokens: true }),
    secretClient('dpop-nonce', 'client_secret_basic', { dpop_bound_access_tokens: true }),
  ];
  for (const [alg, jwk] of Object.entries(setup.keys ?? {})) {
    list.push(client(`private-key-jwt-${alg}`, 'private_key_jwt', {
      token_endpoint_auth_signing_alg: alg,
      jwks: { keys: [jwk] },
    }));
    // A DPoP nonce costs a second request, which needs a fresh assertion.
    list.push(client(`dpop-nonce-private-key-jwt-${alg}`, 'private_key_jwt', {
      token_endpoint_auth_signing_alg: alg,
      dpop_bound_access_tokens: true,
      jwks: { keys: [jwk] },
    }));
  }
  if (setup.tls) {
    list.push(client('tls', 'tls_client_auth', {
      tls_client_auth_san_dns: setup.tls.ca_client_dns,
      tls_client_certificate_bound_access_tokens: true,
    }));
    list.push(client('self-signed-tls', 'self_signed_tls_client_auth', {
      tls_client_certificate_bound_access_tokens: true,
      jwks: { keys: [setup.tls.self_signed] },
    }));
  }
  return list;
}

function peerCertificate(ctx) {
  return ctx.req.socket.getPeerX509Certificate?.();
}

function configuration(mtlsOrigin) {
  return {
    clients: clients(),
    clientDefaults: { id_token_signed_response_alg: 'ES256' }, // the one key below
    scopes: ['orders:read', 'orders:write', 'orders:delete'],
    clientAuthMethods: [
      'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
      ...(mtlsOrigin ? ['tls_client_auth', 'self_signed_tls_client_auth'] : []),
    ],
    responseTypes: [],
    ttl: { ClientCredentials: 600 },
    discovery: mtlsOrigin ? {
      mtls_endpoint_aliases: {
        token_endpoint: `${mtlsOrigin}/token`,
        introspection_endpoint: `${mtlsOrigin}/token/introspection`,
        revocation_endpoint: `${mtlsOrigin}/token/revocation`,
      },
    } : {},
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: randomBytes(32),
        requireNonce: (ctx) => ctx.oidc.client?.clientId.startsWith('dpop-nonce') === true,
      },
      mTLS: {
        enabled: Boolean(mtlsOrigin),
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        getCertificate: peerCertificate,
        certificateAuthorized: (ctx) => ctx.req.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_san_dns'
          && (peerCertificate(ctx).subjectAltName ?? '').split(', ').includes(`DNS:${expected}`),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => JWT_API,
        useGrantedResource: () => true,
        getResourceServerInfo(ctx, resource) {
          return {
            audience: resource,
            scope: 'orders:read orders:write',
            accessTokenTTL: 600,
            accessTokenFormat: resource === OPAQUE_API ? 'opaque' : 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          };
        },
      },
    },
    jwks: { keys: [signingKey()] },
  };
}

// One fixed signing key, derived from nothing secret: this server guards nothing.
function signingKey() {
  return {
    kty: 'EC', use: 'sig', alg: 'ES256', crv: 'P-256', kid: 'peer-es256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
  };
}

// A portal that answers HTML with status 200 where a token was asked for.
function portal(request, response, issuer) {
  if (request.url.includes('/.well-known/')) {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ issuer: `${issuer}/portal`, token_endpoint: `${issuer}/portal/token` }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/html' });
  response.end('<!doctype html><title>Sign in to the network</title>');
}

function listen(server) {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });
}

let front;
const http = createHttpServer((request, response) => front(request, response));
const port = await listen(http);
const issuer = `http://127.0.0.1:${port}`;

let mtlsOrigin;
if (setup.tls) {
  const https = createHttpsServer({
    cert: setup.tls.certificate,
    key: setup.tls.key,
    ca: setup.tls.client_ca,
    requestCert: true,
    rejectUnauthorized: false, // self-signed clients are checked by the provider
  }, (request, response) => front(request, response));
  mtlsOrigin = `https://127.0.0.1:${await listen(https)}`;
}

const provider = new Provider(issuer, configuration(mtlsOrigin));
const callback = provider.callback();
const seen = { token: 0 };
front = (request, response) => {
  if (request.url.startsWith('/portal') || request.url.includes('/.well-known/oauth-authorization-server/portal')) {
    portal(request, response, issuer);
  } else if (request.url === '/requests') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(seen));
  } else {
    if (request.url === '/token') seen.token += 1;
    callback(request, response);
  }
};
provider.on('server_error', (ctx, error) => console.error(error));

input.on('close', () => process.exit(0));
const hello = { issuer, port, secret: SECRET, portal: `${issuer}/portal`, mtls_origin: mtlsOrigin };
process.stdout.write(`${JSON.stringify(hello)}\n`);
