/**
 * Were the answers that clients got those of one cluster? Looks at calls and
 * answers only, so it judges a simulated cluster and real processes alike.
 *
 * 1. A key is a register: absent, then one run for ever. Answers about it
 *    agree; a fresh read begun after a success, or after a read that saw it,
 *    sees it; what was only refused never appears; what is not known (no
 *    answer) appears at most once, and never before it was asked for.
 * 2. Positions keep the order of time: what was answered before another call
 *    began has the lower position. One sort, and the highest so far.
 *
 * All times are of one clock. Leaves out changes of one object by several
 * clients (cancel, ETag writes), and which answers a confirmed loss excuses:
 * the caller gives it what has to agree.
 */
export type Operation = {
  client: string;
  /** Idempotency key of a launch; the key a read asks about, '' when it lists. */
  key: string;
  kind: 'launch' | 'read';
  calledAt: number;
  /** null: no answer came. */
  returnedAt: number | null;
  outcome: 'ok' | 'refused' | 'unknown';
  /** Launch: where its entry is. Read: up to where the answer knows the journal. */
  position?: number;
  /** The run of the key; absent in a read that did not find it. */
  run?: string;
  /** What a list saw: run by key. */
  seen?: Record<string, string>;
  /** A local read may be old; only on one node it never goes back. */
  local?: string;
};

type Answered = Operation & { returnedAt: number };

/** Everything wrong with the history, in sentences; empty: nothing found. */
export function faultsOf(history: Operation[]): string[] {
  const faults: string[] = [];
  checkKeys(history, faults);
  checkOrder(history, faults);
  checkLocal(history, faults);
  return faults;
}

const answered = (history: Operation[]): Answered[] =>
  history.filter((one): one is Answered => one.outcome === 'ok' && one.returnedAt !== null);

/** What an operation says of keys: run by key; a read that did not find its key says null. */
function said(one: Operation): [string, string | null][] {
  const seen: [string, string | null][] = Object.entries(one.seen ?? {});
  if (one.key !== '' && one.seen?.[one.key] === undefined) seen.push([one.key, one.run ?? null]);
  return seen;
}

type Register = { run: string | null; mayExistFrom: number; surelyFrom: number; launches: Operation[] };

function checkKeys(history: Operation[], faults: string[]): void {
  const registers = new Map<string, Register>();
  const register = (key: string): Register => {
    const known = registers.get(key) ?? {
      run: null,
      mayExistFrom: Number.POSITIVE_INFINITY,
      surelyFrom: Number.POSITIVE_INFINITY,
      launches: [],
    };
    registers.set(key, known);
    return known;
  };
  for (const one of history) {
    if (one.kind !== 'launch') continue;
    const known = register(one.key);
    known.launches.push(one);
    if (one.outcome !== 'refused') known.mayExistFrom = Math.min(known.mayExistFrom, one.calledAt);
  }
  const oks = answered(history);
  for (const one of oks)
    for (const [key, run] of said(one)) if (run !== null) saw(register(key), key, run, one, faults);
  for (const one of oks) checkFresh(one, registers, faults);
}

function saw(known: Register, key: string, run: string, one: Answered, faults: string[]): void {
  if (known.run !== null && known.run !== run) faults.push(`${key} is run ${known.run} and run ${run}`);
  known.run = run;
  if (one.local === undefined) known.surelyFrom = Math.min(known.surelyFrom, one.returnedAt);
  if (one.returnedAt >= known.mayExistFrom) return;
  const refused = known.launches.length > 0 && known.launches.every((launch) => launch.outcome === 'refused');
  faults.push(`${key} was seen by ${one.client} ${refused ? 'and was only refused' : 'before it was asked for'}`);
}

function checkFresh(one: Answered, registers: Map<string, Register>, faults: string[]): void {
  if (one.kind !== 'read' || one.local !== undefined) return;
  const seen = new Map(said(one));
  const asked = one.key === '' ? registers.keys() : [one.key];
  for (const key of asked) {
    const known = registers.get(key);
    if (known && (seen.get(key) ?? null) === null && known.surelyFrom < one.calledAt)
      faults.push(`${key} was there at ${known.surelyFrom} and a read by ${one.client} at ${one.calledAt} misses it`);
  }
}

/** A key's launch takes effect once, between the first call and the first answer. */
type Placed = { name: string; from: number; to: number; position: number; isNew: boolean };

function checkOrder(history: Operation[], faults: string[]): void {
  const placed = [...placedLaunches(history, faults), ...placedReads(history)];
  // A read that saw a key knows the journal at least up to it.
  const positions = new Map(placed.filter((one) => one.isNew).map((one) => [one.name, one.position]));
  for (const one of answered(history)) {
    if (one.kind !== 'read' || one.position === undefined) continue;
    for (const [key, run] of said(one))
      if (run !== null && (positions.get(key) ?? 0) > one.position)
        faults.push(`a read at ${one.position} saw ${key}, which is at ${positions.get(key)}`);
  }
  const byCall = [...placed].sort((a, b) => a.from - b.from);
  const byAnswer = [...placed].sort((a, b) => a.to - b.to);
  let highest: Placed | null = null;
  let next = 0;
  for (const one of byCall) {
    while (next < byAnswer.length && byAnswer[next]!.to < one.from) {
      const before = byAnswer[next++]!;
      if (highest === null || before.position > highest.position) highest = before;
    }
    if (highest === null) continue;
    const isLate = one.isNew ? one.position <= highest.position : one.position < highest.position;
    if (isLate)
      faults.push(
        `${one.name} at ${one.position} was asked for after ${highest.name} at ${highest.position} was answered`,
      );
  }
}

function placedLaunches(history: Operation[], faults: string[]): Placed[] {
  const byKey = new Map<string, Placed>();
  const firstCall = new Map<string, number>();
  for (const one of history)
    if (one.kind === 'launch' && one.outcome !== 'refused')
      firstCall.set(one.key, Math.min(firstCall.get(one.key) ?? Number.POSITIVE_INFINITY, one.calledAt));
  for (const one of answered(history)) {
    if (one.kind !== 'launch' || one.position === undefined) continue;
    const known = byKey.get(one.key);
    if (known && known.position !== one.position)
      faults.push(`${one.key} is at ${known.position} and at ${one.position}`);
    const to = Math.min(known?.to ?? Number.POSITIVE_INFINITY, one.returnedAt);
    byKey.set(one.key, { name: one.key, from: firstCall.get(one.key)!, to, position: one.position, isNew: true });
  }
  const places = new Map<number, string>();
  for (const { name, position } of byKey.values()) {
    const other = places.get(position);
    if (other !== undefined) faults.push(`${other} and ${name} are both at ${position}`);
    places.set(position, name);
  }
  return [...byKey.values()];
}

const placedReads = (history: Operation[]): Placed[] =>
  answered(history).flatMap(({ kind, client, local, position, calledAt, returnedAt }) =>
    kind === 'read' && local === undefined && position !== undefined
      ? [{ name: `a read by ${client}`, from: calledAt, to: returnedAt, position, isNew: false }]
      : [],
  );

/** Local reads: on one node, never back. */
function checkLocal(history: Operation[], faults: string[]): void {
  const nodes = new Map<string, Answered[]>();
  for (const one of answered(history))
    if (one.local !== undefined && one.position !== undefined)
      nodes.set(one.local, [...(nodes.get(one.local) ?? []), one]);
  for (const [node, reads] of nodes) {
    const byAnswer = [...reads].sort((a, b) => a.returnedAt - b.returnedAt);
    let next = 0;
    let highest = 0;
    for (const one of [...reads].sort((a, b) => a.calledAt - b.calledAt)) {
      while (next < byAnswer.length && byAnswer[next]!.returnedAt < one.calledAt)
        highest = Math.max(highest, byAnswer[next++]!.position!);
      if (one.position! < highest) faults.push(`${node} showed position ${highest}, then ${one.position}`);
    }
  }
}
