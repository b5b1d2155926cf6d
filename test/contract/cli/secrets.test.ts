/** What the secret commands ask for, send and print. A value is read, sent once, and never printed. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { TerminalInput } from '../../../node-runtime/io/cli/outside.ts';
import { binnacle, fakeNode, Refused } from './fake-node.ts';

const secret = { name: 'DB_PASSWORD', version: 1, savedAt: '2026-03-04T09:22:31.000Z', savedBy: 'user:ada', runs: [] };
const set = ['secret', 'set', 'DB_PASSWORD'];
const sentTo = (bodies: unknown[], version = 1) =>
  fakeNode({
    secretSave: ({ params, body }) => {
      bodies.push({ ...params, ...body });
      return { ...secret, version };
    },
  });

describe('secret set', () => {
  it('takes all lines of standard input, or of a file, without the end of the last', async () => {
    const bodies: unknown[] = [];
    await using node = await sentTo(bodies);
    const stdin = new PassThrough();
    stdin.end('-----BEGIN-----\nabc\n\n');
    const first = await binnacle([...set, '--stdin', '--data', node.data], { stdin });
    expect(first).toEqual({ code: 0, out: 'DB_PASSWORD is saved. Job files name it under secrets.\n', err: '' });
    const file = join(node.data, 'value');
    await writeFile(file, 'hunter2 hunter2\n');
    await binnacle([...set, '--file', file, '--description', 'for the plant', '--data', node.data]);
    expect(bodies).toEqual([
      { name: 'DB_PASSWORD', value: '-----BEGIN-----\nabc\n' },
      { name: 'DB_PASSWORD', value: 'hunter2 hunter2', description: 'for the plant' },
    ]);
  });

  it('asks on a terminal, twice, and shows nothing', async () => {
    const bodies: unknown[] = [];
    await using node = await sentTo(bodies, 2);
    const modes: boolean[] = [];
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => modes.push(on) });
    const ran = binnacle([...set, '--data', node.data], { stdin: stdin as TerminalInput });
    stdin.write('correct horse\r');
    await expect.poll(() => modes.length, { timeout: 5000 }).toBeGreaterThanOrEqual(3);
    stdin.write('correct horse\r');
    const { code, out, err } = await ran;
    expect(code).toBe(0);
    expect(bodies).toEqual([{ name: 'DB_PASSWORD', value: 'correct horse' }]);
    expect(out).toContain('has a new value');
    expect(out + err).not.toContain('horse');
    expect(modes).toEqual([true, false, true, false]);
  });

  it('wants to be told where the value comes from when nobody can be asked, and sends nothing', async () => {
    const bodies: unknown[] = [];
    await using node = await sentTo(bodies);
    const ran = await binnacle([...set, '--data', node.data], { stdin: new PassThrough().end() as never });
    expect(ran).toMatchObject({ code: 2, err: expect.stringContaining('Give it with --stdin or --file') });
    expect((await binnacle([...set, 'hunter2 hunter2', '--data', node.data])).code).toBe(2);
    const both = await binnacle([...set, '--stdin', '--file', 'f', '--data', node.data]);
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining('not both') });
    expect(bodies).toEqual([]);
  });

  it.each([
    ['is too short', 'tiny\n', 'at least 6 characters'],
    ['is too long', 'x'.repeat(20_000), 'at most 16384 bytes'],
  ])('of what %s says so here, without the value', async (_, text, why) => {
    const bodies: unknown[] = [];
    await using node = await sentTo(bodies);
    const stdin = new PassThrough();
    stdin.end(text);
    const ran = await binnacle([...set, '--stdin', '--data', node.data], { stdin });
    expect(ran).toMatchObject({ code: 2, out: '', err: expect.stringContaining(why) });
    expect(ran.err).not.toContain(text.trim());
    expect(bodies).toEqual([]);
  });
});

describe('secret ls', () => {
  it('lists names, versions and who saved them', async () => {
    const secrets = [{ ...secret, description: 'for the plant', runs: ['r-1', 'r-2'] }];
    await using node = await fakeNode({ secrets: () => ({ secrets }) });
    const { code, out } = await binnacle(['secret', 'ls', '--data', node.data]);
    expect(code).toBe(0);
    expect(out).toMatch(/DB_PASSWORD +1 .* user:ada +2 +for the plant/);
    expect(JSON.parse((await binnacle(['secret', 'ls', '--json', '--data', node.data])).out)).toEqual({ secrets });
  });
});

describe('secret rm', () => {
  it('says which runs still name it', async () => {
    await using node = await fakeNode({
      secretRemove: ({ params }) => ({ removed: params.name, runs: ['r-1', 'r-2'] }),
    });
    const ran = await binnacle(['secret', 'rm', 'DB_PASSWORD', '--data', node.data]);
    expect(ran).toEqual({
      code: 0,
      out: 'DB_PASSWORD was removed.\n',
      err: 'These runs name it, and what of them has not begun will not start: r-1, r-2.\n',
    });
  });

  it('of what is not there is refused', async () => {
    await using node = await fakeNode({ secretRemove: () => new Refused('secret_unknown', 'There is no secret X.') });
    expect(await binnacle(['secret', 'rm', 'X', '--data', node.data])).toMatchObject({
      ...{ code: 3, err: expect.stringContaining('There is no secret X.') },
    });
  });
});
