/**
 * mdns-js as one more pair of ears, guarded: it runs in a process of its own
 * that is ended when it falls silent, started again after a while, and given up
 * when it keeps dying. Not in a thread: one that takes too much memory may take
 * the whole process with it. Its absence is no fault, nor that it can't be
 * started (inside the desktop program).
 *
 * What it hears passes the same checks as all that is heard. It adds hints,
 * which age; it knows of no goodbye and takes nothing away.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { bounds } from './bounds.ts';
import { type Found, keyOf } from './found.ts';
import { addressText, announcedBy, isPlausible } from './hints.ts';

/** What it says. */
export type Said =
  | { kind: 'alive' }
  | { kind: 'missing' }
  | { kind: 'heard'; addresses: string[]; port: number; strings: string[] };
export type MdnsJsOptions = {
  onHeard(): void;
  /** Once: it stays off. */
  onGivenUp(why: string): void;
  /** Another program in its place, for tests. */
  program?: string;
};
type Guarded = { child: ChildProcess; startedAtMs: number; aliveAtMs: number | null };

/** The program lies beside this module in the sources, and beside the bundle when built. */
const programBeside = (here: string): string =>
  fileURLToPath(new URL(here.endsWith('.ts') ? './mdns-js-worker.ts' : './mdns-js-worker.js', here));

export class MdnsJs {
  readonly #options: MdnsJsOptions;
  readonly #hints = new Map<string, { found: Found; untilMs: number }>();
  #deathsAtMs: number[] = [];
  #guarded: Guarded | null = null;
  #ticking: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;
  /** For good. */
  isOff = false;

  constructor(options: MdnsJsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#tickedAtMs = performance.now();
    this.#ticking = setInterval(() => this.#tick(), bounds.heartbeatMs);
    this.#run();
  }

  /** Of late. */
  get deaths(): number {
    return this.#deathsAtMs.length;
  }

  found(): Found[] {
    return [...this.#hints.values()].map(({ found }) => found);
  }

  /** Our own mDNS heard that it left. */
  forget(key: string): void {
    this.#hints.delete(key);
  }

  async stop(): Promise<void> {
    this.isOff = true;
    clearInterval(this.#ticking);
    clearTimeout(this.#again);
    const child = this.#guarded?.child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  // ------------------------------------------------------------ the process

  #run(): void {
    if (process.versions['electron']) return this.#giveUp(null);
    const child = fork(this.#options.program ?? programBeside(import.meta.url), [], {
      execArgv: [`--max-old-space-size=${bounds.memoryMebibytes}`],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'], // what it prints is not for our log
    });
    const guarded: Guarded = { child, startedAtMs: performance.now(), aliveAtMs: null };
    this.#guarded = guarded;
    child.on('message', (said) => this.#hear(guarded, said as Said));
    child.on('error', () => this.#died(guarded)); // it could not be started
    child.on('exit', () => this.#died(guarded));
  }

  #tick(): void {
    const nowMs = performance.now();
    // This process was busy or asleep: that silence is its own.
    const isLate = nowMs - this.#tickedAtMs > 2 * bounds.heartbeatMs;
    this.#tickedAtMs = nowMs;
    this.#age(nowMs);
    const guarded = this.#guarded;
    if (!guarded) return;
    if (isLate && guarded.aliveAtMs !== null) guarded.aliveAtMs = nowMs;
    const isSilent =
      guarded.aliveAtMs === null
        ? nowMs - guarded.startedAtMs > bounds.loadMs
        : nowMs - guarded.aliveAtMs > bounds.silenceMs;
    if (isSilent) guarded.child.kill('SIGKILL');
  }

  #died(guarded: Guarded): void {
    if (this.#guarded !== guarded) return;
    this.#guarded = null;
    if (this.isOff) return;
    const nowMs = performance.now();
    this.#deathsAtMs = [...this.#deathsAtMs.filter((atMs) => nowMs - atMs < bounds.deathsWithinMs), nowMs];
    const deaths = this.#deathsAtMs.length;
    if (deaths >= bounds.deathsMax) return this.#giveUp(`It died ${deaths} times.`);
    const waitMs = Math.min(bounds.restartMsMax, bounds.restartMsMin * 4 ** (deaths - 1));
    this.#again = setTimeout(() => this.#run(), waitMs);
  }

  /** What it heard before goes on to age. */
  #giveUp(why: string | null): void {
    this.isOff = true;
    this.#guarded?.child.kill('SIGKILL');
    if (why) this.#options.onGivenUp(why);
  }

  // ------------------------------------------------------------------ hints

  #hear(guarded: Guarded, said: Said): void {
    if (this.isOff) return;
    guarded.aliveAtMs = performance.now();
    if (said.kind === 'missing') this.#giveUp(null);
    if (said.kind === 'heard') this.#note(said);
  }

  #note({ addresses, port, strings }: Said & { kind: 'heard' }): void {
    const said = announcedBy(strings, port);
    // It knows IPv4 only. The last one is the sender; what it says of addresses may be of several nodes.
    const sender = addresses.at(-1);
    if (!said || !sender || !isPlausible(sender, false)) return;
    const found: Found = {
      ...{ cluster: said.cluster, clusterName: said.clusterName, node: said.node, name: said.name, role: said.role },
      ...{ addresses: [addressText(sender, port, '')], version: said.version, via: 'mdns-js', seenAt: Date.now() },
    };
    const key = keyOf(found);
    if (!this.#hints.has(key) && this.#hints.size >= bounds.instancesMax) return;
    const known = this.#hints.get(key)?.found.addresses ?? [];
    const all = [...new Set([...found.addresses, ...known])].slice(0, bounds.addressesPerNodeMax).sort();
    this.#hints.set(key, { found: { ...found, addresses: all }, untilMs: performance.now() + bounds.guardedHintMs });
    this.#options.onHeard();
  }

  #age(nowMs: number): void {
    for (const [key, { untilMs }] of this.#hints) {
      if (untilMs > nowMs) continue;
      this.#hints.delete(key);
      this.#options.onHeard();
    }
  }
}
