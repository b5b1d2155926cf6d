/** The command line in a process of its own, for tests that need real signals. */
import { runCommandLine } from '../../../node-runtime/io/cli/command-line.ts';
import type { LocalActs } from '../../../node-runtime/io/cli/outside.ts';

process.exitCode = await runCommandLine(process.argv.slice(2), {} as LocalActs, {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTty: false,
  columns: 80,
  env: process.env,
  stdin: process.stdin,
});
