// oidc-provider as a rival: as its documentation sets it up for machines, in production
// mode, with the adapter that it has. One API and one client for each algorithm.
//
// The first line on stdin is JSON: { "secret" } of every client. The first line on stdout
// is JSON: { "port" }. The process ends when its stdin closes.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

// Stdout carries one line and nothing else.
console.log = console.error;
console.info = console.error;

const { Provider } = await import('oidc-provider');

const input = createInterface({ input: process.stdin });
const setup = JSON.parse(await new Promise((resolve) => input.once('line', resolve)));

const KEYS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

function jwk([alg, [type, options]]) {
  const key = generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });
  return { ...key, alg, use: 'sig', kid: alg };
}

const configuration = {
  jwks: { keys: Object.entries(KEYS).map(jwk) },
  clients: Object.keys(KEYS).map((alg) => ({
    client_id: `svc-${alg.toLowerCase()}`,
    client_secret: setup.secret,
    token_endpoint_auth_method: 'client_secret_basic',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'orders:read orders:write',
  })),
  scopes: ['orders:read', 'orders:write'],
  responseTypes: [],
  ttl: { ClientCredentials: 600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client) => `https://${client.clientId.slice('svc-'.length)}.example`,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource, client) => ({
        audience: resource,
        scope: 'orders:read orders:write',
        accessTokenTTL: 600,
        accessTokenFormat: 'jwt',
        jwt: {
          sign: { alg: Object.keys(KEYS).find((alg) => client.clientId === `svc-${alg.toLowerCase()}`) },
        },
      }),
    },
  },
};

let callback;
const server = createServer((request, response) => callback(request, response));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, configuration);
  provider.on('server_error', (ctx, error) => console.error(error));
  callback = provider.callback();
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
input.on('close', () => process.exit(0));
