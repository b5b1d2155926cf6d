/**
 * Starts the system's Chromium, headless unless ELECTRON_DOUBLE_HEADED=1, with
 * a profile of its own, and connects to it over the DevTools protocol.
 *
 * The profile lies inside the app's user data folder when that was given, so a
 * spec that removes its folder removes this too.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { createInterface } from 'node:readline';
import { app } from './api/app.ts';
import { Cdp } from './cdp.ts';
import { host } from './host.ts';

const places = [
  '/usr/lib/chromium/chromium',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const quiet = [
  '--no-startup-window',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--metrics-recording-only',
  '--password-store=basic',
  '--use-mock-keychain',
  '--disable-extensions',
  '--disable-features=Translate,MediaRouter,OptimizationHints,GlobalMediaControls',
];
/** Switches of the app that mean something else to a Chromium started by hand. */
const notPassedOn = new Set([
  'remote-debugging-port',
  'user-data-dir',
  'no-sandbox',
  'disable-features',
  'enable-features',
]);

function makeProfile(): string {
  const userData = app.commandLine.getSwitchValue('user-data-dir');
  if (userData) fs.mkdirSync(userData, { recursive: true });
  const profile = fs.mkdtempSync(path.join(userData || os.tmpdir(), 'electron-double-'));
  process.on('exit', () => fs.rmSync(profile, { recursive: true, force: true, maxRetries: 3 }));
  return profile;
}

function spawnChromium(): ChildProcess {
  const file = process.env['ELECTRON_DOUBLE_CHROMIUM'] ?? places.find((place) => fs.existsSync(place));
  if (!file) throw new Error('electron double: no Chromium found; install it, or set ELECTRON_DOUBLE_CHROMIUM');
  const { switches } = app.commandLine;
  const passed = [...switches]
    .filter(([name]) => !notPassedOn.has(name))
    .map(([name, v]) => `--${name}${v && `=${v}`}`);
  const isRoot = process.getuid?.() === 0;
  const args = [
    `--remote-debugging-port=${switches.get('remote-debugging-port') || '0'}`,
    '--remote-debugging-address=127.0.0.1',
    `--user-data-dir=${makeProfile()}`,
    ...(process.env['ELECTRON_DOUBLE_HEADED'] === '1' ? [] : ['--headless=new']),
    ...quiet,
    ...(isRoot || switches.has('no-sandbox') ? ['--no-sandbox'] : []),
    ...passed,
  ];
  return spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

export function startChromium(): Promise<Cdp> {
  const child = spawnChromium();
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`electron double: Chromium exited with ${code}`)));
    createInterface({ input: child.stderr! }).on('line', (line) => {
      const address = /^DevTools listening on (ws:\/\/.*)$/.exec(line.trim())?.[1];
      if (!address) {
        if (process.env['ELECTRON_DOUBLE_VERBOSE']) process.stderr.write(`[chromium] ${line}\n`);
        return;
      }
      Cdp.connect(address).then(async (cdp) => {
        await host.start(cdp, child);
        const { product } = await cdp.send('Browser.getVersion');
        Object.assign(process.versions, { chrome: product.split('/')[1] });
        // Playwright waits for this line to find the pages.
        if (app.commandLine.hasSwitch('remote-debugging-port')) process.stderr.write(`${line}\n`);
        resolve(cdp);
      }, reject);
    });
  });
}
