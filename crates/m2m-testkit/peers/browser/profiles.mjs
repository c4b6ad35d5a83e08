// Journeys through the console of profiles (`m2m console`). The task says which: `walk`, with `start` (the address that
// lets one in) and what to type.

import { canaryIn, journey, tabTo, task } from './browser.mjs';

/** Types into the field of that id, reached by Tab. */
async function type(page, id, text) {
  await tabTo(page, page.locator(`[id="${id}"]`));
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type(text);
}

/** Chooses one of a group of radio buttons by Tab and arrow keys. */
async function choose(page, name, value) {
  await tabTo(page, page.locator(`input[name="${name}"]:checked`));
  for (let step = 0; step < 20; step += 1) {
    if (await page.locator(`input[name="${name}"][value="${value}"]`).isChecked()) return;
    await page.keyboard.press('ArrowDown');
  }
  throw new Error(`${name} has no ${value}`);
}

/** Opens a closed part by its summary. */
async function open(page, summary) {
  const target = page.locator('summary', { hasText: summary });
  await tabTo(page, target);
  if (!(await target.first().evaluate((element) => element.parentElement.open))) await page.keyboard.press('Enter');
}

async function press(page, name) {
  await tabTo(page, page.getByRole('button', { name, exact: true }));
  await page.keyboard.press('Enter');
  await page.waitForLoadState();
}

/** Copies a form by its button, and reads what is in the clipboard. */
async function copied(page, form, label) {
  await choose(page, 'copy', form);
  await press(page, `Copy ${label}`);
  await page.getByText('Copied').waitFor();
  return page.evaluate(() => navigator.clipboard.readText());
}

const walks = {
  /** By keyboard alone: an Auth0 profile is made, tested and copied. */
  async keyboard({ page, context, look }) {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const visited = [];
    page.on('framenavigated', (frame) => visited.push(new URL(frame.url()).pathname));
    await page.goto(task.start);
    await look('profiles-start');
    await type(page, 'provider', 'auth0');
    await tabTo(page, page.locator('#providers a:visible', { hasText: /^Auth0$/ }));
    await page.keyboard.press('Enter');
    await page.waitForURL('**/new?**');
    await look('profiles-form');
    await type(page, 'var-domain', task.domain);
    await type(page, 'client_id', task.client);
    await choose(page, 'client_secret-place', 'file');
    await type(page, 'client_secret-file', task.secret_file);
    await type(page, 'audience', task.audience);
    await open(page, 'Advanced');
    await type(page, 'ca_file', task.ca_file);
    await type(page, 'name', 'orders');
    await look('profiles-form-filled');
    await press(page, 'Save and test');
    await page.waitForURL('**/result?**');
    await look('profiles-result');
    const copies = {};
    for (const [form, label] of task.forms) copies[form] = await copied(page, form, label);
    await look('profiles-copy');
    return { copies, said: await page.locator('main').innerText(), visited, url: page.url() };
  },

  /** By mouse: an issuer whose metadata fill the form, a pasted secret that nobody sees again, edits, removal. */
  async mouse({ page, look }) {
    const leaks = [];
    const clean = async (where) => (await canaryIn(page)) && leaks.push(where);
    await page.goto(task.start);
    await page.getByLabel('Issuer or token URL').fill(task.issuer);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('What its metadata say').waitFor();
    await look('profiles-issuer');
    const metadata = await page.locator('main').innerText();
    await page.getByLabel('Name', { exact: true }).fill('a b');
    await page.getByLabel('Client ID').fill('demo');
    await page.locator('#name-wrong', { hasText: 'letters, digits' }).waitFor();
    await page.getByLabel('Name', { exact: true }).fill('orders');
    // What belongs to a method comes and goes with it.
    await page.locator('[value="private_key_jwt"]').check();
    await page.locator('#key_id').waitFor({ state: 'visible' });
    await page.locator('#client_secret').waitFor({ state: 'hidden' });
    await look('profiles-key-filled');
    await page.locator('[value="client_secret_basic"]').check();
    await page.locator('#key_id').waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Save and test' }).click();
    // The summary takes the focus and leads to the field.
    await page.locator('.notice.bad:focus').waitFor();
    await look('profiles-problems');
    await page.locator('#client_secret-place-typed').check();
    await page.locator('#client_secret-box').fill(task.canary);
    await page.getByLabel('Scopes').fill('orders:read orders:write');
    const chips = await page.locator('.chips button').allInnerTexts();
    await page.getByRole('button', { name: 'Test', exact: true }).last().click();
    await page.waitForURL('**/result?**');
    await clean('result of a test');
    const unsaved = await page.locator('main').innerText();
    await look('profiles-unsaved');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('Saved as orders').waitFor();
    await clean('result of saving');
    const saved = await page.locator('main').innerText();
    await page.getByRole('link', { name: 'Change' }).click();
    await clean('form of a kept secret');
    await page.locator('[data-stale]').waitFor({ state: 'hidden' });
    await page.getByLabel('Scopes').fill('orders:read');
    await page.locator('[data-stale]').waitFor({ state: 'visible' });
    await look('profiles-change');
    await page.getByRole('button', { name: 'Save', exact: true }).last().click();
    await page.getByText('Out of date').waitFor();
    await page.getByRole('button', { name: 'Test', exact: true }).click();
    await page.getByText('A token came').waitFor();
    await clean('result of a kept secret');
    const again = await page.locator('main').innerText();
    await page.getByRole('link', { name: 'Profiles' }).click();
    await look('profiles-list');
    await clean('start');
    const list = await page.locator('main').innerText();
    await page.getByRole('link', { name: 'orders', exact: true }).click();
    await page.getByRole('link', { name: 'Remove' }).click();
    await look('profiles-remove');
    await page.getByLabel('Its name').fill('other');
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByText('Another name was typed').first().waitFor();
    const refused = await page.locator('main').innerText();
    if (task.remove) {
      await page.getByLabel('Its name').fill('orders');
      await page.getByRole('button', { name: 'Remove' }).click();
      await page.getByText('is no longer in').waitFor();
    }
    return { metadata, chips, unsaved, saved, again, list, refused, seen: leaks };
  },

  /** Without JavaScript: the same steps by forms and links alone. */
  async plain({ page, look }) {
    await page.goto(task.start);
    await look('plain-start');
    await page.locator('#provider').fill('auth0');
    await page.getByRole('button', { name: 'Find' }).click();
    const offered = await page.locator('#providers li').allInnerTexts();
    await page.getByRole('link', { name: 'Auth0' }).first().click();
    await look('plain-form');
    await page.locator('[name="var-domain"]').fill(task.domain);
    await page.locator('#client_id').fill(task.client);
    await page.locator('#client_secret-place-file').check();
    await page.locator('#client_secret-file').fill(task.secret_file);
    await page.locator('summary', { hasText: 'Advanced' }).click();
    await page.locator('#ca_file').fill(task.ca_file);
    await page.locator('#name').fill('orders');
    await page.getByRole('button', { name: 'Test', exact: true }).last().click();
    const wrong = await page.locator('main').innerText();
    await look('plain-problems');
    await page.locator('#audience').fill(task.audience);
    await page.getByRole('button', { name: 'Test', exact: true }).last().click();
    const tested = await page.locator('main').innerText();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await look('plain-result');
    await page.locator('.tab', { hasText: 'TOML' }).click();
    const toml = await page.locator('#text-toml').innerText();
    const shown = await page.locator('.panel:visible').count();
    return { offered, wrong, tested, toml, shown, saved: await page.locator('main').innerText() };
  },

  /** Servers that answer oddly: each is asked once. */
  async odd({ page, look }) {
    const said = {};
    let first = true;
    await page.goto(task.start);
    for (const name of task.odd) {
      const url = new URL('./new', page.url());
      url.search = new URLSearchParams({ url: `${task.server}/${name}`, kind: 'token_url' });
      await page.goto(url.href);
      await page.getByLabel('Client ID').fill('svc');
      await page.locator('#client_secret-place-typed').check();
      await page.locator('#client_secret-box').fill(task.canary);
      await page.locator('summary', { hasText: 'Advanced' }).click();
      await page.getByLabel('Timeout').first().fill('1s');
      await page.getByLabel('Name', { exact: true }).fill(`odd-${name}`);
      await page.getByRole('button', { name: 'Test', exact: true }).last().click();
      await page.waitForURL('**/result?**');
      if (await canaryIn(page)) throw new Error(`${name} shows the secret`);
      if (await page.evaluate(() => 'pwned' in globalThis)) throw new Error(`${name} ran its script`);
      said[name] = await page.locator('main').innerText();
      if (first || name === 'markup') await look(`profiles-odd-${name}`);
      first = false;
    }
    return { said };
  },

  /** Names of profiles that nobody should have. */
  async names({ page, look }) {
    await page.goto(new URL('./', task.start).href);
    await look('profiles-stranger');
    await page.goto(task.start);
    await look('profiles-names');
    const listed = await page.locator('main').innerText();
    const links = await page.locator('tbody a').count();
    await page.locator('tbody a').first().click();
    await look('profiles-name');
    const pwned = await page.evaluate(() => 'pwned' in globalThis);
    return { listed, links, pwned };
  },
};

await journey(walks[task.walk], { javaScript: task.javaScript ?? true });
