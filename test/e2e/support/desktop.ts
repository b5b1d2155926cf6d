/**
 * Launches the desktop program for a spec: on real Electron when its binary is
 * in node_modules, else on the double. A spec cannot tell which, and must not.
 *
 * Everything the program may write (user data, home, XDG folders) goes into
 * the folder that the spec gives and removes.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const double = path.join(root, 'test', 'electron-double', 'dist');
const isReal = existsSync(path.join(root, 'node_modules', 'electron', 'dist', 'electron'));

type LaunchOptions = {
  /** A folder of this spec alone; short, fresh for a first start. */
  userData: string;
  env?: Record<string, string>;
  /** The folder with package.json and dist/; the repository by default. */
  appFolder?: string;
  /** What follows the app on the command line: links, files. */
  args?: string[];
  /** Leave a first screen as it is; else a cluster is started there by a click, as a person would. */
  leaveFirst?: boolean;
};

function environment(userData: string, more: Record<string, string>): Record<string, string> {
  const home = path.join(userData, 'home');
  mkdirSync(home, { recursive: true });
  const kept = ['PATH', 'LANG', 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'TMPDIR', 'ELECTRON_DOUBLE_VERBOSE'];
  const env: Record<string, string> = { HOME: home, XDG_CONFIG_HOME: path.join(home, '.config') };
  for (const name of kept) if (process.env[name] !== undefined) env[name] = process.env[name];
  return { ...env, ELECTRON_DOUBLE_NODE: process.execPath, ...more };
}

export type LaunchedApp = {
  app: ElectronApplication;
  /** Resolves when the process has ended. */
  ended: Promise<void>;
  /** Quits as a person who confirms would; ends the process if that does not work. */
  close: () => Promise<void>;
};

/** A launched program and the page of its window, loaded. */
export type Desktop = LaunchedApp & { window: Page };

/** Launches without waiting for a window: for specs about starting itself. */
export async function launchApp(options: LaunchOptions): Promise<LaunchedApp> {
  // On an older Node the double dies without a word and the launch only times out.
  if (Number.parseInt(process.versions.node, 10) < 24) throw new Error('Run the specs on Node 24: npm test.');
  // playwright-core asks the package `electron` for the binary, which reads this variable of our own process.
  if (!isReal) process.env['ELECTRON_OVERRIDE_DIST_PATH'] = double;
  const app = await _electron.launch({
    cwd: options.appFolder ?? root,
    args: ['.', `--user-data-dir=${options.userData}`, ...(options.args ?? [])],
    env: environment(options.userData, options.env ?? {}),
  });
  const child = app.process();
  if (process.env['VERBOSE']) child.stderr?.pipe(process.stderr, { end: false });
  const ended = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
  return { app, ended, close: () => close(app, child, ended) };
}

async function close(app: ElectronApplication, child: ChildProcess, ended: Promise<void>): Promise<void> {
  const kill = setTimeout(() => child.kill('SIGKILL'), 20_000);
  app
    .evaluate(({ app: electronApp, dialog }) => {
      // The first button of every question of ours is the one that goes on.
      dialog.showMessageBox = (async () => ({ response: 0, checkboxChecked: false })) as never;
      electronApp.quit();
    })
    .catch(() => undefined); // it may be gone before it answers
  await ended;
  clearTimeout(kill);
}

/** The window is there before its page is; wait until the page has loaded. */
async function pageLoaded(window: Page): Promise<void> {
  const deadline = Date.now() + 20_000;
  const isLoaded = () => window.evaluate(() => location.href !== 'about:blank' && document.readyState === 'complete');
  while (!(await isLoaded().catch(() => false))) {
    if (Date.now() > deadline) throw new Error('the page of the window did not load');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function launchDesktop(options: LaunchOptions): Promise<Desktop> {
  const launched = await launchApp(options);
  const window = await launched.app.firstWindow();
  await pageLoaded(window);
  if (!options.appFolder && !options.leaveFirst) await passFirst(window);
  return { ...launched, window };
}

/** Where there is no node yet, the first screen asks what is to become of this computer. */
async function passFirst(window: Page): Promise<void> {
  const start = window.getByRole('button', { name: 'Start the cluster' });
  const screens = window.getByRole('navigation', { name: 'Screens' });
  await start.or(screens).first().waitFor({ timeout: 20_000 });
  if (!(await start.isVisible())) return;
  await start.click();
  await screens.waitFor({ timeout: 20_000 });
}
