/**
 * What only the desktop program adds, proven on the built shell: isolation,
 * policy, transport, the life of the runtime, opening from outside, settings.
 * The node itself is stood in for; the journey with the real one is another
 * spec.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { DesktopBridge } from '../../electron/bridge/names.ts';
import type { Opened } from '../../electron/window/links.ts';
import { type Desktop, launchApp, launchDesktop } from './support/desktop.ts';
import { dropFiles } from './support/drop-files.ts';
import { buildShellApp, type ShellApp } from './support/shell-app.ts';

type PageGlobals = { binnacle: DesktopBridge; opened: Opened[]; dropped: string[]; intruder?: number };
type Facts = {
  pid: number;
  env: Record<string, string>;
  heard: string[];
  runnerSaid: unknown[];
  closedStreams: number;
  headers: Record<string, string>;
};

let shell: ShellApp;
const folders: string[] = [];
const running: Desktop[] = [];

function freshFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'desk-'));
  folders.push(folder);
  return folder;
}

async function launch(options: { userData?: string; env?: Record<string, string>; args?: string[] } = {}) {
  const userData = options.userData ?? freshFolder();
  const desktop = await launchDesktop({ ...options, userData, appFolder: shell.folder });
  running.push(desktop);
  return { ...desktop, userData };
}

/** Asks the stand-in through the page; null while it does not answer. */
const askFacts = (window: Page): Promise<Facts | null> =>
  window.evaluate(() => fetch('/api/facts').then((answer) => (answer.ok ? answer.json() : null)));

const facts = (window: Page): Promise<Facts> =>
  vi.waitFor(
    async () => {
      const found = await askFacts(window);
      if (!found) throw new Error('the runtime does not answer');
      return found;
    },
    { timeout: 15_000, interval: 50 },
  );

const opened = (window: Page) => window.evaluate(() => (globalThis as unknown as PageGlobals).opened);

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

beforeAll(async () => {
  shell = await buildShellApp();
});
afterAll(async () => {
  await Promise.all(running.map((desktop) => desktop.close()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  shell.remove();
});

describe('a running console', () => {
  let desktop: Desktop & { userData: string };
  let window: Page;
  beforeAll(async () => {
    desktop = await launch();
    window = desktop.window;
    await facts(window);
  });
  afterAll(() => desktop.close());

  const url = () => desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.webContents.getURL());

  test('opens on its own origin, visible, titled, a secure context', async () => {
    expect(await url()).toBe('app://console/');
    expect(await window.evaluate(() => isSecureContext)).toBe(true);
    await expect
      .poll(() => desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.isVisible()))
      .toBe(true);
  });

  test('gives the page nothing but frozen named functions', async () => {
    const seen = await window.evaluate(() => {
      const { binnacle } = globalThis as unknown as PageGlobals;
      const kinds = ['require', 'process', 'ipcRenderer', 'module'].map((name) => typeof Reflect.get(globalThis, name));
      return {
        kinds,
        frozen: Object.isFrozen(binnacle),
        deep: Object.isFrozen(binnacle.settings),
        names: Object.keys(binnacle),
      };
    });
    expect(seen.kinds).toEqual(['undefined', 'undefined', 'undefined', 'undefined']);
    expect([seen.frozen, seen.deep]).toEqual([true, true]);
    expect(seen.names).toEqual([
      'version',
      'platform',
      'facts',
      'notify',
      'settings',
      'startAtLogin',
      'runtime',
      'pathsOf',
      'onOpen',
    ]);
  });

  test('says which program it is', async () => {
    const said = await window.evaluate(async () => {
      const { binnacle } = globalThis as unknown as PageGlobals;
      return { sync: binnacle.version, facts: await binnacle.facts() };
    });
    expect(said.sync).toBe('0.0.1');
    expect(said.facts).toMatchObject({
      version: '0.0.1',
      platform: process.platform,
      electron: expect.stringMatching(/^\d+\./),
    });
  });

  test('checks the arguments of every call in the main process', async () => {
    const refusal = (name: 'notify' | 'settings.set' | 'facts', ...args: unknown[]) =>
      window.evaluate(
        ([called, given]) => {
          const { binnacle } = globalThis as unknown as PageGlobals;
          const calls = { notify: binnacle.notify, 'settings.set': binnacle.settings.set, facts: binnacle.facts };
          return (calls[called] as (...a: unknown[]) => Promise<unknown>)(...given).then(
            () => 'accepted',
            (error: Error) => error.message,
          );
        },
        [name, args] as const,
      );
    expect(await refusal('notify', 'x'.repeat(200), '')).toContain('notify: ');
    expect(await refusal('notify', 7, 'body')).toContain('notify: ');
    expect(await refusal('notify', 'title')).toContain('notify: ');
    expect(await refusal('settings.set', { theme: 'pink' })).toContain('settings.set: ');
    expect(await refusal('settings.set', { toldAboutTray: true })).toContain('settings.set: ');
    expect(await refusal('settings.set', { theme: 'dark' })).toBe('accepted');
  });

  test('holds its content policy: no inline script, no eval, no string as markup, no other host', async () => {
    const broken = await window.evaluate(async () => {
      const violations: string[] = [];
      Object.assign(globalThis, { violations }); // some are reported after what they blocked has failed
      document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
      const attempt = (act: () => unknown) => {
        try {
          act();
          return 'allowed';
        } catch (error) {
          return (error as Error).name;
        }
      };
      // From a timer: what DevTools itself evaluates is exempt.
      const fromTimer = (act: () => unknown) =>
        new Promise<string>((resolve) => setTimeout(() => resolve(attempt(act)), 0));
      const inline = await fromTimer(() => {
        const script = document.createElement('script');
        script.append('globalThis.intruder = 1');
        document.head.append(script);
      });
      return {
        inline,
        intruder: (globalThis as unknown as PageGlobals).intruder,
        markup: await fromTimer(() => {
          document.createElement('div').innerHTML = '<b>x</b>';
        }),
        // biome-ignore lint/security/noGlobalEval: that it is refused is what is proven here
        evaluated: await fromTimer(() => globalThis.eval('1')),
        net: await fetch('https://example.com/').then(
          () => 'reached',
          () => 'blocked',
        ),
      };
    });
    expect(broken.intruder).toBeUndefined();
    expect(broken.markup).toBe('TypeError');
    expect(broken.evaluated).not.toBe('allowed');
    expect(broken.net).toBe('blocked');
    await expect
      .poll(() => window.evaluate(() => Reflect.get(globalThis, 'violations')))
      .toEqual([...Array(3).fill('require-trusted-types-for'), 'connect-src']);
  });

  test('serves only files of the page, only by GET, with the policy on each', async () => {
    const status = (address: string, method = 'GET') =>
      window.evaluate(([a, m]) => fetch(a!, { method: m! }).then((answer) => answer.status), [address, method]);
    expect(await status('/page.js')).toBe(200);
    expect(await status('/missing.js')).toBe(404);
    expect(await status('/%2e%2e/%2e%2e/package.json')).toBe(404);
    expect(await status('/..%2f..%2fsecret.txt')).toBe(404);
    expect(await status('/page.js', 'POST')).toBe(404);
    const headers = await window.evaluate(() => fetch('/page.js').then((answer) => [...answer.headers]));
    expect(new Map(headers as [string, string][]).get('content-security-policy')).toContain("default-src 'none'");
    expect(new Map(headers as [string, string][]).get('x-content-type-options')).toBe('nosniff');
  });

  test('refuses to navigate away and to open windows; only https goes to the browser of the person', async () => {
    await desktop.app.evaluate(({ shell: desktopShell }) => {
      const asked: string[] = [];
      Object.assign(globalThis, { asked });
      desktopShell.openExternal = async (address) => void asked.push(address);
    });
    await window.evaluate(() => {
      const link = Object.assign(document.createElement('a'), { href: 'https://example.com/away' });
      document.body.append(link);
      link.click();
      globalThis.open('https://example.org/help');
      globalThis.open('file:///etc/passwd');
      globalThis.open('https://user:word@example.org/');
    });
    await expect
      .poll(() => desktop.app.evaluate(() => Reflect.get(globalThis, 'asked')))
      .toEqual(['https://example.org/help']);
    expect(await url()).toBe('app://console/');
    expect(desktop.app.windows()).toHaveLength(1);
    expect(await window.locator('h1').textContent()).toBe('Shell');
  });

  test('passes an event stream on line by line, and an abort in the page reaches the runtime', async () => {
    const lines = await window.evaluate(async () => {
      const stop = new AbortController();
      const answer = await fetch('/api/stream', { signal: stop.signal });
      const reader = answer.body!.getReader();
      const seen: string[] = [];
      while (seen.length < 3) seen.push(new TextDecoder().decode((await reader.read()).value).trim());
      stop.abort();
      return seen;
    });
    expect(lines).toEqual(['data: 1', 'data: 2', 'data: 3']);
    await expect.poll(async () => (await facts(window)).closedStreams).toBe(1);
  });

  test('carries eight mebibytes of binary whole, in both directions', async () => {
    const size = 8 * 1024 ** 2;
    const result = await window.evaluate(async (bytes) => {
      const body = new Uint8Array(bytes);
      for (let at = 0; at < bytes; at++) body[at] = at * 31;
      const summed = await fetch('/api/sum', { method: 'PUT', body }).then((answer) => answer.json());
      const echoed = new Uint8Array(await (await fetch('/api/echo', { method: 'PUT', body })).arrayBuffer());
      let same = 0;
      while (same < bytes && echoed[same] === body[same]) same++;
      return { summed, length: echoed.length, same };
    }, size);
    expect(result.summed).toEqual({ bytes: size, total: (size / 256) * 32_640 });
    expect(result.length).toBe(size);
    expect(result.same).toBe(size);
  });

  test('forwards no cookie, origin or encoding, and gives the runtime only allowed environment names', async () => {
    const { env, headers } = await facts(window);
    expect(Object.keys(headers)).not.toEqual(
      expect.arrayContaining(['origin', 'cookie', 'referer', 'accept-encoding']),
    );
    expect(Object.keys(env).filter((name) => !/^(PATH|HOME|LANG|TMPDIR|USER|LOGNAME|SHELL|LC_.*)$/.test(name))).toEqual(
      [],
    );
  });

  test('joins a runner of its own to the runtime and tells when it ends', async () => {
    await window.evaluate(() => fetch('/api/runner?id=runner-1', { method: 'POST' }));
    const said = async () =>
      (await facts(window)).runnerSaid as { of?: string; pid?: number; type?: string; why?: string }[];
    await expect.poll(said).toHaveLength(1);
    const [{ of, pid }] = (await said()) as [{ of: string; pid: number }];
    expect(of).toBe('runner-1');
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await said())[1]).toMatchObject({ type: 'runnerGone', id: 'runner-1' });
  });

  test('tells the runtime about sleep and waking', async () => {
    await desktop.app.evaluate(({ powerMonitor }) => {
      powerMonitor.emit('suspend');
      powerMonitor.emit('resume');
    });
    await expect.poll(async () => (await facts(window)).heard).toEqual(expect.arrayContaining(['suspend', 'resume']));
  });

  test('opens screens from its menu', async () => {
    await desktop.app.evaluate(({ Menu }) => Menu.getApplicationMenu()!.getMenuItemById('screen-runs')!.click());
    await expect.poll(() => opened(window)).toContainEqual({ open: 'screen', screen: 'runs' });
  });

  test('knows the paths of dropped files', async () => {
    const file = path.join(desktop.userData, 'one.txt');
    writeFileSync(file, 'one');
    await dropFiles(window, '#drop', [file]);
    await expect.poll(() => window.evaluate(() => (globalThis as unknown as PageGlobals).dropped)).toEqual([file]);
  });

  test('is brought forward by a second start, which hands over its link and its job file', async () => {
    const file = path.join(desktop.userData, 'nightly.job.yaml');
    writeFileSync(file, 'name: nightly\n');
    await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.hide());
    const second = await launchApp({
      userData: desktop.userData,
      appFolder: shell.folder,
      args: ['binnacle://sandboxes/reports/a%20b/c.csv', 'binnacle://runs/../../etc', file],
    }).catch(() => null); // it may be gone before the debugger attaches
    await second?.ended;
    await expect
      .poll(() => opened(window))
      .toEqual(
        expect.arrayContaining([
          { open: 'sandbox', sandbox: 'reports', path: 'a b/c.csv' },
          { open: 'jobFile', name: 'nightly.job.yaml', text: 'name: nightly\n' },
        ]),
      );
    expect(await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.isVisible())).toBe(true);
  });

  test('answers no window but its own, even one that shows its page', async () => {
    const opening = desktop.app.waitForEvent('window');
    const preload = path.join(shell.folder, 'dist', 'electron', 'preload.cjs');
    await desktop.app.evaluate(({ BrowserWindow }, file) => {
      void new BrowserWindow({ webPreferences: { preload: file } }).loadURL('app://console/');
    }, preload);
    const other = await opening;
    const said = () =>
      other.evaluate(() =>
        (globalThis as unknown as PageGlobals).binnacle.facts().then(
          () => 'answered',
          (error: Error) => error.message,
        ),
      );
    await expect.poll(() => said().catch(() => 'loading')).toContain('Only the console may ask that.');
    await other.close();
  });
});

describe('the life of the runtime', () => {
  test('a killed runtime is started again; meanwhile the page is told since when', async () => {
    const { window } = await launch();
    const { pid } = await facts(window);
    const blind = window.evaluate(async () => {
      for (;;) {
        const answer = await fetch('/api/facts');
        if (answer.status === 503) return { type: answer.headers.get('content-type'), body: await answer.json() };
      }
    });
    const killedAt = Date.now();
    process.kill(pid, 'SIGKILL');
    const { type, body } = await blind;
    expect(type).toBe('application/problem+json');
    expect(body).toMatchObject({ status: 503, code: 'starting', next: expect.any(String) });
    await expect.poll(async () => (await facts(window)).pid).not.toBe(pid);
    const state = await window.evaluate(() => (globalThis as unknown as PageGlobals).binnacle.runtime.state());
    expect(state.is).toBe('ready');
    expect(Date.parse(state.since)).toBeGreaterThanOrEqual(killedAt);
  });

  test('a runtime that cannot run says why and what to do, is given up after a while, and can be started by a person', async () => {
    const userData = freshFolder();
    mkdirSync(path.join(userData, 'node'), { recursive: true });
    const fail = path.join(userData, 'node', 'fail');
    writeFileSync(fail, '');
    const { window } = await launch({ userData });
    const problem = () => window.evaluate(() => fetch('/api/facts').then((answer) => answer.json()));
    const state = () => window.evaluate(() => (globalThis as unknown as PageGlobals).binnacle.runtime.state());
    await expect
      .poll(problem)
      .toMatchObject({ code: 'starting', detail: expect.stringContaining('Another program'), next: 'End it first.' });
    const { since } = await problem();
    await expect.poll(state, { timeout: 60_000, interval: 250 }).toMatchObject({ is: 'givenUp', since });
    expect(await problem()).toMatchObject({ since, detail: expect.stringContaining('too often') });
    rmSync(fail);
    await window.evaluate(() => (globalThis as unknown as PageGlobals).binnacle.runtime.restart());
    await facts(window);
    expect(await state()).toMatchObject({ is: 'ready' });
  }, 90_000);

  test('a runner is told when its runtime is gone', async () => {
    const { window } = await launch();
    const { pid } = await facts(window);
    await window.evaluate(() => fetch('/api/runner?id=runner-1', { method: 'POST' }));
    await expect.poll(async () => (await facts(window)).runnerSaid).toHaveLength(1);
    const [runner] = (await facts(window)).runnerSaid as { pid: number }[];
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => isAlive(runner!.pid)).toBe(false);
    await expect.poll(async () => (await facts(window)).pid).not.toBe(pid);
  });

  test('the socket lies in a folder of its own that only this person may enter, gone after the end', async () => {
    const runtimeDirectory = freshFolder();
    const { window, close } = await launch({ env: { XDG_RUNTIME_DIR: runtimeDirectory } });
    await facts(window);
    const [folder] = readdirSync(runtimeDirectory).filter((name) => name.startsWith('binnacle-'));
    expect(statSync(path.join(runtimeDirectory, folder!)).mode & 0o777).toBe(0o700);
    await close();
    expect(readdirSync(runtimeDirectory).filter((name) => name.startsWith('binnacle-'))).toEqual([]);
  });
});

test('a page that crashed is loaded again', async () => {
  const { app, window } = await launch();
  await facts(window);
  const title = () =>
    app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0]!.webContents.executeJavaScript('document.title + performance.timeOrigin'),
    );
  const before = await title();
  const devtools = await window.context().newCDPSession(window);
  devtools.send('Page.crash').catch(() => undefined); // there is nobody left to answer
  await expect.poll(() => title().catch(() => before), { timeout: 10_000 }).not.toBe(before);
  expect(await title()).toContain('Shell');
});

describe('settings', () => {
  test('are kept over a restart; start at login writes and removes its desktop file', async () => {
    const first = await launch();
    const changed = await first.window.evaluate(() =>
      (globalThis as unknown as PageGlobals).binnacle.settings.set({ theme: 'dark', startAtLogin: true }),
    );
    expect(changed).toMatchObject({ theme: 'dark', startAtLogin: true, notifyWhenRunsEnd: true });
    const entry = path.join(first.userData, 'home', '.config', 'autostart', 'binnacle.desktop');
    if (process.platform === 'linux') expect(readFileSync(entry, 'utf8')).toContain('"--hidden"');
    await first.close();

    const second = await launch({ userData: first.userData });
    const read = () => second.window.evaluate(() => (globalThis as unknown as PageGlobals).binnacle.settings.get());
    expect(await read()).toMatchObject({ theme: 'dark', startAtLogin: true });
    expect(await second.app.evaluate(({ nativeTheme }) => nativeTheme.themeSource)).toBe('dark');
    await second.window.evaluate(() => (globalThis as unknown as PageGlobals).binnacle.startAtLogin.set(false));
    if (process.platform === 'linux') expect(readdirSync(path.dirname(entry))).toEqual([]);
    await second.close();
  });
});

describe('closing and quitting', () => {
  const script = (desktop: Desktop, response: number) =>
    desktop.app.evaluate(({ dialog }, answer) => {
      const asked: unknown[] = [];
      Object.assign(globalThis, { questions: asked });
      dialog.showMessageBox = (async (...given: unknown[]) => {
        asked.push(given.at(-1));
        return { response: answer, checkboxChecked: false };
      }) as never;
    }, response);
  const questions = (desktop: Desktop) => desktop.app.evaluate(() => Reflect.get(globalThis, 'questions') as object[]);
  let desktop: Awaited<ReturnType<typeof launch>> | undefined;
  afterEach(() => desktop?.close());

  test('quitting a node with consequences asks first, and a no keeps everything running', async () => {
    desktop = await launch();
    const { pid } = await facts(desktop.window);
    await desktop.window.evaluate(() => fetch('/api/roles?role=active&role=worker', { method: 'POST' }));
    await script(desktop, 1);
    await expect
      .poll(async () => {
        await desktop!.app.evaluate(({ app }) => app.quit());
        return questions(desktop!);
      })
      .not.toHaveLength(0);
    expect((await questions(desktop))[0]).toMatchObject({
      buttons: ['Quit', 'Keep running'],
      detail: 'Jobs that are running go on; nothing new starts until Binnacle runs again.',
    });
    expect((await facts(desktop.window)).pid).toBe(pid);
  });

  test('quitting stops the runtime in order', async () => {
    const userData = freshFolder();
    mkdirSync(path.join(userData, 'node'), { recursive: true });
    const quitting = await launch({ userData });
    const { pid } = await facts(quitting.window);
    await quitting.close();
    expect(readdirSync(path.join(userData, 'node'))).toContain('stopped-in-order');
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test('without a tray, closing asks; minimising keeps the node', async () => {
    desktop = await launch();
    const { pid } = await facts(desktop.window);
    await script(desktop, 1);
    await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close());
    await expect.poll(() => questions(desktop!)).toHaveLength(1);
    await expect
      .poll(() => desktop!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.isMinimized()))
      .toBe(true);
    expect((await facts(desktop.window)).pid).toBe(pid);
  });

  test('with a tray, closing hides and tells so once', async () => {
    desktop = await launch({ env: { XDG_CURRENT_DESKTOP: 'KDE' } });
    await facts(desktop.window);
    const isVisible = () =>
      desktop!.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().map((window) => window.isVisible()));
    await expect.poll(isVisible).toEqual([true]);
    await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close());
    await expect.poll(isVisible).toEqual([false]);
    const settings = () => JSON.parse(readFileSync(path.join(desktop!.userData, 'settings.json'), 'utf8'));
    await expect.poll(() => readdirSync(desktop!.userData)).toContain('settings.json');
    expect(settings()).toMatchObject({ toldAboutTray: true });
    expect(await askFacts(desktop.window)).not.toBeNull();
  });
});
