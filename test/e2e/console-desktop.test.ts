/** What the console does with what the desktop program offers, on the built program and its own node. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DesktopBridge } from '../../electron/bridge/names.ts';
import { accessible } from './support/console-page.ts';
import { type Desktop, launchApp, launchDesktop } from './support/desktop.ts';
import { dropFiles } from './support/drop-files.ts';

type PageGlobals = { binnacle: DesktopBridge };
type MainGlobals = { shown: { title: string; body: string }[] };
const job = 'name: Soon over\ntasks:\n  wait:\n    run: sleep 3\n';

let userData: string;
let desktop: Desktop;
let window: Page;
beforeAll(async () => {
  userData = mkdtempSync(path.join(tmpdir(), 'bin-con-'));
  desktop = await launchDesktop({ userData });
  window = desktop.window;
  window.setDefaultTimeout(15_000);
  await window.getByRole('heading', { name: 'All is well' }).waitFor();
});
afterAll(async () => {
  await desktop?.close();
  rmSync(userData, { recursive: true, force: true, maxRetries: 5 });
});

const menu = (id: string): Promise<void> =>
  desktop.app.evaluate(({ Menu }, item) => Menu.getApplicationMenu()!.getMenuItemById(item)!.click(), id);
/** As somebody else in the cluster would: this page only hears of it. */
const makeSandbox = (name: string): Promise<number> =>
  window.evaluate(
    (body) =>
      fetch('/api/v1/sandboxes', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
        body,
      }).then((answer) => answer.status),
    JSON.stringify({ name, kind: 'local' }),
  );
const kept = () => window.evaluate(() => (globalThis as unknown as PageGlobals).binnacle.settings.get());

it('goes to every screen its menu names', async () => {
  const items = await desktop.app.evaluate(({ Menu }) => {
    const view = Menu.getApplicationMenu()!.items.find((item) => item.label === 'View')!;
    return view.submenu!.items.filter((item) => item.id?.startsWith('screen-')).map((item) => [item.id, item.label]);
  });
  expect(items.length).toBeGreaterThan(3);
  for (const [id, label] of items) {
    await menu(id!);
    await expect.poll(() => window.locator(`nav a[title="${label}"]`).getAttribute('aria-current')).toBe('page');
  }
});

it('keeps the settings of this computer, and its theme in step with the shell', async () => {
  await menu('settings');
  const awake = window.getByRole('switch', { name: 'Keep this computer awake' });
  expect(await awake.isChecked()).toBe(false);
  await accessible(window, 'desktop-settings');
  await awake.check();
  await expect.poll(async () => (await kept()).keepAwake).toBe(true);
  await window.getByRole('switch', { name: 'Start when I sign in' }).check();
  await expect.poll(async () => (await kept()).startAtLogin).toBe(true);
  expect(await window.getByRole('switch', { name: 'Tell me when my runs end' }).isChecked()).toBe(true);

  await window.getByRole('radio', { name: 'Light' }).check();
  await expect.poll(async () => (await kept()).theme).toBe('light');
  await expect.poll(() => desktop.app.evaluate(({ nativeTheme }) => nativeTheme.themeSource)).toBe('light');
  // The shell has the last word: what it keeps is what a fresh page shows.
  await window.evaluate(() => {
    localStorage.setItem('binnacle.theme', 'dark');
    location.reload();
  });
  await window.getByRole('heading', { name: 'Settings' }).waitFor();
  await expect.poll(() => window.getByRole('radio', { name: 'Light' }).isChecked()).toBe(true);
  await expect.poll(() => window.evaluate(() => document.documentElement.dataset['theme'])).toBe('light');
});

it('puts an opened job file where the person says, and shows a link', { timeout: 60_000 }, async () => {
  await window.locator('a[title="Sandboxes"]').click();
  await window.getByRole('button', { name: 'New', exact: true }).click();
  await window.getByRole('textbox', { name: 'Name' }).fill('desk');
  await window.keyboard.press('Enter');
  await window.getByRole('heading', { name: 'desk' }).waitFor();
  const file = path.join(userData, 'soon.job.yaml');
  writeFileSync(file, job);
  for (const again of [false, true]) {
    const second = await launchApp({ userData, args: [file] }).catch(() => null); // it may be gone before the debugger attaches
    await second?.ended;
    await window.getByRole('heading', { name: 'Put soon.job.yaml into a sandbox' }).waitFor();
    const dialog = () => window.getByRole('dialog').innerText();
    await expect.poll(dialog, { timeout: 15_000 }).toContain('1 task, no mistakes.');
    if (!again) {
      // News of the cluster take nothing from who is just deciding.
      const where = window.getByRole('textbox', { name: 'Path in it' });
      await where.fill('later/soon.job.yaml');
      expect(await makeSandbox('another')).toBeLessThan(300);
      await window.locator('.kit-dialog option', { hasText: 'another' }).waitFor({ state: 'attached' });
      expect(await where.inputValue()).toBe('later/soon.job.yaml');
      await expect.poll(dialog, { timeout: 15_000 }).toContain('1 task, no mistakes.');
      await where.fill('soon.job.yaml');
    }
    if (!again) await accessible(window, 'opened-file');
    await window.getByRole('button', { name: 'Put it there' }).click();
    if (again) {
      await window.getByText(/A file of this name is there/).waitFor();
      await window.getByRole('button', { name: 'Leave it' }).click();
    }
    await window.getByRole('row', { name: /soon\.job\.yaml.*1 task/ }).waitFor();
  }
  const linked = await launchApp({ userData, args: ['binnacle://sandboxes/desk/soon.job.yaml'] }).catch(() => null);
  await linked?.ended;
  await expect.poll(() => window.evaluate(() => location.hash)).toBe('#/sandboxes/desk?file=soon.job.yaml');
});

it('brings in a file that is dropped on it, and gives one out', async () => {
  const file = path.join(userData, 'dropped.txt');
  writeFileSync(file, 'from the desk\n');
  await dropFiles(window, '.zone', [file]);
  await window.getByRole('row', { name: /dropped\.txt/ }).click();
  await window.getByText('from the desk').waitFor();
});

it('tells of the end of a run launched here when nobody looks, and is quiet when somebody does', {
  timeout: 60_000,
}, async () => {
  await desktop.app.evaluate(({ Notification }) => {
    const main = globalThis as unknown as MainGlobals;
    main.shown = [];
    Notification.isSupported = () => true;
    Notification.prototype.show = function show(this: Electron.Notification) {
      main.shown.push({ title: this.title, body: this.body });
    };
  });
  const shown = () => desktop.app.evaluate(() => (globalThis as unknown as MainGlobals).shown);
  const launch = async (): Promise<void> => {
    await window.evaluate(() => {
      location.hash = '#/launch/desk/soon.job.yaml';
    });
    await window.getByRole('button', { name: 'Launch', exact: true }).click();
    await window.getByRole('heading', { name: /Soon over/ }).waitFor();
  };
  const stand = () => window.locator('h1').textContent();
  await window.bringToFront();
  await launch();
  await expect.poll(stand, { timeout: 15_000 }).toContain('succeeded');
  const seen = await window.evaluate(() => document.visibilityState === 'visible' && document.hasFocus());
  if (seen) expect(await shown()).toEqual([]);

  await launch();
  await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.hide());
  // A double's page keeps the focus that a hidden window has lost.
  await window.evaluate(() => {
    document.hasFocus = () => false;
  });
  await expect.poll(shown, { timeout: 15_000 }).toContainEqual({
    title: 'Soon over succeeded',
    body: expect.stringMatching(/^r-[a-z0-9]+, desk\/soon\.job\.yaml\.$/),
  });
  const settings = JSON.parse(readFileSync(path.join(userData, 'settings.json'), 'utf8'));
  expect(settings).toMatchObject({ notifyWhenRunsEnd: true, keepAwake: true });
});
