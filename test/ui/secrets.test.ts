/** Secrets in the console: what is sent, what is refused before it is sent, and what stays in the page: no value. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsolePages, serveConsole } from '../support/console-pages.ts';
import { type Asked, launchBrowser, openConsole, problem } from './console.ts';
import * as f from './fixtures.ts';

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
const changes = (asked: readonly Asked[]): Asked[] =>
  asked.filter((one) => one.path.startsWith('/api/v1/secrets/') && one.method !== 'GET');
const settings = (more: Parameters<typeof openConsole>[2] = {}) =>
  openConsole(browser, pages, { hash: '#/settings', ...more });

describe('who administers', () => {
  it('adds a secret by keyboard, after the mistakes are mended; its value is sent once and is nowhere in the page', async () => {
    const { page, asked, troubles, close } = await settings();
    await page.getByRole('button', { name: 'Add a secret…' }).click();
    const dialog = page.getByRole('dialog');
    await page.keyboard.type('9-lives');
    await page.keyboard.press('Enter');
    await dialog.getByText('it does not begin with a digit').waitFor();
    await dialog.getByText('a shorter value could not be kept out').waitFor();
    expect(changes(asked)).toEqual([]);
    await dialog.getByLabel('Name').fill('SHORE_TOKEN');
    const value = dialog.getByLabel('Value', { exact: true });
    expect(await value.getAttribute('type')).toBe('password');
    await value.fill('correct horse');
    await dialog.getByLabel('What is it for').fill('the shore station');
    await page.keyboard.press('Enter');
    await page.getByText('SHORE_TOKEN is saved.').waitFor();
    const [put] = changes(asked);
    expect([put?.method, put?.path]).toEqual(['PUT', '/api/v1/secrets/SHORE_TOKEN']);
    expect(JSON.parse(put!.body!.toString())).toEqual({ value: 'correct horse', description: 'the shore station' });
    expect(put?.headers['idempotency-key']).toBeTruthy();
    const left = await page.evaluate(() => [
      document.documentElement.outerHTML,
      ...[...document.querySelectorAll('input,textarea')].map((one) => (one as HTMLInputElement).value),
      JSON.stringify({ ...localStorage, ...sessionStorage }),
    ]);
    expect(left.join('\n')).not.toContain('correct horse');
    expect(troubles).toEqual([]);
    await close();
  });

  it('gives a new value of several lines, and keeps all of them', async () => {
    const { page, asked, close } = await settings();
    await page.getByRole('button', { name: 'New value for DB_PASSWORD' }).click();
    await page.getByText('what runs keeps the one it was given').waitFor();
    await page.getByRole('radio', { name: /Several lines/ }).check();
    await page.getByLabel('Value', { exact: true }).fill('-----BEGIN-----\nabc\n-----END-----\n');
    await page.getByRole('button', { name: 'Replace the value' }).click();
    await page.getByText('DB_PASSWORD has a new value.').waitFor();
    expect(JSON.parse(changes(asked)[0]!.body!.toString()).value).toBe('-----BEGIN-----\nabc\n-----END-----\n');
    await close();
  });

  it('does not overwrite a secret that is there by adding one, and reads what the node refuses', async () => {
    const { page, asked, close } = await settings({
      answer: ({ method, path }) =>
        method === 'PUT' && path.startsWith('/api/v1/secrets/')
          ? problem(503, 'node_unreachable', 'borea stands by and did not take the key of the secrets yet.', 'Wait.')
          : null,
    });
    await page.getByRole('button', { name: 'Add a secret…' }).click();
    await page.getByLabel('Name').fill('DB_PASSWORD');
    await page.getByLabel('Value', { exact: true }).fill('correct horse');
    await page.keyboard.press('Enter');
    await page.getByText('There is a secret DB_PASSWORD already').waitFor();
    expect(changes(asked)).toEqual([]);
    await page.getByLabel('Name').fill('OTHER');
    await page.keyboard.press('Enter');
    await page.getByText('did not take the key of the secrets yet').waitFor();
    await close();
  });

  it('removes one only after the danger was said and its name typed', async () => {
    const { page, asked, close } = await settings();
    await page.getByRole('button', { name: 'Remove DB_PASSWORD' }).click();
    await page.getByText('r-8f2c names it: what of it has not begun will fail.').waitFor();
    await page.getByLabel('What you type').fill('DB');
    await page.keyboard.press('Enter');
    await page.getByText('These are other words. Type: DB_PASSWORD').waitFor();
    expect(changes(asked)).toEqual([]);
    await page.getByLabel('What you type').fill('DB_PASSWORD');
    await page.keyboard.press('Enter');
    await page.getByText('DB_PASSWORD was removed.').waitFor();
    expect(changes(asked).map(({ method, path }) => [method, path])).toEqual([
      ['DELETE', '/api/v1/secrets/DB_PASSWORD'],
    ]);
    await close();
  });
});

describe('who operates', () => {
  it('sees names and what they are for, and can change none', async () => {
    const session = { ...f.session, role: 'operator', may: { change: true, launch: true, administer: false } };
    const { page, close } = await settings({
      answer: ({ path }) => (path === '/api/v1/session' ? { json: session } : null),
    });
    await page.getByText('The measuring database on quay-1').waitFor();
    expect(await page.getByRole('button', { name: /secret|New value|Remove/ }).count()).toBe(0);
    await close();
  });

  it('cannot launch what lacks a secret, and is told which', async () => {
    const form = { ...f.launchForm, secrets: [{ name: 'FRAME_KEY', known: false }] };
    const { page, close } = await openConsole(browser, pages, {
      hash: '#/launch/ingest/jobs/nightly.job.yaml',
      answer: ({ path }) => (path.endsWith('/launch-form') ? { json: form } : null),
    });
    await page.getByText('is not there: an administrator saves it in Settings.').waitFor();
    const button = page.getByRole('button', { name: 'Launch' });
    expect([await button.isDisabled(), await button.getAttribute('title')]).toEqual([
      true,
      'There is no secret FRAME_KEY.',
    ]);
    await close();
  });

  it('is warned in the editor of a secret that is not there; the file has no mistake', async () => {
    const warnings = [
      { path: 'secrets[0]', line: 2, column: 11, sentence: 'There is no secret FRAME_KEY.', hint: 'Save it first.' },
    ];
    const { page, close } = await openConsole(browser, pages, {
      hash: '#/sandboxes/ingest/jobs?file=nightly.job.yaml&view=edit',
      answer: ({ path }) => (path.endsWith('/checks') ? { json: { ...f.goodCheck, warnings } } : null),
    });
    await page.getByRole('group', { name: '1 warning' }).getByText('There is no secret FRAME_KEY.').waitFor();
    await page.getByText('no mistakes').first().waitFor();
    await close();
  });

  it('sees which secrets a task is given, beside its output', async () => {
    const { page, close } = await openConsole(browser, pages, { hash: '#/runs/r-8f2c?task=load-3' });
    await page.getByText('It is given 1 secret: DB_PASSWORD.').waitFor();
    await close();
  });
});
