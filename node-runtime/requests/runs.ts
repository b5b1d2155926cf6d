/**
 * Requests about job files and runs: check, launch form, launch, list, look,
 * cancel, and the output of attempts.
 *
 * A launch reads the job file here and makes the plan; the core decides. What
 * is not ended comes from the core's state, older runs from the history.
 */
import { Readable } from 'node:stream';
import { type Refusal, refuse } from '../contract/errors.ts';
import { limits } from '../contract/limits.ts';
import type { LaunchForm, Run, RunState, RunSummary } from '../contract/model.ts';
import { sees, seesAll, type Visible } from '../core/access/rights.ts';
import { runOf, summaries } from '../core/jobs/jobs.ts';
import { launchFormOf } from '../core/jobs/launch-form.ts';
import { bindParameters, fieldsOf } from '../core/jobs/parameters.ts';
import { planOf, planOfScript } from '../core/jobs/plan.ts';
import { memberNamed } from '../core/members/members.ts';
import { takingWorkers } from '../core/workers.ts';
import type { Asked, Handlers } from '../io/http/asked.ts';
import { endingWith } from '../io/http/delegation.ts';
import { PeerUnreachable } from '../io/http/peer-requests.ts';
import { followOutput, readOutput, readTimes } from '../io/process/output.ts';
import { askPeer } from './ask-peer.ts';
import { nameOf } from './cluster-words.ts';
import { readJobSource } from './job-source.ts';
import { checkJobText, isJobPath, warningsOf } from './job-text.ts';
import type { Parts } from './parts.ts';
import { visibleHere } from './rights.ts';
import { isRefusal, replied, wish } from './wish.ts';

type RunRoutes = 'check' | 'launchForm' | 'launch' | 'runs' | 'run' | 'cancel' | 'decideTask' | 'log' | 'logTimes';

const PAGE = 100;

/** Local date of this node, as date parameters mean it. */
function today(): string {
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

export function runHandlers(parts: Parts): Pick<Handlers, RunRoutes> {
  const { loop, journal } = parts;

  async function findRun(id: string): Promise<Run | Refusal> {
    const living = await loop.read((state) => runOf(state.jobs, id));
    if (living) return living;
    const filed = await journal.filedRun(id);
    return filed ? JSON.parse(filed) : refuse('run_unknown', `There is no run ${id}.`);
  }

  /** Reads, checks and plans the job file at a path; everything a launch or its form needs. */
  async function prepare(sandbox: string, path: string, forWish: boolean) {
    const source = await readJobSource(parts, sandbox, path, forWish);
    if ('code' in source) return source;
    const { check, job } = checkJobText(path, source.text);
    if (!isJobPath(path) && !source.text.startsWith('#!'))
      return refuse('not_launchable', `${path} is neither a job file nor a script.`);
    if (!check.ok)
      return refuse(
        'job_file_wrong',
        `${path} has ${check.problems.length === 1 ? 'a mistake' : `${check.problems.length} mistakes`}.`,
        check.problems,
      );
    const made = job ? planOf(job, path) : planOfScript(path, source.text.split('\n', 1)[0] ?? '', source.executable);
    const plan = source.node === undefined ? made : { ...made, node: source.node };
    return { source, job, plan, fields: job ? fieldsOf(job) : [], open: job === null };
  }

  return {
    async check({ body }) {
      const { check, job } = checkJobText(body.path, body.text);
      const warnings = job ? await loop.read(({ secrets }) => warningsOf(body.path, body.text, job, secrets)) : [];
      return { body: { ...check, ...(warnings.length > 0 ? { warnings } : {}) } };
    },

    async launchForm({ params, query }) {
      const prepared = await prepare(params.sandbox, query.path, false);
      if ('code' in prepared) return prepared;
      const { job, plan, fields } = prepared;
      const form = await loop.read(
        (state): LaunchForm =>
          launchFormOf(state.jobs, {
            sandbox: params.sandbox,
            path: query.path,
            job,
            plan,
            fields,
            workers: workersOf(parts),
            today: today(),
            isSecret: (name) => state.secrets.has(name),
          }),
      );
      return { body: form };
    },

    async launch(asked) {
      const { sandbox, path, parameters } = asked.body;
      const prepared = await prepare(sandbox, path, true);
      if ('code' in prepared) return prepared;
      const values = bindParameters(prepared.fields, parameters ?? {}, { today: today(), open: prepared.open });
      if ('code' in values) return values;
      const { revision } = prepared.source;
      const launch = {
        wish: 'launch',
        sandbox,
        path,
        parameters: values.values,
        plan: prepared.plan,
        ...(revision === null ? {} : { revision }),
      } as const;
      return replied(await wish(parts, asked, launch));
    },

    async runs({ query, caller }) {
      return { body: await listRuns(parts, query, visibleHere(parts, caller)) };
    },

    async run({ params }) {
      const run = await findRun(params.run);
      return isRefusal(run) ? run : { body: run };
    },

    async cancel(asked) {
      const known = await loop.read((state) => runOf(state.jobs, asked.params.run) !== null);
      if (!known && (await journal.filedRun(asked.params.run)))
        return refuse('run_ended', `Run ${asked.params.run} has ended.`);
      return replied(await wish(parts, asked, { wish: 'cancel', run: asked.params.run }));
    },

    async decideTask(asked) {
      const { run, task } = asked.params;
      return replied(await wish(parts, asked, { wish: 'decideTask', run, task, decision: asked.body.decision }));
    },

    async log(asked) {
      const attempt = await attemptOf(parts, findRun, asked);
      if (isRefusal(attempt)) return attempt;
      if (attempt.elsewhere !== null) return outputElsewhere(parts, attempt, asked);
      const { offset = 0, limit, follow } = asked.query;
      const now = await readOutput(parts.data, attempt.name, 0, 0);
      const from = offset < 0 ? Math.max(0, now.outputBytes + offset) : offset;
      const headers = {
        'content-type': 'text/plain; charset=utf-8',
        'binnacle-log-offset': String(from),
        'binnacle-log-end': String(now.outputBytes),
        'binnacle-attempt': String(attempt.number),
        'binnacle-attempt-state': attempt.state,
      };
      if (follow === '1' || follow === 'true') {
        const stream = Readable.from(followOutput(parts.data, attempt.name, from, asked.signal));
        return { headers, body: stream, endless: true };
      }
      if (limit === undefined) return { headers, body: Readable.from(wholeOutput(parts.data, attempt.name, from)) };
      const { bytes } = await readOutput(parts.data, attempt.name, from, limit);
      return { headers, body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
    },

    async logTimes(asked) {
      const attempt = await attemptOf(parts, findRun, asked);
      if (isRefusal(attempt)) return attempt;
      const { offset = 0 } = asked.query;
      const times =
        attempt.elsewhere === null
          ? await readTimes(parts.data, attempt.name)
          : await askPeer<{ offset: number; atMs: number }[]>(parts, attempt.elsewhere, `times/${attempt.name}`);
      if ('code' in times) return times;
      return {
        body: {
          times: times.filter((one) => one.offset >= offset).map((one) => ({ offset: one.offset, at: one.atMs })),
        },
      };
    },
  };
}

export const workersOf = (parts: Parts) => takingWorkers(parts.loop.state, parts.loop.state.member.now);

/** All that is there from an offset on, read in parts so that a large output never lies in memory. */
async function* wholeOutput(data: string, attempt: string, from: number): AsyncGenerator<Uint8Array> {
  for (let at = from; ; ) {
    const { bytes } = await readOutput(data, attempt, at, limits.logReadBytesMax);
    if (bytes.length === 0) return;
    at += bytes.length;
    yield bytes;
  }
}

/** The attempt a log request means: the one named, or the newest. */
async function attemptOf(
  parts: Parts,
  findRun: (id: string) => Promise<Run | Refusal>,
  { params, query }: Pick<Asked<'log'>, 'params'> & { query: { attempt?: number | undefined } },
) {
  const run = await findRun(params.run);
  if (isRefusal(run)) return run;
  const task = run.tasks.find((one) => one.id === params.task);
  if (!task) return refuse('task_unknown', `Run ${run.id} has no task ${params.task}.`);
  const attempt =
    query.attempt === undefined ? task.attempts.at(-1) : task.attempts.find((one) => one.number === query.attempt);
  if (!attempt)
    return refuse(
      'log_unknown',
      `Task ${task.id} of run ${run.id} has ${query.attempt ? `no attempt ${query.attempt}` : 'not been started'}.`,
    );
  const name = `${run.id}.${task.id}.${attempt.number}`;
  return {
    name,
    number: attempt.number,
    state: attempt.state,
    elsewhere: await holderOfOutput(parts, attempt.node, name, attempt.outputBytes),
  };
}

/** The node that has the output, or null: it is here, because it was written here or was copied when it ended. */
async function holderOfOutput(parts: Parts, nodeName: string, attempt: string, bytes: number): Promise<string | null> {
  const node = memberNamed(parts.loop.state.replicated.members, nodeName)?.id;
  if (node === undefined || node === parts.loop.state.self.node) return null;
  const { outputBytes } = await readOutput(parts.data, attempt, 0, 0);
  return bytes > 0 && outputBytes >= bytes ? null : node;
}

async function outputElsewhere(
  parts: Parts,
  attempt: { name: string; number: number; state: string; elsewhere: string | null },
  asked: Asked<'log'>,
) {
  const { offset = 0, limit, follow } = asked.query;
  const isFollowing = follow === '1' || follow === 'true';
  const node = attempt.elsewhere!;
  const open = async (from: number, max: number | undefined, follows: boolean) => {
    const query = new URLSearchParams({
      from: String(from),
      ...(follows ? { follow: '1' } : {}),
      ...(max === undefined ? {} : { limit: String(max) }),
    });
    return parts
      .peers()!
      .request(node, { method: 'GET', path: `/peer/v1/output/${attempt.name}?${query}`, signal: asked.signal });
  };
  try {
    const first = await open(offset, isFollowing ? undefined : (limit ?? limits.logReadBytesMax), isFollowing);
    if (first.status !== 200) {
      first.body.resume();
      return refuse('log_unknown', `${nameOf(parts, node)} has no output of this attempt.`);
    }
    const end = Number(first.headers['binnacle-log-end'] ?? 0);
    const from = offset < 0 ? Math.max(0, end + offset) : offset;
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'binnacle-log-offset': String(from),
      'binnacle-log-end': String(end),
      'binnacle-attempt': String(attempt.number),
      'binnacle-attempt-state': attempt.state,
    };
    if (isFollowing) return { headers, body: endingWith(first.body, asked.signal), endless: true as const };
    if (limit !== undefined) return { headers, body: first.body };
    async function* whole(): AsyncGenerator<Uint8Array> {
      let at = from;
      for (let answer = first; ; answer = await open(at, limits.logReadBytesMax, false)) {
        const before = at;
        for await (const chunk of answer.body) {
          at += (chunk as Uint8Array).length;
          yield chunk as Uint8Array;
        }
        if (at === before || at >= end) return;
      }
    }
    return { headers, body: Readable.from(whole()) };
  } catch (error) {
    if (!(error instanceof PeerUnreachable)) throw error;
    return refuse('node_unreachable', `The output lies on ${nameOf(parts, node)}, which does not answer.`);
  }
}

/**
 * Newest first. Runs in memory come from the core, all older ones from the
 * history; a run that is in both is shown as the core knows it.
 */
async function listRuns(
  parts: Parts,
  query: Asked<'runs'>['query'],
  visible: Visible,
): Promise<{ runs: RunSummary[]; cursor?: string }> {
  const limit = query.limit ?? PAGE;
  const states = query.state === undefined ? null : (query.state.split(',') as RunState[]);
  const before = readCursor(query.cursor);
  const text = query.text?.toLowerCase();
  const isSeen = sees(visible);
  const fits = (run: RunSummary) =>
    isSeen(run.sandbox) &&
    (!states || states.includes(run.state)) &&
    (!query.sandbox || run.sandbox === query.sandbox) &&
    (!query.path || run.path === query.path) &&
    (!text || `${run.id} ${run.name} ${run.sandbox}/${run.path} ${run.by}`.toLowerCase().includes(text)) &&
    (!before || comesAfter(run, before));
  const living = await parts.loop.read((state) => summaries(state.jobs));
  const known = new Set(living.map((run) => run.id));
  const filter = {
    limit: limit + 1,
    ...(states ? { states } : {}),
    ...(query.sandbox ? { sandbox: query.sandbox } : {}),
    // Left out in the query, not after it: a page stays full.
    ...(seesAll(visible) ? {} : { visible }),
    ...(query.path ? { path: query.path } : {}),
    ...(query.text ? { text: query.text } : {}),
    ...(before ? { before } : {}),
  };
  // Of what the history gives some are in memory too and fall out: ask for as many more.
  const filed = (
    await parts.journal.filedRuns({ ...filter, limit: filter.limit + Math.min(known.size, limits.runsEndedInMemory) })
  )
    .map((one): RunSummary => JSON.parse(one))
    .filter((run) => !known.has(run.id) && fits(run));
  const all = [...living.filter(fits), ...filed].sort(newestFirst);
  const runs = all.slice(0, limit);
  const last = runs.at(-1);
  return { runs, ...(all.length > limit && last ? { cursor: `${Date.parse(last.launchedAt)}~${last.id}` } : {}) };
}

export function summaryOfRun(run: Run): RunSummary {
  const { tasks: _, parameters: __, revision: ___, term: ____, via: _____, ...summary } = run;
  return summary;
}

const newestFirst = (a: RunSummary, b: RunSummary): number =>
  a.launchedAt < b.launchedAt ? 1 : a.launchedAt > b.launchedAt ? -1 : a.id < b.id ? 1 : -1;

function readCursor(text: string | undefined): { launchedAt: number; id: string } | null {
  const match = /^(\d{1,15})~([A-Za-z0-9-]{1,64})$/.exec(text ?? '');
  return match ? { launchedAt: Number(match[1]), id: match[2]! } : null;
}

/** Is the run later in the list than the cursor? */
const comesAfter = (run: RunSummary, before: { launchedAt: number; id: string }): boolean => {
  const at = Date.parse(run.launchedAt);
  return at < before.launchedAt || (at === before.launchedAt && run.id < before.id);
};
