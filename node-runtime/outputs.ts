/**
 * Copies of output on both controllers, made when an attempt has ended, so
 * that a log outlives the worker it was written on.
 *
 * Behind everything else: one at a time, tried again for a while. What could
 * not be copied is read from its worker for as long as that is there.
 */
import type { Peers } from './io/http/peers.ts';
import { keepOutputCopy } from './io/process/output-copy.ts';

const TRIES = 20;
const AGAIN_MS = 3_000;
const WAITING_MAX = 20_000;

type Wanted = { attempt: string; node: string; outputBytes: number; tries: number };

export function makeOutputs(parts: {
  data: string;
  peers(): Peers | null;
  warn(what: object, sentence: string): void;
}) {
  const waiting: Wanted[] = [];
  let copying = false;
  let closed = false;

  async function copyOne({ attempt, node, outputBytes }: Wanted): Promise<void> {
    const peers = parts.peers();
    if (!peers) throw new Error('this node speaks to no other');
    const times = await peers.request(node, { method: 'GET', path: `/peer/v1/times/${attempt}` });
    const lines: string[] = [];
    for await (const chunk of times.body) lines.push(String(chunk));
    await keepOutputCopy(parts.data, attempt, outputBytes, {
      times: times.status === 200 ? (JSON.parse(lines.join('')) as { offset: number; atMs: number }[]) : [],
      async *output() {
        for (let from = 0; from < outputBytes; ) {
          const before = from;
          const answer = await peers.request(node, { method: 'GET', path: `/peer/v1/output/${attempt}?from=${from}` });
          for await (const chunk of answer.body) {
            from += (chunk as Buffer).length;
            if (answer.status === 200) yield chunk as Buffer;
          }
          if (answer.status !== 200 || from === before)
            throw new Error(`${node} gave ${before} of ${outputBytes} bytes`);
        }
      },
    });
  }

  async function work(): Promise<void> {
    if (copying || closed) return;
    copying = true;
    for (let next = waiting.shift(); next && !closed; next = waiting.shift()) {
      const one = next;
      await copyOne(one).catch((error) => {
        if (one.tries + 1 < TRIES) setTimeout(() => again(one), AGAIN_MS).unref();
        else parts.warn({ err: error, attempt: one.attempt }, 'The output of an attempt could not be copied here.');
      });
    }
    copying = false;
  }

  function again(one: Wanted): void {
    waiting.push({ ...one, tries: one.tries + 1 });
    void work();
  }

  return {
    copy(attempt: string, node: string, outputBytes: number): void {
      if (waiting.length >= WAITING_MAX) return; // it is read from its worker
      waiting.push({ attempt, node, outputBytes, tries: 0 });
      void work();
    },
    close: () => {
      closed = true;
    },
  };
}
