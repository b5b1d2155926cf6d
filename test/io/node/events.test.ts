/**
 * Live events of a real node over SSE: in order, resumed without loss or
 * doubling after a broken connection, and honest after a restart.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LiveEvent } from '../../../node-runtime/contract/model.ts';
import { eventually, RealNode } from '../../support/real-node.ts';

let node: RealNode;
beforeAll(async () => {
  node = await (await RealNode.found()).start();
  await node.must('POST', '/api/v1/sandboxes', { name: 'work', kind: 'shared' });
  await node.put('work', 'two.job.yaml', 'tasks:\n  a: { run: echo a }\n  b: { needs: a, run: echo b }\n');
});
afterAll(() => node?.remove());

type Told = { id: string; kind: string; value: LiveEvent & { resumed?: boolean } };

/** Whole events only: the last piece may be cut anywhere. */
const eventsIn = (text: string): Told[] =>
  text
    .split('\n\n')
    .slice(0, -1)
    .filter((frame) => frame.startsWith('id: '))
    .map((frame) => {
      const [id, kind, value] = frame.split('\n').map((line) => line.slice(line.indexOf(': ') + 2));
      return { id: id!, kind: kind!, value: JSON.parse(value!) };
    });

async function follow(from?: string) {
  const stream = await node.stream('/api/v1/events', from === undefined ? {} : { 'last-event-id': from });
  const told = () => eventsIn(stream.text());
  await eventually('hello', () => told()[0]?.kind === 'hello');
  return { ...stream, told };
}

const isEndOf = (run: string) => (one: Told) =>
  one.value.kind === 'run' && one.value.run.id === run && one.value.run.state === 'succeeded';

describe('live events', () => {
  it('of a launch come in the order in which they happened', async () => {
    const stream = await follow();
    expect(stream.answer.headers['content-type']).toContain('text/event-stream');
    const { id } = await node.launch('work', 'two.job.yaml');
    await eventually('the end is told', () => stream.told().some(isEndOf(id)));
    const told = stream.told().slice(1);
    const tasks = told.flatMap(({ value }) =>
      value.kind === 'task' && value.run === id
        ? [`${value.task.id} ${value.task.state} ${value.task.attempts[0]?.state}`]
        : [],
    );
    const seen = tasks.filter((one, at) => one !== tasks[at - 1]);
    expect(seen).toEqual([
      'a running placed',
      'a running running',
      'a succeeded succeeded',
      'b running placed',
      'b running running',
      'b succeeded succeeded',
    ]);
    const positions = told.map(({ value }) => value.position);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    expect(new Set(told.map((one) => one.id)).size).toBe(told.length);
    stream.left();
  });

  it('are resumed after any of them without loss or doubling', async () => {
    const stream = await follow();
    for (let at = 0; at < 4; at++) await node.put('work', `note-${at}.txt`, String(at));
    const { id } = await node.through('work', 'two.job.yaml');
    const all = await eventually('the end is told', () => stream.told().some(isEndOf(id)) && stream.told());
    stream.left();
    const events = all.slice(1);
    expect(events.length).toBeGreaterThan(10);
    for (const [at, { id: last }] of events.entries()) {
      const again = await follow(last);
      const rest = events.slice(at + 1).map((one) => one.id);
      const got = await eventually('the rest comes', () => again.told().length > rest.length && again.told());
      expect(got[0]!.value.resumed).toBe(true);
      expect(got.slice(1, rest.length + 1).map((one) => one.id)).toEqual(rest);
      again.left();
    }
    // what comes while nobody listens is there for who comes back
    const last = events.at(-1)!.id;
    await node.put('work', 'missed.txt', 'm');
    const back = await follow(last);
    const missed = await eventually('what was missed', () => back.told().find(({ value }) => value.kind === 'files'));
    expect(missed!.value).toMatchObject({ kind: 'files', sandbox: 'work', paths: ['missed.txt'] });
    back.left();
  });

  it('that cannot be resumed are said to be; over a restart nothing is told twice or left out', async () => {
    const before = await follow();
    await node.put('work', 'last.txt', 'l');
    const last = (await eventually('it is told', () => before.told().at(-1)?.kind !== 'hello' && before.told().at(-1)))!
      .id;
    for (const from of ['nonsense', '999999999', '-1']) {
      const stream = await follow(from);
      expect([from, stream.told()[0]!.value.resumed]).toEqual([from, false]);
      stream.left();
    }
    await node.kill();
    await before.over.catch(() => {});
    await node.start();
    const after = await follow(last);
    // A node that woke before that entry has it to tell from; one that woke after it says that it cannot.
    const { resumed } = after.told()[0]!.value;
    await node.put('work', 'after.txt', 'a');
    await eventually('new events come', () =>
      after.told().some(({ value }) => value.kind === 'files' && value.paths[0] === 'after.txt'),
    );
    // The first line says where the node is now; what is told again from before that follows it.
    const positions = after
      .told()
      .slice(1)
      .flatMap(({ value }) => ('position' in value ? [value.position] : []));
    if (resumed) expect(positions.every((position) => position > Number(last))).toBe(true);
    expect(positions).toEqual(positions.toSorted((one, other) => one - other));
    after.left();
  });

  it('end in order when the node stops', async () => {
    const stream = await follow();
    expect(await node.stop()).toBe(0);
    await stream.over;
  });
});
