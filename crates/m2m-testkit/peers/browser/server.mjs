// Journeys through the server console. The task names one: `mouse`, `keyboard`, `plain` (no JavaScript), `instances`
// or `hostile`; `issuer` is the server, `admin` its administrator (`id`, `secret`).

import { canaryIn, journey, tabTo, task } from './browser.mjs';

const at = (page) => `${task.issuer}/console/${page}`;
const query = (id) => `?id=${encodeURIComponent(id)}`;

/** What was shown once must not come again: watches every answer from now on. */
function watch(page, secret) {
  const seen = [];
  page.on('response', (answer) => {
    const body = answer.text().catch(() => '');
    seen.push(body.then((text) => (`${answer.url()} ${JSON.stringify(answer.headers())} ${text}`.includes(secret) ? answer.url() : '')));
  });
  return async () => (await Promise.all(seen)).filter(Boolean);
}

async function signIn(page, secret = task.admin.secret) {
  await page.goto(at(''));
  await page.fill('#client_id', task.admin.id);
  await page.fill('#client_secret', secret);
  await page.click('main form button');
}

const title = async (page) => (await page.locator('h1').innerText()).trim();

async function expectTitle(page, wanted) {
  const found = await title(page);
  if (found !== wanted) throw new Error(`at ${page.url()}: ${found}, not ${wanted}: ${(await page.locator('main').innerText()).slice(0, 600)}`);
}

async function addApi(page, identifier, scopes) {
  await page.goto(at('apis/add'));
  await page.fill('#identifier', identifier);
  await page.fill('#scopes', scopes);
  await page.click('main form button');
  await expectTitle(page, identifier);
}

async function addClient(page, id, scopes, look) {
  await page.goto(at('clients/add'));
  await page.fill('#id', id);
  if (look) await look('client-add');
  for (const scope of scopes) await page.getByLabel(scope, { exact: true }).check();
  await page.click('main form button:has-text("Add")');
  await expectTitle(page, id);
}

/** Adds a credential with a secret, and answers with it. */
async function addCredential(page, client, label, look) {
  await page.goto(at(`client/credentials/add${query(client)}`));
  await page.fill('#label', label);
  if (look) await look('credential-add');
  await page.click('main form button:has-text("Add")');
  await expectTitle(page, 'A credential is made');
  if (look) await look('credential-made');
  return (await page.locator('#secret').innerText()).trim();
}

/** Types the name that a page asks for, and goes on. */
async function confirm(page, name) {
  await page.fill('#name', name);
  await page.click('main form button');
}

async function mouse({ page, context, look }) {
  const result = {};
  await page.goto(at('client?id=shop'));
  await look('sign-in');
  await page.fill('#client_id', task.admin.id);
  await page.fill('#client_secret', 'wrong');
  await page.click('main form button');
  await look('sign-in-wrong');
  result.typedBack = await page.inputValue('#client_secret');
  await page.fill('#client_secret', task.admin.secret);
  await page.click('main form button');
  result.ledBack = page.url();
  await look('not-there');
  await page.click('text=Overview >> nth=0');
  await look('overview');
  await page.click('nav >> text=APIs');
  await look('apis');
  await page.click('text=Add an API >> nth=0');
  await page.fill('#identifier', 'not an identifier');
  await page.fill('#lifetime', 'soon');
  await page.click('main form button');
  await look('api-add-wrong');
  await addApi(page, 'https://shop.example', 'shop:read read the shop\nshop:write change the shop');
  await look('api');
  await page.click('.actions >> text=Change');
  await look('api-change');
  await addClient(page, 'shop', ['shop:read', 'shop:write'], look);
  await look('client-empty');
  const first = await addCredential(page, 'shop', 'eu-1', look);
  const leaks = watch(page, first);
  await page.click('text=Go on');
  const second = await addCredential(page, 'shop', 'eu-2');
  await page.click('text=Go on');
  for (let call = 0; call < 120; call += 1) await token('shop', second);
  await token('shop', 'wrong').catch(() => {});
  await look('client');
  await page.click('td >> text=eu-1');
  await look('credential');
  await page.click('text=Rotate');
  await look('credential-rotate');
  await page.click('main form button:has-text("Rotate")');
  await look('credential-rotated');
  const next = (await page.locator('#secret').innerText()).trim();
  result.rotated = next !== first;
  const leaksOfNext = watch(page, next);
  await page.click('text=Go on');
  await look('client-rotating');
  await page.goto(at('client?id=shop'));
  await page.click('td >> text=being replaced >> xpath=../../td[1]//a');
  await look('credential-replaced');
  await page.click('text=Revoke >> nth=0');
  await look('credential-revoke');
  await confirm(page, 'eu-2');
  await look('credential-revoke-mistyped');
  await confirm(page, 'eu-1');
  await expectTitle(page, 'The credential eu-1 is revoked');
  await look('credential-revoked');
  result.bound = await page.locator('.notice.good').innerText();
  await page.goto(at('client/change?id=shop'));
  await look('client-change');
  // Somebody else saves first.
  const other = await context.newPage();
  await other.goto(at('client/change?id=shop'));
  await other.fill('#owner', 'team-shop');
  await other.click('main form button:has-text("Save")');
  await other.close();
  await page.fill('#owner', 'team-money');
  await page.click('main form button:has-text("Save")');
  await look('outdated');
  result.outdated = await page.locator('main').innerText();
  await page.goto(at('client/disable?id=shop'));
  await look('client-disable');
  await page.click('main form button');
  await look('client-disabled');
  await page.goto(at('clients'));
  await look('clients');
  await page.goto(at('issuers'));
  await look('issuers-empty');
  await page.goto(at('issuers/add'));
  await look('issuer-add');
  await page.fill('#id', 'github');
  await page.fill('#named', 'https://token.actions.githubusercontent.com');
  await page.check('input[value=jwks_url]');
  await page.fill('#jwks_url', 'https://token.actions.githubusercontent.com/.well-known/jwks');
  await page.fill('#conditions', 'repository_owner=acme');
  await page.click('main form button:has-text("Trust")');
  await expectTitle(page, 'github');
  await look('issuer');
  await page.goto(at('issuers/explain'));
  await page.fill('#token', platformToken());
  await page.click('main form button');
  await look('issuer-explained');
  result.explained = await page.locator('main').innerText();
  result.tokenBack = (await page.content()).includes(platformToken());
  for (const name of ['issuers', 'keys', 'keys/roll', 'keys/emergency', 'tokens', 'audit', 'audit?since=soon', 'nowhere']) {
    await page.goto(at(name));
    await look(name.replaceAll(/[/?=]/g, '-'));
  }
  await page.goto(at('client/delete?id=shop'));
  await look('client-delete');
  await confirm(page, 'shop');
  await look('clients-deleted');
  await page.goto(at(''));
  await look('overview-after');
  result.leaksOfSecrets = [...(await leaks()), ...(await leaksOfNext())];
  result.kept = await canaryIn(page);
  await page.click('text=Sign out');
  await look('signed-out');
  await page.goto(at('clients'));
  result.afterSignOut = await title(page);
  return result;
}

/** A token of the platform that is trusted, which nobody signed. */
function platformToken() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'https://token.actions.githubusercontent.com', sub: 'repo:acme/app', aud: task.issuer, exp: 4e9, iat: now - (now % 86400), repository_owner: 'evil' };
  return `${part({ alg: 'RS256', kid: 'k', typ: 'JWT' })}.${part(claims)}.${Buffer.from('signature').toString('base64url')}`;
}

/** A token of a client, as a program asks for it. */
async function token(client, secret) {
  const headers = { authorization: `Basic ${btoa(`${client}:${secret}`)}`, 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await fetch(`${task.issuer}/oauth2/token`, { method: 'POST', headers, body: 'grant_type=client_credentials' });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()).access_token;
}

/** By the keyboard alone: sign in, find a client, revoke one of its credentials. */
async function keyboard({ page, look }) {
  await page.goto(at(''));
  const go = async (locator, key = 'Enter') => {
    await tabTo(page, locator);
    await page.keyboard.press(key);
    if (key === 'Enter') await page.waitForLoadState();
  };
  await tabTo(page, page.locator('#client_id'));
  await page.keyboard.type(task.admin.id);
  await tabTo(page, page.locator('#client_secret'));
  await page.keyboard.type(task.admin.secret);
  await page.keyboard.press('Enter');
  await page.waitForURL(at(''));
  await go(page.locator('.skip'));
  await tabTo(page, page.locator('nav a:has-text("Clients")'));
  await page.keyboard.press('Enter');
  await page.waitForURL(at('clients'));
  await tabTo(page, page.locator('#find'));
  await page.keyboard.type('dem');
  await page.keyboard.press('Enter');
  await page.waitForURL(/find=dem/);
  await look('keyboard-found');
  await go(page.locator('td a:has-text("demo")'));
  await page.waitForURL(/client\?id=demo/);
  await go(page.locator('td a:has-text("dev")'));
  await page.waitForURL(/credential\?id=/);
  await go(page.locator('.actions a:has-text("Revoke")'));
  await page.waitForURL(/revoke/);
  await tabTo(page, page.locator('#name'));
  await page.keyboard.type('not it');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]');
  const focused = await page.evaluate(() => document.activeElement.getAttribute('role'));
  await tabTo(page, page.locator('#name'));
  await page.keyboard.press('Control+A');
  await page.keyboard.type('dev');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.notice.good');
  return { focused, title: await title(page) };
}

/** Without JavaScript the same forms do the same. */
async function plain({ page, look }) {
  await signIn(page);
  await addApi(page, 'https://plain.example', 'plain:read');
  await addClient(page, 'plain', ['plain:read']);
  await look('plain-client');
  const secret = await addCredential(page, 'plain', 'one');
  await look('plain-made');
  await page.goto(at('client/credentials/add?id=plain'));
  await page.fill('#label', 'two');
  await page.check('input[value=private_key_jwt]');
  await page.fill('#keys', 'not a key');
  await page.click('main form button:has-text("Add")');
  const wrong = await page.locator('#keys-wrong').innerText();
  await page.goto(at('clients?find=plai&sort=id&down=1'));
  await page.click('td >> text=plain');
  await page.click('td >> text=one');
  await page.click('.actions >> text=Revoke');
  await confirm(page, 'one');
  const done = await title(page);
  await page.goto(at('client/delete?id=plain'));
  await confirm(page, 'plain');
  await page.goto(at('audit?client_id=plain'));
  const audit = await page.locator('tbody').innerText();
  await page.click('text=Sign out');
  return { secret: secret.length > 40, wrong, done, audit, out: await page.locator('.notice').innerText() };
}

/** Two instances of a client call an API; one is withdrawn here, and its next call is refused. */
async function instances({ page }) {
  await signIn(page);
  await addClient(page, 'shop', ['orders:read']);
  const tokens = [];
  for (const label of ['eu-1', 'eu-2']) tokens.push(await token('shop', await addCredential(page, 'shop', label)));
  const call = async () => {
    const answers = tokens.map((bearer) => fetch(`${task.gateway}/livez`, { headers: { authorization: `Bearer ${bearer}` } }));
    return (await Promise.all(answers)).map((answer) => answer.status);
  };
  const before = await call();
  await page.goto(at('client?id=shop'));
  await page.click('td >> text=eu-1');
  await page.click('.actions >> text=Revoke');
  await page.fill('#name', 'eu-1');
  await page.click('main form button');
  await expectTitle(page, 'The credential eu-1 is revoked');
  return { before, after: await call() };
}

const HOSTILE = '<script>document.title="taken"</script><img src=x onerror=alert(1)>\u202edekcah"\'&';

/** Names that somebody chose to do harm are shown, and do none. */
async function hostile({ page, look }) {
  await signIn(page);
  const long = 'W'.repeat(480);
  const api = `https://long.example/${long}`;
  await addApi(page, api, `${'s'.repeat(200)} ${HOSTILE}\nshort ${'d'.repeat(1000)}`);
  await look('hostile-api');
  const fields = { '#id': 'evil', '#name': HOSTILE, '#owner': 'W'.repeat(250), '#purpose': `${HOSTILE} ${'W'.repeat(800)}` };
  await page.goto(at('clients/add'));
  for (const [field, value] of Object.entries(fields)) await page.fill(field, value);
  await page.getByLabel('short', { exact: true }).check();
  await look('hostile-form');
  await page.click('main form button:has-text("Add")');
  await expectTitle(page, 'evil');
  await addCredential(page, 'evil', HOSTILE, look);
  await addCredential(page, 'evil', 'L'.repeat(250));
  for (const name of ['client?id=evil', 'client/change?id=evil', 'clients', 'apis', 'audit', 'audit?client_id=' + encodeURIComponent(HOSTILE), 'nowhere?x=<script>']) {
    await page.goto(at(name));
    await look(`hostile-${name.replaceAll(/[^a-z]/g, '-').slice(0, 30)}`);
  }
  await page.goto(at('client?id=evil'));
  await page.click('td a >> nth=0');
  await look('hostile-credential');
  await page.click('.actions >> text=Revoke');
  await look('hostile-revoke');
  await page.goto(at('clients/add'));
  await page.fill('#id', 'x');
  await page.fill('#purpose', 'x'.repeat(10_000));
  await page.click('main form button:has-text("Add")');
  await look('hostile-too-long');
  const told = await page.locator('#purpose-wrong').innerText();
  return { told, title: await page.title(), scripts: await page.locator('script').count(), images: await page.locator('img').count() };
}

const journeys = { mouse, keyboard, plain, instances, hostile };
await journey(journeys[task.journey], { javaScript: task.journey !== 'plain' });
