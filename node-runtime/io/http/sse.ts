/**
 * Live events over SSE, resumable without loss or doubling.
 *
 * One entry of the journal may cause several events of the same position, and
 * a connection may break between them. So an event's id is `position.number`,
 * counted in the order of the source; a client gives back the last id it saw
 * and gets exactly what followed. A bare position means "all of it was seen".
 *
 * The first event is `hello`: when it says `resumed: false` the client has to
 * fetch the present state, because what it missed is no longer kept. Each
 * event is made into bytes once for all clients. A client that does not read
 * is cut off: it comes back and resumes. What a client is not told leaves a
 * gap in the numbers it sees, and nothing else.
 */
import { Readable } from 'node:stream';
import { type Refusal, refuse } from '../../contract/errors.ts';
import type { LiveEvent } from '../../contract/model.ts';
import type { Asked, Success } from './asked.ts';
import { type Bounds, boundsWith } from './bounds.ts';

export type EventSource = {
  /** All events after a position, in order; 'gone' when some of them are no longer kept. */
  replay(after: number): LiveEvent[] | 'gone';
  /** Tells of each event as it comes; gives back how to stop. */
  subscribe(tell: (event: LiveEvent) => void): () => void;
  /** The newest position, with or without events. */
  position(): number;
};

/** The event as one client is told it; null: not at all. */
export type Told = (event: LiveEvent) => LiveEvent | null;

/**
 * The reply for `events`: resumes after Last-Event-ID, else after the query's
 * `after`, else begins now. Refuses with too_many when all places are taken.
 */
export function eventStream(
  asked: Asked<'events'>,
  source: EventSource,
  changed: Partial<Bounds> = {},
  tellsTo: Told = (event) => event,
): Refusal | Success<'events'> {
  const bounds = boundsWith(changed);
  if (asked.head) return { headers };
  const hub = hubs.get(source) ?? openHub(source, bounds);
  if (hub.clients.size >= bounds.eventStreamsMax) {
    return refuse('too_many', `${hub.clients.size} consoles and programs are following the events of this node.`);
  }
  const from = asked.headers.lastEventId ?? asked.query.after?.toString();
  const client = new Client(bounds, tellsTo, () => leave(hub, client));
  asked.signal.addEventListener('abort', () => client.end(), { once: true });
  for (const frame of beginning(hub, from, bounds, tellsTo)) client.take(frame);
  // Nothing was awaited since the replay, so no event can fall between it and this.
  hub.clients.add(client);
  if (asked.signal.aborted) client.end();
  return { headers, body: client.body, endless: true };
}

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
};

// -------------------------------------------------------------------- hub

/** All clients of one source. It lives while it has clients. */
type Hub = { source: EventSource; clients: Set<Client>; count: Count; stop(): void };
/** How many events of the newest position have been seen. */
type Count = { position: number; number: number };

const hubs = new WeakMap<EventSource, Hub>();
const HEARTBEAT = Buffer.from(': still here\n\n');

function openHub(source: EventSource, bounds: Bounds): Hub {
  const count = countOf(source);
  const clients = new Set<Client>();
  const tellAll = (event: LiveEvent): void => {
    const id = nextId(event, count);
    const whole = frame(id, event.kind, event);
    for (const client of clients) {
      const told = client.tellsTo(event);
      if (told) client.take(told === event ? whole : frame(id, told.kind, told));
    }
  };
  const unsubscribe = source.subscribe(tellAll);
  const beatAll = (): void => {
    for (const client of clients) client.take(HEARTBEAT);
  };
  const beat = setInterval(beatAll, bounds.eventHeartbeatMs).unref();
  const stop = (): void => {
    clearInterval(beat);
    unsubscribe();
    hubs.delete(source);
  };
  const hub: Hub = { source, clients, count, stop };
  hubs.set(source, hub);
  return hub;
}

function leave(hub: Hub, client: Client): void {
  hub.clients.delete(client);
  if (hub.clients.size === 0) hub.stop();
}

/** Events of the newest position that came before anybody listened. */
function countOf(source: EventSource): Count {
  const position = source.position();
  const events = source.replay(position - 1);
  const number = events === 'gone' ? 0 : events.filter((event) => event.position === position).length;
  return { position, number };
}

function nextId(event: LiveEvent, count: Count): string {
  count.number = event.position === count.position ? count.number + 1 : 1;
  count.position = event.position;
  return `${count.position}.${count.number}`;
}

const frame = (id: string, kind: string, value: unknown): Buffer =>
  Buffer.from(`id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(value)}\n\n`);

/** `hello`, then what was missed. A hello that resumes repeats the client's own id: nothing is skipped if it is cut now. */
function beginning(hub: Hub, from: string | undefined, bounds: Bounds, tellsTo: Told): Buffer[] {
  const position = hub.source.position();
  const missed = from === undefined ? null : missedSince(hub.source, from);
  const frames = (missed ?? []).flatMap(({ id, event }) => {
    const told = tellsTo(event);
    return told ? [frame(id, told.kind, told)] : [];
  });
  const bytes = frames.reduce((sum, one) => sum + one.length, 0);
  if (!missed || bytes > bounds.eventStreamBufferBytesMax / 2) {
    return [frame(String(position), 'hello', { position, resumed: false })];
  }
  return [frame(from!, 'hello', { position, resumed: true }), ...frames];
}

/** Null when that can't be told: an unknown id, one from the future, or too long ago. */
function missedSince(source: EventSource, from: string): { id: string; event: LiveEvent }[] | null {
  const found = /^(\d{1,15})(?:\.(\d{1,9}))?$/.exec(from);
  if (!found) return null;
  const position = Number(found[1]);
  const seen = found[2] === undefined ? null : Number(found[2]);
  if (position > source.position()) return null;
  const events = source.replay(seen === null ? position : position - 1);
  if (events === 'gone') return null;
  const count: Count = { position: -1, number: 0 };
  const numbered = events.map((event) => {
    count.number = event.position === count.position ? count.number + 1 : 1;
    count.position = event.position;
    return { id: `${count.position}.${count.number}`, number: count.number, event };
  });
  return numbered.filter(({ number, event }) => event.position > position || number > (seen ?? 0));
}

// ----------------------------------------------------------------- client

class Client {
  readonly body: Readable;
  readonly tellsTo: Told;
  readonly #bounds: Bounds;
  #fullSince: number | null = null;

  constructor(bounds: Bounds, tellsTo: Told, left: () => void) {
    this.#bounds = bounds;
    this.tellsTo = tellsTo;
    this.body = new Readable({ read() {} });
    // An abrupt end is the ordinary end of a stream like this.
    this.body.on('error', () => {}).once('close', left);
  }

  take(frame: Buffer): void {
    if (this.body.destroyed || this.body.readableEnded) return;
    this.body.push(frame);
    const waiting = this.body.readableLength;
    const now = performance.now();
    this.#fullSince = waiting <= frame.length ? null : (this.#fullSince ?? now);
    const stuck = this.#fullSince !== null && now - this.#fullSince > this.#bounds.eventWriteMs;
    if (stuck || waiting > this.#bounds.eventStreamBufferBytesMax) this.body.destroy();
  }

  /** An orderly end, so that the client knows that nothing was cut. */
  end(): void {
    if (!this.body.destroyed) this.body.push(null);
  }
}
