/** Uploads: chunks, breaks, resuming, giving up. */
import { describe, expect, it } from 'vitest';
import type { Entry, Upload } from '../../../node-runtime/contract/model.ts';
import { type UploadDoor, type UploadProgress, uploadFile } from '../../../renderer/flows/upload.ts';

const MiB = 1024 * 1024;
class Break extends Error {}
class Refused extends Error {}
class MovedOn extends Error {}

/** A node that keeps what arrives; `plan` says what happens to each request. */
function nodeWith(
  bytes: number,
  plan: (request: string, n: number) => 'ok' | 'break' | 'lostAnswer' | 'refuse' | 'elsewhere',
) {
  const log: string[] = [];
  let offset = 0;
  let n = 0;
  let visible = 0;
  const upload = (): Upload => ({
    id: 'u-1',
    sandbox: 's',
    path: 'f',
    bytes,
    offset,
    chunkBytesMax: 8 * MiB,
    expiresAt: '',
  });
  async function answer<T>(request: string, effect: () => T): Promise<T> {
    const what = plan(request, n++);
    log.push(`${request}${what === 'ok' ? '' : ` ${what}`}`);
    if (what === 'break') throw new Break();
    if (what === 'refuse') throw new Refused();
    if (what === 'elsewhere') throw new MovedOn();
    const result = effect();
    if (what === 'lostAnswer') throw new Break();
    return result;
  }
  const door: UploadDoor = {
    begin: () => answer('begin', upload),
    send: (_, at, from, to) =>
      answer(`send ${at / MiB}`, () => {
        if (at !== offset) throw new MovedOn();
        offset += to - from;
        return upload();
      }),
    stand: () => answer('stand', upload),
    complete: () =>
      answer('complete', () => {
        visible++;
        return { path: 'f' } as Entry;
      }),
    giveUp: () => answer('giveUp', () => undefined),
    passes: (cause) => cause instanceof Break,
    movedOn: (cause) => cause instanceof MovedOn,
    wait: async (_, signal) => signal.throwIfAborted(),
  };
  return { door, log, kept: () => offset, visible: () => visible };
}
const quiet = (): void => undefined;
const never = new AbortController().signal;

describe('an upload', () => {
  it('is cut into chunks of at most 8 MiB', async () => {
    const node = nodeWith(20 * MiB, () => 'ok');
    await uploadFile(20 * MiB, node.door, quiet, never);
    expect(node.log).toEqual(['begin', 'send 0', 'send 8', 'send 16', 'complete']);
    expect(node.kept()).toBe(20 * MiB);
  });
  it('of an empty file is begun and completed', async () => {
    const node = nodeWith(0, () => 'ok');
    await uploadFile(0, node.door, quiet, never);
    expect(node.log).toEqual(['begin', 'complete']);
  });
  it('asks where it stands after a break and goes on from there', async () => {
    const node = nodeWith(20 * MiB, (request, n) => (request === 'send 8' && n === 2 ? 'lostAnswer' : 'ok'));
    await uploadFile(20 * MiB, node.door, quiet, never);
    expect(node.log).toEqual(['begin', 'send 0', 'send 8 lostAnswer', 'stand', 'send 16', 'complete']);
    expect(node.kept()).toBe(20 * MiB);
  });
  it('waits out a longer break and says that it waits', async () => {
    const node = nodeWith(4 * MiB, (_, n) => (n >= 1 && n <= 6 ? 'break' : 'ok'));
    const said: UploadProgress[] = [];
    await uploadFile(4 * MiB, node.door, (one) => said.push(one), never);
    expect(said.some((one) => one.waiting)).toBe(true);
    expect(said.at(-1)).toEqual({ sent: 4 * MiB, waiting: false });
    expect(node.visible()).toBe(1);
  });
  it('takes the offset the node names when it names another', async () => {
    const node = nodeWith(4 * MiB, (request, n) => (request === 'send 0' && n === 1 ? 'elsewhere' : 'ok'));
    await uploadFile(4 * MiB, node.door, quiet, never);
    expect(node.log).toEqual(['begin', 'send 0 elsewhere', 'stand', 'send 0', 'complete']);
  });
  it('ends with the refusal when it is refused, without a retry', async () => {
    const node = nodeWith(4 * MiB, (request) => (request === 'complete' ? 'refuse' : 'ok'));
    await expect(uploadFile(4 * MiB, node.door, quiet, never)).rejects.toBeInstanceOf(Refused);
    expect(node.log).toEqual(['begin', 'send 0', 'complete refuse']);
  });
  it('that is cancelled tells the node to give it up', async () => {
    const stop = new AbortController();
    const node = nodeWith(32 * MiB, (request) => {
      if (request === 'send 8') stop.abort();
      return 'ok';
    });
    await expect(uploadFile(32 * MiB, node.door, quiet, stop.signal)).rejects.toThrow();
    expect(node.log.at(-1)).toBe('giveUp');
    expect(node.visible()).toBe(0);
  });
  it('does not try for ever', async () => {
    const node = nodeWith(4 * MiB, () => 'break');
    await expect(uploadFile(4 * MiB, node.door, quiet, never)).rejects.toBeInstanceOf(Break);
    expect(node.log.length).toBeLessThan(200);
  });
});
