/** Every screen, dark and light, wide and small: accessible, inside its policy, never wider than the window. */
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Setup } from '../../node-runtime/contract/setup.ts';
import { type ConsolePages, serveConsole } from '../support/console-pages.ts';
import { launchBrowser, type Override, ofLab, openConsole, problem } from './console.ts';
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

type Screen = { name: string; hash: string; shows: string; press?: string; click?: string; answer?: Override };
const lab = { cluster: f.lab, nodes: f.labNodes };
const parked = {
  cluster: {
    ...f.lab,
    state: 'parked' as const,
    active: null,
    standby: null,
    headline: 'Stopped for maintenance',
    parked: { by: 'ops', why: 'new switch in rack B' },
  },
  nodes: f.labNodes,
};
const signedOut: Override = (asked) =>
  asked.path === '/api/v1/session' ? problem(401, 'sign_in_needed', 'Sign in first', 'Sign in.') : null;
const asking: Override = ({ path }) => {
  if (path === '/api/v1/discovered') return { json: { discovered: f.discovered } };
  return path === '/api/v1/join-requests' ? { json: { requests: f.joinRequests } } : null;
};
const changing: Override = ({ path }) => (path === '/api/v1/cluster/authority' ? { json: f.authorityChanging } : null);
/** A desktop program without a node: nobody may be asked for but the setup. */
const without =
  (setup: Setup): Override =>
  ({ path }) => {
    if (path === '/api/v1/setup') return { json: setup };
    return problem(409, 'no_node', 'There is no node in this folder yet.', '');
  };
const withRights: Override = ({ method, path }) =>
  method === 'GET' && path === '/api/v1/sandboxes'
    ? { json: { sandboxes: [f.listed, ...f.sandboxes.slice(1)] } }
    : null;
const emptied: Override = ({ method, path }) =>
  method === 'GET' && path === '/api/v1/sandboxes'
    ? { json: { sandboxes: [{ ...f.listed, rights: [] }, ...f.sandboxes.slice(1)] } }
    : null;
const onlyLooking: Override = ({ method, path }) => {
  if (method !== 'GET') return null;
  if (path === '/api/v1/sandboxes') return { json: { sandboxes: f.onlyLooking } };
  return path === '/api/v1/session' ? { json: { ...f.operator } } : null;
};
const lackingSecret: Override = ({ path }) =>
  path.endsWith('/launch-form')
    ? {
        json: {
          ...f.launchForm,
          secrets: [
            { name: 'DB_PASSWORD', known: true },
            { name: 'FRAME_KEY', known: false },
          ],
        },
      }
    : null;
const screens: Screen[] = [
  { name: 'overview', hash: '#/', shows: 'Running and latest' },
  { name: 'nodes', hash: '#/nodes', shows: 'Processor' },
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
  { name: 'audit', hash: '#/audit', shows: 'ops made mara operator' },
  { name: 'audit of files', hash: '#/audit?entry=81002', shows: 'jobs/old.sh' },
  { name: 'audit of a loss', hash: '#/audit?act=cluster&entry=80200', shows: 'its power supply smokes' },
  {
    name: 'audit for nobody',
    hash: '#/audit',
    shows: 'Only administrators see',
    answer: ({ path }) => (path === '/api/v1/session' ? { json: f.viewer } : null),
  },
  { name: 'settings', hash: '#/settings', shows: 'nightly import on quay-2' },
  { name: 'change of the authority', hash: '#/settings', shows: 'waits for deck-17', answer: changing },
  { name: 'wish for another authority', hash: '#/settings', shows: 'Nothing stops', click: 'Change…' },
  {
    name: 'rights',
    hash: '#/sandboxes/ingest',
    shows: 'line 4 controller',
    click: 'Who may what…',
    answer: withRights,
  },
  {
    name: 'rights that shut everybody out',
    hash: '#/sandboxes/ingest',
    shows: 'Nobody but administrators will see ingest',
    click: 'Who may what…',
    answer: emptied,
  },
  {
    name: 'folder that one may only look at',
    hash: '#/sandboxes/ingest/jobs',
    shows: 'You may read',
    answer: onlyLooking,
  },
  { name: 'new secret', hash: '#/settings', shows: 'Nobody can read it again', click: 'Add a secret…' },
  {
    name: 'new value of a secret',
    hash: '#/settings',
    shows: 'The old value cannot',
    click: 'New value for DB_PASSWORD',
  },
  { name: 'removal of a secret', hash: '#/settings', shows: 'Its value is gone for good', click: 'Remove DB_PASSWORD' },
  {
    name: 'launch form without a secret',
    hash: '#/launch/ingest/jobs/nightly.job.yaml',
    shows: 'is not there: an administrator',
    answer: lackingSecret,
  },
  { name: 'sign-in', hash: '#/', shows: 'Password', answer: signedOut },
  { name: 'palette', hash: '#/', shows: 'Keyboard help', press: 'Control+k' },
  { name: 'keyboard help', hash: '#/', shows: 'What can be done', press: '?' },
  { name: 'overview of a lab', hash: '#/', shows: 'Standby · in step', answer: ofLab(lab) },
  { name: 'overview without a standby', hash: '#/', shows: 'borea does not answer.', answer: ofLab(f.labAlone) },
  { name: 'overview without an active', hash: '#/', shows: 'A person has to decide', answer: ofLab(f.labLost) },
  { name: 'overview of a stopped cluster', hash: '#/', shows: 'new switch in rack B', answer: ofLab(parked) },
  { name: 'nodes of a lab', hash: '#/nodes', shows: 'draining', answer: ofLab(lab) },
  { name: 'switch-over', hash: '#/', shows: 'hands the lead', click: 'Switch over…', answer: ofLab(lab) },
  {
    name: 'stop for maintenance',
    hash: '#/nodes',
    shows: 'Nobody leads until',
    click: 'Stop for maintenance…',
    answer: ofLab(lab),
  },
  { name: 'invite', hash: '#/nodes', shows: 'Its code works once', click: 'Invite a node…', answer: ofLab(lab) },
  { name: 'nodes that ask to join', hash: '#/nodes', shows: '2 nodes ask to join', answer: ofLab(lab, asking) },
  {
    name: 'six words to compare',
    hash: '#/nodes',
    shows: 'If one differs',
    click: 'Compare and let in…',
    answer: ofLab(lab, asking),
  },
  { name: 'request on every screen', hash: '#/', shows: 'asks to join, and 1 more', answer: ofLab(lab, asking) },
  { name: 'first screen', hash: '#/', shows: 'Join with this invite', answer: without(f.setup) },
  {
    name: 'first screen with nothing heard',
    hash: '#/',
    shows: 'No cluster has been heard of',
    answer: without({ ...f.setup, discovered: [] }),
  },
  {
    name: 'first screen after a failure',
    hash: '#/',
    shows: 'No member answers',
    answer: without({ ...f.setup, failure: f.setupFailure }),
  },
  { name: 'first screen that waits', hash: '#/', shows: 'Withdraw the request', answer: without(f.setupWaiting) },
  {
    name: 'first screen that works',
    hash: '#/',
    shows: 'Making the cluster',
    answer: without({ ...f.setup, step: 'founding' }),
  },
  { name: 'recovery when nothing is wrong', hash: '#/recovery', shows: 'Nothing has to be decided' },
  { name: 'recovery', hash: '#/recovery', shows: '61 acknowledged entries', answer: ofLab(f.labLost) },
  {
    name: 'confirmation of a loss',
    hash: '#/recovery',
    shows: 'I have seen that atlas is off',
    click: 'Continue to confirm…',
    answer: ofLab(f.labLost),
  },
  { name: 'run with a silent worker', hash: '#/runs/r-8f2d', shows: 'It succeeded…' },
];
const shots = process.env['BINNACLE_SHOTS'];
const looks = [
  { theme: 'dark', width: 1440, height: 900 },
  { theme: 'light', width: 1024, height: 700 },
] as const;

describe.each(looks)('in $theme at $width × $height', (look) => {
  it.each(screens)('the $name is accessible, keeps to the policy and fits', async (screen) => {
    const { hash, answer } = screen;
    const it = await openConsole(browser, pages, { hash, ...look, ...(answer ? { answer } : {}) });
    if (screen.press) {
      await it.page.getByRole('heading', { level: 1 }).waitFor();
      await it.page.keyboard.press(screen.press);
    }
    if (screen.click) await it.page.getByRole('button', { name: screen.click }).first().click();
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
    // Pictures to look at, where somebody asked for them.
    if (shots) await it.page.screenshot({ path: `${shots}/${screen.name.replaceAll(' ', '-')}-${look.theme}.png` });
    expect(await it.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    await it.close();
  });
});
