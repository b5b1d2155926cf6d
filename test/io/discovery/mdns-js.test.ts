/** The guard around mdns-js, on programs that behave as badly as it can; the real one is heard in `test/netns`. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { bounds } from '../../../node-runtime/io/discovery/bounds.ts';
import { textStrings } from '../../../node-runtime/io/discovery/hints.ts';
import { MdnsJs } from '../../../node-runtime/io/discovery/mdns-js.ts';
import { node } from './support.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'bin-ears-'));
function program(text: string): string {
  const file = path.join(folder, `${randomUUID()}.mjs`);
  writeFileSync(file, text);
  return file;
}
const alive = `setInterval(() => process.send({ kind: 'alive' }), ${bounds.heartbeatMs});`;
const heard = (strings: string[], port = 7400) =>
  `process.send(${JSON.stringify({ kind: 'heard', addresses: ['10.0.0.9'], port, strings })});`;

let guarded: MdnsJs | null = null;
let givenUp: string[] = [];
function start(text: string): MdnsJs {
  givenUp = [];
  guarded = new MdnsJs({ program: program(text), onHeard: () => {}, onGivenUp: (why) => givenUp.push(why) });
  guarded.start();
  return guarded;
}
afterEach(() => guarded?.stop());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the guarded library', () => {
  it('adds what passes the checks', async () => {
    const strings = textStrings(node('a'));
    const one = start(
      alive + heard(textStrings(node('b')), 1) + heard([...strings, ...textStrings(node('b'))]) + heard(strings),
    );
    await expect
      .poll(() => one.found())
      .toMatchObject([{ node: 'n-a', name: 'machine-a', addresses: ['10.0.0.9:7400'], via: 'mdns-js' }]);
    one.forget('c-lab n-a');
    expect(one.found()).toEqual([]);
  });

  it('is ended when it loops, begins again, and what it had heard stays', async () => {
    const one = start(`${alive}${heard(textStrings(node('a')))}setTimeout(() => { for (;;); }, 300);`);
    await expect.poll(() => one.deaths, { timeout: 12_000 }).toBeGreaterThanOrEqual(2);
    expect(one.found()).toHaveLength(1);
    expect(givenUp).toEqual([]);
  });

  it('stays off, and says so once, when it keeps dying', async () => {
    const one = start(`throw new Error('protocol must be either "_tcp" or "_udp"');`);
    await expect.poll(() => givenUp, { timeout: 25_000 }).toHaveLength(1);
    const { deaths } = one;
    await new Promise((done) => setTimeout(done, 500));
    expect([givenUp.length, one.deaths, deaths]).toEqual([1, bounds.deathsMax, bounds.deathsMax]);
  });

  it('is ended when it takes too much memory, and this process goes on', async () => {
    const one = start(`${alive}const kept = []; for (;;) kept.push(new Array(1000).fill(Math.random()));`);
    await expect.poll(() => one.deaths, { timeout: 15_000 }).toBeGreaterThanOrEqual(1);
  });

  it('is simply absent where it is not installed', async () => {
    const one = start(`process.send({ kind: 'missing' });`);
    await expect.poll(() => one.isOff).toBe(true);
    expect([givenUp, one.deaths]).toEqual([[], 0]);
  });
});
