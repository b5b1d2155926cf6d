/**
 * Started by bin/electron: becomes what the real binary is to the app.
 *
 * Reads the command line as Electron does, starts a real Chromium, runs the
 * `-r` modules and the app's main script, and says when the app is ready.
 * Packaged apps (asar) are not run here: that needs the real binary.
 */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { app } from './api/app.ts';
import { door } from './api/protocol.ts';
import { startChromium } from './chromium.ts';
import { host } from './host.ts';

const given = JSON.parse(process.env['ELECTRON_DOUBLE_ARGS'] ?? '[]') as string[];
const self = process.env['ELECTRON_DOUBLE_SELF'] ?? path.join(import.meta.dirname, 'dist', 'electron');
delete process.env['ELECTRON_DOUBLE_ARGS'];
delete process.env['ELECTRON_DOUBLE_SELF'];

/** `-r` modules, switches, then the app's folder or script; what follows belongs to the app. */
function readCommandLine(): { requires: string[]; appArgument: string } {
  const requires: string[] = [];
  let appArgument: string | undefined;
  for (let i = 0; i < given.length; i++) {
    const argument = given[i]!;
    if (argument === '-r' || argument === '--require') requires.push(given[++i]!);
    else if (argument.startsWith('--inspect'))
      continue; // bin/electron gave it to Node
    else if (argument.startsWith('--')) {
      const [name, value = ''] = argument.slice(2).split(/=(.*)/s);
      app.commandLine.appendSwitch(name!, value);
    } else appArgument ??= argument;
  }
  return { requires, appArgument: appArgument ?? '.' };
}

type Package = { name?: string; productName?: string; version?: string; main?: string };

function findApp(argument: string): { root: string; main: string; pkg: Package } {
  const at = path.resolve(argument);
  const isScript = fs.statSync(at).isFile();
  const root = isScript ? path.dirname(at) : at;
  const file = path.join(root, 'package.json');
  const pkg = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Package) : {};
  return { root, main: isScript ? at : path.join(root, pkg.main ?? 'index.js'), pkg };
}

function becomeElectron(): void {
  const version = fs.readFileSync(path.join(import.meta.dirname, 'dist', 'version'), 'utf8').trim();
  const define = (key: string, value: unknown): void =>
    void Object.defineProperty(process, key, { value, configurable: true, enumerable: true });
  define('type', 'browser');
  define('resourcesPath', path.join(path.dirname(self), 'resources'));
  define('defaultApp', true);
  define('versions', { ...process.versions, electron: version, chrome: 'unknown' });
  process.argv = [self, ...given];
}

const { requires, appArgument } = readCommandLine();
const found = findApp(appArgument);
becomeElectron();
app.name = found.pkg.productName ?? found.pkg.name ?? 'Electron';
app.version = found.pkg.version ?? '0.0.0';
app.appPath = found.root;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => app.quit());

const require = createRequire(found.main);
for (const module of requires) require(module);
app.commandLine.appendSwitch('host-resolver-rules', `MAP *.electron-double.localhost 127.0.0.1:${await door}`);
const browser = startChromium();
browser.catch((failure) => {
  console.error(failure);
  process.exit(1);
});
const main = import(pathToFileURL(found.main).href);
main.catch((failure) => {
  console.error('App threw an error during load');
  console.error(failure);
  host.stop(1);
});
// Electron waits for the main script's own top-level awaits before it says ready.
await Promise.all([main, browser]);
app.becomeReady();
