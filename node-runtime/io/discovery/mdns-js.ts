/**
 * mdns-js as one more pair of ears, guarded: it runs in a thread that is ended
 * when it falls silent, started again after a while, and given up when it
 * keeps dying. Its absence is no fault.
 *
 * What it hears passes the same checks as all that is heard. It adds hints,
 * which age; it knows of no goodbye and takes nothing away.
 */
import { Worker } from 'node:worker_threads';
import { bounds } from './bounds.ts';
import { type Found, keyOf } from './found.ts';
import { addressText, announcedBy, isPlausible } from './hints.ts';

/** What the thread says. */
export type Said =
  | { kind: 'alive' }
  | { kind: 'missing' }
  | { kind: 'heard'; addresses: string[]; port: number; strings: string[] };
export type MdnsJsOptions = {
  onHeard(): void;
  /** Once: it stays off. */
  onGivenUp(why: string): void;
  /** Another program for the thread, for tests. */
  worker?: URL;
};
type Thread = { worker: Worker; startedAtMs: number; aliveAtMs: number | null };

/** The worker lies beside this module in the sources, and beside the bundle when built. */
const workerAddress = (here: string): URL =>
  new URL(here.endsWith('.ts') ? './mdns-js-worker.ts' : './mdns-js-worker.js', here);

export class MdnsJs {
  readonly #options: MdnsJsOptions;
  readonly #hints = new Map<string, { found: Found; untilMs: number }>();
  #deathsAtMs: number[] = [];
  #thread: Thread | null = null;
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
    await this.#thread?.worker.terminate();
  }

  // ------------------------------------------------------------- the thread

  #run(): void {
    const worker = new Worker(this.#options.worker ?? workerAddress(import.meta.url), {
      name: 'mdns-js',
      resourceLimits: { maxOldGenerationSizeMb: bounds.memoryMebibytes },
      stdout: true, // what it prints is not for our log
      stderr: true,
    });
    const thread: Thread = { worker, startedAtMs: performance.now(), aliveAtMs: null };
    this.#thread = thread;
    worker.stdout.resume();
    worker.stderr.resume();
    worker.on('message', (said: Said) => this.#hear(thread, said));
    worker.on('error', () => {}); // 'exit' follows and says it for every way to die
    worker.on('exit', () => this.#died(thread));
  }

  #tick(): void {
    const nowMs = performance.now();
    // This process was busy or asleep: that silence is its own.
    const isLate = nowMs - this.#tickedAtMs > 2 * bounds.heartbeatMs;
    this.#tickedAtMs = nowMs;
    this.#age(nowMs);
    const thread = this.#thread;
    if (!thread) return;
    if (isLate && thread.aliveAtMs !== null) thread.aliveAtMs = nowMs;
    const isSilent =
      thread.aliveAtMs === null
        ? nowMs - thread.startedAtMs > bounds.loadMs
        : nowMs - thread.aliveAtMs > bounds.silenceMs;
    if (isSilent) void thread.worker.terminate();
  }

  #died(thread: Thread): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
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
    if (why) this.#options.onGivenUp(why);
  }

  // ------------------------------------------------------------------ hints

  #hear(thread: Thread, said: Said): void {
    if (this.isOff) return;
    thread.aliveAtMs = performance.now();
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
