// What both clients share: tasks in, answers out, connections, keys, and how an
// error is told. Each of the two says at its top what it does with a task.
//
// The first line on stdin is the setup:
//
//   { "issuer",            of the server
//     "ca"? }              PEM of who vouches for its certificate; without it http is allowed
//
// The first line on stdout is `{}`. Then each line on stdin is a task, and the next
// line on stdout its answer:
//
//   { "client_id", "method",
//     "secret"?,           for the three methods that have one
//     "key"?: { "pem", "kid", "alg" },
//     "typ"?,              of the assertion; these libraries set none by themselves
//     "certificate"?: { "chain", "key" },   PEM
//     "dpop"?,             algorithm of a fresh key
//     "parameters",        of the token request
//     "audience"?,         verify the token as an API of that name would
//     "revoke"? }          true: introspect, revoke, introspect again
//
//   { "token", "token_requests", "claims"?, "before"?, "after"? } or { "error" }
//
// The process ends when its stdin closes, so that no test leaves it behind.

import { createInterface } from 'node:readline';
import { Agent, fetch as undiciFetch } from 'undici';

// Stdout carries answers and nothing else.
console.log = console.error;
console.info = console.error;

const ALGORITHMS = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  Ed25519: { name: 'Ed25519' },
};

// The client's private key, as WebCrypto has it.
export async function privateKey({ pem, kid, alg }) {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  const key = await crypto.subtle.importKey('pkcs8', der, ALGORITHMS[alg], false, ['sign']);
  return { key, kid };
}

// A `fetch` that trusts the server, shows the client's certificate, and counts token requests.
export function connection(setup, task) {
  const { chain: cert, key } = task.certificate ?? {};
  const dispatcher = new Agent({ connect: { ca: setup.ca, cert, key } });
  const counted = async (url, options) => {
    if (new URL(url).pathname.endsWith('/token')) counted.token_requests += 1;
    const response = await undiciFetch(url, { ...options, dispatcher });
    // These libraries want the global class, and undici has its own.
    return new Response(response.status === 204 ? null : await response.arrayBuffer(), response);
  };
  counted.token_requests = 0;
  counted.close = () => dispatcher.close();
  return counted;
}

// Sets what the task says of the assertion's header.
export function modify(task) {
  return (header) => {
    if (task.typ) header.typ = task.typ;
  };
}

async function told(error) {
  const body = await error.response?.json().catch(() => undefined);
  const challenges = Array.isArray(error.cause) ? error.cause : undefined;
  const { name, code, status, message } = error;
  return { name: error.constructor?.name ?? name, code, status, message, error: error.error, challenges, body };
}

// Answers every task with what `work(setup, task)` resolves to.
export async function serve(work) {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
  const setup = JSON.parse((await lines.next()).value);
  answer({});
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    try {
      answer(await work(setup, JSON.parse(line.value)));
    } catch (error) {
      answer({ error: await told(error) });
    }
  }
  process.exit(0);
}
