/** Every screen, dark and light, wide and small: accessible, inside its policy, never wider than the window. */
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsolePages, serveConsole } from '../support/console-pages.ts';
import { launchBrowser, openConsole, problem } from './console.ts';

let browser: Browser;
let pages: ConsolePages;
beforeAll(async () => {
  pages = await serveConsole();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await pages?.close();
});

const screens: { name: string; hash: string; shows: string; press?: string; out?: true }[] = [
  { name: 'overview', hash: '#/', shows: 'Running and latest' },
  { name: 'nodes', hash: '#/nodes', shows: 'Memory free' },
  { name: 'folder', hash: '#/sandboxes/ingest/jobs', shows: 'nightly.job.yaml' },
  { name: 'empty folder', hash: '#/sandboxes/reports', shows: 'This folder is empty' },
  { name: 'job file', hash: '#/sandboxes/ingest/jobs?file=nightly.job.yaml', shows: 'Where would it run?' },
  { name: 'wrong job file', hash: '#/sandboxes/ingest/jobs?file=legacy.job.yaml', shows: 'Did you mean' },
  {
    name: 'table',
    hash: '#/sandboxes/ingest/jobs?file=results-of-a-very-long-measurement-with-a-name-nobody-should-give.csv',
    shows: 'mean, of all',
  },
  { name: 'history', hash: '#/sandboxes/ingest/jobs?file=nightly.job.yaml&view=history', shows: 'Version 5' },
  { name: 'editor', hash: '#/sandboxes/ingest/jobs?file=legacy.job.yaml&view=edit', shows: '1 mistake' },
  { name: 'trash', hash: '#/sandboxes/ingest?view=trash', shows: 'jobs/old.sh' },
  { name: 'launch form', hash: '#/launch/ingest/jobs/nightly.job.yaml', shows: 'Try only' },
  { name: 'runs', hash: '#/runs', shows: 'r-8f22' },
  { name: 'run', hash: '#/runs/r-8f2c?task=load-3', shows: 'psql: error' },
  { name: 'settings', hash: '#/settings', shows: 'nightly import on quay-2' },
  { name: 'sign-in', hash: '#/', shows: 'Password', out: true },
  { name: 'palette', hash: '#/', shows: 'Keyboard help', press: 'Control+k' },
  { name: 'keyboard help', hash: '#/', shows: 'What can be done', press: '?' },
];
const looks = [
  { theme: 'dark', width: 1440, height: 900 },
  { theme: 'light', width: 1024, height: 700 },
] as const;

describe.each(looks)('in $theme at $width × $height', (look) => {
  it.each(screens)('the $name is accessible, keeps to the policy and fits', async (screen) => {
    const answer = screen.out
      ? (asked: { path: string }) =>
          asked.path === '/api/v1/session' ? problem(401, 'sign_in_needed', 'Sign in first', 'Sign in.') : null
      : undefined;
    const it = await openConsole(browser, pages, { hash: screen.hash, ...look, ...(answer ? { answer } : {}) });
    if (screen.press) {
      await it.page.getByRole('heading', { level: 1 }).waitFor();
      await it.page.keyboard.press(screen.press);
    }
    await it.page.getByText(screen.shows).first().waitFor();
    const found = await new AxeBuilder({ page: it.page })
      .setLegacyMode(true)
      .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
      .analyze();
    expect(
      found.violations.map((one) => ({
        id: one.id,
        at: one.nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`),
      })),
    ).toEqual([]);
    expect(it.troubles).toEqual([]);
    expect(await it.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await it.close();
  });
});
