// openid-client as a black-box client: tokens by every method that it knows. What it
// takes and says stands in party.mjs; it does not verify tokens.

import * as client from 'openid-client';
import { connection, modify, privateKey, serve } from './party.mjs';

async function authentication(task) {
  const options = { [client.modifyAssertion]: modify(task) };
  switch (task.method) {
    case 'client_secret_basic': return client.ClientSecretBasic(task.secret);
    case 'client_secret_post': return client.ClientSecretPost(task.secret);
    case 'client_secret_jwt': return client.ClientSecretJwt(task.secret, options);
    case 'private_key_jwt': return client.PrivateKeyJwt(await privateKey(task.key), options);
    default: return client.TlsClientAuth();
  }
}

await serve(async (setup, task) => {
  const fetch = connection(setup, task);
  try {
    const metadata = { use_mtls_endpoint_aliases: Boolean(task.certificate) };
    const config = await client.discovery(
      new URL(setup.issuer), task.client_id, metadata, await authentication(task),
      {
        algorithm: 'oauth2',
        [client.customFetch]: fetch,
        execute: setup.ca ? [] : [client.allowInsecureRequests],
      },
    );
    const DPoP = task.dpop
      ? client.getDPoPHandle(config, await client.randomDPoPKeyPair(task.dpop)) : undefined;
    const token = await client.clientCredentialsGrant(config, task.parameters, { DPoP });
    const answer = { token, token_requests: fetch.token_requests };
    if (task.revoke) {
      answer.before = await client.tokenIntrospection(config, token.access_token);
      await client.tokenRevocation(config, token.access_token);
      answer.after = await client.tokenIntrospection(config, token.access_token);
    }
    return answer;
  } finally {
    await fetch.close();
  }
});
