/**
 * `npm start`: builds what is missing and opens the desktop console on a node
 * of its own, with an example sandbox in it. Where no Electron can be had, or
 * no display, it says so in one line and serves the same console to the
 * browser instead.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAll, isBuilt } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const electron = path.join(root, 'node_modules', 'electron');

/** The Electron program, or a sentence that says why there is none. */
function desktop() {
  const override = process.env.ELECTRON_OVERRIDE_DIST_PATH;
  if (override) return { program: path.join(override, process.platform === 'win32' ? 'electron.exe' : 'electron') };
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY)
    return { why: 'There is no display here' };
  if (process.platform === 'linux' && process.getuid() === 0)
    return { why: 'The desktop console does not run as root' };
  if (!existsSync(path.join(electron, 'package.json'))) return { why: 'Electron is not installed' };
  if (!existsSync(path.join(electron, 'path.txt'))) {
    console.log('Fetching Electron, once…');
    spawnSync(process.execPath, [path.join(electron, 'install.js')], { stdio: 'ignore', timeout: 300_000 });
  }
  if (!existsSync(path.join(electron, 'path.txt'))) return { why: 'Electron could not be fetched' };
  const program = path.join(electron, 'dist', readFileSync(path.join(electron, 'path.txt'), 'utf8'));
  return existsSync(program) ? { program } : { why: 'Electron could not be fetched' };
}

function run(program, args) {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}

if (!isBuilt()) await buildAll();
const { program, why } = desktop();
if (program) run(program, ['.', ...process.argv.slice(2)]);
else {
  console.log(`${why}, so the console is served to your browser instead.`);
  const data =
    process.env.BINNACLE_START_DATA ??
    path.join(process.env.XDG_DATA_HOME ?? path.join(homedir(), '.local', 'share'), 'binnacle', 'start');
  run(process.execPath, [
    path.join(root, 'dist', 'runtime', 'main.js'),
    'demo',
    '--keep',
    data,
    ...process.argv.slice(2),
  ]);
}
