import { EventEmitter } from 'node:events';
import { expect, test, vi } from 'vitest';
import { connectRunner } from '../../../node-runtime/io/process/connect-runner.ts';
import type { Channel, FromRunner, ToRunner } from '../../../node-runtime/io/process/orders.ts';
import { openParentChannel, type ParentHost } from '../../../node-runtime/io/process/parent-channel.ts';
import { until } from './fixture.ts';

/** A channel whose other side is the test. */
function testChannel() {
  const sent: ToRunner[] = [];
  let hearGone: (why: string) => void = () => {};
  let hear: (message: unknown) => void = () => {};
  const channel: Channel = {
    send: (batch) => void sent.push(...(batch as ToRunner[])),
    onMessage: (listener) => {
      hear = listener;
    },
    onGone: (listener) => {
      hearGone = listener;
    },
    stop: () => hearGone('stopped'),
  };
  return { channel, sent, die: () => hearGone('It died.'), say: (...list: FromRunner[]) => hear(list) };
}

test('a runner lost again and again is restarted after 100 ms, doubling to 5 s', async () => {
  vi.useFakeTimers();
  try {
    const waits: number[] = [];
    const opened: ReturnType<typeof testChannel>[] = [];
    const open = () => {
      const made = testChannel();
      opened.push(made);
      return made.channel;
    };
    const runner = connectRunner(open, { dataDir: '/nowhere', onLost: (_why, restartMs) => waits.push(restartMs) });
    for (let i = 0; i < 8; i++) {
      opened.at(-1)!.die();
      await vi.advanceTimersByTimeAsync(waits.at(-1)! - 1);
      expect(opened).toHaveLength(i + 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(opened).toHaveLength(i + 2);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    await vi.advanceTimersByTimeAsync(20_000);
    opened.at(-1)!.die();
    expect(waits.at(-1)).toBe(100);
    void runner.close();
  } finally {
    vi.useRealTimers();
  }
});

test('what no runner has confirmed is said again to the next one, files once a run', async () => {
  const opened: ReturnType<typeof testChannel>[] = [];
  const runner = connectRunner(
    () => {
      const made = testChannel();
      opened.push(made);
      return made.channel;
    },
    { dataDir: '/nowhere' },
  );
  const order = (number: number) => ({
    ...{ attempt: `r.t.${number}`, run: 'r', task: 't', number, term: '1.1.a', directory: null, workingDirectory: '' },
    files: [{ path: 'a', source: '/blob', executable: false }],
    command: { shell: 'true' },
    ...{ environment: {}, timeoutMs: null, stopGraceMs: 1, outputBytesMax: 1, leased: false },
  });
  for (const number of [1, 2, 3]) runner.start(order(number));
  runner.stop('r.t.2', 'cancelled');
  runner.forget(['old']);
  runner.sweep(['q']);
  const [first] = opened;
  await until('the orders', () => first!.sent.length >= 8);
  expect(first!.sent.map((one) => one.type)).toEqual([
    'open',
    'layout',
    'start',
    'start',
    'start',
    'stop',
    'forget',
    'sweep',
  ]);
  const end = { at: 1, state: 'succeeded', cause: 'exit', outputBytes: 0, outputCut: false } as const;
  const forget = first!.sent.find((one) => one.type === 'forget')!;
  first!.say({ type: 'report', report: { attempt: 'r.t.1', type: 'ended', end } }, { type: 'done', id: forget.id });
  first!.die();
  const second = await until('the next runner', () => opened[1]);
  await until('the orders', () => second.sent.length >= 6);
  expect(second.sent.map((one) => one.type)).toEqual(['open', 'layout', 'start', 'stop', 'start', 'sweep']);
  expect(second.sent.flatMap((one) => (one.type === 'start' ? [one.order.attempt] : []))).toEqual(['r.t.2', 'r.t.3']);
  const closed = runner.close();
  await until('the farewell', () => second.sent.some((one) => one.type === 'close'));
  second.die();
  await closed;
});

test('a lease is said at once, then seldom, ahead of what starts on it, and first to the next runner', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    const opened: ReturnType<typeof testChannel>[] = [];
    const open = () => {
      const made = testChannel();
      opened.push(made);
      return made.channel;
    };
    const runner = connectRunner(open, { dataDir: '/nowhere' });
    const turn = () => new Promise(setImmediate);
    const said = () => opened.at(-1)!.sent.map((one) => (one.type === 'lease' ? one.endsAtMs : one.type));
    for (let ms = 1; ms <= 100; ms++) runner.renewLease(1_000_000 + ms);
    runner.renewLease(Number.NEGATIVE_INFINITY);
    await turn();
    expect(said()).toEqual(['open', 1_000_001]);
    await vi.advanceTimersByTimeAsync(199);
    await turn();
    expect(said()).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    await turn();
    expect(said().at(-1)).toBe(1_000_100);
    runner.renewLease(1_000_200);
    runner.start({
      ...{ attempt: 'r.t.1', run: 'r', task: 't', number: 1, term: '1.1.a', files: null, directory: '/' },
      ...{ workingDirectory: '', command: { shell: 'true' }, environment: {}, timeoutMs: null },
      ...{ stopGraceMs: 1, outputBytesMax: 1, leased: true },
    });
    await turn();
    expect(said().slice(-2)).toEqual([1_000_200, 'start']);
    opened[0]!.die();
    await vi.advanceTimersByTimeAsync(100);
    await turn();
    expect(opened).toHaveLength(2);
    expect(said()).toEqual(['open', 1_000_200, 'start']);
    void runner.close();
  } finally {
    vi.useRealTimers();
  }
});

test('an order with an odd name is our own bug', async () => {
  const made = testChannel();
  const runner = connectRunner(() => made.channel, { dataDir: '/nowhere' });
  for (const run of ['../x', '.x', 'a/b', '', 'a b', 'x'.repeat(250)]) {
    const order = { attempt: `${run}.t.1`, run, task: 't', number: 1, term: '', files: [], directory: null };
    const rest = { workingDirectory: '', command: { shell: '' }, environment: {}, timeoutMs: null };
    expect(() => runner.start({ ...order, ...rest, stopGraceMs: 1, outputBytesMax: 1, leased: false })).toThrow();
  }
  void runner.close();
  made.die();
});

test('as a utility process the runner talks over the port it is handed, else over its parent', () => {
  class Port extends EventEmitter {
    said: unknown[] = [];
    started = false;
    closed = false;
    postMessage(message: unknown) {
      this.said.push(message);
    }
    start() {
      this.started = true;
    }
    close() {
      this.closed = true;
    }
  }
  for (const isHanded of [true, false]) {
    const parentPort = new Port();
    const direct = new Port();
    const channel = openParentChannel({ parentPort } as unknown as ParentHost);
    const heard: unknown[] = [];
    let gone = 0;
    channel.onMessage((message) => heard.push(message));
    channel.onGone(() => gone++);
    if (isHanded) parentPort.emit('message', { data: null, ports: [direct] });
    const way = isHanded ? direct : parentPort;
    way.emit('message', { data: 'hello' });
    channel.send('answer');
    way.emit('close');
    expect(heard).toEqual(['hello']);
    expect(way.said).toEqual(['answer']);
    expect(gone).toBe(1);
    expect(direct.started).toBe(isHanded);
    channel.close();
    expect(way.closed).toBe(true);
  }
});
