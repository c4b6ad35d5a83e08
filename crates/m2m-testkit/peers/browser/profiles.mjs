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
};

await journey(walks[task.walk], { javaScript: task.javaScript ?? true });
