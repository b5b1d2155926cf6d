/** Journeys by a person's goal, most of them by keyboard alone. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConsolePages, serveConsole } from '../support/console-pages.ts';
import { type Answer, type Asked, launchBrowser, openConsole, problem } from './console.ts';
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
const poll = expect.poll;
const sent = (asked: readonly Asked[], method: string, part: string): Asked[] =>
  asked.filter((one) => one.method === method && one.path.includes(part));
const bodyOf = (asked: Asked | undefined): unknown => JSON.parse(asked?.body?.toString() ?? 'null');

describe('who looks after job files', () => {
  it('goes to a wrong job file by keyboard, sees the line, mends it and saves over what was read', async () => {
    const { page, asked, troubles, close } = await openConsole(browser, pages, { hash: '#/sandboxes/ingest/jobs' });
    const grid = page.getByRole('grid');
    await page.getByText('Job · line 14: unknown task “spilt”').waitFor();
    await grid.focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.getByText('14:13').waitFor();
    await page.keyboard.press('Enter');
    const problems = page.getByRole('group', { name: '1 mistake' });
    await problems.getByRole('button').click();
    // A person types when they see the cursor; the editor may still have been loading at the click.
    await poll(() => page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.className ?? '')).toContain(
      'cm-content',
    );
    // The cursor stands at line 14, column 13: the wrong word is replaced.
    for (let i = 0; i < 5; i++) await page.keyboard.press('Delete');
    await page.keyboard.type('split');
    await page.getByText('9 tasks, no mistakes').waitFor();
    await page.keyboard.press('Control+s');
    await page.getByText('Saved.', { exact: true }).waitFor();
    const [save] = sent(asked, 'PUT', '/files/jobs/legacy.job.yaml');
    expect(save?.headers['if-match']).toBe('"jobs/legacy.job.yaml-1"');
    expect(save?.headers['idempotency-key']).toBeTruthy();
    expect(save?.body?.toString()).toBe(f.legacyText.replace('spilt', 'split'));
    expect(troubles).toEqual([]);
    await close();
  });

  it('is shown both texts when someone else saved first, and overwrites nothing unseen', async () => {
    let changed = false;
    const answer = (asked: Asked): Answer | null => {
      if (!asked.path.endsWith('verify.sh')) return null;
      if (asked.method === 'PUT') {
        if (changed) return null;
        changed = true;
        return problem(
          412,
          'file_changed',
          'verify.sh was changed by mara',
          'Look at the newer version, then save again.',
        );
      }
      return changed && asked.method === 'GET'
        ? { body: '#!/bin/sh\necho theirs\n', headers: { etag: '"theirs"' } }
        : null;
    };
    const { page, asked, close } = await openConsole(browser, pages, {
      hash: '#/sandboxes/ingest/jobs?file=verify.sh&view=edit',
      answer,
    });
    await page.getByRole('textbox', { name: /Text of verify.sh/ }).click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('# mine\n');
    await page.keyboard.press('Control+s');
    await page.getByRole('heading', { name: /was changed by someone else/ }).waitFor();
    await page.getByText('echo theirs').first().waitFor();
    await page.getByRole('button', { name: 'Go on with mine' }).click();
    await page.keyboard.press('Control+s');
    await poll(() => sent(asked, 'PUT', 'verify.sh').map((one) => one.headers['if-match'])).toEqual([
      '"jobs/verify.sh-1"',
      '"theirs"',
    ]);
    await close();
  });

  it('renames with F2, deletes with Delete and takes it back, and the focus stays in the table', async () => {
    let deleted = false;
    const answer = (asked: Asked): Answer | null => {
      if (asked.method === 'DELETE') deleted = true;
      if (asked.path.endsWith('/trash') && deleted)
        return {
          json: {
            items: [
              ...f.trash,
              { path: 'jobs/legacy.job.yaml', bytes: 1, removedAt: f.ago(0), removedBy: 'ops', version: 4 },
            ],
          },
        };
      return null;
    };
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/sandboxes/ingest/jobs', answer });
    await page.getByText('legacy.job.yaml').waitFor();
    await page.getByRole('grid').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('F2');
    await page.getByRole('textbox', { name: 'Name' }).fill('old.job.yaml');
    await page.keyboard.press('Enter');
    await poll(() => bodyOf(sent(asked, 'POST', '/moves')[0])).toEqual({
      path: 'jobs/legacy.job.yaml',
      to: 'jobs/old.job.yaml',
    });
    await poll(() => page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('grid');
    await page.keyboard.press('Delete');
    await page.getByText('moved to the trash').waitFor();
    await page.getByRole('button', { name: 'Undo' }).last().click();
    await poll(() => bodyOf(sent(asked, 'POST', '/restores')[0])).toEqual({ path: 'jobs/legacy.job.yaml', version: 4 });
    await close();
  });

  it('a viewer sees everything and is told why nothing can be changed', async () => {
    const { page, close } = await openConsole(browser, pages, {
      hash: '#/sandboxes/ingest/jobs?file=nightly.job.yaml',
      answer: (asked) => (asked.path === '/api/v1/session' ? { json: f.viewer } : null),
    });
    const add = page.getByRole('button', { name: 'Add…' });
    await add.waitFor();
    expect(await add.isDisabled()).toBe(true);
    expect(await add.getAttribute('title')).toBe('Your role (viewer) may look, not change.');
    await close();
  });
});

describe('who brings files', () => {
  it('drops a small and a large file, sees them at once, and they arrive whole', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'drop-'));
    await writeFile(join(folder, 'fresh.sh'), '#!/bin/sh\necho fresh\n');
    await writeFile(join(folder, 'big.bin'), Buffer.alloc(9 * 1024 * 1024, 7));
    let offset = 0;
    const upload = (): Answer => ({
      json: {
        id: 'u-1',
        sandbox: 'ingest',
        path: 'jobs/big.bin',
        bytes: 9 * 1024 * 1024,
        offset,
        chunkBytesMax: 8 * 1024 * 1024,
        expiresAt: f.ago(-100),
      },
    });
    let broken = false;
    let release: () => void = () => undefined;
    const held = new Promise<void>((done) => (release = done));
    const answer = async (asked: Asked): Promise<Answer | null> => {
      if (!asked.path.includes('/uploads')) return null;
      if (asked.path.endsWith('/complete')) return { json: f.folders['ingest:jobs']![1] };
      if (asked.method === 'POST') {
        await held;
        return { ...upload(), status: 201 };
      }
      if (asked.method === 'PUT') {
        // The second chunk meets a break once.
        if (asked.query.get('offset') !== '0' && !broken) {
          broken = true;
          return problem(503, 'starting', 'The node is still starting', 'Try again.');
        }
        offset += Number(asked.query.get('offset') === '0' ? 8 : 1) * 1024 * 1024;
      }
      return upload();
    };
    const { page, asked, context, troubles, close } = await openConsole(browser, pages, {
      hash: '#/sandboxes/ingest/jobs',
      answer,
    });
    await page.getByText('nightly.job.yaml').waitFor();
    const box = (await page.getByRole('grid').boundingBox())!;
    const session = await context.newCDPSession(page);
    const data = { items: [], files: [join(folder, 'fresh.sh'), join(folder, 'big.bin')], dragOperationsMask: 1 };
    const at = { x: box.x + 60, y: box.y + 60 };
    await session.send('Input.dispatchDragEvent', { type: 'dragEnter', ...at, data });
    await page.getByText('Drop to add 2 things to ingest / jobs').waitFor();
    const moved = (await page.getByRole('grid').boundingBox())!;
    const on = { x: moved.x + 60, y: moved.y + 60 };
    await session.send('Input.dispatchDragEvent', { type: 'dragOver', ...on, data });
    await session.send('Input.dispatchDragEvent', { type: 'drop', ...on, data });
    await page.getByRole('row', { name: /big\.bin/ }).waitFor();
    release();
    await page.getByText('2 files are in ingest.').waitFor();
    expect(sent(asked, 'PUT', '/files/jobs/fresh.sh')[0]?.headers['if-none-match']).toBe('*');
    expect(bodyOf(sent(asked, 'POST', '/uploads')[0])).toMatchObject({
      path: 'jobs/big.bin',
      bytes: 9 * 1024 * 1024,
      ifAbsent: true,
    });
    const chunks = sent(asked, 'PUT', '/uploads/u-1').map((one) => one.query.get('offset'));
    expect(chunks).toEqual(['0', String(8 * 1024 * 1024), String(8 * 1024 * 1024)]);
    expect(troubles).toEqual([]);
    await rm(folder, { recursive: true });
    await close();
  });

  it('is asked before anything is replaced, and the replacing carries what was seen', async () => {
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/sandboxes/ingest/jobs' });
    await page.getByText('nightly.job.yaml').waitFor();
    await page
      .getByLabel('Files to upload')
      .setInputFiles([{ name: 'nightly.job.yaml', mimeType: '', buffer: Buffer.from('name: x\n') }]);
    await page.getByText('replaces version 7').waitFor();
    expect(sent(asked, 'PUT', '/files/')).toEqual([]);
    await page.getByRole('button', { name: 'Replace' }).click();
    await poll(() => sent(asked, 'PUT', '/files/jobs/nightly.job.yaml')[0]?.headers['if-match']).toBe(
      '"jobs/nightly.job.yaml-1"',
    );
    await close();
  });
});

describe('who runs things', () => {
  it('launches by Ctrl K alone: finds the file, mends a wrong value, launches once', async () => {
    const { page, asked, troubles, close } = await openConsole(browser, pages, { hash: '#/' });
    await page.getByText('Running and latest').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('nightly');
    await page
      .getByRole('option', { name: /nightly\.job\.yaml.*Nightly ingest|nightly\.job\.yaml/ })
      .first()
      .waitFor();
    await page.keyboard.type(' launch');
    await poll(() => page.locator('[data-selected]').textContent()).toContain('ingest/jobs/nightly.job.yaml');
    await page.keyboard.press('Enter');
    const parts = page.getByLabel('Parts (optional)');
    await parts.fill('99');
    await page.keyboard.press('Enter');
    await page.getByText('The most allowed is 16.').waitFor();
    expect(sent(asked, 'POST', '/api/v1/runs')).toEqual([]);
    await parts.fill('4');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /Nightly ingest/ }).waitFor();
    await poll(() => page.url()).toContain('#/runs/r-8f2c');
    const launches = sent(asked, 'POST', '/api/v1/runs').filter((one) => one.path === '/api/v1/runs');
    expect(launches).toHaveLength(1);
    expect(bodyOf(launches[0])).toEqual({
      sandbox: 'ingest',
      path: 'jobs/nightly.job.yaml',
      parameters: { day: '2026-11-22', parts: 4, mode: 'full', dry: false },
    });
    expect(launches[0]?.headers['idempotency-key']).toBeTruthy();
    expect(troubles).toEqual([]);
    await close();
  });

  it('follows a run: tasks change live, the output is found in, and cancelling is confirmed', async () => {
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/runs/r-8f2c' });
    const merge = page.getByRole('button', { name: /^merge .*, waiting$/ });
    await merge.waitFor();
    const [attempt] = f.run.tasks[2]!.attempts;
    // Told once the event stream is there.
    await page.getByText('Active atlas').waitFor();
    pages.send({ kind: 'task', run: 'r-8f2c', task: { ...f.run.tasks[5]!, state: 'running', attempts: [attempt!] } });
    await page.getByRole('button', { name: /^merge .*, running$/ }).waitFor();
    await page.getByText('psql: error').waitFor();
    await page.getByRole('log').focus();
    await page.keyboard.press('Control+f');
    await page.keyboard.type('200 /');
    await page.keyboard.press('Enter');
    await page.getByText('line 8').waitFor();
    await page.getByRole('button', { name: 'Cancel…' }).click();
    expect(sent(asked, 'POST', '/cancel')).toEqual([]);
    await page.getByRole('button', { name: 'Cancel the run' }).click();
    await poll(() => sent(asked, 'POST', '/cancel').length).toBe(1);
    await close();
  });

  it('opens a long output at its end, and leaves the end only when a person goes up', async () => {
    const body = Array.from({ length: 200_000 }, (_, i) => `line ${i} of many\n`).join('');
    const answer = (asked: Asked): Answer | null => (asked.path.endsWith('/log') ? { body } : null);
    const { page, troubles, close } = await openConsole(browser, pages, { hash: '#/runs/r-8f2c?task=load-3', answer });
    await page.getByText('line 199999 of many').waitFor();
    expect(await page.getByRole('log').locator('.line').count()).toBeLessThan(100);
    await page.getByRole('log').focus();
    await page.keyboard.press('Home');
    await page.getByText('line 0 of many').waitFor();
    expect(await page.getByRole('button', { name: /^follow/ }).getAttribute('aria-pressed')).toBe('false');
    expect(troubles).toEqual([]);
    await close();
  });

  it('filters runs, and the filter is in the address', async () => {
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/runs' });
    await page.getByRole('button', { name: 'Failed' }).click();
    await poll(() => page.url()).toContain('state=failed%2Cunknown');
    await poll(() =>
      sent(asked, 'GET', '/api/v1/runs').some((one) => one.query.get('state') === 'failed,unknown'),
    ).toBe(true);
    await poll(() => page.getByText('succeeded', { exact: true }).count()).toBe(0);
    await page.keyboard.press('/');
    await page.keyboard.type('nothing like this');
    await page.getByText('No run fits this filter').waitFor();
    await close();
  });
});

describe('honesty', () => {
  it('says since when it is blind, greys what is stale, and resumes from the last position', async () => {
    const { page, close, troubles } = await openConsole(browser, pages, { hash: '#/' });
    await page.getByText('Running and latest').waitFor();
    const before = pages.seenIds.length;
    await poll(() => page.getByRole('alert').count()).toBe(0);
    pages.cut();
    await page.getByText(/^No news since \d\d:\d\d:\d\d/).waitFor();
    await page.getByText('No connection').waitFor();
    expect(await page.locator('main').evaluate((element) => getComputedStyle(element).filter)).toBe('grayscale(1)');
    pages.heal();
    await poll(() => page.getByText(/^No news since/).count(), { timeout: 15_000 }).toBe(0);
    expect(pages.seenIds.slice(before).at(-1)).toBe(String(pages.position()));
    expect(troubles).toEqual([]);
    await close();
  });

  it('shows since when the node says it is down', async () => {
    const since = new Date(Date.now() - 3_600_000).toISOString();
    let down = false;
    const { page, close } = await openConsole(browser, pages, {
      hash: '#/',
      answer: () =>
        down
          ? problem(503, 'no_active', 'No active controller can be reached', 'Look at the overview.', { since })
          : null,
    });
    await page.getByText('Running and latest').waitFor();
    down = true;
    await page.getByRole('link', { name: 'Nodes' }).click();
    await page
      .getByText(new RegExp(`No news since ${new Date(since).toTimeString().slice(0, 8)}`))
      .waitFor({ timeout: 15_000 });
    await page.getByText('No active controller can be reached').waitFor();
    down = false;
    await poll(() => page.getByText(/^No news since/).count(), { timeout: 15_000 }).toBe(0);
    await close();
  });

  it('goes to the sign-in when the session ends, and a one-time link leaves no code behind', async () => {
    let signedIn = false;
    const { page, asked, close } = await openConsole(browser, pages, {
      hash: '#/link/one-time-code',
      answer: (one) => {
        if (one.path === '/api/v1/session/link') {
          signedIn = true;
          return { json: f.session };
        }
        return signedIn ? null : problem(401, 'sign_in_needed', 'Sign in first', 'Sign in.');
      },
    });
    await page.getByText('Running and latest').waitFor();
    expect(page.url()).not.toContain('one-time-code');
    expect(bodyOf(sent(asked, 'POST', '/session/link')[0])).toEqual({ code: 'one-time-code' });
    signedIn = false;
    await page.goto(`${pages.origin}/#/runs`);
    await page.getByRole('form', { name: 'Sign in' }).waitFor();
    await close();
  });
});

describe('who looks after the trust of the cluster', () => {
  it('changes the authority by keyboard, with the danger said first, and sees whom it waits for', async () => {
    let begun = false;
    const answer = ({ path, method }: Asked): Answer | null => {
      if (!path.startsWith('/api/v1/cluster/authority')) return null;
      begun ||= method === 'POST';
      return { json: begun ? f.authorityChanging : f.authority };
    };
    const { page, asked, troubles, close } = await openConsole(browser, pages, { hash: '#/settings', answer });
    await page.getByText('All nodes trust this authority, and no other.').waitFor();
    await page.getByText('9f3c 1a7b e2d0').waitFor();
    await page.getByRole('button', { name: 'Change…' }).focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Change the authority of this cluster?' });
    await dialog.getByText('Nothing stops').waitFor();
    expect(sent(asked, 'POST', 'authority')).toEqual([]);
    await dialog.getByRole('button', { name: 'Change the authority' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('listitem').filter({ hasText: 'waits for deck-17, quay-2' }).waitFor();
    expect(sent(asked, 'POST', '/authority/rotate')[0]?.headers['idempotency-key']).toBeTruthy();
    expect(await page.locator('[aria-current="step"]').textContent()).toContain('All get certificates by it');
    expect(troubles).toEqual([]);
    await close();
  });
});
