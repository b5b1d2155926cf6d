/** Journeys of who looks after the cluster: by keyboard, with the danger said first. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster, Node } from '../../node-runtime/contract/model.ts';
import { type ConsolePages, serveConsole } from '../support/console-pages.ts';
import { type Answer, type Asked, launchBrowser, ofLab, openConsole, problem } from './console.ts';
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
const lab = (): { cluster: Cluster; nodes: Node[] } => ({ cluster: f.lab, nodes: f.labNodes });

describe('who leads', () => {
  it('hands the lead over by Ctrl K, is told why not, and tries again', async () => {
    const of = lab();
    let inStep = false;
    const answer = ofLab(of, (asked): Answer | null => {
      if (!asked.path.endsWith('/switch-over')) return null;
      if (!inStep) return problem(409, 'switch_refused', 'borea is 40 entries behind.', 'Wait, then try again.');
      of.cluster = { ...f.lab, active: 'n-borea', standby: 'n-atlas' };
      return { json: { sentence: 'borea leads now; atlas stands by.', active: 'n-borea' } };
    });
    const { page, asked, troubles, close } = await openConsole(browser, pages, { hash: '#/', answer });
    await page.getByText('Standby · in step').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('switch over');
    await poll(() => page.locator('[data-selected]').textContent()).toContain('borea would lead');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Let borea lead?' });
    await dialog.getByText('Nothing is lost').waitFor();
    expect(sent(asked, 'POST', '/switch-over')).toEqual([]);
    await dialog.getByRole('button', { name: 'Switch over' }).click();
    await dialog.getByText('borea is 40 entries behind. Wait, then try again.').waitFor();
    inStep = true;
    await dialog.getByRole('button', { name: 'Switch over' }).click();
    await page.getByText('borea leads now; atlas stands by.').waitFor();
    await page.getByText('Active borea').waitFor();
    expect(sent(asked, 'POST', '/switch-over')).toHaveLength(2);
    expect(troubles).toEqual([]);
    await close();
  });

  it('is stopped with a reason that everybody sees, and goes on again', async () => {
    const of = lab();
    const answer = ofLab(of, (asked): Answer | null => {
      if (asked.path.endsWith('/park')) {
        const { why } = bodyOf(asked) as { why: string };
        of.cluster = { ...f.lab, state: 'parked', active: null, standby: null, parked: { by: 'ops', why } };
        return { json: { sentence: 'Nobody leads now.' } };
      }
      if (!asked.path.endsWith('/activate')) return null;
      of.cluster = f.lab;
      return { json: { sentence: 'atlas is active.' } };
    });
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/nodes', answer });
    await page.getByRole('button', { name: 'Stop for maintenance…' }).click();
    await page.getByText('nobody takes over: not even if a machine fails').waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('This is needed.').waitFor();
    expect(sent(asked, 'POST', '/park')).toEqual([]);
    await page.keyboard.type('new switch in rack B');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('Stopped for maintenance by ops: new switch in rack B').waitFor();
    expect(bodyOf(sent(asked, 'POST', '/park')[0])).toEqual({ why: 'new switch in rack B' });
    await page.getByRole('button', { name: 'Activate…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Activate' }).click();
    await page.getByText('Active atlas').waitFor();
    await poll(() => page.getByText('Stopped for maintenance by ops').count()).toBe(0);
    await close();
  });
});

describe('who belongs to it', () => {
  it('lets a node in whose six words are the same on its screen, and refuses another', async () => {
    let requests = f.joinRequests;
    const answer = ofLab(lab(), (asked): Answer | null => {
      if (asked.path === '/api/v1/join-requests') return { json: { requests } };
      const [, id, what] = /join-requests\/(\w+)\/(approve|refuse)$/.exec(asked.path) ?? [];
      const one = requests.find((each) => each.id === id);
      if (!one) return null;
      const state = what === 'approve' ? 'approved' : 'refused';
      requests = requests.map((each) => (each === one ? { ...each, state } : each));
      return what === 'approve' ? { json: { ...one, state } } : { status: 204 };
    });
    const { page, asked, troubles, close } = await openConsole(browser, pages, { hash: '#/nodes', answer });
    await page.getByRole('heading', { name: '2 nodes ask to join' }).waitFor();
    await page.getByRole('button', { name: 'Compare and let in…' }).first().focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Does quay-3 show these six words?' });
    await dialog.getByText('venture').waitFor();
    expect(sent(asked, 'POST', '/join-requests')).toEqual([]);
    await dialog.getByRole('checkbox', { name: /Watch/ }).check();
    await dialog.getByRole('button', { name: 'All six are the same: let it in' }).click();
    await page.getByText('It may join as worker and watch').waitFor();
    expect(bodyOf(sent(asked, 'POST', '/3f09ab12cd/approve')[0])).toEqual({ duties: ['worker', 'watch'] });
    await page.getByRole('heading', { name: 'A node asks to join' }).waitFor();
    await page.getByRole('button', { name: 'Refuse…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Refuse it' }).click();
    await page.getByText('was not let in.').waitFor();
    await poll(() => page.getByText('asks to join').count()).toBe(0);
    expect(troubles).toEqual([]);
    await close();
  });

  it('drains a node from the table by keyboard, and takes it back', async () => {
    const of = lab();
    const answer = ofLab(of, (asked): Answer | null => {
      if (asked.method !== 'PUT') return null;
      const change = bodyOf(asked) as Partial<Node>;
      of.nodes = of.nodes.map((node) => (asked.path.endsWith(node.id) ? { ...node, ...change } : node));
      return { json: of.nodes.find((node) => asked.path.endsWith(node.id)) };
    });
    const { page, asked, troubles, close } = await openConsole(browser, pages, { hash: '#/nodes', answer });
    await page.getByRole('row', { name: /ember/ }).waitFor();
    await page.getByRole('grid').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Drain: no new work' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('ember gets nothing new; 7 of its tasks run to their end.').waitFor();
    await page.getByRole('row', { name: /ember.*draining/ }).waitFor();
    await poll(() => page.evaluate(() => document.activeElement?.getAttribute('role'))).toBe('grid');
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('row', { name: /ember.*answers/ }).waitFor();
    const changes = sent(asked, 'PUT', '/nodes/n-ember');
    expect(changes.map(bodyOf)).toEqual([{ drained: true }, { drained: false }]);
    expect(changes.every((one) => one.headers['idempotency-key'])).toBe(true);
    expect(troubles).toEqual([]);
    await close();
  });

  it('changes duties by Ctrl K, and a choice that makes no sense is not sent', async () => {
    const answer = ofLab(lab(), (asked): Answer | null =>
      asked.method === 'PUT'
        ? { json: { ...f.labNodes[3]!, duties: (bodyOf(asked) as { duties: Node['duties'] }).duties } }
        : null,
    );
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/', answer });
    await page.getByText('Standby · in step').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('change duties quay');
    await poll(() => page.locator('[data-selected]').textContent()).toContain('Change duties of quay-2…');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'What is quay-2 there for?' });
    expect(await dialog.getByRole('checkbox', { name: /Watch/ }).isChecked()).toBe(true);
    await dialog.getByRole('checkbox', { name: /Controller/ }).check();
    await dialog.getByRole('button', { name: 'Change' }).click();
    await dialog.getByText('choose controller or watch, not both').waitFor();
    expect(sent(asked, 'PUT', '/nodes/')).toEqual([]);
    await dialog.getByRole('checkbox', { name: /Watch/ }).uncheck();
    await dialog.getByRole('button', { name: 'Change' }).click();
    await page.getByText('quay-2 is there as controller.').waitFor();
    expect(bodyOf(sent(asked, 'PUT', '/nodes/n-quay-2')[0])).toEqual({ duties: ['controller'] });
    await close();
  });

  it('invites: the code is shown once, can be copied, and is gone afterwards', async () => {
    const answer = ofLab(lab(), (asked): Answer | null =>
      asked.path.endsWith('/invites')
        ? { status: 201, json: { code: 'bn1-one-time', duties: ['worker'], expiresAt: f.ago(-3_600) } }
        : null,
    );
    const { page, asked, context, close } = await openConsole(browser, pages, { hash: '#/nodes', answer });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Invite a node…' }).click();
    await page.getByLabel('The code is valid for').selectOption('60');
    await page.getByRole('button', { name: 'Make the code' }).click();
    await page.getByText('binnacle join bn1-one-time').waitFor();
    await page.getByText('binnacle://join/bn1-one-time').waitFor();
    await page.getByRole('button', { name: 'Copy the code' }).click();
    await poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('bn1-one-time');
    expect(bodyOf(sent(asked, 'POST', '/invites')[0])).toEqual({ duties: ['worker'], expiresInMinutes: 60 });
    await page.getByRole('button', { name: 'I have it' }).click();
    await page.getByRole('button', { name: 'Invite a node…' }).click();
    await page.getByRole('button', { name: 'Make the code' }).waitFor();
    expect(await page.getByText('bn1-one-time').count()).toBe(0);
    await close();
  });

  it('removes a node only when its name was typed', async () => {
    const answer = ofLab(lab(), (asked): Answer | null => (asked.method === 'DELETE' ? { status: 204 } : null));
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/nodes?node=n-cirrus', answer });
    await page.getByRole('row', { name: /cirrus/ }).click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Remove from the cluster…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Remove cirrus from the cluster?' });
    await dialog.getByText('15 tasks run on it now').waitFor();
    expect(await dialog.getByRole('button', { name: 'Remove it' }).isDisabled()).toBe(true);
    await dialog.getByLabel('What you type').fill('ember');
    await page.keyboard.press('Enter');
    await dialog.getByText('These are other words. Type: cirrus').waitFor();
    expect(sent(asked, 'DELETE', '/nodes/')).toEqual([]);
    await dialog.getByLabel('What you type').fill('cirrus');
    await page.keyboard.press('Enter');
    await page.getByText('cirrus was removed.').waitFor();
    expect(sent(asked, 'DELETE', '/nodes/n-cirrus')).toHaveLength(1);
    await close();
  });

  it('a viewer sees all of it and is told why nothing can be done', async () => {
    const answer = ofLab(lab(), (asked) => (asked.path === '/api/v1/session' ? { json: f.viewer } : null));
    const { page, close } = await openConsole(browser, pages, { hash: '#/nodes', answer });
    const over = page.getByRole('button', { name: 'Switch over…' });
    await over.waitFor();
    expect(await over.getAttribute('title')).toBe('Your role (viewer) may look, not change.');
    expect(await page.getByRole('button', { name: 'Invite a node…' }).isDisabled()).toBe(true);
    await page.getByRole('row', { name: /delta/ }).click({ button: 'right' });
    const item = page.getByRole('menuitem', { name: 'Let it take work again' });
    expect(await item.getAttribute('title')).toBe('Only administrators may do this.');
    expect(await item.getAttribute('aria-disabled')).toBe('true');
    await page.keyboard.press('Escape');
    await page.goto(`${pages.origin}/#/recovery`);
    await page.getByText('Only administrators see the evidence').waitFor();
    await close();
  });

  it('a cluster of one is offered what makes sense there, and nothing else', async () => {
    const { page, close } = await openConsole(browser, pages, { hash: '#/nodes' });
    await page.getByRole('button', { name: 'Invite a node…' }).waitFor();
    expect(await page.getByRole('button', { name: 'Switch over…' }).count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Stop for maintenance…' }).count()).toBe(0);
    await page.getByRole('row', { name: /atlas/ }).click({ button: 'right' });
    expect(await page.getByRole('menuitem', { name: /Remove/ }).getAttribute('title')).toBe('It is the only node.');
    await close();
  });
});

describe('a loss that only a person can confirm', () => {
  const lost = (): { cluster: Cluster; nodes: Node[] } => ({ ...f.labLost });

  it('is led to from every screen, says the danger first, and takes only the words', async () => {
    const answer = ofLab(lost(), (asked): Answer | null =>
      asked.method === 'POST' && asked.path.endsWith('/recovery')
        ? { json: { sentence: 'borea leads in term 1.16.n-borea.' } }
        : null,
    );
    const { page, asked, troubles, close } = await openConsole(browser, pages, { hash: '#/runs', answer });
    await page.getByRole('alert').getByText('A person has to decide').waitFor();
    await page.getByRole('link', { name: 'See what is known' }).click();
    await page.getByText('61 acknowledged entries are lost').waitFor();
    expect(await page.getByRole('checkbox', { name: 'Declare atlas lost' }).isChecked()).toBe(true);
    // What answers is not offered to be declared lost.
    expect(await page.getByRole('checkbox', { name: 'Declare deck-17 lost' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Continue to confirm…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Confirm that atlas is lost?' });
    await dialog.getByText('If atlas still runs somewhere').waitFor();
    await page.keyboard.type('yes');
    await page.keyboard.press('Enter');
    await dialog.getByText('These are other words.').waitFor();
    expect(sent(asked, 'POST', '/recovery')).toEqual([]);
    await dialog.getByLabel('What you type').fill('I have seen that atlas is off');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('borea leads in term 1.16').waitFor();
    expect(sent(asked, 'POST', '/recovery').map(bodyOf)).toEqual([
      { evidence: f.evidence.evidence, lost: ['n-atlas#a1'], statement: 'I have seen that atlas is off' },
    ]);
    expect(troubles).toEqual([]);
    await close();
  });

  it('is void as soon as what was shown is no longer so', async () => {
    let now = f.evidence;
    const answer = ofLab(lost(), (asked): Answer | null =>
      asked.method === 'GET' && asked.path.endsWith('/recovery') ? { json: now } : null,
    );
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/recovery', answer });
    await page.getByRole('button', { name: 'Continue to confirm…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('What you type').fill('I have seen that atlas is off');
    await poll(() => dialog.getByRole('button', { name: 'Confirm the loss' }).isDisabled()).toBe(false);
    now = {
      ...f.evidence,
      possible: false,
      why: 'atlas answers again.',
      evidence: 'heard n-atlas#a1',
      nodes: f.evidence.nodes.map((node) => ({ ...node, alive: true })),
    };
    await dialog.getByText('What is known has changed. Close this, and look again.').waitFor();
    expect(await dialog.getByRole('button', { name: 'Confirm the loss' }).isDisabled()).toBe(true);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await page.getByText('atlas answers again.').waitFor();
    expect(sent(asked, 'POST', '/recovery')).toEqual([]);
    await close();
  });

  it('shows what was cut from the journal, and gives it away as a file', async () => {
    const { page, close } = await openConsole(browser, pages, { hash: '#/recovery', answer: ofLab(lost()) });
    await page.getByText('Cut from this journal and kept aside · 2').waitFor();
    await page.getByText('runLaunched').waitFor();
    const link = page.getByRole('link', { name: 'Download' });
    expect(await link.getAttribute('href')).toBe('/api/v1/cluster/quarantine?limit=1000');
    expect(await link.getAttribute('download')).toBe('quarantine.json');
    await close();
  });
});

describe('a task whose worker is silent', () => {
  it.each([
    ['Start it again…', 'is then done twice', 'Start it again', 'again'],
    ['It succeeded…', 'works on missing results', 'It succeeded', 'succeeded'],
    ['It failed…', 'must not be done again', 'It failed', 'failed'],
  ])('%s says what it means before it is decided', async (button, means, confirm, decision) => {
    const { page, asked, close } = await openConsole(browser, pages, {
      hash: '#/runs/r-8f2d',
      answer: (one) => (one.path.endsWith('/decision') ? { json: f.run } : null),
    });
    await page.getByText('cirrus does not answer, so nobody knows what became of load · part 2.').waitFor();
    await page.getByRole('button', { name: button }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(means).waitFor();
    expect(sent(asked, 'POST', '/decision')).toEqual([]);
    await dialog.getByRole('button', { name: confirm }).click();
    await poll(() => sent(asked, 'POST', '/tasks/load-2/decision').map(bodyOf)).toEqual([{ decision }]);
    expect(sent(asked, 'POST', '/decision')[0]?.headers['idempotency-key']).toBeTruthy();
    await close();
  });

  it('does not blind the console because one worker is not reached', async () => {
    const { page, close } = await openConsole(browser, pages, {
      hash: '#/runs/r-8f2d',
      answer: (one) =>
        one.path.endsWith('/log')
          ? problem(503, 'node_unreachable', 'cirrus does not answer.', 'Start it.', { since: f.ago(600) })
          : null,
    });
    await page.getByText('cirrus does not answer; what became of it is not known').waitFor();
    await page.getByText('Active atlas').waitFor();
    expect(await page.getByText(/^No news since/).count()).toBe(0);
    await close();
  });
});

describe('honesty', () => {
  it('says since when nobody leads, lets time stand still, and reads all again when somebody does', async () => {
    const of = lab();
    const { page, asked, close } = await openConsole(browser, pages, { hash: '#/', answer: ofLab(of) });
    await page.getByText('Standby · in step').waitFor();
    const since = new Date().toISOString();
    of.cluster = {
      ...f.lab,
      state: 'waiting',
      active: null,
      standby: null,
      headline: 'Waiting for an active controller',
      fresh: false,
      readAt: since,
      waitsFor: [{ what: 'borea does not answer.', next: 'Start it.', since }],
    };
    pages.send({ kind: 'cluster' });
    const at = new Date(since).toTimeString().slice(0, 8);
    await page.getByRole('alert').getByText(`No active controller since ${at}`).waitFor();
    await page.getByText('no active', { exact: true }).waitFor();
    expect(await page.getByText(`as it was known here at ${at}`).count()).toBe(1);
    const took = page
      .getByRole('row', { name: /r-8f2c/ })
      .getByRole('gridcell')
      .last();
    const stood = await took.textContent();
    await page
      .getByRole('alert')
      .getByText(/^([2-9]\.\d|\d{2,}) s$/)
      .waitFor();
    expect(await took.textContent()).toBe(stood);
    const before = sent(asked, 'GET', '/api/v1/sandboxes').length;
    of.cluster = f.lab;
    // No event tells it: nobody led.
    await poll(() => page.getByRole('alert').count()).toBe(0);
    await page.getByText('Active atlas').waitFor();
    await poll(() => sent(asked, 'GET', '/api/v1/sandboxes').length).toBeGreaterThan(before);
    await close();
  });

  it('goes blind when news come but questions are not answered, and sees again when they are', async () => {
    const of = lab();
    let holds: Promise<void> | null = null;
    let release: () => void = () => undefined;
    const answer = ofLab(of, async (asked): Promise<Answer | null> => {
      if (asked.path === '/api/v1/cluster') await holds;
      return null;
    });
    const { page, troubles, close } = await openConsole(browser, pages, { hash: '#/', answer });
    await page.getByText('Standby · in step').waitFor();
    holds = new Promise((done) => (release = done));
    pages.send({ kind: 'cluster' });
    await page.getByText(/^No news since \d\d:\d\d:\d\d/).waitFor({ timeout: 20_000 });
    await page.getByText('does not answer what is asked about the cluster').waitFor();
    expect(await page.locator('main').evaluate((element) => getComputedStyle(element).filter)).toBe('grayscale(1)');
    holds = null;
    release();
    await poll(() => page.getByText(/^No news since/).count()).toBe(0);
    await page.getByText('Active atlas').waitFor();
    expect(troubles).toEqual([]);
    await close();
  });
});
