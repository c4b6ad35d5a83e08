// oauth4webapi as a black-box client, and as a black-box API: tokens by every method
// that it knows, and its own check of what it got (RFC 9068, RFC 9449). What it takes
// and says stands in party.mjs.

import * as oauth from 'oauth4webapi';
import { connection, modify, privateKey, serve } from './party.mjs';

async function authentication(task) {
  const options = { [oauth.modifyAssertion]: modify(task) };
  switch (task.method) {
    case 'client_secret_basic': return oauth.ClientSecretBasic(task.secret);
    case 'client_secret_post': return oauth.ClientSecretPost(task.secret);
    case 'client_secret_jwt': return oauth.ClientSecretJwt(task.secret, options);
    case 'private_key_jwt': return oauth.PrivateKeyJwt(await privateKey(task.key), options);
    default: return oauth.TlsClientAuth();
  }
}

async function ask({ as, client, auth, options }, task) {
  const request = async () => {
    const response = await oauth.clientCredentialsGrantRequest(as, client, auth, task.parameters, options);
    return oauth.processClientCredentialsResponse(as, client, response);
  };
  try {
    return await request();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return request(); // with the nonce that came with the refusal
  }
}

// Calls the API with the token and lets the API judge it.
async function verify({ as, options }, token, audience) {
  let request;
  const keep = (url, init) => {
    request = new Request(url, init);
    return new Response();
  };
  const headers = new Headers();
  await oauth.protectedResourceRequest(token.access_token, 'GET', new URL(`${audience}/orders`), headers, null, {
    ...options, [oauth.customFetch]: keep,
  });
  return oauth.validateJwtAccessToken(as, request, audience, { ...options, requireDPoP: Boolean(options.DPoP) });
}

await serve(async (setup, task) => {
  const fetch = connection(setup, task);
  try {
    const issuer = new URL(setup.issuer);
    const options = { [oauth.customFetch]: fetch, [oauth.allowInsecureRequests]: !setup.ca };
    const found = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oauth2' });
    const as = await oauth.processDiscoveryResponse(issuer, found);
    const client = { client_id: task.client_id, use_mtls_endpoint_aliases: Boolean(task.certificate) };
    if (task.dpop) options.DPoP = oauth.DPoP(client, await oauth.generateKeyPair(task.dpop));
    const auth = await authentication(task);
    const party = { as, client, auth, options };
    const token = await ask(party, task);
    const answer = { token, token_requests: fetch.token_requests };
    if (task.audience) answer.claims = await verify(party, token, task.audience);
    const introspect = async () => oauth.processIntrospectionResponse(
      as, client, await oauth.introspectionRequest(as, client, auth, token.access_token, options),
    );
    if (task.revoke) {
      answer.before = await introspect();
      const response = await oauth.revocationRequest(as, client, auth, token.access_token, options);
      await oauth.processRevocationResponse(response);
      answer.after = await introspect();
    }
    return answer;
  } finally {
    await fetch.close();
  }
});
