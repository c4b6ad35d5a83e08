// Verifiers of the Node.js world as black boxes, with their defaults: jose with
// createRemoteJWKSet, and express-oauth2-jwt-bearer.
//
//   (echo '{...}'; cat) | node verifiers.mjs
//
// The first line on stdin, written by the test harness, says whose tokens to take:
//
//   { "verifier": "jose" | "express", "issuer", "jwks_uri", "audience" }
//
// and is answered with {}. Each further line is { "tokens": [...] }: they are verified
// at once, and answered with
//
//   { "results": [ { "accepted", "error"?, "seconds" } ] }
//
// The process ends when its stdin closes.

import { createInterface } from 'node:readline';
import { performance } from 'node:perf_hooks';

console.log = console.error;

function jose({ createRemoteJWKSet, jwtVerify }, setup) {
  const keys = createRemoteJWKSet(new URL(setup.jwks_uri));
  return (token) => jwtVerify(token, keys, { issuer: setup.issuer, audience: setup.audience });
}

// The middleware, without express around it: it reads a request and calls next.
function express({ auth }, setup) {
  const check = auth({ issuer: setup.issuer, jwksUri: setup.jwks_uri, audience: setup.audience });
  return (token) => new Promise((resolve, reject) => {
    const headers = { host: 'orders.example', authorization: `Bearer ${token}` };
    const request = {
      headers, get: (name) => headers[name.toLowerCase()], is: () => false,
      protocol: 'https', method: 'GET', url: '/orders', query: {}, body: {},
    };
    check(request, {}, (error) => (error ? reject(error) : resolve()));
  });
}

function told(error) {
  const status = error.status ?? error.statusCode;
  const name = error.code ?? error.name;
  return status ? `${status} ${name}` : `${name}`;
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const setup = JSON.parse((await lines.next()).value);
const verify = setup.verifier === 'jose'
  ? jose(await import('jose'), setup)
  : express(await import('express-oauth2-jwt-bearer'), setup);

async function one(token) {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  try {
    await verify(token);
    return { accepted: true, seconds: seconds() };
  } catch (error) {
    return { accepted: false, error: told(error), seconds: seconds() };
  }
}

process.stdout.write('{}\n');
for (;;) {
  const { value, done } = await lines.next();
  if (done) process.exit(0);
  const results = await Promise.all(JSON.parse(value).tokens.map(one));
  process.stdout.write(`${JSON.stringify({ results })}\n`);
}
