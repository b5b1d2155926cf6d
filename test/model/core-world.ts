/**
 * All that may happen in a small cluster: nodes, what is on its way between
 * them, what the law has seen so far, and how much trouble is still allowed.
 *
 * A state is a row of numbers, each the name of a value that is kept once: two
 * for every node (itself, and what is on its way to it), one for the law, one
 * for what is left of the bounds. What a node does depends on itself and the
 * event only, so every step of a node is computed once and looked up after.
 *
 * Messages are delivered in any order, late, or never; a bound allows some to
 * be delivered twice.
 */
import type { Message } from '../../node-runtime/core/cluster/messages.ts';
import { lacks } from '../../node-runtime/core/cluster/register.ts';
import { compareTerms } from '../../node-runtime/core/cluster/terms.ts';
import { type AnyNode, type Bounds, DELIVER, type Given, newActs, steps } from './core-acts.ts';
import { type Law, lawText, newLaw, type Seen, take } from './core-law.ts';
import { step } from './core-node.ts';
import { nodeText } from './core-sameness.ts';
import { type MemberNode, NOW, type Order, type Outcome, type Setting } from './core-setting.ts';
import { newNumbers } from './core-states.ts';
import { takeOrder, type WorkerNode, workerText } from './core-worker.ts';

type Letter = { from: string; to: number; content: Message | Order };

/** A step that was computed: what became of the node, and what it did outside. */
type Done = { node: number; sends: number[]; seen: number; told: string[] };

export type World = ReturnType<typeof newWorld>;

export function newWorld(given: Given) {
  const { setting } = given;
  const acts = newActs(given);
  const count = given.nodes.length;
  const width = 2 * count + 2;
  const [LAW, LEFT] = [2 * count, 2 * count + 1];
  const names = given.nodes.map(({ node }) => node.name);
  const nodes = newNumbers<AnyNode>(textOf);
  const letters = newNumbers<Letter>((letter) => JSON.stringify(letter));
  const sets = newNumbers<number[]>((set) => set.join());
  const laws = newNumbers<Law>(lawText);
  const sights = newNumbers<Seen[]>((seen) => JSON.stringify(seen));
  const lefts = newNumbers<Bounds>((left) => JSON.stringify(left));
  const counts = new Map<string, number>();
  const tell = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);

  // ------------------------------------------------------------- one node

  const doneOf: Map<number, Done>[] = [];
  const optionsOf: number[][] = [];

  function options(id: number): number[] {
    const known = optionsOf[id];
    if (known) return known;
    const one = nodes.values[id]!;
    const found = one.kind === 'worker' ? acts.workerOptions(one.node) : acts.memberOptions(one.node);
    optionsOf[id] = found;
    return found;
  }

  function perform(id: number, code: number): Done {
    const memory = doneOf[id] ?? new Map<number, Done>();
    doneOf[id] = memory;
    const known = memory.get(code);
    if (known) return known;
    const one = nodes.values[id]!;
    const { node, outcome } =
      one.kind === 'worker'
        ? code >= DELIVER
          ? takes(one.node, code)
          : acts.actOfWorker(one.node, code)
        : code >= DELIVER
          ? receives(one.node, code)
          : acts.act(one.node, code);
    const sends = outcome.sends.flatMap(({ to, message }) => {
      const target = names.indexOf(to);
      return target < 0 ? [] : [letters.of({ from: one.node.name, to: target, content: message })];
    });
    for (const told of outcome.told) if (!/^(yes|no: )/.test(told)) tell(told);
    const done: Done = {
      node: nodes.of({ kind: one.kind, node } as AnyNode),
      sends,
      seen: sights.of(outcome.seen),
      told: outcome.told,
    };
    memory.set(code, done);
    return done;
  }

  const takes = (node: WorkerNode, code: number): { node: WorkerNode; outcome: Outcome } =>
    takeOrder(node, letters.values[(code - DELIVER) >>> 1]!.content as Order, setting);

  const receives = (node: MemberNode, code: number): { node: MemberNode; outcome: Outcome } => {
    const { from, content } = letters.values[(code - DELIVER) >>> 1]!;
    return step(node, { event: 'received', now: NOW, from, message: content as Message }, setting);
  };

  /** The end of an attempt is proposed when its worker has it on disk and could tell of it. */
  function isToldEnded(row: Uint32Array, at: number): boolean {
    const [what, attempt = ''] = acts.nextEntry(nodes.values[row[2 * at]!]!.node as MemberNode).split(' ');
    if (what !== 'end') return true;
    return given.nodes.some(({ kind }, place) => {
      const { node } = nodes.values[row[2 * place]!]!;
      return kind === 'worker' && (node as WorkerNode).saved.attempts[attempt]?.state === 'ended';
    });
  }

  // ------------------------------------------------------------- the whole

  const lawMemory = new Map<number, number>();
  function lawAfter(law: number, seen: number): number {
    if (sights.values[seen]!.length === 0) return law;
    const key = law * 4_194_304 + seen;
    const known = lawMemory.get(key);
    if (known !== undefined) return known;
    const next = JSON.parse(JSON.stringify(laws.values[law]!)) as Law;
    for (const one of sights.values[seen]!) take(next, one, tell);
    const after = laws.of(next);
    lawMemory.set(key, after);
    return after;
  }

  const setMemory = new Map<number, number>();
  function changed(set: number, letter: number, isThere: boolean): number {
    const key = (set * 4_194_304 + letter) * 2 + (isThere ? 1 : 0);
    const known = setMemory.get(key);
    if (known !== undefined) return known;
    const others = sets.values[set]!.filter((one) => one !== letter);
    const after = sets.of(isThere ? [...others, letter].sort((a, b) => a - b) : others);
    setMemory.set(key, after);
    return after;
  }

  const costs = new Map<number, string>([
    [steps.try, 'tries'],
    [steps.heartbeat, 'heartbeats'],
    [steps.propose, 'entries'],
    [steps.park, 'parkings'],
    [steps.activate, 'activations'],
    [steps.switchOver, 'switch-overs'],
    [steps.putBack, 'images'],
    [steps.wipe, 'wipes'],
    [steps.choose, 'choices'],
  ]);
  function costOf(code: number): string | null {
    if (code >= DELIVER) return (code & 1) === 1 ? 'twice' : null;
    if (code >= steps.confirm) return null;
    if (code >= steps.show) return 'claims';
    if (code >= steps.crash) return 'crashes';
    return costs.get(code) ?? null;
  }

  const leftMemory = new Map<number, number>();
  /** What is left after this step, or -1 when nothing was. */
  function spend(left: number, node: number, code: number): number {
    const cost = costOf(code);
    if (cost === null) return left;
    const key = (left * 16 + node) * DELIVER * 2 + Math.min(code, DELIVER + (code & 1));
    const known = leftMemory.get(key);
    if (known !== undefined) return known;
    const bounds = lefts.values[left]!;
    const own = `${cost} ${names[node]}`;
    const name = own in bounds ? own : cost;
    const after = (bounds[name] ?? 0) > 0 ? lefts.of({ ...bounds, [name]: bounds[name]! - 1 }) : -1;
    leftMemory.set(key, after);
    return after;
  }

  const isDead = newDead(letters.values);

  /** P34 finds an old image where the others know better; where they do not, nobody can (PROTOCOL section 10). */
  function isKnownBetter(row: Uint32Array, at: number): boolean {
    const one = nodes.values[row[2 * at]!]!;
    const { register } = (one.node as MemberNode).image!;
    return given.nodes.every(({ kind }, place) => {
      if (place === at || kind === 'worker') return true;
      const { disk } = nodes.values[row[2 * place]!]!.node as MemberNode;
      return (disk.register.seen?.[register.store] ?? []).some((saver) => lacks(register, saver));
    });
  }

  /** Takes the step in `next`. False: it is not allowed, or changes nothing. */
  function go(row: Uint32Array, next: Uint32Array, at: number, code: number): boolean {
    const left = spend(row[LEFT]!, at, code);
    if (left < 0 || (code === steps.putBack && !isKnownBetter(row, at))) return false;
    if (code === steps.propose && !isToldEnded(row, at)) return false;
    const id = row[2 * at]!;
    const done = perform(id, code);
    const isQuiet = done.node === id && done.sends.length === 0 && sights.values[done.seen]!.length === 0;
    if (isQuiet) return false;
    next.set(row);
    next[2 * at] = done.node;
    next[LEFT] = left;
    if (code >= DELIVER && (code & 1) === 0)
      next[2 * at + 1] = changed(row[2 * at + 1]!, (code - DELIVER) >>> 1, false);
    if (code === steps.putBack) next[2 * at + 1] = sets.of([]); // its connections ended, and what was on its way in them
    for (const letter of done.sends) {
      const { to } = letters.values[letter]!;
      next[2 * to + 1] = changed(next[2 * to + 1]!, letter, true);
    }
    next[LAW] = lawAfter(row[LAW]!, done.seen);
    for (let place = 0; place < count; place++) forgetDead(next, place);
    return true;
  }

  const memories = newNumbers<string>((text) => text);
  const memoryIds: number[] = [];
  /** What decides whether a letter is dead: the register on disk. */
  function memoryOf(id: number): number {
    const one = nodes.values[id]!;
    const known = memoryIds[id] ?? memories.of(one.kind === 'worker' ? '' : JSON.stringify(one.node.disk.register));
    memoryIds[id] = known;
    return known;
  }

  const deadMemory = new Map<number, number>();
  /** Letters that can never again make a difference are taken away: they may as well be lost. */
  function forgetDead(row: Uint32Array, at: number): void {
    const [id, set] = [row[2 * at]!, row[2 * at + 1]!];
    if (sets.values[set]!.length === 0) return;
    const key = memoryOf(id) * 67_108_864 + set;
    let kept = deadMemory.get(key);
    if (kept === undefined) {
      const one = nodes.values[id]!;
      kept =
        one.kind === 'worker' ? set : sets.of(sets.values[set]!.filter((letter) => !isDead(one.node, letter, setting)));
      deadMemory.set(key, kept);
    }
    row[2 * at + 1] = kept;
  }

  function begin(): Uint32Array {
    const row = new Uint32Array(width);
    const law = newLaw();
    const empty = sets.of([]);
    given.nodes.forEach((one, place) => {
      row[2 * place] = nodes.of(one);
      row[2 * place + 1] = empty;
      if (one.kind !== 'member') return;
      const { accepted, promised } = one.node.disk.register;
      const voter = `${one.node.name}#${one.node.disk.register.store}`;
      take(law, { seen: 'promised', voter, term: promised }, () => {});
      take(law, { seen: 'accepted', voter, charter: accepted }, () => {});
    });
    row[LAW] = laws.of(law);
    row[LEFT] = lefts.of(given.bounds);
    return row;
  }

  function* successors(row: Uint32Array): Generator<[at: number, code: number]> {
    for (let at = 0; at < count; at++) {
      for (const code of options(row[2 * at]!)) yield [at, code];
      for (const letter of sets.values[row[2 * at + 1]!]!) {
        yield [at, DELIVER + 2 * letter];
        yield [at, DELIVER + 2 * letter + 1];
      }
    }
  }

  return {
    width,
    names,
    counts,
    begin,
    go,
    successors,
    options,
    nodeAt: (row: Uint32Array, at: number): AnyNode => nodes.values[row[2 * at]!]!,
    lettersTo: (row: Uint32Array, at: number): { id: number; letter: Letter }[] =>
      sets.values[row[2 * at + 1]!]!.map((id) => ({ id, letter: letters.values[id]! })),
    /** What was computed so far is computed anew, and nothing is counted yet. */
    forgetSteps: (): void => {
      doneOf.length = 0;
      lawMemory.clear();
      counts.clear();
    },
    withBounds: (row: Uint32Array, bounds: Bounds): void => row.set([lefts.of(bounds)], LEFT),
    withNode: (row: Uint32Array, at: number, one: AnyNode): void => row.set([nodes.of(one)], 2 * at),
    withoutLetters: (row: Uint32Array): void => {
      for (let at = 0; at < count; at++) row[2 * at + 1] = sets.of([]);
    },
    forget: (row: Uint32Array, at: number, letter: number): void => {
      row[2 * at + 1] = changed(row[2 * at + 1]!, letter, false);
    },
    deliver: (letter: number): number => DELIVER + 2 * letter,
    letterOf: (code: number): Letter | null => (code >= DELIVER ? letters.values[(code - DELIVER) >>> 1]! : null),
    doneOf: (row: Uint32Array, at: number, code: number): { told: string[]; sends: Letter[]; seen: Seen[] } => {
      const done = perform(row[2 * at]!, code);
      return { told: done.told, sends: done.sends.map((id) => letters.values[id]!), seen: sights.values[done.seen]! };
    },
    sizes: () => ({
      nodes: nodes.values.length,
      letters: letters.values.length,
      sets: sets.values.length,
      laws: laws.values.length,
    }),
  };
}

const textOf = (one: AnyNode): string => (one.kind === 'worker' ? workerText(one.node) : nodeText(one.node));

/** Answers to a question that was given up for good, on disk, and that tell of nothing newer than what is there. */
function newDead(letters: Letter[]) {
  return (node: MemberNode, id: number, setting: Setting): boolean => {
    const { content, from } = letters[id]!;
    if (!('body' in content) || setting.hearing || from === setting.memory) return false;
    const { body } = content;
    if (!('term' in body) || body.kind === 'ask' || body.kind === 'takeOver') return false;
    const { promised, accepted } = node.disk.register;
    if (compareTerms(promised, body.term) <= 0) return false;
    if (!('accepted' in body)) return true;
    const [own, theirs] = [accepted.lineage?.claim, body.accepted.lineage?.claim];
    if (own !== theirs || compareTerms(accepted.term, body.accepted.term) < 0) return false;
    return body.kind !== 'refused' || compareTerms(promised, body.promised) >= 0;
  };
}
