/**
 * Clients of a cluster, many in one process, in a host of the test network:
 * each launches, cancels, writes files and reads, one thing after the other,
 * at any node, over HTTPS with the cluster's authority pinned.
 *
 * A change keeps its idempotency key until it is known what became of it: it
 * is tried again, at other nodes too, as a careful program does (P36). Every
 * operation that ended is one JSON line on the standard output. When a line
 * comes in on the standard input no new operation begins; it ends when the
 * last one has.
 */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:https';
import { type Chance, chanceOf } from '../simulation/random.ts';
import { type Kind, nowMs, type Operation, type Outcome } from './operation.ts';

export type Task = {
  nodes: { name: string; url: string }[];
  authority: string;
  token: string;
  clients: number;
  seed: number;
  /** Between two operations of a client: at least, at most. */
  pauseMs: [number, number];
  /** How often each kind is chosen, beside the others. */
  mix: Partial<Record<Kind, number>>;
  tryMs: number;
  /** After so long an operation is given up as unknown. */
  operationMs: number;
};

type Reply = { status: number; headers: Record<string, string | undefined>; text: string };
type Ask = { method: string; path: string; body?: string; key?: string };

const FILES = 3;
const RETRY_MS = 25;
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Known to have been acknowledged to anybody: what reads are about. */
const launched: string[] = [];
let stopping = false;

function client(task: Task, number: number, emit: (operation: Operation) => void): { work(): Promise<void> } {
  const chance = chanceOf(task.seed * 1_000 + number);
  const agent = new Agent({ keepAlive: true, ca: task.authority, maxSockets: 1 });
  const written = new Map<string, number>();
  const cancellable: string[] = [];

  function send(node: Task['nodes'][number], ask: Ask): Promise<Reply> {
    return new Promise((done, failed) => {
      const bytes = ask.body === undefined ? null : Buffer.from(ask.body);
      const asked = request(new URL(ask.path, node.url), {
        agent,
        method: ask.method,
        headers: {
          authorization: `Bearer ${task.token}`,
          ...(ask.key ? { 'idempotency-key': ask.key } : {}),
          ...(bytes ? { 'content-type': ask.method === 'PUT' ? 'application/octet-stream' : 'application/json' } : {}),
          ...(bytes ? { 'content-length': bytes.length } : {}),
        },
      });
      const late = setTimeout(() => asked.destroy(new Error('timeout')), task.tryMs);
      asked.on('error', (error) => {
        clearTimeout(late);
        failed(error);
      });
      asked.on('response', (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part) => (text += part));
        answer.on('error', failed);
        answer.on('end', () => {
          clearTimeout(late);
          done({ status: answer.statusCode!, headers: answer.headers as Record<string, string>, text });
        });
      });
      asked.end(bytes ?? undefined);
    });
  }

  /** Asks until it is known how it ended, or the time is over. */
  async function through(kind: Kind, ask: Ask): Promise<{ operation: Operation; reply: Reply | null }> {
    const calledAt = nowMs();
    let at = chance.whole(0, task.nodes.length - 1);
    const operation = blank(number, kind, ask.key ?? randomUUID(), calledAt);
    /** A try that may have been done, though no success was told. */
    let doubtful = false;
    for (;;) {
      const node = task.nodes[at % task.nodes.length]!;
      operation.node = node.name;
      operation.tries++;
      operation.triedAt = nowMs();
      const reply = await send(node, ask).catch((error: NodeJS.ErrnoException) => {
        operation.why = error.code ?? error.message;
        return null;
      });
      const outcome = reply && outcomeOf(reply.status);
      if (reply && outcome) {
        fill(operation, reply, outcome === 'refused' && doubtful ? 'unknown' : outcome);
        return { operation, reply };
      }
      if (reply) operation.why = codeOf(reply);
      operation.status = reply?.status ?? null;
      // Nothing listened there: this try has done nothing. Everything else may have.
      if (operation.why !== 'ECONNREFUSED') doubtful = true;
      if (nowMs() - calledAt > task.operationMs) return { operation, reply: null };
      at++;
      await sleep(RETRY_MS + chance.whole(0, RETRY_MS));
    }
  }

  async function launch(path: string): Promise<void> {
    const body = JSON.stringify({ sandbox: 'work', path });
    const { operation, reply } = await through('launch', {
      method: 'POST',
      path: '/api/v1/runs',
      body,
      key: randomUUID(),
    });
    if (operation.outcome === 'ok') {
      operation.run = (JSON.parse(reply!.text) as { id: string }).id;
      launched.push(operation.run);
      if (path === 'wait.sh') cancellable.push(operation.run);
    }
    emit(operation);
  }

  async function write(): Promise<void> {
    const path = `client-${number}/file-${chance.whole(1, FILES)}.txt`;
    const value = (written.get(path) ?? 0) + 1;
    written.set(path, value);
    const ask = { method: 'PUT', path: `/api/v1/sandboxes/work/files/${path}`, body: String(value), key: randomUUID() };
    const { operation } = await through('write', ask);
    emit({ ...operation, path, number: value });
  }

  async function cancel(): Promise<void> {
    if (cancellable.length === 0) await launch('wait.sh');
    const run = cancellable.shift();
    if (!run) return;
    const ask = { method: 'POST', path: `/api/v1/runs/${run}/cancel`, key: randomUUID() };
    const { operation } = await through('cancel', ask);
    emit({ ...operation, run });
  }

  /** A refusal, as of a node whose disk is full, says nothing about what is there. */
  const foundIn = ({ status }: { status: number | null }): boolean | null =>
    status === 200 ? true : status === 404 ? false : null;

  async function readRun(): Promise<void> {
    if (launched.length === 0) return;
    // Mostly what is new: that is what may be missing.
    const run = launched[Math.max(0, launched.length - 1 - Math.floor(chance.next() ** 3 * launched.length))]!;
    const { operation } = await through('readRun', { method: 'GET', path: `/api/v1/runs/${run}` });
    emit({ ...operation, run, found: foundIn(operation) });
  }

  async function readFile(): Promise<void> {
    const path = [...written.keys()][chance.whole(0, FILES - 1)];
    if (!path) return;
    const { operation, reply } = await through('readFile', {
      method: 'GET',
      path: `/api/v1/sandboxes/work/files/${path}`,
    });
    const found = foundIn(operation);
    emit({ ...operation, path, found, number: found ? Number(reply!.text) : null });
  }

  async function readCluster(): Promise<void> {
    const { operation } = await through('readCluster', { method: 'GET', path: '/api/v1/cluster' });
    emit(operation);
  }

  const acts: Record<Kind, () => Promise<void>> = {
    launch: () => launch('mark.sh'),
    ...{ cancel, write, readRun, readFile, readCluster },
  };
  return {
    async work() {
      while (!stopping) {
        await acts[choose(chance, task.mix)]();
        await sleep(chance.whole(...task.pauseMs));
      }
      agent.destroy();
    },
  };
}

function choose(chance: Chance, mix: Task['mix']): Kind {
  const kinds = Object.entries(mix) as [Kind, number][];
  let left = chance.next() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of kinds) {
    left -= weight;
    if (left < 0) return kind;
  }
  return kinds.at(-1)![0];
}

/** Null: ask again. A 404 of a read is an answer; one of a change is a refusal. */
function outcomeOf(status: number): Outcome | null {
  if (status < 300) return 'ok';
  if (status === 507) return 'refused';
  if (status >= 500 || status === 429 || status === 408) return null;
  return 'refused';
}

function codeOf(reply: Reply): string {
  try {
    return String((JSON.parse(reply.text) as { code?: string }).code);
  } catch {
    return `status ${reply.status}`;
  }
}

const blank = (client: number, kind: Kind, key: string, calledAt: number): Operation => ({
  ...{ client, kind, key, calledAt, triedAt: calledAt, returnedAt: null, outcome: 'unknown', tries: 0, node: '' },
  ...{
    status: null,
    why: null,
    position: null,
    term: null,
    freshness: null,
    run: null,
    path: null,
    number: null,
    found: null,
  },
});

function fill(operation: Operation, reply: Reply, outcome: Outcome): void {
  operation.returnedAt = outcome === 'unknown' ? null : nowMs();
  operation.outcome = outcome;
  operation.status = reply.status;
  operation.why = reply.status >= 300 ? codeOf(reply) : null;
  const position = reply.headers['binnacle-position'];
  operation.position = position === undefined ? null : Number(position);
  operation.term = reply.headers['binnacle-term'] ?? null;
  operation.freshness = reply.headers['binnacle-read'] ?? null;
}

if (import.meta.main) {
  const task = JSON.parse(process.argv[2]!) as Task;
  process.stdin.on('data', () => (stopping = true)).on('end', () => (stopping = true));
  const emit = (operation: Operation) => process.stdout.write(`${JSON.stringify(operation)}\n`);
  await Promise.all(Array.from({ length: task.clients }, (_, number) => client(task, number, emit).work()));
  process.exitCode = 0;
  process.stdin.destroy();
}
