// Fills in the built form in headless Chromium as a person would, and prints what it yields.
//
//   node test/fill.mjs < task.json
//
// The task: {"site": DIRECTORY, "schema": FILE, "answers": [[LABEL, TEXT], …], "screenshot": FILE?, "chromium": PATH?}.
// A text that is an object {"choose": OPTION} chooses from a list, {"press": true} presses a button or a choice.
// The answer, one line: {"profile": {…}, "refusal": [what the empty form says], "problems": [what axe finds],
// "complaints": [errors on the console]}.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { text } from 'node:stream/consumers';

import { chromium } from 'playwright-core';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' };
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The built form and the schema, on loopback. */
async function serve({ site, schema }) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname);
    const file = path === '/schema.json' ? schema : join(site, path === '/' ? 'index.html' : path);
    try {
      const content = await readFile(file);
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  return server;
}

async function answer(page, [label, how]) {
  const group = label.split(' > ');
  const where = group.slice(0, -1).reduce((at, name) => at.getByRole('group', { name }), page);
  const name = group.at(-1);
  if (typeof how === 'string') return where.getByLabel(name).first().fill(how);
  if (how.choose) return where.getByLabel(name).first().selectOption({ label: how.choose });
  return where.getByText(name).first().click();
}

/** What axe finds against WCAG 2.2 AA. */
async function problems(page) {
  await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') });
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const { violations } = await page.evaluate((tags) => globalThis.axe.run({ runOnly: tags }), tags);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ').slice(0, 400)}`);
}

const task = JSON.parse(await text(process.stdin));
const server = await serve(task);
const user = await mkdtemp(join(tmpdir(), 'm2m-react-form-'));
const options = { executablePath: task.chromium ?? '/usr/bin/chromium', args: FLAGS, viewport: { width: 900, height: 1200 } };
const browser = await chromium.launchPersistentContext(user, options);
try {
  const origin = `http://127.0.0.1:${server.address().port}`;
  await browser.grantPermissions(['clipboard-read', 'clipboard-write'], { origin });
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  const complaints = [];
  // That an empty form is not valid is no complaint.
  const isOne = (line) => line.type() === 'error' && !line.text().startsWith('Form validation failed');
  page.on('console', (line) => isOne(line) && complaints.push(line.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${origin}/`);
  await page.getByRole('heading', { name: 'm2m profile' }).waitFor();
  const found = await problems(page);

  // A person who presses the button first is told what is needed.
  const copy = page.getByRole('button', { name: 'Copy as m2m profile' });
  await copy.click();
  const refusal = await page.getByRole('alert').locator('li').allTextContents();
  found.push(...(await problems(page)));

  for (const one of task.answers) await answer(page, one);
  if (task.screenshot) await page.screenshot({ path: task.screenshot, fullPage: true });
  found.push(...(await problems(page)));
  await copy.click();
  const shown = await page.getByRole('region', { name: 'Profile as JSON' }).textContent();
  const clipboard = await page.evaluate(() => navigator.clipboard.readText());
  if (clipboard !== shown) throw new Error(`on the clipboard is ${clipboard}, on the page ${shown}`);
  console.log(JSON.stringify({ profile: JSON.parse(clipboard), problems: [...new Set(found)], refusal, complaints }));
} finally {
  await browser.close();
  server.close();
  await rm(user, { recursive: true, force: true });
}
