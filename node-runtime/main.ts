/**
 * The command line's entry: gives it a terminal and the few acts that need a
 * node inside this process (init, node, demo, doctor, and borrowing a stopped
 * node). Everything else a command does goes over HTTP like any program, so
 * the node itself is only loaded when it is needed.
 */

import { runCommandLine } from './io/cli/command-line.ts';
import type { LocalActs } from './io/cli/outside.ts';
import { programVersion } from './version.ts';

const acts: LocalActs = {
  init: async (asked) => (await import('./founding.ts')).found(asked),
  join: async (asked) => (await import('./joining.ts')).join(asked),
  lookAround: async () => (await import('./finding.ts')).lookAround(3_000),
  askToJoin: async (asked) => (await import('./joining.ts')).askToJoin(asked),
  node: async (asked) => (await import('./daemon.ts')).runNode(asked),
  demo: async (asked) => (await import('./daemon.ts')).runDemo(asked),
  copyAnew: async (asked) => (await import('./copying-anew.ts')).copyAnew(asked),
  doctor: async ({ data }) => (await import('./doctor.ts')).examine(data),
  offline: async (data) => (await import('./daemon.ts')).borrowNode(data),
};

// Whoever reads the output may have seen enough (`binnacle status | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await runCommandLine(process.argv.slice(2), acts, {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTty: process.stdout.isTTY === true,
  columns: process.stdout.columns ?? 80,
  env: process.env,
  stdin: process.stdin,
  version: programVersion,
});
