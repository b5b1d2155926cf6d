/** The live events: parsing, coming back, resuming. */
import { describe, expect, it } from 'vitest';
import type { LiveEvent } from '../../../node-runtime/contract/model.ts';
import { followEvents } from '../../../renderer/flows/events.ts';
import { type SseEvent, sseParser } from '../../../renderer/flows/sse.ts';

const streamOf = (...texts: string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(control) {
      for (const text of texts) control.enqueue(new TextEncoder().encode(text));
      control.close();
    },
  });

describe('the parser of server-sent events', () => {
  const text = ': hi\nevent: hello\nid: 7\ndata: {"a":1}\n\ndata: one\r\ndata: two\r\n\r\nid: 9\ndata: é\n\n';
  const wanted: SseEvent[] = [
    { id: '7', event: 'hello', text: '{"a":1}' },
    { id: '7', event: 'message', text: 'one\ntwo' },
    { id: '9', event: 'message', text: 'é' },
  ];
  it('gives the same events wherever the text is cut', () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const events: SseEvent[] = [];
      const feed = sseParser((event) => events.push(event));
      feed(text.slice(0, cut));
      feed(text.slice(cut));
      expect(events).toEqual(wanted);
    }
  });
});

describe('following events', () => {
  it('comes back after a break with the last position it has seen, and says both', async () => {
    const stop = new AbortController();
    const asked: string[] = [];
    const said: string[] = [];
    const streams = [
      () =>
        streamOf(
          'event: hello\nid: 5\ndata: {"resumed":false}\n\n',
          'id: 6\nda',
          'ta: {"kind":"cluster","position":6,"at":"x"}\n\n',
        ),
      () => {
        throw new Error('refused');
      },
      () => streamOf('event: hello\nid: 6\ndata: {"resumed":true}\n\n'),
    ];
    await followEvents(
      {
        open: async (lastId) => {
          asked.push(lastId);
          return streams[asked.length - 1]!();
        },
        probe: async () => undefined,
        wait: async () => {
          if (asked.length === 3) stop.abort();
        },
      },
      {
        onHello: (resumed) => said.push(`hello ${resumed}`),
        onEvent: (event: LiveEvent) => said.push(event.kind),
        onLost: () => said.push('lost'),
      },
      stop.signal,
    );
    expect(asked).toEqual(['', '6', '6']);
    expect(said).toEqual(['hello false', 'cluster', 'lost', 'lost', 'hello true', 'lost']);
  });
  it('waits longer after each failure, five seconds at most', async () => {
    const stop = new AbortController();
    const waits: number[] = [];
    const door = {
      open: async () => Promise.reject(new Error('down')),
      probe: async () => undefined,
      wait: async (ms: number) => {
        waits.push(ms);
        if (waits.length === 7) stop.abort();
      },
    };
    await followEvents(
      door,
      { onHello: () => undefined, onEvent: () => undefined, onLost: () => undefined },
      stop.signal,
    );
    expect(waits).toEqual([200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });
});
