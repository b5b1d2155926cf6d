/**
 * People and programs: they launch, cancel and read through any node that says
 * it acts, keep their key, and ask again until they know (P14, P36).
 */
import type { Plan } from '../../node-runtime/contract/facts.ts';
import type { Reply } from '../../node-runtime/core/effects.ts';
import { directoryOf } from '../../node-runtime/core/telling.ts';
import type { Wish } from '../../node-runtime/core/wishes.ts';
import { unfinishedTasks } from './looks.ts';
import type { SimNode } from './node.ts';
import { JOINING, type World } from './world.ts';

const GIVES_UP_MS = 3_000;
const AGAIN = new Set(['not_active', 'no_active', 'unknown_outcome', 'starting', 'disk_full', 'too_many']);

const task = (id: string, needs: string[], attemptsMax: number): Plan['tasks'][number] => ({
  ...{ id, name: id, needs, finally: false, run: { program: 'true', arguments: [] }, environment: {} },
  ...{ workingDirectory: '', timeoutMs: null, attemptsMax, retryDelayMs: 200, retryBackoff: 1, continueOnError: false },
});
export const twoTasks: Plan = {
  name: 'two',
  format: 'job',
  tasks: [task('first', [], 3), task('second', ['first'], 1)],
};

export class Clients {
  /** Requests whose outcome is not known yet. */
  open = 0;
  private readonly world: World;
  private keys = 0;
  private stopped = false;

  constructor(world: World) {
    this.world = world;
  }

  begin(): void {
    for (let client = 0; client < 3; client++) this.goOn();
    this.letIn(0);
  }

  /** Nothing new is asked; what was asked is still asked until it is known. */
  stop(): void {
    this.stopped = true;
  }

  private goOn(): void {
    const { chance } = this.world;
    this.world.after(150 + chance.next() * 1_100, () => {
      if (this.stopped) return;
      const dice = chance.next();
      if (dice < 0.4) this.launch();
      else if (dice < 0.55) this.cancel();
      else if (dice < 0.9) this.read();
      else this.repeat();
      this.goOn();
    });
  }

  /** Through a node that says it acts; sometimes through one that does not know better. */
  private through(): SimNode | null {
    const { chance } = this.world;
    const acting = this.world.active();
    if (acting.length > 0 && chance.happens(0.95)) return chance.pick(acting);
    const there = [...this.world.nodes.values()].filter((node) => node.up);
    return there.length > 0 ? chance.pick(there) : null;
  }

  /** Asks until it is known. */
  request(key: string, wish: Wish, known: (reply: Reply) => void): void {
    this.open++;
    const again = (): void => this.world.after(100 + this.world.chance.next() * 400, once);
    const once = (): void => {
      const node = this.through();
      if (!node) return again();
      let answered = false;
      node.ask('user:ops', { key, request: JSON.stringify(wish).slice(0, 60) }, wish, (reply) => {
        if (answered) return;
        answered = true;
        if ('code' in reply) {
          this.world.count(`refused ${reply.code}`);
          if (AGAIN.has(reply.code)) return again();
        }
        this.open--;
        known(reply);
      });
      this.world.after(GIVES_UP_MS, () => {
        if (answered) return;
        answered = true;
        this.world.count('requests without an answer');
        again();
      });
    };
    once();
  }

  private launchWish(): Wish {
    return { wish: 'launch', sandbox: 'work', path: 'two.job.yaml', revision: 0, parameters: {}, plan: twoTasks };
  }

  private launch(key = `k${++this.keys}`): void {
    this.request(key, this.launchWish(), (reply) => {
      if ('code' in reply) this.world.fail(`a launch is refused: ${reply.code}, ${reply.detail}`);
    });
  }

  /** The same key again, long after it was answered. */
  private repeat(): void {
    const known = this.world.checks.launchesKnown();
    if (known.length === 0) return;
    this.world.count('keys repeated');
    this.launch(this.world.chance.pick(known).key);
  }

  private cancel(): void {
    const known = this.world.checks.launchesKnown();
    if (known.length === 0) return;
    const ack = known[Math.max(0, known.length - 1 - this.world.chance.whole(0, 4))]!;
    this.request(`c${++this.keys}`, { wish: 'cancel', run: ack.run! }, (reply) => {
      if (!('code' in reply) || reply.code === 'run_ended') return;
      const given = [...this.world.checks.committed.keys()].some((claim) => this.world.checks.isExcused(ack, claim));
      if (reply.code !== 'run_unknown' || !given) this.world.fail(`the cancel of ${ack.run} is refused: ${reply.code}`);
    });
  }

  private read(): void {
    const acting = this.world.active();
    if (acting.length === 0) return;
    const node = this.world.chance.pick(acting);
    const wanted = this.world.checks.launchesKnown();
    let seen = new Set<string>();
    let claim = '';
    node.read(
      (replicated) => {
        seen = new Set(replicated.jobs.runs.keys());
        claim = this.world.checks.claimOf(node);
      },
      () => this.world.checks.readDone(node, wanted, claim, seen),
      () => this.world.count('reads lost'),
    );
  }

  // ------------------------------------------------------- who belongs to it

  /** Invites one node after the other; each writes what it was given to its disk and starts. */
  private letIn(place: number): void {
    const joining = JOINING[place];
    if (!joining) return;
    const { chance } = this.world;
    this.world.after(chance.whole(50, 800), () => {
      const { id, duties, slots } = joining;
      const [hash, store] = [`hash of ${id}`, this.world.newStore()];
      const invite = { id: `i-${id}`, hash, duties, expiresAt: 9_000_000_000_000 };
      this.request(`invite ${id}`, { wish: 'invite', invite }, (made) => {
        if ('code' in made) this.world.fail(`the invite for ${id} is refused: ${made.detail}`);
        const told = { node: id, store, name: id, addresses: [`${id}:7400`], slots, speaks: 1, program: '0' };
        this.request(`join ${id}`, { wish: 'join', ...told, hash }, (reply) => {
          if ('code' in reply) return this.world.count('joins given up'); // the invite was lost with a claim
          const member = this.world.active()[0] ?? this.world.node('ctl-a');
          const directory = directoryOf(member.state);
          const nodes = directory.nodes.some((one) => one.id === id)
            ? directory.nodes
            : [...directory.nodes, { id, name: id, duties, addresses: [] }];
          this.world.join(id, store, slots, { ...directory, era: 0, position: 0, nodes });
          this.letIn(place + 1);
        });
      });
    });
  }

  /** A person reads which attempts wait, and says that one may run again. */
  decide(): void {
    const node = this.world.active()[0];
    const waiting = node ? unfinishedTasks(node.state.replicated).filter((one) => one.lost) : [];
    if (waiting.length === 0) return;
    const { run, task: id } = this.world.chance.pick(waiting);
    this.world.count('attempts decided by a person');
    this.world.log(`a person says that ${id} of ${run} may run again`);
    this.world.checks.again.add(`${run}.${id}`);
    this.request(`d${++this.keys}`, { wish: 'decideTask', run, task: id, decision: 'again' }, () => {});
  }
}
