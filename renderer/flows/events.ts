/**
 * Follows the live events of the node, for ever: reads, and when the stream
 * breaks, comes back with the last position it has seen.
 *
 * Says when it is connected and when it is not; decides nothing about what is
 * shown. A stream that carries nothing for `quietMs` is probed: an answer
 * means quiet, none means lost (a sleeping laptop keeps dead sockets).
 */
import type { LiveEvent } from '../../node-runtime/contract/model.ts';
import { sseParser } from './sse.ts';

export type EventDoor = {
  /** Opens the stream after the given position; throws when it cannot. */
  open(lastId: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /** Any cheap request; throws when the node does not answer. */
  probe(): Promise<unknown>;
  wait(ms: number): Promise<void>;
};
export type EventListener = {
  onHello(resumed: boolean): void;
  onEvent(event: LiveEvent): void;
  onLost(cause: unknown): void;
};

const firstPauseMs = 200;
const pauseMsMax = 5_000;
const quietMs = 30_000;

async function readStream(
  stream: ReadableStream<Uint8Array>,
  feed: (chunk: string) => void,
  probe: () => Promise<unknown>,
): Promise<void> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let quiet: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    clearTimeout(quiet);
    quiet = setTimeout(() => {
      probe().then(heard, (cause) => reader.cancel(cause));
    }, quietMs);
  };
  try {
    heard();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(quiet);
  }
}

export async function followEvents(door: EventDoor, listener: EventListener, signal: AbortSignal): Promise<void> {
  let lastId = '';
  let pauseMs = firstPauseMs;
  while (!signal.aborted) {
    try {
      const stream = await door.open(lastId, signal);
      const feed = sseParser((event) => {
        if (event.id) lastId = event.id;
        if (event.event === 'hello') {
          pauseMs = firstPauseMs;
          listener.onHello((JSON.parse(event.text) as { resumed?: boolean }).resumed === true);
        } else listener.onEvent(JSON.parse(event.text) as LiveEvent);
      });
      await readStream(stream, feed, door.probe);
      if (!signal.aborted) listener.onLost(new Error('The event stream ended.'));
    } catch (cause) {
      if (signal.aborted) return;
      listener.onLost(cause);
    }
    await door.wait(pauseMs);
    pauseMs = Math.min(pauseMsMax, pauseMs * 2);
  }
}
