/** People and programs at the console: who may what in a sandbox, limits of tokens, where one is signed in. */
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ConsolePages, serveConsole } from '../support/console-pages.ts';
import { type Console, launchBrowser, type Override, openConsole } from './console.ts';
import * as f from './fixtures.ts';

let browser: Browser;
let pages: ConsolePages;
let open: Console | null = null;
beforeAll(async () => {
  pages = await serveConsole();
  browser = await launchBrowser();
});
afterEach(async () => {
  expect(open?.troubles ?? []).toEqual([]);
  await open?.close();
  open = null;
});
afterAll(async () => {
  await browser?.close();
  await pages?.close();
});

const at = async (hash: string, answer?: Override) => {
  open = await openConsole(browser, pages, { hash, ...(answer ? { answer } : {}) });
  return open;
};
const shots = process.env['BINNACLE_SHOTS'];
/** Pictures to look at, where somebody asked for them. */
const picture = async (name: string): Promise<void> => {
  if (shots) await open!.page.screenshot({ path: `${shots}/${name}.png` });
};
const sent = (method: string, path: string) => {
  const found = open!.asked.filter((one) => one.method === method && one.path === path);
  return found.map((one) => (one.body ? JSON.parse(one.body.toString()) : Object.fromEntries(one.query)));
};
const listing =
  (sandbox: object, session: object = f.session): Override =>
  ({ method, path }) => {
    if (method !== 'GET') return null;
    if (path === '/api/v1/sandboxes') return { json: { sandboxes: [sandbox, ...f.sandboxes.slice(1)] } };
    return path === '/api/v1/session' ? { json: session } : null;
  };
const rightsAt = '/api/v1/sandboxes/ingest/rights';

describe('who may what in a sandbox', () => {
  it('is listed, changed by a tick, and says who would no longer see it', async () => {
    const { page } = await at('#/sandboxes/ingest', listing(f.sandboxes[0]!));
    await page.getByRole('button', { name: 'Who may what…' }).click();
    await page.getByText('Only who is listed').click();
    const everyone = page.getByRole('row', { name: /^Everyone/ });
    await everyone.getByLabel('Everyone: Launch').uncheck();
    await page.getByLabel('Add to the list').selectOption('user:mara');
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.getByLabel('mara: Change files').check();
    await everyone.getByLabel('Everyone: Look').uncheck();
    // Without looking nothing is left; of the three that are no administrators mara is listed.
    expect(await everyone.getByLabel('Everyone: Change files').isChecked()).toBe(false);
    const warned = page.getByRole('alert');
    expect(await warned.innerText()).toMatch(
      /2 people and programs will no longer see ingest\s+guest and token nightly import/,
    );
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Who may what in ingest is changed.').waitFor();
    expect(sent('PUT', rightsAt)).toEqual([
      {
        rights: [
          { who: 'everyone', may: [] },
          { who: 'user:mara', may: ['read', 'write'] },
        ],
      },
    ]);
  });

  it('says it before everybody is shut out', async () => {
    const { page } = await at('#/sandboxes/ingest', listing(f.listed));
    await page.getByText('3 names listed, everyone may read').waitFor();
    await page.getByRole('button', { name: 'Who may what…' }).click();
    for (const name of ['Everyone', 'mara', 'guest', 'token line 4 controller'])
      await page.getByRole('button', { name: `Take ${name} off the list` }).click();
    expect(await page.getByRole('alert').innerText()).toContain('Nobody but administrators will see ingest');
    await page.getByRole('button', { name: 'Hide it from everybody' }).click();
    await page.getByText('Who may what in ingest is changed.').waitFor();
    expect(sent('PUT', rightsAt)).toEqual([{ rights: [] }]);
  });

  it('is left to the roles again', async () => {
    const { page } = await at('#/sandboxes/ingest', listing(f.listed));
    await page.getByRole('button', { name: 'Who may what…' }).click();
    await page.getByText('The role of each').click();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('In ingest the role of each decides.').waitFor();
    expect(sent('PUT', rightsAt)).toEqual([{ rights: null }]);
  });

  it('gives a viewer no more than looking', async () => {
    const { page } = await at('#/sandboxes/ingest', listing(f.listed));
    await page.getByRole('button', { name: 'Who may what…' }).click();
    const never = page.getByLabel('guest: Change files');
    expect([await never.isDisabled(), await never.getAttribute('title')]).toEqual([
      true,
      'A viewer never does more than look.',
    ]);
  });

  it('is said to who may only look, and what cannot be done says why', async () => {
    const { page } = await at(
      '#/sandboxes/ingest/jobs?file=nightly.job.yaml',
      listing({ ...f.sandboxes[0]!, may: ['read'] }, f.operator),
    );
    await page.getByText('You may read', { exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Who may what…' }).count()).toBe(0);
    const add = page.getByRole('button', { name: 'Add…' });
    expect([await add.isDisabled(), await add.getAttribute('title')]).toEqual([
      true,
      'In ingest you may look, not change files.',
    ]);
    expect(await page.getByRole('button', { name: 'Edit' }).getAttribute('title')).toBe(
      'In ingest you may look, not change files.',
    );
    const launch = page.getByRole('button', { name: /^Launch/ }).last();
    expect(await launch.getAttribute('title')).toBe('In ingest you may look, not launch or cancel runs.');
    // Elsewhere the role decides as before.
    await page.goto(`${pages.origin}/#/sandboxes/calib`);
    await page.getByRole('heading', { name: 'calib' }).waitFor();
    expect(await page.getByRole('button', { name: 'Add…' }).isEnabled()).toBe(true);
  });

  it('is read anew when the node says to look again: what is no longer seen goes', async () => {
    let hidden = false;
    const { page } = await at('#/sandboxes/ingest', ({ method, path }) =>
      method === 'GET' && path === '/api/v1/sandboxes' && hidden ? { json: { sandboxes: f.sandboxes.slice(1) } } : null,
    );
    await page
      .getByRole('link', { name: /^ingest/ })
      .first()
      .waitFor();
    hidden = true;
    pages.send({ kind: 'cluster', position: 0, at: f.ago(0) });
    await page.getByText('There is no sandbox ingest').waitFor();
  });
});

describe('a token', () => {
  it('is limited to sandboxes', async () => {
    const made: Override = ({ method, path }) =>
      method === 'POST' && path === '/api/v1/tokens'
        ? { status: 201, json: { ...f.tokens[0]!, secret: 'shown-once' } }
        : null;
    const { page } = await at('#/settings', made);
    await page.getByText('only ingest: read and launch; calib: read').waitFor();
    await page.getByRole('button', { name: 'New token…' }).click();
    await page.getByLabel('What is it for').fill('line 5');
    await page.getByText('Only these sandboxes').click();
    const make = page.getByRole('button', { name: 'Make token' });
    expect(await make.getAttribute('title')).toBe('Add a sandbox first.');
    for (const name of ['ingest', 'bench']) {
      await page.getByLabel('Sandbox', { exact: true }).selectOption(name);
      await page.getByRole('button', { name: 'Add', exact: true }).click();
    }
    await page.getByLabel('ingest: Change files').check();
    await page.getByLabel('bench: Look').click(); // nothing is left of it
    await picture('token-for-sandboxes');
    await make.click();
    await page.getByText('shown-once').waitFor();
    expect(sent('POST', '/api/v1/tokens')).toEqual([
      {
        ...{ role: 'operator', label: 'line 5', expiresInDays: 90 },
        scope: { sandboxes: [{ name: 'ingest', may: ['read', 'write', 'execute'] }] },
      },
    ]);
  });
});

describe('where one is signed in', () => {
  it('is shown with what and where from, and ended one by one', async () => {
    const { page } = await at('#/settings', listing(f.sandboxes[0]!, f.operator));
    const phone = page.getByRole('row', { name: /Safari on an iPhone/ });
    expect(await phone.innerText()).toMatch(/10\.0\.9\.17/);
    expect(await page.getByRole('row', { name: /Firefox on Linux/ }).innerText()).toContain('this one');
    expect(await page.getByLabel('Whose sessions').count()).toBe(0);
    await phone.getByRole('button').click();
    await page.getByRole('button', { name: 'End it' }).click();
    await page.getByText('That session has ended.').waitFor();
    expect(open!.asked.some((one) => one.method === 'DELETE' && one.path === '/api/v1/sessions/5f02')).toBe(true);
  });

  it('is ended everywhere else', async () => {
    const { page } = await at('#/settings', listing(f.sandboxes[0]!, f.operator));
    await page.getByRole('button', { name: 'Sign out everywhere else…' }).click();
    await page.getByRole('button', { name: 'Sign out everywhere else', exact: true }).click();
    await page.getByText('You are signed in here only.').waitFor();
    expect(sent('DELETE', '/api/v1/sessions')).toEqual([{ others: '1' }]);
  });

  it('is seen of everybody by administrators', async () => {
    const { page } = await at('#/settings');
    await page.getByLabel('Whose sessions').selectOption('everybody');
    await page.getByRole('row', { name: /Edge on Windows/ }).waitFor();
    await page.getByText('a guest of ops').waitFor();
    await picture('everybody-signed-in');
    await page.getByLabel('Whose sessions').selectOption('of mara');
    await page.getByText('Nobody is signed in there.').waitFor();
    expect(await page.getByRole('button', { name: 'End all…' }).getAttribute('title')).toBe(
      'Nowhere else mara is signed in.',
    );
  });
});
