// oauth2-mock-server as a black-box peer: a server that authenticates nobody, and
// answers what the test has written for the client that asks.
//
//   (echo '{}'; cat) | node server.mjs
//
// The first line on stdin, written by the test harness, holds the answers by path or
// by client id (that of Basic); all others get what the server says by itself:
//
//   { "answers": { PATH | CLIENT_ID: {
//       "status",                        instead of 200
//       "headers": { NAME: VALUE },      besides, or instead of, the server's
//       "body": JSON,                    instead of the whole body
//       "set": { MEMBER: JSON | null },  members to change; null takes one away
//       "text": "…",                     the body as it is; the server is not asked
//       "header": {…}, "claims": {…} } } }   of the access token, before it is signed
//
// A client gets the same answer at the token, introspection and revocation endpoints.
// The first line on stdout is JSON: {"issuer","port"}. The process ends when its stdin
// closes, so that no test leaves it behind.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { OAuth2Issuer, OAuth2Service } from 'oauth2-mock-server';

const input = createInterface({ input: process.stdin });
const { answers = {} } = JSON.parse(await new Promise((resolve) => input.once('line', resolve)));

function answerTo(request) {
  const [, pair = ''] = (request.headers.authorization ?? '').split('Basic ');
  const [id] = Buffer.from(pair, 'base64').toString().split(':');
  return answers[request.url] ?? answers[id] ?? {};
}

function change(target, members = {}) {
  for (const [name, value] of Object.entries(members)) {
    if (value === null) delete target[name];
    else target[name] = value;
  }
}

function respond(response, request) {
  const { status, body, set } = answerTo(request);
  if (status !== undefined) response.statusCode = status;
  if (body !== undefined) response.body = body;
  change(response.body, set);
}

function sign(token, request) {
  const { header, claims } = answerTo(request);
  change(token.header, header);
  change(token.payload, claims);
}

const issuer = new OAuth2Issuer();
const service = new OAuth2Service(issuer);
service.on('beforeTokenSigning', sign);
service.on('beforeResponse', respond);
service.on('beforeIntrospect', respond);
service.on('beforeRevoke', respond);
await issuer.keys.generate('RS256', { kid: 'peer-rs256' });

const http = createServer((request, response) => {
  const { status = 200, headers = {}, text } = answerTo(request);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (text === undefined) {
    service.requestHandler(request, response);
  } else {
    response.writeHead(status).end(text);
  }
});
http.listen(0, '127.0.0.1', () => {
  const { port } = http.address();
  issuer.url = `http://127.0.0.1:${port}`;
  input.on('close', () => process.exit(0));
  process.stdout.write(`${JSON.stringify({ issuer: issuer.url, port })}\n`);
});
