// A headless Chromium and what is asked of every page. A journey (one file each) reads a task from standard input,
// walks through pages as a person would, and prints one line of JSON.
//
// Every page that a journey looks at ([`look`]) is measured in both themes and at 320 px: axe (WCAG 2.2 AA), its
// weight, its round trips, what the browser complains of, and whether it overflows.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { chromium } from 'playwright-core';

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
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
// Evaluated, not loaded: the page's policy stays in force.
const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The task of this run. */
export const task = JSON.parse(await text(process.stdin));

/**
 * Runs a journey in a browser of its own. `javaScript: false` switches scripts off.
 *
 * `walk` gets `{ page, context, look, found }`; what it returns is printed together with what was found.
 */
export async function journey(walk, { javaScript = true } = {}) {
  const user = await mkdtemp(join(tmpdir(), 'm2m-browser-'));
  const context = await chromium.launchPersistentContext(user, {
    executablePath: task.chromium ?? '/usr/bin/chromium',
    args: FLAGS,
    viewport: { width: 1100, height: 900 },
    javaScriptEnabled: javaScript,
    reducedMotion: 'reduce', // colours in the middle of a transition are no finding
  });
  const found = { problems: [], complaints: [], pages: [], answers: [] };
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const said = (line) => line.type() === 'error' && !/status of (4|5)\d\d/.test(line.text());
    page.on('console', (line) => said(line) && found.complaints.push(line.text()));
    page.on('pageerror', (error) => found.complaints.push(error.message));
    if (task.canary) page.on('response', (answer) => found.answers.push(leak(answer)));
    const look = (name, options) => measure(page, found, name, { javaScript, ...options });
    const result = await walk({ page, context, look, found });
    found.leaks = (await Promise.all(found.answers)).filter(Boolean);
    delete found.answers;
    console.log(JSON.stringify({ ...found, ...result }));
  } finally {
    await context.close();
    await rm(user, { recursive: true, force: true });
  }
}

/** Says where an answer holds the canary; looking never fails. */
async function leak(answer) {
  const headers = JSON.stringify(answer.headers());
  const body = await answer.text().catch(() => '');
  const url = answer.url();
  return [url, headers, body].some((text) => text.includes(task.canary)) ? `answer of ${url}` : '';
}

/** Whether the canary is in the page, in what the browser stores, or in its address. */
export async function canaryIn(page) {
  const state = await page.evaluate(() =>
    JSON.stringify([
      document.documentElement.outerHTML,
      document.cookie,
      { ...localStorage },
      { ...sessionStorage },
      location.href,
      document.body.innerText,
      Array.from(document.querySelectorAll('input, textarea'), (input) => input.value),
    ]),
  );
  return state.includes(task.canary);
}

async function measure(page, found, name, { javaScript, screenshot = task.screenshots }) {
  const size = page.viewportSize();
  const entry = { name, url: page.url() };
  if (javaScript) {
    // One answer is the page: nothing else was fetched for it.
    entry.requests = await page.evaluate(() => performance.getEntriesByType('resource').length);
    entry.bytes = await page.evaluate(() => performance.getEntriesByType('navigation')[0].decodedBodySize);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.evaluate(AXE);
      const { violations } = await page.evaluate((rules) => globalThis.axe.run({ runOnly: rules }), RULES);
      for (const { id, nodes } of violations) {
        found.problems.push(`${name}, ${colorScheme}, ${id}: ${nodes.map((node) => node.html).join(' ').slice(0, 600)}`);
      }
      if (screenshot) await page.screenshot({ path: join(screenshot, `${name}-${colorScheme}.png`), fullPage: true });
    }
    await page.emulateMedia({ colorScheme: 'light' });
  }
  await page.setViewportSize({ width: 320, height: 800 });
  entry.overflow = javaScript
    ? await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    : 0;
  if (entry.overflow) entry.wide = await page.evaluate(wide);
  if (screenshot) await page.screenshot({ path: join(screenshot, `${name}-narrow.png`), fullPage: true });
  await page.setViewportSize(size);
  found.pages.push(entry);
}

/** What reaches beyond the right edge. */
function wide() {
  const edge = document.documentElement.clientWidth;
  const reaches = (element) => element.getBoundingClientRect().right > edge;
  const outer = Array.from(document.querySelectorAll('main *')).filter(reaches);
  return outer.slice(0, 5).map((element) => element.outerHTML.slice(0, 160));
}

/** Goes to the element by Tab alone, as somebody without a mouse does; fails after 200 steps. */
export async function tabTo(page, locator) {
  const target = await locator.first().elementHandle();
  for (let step = 0; step < 200; step += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`the keyboard does not reach ${locator}`);
}
