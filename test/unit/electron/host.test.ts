import { describe, expect, test } from 'vitest';
import { childEnvironment } from '../../../electron/host/environment.ts';
import { FromRuntime } from '../../../electron/host/messages.ts';
import { afterEnd, mayReload, type Restarts } from '../../../electron/host/restart-rule.ts';
import { endedBecause, runtimeProblem } from '../../../electron/host/runtime-state.ts';
import { isSocketInside, socketBases } from '../../../electron/host/socket-folder.ts';
import { desktopLimits } from '../../../electron/limits.ts';

describe('a runtime that keeps ending', () => {
  /** Ends it `times` times, each `gapMs` after the last; returns the waits, null for giving up. */
  function ends(times: number, gapMs: number, servedMs = 0): (number | null)[] {
    let restarts: Restarts = [];
    const waits: (number | null)[] = [];
    for (let i = 0; i < times; i++) {
      const next = afterEnd({ restarts, nowMs: i * gapMs, servedMs });
      waits.push(next.is === 'again' ? next.waitMs : null);
      if (next.is === 'again') restarts = next.restarts;
    }
    return waits;
  }

  test('is started again after waits that double up to five seconds, then no more', () => {
    expect(ends(10, 1_000)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, null, null]);
  });
  test('has a fresh count after it served for a calm while', () => {
    expect(ends(20, 180_000, desktopLimits.restartCalmMs)).toEqual(Array(20).fill(100));
  });
  test('is not forgiven for serving a moment', () => {
    expect(ends(9, 1_000, desktopLimits.restartCalmMs - 1).at(-1)).toBeNull();
  });
  test('is counted within ten minutes only', () => {
    expect(ends(30, desktopLimits.restartWindowMs)).toEqual(Array(30).fill(100));
  });
});

test('a page that crashes is loaded again three times a minute, then no more', () => {
  let reloads: Restarts = [];
  const answers = [0, 1, 2, 3, 70_000].map((nowMs) => {
    const rule = mayReload(reloads, nowMs);
    reloads = rule.reloads;
    return rule.may;
  });
  expect(answers).toEqual([true, true, true, false, true]);
});

describe('the environment of utility processes', () => {
  test('holds allowed names only', () => {
    const all = {
      PATH: '/bin',
      HOME: '/h',
      LC_ALL: 'C',
      AWS_SECRET: 's',
      NODE_OPTIONS: '--x',
      LD_PRELOAD: 'x',
      TZ: undefined,
    };
    expect(childEnvironment(all)).toEqual({ PATH: '/bin', HOME: '/h', LC_ALL: 'C' });
  });
  test('keeps the spelling of Windows', () => {
    expect(childEnvironment({ Path: 'C:\\', SystemRoot: 'C:\\W' })).toEqual({ Path: 'C:\\', SystemRoot: 'C:\\W' });
  });
});

describe('the place of the socket', () => {
  test('is the runtime folder of the session, else a temporary one', () => {
    expect(socketBases({ XDG_RUNTIME_DIR: '/run/user/7' }, '/var/tmp')).toEqual(['/run/user/7', '/var/tmp', '/tmp']);
    expect(socketBases({}, '/var/tmp')).toEqual(['/var/tmp', '/tmp']);
  });
  test('is never too deep for a socket, nor relative', () => {
    const deep = `/${'d'.repeat(60)}`;
    expect(socketBases({ XDG_RUNTIME_DIR: deep }, `/${'é'.repeat(30)}`)).toEqual(['/tmp']);
    expect(socketBases({ XDG_RUNTIME_DIR: 'run' }, '/tmp')).toEqual(['/tmp', '/tmp']);
  });
  test('has to be inside the folder that was made for it', () => {
    expect(isSocketInside('/tmp/b-1', '/tmp/b-1/node.sock')).toBe(true);
    expect(isSocketInside('/tmp/b-1', '/tmp/b-1/../other.sock')).toBe(false);
    expect(isSocketInside('/tmp/b-1', '/tmp/other.sock')).toBe(false);
    expect(isSocketInside('/tmp/b-1', `/tmp/b-1/${'n'.repeat(100)}`)).toBe(false);
    expect(isSocketInside('\\\\.\\pipe\\binnacle-a', '\\\\.\\pipe\\binnacle-a-node')).toBe(true);
    expect(isSocketInside('\\\\.\\pipe\\binnacle-a', '\\\\.\\pipe\\else')).toBe(false);
  });
});

describe('what the page is told while its node cannot answer', () => {
  test('is a coded problem with the time it began', () => {
    const since = '2030-01-02T03:04:05.000Z';
    expect(runtimeProblem({ is: 'starting', since })).toMatchObject({ status: 503, code: 'starting', since });
    expect(runtimeProblem({ is: 'stopping', since })).toMatchObject({ status: 503, code: 'stopping', since });
    const down = runtimeProblem({ is: 'down', since, why: 'it was killed.', next: 'Look there.' });
    expect(down).toMatchObject({ detail: expect.stringContaining('it was killed.'), next: 'Look there.', since });
    expect(runtimeProblem({ is: 'givenUp', since, why: 'it crashed (code 5).' }).next).toContain('Start it again');
  });
  test('names why in words', () => {
    expect(endedBecause('oom', 1)).toBe('there was not enough memory.');
    expect(endedBecause(undefined, 7)).toBe('it ended with code 7.');
  });
});

test('messages of the runtime that do not fit are not believed', () => {
  const fits = (message: unknown) => FromRuntime.safeParse(message).success;
  expect(fits({ type: 'ready', socketPath: '/tmp/x', name: 'n' })).toBe(true);
  expect(fits({ type: 'ready', socketPath: 'x'.repeat(200), name: 'n' })).toBe(false);
  expect(fits({ type: 'runnerWanted', id: '' })).toBe(false);
  expect(fits({ type: 'roles', roles: Array(9).fill('active'), headline: '' })).toBe(false);
  expect(fits({ type: 'openEverything' })).toBe(false);
  expect(fits(null)).toBe(false);
});

test('a reason that is too long is cut, not lost', () => {
  const said = FromRuntime.parse({ type: 'failed', code: 'x', sentence: 's'.repeat(9_000), next: '' });
  expect(said).toMatchObject({ type: 'failed', sentence: 's'.repeat(desktopLimits.sentenceCharsMax) });
});
