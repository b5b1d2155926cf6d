/** Live events over SSE: order, resumption, slow clients, bounds, the orderly end. */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import type { LiveEvent } from '../../node-runtime/contract/model.ts';
import type { Handlers } from '../../node-runtime/io/http/asked.ts';
import type { Bounds } from '../../node-runtime/io/http/bounds.ts';
import { type EventSource, eventStream, type Told } from '../../node-runtime/io/http/sse.ts';
import { ask, handlersWith, type OpenDoor, problemOf, publicDoor, until } from './support/doors.ts';

/** Keeps the newest events and tells of new ones. Two or three events share a position, as entries do. */
function makeSource(keptMax = 10_000) {
  let kept: LiveEvent[] = [];
  let forgotten = 0;
  let newest = 0;
  const listeners = new Set<(event: LiveEvent) => void>();
  let serialised = 0;
  const source: EventSource = {
    replay: (after) => (after < forgotten ? 'gone' : kept.filter((event) => event.position > after)),
    subscribe(tell) {
      listeners.add(tell);
      return () => listeners.delete(tell);
    },
    position: () => newest,
  };
  const publish = (position: number, text = '', count = 1): void => {
    for (let number = 0; number < count; number++) {
      const name = `${position}/${number}${text}`;
      const event = { kind: 'sandbox', position, at: '2030-01-01T00:00:00Z', change: 'created' } as LiveEvent;
      const get = (): string => {
        serialised++;
        return name;
      };
      Object.defineProperty(event, 'name', { enumerable: true, get });
      kept.push(event);
      newest = position;
      for (const tell of listeners) tell(event);
    }
    while (kept.length > keptMax) forgotten = kept.shift()!.position;
    kept = kept.filter((event) => event.position > forgotten);
  };
  return { source, publish, listeners, serialised: () => serialised };
}

type Line = { id: string; event: string; data: { position: number; name: string; resumed?: boolean } };
class Follower {
  readonly lines: Line[] = [];
  comments = 0;
  answer: IncomingMessage | null = null;
  ended: 'no' | 'orderly' | 'cut' = 'no';
  #rest = '';
  readonly #request;

  constructor(door: OpenDoor, lastId?: string, query = '') {
    const headers = {
      host: `localhost:${door.port}`,
      authorization: 'Bearer viewer',
      ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
    };
    const path = `/api/v1/events${query}`;
    this.#request = request(
      { host: '127.0.0.1', port: door.port, path, headers, rejectUnauthorized: false, agent: false },
      (answer) => {
        this.answer = answer;
        answer.on('data', (piece: Buffer) => this.#take(piece.toString('utf8')));
        answer.on('end', () => (this.ended = 'orderly')).on('error', () => (this.ended = 'cut'));
      },
    );
    this.#request.on('error', () => (this.ended = 'cut'));
    this.#request.end();
  }

  #take(text: string): void {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop()!;
    for (const block of blocks) {
      if (block.startsWith(':')) this.comments++;
      else {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)));
        this.lines.push({ id: fields['id'], event: fields['event'], data: JSON.parse(fields['data']) });
      }
    }
  }

  get hello(): Line | undefined {
    return this.lines[0];
  }
  get events(): Line[] {
    return this.lines.slice(1);
  }
  get names(): string[] {
    return this.events.map((line) => line.data.name);
  }
  leave(): void {
    this.#request.destroy();
  }
}

/** Which events a test's client is told. */
let tellsTo: Told | undefined;
const doors: OpenDoor[] = [];
const followers: Follower[] = [];
/** The server's side of each stream that was opened, in order. */
const streams = new WeakMap<OpenDoor, Readable[]>();
async function openDoor(source: EventSource, bounds: Partial<Bounds> = {}): Promise<OpenDoor> {
  const opened: Readable[] = [];
  const events: Handlers['events'] = (asked) => {
    const reply = eventStream(asked, source, bounds, tellsTo);
    if ('body' in reply) opened.push(reply.body as Readable);
    return reply;
  };
  const door = await publicDoor({ handlers: handlersWith({ events }) });
  streams.set(door, opened);
  doors.push(door);
  return door;
}
async function follow(door: OpenDoor, lastId?: string, query?: string): Promise<Follower> {
  const follower = new Follower(door, lastId, query);
  followers.push(follower);
  await until('hello', () => follower.hello !== undefined || follower.ended !== 'no');
  return follower;
}
afterEach(async () => {
  tellsTo = undefined;
  for (const one of followers.splice(0)) one.leave();
  for (const one of doors.splice(0)) await one.close();
});

describe('the beginning', () => {
  test('hello says where the journal is, and that nothing was resumed', async () => {
    const { source, publish } = makeSource();
    publish(7);
    const door = await openDoor(source);
    const one = await follow(door);
    expect(one.hello).toEqual({ id: '7', event: 'hello', data: { position: 7, resumed: false } });
    expect(one.answer!.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    publish(8, '', 2);
    await until('two events', () => one.events.length === 2);
    expect(one.events.map(({ id, event }) => [id, event])).toEqual([
      ['8.1', 'sandbox'],
      ['8.2', 'sandbox'],
    ]);
  });

  test.each([
    ['5', undefined, true, ['6/0', '6/1', '7/0']],
    [undefined, '?after=5', true, ['6/0', '6/1', '7/0']],
    ['6', '?after=2', true, ['7/0']],
    ['6.1', undefined, true, ['6/1', '7/0']],
    ['6.2', undefined, true, ['7/0']],
    ['7', undefined, true, []],
    ['7.1', undefined, true, []],
    ['2', undefined, false, []],
    ['8', undefined, false, []],
    ['9999', undefined, false, []],
    ['nonsense', undefined, false, []],
    ['-1', undefined, false, []],
    ['', undefined, false, []],
  ])('Last-Event-ID %j with %j resumes: %s, then come %j', async (lastId, query, resumed, names) => {
    const { source, publish } = makeSource(5);
    for (const position of [1, 2, 3, 4, 5]) publish(position);
    publish(6, '', 2);
    publish(7);
    const door = await openDoor(source);
    const one = await follow(door, lastId, query);
    publish(8);
    await until('the newest', () => one.names.includes('8/0'));
    expect(one.hello!.data.resumed).toBe(resumed);
    expect(one.names).toEqual([...names, '8/0']);
  });

  test('an answer cut right after hello loses nothing: hello repeats the id it resumes from', async () => {
    const { source, publish } = makeSource();
    for (const position of [1, 2, 3]) publish(position);
    const one = await follow(await openDoor(source), '1.1');
    expect(one.hello).toEqual({ id: '1.1', event: 'hello', data: { position: 3, resumed: true } });
  });

  test('more missed than a client may buffer is not replayed: it is told to read anew', async () => {
    const { source, publish } = makeSource();
    for (let position = 1; position <= 100; position++) publish(position, 'x'.repeat(100));
    const one = await follow(await openDoor(source, { eventStreamBufferBytesMax: 4_096 }), '1');
    expect(one.hello!.data.resumed).toBe(false);
  });

  test('numbers within a position go on when somebody comes in the middle of it', async () => {
    const { source, publish } = makeSource();
    publish(1);
    publish(2);
    const one = await follow(await openDoor(source));
    publish(2);
    await until('the second event of position 2', () => one.events.length === 1);
    expect(one.events[0]!.id).toBe('2.2');
  });
});

describe('what a client may not know of', () => {
  const odd: Told = (event) => (event.position % 2 === 1 ? event : null);

  test('is not told, now or when it resumes; ids stay those of everybody', async () => {
    const { source, publish } = makeSource();
    for (const position of [1, 2, 3]) publish(position, '', 2);
    tellsTo = odd;
    const door = await openDoor(source);
    const one = await follow(door, '1.1');
    publish(4);
    publish(5);
    await until('the newest', () => one.names.includes('5/0'));
    expect(one.events.map(({ id, data }) => [id, data.name])).toEqual([
      ['1.2', '1/1'],
      ['3.1', '3/0'],
      ['3.2', '3/1'],
      ['5.1', '5/0'],
    ]);
    const again = await follow(door, '3.1');
    expect(again.names).toEqual(['3/1', '5/0']);
  });

  test('is told as something else where it has to look again', async () => {
    const { source, publish } = makeSource();
    publish(1);
    tellsTo = (event) => ({ kind: 'cluster', position: event.position, at: event.at });
    const one = await follow(await openDoor(source));
    publish(2, 'secret');
    await until('an event', () => one.events.length === 1);
    expect(one.events[0]).toEqual({
      id: '2.1',
      event: 'cluster',
      data: { kind: 'cluster', position: 2, at: '2030-01-01T00:00:00Z' },
    });
  });
});

describe('a stream whose session ends', () => {
  test('is ended in order within a moment, and only that one', async () => {
    const { source, publish } = makeSource();
    publish(1);
    let holds = true;
    const events: Handlers['events'] = (asked) => eventStream(asked, source);
    const door = await publicDoor({
      handlers: handlersWith({ events }),
      limits: { sessionLookMs: 20 },
      stillMay: async (_name, { caller }) => caller.name !== 'viewer' || holds,
    });
    doors.push(door);
    const one = await follow(door);
    await new Promise((done) => setTimeout(done, 100));
    expect(one.ended).toBe('no');
    holds = false;
    await until('its end', () => one.ended !== 'no', 1_000);
    expect(one.ended).toBe('orderly');
  });

  test('is ended, too, when that cannot be seen', async () => {
    const { source, publish } = makeSource();
    publish(1);
    const door = await publicDoor({
      handlers: handlersWith({ events: (asked) => eventStream(asked, source) }),
      limits: { sessionLookMs: 20 },
      stillMay: () => Promise.reject(new Error('table gone')),
    });
    doors.push(door);
    const one = await follow(door);
    await until('its end', () => one.ended === 'orderly', 1_000);
    expect(door.logged.map(({ message }) => message).join()).toContain('it is ended');
  });
});

test('50 clients that break off at random times see every event once and in order', async () => {
  const { source, publish, serialised } = makeSource();
  const door = await openDoor(source);
  publish(1);
  const expected: string[] = [];
  const seen: string[][] = Array.from({ length: 50 }, () => []);
  const lastIds: string[] = Array(50).fill('1');
  const present: (Follower | null)[] = Array(50).fill(null);
  let seed = 4711;
  const chance = (below: number): number => {
    seed = (seed * 48_271) % 0x7fffffff;
    return seed % below;
  };
  const putAway = (at: number): void => {
    const one = present[at]!;
    one.leave();
    seen[at]!.push(...one.names);
    lastIds[at] = one.lines.at(-1)?.id ?? lastIds[at]!;
    present[at] = null;
  };
  let breaks = 0;
  for (let position = 2; position <= 250; position++) {
    const count = 1 + chance(3);
    publish(position, '', count);
    for (let number = 0; number < count; number++) expected.push(`${position}/${number}`);
    for (let at = 0; at < 50; at++) {
      if (present[at] === null) present[at] = new Follower(door, lastIds[at]);
      else if (chance(60) === 0) {
        putAway(at);
        breaks++;
      }
    }
    await new Promise(setImmediate);
  }
  for (let at = 0; at < 50; at++) present[at] ??= new Follower(door, lastIds[at]);
  const last = expected.at(-1)!;
  await until(
    'all have the last event',
    () => present.every((one, at) => (one!.names.at(-1) ?? seen[at]!.at(-1)) === last),
    25_000,
  );
  for (let at = 0; at < 50; at++) putAway(at);
  for (const names of seen) expect(names).toEqual(expected);
  expect(breaks).toBeGreaterThan(100);
  // Live events are serialised once for all; the rest are replays to those who came back.
  expect(serialised()).toBeLessThan(expected.length * 50);
});

test('an event is made into text once for all clients', async () => {
  const { source, publish, serialised, listeners } = makeSource();
  const door = await openDoor(source);
  const all = await Promise.all(Array.from({ length: 20 }, () => follow(door)));
  for (let position = 1; position <= 10; position++) publish(position);
  await until('all have all', () => all.every((one) => one.events.length === 10));
  expect(serialised()).toBe(10);
  expect(listeners.size).toBe(1);
});

test('a client that does not read is cut off, the others go on, and it resumes without a loss', async () => {
  const { source, publish } = makeSource();
  const door = await openDoor(source, { eventStreamBufferBytesMax: 64 * 1024 });
  const slow = await follow(door);
  const quick = await follow(door);
  slow.answer!.pause();
  let position = 0;
  // First the kernel's buffers fill, then ours.
  await until('the slow one is cut off', async () => {
    for (let more = 0; more < 20; more++) {
      publish(++position, 'x'.repeat(20_000));
      await until('the quick one keeps up', () => quick.names.length === position);
    }
    return streams.get(door)![0]!.destroyed;
  });
  expect(streams.get(door)![1]!.destroyed).toBe(false);
  slow.answer!.resume();
  await until('it notices', () => slow.ended === 'cut');
  expect(slow.names.length).toBeLessThan(position);
  const again = await follow(door, slow.lines.at(-1)!.id);
  publish(++position);
  await until('the newest', () => again.ended !== 'no' || again.names.includes(`${position}/0`));
  if (again.hello!.data.resumed) expect([...slow.names, ...again.names]).toEqual(quick.names);
  else expect(again.names).toEqual([`${position}/0`]);
});

test('a client that reads nothing for too long is cut off even if little waits', async () => {
  const { source, publish, listeners } = makeSource();
  const door = await openDoor(source, { eventWriteMs: 50, eventHeartbeatMs: 20 });
  const slow = await follow(door);
  slow.answer!.pause();
  let position = 0;
  await until('its place is free again', async () => {
    // Enough to fill what lies between: the kernel's buffers.
    if (position < 200) publish(++position, 'x'.repeat(100_000));
    await new Promise(setImmediate);
    return listeners.size === 0;
  });
});

test('heartbeats come when nothing happens', async () => {
  const one = await follow(await openDoor(makeSource().source, { eventHeartbeatMs: 20 }));
  await until('three heartbeats', () => one.comments >= 3);
});

test('places are bounded, and a place is free again when its client has left', async () => {
  const { source } = makeSource();
  const door = await openDoor(source, { eventStreamsMax: 2 });
  const first = await follow(door);
  await follow(door);
  const third = await ask(door, { path: '/api/v1/events', token: 'viewer' });
  expect([third.status, problemOf(third).code]).toEqual([429, 'too_many']);
  first.leave();
  await until('a place', async () => {
    const one = await follow(door);
    return one.hello !== undefined;
  });
});

test('HEAD opens no stream', async () => {
  const { source, listeners } = makeSource();
  const got = await ask(await openDoor(source), { method: 'HEAD', path: '/api/v1/events', token: 'viewer' });
  expect([got.status, listeners.size]).toEqual([200, 0]);
});

test('a server that closes ends its streams in order', async () => {
  const { source, publish, listeners } = makeSource();
  const door = await openDoor(source);
  const one = await follow(door);
  publish(1);
  await door.close();
  await until('the end', () => one.ended !== 'no');
  expect([one.ended, one.names, listeners.size]).toEqual(['orderly', ['1/0'], 0]);
});
