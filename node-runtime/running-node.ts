/**
 * Puts the parts of a node together and takes them apart again: journal,
 * worker, loop, requests, doors.
 *
 * Order matters. Up: identity, journal (which refuses a folder in use or
 * damaged), loop, then the doors, so that nothing is asked of a node that
 * cannot answer. Down: doors first, then the loop, then the journal. Jobs are
 * not stopped with the node: they live in their wrappers and are found again.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AuditPageShape, makeAuditing } from './auditing.ts';
import { makeContents } from './contents.ts';
import { errors, type Refusal, refuse } from './contract/errors.ts';
import { limits } from './contract/limits.ts';
import type { LiveEvent, Run } from './contract/model.ts';
import { type Directory, type PeerMessage, PeerMessageShape, type Told } from './contract/peer-messages.ts';
import { votersOf, writersOf } from './core/cluster/charter.ts';
import { newestKnown } from './core/cluster/knowledge.ts';
import { PROTOCOL_VERSION } from './core/cluster/messages.ts';
import type { Register } from './core/cluster/register.ts';
import { timings } from './core/cluster/timing.ts';
import { endedRuns } from './core/jobs/jobs.ts';
import { type SandboxRecord, sandboxNamed, sandboxView } from './core/sandboxes/sandboxes.ts';
import { exampleSandbox } from './examples.ts';
import { fetchSnapshot, makeFilesOf, makeSecretsOf } from './fetching.ts';
import { type Finding, type HowToFind, startFinding } from './finding.ts';
import { memberFile, places } from './founding.ts';
import type { Host } from './host.ts';
import { openBlobs } from './io/files/blobs.ts';
import { replaceText } from './io/files/durable.ts';
import { openUploads } from './io/files/uploads.ts';
import type { Handlers } from './io/http/asked.ts';
import { shownIn } from './io/http/checks.ts';
import { openPeers, type Peers } from './io/http/peers.ts';
import { buildServer, type HttpServer } from './io/http/server.ts';
import type { SetupHandlers } from './io/http/setup-door.ts';
import { makeThrottle } from './io/http/throttle.ts';
import { JournalError } from './io/journal/errors.ts';
import { openJournal } from './io/journal/journal.ts';
import type { FiledRun } from './io/journal/records.ts';
import { uptimeMs } from './io/machine/clock.ts';
import { makeLog, type NodeLog } from './io/machine/log.ts';
import { bootId, defaultSlots, type Load, onMains, platformText, watchLoad } from './io/machine/machine.ts';
import { makeMetrics } from './io/machine/metrics.ts';
import { connectRunner } from './io/process/connect-runner.ts';
import { nodeIdOf } from './io/trust/certificates.ts';
import { hostsOf, machineHosts, renewIfNeeded, serverCertificate, trustOf } from './io/trust/identity.ts';
import { loadIdentity, makeChangeIdentity, saveIdentity } from './io/trust/identity-store.ts';
import { type Live, makeLive } from './live.ts';
import { type Loop, startLoop } from './node.ts';
import { makeOutputs } from './outputs.ts';
import { isBehind, makeKeySought, renew } from './renewing.ts';
import { askPeer } from './requests/ask-peer.ts';
import { inNames, leaderOf, whyNobody } from './requests/cluster-words.ts';
import { makeDelegate } from './requests/delegate.ts';
import { putExamples } from './requests/examples.ts';
import { makeHandlers } from './requests/handlers.ts';
import { identify, noteUses } from './requests/identify.ts';
import { innerRoutes } from './requests/inner.ts';
import { localFolder } from './requests/local-sandboxes.ts';
import type { ListedSandbox, Parts } from './requests/parts.ts';
import { stillMay } from './requests/rights.ts';
import { summaryOfRun } from './requests/runs.ts';
import { withRights } from './requests/sandboxes.ts';
import { secretsFor } from './requests/secrets.ts';
import { programVersion } from './version.ts';
import { makeWhereabouts } from './whereabouts.ts';
import { makeWorker, type OwnWorker } from './worker.ts';

export type NodeOptions = {
  data: string;
  /** `host:port` for people and programs, or null for this computer only. */
  listen: string | null;
  /**
   * `host:port` for the other nodes of the cluster; null: none can reach this one. Left out: any free port, once it
   * is one of several, since the output of its tasks is read from it.
   */
  peers?: string | null;
  /** Tasks at a time; the default is by the machine. */
  slots?: number;
  /** How patient the cluster is (PROTOCOL section 6). */
  timing?: keyof typeof timings;
  /** A new name for this node; it keeps it. */
  name?: string;
  /** Whether it tells the network that it is there, and listens for others; left out: when it is open to the network. */
  discovery?: HowToFind;
  /** Null: no tasks are started (a command that borrows a stopped node). */
  host: Host | null;
  /** A folder of mode 0700 for the private socket; a fresh one when left out. */
  socketDirectory?: string;
  /** Answers the setup routes, on the private socket of the desktop program. */
  setup?: SetupHandlers;
  /** Makes the example sandbox when there is no sandbox yet. */
  example?: boolean;
  log?: NodeLog;
  /** Entries between two snapshots; the default is that of the limits. */
  snapshotEvery?: number;
};

export type RunningNode = {
  name: string;
  url: string | null;
  /** Where other nodes reach this one. */
  peersPort: number | null;
  fingerprint: string;
  socketPath: string;
  loop: Loop;
  parts: Parts;
  handlers: Handlers;
  /** Resolves when it has stopped; rejects with the reason when it had to. */
  stopped: Promise<void>;
  stop(): Promise<void>;
  /** The machine is about to sleep: others are told, and an active hands over if somebody can take it. */
  sleep(): Promise<void>;
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
const RENEW_LOOK_MS = 10 * 60_000;
const FIRST_LOOK_MS = 3_000;
const LOOK_AGAIN_MS = 1_000;
const NOTE_USES_MS = 30_000;
const NOTE_LAST_MS = 500;
const SENT_AWAY_MS = 10_000;
const KNOWN_MS = 1_000;
const LEAVE_MS = 2_500;
/** Until the change of seats without this watch is signed; said again meanwhile, or it would count as back. */
const SIGN_MS = 8_000;
const LEAVE_AGAIN_MS = 300;
const ADDRESSES_MAX = 4;

export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const at = places(options.data);
  let identity = await currentIdentity(at.trust, options.data, options.name);
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
    const register = JSON.parse(journal.opened.register) as Register;
    const self = { node: register.node, name };
    const slots = options.slots ?? defaultSlots();
    const timing = timings[options.timing ?? 'lan'];
    let directory = rememberedDirectory(journal.opened.directory, self, identity.clusterName);
    const dutiesHere = () => directory.nodes.find((one) => one.id === self.node)?.duties ?? [];
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
    let parts: Parts;
    let worker: OwnWorker | null = null;
    let live: Live;
    let peers: Peers | null = null;
    let dutiesChanged = () => {};
    let authoritiesChanged = () => {};
    const peersListen = options.peers === undefined ? (directory.nodes.length > 1 ? '0.0.0.0:0' : null) : options.peers;
    const stop = async (error?: unknown) => {
      if (stopped) return ended.catch(() => {});
      stopped = true;
      if (error) log.error({ err: error }, 'This node has to stop. The others go on, and so do its jobs.');
      else {
        if (parts) await Promise.race([noteUses(parts).catch(() => {}), delay(NOTE_LAST_MS)]);
        await leave(loop, log);
      }
      await takeApart().catch((late) => log.error({ err: late }, 'Something did not stop in order.'));
      if (error) settle.failed(error);
      else settle.done();
    };
    fault = (error) => void stop(error);

    // ------------------------------------------------------ other nodes

    const isController = (node: string) =>
      directory.nodes.find((one) => one.id === node)?.duties.includes('controller') === true;
    const controllers = () => directory.nodes.filter((one) => isController(one.id) && one.id !== self.node);
    const sources = () => {
      const lead = loop.state.lead?.node;
      const others = controllers().map((one) => one.id);
      return lead && lead !== self.node ? [lead, ...others.filter((node) => node !== lead)] : others;
    };
    const contents = makeContents({
      blobs,
      peers: () => peers,
      sources,
      warn: (what, sentence) => log.warn(what, sentence),
    });
    undo.push(() => contents.close());

    const outputs = makeOutputs({
      data: options.data,
      peers: () => peers,
      warn: (what, words) => log.warn(what, words),
    });
    undo.push(() => outputs.close());

    let noting: Promise<void> = Promise.resolve();
    /** One after the other: the file is whole at every moment. */
    const noteMembers = (found: Directory): Promise<void> => {
      const done = noting.then(() => replaceText(memberFile(options.data), JSON.stringify(found)));
      noting = done.catch(() => {}); // told to whoever asked for it
      return done;
    };

    function useDirectory(found: Directory): void {
      if (found.era < directory.era || (found.era === directory.era && found.position < directory.position)) return;
      const before = dutiesHere().join();
      const isSameAuthority = JSON.stringify(found.authorities) === JSON.stringify(directory.authorities);
      directory = found;
      if (dutiesHere().join() !== before) dutiesChanged();
      if (!isSameAuthority) authoritiesChanged();
      peers?.setMembers(whereabouts.membersOf(found, self.node), keptBy(found, self.node));
      Promise.all([journal.saveRecord('directory', JSON.stringify(found)), noteMembers(found)]).catch((error) =>
        log.warn({ err: error }, 'Who belongs to the cluster could not be noted.'),
      );
      loop?.keepJournal(dutiesHere().includes('controller'));
    }

    const whereabouts = makeWhereabouts();
    const tryAnew = () => peers?.setMembers(whereabouts.membersOf(directory, self.node), keptBy(directory, self.node));
    /** To one that was just met, or to all when somebody has moved. */
    function tellWhereabouts(to?: string): void {
      tryAnew();
      const told = whereabouts.hints(self.node, peerAddresses(peersListen, peers?.port ?? null));
      for (const node of to === undefined ? keptBy(directory, self.node) : [to]) peers?.send(node, told);
    }

    /** Controllers that said that this node is no member, and when. */
    const sentAwayBy = new Map<string, number>();
    function isRemoved(): boolean {
      const now = performance.now();
      const said = [...sentAwayBy.values()].some((at) => now - at < SENT_AWAY_MS);
      // A controller that has not yet heard of a joining says the same; another one knows better.
      const isKnown = controllers().some(({ id }) => {
        const { connected, since } = peers?.status(id) ?? { connected: false, since: 0 };
        return connected && now - since > KNOWN_MS;
      });
      return said && !isKnown;
    }

    function heard(from: string, message: unknown): void {
      const read = PeerMessageShape.safeParse(message);
      if (!read.success) {
        log.warn(
          { from, problem: read.error.issues[0] },
          'A message of another node could not be read; it was dropped.',
        );
      } else if (read.data.kind === 'notMember') {
        if (!isController(from)) return;
        if (!isRemoved()) log.warn({ from }, 'A controller says that this node is no member of the cluster any more.');
        sentAwayBy.set(from, performance.now());
      } else if (read.data.kind === 'directory') {
        if (isController(from)) useDirectory(read.data.directory);
      } else if (read.data.kind === 'hints') {
        const others = read.data.nodes.filter(
          ({ node }) => node !== from && node !== self.node && peers?.status(node).connected !== true,
        );
        if (whereabouts.heard(others)) tryAnew();
        const own = read.data.nodes.find(({ node }) => node === from);
        if (own && whereabouts.told(from, own.addresses)) tellWhereabouts();
      } else {
        if (read.data.kind === 'told' && whereabouts.told(from, read.data.addresses)) tellWhereabouts();
        loop.hear(from, read.data);
      }
    }

    // ------------------------------------------------------ the worker

    const boot = await bootId();
    const send = (to: string, message: PeerMessage) => {
      if (to === self.node) queueMicrotask(() => loop.hear(self.node, message));
      else peers?.send(to, message);
    };
    if (options.host) {
      const runner = connectRunner(options.host.startRunner, {
        dataDir: path.resolve(at.work),
        onLost: (why, restartMs) => log.warn({ restartMs }, `${why} Another one takes over; jobs go on.`),
      });
      undo.push(() => runner.close());
      const made = makeWorker({
        ...{ cluster: register.cluster, slots, journal, runner, timing, bootId: boot, uptimeMs },
        clockOrigin: originOf(boot, self.node),
        filesOf: makeFilesOf({
          ...{ blobs, contents, sources },
          peers: () => peers,
          sandboxes: () => (loop.state.member.keepsJournal ? loop.state.replicated.sandboxes : null),
        }),
        secretsOf: makeSecretsOf({
          lead: () => loop.state.lead?.node ?? null,
          ask: (node, name) =>
            node === self.node ? secretsFor(parts, node, name) : askPeer(parts, node, 'secrets', name),
        }),
        send,
        onFault: (error) => fault(error),
      });
      undo.push(() => made.close());
      worker = made;
    }

    // -------------------------------------------------------- the loop

    const audit = makeAuditing({
      journal,
      sources: () => (loop ? sources() : []),
      async ask(node, { from, to }) {
        if (!peers?.status(node).connected) return null;
        const answer = await askPeer<unknown>(parts, node, `audit?from=${from}&to=${to}`);
        return AuditPageShape.safeParse(answer).data ?? null;
      },
      warn: (what, sentence) => log.warn(what, sentence),
      onFault: (error) => fault(error),
    });
    undo.push(() => audit.close());

    const keySought = makeKeySought(self.node, () => loop);
    const startedAt = Date.now();
    const platform = platformText();
    const tell = (): Told => ({
      ...{
        kind: 'told',
        store: loop?.state.member.register.store ?? register.store,
        name,
        slots: options.host ? slots : 0,
      },
      ...{ addresses: peerAddresses(peersListen, peers?.port ?? null), speaks: PROTOCOL_VERSION },
      ...{ program: programVersion, load, tasksRunning: worker?.running() ?? 0, platform, startedAt },
      watchRank: watchRank(),
      // A controller without the key of the secrets is not ready to stand by, either.
      blobsMissing: contents.missing() + (keySought.awaits(identity) ? 1 : 0),
      committed: loop?.state.member.committed ?? 0,
      clock: worker?.clock() ?? 0,
      ...trustOf(identity),
    });
    loop = await startLoop({
      ...{ journal, self, timing, log, tell, audit },
      keepsJournal: isLoneFounder(register) || dutiesHere().includes('controller'),
      send: (to, message) => void peers?.send(to, message),
      toWorker: (from, message) => worker?.hear(from, message),
      useDirectory: (found) => useDirectory(found),
      inNames: (words) => inNames(directory, words),
      fetchSnapshot: (from, position) => fetchSnapshot(peers, from, position),
      publish: (events: LiveEvent[]) => live.publish(events),
      expectContents: (hashes) => contents.expect(hashes),
      woke: (replicated) => contents.expectAll(replicated),
      copyOutput: (attempt, node, bytes) => outputs.copy(attempt, node, bytes),
      fileRuns: (runs: Run[]) => journal.fileRuns(runs.map(filed)),
      onFault: (error) => fault(error),
      ...(options.snapshotEvery === undefined ? {} : { snapshotEvery: options.snapshotEvery }),
    });
    live = makeLive(loop.state.replicated.index);
    undo.push(() => loop.stop());
    // The history may lack runs whose filing was cut off by a crash or a full disk.
    await journal
      .fileRuns(endedRuns(loop.state.replicated.jobs).map(filed))
      .catch((error) => log.warn({ err: error }, 'The history could not be completed now.'));

    // ------------------------------------------------------- the doors

    let url: string | null = null;
    let publicDoor: HttpServer | null = null;
    let announceRole = (): void => undefined;
    const door = options.listen ? readListen(options.listen) : null;
    let doorPort = 0;
    let finding: Finding | null = null;
    const changeIdentity = makeChangeIdentity(
      at.trust,
      () => identity,
      (fresh) => {
        identity = fresh;
        peers?.useIdentity(fresh);
        publicDoor?.useCertificate(serverCertificate(fresh));
      },
    );
    parts = {
      ...{ loop, journal, audit, blobs, uploads, live, contents, log, name, startedAt },
      peers: () => peers,
      identity: () => identity,
      changeIdentity,
      directory: () => directory,
      isRemoved,
      data: options.data,
      version: programVersion,
      fingerprint: identity.fingerprint,
      address: () => url,
      peerAddresses: () => peerAddresses(peersListen, peers?.port ?? null),
      doorAddresses: () => (door ? reachable(door.host, doorPort) : []),
      load: () => load,
      tasksRunning: () => worker?.running() ?? 0,
      spooled: () => worker?.spooled() ?? 0,
      metrics: makeMetrics(name),
      lastUsed: new Map(),
      sandbox: (wanted) => sandboxOf(parts, wanted),
      viewOfLocal: (record) => viewOfLocal(record),
      discovered: () => finding?.discovered() ?? [],
      identifyShown: async ({ headers }) => {
        const shown = shownIn(headers);
        return Object.keys(shown).length > 0
          ? identify(parts, shown)
          : refuse(
              'sign_in_needed',
              'This can only be asked by people who have signed in and by programs with a token.',
            );
      },
    };
    const handlers = makeHandlers(parts);
    const shared = {
      handlers,
      identify: (shown: Parameters<typeof identify>[1]) => identify(parts, shown),
      delegate: makeDelegate(parts),
      stillMay: (name: Parameters<typeof stillMay>[1], asked: Parameters<typeof stillMay>[2]) =>
        stillMay(parts, name, asked),
      throttle: makeThrottle(limits.signInTriesPerMinute, limits.signInKeptMax),
      pages: builtPages(),
      log,
    };

    const fromPeers = buildServer({
      ...shared,
      door: { kind: 'peer' },
      inner: innerRoutes(parts, handlers),
      pages: null,
    });
    undo.push(() => fromPeers.close());
    const opened = await openPeers({
      ...{ identity, nodeIdOf, log },
      toStrangers: { kind: 'notMember' } satisfies PeerMessage,
      listen: peersListen ? { ...readListen(peersListen), ...usualPort(directory, self.node) } : null,
      members: whereabouts.membersOf(directory, self.node),
      keep: keptBy(directory, self.node),
      onMessage: (from, message) => heard(from, message),
      onConnected: (node) => {
        loop.connected(node);
        if (isController(node)) audit.fill();
        tellWhereabouts(node);
      },
      onLost: (node, why) => {
        if (!isRemoved()) log.info({ node }, `The connection with ${node} was lost: ${why}`);
      },
      acceptHttp: (socket, node) => fromPeers.accept(socket, node),
    }).catch((error) => {
      throw cannotListen(error, peersListen!);
    });
    peers = opened;
    undo.push(() => opened.close());

    const socketDirectory = options.socketDirectory ?? (await freshSocketDirectory(undo, at.running));
    const socketPath = socketIn(socketDirectory);
    const { setup } = options;
    const inside = buildServer({ ...shared, door: { kind: 'private' }, ...(setup ? { setup } : {}) });
    await inside.listen({ path: socketPath });
    undo.push(() => inside.close());
    if (process.platform !== 'win32') await chmod(socketPath, 0o600);

    if (door) {
      const hosts = () => hostsOf(identity, door.host);
      const outside = buildServer({ ...shared, door: { kind: 'public', ...serverCertificate(identity), hosts } });
      const listening = await outside.listen(door).catch((error) => {
        throw cannotListen(error, options.listen!);
      });
      undo.push(() => outside.close());
      doorPort = listening.port;
      publicDoor = outside;
      url = `https://${shownHost(door.host)}:${listening.port}`;
      const how = options.discovery ?? (isLoopback(door.host) ? 'off' : 'own');
      if (how !== 'off') {
        const { clusterId: cluster, clusterName } = identity;
        const isMember = (node: string) => directory.nodes.some((one) => one.id === node);
        const role = () => dutiesHere()[0] ?? 'observer';
        const found = startFinding(
          { cluster, clusterName, node: self.node, name, port: listening.port },
          { how, role: role(), isMember, log },
        );
        finding = found;
        undo.push(() => found.stop());
        announceRole = () => found.announce(role());
      }
    }
    // Addresses change and certificates end; neither may need a restart.
    let looking: NodeJS.Timeout;
    const lookIn = (ms: number): void => {
      clearTimeout(looking);
      looking = setTimeout(() => void lookAtIdentity(), ms);
    };
    const isComplete = (): boolean =>
      !isBehind(directory, identity, dutiesHere()) &&
      !(dutiesHere().includes('controller') && keySought.awaits(identity));
    const lookAtIdentity = async (): Promise<void> => {
      await renew(parts, changeIdentity, dutiesHere, keySought).catch((error) =>
        log.warn({ err: error }, 'The certificate could not be renewed; it is tried again.'),
      );
      if (!stopped) lookIn(isComplete() ? RENEW_LOOK_MS : LOOK_AGAIN_MS);
    };
    lookIn(FIRST_LOOK_MS);
    const notingUses = setInterval(
      () =>
        void noteUses(parts).catch((error) =>
          log.info({ err: error }, 'When tokens were last used was not noted; it is tried again.'),
        ),
      NOTE_USES_MS,
    );
    undo.push(() => clearInterval(notingUses));
    dutiesChanged = () => {
      announceRole();
      lookIn(FIRST_LOOK_MS);
    };
    authoritiesChanged = () => lookIn(0);
    undo.push(() => clearTimeout(looking));
    const { pid } = process;
    await replaceText(at.running, JSON.stringify({ pid, socketPath, url, fingerprint: identity.fingerprint, name }));
    undo.push(() => rm(at.running, { force: true }));
    if (options.example)
      void putExamples(parts, exampleSandbox).catch((error) =>
        log.warn({ err: error }, 'The example sandbox could not be made.'),
      );
    log.info({ id: self.node, url, peers: opened.port, socketPath }, 'ready');
    return {
      name,
      url,
      peersPort: opened.port,
      fingerprint: identity.fingerprint,
      socketPath,
      loop,
      parts,
      handlers,
      stopped: ended,
      stop: () => stop(),
      sleep: () => beforeSleep(loop, log),
    };
  } catch (error) {
    await takeApart().catch(() => {});
    throw error;
  }
}

/** P24, P26, P27: an orderly stop is no failure. A cluster of one has nobody to tell. */
async function leave(loop: Loop, log: NodeLog): Promise<void> {
  if (!loop) return;
  const { member } = loop.state;
  const others = votersOf(member.register.accepted).filter((voter) => voter.node !== member.self.node);
  if (others.length === 0 && writersOf(member.register.accepted).length < 2) return;
  const told = loop.wish({ wish: 'leave', onShutdown: 'handOver', why: 'it was stopped' });
  const late = new Promise<null>((done) => setTimeout(() => done(null), LEAVE_MS));
  const outcome = await Promise.race([told, late]);
  log.info({ outcome: outcome?.words ?? 'nobody answered in time' }, 'This node leaves.');
  // Beside a lone active a watch still has to sign the change that takes its seat away (P24).
  const until = performance.now() + SIGN_MS;
  while (performance.now() < until && isSeatedAlone(loop)) {
    await new Promise((next) => setTimeout(next, LEAVE_AGAIN_MS));
    if (isSeatedAlone(loop)) void loop.wish({ wish: 'leave', onShutdown: 'handOver', why: 'it was stopped' });
  }
}

/** P24, P26. Nothing is parked: an active that nobody can follow goes on when it wakes. */
async function beforeSleep(loop: Loop, log: NodeLog): Promise<void> {
  if (loop.state.member.phase.phase !== 'leading') return leave(loop, log);
  const { words } = await loop.wish({ wish: 'switchOver' });
  log.info({ outcome: words }, 'This machine goes to sleep.');
}

/** Holds a seat without which the active could commit nothing. */
function isSeatedAlone({ state: { member } }: Loop): boolean {
  const newest = newestKnown(member);
  const isSeated = votersOf(newest).some((voter) => voter.node === member.self.node);
  return !member.keepsJournal && isSeated && writersOf(newest).length === 1;
}

/** The node of a founding knows nobody yet: it keeps the journal. */
const isLoneFounder = (register: Register): boolean =>
  writersOf(register.accepted).includes(register.node) || register.accepted.active === register.node;

function rememberedDirectory(
  text: string | null,
  self: { node: string; name: string },
  clusterName: string,
): Directory {
  if (text !== null) return JSON.parse(text) as Directory;
  const own = { id: self.node, name: self.name, duties: ['controller' as const, 'worker' as const], addresses: [] };
  return { era: 0, position: 0, clusterName, nodes: [own] };
}

/** Controllers hold connections with all; the others with the controllers, and watches with each other's controllers only. */
function keptBy({ nodes }: Directory, self: string): string[] {
  const own = nodes.find((one) => one.id === self);
  const all = own?.duties.includes('controller') ?? false;
  return nodes.filter((one) => one.id !== self && (all || one.duties.includes('controller'))).map((one) => one.id);
}

/** `host:port` by which other machines reach a door of this one. */
function reachable(host: string, port: number): string[] {
  const everywhere = host === '0.0.0.0' || host === '::';
  const hosts = everywhere ? machineHosts().filter((one) => isIP(one) && !['127.0.0.1', '::1'].includes(one)) : [host];
  return (hosts.length > 0 ? hosts : ['127.0.0.1'])
    .slice(0, ADDRESSES_MAX)
    .map((one) => (one.includes(':') ? `[${one}]:${port}` : `${one}:${port}`));
}

const peerAddresses = (listen: string | null, port: number | null): string[] =>
  listen === null || port === null ? [] : reachable(readListen(listen).host, port);

/** P23: mains power and a long life make a good watch. Quantised, so that it does not change all the time. */
function watchRank(): number {
  const dayUp = Math.min(7, Math.floor(uptimeMs() / 86_400_000));
  return (onMains() ? 100 : 0) + dayUp;
}

/** A number for the clock told to others: another one after each boot, so that old readings mean nothing (P35). */
function originOf(boot: string, node: string): number {
  const bytes = createHash('sha256').update(`${boot} ${node}`).digest();
  return bytes.readUInt32BE(0) * 1_000;
}

async function sandboxOf(parts: Parts, name: string): Promise<ListedSandbox | Refusal> {
  const { loop } = parts;
  if (loop.state.member.keepsJournal) {
    return loop.read(({ sandboxes, access }) => {
      const record = sandboxNamed(sandboxes, name);
      return 'code' in record ? record : withRights(record, access.rights);
    });
  }
  const leader = leaderOf(parts);
  if (!leader) return whyNobody(parts);
  return askPeer<ListedSandbox>(parts, leader, `sandbox?${new URLSearchParams({ name })}`);
}

async function viewOfLocal(record: SandboxRecord) {
  const folder = await localFolder(record);
  return 'code' in folder ? sandboxView(record) : sandboxView(record, await folder.measure());
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

function cannotListen(error: unknown, where: string): CannotStart {
  const code = (error as NodeJS.ErrnoException).code;
  const why =
    code === 'EADDRINUSE'
      ? 'another program uses it'
      : code === 'EACCES'
        ? 'this user may not use it'
        : code === 'EADDRNOTAVAIL'
          ? 'this machine has no such address'
          : String(code ?? error);
  return new CannotStart(
    'cannot_listen',
    `${where} cannot be listened on: ${why}.`,
    'Choose another address or port with --listen or --peers.',
    error,
  );
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

/** If all nodes came back with other ports at once, as after a power cut, nobody could find anybody. */
function usualPort({ nodes }: Directory, self: string): { usual?: number } {
  const address = nodes.find((one) => one.id === self)?.addresses[0];
  return address === undefined ? {} : { usual: readListen(address).port };
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

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

/** The private socket in its folder. */
export const socketIn = (directory: string): string =>
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
