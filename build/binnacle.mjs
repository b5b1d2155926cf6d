#!/usr/bin/env node
/**
 * Starts Binnacle's command line on a Node that can run it.
 *
 * Plain JavaScript that old Nodes can read: it looks at the version before
 * anything else is loaded, since the database crashes, without a word, on a
 * Node that is too old. When this one is, it runs the Node that was installed
 * with the project; when there is none, it says in one sentence what to do.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = fileURLToPath(import.meta.url);
const project = dirname(dirname(here));
const again = 'BINNACLE_STARTED_AGAIN';

function isNewEnough() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return Number(process.versions.napi) >= 10 && (major > 22 || (major === 22 && minor >= 22));
}

/** The Node of the project's own packages for this platform, or null. */
function installedNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  try {
    const require = createRequire(import.meta.url);
    const folder = dirname(require.resolve(`node-${platform}-${process.arch}/package.json`));
    const program = join(folder, 'bin', platform === 'win' ? 'node.exe' : 'node');
    return existsSync(program) ? program : null;
  } catch {
    return null;
  }
}

function fail(sentence) {
  process.stderr.write(`binnacle: ${sentence}\n`);
  process.exitCode = 1;
}

/** Runs the same command under another Node, as if it were this process. */
function runWith(program) {
  const child = spawn(program, [here, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [again]: '1' },
  });
  // A terminal sends Ctrl-C to both processes; passed on as well, it would count as a second one.
  const fromTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const passOn = (signal) => {
    if (signal !== 'SIGINT' || !fromTerminal) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, passOn);
  child.on('error', (fault) => fail(`${program} cannot be started (${fault.code ?? fault.message}).`));
  child.on('exit', (code, signal) => {
    for (const each of signals) process.removeListener(each, passOn);
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
    // Whoever waits for this process sees the same end, by the same signal.
    if (signal !== null) process.kill(process.pid, signal);
  });
}

if (isNewEnough()) {
  delete process.env[again];
  const built = join(project, 'dist', 'runtime', 'main.js');
  const program = existsSync(built) ? built : join(project, 'node-runtime', 'main.ts');
  await import(pathToFileURL(program).href);
} else {
  const program = process.env[again] ? null : installedNode();
  if (program) runWith(program);
  else fail(`Node ${process.versions.node} is too old; install Node 22.22 or newer, or run npm ci in ${project}.`);
}
