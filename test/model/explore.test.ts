import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const explore = (...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('explore.mjs', import.meta.url)), '--quiet', ...args], {
    encoding: 'utf8',
  });

describe('the model of the charter register', () => {
  it('visits every state of three terms, three voters and a crash without a violation', { timeout: 120_000 }, () => {
    const { status, stdout } = explore('--cfg', 'small', '--N', '3');
    expect(JSON.parse(stdout)).toMatchObject({ complete: true, states: 241_810, violations: 0 });
    expect(status).toBe(0);
  });

  it.each(['forgetful', 'noeligible', 'nopromises', 'ownview', 'ackbeforesync', 'ackalone', 'standbynosync'])(
    'finds the broken rule: %s',
    { timeout: 120_000 },
    (mutant) => {
      const { status, stdout } = explore('--cfg', 'small', '--N', '3', '--mut', mutant);
      expect(stdout).toContain(`VIOLATION (${mutant})`);
      expect(status).toBe(2);
    },
  );
});
