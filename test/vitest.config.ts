/**
 * One runner for every layer; `npm run check` takes unit, `npm test` all.
 * Tests of real disks and processes may share two cores, so nothing here is
 * timed: bounds are deadlines for a state to come, not speeds.
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', 'dist/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    retry: 0,
    // A deadline for a state to come, also on a busy machine.
    expect: { poll: { timeout: 15_000 } },
  },
});
