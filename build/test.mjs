/**
 * `npm test`: the checks, a build, then every test there is. Ends with a line
 * `N passed, N failed`. What cannot run on this machine is skipped aloud: the
 * test's title says why.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildAll } from './build.mjs';
import { check } from './check.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const checks = await check({ tests: false });
await buildAll();

const folder = mkdtempSync(path.join(tmpdir(), 'binnacle-test-'));
const report = path.join(folder, 'report.json');
const layers = process.argv.slice(2);
const tests = spawnSync(
  process.execPath,
  [
    path.join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--config',
    'test/vitest.config.ts',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...layers,
  ],
  { cwd: root, stdio: 'inherit', env: { BINNACLE_SIM_SECONDS: '300', ...process.env, BINNACLE_TEST_BUILT: '1' } },
);
let found = { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0 };
try {
  found = JSON.parse(readFileSync(report, 'utf8'));
} catch {
  console.log('The test run left no report: it counts as failed.');
}
rmSync(folder, { recursive: true, force: true });
const passed = found.numPassedTests + checks.filter((result) => result.ok).length;
let failed = found.numFailedTests + checks.filter((result) => !result.ok).length;
if (tests.status !== 0 && failed === 0) failed = 1; // a suite that could not be loaded, a leaked error
for (const file of found.testResults ?? []) {
  for (const one of file.assertionResults)
    if (one.status === 'pending' || one.status === 'skipped') console.log(`skipped: ${one.fullName}`);
}
const skipped = found.numPendingTests > 0 ? `, ${found.numPendingTests} skipped` : '';
console.log(`${passed} passed, ${failed} failed${skipped}`);
process.exit(failed === 0 ? 0 : 1);
