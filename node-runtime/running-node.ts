/**
 * Puts the parts of a node together and takes them apart again: journal,
 * worker, loop, requests, doors.
 *
 * Order matters. Up: identity, journal (which refuses a folder in use or
 * damaged), loop, then the doors, so that nothing is asked of a node that
 * cannot answer. Down: doors first, then the loop, then the journal. Jobs are
 * not stopped with the node: they live in their wrappers and are found again.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { errors } from './contract/errors.ts';
import type { LiveEvent, Run } from './contract/model.ts';
import { endedRuns } from './core/jobs/jobs.ts';
import { exampleSandbox } from './examples.ts';
import { places } from './founding.ts';
import type { Host } from './host.ts';
import { openBlobs } from './io/files/blobs.ts';
import { openUploads } from './io/files/uploads.ts';
import type { Handlers } from './io/http/asked.ts';
import { buildServer, type HttpServer } from './io/http/server.ts';
import { JournalError } from './io/journal/errors.ts';
import { openJournal } from './io/journal/journal.ts';
import type { FiledRun } from './io/journal/records.ts';
import { makeLog, type NodeLog } from './io/machine/log.ts';
import { bootId, defaultSlots, type Load, watchLoad } from './io/machine/machine.ts';
import { makeMetrics } from './io/machine/metrics.ts';
import { connectRunner } from './io/process/connect-runner.ts';
import { hostsOf, machineHosts, renewIfNeeded, serverCertificate } from './io/trust/identity.ts';
import { loadIdentity, saveIdentity } from './io/trust/identity-store.ts';
import { type Live, makeLive } from './live.ts';
import { type Loop, startLoop } from './node.ts';
import { makeOwnWorker, type OwnWorker } from './own-worker.ts';
import { putExamples } from './requests/examples.ts';
import { makeHandlers } from './requests/handlers.ts';
import type { Parts } from './requests/parts.ts';
import { identify } from './requests/people.ts';
import { summaryOfRun } from './requests/runs.ts';
import { programVersion } from './version.ts';

export type NodeOptions = {
  data: string;
  /** `host:port` for people and programs, or null for this computer only. */
  listen: string | null;
  /** A new name for this node; it keeps it. */
  name?: string;
  /** Null: no tasks are started (a command that borrows a stopped node). */
  host: Host | null;
  /** A folder of mode 0700 for the private socket; a fresh one when left out. */
  socketDirectory?: string;
  /** Makes the example sandbox when there is no sandbox yet. */
  example?: boolean;
  log?: NodeLog;
  /** Entries between two snapshots; the default is that of the limits. */
  snapshotEvery?: number;
};

export type RunningNode = {
  name: string;
  url: string | null;
  fingerprint: string;
  socketPath: string;
  loop: Loop;
  parts: Parts;
  handlers: Handlers;
  /** Resolves when it has stopped; rejects with the reason when it had to. */
  stopped: Promise<void>;
  stop(): Promise<void>;
};

/** A node that cannot start: what is the matter, and what to do. */
export class CannotStart extends Error {
  override name = 'CannotStart';
  readonly code: string;
  readonly next: string;
  constructor(code: string, sentence: string, next: string, cause?: unknown) {
    super(sentence, { cause });
    this.code = code;
    this.next = next;
  }
}

/** What the journal refuses to open has its next step in the one table of errors. */
function withNextStep(error: unknown): unknown {
  if (!(error instanceof JournalError)) return error;
  const known = errors[error.code as keyof typeof errors];
  return known ? new CannotStart(error.code, error.message, known.next, error) : error;
}

const LOAD_MS = 2_000;
const RENEW_LOOK_MS = 6 * 3_600_000;

export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const at = places(options.data);
  const identity = await currentIdentity(at.trust, options.data, options.name);
  const name = identity.nodeName;
  const log = options.log ?? makeLog(name);
  let fault: (error: unknown) => void = () => {};
  const journal = await openJournal({ directory: at.journal, onFault: (error) => fault(error) }).catch((error) => {
    throw withNextStep(error);
  });
  const undo: (() => Promise<unknown> | unknown)[] = [() => journal.close()];
  const takeApart = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    for (const note of journal.opened.notes) log.warn({}, note);
    if (!journal.opened.register) {
      throw new CannotStart(
        'not_founded',
        `${options.data} holds no complete node.`,
        `Make one: binnacle init --data ${options.data} --cluster NAME`,
      );
    }
    const nodeId: string = JSON.parse(journal.opened.register).node;
    const self = { node: nodeId, name, slots: defaultSlots() };
    const blobs = await openBlobs(at.blobs);
    const uploads = await openUploads(at.uploads, blobs);
    const look = watchLoad(options.data);
    let load: Load = await look();
    const loading = setInterval(
      () =>
        look().then(
          (found) => (load = found),
          () => {},
        ),
      LOAD_MS,
    );
    undo.push(() => clearInterval(loading));

    let stopped = false;
    let settle: { done: () => void; failed: (error: unknown) => void };
    const ended = new Promise<void>((done, failed) => (settle = { done, failed }));
    ended.catch(() => {}); // who waits for it sees it; nobody has to
    let loop: Loop;
    let worker: OwnWorker | null = null;
    let live: Live;
    const stop = async (error?: unknown) => {
      if (stopped) return ended.catch(() => {});
      stopped = true;
      if (error) log.error({ err: error }, 'This node has to stop. The others go on, and so do its jobs.');
      await takeApart().catch((late) => log.error({ err: late }, 'Something did not stop in order.'));
      if (error) settle.failed(error);
      else settle.done();
    };
    fault = (error) => void stop(error);

    if (options.host) {
      const runner = connectRunner(options.host.startRunner, {
        dataDir: path.resolve(at.work),
        onLost: (why, restartMs) => log.warn({ restartMs }, `${why} Another one takes over; jobs go on.`),
      });
      undo.push(() => runner.close());
      worker = makeOwnWorker({
        node: nodeId,
        slots: self.slots,
        journal,
        blobs,
        runner,
        bootId: await bootId(),
        sandboxes: () => loop.state.replicated.sandboxes,
        dispatch: (event) => loop.dispatch(event),
        onFault: (error) => fault(error),
      });
    }
    loop = await startLoop({
      journal,
      self,
      hands: worker,
      publish: (events: LiveEvent[]) => live.publish(events),
      fileRuns: (runs: Run[]) => journal.fileRuns(runs.map(filed)),
      log,
      onFault: (error) => fault(error),
      ...(options.snapshotEvery === undefined ? {} : { snapshotEvery: options.snapshotEvery }),
    });
    live = makeLive(loop.state.replicated.index);
    undo.push(() => loop.stop());
    // The history may lack runs whose filing was cut off by a crash or a full disk.
    await journal
      .fileRuns(endedRuns(loop.state.replicated.jobs).map(filed))
      .catch((error) => log.warn({ err: error }, 'The history could not be completed now.'));

    let url: string | null = null;
    const parts: Parts = {
      loop,
      journal,
      blobs,
      uploads,
      live,
      log,
      data: options.data,
      name,
      version: programVersion,
      startedAt: Date.now(),
      fingerprint: identity.fingerprint,
      address: () => url,
      load: () => load,
      tasksRunning: () => worker?.running() ?? 0,
      metrics: makeMetrics(name),
      lastUsed: new Map(),
    };
    const handlers = makeHandlers(parts);
    const shared = {
      handlers,
      identify: (shown: Parameters<typeof identify>[1]) => identify(parts, shown),
      pages: builtPages(),
      log,
    };

    const socketDirectory = options.socketDirectory ?? (await freshSocketDirectory(undo, at.running));
    const socketPath = socketIn(socketDirectory);
    const inside = buildServer({ ...shared, door: { kind: 'private' } });
    await inside.listen({ path: socketPath });
    undo.push(() => inside.close());
    if (process.platform !== 'win32') await chmod(socketPath, 0o600);

    if (options.listen) {
      const { host, port } = readListen(options.listen);
      const hosts = () => hostsOf(identity, host);
      const outside = buildServer({ ...shared, door: { kind: 'public', ...serverCertificate(identity), hosts } });
      const listening = await listenOn(outside, host, port);
      undo.push(() => outside.close());
      // Addresses change and certificates end; neither may need a restart.
      const renewing = setInterval(
        () =>
          void renew(at.trust, outside).catch((error) =>
            log.warn({ err: error }, 'The certificate could not be renewed.'),
          ),
        RENEW_LOOK_MS,
      );
      undo.push(() => clearInterval(renewing));
      url = `https://${shownHost(host)}:${listening.port}`;
    }
    await writeFile(
      at.running,
      JSON.stringify({ pid: process.pid, socketPath, url, fingerprint: identity.fingerprint, name }),
      { mode: 0o600 },
    );
    undo.push(() => rm(at.running, { force: true }));
    if (options.example)
      void putExamples(parts, exampleSandbox).catch((error) =>
        log.warn({ err: error }, 'The example sandbox could not be made.'),
      );
    log.info({ id: nodeId, url, socketPath }, 'ready');
    return {
      name,
      url,
      fingerprint: identity.fingerprint,
      socketPath,
      loop,
      parts,
      handlers,
      stopped: ended,
      stop: () => stop(),
    };
  } catch (error) {
    await takeApart().catch(() => {});
    throw error;
  }
}

async function currentIdentity(trust: string, data: string, name?: string) {
  const saved = await loadIdentity(trust);
  const kept = saved && name ? { ...saved, nodeName: name } : saved;
  if (!kept)
    throw new CannotStart(
      'not_founded',
      `There is no node in ${data}.`,
      `Make one: binnacle init --data ${data} --cluster NAME`,
    );
  const renewed = await renewIfNeeded(kept, machineHosts(), Date.now());
  const identity = renewed ?? kept;
  if (renewed || identity.nodeName !== saved?.nodeName) await saveIdentity(trust, identity);
  return identity;
}

async function renew(trust: string, outside: HttpServer): Promise<void> {
  const kept = await loadIdentity(trust);
  const renewed = kept && (await renewIfNeeded(kept, machineHosts(), Date.now()));
  if (!renewed) return;
  await saveIdentity(trust, renewed);
  outside.useCertificate(serverCertificate(renewed));
}

async function listenOn(server: HttpServer, host: string, port: number) {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'EADDRINUSE'
        ? 'another program uses it'
        : code === 'EACCES'
          ? 'this user may not use it'
          : code === 'EADDRNOTAVAIL'
            ? 'this machine has no such address'
            : String(code);
    throw new CannotStart(
      'cannot_listen',
      `${host}:${port} cannot be listened on: ${why}.`,
      'Choose another address or port with --listen.',
      error,
    );
  }
}

/** `host:port`, `[v6]:port` or `:port`. */
function readListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw new CannotStart(
      'cannot_listen',
      `"${text}" is no address to listen on.`,
      'Write HOST:PORT, for example 0.0.0.0:7400.',
    );
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port };
}

const shownHost = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
};

/** Socket paths end at about 104 bytes, so never in a deep data folder. */
async function freshSocketDirectory(undo: (() => unknown)[], running: string): Promise<string> {
  if (process.platform === 'win32') return `\\\\.\\pipe\\binnacle-${randomBytes(12).toString('hex')}`;
  const runtime = process.env['XDG_RUNTIME_DIR'];
  const base =
    runtime && runtime.length < 60 && existsSync(runtime) ? runtime : tmpdir().length < 60 ? tmpdir() : '/tmp';
  await mkdir(base, { recursive: true });
  await removeOldSocket(running);
  const made = await mkdtemp(path.join(base, 'binnacle-'));
  undo.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** What a node that was killed left behind. The lock of the journal, held by now, says that it is gone. */
async function removeOldSocket(running: string): Promise<void> {
  const text = await readFile(running, 'utf8').catch(() => '');
  const folder = /"socketPath":"([^"\\]+)\/node\.sock"/.exec(text)?.[1];
  if (folder && /^binnacle-\w{6}$/.test(path.basename(folder))) await rm(folder, { recursive: true, force: true });
}

const socketIn = (directory: string): string =>
  directory.startsWith('\\\\') ? directory : path.join(directory, 'node.sock');

/** The built console: beside the built runtime, or in dist/ when the sources run. */
function builtPages(): string | null {
  for (const place of ['../renderer', '../dist/renderer']) {
    const folder = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(path.join(folder, 'index.html')) && existsSync(path.join(folder, 'assets'))) return folder;
  }
  return null;
}

const filed = (run: Run): FiledRun => ({
  id: run.id,
  launchedAt: Date.parse(run.launchedAt),
  endedAt: run.endedAt ? Date.parse(run.endedAt) : null,
  state: run.state,
  sandbox: run.sandbox,
  path: run.path,
  name: run.name,
  by: run.by,
  summary: JSON.stringify(summaryOfRun(run)),
  text: JSON.stringify(run),
});
