/**
 * The step of a node that is a cluster of one, event by event. What it does
 * among others, and under faults, is in `simulation.test.ts`.
 */
import { describe, expect, it } from 'vitest';
import type { Entry, StoredEntry } from '../../../node-runtime/contract/facts.ts';
import { foundingCharter } from '../../../node-runtime/core/cluster/charter.ts';
import { foundingRegister, type Register } from '../../../node-runtime/core/cluster/register.ts';
import { foundingTerm } from '../../../node-runtime/core/cluster/terms.ts';
import { timings } from '../../../node-runtime/core/cluster/timing.ts';
import type { Clock, Effect, Event, Reply } from '../../../node-runtime/core/effects.ts';
import { activationText, entryText, openEntry } from '../../../node-runtime/core/folding.ts';
import { isActive, type NodeState } from '../../../node-runtime/core/node-state.ts';
import { applyEntry, emptyReplicated, type Replicated } from '../../../node-runtime/core/replicated.ts';
import { step, wake } from '../../../node-runtime/core/step.ts';
import { chainOf, chainStart } from '../../../node-runtime/io/journal/chain.ts';
import { twoTasks } from '../../node-simulation/clients.ts';

const self = { node: 'n-1', name: 'atlas' };
const voter = { node: 'n-1', store: 's1' };
const timing = timings.lan;
const start = { index: 0, term: { era: 0, number: 0, node: '' }, chain: chainStart };

type Unclocked = Event extends infer E ? (E extends Clock ? Omit<E, keyof Clock> : never) : never;
type Save = Extract<Effect, { save: number }>;

/** One node on a disk that syncs when it is told to. */
class Lone {
  now = 1_000;
  mono = 50_000;
  full = false;
  disk: { register: Register; entries: StoredEntry[] };
  saves: Save[] = [];
  effects: Effect[] = [];
  answers = new Map<number, Reply>();
  state!: NodeState;
  private asked = 0;

  constructor() {
    const facts: Entry['fact'][] = [
      { kind: 'clusterFounded', cluster: 'c-1', name: 'lab', node: 'n-1', nodeName: 'atlas' },
      { kind: 'sandboxCreated', name: 'work', storage: 'kept', description: '' },
    ];
    const entries: StoredEntry[] = [];
    for (const [place, fact] of facts.entries()) {
      const entry: Entry = { term: foundingTerm('n-1'), index: place + 1, at: 0, by: 'node', via: 'atlas', fact };
      const { term, index } = entry;
      const text = entryText(entry);
      entries.push({ term, index, text, chain: chainOf(entries.at(-1)?.chain ?? chainStart, term, index, text) });
    }
    this.disk = { register: foundingRegister('c-1', voter, foundingCharter(voter, 0)), entries };
    this.boot();
  }

  replay(): Replicated {
    const replicated = emptyReplicated();
    for (const entry of this.disk.entries) applyEntry(replicated, openEntry(entry));
    return replicated;
  }

  boot(diskFull = false): void {
    this.saves = [];
    const { register, entries } = this.disk;
    this.state = wake({
      self,
      member: {
        ...{
          register,
          keepsJournal: true,
          journal: { base: start, entries: [...entries] },
          snapshot: null,
          dropped: 0,
        },
        ...{
          mark: null,
          roster: { controllers: [], watch: null, spares: [] },
          timing,
          incarnation: 'p',
          now: this.mono,
        },
        craft: { chainOf, activationText: (charter, loss) => activationText(self.name, charter, loss) },
      },
      replicated: this.replay(),
      snapshot: 0,
      diskFull,
    });
  }

  feed(event: Unclocked): void {
    const effects = step(this.state, { ...event, now: this.now, mono: this.mono, random: 0.5 } as Event);
    this.effects.push(...effects);
    for (const effect of effects) {
      if ('save' in effect) this.saves.push(effect);
      if (effect.effect === 'answer') this.answers.set(effect.id, effect.reply);
      if (effect.effect === 'reload') this.boot(true);
    }
  }

  /** Time passes, looked at as often as a node does. */
  wait(ms: number): void {
    for (const end = this.mono + ms; this.mono < end; ) {
      this.mono += 50;
      this.now += 50;
      this.feed({ event: 'ticked' });
    }
  }

  /** The oldest save that waits is on the disk now, or can't be. */
  sync(): void {
    const save = this.saves.shift();
    if (!save) throw new Error('nothing waits to be saved');
    if (this.full) return this.feed({ event: 'saveFailed' });
    if (save.effect === 'saveRegister') this.disk.register = save.register;
    if (save.effect === 'appendEntries') this.disk.entries.push(...save.entries);
    this.feed({ event: 'saved', save: save.save });
  }

  activate(): void {
    this.wait(timing.suspectMs + 100); // it listens first: others may know that this folder is old
    while (!isActive(this.state) || this.saves.length > 0) this.sync();
  }

  ask(key: string): number {
    const id = ++this.asked;
    const wish = {
      wish: 'launch' as const,
      sandbox: 'work',
      path: 'two.job.yaml',
      revision: 0,
      parameters: {},
      plan: twoTasks,
    };
    const one = { id, by: 'user:ops', via: 'atlas', key: { key, request: 'same' }, wish, random: 'abcdefghij' };
    this.feed({ event: 'asked', asked: [one] });
    return id;
  }

  kinds = (): string[] => this.disk.entries.map((entry) => openEntry(entry).fact.kind);
}

describe('the step of a node', () => {
  it('answers nothing before it acts, and says so', () => {
    const node = new Lone();
    expect(node.answers.get(node.ask('k'))).toMatchObject({ code: 'not_active' });
    node.wait(timing.suspectMs + 100);
    expect(node.state.member.phase.phase).toBe('asking');
    expect(node.answers.get(node.ask('k'))).toMatchObject({ code: 'starting' });
    expect(node.saves.every((save) => save.effect === 'saveRegister')).toBe(true);
  });

  it('P9, P13: activates by a committed entry of its own, in a new term each time', () => {
    const node = new Lone();
    const wakeUp = (): void => {
      node.wait(timing.suspectMs + 100);
      node.sync(); // its promise
      node.sync(); // its acceptance: decided, and its activation is written
      expect(node.saves.map((save) => save.effect)).toEqual(['appendEntries']);
      expect(isActive(node.state)).toBe(false);
      const early = node.ask(`early ${node.disk.entries.length}`);
      expect(node.answers.has(early)).toBe(false); // it waits: entries are taken in a moment
      node.sync();
      expect(isActive(node.state)).toBe(true);
      expect(node.answers.has(early)).toBe(false); // and for the sync of its own
    };
    wakeUp();
    node.boot();
    wakeUp();
    const terms = node.disk.entries
      .filter((entry) => openEntry(entry).fact.kind === 'activated')
      .map((entry) => entry.term);
    expect(terms.map((term) => term.number)).toEqual([1, 2]);
    expect(node.kinds()).toEqual(['clusterFounded', 'sandboxCreated', 'activated', 'activated']);
  });

  it('P12, P16: appends in order without waiting for its own sync, answers in that order after it', () => {
    const node = new Lone();
    node.activate();
    const before = node.disk.entries.length;
    const [a, b] = [node.ask('a'), node.ask('b')];
    const written = node.saves.flatMap((save) => (save.effect === 'appendEntries' ? save.entries : []));
    expect(written.map((entry) => entry.index)).toEqual([before + 1, before + 2]);
    expect(node.answers.size).toBe(0);
    node.sync();
    expect([...node.answers.keys()]).toEqual([a]);
    node.sync();
    expect([...node.answers.keys()]).toEqual([a, b]);
    expect(() => applyEntry(node.replay(), { ...openEntry(node.disk.entries[0]!), index: 99 })).toThrow(
      'broken promise',
    );
  });

  it('P14: publishes nothing before it is on the disk', () => {
    const node = new Lone();
    node.activate();
    node.effects = [];
    node.ask('a');
    const events = () => node.effects.filter((effect) => effect.effect === 'publish').length;
    expect(events()).toBe(0);
    node.sync();
    expect(events()).toBe(1);
  });

  it('P36: the same key is answered with the same run, also before the first answer has left', () => {
    const node = new Lone();
    node.activate();
    const [a, b] = [node.ask('k'), node.ask('k')];
    expect(node.saves).toHaveLength(1);
    node.sync();
    const runs = [a, b].map((id) => (node.answers.get(id) as { body: { id: string } }).body.id);
    expect(runs[0]).toBe(runs[1]);
  });

  it('answers honestly what a full disk did not keep, and does it once when asked again', () => {
    const node = new Lone();
    node.activate();
    node.full = true;
    const lost = node.ask('k');
    node.sync();
    expect(node.answers.get(lost)).toMatchObject({ code: 'disk_full' });
    expect(node.answers.get(node.ask('k'))).toMatchObject({ code: 'disk_full' });
    node.full = false;
    node.wait(1_000);
    node.activate();
    const again = node.ask('k');
    node.sync();
    expect(node.answers.get(again)).toMatchObject({ status: 201 });
    expect(node.kinds().filter((kind) => kind === 'runLaunched')).toHaveLength(1);
  });

  it('comes back after a full disk also when the clock is set back by days meanwhile', () => {
    const node = new Lone();
    node.now = 10 * 86_400_000;
    node.full = true;
    node.wait(timing.suspectMs + 100);
    node.sync();
    expect(node.state.diskFull).toBe(true);
    node.full = false;
    node.wait(timing.suspectMs + 100);
    expect(node.state.member.phase.phase).toBe('quiet'); // it does wait its second
    node.now -= 3 * 86_400_000;
    node.wait(500);
    expect(node.state.member.phase.phase).toBe('asking');
  });
});
