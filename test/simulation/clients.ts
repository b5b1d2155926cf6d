/**
 * Clients of the simulation: they launch under keys, ask again when no answer
 * came, and read; what they called and were answered is their history.
 *
 * A history is judged for each span without a confirmed loss in it: a loss
 * excuses answers, and two sides of a wrong one are two clusters.
 */
import type { Charter } from '../../node-runtime/contract/facts.ts';
import { faultsOf, type Operation } from './history.ts';
import type { SimNode, World } from './world.ts';

type Called = Operation & { span: string | null };

export type Clients = { act(): void; faults(): string[]; calls: Called[] };

export function newClients(world: World): Clients {
  const { chance, count } = world;
  const calls: Called[] = [];
  let keys = 0;

  function act(): void {
    if (chance.happens(0.2)) read();
    else launch();
  }

  function call(kind: Operation['kind'], key: string): Called {
    const made: Called = {
      client: `client-${chance.whole(1, 4)}`,
      key,
      kind,
      calledAt: world.now,
      returnedAt: null,
      outcome: 'unknown',
      span: null,
    };
    calls.push(made);
    return made;
  }

  const spanOf = (charter: Charter): string => charter.lastClaim ?? '';

  function answer(made: Called, charter: Charter, node: SimNode, index: number | undefined): void {
    Object.assign(made, { outcome: 'ok', returnedAt: world.now, span: spanOf(charter) });
    if (made.kind === 'read') made.position = node.member.committed;
    else if (index !== undefined) made.position = index;
    if (index !== undefined) made.run = node.disk.entries[index - 1]!.chain;
  }

  /** A key that got no answer is tried again; the same key acts once (P36). */
  function launch(): void {
    const list = world.taking();
    if (list.length === 0) return;
    const node = chance.pick(list);
    const open = chance.happens(0.25)
      ? calls.findLast((one) => one.kind === 'launch' && one.outcome === 'unknown')
      : null;
    const made = call('launch', open?.key ?? `k${++keys}`);
    if (open) count('launches tried again');
    if (chance.happens(0.02)) return void Object.assign(made, { outcome: 'refused', returnedAt: world.now });
    const desk = node.desk;
    const known = world.options.mutation?.repeatsKeys ? undefined : desk?.folded.keys.get(made.key);
    if (known === undefined || !desk)
      return void world.write(node, made.key, (charter, index) => answer(made, charter, node, index));
    count('keys used again');
    if (known <= node.member.committed) return answer(made, desk.charter, node, known);
    const waiting = node.acks.find((one) => one.index === known);
    if (!waiting) return;
    const { committed } = waiting;
    waiting.committed = (charter) => {
      committed(charter);
      answer(made, charter, node, known);
    };
  }

  /** At whoever believes to act: a replaced active must not answer. */
  function read(): void {
    const acting = world.acting().filter((node) => world.now >= node.frozenUntil);
    if (acting.length === 0 || keys === 0) return;
    const node = chance.pick(acting);
    const desk = node.desk;
    if (!desk) return;
    const made = call('read', `k${Math.max(1, keys - chance.whole(0, 12))}`);
    world.confirm(node, (ok) => {
      count(ok ? 'fresh reads' : 'fresh reads refused');
      const index = desk.folded.keys.get(made.key);
      if (ok)
        answer(made, desk.charter, node, index !== undefined && index <= node.member.committed ? index : undefined);
    });
  }

  function faults(): string[] {
    const spans = new Set(calls.flatMap((one) => (one.span === null ? [] : [one.span])));
    return [...spans].flatMap((span) =>
      faultsOf(
        calls.flatMap((one): Operation[] => {
          if (one.span === span || one.outcome === 'refused') return [one];
          if (one.kind === 'read') return [];
          const { client, key, kind, calledAt } = one;
          return [{ client, key, kind, calledAt, returnedAt: null, outcome: 'unknown' }];
        }),
      ),
    );
  }

  return { act, faults, calls };
}
